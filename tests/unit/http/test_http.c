#include "http_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct way {
    const char *name;
    enum rig_transport transport;
    bool http1_only, prior_h2;
};

static const struct way ways[] = {
    { "TLS, h2", RIG_TLS, false, false },
    { "TLS, http/1.1", RIG_TLS, true, false },
    { "plaintext http/1.1", RIG_PLAIN, false, false },
    { "plaintext h2", RIG_PLAIN, false, true },
};

static struct http_client_request request(const struct rig *rig, const struct way *way, const char *method,
                                          const char *path) {
    struct http_client_request r = rig_request(rig, method, path);
    if (way->transport == RIG_PLAIN) r.scheme = STR("http");
    r.prior_h2 = way->prior_h2;
    return r;
}

static bool is_h2(const struct way *way) {
    return way->prior_h2 || (way->transport == RIG_TLS && !way->http1_only);
}

static struct rig_call one(struct rig *rig, const struct way *way, const char *method, const char *path, struct str body) {
    struct rig_call call = { 0 };
    struct http_client_request r = request(rig, way, method, path);
    r.body = body;
    rig_send(rig, &call, &r);
    rig_finish(rig, &call);
    return call;
}

static void test_echo_each_way(void **state UNUSED) {
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct rig rig;
        print_message("  %s\n", ways[i].name);
        rig_start(&rig, ways[i].transport, NULL, ways[i].http1_only);
        for (int again = 0; again < 3; again++) {
            struct rig_call call = one(&rig, &ways[i], "POST", "/a/b?x=1", STR("hello"));
            if (call.errors) fail_msg("%s", call.error);
            assert_int_equal(call.status, 200);
            assert_string_equal(call.body, "hello");
            assert_string_equal(call.header, "application/octet-stream");
        }
        assert_string_equal(rig.seen, ways[i].transport == RIG_TLS ? "POST /a/b x=1 https 5" : "POST /a/b x=1 http 5");
        assert_int_equal(http_server_stats(rig.server).accepted, 1); /* one connection for all three */
        assert_ptr_equal(rig.listener_ctx, &rig);
        assert_int_equal(rig.last_gone, HTTP_GONE_DONE);
        rig_stop(&rig);
    }
}

static void test_trailers(void **state UNUSED) {
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct rig rig;
        rig_start(&rig, ways[i].transport, NULL, ways[i].http1_only);
        struct rig_call call = one(&rig, &ways[i], "POST", "/grpc", STR("frame"));
        assert_string_equal(call.body, "frame");
        assert_string_equal(call.trailer, "grpc-status=0");
        call = one(&rig, &ways[i], "POST", "/trailers-only", STR(""));
        assert_int_equal(call.status, 200);
        assert_int_equal(call.bytes, 0);
        rig_stop(&rig);
    }
}

static void test_head_has_no_body(void **state UNUSED) {
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct rig rig;
        rig_start(&rig, ways[i].transport, NULL, ways[i].http1_only);
        struct rig_call call = one(&rig, &ways[i], "HEAD", "/where", STR(""));
        if (call.errors) fail_msg("%s: %s", ways[i].name, call.error);
        assert_int_equal(call.status, 200);
        assert_int_equal(call.bytes, 0);
        call = one(&rig, &ways[i], "GET", "/where", STR(""));
        assert_true(call.bytes > 9);
        rig_stop(&rig);
    }
}

/* 8 MiB out and back in: flow control, partial writes, TLS records of all sizes. */
static void test_large_bodies(void **state UNUSED) {
    enum { BYTES = 8 << 20 };
    char *big = malloc(BYTES);
    memset(big, 'x', BYTES);
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct rig rig;
        rig_start(&rig, ways[i].transport, NULL, ways[i].http1_only);
        struct rig_call call = one(&rig, &ways[i], "POST", "/up", (struct str){ big, BYTES });
        if (call.errors) fail_msg("%s: %s", ways[i].name, call.error);
        assert_true(strstr(rig.seen, " 8388608") != NULL);
        assert_int_equal(http_server_stats(rig.server).body_bytes, 0); /* given back */
        rig.to_send = 3 << 20;
        call = one(&rig, &ways[i], "GET", "/stream", STR(""));
        assert_int_equal(call.bytes, 3 << 20);
        uint64_t hash = 0;
        for (size_t k = 0; k < 3 << 20; k++) hash = hash * 31 + (unsigned char)(char)((k / 8192 * 8192) + k % 8192);
        assert_true(call.hash == hash);
        rig_stop(&rig);
    }
    free(big);
}

