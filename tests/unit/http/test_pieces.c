/* Bodies in pieces, both sides: full duplex, pressure both ways, ends at every point. */
#include "http_rig.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"

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

/* ---- the reader ---- */

/* What the one reader does: the tests turn these knobs. */
static struct reader {
    size_t most;      /* bytes that it takes of a piece */
    size_t allowance; /* and altogether */
    size_t read;
    bool over, wrong, echo, at_headers;
} reader;

static bool streams(struct http_stream *s UNUSED, const struct http_request *r, void *ctx UNUSED) {
    return str_starts(r->path, STR("/pieces"));
}

static void on_request(struct http_stream *s, const struct http_request *r, void *ctx) {
    struct rig *rig = ctx;
    rig->requests++;
    rig->stream = s;
    reader.at_headers = r->streams;
    if (str_eq(r->path, STR("/pieces/early"))) http_reply_simple(s, 403, STR("text/plain"), STR("no"));
    else if (str_eq(r->path, STR("/pieces/reset"))) http_stream_reset(s, HTTP_RESET_CANCEL);
    else if (!r->streams) http_reply_simple(s, 200, STR("text/plain"), STR("whole"));
    else if (reader.echo) http_reply_headers(s, 200, NULL, 0);
}

static size_t take(struct http_stream *s, struct str piece) {
    size_t left = reader.allowance - reader.read;
    struct str part = str_upto(str_upto(piece, reader.most), left);
    size_t n = reader.echo ? http_reply_data(s, part) : part.n;
    for (size_t i = 0; i < n; i++) reader.wrong = reader.wrong || part.p[i] != rig_byte(reader.read + i);
    reader.read += n;
    return n;
}

static size_t on_body(struct http_stream *s, struct str piece, bool over, void *ctx UNUSED) {
    size_t n = 0;
    for (size_t once = 1; once && n < piece.n; n += once) once = take(s, str_from(piece, n));
    if (!over || n < piece.n) return n;
    reader.over = true;
    if (reader.echo) http_reply_end(s, NULL, 0);
    else http_reply_simple(s, 200, STR("text/plain"), STR("read"));
    return n;
}

static void on_writable(struct http_stream *s, void *ctx UNUSED) {
    http_stream_more(s);
}

static void on_gone(struct http_stream *s, enum http_gone why, void *ctx) {
    struct rig *rig = ctx;
    rig->gone++;
    rig->last_gone = why;
    if (rig->stream == s) rig->stream = NULL;
}

static const struct http_handler handler = {
    .streams = streams, .on_request = on_request, .on_body = on_body, .on_writable = on_writable, .on_gone = on_gone
};

static void start(struct rig *rig, const struct way *way, struct reader how) {
    reader = how;
    if (!reader.most) reader.most = SIZE_MAX;
    if (!reader.allowance) reader.allowance = SIZE_MAX;
    rig_start_with(rig, way->transport, &(struct http_limits){ .queue_bytes = 64 << 10 }, way->http1_only, &handler);
}

static void send_pieces(struct rig *rig, const struct way *way, const char *path, struct rig_call *call) {
    struct http_client_request r = rig_request(rig, "POST", path);
    if (way->transport == RIG_PLAIN) r.scheme = STR("http");
    r.prior_h2 = way->prior_h2;
    r.streams = true;
    r.max_body = SIZE_MAX;
    rig_send(rig, call, &r);
}

static uint64_t hash_of(size_t n) {
    uint64_t hash = 0;
    for (size_t i = 0; i < n; i++) hash = hash * 31 + (unsigned char)rig_byte(i);
    return hash;
}

/* Turns until neither side moves. */
static void settle(struct rig *rig, const struct rig_call *call) {
    size_t before = SIZE_MAX;
    for (int k = 0; k < 100 && call->given + call->bytes + reader.read != before; k++) {
        before = call->given + call->bytes + reader.read;
        rig_turn(rig, 12);
    }
}

/* ---- what goes well ---- */

