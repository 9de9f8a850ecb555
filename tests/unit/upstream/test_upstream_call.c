/* A gRPC call against an upstream that does as the test says: streams, lies, hangs, dies. */
#include "../http/http_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "upstream/upstream_call.h"
#include "wire/grpc.h"

enum { KIB = 1024, MIB = 1024 * KIB, WINDOW = 256 * KIB };

/* ---- the upstream ---- */

static struct upstream {
    struct rig rig; /* loop, TLS and client; its server plays no part */
    struct http_server *server;
    struct http_listener *listener;
    uint16_t port;
    /* what it does */
    unsigned n_messages;
    size_t message_bytes;
    struct buf out; /* instead: these bytes as the body */
    const struct http_header *headers, *trailers;
    size_t n_headers, n_trailers;
    unsigned status;
    bool never_ends, says_nothing;
    /* what it saw */
    char seen[4096];
    struct str body;
    unsigned requests, gone;
    enum http_gone why;
    unsigned sent; /* messages */
    size_t at;     /* of out or of the message */
    struct http_stream *stream;
} up;

#define GRPC_TYPE                                                                                                          \
    { STR_INIT("content-type"), STR_INIT("application/grpc") }
#define STATUS_OK                                                                                                          \
    { STR_INIT("grpc-status"), STR_INIT("0") }
static const struct http_header GRPC[] = { GRPC_TYPE }, FINE[] = { STATUS_OK };

/* Message i holds bytes that tell its number and place. */
static void make_message(struct buf *out, unsigned i) {
    unsigned char prefix[GRPC_PREFIX_BYTES];
    grpc_prefix(up.message_bytes, prefix);
    buf_add(out, prefix, sizeof prefix);
    if (!buf_reserve(out, up.message_bytes)) fail_msg("no memory");
    for (size_t k = 0; k < up.message_bytes; k++) out->p[out->n + k] = (char)(i * 7 + k);
    out->n += up.message_bytes;
}

static void end_reply(struct http_stream *s) {
    if (!up.never_ends) http_reply_end(s, up.trailers, up.n_trailers);
}

static void pump(struct http_stream *s) {
    while (up.at < up.out.n || up.sent < up.n_messages) {
        if (up.at == up.out.n) {
            buf_clear(&up.out);
            up.at = 0;
            make_message(&up.out, up.sent++);
        }
        up.at += http_reply_data(s, str_from(buf_str(&up.out), up.at));
        if (up.at < up.out.n) return;
    }
    end_reply(s);
}

static void on_request(struct http_stream *s, const struct http_request *r, void *ctx) {
    (void)ctx;
    size_t n = 0;
    up.requests++;
    up.stream = s;
    n += (size_t)snprintf(up.seen, sizeof up.seen, "%.*s %.*s\n", STR_ARG(r->method), STR_ARG(r->path));
    for (size_t i = 0; i < r->n_headers; i++)
        n += (size_t)snprintf(up.seen + n, sizeof up.seen - n, "%.*s: %.*s\n", STR_ARG(r->headers[i].name),
                              STR_ARG(r->headers[i].value));
    if (up.says_nothing) return;
    if (up.status && !up.n_messages && !up.out.n && !up.n_trailers) {
        http_reply_headers_only(s, up.status, up.headers, up.n_headers);
        return;
    }
    http_reply_headers(s, up.status ? up.status : 200, up.headers, up.n_headers);
    pump(s);
}

static void on_writable(struct http_stream *s, void *ctx) {
    (void)ctx;
    pump(s);
}

static void on_gone(struct http_stream *s, enum http_gone why, void *ctx) {
    (void)ctx;
    up.gone++;
    up.why = why;
    if (up.stream == s) up.stream = NULL;
}

static void start(bool http1_only) {
    struct err err = { 0 };
    up = (struct upstream){ .out = BUF_INIT(64 * MIB) };
    rig_start(&up.rig, RIG_TLS, NULL, http1_only);
    up.headers = GRPC, up.n_headers = 1, up.trailers = FINE, up.n_trailers = 1;
    const struct http_server_config config = {
        .loop = up.rig.loop, .handler = { .on_request = on_request, .on_writable = on_writable, .on_gone = on_gone }
    };
    const struct http_listen listen = { .address = STR("127.0.0.1:0"), .tls = up.rig.server_tls, .http1_only = http1_only };
    assert_int_equal(http_server_new(&config, &up.server, &err), OK);
    if (http_server_listen(up.server, &listen, &up.listener, &err)) fail_msg("%s", err.message);
    up.port = http_listener_port(up.listener);
}

