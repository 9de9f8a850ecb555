/* Values and keys: text forms, checks, and the order of encoded keys against a naive comparator. */
#include "fixture.h"

#include <math.h>
#include <string.h>

static struct sql_value random_value(enum sql_type type, uint64_t *seed, struct arena *arena) {
    static const int64_t corners[] = { 0, 1, -1, 255, 256, -256, INT64_MAX, INT64_MIN };
    static const double floats[] = { 0.0, -0.0, 1.5, -1.5, INFINITY, -INFINITY, NAN, 5e-324, -5e-324 };
    uint64_t r = random_next(seed);
    struct sql_value v = { .type = type, .is_null = r % 7 == 0 };
    char *text = arena_alloc(arena, 8);
    size_t n = r >> 8 & 3;
    switch (type) {
    case SQL_BOOL: v.i64 = r >> 8 & 1; break;
    case SQL_INT64: v.i64 = r >> 8 & 1 ? corners[r >> 9 & 7] : (int64_t)random_next(seed); break;
    case SQL_DATE: v.i64 = VALUE_MIN_DATE + (int64_t)((r >> 8) % (VALUE_MAX_DATE - VALUE_MIN_DATE + 1)); break;
    case SQL_FLOAT64: v.f64 = floats[(r >> 8) % COUNT(floats)]; break;
    case SQL_TIMESTAMP:
        v.i64 = (int64_t)(r >> 8 & 3) - 2;
        v.nanos = (int32_t)(r >> 16 & 3);
        break;
    case SQL_STRING:
    case SQL_BYTES:
    case SQL_UNKNOWN:
        for (size_t i = 0; i < n; i++) text[i] = "\0\1a\x7f"[random_next(seed) & 3];
        v.s = (struct str){ text, n };
        break;
    }
    return v;
}

enum { N_TYPES = 7 };
static const struct sql_column key_columns[N_TYPES] = {
    { .name = STR_INIT("b"), .type = SQL_BOOL },
    { .name = STR_INIT("i"), .type = SQL_INT64 },
    { .name = STR_INIT("f"), .type = SQL_FLOAT64 },
    { .name = STR_INIT("t"), .type = SQL_TIMESTAMP },
    { .name = STR_INIT("d"), .type = SQL_DATE },
    { .name = STR_INIT("s"), .type = SQL_STRING, .max_length = INT64_MAX },
    { .name = STR_INIT("y"), .type = SQL_BYTES, .max_length = INT64_MAX },
};

static int naive(const struct sql_table *t, const struct sql_value *a, const struct sql_value *b) {
    for (uint16_t i = 0; i < t->n_key; i++) {
        int order = value_compare(&a[i], &b[i]);
        if (order) return t->key[i].desc ? -order : order;
    }
    return 0;
}

static int sign(int x) {
    return (x > 0) - (x < 0);
}

static void keys_order_as_values(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        uint64_t s = seed;
        struct arena *arena = arena_new(1 << 20);
        struct sql_key_part parts[3];
        struct sql_table t = { .name = STR("T"), .columns = key_columns, .n_columns = N_TYPES, .key = parts, .n_key = 3 };
        struct sql_value a[3], b[3], back[3];
        for (int i = 0; i < 3; i++) {
            uint64_t r = random_next(&s);
            parts[i] = (struct sql_key_part){ (uint16_t)(r % N_TYPES), r >> 8 & 1 };
            a[i] = random_value(key_columns[parts[i].column].type, &s, arena);
            b[i] = r >> 9 & 1 ? a[i] : random_value(key_columns[parts[i].column].type, &s, arena);
        }
        struct buf ka = BUF_INIT(KEY_MAX_BYTES), kb = BUF_INIT(KEY_MAX_BYTES);
        assert_int_equal(key_encode(&t, a, 3, &ka, NULL), OK);
        assert_int_equal(key_encode(&t, b, 3, &kb, NULL), OK);
        if (sign(str_cmp(buf_str(&ka), buf_str(&kb))) != sign(naive(&t, a, b)))
            fail_msg("seed %llu", (unsigned long long)seed);
        assert_true(key_decode(&t, buf_str(&ka), arena, back));
        assert_int_equal(naive(&t, a, back), 0);
        assert_false(key_decode(&t, str_upto(buf_str(&ka), ka.n - 1), arena, back));
        buf_free(&ka);
        buf_free(&kb);
        arena_free(arena);
    }
}

