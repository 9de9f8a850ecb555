/* jobs.c: jobs that are there: get, list, labels, cancel, delete, driver output. */
#include "dataproc/remote.h"
#include "dataproc/filter.h"
#include "dataproc/submit.h"

enum { OUTPUT_MAX_BYTES = 1 << 20, LIST_MAX_BYTES = 4 << 20 };

/* ---- classify: one job ---- */

enum code job_classify(struct dataproc *dataproc, struct call *call, enum verb verb, struct str id, struct err *err) {
    struct job_known known;
    enum code rc = names_check_id("jobId", id, DATAPROC_ID_MAX, err);
    if (rc) return rc;
    call->resource = arena_printf(call->arena, "projects/%.*s/regions/%.*s/jobs/%.*s", STR_ARG(dataproc->project),
                                  STR_ARG(dataproc->region), STR_ARG(id));
    if (dataproc->remote) return remote_classify_job(dataproc, call, verb, id, err);
    if (!index_get(dataproc, id, call->arena, &known)) return err_set(err, NOT_FOUND, "job not found: %.*s", STR_ARG(id));
    return access_add(call, access_job_atom(dataproc, call, verb, &known), err);
}

static enum code classify_job(struct call *call, enum verb verb, struct str project, struct str region, struct str id,
                              struct err *err) {
    struct dataproc *dataproc;
    enum code rc = access_enter(call, project, region, &dataproc, err);
    return rc ? rc : job_classify(dataproc, call, verb, id, err);
}

enum code classify_get_job(struct call *call, struct err *err) {
    const struct dataproc_GetJobRequest *r = call->request;
    return classify_job(call, VERB_SEE_JOBS, r->project_id, r->region, r->job_id, err);
}

enum code classify_update_job(struct call *call, struct err *err) {
    const struct dataproc_UpdateJobRequest *r = call->request;
    bool labels = r->update_mask && r->update_mask->paths.n == 1 && str_eq_z(r->update_mask->paths.p[0], "labels");
    if (!labels || !r->job) return err_set(err, INVALID_ARGUMENT, "only labels can be updated: updateMask=labels");
    enum code rc = submit_check_labels(r->job, err);
    return rc ? rc : classify_job(call, VERB_CANCEL_JOBS, r->project_id, r->region, r->job_id, err);
}

enum code classify_cancel_job(struct call *call, struct err *err) {
    const struct dataproc_CancelJobRequest *r = call->request;
    return classify_job(call, VERB_CANCEL_JOBS, r->project_id, r->region, r->job_id, err);
}

enum code classify_delete_job(struct call *call, struct err *err) {
    const struct dataproc_DeleteJobRequest *r = call->request;
    return classify_job(call, VERB_CANCEL_JOBS, r->project_id, r->region, r->job_id, err);
}

/* ---- get, update, cancel, delete ---- */

static enum code get_job(struct dataproc *dataproc, struct call *call, struct err *err) {
    const struct dataproc_GetJobRequest *r = call->request;
    struct job_row row;
    enum code rc = state_job_get(dataproc->state, r->job_id, call->arena, &row, err);
    if (rc) return rc;
    history_show_progress(dataproc, &row, call->arena);
    return desk_reply(call, row.body, err);
}

void handle_get_job(struct call *call) {
    desk_post(call->service, call, get_job);
}

static enum code update_job(struct dataproc *dataproc, struct call *call, struct err *err) {
    const struct dataproc_UpdateJobRequest *r = call->request;
    struct job_row row;
    enum code rc = state_job_get(dataproc->state, r->job_id, call->arena, &row, err);
    if (rc) return rc;
    row.body->labels.p = r->job->labels.p;
    row.body->labels.n = r->job->labels.n;
    rc = state_job_save(dataproc->state, &row, err);
    return rc ? rc : desk_reply(call, row.body, err);
}

void handle_update_job(struct call *call) {
    desk_post(call->service, call, update_job);
}

