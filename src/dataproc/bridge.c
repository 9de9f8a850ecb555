/* bridge.c: a Dataproc job for who can only call and poll: the Web activity of a Synapse pipeline (docs/bridge.md).
 *
 *   POST /bridge/dataproc/{project}/{region}/jobs   a Job in JSON → 202, Location, {"jobId", "state"}
 *   GET  /bridge/jobs/{location}                    202 while it runs; then 200 with its result, or its error
 *
 * The POST is SubmitJob: the same checks, atoms, account. The Location is a capability: it may be polled without a token,
 * as nothing says that its poller sends one. */
#include <stdio.h>
#include "base/clock.h"
#include "base/json_text.h"
#include "dataproc/dataproc_priv.h"
#include "wire/pb/pb_json.h"
#include "wire/url.h"

enum {
    MAX_SEGMENTS = 8,
    MAX_PAIRS = 8,
    OUTPUT_BYTES = 8 << 10,
    REPLY_BYTES = 256 << 10,
    RETRY_AFTER_S = 2,
};
#define LOCATION_LIFE_US (INT64_C(8) * 24 * 3600 * 1000000) /* Synapse polls for 7 days */

static const char not_found_text[] =
    "no job is at this address: it is not one that this server gave out, or its time is over";

/* ---- POST: classify ---- */

static enum code read_query(struct call *call, struct dataproc_SubmitJobRequest *request, struct err *err) {
    struct url_pair pairs[MAX_PAIRS];
    struct str query = call->http.query;
    size_t n = 0;
    (void)str_strip_prefix(&query, STR("?"));
    enum code rc = query.n ? url_form(call->arena, query, pairs, MAX_PAIRS, &n, err) : OK;
    if (rc) return rc;
    for (size_t i = 0; i < n; i++) {
        if (!str_eq_z(pairs[i].name, "requestId"))
            return err_set(err, INVALID_ARGUMENT, "the query takes requestId only, not %.*s",
                           STR_ARG(str_upto(pairs[i].name, 100)));
        if (request->request_id.n) return err_set(err, INVALID_ARGUMENT, "requestId is given twice");
        request->request_id = pairs[i].value;
    }
    return OK;
}

/* /bridge/dataproc/{project}/{region}/jobs */
static enum code read_place(struct call *call, struct dataproc_SubmitJobRequest *request, struct err *err) {
    struct str segments[MAX_SEGMENTS];
    size_t n;
    enum code rc = url_segments(call->arena, call->http.path, segments, MAX_SEGMENTS, &n, err);
    if (rc) return rc;
    if (n != 5) return err_set(err, NOT_FOUND, "no such resource");
    request->project_id = segments[2];
    request->region = segments[3];
    return OK;
}

enum code classify_bridge_submit(struct call *call, struct err *err) {
    struct dataproc_SubmitJobRequest *request = PB_NEW(call->arena, dataproc_SubmitJobRequest);
    struct dataproc_submission *submission;
    struct dataproc *dataproc;
    void *job;
    if (!request) return err_oom(err);
    enum code rc = read_place(call, request, err);
    if (!rc) rc = read_query(call, request, err);
    if (!rc && !str_trim(call->http.body).n) rc = err_set(err, INVALID_ARGUMENT, "the body must be a Dataproc Job in JSON");
    if (!rc) rc = pb_from_json(&dataproc_Job_msg, call->http.body, call->arena, 0, &job, err);
    if (rc) return rc;
    request->job = job;
    rc = access_enter(call, request->project_id, request->region, &dataproc, err);
    if (!rc && dataproc_is_upstream(dataproc))
        rc = err_set(err, UNIMPLEMENTED, "the bridge is not supported on an upstream connection");
    if (!rc) rc = dataproc_classify_submit(dataproc, call, request, &submission, err);
    if (!rc) call->prepared = submission;
    return rc;
}

/* ---- what both answer ---- */

static void put_member(struct buf *out, const char *key, struct str value) {
    if (!value.n) return;
    buf_printf(out, "%s\"%s\":", out->n && out->p[out->n - 1] != '{' ? "," : "", key);
    json_text_string(out, value);
}

