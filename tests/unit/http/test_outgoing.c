/* test_outgoing.c: methods and headers that somebody else may put into our requests. */
#include <string.h>
#include "../test.h"
#include "http/outgoing.h"

static void test_methods(void **state) {
    (void)state;
    static const struct {
        const char *method;
        bool ok;
    } cases[] = {
        { "GET", true },    { "HEAD", true },     { "POST", true },     { "PUT", true },      { "PATCH", true },
        { "DELETE", true }, { "OPTIONS", true },  { "TRACE", false },   { "CONNECT", false }, { "get", false },
        { "", false },      { "GET / X", false }, { "GE\r\nT", false },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err err = { 0 };
        if ((outgoing_check(str_z(cases[i].method), NULL, 0, &err) == OK) != cases[i].ok) fail_msg("%s", cases[i].method);
        assert_null(strpbrk(err.message, "\r\n"));
    }
}

static void test_headers(void **state) {
    (void)state;
    static const struct {
        const char *name, *value, *why; /* NULL: it may be sent */
    } cases[] = {
        { "content-type", "application/json", NULL },
        { "X-My-Header", "a b", NULL },
        { "x-empty", "", NULL },
        { "accept", "*/*", NULL },
        { "if-match", "\"1\"", NULL },
        { "Host", "other", "header Host may not be set" },
        { "connection", "close", "connection" },
        { "Keep-Alive", "1", "connection" },
        { "CONTENT-LENGTH", "5", "connection" },
        { "transfer-encoding", "chunked", "connection" },
        { "te", "trailers", "connection" },
        { "trailer", "x", "connection" },
        { "upgrade", "h2c", "connection" },
        { "http2-settings", "x", "connection" },
        { "expect", "100-continue", "connection" },
        { "proxy-authorization", "Basic x", "connection" },
        { "Proxy-Connection", "close", "connection" },
        { "Authorization", "Bearer secret", "identity" },
        { "cookie", "secret", "identity" },
        { "Metadata-Flavor", "Google", "identity" },
        { "metadata", "true", "identity" },
        { "x-aws-ec2-metadata-token-ttl-seconds", "60", "identity" },
        { "accept-encoding", "gzip", "form" },
        { "range", "bytes=0-1", "form" },
        { "x-split", "a\r\nauthorization: b", "line break" },
        { "x-lf", "a\nb", "line break" },
        { "x-blank", " secret", "blank" },
        { "x-nul", "a\001b", "control" },
        { "x header", "v", "characters" },
        { "x:header", "v", "characters" },
        { ":authority", "other", "characters" },
        { "", "v", "empty" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err err = { 0 };
        struct http_header h = { str_z(cases[i].name), str_z(cases[i].value) };
        enum code rc = outgoing_check(STR("POST"), &h, 1, &err);
        if ((rc == OK) != !cases[i].why || (rc && !strstr(err.message, cases[i].why)))
            fail_msg("%s: %s", cases[i].name, rc ? err.message : "may be sent");
        if (strstr(err.message, "secret")) fail_msg("a value is in the message: %s", err.message);
    }
}

static void test_bounds(void **state) {
    (void)state;
    static char big[OUTGOING_HEADER_BYTES_MAX];
    struct http_header many[OUTGOING_HEADERS_MAX + 1];
    struct err err;
    memset(big, 'x', sizeof big);
    for (size_t i = 0; i < COUNT(many); i++) many[i] = (struct http_header){ STR("x"), STR("y") };
    assert_int_equal(outgoing_check(STR("GET"), many, OUTGOING_HEADERS_MAX, &err), OK);
    assert_int_equal(outgoing_check(STR("GET"), many, OUTGOING_HEADERS_MAX + 1, &err), INVALID_ARGUMENT);
    many[0].value = (struct str){ big, sizeof big - 1 };
    assert_int_equal(outgoing_check(STR("GET"), many, 1, &err), OK);
    assert_int_equal(outgoing_check(STR("GET"), many, 2, &err), INVALID_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
