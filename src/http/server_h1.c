#include <stdlib.h>

#include "http/server_parts.h"

/* HTTP/1 on one connection: one request at a time; what a client sends ahead is held, and beyond HELD_MAX not read. */
struct h1_side {
    struct h1_parser parser;
    struct http_stream *stream; /* the request under way */
    struct buf held;            /* input that came before its turn */
    struct buf out;             /* framed reply bytes */
    size_t out_at, queue_max;
    uint64_t length_left; /* of a reply with content-length */
    bool has_length, chunked, no_body, short_of_room, close_after, failed;
};

static void process(struct http_conn *c, struct str bytes);

static struct h1_side *side(struct http_conn *c) {
    if (c->h1) return c->h1;
    const struct http_limits *l = &c->server->limits;
    struct h1_side *h = calloc(1, sizeof *h);
    if (!h) return NULL;
    h1_init(&h->parser, false, &(struct h1_limits){ .header_bytes = l->header_bytes, .header_count = l->header_count });
    h->held = (struct buf)BUF_INIT(HELD_MAX + CONN_OUT_SOFT);
    h->out = (struct buf)BUF_INIT(SIMPLE_BODY_MAX + CONN_OUT_MAX);
    return c->h1 = h;
}

static size_t queued_bytes(const struct h1_side *h) {
    return h->out.n - h->out_at;
}

/* ---- what comes in ---- */

/* The request cannot be understood, so no next one can be found either: answer and close. */
static void bad_request(struct http_conn *c, unsigned status) {
    struct h1_side *h = c->h1;
    c->server->stats.bad++;
    h->failed = true;
    c->headers_due_ms = 0;
    if (h->stream) { /* a broken body: no handler was asked yet, or it reads it in pieces */
        struct http_stream *s = h->stream;
        bool answered = s->headers_sent;
        h->stream = NULL;
        http_stream_free(s, HTTP_GONE_CANCEL);
        if (answered) {
            http_conn_cut(c);
            return;
        }
    }
    h1_write_status(&h->out, status, NULL, 0);
    buf_add_z(&h->out, "content-length: 0\r\nconnection: close\r\n\r\n");
    conn_finish(c->net);
}

/* Host is the authority, and not shown twice. */
static size_t without_host(struct http_header *headers, size_t n) {
    size_t m = 0;
    for (size_t i = 0; i < n; i++)
        if (!str_eq(headers[i].name, STR("host"))) headers[m++] = headers[i];
    return m;
}

static void headers_in(struct http_conn *c) {
    struct h1_side *h = c->h1;
    struct h1_head *head = &h->parser.head;
    struct http_stream *s = http_stream_new(c);
    c->headers_due_ms = 0;
    if (!s) {
        bad_request(c, 503);
        return;
    }
    h->stream = s;
    h->queue_max = c->server->limits.queue_bytes;
    h->has_length = h->chunked = h->no_body = h->short_of_room = false;
    h->close_after = !head->keep_alive || c->draining;
    struct str host = http_header_value(head->headers, head->n_headers, STR("host"));
    head->n_headers = without_host(head->headers, head->n_headers);
    s->request.version = head->http_1_0 ? HTTP_VERSION_1_0 : HTTP_VERSION_1_1;
    s->request.method = head->method;
    s->request.headers = head->headers;
    s->request.n_headers = head->n_headers;
    bool over = !head->chunked && head->length == 0;
    bool goes_on = http_stream_headers(s, head->target, host, over);
    if (!goes_on || !head->expect_continue || over || s->headers_sent || !s->open) return;
    buf_add_z(&h->out, "HTTP/1.1 100 Continue\r\n\r\n");
    conn_output(c->net);
}

static void hold(struct http_conn *c, struct str bytes) {
    struct h1_side *h = c->h1;
    buf_add_str(&h->held, bytes);
    if (!buf_ok(&h->held)) http_conn_cut(c);
    else if (h->held.n >= HELD_MAX) conn_pause(c->net);
}

