/* remote_jobs.c: one job of an upstream. Which cluster it runs on decides who may do what with it, and only the upstream
 * knows: so the job is looked up first, as the caller. GetJob's answer is that very look-up: what was decided is what is
 * shown. */
#include "base/clock.h"
#include "dataproc/remote.h"

enum { LOOKUP_BYTES = 1 << 20 };
#define LOOKUP_MAX_US INT64_C(60000000)

/* Made by the first classify, filled on the same loop, read by the second. */
struct lookup {
    struct call *call;
    struct str id;
    struct ask *ask;                /* NULL: over */
    const struct dataproc_Job *job; /* NULL: none came */
    enum code code;
    struct err err;
};

/* ---- look up ---- */

static struct str connection_of(const struct call *call) {
    return ((const struct dataproc *)call->service)->connection;
}

static bool on_job(struct ask *ask, struct str message, void *ctx) {
    struct lookup *l = ctx;
    struct str bytes = str_dup(l->call->arena, message);
    void *job;
    (void)ask;
    if (bytes.p && pb_decode(&dataproc_Job_msg, bytes, l->call->arena, 0, &job, &l->err) == OK) l->job = job;
    return true;
}

/* A job of a cluster that is not this connection's is none of ours. */
static bool is_ours(const struct lookup *l) {
    return l->job->placement && remote_has_cluster(l->call->service, l->job->placement->cluster_name);
}

static void on_end(struct ask *ask, const struct upstream_status *status, void *ctx) {
    struct lookup *l = ctx;
    (void)ask;
    l->ask = NULL;
    call_on_cancel(l->call, NULL, NULL);
    if (status->code == NOT_FOUND || (!status->code && l->job && !is_ours(l)))
        l->code = err_set(&l->err, NOT_FOUND, "job not found: %.*s", STR_ARG(l->id));
    else if (status->code) l->code = err_set(&l->err, status->code, "%.*s", STR_ARG(str_upto(status->message, 900)));
    else if (!l->job)
        l->code = err_set(&l->err, INTERNAL, "the upstream of %.*s.dataproc answers with what is no job",
                          STR_ARG(connection_of(l->call)));
    call_again(l->call);
}

/* Who asked has gone: nothing is looked up for nobody. */
static void on_cancel(void *ctx) {
    struct lookup *l = ctx;
    ask_cancel(l->ask);
    l->ask = NULL;
    l->code = err_set(&l->err, CANCELLED, "nobody waits for the answer");
    call_again(l->call);
}

static int64_t deadline_of(const struct call *call) {
    int64_t latest = clock_wall_us() + LOOKUP_MAX_US;
    return call->deadline_us && call->deadline_us < latest ? call->deadline_us : latest;
}

static enum code send_lookup(struct dataproc *dataproc, struct lookup *l, struct err *err) {
    static const struct ask_handler handler = { on_job, on_end };
    DEFER(buf_free) struct buf message = BUF_INIT(4096);
    const struct dataproc_GetJobRequest get = { .project_id = dataproc->project,
                                                .region = dataproc->region,
                                                .job_id = l->id };
    enum code rc = pb_encode(&dataproc_GetJobRequest_msg, &get, &message, err);
    if (rc) return rc;
    const struct upstream_request request = { .path = STR("/google.cloud.dataproc.v1.JobController/GetJob"),
                                              .metadata = &dataproc->remote->routing,
                                              .n_metadata = 1,
                                              .message = buf_str(&message),
                                              .max_message_bytes = LOOKUP_BYTES,
                                              .deadline_us = deadline_of(l->call) };
    return ask_start(l->call->loop, dataproc->remote->upstream, l->call->principal, &request, &handler, l, &l->ask, err);
}

static enum code start_lookup(struct dataproc *dataproc, struct call *call, struct str id, struct err *err) {
    struct lookup *l = ARENA_NEW(call->arena, struct lookup);
    if (!l) return err_oom(err);
    *l = (struct lookup){ .call = call, .id = id };
    enum code rc = send_lookup(dataproc, l, err);
    if (rc) return rc;
    call->prepared = l;
    call_wait(call);
    call_on_cancel(call, on_cancel, l);
    return OK;
}

/* ---- classify ---- */

/* Whoever holds nothing on any cluster does not learn which jobs there are: it is refused by the policy, as on the first.
 */
static enum code ask_in_vain(struct dataproc *dataproc, struct call *call, enum verb verb, struct err *err) {
    struct str cluster = dataproc->remote->n_accounts ? dataproc->remote->accounts[0].cluster : STR("none");
    return access_add(call, (struct atom){ .verb = verb, .path = access_path(dataproc, cluster, call->arena) }, err);
}

enum code remote_classify_job(struct dataproc *dataproc, struct call *call, enum verb verb, struct str id,
                              struct err *err) {
    const struct lookup *l = call->prepared;
    if (!remote_concerns(dataproc, call)) return ask_in_vain(dataproc, call, verb, err);
    if (!l) return start_lookup(dataproc, call, id, err);
    if (l->code) return err_set(err, l->code, "%s", l->err.message);
    struct str path = access_path(dataproc, l->job->placement->cluster_name, call->arena);
    return access_add(call, (struct atom){ .verb = verb, .path = path }, err);
}

/* ---- get, update, cancel, delete ---- */

void remote_get_job(struct call *call) {
    const struct lookup *l = call->prepared;
    if (call_write_message(call, l->job)) call_end_ok(call);
    else remote_refuse(call, CANCELLED, "nobody waits for the answer");
}

/* The name may be another job's since it was looked up: what was not decided is not shown. */
static enum code same_job(struct forward *forward, void *message, struct arena *arena, struct err *err) {
    const struct lookup *l = forward->ctx;
    const struct dataproc_Job *job = message;
    (void)arena;
    if (str_eq(job->job_uuid, l->job->job_uuid) && job->placement &&
        str_eq(job->placement->cluster_name, l->job->placement->cluster_name))
        return OK;
    return err_set(err, ABORTED, "job %.*s is another one since a moment ago: look at it again", STR_ARG(l->id));
}

static void go_on(struct call *call, const void *message, bool answers_job) {
    struct forward *forward = remote_forward(call, message);
    if (!forward) return;
    forward->ctx = call->prepared;
    if (answers_job) forward->answer = same_job;
    forward_start(forward);
}

/* Nothing but the labels goes on. */
void remote_update_job(struct call *call) {
    const struct dataproc_UpdateJobRequest *r = call->request;
    struct dataproc_UpdateJobRequest *message = PB_NEW(call->arena, dataproc_UpdateJobRequest);
    struct dataproc_Job *job = PB_NEW(call->arena, dataproc_Job);
    if (!message || !job) {
        remote_refuse(call, RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    *message = *r;
    message->job = job;
    job->labels.p = r->job->labels.p;
    job->labels.n = r->job->labels.n;
    go_on(call, message, true);
}

void remote_cancel_job(struct call *call) {
    go_on(call, call->request, true);
}

void remote_delete_job(struct call *call) {
    go_on(call, call->request, false);
}
