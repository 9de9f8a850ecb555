#include "http/server_parts.h"

#include <stdio.h>

enum { REPLY_HEADERS_MAX = 128 };

struct pseudo {
    struct str method, path, authority, host;
};

static void on_output_due(struct http_conn *c) {
    if (h2_wants_send(c->h2)) conn_output(c->net);
}

/* ---- what comes in ---- */

/* nghttp2 has checked that each pseudo-header is there once, before the others. Host moves to the authority. */
static size_t split_pseudo(const struct http_header *headers, size_t n, struct pseudo *p) {
    size_t i = 0;
    for (; i < n && headers[i].name.n && headers[i].name.p[0] == ':'; i++) {
        if (str_eq(headers[i].name, STR(":method"))) p->method = headers[i].value;
        else if (str_eq(headers[i].name, STR(":path"))) p->path = headers[i].value;
        else if (str_eq(headers[i].name, STR(":authority"))) p->authority = headers[i].value;
    }
    p->host = http_header_value(headers + i, n - i, STR("host"));
    return i;
}

/* Two names for one target would let a second reading differ from ours (RFC 9113 §8.3.1). */
static bool one_authority(struct pseudo *p, const struct http_header *headers, size_t n) {
    size_t hosts = http_header_count(headers, n, STR("host"));
    if (hosts > 1 || (hosts == 1 && p->authority.n && !str_eq_nocase(p->authority, p->host))) return false;
    if (p->authority.n == 0) p->authority = p->host;
    return true;
}

static void on_headers(struct h2_stream *h2s, const struct http_header *headers, size_t n, bool over, bool too_many,
                       void *ctx) {
    struct http_conn *c = ctx;
    struct pseudo p = { 0 };
    struct http_stream *s = http_stream_new(c);
    if (!s) {
        h2_reset(h2s, HTTP_RESET_CALM);
        return;
    }
    h2_set_user(h2s, s);
    s->h2 = h2s;
    size_t first = split_pseudo(headers, n, &p);
    s->request.version = HTTP_VERSION_2;
    s->request.method = p.method;
    s->request.headers = headers + first;
    s->request.n_headers = n - first;
    if (too_many) http_stream_refuse(s, 431);
    else if (str_eq(p.method, STR("CONNECT"))) http_stream_refuse(s, 405);
    else if (!one_authority(&p, headers + first, n - first)) http_stream_refuse(s, 400);
    else (void)http_stream_headers(s, p.path, p.authority, over);
}

static void on_data(struct h2_stream *h2s, struct str data, void *ctx UNUSED) {
    struct http_stream *s = h2_user(h2s);
    if (!s) return;
    http_stream_body(s, data);
    if (s->request.streams) return;         /* its reader gives the window back */
    if (!s->whole) h2_consume(h2s, data.n); /* what is refused gets no more window */
}

static void on_end(struct h2_stream *h2s, const struct http_header *trailers UNUSED, size_t n UNUSED, void *ctx UNUSED) {
    struct http_stream *s = h2_user(h2s);
    if (s) http_stream_whole(s);
}

static void on_writable(struct h2_stream *h2s, void *ctx UNUSED) {
    struct http_stream *s = h2_user(h2s);
    if (s) http_stream_writable(s);
}

static void on_close(struct h2_stream *h2s, uint32_t error, bool by_peer, void *ctx) {
    struct http_conn *c = ctx;
    struct http_stream *s = h2_user(h2s);
    if (!s) return;
    bool done = s->ended && h2_queued(h2s) == 0 && error == 0;
    enum http_gone why = done ? HTTP_GONE_DONE : by_peer && !c->lost_to_peer ? HTTP_GONE_CANCEL : HTTP_GONE_LOST;
    http_stream_free(s, why);
}

static const struct h2_callbacks callbacks = {
    .on_headers = on_headers, .on_data = on_data, .on_end = on_end, .on_writable = on_writable, .on_close = on_close
};

