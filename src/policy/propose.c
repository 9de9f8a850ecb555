#include "policy/propose.h"
#include <stdio.h>
#include <string.h>
#include "policy/print.h"
#include "wire/url.h"

enum { PART_BYTES = 1 << 20, LOAD_BYTES = 64 << 20 };

enum reason proposal_judge(const struct proposal *x, const struct atom *atom) {
    struct atom one = *atom;
    struct verdict verdict;
    policy_decide(x->policy, x->subject, &(struct atoms){ &one, 1, 1 }, x->now_us, &verdict);
    return verdict.reason;
}

static bool is_missing(const struct proposal *x, const struct atom *a) {
    return proposal_judge(x, a) != REASON_NONE;
}

/* ---- what may stand in a proposal: the request's words are the caller's, who must not write rules through them ---- */

static const char CANNOT_WRITE[] = "the request holds names that no statement can hold";
static const char NO_ACCOUNT[] =
    "the request does not say as which account to run: give the job the label linkspan-account, and submit it again";

static bool is_word(struct str s, const char *more) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(more, c));
        if (!fits) return false;
    }
    return true;
}

static bool is_printable(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] > '~') return false;
    return true;
}

static bool is_writable(const struct proposal *x, const struct atom *a) {
    struct str path = a->path;
    (void)str_cut(&path, ' ');
    if (!is_word(path, "-_/")) return false;
    for (size_t i = 0; i < a->n_columns; i++)
        if (!a->columns[i].n || !is_word(a->columns[i], "_")) return false;
    if (a->verb == VERB_RUN_JOB) return !a->object.n || symbol(x->policy, 'j', a->object);
    if (a->verb == VERB_CALL) return url_is_normal(a->object) && is_printable(a->account);
    return is_word(a->object, "_.");
}

/* ---- who ---- */

/* An account before others, as it is what a job or a token acts as; else the identity that asks most, so that the fewest
 * bear it; else the first by name. */
static struct str known_name(const struct proposal *x) {
    const struct policy_names *sure = &x->recorded->bearing.sure;
    const struct stmt *best = NULL;
    for (size_t i = 0; i < sure->n; i++) {
        const struct stmt *s = symbol(x->policy, 'n', sure->items[i]);
        if (s && s->kind == STMT_ACCOUNT) return s->name.text;
        if (s && (!best || s->tests.n > best->tests.n)) best = s;
    }
    return best ? best->name.text : (struct str){ 0 };
}

/* Nobody that the policy names: the proposal begins by naming them. */
static void name_caller(struct proposal *x) {
    const struct policy_recorded *r = x->recorded;
    (void)snprintf(x->fresh, sizeof x->fresh, "caller");
    for (unsigned i = 2; symbol(x->policy, 'n', str_z(x->fresh)); i++)
        (void)snprintf(x->fresh, sizeof x->fresh, "caller-%u", i);
    bool is_account = !r->issuer.n && str_find_char(r->subject, '@') > 0;
    if (!is_printable(r->subject) || !is_word(r->issuer, "-_")) x->unhelpful = CANNOT_WRITE;
    else if (!r->subject.n || (!r->issuer.n && !is_account)) {
        x->unhelpful = "the policy names nobody with this proof, and the record does not say whom to name";
    }
    if (x->unhelpful) return;
    if (is_account) buf_printf(&x->definition, "account %s is ", x->fresh);
    else buf_printf(&x->definition, "identity %s is oidc %.*s where sub = ", x->fresh, STR_ARG(r->issuer));
    print_string(&x->definition, r->subject);
    buf_add_char(&x->definition, '\n');
    x->who = str_z(x->fresh);
}

/* ---- where ---- */

static const struct stmt *domain_of_path(const struct policy *p, struct str path) {
    for (size_t i = 0; i < p->n_domains; i++)
        for (size_t k = 0; k < p->domains[i]->members.n; k++)
            if (path_covers(p->domains[i]->members.items[k].text, path)) return p->domains[i];
    return NULL;
}

static const struct stmt *domain_of_account(const struct policy *p, struct str email) {
    const struct stmt *account = symbol(p, 'e', email);
    for (size_t i = 0; account && i < p->n_domains; i++)
        if (p->domains[i]->file == account->file) return p->domains[i];
    return NULL;
}

/* What has no path goes where its subject is named, else to the first file. */
static const struct stmt *domain_of_name(const struct policy *p, struct str name) {
    const struct stmt *subject = symbol(p, 'n', name);
    for (size_t i = 0; subject && i < p->n_domains; i++)
        if (p->domains[i]->file == subject->file) return p->domains[i];
    return p->n_domains ? p->domains[0] : NULL;
}

static const struct stmt *domain_of(const struct proposal *x, const struct atom *a) {
    if (a->verb == VERB_CALL) return domain_of_name(x->policy, x->who);
    return a->verb == VERB_ACT_AS ? domain_of_account(x->policy, a->account) : domain_of_path(x->policy, a->path);
}

