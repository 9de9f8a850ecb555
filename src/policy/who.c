#include "policy/who.h"
#include "policy/networks.h"

enum { MAX_DECISIONS = 4000000, MAX_STATES = 20000, SCRATCH_BYTES = 8 << 20 };

/* Somebody who acts as `who` for those in the chain. */
struct state {
    uint32_t who;
    struct str job;
    uint32_t chain[PRINCIPAL_MAX_CHAIN];
    unsigned n_chain;
    size_t parent; /* its place, or NO_PARENT */
    struct policy_step step;
};
#define NO_PARENT SIZE_MAX

struct search {
    const struct policy *policy;
    const struct atom *atom;
    int64_t now_us;
    struct arena *arena, *scratch; /* scratch: one subject at a time */
    struct network_class *classes;
    size_t n_classes;
    struct state *states; /* a queue: the shortest ways come first */
    size_t n, cap;
    size_t decisions;
    const struct policy_subject *subject; /* of the state and network that are looked at */
    const struct network_class *net;
    enum code code;
};

static bool fail(struct search *s, enum code code) {
    if (!s->code) s->code = code;
    return false;
}

/* ---- one decision ---- */

static bool take_subject(struct search *s, const struct state *from, const struct network_class *net) {
    const struct policy *p = s->policy;
    struct str chain[PRINCIPAL_MAX_CHAIN];
    struct policy_recorded r = { .job = from->job, .from = net->address };
    r.bearing.sure = (struct policy_names){ &p->subjects[from->who].name, 1 };
    for (unsigned i = 0; i < from->n_chain; i++) chain[i] = p->subjects[from->chain[i]].name;
    r.bearing.chain = (struct policy_names){ chain, from->n_chain };
    arena_reset(s->scratch);
    s->subject = subject_recorded(p, &r, s->scratch);
    s->net = net;
    return s->subject || fail(s, RESOURCE_EXHAUSTED);
}

static bool allows(struct search *s, struct atom atom, struct verdict *ret) {
    if (++s->decisions > MAX_DECISIONS) return fail(s, RESOURCE_EXHAUSTED);
    policy_decide(s->policy, s->subject, &(struct atoms){ &atom, 1, 1 }, s->now_us, ret);
    return ret->reason == REASON_NONE;
}

/* ---- the queue ---- */

static bool in_chain(const struct state *s, uint32_t who) {
    for (unsigned i = 0; i < s->n_chain; i++)
        if (s->chain[i] == who) return true;
    return false;
}

/* A longer chain never gives more: what was reached through fewer need not be looked at again through more. */
static bool is_covered(const struct search *s, const struct state *next) {
    for (size_t i = 0; i < s->n; i++) {
        const struct state *old = &s->states[i];
        if (old->who != next->who || !str_eq(old->job, next->job)) continue;
        bool fewer = true;
        for (unsigned k = 0; k < old->n_chain; k++) fewer = fewer && in_chain(next, old->chain[k]);
        if (fewer) return true;
    }
    return false;
}

static void push(struct search *s, struct state next) {
    if (s->code || is_covered(s, &next)) return;
    if (s->n == MAX_STATES || !arena_grow(s->arena, &s->states, &s->cap, s->n + 1, sizeof next)) {
        (void)fail(s, RESOURCE_EXHAUSTED);
        return;
    }
    s->states[s->n++] = next;
}

/* `from` acts as the account from now on, and joins the chain. */
static void follow(struct search *s, size_t from, uint32_t account, struct str job, struct str text, struct str rule) {
    struct state next = s->states[from];
    if (!text.p) {
        (void)fail(s, RESOURCE_EXHAUSTED);
        return;
    }
    next.chain[next.n_chain++] = next.who;
    next.who = account;
    next.job = job;
    next.parent = from;
    next.step = (struct policy_step){ text, s->net->from, rule };
    push(s, next);
}

/* ---- the steps ---- */

static bool has_row(const struct entries *list, uint32_t subject) {
    for (size_t i = 0; i < list->n; i++)
        if (list->subjects[i] == subject) return true;
    return false;
}

static void act_as(struct search *s, size_t from, const struct node *n) {
    const struct policy *p = s->policy;
    uint32_t account = subject_index(p, policy_account_name(p, n->object));
    struct verdict v;
    if (!allows(s, (struct atom){ .verb = VERB_ACT_AS, .account = n->object }, &v)) return;
    struct str name = p->subjects[account].name;
    follow(s, from, account, s->states[from].job, arena_printf(s->arena, "acts as %.*s", STR_ARG(name)), v.rule);
}

static void run_one(struct search *s, size_t from, struct str path, struct str job, uint32_t account) {
    const struct subject_def *as = &s->policy->subjects[account];
    struct atom atom = { .verb = VERB_RUN_JOB, .path = path, .object = job, .account = as->stmt->detail.text };
    struct verdict v;
    if (!allows(s, atom, &v)) return;
    follow(s, from, account, job,
           arena_printf(s->arena, "runs %s%.*s on %.*s as %.*s", job.n ? "job " : "jobs", STR_ARG(job), STR_ARG(path),
                        STR_ARG(as->name)),
           v.rule);
}

/* A path with a star stands for one that no rule names: fewest denies speak of it. */
static struct str some_path(struct search *s, struct str path) {
    if (!str_ends(path, STR("*"))) return path;
    return arena_printf(s->scratch, "%.*s~", STR_ARG(str_upto(path, path.n - 1)));
}

