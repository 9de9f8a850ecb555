/* W3C trace context: what is taken, and that all else is none. */
#include <string.h>
#include "test.h"
#include "wire/trace.h"

#define ID   "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static const struct {
    const char *name, *value;
    bool ok, sampled;
} parents[] = {
    { "the standard's example", "00-" ID "-" SPAN "-01", true, true },
    { "not sampled", "00-" ID "-" SPAN "-00", true, false },
    { "flags of later levels are not passed on", "00-" ID "-" SPAN "-02", true, false },
    { "all flags", "00-" ID "-" SPAN "-ff", true, true },
    { "another version", "01-" ID "-" SPAN "-01", false, false },
    { "a later version with more", "cc-" ID "-" SPAN "-01-more", false, false },
    { "the forbidden version", "ff-" ID "-" SPAN "-01", false, false },
    { "more behind version 00", "00-" ID "-" SPAN "-01-", false, false },
    { "upper case", "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", false, false },
    { "upper case span", "00-" ID "-00F067AA0BA902B7-01", false, false },
    { "no trace", "00-00000000000000000000000000000000-" SPAN "-01", false, false },
    { "no span", "00-" ID "-0000000000000000-01", false, false },
    { "not hex", "00-4bf92f3577b34da6a3ce929d0e0e473g-" SPAN "-01", false, false },
    { "flags are not hex", "00-" ID "-" SPAN "-0g", false, false },
    { "another separator", "00-" ID "_" SPAN "-01", false, false },
    { "another last separator", "00-" ID "-" SPAN ".01", false, false },
    { "short", "00-" ID "-" SPAN "-0", false, false },
    { "a blank before", " 00-" ID "-" SPAN "-0", false, false },
    { "empty", "", false, false },
};

static void test_parents(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(parents); i++) {
        struct trace_parent p;
        bool ok = trace_parent_parse(str_z(parents[i].value), &p);
        if (ok != parents[i].ok) fail_msg("%s: %d", parents[i].name, ok);
        if (!ok) continue;
        assert_str(p.trace_id, ID);
        assert_str(p.span_id, SPAN);
        if (p.sampled != parents[i].sampled) fail_msg("%s: sampled %d", parents[i].name, p.sampled);
    }
}

static void test_print(void **state) {
    (void)state;
    char out[TRACE_PARENT_LENGTH + 1];
    struct trace_parent p = { STR(ID), STR(SPAN), true };
    trace_parent_print(&p, out);
    assert_string_equal(out, "00-" ID "-" SPAN "-01");
    p.sampled = false;
    trace_parent_print(&p, out);
    assert_string_equal(out, "00-" ID "-" SPAN "-00");
}

#define TEN(k) k "0=1," k "1=1," k "2=1," k "3=1," k "4=1," k "5=1," k "6=1," k "7=1," k "8=1," k "9=1"
#define K64    "abcdefghijklmnopqrstuvwxyz0123456789_-*/abcdefghijklmnopqrstuvwx"
#define V64    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!\"#$%&'()*+-./:;<>?@[\\]^_`{|}"

static const struct {
    const char *name, *value;
    bool ok;
} states[] = {
    { "the standard's example", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7", true },
    { "white space around commas", "congo=1 ,\trojo=2", true },
    { "an empty member", "congo=1,,rojo=2", true },
    { "a tenant's key", "fw529a3039@dt=FfhhvkbTJdk", true },
    { "a tenant may begin with a digit", "1tenant@sys=1", true },
    { "a system may not", "tenant@1sys=1", false },
    { "a blank inside a value", "a=x y", true },
    { "a value that begins with a blank", "a= x", true },
    { "every character of a key", K64 "=1", true },
    { "every character of a value", "a=" V64, true },
    { "32 members", TEN("a") "," TEN("b") "," TEN("c") ",d0=1,d1=1", true },
    { "33 members", TEN("a") "," TEN("b") "," TEN("c") ",d0=1,d1=1,d2=1", false },
    { "33 members, most of them empty", "a=1,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,b=2", false },
    { "a system of 15 letters", "t@abcdefghijklmno=1", false },
    { "a system of 14 letters", "t@abcdefghijklmn=1", true },
    { "two at signs", "a@b@c=1", false },
    { "no tenant", "@b=1", false },
    { "no system", "b@=1", false },
    { "a key in upper case", "Congo=1", false },
    { "a key that begins with a digit", "1congo=1", false },
    { "a blank in a key", "con go=1", false },
    { "no key", "=1", false },
    { "no value", "congo=", false },
    { "a value of blanks", "congo=  ", false },
    { "no equals sign", "congo", false },
    { "two equals signs", "congo=1=2", false },
    { "a key twice", "congo=1,rojo=2,congo=3", false },
    { "a control character", "congo=1\x01", false },
    { "a tab in a value", "congo=a\tb", false },
    { "beyond ASCII", "congo=\xc3\xa9", false },
    { "nothing", "", false },
    { "commas alone", ",,", false },
};

static void test_states(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(states); i++)
        if (trace_state_ok(str_z(states[i].value)) != states[i].ok) fail_msg("%s", states[i].name);
}

/* 512 bytes are taken, 513 are not; a value has at most 256. */
static void test_lengths(void **state) {
    (void)state;
    char text[600];
    memset(text, 'v', sizeof text);
    (void)memcpy(text, "a=", 2);
    assert_true(trace_state_ok((struct str){ text, 2 + 256 }));
    assert_false(trace_state_ok((struct str){ text, 2 + 257 }));
    (void)memcpy(text + 258, ",b=", 3);
    assert_true(trace_state_ok((struct str){ text, 512 }));
    assert_false(trace_state_ok((struct str){ text, 513 }));
    memset(text, 'k', sizeof text);
    (void)memcpy(text + 256, "=1", 2);
    assert_true(trace_state_ok((struct str){ text, 258 }));
    (void)memcpy(text + 257, "=1", 2);
    text[256] = 'k';
    assert_false(trace_state_ok((struct str){ text, 259 }));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parents),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
