/* batch_json.c: a job as Livy shows a batch, and as Synapse does. docs/livy.md has the table of states. */
#include "base/clock.h"
#include "base/json_text.h"
#include "livy/livy_priv.h"

/* ---- states ---- */

enum { STATES = dataproc_JobStatus_State_ATTEMPT_FAILURE + 1 };

static const struct state_row {
    const char *batch;                       /* Livy's */
    const char *scheduler, *plugin, *result; /* Synapse's */
    const char *at;                          /* the member of livyInfo with its time */
} states[STATES] = {
    [dataproc_JobStatus_State_PENDING] = { "not_started", "Queued", "Queued", "Uncertain", "notStartedAt" },
    [dataproc_JobStatus_State_SETUP_DONE] = { "starting", "Scheduled", "Submission", "Uncertain", "startingAt" },
    [dataproc_JobStatus_State_RUNNING] = { "running", "Scheduled", "Monitoring", "Uncertain", "runningAt" },
    [dataproc_JobStatus_State_CANCEL_PENDING] = { "shutting_down", "Scheduled", "Cleanup", "Uncertain", NULL },
    [dataproc_JobStatus_State_CANCEL_STARTED] = { "shutting_down", "Scheduled", "Cleanup", "Uncertain", NULL },
    [dataproc_JobStatus_State_DONE] = { "success", "Ended", "Ended", "Succeeded", "successAt" },
    [dataproc_JobStatus_State_ERROR] = { "dead", "Ended", "Ended", "Failed", "deadAt" },
    [dataproc_JobStatus_State_CANCELLED] = { "killed", "Ended", "Ended", "Cancelled", "killedAt" },
};

static const struct state_row *row_of(int32_t state) {
    bool known = state > 0 && state < STATES && states[state].batch;
    return &states[known ? state : dataproc_JobStatus_State_ERROR];
}

struct str batch_state(const struct dataproc_Job *job) {
    return str_z(row_of(job->status->state)->batch);
}

/* ---- members ---- */

static void put_key(struct buf *out, const char *key) {
    bool first = out->n && (out->p[out->n - 1] == '{' || out->p[out->n - 1] == '[');
    buf_printf(out, "%s\"%s\":", first ? "" : ",", key);
}

static void put_text(struct buf *out, const char *key, struct str text) {
    put_key(out, key);
    if (text.n) json_text_string(out, text);
    else buf_add_z(out, "null");
}

static void put_number(struct buf *out, const char *key, int64_t number) {
    put_key(out, key);
    buf_printf(out, "%lld", (long long)number);
}

static void put_list(struct buf *out, const char *key, const struct str *items, size_t n) {
    put_key(out, key);
    buf_add_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i) buf_add_char(out, ',');
        json_text_string(out, items[i]);
    }
    buf_add_char(out, ']');
}

static struct str property_of(const struct dataproc_Job *job, const char *name) {
    const struct dataproc_PySparkJob *py = job->pyspark_job;
    for (size_t i = 0; py && i < py->properties.n; i++)
        if (str_eq_z(py->properties.p[i].key, name)) return py->properties.p[i].value;
    return (struct str){ NULL, 0 };
}

/* ---- times ---- */

static const struct dataproc_JobStatus *status_at(const struct dataproc_Job *job, size_t i) {
    return i < job->status_history.n ? &job->status_history.p[i] : job->status;
}

/* When the job came into the first of these states that it came into. */
static struct str time_of(const struct dataproc_Job *job, int32_t state, char text[CLOCK_RFC3339_MAX]) {
    for (size_t i = 0; i <= job->status_history.n; i++) {
        const struct dataproc_JobStatus *s = status_at(job, i);
        const struct pb_Timestamp *t = s->state_start_time;
        if (s->state != state || !t) continue;
        return (struct str){ text, clock_rfc3339(t->seconds * 1000000 + t->nanos / 1000, text) };
    }
    return (struct str){ NULL, 0 };
}

static void put_time(struct buf *out, const char *key, const struct dataproc_Job *job, int32_t state) {
    char text[CLOCK_RFC3339_MAX];
    put_text(out, key, time_of(job, state, text));
}

/* ---- Apache ---- */

static void put_apache(struct buf *out, const struct dataproc_view *view, const struct str *tail, size_t n_tail) {
    buf_add_char(out, '{');
    put_number(out, "id", view->number);
    put_text(out, "name", property_of(view->body, "spark.app.name"));
    put_text(out, "owner", view->submitter);
    put_text(out, "proxyUser", (struct str){ NULL, 0 });
    put_text(out, "state", batch_state(view->body));
    put_text(out, "appId", view->application);
    put_key(out, "appInfo");
    buf_add_z(out, "{\"driverLogUrl\":null,\"sparkUiUrl\":null}");
    put_list(out, "log", tail, n_tail);
    buf_add_char(out, '}');
}

/* ---- Synapse ---- */

static void put_request(struct buf *out, const struct dataproc_Job *job) {
    const struct dataproc_PySparkJob *py = job->pyspark_job;
    put_key(out, "jobCreationRequest");
    buf_add_char(out, '{');
    put_text(out, "name", property_of(job, "spark.app.name"));
    put_text(out, "file", py->main_python_file_uri);
    put_list(out, "args", py->args.p, py->args.n);
    put_list(out, "jars", py->jar_file_uris.p, py->jar_file_uris.n);
    put_list(out, "pyFiles", py->python_file_uris.p, py->python_file_uris.n);
    put_list(out, "files", py->file_uris.p, py->file_uris.n);
    put_list(out, "archives", py->archive_uris.p, py->archive_uris.n);
    put_key(out, "conf");
    buf_add_char(out, '{');
    for (size_t i = 0; i < py->properties.n; i++) {
        if (i) buf_add_char(out, ',');
        json_text_string(out, py->properties.p[i].key);
        buf_add_char(out, ':');
        json_text_string(out, py->properties.p[i].value);
    }
    buf_add_z(out, "}}");
}

