/* test_parts.c: names, sessions, tokens, values, operations. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "../test.h"
#include "spanner/ddl.h"
#include "spanner/finish.h"
#include "spanner/operations.h"
#include "spanner/token.h"

static struct arena *arena;

static int set_up(void **state) {
    (void)state;
    arena = arena_new(16 << 20);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    arena_free(arena);
    return 0;
}

/* ---- names ---- */

#define D "projects/p/instances/i/databases/d"
static void test_names(void **state) {
    (void)state;
    static const struct {
        enum code (*parse)(struct str text, struct spanner_name *ret, struct err *err);
        const char *text;
        bool good;
    } cases[] = {
        { name_project, "projects/p", true },
        { name_project, "projects/", false },
        { name_project, "projects/p/", false },
        { name_project, "project/p", false },
        { name_instance, "projects/p/instances/i", true },
        { name_instance, "projects/p", false },
        { name_database, D, true },
        { name_database, D "/", false },
        { name_database, D "/x", false },
        { name_database, "projects//instances/i/databases/d", false },
        { name_database, "/" D, false },
        { name_session, D "/sessions/s", true },
        { name_session, D "/sessions/", false },
        { name_session, D "/sessions/s/t", false },
        { name_operation, D "/operations/o", true },
        { name_operation, "projects/p/instances/i/operations/o", true },
        { name_operation, D "/operations/o/p", false },
        { name_config, "projects/p/instanceConfigs/c", true },
        { name_config, "projects/p/instances/c", false },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct spanner_name name;
        struct err err;
        if ((cases[i].parse(str_z(cases[i].text), &name, &err) == OK) != cases[i].good) fail_msg("%s", cases[i].text);
    }
    struct spanner_name name;
    struct err err;
    assert_int_equal(name_session(STR(D "/sessions/s"), &name, &err), OK);
    assert_str(name.project, "p");
    assert_str(name.instance, "i");
    assert_str(name.database, "d");
    assert_str(name.session, "s");
}

static void test_owner(void **state) {
    (void)state;
    struct principal a = { .actor = { .kind = ACTOR_OIDC, .issuer = STR("x"), .subject = STR("y|z") } };
    struct principal b = { .actor = { .kind = ACTOR_OIDC, .issuer = STR("x|y"), .subject = STR("z") } };
    struct principal c = { .actor = { .kind = ACTOR_OIDC, .issuer = STR("x"), .subject = STR("y") }, .job_run = STR("z") };
    assert_false(str_eq(spanner_owner(arena, &a), spanner_owner(arena, &b)));
    assert_false(str_eq(spanner_owner(arena, &a), spanner_owner(arena, &c)));
    struct principal again = a;
    again.n_chain = 1;
    assert_true(str_eq(spanner_owner(arena, &a), spanner_owner(arena, &again)));
}

/* ---- sessions ---- */

static bool count_one(void *ctx, struct str name, const struct session *session) {
    (void)name;
    (void)session;
    return ++*(unsigned *)ctx < 3;
}

static void test_sessions(void **state) {
    (void)state;
    struct sealer *sealer = sealer_new_random();
    struct sessions *s = sessions_new(sealer);
    struct str name, other;
    struct session session;
    struct err err;
    assert_int_equal(session_create(s, STR(D), STR("me"), (struct session){ 0 }, arena, &name, &session, &err), OK);
    assert_int_equal(session_create(s, STR(D "2"), STR("me"), (struct session){ 0 }, arena, &other, &session, &err), OK);
    assert_true(session_use(s, name, STR("me"), &session));
    assert_false(session_use(s, name, STR("you"), &session));
    assert_false(session_use(s, name, STR("m"), &session));
    assert_false(session_delete(s, name, STR("you")));
    unsigned n = 0;
    session_each(s, STR(D), STR("me"), count_one, &n); /* not those of a database whose name is longer */
    assert_int_equal(n, 1);
    n = 0;
    session_each(s, STR(D), STR("you"), count_one, &n);
    assert_int_equal(n, 0);
    assert_int_equal(
        session_create(s, STR(D), STR("me"), (struct session){ .multiplexed = true }, arena, &other, &session, &err), OK);
    assert_true(session.multiplexed);
    session_each(s, STR(D), STR("me"), count_one, &n); /* multiplexed ones are not listed */
    assert_int_equal(n, 1);
    assert_true(session_delete(s, name, STR("me")));
    assert_false(session_use(s, name, STR("me"), &session));
    for (unsigned i = 0; i < 5000; i++)
        assert_int_equal(session_create(s, STR(D), STR("me"), (struct session){ 0 }, arena, &name, &session, &err), OK);
    assert_true(session_use(s, name, STR("me"), &session)); /* sweeping takes none that live */
    sessions_free(s);
    sealer_free(sealer);
}

