#include <stdlib.h>

#include "http/server_parts.h"

enum { KIB = 1024, MIB = 1024 * KIB, NOTICE_MS = 100, TICK_MIN_MS = 10, TICK_MAX_MS = 5000 };

static void default_size(size_t *value, size_t otherwise) {
    if (*value == 0) *value = otherwise;
}

static void default_count(unsigned *value, unsigned otherwise) {
    if (*value == 0) *value = otherwise;
}

static void fill_limits(struct http_limits *l) {
    default_size(&l->header_bytes, 64 * KIB);
    default_size(&l->header_count, 100);
    default_size(&l->body_bytes, 10 * MIB);
    default_size(&l->conn_body_bytes, 128 * MIB);
    default_size(&l->server_body_bytes, 512 * MIB);
    default_size(&l->queue_bytes, 256 * KIB);
    default_count(&l->max_streams, 100);
    default_count(&l->max_connections, 4096);
    default_count(&l->handshake_ms, 10000);
    default_count(&l->headers_ms, 20000);
    default_count(&l->body_ms, 60000);
    default_count(&l->idle_ms, 300000);
    default_count(&l->write_ms, 60000);
    default_count(&l->stall_ms, 600000);
    default_count(&l->max_stalled, 4096);
}

/* An eighth of the shortest deadline: deadlines are late by no more than that. */
static unsigned tick_ms(const struct http_limits *l) {
    unsigned shortest = l->headers_ms < l->body_ms ? l->headers_ms : l->body_ms;
    if (l->idle_ms < shortest) shortest = l->idle_ms;
    if (l->stall_ms < shortest) shortest = l->stall_ms;
    shortest /= 8;
    return shortest < TICK_MIN_MS ? TICK_MIN_MS : shortest > TICK_MAX_MS ? TICK_MAX_MS : shortest;
}

/* ---- drain ---- */

static void on_notice(struct loop_timer *timer UNUSED, void *ctx) {
    struct http_server *server = ctx;
    for (struct http_conn *c = server->conns; c; c = c->next) http_conn_drain(c, true);
}

static void on_grace_over(struct loop_timer *timer UNUSED, void *ctx) {
    struct http_server *server = ctx;
    for (struct http_conn *c = server->conns; c; c = c->next) http_conn_cut(c);
}

static void tell_drained(struct loop_task *task UNUSED, void *ctx) {
    struct http_server *server = ctx;
    if (server->drained) server->drained(server, server->drained_ctx);
}

static void check_drained(struct http_server *server) {
    if (!server->draining || server->conns || !server->drained) return;
    loop_timer_stop(server->loop, &server->notice);
    loop_timer_stop(server->loop, &server->grace);
    loop_defer(server->loop, &server->told);
}

void http_conn_gone(struct http_conn *c) {
    c->server->stats.connections--;
    check_drained(c->server);
}

static void stop_listening(struct http_server *server) {
    for (struct http_listener *l = server->listeners; l; l = l->next) {
        listener_close(l->net);
        l->net = NULL;
    }
}

void http_server_drain(struct http_server *server, unsigned grace_ms, void (*drained)(struct http_server *, void *ctx),
                       void *ctx) {
    if (server->draining) return;
    server->draining = true;
    server->drained = drained;
    server->drained_ctx = ctx;
    stop_listening(server);
    for (struct http_conn *c = server->conns; c; c = c->next) http_conn_drain(c, false);
    loop_timer_start(server->loop, &server->notice, grace_ms / 2 < NOTICE_MS ? grace_ms / 2 : NOTICE_MS);
    loop_timer_start(server->loop, &server->grace, grace_ms);
    check_drained(server);
}

/* ---- listeners ---- */

static void on_accept(struct listener *net UNUSED, int fd, const struct net_address *peer, void *ctx) {
    http_conn_accept(ctx, fd, peer);
}

static enum code open_listener(struct http_listener *l, const struct http_listen *listen, struct err *err) {
    struct listener_config config = { .loop = l->server->loop,
                                      .use_fd = listen->use_fd,
                                      .fd = listen->fd,
                                      .reuse_port = listen->reuse_port,
                                      .on_accept = on_accept,
                                      .ctx = l };
    if (!listen->use_fd) {
        enum code rc = net_address_parse(listen->address, &config.address, err);
        if (rc) return rc;
    }
    return listener_new(&config, &l->net, err);
}

enum code http_server_listen(struct http_server *server, const struct http_listen *listen,
                             struct http_listener **ret_listener, struct err *err) {
    struct http_listener *l = calloc(1, sizeof *l);
    if (!l) return err_oom(err);
    *l = (struct http_listener){ .server = server, .ctx = listen->ctx, .http1_only = listen->http1_only };
    enum code rc = open_listener(l, listen, err);
    if (rc) {
        free(l);
        return rc;
    }
    l->tls = tls_ref(listen->tls);
    l->next = server->listeners;
    l->link = &server->listeners;
    if (l->next) l->next->link = &l->next;
    server->listeners = l;
    if (ret_listener) *ret_listener = l;
    return OK;
}

uint16_t http_listener_port(const struct http_listener *listener) {
    return listener->net ? listener_port(listener->net) : 0;
}

void http_listener_set_tls(struct http_listener *listener, struct tls_ctx *tls) {
    struct tls_ctx *old = listener->tls;
    listener->tls = tls_ref(tls);
    tls_unref(old);
}

static void free_listener(struct http_listener *l) {
    listener_close(l->net);
    *l->link = l->next;
    if (l->next) l->next->link = l->link;
    tls_unref(l->tls);
    free(l);
}

void http_listener_close(struct http_listener *listener) {
    if (!listener) return;
    for (struct http_conn *c = listener->server->conns; c; c = c->next) {
        if (c->listener != listener) continue;
        c->listener = NULL;
        http_conn_cut(c);
    }
    free_listener(listener);
}

/* ---- the server ---- */

enum code http_server_new(const struct http_server_config *config, struct http_server **ret_server, struct err *err) {
    if (!config->handler.on_request || !config->handler.on_gone)
        return err_set(err, INVALID_ARGUMENT, "a server needs on_request and on_gone");
    struct http_server *server = calloc(1, sizeof *server);
    if (!server) return err_oom(err);
    *server = (struct http_server){
        .loop = config->loop, .limits = config->limits, .handler = config->handler, .ctx = config->ctx
    };
    fill_limits(&server->limits);
    server->tick_ms = tick_ms(&server->limits);
    server->notice = (struct loop_timer){ .fn = on_notice, .ctx = server };
    server->grace = (struct loop_timer){ .fn = on_grace_over, .ctx = server };
    server->told = (struct loop_task){ .fn = tell_drained, .ctx = server };
    *ret_server = server;
    return OK;
}

void http_server_free(struct http_server *server) {
    if (!server) return;
    server->drained = NULL;
    while (server->listeners) free_listener(server->listeners);
    while (server->conns) conn_close_now(server->conns->net);
    loop_timer_stop(server->loop, &server->notice);
    loop_timer_stop(server->loop, &server->grace);
    loop_defer_cancel(server->loop, &server->told);
    free(server);
}

struct loop *http_server_loop(const struct http_server *server) {
    return server->loop;
}

struct http_server_stats http_server_stats(const struct http_server *server) {
    struct http_server_stats stats = server->stats;
    for (const struct http_conn *c = server->conns; c; c = c->next)
        for (const struct http_stream *s = c->streams; s; s = s->next) stats.queued_bytes += c->protocol->queued(s);
    return stats;
}
