#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/client_parts.h"

enum {
    KIB = 1024,
    MIB = 1024 * KIB,
    CALL_ARENA = 256 * KIB,
    BODY_DEFAULT = 10 * MIB,
    BODY_MAX = 100 * MIB,
    ORIGINS_MAX = 64,
    MUTE_MS = 5000
};

/* ---- the end of a call ---- */

/* Nothing at all came for as long as this call waited: its peer may be gone without a word, and over HTTP/2 the next call
 * would go out on the same connection. */
static bool is_mute(const struct link *l, const struct http_call *call) {
    uint64_t now_ms = loop_now_ms(call->client->loop);
    return l->heard_ms < call->sent_ms && now_ms > call->sent_ms + MUTE_MS;
}

static void leave(struct http_call *call, bool whole) {
    struct link *l = call->link;
    if (!l) return;
    call->link = NULL;
    if (!whole && is_mute(l, call)) l->closing = true;
    l->protocol->detach(l, call, whole);
    call->h2 = NULL;
    l->n_calls--;
    link_released(l);
}

static void free_call(struct http_call *call) {
    *call->at = call->next;
    if (call->next) call->next->at = call->at;
    loop_timer_stop(call->client->loop, &call->timer);
    arena_free(call->arena);
    buf_wipe(&call->out);
    free(call);
}

void call_fail(struct http_call *call, enum http_fault fault, const struct err *err) {
    struct err copy = *err; /* it may belong to the connection that leave() closes */
    if (call->state == CALL_OVER) return;
    leave(call, false);
    call->fault = fault;
    call->state = CALL_OVER;
    if (call->handler.on_error) call->handler.on_error(call, &copy, call->ctx);
    free_call(call);
}

void client_call_end(struct http_call *call, const struct http_header *trailers, size_t n) {
    if (call->state == CALL_OVER) return;
    call->state = CALL_OVER;
    if (call->handler.on_end) call->handler.on_end(call, trailers, n, call->ctx);
    leave(call, true);
    free_call(call);
}

enum http_fault http_call_fault(const struct http_call *call) {
    return call->fault;
}

void http_call_cancel(struct http_call *call) {
    if (!call || call->state == CALL_OVER) return;
    leave(call, false);
    free_call(call);
}

static bool is_safe(const struct http_call *call) {
    return str_eq(call->request.method, STR("GET")) || str_eq(call->request.method, STR("HEAD"));
}

/* A pooled connection may have ended while the request was on its way. Only what certainly had no effect, or may be
 * repeated, goes out again, once. */
void call_lost(struct http_call *call, enum http_fault fault, const struct err *err, bool refused) {
    bool in_pieces = call->request.streams && call->body_at;
    bool again = !call->retried && !call->got_headers && !in_pieces && (refused || (call->on_used_link && is_safe(call)));
    if (!again || call->client->freeing) {
        call_fail(call, fault, err);
        return;
    }
    leave(call, false);
    call->retried = true;
    call->state = CALL_WAITING;
    call->body_at = 0;
    loop_defer(call->client->loop, &call->origin->pump);
}

/* ---- the answer ---- */

void call_headers(struct http_call *call, unsigned status, const struct http_header *headers, size_t n) {
    call->got_headers = true;
    if (call->handler.on_headers) call->handler.on_headers(call, status, headers, n, call->ctx);
}

bool call_data(struct http_call *call, struct str data) {
    call->received += data.n;
    if (call->request.max_body != SIZE_MAX && call->received > call->request.max_body) {
        struct err err;
        (void)err_set(&err, RESOURCE_EXHAUSTED, "the answer is larger than %zu bytes", call->request.max_body);
        call_fail(call, HTTP_FAULT_TOO_LARGE, &err);
        return false;
    }
    if (call->handler.on_data) call->handler.on_data(call, data, call->ctx);
    return true;
}

static void on_timeout(struct loop_timer *timer UNUSED, void *ctx) {
    struct http_call *call = ctx;
    struct err err;
    (void)err_set(&err, DEADLINE_EXCEEDED, "%s took longer than %u ms", call->origin->host, call->request.timeout_ms);
    call_fail(call, HTTP_FAULT_TIMEOUT, &err);
}

void http_call_pause(struct http_call *call) {
    if (call->paused || call->state == CALL_OVER) return;
    call->paused = true;
    if (call->link) call->link->protocol->flow(call->link, call);
}