/* A session made by one start of the server, at the next, which has the key. */
static void test_multiplexed_sessions_outlive_the_server(void **state) {
    (void)state;
    static const uint8_t key[SEAL_KEY_BYTES] = { 1 }, other_key[SEAL_KEY_BYTES] = { 2 };
    struct sealer *sealers[] = { sealer_new_salted(key), sealer_new_salted(key), sealer_new_salted(other_key) };
    struct sessions *first = sessions_new(sealers[0]), *next = sessions_new(sealers[1]),
                    *foreign = sessions_new(sealers[2]);
    struct session made, found, wanted = { .database_us = 5, .role = 7, .multiplexed = true };
    struct str name, single;
    struct err err;
    assert_int_equal(session_create(first, STR(D), STR("me"), wanted, arena, &name, &made, &err), OK);
    assert_int_equal(
        session_create(first, STR(D), STR("me"), (struct session){ .database_us = 5 }, arena, &single, &found, &err), OK);
    assert_false(session_use(next, name, STR("me"), &found));
    assert_false(session_revive(next, name, STR("you"), 5, arena, &found));
    assert_false(
        session_revive(next, name, STR("me"), made.created_us + 1, arena, &found)); /* of a database dropped before */
    assert_false(session_revive(next, single, STR("me"), 5, arena, &found));
    assert_false(session_revive(foreign, name, STR("me"), 5, arena, &found));
    struct str elsewhere = arena_printf(arena, "%s2%.*s", D, STR_ARG(str_from(name, strlen(D))));
    assert_false(session_revive(next, elsewhere, STR("me"), 5, arena, &found));
    assert_true(session_revive(next, name, STR("me"), 5, arena, &found));
    assert_true(found.multiplexed && found.role == 7 && found.created_us == made.created_us);
    assert_true(session_use(next, name, STR("me"), &found)); /* known again */
    assert_false(session_delete(next, name, STR("me")));
    assert_true(session_use(next, name, STR("me"), &found));
    sessions_free(first);
    sessions_free(next);
    sessions_free(foreign);
    for (size_t i = 0; i < 3; i++) sealer_free(sealers[i]);
}

/* ---- tokens ---- */

static void test_tokens(void **state) {
    (void)state;
    struct spanner spanner = { .sealer = sealer_new_random() };
    struct target mine = { .spanner = &spanner, .owner = STR("me"), .path = STR("spanner demo/d") };
    struct target theirs = mine, elsewhere = mine;
    theirs.owner = STR("you");
    elsewhere.path = STR("spanner demo/e");
    struct pb_Struct_FieldsEntry entry = { .key = STR("id") };
    struct spanner_ExecuteSqlRequest q = { .sql = STR("SELECT 1") }, changed = { .sql = STR("SELECT 2") }, bound = q;
    struct pb_Struct params = { 0 }, none = { 0 };
    struct pb_Value value = { .kind_case = pb_Value_kind_string_value, .string_value = STR("1") };
    entry.value = &value;
    params.fields.p = &entry;
    params.fields.n = 1;
    bound.params = &params;
    struct handle h = { .kind = HANDLE_PARTITION, .timestamp_us = 77, .rows = 5, .lo = { NULL, 0 }, .hi = STR("\xff") },
                  got;
    uint8_t other[32];
    struct str token;
    struct err err;
    handle_request_of_sql(&q, h.request);
    assert_int_equal(handle_seal(&mine, &h, arena, &token, &err), OK);
    assert_int_equal(handle_open(&mine, token, HANDLE_PARTITION, h.request, arena, &got, &err), OK);
    assert_int_equal(got.timestamp_us, 77);
    assert_int_equal(got.rows, 5);
    assert_int_equal(got.lo.n, 0);
    assert_str(got.hi, "\xff");
    assert_int_equal(handle_open(&theirs, token, HANDLE_PARTITION, h.request, arena, &got, &err), INVALID_ARGUMENT);
    assert_int_equal(handle_open(&elsewhere, token, HANDLE_PARTITION, h.request, arena, &got, &err), INVALID_ARGUMENT);
    assert_int_equal(handle_open(&mine, token, HANDLE_RESUME_READ, h.request, arena, &got, &err), INVALID_ARGUMENT);
    handle_request_of_sql(&changed, other);
    assert_int_equal(handle_open(&mine, token, HANDLE_PARTITION, other, arena, &got, &err), INVALID_ARGUMENT);
    handle_request_of_sql(&bound, other);
    assert_int_equal(handle_open(&mine, token, HANDLE_PARTITION, other, arena, &got, &err), INVALID_ARGUMENT);
    bound.params = &none; /* {} is the same as none */
    handle_request_of_sql(&bound, other);
    assert_int_equal(handle_open(&mine, token, HANDLE_PARTITION, other, arena, &got, &err), OK);
    for (size_t i = 0; i <= token.n; i++) {
        char *copy = str_dupz(arena, token);
        memcpy(copy, token.p, token.n);
        struct str bad = { copy, token.n };
        if (i < token.n) copy[i] ^= 1;
        else bad.n--;
        assert_int_equal(handle_open(&mine, bad, HANDLE_PARTITION, h.request, arena, &got, &err), INVALID_ARGUMENT);
    }
    sealer_free(spanner.sealer);
}

