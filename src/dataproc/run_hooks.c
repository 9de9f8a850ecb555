/* run_hooks.c: what the runner asks and tells: a run's endpoints, its states. On the runner's owner thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dataproc/dataproc_priv.h"
#include "dataproc/filter.h"
#include "identity/principal_copy.h"

enum { RUN_ARENA_BYTES = 1 << 20 };

struct job_run {
    struct arena *arena;
    struct str job_id, job, account, project;
    struct atom asked; /* by the submit; its texts are these */
    struct principal submitter;
};

/* ---- who asked ---- */

struct job_run *job_run_new(struct dataproc *dataproc, const struct call *call, const struct job_row *row) {
    struct job_run *run = calloc(1, sizeof *run);
    if (!run) return NULL;
    run->arena = arena_new(RUN_ARENA_BYTES);
    if (!run->arena || !principal_copy(call->principal, run->arena, &run->submitter)) {
        job_run_free(run);
        return NULL;
    }
    run->job_id = str_dup(run->arena, row->id);
    run->job = str_dup(run->arena, row->job);
    run->account = str_dup(run->arena, row->account);
    run->project = str_dup(run->arena, dataproc->project);
    run->asked = access_run_atom(access_path(dataproc, row->cluster, run->arena), run->job, run->account);
    return run;
}

void job_run_free(struct job_run *run) {
    if (!run) return;
    principal_forget(&run->submitter);
    arena_free(run->arena);
    free(run);
}

/* ---- endpoints ---- */

static enum code open_endpoints(void *ctx, struct str id, void *user, struct world *world, void **ret, struct err *err) {
    struct dataproc *dataproc = ctx;
    const struct job_run *run = user;
    char by_port[32];
    (void)snprintf(by_port, sizeof by_port, "127.0.0.1:%u", world->ports[WORLD_METADATA]);
    struct job_endpoints_spec spec = {
        .run = id,
        .job = run->job,
        .account = run->account,
        .project = run->project,
        .submitter = &run->submitter,
        .asked = run->asked,
        .api_fd = world->fds[WORLD_API],
        .metadata_fds = { world->fds[WORLD_METADATA_LINK], world->fds[WORLD_METADATA] },
        .metadata_hosts = { "169.254.169.254", by_port },
    };
    for (unsigned i = 0; i < WORLD_FDS; i++) world->fds[i] = -1; /* the callee's, also after an error */
    return dataproc->endpoints.open(dataproc->endpoints.ctx, &spec, ret, err);
}

static void close_endpoints(void *ctx, void *endpoint) {
    struct dataproc *dataproc = ctx;
    dataproc->endpoints.close(dataproc->endpoints.ctx, endpoint);
}

/* ---- states ---- */

static int32_t state_of(const struct dataproc *dataproc, enum runner_state state) {
    static const int32_t states[] = {
        [RUN_WAITING] = dataproc_JobStatus_State_PENDING, [RUN_STARTING] = dataproc_JobStatus_State_SETUP_DONE,
        [RUN_RUNNING] = dataproc_JobStatus_State_RUNNING, [RUN_DONE] = dataproc_JobStatus_State_DONE,
        [RUN_FAILED] = dataproc_JobStatus_State_ERROR,    [RUN_CANCELLED] = dataproc_JobStatus_State_CANCELLED,
    };
    /* nobody cancelled it: the server goes */
    return state == RUN_CANCELLED && dataproc->closing ? dataproc_JobStatus_State_ERROR : states[state];
}

static void show_end(struct dataproc *dataproc, struct dataproc_Job *job, struct str id, enum runner_state state,
                     struct arena *arena) {
    struct progress progress;
    int32_t app = state == RUN_DONE     ? dataproc_YarnApplication_State_FINISHED
                  : state == RUN_FAILED ? dataproc_YarnApplication_State_FAILED
                                        : dataproc_YarnApplication_State_KILLED;
    if (runner_progress(dataproc->runner, id, &progress)) history_add_application(job, &progress, app, arena);
}

static enum code save_change(struct dataproc *dataproc, struct str job_id, const struct runner_change *change,
                             struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(HOOK_ARENA_BYTES);
    struct job_row row;
    if (!arena) return err_oom(err);
    enum code rc = state_job_get(dataproc->state, job_id, arena, &row, err);
    if (!rc) rc = history_move(row.body, state_of(dataproc, change->state), change->details, arena, err);
    if (rc) return rc;
    if (change->state >= RUN_DONE) show_end(dataproc, row.body, change->run, change->state, arena);
    return state_job_save(dataproc->state, &row, err);
}

static void changed(void *ctx, const struct runner_change *change) {
    struct dataproc *dataproc = ctx;
    struct job_run *run = change->user;
    struct err err = { 0 };
    (void)pthread_mutex_lock(&dataproc->lock);
    /* a full disk: the state on disk is behind; at the next start the job is marked as ended */
    enum code rc = save_change(dataproc, run->job_id, change, &err);
    (void)pthread_mutex_unlock(&dataproc->lock);
    (void)rc;
    if (change->state >= RUN_DONE) job_run_free(run);
}

struct runner_hooks run_hooks(struct dataproc *dataproc) {
    return (struct runner_hooks){ dataproc, open_endpoints, close_endpoints, changed };
}

/* ---- after a restart ---- */

struct recovery {
    struct dataproc *dataproc;
    struct arena *arena;
    struct str ids[1024];
    size_t n;
    int64_t last;
    bool full;
};

static bool remember(void *ctx, const struct job_row *row) {
    struct recovery *r = ctx;
    r->last = row->seq;
    if (!index_put(r->dataproc, row)) return false;
    if (!row->body->done) r->ids[r->n++] = row->id;
    r->full = r->n == COUNT(r->ids) || arena_used(r->arena) > HOOK_ARENA_BYTES / 2;
    return !r->full;
}

static enum code mark(struct dataproc *dataproc, struct str id, struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(HOOK_ARENA_BYTES);
    struct job_row row;
    if (!arena) return err_oom(err);
    enum code rc = state_job_get(dataproc->state, id, arena, &row, err);
    if (rc) return rc;
    bool ran = row.body->status && row.body->status->state != dataproc_JobStatus_State_PENDING;
    rc = history_move(row.body, dataproc_JobStatus_State_ERROR,
                      ran ? STR("the server stopped while it ran") : STR("the server stopped before it started"), arena,
                      err);
    return rc ? rc : state_job_save(dataproc->state, &row, err);
}

enum code run_hooks_recover(struct dataproc *dataproc, struct err *err) {
    struct recovery *r = calloc(1, sizeof *r);
    enum code rc = r ? OK : err_oom(err);
    for (bool more = r != NULL; !rc && more;) {
        DEFER(arena_freep) struct arena *arena = arena_new(HOOK_ARENA_BYTES);
        int64_t from = r->last;
        *r = (struct recovery){ .dataproc = dataproc, .arena = arena, .last = from };
        rc = arena ? state_job_list(dataproc->state, from, arena, remember, r, err) : err_oom(err);
        for (size_t i = 0; !rc && i < r->n; i++) rc = mark(dataproc, r->ids[i], err);
        more = r->full;
    }
    free(r);
    index_sort(dataproc);
    return rc;
}