/* Whether a key lies in a range of prefixes, said by values and by bytes. */
static void ranges_hold_what_their_prefixes_say(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 5000; seed++) {
        uint64_t s = seed;
        struct arena *arena = arena_new(1 << 20);
        struct sql_key_part parts[2] = { { 5, random_next(&s) & 1 }, { 1, random_next(&s) & 1 } };
        struct sql_table t = { .name = STR("T"), .columns = key_columns, .n_columns = N_TYPES, .key = parts, .n_key = 2 },
                         prefix = t;
        struct sql_value row[2], lo[2], hi[2];
        struct sql_value *all[] = { row, lo, hi };
        for (int i = 0; i < 6; i++) all[i / 2][i % 2] = random_value(i % 2 ? SQL_INT64 : SQL_STRING, &s, arena);
        struct key_bound start = { lo, random_next(&s) % 3, random_next(&s) & 1 },
                         end = { hi, random_next(&s) % 3, random_next(&s) & 1 };
        prefix.n_key = (uint16_t)start.n;
        int above = naive(&prefix, row, lo);
        prefix.n_key = (uint16_t)end.n;
        int below = naive(&prefix, row, hi);
        bool inside = (start.closed ? above >= 0 : above > 0) && (end.closed ? below <= 0 : below < 0);
        struct key_set set = { .arena = arena, .table = &t };
        assert_int_equal(key_set_add_range(&set, start, end, NULL), OK);
        struct key_set point = { .arena = arena, .table = &t };
        assert_int_equal(key_set_add_key(&point, row, 2, NULL), OK);
        if (key_ranges_hit(set.ranges, set.n, point.ranges[0].lo, point.ranges[0].hi) != inside)
            fail_msg("seed %llu", (unsigned long long)seed);
        arena_free(arena);
    }
}

static void sets_are_sorted_and_disjoint(void **state) {
    (void)state;
    struct arena *arena = arena_new(1 << 20);
    struct sql_key_part part = { 1, false };
    struct sql_table t = { .name = STR("T"), .columns = key_columns, .n_columns = N_TYPES, .key = &part, .n_key = 1 };
    struct key_set set = { .arena = arena, .table = &t };
    int64_t points[] = { 9, 3, 3, 7, 5 };
    for (size_t i = 0; i < COUNT(points); i++)
        assert_int_equal(key_set_add_key(&set, &VALUE_INT64(points[i]), 1, NULL), OK);
    struct sql_value four = VALUE_INT64(4), eight = VALUE_INT64(8);
    assert_int_equal(
        key_set_add_range(&set, (struct key_bound){ &four, 1, true }, (struct key_bound){ &eight, 1, true }, NULL), OK);
    key_set_finish(&set);
    assert_int_equal(set.n, 3); /* 3, [4, 8], 9 */
    assert_true(set.ranges[0].point && !set.ranges[1].point && set.ranges[2].point);
    assert_int_equal(key_set_add_key(&set, &four, 0, NULL), INVALID_ARGUMENT);
    struct sql_value text = VALUE_STRING(STR("x"));
    assert_int_equal(key_set_add_key(&set, &text, 1, NULL), INVALID_ARGUMENT);
    arena_free(arena);
}

static void large_keys_are_refused(void **state) {
    (void)state;
    static char text[KEY_MAX_VALUE_BYTES + 1];
    struct sql_key_part part = { 5, true };
    struct sql_table t = { .name = STR("T"), .columns = key_columns, .n_columns = N_TYPES, .key = &part, .n_key = 1 };
    struct sql_value fits = VALUE_STRING(((struct str){ text, sizeof text - 1 })),
                     large = VALUE_STRING(((struct str){ text, sizeof text }));
    struct buf b = BUF_INIT(KEY_MAX_BYTES);
    assert_int_equal(key_encode(&t, &fits, 1, &b, NULL), OK); /* all zeros: the longest encoding */
    assert_int_equal(key_encode(&t, &large, 1, &b, NULL), FAILED_PRECONDITION);
    buf_free(&b);
}