/* The part for the domain; the first one defines the caller, too. */
static struct proposal_part *part_of(struct proposal *x, const struct stmt *domain) {
    for (size_t i = 0; i < x->n_parts; i++)
        if (x->parts[i].domain == domain) return &x->parts[i];
    struct proposal_part *part = &x->parts[x->n_parts++];
    *part = (struct proposal_part){ .domain = domain, .rule = BUF_INIT(PART_BYTES) };
    if (x->n_parts == 1) buf_add_str(&part->rule, buf_str(&x->definition));
    return part;
}

/* NULL: nothing that could be written would help, and x->unhelpful says why. */
static const struct stmt *place(struct proposal *x, const struct atom *a) {
    const struct stmt *domain = domain_of(x, a);
    bool named = a->verb == VERB_CALL || !a->account.n || policy_account_name(x->policy, a->account).n;
    if (a->verb == VERB_RUN_JOB && !a->account.n) x->unhelpful = NO_ACCOUNT;
    else if (!named) x->unhelpful = "the policy has no such account";
    else if (!domain) x->unhelpful = "no domain covers what is asked for";
    else if (!is_writable(x, a)) x->unhelpful = CANNOT_WRITE;
    return x->unhelpful ? NULL : domain;
}

/* ---- each atom ---- */

static bool admitted_by_others(const struct proposal *x, const struct atom *use) {
    const struct atoms *atoms = x->recorded->atoms;
    for (size_t i = 0; i < atoms->n; i++)
        if (atoms->items[i].verb != VERB_USE && str_eq(atoms->items[i].path, use->path) && is_missing(x, &atoms->items[i]))
            return true;
    return false;
}

static void propose_atom(struct proposal *x, size_t at) {
    const struct atom *a = &x->recorded->atoms->items[at];
    if (a->verb == VERB_USE) {
        if (!admitted_by_others(x, a))
            x->unhelpful = "any rule that allows something there admits; what the caller wants to do there says which";
        return;
    }
    const struct stmt *domain = place(x, a);
    if (domain) propose_statement(x, part_of(x, domain), at);
}

/* ---- does it help? The policy with the text appended must allow what was asked. ---- */

static bool load_with(const struct proposal *x, struct arena *arena, struct policy **ret) {
    const struct policy *p = x->policy;
    struct policy_faults faults;
    struct err err;
    struct policy_source *sources = ARENA_ARRAY(arena, struct policy_source, p->n_files);
    if (!sources) return false;
    for (size_t i = 0; i < p->n_files; i++) {
        sources[i] = (struct policy_source){ p->files[i].name, p->files[i].text };
        for (size_t k = 0; k < x->n_parts; k++)
            if (x->parts[k].domain->file == i)
                sources[i].text = arena_printf(arena, "%.*s\n%.*s", STR_ARG(p->files[i].text),
                                               STR_ARG(buf_str(&x->parts[k].rule)));
        if (!sources[i].text.p) return false;
    }
    return policy_load(sources, p->n_files, NULL, arena, &faults, ret, &err) == OK;
}

static bool helps(const struct proposal *x) {
    DEFER(arena_freep) struct arena *arena = arena_new(LOAD_BYTES);
    DEFER(policy_unrefp) struct policy *after = NULL;
    struct verdict verdict;
    if (!arena || !load_with(x, arena, &after)) return false;
    struct policy_recorded r = *x->recorded;
    struct policy_names *sure = &r.bearing.sure;
    struct str *names = ARENA_ARRAY(arena, struct str, sure->n + 1);
    if (!names) return false;
    if (sure->n) memcpy(names, sure->items, sure->n * sizeof *names);
    names[sure->n] = x->who;
    *sure = (struct policy_names){ names, sure->n + 1 };
    const struct policy_subject *subject = subject_recorded(after, &r, arena);
    if (!subject) return false;
    policy_decide(after, subject, r.atoms, x->now_us, &verdict);
    return verdict.reason == REASON_NONE;
}

void propose(struct proposal *x, struct arena *arena) {
    const struct atoms *atoms = x->recorded->atoms;
    x->definition = (struct buf)BUF_INIT(PART_BYTES);
    x->parts = ARENA_ARRAY(arena, struct proposal_part, x->policy->n_domains + 1);
    if (!x->parts) {
        x->unhelpful = "memory is short";
        return;
    }
    x->who = known_name(x);
    if (!x->who.n) name_caller(x);
    for (size_t i = 0; i < atoms->n && !x->unhelpful; i++)
        if (is_missing(x, &atoms->items[i])) propose_atom(x, i);
    if (x->unhelpful) return;
    if (!x->n_parts) x->unhelpful = "nothing is missing";
    else if (!helps(x)) x->unhelpful = "no rule that can be written here would let it pass";
}

void proposal_free(struct proposal *x) {
    buf_free(&x->definition);
    for (size_t i = 0; i < x->n_parts; i++) buf_free(&x->parts[i].rule);
    x->n_parts = 0;
}
