#include "test.h"

#include <string.h>

#include "data/json.h"

static const struct read_case {
    const char *name;
    struct str text;
    enum code code;
    unsigned line, column; /* 0 = any */
} cases[] = {
    { "an object", STR_INIT("{\"a\":1}"), OK, 0, 0 },
    { "an array", STR_INIT("[]"), OK, 0, 0 },
    { "a bare number", STR_INIT("1"), INVALID_ARGUMENT, 0, 0 },
    { "nothing", STR_INIT(""), INVALID_ARGUMENT, 0, 0 },
    { "a key twice", STR_INIT("{\"a\":1,\n\"a\":2}"), INVALID_ARGUMENT, 2, 0 },
    { "a key twice, once escaped", STR_INIT("{\"a\":1,\"\\u0061\":2}"), INVALID_ARGUMENT, 1, 0 },
    { "keys that differ in case are two keys", STR_INIT("{\"a\":1,\"A\":2}"), OK, 0, 0 },
    { "bytes after the end", STR_INIT("{} x"), INVALID_ARGUMENT, 0, 0 },
    { "a second value", STR_INIT("{}{}"), INVALID_ARGUMENT, 0, 0 },
    { "a byte order mark", STR_INIT("\xef\xbb\xbf{}"), INVALID_ARGUMENT, 0, 0 },
    { "NUL in a text", STR_INIT("{\"a\":\"\\u0000\"}"), INVALID_ARGUMENT, 0, 0 },
    { "NUL after the end", STR_INIT("{}\0"), INVALID_ARGUMENT, 0, 0 },
    { "a lone surrogate", STR_INIT("{\"a\":\"\\ud800\"}"), INVALID_ARGUMENT, 0, 0 },
    { "bad UTF-8", STR_INIT("{\"a\":\"\xff\"}"), INVALID_ARGUMENT, 0, 0 },
    { "an integer too large", STR_INIT("{\"a\":9223372036854775808}"), INVALID_ARGUMENT, 0, 0 },
    { "a real too large", STR_INIT("{\"a\":1e999}"), INVALID_ARGUMENT, 0, 0 },
    { "NaN", STR_INIT("{\"a\":NaN}"), INVALID_ARGUMENT, 0, 0 },
    { "a control character in a text", STR_INIT("{\"a\":\n\"b\x01\"}"), INVALID_ARGUMENT, 2, 0 },
    { "a comment", STR_INIT("{/**/}"), INVALID_ARGUMENT, 0, 0 },
    { "a trailing comma", STR_INIT("[1,]"), INVALID_ARGUMENT, 0, 0 },
    { "depth 4 of 4", STR_INIT("[[[[]]]]"), OK, 0, 0 },
    { "depth 5 of 4", STR_INIT("[[[\n [[]]]]]"), INVALID_ARGUMENT, 2, 3 },
    { "brackets in a text are no depth", STR_INIT("[\"[[[[[[[\\\"[[\"]"), OK, 0, 0 },
    { "escapes and a pair of surrogates", STR_INIT("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"]"), OK, 0, 0 },
    { "an unknown escape", STR_INIT("[\"\\x\"]"), INVALID_ARGUMENT, 1, 0 },
    { "two first halves", STR_INIT("[\"\\ud83d\\ud83d\"]"), INVALID_ARGUMENT, 1, 0 },
    { "a second half alone", STR_INIT("[\"\\ude00\"]"), INVALID_ARGUMENT, 1, 0 },
    { "the end behind a backslash", STR_INIT("[\"\\"), INVALID_ARGUMENT, 1, 0 },
    { "the end within an escape", STR_INIT("[\"\\u00"), INVALID_ARGUMENT, 1, 0 },
    { "NUL behind a number", STR_INIT("[3\0]"), INVALID_ARGUMENT, 1, 3 },
    { "a zero before a number", STR_INIT("[01]"), INVALID_ARGUMENT, 1, 3 },
    { "a fraction without digits", STR_INIT("[1.]"), INVALID_ARGUMENT, 1, 4 },
    { "an exponent without digits", STR_INIT("[1e+]"), INVALID_ARGUMENT, 1, 5 },
    { "a lone minus", STR_INIT("[-]"), INVALID_ARGUMENT, 1, 3 },
    { "the least integer", STR_INIT("[-9223372036854775808]"), OK, 0, 0 },
    { "one less", STR_INIT("[-9223372036854775809]"), INVALID_ARGUMENT, 1, 0 },
    { "a word and more", STR_INIT("[truer]"), INVALID_ARGUMENT, 1, 6 },
    { "no colon", STR_INIT("{\"a\" 1}"), INVALID_ARGUMENT, 1, 6 },
    { "a key that is no text", STR_INIT("{1:1}"), INVALID_ARGUMENT, 1, 2 },
    { "white space of another kind", STR_INIT("[\v1]"), INVALID_ARGUMENT, 1, 2 },
    { "longer than 64 bytes", STR_INIT("[\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"]"),
      INVALID_ARGUMENT, 0, 0 },
};

static void test_reading_is_strict(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct read_case *c = &cases[i];
        struct err err = { 0 };
        json_t *json = NULL;
        enum code rc = json_read(c->text, 64, 4, &json, &err);
        if (rc != c->code) fail_msg("%s: %s %s", c->name, code_name(rc), err.message);
        if (c->line && err.line != c->line) fail_msg("%s: line %u", c->name, err.line);
        if (c->column && err.column != c->column) fail_msg("%s: column %u", c->name, err.column);
        json_decref(json);
    }
}