void http_call_resume(struct http_call *call) {
    if (!call->paused || call->state == CALL_OVER) return;
    call->paused = false;
    if (call->link) call->link->protocol->flow(call->link, call);
}

/* ---- the request in pieces ---- */

size_t http_call_write(struct http_call *call, struct str data) {
    size_t taken = 0;
    if (call->state == CALL_SENT && call->link && !call->finished)
        taken = call->link->protocol->write(call->link, call, data);
    if (taken < data.n) call->short_of_room = true;
    call->body_at += taken;
    return taken;
}

void http_call_finish(struct http_call *call) {
    if (call->finished) return;
    call->finished = true;
    if (call->state == CALL_SENT && call->link) call->link->protocol->finish(call->link, call);
}

void call_writable(struct http_call *call) {
    call->short_of_room = false;
    if (!call->finished && call->handler.on_writable) call->handler.on_writable(call, call->ctx);
}

/* ---- the pool ---- */

static struct link *free_link(const struct origin *origin) {
    for (struct link *l = origin->links; l; l = l->next)
        if (l->protocol && !l->closing && l->protocol->capacity(l) > 0) return l;
    return NULL;
}

static unsigned connecting(const struct origin *origin) {
    unsigned n = 0;
    for (const struct link *l = origin->links; l; l = l->next) n += !l->protocol;
    return n;
}

static struct http_call *waiting(const struct origin *origin) {
    struct http_call *oldest = NULL; /* the list has the newest first */
    for (struct http_call *call = origin->client->calls; call; call = call->next)
        if (call->origin == origin && call->state == CALL_WAITING) oldest = call;
    return oldest;
}

static unsigned n_waiting(const struct origin *origin) {
    unsigned n = 0;
    for (const struct http_call *call = origin->client->calls; call; call = call->next)
        n += call->origin == origin && call->state == CALL_WAITING;
    return n;
}

static void cannot_start(struct http_call *call) {
    struct err err;
    (void)err_set(&err, INVALID_ARGUMENT, "the request cannot be written to %s", call->origin->host);
    call_fail(call, HTTP_FAULT_OTHER, &err);
}

static bool start(struct link *l, struct http_call *call) {
    call->on_used_link = l->used;
    if (!l->protocol->start(l, call)) {
        bool fresh = !l->used;
        link_retire(l);
        if (fresh) cannot_start(call); /* another connection would not take it either */
        return false;
    }
    call->link = l;
    call->state = CALL_SENT;
    call->sent_ms = loop_now_ms(call->client->loop);
    l->n_calls++;
    l->used = true;
    loop_timer_stop(call->client->loop, &l->timer);
    if (call->paused) l->protocol->flow(l, call);
    if (!call->request.streams) return true;
    if (call->finished) l->protocol->finish(l, call);
    else call_writable(call);
    return true;
}

static bool has_h2(const struct origin *origin) {
    for (const struct link *l = origin->links; l; l = l->next)
        if (l->protocol == &link_h2 && !l->closing) return true;
    return false;
}

static struct link *idle_link(const struct http_client *client) {
    for (struct origin *o = client->origins; o; o = o->next)
        for (struct link *l = o->links; l; l = l->next)
            if (l->protocol && !l->closing && l->n_calls == 0) return l;
    return NULL;
}

/* A connection without a call goes when another host needs its place; client_pump follows its end. */
static bool has_room(struct http_client *client) {
    if (client->n_links < client->config.max_connections) return true;
    struct link *idle = idle_link(client);
    if (idle) link_retire(idle);
    return false;
}

/* Gives waiting calls to connections, of which no more are opened than calls wait: one that nobody takes would hold a
 * server that serves one at a time. Until it is known that a host speaks HTTP/1, one connection is opened at a time:
 * over HTTP/2 one is enough, and calls beyond its streams wait. */
void origin_pump(struct origin *origin) {
    struct http_client *client = origin->client;
    struct http_call *call;
    while ((call = waiting(origin))) {
        struct link *l = free_link(origin);
        if (l) {
            (void)start(l, call);
            continue;
        }
        unsigned most = origin->known_h1 ? 6 : 1, opening = connecting(origin);
        if (opening >= most || opening >= n_waiting(origin) || has_h2(origin) || !has_room(client)) return;
        link_open(origin);
        return;
    }
}