static void kill_upstream(void) {
    http_server_free(up.server);
    up.server = NULL;
}

static void stop(void) {
    kill_upstream();
    buf_free(&up.out);
    rig_stop(&up.rig);
}

/* ---- the caller ---- */

struct caller {
    struct upstream_call *call;
    unsigned messages, ends, pause_after, cancel_after; /* 0: never */
    bool paused, always_pauses;
    size_t most_held, bytes;
    bool wrong; /* a message was not the one that was sent */
    struct upstream_status status;
    char message[1200], details[256], reason[1200], first[64];
};

static bool on_message(struct upstream_call *call, struct str message, void *ctx) {
    struct caller *c = ctx;
    assert_int_equal(c->ends, 0);
    assert_false(c->paused);
    if (c->messages == 0) (void)snprintf(c->first, sizeof c->first, "%.*s", STR_ARG(str_upto(message, 60)));
    for (size_t k = 0; k < message.n && up.message_bytes; k += 997)
        c->wrong |= message.p[k] != (char)(c->messages * 7 + k) || message.n != up.message_bytes;
    c->messages++;
    c->bytes += message.n;
    if (upstream_call_held(call) > c->most_held) c->most_held = upstream_call_held(call);
    if (c->messages == c->cancel_after) upstream_call_cancel(call);
    c->paused = c->always_pauses || c->messages == c->pause_after;
    return !c->paused;
}

static void on_end(struct upstream_call *call, const struct upstream_status *status, void *ctx) {
    struct caller *c = ctx;
    (void)call;
    c->ends++;
    c->status = *status;
    (void)snprintf(c->message, sizeof c->message, "%.*s", STR_ARG(status->message));
    (void)snprintf(c->details, sizeof c->details, "%.*s", STR_ARG(status->details));
    (void)snprintf(c->reason, sizeof c->reason, "%.*s", STR_ARG(status->reason));
}

static struct upstream_request request(void) {
    return (struct upstream_request){ .name = STR("prod.spanner"),
                                      .scheme = STR("https"),
                                      .host = STR("localhost"),
                                      .port = up.port,
                                      .path = STR("/google.spanner.v1.Spanner/Read"),
                                      .token = STR("ya29.secret"),
                                      .message = STR("question"),
                                      .max_message_bytes = 4 * MIB };
}

static void call_with(struct caller *c, struct http_client *client, const struct upstream_request *r) {
    static const struct upstream_handler handler = { on_message, on_end };
    struct err err = { 0 };
    if (upstream_call_start(up.rig.loop, client, r, &handler, c, &c->call, &err)) fail_msg("%s", err.message);
    assert_int_equal(c->messages + c->ends, 0); /* never from inside */
}

static void call(struct caller *c) {
    struct upstream_request r = request();
    call_with(c, up.rig.client, &r);
}

static struct caller whole(void) {
    struct caller c = { 0 };
    call(&c);
    rig_wait(&up.rig, &c.ends, 1);
    rig_turn(&up.rig, 5);
    assert_int_equal(c.ends, 1);
    assert_false(c.wrong);
    return c;
}

/* ---- what goes out ---- */