/* One event of the parser. False: the rest of the input must wait, or is of no interest. */
static bool one_event(struct http_conn *c, struct str *bytes) {
    struct h1_side *h = c->h1;
    struct str piece = { 0 };
    switch (h1_feed(&h->parser, bytes, &piece, NULL)) {
    case H1_MORE: return false;
    case H1_HEADERS: headers_in(c); break;
    case H1_BODY: http_stream_body(h->stream, piece); break;
    case H1_END: http_stream_whole(h->stream); break;
    case H1_BAD: bad_request(c, h->parser.bad_status); return false;
    }
    /* a refused request whose body is still to come: its connection closes after the reply */
    if (h->stream && h->stream->whole && h->parser.state != H1_S_OVER) h->close_after = true;
    return h->stream && !h->stream->whole && conn_is_open(c->net);
}

static void process(struct http_conn *c, struct str bytes) {
    struct h1_side *h = c->h1;
    if (h1_is_between(&h->parser) && bytes.n)
        c->headers_due_ms = loop_now_ms(c->server->loop) + c->server->limits.headers_ms;
    while (one_event(c, &bytes)) {}
    if (!conn_is_open(c->net) || h->failed) return;
    if (h->stream && h->stream->whole && !h->close_after) hold(c, bytes);
    if (h->stream && http_stream_held(h->stream)) conn_pause(c->net);
}

static void receive(struct http_conn *c, struct str bytes) {
    struct h1_side *h = side(c);
    if (!h) http_conn_cut(c);
    else if (h->failed) return;
    else if (h->stream && h->stream->whole) {
        if (!h->close_after) hold(c, bytes);
    } else process(c, bytes);
}

/* ---- what goes out ---- */

static void next_request(struct http_conn *c) {
    struct h1_side *h = c->h1;
    h1_next_message(&h->parser);
    buf_free(&h->out);
    h->out_at = 0;
    struct buf held = h->held;
    h->held = (struct buf)BUF_INIT(HELD_MAX + CONN_OUT_SOFT);
    conn_resume(c->net);
    if (held.n) process(c, buf_str(&held));
    buf_free(&held);
}

static void reply_over(struct http_conn *c) {
    struct h1_side *h = c->h1;
    struct http_stream *s = h->stream;
    h->stream = NULL;
    bool again = !h->close_after && !c->draining && h->parser.state == H1_S_OVER;
    http_stream_free(s, HTTP_GONE_DONE);
    if (!conn_is_open(c->net)) return;
    if (again) next_request(c);
    else conn_finish(c->net);
}

static void output(struct http_conn *c, struct buf *out) {
    struct h1_side *h = c->h1;
    if (!h) return;
    struct str rest = str_upto(str_from(buf_str(&h->out), h->out_at), CONN_OUT_SOFT);
    buf_add_str(out, rest);
    h->out_at += rest.n;
    if (queued_bytes(h) == 0) {
        buf_clear(&h->out);
        h->out_at = 0;
    }
    struct http_stream *s = h->stream;
    if (!s) return;
    if (s->ended && s->whole && queued_bytes(h) == 0) reply_over(c);
    else if (h->short_of_room && queued_bytes(h) <= h->queue_max / 2) {
        h->short_of_room = false;
        http_stream_writable(s);
    }
}

static void drain(struct http_conn *c, bool now UNUSED) {
    if (!c->h1 || (!c->h1->stream && h1_is_between(&c->h1->parser))) conn_finish(c->net);
    else c->h1->close_after = true;
}

static void close_h1(struct http_conn *c) {
    struct h1_side *h = c->h1;
    if (!h) return;
    struct http_stream *s = h->stream;
    h->stream = NULL;
    if (s) http_stream_free(s, c->lost_to_peer ? HTTP_GONE_CANCEL : HTTP_GONE_LOST);
    h1_free(&h->parser);
    buf_free(&h->held);
    buf_free(&h->out);
    free(h);
    c->h1 = NULL;
}

