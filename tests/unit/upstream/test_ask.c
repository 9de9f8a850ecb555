/* A call with a token of an exchange, at an upstream that does not take the first one. */
#include "../http/http_rig.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "identity/exchange.h"
#include "upstream/ask.h"
#include "wire/grpc.h"

enum { SECOND = 1000000 };

static struct world {
    struct rig rig;
    struct exchange *exchange;
    struct upstream *upstream;
    const struct refusal *refusal;
    unsigned fetched, ends;
    char bearer[100]; /* of the last request */
    enum code code;
    bool ours;
    char message[500], reason[500];
} w;

/* ---- the upstream: "token-1" is never taken ---- */

#define TYPE(type)                                                                                                         \
    { STR_INIT("content-type"), STR_INIT(type) }
static const struct http_header GRPC[] = { TYPE("application/grpc") }, HTML[] = { TYPE("text/html") },
                                FINE[] = { { STR_INIT("grpc-status"), STR_INIT("0") } },
                                ONLY[] = { TYPE("application/grpc"), { STR_INIT("grpc-status"), STR_INIT("16") } };

static const struct refusal {
    const char *name;
    unsigned status;
    const struct http_header *headers;
    size_t n_headers;
    const char *reason;
} refusals[] = {
    { "by the service: gRPC's UNAUTHENTICATED", 200, ONLY, COUNT(ONLY), "it answered UNAUTHENTICATED" },
    { "by a proxy before it: HTTP 401 and a page", 401, HTML, COUNT(HTML), "it answered HTTP 401" },
};

static void on_request(struct http_stream *s, const struct http_request *r, void *ctx) {
    (void)ctx;
    struct str bearer = http_header_value(r->headers, r->n_headers, STR("authorization"));
    w.rig.requests++;
    (void)snprintf(w.bearer, sizeof w.bearer, "%.*s", STR_ARG(bearer));
    if (str_eq(bearer, STR("Bearer token-1"))) {
        http_reply_headers_only(s, w.refusal->status, w.refusal->headers, w.refusal->n_headers);
        return;
    }
    http_reply_headers(s, 200, GRPC, COUNT(GRPC));
    http_reply_end(s, FINE, COUNT(FINE));
}

static void on_gone(struct http_stream *s, enum http_gone why, void *ctx) {
    (void)s, (void)why, (void)ctx;
    w.rig.gone++;
}

/* ---- the exchange: answers at once ---- */

static enum code subject(void *ctx, const struct principal *principal, struct buf *ret, struct err *err) {
    (void)ctx, (void)principal, (void)err;
    buf_add_z(ret, "subject");
    return OK;
}

static void post(void *ctx, const struct exchange_request *request, exchange_done *done, void *arg) {
    (void)ctx, (void)request;
    char body[200];
    int n = snprintf(body, sizeof body, "{\"access_token\":\"token-%u\",\"token_type\":\"Bearer\",\"expires_in\":3600}",
                     ++w.fetched);
    done(arg, &(struct exchange_answer){ .status = 200, .body = { body, (size_t)n } });
}

static struct http_client *client(void *ctx, struct loop *loop) {
    (void)ctx, (void)loop;
    return w.rig.client;
}

static void start(const struct refusal *refusal) {
    static const struct http_handler handler = { .on_request = on_request, .on_gone = on_gone };
    static const struct exchange_effects effects = { NULL, subject, post };
    const struct exchange_config at = { .token_url = STR("https://sts.example/"),
                                        .audience = STR("a"),
                                        .subject_token_type = STR("urn:ietf:params:oauth:token-type:jwt") };
    w = (struct world){ .refusal = refusal };
    rig_start_with(&w.rig, RIG_TLS, NULL, false, &handler);
    assert_int_equal(exchange_new(&at, &effects, 0, &w.exchange, NULL), OK);
    const struct upstream_config config = { .name = STR("prod.spanner"),
                                            .scheme = STR("https"),
                                            .host = STR("localhost"),
                                            .port = w.rig.port,
                                            .exchange = w.exchange,
                                            .scopes = { STR("all") },
                                            .n_scopes = 1,
                                            .client = client };
    assert_int_equal(upstream_new(&config, &w.upstream, NULL), OK);
}

static void stop(void) {
    upstream_free(w.upstream);
    exchange_free(w.exchange);
    rig_stop(&w.rig);
    clock_set_for_test(0);
}

/* ---- who asks ---- */

static bool on_message(struct ask *ask, struct str message, void *ctx) {
    (void)ask, (void)message, (void)ctx;
    return true;
}

static void on_end(struct ask *ask, const struct upstream_status *status, void *ctx) {
    (void)ask, (void)ctx;
    w.ends++;
    w.code = status->code;
    w.ours = status->ours;
    (void)snprintf(w.message, sizeof w.message, "%.*s", STR_ARG(status->message));
    (void)snprintf(w.reason, sizeof w.reason, "%.*s", STR_ARG(status->reason));
}

static void ask(void) {
    static const struct ask_handler handler = { on_message, on_end };
    static const struct principal ada = {
        .actor = { .kind = ACTOR_OIDC, .issuer = STR_INIT("corp"), .subject = STR_INIT("ada") }
    };
    const struct upstream_request request = { .path = STR("/google.spanner.v1.Spanner/Read"), .message = STR("question") };
    struct ask *a;
    struct err err = { 0 };
    unsigned before = w.ends;
    if (ask_start(w.rig.loop, w.upstream, &ada, &request, &handler, NULL, &a, &err)) fail_msg("%s", err.message);
    rig_wait(&w.rig, &w.ends, before + 1);
}

/* ---- tests ---- */

/* The caller can do nothing about it; and the token is replaced, once it is 30 s old. */
static void test_a_token_that_is_not_taken(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(refusals); i++) {
        print_message("  %s\n", refusals[i].name);
        start(&refusals[i]);
        int64_t now = clock_wall_us();
        clock_set_for_test(now);
        ask();
        assert_string_equal(w.bearer, "Bearer token-1");
        if (w.code != UNAVAILABLE || !w.ours) fail_msg("%s: %s", code_name(w.code), w.message);
        assert_string_equal(w.message,
                            "the upstream of prod.spanner does not take the token that was fetched for you: try again");
        assert_string_equal(w.reason, refusals[i].reason);
        clock_set_for_test(now + 31 * (int64_t)SECOND);
        ask();
        assert_string_equal(w.bearer, "Bearer token-2");
        assert_int_equal(w.code, OK);
        assert_int_equal(w.fetched, 2);
        stop();
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_token_that_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
