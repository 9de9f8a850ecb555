/* errors.c: {"error": {"code", "message", "target", "details"}}, in Synapse's words, of which the SDKs make exceptions. */
#include <string.h>
#include "base/json_text.h"
#include "synapse/synapse_priv.h"

static const struct word {
    enum code code;
    const char *word;
} words[] = {
    { INVALID_ARGUMENT, "BadRequest" },
    { FAILED_PRECONDITION, "BadRequest" },
    { OUT_OF_RANGE, "BadRequest" },
    { UNAUTHENTICATED, "AuthenticationFailed" },
    { PERMISSION_DENIED, "Unauthorized" },
    { ALREADY_EXISTS, "Conflict" },
    { ABORTED, "Conflict" },
    { RESOURCE_EXHAUSTED, "TooManyRequests" },
    { UNAVAILABLE, "ServiceUnavailable" },
    { DEADLINE_EXCEEDED, "Timeout" },
    { UNIMPLEMENTED, "NotImplemented" },
};

static const char *word_of(const struct method_error *error, const char *missing) {
    if (error->code == NOT_FOUND) return missing;
    if (error->reason && strcmp(error->reason, "TOO_LARGE") == 0) return "RequestBodyTooLarge";
    for (size_t i = 0; i < COUNT(words); i++)
        if (words[i].code == error->code) return words[i].word;
    return "InternalServerError";
}

/* A refusal's reason is a detail: its code is of our closed set, its target the request that `policy explain` takes. */
static void put(struct buf *out, const struct method_error *error, const char *missing) {
    buf_printf(out, "{\"error\":{\"code\":\"%s\",\"message\":", word_of(error, missing));
    json_text_string(out, error->message);
    buf_add_z(out, ",\"details\":[");
    if (error->reason && error->reason[0]) {
        buf_printf(out, "{\"code\":\"%s\",\"message\":", error->reason);
        json_text_string(out, error->message);
        buf_add_z(out, ",\"target\":");
        json_text_string(out, error->id);
        buf_add_char(out, '}');
    }
    buf_add_z(out, "]}}\n");
}

void put_pipeline_error(struct buf *out, const struct method_error *error) {
    put(out, error, "PipelineNotFound");
}

void put_linked_service_error(struct buf *out, const struct method_error *error) {
    put(out, error, "LinkedServiceNotFound");
}

void put_run_error(struct buf *out, const struct method_error *error) {
    put(out, error, "PipelineRunNotFound");
}