/* Our SETTINGS go out before the client's come (RFC 9113 §3.4): a client whose socket holds small writes back until the
 * last is acknowledged would otherwise wait for our system's late acknowledgement, 40 ms. */
static void begin(struct http_conn *c) {
    const struct http_limits *l = &c->server->limits;
    const struct h2_limits limits = { .header_bytes = l->header_bytes,
                                      .header_count = l->header_count + 8, /* the pseudo-headers */
                                      .queue_bytes = l->queue_bytes,
                                      .max_streams = l->max_streams };
    if (h2_new(H2_SERVER, &limits, &callbacks, c, &c->h2, NULL) != OK) http_conn_cut(c);
    else conn_output(c->net);
}

static void receive(struct http_conn *c, struct str bytes) {
    bool broken = h2_receive(c->h2, bytes, NULL) != OK;
    if (!conn_is_open(c->net)) return;
    conn_output(c->net);
    if (!broken) return;
    c->server->stats.bad++;
    conn_finish(c->net); /* nghttp2 has a GOAWAY to send */
}

static void output(struct http_conn *c, struct buf *out) {
    if (!c->h2) return;
    if (h2_send(c->h2, out, CONN_OUT_SOFT, NULL) != OK) http_conn_cut(c);
    else if (h2_is_over(c->h2)) conn_finish(c->net);
}

static void drain(struct http_conn *c, bool now) {
    if (c->h2) h2_shutdown(c->h2, now);
    if (c->h2) conn_output(c->net);
    else conn_finish(c->net);
}

static void close_h2(struct http_conn *c) {
    c->lost_to_peer = true; /* whatever happens to the streams now, it is the connection's end */
    h2_free(c->h2);
    c->h2 = NULL;
}

/* ---- what goes out ---- */

static bool is_head(const struct http_stream *s) {
    return str_eq(s->request.method, STR("HEAD"));
}

static void headers(struct http_stream *s, unsigned status, const struct http_header *headers, size_t n, bool over) {
    struct http_header all[REPLY_HEADERS_MAX];
    char digits[12];
    int digits_n = snprintf(digits, sizeof digits, "%u", status);
    size_t m = 0;
    all[m++] = (struct http_header){ STR(":status"), { digits, digits_n > 0 ? (size_t)digits_n : 0 } };
    for (size_t i = 0; i < n && m < REPLY_HEADERS_MAX; i++)
        if (!h1_is_connection_header(headers[i].name)) all[m++] = headers[i];
    h2_respond(s->h2, all, m, over || is_head(s));
    on_output_due(s->conn);
}

static size_t data(struct http_stream *s, struct str data) {
    size_t n = is_head(s) ? data.n : h2_write(s->h2, data);
    on_output_due(s->conn);
    return n;
}

static void end(struct http_stream *s, const struct http_header *trailers, size_t n) {
    h2_finish(s->h2, trailers, n);
    on_output_due(s->conn);
}

static size_t room(const struct http_stream *s) {
    return h2_room(s->h2);
}

static size_t queued(const struct http_stream *s) {
    return h2_queued(s->h2);
}

static void widen(struct http_stream *s, size_t queue_bytes) {
    h2_widen(s->h2, queue_bytes);
}

static void reset(struct http_stream *s, unsigned error) {
    h2_reset(s->h2, error);
    conn_output(s->conn->net);
}

static void taken(struct http_stream *s, size_t n) {
    h2_consume(s->h2, n);
    on_output_due(s->conn);
}

const struct protocol protocol_h2 = { .begin = begin,
                                      .receive = receive,
                                      .output = output,
                                      .drain = drain,
                                      .close = close_h2,
                                      .headers = headers,
                                      .data = data,
                                      .end = end,
                                      .room = room,
                                      .queued = queued,
                                      .widen = widen,
                                      .reset = reset,
                                      .taken = taken };
