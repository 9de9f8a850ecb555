#include "upstream/upstream_call.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "upstream/upstream_status.h"
#include "upstream/upstream_headers.h"
#include "wire/grpc.h"

enum {
    ARENA_BYTES = 256 << 10,
    REQUEST_MAX = (100 << 20) - GRPC_PREFIX_BYTES,
    WINDOW_BYTES = 512 << 10, /* what may still arrive after a pause: http/client.h says 256 KiB; and what came with it */
};

struct upstream_call {
    struct loop *loop;
    struct http_call *http; /* NULL: over, or never begun */
    struct upstream_handler handler;
    void *ctx;
    struct arena *arena; /* secret */
    struct str name;
    struct buf request, pending; /* pending: of the answer; from pending_at on it is not handed over yet */
    size_t pending_at;
    size_t max_message_bytes;
    struct loop_task drain;
    struct upstream_status status;
    bool paused, ended, /* HTTP has said its last word: status is set */
        busy,           /* inside on_message */
        cancelled;      /* meanwhile */
};

/* ---- life ---- */

static void call_free(struct upstream_call *c) {
    loop_defer_cancel(c->loop, &c->drain);
    http_call_cancel(c->http);
    buf_free(&c->request);
    buf_free(&c->pending);
    arena_free(c->arena);
    free(c);
}

void upstream_call_cancel(struct upstream_call *c) {
    if (!c) return;
    c->cancelled = true;
    if (!c->busy) call_free(c);
}

static void finish(struct upstream_call *c) {
    if (c->pending.n && c->status.code == OK)
        upstream_status_ours(&c->status, c->arena, INTERNAL, c->name, "ends in the midst of a message", "");
    c->handler.on_end(c, &c->status, c->ctx);
    call_free(c);
}

/* The answer is over. What was read whole goes out first, when its reader takes it. */
static void end(struct upstream_call *c) {
    struct http_call *http = c->http;
    c->http = NULL;
    c->ended = true;
    http_call_cancel(http); /* NULL when it ended by itself */
    loop_defer(c->loop, &c->drain);
}

static void end_ours(struct upstream_call *c, enum code code, const char *what, const char *reason) {
    upstream_status_ours(&c->status, c->arena, code, c->name, what, reason);
    end(c);
}

/* ---- messages ---- */

/* Hands over what is whole in `*rest`, until the reader has enough. */
static enum code hand_over(struct upstream_call *c, struct str *rest, struct err *err) {
    enum code rc = OK;
    bool whole = true;
    c->busy = true;
    while (!rc && whole && !c->paused && !c->cancelled) {
        struct str message = { 0 };
        rc = grpc_next(rest, c->max_message_bytes, &message, &whole, err);
        if (!rc && whole) c->paused = !c->handler.on_message(c, message, c->ctx);
    }
    c->busy = false;
    return rc;
}

/* False: the call is no more, or it has ended. */
static bool settle(struct upstream_call *c, enum code rc, const struct err *err) {
    if (c->cancelled) {
        call_free(c);
        return false;
    }
    if (!rc) return true;
    c->pending.n = c->pending_at = 0; /* nothing of it can be told apart any more */
    end_ours(c, rc == UNIMPLEMENTED ? INTERNAL : rc, "answers with what is no gRPC message, or too long a one",
             err->message);
    return false;
}

static void drop_pending(struct upstream_call *c) {
    buf_free(&c->pending); /* the room of a large message is given back */
    c->pending_at = 0;
}

/* What was handed over goes when it is the larger part, so that each byte is moved once at most. */
static void compact(struct upstream_call *c, size_t at_least) {
    if (c->pending_at < at_least) return;
    buf_consume(&c->pending, c->pending_at);
    c->pending_at = 0;
}

static bool drain_pending(struct upstream_call *c) {
    struct err err;
    struct str rest = str_from(buf_str(&c->pending), c->pending_at);
    enum code rc = hand_over(c, &rest, &err);
    c->pending_at = c->pending.n - rest.n;
    if (!rc && rest.n == 0) drop_pending(c);
    else compact(c, c->pending.n / 2 + 1);
    return settle(c, rc, &err);
}

static bool add_pending(struct upstream_call *c, struct str data) {
    if (c->pending.n + data.n > c->pending.cap) compact(c, 1);
    buf_add_str(&c->pending, data);
    return buf_ok(&c->pending);
}

static void on_drain(struct loop_task *task, void *ctx) {
    (void)task;
    struct upstream_call *c = ctx;
    if (c->paused || !drain_pending(c) || c->paused) return;
    if (c->ended) finish(c);
    else http_call_resume(c->http);
}

