#include "test.h"
#include "base/buf.h"
#include "cli/statements.h"

static const struct {
    const char *text, *statements; /* each ended by '|' */
} cases[] = {
    { "", "" },
    { " ;; ; ", "" },
    { "SELECT 1", "SELECT 1|" },
    { "SELECT 1;\nSELECT 2;\n", "SELECT 1|SELECT 2|" },
    { "SELECT ';' , \";\", `a;b`; x", "SELECT ';' , \";\", `a;b`|x|" },
    { "SELECT 'it\\'s;'; x", "SELECT 'it\\'s;'|x|" },
    { "SELECT '''a;'b''' ; x", "SELECT '''a;'b'''|x|" },
    { "-- a;b\n# c;d\n/* e;f */ SELECT 1; -- end", "SELECT 1|" },
    { "SELECT 1 -- a;b\n+ 2; x", "SELECT 1 -- a;b\n+ 2|x|" },
    { "SELECT 'open; x", "SELECT 'open; x|" },
};

static void test_split(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(buf_free) struct buf out = BUF_INIT(4096);
        struct str rest = str_z(cases[i].text), statement;
        while (statements_next(&rest, &statement)) buf_printf(&out, "%.*s|", STR_ARG(statement));
        assert_str(buf_str(&out), cases[i].statements);
    }
}

static void test_ddl(void **state) {
    (void)state;
    assert_true(statement_is_ddl(STR("create table T (k INT64) PRIMARY KEY (k)")));
    assert_true(statement_is_ddl(STR("/* a */ DROP TABLE T")));
    assert_false(statement_is_ddl(STR("SELECT 1")));
    assert_false(statement_is_ddl(STR("CREATED")));
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_split), cmocka_unit_test(test_ddl) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