struct text_case {
    const char *name, *text, *back; /* back NULL: refused */
    enum sql_type type;
};
static const struct text_case texts[] = {
    { "least INT64", "-9223372036854775808", "-9223372036854775808", SQL_INT64 },
    { "INT64 overflow", "9223372036854775808", NULL, SQL_INT64 },
    { "INT64 with plus", "+1", NULL, SQL_INT64 },
    { "NaN", "NaN", "NaN", SQL_FLOAT64 },
    { "minus infinity", "-Infinity", "-Infinity", SQL_FLOAT64 },
    { "a number as text", "1.5", NULL, SQL_FLOAT64 },
    { "date", "2024-02-29", "2024-02-29", SQL_DATE },
    { "no such day", "2023-02-29", NULL, SQL_DATE },
    { "first day", "0001-01-01", "0001-01-01", SQL_DATE },
    { "last day", "9999-12-31", "9999-12-31", SQL_DATE },
    { "year 0", "0000-12-31", NULL, SQL_DATE },
    { "nanoseconds", "2024-01-02T03:04:05.123456789Z", "2024-01-02T03:04:05.123456789Z", SQL_TIMESTAMP },
    { "zeros are trimmed", "2024-01-02T03:04:05.120000Z", "2024-01-02T03:04:05.12Z", SQL_TIMESTAMP },
    { "offset", "2024-01-02T03:04:05+01:00", "2024-01-02T02:04:05Z", SQL_TIMESTAMP },
    { "before 1970", "1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.5Z", SQL_TIMESTAMP },
    { "no zone", "2024-01-02T03:04:05", NULL, SQL_TIMESTAMP },
    { "base64", "AAEC/w==", "AAEC/w==", SQL_BYTES },
    { "url alphabet", "AAEC_w", "AAEC/w==", SQL_BYTES },
    { "not base64", "A*", NULL, SQL_BYTES },
    { "string", "h\xc3\xa9", "h\xc3\xa9", SQL_STRING },
    { "not UTF-8", "h\xc3", NULL, SQL_STRING },
    { "BOOL has no text", "true", NULL, SQL_BOOL },
};

static void texts_read_and_print(void **state) {
    (void)state;
    struct arena *arena = arena_new(1 << 20);
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct sql_value v;
        enum code rc = value_parse(texts[i].type, str_z(texts[i].text), arena, &v, NULL);
        if (rc != (texts[i].back ? OK : INVALID_ARGUMENT)) fail_msg("%s: code %d", texts[i].name, (int)rc);
        if (rc) continue;
        struct buf b = BUF_INIT(1000);
        value_print(&v, &b);
        assert_str(buf_str(&b), texts[i].back);
        buf_free(&b);
    }
    double doubles[] = { 0.1, 1e300, 5e-324, 1.0 / 3 };
    for (size_t i = 0; i < COUNT(doubles); i++) {
        struct buf b = BUF_INIT(100);
        value_print(&VALUE_FLOAT(doubles[i]), &b);
        buf_add_char(&b, '\0');
        assert_true(memcmp(&(double){ strtod(b.p, NULL) }, &doubles[i], sizeof(double)) == 0);
        buf_free(&b);
    }
    arena_free(arena);
}

