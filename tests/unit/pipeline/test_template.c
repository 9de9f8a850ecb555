#include <stdlib.h>

#include "help.h"

#include "pipeline/template.h"

struct eval_case {
    const char *name, *json, *value;
    bool literal; /* needs no evaluation */
};

static const struct eval_case cases[] = {
    { "a constant", "{\"a\":[1,true,null,\"x\"]}", "{\"a\":[1,true,null,\"x\"]}", true },
    { "an expression in an object", "{\"a\":\"@pipeline().parameters.n\",\"b\":1}", "{\"a\":42,\"b\":1}", false },
    { "an expression in an array", "[\"@{variables('v')}!\",2]", "[\"green!\",2]", false },
    { "an Expression object", "{\"type\":\"Expression\",\"value\":\"@variables('v')\"}", "\"green\"", false },
    { "an Expression object with plain text", "{\"type\":\"Expression\",\"value\":\"plain\"}", "\"plain\"", true },
    { "such an object within another", "{\"x\":{\"type\":\"Expression\",\"value\":\"plain\"}}", "{\"x\":\"plain\"}",
      false },
    { "a third member makes it an object", "{\"type\":\"Expression\",\"value\":\"x\",\"z\":1}",
      "{\"type\":\"Expression\",\"value\":\"x\",\"z\":1}", true },
    { "another type makes it an object", "{\"type\":\"Text\",\"value\":\"@item().id\"}", "{\"type\":\"Text\",\"value\":7}",
      false },
    { "an escape is undone", "{\"a\":\"@@x\"}", "{\"a\":\"@x\"}", false },
    { "keys are never expressions", "{\"@item()\":1}", "{\"@item()\":1}", true },
};

static void each_case(void **state) {
    struct world w;
    (void)state;
    world_open(&w);
    struct expr_context context = world_context(&w);
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
        DEFER(json_freep) json_t *json = must_load(cases[i].json);
        DEFER(json_freep) json_t *wanted = must_load(cases[i].value);
        DEFER(json_freep) json_t *got = NULL;
        struct faults faults = { .arena = arena };
        struct err err = { 0 };
        const struct template *t = template_compile(arena, json, STR("p"), &faults);
        if (!t || faults.total || template_eval(t, &context, &got, &err)) fail_msg("%s: %s", cases[i].name, err.message);
        if (!json_equal(got, wanted)) fail_msg("%s: another value", cases[i].name);
        if ((template_literal(t) != NULL) != cases[i].literal) fail_msg("%s: literal?", cases[i].name);
    }
    world_close(&w);
}

static void all_faults_with_their_places(void **state) {
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    DEFER(json_freep) json_t *json = must_load("{\"a\":\"@nope()\",\"b\":[1,{\"c d\":\"x @{\"}],\"ok\":\"@item()\"}");
    struct faults faults = { .arena = arena };
    (void)state;
    assert_null(template_compile(arena, json, STR("p"), &faults));
    assert_int_equal(faults.n, 2);
    assert_str(faults.items[0].path, "p.a");
    assert_int_equal(faults.items[0].column, 2);
    assert_str(faults.items[1].path, "p.b[1]['c d']");
    assert_string_equal(faults.items[1].code, "InvalidTemplate");
}

static void a_failed_value_says_where(void **state) {
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    DEFER(json_freep) json_t *json = must_load("{\"a\":[0,\"@div(1, 0)\"]}");
    struct faults faults = { .arena = arena };
    struct expr_context context = { 0 };
    struct err err;
    json_t *got;
    (void)state;
    const struct template *t = template_compile(arena, json, STR("properties.x"), &faults);
    assert_non_null(t);
    assert_int_equal(template_eval(t, &context, &got, &err), INVALID_ARGUMENT);
    assert_string_equal(err.message, "properties.x.a[1]: div: the divisor is zero");
    assert_int_equal(err.column, 2);
}

static void parts_add_up_to_the_limit(void **state) {
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    DEFER(json_freep) json_t *json = must_load("[\"@item()\",\"@item()\",\"@item()\"]");
    struct faults faults = { .arena = arena };
    struct err err;
    json_t *got;
    (void)state;
    char *large = malloc(2 << 20);
    memset(large, 'x', 2 << 20);
    DEFER(json_freep) json_t *item = json_stringn(large, 2 << 20);
    free(large);
    struct expr_context context = { .item = item };
    const struct template *t = template_compile(arena, json, STR("p"), &faults);
    assert_non_null(t);
    assert_int_equal(template_eval(t, &context, &got, &err), OUT_OF_RANGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_case),
        cmocka_unit_test(all_faults_with_their_places),
        cmocka_unit_test(a_failed_value_says_where),
        cmocka_unit_test(parts_add_up_to_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
