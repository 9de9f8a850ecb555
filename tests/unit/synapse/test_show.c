#include "data/json.h"
#include "synapse/synapse_priv.h"
#include "test.h"

static json_t *parsed(const struct buf *out) {
    json_t *json = NULL;
    struct err err = { 0 };
    if (json_read(buf_str(out), 1 << 20, 0, &json, &err)) fail_msg("no JSON: %s: %.*s", err.message, STR_ARG(buf_str(out)));
    return json;
}

static struct str member(const json_t *object, const char *key) {
    return json_text_of(json_object_get(object, key));
}

static void a_run(void **state) {
    (void)state;
    DEFER(buf_free) struct buf out = BUF_INIT(65536);
    struct err err = { 0 };
    struct run_info run = { .id = STR("r1"),
                            .root_run = STR("r1"),
                            .pipeline = STR("load \"it\""),
                            .parameters = STR("{\"word\":\"a\\\"b\",\"n\":3,\"list\":[1,2]}"),
                            .state = RUN_SUCCEEDED,
                            .created_us = 1000000,
                            .started_us = 2000000,
                            .ended_us = 3500000,
                            .updated_us = 3500000,
                            .subject = STR("ann") };
    assert_int_equal(show_run(&out, &run, &err), OK);
    DEFER(json_freep) json_t *json = parsed(&out);
    const json_t *parameters = json_object_get(json, "parameters");
    assert_str(member(json, "pipelineName"), "load \"it\"");
    assert_str(member(json, "status"), "Succeeded");
    assert_str(member(json, "runStart"), "1970-01-01T00:00:02Z");
    assert_str(member(parameters, "word"), "a\"b");
    assert_str(member(parameters, "n"), "3");
    assert_str(member(parameters, "list"), "[1,2]");
    assert_int_equal(json_integer_value(json_object_get(json, "durationInMs")), 1500);
    assert_str(member(json_object_get(json, "invokedBy"), "id"), "ann");
    assert_str(member(json_object_get(json, "invokedBy"), "invokedByType"), "Manual");
}

static void a_run_that_has_not_begun_has_no_end(void **state) {
    (void)state;
    DEFER(buf_free) struct buf out = BUF_INIT(65536);
    struct err err = { 0 };
    struct run_info run = { .id = STR("r2"),
                            .root_run = STR("r1"),
                            .parent_run = STR("r1"),
                            .parent_pipeline = STR("outer"),
                            .parent_activity_run = STR("a1"),
                            .pipeline = STR("inner"),
                            .state = RUN_QUEUED,
                            .created_us = 1000000,
                            .updated_us = 1000000 };
    assert_int_equal(show_run(&out, &run, &err), OK);
    DEFER(json_freep) json_t *json = parsed(&out);
    assert_true(json_is_null(json_object_get(json, "runEnd")) && json_is_null(json_object_get(json, "durationInMs")));
    assert_str(member(json, "runGroupId"), "r1");
    assert_str(member(json_object_get(json, "invokedBy"), "pipelineRunId"), "r1");
    assert_str(member(json_object_get(json, "invokedBy"), "invokedByType"), "PipelineActivity");
}

static void an_activity(void **state) {
    (void)state;
    DEFER(buf_free) struct buf out = BUF_INIT(65536);
    struct activity_info activity = { .id = STR("a1"),
                                      .name = STR("call"),
                                      .type = STR("WebActivity"),
                                      .run = STR("r1"),
                                      .pipeline = STR("load"),
                                      .state = RUN_FAILED,
                                      .attempt = 2,
                                      .started_us = 1000000,
                                      .ended_us = 1001000,
                                      .input = STR("{\"url\":\"u\"}"),
                                      .error = STR("{\"errorCode\":\"404\"}") };
    show_activity(&out, &activity);
    DEFER(json_freep) json_t *json = parsed(&out);
    assert_str(member(json, "activityName"), "call");
    assert_str(member(json_object_get(json, "input"), "url"), "u");
    assert_str(member(json_object_get(json, "error"), "errorCode"), "404");
    assert_int_equal(json_object_size(json_object_get(json, "output")), 0);
    assert_int_equal(json_integer_value(json_object_get(json, "retryAttempt")), 2);
    assert_int_equal(json_integer_value(json_object_get(json, "durationInMs")), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_run), cmocka_unit_test(a_run_that_has_not_begun_has_no_end),
                                        cmocka_unit_test(an_activity) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