static void test_what_is_sent(void **state) {
    (void)state;
    static const struct http_header metadata[] = { { STR_INIT("google-cloud-resource-prefix"), STR_INIT("projects/p") } };
    struct caller c = { 0 };
    start(false);
    struct upstream_request r = request();
    r.metadata = metadata, r.n_metadata = 1;
    r.deadline_us = clock_wall_us() + 5000000;
    up.n_messages = 1, up.message_bytes = 10;
    call_with(&c, up.rig.client, &r);
    rig_wait(&up.rig, &c.ends, 1);
    assert_int_equal(c.status.code, OK);
    assert_false(c.status.ours);
    static const char *const lines[] = {
        "POST /google.spanner.v1.Spanner/Read\n",     "te: trailers\n",
        "content-type: application/grpc\n",           "user-agent: linkspan\n",
        "grpc-accept-encoding: identity\n",           "authorization: Bearer ya29.secret\n",
        "google-cloud-resource-prefix: projects/p\n", "content-length: 13\n"
    };
    for (size_t i = 0; i < COUNT(lines); i++)
        if (!strstr(up.seen, lines[i])) fail_msg("no \"%s\" in:\n%s", lines[i], up.seen);
    const char *timeout = strstr(up.seen, "grpc-timeout: ");
    assert_non_null(timeout);
    int ms = (int)strtol(timeout + 14, NULL, 10);
    assert_in_range(ms, 4000, 5000);
    stop();
}

static void test_what_may_not_go(void **state) {
    (void)state;
    static const struct http_header cases[] = {
        { STR_INIT("authorization"), STR_INIT("Bearer client's") },
        { STR_INIT("grpc-timeout"), STR_INIT("1H") },
        { STR_INIT("grpc-encoding"), STR_INIT("gzip") },
        { STR_INIT("te"), STR_INIT("x") },
        { STR_INIT("host"), STR_INIT("other") },
        { STR_INIT(":authority"), STR_INIT("other") },
        { STR_INIT("X-Upper"), STR_INIT("x") },
        { STR_INIT("x-break"), STR_INIT("a\r\nb: c") },
        { STR_INIT("cookie"), STR_INIT("a=b") },
        { STR_INIT("content-length"), STR_INIT("1") },
    };
    static const struct upstream_handler handler = { on_message, on_end };
    start(false);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct upstream_request r = request();
        struct upstream_call *none = NULL;
        struct err err = { 0 };
        r.metadata = &cases[i], r.n_metadata = 1;
        assert_int_equal(upstream_call_start(up.rig.loop, up.rig.client, &r, &handler, NULL, &none, &err),
                         INVALID_ARGUMENT);
        if (!strstr(err.message, "metadata")) fail_msg("%s", err.message);
    }
    struct upstream_request r = request();
    struct upstream_call *none = NULL;
    r.token = STR("two words");
    assert_int_equal(upstream_call_start(up.rig.loop, up.rig.client, &r, &handler, NULL, &none, NULL), INVALID_ARGUMENT);
    stop();
}

/* ---- what comes back ---- */

static void test_streams_of_all_sizes(void **state) {
    (void)state;
    static const struct {
        unsigned n;
        size_t bytes;
    } cases[] = { { 0, 1 }, { 1, 0 }, { 1, 1 }, { 5000, 3 }, { 300, 16 * KIB }, { 12, WINDOW }, { 2, 4 * MIB } };
    for (size_t i = 0; i < COUNT(cases); i++) {
        start(false);
        up.n_messages = cases[i].n, up.message_bytes = cases[i].bytes;
        print_message("  %u messages of %zu bytes\n", cases[i].n, cases[i].bytes);
        struct caller c = whole();
        if (c.status.code) fail_msg("%zu: %s", i, c.message);
        assert_int_equal(c.messages, cases[i].n);
        assert_int_equal(c.bytes, cases[i].n * cases[i].bytes);
        stop();
    }
}

/* 20 MiB for a reader who stops after each message for a while: what is held stays small, nothing is lost. */
static void test_a_reader_that_pauses(void **state) {
    (void)state;
    struct caller c = { .pause_after = 3 };
    start(false);
    up.n_messages = 200, up.message_bytes = 100 * KIB;
    call(&c);
    rig_wait(&up.rig, &c.messages, 3);
    unsigned before = 0;
    for (int k = 0; k < 50 && up.sent != before; k++) { /* until nothing moves any more */
        before = up.sent;
        rig_turn(&up.rig, 20);
    }
    assert_int_equal(c.messages, 3);
    assert_true(upstream_call_held(c.call) <= WINDOW + 200 * KIB);
    assert_true(before < 20); /* the upstream waits */
    c.always_pauses = true;
    while (!c.ends) {
        if (c.paused && c.messages % 5 == 0) rig_turn(&up.rig, 1);
        c.paused = false;
        upstream_call_resume(c.call);
        upstream_call_resume(c.call); /* twice is once */
        loop_run_once(up.rig.loop, 0);
    }
    assert_int_equal(c.status.code, OK);
    assert_int_equal(c.messages, 200);
    assert_false(c.wrong);
    assert_true(c.most_held <= WINDOW + 400 * KIB);
    stop();
}

