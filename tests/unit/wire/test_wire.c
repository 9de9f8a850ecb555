#include "../test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "wire/grpc.h"
#include "wire/http1.h"
#include "wire/http2.h"
#include "wire/url.h"

/* ---- HTTP/1: each text is fed whole, and cut at every byte ---- */

struct h1_case {
    const char *name, *text;
    const char *seen; /* "METHOD target n-headers|body|n-trailers", or "!status" */
};

static const struct h1_case h1_requests[] = {
    { "simple", "GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a?b 1||0" },
    { "names in lower case, values trimmed", "GET / HTTP/1.1\r\nHOST:x\r\nX-A: \t b c \r\n\r\n", "GET / 2||0" },
    { "length", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc", "POST / 2|abc|0" },
    { "length 0", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n", "POST / 2||0" },
    { "chunks",
      "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\n\r\n",
      "POST / 2|abc0123456789|0" },
    { "trailers", "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: Chunked\r\n\r\n1\r\nz\r\n0\r\na: 1\r\nb: 2\r\n\r\n",
      "POST / 2|z|2" },
    { "options *", "OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n", "OPTIONS * 1||0" },
    { "1.0 without host", "GET / HTTP/1.0\r\n\r\n", "GET / 0||0" },
    { "empty header value", "GET / HTTP/1.1\r\nhost: x\r\na:\r\n\r\n", "GET / 2||0" },

    { "CL and TE", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n", "!400" },
    { "TE and CL", "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n", "!400" },
    { "two lengths", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\n", "!400" },
    { "a list of lengths", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3, 3\r\n\r\n", "!400" },
    { "length with a sign", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: +3\r\n\r\n", "!400" },
    { "length overflows", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n", "!400" },
    { "empty length", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: \r\n\r\n", "!400" },
    { "gzip, chunked", "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n", "!501" },
    { "chunked, identity", "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, identity\r\n\r\n", "!501" },
    { "xchunked", "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n", "!501" },
    { "TE twice", "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
      "!400" },
    { "TE in 1.0", "POST / HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n", "!400" },
    { "folded line", "GET / HTTP/1.1\r\nhost: x\r\na: b\r\n c\r\n\r\n", "!400" },
    { "first line folded", "GET / HTTP/1.1\r\n host: x\r\n\r\n", "!400" },
    { "blank before colon", "GET / HTTP/1.1\r\nhost : x\r\n\r\n", "!400" },
    { "no colon", "GET / HTTP/1.1\r\nhost\r\n\r\n", "!400" },
    { "empty name", "GET / HTTP/1.1\r\n: x\r\n\r\n", "!400" },
    { "bare LF", "GET / HTTP/1.1\nhost: x\n\n", "!400" },
    { "bare CR", "GET / HTTP/1.1\r\nhost: x\ra: b\r\n\r\n", "!400" },
    { "bare LF in a header", "GET / HTTP/1.1\r\nhost: x\na: b\r\n\r\n", "!400" },
    { "control in a value", "GET / HTTP/1.1\r\nhost: x\r\na: \x01\r\n\r\n", "!400" },
    { "absolute form", "GET http://x/ HTTP/1.1\r\nhost: x\r\n\r\n", "!400" },
    { "authority form", "CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n", "!400" },
    { "two blanks", "GET  / HTTP/1.1\r\nhost: x\r\n\r\n", "!400" },
    { "blank in the target", "GET /a b HTTP/1.1\r\nhost: x\r\n\r\n", "!400" },
    { "fragment", "GET /a#b HTTP/1.1\r\nhost: x\r\n\r\n", "!400" },
    { "0.9", "GET /\r\n\r\n", "!400" },
    { "lower version", "GET / http/1.1\r\nhost: x\r\n\r\n", "!400" },
    { "HTTP/1.2", "GET / HTTP/1.2\r\nhost: x\r\n\r\n", "!505" },
    { "blank line first", "\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n", "!400" },
    { "two hosts", "GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n", "!400" },
    { "no host", "GET / HTTP/1.1\r\n\r\n", "!400" },
    { "chunk without size", "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n\r\n", "!400" },
    { "chunk size 0x", "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0x3\r\n", "!400" },
    { "chunk size negative", "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n", "!400" },
    { "chunk size blank", "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3 \r\n", "!400" },
    { "chunk size overflows", "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n10000000000000003\r\n",
      "!400" },
    { "chunk longer than said", "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n", "!400" },
    { "chunk with bare LF", "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\na\r\n", "!400" },
    { "chunk extension too long",
      "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1;"
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
      "!400" },
    { "expect", "GET / HTTP/1.1\r\nhost: x\r\nexpect: tea\r\n\r\n", "!417" },
    { "cut off", "GET / HTTP/1.1\r\nhost: x\r\n", "more" },
    { "body cut off", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nab", "more" },
};

static const struct h1_case h1_responses[] = {
    { "length", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", "200 1|hi|0" },
    { "until the end", "HTTP/1.1 200 \r\n\r\nhi", "200 0|hi|close" },
    { "no reason", "HTTP/1.1 404\r\ncontent-length: 0\r\n\r\n", "404 1||0" },
    { "204", "HTTP/1.1 204 No\r\n\r\n", "204 0||0" },
    { "304 with length", "HTTP/1.1 304 No\r\ncontent-length: 9\r\n\r\n", "304 1||0" },
    { "status of two digits", "HTTP/1.1 20 OK\r\n\r\n", "!400" },
    { "status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", "!400" },
    { "CL and TE", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n", "!400" },
    { "h2 answers", "HTTP/2 200\r\n\r\n", "!400" },
};

static void h1_run(bool response, struct str text, size_t cut, char *seen, size_t room) {
    struct h1_parser p;
    DEFER(buf_free) struct buf body = BUF_INIT(1000);
    h1_init(&p, response, &(struct h1_limits){ .header_bytes = 65536, .header_count = 100 });
    snprintf(seen, room, "more");
    char head[200] = "";
    struct str pieces[2] = { str_upto(text, cut), str_from(text, cut) };
    bool over = false;
    for (int i = 0; i < 2 && !over; i++) {
        char *copy = malloc(pieces[i].n + 1); /* so that a read beyond the piece is caught */
        if (pieces[i].n) memcpy(copy, pieces[i].p, pieces[i].n);
        struct str in = { copy, pieces[i].n }, part = { 0 };
        for (enum h1_event e = H1_HEADERS; e != H1_MORE && !over;) {
            e = h1_feed(&p, &in, &part, NULL);
            if (e == H1_BODY) buf_add_str(&body, part);
            if (e == H1_HEADERS && response) snprintf(head, sizeof head, "%u %zu", p.head.status, p.head.n_headers);
            else if (e == H1_HEADERS)
                snprintf(head, sizeof head, "%.*s %.*s %zu", STR_ARG(p.head.method), STR_ARG(p.head.target),
                         p.head.n_headers);
            over = e == H1_END || e == H1_BAD;
            if (e == H1_BAD) snprintf(seen, room, "!%u", p.bad_status);
            if (e == H1_END) snprintf(seen, room, "%s|%.*s|%zu", head, STR_ARG(buf_str(&body)), p.head.n_trailers);
        }
        free(copy);
    }
    if (!over && p.head.until_close && h1_close(&p)) snprintf(seen, room, "%s|%.*s|close", head, STR_ARG(buf_str(&body)));
    h1_free(&p);
}

static void h1_table(bool response, const struct h1_case *cases, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct str text = str_z(cases[i].text);
        for (size_t cut = 0; cut <= text.n; cut++) {
            char seen[400];
            h1_run(response, text, cut, seen, sizeof seen);
            if (strcmp(seen, cases[i].seen) != 0) fail_msg("%s, cut at %zu: %s", cases[i].name, cut, seen);
        }
    }
}

static void test_h1_requests(void **state UNUSED) {
    h1_table(false, h1_requests, COUNT(h1_requests));
}

static void test_h1_responses(void **state UNUSED) {
    h1_table(true, h1_responses, COUNT(h1_responses));
}

static void test_h1_nul_and_limits(void **state UNUSED) {
    static char big[70000];
    char seen[200];
    h1_run(false, STR("GET / HTTP/1.1\r\nhost: x\0y\r\n\r\n"), 0, seen, sizeof seen);
    assert_string_equal(seen, "!400");
    memset(big, 'a', sizeof big);
    memcpy(big, "GET /", 5);
    h1_run(false, (struct str){ big, 9000 }, 0, seen, sizeof seen);
    assert_string_equal(seen, "!414");
    memcpy(big, "GET / HTTP/1.1\r\na: ", 19);
    h1_run(false, (struct str){ big, sizeof big }, 0, seen, sizeof seen);
    assert_string_equal(seen, "!431");
    size_t n = (size_t)snprintf(big, sizeof big, "GET / HTTP/1.1\r\nhost: x\r\n");
    for (int i = 0; i < 100; i++) n += (size_t)snprintf(big + n, sizeof big - n, "a: b\r\n");
    snprintf(big + n, sizeof big - n, "\r\n");
    h1_run(false, str_z(big), 0, seen, sizeof seen);
    assert_string_equal(seen, "!431");
}

/* One message after another on one parser; flags of the head. */
static void test_h1_sequence(void **state UNUSED) {
    struct h1_parser p;
    struct str body = { 0 };
    struct str in = STR(
        "POST /1 HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\naGET /2 HTTP/1.1\r\nhost: x\r\n"
        "connection: foo, Close\r\n\r\n");
    h1_init(&p, false, &(struct h1_limits){ .header_bytes = 4096, .header_count = 10 });
    assert_int_equal(h1_feed(&p, &in, &body, NULL), H1_HEADERS);
    assert_true(p.head.expect_continue && p.head.keep_alive);
    assert_int_equal(h1_feed(&p, &in, &body, NULL), H1_BODY);
    assert_int_equal(h1_feed(&p, &in, &body, NULL), H1_END);
    h1_next_message(&p);
    assert_true(h1_is_between(&p));
    assert_int_equal(h1_feed(&p, &in, &body, NULL), H1_HEADERS);
    assert_str(p.head.target, "/2");
    assert_false(p.head.keep_alive);
    h1_free(&p);
}

static void test_h1_writers(void **state UNUSED) {
    DEFER(buf_free) struct buf b = BUF_INIT(1000);
    const struct http_header headers[] = { { STR("a"), STR("b") },
                                           { STR("connection"), STR("upgrade") },
                                           { STR("evil"), STR("x\r\nset-cookie: y") } };
    h1_write_status(&b, 200, headers, 3);
    assert_str(buf_str(&b), "HTTP/1.1 200 OK\r\na: b\r\n");
    buf_clear(&b);
    h1_write_chunk(&b, STR(""));
    h1_write_chunk(&b, STR("0123456789abcdefg"));
    h1_write_last_chunk(&b, headers, 1);
    assert_str(buf_str(&b), "11\r\n0123456789abcdefg\r\n0\r\na: b\r\n\r\n");
}

/* ---- HTTP/2: a client and a server joined by memory ---- */

struct peer {
    struct h2 *h2;
    struct h2_stream *stream;
    unsigned headers, ends, closes, writable;
    uint32_t error;
    size_t bytes, trailers, n_headers;
    bool too_many, hold;
};

static void p_headers(struct h2_stream *s, const struct http_header *h UNUSED, size_t n, bool over UNUSED, bool too_many,
                      void *ctx) {
    struct peer *p = ctx;
    p->stream = s;
    p->headers++;
    p->n_headers = n;
    p->too_many = too_many;
}

static void p_data(struct h2_stream *s, struct str data, void *ctx) {
    struct peer *p = ctx;
    p->bytes += data.n;
    if (!p->hold) h2_consume(s, data.n);
}

static void p_end(struct h2_stream *s UNUSED, const struct http_header *t UNUSED, size_t n, void *ctx) {
    struct peer *p = ctx;
    p->ends++;
    p->trailers = n;
}

static void p_writable(struct h2_stream *s UNUSED, void *ctx) {
    struct peer *p = ctx;
    p->writable++;
}

static void p_close(struct h2_stream *s, uint32_t error, bool by_peer UNUSED, void *ctx) {
    struct peer *p = ctx;
    p->closes++;
    p->error = error;
    if (p->stream == s) p->stream = NULL;
}

static const struct h2_callbacks p_callbacks = { p_headers, p_data, p_end, p_writable, p_close, NULL };
static const struct h2_limits p_limits = { 16384, 40, 65536, 10, 65535, 65535 };

static enum code carry(struct peer *from, struct peer *to, size_t piece) {
    DEFER(buf_free) struct buf b = BUF_INIT(1 << 24);
    assert_int_equal(h2_send(from->h2, &b, 1 << 20, NULL), OK);
    for (size_t i = 0; i < b.n; i += piece) {
        enum code rc = h2_receive(to->h2, str_upto(str_from(buf_str(&b), i), piece), NULL);
        if (rc) return rc;
    }
    return OK;
}

static void exchange(struct peer *a, struct peer *b, size_t piece) {
    for (int i = 0; i < 12; i++) {
        assert_int_equal(carry(a, b, piece), OK);
        assert_int_equal(carry(b, a, piece), OK);
    }
}

static void pair(struct peer *client, struct peer *server) {
    *client = *server = (struct peer){ 0 };
    assert_int_equal(h2_new(H2_CLIENT, &p_limits, &p_callbacks, client, &client->h2, NULL), OK);
    assert_int_equal(h2_new(H2_SERVER, &p_limits, &p_callbacks, server, &server->h2, NULL), OK);
}

static void unpair(struct peer *client, struct peer *server) {
    h2_free(client->h2);
    h2_free(server->h2);
}

static const struct http_header get[] = { { STR_INIT(":method"), STR_INIT("POST") },
                                          { STR_INIT(":scheme"), STR_INIT("https") },
                                          { STR_INIT(":authority"), STR_INIT("x") },
                                          { STR_INIT(":path"), STR_INIT("/") } };
static const struct http_header ok200[] = { { STR_INIT(":status"), STR_INIT("200") } };

static void test_h2_round_trip(void **state UNUSED) {
    for (size_t piece = 1; piece < 5000; piece = piece * 3 + 1) {
        struct peer client, server;
        struct h2_stream *s = NULL;
        const struct http_header trailer[] = { { STR("grpc-status"), STR("0") } };
        pair(&client, &server);
        assert_int_equal(h2_request(client.h2, get, 4, false, NULL, &s, NULL), OK);
        assert_int_equal(h2_write(s, STR("hello")), 5);
        h2_finish(s, NULL, 0);
        exchange(&client, &server, piece);
        assert_int_equal(server.headers, 1);
        assert_int_equal(server.bytes, 5);
        assert_int_equal(server.ends, 1);
        h2_respond(server.stream, ok200, 1, false);
        assert_int_equal(h2_write(server.stream, STR("abc")), 3);
        h2_finish(server.stream, trailer, 1);
        exchange(&client, &server, piece);
        assert_int_equal(client.bytes, 3);
        assert_int_equal(client.trailers, 1);
        assert_int_equal(client.closes, 1);
        assert_int_equal(server.closes, 1);
        assert_int_equal(server.error, 0);
        unpair(&client, &server);
    }
}

/* What is not consumed stops its stream at the window, the queue at its limit; another stream goes on. */
static void test_h2_back_pressure(void **state UNUSED) {
    static char zeros[65536];
    struct peer client, server;
    struct h2_stream *s = NULL, *other = NULL;
    pair(&client, &server);
    assert_int_equal(h2_request(client.h2, get, 4, true, NULL, &s, NULL), OK);
    exchange(&client, &server, 4096);
    struct h2_stream *big = server.stream;
    h2_respond(big, ok200, 1, false);
    client.hold = true;
    size_t written = 0;
    for (int i = 0; i < 10; i++) {
        written += h2_write(big, (struct str){ zeros, sizeof zeros });
        exchange(&client, &server, 65536);
    }
    assert_int_equal(client.bytes, 65535);    /* one window */
    assert_int_equal(written, 65535 + 65536); /* and one queue */
    assert_int_equal(h2_room(big), 0);
    assert_int_equal(h2_request(client.h2, get, 4, true, NULL, &other, NULL), OK);
    exchange(&client, &server, 65536);
    assert_ptr_not_equal(server.stream, big);
    h2_respond(server.stream, ok200, 1, true);
    exchange(&client, &server, 65536);
    assert_int_equal(client.closes, 1);
    client.hold = false;
    h2_consume(s, 65535);
    exchange(&client, &server, 65536);
    assert_int_equal(client.bytes, 65535 + 65536);
    assert_int_equal(server.writable, 1);
    unpair(&client, &server);
    assert_int_equal(client.closes, 2);
}

/* One large field in HPACK's table, and then a byte for each copy of it: the connection ends long before the last. */
static void test_h2_header_bomb(void **state UNUSED) {
    enum { COPIES = 5000, VALUE_BYTES = 3000 };
    static const char begin[] = "\x83\x87\x84\x41\x01h\x40\x01x\x7f\xb9\x16"; /* POST https / h, x: 3,000 bytes */
    struct peer client, server;
    DEFER(buf_free) struct buf out = BUF_INIT(1 << 20);
    uint32_t length = sizeof begin - 1 + VALUE_BYTES + COPIES;
    const char head[] = { (char)(length >> 16), (char)(length >> 8), (char)length, 1, 5, 0, 0, 0, 1 };
    pair(&client, &server);
    buf_add_z(&out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    buf_add(&out, "\0\0\0\x04\0\0\0\0\0", 9);
    buf_add(&out, head, sizeof head);
    buf_add(&out, begin, sizeof begin - 1);
    for (unsigned i = 0; i < VALUE_BYTES; i++) buf_add_char(&out, 'v');
    for (unsigned i = 0; i < COPIES; i++) buf_add_char(&out, '\xbe');
    assert_int_equal(h2_receive(server.h2, buf_str(&out), NULL), INVALID_ARGUMENT);
    assert_false(server.too_many);
    unpair(&client, &server);
}

static void test_h2_header_count(void **state UNUSED) {
    struct peer client, server;
    struct h2_stream *s = NULL;
    struct http_header many[60];
    memcpy(many, get, sizeof get);
    for (size_t i = 4; i < COUNT(many); i++) many[i] = (struct http_header){ STR("x"), STR("") };
    pair(&client, &server);
    assert_int_equal(h2_request(client.h2, many, COUNT(many), true, NULL, &s, NULL), OK);
    exchange(&client, &server, 4096);
    assert_true(server.too_many);
    assert_int_equal(server.n_headers, 40);
    unpair(&client, &server);
}

static void frame(struct buf *b, size_t n, unsigned char type, unsigned char flags, uint32_t stream) {
    const unsigned char head[9] = { (unsigned char)(n >> 16),
                                    (unsigned char)(n >> 8),
                                    (unsigned char)n,
                                    type,
                                    flags,
                                    (unsigned char)(stream >> 24),
                                    (unsigned char)(stream >> 16),
                                    (unsigned char)(stream >> 8),
                                    (unsigned char)stream };
    buf_add(b, head, sizeof head);
    for (size_t i = 0; i < n; i++) buf_add_char(b, 0);
}

static void begin_by_hand(struct buf *b) {
    buf_add_z(b, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    frame(b, 0, 4, 0, 0);
}

static const char get_block[] = "\x82\x87\x84\x41\x01h"; /* GET https / h */

static void request_frame(struct buf *b, uint32_t stream, bool over) {
    frame(b, sizeof get_block - 1, 1, over ? 5 : 4, stream);
    b->n -= sizeof get_block - 1;
    buf_add(b, get_block, sizeof get_block - 1);
}

/* The error of the GOAWAY among the frames of `out`, or -1. */
static int goaway(struct str out) {
    for (size_t at = 0; at + 9 <= out.n;) {
        const unsigned char *p = (const unsigned char *)out.p + at;
        if (p[3] == 7) return p[16];
        at += 9 + ((size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2]);
    }
    return -1;
}

/* What the client did with streams 1 and 3 before, and what it then sends. 1 PROTOCOL_ERROR, 5 STREAM_CLOSED. */
static void test_h2_frames_on_streams_that_are_over(void **state UNUSED) {
    static const struct {
        const char *name;
        bool end, answer, reset, refuse;
        unsigned char type;
        uint32_t stream;
        int want;
    } cases[] = {
        { "DATA after both sides ended", true, true, false, false, 0, 3, 5 },
        { "HEADERS after both sides ended", true, true, false, false, 1, 3, 5 },
        { "DATA after its own reset", false, false, true, false, 0, 3, 5 },
        { "HEADERS after its own reset", false, false, true, false, 1, 3, 5 },
        { "DATA on its way when we reset", false, false, false, true, 0, 3, -1 },
        { "trailers on their way when we reset", false, false, false, true, 1, 3, -1 },
        { "HEADERS on a number passed over", true, true, false, false, 1, 1, 1 },
        { "WINDOW_UPDATE after both sides ended", true, true, false, false, 8, 3, -1 },
        { "a new stream", true, true, false, false, 1, 5, -1 },
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t piece = 1; piece < 200; piece += 66) {
            struct peer client, server;
            DEFER(buf_free) struct buf in = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
            pair(&client, &server);
            begin_by_hand(&in);
            request_frame(&in, 3, cases[i].end);
            assert_int_equal(h2_receive(server.h2, buf_str(&in), NULL), OK);
            if (cases[i].answer) h2_respond(server.stream, ok200, 1, true);
            if (cases[i].refuse) h2_reset(server.stream, 8);
            assert_int_equal(h2_send(server.h2, &out, 1 << 20, NULL), OK);
            buf_clear(&in);
            if (cases[i].reset) frame(&in, 4, 3, 0, 3);
            if (cases[i].type == 1) request_frame(&in, cases[i].stream, true);
            else if (cases[i].type == 8) buf_add(&in, "\0\0\4\x08\0\0\0\0\3\0\0\0\1", 13);
            else frame(&in, 4, cases[i].type, 1, cases[i].stream);
            enum code rc = OK;
            for (size_t at = 0; at < in.n && rc == OK; at += piece)
                rc = h2_receive(server.h2, str_upto(str_from(buf_str(&in), at), piece), NULL);
            buf_clear(&out);
            assert_int_equal(h2_send(server.h2, &out, 1 << 20, NULL), OK);
            if (goaway(buf_str(&out)) != cases[i].want || (rc == OK) != (cases[i].want < 0))
                fail_msg("%s, %zu bytes a piece: GOAWAY %d", cases[i].name, piece, goaway(buf_str(&out)));
            unpair(&client, &server);
        }
}

/* Resets by the client, and those that it provokes: a window that overflows makes us reset the stream. */
static void test_h2_rapid_reset(void **state UNUSED) {
    for (unsigned char type = 3; type <= 8; type += 5) {
        struct peer client, server;
        DEFER(buf_free) struct buf out = BUF_INIT(1 << 20);
        enum code rc = OK;
        uint32_t streams = 0;
        pair(&client, &server);
        for (; streams < 4000 && rc == OK && !h2_is_over(server.h2); streams++) {
            DEFER(buf_free) struct buf in = BUF_INIT(1 << 20);
            if (streams == 0) begin_by_hand(&in);
            request_frame(&in, 2 * streams + 1, false);
            frame(&in, 4, type, 0, 2 * streams + 1);
            if (type == 8) memcpy(in.p + in.n - 4, "\x7f\xff\xff\xff", 4);
            rc = h2_receive(server.h2, buf_str(&in), NULL);
            buf_clear(&out);
            assert_int_equal(h2_send(server.h2, &out, 1 << 20, NULL), OK);
        }
        assert_int_equal(goaway(buf_str(&out)), 11); /* ENHANCE_YOUR_CALM */
        assert_in_range(streams, 1001, 1500);
        unpair(&client, &server);
    }
}

struct flood {
    const char *name;
    size_t bytes;
    unsigned char type, flags;
    uint32_t stream;
    unsigned times;
    int error; /* of the GOAWAY; 11: ENHANCE_YOUR_CALM */
};

/* Each of these costs a peer little and would cost us work or memory without end. */
static void test_h2_floods(void **state UNUSED) {
    static const struct flood floods[] = {
        { "PRIORITY", 5, 2, 0, 1, 1200, 11 },
        { "SETTINGS", 0, 4, 0, 0, 1200, 11 },
        { "PING unanswered", 8, 6, 0, 0, 300, 11 },
        { "CONTINUATION", 0, 9, 0, 1, 300, 11 },
    };
    for (size_t i = 0; i < COUNT(floods); i++) {
        const struct flood *f = &floods[i];
        struct peer client, server;
        DEFER(buf_free) struct buf b = BUF_INIT(1 << 20);
        pair(&client, &server);
        begin_by_hand(&b);
        if (f->type == 9) frame(&b, 0, 1, 0, 1); /* HEADERS without END_HEADERS */
        for (unsigned k = 0; k < f->times; k++) frame(&b, f->bytes, f->type, f->flags, f->stream);
        enum code rc = h2_receive(server.h2, buf_str(&b), NULL);
        DEFER(buf_free) struct buf out = BUF_INIT(1 << 20);
        assert_int_equal(h2_send(server.h2, &out, 1 << 20, NULL), OK);
        if (rc == OK && !h2_is_over(server.h2)) fail_msg("%s: goes on", f->name);
        if (goaway(buf_str(&out)) != f->error) fail_msg("%s: GOAWAY %d", f->name, goaway(buf_str(&out)));
        assert_true(out.n < 10000); /* answers are bounded too */
        unpair(&client, &server);
    }
}

/* ---- gRPC ---- */

static void collect(struct str message, void *ctx) {
    buf_printf(ctx, "[%.*s]", STR_ARG(message));
}

static void test_grpc_feed(void **state UNUSED) {
    DEFER(buf_free) struct buf wire = BUF_INIT(1000);
    grpc_frame(&wire, STR("one"));
    grpc_frame(&wire, STR(""));
    grpc_frame(&wire, STR("three"));
    for (size_t a = 0; a <= wire.n; a++) {
        for (size_t b = a; b <= wire.n; b++) {
            struct grpc_deframer d = { .max_bytes = 5 };
            DEFER(buf_free) struct buf seen = BUF_INIT(1000);
            struct str all = buf_str(&wire);
            assert_int_equal(grpc_feed(&d, str_upto(all, a), collect, &seen, NULL), OK);
            assert_int_equal(grpc_feed(&d, str_upto(str_from(all, a), b - a), collect, &seen, NULL), OK);
            assert_int_equal(grpc_feed(&d, str_from(all, b), collect, &seen, NULL), OK);
            if (!str_eq(buf_str(&seen), STR("[one][][three]")))
                fail_msg("cut at %zu and %zu: %.*s", a, b, STR_ARG(buf_str(&seen)));
            assert_true(grpc_feed_is_between(&d));
            grpc_deframer_free(&d);
        }
    }
}

static void test_grpc_single(void **state UNUSED) {
    static const struct {
        const char *name;
        struct str body;
        enum code code;
    } cases[] = {
        { "whole", STR_INIT("\0\0\0\0\2ab"), OK },
        { "empty message", STR_INIT("\0\0\0\0\0"), OK },
        { "no message", STR_INIT(""), INTERNAL },
        { "half a prefix", STR_INIT("\0\0\0"), INTERNAL },
        { "cut off", STR_INIT("\0\0\0\0\2a"), INTERNAL },
        { "two", STR_INIT("\0\0\0\0\0\0\0\0\0\0"), INTERNAL },
        { "compressed", STR_INIT("\1\0\0\0\1a"), UNIMPLEMENTED },
        { "flag 2", STR_INIT("\2\0\0\0\1a"), INTERNAL },
        { "too long", STR_INIT("\0\0\0\0\021aaaaaaaaaaaaaaaaaaaaaaaaaaa"), RESOURCE_EXHAUSTED },
        { "4 GiB", STR_INIT("\0\377\377\377\377"), RESOURCE_EXHAUSTED },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str message = { 0 };
        if (grpc_single(cases[i].body, 16, &message, NULL) != cases[i].code) fail_msg("%s", cases[i].name);
    }
}

static void test_grpc_timeout(void **state UNUSED) {
    static const struct {
        const char *text;
        bool ok;
        uint64_t us;
    } cases[] = {
        { "29944m", true, 29944000 },
        { "1H", true, 3600000000 },
        { "2M", true, 120000000 },
        { "3S", true, 3000000 },
        { "7u", true, 7 },
        { "1n", true, 1 },
        { "99999999H", true, 359999996400000000 },
        { "0m", true, 0 },
        { "", false, 0 },
        { "m", false, 0 },
        { "1", false, 0 },
        { "123456789m", false, 0 },
        { "-1m", false, 0 },
        { "1s", false, 0 },
        { "1 m", false, 0 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t us = 0;
        bool ok = grpc_parse_timeout(str_z(cases[i].text), &us);
        if (ok != cases[i].ok || (ok && us != cases[i].us)) fail_msg("%s", cases[i].text);
    }
}

static void test_grpc_status(void **state UNUSED) {
    struct arena *arena = arena_new(1 << 20);
    struct http_header headers[3];
    struct str message = { 0 }, details = { 0 };
    size_t n = grpc_status_headers(arena, ABORTED, STR("50% \xc3\xa9\n"), STR("\x01\x02"), headers);
    assert_int_equal(n, 3);
    assert_str(headers[0].value, "10");
    assert_str(headers[1].value, "50%25 %C3%A9%0A");
    assert_str(headers[2].value, "AQI");
    assert_int_equal(grpc_status_from(arena, headers, n, &message, &details), ABORTED);
    assert_str(message, "50% \xc3\xa9\n");
    assert_str(details, "\x01\x02");
    assert_int_equal(grpc_status_headers(arena, OK, STR(""), STR(""), headers), 1);
    for (unsigned fails = 1; fails < 8; fails++) { /* an arena that is full has no field without its text */
        arena_fail_after(fails);
        n = grpc_status_headers(arena, ABORTED, STR("why"), STR("\x01"), headers);
        arena_fail_after(0);
        for (size_t i = 0; i < n; i++) assert_non_null(headers[i].value.p);
    }
    headers[0].value = STR("17");
    assert_int_equal(grpc_status_from(arena, headers, 1, &message, &details), UNKNOWN);
    assert_int_equal(grpc_status_from(arena, headers, 0, &message, &details), UNKNOWN);
    assert_str(grpc_decode_message(arena, STR("a%zz%4")), "a%zz%4");
    assert_true(grpc_is_content_type(STR("application/grpc+proto; x")));
    assert_false(grpc_is_content_type(STR("application/grpc-web")));
    assert_false(grpc_is_content_type(STR("application/grpc+json")));
    arena_free(arena);
}

/* ---- URLs ---- */

struct path_case {
    const char *path, *segments; /* joined by '|', or NULL: refused */
    bool slash;
};

static void test_url_segments(void **state UNUSED) {
    static const struct path_case cases[] = {
        { "/", "", false },
        { "/a", "a", false },
        { "/a/b%20c", "a|b c", false },
        { "/v1/x:commit", "v1|x:commit", false },
        { "", NULL, false },
        { "a", NULL, false },
        { "//a", NULL, false },
        { "/a/", NULL, false },
        { "/a//b", NULL, false },
        { "/.", NULL, false },
        { "/a/..", NULL, false },
        { "/%2e%2e/a", NULL, false },
        { "/%2E", NULL, false },
        { "/a%2fb", NULL, false },
        { "/a%2Fb", "a/b", true },
        { "/a%2f..%2fb", NULL, true },
        { "/a%2f.", NULL, true },
        { "/a%00", NULL, false },
        { "/a%0a", NULL, false },
        { "/a%5cb", NULL, false },
        { "/%", NULL, false },
        { "/%4", NULL, false },
        { "/%zz", NULL, false },
        { "/%41", "A", false },
        { "/%ff", NULL, false },
        { "/%c3%a9", "\xc3\xa9", false },
        { "/...", "...", false },
        { "/a/b/c/d/e", NULL, false },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena *arena = arena_new(1 << 16);
        struct str segments[4];
        char joined[100] = "";
        size_t n = 0, at = 0;
        enum code rc = cases[i].slash ? url_segments_slash(arena, str_z(cases[i].path), segments, 4, &n, NULL)
                                      : url_segments(arena, str_z(cases[i].path), segments, 4, &n, NULL);
        if ((rc == OK) != (cases[i].segments != NULL)) fail_msg("%s: %d", cases[i].path, rc);
        for (size_t k = 0; k < n; k++)
            at += (size_t)snprintf(joined + at, sizeof joined - at, "%s%.*s", k ? "|" : "", STR_ARG(segments[k]));
        if (!rc && strcmp(joined, cases[i].segments) != 0) fail_msg("%s: %s", cases[i].path, joined);
        arena_free(arena);
    }
}

static void test_url_target(void **state UNUSED) {
    struct str path, query;
    assert_int_equal(url_split_target(STR("/a?b=c?d"), &path, &query, NULL), OK);
    assert_str(path, "/a");
    assert_str(query, "b=c?d");
    assert_int_equal(url_split_target(STR("/a"), &path, &query, NULL), OK);
    assert_null(query.p);
    assert_int_equal(url_split_target(STR("/a?"), &path, &query, NULL), OK);
    assert_non_null(query.p);
    static const char *const refused[] = { "", "a", "/a b", "/a#b", "/a\\b", "/\xc3\xa9", "http://a/", "/a?b#c", "/a?\"" };
    for (size_t i = 0; i < COUNT(refused); i++)
        if (url_split_target(str_z(refused[i]), &path, &query, NULL) == OK) fail_msg("%s", refused[i]);
}

static void test_url_form(void **state UNUSED) {
    struct arena *arena = arena_new(1 << 16);
    struct url_pair pairs[4];
    size_t n = 0, count = 0;
    assert_int_equal(url_form(arena, STR("a=1+2&b=%26&&a=x&c"), pairs, 4, &n, NULL), OK);
    assert_int_equal(n, 4);
    assert_str(url_form_get(pairs, n, STR("b"), &count), "&");
    assert_int_equal(count, 1);
    assert_str(url_form_get(pairs, n, STR("a"), &count), "1 2");
    assert_int_equal(count, 2);
    assert_str(url_form_get(pairs, n, STR("c"), &count), "");
    assert_int_equal(count, 1);
    url_form_get(pairs, n, STR("d"), &count);
    assert_int_equal(count, 0);
    assert_int_equal(url_form(arena, STR("a&b&c&d&e"), pairs, 4, &n, NULL), INVALID_ARGUMENT);
    assert_int_equal(url_form(arena, STR("a=%0"), pairs, 4, &n, NULL), INVALID_ARGUMENT);
    assert_int_equal(url_form(arena, STR("a=%00"), pairs, 4, &n, NULL), INVALID_ARGUMENT);
    DEFER(buf_free) struct buf b = BUF_INIT(100);
    url_encode(&b, STR("a b/\xc3\xa9~"));
    assert_str(buf_str(&b), "a%20b%2F%C3%A9~");
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_h1_requests),
        cmocka_unit_test(test_h1_responses),
        cmocka_unit_test(test_h1_nul_and_limits),
        cmocka_unit_test(test_h1_sequence),
        cmocka_unit_test(test_h1_writers),
        cmocka_unit_test(test_h2_round_trip),
        cmocka_unit_test(test_h2_back_pressure),
        cmocka_unit_test(test_h2_header_count),
        cmocka_unit_test(test_h2_header_bomb),
        cmocka_unit_test(test_h2_floods),
        cmocka_unit_test(test_h2_frames_on_streams_that_are_over),
        cmocka_unit_test(test_h2_rapid_reset),
        cmocka_unit_test(test_grpc_feed),
        cmocka_unit_test(test_grpc_single),
        cmocka_unit_test(test_grpc_timeout),
        cmocka_unit_test(test_grpc_status),
        cmocka_unit_test(test_url_segments),
        cmocka_unit_test(test_url_target),
        cmocka_unit_test(test_url_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