void origin_fail_waiting(struct origin *origin, enum http_fault fault, const struct err *err) {
    struct err copy = *err;
    struct http_call *call;
    while ((call = waiting(origin))) call_fail(call, fault, &copy);
}

static void on_pump(struct loop_task *task UNUSED, void *ctx) {
    origin_pump(ctx);
}

void client_pump(struct http_client *client) {
    struct http_call *oldest = NULL; /* the list has the newest first */
    if (client->freeing) return;
    for (struct http_call *call = client->calls; call; call = call->next)
        if (call->state == CALL_WAITING) oldest = call;
    if (oldest) loop_defer(client->loop, &oldest->origin->pump);
    for (struct http_call *call = client->calls; call; call = call->next)
        if (call->state == CALL_WAITING) loop_defer(client->loop, &call->origin->pump);
}

static bool is_idle(const struct origin *origin) {
    bool idle = !origin->links && !origin->pump.queued;
    for (const struct http_call *call = origin->client->calls; idle && call; call = call->next)
        idle = call->origin != origin;
    return idle;
}

/* Names that were called once are not kept for ever. */
static void forget_idle_origins(struct http_client *client) {
    unsigned n = 0;
    for (const struct origin *o = client->origins; o; o = o->next) n++;
    if (n < ORIGINS_MAX) return;
    for (struct origin **at = &client->origins; *at;) {
        struct origin *o = *at;
        if (!is_idle(o)) {
            at = &o->next;
            continue;
        }
        *at = o->next;
        free(o);
    }
}

static void print_authority(struct origin *o) {
    bool v6 = strchr(o->host, ':') != NULL, usual = o->port == (o->tls ? 443 : 80);
    int n = snprintf(o->authority, sizeof o->authority, v6 ? "[%s]" : "%s", o->host);
    if (n > 0 && !usual) (void)snprintf(o->authority + n, sizeof o->authority - (size_t)n, ":%u", o->port);
}

static struct origin *find_origin(struct http_client *client, const struct http_client_request *r, bool tls,
                                  uint16_t port) {
    for (struct origin *o = client->origins; o; o = o->next)
        if (o->tls == tls && o->port == port && o->prior_h2 == r->prior_h2 && str_eq_z(r->host, o->host)) return o;
    forget_idle_origins(client);
    struct origin *o = calloc(1, sizeof *o);
    if (!o) return NULL;
    *o = (struct origin){ .client = client, .port = port, .tls = tls, .prior_h2 = r->prior_h2, .next = client->origins };
    memcpy(o->host, r->host.p, r->host.n);
    print_authority(o);
    o->known_h1 = !tls && !r->prior_h2;
    o->pump = (struct loop_task){ .fn = on_pump, .ctx = o };
    return client->origins = o;
}

/* ---- sending ---- */

static enum code check_request(const struct http_client *client, const struct http_client_request *r, struct err *err) {
    bool https = str_eq(r->scheme, STR("https"));
    if (!https && !str_eq(r->scheme, STR("http"))) return err_set(err, INVALID_ARGUMENT, "scheme must be https or http");
    if (https && !client->tls) return err_set(err, FAILED_PRECONDITION, "https needs a TLS context");
    if (r->host.n == 0 || r->host.n >= HOST_MAX || !http_is_field_value(r->host) || str_find_char(r->host, '/') >= 0)
        return err_set(err, INVALID_ARGUMENT, "not a host name: \"%.*s\"", STR_ARG(r->host));
    if (!http_is_token(r->method)) return err_set(err, INVALID_ARGUMENT, "the method is no token");
    if (r->path.n == 0 || r->path.p[0] != '/' || !http_is_field_value(r->path) || str_find_char(r->path, ' ') >= 0)
        return err_set(err, INVALID_ARGUMENT, "the path must start with / and hold no blanks");
    if (r->n_headers > CLIENT_HEADERS_MAX - 8) return err_set(err, INVALID_ARGUMENT, "too many headers");
    if (r->streams && r->body.n) return err_set(err, INVALID_ARGUMENT, "a body in pieces is not there yet");
    if (r->body.n > BODY_MAX) return err_set(err, INVALID_ARGUMENT, "the body is larger than 100 MiB");
    for (size_t i = 0; i < r->n_headers; i++)
        if (!http_is_token(r->headers[i].name) || !http_is_field_value(r->headers[i].value))
            return err_set(err, INVALID_ARGUMENT, "not a header: \"%.*s\"", STR_ARG(r->headers[i].name));
    return OK;
}