static void put_livy_info(struct buf *out, const struct dataproc_Job *job, bool with_request) {
    put_key(out, "livyInfo");
    buf_add_char(out, '{');
    for (int32_t state = 0; state < STATES; state++)
        if (states[state].at) put_time(out, states[state].at, job, state);
    put_text(out, "recoveringAt", (struct str){ NULL, 0 });
    put_text(out, "currentState", batch_state(job));
    if (with_request && job->pyspark_job) put_request(out, job);
    buf_add_char(out, '}');
}

static void put_scheduler(struct buf *out, const struct dataproc_Job *job) {
    put_key(out, "schedulerInfo");
    buf_add_char(out, '{');
    put_time(out, "submittedAt", job, dataproc_JobStatus_State_PENDING);
    put_time(out, "queuedAt", job, dataproc_JobStatus_State_PENDING);
    put_time(out, "scheduledAt", job, dataproc_JobStatus_State_SETUP_DONE);
    put_time(out, "cancellationRequestedAt", job, dataproc_JobStatus_State_CANCEL_STARTED);
    if (job->done) put_time(out, "endedAt", job, job->status->state);
    put_text(out, "currentState", str_z(row_of(job->status->state)->scheduler));
    buf_add_char(out, '}');
}

static void put_plugin(struct buf *out, const struct dataproc_Job *job) {
    put_key(out, "pluginInfo");
    buf_add_char(out, '{');
    put_time(out, "preparationStartedAt", job, dataproc_JobStatus_State_PENDING);
    put_time(out, "resourceAcquisitionStartedAt", job, dataproc_JobStatus_State_PENDING);
    put_time(out, "submissionStartedAt", job, dataproc_JobStatus_State_SETUP_DONE);
    put_time(out, "monitoringStartedAt", job, dataproc_JobStatus_State_RUNNING);
    if (job->done) put_time(out, "cleanupStartedAt", job, job->status->state);
    put_text(out, "currentState", str_z(row_of(job->status->state)->plugin));
    buf_add_char(out, '}');
}

static void put_errors(struct buf *out, const struct dataproc_Job *job) {
    put_key(out, "errorInfo");
    buf_add_char(out, '[');
    if (job->status->state == dataproc_JobStatus_State_ERROR) {
        buf_add_char(out, '{');
        put_text(out, "message", job->status->details.n ? job->status->details : STR("the driver says no cause"));
        put_text(out, "errorCode", STR("SPARK_JOB_FAILED"));
        put_text(out, "source", STR("User"));
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void put_tags(struct buf *out, const struct dataproc_Job *job) {
    bool first = true;
    put_key(out, "tags");
    buf_add_char(out, '{');
    for (size_t i = 0; i < job->labels.n; i++) {
        if (str_eq_z(job->labels.p[i].key, BATCH_ACCOUNT_LABEL)) continue;
        if (!first) buf_add_char(out, ',');
        json_text_string(out, job->labels.p[i].key);
        buf_add_char(out, ':');
        json_text_string(out, job->labels.p[i].value);
        first = false;
    }
    buf_add_char(out, '}');
}

static void put_synapse(struct buf *out, const struct livy *livy, const struct batch_ask *ask,
                        const struct dataproc_view *view, const struct str *tail, size_t n_tail) {
    const struct dataproc_Job *job = view->body;
    buf_add_char(out, '{');
    put_livy_info(out, job, tail != NULL);
    put_text(out, "name", property_of(job, "spark.app.name"));
    put_text(out, "workspaceName", livy->workspace);
    put_text(out, "sparkPoolName", ask->pool);
    put_text(out, "submitterName", view->submitter);
    put_text(out, "submitterId", view->submitter);
    put_text(out, "artifactId", (struct str){ NULL, 0 });
    put_text(out, "jobType", STR("SparkBatch"));
    put_text(out, "result", str_z(row_of(job->status->state)->result));
    put_scheduler(out, job);
    put_plugin(out, job);
    put_errors(out, job);
    put_tags(out, job);
    put_number(out, "id", view->number);
    put_text(out, "appId", view->application);
    put_key(out, "appInfo");
    buf_add_z(out, "{}");
    put_text(out, "state", batch_state(job));
    put_list(out, "log", tail, n_tail);
    buf_add_char(out, '}');
}

void batch_put(struct buf *out, const struct livy *livy, const struct batch_ask *ask, const struct dataproc_view *view,
               const struct str *tail, size_t n_tail) {
    if (ask->synapse) put_synapse(out, livy, ask, view, tail, n_tail);
    else put_apache(out, view, tail, n_tail);
}

/* ---- errors ---- */

void batch_put_apache_error(struct buf *out, const struct method_error *error) {
    buf_add_z(out, "{\"msg\":");
    json_text_string(out, error->message);
    buf_add_z(out, "}\n");
}

static const char *azure_code(unsigned http_status) {
    static const struct {
        unsigned status;
        const char *code;
    } rows[] = {
        { 400, "BadRequest" }, { 401, "Unauthorized" },    { 403, "Forbidden" },      { 404, "NotFound" },
        { 409, "Conflict" },   { 429, "TooManyRequests" }, { 501, "NotImplemented" }, { 503, "ServiceUnavailable" },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].status == http_status) return rows[i].code;
    return "InternalServerError";
}

void batch_put_synapse_error(struct buf *out, const struct method_error *error) {
    buf_printf(out, "{\"error\":{\"code\":\"%s\",\"message\":", azure_code(error->http_status));
    json_text_string(out, error->message);
    buf_add_z(out, "}}\n");
}
