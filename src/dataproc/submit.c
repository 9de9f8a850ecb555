/* submit.c: SubmitJob: which code, as whom, may they; then a row, then the runner. */
#include <string.h>
#include "base/clock.h"
#include "dataproc/remote.h"
#include "dataproc/submit.h"

struct dataproc_submission {
    const struct dataproc_SubmitJobRequest *request;
    struct launch_job launch;
    struct job_row row; /* without its body */
    struct str asker;
    char sha256[LAUNCH_SHA256_HEX + 1];
    bool as_operation;
};

/* ---- classify ---- */

static struct str local_part(struct str email) {
    return str_cut(&email, '@');
}

/* The account that the label names: by its name in the policy, by its e-mail's local part among those allowed. */
static struct str account_of_label(const struct call *call, const struct policy_names *allowed, struct str label) {
    for (size_t i = 0; i < allowed->n; i++)
        if (str_eq(local_part(allowed->items[i]), label)) return allowed->items[i];
    return policy_account_email(call->policy, label);
}

/* Never the server's own. None: the atom carries no account, so that policy refuses and can explain. */
static enum code choose_account(struct call *call, struct str path, struct str job, struct str label, struct str *ret,
                                struct err *err) {
    struct policy_names allowed = { 0 };
    if (!policy_accounts_for_run(call->policy, call->subject, path, job, clock_wall_us(), call->arena, &allowed))
        return err_oom(err);
    *ret = (struct str){ NULL, 0 };
    if (label.n) *ret = account_of_label(call, &allowed, label);
    else if (allowed.n == 1) *ret = allowed.items[0];
    else if (allowed.n > 1)
        return err_set(err, FAILED_PRECONDITION,
                       "this job may run as %zu accounts (%.*s, …): say which by the label " SUBMIT_ACCOUNT_LABEL " = %.*s",
                       allowed.n, STR_ARG(allowed.items[0]), STR_ARG(local_part(allowed.items[0])));
    return OK;
}

enum code submission_names(struct dataproc *dataproc, const struct dataproc_SubmitJobRequest *request, struct call *call,
                           struct job_row *row, struct err *err) {
    const struct dataproc_Job *job = request->job;
    if (!job) return err_set(err, INVALID_ARGUMENT, "the request has no job");
    if (!job->placement || !job->placement->cluster_name.n)
        return err_set(err, INVALID_ARGUMENT, "job.placement.clusterName is missing");
    enum code rc = access_place(dataproc, request->project_id, request->region, err);
    if (!rc) rc = names_check_id("clusterName", job->placement->cluster_name, 52, err);
    if (!rc) rc = names_check_request(request->request_id, err);
    if (rc) return rc;
    if (!names_uuid(call->arena, &row->uuid)) return err_oom(err);
    row->cluster = job->placement->cluster_name;
    row->id = job->reference && job->reference->job_id.n ? job->reference->job_id : row->uuid;
    row->submitter = access_caller(call, call->arena);
    return row->submitter.p ? names_check_id("jobId", row->id, DATAPROC_ID_MAX, err) : err_oom(err);
}

static enum code find_code(struct dataproc *dataproc, struct call *call, struct dataproc_submission *s,
                           const struct dataproc_Job *job, struct err *err) {
    enum code rc = submit_translate(job, s->row.id, call->arena, &s->launch, err);
    if (!rc) rc = launch_check(&dataproc->launch, &s->launch, err);
    if (!rc) rc = launch_hash(&dataproc->launch, s->launch.main, LAUNCH_MAIN_MAX_BYTES, s->sha256, err);
    if (!rc) s->row.job = policy_job_for_digest(call->policy, STR("pyspark"), s->launch.main, str_z(s->sha256));
    return rc;
}

enum code dataproc_classify_submit(struct dataproc *dataproc, struct call *call,
                                   const struct dataproc_SubmitJobRequest *request, struct dataproc_submission **ret,
                                   struct err *err) {
    struct dataproc_submission *s = ARENA_NEW(call->arena, struct dataproc_submission);
    if (!s) return err_oom(err);
    s->request = request;
    enum code rc = submission_names(dataproc, request, call, &s->row, err);
    if (!rc) rc = find_code(dataproc, call, s, request->job, err);
    if (rc) return rc;
    s->asker = access_asker(call, s->row.cluster, call->arena);
    if (!s->asker.p) return err_oom(err);
    struct str path = access_path(dataproc, s->row.cluster, call->arena);
    rc = choose_account(call, path, s->row.job, submit_label(request->job, SUBMIT_ACCOUNT_LABEL), &s->row.account, err);
    if (rc) return rc;
    *ret = s;
    call->resource = arena_printf(call->arena, "projects/%.*s/regions/%.*s/jobs/%.*s", STR_ARG(dataproc->project),
                                  STR_ARG(dataproc->region), STR_ARG(s->row.id));
    /* the run: what the job itself does is recorded under it */
    call->outcome.detail = arena_printf(call->arena, "sha256 %s, run %.*s", s->sha256, STR_ARG(s->row.uuid));
    return access_add(call, access_run_atom(path, s->row.job, s->row.account), err);
}

