#include "test.h"
#include "cli/terminal.h"

static const struct text_case {
    const char *what, *text, *shown;
} cases[] = {
    { "plain", "job nightly failed", "job nightly failed" },
    { "other scripts", "r\xc3\xa9sum\xc3\xa9 \xe6\x97\xa5", "r\xc3\xa9sum\xc3\xa9 \xe6\x97\xa5" },
    { "an escape sequence", "a\x1b[2Jb", "a?[2Jb" },
    { "a line of its own", "gone\r\n2. a permission:\tnone", "gone  2. a permission: none" },
    { "a control character of eight bits",
      "a\xc2\x9b"
      "2Jb",
      "a??2Jb" },
    { "no UTF-8", "a\x9b\xffz", "a??z" },
    { "a cut character", "a\xe6\x97", "a??" },
    { "DEL", "a\x7f", "a?" },
    { "nothing", "", "" },
};

static void test_safe(void **state UNUSED) {
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(buf_free) struct buf out = BUF_INIT(200);
        buf_add_z(&out, "\n");
        terminal_line(&out, "%s", cases[i].text);
        terminal_line(&out, "%d", 7);
        if (out.n && out.p[0] != '\n') fail_msg("%s: what stood before was touched", cases[i].what);
        struct str rest = str_from(buf_str(&out), 1), line = str_cut(&rest, '\n');
        if (!str_eq_z(line, cases[i].shown)) fail_msg("%s: %.*s", cases[i].what, STR_ARG(line));
        assert_true(str_eq_z(rest, "7\n"));
    }
}

/* A buffer that is full stays failed, and nothing beyond it is written. */
static void test_full(void **state UNUSED) {
    DEFER(buf_free) struct buf out = BUF_INIT(4);
    terminal_line(&out, "%s", "\x1b\x1b\x1b\x1b\x1b\x1b");
    assert_false(buf_ok(&out));
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_safe), cmocka_unit_test(test_full) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
