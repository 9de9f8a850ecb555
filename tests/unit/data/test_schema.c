#include "test.h"

#include <string.h>

#include "data/schema.h"
#include "data/yaml.h"

static const struct yaml_case {
    const char *name;
    struct str text;
    enum code code;
    unsigned line, column;
} cases[] = {
    { "a map", STR_INIT("a: 1\nb: [x, y]\n"), OK, 0, 0 },
    { "empty", STR_INIT(""), INVALID_ARGUMENT, 1, 1 },
    { "a comment only", STR_INIT("# x\n"), INVALID_ARGUMENT, 1, 1 },
    { "a key twice", STR_INIT("a: 1\nb: 2\n a2: 3\n"), INVALID_ARGUMENT, 0, 0 },
    { "the same key twice", STR_INIT("a: 1\nb:\n  c: 1\n  c: 2\n"), INVALID_ARGUMENT, 4, 3 },
    { "an anchor", STR_INIT("a: &x 1\n"), INVALID_ARGUMENT, 1, 4 },
    { "an anchor on a map", STR_INIT("a: &x {b: 1}\n"), INVALID_ARGUMENT, 1, 4 },
    { "an alias", STR_INIT("a: *x\n"), INVALID_ARGUMENT, 1, 4 },
    { "a tag", STR_INIT("a: !!str 1\n"), INVALID_ARGUMENT, 1, 4 },
    { "a merge key", STR_INIT("<<: {a: 1}\n"), INVALID_ARGUMENT, 1, 1 },
    { "a list as key", STR_INIT("[a]: 1\n"), INVALID_ARGUMENT, 1, 1 },
    { "two documents", STR_INIT("a: 1\n---\nb: 2\n"), INVALID_ARGUMENT, 2, 1 },
    { "not UTF-8", STR_INIT("a: \xff\n"), INVALID_ARGUMENT, 1, 1 },
    { "a tab as indentation", STR_INIT("a:\n\tb: 1\n"), INVALID_ARGUMENT, 2, 1 },
    { "NUL in a quoted text", STR_INIT("a: \"x\\0y\"\n"), INVALID_ARGUMENT, 1, 4 },
    { "depth 33", STR_INIT("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"), INVALID_ARGUMENT, 1, 33 },
};

static void test_yaml_without_surprises(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct yaml_case *c = &cases[i];
        struct err err = { 0 };
        struct arena *arena = arena_new(1 << 20);
        struct node *root = NULL;
        enum code rc = yaml_read(c->text, 4096, arena, &root, &err);
        if (rc != c->code) fail_msg("%s: %s %s", c->name, code_name(rc), err.message);
        if (c->line && (err.line != c->line || err.column != c->column))
            fail_msg("%s: %u:%u %s", c->name, err.line, err.column, err.message);
        arena_free(arena);
    }
}

static void test_scalars_are_what_they_look_like(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum node_kind kind;
    } scalars[] = {
        { "true", NODE_BOOL },
        { "no", NODE_STRING },
        { "on", NODE_STRING },
        { "12", NODE_INT },
        { "-3", NODE_INT },
        { "007", NODE_STRING },
        { "0x1f", NODE_STRING },
        { "1.5", NODE_REAL },
        { "1.", NODE_STRING },
        { "12:30", NODE_STRING },
        { "2026-01-01", NODE_STRING },
        { "\"12\"", NODE_STRING },
        { "~", NODE_NULL },
        { "", NODE_NULL },
        { "9223372036854775808", NODE_STRING },
        { ".inf", NODE_STRING },
        { "72f9e3", NODE_STRING },
        { "1e3", NODE_STRING },
    };
    for (size_t i = 0; i < COUNT(scalars); i++) {
        struct err err = { 0 };
        struct arena *arena = arena_new(1 << 16);
        struct node *root = NULL;
        assert_int_equal(yaml_read(arena_printf(arena, "a: %s\n", scalars[i].text), 4096, arena, &root, &err), OK);
        if (node_path(root, "a")->kind != scalars[i].kind)
            fail_msg("%s is %d", scalars[i].text, node_path(root, "a")->kind);
        arena_free(arena);
    }
}

static const char *no_spaces(struct str text) {
    return str_find_char(text, ' ') >= 0 ? "must hold no spaces" : NULL;
}

static const char *const modes[] = { "development", "production", NULL };
static const struct field issuer[] = {
    { .key = "iss", .type = FIELD_TEXT, .required = true, .min = 1, .max = 20, .check = no_spaces, .doc = "Whom." },
    { .key = "audiences", .type = FIELD_TEXT_LIST, .min = 1, .max = 2 },
    { 0 },
};
static const struct field listen_to[] = { { .key = "public", .type = FIELD_TEXT }, { 0 } };
static const struct field top[] = {
    { .key = "environment", .type = FIELD_ENUM, .words = modes, .required = true, .doc = "Where it runs." },
    { .key = "listen", .type = FIELD_MAP, .fields = listen_to },
    { .key = "issuers", .type = FIELD_MAP_OF, .fields = issuer, .min = 1, .max = 8 },
    { .key = "workers", .type = FIELD_INT, .min = 1, .max = 64, .fallback = "4" },
    { .key = "timeout", .type = FIELD_DURATION_MS, .min = 1000, .max = 60000, .fallback = "30s" },
    { .key = "cache", .type = FIELD_SIZE, .fallback = "64MiB" },
    { .key = "strict", .type = FIELD_BOOL, .fallback = "true" },
    { 0 },
};

