#include "test.h"
#include <stdio.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "base/enc.h"
#include "base/err.h"
#include "base/json_text.h"
#include "base/map.h"
#include "base/uuid.h"

static void uuids_have_their_version_and_variant(void **state) {
    (void)state;
    static const uint8_t zeros[16];
    uint8_t ones[16];
    char text[UUID_LENGTH + 1];
    memset(ones, 0xff, sizeof ones);
    uuid_of_random(zeros, text);
    assert_string_equal(text, "00000000-0000-4000-8000-000000000000");
    uuid_of_random(ones, text);
    assert_string_equal(text, "ffffffff-ffff-4fff-bfff-ffffffffffff");
}

static void cut_splits_at_the_first_separator(void **state) {
    (void)state;
    struct str rest = STR("a/b/c");
    assert_str(str_cut(&rest, '/'), "a");
    assert_str(rest, "b/c");
    assert_str(str_cut(&rest, '/'), "b");
    assert_str(str_cut(&rest, '/'), "c");
    assert_int_equal(rest.n, 0);
}

static void integers_are_printed(void **state) {
    (void)state;
    static const struct {
        int64_t value;
        const char *text;
    } cases[] = { { 0, "0" },
                  { 7, "7" },
                  { -1, "-1" },
                  { 1000, "1000" },
                  { -90210, "-90210" },
                  { INT64_MAX, "9223372036854775807" },
                  { INT64_MIN, "-9223372036854775808" } };
    char out[DECIMAL_MAX], fixed[] = "xxxxx";
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_str(((struct str){ out, decimal_i64(cases[i].value, out) }), cases[i].text);
    assert_str(((struct str){ out, decimal_u64(UINT64_MAX, out) }), "18446744073709551615");
    decimal_fixed(42, 4, fixed);
    assert_str(str_z(fixed), "0042x");
}

static void printed_text_fits_or_fails(void **state) {
    (void)state;
    DEFER(buf_free) struct buf b = BUF_INIT(300);
    for (int i = 0; i < 60; i++) buf_printf(&b, "%05d", i); /* crosses the first growth, at 256 bytes */
    assert_false(buf_ok(&b));                               /* 300 bytes, and the NUL does not fit */
    assert_int_equal(b.n, 295);
    assert_str(str_from(buf_str(&b), 250), "000500005100052000530005400055000560005700058");
}

static void integers_are_read_strictly(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } cases[] = {
        { "0", true, 0 },
        { "-9223372036854775808", true, INT64_MIN },
        { "9223372036854775807", true, INT64_MAX },
        { "9223372036854775808", false, 0 },
        { "", false, 0 },
        { "-", false, 0 },
        { "+1", false, 0 },
        { " 1", false, 0 },
        { "1x", false, 0 },
        { "99999999999999999999999", false, 0 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t v = 0;
        assert_int_equal(str_i64(str_z(cases[i].text), &v), cases[i].ok);
        assert_true(v == cases[i].value);
    }
}

static void arena_stops_at_its_maximum(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *a = arena_new(10000);
    assert_non_null(arena_alloc(a, 3000));
    assert_non_null(arena_alloc(a, 3000));
    assert_null(arena_alloc(a, 5000));
    assert_null(arena_array(a, SIZE_MAX, 16));
    arena_reset(a);
    assert_non_null(arena_alloc(a, 5000));
}

static void arenas_share_a_budget(void **state) {
    (void)state;
    struct budget budget = { .max = 100000 };
    struct arena *a = arena_new(1 << 20);
    DEFER(arena_freep) struct arena *b = arena_new(1 << 20);
    arena_share(a, &budget);
    arena_share(b, &budget);
    assert_non_null(arena_alloc(a, 60000));
    assert_non_null(arena_alloc(b, 3000)); /* a first page is free */
    size_t held = atomic_load(&budget.held);
    assert_true(held >= 60000);
    assert_null(arena_alloc(b, 60000));
    assert_int_equal(atomic_load(&budget.held), held);
    arena_free(a);
    assert_int_equal(atomic_load(&budget.held), 0);
    assert_non_null(arena_alloc(b, 60000));
    arena_reset(b);
    assert_int_equal(atomic_load(&budget.held), 0);
}

static void buffer_fails_once_and_stays_failed(void **state) {
    (void)state;
    DEFER(buf_free) struct buf b = BUF_INIT(300);
    for (int i = 0; i < 300; i++) buf_add_char(&b, 'x');
    assert_true(buf_ok(&b));
    buf_add_char(&b, 'x');
    assert_false(buf_ok(&b));
    assert_int_equal(b.n, 300);
}

