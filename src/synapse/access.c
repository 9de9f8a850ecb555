/* access.c: calls → atoms, and what lists may show. docs/synapse.md has the table. */
#include "base/clock.h"
#include "synapse/synapse_priv.h"

struct str synapse_path(const struct synapse *synapse, struct str name, struct arena *arena) {
    return arena_printf(arena, "synapse %.*s/%.*s", STR_ARG(synapse->connection), STR_ARG(name));
}

/* A run belongs to the workspace's account: `run jobs on synapse demo/load as workspace`. */
static struct atom atom_of(const struct ask *ask, enum verb verb, struct str name) {
    struct atom atom = { .verb = verb, .path = synapse_path(ask->synapse, name, ask->call->arena) };
    if (verb == VERB_RUN_JOB) atom.account = ask->synapse->account;
    return atom;
}

static enum code add(const struct ask *ask, struct atom atom, struct err *err) {
    return atom.path.p && atoms_add(&ask->call->atoms, ask->call->arena, atom) ? OK : err_oom(err);
}

enum code synapse_needs(const struct ask *ask, enum verb verb, struct str name, struct err *err) {
    return add(ask, atom_of(ask, verb, name), err);
}

static enum reason decide(const struct call *call, struct atom atom) {
    struct verdict verdict = { .reason = POLICY_STALE };
    const struct atoms atoms = { &atom, 1, 1 };
    if (atom.path.p && call->policy && call->subject)
        policy_decide(call->policy, call->subject, &atoms, clock_wall_us(), &verdict);
    return verdict.reason;
}

static bool is_starter(const struct call *call, const struct run_known *run) {
    const struct actor *actor = &call->principal->actor;
    return str_eq(actor->issuer, run->issuer) && str_eq(actor->subject, run->subject);
}

/* Who started a run sees and cancels it without a rule for that, while it may still start it; a `deny` of seeing or
 * cancelling holds for it, too. */
static struct atom run_atom(const struct ask *ask, enum verb verb, const struct run_known *run) {
    struct atom plain = atom_of(ask, verb, run->pipeline), own = atom_of(ask, VERB_RUN_JOB, run->pipeline);
    if (!is_starter(ask->call, run)) return plain;
    enum reason reason = decide(ask->call, plain);
    if (reason == REASON_NONE || reason == DENIED) return plain;
    return decide(ask->call, own) == REASON_NONE ? own : plain;
}

enum code synapse_needs_run(const struct ask *ask, enum verb verb, const struct run_known *run, struct err *err) {
    return add(ask, run_atom(ask, verb, run), err);
}

bool synapse_may_see_run(const struct ask *ask, const struct run_known *run) {
    return decide(ask->call, run_atom(ask, VERB_SEE_JOBS, run)) == REASON_NONE;
}

bool synapse_holds(const struct ask *ask, struct str name) {
    const struct call *call = ask->call;
    struct str path = synapse_path(ask->synapse, name, call->arena);
    return path.p && call->policy && call->subject &&
           policy_holds_something(call->policy, call->subject, path, STR(""), clock_wall_us());
}
