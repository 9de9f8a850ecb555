/* runs.c: createRun, and one run: get, cancel. */
#include "base/json_text.h"
#include "base/uuid.h"
#include "crypto/random.h"
#include "synapse/synapse_priv.h"

static struct str new_uuid(struct arena *arena) {
    uint8_t bytes[16];
    char text[UUID_LENGTH + 1];
    random_bytes(bytes, sizeof bytes);
    uuid_of_random(bytes, text);
    return str_dup(arena, str_z(text));
}

static enum code set_resource(struct ask *ask, struct err *err) {
    ask->call->resource = arena_printf(ask->call->arena, "workspaces/%.*s/pipelines/%.*s/pipelineruns/%.*s",
                                       STR_ARG(ask->synapse->workspace), STR_ARG(ask->name), STR_ARG(ask->run));
    return ask->call->resource.p ? OK : err_oom(err);
}

/* ---- createRun ---- */

static enum code refuse_recovery(const struct ask *ask, struct err *err) {
    static const char *const unsupported[] = { "referencePipelineRunId", "startActivityName" };
    bool recovery;
    enum code rc = ask_bool(ask, "isRecovery", &recovery, err);
    if (rc) return rc;
    if (recovery)
        return err_set(err, INVALID_ARGUMENT, "isRecovery=true is not supported: start the pipeline with parameters");
    for (size_t i = 0; i < COUNT(unsupported); i++)
        if (ask_parameter(ask, unsupported[i]).n)
            return err_set(err, INVALID_ARGUMENT, "%s is not supported: start the pipeline with parameters",
                           unsupported[i]);
    return OK;
}

static enum code create_run(struct ask *ask, struct err *err) {
    DEFER(buf_free) struct buf out = BUF_INIT(256);
    struct faults faults = { .arena = ask->call->arena };
    char id[PIPELINE_UUID + 1];
    struct run_start start = { .pipeline = ask->name,
                               .parameters = str_trim(ask->call->http.body),
                               .starter = ask->call->principal,
                               .request = ask->call->id,
                               .id = ask->run };
    enum code rc = pipelines_create_run(ask->synapse->pipelines, &start, &faults, id, err);
    if (rc)
        return answer_faults(ask, rc, &faults, arena_printf(ask->call->arena, "pipelines/%.*s", STR_ARG(ask->name)), err);
    buf_add_z(&out, "{\"runId\":");
    json_text_string(&out, str_z(id));
    buf_add_char(&out, '}');
    return answer_json(ask, 202, &out, err);
}

/* The run's id is chosen here, so that the intention in the audit log holds it. */
enum code classify_create_run(struct call *call, struct err *err) {
    static const char *const known[] = { "referencePipelineRunId", "isRecovery", "startActivityName", NULL };
    struct ask *ask;
    enum code rc = ask_read(call, create_run, known, &ask, err);
    if (rc) return rc;
    ask->name = ask->segments[1];
    ask->run = new_uuid(call->arena);
    if (!ask->run.p) return err_oom(err);
    rc = pipelines_check_name(ask->name, err);
    if (!rc) rc = set_resource(ask, err);
    if (!rc) rc = refuse_recovery(ask, err);
    return rc ? rc : synapse_needs(ask, VERB_RUN_JOB, ask->name, err);
}

/* ---- one run ---- */

static enum code read_run(struct call *call, ask_fn *serve, const char *const *known, enum verb verb, struct ask **ret,
                          struct err *err) {
    enum code rc = ask_read(call, serve, known, ret, err);
    if (rc) return rc;
    struct ask *ask = *ret;
    ask->run = ask->segments[1];
    bool known_run = false;
    rc = ask_run_known(ask, &known_run, err);
    if (rc) return rc;
    if (!known_run) return err_set(err, NOT_FOUND, "there is no pipeline run %.*s", STR_ARG(str_upto(ask->run, 100)));
    ask->name = ask->known.pipeline;
    rc = set_resource(ask, err);
    return rc ? rc : synapse_needs_run(ask, verb, &ask->known, err);
}

static enum code get_run(struct ask *ask, struct err *err) {
    DEFER(buf_free) struct buf out = BUF_INIT(SYNAPSE_ANSWER_BYTES);
    struct run_info run;
    enum code rc = pipelines_get_run(ask->synapse->pipelines, ask->run, ask->call->arena, &run, err);
    if (!rc) rc = show_run(&out, &run, err);
    return rc ? rc : answer_json(ask, 200, &out, err);
}

enum code classify_get_run(struct call *call, struct err *err) {
    static const char *const known[] = { NULL };
    struct ask *ask;
    return read_run(call, get_run, known, VERB_SEE_JOBS, &ask, err);
}

static enum code cancel_run(struct ask *ask, struct err *err) {
    enum code rc = pipelines_cancel_run(ask->synapse->pipelines, ask->run, ask->recursive, err);
    return rc ? rc : answer_empty(ask, 200);
}

enum code classify_cancel_run(struct call *call, struct err *err) {
    static const char *const known[] = { "isRecursive", NULL };
    struct ask *ask;
    enum code rc = read_run(call, cancel_run, known, VERB_CANCEL_JOBS, &ask, err);
    return rc ? rc : ask_bool(ask, "isRecursive", &ask->recursive, err);
}