struct check_case {
    const char *name;
    struct sql_column column;
    struct sql_value value;
    enum code code;
};
static const struct check_case checks[] = {
    { "fits in characters",
      { .type = SQL_STRING, .max_length = 2 },
      { .type = SQL_STRING, .s = STR_INIT("\xc3\xa9\xc3\xa9") },
      OK },
    { "one character too long",
      { .type = SQL_STRING, .max_length = 1 },
      { .type = SQL_STRING, .s = STR_INIT("ab") },
      FAILED_PRECONDITION },
    { "BYTES count bytes",
      { .type = SQL_BYTES, .max_length = 3 },
      { .type = SQL_BYTES, .s = STR_INIT("\xc3\xa9\xc3\xa9") },
      FAILED_PRECONDITION },
    { "NULL", { .type = SQL_INT64 }, { .type = SQL_INT64, .is_null = true }, OK },
    { "NULL in NOT NULL",
      { .type = SQL_INT64, .not_null = true },
      { .type = SQL_INT64, .is_null = true },
      FAILED_PRECONDITION },
    { "another type", { .type = SQL_INT64 }, { .type = SQL_STRING, .s = STR_INIT("1") }, INVALID_ARGUMENT },
    { "day after the last", { .type = SQL_DATE }, { .type = SQL_DATE, .i64 = VALUE_MAX_DATE + 1 }, INVALID_ARGUMENT },
    { "second after the last",
      { .type = SQL_TIMESTAMP },
      { .type = SQL_TIMESTAMP, .i64 = VALUE_MAX_SECONDS + 1 },
      INVALID_ARGUMENT },
    { "bad UTF-8",
      { .type = SQL_STRING, .max_length = INT64_MAX },
      { .type = SQL_STRING, .s = STR_INIT("\xff") },
      INVALID_ARGUMENT },
    { "placeholder not allowed",
      { .type = SQL_TIMESTAMP },
      { .type = SQL_TIMESTAMP, .is_commit_timestamp = true },
      FAILED_PRECONDITION },
    { "placeholder",
      { .type = SQL_TIMESTAMP, .allow_commit_timestamp = true },
      { .type = SQL_TIMESTAMP, .is_commit_timestamp = true },
      OK },
    { "a future commit timestamp",
      { .type = SQL_TIMESTAMP, .allow_commit_timestamp = true },
      { .type = SQL_TIMESTAMP, .i64 = VALUE_MAX_SECONDS },
      FAILED_PRECONDITION },
};

static void values_are_checked(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(checks); i++) {
        enum code rc = value_check(STR("T"), &checks[i].column, &checks[i].value, NULL);
        if (rc != checks[i].code) fail_msg("%s: code %d", checks[i].name, (int)rc);
    }
}

/* lk in SQLite gives the bytes of key_encode; equality with NULL or NaN finds nothing, lkn finds NULL. */
static void sqlite_makes_the_same_keys(void **state) {
    (void)state;
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(key_register(db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT lk('i+s-', ?1, ?2), lkn('i+s-', ?1, ?2), lkz(lk('i+', ?1)), lk('f+', 'NaN')", -1,
                           &stmt, NULL),
        SQLITE_OK);
    struct sql_value v[] = { VALUE_INT64(-5), VALUE_STRING(((struct str){ "a\0b", 3 })) };
    for (int round = 0; round < 2; round++) {
        v[1].is_null = round;
        struct buf expected = BUF_INIT(100);
        key_encode_part(&v[0], false, &expected);
        key_encode_part(&v[1], true, &expected);
        assert_int_equal(value_bind(stmt, 1, &v[0]), SQLITE_OK);
        assert_int_equal(value_bind(stmt, 2, &v[1]), SQLITE_OK);
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        assert_int_equal(sqlite3_column_type(stmt, 0), round ? SQLITE_NULL : SQLITE_BLOB);
        struct str key = { sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1) };
        assert_true(str_eq(key, buf_str(&expected)));
        assert_int_equal(sqlite3_column_bytes(stmt, 2), 10);
        assert_int_equal(sqlite3_column_type(stmt, 3), SQLITE_NULL);
        sqlite3_reset(stmt);
        buf_free(&expected);
    }
    sqlite3_finalize(stmt);
    static const char *const bad[] = { "SELECT lk()", "SELECT lk('i+')", "SELECT lk('q+', 1)", "SELECT lk('i*', 1)",
                                       "SELECT lk('i+', 'x')" };
    for (size_t i = 0; i < COUNT(bad); i++) assert_int_equal(sqlite3_exec(db, bad[i], NULL, NULL, NULL), SQLITE_ERROR);
    sqlite3_close(db);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_order_as_values),         cmocka_unit_test(ranges_hold_what_their_prefixes_say),
        cmocka_unit_test(sets_are_sorted_and_disjoint), cmocka_unit_test(large_keys_are_refused),
        cmocka_unit_test(texts_read_and_print),         cmocka_unit_test(values_are_checked),
        cmocka_unit_test(sqlite_makes_the_same_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