static const struct str short_cases[] = {
    STR_INIT("{\"a\":[true,null,-1,2.5,\"x\\u00e9\"],\"b\":{}}"),
    STR_INIT("[123456789012345]"),
    STR_INIT("[12345678901234,1234567890123456,7]"),
    STR_INIT("[-0.1234567890123456789012345678]"),
    STR_INIT("{\"n\":0.1234567890123456789012345678901234567890123456789012345678901}"),
    STR_INIT("[truetruetruetru]"),
    STR_INIT("[123456789012345\xc3\xa9]"),
    STR_INIT("[\"aaaaaaaaaaaaaaa\n\"]"),
    STR_INIT("[\"aaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbb\"]"),
};

static void test_each_failing_allocation_is_short_memory(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(short_cases); i++) {
        struct err err = { 0 };
        json_t *whole = NULL, *json;
        enum code ends = json_read(short_cases[i], 128, 0, &whole, &err), rc = RESOURCE_EXHAUSTED;
        unsigned n = 1;
        for (; rc == RESOURCE_EXHAUSTED && n < 1000; n++) {
            json = NULL;
            arena_fail_after(n);
            rc = json_read(short_cases[i], 128, 0, &json, &err);
            arena_fail_after(0);
        }
        if (rc != ends || n < 3) fail_msg("case %zu: %s after %u", i, code_name(rc), n);
        assert_true(!whole || json_equal(whole, json));
        json_decref(json);
        json_decref(whole);
    }
}

static void test_what_an_escape_stands_for(void **state) {
    (void)state;
    struct err err = { 0 };
    DEFER(json_freep) json_t *json = NULL;
    assert_int_equal(
        json_read(STR("[\"plain\",\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00E9\\ud83d\\uDE00!\",\"\"]"), 128, 0, &json, &err), OK);
    assert_str(json_text_of(json_array_get(json, 0)), "plain");
    assert_str(json_text_of(json_array_get(json, 1)), "\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x98\x80!");
    assert_str(json_text_of(json_array_get(json, 2)), "");
}

static void test_protobufs_json_takes_any_value(void **state) {
    (void)state;
    static const struct {
        struct str text;
        enum code code;
    } values[] = { { STR_INIT(" 7 "), OK },
                   { STR_INIT("\"x\\u0000y\""), OK },
                   { STR_INIT("null"), OK },
                   { STR_INIT("7 8"), INVALID_ARGUMENT },
                   { STR_INIT("{\"\\u0000\":1}"), INVALID_ARGUMENT },
                   { STR_INIT("\"\0\""), INVALID_ARGUMENT },
                   { { NULL, 0 }, INVALID_ARGUMENT },
                   { STR_INIT("[[1]]"), OK },
                   { STR_INIT("[[[1]]]"), INVALID_ARGUMENT } };
    for (size_t i = 0; i < COUNT(values); i++) {
        struct err err = { 0 };
        json_t *json = NULL;
        if (json_read_value(values[i].text, 2, NULL, &json, &err) != values[i].code)
            fail_msg("case %zu: %s", i, err.message);
        json_decref(json);
    }
}