/* How the body will be framed (RFC 9112 §6): by its length, in chunks, or by the end of the connection. */
static void choose_framing(struct http_stream *s, unsigned status, const struct http_header *headers, size_t n, bool over) {
    struct h1_side *h = s->conn->h1;
    h->no_body = str_eq(s->request.method, STR("HEAD")) || status == 204 || status == 304;
    const struct http_header *length = http_header_find(headers, n, STR("content-length"));
    h->has_length = length && str_u64(length->value, &h->length_left);
    h->chunked = !h->has_length && !over && !h->no_body && s->request.version == HTTP_VERSION_1_1;
    if (!h->has_length && !h->chunked && !over && !h->no_body) h->close_after = true;
    if (over && !h->has_length && !h->no_body) buf_add_z(&h->out, "content-length: 0\r\n");
    if (h->chunked) buf_add_z(&h->out, "transfer-encoding: chunked\r\n");
}

static void headers(struct http_stream *s, unsigned status, const struct http_header *headers, size_t n, bool over) {
    struct h1_side *h = s->conn->h1;
    h1_write_status(&h->out, status, headers, n);
    choose_framing(s, status, headers, n, over);
    if (!s->dispatched || h->parser.state != H1_S_OVER) h->close_after = true; /* refused, or not read to its end */
    if (h->close_after || s->conn->draining) buf_add_z(&h->out, "connection: close\r\n");
    else if (s->request.version == HTTP_VERSION_1_0) buf_add_z(&h->out, "connection: keep-alive\r\n");
    buf_add_z(&h->out, "\r\n");
    if (over) s->whole = true;
    conn_output(s->conn->net);
}

static size_t room(const struct http_stream *s) {
    const struct h1_side *h = s->conn->h1;
    return queued_bytes(h) >= h->queue_max ? 0 : h->queue_max - queued_bytes(h);
}

static void make_room(struct h1_side *h, size_t more) {
    if (h->out_at && h->out.n + more > h->out.cap) {
        buf_consume(&h->out, h->out_at);
        h->out_at = 0;
    }
}

static void reset(struct http_stream *s, unsigned error UNUSED) {
    http_conn_cut(s->conn);
}

static size_t data(struct http_stream *s, struct str data) {
    struct h1_side *h = s->conn->h1;
    if (h->no_body) return data.n;
    if (h->has_length && data.n > h->length_left) data.n = (size_t)h->length_left;
    struct str part = str_upto(data, room(s));
    if (part.n < data.n) h->short_of_room = true;
    make_room(h, part.n + 32);
    if (h->chunked) h1_write_chunk(&h->out, part);
    else buf_add_str(&h->out, part);
    if (h->has_length) h->length_left -= part.n;
    if (!buf_ok(&h->out)) http_stream_reset(s, HTTP_RESET_INTERNAL);
    conn_output(s->conn->net);
    return part.n;
}

static void end(struct http_stream *s, const struct http_header *trailers, size_t n) {
    struct h1_side *h = s->conn->h1;
    make_room(h, 1024);
    if (h->chunked) h1_write_last_chunk(&h->out, trailers, n);
    s->whole = true; /* the headers said so when the request was not: its connection closes */
    /* shorter than it said: only the connection's end tells the client so */
    if ((h->has_length && h->length_left && !h->no_body) || !buf_ok(&h->out)) http_stream_reset(s, HTTP_RESET_INTERNAL);
    conn_output(s->conn->net);
}

static size_t queued(const struct http_stream *s) {
    return queued_bytes(s->conn->h1);
}

static void widen(struct http_stream *s, size_t queue_bytes) {
    s->conn->h1->queue_max = queue_bytes;
}

/* The socket was left alone while something waited for the reader. */
static void taken(struct http_stream *s, size_t n UNUSED) {
    if (s->conn->h1->held.n < HELD_MAX) conn_resume(s->conn->net);
}

const struct protocol protocol_h1 = { .receive = receive,
                                      .output = output,
                                      .drain = drain,
                                      .close = close_h1,
                                      .headers = headers,
                                      .data = data,
                                      .end = end,
                                      .room = room,
                                      .queued = queued,
                                      .widen = widen,
                                      .reset = reset,
                                      .taken = taken };
