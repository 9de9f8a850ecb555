/* answer.c: the ends of a call. */
#include "base/json_text.h"
#include "data/json.h"
#include "synapse/synapse_priv.h"

enum { ERROR_BYTES = 256 << 10 };

enum code answer_json(const struct ask *ask, unsigned status, const struct buf *json, struct err *err) {
    if (!buf_ok(json)) return err_set(err, RESOURCE_EXHAUSTED, "the answer is too large");
    call_reply_http(ask->call, status, "application/json; charset=utf-8", buf_str(json));
    call_end_ok(ask->call);
    return OK;
}

enum code answer_empty(const struct ask *ask, unsigned status) {
    call_reply_http(ask->call, status, NULL, STR(""));
    call_end_ok(ask->call);
    return OK;
}

/* ---- errors that are more than a code ---- */

static void end_with(const struct ask *ask, unsigned status, const struct buf *body, const struct err *err) {
    if (buf_ok(body)) call_reply_http(ask->call, status, "application/json; charset=utf-8", buf_str(body));
    call_end(ask->call, err->code, err);
}

enum code answer_precondition(const struct ask *ask, struct str name) {
    DEFER(buf_free) struct buf body = BUF_INIT(ERROR_BYTES);
    struct err err = { 0 };
    (void)err_set(&err, FAILED_PRECONDITION, "%.*s is another than the condition on its ETag says: read it again",
                  STR_ARG(name));
    buf_add_z(&body, "{\"error\":{\"code\":\"PreconditionFailed\",\"message\":");
    json_text_string(&body, str_z(err.message));
    buf_add_z(&body, ",\"target\":");
    json_text_string(&body, name);
    buf_add_z(&body, ",\"details\":[]}}\n");
    end_with(ask, 412, &body, &err);
    return OK;
}

enum code answer_faults(const struct ask *ask, enum code rc, const struct faults *faults, struct str target,
                        struct err *err) {
    if (rc != INVALID_ARGUMENT || !faults->n) return rc;
    DEFER(buf_free) struct buf body = BUF_INIT(ERROR_BYTES);
    DEFER(json_freep) json_t *json = faults_body(faults, target);
    if (!json || !json_write(json, &body)) return rc;
    end_with(ask, 400, &body, err);
    return OK;
}