/* A text of 3 bytes a value, which takes 130 in the tree: the arena has room for some, not for all. */
static void test_a_tree_is_paid_for(void **state) {
    (void)state;
    struct budget budget = { .max = 1 << 20 };
    char text[30002] = "[";
    for (size_t i = 0; i < 10000; i++) memcpy(text + 1 + 3 * i, "[],", 3);
    text[30000] = ']';
    for (size_t arena_bytes = 1 << 20; arena_bytes <= 4 << 20;
         arena_bytes *= 4) { /* its own maximum ends it, then the budget */
        struct err err = { 0 };
        json_t *json = NULL;
        struct arena *arena = arena_new(arena_bytes);
        arena_share(arena, &budget);
        assert_int_equal(json_read_value((struct str){ text, 30001 }, 8, arena, &json, &err), RESOURCE_EXHAUSTED);
        arena_free(arena);
        assert_int_equal(atomic_load(&budget.held), 0);
        arena = arena_new(arena_bytes);
        arena_share(arena, &budget);
        assert_int_equal(json_read_value(STR("[[],{\"a\":\"b\"}]"), 8, arena, &json, &err), OK);
        assert_true(atomic_load(&budget.held) > 256);
        json_decref(json);
        arena_free(arena);
        assert_int_equal(atomic_load(&budget.held), 0);
    }
}

static void test_a_number_has_at_most_500_bytes(void **state) {
    (void)state;
    char text[512];
    for (size_t n = 499; n <= 501; n++) {
        struct err err = { 0 };
        json_t *json = NULL;
        memset(text, '1', sizeof text);
        memcpy(text, "[0.", 3);
        text[n + 1] = ']';
        enum code rc = json_read((struct str){ text, n + 2 }, sizeof text, 0, &json, &err);
        assert_int_equal(rc, n <= 500 ? OK : INVALID_ARGUMENT);
        json_decref(json);
    }
}

static void test_an_error_does_not_quote_the_text(void **state) {
    (void)state;
    struct err err = { 0 };
    json_t *json = NULL;
    assert_int_equal(json_read(STR("{\"password\": hunter2}"), 64, 0, &json, &err), INVALID_ARGUMENT);
    assert_null(strstr(err.message, "hunter"));
}

static void test_typed_members(void **state) {
    (void)state;
    struct err err = { 0 };
    DEFER(json_freep) json_t *json = NULL;
    assert_int_equal(json_read(STR("{\"s\":\"x\",\"i\":7,\"r\":7.0,\"t\":true}"), 64, 0, &json, &err), OK);
    struct str s;
    int64_t n;
    assert_true(json_member_str(json, "s", &s));
    assert_str(s, "x");
    assert_true(json_member_int(json, "i", &n));
    assert_int_equal(n, 7);
    assert_false(json_member_int(json, "r", &n));
    assert_false(json_member_int(json, "t", &n));
    assert_false(json_member_str(json, "i", &s));
    assert_false(json_member_str(json, "absent", &s));
    DEFER(buf_free) struct buf out = BUF_INIT(64);
    assert_true(json_write(json, &out));
    assert_str(buf_str(&out), "{\"s\":\"x\",\"i\":7,\"r\":7.0,\"t\":true}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading_is_strict),
        cmocka_unit_test(test_each_failing_allocation_is_short_memory),
        cmocka_unit_test(test_what_an_escape_stands_for),
        cmocka_unit_test(test_protobufs_json_takes_any_value),
        cmocka_unit_test(test_a_tree_is_paid_for),
        cmocka_unit_test(test_a_number_has_at_most_500_bytes),
        cmocka_unit_test(test_an_error_does_not_quote_the_text),
        cmocka_unit_test(test_typed_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
