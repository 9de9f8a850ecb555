/* Absolute URLs: one spelling in, the normal form out; every other spelling is refused by name. */
#include <string.h>
#include "test.h"
#include "wire/url.h"

#define OTHER_V4 "the host is an IPv4 address in another spelling than four decimal numbers such as 127.0.0.1"
#define INSIDE   "the host is an IPv4 address inside an IPv6 address: write it as IPv4"
#define LABELS   "the host is not made of ASCII letters, digits and hyphens between single dots"
#define HIDDEN   "the path hides a slash, a backslash, a percent sign or a control character"
#define PLAINLY  "the path encodes a character that may stand plainly"
#define PORT     "the port is not a number from 1 to 65535"
#define ENCODED  "the path holds a character that must be percent-encoded"

static const struct {
    const char *text, *normal, *host, *path, *query, *error; /* query NULL: none */
    unsigned port;
    bool written, numeric;
} cases[] = {
    { "https://h/a/b?c=d", "https://h/a/b", "h", "/a/b", "c=d", NULL, 443, false, false },
    { "HTTPS://Host.Example:443/A?", "https://host.example/A", "host.example", "/A", "", NULL, 443, true, false },
    { "http://h", "http://h/", "h", "/", NULL, NULL, 80, false, false },
    { "http://h?x", "http://h/", "h", "/", "x", NULL, 80, false, false },
    { "http://h:443/", "http://h:443/", "h", "/", NULL, NULL, 443, true, false },
    { "https://h/a/", "https://h/a/", "h", "/a/", NULL, NULL, 443, false, false },
    { "https://127.0.0.1:8443/", "https://127.0.0.1:8443/", "127.0.0.1", "/", NULL, NULL, 8443, true, true },
    { "https://[2001:DB8:0:0::1]:443/x", "https://[2001:db8::1]/x", "2001:db8::1", "/x", NULL, NULL, 443, true, true },
    { "https://[::1]:8443/", "https://[::1]:8443/", "::1", "/", NULL, NULL, 8443, true, true },
    { "https://xn--bcher-kva.example/%c3%a9%2A", "https://xn--bcher-kva.example/%C3%A9%2A", "xn--bcher-kva.example",
      "/%C3%A9%2A", NULL, NULL, 443, false, false },
    { "https://h/a;b=c,d:e@f!$&'()+~", "https://h/a;b=c,d:e@f!$&'()+~", "h", "/a;b=c,d:e@f!$&'()+~", NULL, NULL, 443, false,
      false },
    { "https://1.2.3.4.example/", "https://1.2.3.4.example/", "1.2.3.4.example", "/", NULL, NULL, 443, false, false },
    { "https://h/?a/../b?c[]|*", "https://h/", "h", "/", "a/../b?c[]|*", NULL, 443, false, false },
    { .text = "https://127.1/", .error = OTHER_V4 },
    { .text = "https://2130706433/", .error = OTHER_V4 },
    { .text = "https://0x7f.0.0.1/", .error = OTHER_V4 },
    { .text = "https://0x7f000001/", .error = OTHER_V4 },
    { .text = "https://0X7F.1/", .error = OTHER_V4 },
    { .text = "https://0177.0.0.1/", .error = OTHER_V4 },
    { .text = "https://017700000001/", .error = OTHER_V4 },
    { .text = "https://127.0.0.0x1/", .error = OTHER_V4 },
    { .text = "https://127.0.0.256/", .error = OTHER_V4 },
    { .text = "https://127.0.0.01/", .error = OTHER_V4 },
    { .text = "https://1.2.3.4.5/", .error = OTHER_V4 },
    { .text = "https://h.0x/", .error = OTHER_V4 },
    { .text = "https://127.0.0.1./", .error = LABELS },
    { .text = "https://[::ffff:127.0.0.1]/", .error = INSIDE },
    { .text = "https://[::ffff:7f00:1]/", .error = INSIDE },
    { .text = "https://[::127.0.0.1]/", .error = INSIDE },
    { .text = "https://[fe80::1%25eth0]/", .error = "the host in brackets is not an IPv6 address" },
    { .text = "https://[127.0.0.1]/", .error = "the host in brackets is not an IPv6 address" },
    { .text = "https://[::1/", .error = "the host's bracket is not closed" },
    { .text = "https://[::1]x/", .error = "after the host's bracket stands something else than a port" },
    { .text = "https://::1/", .error = "the host is missing, or longer than 253 bytes" },
    { .text = "https:///a", .error = "the host is missing, or longer than 253 bytes" },
    { .text = "https://h\xc3\xa9/", .error = LABELS },
    { .text = "https://h_h/", .error = LABELS },
    { .text = "https://h%2e/", .error = LABELS },
    { .text = "https://h..h/", .error = LABELS },
    { .text = "https://h./", .error = LABELS },
    { .text = "https://-h/", .error = LABELS },
    { .text = "https://h\\@evil/", .error = "user info before the host is refused" },
    { .text = "https://h\\evil/", .error = LABELS },
    { .text = "https://u@h/", .error = "user info before the host is refused" },
    { .text = "https://h:/", .error = PORT },
    { .text = "https://h:0/", .error = PORT },
    { .text = "https://h:0443/", .error = PORT },
    { .text = "https://h:65536/", .error = PORT },
    { .text = "https://h:44 3/", .error = PORT },
    { .text = "https://h/#a", .error = "a fragment (#) is refused" },
    { .text = "https:/h/", .error = "a URL begins with https:// or http://" },
    { .text = "file:///etc/passwd", .error = "a URL begins with https:// or http://" },
    { .text = " https://h/", .error = "a URL begins with https:// or http://" },
    { .text = "", .error = "a URL begins with https:// or http://" },
    { .text = "https://h/a//b", .error = "the path holds an empty segment" },
    { .text = "https://h//", .error = "the path holds an empty segment" },
    { .text = "https://h/./b", .error = "the path holds a dot segment" },
    { .text = "https://h/a/..", .error = "the path holds a dot segment" },
    { .text = "https://h/a/..;x/b", .error = "the path holds a dot segment" },
    { .text = "https://h/%2e%2e/b", .error = PLAINLY },
    { .text = "https://h/%61", .error = PLAINLY },
    { .text = "https://h/a%2fb", .error = HIDDEN },
    { .text = "https://h/a%5Cb", .error = HIDDEN },
    { .text = "https://h/%252e", .error = HIDDEN },
    { .text = "https://h/a%00", .error = HIDDEN },
    { .text = "https://h/a%0d%0a", .error = HIDDEN },
    { .text = "https://h/%c0%ae", .error = "the path is not UTF-8" },
    { .text = "https://h/%", .error = "a % in the path is not followed by two hexadecimal digits" },
    { .text = "https://h/%4", .error = "a % in the path is not followed by two hexadecimal digits" },
    { .text = "https://h/*", .error = "a * in the path must be written %2A" },
    { .text = "https://h/a b", .error = ENCODED },
    { .text = "https://h/a\\b", .error = ENCODED },
    { .text = "https://h/\xc3\xa9", .error = ENCODED },
    { .text = "https://h/?a b", .error = "the query holds a character that must be percent-encoded" },
    { .text = "https://h/?%zz", .error = "a % in the query is not followed by two hexadecimal digits" },
};