static enum code classify(struct call *call, bool as_operation, struct err *err) {
    const struct dataproc_SubmitJobRequest *r = call->request;
    struct dataproc_submission *s;
    struct dataproc *dataproc;
    enum code rc = access_enter(call, r->project_id, r->region, &dataproc, err);
    if (!rc && dataproc->remote) return remote_classify_submit(dataproc, call, err);
    if (!rc) rc = dataproc_classify_submit(dataproc, call, r, &s, err);
    if (rc) return rc;
    s->as_operation = as_operation;
    call->prepared = s;
    return OK;
}

enum code classify_submit(struct call *call, struct err *err) {
    return classify(call, false, err);
}

enum code classify_submit_as_operation(struct call *call, struct err *err) {
    return classify(call, true, err);
}

/* ---- serve ---- */

static enum code make_body(struct dataproc *dataproc, struct call *call, const struct cluster_row *cluster,
                           struct dataproc_submission *s, struct err *err) {
    const struct dataproc_SubmitJobRequest *request = s->request;
    struct job_row *row = &s->row;
    struct dataproc_Job *job = PB_NEW(call->arena, dataproc_Job);
    struct dataproc_JobReference *reference = PB_NEW(call->arena, dataproc_JobReference);
    struct dataproc_JobPlacement *placement = PB_NEW(call->arena, dataproc_JobPlacement);
    if (!job || !reference || !placement) return err_oom(err);
    *reference = (struct dataproc_JobReference){ dataproc->project, row->id };
    *placement = (struct dataproc_JobPlacement){ .cluster_name = cluster->name, .cluster_uuid = cluster->uuid };
    job->reference = reference;
    job->placement = placement;
    job->type_job_case = dataproc_Job_type_job_pyspark_job;
    job->pyspark_job = request->job->pyspark_job;
    job->labels.p = request->job->labels.p;
    job->labels.n = request->job->labels.n;
    job->job_uuid = row->uuid;
    job->driver_output_resource_uri = arena_printf(
        call->arena, "gs://linkspan-%.*s/google-cloud-dataproc-metainfo/%.*s/jobs/%.*s/driveroutput",
        STR_ARG(dataproc->connection), STR_ARG(cluster->uuid), STR_ARG(row->id));
    row->body = job;
    return history_move(job, dataproc_JobStatus_State_PENDING, STR(""), call->arena, err);
}

/* The row first, so that the runner's news finds it; without a runner no row. */
static enum code begin(struct dataproc *dataproc, struct call *call, struct dataproc_submission *s, struct err *err) {
    struct err undo;
    struct job_run *run = job_run_new(dataproc, call, &s->row);
    if (!run) return err_oom(err);
    enum code rc = state_job_insert(dataproc->state, &s->row, s->asker, s->request->request_id, err);
    if (rc) return job_run_free(run), rc;
    struct runner_job job = { .run = s->row.uuid, .account = s->row.account, .launch = s->launch, .user = run };
    memcpy(job.main_sha256, s->sha256, sizeof job.main_sha256);
    rc = index_put(dataproc, &s->row) ? runner_submit(dataproc->runner, &job, err) : err_oom(err);
    if (!rc) return OK;
    job_run_free(run);
    index_remove(dataproc, s->row.id);
    if (state_job_delete(dataproc->state, s->row.id, &undo)) return rc;
    return rc;
}

/* Decided was about this submission's job and account: a first job of others is not shown by that, nor named. */
static enum code first_job(struct dataproc *dataproc, struct call *call, const struct dataproc_submission *s, struct str id,
                           struct job_row *ret, struct err *err) {
    struct job_row first;
    enum code rc = state_job_get(dataproc->state, id, call->arena, &first, err);
    if (rc) return rc;
    if (!str_eq(first.job, s->row.job) || !str_eq(first.account, s->row.account) ||
        !access_may_see_job(dataproc, call, &first))
        return err_set(err, ALREADY_EXISTS, "requestId %.*s was used for another request: take a new one",
                       STR_ARG(s->request->request_id));
    *ret = first;
    call->outcome.detail = arena_printf(call->arena, "the first job of this requestId, run %.*s", STR_ARG(ret->uuid));
    return OK;
}

enum code submission_serve(struct dataproc *dataproc, struct call *call, struct dataproc_submission *s, struct job_row *ret,
                           struct err *err) {
    struct cluster_row cluster;
    struct str first_id;
    bool again;
    enum code rc = state_request_get(dataproc->state, s->asker, STR("job"), s->request->request_id, call->arena, &again,
                                     &first_id, err);
    if (!rc && again) return first_job(dataproc, call, s, first_id, ret, err);
    if (!rc) rc = state_cluster_get(dataproc->state, s->row.cluster, call->arena, &cluster, err);
    if (!rc) rc = make_body(dataproc, call, &cluster, s, err);
    if (!rc) rc = begin(dataproc, call, s, err);
    if (!rc) *ret = s->row;
    return rc;
}

static enum code serve(struct dataproc *dataproc, struct call *call, struct err *err) {
    struct dataproc_submission *s = call->prepared;
    struct job_row row;
    struct lro_Operation *operation;
    enum code rc = submission_serve(dataproc, call, s, &row, err);
    if (!rc && !s->as_operation) return desk_reply(call, row.body, err);
    if (!rc) rc = operation_for_job(dataproc, call, &row, &operation, err);
    return rc ? rc : desk_reply(call, operation, err);
}

void handle_submit(struct call *call) {
    desk_post(call->service, call, serve);
}

void handle_submit_as_operation(struct call *call) {
    desk_post(call->service, call, serve);
}