static void put_time(struct buf *out, const char *key, const struct dataproc_JobStatus *status) {
    const struct pb_Timestamp *t = status ? status->state_start_time : NULL;
    char text[CLOCK_RFC3339_MAX];
    if (t) put_member(out, key, (struct str){ text, clock_rfc3339(t->seconds * 1000000 + t->nanos / 1000, text) });
}

static struct str state_name(const struct job_row *row) {
    const struct pb_enum_value *value = pb_enum_by_number(&dataproc_JobStatus_State_enum, row->body->status->state);
    return value ? value->name : STR("STATE_UNSPECIFIED");
}

static void put_job(struct buf *out, const struct job_row *row) {
    put_member(out, "jobId", row->id);
    put_member(out, "jobUuid", row->uuid);
    put_member(out, "state", state_name(row));
    put_member(out, "cluster", row->cluster);
    put_member(out, "account", row->account);
    put_time(out, "startTime", row->body->status_history.n ? &row->body->status_history.p[0] : row->body->status);
    if (row->body->done) put_time(out, "endTime", row->body->status);
}

static enum code answer(struct call *call, unsigned status, const struct buf *body, struct err *err) {
    if (!buf_ok(body)) return err_oom(err);
    call_reply_http(call, status, "application/json; charset=UTF-8", buf_str(body));
    call_end_ok(call);
    return OK;
}

static enum code answer_running(struct call *call, const struct job_row *row, struct err *err) {
    DEFER(buf_free) struct buf body = BUF_INIT(REPLY_BYTES);
    char seconds[16];
    int n = snprintf(seconds, sizeof seconds, "%d", RETRY_AFTER_S);
    buf_add_char(&body, '{');
    put_job(&body, row);
    buf_add_z(&body, "}\n");
    call_reply_header(call, "retry-after", (struct str){ seconds, (size_t)n });
    return answer(call, 202, &body, err);
}

/* ---- POST: serve ---- */

static enum code add_location(struct dataproc *dataproc, struct call *call, const struct job_row *row, struct err *err) {
    DEFER(buf_free) struct buf url = BUF_INIT(4096);
    const struct bridge_location location = { row->id, row->uuid, clock_wall_us() + LOCATION_LIFE_US };
    buf_add_str(&url, dataproc->url);
    buf_add_z(&url, "/bridge/jobs/");
    enum code rc = bridge_location_put(dataproc, &location, &url, err);
    if (!rc && !buf_ok(&url)) rc = err_oom(err);
    if (!rc) call_reply_header(call, "location", buf_str(&url));
    return rc;
}

static enum code submit(struct dataproc *dataproc, struct call *call, struct err *err) {
    struct job_row row;
    enum code rc = submission_serve(dataproc, call, call->prepared, &row, err);
    if (!rc) rc = add_location(dataproc, call, &row, err);
    return rc ? rc : answer_running(call, &row, err);
}

void handle_bridge_submit(struct call *call) {
    desk_post(call->service, call, submit);
}

/* ---- GET ---- */

static enum code not_found(struct err *err) {
    return err_set(err, NOT_FOUND, "%s", not_found_text);
}

/* The connection whose key opens the location, which no other's does. */
static struct dataproc *open_location(struct call *call, struct str sealed, struct bridge_location *ret) {
    const struct dataproc_regions *regions = call->service;
    for (size_t i = 0; i < regions->n; i++) {
        struct dataproc *dataproc = regions->items[i];
        if (!dataproc_is_upstream(dataproc) && bridge_location_read(dataproc, sealed, clock_wall_us(), call->arena, ret))
            return dataproc;
    }
    return NULL;
}

enum code classify_bridge_poll(struct call *call, struct err *err) {
    struct bridge_location *location = ARENA_NEW(call->arena, struct bridge_location);
    struct str sealed = call->http.path;
    if (!location) return err_oom(err);
    struct dataproc *dataproc = str_strip_prefix(&sealed, STR("/bridge/jobs/")) ? open_location(call, sealed, location)
                                                                                : NULL;
    if (!dataproc) return not_found(err);
    access_belongs(call, dataproc);
    call->prepared = location;
    call->resource = arena_printf(call->arena, "projects/%.*s/regions/%.*s/jobs/%.*s", STR_ARG(dataproc->project),
                                  STR_ARG(dataproc->region), STR_ARG(location->id));
    return OK;
}