/* A statement is its text, its parameters and their types; a partition of it is run by the same. */
static void test_sql_digests(void **state) {
    (void)state;
    struct spanner_Type number = { .code = spanner_TypeCode_INT64 }, text = { .code = spanner_TypeCode_STRING };
    struct spanner_ExecuteSqlRequest_ParamTypesEntry type = { .key = STR("id"), .value = &number };
    struct spanner_PartitionQueryRequest_ParamTypesEntry same = { .key = STR("id"), .value = &number };
    struct spanner_ExecuteSqlRequest q = { .sql = STR("SELECT @id") };
    struct spanner_PartitionQueryRequest p = { .sql = q.sql };
    uint8_t bare[32], typed[32], other[32];
    handle_request_of_sql(&q, bare);
    q.param_types.p = &type, q.param_types.n = 1;
    p.param_types.p = &same, p.param_types.n = 1;
    handle_request_of_sql(&q, typed);
    assert_memory_not_equal(bare, typed, 32);
    handle_request_of_partition_sql(&p, other);
    assert_memory_equal(typed, other, 32);
    type.value = &text;
    handle_request_of_sql(&q, other);
    assert_memory_not_equal(typed, other, 32);
}

static void test_read_digests(void **state) {
    (void)state;
    struct str ab[] = { STR("a"), STR("b") }, a_b[] = { STR("ab") };
    struct spanner_KeySet all = { .all = true };
    struct spanner_ReadRequest one = { .table = STR("T"), .key_set = &all }, two = one, part = one;
    one.columns.p = ab, one.columns.n = 2;
    two.columns.p = a_b, two.columns.n = 1;
    part = one;
    part.limit = 5;
    uint8_t d1[32], d2[32];
    handle_request_of_read(&one, d1);
    handle_request_of_read(&two, d2);
    assert_memory_not_equal(d1, d2, 32);
    handle_request_of_read(&part, d2);
    assert_memory_equal(d1, d2, 32);
    part.key_set = NULL;
    handle_request_of_read(&part, d2);
    assert_memory_not_equal(d1, d2, 32);
}

/* ---- values ---- */

static struct pb_Value text_value(const char *text) {
    return (struct pb_Value){ .kind_case = pb_Value_kind_string_value, .string_value = str_z(text) };
}

static void test_values(void **state) {
    (void)state;
    static const struct {
        enum sql_type type;
        const char *text;
        bool good;
    } cases[] = {
        { SQL_INT64, "-9223372036854775808", true },
        { SQL_INT64, "9223372036854775808", false },
        { SQL_INT64, "1.0", false },
        { SQL_INT64, "", false },
        { SQL_BOOL, "true", false },
        { SQL_FLOAT64, "NaN", true },
        { SQL_FLOAT64, "-Infinity", true },
        { SQL_FLOAT64, "nan", false },
        { SQL_STRING, "", true },
        { SQL_BYTES, "AAE=", true },
        { SQL_BYTES, "A", false },
        { SQL_DATE, "2024-02-29", true },
        { SQL_DATE, "2023-02-29", false },
        { SQL_TIMESTAMP, "2024-01-01T00:00:00Z", true },
        { SQL_TIMESTAMP, "yesterday", false },
        { SQL_TIMESTAMP, "spanner.commit_timestamp()", true },
    };
    struct sql_value v;
    struct err err;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pb_Value from = text_value(cases[i].text);
        if ((convert_value(&from, cases[i].type, arena, &v, &err) == OK) != cases[i].good)
            fail_msg("%s %s", sql_type_name(cases[i].type), cases[i].text);
    }
    struct pb_Value number = { .kind_case = pb_Value_kind_number_value, .number_value = 1.5 };
    assert_int_equal(convert_value(&number, SQL_FLOAT64, arena, &v, &err), OK);
    assert_true(v.f64 == 1.5);
    assert_int_equal(convert_value(&number, SQL_INT64, arena, &v, &err), INVALID_ARGUMENT);
    number.number_value = (double)NAN;
    assert_int_equal(convert_value(&number, SQL_FLOAT64, arena, &v, &err), OK);
    assert_true(isnan(v.f64));
    number.number_value = -(double)INFINITY;
    assert_int_equal(convert_value(&number, SQL_FLOAT64, arena, &v, &err), OK);
    assert_true(isinf(v.f64) && v.f64 < 0);
    struct pb_Value yes = { .kind_case = pb_Value_kind_bool_value, .bool_value = true };
    struct pb_Value null = { .kind_case = pb_Value_kind_null_value };
    assert_int_equal(convert_value(&yes, SQL_BOOL, arena, &v, &err), OK);
    assert_int_equal(convert_value(&yes, SQL_STRING, arena, &v, &err), INVALID_ARGUMENT);
    for (int type = SQL_BOOL; type <= SQL_BYTES; type++) {
        assert_int_equal(convert_value(&null, (enum sql_type)type, arena, &v, &err), OK);
        assert_true(v.is_null);
    }
}