enum code job_cancel(struct dataproc *dataproc, struct call *call, struct job_row *row, struct err *err) {
    if (row->body->done) return OK;
    enum code rc = history_move(row->body, dataproc_JobStatus_State_CANCEL_STARTED, STR(""), call->arena, err);
    if (!rc) rc = state_job_save(dataproc->state, row, err);
    if (!rc) runner_cancel(dataproc->runner, row->uuid);
    return rc;
}

static enum code cancel_job(struct dataproc *dataproc, struct call *call, struct err *err) {
    const struct dataproc_CancelJobRequest *r = call->request;
    struct job_row row;
    enum code rc = state_job_get(dataproc->state, r->job_id, call->arena, &row, err);
    if (!rc) rc = job_cancel(dataproc, call, &row, err);
    return rc ? rc : desk_reply(call, row.body, err);
}

void handle_cancel_job(struct call *call) {
    desk_post(call->service, call, cancel_job);
}

static enum code delete_job(struct dataproc *dataproc, struct call *call, struct err *err) {
    const struct dataproc_DeleteJobRequest *r = call->request;
    const struct pb_Empty nothing = { 0 };
    struct job_row row;
    enum code rc = state_job_get(dataproc->state, r->job_id, call->arena, &row, err);
    if (rc) return rc;
    if (!row.body->done) return err_set(err, FAILED_PRECONDITION, "job %.*s still runs: cancel it first", STR_ARG(row.id));
    rc = state_job_delete(dataproc->state, row.id, err);
    if (rc) return rc;
    index_remove(dataproc, row.id);
    runner_forget(dataproc->runner, row.uuid);
    return desk_reply(call, &nothing, err);
}

void handle_delete_job(struct call *call) {
    desk_post(call->service, call, delete_job);
}

/* ---- list ---- */

struct listing {
    struct dataproc *dataproc;
    struct call *call;
    struct filter filter;
    const struct dataproc_ListJobsRequest *request;
    struct dataproc_ListJobsResponse *response;
    size_t want, arena_at_start;
    int64_t next; /* where the next page begins; 0 = there is none */
};

static bool state_matches(const struct dataproc_ListJobsRequest *r, const struct dataproc_Job *job) {
    if (r->job_state_matcher == dataproc_ListJobsRequest_JobStateMatcher_ACTIVE) return !job->done;
    return r->job_state_matcher != dataproc_ListJobsRequest_JobStateMatcher_NON_ACTIVE || job->done;
}

static bool list_one(void *ctx, const struct job_row *row) {
    struct listing *l = ctx;
    const struct dataproc_ListJobsRequest *r = l->request;
    /* a page ends by count or by size; what follows begins below the last row that was looked at */
    if (l->response->jobs.n == l->want || arena_used(l->call->arena) - l->arena_at_start > LIST_MAX_BYTES) {
        l->next = row->seq + 1;
        return false;
    }
    if (r->cluster_name.n && !str_eq(r->cluster_name, row->cluster)) return true;
    if (!state_matches(r, row->body) || !filter_job(&l->filter, row->body)) return true;
    if (!access_may_see_job(l->dataproc, l->call, row)) return true;
    history_show_progress(l->dataproc, row, l->call->arena);
    l->response->jobs.p[l->response->jobs.n++] = *row->body;
    return true;
}

enum code classify_list_jobs(struct call *call, struct err *err) {
    const struct dataproc_ListJobsRequest *r = call->request;
    struct listing *l = ARENA_NEW(call->arena, struct listing);
    if (!l) return err_oom(err);
    call->prepared = l;
    enum code rc = access_enter(call, r->project_id, r->region, &l->dataproc, err);
    return rc ? rc : filter_parse(r->filter, &l->filter, err);
}

