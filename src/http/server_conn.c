#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http/server_parts.h"

enum { H1_IDLE_MS = 75000, BODY_BYTES_A_MS = 1 };

static const char preface[PREFACE_BYTES + 1] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static uint64_t now_ms(const struct http_conn *c) {
    return loop_now_ms(c->server->loop);
}

/* ---- deadlines ---- */

/* Nothing for body_ms, or so little that a byte now and then would hold the stream for ever. */
static bool body_is_late(const struct http_conn *c, const struct http_stream *s) {
    uint64_t body_ms = c->server->limits.body_ms;
    return !s->whole && !s->request.streams &&
           (now_ms(c) > s->last_byte_ms + body_ms || now_ms(c) > s->since_ms + body_ms + s->body.n / BODY_BYTES_A_MS);
}

static bool is_idle_too_long(const struct http_conn *c) {
    uint64_t idle_ms = c->server->limits.idle_ms;
    if (c->protocol == &protocol_h1 && idle_ms > H1_IDLE_MS) idle_ms = H1_IDLE_MS;
    return c->n_streams == 0 && now_ms(c) > c->since_ms + idle_ms;
}

static void late_bodies(struct http_conn *c) {
    for (struct http_stream *s = c->streams, *next; s; s = next) {
        next = s->next;
        if (!body_is_late(c, s)) continue;
        c->server->stats.bad++;
        http_stream_refuse(s, 408);
    }
}

void http_stream_stalls(struct http_stream *s, bool stalls) {
    if (s->stalls == stalls) return;
    s->stalls = stalls;
    if (stalls) s->conn->server->n_stalled++;
    else s->conn->server->n_stalled--;
}

/* A window that stays shut holds the stream, its queue and its connection, with nothing for TCP's own deadline to see. A
 * whole answer that waits holds no request any more, so only their number here is bounded: patience ends where too many
 * wait. */
static bool is_past_patience(const struct http_conn *c, const struct http_stream *s) {
    const struct http_limits *l = &c->server->limits;
    return now_ms(c) > s->taken_ms + l->stall_ms || (s->stalls && c->server->n_stalled > l->max_stalled);
}

/* The error is the one after which clients go on with their resume token. */
static void stalled_replies(struct http_conn *c) {
    for (struct http_stream *s = c->streams, *next; s; s = next) {
        size_t waiting = c->protocol->queued(s), taken = s->written - waiting;
        next = s->next;
        if (waiting == 0 || taken != s->taken) {
            s->taken = taken;
            s->taken_ms = now_ms(c);
        }
        http_stream_stalls(s, s->ended && now_ms(c) >= s->taken_ms + c->server->tick_ms);
        if (!s->open || waiting == 0 || !is_past_patience(c, s)) continue;
        c->server->stats.bad++;
        http_stream_reset(s, HTTP_RESET_INTERNAL);
    }
}

/* A coarse look at all deadlines: cheaper than to set a timer for each request. */
static void on_tick(struct loop_timer *timer, void *ctx) {
    struct http_conn *c = ctx;
    loop_timer_start(c->server->loop, timer, c->server->tick_ms);
    if (!conn_is_open(c->net)) return;
    if (c->headers_due_ms && now_ms(c) > c->headers_due_ms) {
        c->server->stats.bad++;
        http_conn_cut(c);
        return;
    }
    late_bodies(c);
    stalled_replies(c);
    if (!is_idle_too_long(c)) return;
    if (c->protocol == &protocol_h2 && c->h2) http_conn_drain(c, true);
    conn_finish(c->net);
}

/* ---- events of the socket ---- */

static void speak(struct http_conn *c, bool h2) {
    c->protocol = h2 ? &protocol_h2 : &protocol_h1;
    if (c->protocol->begin) c->protocol->begin(c);
}