static void test_types(void **state) {
    (void)state;
    struct spanner_Type type = { .code = spanner_TypeCode_ARRAY };
    enum sql_type ret;
    struct err err;
    assert_int_equal(convert_type(NULL, &ret, &err), OK);
    assert_int_equal(ret, SQL_UNKNOWN);
    assert_int_equal(convert_type(&type, &ret, &err), UNIMPLEMENTED);
    assert_non_null(strstr(err.message, "ARRAY"));
    type.code = spanner_TypeCode_INT64;
    assert_int_equal(convert_type(&type, &ret, &err), OK);
    assert_int_equal(ret, SQL_INT64);
}

static void test_times(void **state) {
    (void)state;
    int64_t us;
    struct pb_Timestamp t = convert_timestamp(-1);
    assert_int_equal(t.seconds, -1);
    assert_int_equal(t.nanos, 999999000);
    assert_true(convert_timestamp_us(&t, &us));
    assert_int_equal(us, -1);
    assert_false(convert_timestamp_us(&(struct pb_Timestamp){ .seconds = INT64_MAX }, &us));
    assert_false(convert_timestamp_us(&(struct pb_Timestamp){ .nanos = -1 }, &us));
    assert_true(convert_duration_us(&(struct pb_Duration){ .seconds = 1, .nanos = 500000000 }, &us));
    assert_int_equal(us, 1500000);
    assert_false(convert_duration_us(&(struct pb_Duration){ .seconds = -1 }, &us));
    assert_false(convert_duration_us(&(struct pb_Duration){ .seconds = INT64_MAX }, &us));
}

static void test_key_sets(void **state) {
    (void)state;
    static const struct sql_column columns[] = { { .name = STR_INIT("A"), .type = SQL_INT64, .id = 1 },
                                                 { .name = STR_INIT("B"), .type = SQL_STRING, .id = 2 } };
    static const struct sql_key_part key[] = { { .column = 0 }, { .column = 1, .desc = true } };
    const struct sql_table table = {
        .name = STR("T"), .id = 1, .columns = columns, .n_columns = 2, .key = key, .n_key = 2
    };
    struct pb_Value one[3] = { text_value("1"), text_value("x"), text_value("y") };
    struct pb_ListValue short_key = { 0 }, whole = { 0 }, longer = { 0 };
    short_key.values.p = whole.values.p = longer.values.p = one;
    short_key.values.n = 1;
    whole.values.n = 2;
    longer.values.n = 3;
    struct pb_ListValue *keys[] = { &whole, &short_key, &longer };
    struct err err;
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct key_set set = { .arena = arena, .table = &table };
        struct spanner_KeySet from = { 0 };
        from.keys.p = keys[i];
        from.keys.n = 1;
        assert_int_equal(convert_key_set(&from, arena, &set, &err), i ? INVALID_ARGUMENT : OK);
        assert_int_equal(set.n, i ? 0 : 1);
    }
    struct spanner_KeyRange range = { .start_closed = &short_key, .end_open = &longer };
    struct spanner_KeySet from = { 0 };
    from.ranges.p = &range;
    from.ranges.n = 1;
    struct key_set set = { .arena = arena, .table = &table };
    assert_int_equal(convert_key_set(&from, arena, &set, &err), INVALID_ARGUMENT); /* too many parts */
    range.end_open = NULL;
    assert_int_equal(convert_key_set(&from, arena, &set, &err), INVALID_ARGUMENT); /* no end */
    range.end_closed = &short_key;                                                 /* a prefix is fine in a range */
    assert_int_equal(convert_key_set(&from, arena, &set, &err), OK);
    assert_int_equal(set.n, 1);
}