/* A reader that pauses holds back its own stream only; what waits for it is bounded. */
static void test_paused_reader(void **state UNUSED) {
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct rig rig;
        struct rig_call slow = { .pause_at_headers = true };
        rig_start(&rig, ways[i].transport, NULL, ways[i].http1_only);
        rig.to_send = 16 << 20; /* more than the queue and the sockets hold */
        struct http_client_request r = request(&rig, &ways[i], "GET", "/stream");
        r.max_body = SIZE_MAX;
        rig_send(&rig, &slow, &r);
        rig_wait(&rig, &slow.headers, 1);
        size_t before = 0;
        for (int k = 0; k < 50 && rig.sent != before; k++) { /* until nothing moves any more */
            before = rig.sent;
            rig_turn(&rig, 50);
        }
        assert_true(slow.bytes <= (is_h2(&ways[i]) ? 256u * 1024 : 64u * 1024 + 20000));
        assert_true(rig.sent < rig.to_send);
        assert_true(rig.most_queued <= 256 * 1024 + 64);
        struct rig_call quick = one(&rig, &ways[i], "GET", "/where", STR("")); /* others go on */
        assert_int_equal(quick.status, 200);
        assert_int_equal(rig.sent, before);
        http_call_resume(slow.call);
        rig_finish(&rig, &slow);
        if (slow.errors) fail_msg("%s: %s", ways[i].name, slow.error);
        assert_int_equal(slow.bytes, 16 << 20);
        rig_stop(&rig);
    }
}

static void test_cancel_is_seen(void **state UNUSED) {
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct rig rig;
        struct rig_call call = { 0 };
        rig_start(&rig, ways[i].transport, NULL, ways[i].http1_only);
        struct http_client_request r = request(&rig, &ways[i], "GET", "/never");
        rig_send(&rig, &call, &r);
        rig_wait(&rig, &rig.requests, 1);
        assert_true(http_stream_is_open(rig.stream));
        http_call_cancel(call.call);
        rig_wait(&rig, &rig.gone, 1);
        assert_int_equal(rig.gone, 1);
        assert_int_equal(rig.last_gone, HTTP_GONE_CANCEL);
        assert_int_equal(call.ends + call.errors, 0);
        rig_stop(&rig);
    }
}

static void test_reset_by_server(void **state UNUSED) {
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct rig rig;
        rig_start(&rig, ways[i].transport, NULL, ways[i].http1_only);
        struct rig_call call = one(&rig, &ways[i], "POST", "/reset", STR("x"));
        assert_int_equal(call.errors, 1);
        rig_wait(&rig, &rig.gone, 1);
        assert_int_equal(rig.last_gone, HTTP_GONE_RESET);
        rig_stop(&rig);
    }
}

static void test_body_limit(void **state UNUSED) {
    char body[5000];
    memset(body, 'y', sizeof body);
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct rig rig;
        rig_start(&rig, ways[i].transport, NULL, ways[i].http1_only);
        struct rig_call call = one(&rig, &ways[i], "POST", "/small", (struct str){ body, 1000 });
        assert_int_equal(call.status, 200);
        call = one(&rig, &ways[i], "POST", "/small", (struct str){ body, 1001 });
        assert_int_equal(call.status, 413);
        assert_string_equal(call.body, "too large");
        assert_int_equal(rig.too_large, 1);
        rig_stop(&rig);
    }
}

/* What is sent to a stream that was refused counts against the connection's window: it must be given back, or the
 * connection starves. 8 MB against a window of 1 MiB. */
