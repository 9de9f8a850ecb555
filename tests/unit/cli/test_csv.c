#include "test.h"
#include "base/buf.h"
#include "cli/csv.h"

/* Rows as text: fields by '|', quoted ones in '<>', rows by '/', "!LINE:COLUMN" for a bad one. */
static void read_all(struct str text, size_t piece, struct buf *out) {
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct csv csv = { 0 };
    size_t have = piece < text.n ? piece : text.n, at = 0;
    for (;;) {
        struct str rest = { text.p + at, have - at };
        struct err err;
        enum csv_got got = csv_next(&csv, &rest, have == text.n, arena, &err);
        at = have - rest.n;
        if (got == CSV_END) return;
        if (got == CSV_MORE) {
            assert_true(have < text.n);
            have = have + piece < text.n ? have + piece : text.n;
        } else if (got == CSV_BAD) buf_printf(out, "!%u:%u/", err.line, err.column);
        else
            for (size_t i = 0; i < csv.n_fields; i++)
                buf_printf(out, csv.fields[i].quoted ? "<%.*s>%s" : "%.*s%s", STR_ARG(csv.fields[i].text),
                           i + 1 == csv.n_fields ? "/" : "|");
    }
}

static const struct csv_case {
    const char *name, *text, *rows;
} cases[] = {
    { "plain", "a,b\n1,2\n", "a|b/1|2/" },
    { "no break at the end", "a,b\n1,2", "a|b/1|2/" },
    { "CRLF", "a,b\r\n1,2\r\n", "a|b/1|2/" },
    { "empty fields", ",\n,,\n", "|/||/" },
    { "empty lines are passed over", "a\n\n\nb\n", "a/b/" },
    { "quotes", "\"a\",\"\"\n", "<a>|<>/" },
    { "doubled quotes", "\"a\"\"b\",\"\"\"\"\n", "<a\"b>|<\">/" },
    { "comma and break inside", "\"a,\nb\",c\nd\n", "<a,\nb>|c/d/" },
    { "byte order mark",
      "\xef\xbb\xbf"
      "a\n",
      "a/" },
    { "quote inside a plain field", "a\nb\"c\nd\n", "a/!2:1/d/" },
    { "text after a quoted field", "x,\"a\"b\nd\n", "!1:2/d/" },
    { "lone CR", "a\rb\nd\n", "!1:1/d/" },
    { "never closed", "a\n\"b\nc\n", "a/!2:1/c/" },
    { "not UTF-8", "a\n\xff\nc\n", "a/!2:1/c/" },
    { "lines are counted in quotes", "\"\n\n\"\nb\"\n", "<\n\n>/!4:1/" },
};

/* However the input is cut, the rows are the same. */
static void test_cases(void **state) {
    (void)state;
    static const size_t pieces[] = { 1, 2, 3, 7, 1000 };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t k = 0; k < COUNT(pieces); k++) {
            DEFER(buf_free) struct buf out = BUF_INIT(4096);
            read_all(str_z(cases[i].text), pieces[k], &out);
            if (!str_eq_z(buf_str(&out), cases[i].rows))
                fail_msg("%s, by %zu: %.*s", cases[i].name, pieces[k], STR_ARG(buf_str(&out)));
        }
}

static void test_too_many_fields(void **state) {
    (void)state;
    static char commas[CSV_FIELDS_MAX + 10];
    for (size_t i = 0; i < sizeof commas; i++) commas[i] = ',';
    DEFER(buf_free) struct buf out = BUF_INIT(1 << 20);
    read_all((struct str){ commas, sizeof commas }, 100000, &out);
    assert_str(buf_str(&out), "!1:1025/");
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_too_many_fields) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