/* ---- operations, DDL ---- */

static void test_operations(void **state) {
    (void)state;
    struct operations *o = operations_new();
    struct str found[10];
    assert_true(operations_put(o, STR(D "/operations/a"), STR("one")));
    assert_true(operations_put(o, STR(D "/operations/b"), STR("two")));
    assert_true(operations_put(o, STR(D "2/operations/a"), STR("three")));
    assert_str(operations_get(o, STR(D "/operations/b"), arena), "two");
    assert_null(operations_get(o, STR(D "/operations/c"), arena).p);
    assert_int_equal(operations_list(o, STR(D "/operations/"), arena, found, 10), 2);
    assert_int_equal(operations_list(o, STR(D "/operations/"), arena, found, 1), 1);
    assert_true(operations_delete(o, STR(D "/operations/a")));
    assert_false(operations_delete(o, STR(D "/operations/a")));
    for (unsigned i = 0; i < 25000; i++) { /* the oldest go */
        char name[100];
        int n = snprintf(name, sizeof name, D "/operations/n%u", i);
        assert_true(operations_put(o, (struct str){ name, (size_t)n }, STR("x")));
    }
    assert_null(operations_get(o, STR(D "/operations/b"), arena).p);
    assert_null(operations_get(o, STR(D "/operations/n14999"), arena).p);
    assert_str(operations_get(o, STR(D "/operations/n15000"), arena), "x");
    operations_free(o);
}

static void test_operation_ids(void **state) {
    (void)state;
    static const struct {
        const char *id;
        bool good;
    } cases[] = { { "", true },   { "r12_ab", true }, { "a", true },    { "1a", false }, { "_a", false },
                  { "A", false }, { "a/b", false },   { "a b", false }, { "a\n", false } };
    struct err err;
    for (size_t i = 0; i < COUNT(cases); i++)
        if ((operation_id_check(str_z(cases[i].id), &err) == OK) != cases[i].good) fail_msg("%s", cases[i].id);
}

static void test_ddl(void **state) {
    (void)state;
    struct str statements[] = { STR("CREATE TABLE T (A INT64 NOT NULL, B STRING(5)) PRIMARY KEY (B DESC, A)"),
                                STR("ALTER TABLE T ADD COLUMN C BOOL"), STR("ALTER TABLE T DROP COLUMN C"),
                                STR("DROP TABLE T") };
    static const enum engine_ddl_kind kinds[] = { ENGINE_CREATE_TABLE, ENGINE_ADD_COLUMN, ENGINE_DROP_COLUMN,
                                                  ENGINE_DROP_TABLE };
    struct ddl_list list;
    struct err err = { 0 };
    if (ddl_parse(arena, statements, COUNT(statements), &list, &err)) fail_msg("%s", err.message);
    assert_int_equal(list.n, 4);
    for (size_t i = 0; i < list.n; i++) {
        assert_int_equal(list.items[i].kind, kinds[i]);
        assert_str(list.items[i].table, "T");
    }
    assert_int_equal(list.items[0].n_key, 2);
    assert_str(list.items[0].key[0].column, "B");
    assert_true(list.items[0].key[0].desc);
    assert_false(list.items[0].key[1].desc);
    struct str bad[] = { STR("CREATE DATABASE d"), STR("SELECT 1"), STR("") };
    for (size_t i = 0; i < COUNT(bad); i++) assert_int_not_equal(ddl_parse(arena, &bad[i], 1, &list, &err), OK);
    struct str name;
    assert_int_equal(ddl_database_name(arena, STR("CREATE DATABASE `d-b`"), &name, &err), OK);
    assert_str(name, "d-b");
    assert_int_equal(ddl_database_name(arena, STR("DROP TABLE T"), &name, &err), INVALID_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),         cmocka_unit_test(test_owner),
        cmocka_unit_test(test_sessions),      cmocka_unit_test(test_multiplexed_sessions_outlive_the_server),
        cmocka_unit_test(test_tokens),        cmocka_unit_test(test_sql_digests),
        cmocka_unit_test(test_read_digests),  cmocka_unit_test(test_values),
        cmocka_unit_test(test_types),         cmocka_unit_test(test_times),
        cmocka_unit_test(test_key_sets),      cmocka_unit_test(test_operations),
        cmocka_unit_test(test_operation_ids), cmocka_unit_test(test_ddl),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
