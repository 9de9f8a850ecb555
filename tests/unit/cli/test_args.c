#include "test.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/args.h"

static int never(struct args *args) {
    (void)args;
    return 1;
}

static const struct option options[] = {
    { .name = "config", .value = "FILE", .fallback = "linkspan.yaml", .env = "CLI_TEST_CONFIG", .doc = "." },
    { .name = "json", .doc = "." },
    { .name = "name", .value = "NAME", .repeated = true, .doc = "." },
    { .name = "execute", .value = "TEXT", .doc = "." },
    { .name = "limit", .value = "N", .fallback = "10", .doc = "." },
    { 0 },
};
static const struct command command = {
    .name = "test", .line = ".", .operands = "A [B]", .min_operands = 1, .max_operands = 2, .options = options, .run = never
};

static enum code parse(const char *line, struct args *args, struct err *err) {
    static char copy[512];
    static char *argv[32];
    int argc = 0;
    (void)snprintf(copy, sizeof copy, "%s", line);
    for (char *save = NULL, *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    return args_parse(&command, argc, argv, args, err);
}

static const struct refused {
    const char *line, *message;
} refused[] = {
    { "a --nope", "there is no option --nope" },
    { "a --nope=1", "there is no option --nope" },
    { "a --json=1", "--json takes no value" },
    { "a --json --json", "--json is given twice" },
    { "a --config", "--config needs a value: --config FILE" },
    { "a --config x --config y", "--config is given twice" },
    { "a -x", "there is no option -x" },
    { "--json", "something is missing: A [B]" },
    { "a b c", "too many words, from \"c\" on" },
};

static void test_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct args args;
        struct err err;
        assert_int_equal(parse(refused[i].line, &args, &err), INVALID_ARGUMENT);
        assert_string_equal(err.message, refused[i].message);
    }
}

static void test_values(void **state) {
    (void)state;
    struct args args;
    struct err err;
    int64_t n;
    assert_int_equal(parse("one --config=a=b --name x --json --name=y -- --two", &args, &err), OK);
    assert_string_equal(args_text(&args, "config"), "a=b");
    assert_true(args_has(&args, "json"));
    assert_string_equal(args_list(&args, "name")[1], "y");
    assert_null(args_list(&args, "name")[2]);
    assert_string_equal(args.operands[1], "--two");
    assert_int_equal(args_number(&args, "limit", 1, 10, &n, &err), OK);
    assert_int_equal(n, 10);
    assert_int_equal(args_number(&args, "limit", 1, 9, &n, &err), INVALID_ARGUMENT);
    assert_int_equal(parse("one -e SELECT", &args, &err), OK);
    assert_string_equal(args_text(&args, "execute"), "SELECT");
    assert_int_equal(parse("--help", &args, &err), OK);
    assert_true(args.help);
}

static void test_defaults(void **state) {
    (void)state;
    struct args args;
    struct err err;
    assert_int_equal(parse("one", &args, &err), OK);
    (void)unsetenv("CLI_TEST_CONFIG");
    assert_string_equal(args_text(&args, "config"), "linkspan.yaml");
    (void)setenv("CLI_TEST_CONFIG", "other.yaml", 1);
    assert_string_equal(args_text(&args, "config"), "other.yaml");
    assert_null(args_text(&args, "execute"));
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_refused), cmocka_unit_test(test_values),
                                        cmocka_unit_test(test_defaults) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