void upstream_call_resume(struct upstream_call *c) {
    if (!c->paused) return;
    c->paused = false;
    loop_defer(c->loop, &c->drain);
}

/* ---- the HTTP call ---- */

static void on_headers(struct http_call *http, unsigned status, const struct http_header *headers, size_t n, void *ctx) {
    (void)http;
    struct upstream_call *c = ctx;
    c->status.http_status = status;
    if (!upstream_status_from_headers(&c->status, c->arena, c->name, status, headers, n)) end(c);
}

static void on_data(struct http_call *http, struct str data, void *ctx) {
    (void)http;
    struct upstream_call *c = ctx;
    struct err err;
    enum code rc = OK;
    if (c->pending.n == 0 && !c->paused) rc = hand_over(c, &data, &err); /* mostly: without a copy */
    if (!settle(c, rc, &err)) return;
    if (!add_pending(c, data)) {
        drop_pending(c);
        end_ours(c, RESOURCE_EXHAUSTED, "answers with more than there is memory for", "");
        return;
    }
    if (!c->paused && c->pending.n && !drain_pending(c)) return;
    if (c->paused) http_call_pause(c->http);
}

static void on_end(struct http_call *http, const struct http_header *trailers, size_t n, void *ctx) {
    (void)http;
    struct upstream_call *c = ctx;
    c->http = NULL;
    upstream_status_from_trailers(&c->status, c->arena, c->name, trailers, n);
    end(c);
}

static void on_error(struct http_call *http, const struct err *err, void *ctx) {
    struct upstream_call *c = ctx;
    c->http = NULL;
    upstream_status_from_fault(&c->status, c->arena, c->name, http_call_fault(http), err);
    end(c);
}

/* ---- the beginning ---- */

static enum code dispatch(struct upstream_call *c, struct http_client *client, const struct upstream_request *r,
                          struct err *err) {
    static const struct http_call_handler handler = { on_headers, on_data, on_end, on_error };
    struct upstream_headers headers;
    enum code rc = upstream_headers_make(r, c->arena, &headers, err);
    if (rc) return rc;
    if (headers.timeout_ms == 0) { /* too late already: nothing is sent */
        end_ours(c, DEADLINE_EXCEEDED, "was not asked: the deadline had passed", "");
        return OK;
    }
    const struct http_client_request request = {
        .method = STR("POST"),
        .scheme = r->scheme,
        .host = r->host,
        .port = r->port,
        .path = r->path,
        .headers = headers.fields,
        .n_headers = headers.n,
        .body = buf_str(&c->request),
        .max_body = SIZE_MAX,
        .timeout_ms = headers.timeout_ms,
        .prior_h2 = r->prior_h2,
    };
    return http_client_send(client, &request, &handler, c, &c->http, err);
}

static enum code prepare(struct upstream_call *c, const struct upstream_request *r, struct err *err) {
    if (!c->arena) return err_oom(err);
    if (r->message.n > REQUEST_MAX) return err_set(err, INVALID_ARGUMENT, "the request is larger than 100 MiB");
    c->name = str_dup(c->arena, r->name);
    grpc_frame(&c->request, r->message);
    return buf_ok(&c->request) && (c->name.p || !r->name.n) ? OK : err_oom(err);
}

enum code upstream_call_start(struct loop *loop, struct http_client *client, const struct upstream_request *request,
                              const struct upstream_handler *handler, void *ctx, struct upstream_call **ret,
                              struct err *err) {
    struct upstream_call *c = calloc(1, sizeof *c);
    if (!c) return err_oom(err);
    size_t max = request->max_message_bytes ? request->max_message_bytes : UPSTREAM_MESSAGE_DEFAULT;
    *c = (struct upstream_call){ .loop = loop,
                                 .handler = *handler,
                                 .ctx = ctx,
                                 .arena = arena_new_secret(ARENA_BYTES),
                                 .request = BUF_INIT(REQUEST_MAX + GRPC_PREFIX_BYTES),
                                 .pending = BUF_INIT(max + GRPC_PREFIX_BYTES + WINDOW_BYTES),
                                 .max_message_bytes = max };
    c->drain = (struct loop_task){ .fn = on_drain, .ctx = c };
    enum code rc = prepare(c, request, err);
    if (!rc) rc = dispatch(c, client, request, err);
    if (rc) call_free(c);
    else *ret = c;
    return rc;
}

size_t upstream_call_held(const struct upstream_call *c) {
    return c->pending.cap;
}
