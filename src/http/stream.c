#include <stdio.h>
#include <stdlib.h>

#include "http/server_parts.h"
#include "wire/url.h"

enum { PIECES_MAX = 512 * 1024 }; /* a window, or one read; and what came while it was being moved */

/* ---- life ---- */

struct http_stream *http_stream_new(struct http_conn *c) {
    struct http_stream *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->conn = c;
    s->open = true;
    s->since_ms = s->last_byte_ms = s->taken_ms = loop_now_ms(c->server->loop);
    s->next = c->streams;
    s->link = &c->streams;
    if (s->next) s->next->link = &s->next;
    c->streams = s;
    c->n_streams++;
    c->server->stats.streams++;
    return s;
}

static void uncount(struct http_stream *s) {
    s->conn->body_bytes -= s->counted;
    s->conn->server->stats.body_bytes -= s->counted;
    s->counted = 0;
}

void http_stream_drop_body(struct http_stream *s) {
    uncount(s);
    buf_wipe(&s->body);
    s->request.body = (struct str){ 0 };
}

void http_stream_take_body(struct http_stream *s, struct buf *ret_body) {
    *ret_body = s->body;
    s->body = (struct buf)BUF_INIT(s->max_body);
}

void http_stream_free(struct http_stream *s, enum http_gone why) {
    struct http_conn *c = s->conn;
    s->open = false;
    if (why != HTTP_GONE_DONE) c->server->stats.resets++;
    if (s->dispatched) c->server->handler.on_gone(s, s->was_reset ? HTTP_GONE_RESET : why, c->server->ctx);
    http_stream_drop_body(s);
    http_stream_stalls(s, false);
    *s->link = s->next;
    if (s->next) s->next->link = s->link;
    c->n_streams--;
    c->server->stats.streams--;
    c->since_ms = loop_now_ms(c->server->loop);
    free(s);
}

/* ---- the request comes in ---- */

static bool is_authority(struct str s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && c != '.' && c != '-' && c != '_' && c != ':' && c != '[' && c != ']') return false;
    }
    return s.n > 0 && s.n < 512;
}

static void describe(struct http_stream *s, struct str authority) {
    struct http_conn *c = s->conn;
    struct http_request *r = &s->request;
    r->scheme = conn_is_tls(c->net) ? STR("https") : STR("http");
    r->authority = authority;
    r->peer = *conn_peer(c->net);
    r->listener_ctx = c->listener_ctx;
    r->tls = conn_is_tls(c->net);
    r->sni = conn_sni(c->net);
    r->peer_certificate = conn_peer_certificate(c->net);
}

void http_stream_refuse(struct http_stream *s, unsigned status) {
    s->whole = true;
    s->conn->server->stats.bad++;
    http_reply_simple(s, status, STR("text/plain"), str_z(h1_reason(status)));
}

static void too_large(struct http_stream *s, size_t met) {
    struct http_server *server = s->conn->server;
    s->too_large = s->whole = true;
    s->request.met = met;
    http_stream_drop_body(s);
    if (!server->handler.on_too_large) {
        http_stream_refuse(s, 413);
        return;
    }
    s->dispatched = true;
    server->stats.requests++;
    server->handler.on_too_large(s, &s->request, server->ctx);
}

static bool declared_too_large(const struct http_stream *s) {
    uint64_t n = 0;
    struct str length = http_header_value(s->request.headers, s->request.n_headers, STR("content-length"));
    return length.n && str_u64(length, &n) && n > s->max_body;
}

/* ---- a body in pieces ---- */

size_t http_stream_held(const struct http_stream *s) {
    return s->request.streams ? s->body.n - s->body_at : 0;
}

static void begin_pieces(struct http_stream *s) {
    struct http_server *server = s->conn->server;
    s->request.streams = s->dispatched = true;
    s->max_body = PIECES_MAX;
    s->body = (struct buf)BUF_INIT(s->max_body);
    server->stats.requests++;
    server->handler.on_request(s, &s->request, server->ctx);
}