static bool copy_headers(struct http_call *call, const struct http_client_request *r) {
    struct http_header *copy = ARENA_ARRAY(call->arena, struct http_header, r->n_headers ? r->n_headers : 1);
    bool ok = copy != NULL;
    for (size_t i = 0; ok && i < r->n_headers; i++) {
        copy[i] = (struct http_header){ str_dup(call->arena, r->headers[i].name),
                                        str_dup(call->arena, r->headers[i].value) };
        ok = copy[i].name.p && (copy[i].value.p || r->headers[i].value.n == 0);
    }
    call->request.headers = copy;
    return ok;
}

static bool copy_request(struct http_call *call, const struct http_client_request *r) {
    call->request = *r;
    call->request.method = str_dup(call->arena, r->method);
    call->request.path = str_dup(call->arena, r->path);
    call->request.scheme = call->origin->tls ? STR("https") : STR("http");
    call->request.host = str_z(call->origin->host);
    if (!call->request.max_body) call->request.max_body = BODY_DEFAULT;
    if (!call->request.timeout_ms) call->request.timeout_ms = 30000;
    return call->request.method.p && call->request.path.p && copy_headers(call, r);
}

static struct http_call *new_call(struct http_client *client, struct origin *origin, const struct http_client_request *r) {
    struct http_call *call = calloc(1, sizeof *call);
    struct arena *arena = arena_new_secret(CALL_ARENA);
    if (!call || !arena) {
        free(call);
        arena_free(arena);
        return NULL;
    }
    *call = (struct http_call){ .client = client, .origin = origin, .arena = arena, .out = BUF_INIT(2 * CONN_OUT_SOFT) };
    if (!copy_request(call, r)) {
        arena_free(arena);
        free(call);
        return NULL;
    }
    call->next = client->calls;
    call->at = &client->calls;
    if (call->next) call->next->at = &call->next;
    client->calls = call;
    return call;
}

enum code http_client_send(struct http_client *client, const struct http_client_request *request,
                           const struct http_call_handler *handler, void *ctx, struct http_call **ret_call,
                           struct err *err) {
    enum code rc = check_request(client, request, err);
    if (rc) return rc;
    bool tls = str_eq(request->scheme, STR("https"));
    struct origin *origin = find_origin(client, request, tls, request->port ? request->port : tls ? 443 : 80);
    struct http_call *call = origin ? new_call(client, origin, request) : NULL;
    if (!call) return err_set(err, RESOURCE_EXHAUSTED, "out of memory, or headers over %d bytes", CALL_ARENA);
    call->handler = *handler;
    call->ctx = ctx;
    call->timer = (struct loop_timer){ .fn = on_timeout, .ctx = call };
    if (call->request.timeout_ms != UINT32_MAX) loop_timer_start(client->loop, &call->timer, call->request.timeout_ms);
    loop_defer(client->loop, &origin->pump);
    if (ret_call) *ret_call = call;
    return OK;
}

/* ---- the client ---- */

enum code http_client_new(const struct http_client_config *config, struct http_client **ret_client, struct err *err) {
    struct http_client *client = calloc(1, sizeof *client);
    if (!client) return err_oom(err);
    *client = (struct http_client){ .loop = config->loop, .tls = tls_ref(config->tls), .config = *config };
    struct http_client_config *c = &client->config;
    if (!c->max_header_bytes) c->max_header_bytes = 64 * KIB;
    if (!c->max_connections) c->max_connections = 64;
    if (!c->connect_ms) c->connect_ms = 10000;
    if (!c->idle_ms) c->idle_ms = 60000;
    *ret_client = client;
    return OK;
}

void http_client_free(struct http_client *client) {
    if (!client) return;
    client->freeing = true;
    while (client->calls) {
        client->calls->state = CALL_WAITING;
        http_call_cancel(client->calls);
    }
    while (client->origins) {
        struct origin *o = client->origins;
        client->origins = o->next;
        while (o->links) link_free(o->links);
        loop_defer_cancel(client->loop, &o->pump);
        free(o);
    }
    tls_unref(client->tls);
    free(client);
}