static void test_the_end_waits_for_a_paused_reader(void **state) {
    (void)state;
    struct caller c = { .pause_after = 1 };
    start(false);
    up.n_messages = 10, up.message_bytes = 100;
    call(&c);
    rig_wait(&up.rig, &up.gone, 1);
    rig_turn(&up.rig, 50);
    assert_int_equal(c.messages, 1);
    assert_int_equal(c.ends, 0);
    kill_upstream(); /* the answer was whole before */
    c.paused = false;
    upstream_call_resume(c.call);
    rig_wait(&up.rig, &c.ends, 1);
    assert_int_equal(c.messages, 10);
    assert_int_equal(c.status.code, OK);
    stop();
}

static void test_status_and_details(void **state) {
    (void)state;
    static const struct http_header trailers[] = {
        { STR_INIT("grpc-status"), STR_INIT("10") },
        { STR_INIT("grpc-message"), STR_INIT("Transaction%20aborted %C3%BC") },
        { STR_INIT("grpc-status-details-bin"), STR_INIT("ZGV0YWlscw") }, /* "details" */
        { STR_INIT("google.rpc.retryinfo-bin"), STR_INIT("cmV0cnk") }    /* "retry" */
    };
    start(false);
    up.n_messages = 2, up.message_bytes = 5;
    up.trailers = trailers, up.n_trailers = COUNT(trailers);
    struct caller c = whole();
    assert_int_equal(c.messages, 2);
    assert_int_equal(c.status.code, ABORTED);
    assert_false(c.status.ours);
    assert_string_equal(c.message, "Transaction aborted ü");
    assert_string_equal(c.details, "details");
    stop();
    start(false); /* Trailers-Only */
    static const struct http_header only[] = { { STR_INIT("content-type"), STR_INIT("application/grpc") },
                                               { STR_INIT("grpc-status"), STR_INIT("5") },
                                               { STR_INIT("grpc-message"), STR_INIT("no such session") } };
    up.status = 200, up.headers = only, up.n_headers = COUNT(only), up.n_trailers = 0;
    c = whole();
    assert_int_equal(c.status.code, NOT_FOUND);
    assert_false(c.status.ours);
    assert_string_equal(c.message, "no such session");
    stop();
}

/* 100,000 messages that came in few pieces, taken one by one: each costs its own bytes, not those that wait behind it. */
static void test_many_small_messages_one_by_one(void **state) {
    (void)state;
    enum { MANY = 100000 };
    struct caller c = { .always_pauses = true };
    start(false);
    up.n_messages = MANY, up.message_bytes = 1;
    call(&c);
    uint64_t began = clock_mono_us();
    while (!c.ends) {
        c.paused = false;
        upstream_call_resume(c.call);
        loop_run_once(up.rig.loop, 0);
    }
    assert_int_equal(c.messages, MANY);
    assert_false(c.wrong);
    assert_true(c.most_held <= 2 * WINDOW);
    print_message("  %.1f us each\n", (double)(clock_mono_us() - began) / MANY);
    stop();
}

/* ---- what is no answer ---- */

#define HTML                                                                                                               \
    { STR_INIT("content-type"), STR_INIT("text/html") }

