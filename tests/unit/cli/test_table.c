#include "test.h"
#include "cli/table.h"

static void test_print(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    DEFER(buf_free) struct buf out = BUF_INIT(4096);
    struct table t = { .arena = arena, .names = { STR("name"), STR("n") }, .right = { false, true }, .n_columns = 2 };
    assert_true(table_add(&t, STR("Zürich"), false) && table_add(&t, STR("7"), false));
    assert_true(table_add(&t, STR("\x1b[2Jx"), false) && table_add(&t, STR(""), true));
    table_print(&t, &out);
    assert_str(buf_str(&out), "name       n\n------  ----\nZürich     7\n\xef\xbf\xbd[2Jx   NULL\n");
    table_clear(&t);
    buf_clear(&out);
    table_print(&t, &out);
    assert_str(buf_str(&out), "name  n\n----  -\n");
}

static void test_csv(void **state) {
    (void)state;
    DEFER(buf_free) struct buf out = BUF_INIT(4096);
    csv_put_field(&out, STR("a"));
    csv_put_field(&out, STR(""));
    csv_put_field(&out, STR("a\"b,c"));
    assert_str(buf_str(&out), "a\"\"\"a\"\"b,c\"");
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_print), cmocka_unit_test(test_csv) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