/* The reader takes what it can. */
static size_t offer(struct http_stream *s, struct str piece, bool over) {
    struct http_server *server = s->conn->server;
    size_t taken = server->handler.on_body(s, piece, over, server->ctx);
    if (over && taken && taken == piece.n) s->told_over = true; /* an empty end may have come too early for its reader */
    if (taken && s->open) s->conn->protocol->taken(s, taken);
    return taken;
}

static void count(struct http_stream *s, size_t held) {
    uncount(s);
    s->counted = held;
    s->conn->body_bytes += held;
    s->conn->server->stats.body_bytes += held;
}

static void hold_piece(struct http_stream *s, struct str piece) {
    const struct http_limits *l = &s->conn->server->limits;
    bool fits = s->conn->body_bytes + piece.n <= l->conn_body_bytes &&
                s->conn->server->stats.body_bytes + piece.n <= l->server_body_bytes;
    if (fits && s->body_at && s->body.n + piece.n > s->body.cap) {
        buf_consume(&s->body, s->body_at);
        s->body_at = 0;
    }
    if (fits) buf_add_str(&s->body, piece);
    if (fits && buf_ok(&s->body)) count(s, http_stream_held(s));
    else http_stream_reset(s, HTTP_RESET_CALM);
}

static void take_piece(struct http_stream *s, struct str piece) {
    if (http_stream_held(s) == 0) piece = str_from(piece, offer(s, piece, false));
    if (piece.n && s->open && !s->ended) hold_piece(s, piece);
}

void http_stream_more(struct http_stream *s) {
    if (!s->request.streams || !s->open || s->ended || s->told_over) return;
    struct str waiting = str_from(buf_str(&s->body), s->body_at);
    if (waiting.n == 0 && !s->whole) return;
    s->body_at += offer(s, waiting, s->whole);
    if (s->body_at == s->body.n) {
        buf_free(&s->body);
        s->body_at = 0;
    }
    count(s, http_stream_held(s));
}

bool http_stream_headers(struct http_stream *s, struct str target, struct str authority, bool over) {
    struct http_server *server = s->conn->server;
    bool nameless = s->request.version == HTTP_VERSION_1_0 && authority.n == 0;
    describe(s, authority);
    if ((!nameless && !is_authority(authority)) ||
        url_split_target(target, &s->request.path, &s->request.query, NULL) != OK) {
        http_stream_refuse(s, 400);
        return false;
    }
    s->max_body = server->limits.body_bytes;
    if (over) return true;
    if (server->handler.streams && server->handler.streams(s, &s->request, server->ctx)) {
        begin_pieces(s);
        return true;
    }
    if (server->handler.max_body) s->max_body = server->handler.max_body(s, &s->request, server->ctx);
    s->body = (struct buf)BUF_INIT(s->max_body);
    if (!declared_too_large(s)) return true;
    too_large(s, s->max_body);
    return false;
}

static bool has_leave(struct http_stream *s) {
    struct http_server *server = s->conn->server;
    if (!s->has_leave)
        s->has_leave = !server->handler.may_have_room || server->handler.may_have_room(s, &s->request, server->ctx);
    return s->has_leave;
}

/* Whether n bytes more may be held, and if not, which bound they would pass: 0 = what others hold. */
static bool fits(struct http_stream *s, size_t n, size_t *ret_bound) {
    const struct http_conn *c = s->conn;
    const struct http_limits *l = &c->server->limits;
    size_t held = c->server->stats.body_bytes + n, body = s->body.n + n;
    *ret_bound = s->max_body;
    if (n > s->max_body - s->body.n) return false;
    *ret_bound = 0;
    if (c->body_bytes + n > l->conn_body_bytes || held > l->server_body_bytes) return false;
    if (held > l->server_body_bytes / 2 && !has_leave(s)) return false;
    *ret_bound = HTTP_SMALL_BODY;
    return body <= HTTP_SMALL_BODY || has_leave(s);
}