static void urls_are_read_in_one_spelling(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char buf[URL_MAX], again[URL_MAX];
        struct url u, v;
        struct err err = { 0 };
        if ((url_parse(str_z(cases[i].text), buf, &u, &err) == OK) != (cases[i].error == NULL))
            fail_msg("%s: %s", cases[i].text, err.message);
        if (cases[i].error) {
            assert_string_equal(err.message, cases[i].error);
            continue;
        }
        assert_str(u.normal, cases[i].normal);
        assert_str(u.host, cases[i].host);
        assert_str(u.path, cases[i].path);
        assert_int_equal(u.query.p != NULL, cases[i].query != NULL);
        if (cases[i].query) assert_str(u.query, cases[i].query);
        assert_int_equal(u.port, cases[i].port);
        assert_int_equal(u.port_written, cases[i].written);
        assert_int_equal(u.numeric, cases[i].numeric);
        assert_int_equal(u.normal.n, u.scheme.n + 3 + u.authority.n + u.path.n);
        assert_true(url_is_normal(u.normal));
        assert_int_equal(url_is_normal(str_z(cases[i].text)), strcmp(cases[i].text, cases[i].normal) == 0);
        assert_int_equal(url_parse(u.normal, again, &v, NULL), OK);
        assert_true(str_eq(u.normal, v.normal));
    }
}

static void loopback_and_origins(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool loopback, same; /* as https://localhost:443/x */
    } rows[] = {
        { "https://LocalHost/a?b", true, true },    { "https://localhost:443", true, true },
        { "https://localhost:8443/", true, false }, { "http://localhost:443/", true, false },
        { "http://in.localhost/", true, false },    { "http://127.0.0.1:80/", true, false },
        { "http://127.9.9.9/", true, false },       { "http://[::1]:1/", true, false },
        { "http://notlocalhost/", false, false },   { "http://localhost.example/", false, false },
        { "http://128.0.0.1/", false, false },      { "http://[2001:db8::1]/", false, false },
        { "http://127.example/", false, false },
    };
    char buf[URL_MAX], own_buf[URL_MAX];
    struct url u, own;
    assert_int_equal(url_parse(STR("https://localhost:443/x"), own_buf, &own, NULL), OK);
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (url_parse(str_z(rows[i].text), buf, &u, NULL)) fail_msg("%s", rows[i].text);
        if (url_is_loopback(&u) != rows[i].loopback || url_same_origin(&u, &own) != rows[i].same)
            fail_msg("%s", rows[i].text);
    }
}

static void length_is_bounded(void **state) {
    (void)state;
    char text[URL_MAX + 8], buf[URL_MAX];
    struct url u;
    memset(text, 'a', sizeof text);
    memcpy(text, "https://h/", 10);
    assert_int_equal(url_parse((struct str){ text, URL_MAX }, buf, &u, NULL), OK);
    assert_int_equal(u.normal.n, URL_MAX);
    assert_int_equal(url_parse((struct str){ text, URL_MAX + 1 }, buf, &u, NULL), INVALID_ARGUMENT);
    assert_int_equal(url_parse((struct str){ text, sizeof text }, buf, &u, NULL), INVALID_ARGUMENT);
    memcpy(text, "http://h", 8); /* no path: the normal form is one longer */
    memset(text + 8, 'b', 60);
    assert_int_equal(url_parse((struct str){ text, 68 }, buf, &u, NULL), OK);
    assert_int_equal(u.normal.n, 69);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_read_in_one_spelling),
        cmocka_unit_test(loopback_and_origins),
        cmocka_unit_test(length_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
