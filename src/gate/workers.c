#include "gate/workers.h"
#include <sys/socket.h>
#include "audit/refusals.h"
#include "base/clock.h"
#include "base/file.h"
#include "gate/config.h"
#include "gate/identify.h"
#include "gate/observe.h"
#include "gate/record.h"
#include "gate/relay.h"
#include "gate/request.h"

enum {
    REVIEW_EVERY_MS = 1000,
    QUEUE_BYTES = 64 << 10, /* a stream's: the spool holds what waits */
    LAST_REQUESTS_US = 10 * 1000 * 1000,
};

static void review(struct loop_timer *timer, void *ctx) {
    struct worker *w = ctx;
    int64_t now_us = clock_wall_us();
    for (struct request *r = w->requests, *next; r; r = next) {
        next = r->next;
        request_review(r, now_us);
    }
    observe_connections(w);
    if (w->index == 0) {
        audit_refusals_tick(w->gate->refusals);
        record_watch(w->gate);
        revocations_expire(w->gate->identity->revocations, now_us / 1000000);
    }
    loop_timer_start(w->loop, timer, REVIEW_EVERY_MS);
}

static enum code open_worker(struct gate *gate, unsigned index, struct tls_ctx *tls, struct err *err) {
    struct worker *w = &gate->workers[index];
    w->gate = gate;
    w->index = index;
    struct http_server_config config = {
        .loop = w->loop,
        .limits = { .queue_bytes = QUEUE_BYTES },
        .handler = { .max_body = request_max_body,
                     .may_have_room = request_may_have_room,
                     .on_too_large = request_too_large,
                     .on_request = request_begin,
                     .streams = relay_streams,
                     .on_body = relay_body,
                     .on_writable = request_writable,
                     .on_gone = request_gone },
        .ctx = w,
    };
    enum code rc = http_server_new(&config, &w->server, err);
    struct http_listen listen = {
        .address = gate->config->listen, .reuse_port = true, .tls = tls, .ctx = &gate->public_door
    };
    struct http_listener *listener;
    if (!rc) rc = http_server_listen(w->server, &listen, &listener, err);
    if (rc) return err_wrap(err, "listen on %.*s", STR_ARG(gate->config->listen));
    w->review = (struct loop_timer){ .fn = review, .ctx = w };
    loop_timer_start(w->loop, &w->review, REVIEW_EVERY_MS);
    return OK;
}

/* SO_REUSEPORT lets a second server share the port unseen: the first bind is a plain one, to find who has it already. */
static enum code port_is_free(const struct config *c, struct err *err) {
    struct net_address address;
    enum code rc = net_address_parse(c->listen, &address, err);
    if (rc) return rc;
    struct sockaddr_storage sa;
    socklen_t n = net_address_to(&address, &sa);
    DEFER(file_close) int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&sa, n) != 0) {
        rc = err_errno(err, "bind");
        return err_wrap(err, "%.*s cannot be listened on (choose another in listen.public, or stop who has it)",
                        STR_ARG(c->listen));
    }
    return OK;
}

enum code workers_open(struct gate *gate, struct tls_ctx **ret_tls, struct err *err) {
    const struct config *c = gate->config;
    struct tls_server_config tls = { .cert_file = c->certificate, .key_file = c->key };
    enum code rc = port_is_free(c, err);
    if (!rc) rc = tls_server_new(&tls, ret_tls, err);
    for (unsigned i = 0; !rc && i < gate->n_workers; i++) rc = open_worker(gate, i, *ret_tls, err);
    return rc;
}

enum code workers_make_loops(struct gate *gate, struct err *err) {
    gate->n_workers = gate->config->workers;
    for (unsigned i = 0; i < gate->n_workers; i++) {
        enum code rc = loop_new(&gate->workers[i].loop, err);
        if (rc) return rc;
    }
    return OK;
}

void *workers_run(void *worker) {
    struct worker *w = worker;
    loop_run(w->loop);
    return NULL;
}

/* They stop together: the first one's loop also carries what the others' requests wait for (signals, the admin listener,
 * the dialer), so it may not stop for having no client of its own. */
static void drained(struct http_server *server, void *ctx) {
    (void)server;
    struct worker *w = ctx;
    if (atomic_fetch_sub(&w->gate->n_draining, 1) > 1) return;
    for (unsigned i = 0; i < w->gate->n_workers; i++) loop_stop(w->gate->workers[i].loop);
}

static void drain_task(struct loop_task *task, void *ctx) {
    (void)task;
    struct worker *w = ctx;
    http_server_drain(w->server, (unsigned)w->gate->config->drain_ms, drained, w);
}

void workers_drain(struct gate *gate) {
    atomic_store(&gate->n_draining, gate->n_workers);
    for (unsigned i = 0; i < gate->n_workers; i++) {
        struct worker *w = &gate->workers[i];
        w->drain = (struct loop_task){ .fn = drain_task, .ctx = w };
        loop_post(w->loop, &w->drain);
    }
}

void workers_finish_requests(struct worker *w) {
    uint64_t end_us = clock_mono_us() + LAST_REQUESTS_US;
    while (w->n_requests && clock_mono_us() < end_us) loop_run_once(w->loop, 20);
}
