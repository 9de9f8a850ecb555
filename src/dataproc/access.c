/* access.c: requests → atoms, and what lists may show. docs/jobs.md has the table. */
#include "base/clock.h"
#include "dataproc/dataproc_priv.h"

struct str access_path(struct dataproc *dataproc, struct str cluster, struct arena *arena) {
    return arena_printf(arena, "dataproc %.*s/%.*s", STR_ARG(dataproc->connection), STR_ARG(cluster));
}

static struct str actor_key(const struct actor *a, struct arena *arena) {
    return arena_printf(arena, "%d %.*s %.*s", (int)a->kind, STR_ARG(a->issuer), STR_ARG(a->subject));
}

struct str access_caller(const struct call *call, struct arena *arena) {
    return actor_key(&call->principal->actor, arena);
}

/* Each part with its length, so that no two read alike. */
struct str access_asker(const struct call *call, struct str cluster, struct arena *arena) {
    const struct principal *p = call->principal;
    struct str key = arena_printf(arena, "%zu %.*s", cluster.n, STR_ARG(cluster));
    for (unsigned i = 0; key.p && i <= p->n_chain; i++) {
        struct str who = actor_key(i < p->n_chain ? &p->chain[i] : &p->actor, arena);
        key = who.p ? arena_printf(arena, "%.*s %zu %.*s", STR_ARG(key), who.n, STR_ARG(who)) : who;
    }
    return key;
}

static struct verdict decide(const struct call *call, struct atom atom) {
    struct verdict verdict = { .reason = POLICY_STALE };
    const struct atoms atoms = { &atom, 1, 1 };
    if (call->policy && call->subject) policy_decide(call->policy, call->subject, &atoms, clock_wall_us(), &verdict);
    return verdict;
}

struct atom access_run_atom(struct str path, struct str job, struct str account) {
    return (struct atom){ .verb = VERB_RUN_JOB, .path = path, .object = job, .account = account };
}

bool access_allows(const struct call *call, struct atom atom) {
    return decide(call, atom).reason == REASON_NONE;
}

/* The submitter sees and cancels its own without a rule of its own for that, as long as it may run the job; a `deny` of
 * seeing or cancelling holds for it, too. */
struct atom access_job_atom(struct dataproc *dataproc, const struct call *call, enum verb verb,
                            const struct job_known *job) {
    struct str path = access_path(dataproc, job->cluster, call->arena);
    struct atom plain = { .verb = verb, .path = path };
    struct atom own = access_run_atom(path, job->job, job->account);
    if (!str_eq(access_caller(call, call->arena), job->submitter)) return plain;
    struct verdict verdict = decide(call, plain);
    if (verdict.reason == REASON_NONE || verdict.reason == DENIED) return plain;
    return access_allows(call, own) ? own : plain;
}

bool access_may_see_job(struct dataproc *dataproc, const struct call *call, const struct job_row *row) {
    struct job_known known = { row->seq, row->id, row->cluster, row->submitter, row->job, row->account };
    return access_allows(call, access_job_atom(dataproc, call, VERB_SEE_JOBS, &known));
}

bool access_holds_cluster(struct dataproc *dataproc, const struct call *call, struct str cluster) {
    return call->policy && call->subject &&
           policy_holds_something(call->policy, call->subject, access_path(dataproc, cluster, call->arena), STR(""),
                                  clock_wall_us());
}

enum code access_add(struct call *call, struct atom atom, struct err *err) {
    return atom.path.p && atoms_add(&call->atoms, call->arena, atom) ? OK : err_oom(err);
}

static bool is_at(const struct dataproc *dataproc, struct str project, struct str region) {
    return str_eq(project, dataproc->project) && str_eq(region, dataproc->region);
}

static enum code no_place(struct str project, struct str region, struct err *err) {
    return err_set(err, NOT_FOUND, "this server has no projects/%.*s/regions/%.*s", STR_ARG(str_upto(project, 100)),
                   STR_ARG(str_upto(region, 100)));
}

enum code access_place(const struct dataproc *dataproc, struct str project, struct str region, struct err *err) {
    return is_at(dataproc, project, region) ? OK : no_place(project, region, err);
}

void access_belongs(struct call *call, struct dataproc *dataproc) {
    call->service = dataproc;
    call->far = dataproc->remote != NULL;
}

enum code access_enter(struct call *call, struct str project, struct str region, struct dataproc **ret, struct err *err) {
    const struct dataproc_regions *regions = call->service;
    for (size_t i = 0; i < regions->n; i++)
        if (is_at(regions->items[i], project, region)) {
            access_belongs(call, regions->items[i]);
            *ret = regions->items[i];
            return OK;
        }
    return no_place(project, region, err);
}