static void test_refused_bodies_starve_nobody(void **state UNUSED) {
    static char body[200000];
    struct rig rig;
    rig_start(&rig, RIG_TLS, NULL, false);
    for (int i = 0; i < 40; i++) {
        struct rig_call call = one(&rig, &ways[0], "POST", "/small", (struct str){ body, sizeof body });
        if (call.status != 413) fail_msg("%d: %u %s", i, call.status, call.error);
    }
    struct rig_call call = one(&rig, &ways[0], "POST", "/up", (struct str){ body, sizeof body });
    assert_int_equal(call.status, 200);
    assert_int_equal(http_server_stats(rig.server).accepted, 1);
    rig_stop(&rig);
}

/* The connection's total: four bodies of 100 KB do not fit into 250 KB, and the memory comes back. */
static void test_connection_body_total(void **state UNUSED) {
    static char body[100000];
    struct rig rig;
    struct rig_call calls[4] = { 0 };
    rig_start(&rig, RIG_TLS, &(struct http_limits){ .conn_body_bytes = 250000 }, false);
    struct http_client_request r = request(&rig, &ways[0], "POST", "/never");
    r.body = (struct str){ body, sizeof body };
    for (size_t i = 0; i < COUNT(calls); i++) rig_send(&rig, &calls[i], &r);
    rig_wait(&rig, &rig.too_large, 2);
    rig_wait(&rig, &rig.requests, 2);
    assert_int_equal(rig.too_large, 2);
    assert_int_equal(http_server_stats(rig.server).body_bytes, 200000);
    rig_stop(&rig);
}

/* Whoever may have no room sends small bodies, while half of the room is free. */
static void test_room_for_those_who_may_have_it(void **state UNUSED) {
    static char body[150000];
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct rig rig;
        struct rig_call calls[4] = { 0 };
        rig_start(&rig, ways[i].transport, &(struct http_limits){ .server_body_bytes = 400000 }, ways[i].http1_only);
        struct rig_call call = one(&rig, &ways[i], "POST", "/stranger", (struct str){ body, HTTP_SMALL_BODY });
        assert_int_equal(call.status, 200);
        call = one(&rig, &ways[i], "POST", "/stranger", (struct str){ body, HTTP_SMALL_BODY + 1 });
        assert_int_equal(call.status, 413);
        assert_int_equal(rig.met, HTTP_SMALL_BODY);
        struct http_client_request held = request(&rig, &ways[i], "POST", "/never");
        held.body = (struct str){ body, sizeof body };
        rig_send(&rig, &calls[0], &held);
        rig_wait(&rig, &rig.requests, 2);
        call = one(&rig, &ways[i], "POST", "/stranger", (struct str){ body, 60000 });
        assert_int_equal(call.status, 413); /* beside 150,000 of 400,000 */
        assert_int_equal(rig.met, 0);
        call = one(&rig, &ways[i], "POST", "/up", (struct str){ body, sizeof body });
        assert_int_equal(call.status, 200);
        rig_stop(&rig);
    }
}

static void test_listener_close_cuts_at_once(void **state UNUSED) {
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct rig rig;
        rig_start(&rig, ways[i].transport, NULL, ways[i].http1_only);
        struct rig_call call = one(&rig, &ways[i], "POST", "/close", STR("")); /* from inside on_request */
        assert_int_equal(call.errors, 1);
        assert_int_equal(rig.last_gone, HTTP_GONE_LOST);
        assert_int_equal(http_server_stats(rig.server).connections, 0);
        call = one(&rig, &ways[i], "GET", "/again", STR(""));
        assert_true(strstr(call.error, "refused") != NULL);
        rig_stop(&rig);
    }
}

static void on_drained(struct http_server *server UNUSED, void *ctx) {
    struct rig *rig = ctx;
    rig->drained = true;
}