static void test_no_lawful_answers(void **state) {
    (void)state;
    static const struct http_header html[] = { HTML },
                                    gzip[] = { GRPC_TYPE, { STR_INIT("grpc-encoding"), STR_INIT("gzip") } },
                                    odd[] = { { STR_INIT("grpc-status"), STR_INIT("17") } },
                                    text[] = { { STR_INIT("grpc-status"), STR_INIT("OK") } },
                                    twice[] = { STATUS_OK, { STR_INIT("grpc-status"), STR_INIT("7") } },
                                    shorter[] = { GRPC_TYPE, { STR_INIT("content-length"), STR_INIT("3") } },
                                    longer[] = { GRPC_TYPE, { STR_INIT("content-length"), STR_INIT("300") } };
    static const struct {
        const char *name;
        unsigned status;
        const struct http_header *headers;
        size_t n_headers;
        const struct http_header *trailers;
        size_t n_trailers;
        struct str body;
        enum code code;
        const char *says; /* message or reason */
    } cases[] = {
        { "HTML", 200, html, 1, NULL, 0, STR_INIT("<html>sign in"), INTERNAL, "text/html" },
        { "a proxy's 502", 502, html, 1, NULL, 0, STR_INIT("<html>bad"), UNAVAILABLE, "HTTP 502" },
        { "a proxy's 503 without a body", 503, html, 1, NULL, 0, STR_INIT(""), UNAVAILABLE, "HTTP 503" },
        { "401", 401, html, 1, NULL, 0, STR_INIT("x"), UNAUTHENTICATED, "HTTP 401" },
        { "a redirect", 302, html, 1, NULL, 0, STR_INIT("x"), UNKNOWN, "HTTP 302" },
        { "compressed", 200, gzip, 2, FINE, 1, STR_INIT("\0\0\0\0\1x"), INTERNAL, "compresses" },
        { "no status", 200, GRPC, 1, NULL, 0, STR_INIT("\0\0\0\0\1x"), INTERNAL, "without a status" },
        { "a status over 16", 200, GRPC, 1, odd, 1, STR_INIT("\0\0\0\0\1x"), INTERNAL, "without a status" },
        { "a status in words", 200, GRPC, 1, text, 1, STR_INIT("\0\0\0\0\1x"), INTERNAL, "without a status" },
        { "two statuses", 200, GRPC, 1, twice, 2, STR_INIT("\0\0\0\0\1x"), INTERNAL, "without a status" },
        { "half a message", 200, GRPC, 1, FINE, 1, STR_INIT("\0\0\0\0\5x"), INTERNAL, "in the midst" },
        { "half a prefix", 200, GRPC, 1, FINE, 1, STR_INIT("\0\0"), INTERNAL, "in the midst" },
        { "a message of 4 GiB", 200, GRPC, 1, FINE, 1, STR_INIT("\0\xff\xff\xff\xffx"), RESOURCE_EXHAUSTED, "limit" },
        { "a message over our limit", 200, GRPC, 1, FINE, 1, STR_INIT("\0\0\x40\0\1x"), RESOURCE_EXHAUSTED, "limit" },
        { "a compressed message", 200, GRPC, 1, FINE, 1, STR_INIT("\1\0\0\0\1x"), INTERNAL, "no gRPC message" },
        { "no flag that there is", 200, GRPC, 1, FINE, 1, STR_INIT("\7\0\0\0\1x"), INTERNAL, "no gRPC message" },
        { "more bytes than its content-length", 200, shorter, 2, FINE, 1, STR_INIT("\0\0\0\0\1x"), INTERNAL, "HTTP" },
        { "fewer bytes than its content-length", 200, longer, 2, FINE, 1, STR_INIT("\0\0\0\0\1x"), INTERNAL, "HTTP" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        start(false);
        up.status = cases[i].status;
        up.headers = cases[i].headers, up.n_headers = cases[i].n_headers;
        up.trailers = cases[i].trailers, up.n_trailers = cases[i].n_trailers;
        buf_add_str(&up.out, cases[i].body);
        struct caller c = whole();
        bool said = strstr(c.message, cases[i].says) || strstr(c.reason, cases[i].says);
        if (c.status.code != cases[i].code || !c.status.ours || !said)
            fail_msg("%s: %s \"%s\" (%s)", cases[i].name, code_name(c.status.code), c.message, c.reason);
        if (!strstr(c.message, "prod.spanner") || strstr(c.message, "localhost"))
            fail_msg("%s: \"%s\" names the address", cases[i].name, c.message);
        stop();
    }
}

static void test_html_over_http1(void **state) {
    (void)state;
    static const struct http_header html[] = { HTML };
    start(true);
    up.headers = html, up.n_trailers = 0;
    buf_add_z(&up.out, "<html>");
    struct caller c = whole();
    assert_int_equal(c.status.code, INTERNAL);
    assert_non_null(strstr(c.reason, "text/html"));
    stop();
}

/* ---- who is not there ---- */

static void test_killed_in_the_midst(void **state) {
    (void)state;
    struct caller c = { .pause_after = 2 }, neighbour = { 0 };
    start(false);
    up.n_messages = 1000, up.message_bytes = 10 * KIB;
    call(&c);
    rig_wait(&up.rig, &c.messages, 2);
    rig_turn(&up.rig, 50);
    kill_upstream();
    rig_turn(&up.rig, 20);
    assert_int_equal(c.ends, 0); /* what arrived whole is still to be read */
    c.paused = false;
    upstream_call_resume(c.call);
    rig_wait(&up.rig, &c.ends, 1);
    assert_true(c.messages > 2 && c.messages < 100);
    assert_false(c.wrong);
    assert_int_equal(c.status.code, UNAVAILABLE);
    assert_true(c.status.ours);
    struct upstream_request r = request();
    r.port = up.rig.port; /* another upstream of the same client: unharmed, if no gRPC (the rig's echo) */
    call_with(&neighbour, up.rig.client, &r);
    rig_wait(&up.rig, &neighbour.ends, 1);
    assert_int_equal(neighbour.status.http_status, 200);
    struct caller after = { 0 };
    call(&after);
    rig_wait(&up.rig, &after.ends, 1);
    assert_int_equal(after.status.code, UNAVAILABLE);
    assert_non_null(strstr(after.message, "does not accept connections"));
    stop();
}

static void test_a_reset_leaves_the_neighbours(void **state) {
    (void)state;
    struct caller victim = { .pause_after = 1 }, neighbour = { .pause_after = 1 };
    start(false);
    up.n_messages = 1, up.message_bytes = 10, up.never_ends = true;
    call(&neighbour);
    rig_wait(&up.rig, &neighbour.messages, 1);
    struct http_stream *other = up.stream;
    up.sent = 0, up.at = up.out.n;
    call(&victim);
    rig_wait(&up.rig, &victim.messages, 1);
    http_stream_reset(up.stream, HTTP_RESET_INTERNAL);
    upstream_call_resume(victim.call);
    rig_wait(&up.rig, &victim.ends, 1);
    assert_int_equal(victim.status.code, UNAVAILABLE);
    http_reply_end(other, FINE, 1);
    upstream_call_resume(neighbour.call);
    rig_wait(&up.rig, &neighbour.ends, 1);
    assert_int_equal(neighbour.status.code, OK);
    assert_int_equal(http_server_stats(up.server).accepted, 1);
    stop();
}

static void test_wrong_certificates(void **state) {
    (void)state;
    static const struct {
        const char *name;
        struct str host;
        bool strangers_ca;
    } cases[] = { { "another name", STR_INIT("127.0.0.2"), false }, { "another authority", STR_INIT("localhost"), true } };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct caller c = { 0 };
        struct err err = { 0 };
        struct tls_ctx *system = NULL;
        struct http_client *client = NULL;
        const struct tls_client_config tls = { 0 };
        start(false);
        http_listener_close(up.listener);
        const struct http_listen listen = { .address = STR("0.0.0.0:0"), .tls = up.rig.server_tls };
        assert_int_equal(http_server_listen(up.server, &listen, &up.listener, &err), OK);
        up.port = http_listener_port(up.listener);
        assert_int_equal(tls_client_new(&tls, &system, &err), OK);
        const struct http_client_config config = { .loop = up.rig.loop, .tls = system };
        assert_int_equal(http_client_new(&config, &client, &err), OK);
        struct upstream_request r = request();
        r.host = cases[i].host;
        call_with(&c, cases[i].strangers_ca ? client : up.rig.client, &r);
        rig_wait(&up.rig, &c.ends, 1);
        if (c.status.code != UNAVAILABLE || !strstr(c.message, "certificate")) fail_msg("%s: %s", cases[i].name, c.message);
        assert_int_equal(up.requests, 0);
        http_client_free(client);
        tls_unref(system);
        stop();
    }
}