static void on_ready(struct conn *net, void *ctx) {
    struct http_conn *c = ctx;
    c->since_ms = now_ms(c);
    if (conn_is_tls(net) || c->http1_only) speak(c, conn_is_h2(net));
    else c->headers_due_ms = now_ms(c) + c->server->limits.headers_ms;
    if (c->server->draining) conn_finish(net);
}

/* Plaintext: HTTP/2 begins with a text that is no request. The bytes are held until one or the other is sure. */
static void detect(struct http_conn *c, struct str bytes) {
    size_t n = 0;
    while (n < bytes.n && c->preface_n + n < PREFACE_BYTES && bytes.p[n] == preface[c->preface_n + n]) n++;
    memcpy(c->preface + c->preface_n, bytes.p, n);
    c->preface_n += (unsigned)n;
    bool is_h2 = c->preface_n == PREFACE_BYTES;
    if (!is_h2 && n == bytes.n) return;
    c->headers_due_ms = 0;
    speak(c, is_h2);
    if (c->preface_n && conn_is_open(c->net)) c->protocol->receive(c, (struct str){ c->preface, c->preface_n });
    if (n < bytes.n && conn_is_open(c->net)) c->protocol->receive(c, str_from(bytes, n));
}

static void on_data(struct conn *net UNUSED, struct str bytes, void *ctx) {
    struct http_conn *c = ctx;
    if (c->protocol) c->protocol->receive(c, bytes);
    else detect(c, bytes);
}

static void on_output(struct conn *net UNUSED, struct buf *out, void *ctx) {
    struct http_conn *c = ctx;
    if (c->protocol) c->protocol->output(c, out);
}

static void on_closed(struct conn *net UNUSED, enum conn_end why, const struct err *err UNUSED, void *ctx) {
    struct http_conn *c = ctx;
    c->lost_to_peer = why == CONN_END_EOF || why == CONN_END_TLS || why == CONN_END_LOST;
    if (why == CONN_END_TIMEOUT) c->server->stats.bad++;
    loop_timer_stop(c->server->loop, &c->tick);
    for (struct http_stream *s = c->streams; s; s = s->next) s->open = false;
    if (c->protocol) c->protocol->close(c);
    *c->link = c->next;
    if (c->next) c->next->link = c->link;
    http_conn_gone(c);
    free(c);
}

static const struct conn_events events = {
    .on_ready = on_ready, .on_data = on_data, .on_output = on_output, .on_closed = on_closed
};

/* ---- life ---- */

void http_conn_accept(struct http_listener *listener, int fd, const struct net_address *peer) {
    struct http_server *server = listener->server;
    struct http_conn *c = server->stats.connections < server->limits.max_connections ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        server->stats.refused++;
        close(fd);
        return;
    }
    *c = (struct http_conn){ .server = server,
                             .listener = listener,
                             .listener_ctx = listener->ctx,
                             .http1_only = listener->http1_only,
                             .tick = { .fn = on_tick, .ctx = c } };
    const struct conn_config config = { .loop = server->loop,
                                        .tls = listener->tls,
                                        .handshake_ms = server->limits.handshake_ms,
                                        .write_ms = server->limits.write_ms,
                                        .events = &events,
                                        .ctx = c };
    if (conn_accept(&config, fd, peer, &c->net, NULL) != OK) {
        server->stats.refused++;
        free(c);
        return;
    }
    c->since_ms = now_ms(c);
    c->next = server->conns;
    c->link = &server->conns;
    if (c->next) c->next->link = &c->next;
    server->conns = c;
    server->stats.accepted++;
    server->stats.connections++;
    loop_timer_start(server->loop, &c->tick, server->tick_ms);
}

void http_conn_cut(struct http_conn *c) {
    for (struct http_stream *s = c->streams; s; s = s->next) s->open = false;
    conn_abort(c->net);
}

void http_conn_drain(struct http_conn *c, bool now) {
    c->draining = true;
    if (c->protocol) c->protocol->drain(c, now);
    else conn_finish(c->net);
}
