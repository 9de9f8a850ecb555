/* What an upstream answers to a read: its columns are compared, its rows are counted. */
#include "../test.h"

#include "spanner/far_columns.h"
#include "spanner/far_count.h"
#include "wire/pb/spanner.pb.h"

/* The columns of a read are those that it names, in its order, with the types of the schema. */
static void test_the_columns_of_a_read(void **state) {
    (void)state;
    enum { NONE = -1 };
    static const struct {
        const char *what, *name, *schema;
        int32_t type, element;
        const char *proto;
        bool same;
    } cases[] = {
        { "as it was decided", "Name", NULL, spanner_TypeCode_STRING, NONE, NULL, true },
        { "another case", "NAME", NULL, spanner_TypeCode_STRING, NONE, NULL, true },
        { "another column", "Phone", NULL, spanner_TypeCode_STRING, NONE, NULL, false },
        { "another type", "Name", NULL, spanner_TypeCode_INT64, NONE, NULL, false },
        { "texts, not a text", "Name", NULL, spanner_TypeCode_ARRAY, spanner_TypeCode_STRING, NULL, false },
        { "JSON", "Name", "JSON", spanner_TypeCode_JSON, NONE, NULL, true },
        { "no JSON any more", "Name", "JSON", spanner_TypeCode_STRING, NONE, NULL, false },
        { "texts", "Name", "ARRAY<STRING(20)>", spanner_TypeCode_ARRAY, spanner_TypeCode_STRING, NULL, true },
        { "other elements", "Name", "ARRAY<STRING(20)>", spanner_TypeCode_ARRAY, spanner_TypeCode_BYTES, NULL, false },
        { "no elements", "Name", "ARRAY<STRING(20)>", spanner_TypeCode_ARRAY, NONE, NULL, false },
        { "one element", "Name", "ARRAY<STRING(20)>", spanner_TypeCode_STRING, NONE, NULL, false },
        { "a vector", "Name", "ARRAY<FLOAT32>(vector_length=>8)", spanner_TypeCode_ARRAY, spanner_TypeCode_FLOAT32, NULL,
          true },
        { "a proto", "Name", "PROTO<shop.Order>", spanner_TypeCode_PROTO, NONE, "shop.Order", true },
        { "another proto", "Name", "PROTO<shop.Order>", spanner_TypeCode_PROTO, NONE, "shop.Person", false },
        { "a proto without a name", "Name", "PROTO<shop.Order>", spanner_TypeCode_PROTO, NONE, "", false },
        { "nothing that we know", "Name", "TOKENLIST", 99, NONE, NULL, false },
    };
    static const uint16_t read[] = { 1 };
    struct err err;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sql_column schema[] = { { .name = STR("Phone") }, { .name = STR("Name"), .type = SQL_STRING } };
        const struct sql_table table = { .columns = schema, .n_columns = 2 };
        if (cases[i].schema) schema[1].type = SQL_UNKNOWN, schema[1].other_type = str_z(cases[i].schema);
        struct spanner_Type element = { .code = cases[i].element }, type = { .code = cases[i].type };
        if (cases[i].element != NONE) type.array_element_type = &element;
        if (cases[i].proto) type.proto_type_fqn = str_z(cases[i].proto);
        struct spanner_StructType_Field fields[] = { { str_z(cases[i].name), &type }, { str_z(cases[i].name), &type } };
        struct spanner_StructType row = { .fields = { fields, 1 } };
        const struct spanner_ResultSetMetadata metadata = { .row_type = &row };
        const struct far_columns columns = { .table = &table, .read = read, .n_read = 1 };
        if ((far_columns_check(&columns, &metadata, &err) == OK) != cases[i].same) fail_msg("%s", cases[i].what);
        row.fields.n = 2;
        if (!far_columns_check(&columns, &metadata, &err)) fail_msg("%s, and one column more", cases[i].what);
    }
}

/* ---- rows in parts ---- */

static void test_rows_are_counted_as_they_become_whole(void **state) {
    (void)state;
    static const struct {
        const char *what;
        struct {
            size_t n;
            bool chunked;
        } parts[4];
        uint64_t rows[4]; /* so far */
    } cases[] = {
        /* of three columns */
        { "rows that are whole", { { 6, false }, { 3, false } }, { 2, 3, 3, 3 } },
        { "a row in two parts", { { 4, false }, { 2, false } }, { 1, 2, 2, 2 } },
        { "a value in two parts", { { 4, true }, { 3, false } }, { 1, 2, 2, 2 } },
        { "a value in four parts", { { 1, true }, { 1, true }, { 1, true }, { 3, false } }, { 0, 0, 0, 1 } },
        { "cut in a row's last value", { { 3, true } }, { 0, 0, 0, 0 } },
        { "parts without values", { { 0, false }, { 3, false }, { 0, true } }, { 0, 1, 1, 1 } },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct far_count whole = { .columns = 3 }, resumed = { .columns = 3 };
        uint64_t before = 0;
        for (size_t k = 0; k < 4; k++) {
            far_count_part(&whole, cases[i].parts[k].n, cases[i].parts[k].chunked);
            far_count_part(&resumed, cases[i].parts[k].n, cases[i].parts[k].chunked);
            if (whole.rows != cases[i].rows[k] || before + resumed.rows != whole.rows) fail_msg("%s", cases[i].what);
            DEFER(buf_free) struct buf token = BUF_INIT(64); /* and each stream may be resumed behind each part */
            far_count_put(&resumed, STR("theirs"), &token);
            struct str rest = buf_str(&token);
            before += resumed.rows;
            resumed = (struct far_count){ .columns = 3 };
            assert_true(far_count_get(&resumed, &rest));
            assert_str(rest, "theirs");
        }
    }
    struct far_count none = { 0 };
    struct str forged = STR("abc"), no_token = STR("");
    far_count_part(&none, 5, false);
    assert_int_equal(none.rows, 0);
    assert_false(far_count_get(&none, &forged));
    assert_true(far_count_get(&none, &no_token));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_columns_of_a_read),
        cmocka_unit_test(test_rows_are_counted_as_they_become_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
