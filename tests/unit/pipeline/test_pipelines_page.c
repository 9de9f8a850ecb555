/* docs/pipelines.md tells the truth: its example is a pipeline, and its table has every function and no other. */
#include <stdio.h>

#include "base/file.h"
#include "help.h"

static const char *page_path;

static struct str page(struct arena *arena) {
    struct str text;
    struct err err;
    if (file_read(arena, page_path, 1 << 20, &text, &err)) fail_msg("%s", err.message);
    return text;
}

/* What stands between the two texts, after the first. */
static struct str between(struct str text, struct str from, struct str to) {
    ptrdiff_t at = str_find(text, from);
    if (at < 0) fail_msg("no %.*s", STR_ARG(from));
    text = str_from(text, (size_t)at + from.n);
    at = str_find(text, to);
    return at < 0 ? text : str_upto(text, (size_t)at);
}

static void the_example_is_a_pipeline(void **state) {
    DEFER(arena_freep) struct arena *arena = arena_new(4 << 20);
    DEFER(pipeline_unrefp) struct pipeline *p = NULL;
    struct faults faults = { .arena = arena };
    struct err err = { 0 };
    (void)state;
    if (pipeline_read(between(page(arena), STR("```json\n"), STR("```")), &faults, &p, &err)) fail_msg("%s", err.message);
    assert_int_equal(p->n_activities, 2);
}

static void the_table_has_all_functions(void **state) {
    DEFER(arena_freep) struct arena *arena = arena_new(4 << 20);
    struct str table = between(page(arena), STR("| group | functions |"), STR("\n\n"));
    size_t told = 0, known = 0;
    (void)state;
    for (; expr_function_name(known); known++) {
        char name[64];
        (void)snprintf(name, sizeof name, "`%s`", expr_function_name(known));
        if (str_find(table, str_z(name)) < 0) fail_msg("the page lacks %s", name);
    }
    for (size_t i = 0; i < table.n; i++) told += table.p[i] == '`';
    assert_int_equal(told / 2, known);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(the_example_is_a_pipeline),
                                        cmocka_unit_test(the_table_has_all_functions) };
    if (argc != 2) return 1;
    page_path = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
