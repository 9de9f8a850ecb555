/* Why a request was refused, as text for a person. Built from the request as the audit kept it; judged by the policy in
 * force. */
#include <stdio.h>
#include "base/clock.h"
#include "policy/near.h"
#include "policy/print.h"
#include "policy/propose.h"

enum { MAX_TEXT = 4 << 20 };

/* ---- what was asked: the request's words are the caller's, who may not draw on the reader's terminal nor forge a line
 * ---- */

static void add_columns(struct buf *out, const struct atom *a) {
    if (a->any_column) buf_add_z(out, " (any one column)");
    for (size_t i = 0; i < a->n_columns && !a->any_column; i++) {
        buf_add_z(out, i ? ", " : "(");
        print_safe(out, a->columns[i]);
    }
    if (a->n_columns && !a->any_column) buf_add_char(out, ')');
}

static void describe(struct buf *out, const struct atom *a) {
    buf_add_z(out, verb_name(a->verb));
    bool pipeline = str_starts(a->path, STR("synapse "));
    if (a->verb == VERB_RUN_JOB && !a->object.n) buf_add_z(out, pipeline ? "s" : " that no job statement names");
    if (a->object.n) {
        buf_add_char(out, ' ');
        print_safe(out, a->object);
    }
    add_columns(out, a);
    if (a->path.n) buf_add_z(out, " in ");
    print_safe(out, a->path);
    if (a->account.n) buf_add_z(out, verb_account_word(str_z(verb_name(a->verb))));
    else if (a->verb == VERB_CALL) buf_add_z(out, " without a token");
    print_safe(out, a->account);
}

static void say_request(struct buf *out, const struct policy_recorded *r) {
    buf_add_z(out, "who:    ");
    for (size_t i = 0; i < r->bearing.sure.n; i++) {
        if (i) buf_add_z(out, ", ");
        print_safe(out, r->bearing.sure.items[i]);
    }
    if (!r->bearing.sure.n) {
        buf_add_z(out, "nobody that the policy names (\"");
        print_safe(out, r->subject);
        buf_add_z(out, r->issuer.n ? "\" of " : "\"");
        print_safe(out, r->issuer);
        buf_add_char(out, ')');
    }
    if (r->job.n) buf_add_z(out, ", during job ");
    print_safe(out, r->job);
    buf_add_z(out, "\nasked:  ");
    for (size_t i = 0; i < r->atoms->n; i++) {
        if (i) buf_add_z(out, "\n        ");
        describe(out, &r->atoms->items[i]);
    }
    buf_add_char(out, '\n');
}

/* ---- why not ---- */

static const char *meaning(enum reason reason) {
    static const char *const texts[REASON_COUNT] = {
        [NO_IDENTITY] = "the policy names nobody with this proof",
        [NO_RULE] = "no rule allows it",
        [NO_RULE_FOR_COLUMN] = "rules allow some columns, but not this one",
        [RULE_EXPIRED] = "the rule that allowed it has ended",
        [JOB_WRONG] = "it is allowed during another job only",
        [NETWORK_WRONG] = "it is allowed from another network only",
        [CLAIM_MISSING] = "it is allowed to those with a claim that this token's issuer did not send",
        [DENIED] = "a rule denies it, and no allow goes before a deny",
        [NOT_UNDERSTOOD] = "it is nothing that a rule can speak of",
        [LIMIT_REACHED] = "a limit was reached: what was allowed comes through once there is room again",
    };
    return texts[reason] ? texts[reason] : "that is not the policy's doing";
}

static const struct rule *rule_named(const struct policy *p, struct str name) {
    for (size_t i = 0; i < p->n_rules; i++)
        if (str_eq(p->rules[i].name, name)) return &p->rules[i];
    return NULL;
}

static void say_rule(struct buf *out, const struct policy *p, struct str name) {
    const struct rule *rule = name.n ? rule_named(p, name) : NULL;
    if (!rule) return;
    buf_printf(out, "\nrule:   %.*s (%.*s:%u)\n        ", STR_ARG(name), STR_ARG(p->files[rule->stmt->file].name),
               rule->stmt->line);
    print_stmt(out, rule->stmt, false);
}

static void say_verdict(struct buf *out, const struct policy *p, const struct policy_recorded *r, const struct verdict *v) {
    buf_printf(out, "cause:  %s: %s", reason_name(v->reason), meaning(v->reason));
    if (v->atom < r->atoms->n) {
        const struct atom *a = &r->atoms->items[v->atom];
        bool column = v->column >= 0 && (size_t)v->column < a->n_columns;
        struct atom one = *a;
        if (column) {
            one.columns = &a->columns[v->column];
            one.n_columns = 1;
        }
        buf_add_z(out, "\n        refused: ");
        describe(out, &one);
    }
    say_rule(out, p, v->rule);
    buf_add_char(out, '\n');
}