static void test_all_faults_with_their_places(void **state) {
    (void)state;
    struct err err = { 0 };
    struct arena *arena = arena_new(1 << 20);
    struct node *root = NULL;
    struct str text = STR("environment: prod\n"
                          "listne: {}\n"
                          "issuers:\n"
                          "  corp: {iss: \"a b\", audiences: [1]}\n"
                          "  \"x y\": {audiences: []}\n"
                          "workers: 65\n"
                          "timeout: 3\n"
                          "cache: 3KB\n"
                          "strict: no\n"
                          "listen: [1]\n");
    assert_int_equal(yaml_read(text, 4096, arena, &root, &err), OK);
    struct schema_faults faults;
    assert_false(schema_check(top, root, arena, &faults));
    DEFER(buf_free) struct buf out = BUF_INIT(8192);
    schema_print_faults(&faults, STR("c.yaml"), &out);
    assert_str(buf_str(&out), "c.yaml:1:14: environment: must be one of development, production\n"
                              "c.yaml:2:1: listne: no such key; did you mean listen?\n"
                              "c.yaml:4:15: issuers.corp.iss: must hold no spaces\n"
                              "c.yaml:4:34: issuers.corp.audiences[0]: must be text, is a number (put it in quotes)\n"
                              "c.yaml:5:3: issuers.x y: a name holds letters, digits, '_', '-' and '.' only\n"
                              "c.yaml:5:22: issuers.x y.audiences: must hold 1 to 2 entries\n"
                              "c.yaml:5:10: issuers.x y: the key iss is missing\n"
                              "c.yaml:6:10: workers: must be 1 to 64\n"
                              "c.yaml:7:10: timeout: must be a duration such as 30s, 5m or 2h\n"
                              "c.yaml:8:8: cache: must be a size such as 64KiB or 10MiB\n"
                              "c.yaml:9:9: strict: must be true or false, is text\n"
                              "c.yaml:10:9: listen: must be a map, is a list\n");
    arena_free(arena);
}

static void test_values_and_defaults(void **state) {
    (void)state;
    struct err err = { 0 };
    struct arena *arena = arena_new(1 << 20);
    struct node *root = NULL;
    struct schema_faults faults;
    assert_int_equal(yaml_read(STR("environment: production\ntimeout: 2s\ncache: 1GiB\n"), 4096, arena, &root, &err), OK);
    assert_true(schema_check(top, root, arena, &faults));
    assert_str(field_text(top, root, "environment"), "production");
    assert_int_equal(field_int(top, root, "timeout"), 2000);
    assert_int_equal(field_int(top, root, "cache"), 1 << 30);
    assert_int_equal(field_int(top, root, "workers"), 4);
    assert_true(field_bool(top, root, "strict"));
    assert_int_equal(node_from_json(STR("{\"environment\":\"production\",\"workers\":9}"), 4096, arena, &root, &err), OK);
    assert_true(schema_check(top, root, arena, &faults));
    assert_int_equal(field_int(top, root, "workers"), 9);
    assert_int_equal(field_int(top, root, "timeout"), 30000);
    DEFER(buf_free) struct buf page = BUF_INIT(8192);
    schema_document(top, &page);
    assert_true(
        str_find(buf_str(&page), STR("- `environment` (one of development, production, required): Where it runs.")) >= 0);
    assert_true(str_find(buf_str(&page), STR("  - `iss` (text, required): Whom.")) >= 0);
    arena_free(arena);
}

/* Every allocation fails once: no crash, no leak, and never a tree that is cut short. */
static void test_short_memory(void **state) {
    (void)state;
    for (unsigned n = 1; n < 200; n++) {
        struct err err = { 0 };
        struct arena *arena = arena_new(1 << 20);
        struct node *root = NULL;
        struct schema_faults faults;
        arena_fail_after(n);
        enum code rc = yaml_read(STR("environment: x\nworkers: [a, {b: c}]\n"), 4096, arena, &root, &err);
        if (!rc) assert_false(schema_check(top, root, arena, &faults));
        bool reached = arena_should_fail();
        arena_fail_after(0);
        arena_free(arena);
        (void)reached;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml_without_surprises),
        cmocka_unit_test(test_scalars_are_what_they_look_like),
        cmocka_unit_test(test_all_faults_with_their_places),
        cmocka_unit_test(test_values_and_defaults),
        cmocka_unit_test(test_short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