static void test_drain_finishes_what_runs(void **state UNUSED) {
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct rig rig;
        struct rig_call call = { 0 };
        rig_start(&rig, ways[i].transport, NULL, ways[i].http1_only);
        struct http_client_request r = request(&rig, &ways[i], "GET", "/never");
        rig_send(&rig, &call, &r);
        rig_wait(&rig, &rig.requests, 1);
        http_server_drain(rig.server, 2000, on_drained, &rig);
        rig_turn(&rig, 110);
        assert_false(rig.drained);
        http_reply_simple(rig.stream, 200, STR("text/plain"), STR("late"));
        rig_finish(&rig, &call);
        assert_string_equal(call.body, "late");
        rig_until(&rig, &rig.drained);
        assert_int_equal(rig.last_gone, HTTP_GONE_DONE);
        rig_stop(&rig);
    }
}

static void test_drain_grace_ends(void **state UNUSED) {
    struct rig rig;
    struct rig_call call = { 0 };
    rig_start(&rig, RIG_TLS, NULL, false);
    struct http_client_request r = request(&rig, &ways[0], "GET", "/never");
    rig_send(&rig, &call, &r);
    rig_wait(&rig, &rig.requests, 1);
    http_server_drain(rig.server, 80, on_drained, &rig);
    rig_until(&rig, &rig.drained);
    assert_int_equal(rig.last_gone, HTTP_GONE_LOST);
    rig_stop(&rig);
}

static const struct http_limits short_times = {
    .handshake_ms = 100, .headers_ms = 100, .body_ms = 100, .idle_ms = 100, .write_ms = 200
};

struct late_case {
    const char *name;
    enum rig_transport transport;
    const char *text, *answer;
};

