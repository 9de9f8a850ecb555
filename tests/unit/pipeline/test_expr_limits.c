/* What an expression may cost, and what happens when memory is short. */
#include <stdlib.h>

#include "help.h"

static enum code run(const char *text, const struct expr_context *context, json_t **ret, struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(16 << 20);
    const struct expr *expr;
    enum code rc = arena ? expr_parse(arena, str_z(text), &expr, err) : err_oom(err);
    return rc ? rc : expr_eval(expr, context, ret, err);
}

static void repeat(struct buf *b, const char *text, size_t n) {
    for (size_t i = 0; i < n; i++) buf_add_z(b, text);
}

static void depth_is_bounded(void **state) {
    (void)state;
    for (size_t n = 60; n <= 70; n++) {
        DEFER(buf_free) struct buf b = BUF_INIT(4096);
        struct expr_context context = { 0 };
        DEFER(json_freep) json_t *got = NULL;
        struct err err = { 0 };
        buf_add_z(&b, "@");
        repeat(&b, "not(", n);
        buf_add_z(&b, "true");
        repeat(&b, ")", n);
        buf_add_char(&b, '\0');
        assert_int_equal(run(b.p, &context, &got, &err), n < EXPR_DEPTH_MAX ? OK : INVALID_ARGUMENT);
        if (n >= EXPR_DEPTH_MAX) assert_non_null(strstr(err.message, "nested deeper than 64"));
    }
}

static void length_is_bounded(void **state) {
    DEFER(buf_free) struct buf b = BUF_INIT(EXPR_TEXT_MAX + 64);
    struct expr_context context = { 0 };
    json_t *got = NULL;
    struct err err;
    (void)state;
    buf_add_z(&b, "@concat('");
    repeat(&b, "x", EXPR_TEXT_MAX - 10);
    buf_add_z(&b, "')");
    buf_add_char(&b, '\0');
    assert_int_equal(run(b.p, &context, &got, &err), INVALID_ARGUMENT);
    b.p[0] = 'x'; /* text that computes nothing may be as long as the document */
    assert_int_equal(run(b.p, &context, &got, &err), OK);
    json_decref(got);
}

struct limit_case {
    const char *name, *text, *message;
};

static const struct limit_case limits[] = {
    { "a text that doubles", "@{variables('m')}@{variables('m')}@{variables('m')}@{variables('m')}@{variables('m')}",
      "longer than 4194304 bytes" },
    { "an array of large texts",
      "@createArray(variables('m'), variables('m'), variables('m'), variables('m'), variables('m'))",
      "larger than 4194304 bytes" },
    { "a range too long", "@range(0, 2000000)", "the count is over" },
    { "a range past the integers", "@range(9223372036854775807, 2)", "out of the range of 64-bit integers" },
    { "work by comparing each with each", "@length(union(range(0, 20000), range(30000, 20000)))", "takes more than" },
    { "a value nested deeper than it may", "@createArray(variables('deep'))", "nested deeper than 64" },
};

static void cost_is_bounded(void **state) {
    struct expr_context context = { 0 };
    char *million = malloc(1000001);
    (void)state;
    memset(million, 'm', 1000000);
    million[1000000] = '\0';
    json_t *deep = json_array();
    for (int i = 0; i < 63; i++) deep = json_pack("[o]", deep);
    deep = json_pack("[o]", deep);
    DEFER(json_freep) json_t *variables = json_pack("{s:s, s:o}", "m", million, "deep", deep);
    context.variables = variables;
    for (size_t i = 0; i < COUNT(limits); i++) {
        json_t *got = NULL;
        struct err err = { 0 };
        if (run(limits[i].text, &context, &got, &err) != OUT_OF_RANGE || !strstr(err.message, limits[i].message))
            fail_msg("%s: %s", limits[i].name, err.message);
    }
    free(million);
}

/* Sharing makes it small in memory and vast as text: 2^30 leaves. */
static void shared_values_are_measured(void **state) {
    struct expr_context context = { 0 };
    json_t *got = NULL;
    struct err err;
    (void)state;
    json_t *v = json_array();
    for (int i = 0; i < 30; i++) {
        json_t *pair = json_array();
        (void)json_array_append(pair, v);
        (void)json_array_append_new(pair, v);
        v = pair;
    }
    DEFER(json_freep) json_t *variables = json_pack("{s:o}", "v", v);
    context.variables = variables;
    assert_int_equal(run("@variables('v')", &context, &got, &err), OUT_OF_RANGE);
    assert_int_equal(run("@string(variables('v'))", &context, &got, &err), OUT_OF_RANGE);
}

static void memory_may_fail_anywhere(void **state) {
    struct world w;
    (void)state;
    world_open(&w);
    struct expr_context context = world_context(&w);
    const char *text = "a @{concat(toUpper(variables('v')), string(union(createArray(1, 'x'), split('a,b', ','))), "
                       "json('{\"a\":[1]}').a[0],"
                       " activity('Web').output.rows[0], formatDateTime(utcNow(), 'yyyy'))} b";
    unsigned n = 1;
    for (; n < 500; n++) {
        json_t *got = NULL;
        struct err err = { 0 };
        arena_fail_after(n);
        enum code rc = run(text, &context, &got, &err);
        arena_fail_after(0);
        json_decref(got);
        if (rc == OK) break;
        if (rc != RESOURCE_EXHAUSTED && rc != OUT_OF_RANGE && rc != INVALID_ARGUMENT)
            fail_msg("%u: %d %s", n, rc, err.message);
    }
    assert_in_range(n, 20, 499);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(depth_is_bounded),         cmocka_unit_test(length_is_bounded),
        cmocka_unit_test(cost_is_bounded),          cmocka_unit_test(shared_values_are_measured),
        cmocka_unit_test(memory_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
