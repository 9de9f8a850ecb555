/* show.c: what clients read back: PipelineResource, LinkedServiceResource, PipelineRun, ActivityRun. */
#include "base/clock.h"
#include "base/json_text.h"
#include "data/json.h"
#include "synapse/synapse_priv.h"

static void put_text(struct buf *out, const char *key, struct str value) {
    buf_printf(out, ",\"%s\":", key);
    json_text_string(out, value);
}

static void put_time(struct buf *out, const char *key, int64_t us) {
    char text[CLOCK_RFC3339_MAX];
    if (us) buf_printf(out, ",\"%s\":\"%.*s\"", key, (int)clock_rfc3339(us, text), text);
    else buf_printf(out, ",\"%s\":null", key);
}

static void put_duration(struct buf *out, int64_t from_us, int64_t to_us) {
    if (from_us && to_us >= from_us) buf_printf(out, ",\"durationInMs\":%lld", (long long)((to_us - from_us) / 1000));
    else buf_add_z(out, ",\"durationInMs\":null");
}

/* JSON that the engine wrote; `empty` stands for none. */
static void put_json(struct buf *out, const char *key, struct str json, const char *empty) {
    buf_printf(out, ",\"%s\":", key);
    buf_add_str(out, json.n ? json : str_z(empty));
}

/* ---- artifacts ---- */

enum code show_artifact(struct buf *out, const struct ask *ask, const struct artifact *artifact, struct err *err) {
    DEFER(json_freep) json_t *body = NULL;
    const char *folder = ask->kind == ARTIFACT_PIPELINE ? "pipelines" : "linkedservices";
    enum code rc = json_read(artifact->body, PIPELINES_MAX_DOCUMENT_BYTES, PIPELINE_DEPTH_MAX + 2, &body, err);
    if (rc) return err_wrap(err, "a stored document");
    struct str id = arena_printf(ask->call->arena, "/workspaces/%.*s/%s/%.*s", STR_ARG(ask->synapse->workspace), folder,
                                 STR_ARG(artifact->name));
    buf_printf(out, "{\"type\":\"Microsoft.Synapse/workspaces/%s\"", folder);
    put_text(out, "id", id);
    put_text(out, "name", artifact->name);
    put_text(out, "etag", etag_bare(artifact->etag));
    buf_add_z(out, ",\"properties\":");
    const json_t *properties = json_object_get(body, "properties");
    if (!properties || !json_write(properties, out)) return err_oom(err);
    buf_add_char(out, '}');
    return buf_ok(out) ? OK : err_oom(err);
}

/* ---- runs ---- */

/* PipelineRun.parameters holds texts only: what is none is shown as its JSON. */
static bool put_parameters(struct buf *out, struct str parameters, struct err *err) {
    DEFER(json_freep) json_t *json = NULL;
    const char *key, *comma = "";
    json_t *value;
    buf_add_z(out, ",\"parameters\":{");
    if (parameters.n && json_read(parameters, PIPELINES_MAX_DOCUMENT_BYTES, PIPELINE_DEPTH_MAX + 2, &json, err))
        return false;
    json_object_foreach(json, key, value) {
        DEFER(buf_free) struct buf text = BUF_INIT(PIPELINES_MAX_DOCUMENT_BYTES);
        buf_add_z(out, comma);
        json_text_string(out, str_z(key));
        buf_add_char(out, ':');
        if (!json_is_string(value) && !json_write(value, &text)) return false;
        json_text_string(out, json_is_string(value) ? json_text_of(value) : buf_str(&text));
        comma = ",";
    }
    buf_add_char(out, '}');
    return true;
}

static void put_invoked_by(struct buf *out, const struct run_info *run) {
    bool child = run->parent_run.n > 0;
    buf_printf(out, ",\"invokedBy\":{\"invokedByType\":\"%s\"", child ? "PipelineActivity" : "Manual");
    put_text(out, "name", child ? run->parent_pipeline : STR("Manual"));
    put_text(out, "id", child ? run->parent_activity_run : run->subject);
    if (child) put_text(out, "pipelineName", run->parent_pipeline);
    if (child) put_text(out, "pipelineRunId", run->parent_run);
    buf_add_char(out, '}');
}

enum code show_run(struct buf *out, const struct run_info *run, struct err *err) {
    buf_printf(out, "{\"status\":\"%s\",\"isLatest\":true", pipeline_run_state_name(run->state));
    put_text(out, "runId", run->id);
    put_text(out, "runGroupId", run->root_run);
    put_text(out, "pipelineName", run->pipeline);
    if (!put_parameters(out, run->parameters, err)) return err_oom(err);
    put_invoked_by(out, run);
    put_time(out, "lastUpdated", run->updated_us);
    put_time(out, "runStart", run->started_us ? run->started_us : run->created_us);
    put_time(out, "runEnd", run->ended_us);
    put_duration(out, run->started_us, run->ended_us);
    put_text(out, "message", run->message);
    buf_add_char(out, '}');
    return buf_ok(out) ? OK : err_oom(err);
}

void show_activity(struct buf *out, const struct activity_info *a) {
    buf_printf(out, "{\"status\":\"%s\",\"retryAttempt\":%u", pipeline_run_state_name(a->state), a->attempt);
    put_text(out, "pipelineName", a->pipeline);
    put_text(out, "pipelineRunId", a->run);
    put_text(out, "activityName", a->name);
    put_text(out, "activityType", a->type);
    put_text(out, "activityRunId", a->id);
    put_text(out, "iterationHash", a->iteration);
    put_text(out, "linkedServiceName", STR(""));
    put_time(out, "activityRunStart", a->started_us);
    put_time(out, "activityRunEnd", a->ended_us);
    put_duration(out, a->started_us, a->ended_us);
    put_json(out, "input", a->input, "{}");
    put_json(out, "output", a->output, "{}");
    put_json(out, "error", a->error, "{\"errorCode\":\"\",\"message\":\"\",\"failureType\":\"\",\"target\":\"\"}");
    put_json(out, "userProperties", a->user_properties, "{}");
    buf_add_char(out, '}');
}