static void run_jobs(struct search *s, size_t from, const struct node *n) {
    const struct entries *list = &n->entries[ALLOWS][VERB_RUN_JOB];
    struct str path = str_dup(s->arena, some_path(s, n->path));
    bool any = str_eq(n->object, STR("*")), named = !str_starts(path, STR("synapse "));
    if (!path.p) (void)fail(s, RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < list->n && !s->code; i++) {
        const struct entry *e = &list->items[i];
        if (e->subject != s->states[from].who) continue;
        if (!any) run_one(s, from, path, n->object, e->account);
        if (any) run_one(s, from, path, (struct str){ 0 }, e->account);
        for (size_t k = 0; any && named && k < s->policy->n_jobs; k++)
            run_one(s, from, path, s->policy->jobs[k]->name.text, e->account);
    }
}

static void expand(struct search *s, size_t from) {
    const struct policy *p = s->policy;
    for (size_t i = 0; i < p->cap_nodes && !s->code; i++) {
        const struct node *n = p->nodes[i];
        uint32_t who = s->states[from].who;
        if (!n || s->states[from].n_chain == PRINCIPAL_MAX_CHAIN) continue;
        if (n->kind == NODE_ACCOUNT && has_row(&n->entries[ALLOWS][VERB_ACT_AS], who)) act_as(s, from, n);
        if (n->kind == NODE_JOB && has_row(&n->entries[ALLOWS][VERB_RUN_JOB], who)) run_jobs(s, from, n);
    }
}

/* ---- the end of a way ---- */

static bool may(struct search *s, struct verdict *v, struct str *ret_account) {
    const struct policy *p = s->policy;
    struct atom atom = *s->atom;
    bool any_account = atom.verb == VERB_RUN_JOB && !atom.account.n;
    *ret_account = atom.account;
    if (!any_account) return allows(s, atom, v);
    for (size_t i = 0; i < p->n_subjects && !s->code; i++) {
        if (p->subjects[i].stmt->kind != STMT_ACCOUNT) continue;
        atom.account = p->subjects[i].stmt->detail.text;
        *ret_account = p->subjects[i].name;
        if (allows(s, atom, v)) return true;
    }
    return false;
}

static bool report(struct search *s, size_t at, const struct verdict *v, struct str account, struct policy_holder *ret) {
    const struct state *state = &s->states[at];
    struct policy_step *steps = ARENA_ARRAY(s->arena, struct policy_step, state->n_chain + 1);
    if (!steps) return fail(s, RESOURCE_EXHAUSTED);
    size_t k = state->n_chain, start = at;
    for (size_t i = at; s->states[i].parent != NO_PARENT; i = s->states[i].parent) {
        steps[--k] = s->states[i].step;
        start = s->states[i].parent;
    }
    const struct state *first = &s->states[start];
    *ret = (struct policy_holder){ .name = s->policy->subjects[first->who].name,
                                   .steps = steps,
                                   .n_steps = state->n_chain,
                                   .acting = s->policy->subjects[state->who].name,
                                   .job = first->job,
                                   .from = s->net->from,
                                   .account = account,
                                   .rule = v->rule };
    return true;
}

static bool try_name(struct search *s, uint32_t who, struct policy_holder *ret) {
    const struct policy *p = s->policy;
    struct verdict v;
    struct str account;
    s->n = 0;
    push(s, (struct state){ .who = who, .parent = NO_PARENT });
    bool is_account = p->subjects[who].stmt->kind == STMT_ACCOUNT;
    for (size_t i = 0; is_account && i < p->n_jobs; i++)
        push(s, (struct state){ .who = who, .job = p->jobs[i]->name.text, .parent = NO_PARENT });
    for (size_t at = 0; at < s->n && !s->code; at++)
        for (size_t k = 0; k < s->n_classes && !s->code; k++) {
            struct state state = s->states[at];
            if (!take_subject(s, &state, &s->classes[k])) return false;
            if (may(s, &v, &account)) return report(s, at, &v, account, ret);
            expand(s, at);
        }
    return false;
}

enum code policy_who(const struct policy *policy, const struct atom *atom, int64_t now_us, struct arena *arena,
                     struct policy_holders *ret, struct err *err) {
    DEFER(arena_freep) struct arena *scratch = arena_new(SCRATCH_BYTES);
    struct search s = { .policy = policy, .atom = atom, .now_us = now_us, .arena = arena, .scratch = scratch };
    struct policy_holders out = { .items = ARENA_ARRAY(arena, struct policy_holder, policy->n_subjects + 1) };
    struct verdict v;
    if (!scratch || !out.items || !network_classes(policy, arena, &s.classes, &s.n_classes)) return err_oom(err);
    if (policy->n_subjects && !take_subject(&s, &(struct state){ 0 }, &(struct network_class){ 0 })) return err_oom(err);
    if (policy->n_subjects && !allows(&s, *atom, &v) && v.reason == NOT_UNDERSTOOD)
        return err_set(err, INVALID_ARGUMENT, "it is nothing that a rule can speak of");
    for (uint32_t i = 0; i < policy->n_subjects && !s.code; i++)
        if (try_name(&s, i, &out.items[out.n])) out.n++;
    if (s.code)
        return err_set(err, s.code, "the policy opens more ways than are looked through: %d decisions, %d states a name",
                       MAX_DECISIONS, MAX_STATES);
    *ret = out;
    return OK;
}