static void map_keeps_what_was_put(void **state) {
    (void)state;
    struct map *m = map_new();
    char key[16];
    for (uintptr_t i = 1; i <= 5000; i++) {
        int n = snprintf(key, sizeof key, "k%u", (unsigned)i);
        assert_true(map_put(m, (struct str){ key, (size_t)n }, (void *)i, NULL));
        if (i % 3 == 0) assert_ptr_equal(map_remove(m, (struct str){ key, (size_t)n }), (void *)i);
    }
    assert_int_equal(map_count(m), 5000 - 1666);
    assert_ptr_equal(map_get(m, STR("k5000")), (void *)5000);
    assert_null(map_get(m, STR("k3")));
    map_free(m, NULL);
}

static void base64_is_strict(void **state) {
    (void)state;
    static const struct {
        const char *name, *text;
        bool std, url;
    } cases[] = {
        { "canonical", "AA==", true, false },    { "no padding", "AA", false, true },
        { "trailing bits", "AB", false, false }, { "url alphabet", "-_-_", false, true },
        { "std alphabet", "+/+/", true, false }, { "one sextet", "A", false, false },
        { "white space", "AA A", false, false }, { "empty", "", true, true },
    };
    DEFER(arena_freep) struct arena *a = arena_new(1 << 16);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str out;
        if (dec_base64(a, str_z(cases[i].text), &out) != cases[i].std) fail_msg("base64: %s", cases[i].name);
        if (dec_base64url(a, str_z(cases[i].text), &out) != cases[i].url) fail_msg("base64url: %s", cases[i].name);
    }
}

static void utf8_refuses_what_is_not(void **state) {
    (void)state;
    static const char *const bad[] = { "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "abcdefgh\xff" };
    for (size_t i = 0; i < COUNT(bad); i++) assert_false(utf8_valid(str_z(bad[i])));
    assert_true(utf8_valid(STR("plain, \xc3\xa9, \xe2\x82\xac, \xf0\x9f\x8c\x89")));
}

static void times_are_printed_and_read(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "2013-01-01T05:15:00.250Z", 1357017300250000 },
        { "0001-01-01T00:00:00Z", -62135596800000000 },
        { "9999-12-31T23:59:59.999999Z", 253402300799999999 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[CLOCK_RFC3339_MAX];
        int64_t s;
        int32_t ns;
        assert_str(((struct str){ out, clock_rfc3339(cases[i].us, out) }), cases[i].text);
        assert_true(clock_parse_rfc3339(str_z(cases[i].text), &s, &ns));
        assert_true(s * 1000000 + ns / 1000 == cases[i].us);
    }
    static const char *const bad[] = { "2013-02-30T00:00:00Z", "2013-01-01T00:00:00",   "2013-01-01 00:00:00Z",
                                       "2013-01-01T24:00:00Z", "2013-01-01T00:00:00.Z", "0000-01-01T00:00:00Z",
                                       "2013-01-01T00:00:00Zx" };
    int64_t s;
    int32_t ns;
    for (size_t i = 0; i < COUNT(bad); i++) assert_false(clock_parse_rfc3339(str_z(bad[i]), &s, &ns));
}

static void errors_carry_context(void **state) {
    (void)state;
    struct err err = { 0 };
    assert_int_equal(err_at(&err, INVALID_ARGUMENT, 3, 7, "unknown key: %s", "colour"), INVALID_ARGUMENT);
    err_wrap(&err, "%s", "linkspan.yaml");
    assert_string_equal(err.message, "linkspan.yaml: unknown key: colour");
    assert_int_equal(err.line, 3);
    assert_int_equal(code_http_status(PERMISSION_DENIED), 403);
}

static void json_strings_are_safe_to_print(void **state) {
    (void)state;
    DEFER(buf_free) struct buf b = BUF_INIT(1000);
    json_text_string(&b, STR("a\"\\\n\x01<\xff\xe2\x82\xac"));
    assert_str(buf_str(&b), "\"a\\\"\\\\\\n\\u0001\\u003c\xef\xbf\xbd\xe2\x82\xac\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uuids_have_their_version_and_variant),
        cmocka_unit_test(cut_splits_at_the_first_separator),
        cmocka_unit_test(integers_are_printed),
        cmocka_unit_test(printed_text_fits_or_fails),
        cmocka_unit_test(integers_are_read_strictly),
        cmocka_unit_test(arena_stops_at_its_maximum),
        cmocka_unit_test(arenas_share_a_budget),
        cmocka_unit_test(buffer_fails_once_and_stays_failed),
        cmocka_unit_test(map_keeps_what_was_put),
        cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(utf8_refuses_what_is_not),
        cmocka_unit_test(times_are_printed_and_read),
        cmocka_unit_test(errors_carry_context),
        cmocka_unit_test(json_strings_are_safe_to_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