/* Refused by what no rule about acts decides: a limit, a handle, the audit log. */
static void say_beside(struct buf *out, const struct policy *p, const struct verdict *then) {
    buf_printf(out, "cause:  %s: %s", reason_name(then->reason), meaning(then->reason));
    if (then->reason == LIMIT_REACHED) say_rule(out, p, then->rule);
    buf_add_z(out, "\nhelp:   no rule is proposed: a rule would not help\n");
}

static void say_near(struct buf *out, const struct policy_explanation *e) {
    for (size_t i = 0; i < e->n_near; i++) {
        const struct policy_near *n = &e->near[i];
        buf_printf(out, "near:   rule %.*s (%.*s:%u) %.*s\n", STR_ARG(n->rule), STR_ARG(n->file), n->line,
                   STR_ARG(n->lacks));
    }
}

static void say_proposal(struct buf *out, const struct proposal *x) {
    if (x->unhelpful) {
        buf_printf(out, "help:   no rule is proposed: %s\n", x->unhelpful);
        return;
    }
    for (size_t i = 0; i < x->n_parts; i++) {
        const struct proposal_part *part = &x->parts[i];
        buf_printf(out, "%s %.*s agrees, add to %.*s:\n\n", i ? "\nand if" : "help:   if",
                   STR_ARG(part->domain->clauses.owner.text), STR_ARG(x->policy->files[part->domain->file].name));
        buf_add_str(out, buf_str(&part->rule));
    }
}

static bool is_policy_reason(enum reason reason) {
    return reason >= CLAIM_MISSING && reason <= DENIED;
}

/* False: the arena is full. */
static bool explain_refusal(struct buf *out, struct proposal *x, const struct verdict *now, struct arena *arena,
                            struct policy_explanation *ret) {
    enum reason then = x->recorded->verdict.reason;
    const struct near_ask ask = { x->policy, x->recorded, x->subject, now, x->now_us };
    bool missing = is_policy_reason(now->reason) && now->reason != DENIED;
    if (then != REASON_NONE && then != now->reason)
        buf_printf(out, "then:   refused with %s; judged again by the policy in force now\n", reason_name(then));
    say_verdict(out, x->policy, x->recorded, now);
    ret->near = ARENA_ARRAY(arena, struct policy_near, NEAR_MAX);
    if (!ret->near || (missing && !near_rules(&ask, arena, ret->near, &ret->n_near))) return false;
    say_near(out, ret);
    if (now->reason == DENIED) x->unhelpful = "the deny would have to change, which is its owner's to decide";
    else if (!missing) x->unhelpful = "a rule would not help";
    else propose(x, arena);
    say_proposal(out, x);
    return true;
}

static bool hand_over(const struct proposal *x, struct arena *arena, struct policy_explanation *ret) {
    if (x->unhelpful) return true;
    ret->additions = ARENA_ARRAY(arena, struct policy_addition, x->n_parts);
    for (size_t i = 0; ret->additions && i < x->n_parts; i++) {
        const struct proposal_part *part = &x->parts[i];
        struct policy_addition *to = &ret->additions[ret->n_additions++];
        *to = (struct policy_addition){ .file = str_dup(arena, x->policy->files[part->domain->file].name),
                                        .rule = str_dup(arena, buf_str(&part->rule)),
                                        .owner = str_dup(arena, part->domain->clauses.owner.text) };
        if (!buf_ok(&part->rule) || !to->file.p || !to->rule.p || !to->owner.p) return false;
    }
    return ret->additions != NULL;
}

enum code policy_explain(const struct policy *policy, const struct policy_recorded *recorded, int64_t now_us,
                         struct arena *arena, struct policy_explanation *ret, struct err *err) {
    DEFER(buf_free) struct buf out = BUF_INIT(MAX_TEXT);
    DEFER(proposal_free) struct proposal x = { .policy = policy, .recorded = recorded, .now_us = now_us };
    struct policy_explanation made = { 0 };
    struct verdict now;
    x.subject = subject_recorded(policy, recorded, arena);
    if (!x.subject) return err_oom(err);
    policy_decide(policy, x.subject, recorded->atoms, now_us, &now);
    say_request(&out, recorded);
    enum reason then = recorded->verdict.reason;
    if (then != REASON_NONE && !is_policy_reason(then) && then != NOT_UNDERSTOOD) {
        say_beside(&out, policy, &recorded->verdict);
        x.unhelpful = "a rule would not help";
    } else if (now.reason == REASON_NONE) {
        buf_printf(&out, "now:    the policy in force allows it%s%.*s\n", now.rule.n ? ", first by rule " : "",
                   STR_ARG(now.rule));
        x.unhelpful = "the policy in force allows it";
    } else if (!explain_refusal(&out, &x, &now, arena, &made)) return err_oom(err);
    made.text = str_dup(arena, buf_str(&out));
    made.why_none = str_z(x.unhelpful);
    if (!buf_ok(&out) || !made.text.p || !hand_over(&x, arena, &made)) return err_oom(err);
    *ret = made;
    return OK;
}