/* The answer comes while the request goes: 4 MiB through queues of 64 KiB. */
static void test_full_duplex(void **state UNUSED) {
    enum { BYTES = 4 << 20 };
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct rig rig;
        struct rig_call call = { .to_give = BYTES };
        print_message("  %s\n", ways[i].name);
        start(&rig, &ways[i], (struct reader){ .echo = true });
        send_pieces(&rig, &ways[i], "/pieces", &call);
        rig_finish(&rig, &call);
        if (call.errors) fail_msg("%s", call.error);
        assert_true(reader.at_headers && reader.over && !reader.wrong);
        assert_int_equal(call.bytes, BYTES);
        assert_true(call.hash == hash_of(BYTES));
        assert_int_equal(http_server_stats(rig.server).body_bytes, 0);
        rig_stop(&rig);
    }
}

/* The first answer comes before the second piece is sent: nothing waits for a whole body. */
static void test_answers_before_the_end(void **state UNUSED) {
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct rig rig;
        struct rig_call call = { .to_give = 5, .keep_open = true };
        start(&rig, &ways[i], (struct reader){ .echo = true });
        send_pieces(&rig, &ways[i], "/pieces", &call);
        for (int k = 0; k < 200 && call.bytes < 5; k++) rig_turn(&rig, 10);
        assert_int_equal(call.bytes, 5);
        assert_int_equal(call.ends, 0);
        http_call_finish(call.call);
        rig_finish(&rig, &call);
        assert_int_equal(call.ends, 1);
        rig_stop(&rig);
    }
}

static void test_a_byte_at_a_time(void **state UNUSED) {
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct rig rig;
        struct rig_call call = { .to_give = 3000 };
        start(&rig, &ways[i], (struct reader){ .echo = true, .most = 1 });
        send_pieces(&rig, &ways[i], "/pieces", &call);
        rig_finish(&rig, &call);
        assert_int_equal(call.bytes, 3000);
        assert_true(call.hash == hash_of(3000) && !reader.wrong);
        rig_stop(&rig);
    }
}

static void test_known_lengths_and_none(void **state UNUSED) {
    static const size_t lengths[] = { 0, 1, 100000 };
    for (size_t i = 0; i < COUNT(ways); i++)
        for (size_t k = 0; k < COUNT(lengths); k++) {
            struct rig rig;
            struct rig_call call = { .to_give = lengths[k] };
            start(&rig, &ways[i], (struct reader){ 0 });
            struct http_client_request r = rig_request(&rig, "PUT", "/pieces");
            if (ways[i].transport == RIG_PLAIN) r.scheme = STR("http");
            r.prior_h2 = ways[i].prior_h2;
            r.streams = r.has_length = true;
            r.length = lengths[k];
            for (int again = 0; again < 2; again++) { /* the connection is as good as before */
                call = (struct rig_call){ .to_give = lengths[k] };
                reader.read = 0;
                rig_send(&rig, &call, &r);
                rig_finish(&rig, &call);
                if (call.errors) fail_msg("%s, %zu: %s", ways[i].name, lengths[k], call.error);
                assert_int_equal(call.status, 200);
                assert_int_equal(reader.read, lengths[k]);
            }
            assert_int_equal(http_server_stats(rig.server).accepted, 1);
            rig_stop(&rig);
        }
}

static void test_no_body_is_a_whole_request(void **state UNUSED) {
    struct rig rig;
    struct rig_call call = { 0 };
    start(&rig, &ways[0], (struct reader){ 0 });
    struct http_client_request r = rig_request(&rig, "GET", "/pieces");
    rig_send(&rig, &call, &r);
    rig_finish(&rig, &call);
    assert_string_equal(call.body, "whole");
    assert_false(reader.at_headers);
    rig_stop(&rig);
}

/* ---- pressure ---- */