/* What Google's APIs say of an error, with the cause in its message. The poll itself succeeded: the audit says so. */
static enum code answer_error(struct call *call, const struct job_row *row, struct err *err) {
    DEFER(buf_free) struct buf body = BUF_INIT(REPLY_BYTES);
    bool cancelled = row->body->status->state == dataproc_JobStatus_State_CANCELLED;
    enum code code = cancelled ? CANCELLED : FAILED_PRECONDITION;
    DEFER(buf_free) struct buf safe = BUF_INIT(REPLY_BYTES);
    bridge_hide_tokens(row->body->status->details, &safe);
    struct str cause = buf_str(&safe),
               message = cancelled ? arena_printf(call->arena, "job %.*s was cancelled", STR_ARG(row->id))
                                   : arena_printf(call->arena, "job %.*s failed: %.*s", STR_ARG(row->id),
                                                  STR_ARG(cause.n ? cause : STR("the driver says no cause")));
    buf_printf(&body, "{\"error\":{\"code\":%u,\"message\":", code_http_status(code));
    json_text_string(&body, message);
    buf_printf(&body,
               ",\"status\":\"%s\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\","
               "\"reason\":\"%s\",\"domain\":\"linkspan\",\"metadata\":{",
               code_name(code), cancelled ? "JOB_CANCELLED" : "JOB_FAILED");
    put_job(&body, row);
    buf_add_z(&body, "}}]}}\n");
    call->outcome.detail = arena_printf(call->arena, "the job is %.*s", STR_ARG(state_name(row)));
    return answer(call, code_http_status(code), &body, err);
}

/* The last lines of the output: whole ones, unless one line is longer than all that may go out. */
static enum code put_output(struct dataproc *dataproc, const struct job_row *row, struct buf *body, struct err *err) {
    DEFER(buf_free) struct buf tail = BUF_INIT(OUTPUT_BYTES + 1), safe = BUF_INIT(2 * OUTPUT_BYTES);
    struct dataproc_view view = { .body = row->body };
    uint64_t total = 0, again = 0;
    enum code rc = dataproc_output(dataproc, &view, 0, 1, &tail, &total, err);
    uint64_t from = total > OUTPUT_BYTES ? total - OUTPUT_BYTES : 0;
    buf_clear(&tail);
    if (!rc) rc = dataproc_output(dataproc, &view, from, OUTPUT_BYTES, &tail, &again, err);
    if (rc) return rc;
    struct str text = buf_str(&tail);
    ptrdiff_t line = from ? str_find_char(text, '\n') : -1;
    if (line >= 0) text = str_from(text, (size_t)line + 1);
    bridge_hide_tokens(text, &safe);
    put_member(body, "output", buf_str(&safe));
    return OK;
}

static enum code answer_done(struct dataproc *dataproc, struct call *call, const struct job_row *row, struct err *err) {
    DEFER(buf_free) struct buf body = BUF_INIT(REPLY_BYTES);
    buf_add_char(&body, '{');
    put_job(&body, row);
    enum code rc = put_output(dataproc, row, &body, err);
    buf_add_z(&body, "}\n");
    return rc ? rc : answer(call, 200, &body, err);
}

/* A job that was deleted is gone, and another that got its name since is another: both as if they had never been. */
static enum code poll(struct dataproc *dataproc, struct call *call, struct err *err) {
    const struct bridge_location *location = call->prepared;
    struct job_row row;
    struct err first;
    enum code rc = state_job_get(dataproc->state, location->id, call->arena, &row, &first);
    if (rc == NOT_FOUND || (!rc && !str_eq(row.uuid, location->uuid))) return not_found(err);
    if (rc) return err_set(err, rc, "%s", first.message);
    history_show_progress(dataproc, &row, call->arena);
    if (!row.body->done) return answer_running(call, &row, err);
    bool well = row.body->status->state == dataproc_JobStatus_State_DONE;
    return well ? answer_done(dataproc, call, &row, err) : answer_error(call, &row, err);
}

void handle_bridge_poll(struct call *call) {
    desk_post(call->service, call, poll);
}