static enum code list_jobs(struct dataproc *dataproc, struct call *call, struct err *err) {
    const struct dataproc_ListJobsRequest *r = call->request;
    struct listing *l = call->prepared;
    struct str place;
    int64_t before = 0;
    enum code rc = names_read_page_token(call->arena, r->page_token, &place, err);
    if (rc) return rc;
    if (place.n && (!str_i64(place, &before) || before <= 0))
        return err_set(err, INVALID_ARGUMENT, "pageToken is none of ours");
    l->call = call;
    l->request = r;
    l->want = names_page_size(r->page_size);
    l->response = PB_NEW(call->arena, dataproc_ListJobsResponse);
    if (l->response) l->response->jobs.p = ARENA_ARRAY(call->arena, struct dataproc_Job, l->want);
    if (!l->response || !l->response->jobs.p) return err_oom(err);
    l->arena_at_start = arena_used(call->arena);
    rc = state_job_list(dataproc->state, before, call->arena, list_one, l, err);
    if (rc) return rc;
    if (l->next)
        l->response->next_page_token = names_page_token(call->arena, arena_printf(call->arena, "%lld", (long long)l->next));
    return desk_reply(call, l->response, err);
}

void handle_list_jobs(struct call *call) {
    desk_post(call->service, call, list_jobs);
}

/* ---- driver output: GET /v1/projects/P/regions/R/jobs/J/driveroutput?offset=N ---- */

struct output_request {
    struct str project, region, job;
    uint64_t offset;
};

static bool next_part(struct str *rest, const char *word, struct str *ret) {
    struct str name = str_cut(rest, '/');
    if (!str_eq_z(name, word)) return false;
    *ret = str_cut(rest, '/');
    return ret->n > 0;
}

static enum code read_output_request(struct call *call, struct output_request *ret, struct err *err) {
    struct str path = call->http.path, query = call->http.query, text;
    bool ok = str_strip_prefix(&path, STR("/v1/")) && next_part(&path, "projects", &ret->project) &&
              next_part(&path, "regions", &ret->region) && next_part(&path, "jobs", &ret->job) &&
              str_eq_z(path, "driveroutput");
    if (!ok) return err_set(err, NOT_FOUND, "no such resource");
    (void)str_strip_prefix(&query, STR("?"));
    while (query.n) {
        text = str_cut(&query, '&');
        if (str_strip_prefix(&text, STR("alt="))) continue;
        if (!str_strip_prefix(&text, STR("offset=")) || !str_u64(text, &ret->offset) || ret->offset > INT64_MAX)
            return err_set(err, INVALID_ARGUMENT, "driver output takes offset=N, a number of bytes");
    }
    return OK;
}

enum code classify_driver_output(struct call *call, struct err *err) {
    struct output_request *r = ARENA_NEW(call->arena, struct output_request);
    struct dataproc *dataproc;
    if (!r) return err_oom(err);
    call->prepared = r;
    enum code rc = read_output_request(call, r, err);
    if (!rc) rc = access_enter(call, r->project, r->region, &dataproc, err);
    if (rc) return rc;
    if (dataproc->remote)
        return err_set(err, UNIMPLEMENTED,
                       "driver output of an upstream connection is read where the job's driverOutputResourceUri says");
    return job_classify(dataproc, call, VERB_SEE_JOBS, r->job, err);
}

static enum code driver_output(struct dataproc *dataproc, struct call *call, struct err *err) {
    const struct output_request *r = call->prepared;
    DEFER(buf_free) struct buf out = BUF_INIT(OUTPUT_MAX_BYTES);
    struct job_row row;
    uint64_t total;
    enum code rc = state_job_get(dataproc->state, r->job, call->arena, &row, err);
    if (rc) return rc;
    rc = runner_output(dataproc->runner, row.uuid, r->offset, OUTPUT_MAX_BYTES, &out, &total, err);
    if (rc == NOT_FOUND && !row.body->done) rc = OK; /* it has not begun: nothing yet */
    if (rc) return rc;
    call_reply_http(call, 200, "text/plain; charset=utf-8", buf_str(&out));
    call_end_ok(call);
    return OK;
}

void handle_driver_output(struct call *call) {
    desk_post(call->service, call, driver_output);
}
