#include "data/json.h"
#include "synapse/synapse_priv.h"
#include "test.h"

#define TIMES "\"lastUpdatedAfter\":\"2026-01-01T00:00:00Z\",\"lastUpdatedBefore\":\"2026-01-02T00:00:00Z\""

static enum code read_text(const char *text, struct arena *arena, struct run_query *ret, struct err *err) {
    DEFER(json_freep) json_t *body = NULL;
    struct err bad = { 0 };
    if (json_read(str_z(text), SYNAPSE_SMALL_BODY, 0, &body, &bad)) fail_msg("%s: %s", text, bad.message);
    return filter_read(body, arena, ret, err);
}

static void what_clients_send(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct run_query q;
    struct err err = { 0 };
    const char *text =
        "{" TIMES ",\"continuationToken\":\"ct\",\"filters\":[{\"operand\":\"PipelineName\",\"operator\":"
        "\"Equals\",\"values\":[\"load\"]},{\"operand\":\"Status\",\"operator\":\"NotIn\",\"values\":[\"Failed\","
        "\"Cancelled\"]}],\"orderBy\":[{\"orderBy\":\"RunStart\",\"order\":\"DESC\"},{\"orderBy\":"
        "\"PipelineName\",\"order\":\"ASC\"}]}";
    assert_int_equal(read_text(text, arena, &q, &err), OK);
    assert_int_equal(q.updated_after_us, INT64_C(1767225600000000));
    assert_int_equal(q.updated_before_us, INT64_C(1767312000000000));
    assert_int_equal(q.n_filters, 2);
    assert_int_equal(q.filters[0].field, FIELD_PIPELINE_NAME);
    assert_int_equal(q.filters[0].op, FILTER_EQUALS);
    assert_str(q.filters[0].values[0], "load");
    assert_int_equal(q.filters[1].op, FILTER_NOT_IN);
    assert_int_equal(q.filters[1].n_values, 2);
    assert_int_equal(q.n_orders, 2);
    assert_true(q.orders[0].descending && !q.orders[1].descending);
    assert_str(q.continuation, "ct");
}

static void times_are_inclusive_to_the_microsecond(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct run_query q;
    struct err err = { 0 };
    assert_int_equal(read_text("{\"lastUpdatedAfter\":\"2026-01-01T01:00:00.0000019+01:00\",\"lastUpdatedBefore\":"
                               "\"2026-01-01T00:00:00.0000011Z\",\"filters\":null}",
                               arena, &q, &err),
                     OK);
    assert_int_equal(q.updated_after_us, INT64_C(1767225600000001));
    assert_int_equal(q.updated_before_us, INT64_C(1767225600000002));
    assert_int_equal(q.n_filters + q.n_orders, 0);
}

static const struct bad_case {
    const char *name, *text, *words;
} bad[] = {
    { "no times", "{}", "lastUpdatedAfter" },
    { "only one time", "{\"lastUpdatedAfter\":\"2026-01-01T00:00:00Z\"}", "lastUpdatedBefore" },
    { "a time that is a number", "{\"lastUpdatedAfter\":5,\"lastUpdatedBefore\":5}", "lastUpdatedAfter" },
    { "a time without its offset", "{\"lastUpdatedAfter\":\"2026-01-01T00:00:00\",\"lastUpdatedBefore\":\"x\"}",
      "no time" },
    { "an unknown key", "{" TIMES ",\"top\":3}", "top" },
    { "an unknown operand", "{" TIMES ",\"filters\":[{\"operand\":\"Colour\",\"operator\":\"In\",\"values\":[\"a\"]}]}",
      "filters[0].operand" },
    { "an unknown operator", "{" TIMES ",\"filters\":[{\"operand\":\"Status\",\"operator\":\"Like\",\"values\":[\"a\"]}]}",
      "filters[0].operator" },
    { "no values", "{" TIMES ",\"filters\":[{\"operand\":\"Status\",\"operator\":\"In\",\"values\":[]}]}",
      "filters[0].values" },
    { "two values to equal",
      "{" TIMES ",\"filters\":[{\"operand\":\"Status\",\"operator\":\"Equals\",\"values\":[\"a\",\"b\"]}]}", "one text" },
    { "a value that is a number",
      "{" TIMES ",\"filters\":[{\"operand\":\"Status\",\"operator\":\"In\",\"values\":[\"a\",1]}]}",
      "filters[0].values[1]" },
    { "a filter with more",
      "{" TIMES ",\"filters\":[{\"operand\":\"Status\",\"operator\":\"In\",\"values\":[\"a\"],\"not\":1}]}", "not" },
    { "a filter that is none", "{" TIMES ",\"filters\":[3]}", "filters[0]" },
    { "filters that are no list", "{" TIMES ",\"filters\":{}}", "filters" },
    { "an order without a direction", "{" TIMES ",\"orderBy\":[{\"orderBy\":\"RunStart\"}]}", "orderBy[0].order" },
    { "an order by nothing known", "{" TIMES ",\"orderBy\":[{\"orderBy\":\"x\",\"order\":\"ASC\"}]}",
      "orderBy[0].orderBy" },
    { "a continuation that is a number", "{" TIMES ",\"continuationToken\":1}", "continuationToken" },
};

static void refused_by_name_and_place(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
        struct run_query q;
        struct err err = { 0 };
        if (read_text(bad[i].text, arena, &q, &err) != INVALID_ARGUMENT) fail_msg("%s: accepted", bad[i].name);
        if (!strstr(err.message, bad[i].words)) fail_msg("%s: says only: %s", bad[i].name, err.message);
    }
}

static void too_many(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    DEFER(buf_free) struct buf text = BUF_INIT(65536);
    struct run_query q;
    struct err err = { 0 };
    buf_add_z(&text, "{" TIMES ",\"filters\":[");
    for (int i = 0; i <= RUN_QUERY_MAX_FILTERS; i++)
        buf_printf(&text, "%s{\"operand\":\"Status\",\"operator\":\"In\",\"values\":[\"a\"]}", i ? "," : "");
    buf_add(&text, "]}", 3);
    assert_int_equal(read_text(text.p, arena, &q, &err), INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "filters"));
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_clients_send),
                                        cmocka_unit_test(times_are_inclusive_to_the_microsecond),
                                        cmocka_unit_test(refused_by_name_and_place), cmocka_unit_test(too_many) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