static void test_timeouts(void **state UNUSED) {
    static const struct late_case cases[] = {
        { "no TLS handshake", RIG_TLS, "", "" },
        { "nothing at all", RIG_PLAIN, "", "" },
        { "half a preface", RIG_PLAIN, "PRI * HT", "" },
        { "half a request", RIG_PLAIN, "GET / HTTP/1.1\r\nhos", "" },
        { "half a body", RIG_PLAIN, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc", "HTTP/1.1 408 " },
        { "idle after a request", RIG_PLAIN, "GET /where HTTP/1.1\r\nhost: a\r\n\r\n", "HTTP/1.1 200 " },
        { "an HTTP/2 preface alone", RIG_PLAIN, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", NULL },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig rig;
        char answer[4096];
        bool closed = false;
        rig_start(&rig, cases[i].transport, &short_times, false);
        size_t n = rig_raw(&rig, str_z(cases[i].text), answer, sizeof answer, 1500, &closed);
        if (!closed) fail_msg("%s: still open", cases[i].name);
        const char *want = cases[i].answer;
        if (want && (want[0] ? strncmp(answer, want, strlen(want)) != 0 : n != 0))
            fail_msg("%s: %s", cases[i].name, answer);
        rig_stop(&rig);
    }
}

/* A client that asks and never reads: its connection ends when its TCP takes nothing for write_ms. */
static void test_a_reader_that_stops(void **state UNUSED) {
    struct rig rig;
    const struct str text = STR("GET /stream HTTP/1.1\r\nhost: a\r\n\r\n");
    rig_start(&rig, RIG_PLAIN, &short_times, false);
    rig.to_send = 64 << 20;
    int fd = rig_connect(&rig);
    assert_int_equal(send(fd, text.p, text.n, 0), text.n);
    rig_wait(&rig, &rig.gone, 1);
    assert_int_equal(rig.last_gone, HTTP_GONE_LOST);
    assert_int_equal(http_server_stats(rig.server).connections, 0);
    close(fd);
    rig_stop(&rig);
}

/* HTTP/2, with SETTINGS that give each stream a window of 0; and GET http a/stream on a stream of that number. */
#define SHUT_WINDOWS "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\6\4\0\0\0\0\0\0\4\0\0\0\0"
#define GET_STREAM(number)                                                                                                 \
    "\0\0\x0e\1\5\0\0\0" number "\x82\x86\x04\x07/stream\x41\x01"                                                          \
    "a"

static int ask_and_take_nothing(struct rig *rig, struct str text) {
    rig->to_send = 100000;
    int fd = rig_connect(rig);
    assert_int_equal(send(fd, text.p, text.n, 0), text.n);
    return fd;
}

/* A window that is shut, while TCP takes all: the stream ends when it has taken nothing for stall_ms. */
static void test_a_window_that_stays_shut(void **state UNUSED) {
    struct rig rig;
    rig_start(&rig, RIG_PLAIN, &(struct http_limits){ .stall_ms = 150 }, false);
    int fd = ask_and_take_nothing(&rig, STR(SHUT_WINDOWS GET_STREAM("\1")));
    rig_wait(&rig, &rig.requests, 1);
    rig_wait(&rig, &rig.gone, 1);
    assert_int_equal(rig.last_gone, HTTP_GONE_RESET);
    assert_int_equal(http_server_stats(rig.server).connections, 1);
    close(fd);
    rig_stop(&rig);
}

/* Whole replies that nobody takes are few: those beyond are reset though stall_ms is far. */
static void test_too_many_windows_that_stay_shut(void **state UNUSED) {
    struct rig rig;
    rig_start(&rig, RIG_PLAIN, &(struct http_limits){ .headers_ms = 200, .max_stalled = 1 }, false);
    int fd = ask_and_take_nothing(&rig, STR(SHUT_WINDOWS GET_STREAM("\1") GET_STREAM("\3") GET_STREAM("\5")));
    rig_wait(&rig, &rig.requests, 3);
    rig_wait(&rig, &rig.gone, 2);
    assert_int_equal(rig.last_gone, HTTP_GONE_RESET);
    rig_turn(&rig, 200);
    assert_int_equal(rig.gone, 2); /* one may wait */
    assert_int_equal(http_server_stats(rig.server).streams, 1);
    close(fd);
    rig_stop(&rig);
}

/* A byte now and then is never late by itself. */
static void test_a_body_that_trickles(void **state UNUSED) {
    struct rig rig;
    char answer[64] = "";
    const struct str text = STR("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n");
    rig_start(&rig, RIG_PLAIN, &(struct http_limits){ .body_ms = 200 }, false);
    int fd = rig_connect(&rig);
    assert_int_equal(send(fd, text.p, text.n, 0), text.n);
    unsigned turns = 0;
    for (; turns < 50 && recv(fd, answer, sizeof answer - 1, 0) <= 0; turns++) {
        (void)!send(fd, "x", 1, MSG_NOSIGNAL);
        rig_turn(&rig, 20);
    }
    assert_int_equal(strncmp(answer, "HTTP/1.1 408 ", 13), 0);
    assert_in_range(turns, 9, 49); /* not before body_ms */
    assert_int_equal(rig.requests, 0);
    close(fd);
    rig_stop(&rig);
}

/* What is sent ahead is held up to a limit; then the socket is not read, and its end is noticed all the same. */
static void test_end_of_a_paused_connection(void **state UNUSED) {
    static char ahead[100000]; /* 64 KiB are held, the rest fits into the socket: so the FIN gets through */
    struct rig rig;
    const struct str text = STR("GET /never HTTP/1.1\r\nhost: a\r\n\r\n");
    memset(ahead, 'G', sizeof ahead);
    rig_start(&rig, RIG_PLAIN, NULL, false);
    int fd = rig_connect(&rig);
    assert_int_equal(send(fd, text.p, text.n, 0), text.n);
    rig_wait(&rig, &rig.requests, 1);
    assert_int_equal(send(fd, ahead, sizeof ahead, 0), sizeof ahead);
    rig_turn(&rig, 30);
    assert_int_equal(rig.gone, 0);
    close(fd);
    rig_wait(&rig, &rig.gone, 1);
    assert_int_equal(rig.last_gone, HTTP_GONE_CANCEL);
    rig_stop(&rig);
}

struct raw_case {
    const char *name, *text, *answer;
};

static void test_http1_is_strict(void **state UNUSED) {
    static const struct raw_case cases[] = {
        { "lengths and chunks", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
          "400" },
        { "two hosts", "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", "400" },
        { "no host", "GET / HTTP/1.1\r\n\r\n", "400" },
        { "absolute form", "GET http://a/ HTTP/1.1\r\nhost: a\r\n\r\n", "400" },
        { "user info in host", "GET / HTTP/1.1\r\nhost: a@b\r\n\r\n", "400" },
        { "bare LF", "GET / HTTP/1.1\nhost: a\n\n", "400" },
        { "version 2 in a line", "GET / HTTP/2.0\r\nhost: a\r\n\r\n", "505" },
        { "expect something", "GET / HTTP/1.1\r\nhost: a\r\nexpect: x\r\n\r\n", "417" },
        { "pipelined",
          "GET /where HTTP/1.1\r\nhost: one\r\n\r\nGET /where HTTP/1.1\r\nhost: two\r\nconnection: close\r\n\r\n", "200" },
        { "continue",
          "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc",
          "100" },
        { "1.0", "GET /where HTTP/1.0\r\n\r\n", "200" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig rig;
        char answer[4096];
        bool closed = false;
        rig_start(&rig, RIG_PLAIN, NULL, false);
        rig_raw(&rig, str_z(cases[i].text), answer, sizeof answer, 1000, &closed);
        if (!closed) fail_msg("%s: still open", cases[i].name);
        if (strncmp(answer + 9, cases[i].answer, 3) != 0) fail_msg("%s: %s", cases[i].name, answer);
        if (str_eq_z(STR("pipelined"), cases[i].name)) assert_non_null(strstr(answer, "\r\n\r\ntwo"));
        if (str_eq_z(STR("continue"), cases[i].name)) assert_non_null(strstr(answer, "\r\n\r\nHTTP/1.1 200 OK"));
        rig_stop(&rig);
    }
}

static void test_header_flood(void **state UNUSED) {
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct rig rig;
        struct http_header headers[110];
        struct rig_call call = { 0 };
        rig_start(&rig, ways[i].transport, NULL, ways[i].http1_only);
        for (size_t k = 0; k < COUNT(headers); k++) headers[k] = (struct http_header){ STR("x"), STR("y") };
        struct http_client_request r = request(&rig, &ways[i], "GET", "/");
        r.headers = headers;
        r.n_headers = COUNT(headers);
        rig_send(&rig, &call, &r);
        rig_finish(&rig, &call);
        assert_int_equal(call.status, 431);
        assert_int_equal(rig.requests, 0);
        rig_stop(&rig);
    }
}

static void test_long_header_passes(void **state UNUSED) {
    static char token[48 * 1024];
    memset(token, 't', sizeof token);
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct rig rig;
        const struct http_header headers[] = { { STR("authorization"), { token, sizeof token } } };
        struct rig_call call = { 0 };
        rig_start(&rig, ways[i].transport, NULL, ways[i].http1_only);
        struct http_client_request r = request(&rig, &ways[i], "GET", "/where");
        r.headers = headers;
        r.n_headers = 1;
        rig_send(&rig, &call, &r);
        rig_finish(&rig, &call);
        if (call.errors) fail_msg("%s: %s", ways[i].name, call.error);
        assert_int_equal(call.status, 200);
        rig_stop(&rig);
    }
}

static void test_many_streams(void **state UNUSED) {
    struct rig rig;
    static struct rig_call calls[250];
    memset(calls, 0, sizeof calls);
    rig_start(&rig, RIG_TLS, &(struct http_limits){ .max_streams = 20 }, false);
    struct http_client_request r = request(&rig, &ways[0], "GET", "/where");
    for (size_t i = 0; i < COUNT(calls); i++) rig_send(&rig, &calls[i], &r);
    for (size_t i = 0; i < COUNT(calls); i++) {
        rig_finish(&rig, &calls[i]);
        if (calls[i].errors) fail_msg("%zu: %s", i, calls[i].error);
    }
    assert_int_equal(rig.requests, COUNT(calls));
    assert_int_equal(http_server_stats(rig.server).accepted, 1);
    rig_stop(&rig);
}

static void test_connection_limit(void **state UNUSED) {
    struct rig rig;
    int fds[4];
    rig_start(&rig, RIG_PLAIN, &(struct http_limits){ .max_connections = 3 }, false);
    for (size_t i = 0; i < COUNT(fds); i++) fds[i] = rig_connect(&rig);
    rig_turn(&rig, 40);
    assert_int_equal(http_server_stats(rig.server).connections, 3);
    assert_int_equal(http_server_stats(rig.server).refused, 1);
    for (size_t i = 0; i < COUNT(fds); i++) close(fds[i]);
    rig_stop(&rig);
}

/* ---- the client ---- */

static const char *refuse_all(const struct net_address *address, void *ctx) {
    *(struct net_address *)ctx = *address;
    return "is refused";
}

static void test_client_refuses(void **state UNUSED) {
    struct rig rig;
    struct net_address asked = { 0 };
    struct err err;
    rig_start(&rig, RIG_TLS, NULL, false);
    http_client_free(rig.client);
    const struct http_client_config config = {
        .loop = rig.loop, .tls = rig.client_tls, .refuse = refuse_all, .refuse_ctx = &asked
    };
    assert_int_equal(http_client_new(&config, &rig.client, &err), OK);
    struct rig_call call = one(&rig, &ways[0], "GET", "/", STR(""));
    assert_true(strstr(call.error, "PERMISSION_DENIED") == call.error);
    assert_true(net_address_is_loopback(&asked));
    assert_int_equal(asked.port, rig.port);
    assert_int_equal(http_server_stats(rig.server).accepted, 0);
    rig_stop(&rig);
}

static void test_client_verifies_the_name(void **state UNUSED) {
    struct rig rig;
    struct rig_call call = { 0 };
    rig_start(&rig, RIG_TLS, NULL, false);
    struct http_client_request r = request(&rig, &ways[0], "GET", "/");
    r.host = STR("127.0.0.1"); /* in the certificate, as an address */
    rig_send(&rig, &call, &r);
    rig_finish(&rig, &call);
    assert_int_equal(call.status, 200);
    call = (struct rig_call){ 0 };
    r.host = STR("127.0.0.2");
    http_client_free(rig.client);
    struct tls_ctx *strangers = NULL;
    assert_int_equal(tls_client_new(&(struct tls_client_config){ 0 }, &strangers, NULL), OK); /* the system's CAs */
    const struct http_client_config config = { .loop = rig.loop, .tls = strangers };
    assert_int_equal(http_client_new(&config, &rig.client, NULL), OK);
    r.host = STR("localhost");
    rig_send(&rig, &call, &r);
    rig_finish(&rig, &call);
    assert_non_null(strstr(call.error, "certificate"));
    assert_int_equal(rig.requests, 1);
    tls_unref(strangers);
    rig_stop(&rig);
}

static enum code all_loopback(void *ctx UNUSED, const char *host UNUSED, struct net_address *addresses, size_t max UNUSED,
                              size_t *ret_n, struct err *err) {
    *ret_n = 1;
    return net_address_parse(STR("127.0.0.1:0"), addresses, err);
}

/* Connections to other hosts take no place for long: one without a call makes room, and one that ends is followed by
 * whoever waits, whatever its host. */
static void test_client_makes_room(void **state UNUSED) {
    static const char *const hosts[] = { "a.example", "b.example", "c.example", "d.example" };
    struct rig rig;
    struct rig_call first[COUNT(hosts)] = { 0 }, calls[COUNT(hosts)] = { 0 };
    rig_start(&rig, RIG_PLAIN, NULL, false);
    http_client_free(rig.client);
    const struct http_client_config config = { .loop = rig.loop, .max_connections = 2, .resolver = { all_loopback, NULL } };
    assert_int_equal(http_client_new(&config, &rig.client, NULL), OK);
    struct http_client_request r = rig_request(&rig, "GET", "/");
    r.scheme = STR("http");
    r.timeout_ms = 3000;
    for (size_t i = 0; i < COUNT(hosts); i++) { /* one after the other */
        r.host = str_z(hosts[i]);
        rig_send(&rig, &first[i], &r);
        rig_finish(&rig, &first[i]);
        if (first[i].status != 200) fail_msg("%s: %s", hosts[i], first[i].error);
    }
    for (size_t i = 0; i < COUNT(hosts); i++) { /* all at once */
        r.host = str_z(hosts[i]);
        rig_send(&rig, &calls[i], &r);
    }
    for (size_t i = 0; i < COUNT(hosts); i++) {
        rig_finish(&rig, &calls[i]);
        if (calls[i].status != 200) fail_msg("%s, with others: %s", hosts[i], calls[i].error);
    }
    rig_stop(&rig);
}

static void test_client_limits(void **state UNUSED) {
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct rig rig;
        struct rig_call call = { 0 }, late = { 0 };
        rig_start(&rig, ways[i].transport, NULL, ways[i].http1_only);
        rig.to_send = 100000;
        struct http_client_request r = request(&rig, &ways[i], "GET", "/stream");
        r.max_body = 50000;
        rig_send(&rig, &call, &r);
        rig_finish(&rig, &call);
        assert_true(strstr(call.error, "RESOURCE_EXHAUSTED") == call.error);
        r = request(&rig, &ways[i], "GET", "/never");
        r.timeout_ms = 50;
        rig_send(&rig, &late, &r);
        rig_finish(&rig, &late);
        assert_true(strstr(late.error, "DEADLINE_EXCEEDED") == late.error);
        rig_wait(&rig, &rig.gone, rig.requests);
        rig_stop(&rig);
    }
}

