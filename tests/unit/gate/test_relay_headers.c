/* Which header fields pass between a client and a generic service. */
#include "../test.h"
#include "gate/relay_headers.h"

static const struct config_service plain,
    more = { .headers = { STR_INIT("x-tenant"), STR_INIT("x-raw-bin") }, .n_headers = 2 };

struct pass_case {
    const char *name;
    const struct config_service *config;
    bool towards, back;
};

static const struct pass_case passes[] = {
    { "content-type", &plain, true, true },
    { "content-encoding", &plain, true, true },
    { "accept-encoding", &plain, true, true },
    { "grpc-encoding", &plain, true, true },
    { "grpc-accept-encoding", &plain, true, true },
    { "if-match", &plain, true, true },
    { "range", &plain, true, true },
    { "traceparent", &more, false, true }, /* ours: checked, with a span of our own */
    { "tracestate", &more, false, true },
    { "user-agent", &plain, true, true },
    { "x-tenant", &plain, false, true },
    { "x-tenant", &more, true, true },
    { "x-raw-bin", &more, true, true },
    { "authorization", &more, false, true },
    { "cookie", &more, false, true },
    { "forwarded", &more, false, true },
    { "x-forwarded-for", &more, false, true },
    { "via", &more, false, true },
    { "x-real-ip", &more, false, true },
    { "grpc-timeout", &more, false, true }, /* ours: what is left */
    { "content-length", &more, false, true },
    { "te", &more, false, false },
    { "connection", &more, false, false },
    { "keep-alive", &more, false, false },
    { "transfer-encoding", &more, false, false },
    { "upgrade", &more, false, false },
    { "trailer", &more, false, false },
    { "location", &plain, false, true },
    { "www-authenticate", &plain, false, true },
    { "grpc-status", &plain, false, true },
    { "grpc-status-details-bin", &plain, false, true },
    { "set-cookie", &plain, false, false },
    { "alt-svc", &plain, false, false },
    { "strict-transport-security", &plain, false, false },
};

static void test_what_passes(void **state UNUSED) {
    for (size_t i = 0; i < COUNT(passes); i++) {
        const struct pass_case *c = &passes[i];
        const struct http_header field = { str_z(c->name), STR("v") };
        struct http_header out[RELAY_FIELDS_MAX];
        bool towards = relay_request_headers(&field, 1, c->config, out) == 1;
        bool back = relay_answer_headers(&field, 1, (struct str){ NULL, 0 }, out, RELAY_FIELDS_MAX) == 1;
        if (towards != c->towards || back != c->back) fail_msg("%s: %d %d", c->name, towards, back);
    }
}

static void test_our_token_does_not_come_back(void **state UNUSED) {
    static const struct http_header fields[] = { { STR_INIT("x-echo"), STR_INIT("Bearer abc.def") },
                                                 { STR_INIT("x-other"), STR_INIT("abc") } };
    struct http_header out[RELAY_FIELDS_MAX];
    assert_int_equal(relay_answer_headers(fields, 2, STR("abc.def"), out, RELAY_FIELDS_MAX), 1);
    assert_true(str_eq(out[0].name, STR("x-other")));
}

static void test_more_than_there_is_room_for(void **state UNUSED) {
    struct http_header many[RELAY_FIELDS_MAX + 10], out[RELAY_FIELDS_MAX];
    for (size_t i = 0; i < COUNT(many); i++) many[i] = (struct http_header){ STR("accept"), STR("a") };
    assert_int_equal(relay_request_headers(many, COUNT(many), &plain, out), RELAY_FIELDS_MAX);
    assert_int_equal(relay_answer_headers(many, COUNT(many), STR(""), out, 3), 3);
}

static void test_what_may_be_configured(void **state UNUSED) {
    static const char *const bad[] = { "authorization",
                                       "cookie",
                                       "forwarded",
                                       "via",
                                       "x-forwarded-for",
                                       "x-forwarded-client-cert",
                                       "proxy-connection",
                                       "host",
                                       "connection",
                                       "te",
                                       "content-length",
                                       "transfer-encoding",
                                       "x-real-ip",
                                       "grpc-timeout",
                                       "X-Upper",
                                       "a b",
                                       "",
                                       ":path",
                                       "metadata-flavor",
                                       "x-original-url",
                                       "x-rewrite-url",
                                       "x-http-method-override",
                                       "traceparent",
                                       "x-linkspan-id" };
    static const char *const good[] = { "x-tenant", "x-goog-request-params", "x-raw-bin" };
    for (size_t i = 0; i < COUNT(bad); i++)
        if (!relay_bad_header(str_z(bad[i]))) fail_msg("\"%s\" may pass", bad[i]);
    for (size_t i = 0; i < COUNT(good); i++)
        if (relay_bad_header(str_z(good[i]))) fail_msg("\"%s\" may not pass", good[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_passes),
        cmocka_unit_test(test_our_token_does_not_come_back),
        cmocka_unit_test(test_more_than_there_is_room_for),
        cmocka_unit_test(test_what_may_be_configured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