/* Who does not read holds back the client, within a window and the queues; its neighbour goes on. */
static void test_a_reader_that_waits(void **state UNUSED) {
    enum { BYTES = 24 << 20 };
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct rig rig;
        struct rig_call slow = { .to_give = BYTES }, quick = { 0 };
        start(&rig, &ways[i], (struct reader){ .allowance = 1000 });
        send_pieces(&rig, &ways[i], "/pieces", &slow);
        rig_wait(&rig, &rig.requests, 1);
        settle(&rig, &slow);
        struct http_stream *held = rig.stream;
        assert_int_equal(reader.read, 1000);
        assert_true(slow.given < BYTES);
        assert_true(http_server_stats(rig.server).body_bytes <= 256 << 10);
        struct http_client_request r = rig_request(&rig, "GET", "/other");
        if (ways[i].transport == RIG_PLAIN) r.scheme = STR("http");
        r.prior_h2 = ways[i].prior_h2;
        rig_send(&rig, &quick, &r);
        rig_finish(&rig, &quick);
        assert_int_equal(quick.status, 200);
        reader.allowance = SIZE_MAX;
        http_stream_more(held);
        rig_finish(&rig, &slow);
        if (slow.errors) fail_msg("%s: %s", ways[i].name, slow.error);
        assert_int_equal(reader.read, BYTES);
        assert_true(!reader.wrong);
        rig_stop(&rig);
    }
}

/* ---- other ends ---- */

static void test_cancelled_at_each_point(void **state UNUSED) {
    static const size_t points[] = { 0, 1, 100, 65536, 300000 };
    for (size_t i = 0; i < COUNT(ways); i++)
        for (size_t k = 0; k < COUNT(points); k++) {
            struct rig rig;
            struct rig_call call = { .to_give = points[k], .keep_open = true };
            start(&rig, &ways[i], (struct reader){ .echo = k % 2 });
            send_pieces(&rig, &ways[i], "/pieces", &call);
            rig_wait(&rig, &rig.requests, 1);
            settle(&rig, &call);
            assert_int_equal(reader.read, points[k]);
            http_call_cancel(call.call);
            rig_wait(&rig, &rig.gone, 1);
            assert_int_equal(rig.last_gone, HTTP_GONE_CANCEL);
            assert_int_equal(call.ends + call.errors, 0);
            assert_false(reader.over);
            rig_stop(&rig);
        }
}

static void test_cancelled_while_held(void **state UNUSED) {
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct rig rig;
        struct rig_call call = { .to_give = 200000 };
        start(&rig, &ways[i], (struct reader){ .allowance = 10 });
        send_pieces(&rig, &ways[i], "/pieces", &call);
        rig_wait(&rig, &rig.requests, 1);
        settle(&rig, &call);
        http_call_cancel(call.call);
        rig_wait(&rig, &rig.gone, 1);
        assert_int_equal(http_server_stats(rig.server).body_bytes, 0);
        rig_stop(&rig);
    }
}

/* An answer that does not wait for the body: the client hears it, and HTTP/2's connection lives on. */
static void test_answered_early(void **state UNUSED) {
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct rig rig;
        start(&rig, &ways[i], (struct reader){ 0 });
        for (int again = 0; again < 3; again++) {
            struct rig_call call = { .to_give = 100, .keep_open = true };
            send_pieces(&rig, &ways[i], "/pieces/early", &call);
            rig_finish(&rig, &call);
            if (call.errors) fail_msg("%s: %s", ways[i].name, call.error);
            assert_int_equal(call.status, 403);
            assert_string_equal(call.body, "no");
        }
        rig_turn(&rig, 20);
        bool h2 = ways[i].prior_h2 || (ways[i].transport == RIG_TLS && !ways[i].http1_only);
        if (h2) assert_int_equal(http_server_stats(rig.server).accepted, 1);
        assert_int_equal(reader.read, 0);
        rig_stop(&rig);
    }
}

