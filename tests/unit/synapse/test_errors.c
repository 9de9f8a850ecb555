#include "data/json.h"
#include "synapse/synapse_priv.h"
#include "test.h"

typedef void put_fn(struct buf *out, const struct method_error *error);

static const struct error_case {
    const char *name;
    put_fn *put;
    struct method_error error;
    const char *code;
} cases[] = {
    { "a pipeline is missing",
      put_pipeline_error,
      { NOT_FOUND, 404, STR_INIT("m"), "", STR_INIT("id") },
      "PipelineNotFound" },
    { "a linked service is missing",
      put_linked_service_error,
      { NOT_FOUND, 404, STR_INIT("m"), "", STR_INIT("id") },
      "LinkedServiceNotFound" },
    { "a run is missing", put_run_error, { NOT_FOUND, 404, STR_INIT("m"), "", STR_INIT("id") }, "PipelineRunNotFound" },
    { "no proof",
      put_run_error,
      { UNAUTHENTICATED, 401, STR_INIT("m"), "NO_PROOF", STR_INIT("id") },
      "AuthenticationFailed" },
    { "no rule", put_run_error, { PERMISSION_DENIED, 403, STR_INIT("m"), "NO_RULE", STR_INIT("id") }, "Unauthorized" },
    { "too large",
      put_pipeline_error,
      { INVALID_ARGUMENT, 400, STR_INIT("m"), "TOO_LARGE", STR_INIT("id") },
      "RequestBodyTooLarge" },
    { "bad", put_pipeline_error, { INVALID_ARGUMENT, 400, STR_INIT("m"), "", STR_INIT("id") }, "BadRequest" },
    { "exists", put_pipeline_error, { ALREADY_EXISTS, 409, STR_INIT("m"), "", STR_INIT("id") }, "Conflict" },
    { "limits", put_pipeline_error, { RESOURCE_EXHAUSTED, 429, STR_INIT("m"), "", STR_INIT("id") }, "TooManyRequests" },
    { "stopping", put_pipeline_error, { UNAVAILABLE, 503, STR_INIT("m"), "", STR_INIT("id") }, "ServiceUnavailable" },
    { "ours", put_pipeline_error, { INTERNAL, 500, STR_INIT("a \"word\"\n"), "", STR_INIT("id") }, "InternalServerError" },
};

static void bodies(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct error_case *c = &cases[i];
        DEFER(buf_free) struct buf out = BUF_INIT(65536);
        DEFER(json_freep) json_t *body = NULL;
        struct err err = { 0 };
        struct str code, message, word;
        c->put(&out, &c->error);
        if (json_read(buf_str(&out), 65536, 0, &body, &err)) fail_msg("%s: no JSON: %s", c->name, err.message);
        const json_t *error = json_object_get(body, "error"), *details = json_object_get(error, "details");
        if (!json_member_str(error, "code", &code) || !str_eq_z(code, c->code)) fail_msg("%s: another code", c->name);
        if (!json_member_str(error, "message", &message) || !str_eq(message, c->error.message))
            fail_msg("%s: words", c->name);
        assert_int_equal(json_array_size(details), c->error.reason[0] ? 1 : 0);
        if (!c->error.reason[0]) continue;
        assert_true(json_member_str(json_array_get(details, 0), "code", &word));
        assert_str(word, c->error.reason);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(bodies) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