static void test_url_split(void **state UNUSED) {
    static const struct {
        const char *url, *host, *path;
        unsigned port;
        bool ok;
    } cases[] = {
        { "https://a.b/c?d", "a.b", "/c?d", 0, true },
        { "http://a:81", "a", "/", 81, true },
        { "https://[::1]:9/x", "::1", "/x", 9, true },
        { "https://u@a/", "", "", 0, false },
        { "ftp://a/", "", "", 0, false },
        { "https://a/#x", "", "", 0, false },
        { "https:///x", "", "", 0, false },
        { "https://a:0/", "", "", 0, false },
        { "https://a:70000/", "", "", 0, false },
        { "https://[::1]x/", "", "", 0, false },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_client_request r = { 0 };
        bool ok = http_url_split(str_z(cases[i].url), &r, NULL) == OK;
        if (ok != cases[i].ok) fail_msg("%s", cases[i].url);
        if (!ok) continue;
        assert_str(r.host, cases[i].host);
        assert_str(r.path, cases[i].path);
        assert_int_equal(r.port, cases[i].port);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo_each_way),
        cmocka_unit_test(test_trailers),
        cmocka_unit_test(test_head_has_no_body),
        cmocka_unit_test(test_large_bodies),
        cmocka_unit_test(test_paused_reader),
        cmocka_unit_test(test_cancel_is_seen),
        cmocka_unit_test(test_reset_by_server),
        cmocka_unit_test(test_body_limit),
        cmocka_unit_test(test_refused_bodies_starve_nobody),
        cmocka_unit_test(test_connection_body_total),
        cmocka_unit_test(test_room_for_those_who_may_have_it),
        cmocka_unit_test(test_listener_close_cuts_at_once),
        cmocka_unit_test(test_drain_finishes_what_runs),
        cmocka_unit_test(test_drain_grace_ends),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_a_reader_that_stops),
        cmocka_unit_test(test_a_window_that_stays_shut),
        cmocka_unit_test(test_too_many_windows_that_stay_shut),
        cmocka_unit_test(test_a_body_that_trickles),
        cmocka_unit_test(test_end_of_a_paused_connection),
        cmocka_unit_test(test_http1_is_strict),
        cmocka_unit_test(test_header_flood),
        cmocka_unit_test(test_long_header_passes),
        cmocka_unit_test(test_many_streams),
        cmocka_unit_test(test_connection_limit),
        cmocka_unit_test(test_client_refuses),
        cmocka_unit_test(test_client_verifies_the_name),
        cmocka_unit_test(test_client_makes_room),
        cmocka_unit_test(test_client_limits),
        cmocka_unit_test(test_url_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