static void test_reset_by_the_reader(void **state UNUSED) {
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct rig rig;
        struct rig_call call = { .to_give = 1 << 20 };
        start(&rig, &ways[i], (struct reader){ 0 });
        send_pieces(&rig, &ways[i], "/pieces/reset", &call);
        rig_finish(&rig, &call);
        assert_int_equal(call.errors, 1);
        rig_wait(&rig, &rig.gone, 1);
        assert_int_equal(rig.last_gone, HTTP_GONE_RESET);
        rig_stop(&rig);
    }
}

/* The server goes in the midst of it: one error, and nothing is sent a second time. */
static void test_the_server_goes(void **state UNUSED) {
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct rig rig;
        struct rig_call call = { .to_give = 1000, .keep_open = true };
        start(&rig, &ways[i], (struct reader){ .echo = true });
        send_pieces(&rig, &ways[i], "/pieces", &call);
        rig_wait(&rig, &rig.requests, 1);
        settle(&rig, &call);
        http_listener_close(rig.listener);
        rig_finish(&rig, &call);
        assert_int_equal(call.errors, 1);
        assert_int_equal(rig.requests, 1);
        rig_stop(&rig);
    }
}

/* ---- HTTP/1 as bytes ---- */

struct raw_case {
    const char *name, *bytes, *answer; /* what the answer begins with; "" none at all */
    bool echo, over;
};

static const struct raw_case raw_cases[] = {
    { "chunks", "POST /pieces HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
      "HTTP/1.1 200", false, true },
    { "trailers of the client are dropped",
      "POST /pieces HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-evil: 1\r\n\r\n",
      "HTTP/1.1 200", false, true },
    { "a broken chunk before the answer",
      "POST /pieces HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n", "HTTP/1.1 400", false, false },
    { "a broken chunk behind the answer's headers: no second answer",
      "POST /pieces HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n", "", true, false },
    { "asks whether to go on", "POST /pieces HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n",
      "HTTP/1.1 100", false, false },
    { "asks, and is refused at once",
      "POST /pieces/early HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n", "HTTP/1.1 403", false,
      false },
};

static void test_http1_bytes(void **state UNUSED) {
    for (size_t i = 0; i < COUNT(raw_cases); i++) {
        const struct raw_case *c = &raw_cases[i];
        struct rig rig;
        char answer[2000];
        start(&rig, &ways[2], (struct reader){ .echo = c->echo });
        size_t n = rig_raw(&rig, str_z(c->bytes), answer, sizeof answer, 200, NULL);
        size_t want = strlen(c->answer);
        if (strncmp(answer, c->answer, want) || (!want && n > 0) || reader.over != c->over)
            fail_msg("%s: %s", c->name, answer);
        rig_wait(&rig, &rig.gone, rig.requests);
        rig_stop(&rig);
    }
}

/* Memory that is short at any allocation ends the call, one way or the other, and nothing else. */
static void test_every_allocation_may_fail(void **state UNUSED) {
    for (size_t i = 0; i < COUNT(ways); i++)
        for (unsigned n = 1; n < 60; n++) {
            struct rig rig;
            struct rig_call call = { .to_give = 100000, .may_fail = true };
            start(&rig, &ways[i], (struct reader){ .echo = true, .most = 3000 });
            arena_fail_after(n);
            send_pieces(&rig, &ways[i], "/pieces", &call);
            rig_finish(&rig, &call);
            arena_fail_after(0);
            rig_stop(&rig);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_duplex),
        cmocka_unit_test(test_answers_before_the_end),
        cmocka_unit_test(test_a_byte_at_a_time),
        cmocka_unit_test(test_known_lengths_and_none),
        cmocka_unit_test(test_no_body_is_a_whole_request),
        cmocka_unit_test(test_a_reader_that_waits),
        cmocka_unit_test(test_cancelled_at_each_point),
        cmocka_unit_test(test_cancelled_while_held),
        cmocka_unit_test(test_answered_early),
        cmocka_unit_test(test_reset_by_the_reader),
        cmocka_unit_test(test_the_server_goes),
        cmocka_unit_test(test_http1_bytes),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