static const char *refuse_all(const struct net_address *address, void *ctx) {
    (void)address, (void)ctx;
    return "is loopback";
}

static void test_a_refused_address(void **state) {
    (void)state;
    struct caller c = { 0 };
    struct http_client *client = NULL;
    start(false);
    const struct http_client_config config = { .loop = up.rig.loop, .tls = up.rig.client_tls, .refuse = refuse_all };
    assert_int_equal(http_client_new(&config, &client, NULL), OK);
    struct upstream_request r = request();
    call_with(&c, client, &r);
    rig_wait(&up.rig, &c.ends, 1);
    assert_int_equal(c.status.code, UNAVAILABLE);
    assert_non_null(strstr(c.message, "never dialled"));
    http_client_free(client);
    stop();
}

/* ---- time and cancel ---- */

static void test_deadlines(void **state) {
    (void)state;
    struct caller c = { 0 }, late = { 0 };
    start(false);
    (void)whole(); /* connected: what follows is the call's own time */
    up.says_nothing = true;
    struct upstream_request r = request();
    r.deadline_us = clock_wall_us() + 1000000;
    call_with(&c, up.rig.client, &r);
    rig_wait(&up.rig, &up.requests, 2);
    rig_wait(&up.rig, &c.ends, 1);
    assert_int_equal(c.status.code, DEADLINE_EXCEEDED);
    assert_true(c.status.ours);
    rig_wait(&up.rig, &up.gone, 2);
    assert_int_equal(up.why, HTTP_GONE_CANCEL); /* the upstream is told */
    r.deadline_us = clock_wall_us() - 1;
    call_with(&late, up.rig.client, &r);
    rig_wait(&up.rig, &late.ends, 1);
    assert_int_equal(late.status.code, DEADLINE_EXCEEDED);
    assert_int_equal(up.requests, 2); /* nothing was sent */
    stop();
}

