/* Parameters and variables of a run. */
#include "help.h"

static struct pipeline *make(struct arena *arena) {
    struct faults faults = { .arena = arena };
    struct pipeline *p = NULL;
    struct err err = { 0 };
    if (pipeline_read(
            STR("{\"properties\":{\"parameters\":{\"s\":{\"type\":\"string\"},\"i\":{\"type\":\"Int\",\"defaultValue\":5},"
                "\"f\":{\"type\":\"float\",\"defaultValue\":1},\"b\":{\"type\":\"bool\",\"defaultValue\":false},"
                "\"a\":{\"type\":\"array\",\"defaultValue\":[1]},\"o\":{\"type\":\"object\",\"defaultValue\":{}}},"
                "\"variables\":{\"x\":{\"type\":\"String\",\"defaultValue\":\"d\"},\"y\":{\"type\":\"Boolean\"},"
                "\"z\":{\"type\":\"Integer\"},\"w\":{\"type\":\"Array\"},\"v\":{\"type\":\"String\"}}}}"),
            &faults, &p, &err))
        fail_msg("%s", err.message);
    return p;
}

struct bind_case {
    const char *name, *supplied;
    const char *value;   /* of all parameters; NULL: refused */
    const char *message; /* then */
};

static const struct bind_case cases[] = {
    { "defaults", "{\"s\":\"x\"}", "{\"s\":\"x\",\"i\":5,\"f\":1,\"b\":false,\"a\":[1],\"o\":{}}", NULL },
    { "all are supplied", "{\"s\":\"\",\"i\":-1,\"f\":2.5,\"b\":true,\"a\":[],\"o\":{\"k\":1}}",
      "{\"s\":\"\",\"i\":-1,\"f\":2.5,\"b\":true,\"a\":[],\"o\":{\"k\":1}}", NULL },
    { "null gives the default", "{\"s\":\"x\",\"i\":null}", "{\"s\":\"x\",\"i\":5,\"f\":1,\"b\":false,\"a\":[1],\"o\":{}}",
      NULL },
    { "text is not evaluated", "{\"s\":\"@utcNow()\"}",
      "{\"s\":\"@utcNow()\",\"i\":5,\"f\":1,\"b\":false,\"a\":[1],\"o\":{}}", NULL },
    { "one is missing", "{}", NULL, "parameter 's' (String) is missing" },
    { "none are supplied", NULL, NULL, "parameter 's' (String) is missing" },
    { "one is unknown", "{\"s\":\"x\",\"q\":1}", NULL, "the pipeline has no parameter 'q'" },
    { "an integer as text", "{\"s\":\"x\",\"i\":\"5\"}", NULL, "parameter 'i' should be of type Int" },
    { "a float for an integer", "{\"s\":\"x\",\"i\":5.0}", NULL, "parameter 'i' should be of type Int" },
    { "a number for text", "{\"s\":1}", NULL, "parameter 's' should be of type String" },
    { "text for a Boolean", "{\"s\":\"x\",\"b\":\"true\"}", NULL, "parameter 'b' should be of type Bool" },
    { "an object for an array", "{\"s\":\"x\",\"a\":{}}", NULL, "parameter 'a' should be of type Array" },
    { "no object at all", "[1]", NULL, "the parameters should be an object" },
};

static void each_binding(void **state) {
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    DEFER(pipeline_unrefp) struct pipeline *p = make(arena);
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(json_freep) json_t *supplied = cases[i].supplied ? must_load(cases[i].supplied) : NULL;
        DEFER(json_freep) json_t *got = NULL;
        struct faults faults = { .arena = arena };
        struct err err = { 0 };
        enum code rc = pipeline_bind_parameters(p, supplied, &faults, &got, &err);
        if (!cases[i].value) {
            if (rc != INVALID_ARGUMENT || !strstr(err.message, cases[i].message))
                fail_msg("%s: %d %s", cases[i].name, rc, err.message);
            continue;
        }
        DEFER(json_freep) json_t *wanted = must_load(cases[i].value);
        if (rc || !json_equal(got, wanted)) fail_msg("%s: %d %s", cases[i].name, rc, err.message);
    }
}

static void all_wrong_parameters_are_named(void **state) {
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    DEFER(pipeline_unrefp) struct pipeline *p = make(arena);
    DEFER(json_freep) json_t *supplied = must_load("{\"i\":true,\"q\":1}");
    struct faults faults = { .arena = arena };
    json_t *got = NULL;
    struct err err;
    (void)state;
    assert_int_equal(pipeline_bind_parameters(p, supplied, &faults, &got, &err), INVALID_ARGUMENT);
    assert_int_equal(faults.n, 3);
    assert_string_equal(faults.items[0].code, "InvalidPipelineParameter");
    assert_str(faults.items[0].path, "s");
    assert_str(faults.items[1].path, "i");
    assert_str(faults.items[2].path, "q");
}

static void variables_begin_with_something(void **state) {
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    DEFER(pipeline_unrefp) struct pipeline *p = make(arena);
    DEFER(json_freep) json_t *got = pipeline_initial_variables(p);
    DEFER(json_freep) json_t *wanted = must_load("{\"x\":\"d\",\"y\":false,\"z\":0,\"w\":[],\"v\":\"\"}");
    (void)state;
    assert_true(json_equal(got, wanted));
}

static void names(void **state) {
    static const struct {
        const char *name;
        bool valid;
    } names_[] = { { "Nightly", true }, { "_x", true },    { "9 lives", true }, { "\xc3\xa9t\xc3\xa9", true },
                   { "", false },       { " x", false },   { "x ", false },     { "a.b", false },
                   { "a/b", false },    { "a\tb", false }, { "-a", false },     { "a\xff", false } };
    (void)state;
    for (size_t i = 0; i < COUNT(names_); i++)
        if (pipeline_name_valid(str_z(names_[i].name), 20) != names_[i].valid) fail_msg("'%s'", names_[i].name);
    assert_false(pipeline_name_valid(STR("aaaaaaaaaaaaaaaaaaaaa"), 20));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_binding),
        cmocka_unit_test(all_wrong_parameters_are_named),
        cmocka_unit_test(variables_begin_with_something),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
