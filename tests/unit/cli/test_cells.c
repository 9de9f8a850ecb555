#include "test.h"
#include "cli/cells.h"

static const struct cell_case {
    enum cell_type type;
    const char *text;
    bool ok;
} cases[] = {
    { CELL_BOOL, "true", true },
    { CELL_BOOL, "FALSE", true },
    { CELL_BOOL, "1", false },
    { CELL_INT64, "-9223372036854775808", true },
    { CELL_INT64, "517.0", true },
    { CELL_INT64, "517.5", false },
    { CELL_INT64, "9223372036854775808", false },
    { CELL_INT64, "", false },
    { CELL_INT64, "1e3", false },
    { CELL_FLOAT64, "1e3", true },
    { CELL_FLOAT64, "NaN", true },
    { CELL_FLOAT64, "nan", false },
    { CELL_FLOAT64, "0x10", false },
    { CELL_FLOAT64, "1e999", false },
    { CELL_STRING, "", true },
    { CELL_BYTES, "AAE=", true },
    { CELL_BYTES, "AAE", false },
    { CELL_DATE, "2013-02-28", true },
    { CELL_DATE, "2013-02-29", false },
    { CELL_DATE, "2013-2-1", false },
    { CELL_TIMESTAMP, "2013-01-01T05:00:00Z", true },
    { CELL_TIMESTAMP, "2013-01-01 05:00:00.5+01:00", true },
    { CELL_TIMESTAMP, "2013-01-01T05:00:00", false },
};

static void test_encode(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(buf_free) struct buf out = BUF_INIT(4096);
        const char *what = cell_encode(cases[i].type, str_z(cases[i].text), &out);
        if ((what == NULL) != cases[i].ok) fail_msg("%s: %s", cases[i].text, what ? what : "was taken");
        assert_true((out.n > 0) == cases[i].ok);
    }
}

static const struct order_case {
    enum cell_type type;
    const char *less, *more;
} orders[] = {
    { CELL_INT64, "-5", "-4" },
    { CELL_INT64, "-1", "0" },
    { CELL_INT64, "9", "10" },
    { CELL_FLOAT64, "-2.5", "-1" },
    { CELL_FLOAT64, "-1", "0.5" },
    { CELL_FLOAT64, "9", "10" },
    { CELL_STRING, "a", "ab" },
    { CELL_STRING, "", "a" },
    { CELL_DATE, "2013-01-31", "2013-02-01" },
    { CELL_TIMESTAMP, "2013-01-01T05:00:00+01:00", "2013-01-01T04:30:00Z" },
};

static int order_of(const struct order_case *c, bool descending) {
    DEFER(buf_free) struct buf a = BUF_INIT(256), b = BUF_INIT(256);
    cell_key(c->type, str_z(c->less), false, descending, &a);
    cell_key(c->type, str_z(c->more), false, descending, &b);
    return str_cmp(buf_str(&a), buf_str(&b));
}

static void test_order(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(orders); i++) {
        if (order_of(&orders[i], false) >= 0) fail_msg("%s < %s", orders[i].less, orders[i].more);
        if (order_of(&orders[i], true) <= 0) fail_msg("descending: %s > %s", orders[i].less, orders[i].more);
    }
}

static void test_types(void **state) {
    (void)state;
    enum cell_type type;
    assert_true(cell_type_of(STR("STRING(MAX)"), &type) && type == CELL_STRING);
    assert_true(cell_type_of(STR("INT64"), &type) && type == CELL_INT64);
    assert_false(cell_type_of(STR("ARRAY<INT64>"), &type));
    assert_false(cell_type_of(STR("NUMERIC"), &type));
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_encode), cmocka_unit_test(test_order),
                                        cmocka_unit_test(test_types) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
