/* remote_submit.c: SubmitJob to an upstream: the checks of the embedded back, and a request of our own making.
 *
 * The code lies where we cannot read it, so it has no digest: a `job` statement is found by its URI, and one with sha256
 * never; a file from elsewhere than the configuration lists makes it free code (remote_code.c). The account is the
 * cluster's, by the configuration. */
#include "dataproc/remote.h"
#include "dataproc/submit.h"

/* ---- classify ---- */

static enum code check_uri(struct str uri, struct err *err) {
    for (size_t i = 0; i < uri.n; i++)
        if ((unsigned char)uri.p[i] < 0x20) return err_set(err, INVALID_ARGUMENT, "a control character in a file's URI");
    if (str_starts(uri, STR("gs://")) || str_starts(uri, STR("file:///"))) return OK;
    return err_set(err, UNIMPLEMENTED, "%.*s: files of a job on an upstream connection are gs://… or file:///…",
                   STR_ARG(str_upto(uri, 200)));
}

static enum code check_files(struct call *call, const struct launch_job *launch, struct launch_files *ret_others,
                             struct err *err) {
    enum code rc = remote_other_files(launch, call->arena, ret_others, err);
    if (!rc) rc = check_uri(launch->main, err);
    for (size_t i = 0; !rc && i < ret_others->n; i++) rc = check_uri(ret_others->items[i], err);
    return rc;
}

/* Empty: free code, as also whatever brings a file that nobody vouched for. */
static struct str find_job(const struct dataproc *dataproc, const struct call *call, const struct launch_job *launch,
                           const struct launch_files *others) {
    if (remote_foreign_file(dataproc->remote, others).n) return STR("");
    return policy_job_for_digest(call->policy, STR("pyspark"), launch->main, STR(""));
}

static enum code find_account(const struct dataproc *dataproc, const struct dataproc_Job *job, struct job_row *row,
                              struct err *err) {
    struct str label = submit_label(job, SUBMIT_ACCOUNT_LABEL), email = remote_account_of(dataproc, row->cluster),
               local = email;
    if (!email.n)
        return err_set(err, FAILED_PRECONDITION,
                       "connections.%.*s.dataproc.accounts does not say as whom jobs of cluster %.*s run",
                       STR_ARG(dataproc->connection), STR_ARG(row->cluster));
    if (label.n && !str_eq(label, str_cut(&local, '@')))
        return err_set(err, INVALID_ARGUMENT,
                       "the label " SUBMIT_ACCOUNT_LABEL " = %.*s names another account than that of cluster %.*s: no "
                       "request chooses it",
                       STR_ARG(label), STR_ARG(row->cluster));
    row->account = email;
    return OK;
}

/* What goes on: the parts that were checked, and no others. */
static enum code make_message(struct dataproc *dataproc, struct call *call, const struct job_row *row, struct err *err) {
    const struct dataproc_SubmitJobRequest *r = call->request;
    struct dataproc_SubmitJobRequest *message = PB_NEW(call->arena, dataproc_SubmitJobRequest);
    struct dataproc_Job *job = PB_NEW(call->arena, dataproc_Job);
    struct dataproc_JobReference *reference = PB_NEW(call->arena, dataproc_JobReference);
    struct dataproc_JobPlacement *placement = PB_NEW(call->arena, dataproc_JobPlacement);
    if (!message || !job || !reference || !placement) return err_oom(err);
    *reference = (struct dataproc_JobReference){ dataproc->project, row->id };
    *placement = (struct dataproc_JobPlacement){ .cluster_name = row->cluster };
    job->reference = reference;
    job->placement = placement;
    job->type_job_case = dataproc_Job_type_job_pyspark_job;
    job->pyspark_job = r->job->pyspark_job;
    job->labels.p = r->job->labels.p;
    job->labels.n = r->job->labels.n;
    *message = (struct dataproc_SubmitJobRequest){
        .project_id = dataproc->project, .region = dataproc->region, .job = job, .request_id = r->request_id
    };
    call->prepared = message;
    struct str decided = arena_printf(call->arena, "%.*s %.*s", STR_ARG(row->job), STR_ARG(row->account));
    return decided.p ? remote_request_id(call, row->cluster, decided, &message->request_id, err) : err_oom(err);
}

enum code remote_classify_submit(struct dataproc *dataproc, struct call *call, struct err *err) {
    const struct dataproc_SubmitJobRequest *r = call->request;
    struct launch_job launch;
    struct launch_files others;
    struct job_row row = { 0 };
    enum code rc = submission_names(dataproc, r, call, &row, err);
    if (!rc) rc = submit_translate(r->job, row.id, call->arena, &launch, err);
    if (!rc) rc = launch_check(&dataproc->launch, &launch, err);
    if (!rc) rc = check_files(call, &launch, &others, err);
    if (!rc) rc = find_account(dataproc, r->job, &row, err);
    if (rc) return rc;
    row.job = find_job(dataproc, call, &launch, &others);
    rc = make_message(dataproc, call, &row, err);
    if (rc) return rc;
    call->resource = arena_printf(call->arena, "projects/%.*s/regions/%.*s/jobs/%.*s", STR_ARG(dataproc->project),
                                  STR_ARG(dataproc->region), STR_ARG(row.id));
    call->outcome.detail = remote_files_text(dataproc->remote, launch.main, &others, call->arena);
    struct str path = access_path(dataproc, row.cluster, call->arena);
    return access_add(call, access_run_atom(path, row.job, row.account), err);
}

/* ---- serve ---- */

static enum code seal_operation(struct forward *forward, void *message, struct arena *arena, struct err *err) {
    const struct dataproc_SubmitJobRequest *sent = forward->message;
    (void)arena;
    return remote_operation_seal(forward->call, sent->job->placement->cluster_name, false, message, err);
}

void remote_submit(struct call *call) {
    struct forward *forward = remote_forward(call, call->prepared);
    if (!forward) return;
    if (call->method->response == &lro_Operation_msg) forward->answer = seal_operation;
    forward_start(forward);
}