void http_stream_body(struct http_stream *s, struct str piece) {
    struct http_conn *c = s->conn;
    struct http_server *server = c->server;
    if (s->whole || !s->open) return;
    if (s->request.streams) {
        if (!s->ended) take_piece(s, piece);
        return;
    }
    s->last_byte_ms = loop_now_ms(server->loop);
    size_t bound;
    bool ok = fits(s, piece.n, &bound);
    if (ok) buf_add_str(&s->body, piece);
    if (!ok || !buf_ok(&s->body)) {
        too_large(s, ok ? 0 : bound);
        return;
    }
    s->counted += piece.n;
    c->body_bytes += piece.n;
    server->stats.body_bytes += piece.n;
}

void http_stream_whole(struct http_stream *s) {
    struct http_server *server = s->conn->server;
    if (s->whole || !s->open) return;
    if (s->request.streams) {
        s->whole = true;
        if (http_stream_held(s) == 0) http_stream_more(s);
        return;
    }
    s->whole = s->dispatched = true;
    s->request.body = buf_str(&s->body);
    server->stats.requests++;
    server->handler.on_request(s, &s->request, server->ctx);
}

void http_stream_writable(struct http_stream *s) {
    struct http_server *server = s->conn->server;
    if (s->open && s->dispatched && !s->ended && server->handler.on_writable) server->handler.on_writable(s, server->ctx);
}

/* ---- public: the stream ---- */

void http_stream_set_user(struct http_stream *s, void *user) {
    s->user = user;
}

void *http_stream_user(const struct http_stream *s) {
    return s->user;
}

const struct http_request *http_stream_request(const struct http_stream *s) {
    return &s->request;
}

struct http_server *http_stream_server(const struct http_stream *s) {
    return s->conn->server;
}

struct loop *http_stream_loop(const struct http_stream *s) {
    return s->conn->server->loop;
}

bool http_stream_is_open(const struct http_stream *s) {
    return s->open;
}

void http_stream_reset(struct http_stream *s, unsigned h2_error) {
    if (!s->open) return;
    s->open = false;
    s->was_reset = true;
    s->conn->protocol->reset(s, h2_error);
}

/* ---- public: the reply ---- */

void http_reply_headers(struct http_stream *s, unsigned status, const struct http_header *headers, size_t n) {
    if (!s->open || s->headers_sent) return;
    s->headers_sent = true;
    s->conn->protocol->headers(s, status, headers, n, false);
}

size_t http_reply_data(struct http_stream *s, struct str data) {
    if (!s->open || s->ended || !s->headers_sent || data.n == 0) return 0;
    size_t taken = s->conn->protocol->data(s, data);
    s->written += taken;
    return taken;
}

size_t http_reply_room(const struct http_stream *s) {
    return s->open && !s->ended ? s->conn->protocol->room(s) : 0;
}

void http_reply_end(struct http_stream *s, const struct http_header *trailers, size_t n) {
    if (!s->open || s->ended || !s->headers_sent) return;
    s->ended = true;
    s->conn->protocol->end(s, trailers, n);
}

void http_reply_headers_only(struct http_stream *s, unsigned status, const struct http_header *headers, size_t n) {
    if (!s->open || s->headers_sent) return;
    s->headers_sent = s->ended = true;
    s->conn->protocol->headers(s, status, headers, n, true);
}

void http_reply_simple(struct http_stream *s, unsigned status, struct str content_type, struct str body) {
    char digits[24];
    if (!s->open || s->headers_sent) return;
    if (body.n > SIMPLE_BODY_MAX) {
        status = 500;
        body = STR("the reply is too large");
    }
    int digits_n = snprintf(digits, sizeof digits, "%zu", body.n);
    struct str number = { digits, digits_n > 0 ? (size_t)digits_n : 0 };
    const struct http_header headers[] = { { STR("content-length"), number }, { STR("content-type"), content_type } };
    http_reply_headers(s, status, headers, content_type.n ? 2 : 1);
    s->conn->protocol->widen(s, SIMPLE_BODY_MAX + 4096);
    if (http_reply_data(s, body) < body.n && s->open)
        http_stream_reset(s, HTTP_RESET_INTERNAL); /* out of memory: a short body must not look whole */
    http_reply_end(s, NULL, 0);
}