static void test_cancel(void **state) {
    (void)state;
    struct caller at_once = { 0 }, waiting = { 0 }, inside = { .cancel_after = 2 }, paused = { .pause_after = 1 };
    start(false);
    call(&at_once);
    upstream_call_cancel(at_once.call);
    up.says_nothing = true;
    call(&waiting);
    rig_wait(&up.rig, &up.requests, 1);
    upstream_call_cancel(waiting.call);
    rig_wait(&up.rig, &up.gone, 1);
    assert_int_equal(up.why, HTTP_GONE_CANCEL);
    up.says_nothing = false;
    up.n_messages = 1000, up.message_bytes = 1000;
    call(&inside);
    rig_wait(&up.rig, &inside.messages, 2);
    rig_wait(&up.rig, &up.gone, 2);
    assert_int_equal(up.why, HTTP_GONE_CANCEL);
    up.sent = 0, up.at = up.out.n;
    call(&paused);
    rig_wait(&up.rig, &paused.messages, 1);
    rig_turn(&up.rig, 20);
    upstream_call_resume(paused.call);
    upstream_call_cancel(paused.call); /* the resumption that waits is called off */
    rig_wait(&up.rig, &up.gone, 3);
    rig_turn(&up.rig, 20);
    assert_int_equal(at_once.messages + at_once.ends + waiting.messages + waiting.ends, 0);
    assert_int_equal(inside.messages, 2);
    assert_int_equal(paused.messages, 1);
    assert_int_equal(inside.ends + paused.ends, 0);
    upstream_call_cancel(NULL);
    stop();
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_sent),
        cmocka_unit_test(test_what_may_not_go),
        cmocka_unit_test(test_streams_of_all_sizes),
        cmocka_unit_test(test_a_reader_that_pauses),
        cmocka_unit_test(test_the_end_waits_for_a_paused_reader),
        cmocka_unit_test(test_many_small_messages_one_by_one),
        cmocka_unit_test(test_status_and_details),
        cmocka_unit_test(test_no_lawful_answers),
        cmocka_unit_test(test_html_over_http1),
        cmocka_unit_test(test_killed_in_the_midst),
        cmocka_unit_test(test_a_reset_leaves_the_neighbours),
        cmocka_unit_test(test_wrong_certificates),
        cmocka_unit_test(test_a_refused_address),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
