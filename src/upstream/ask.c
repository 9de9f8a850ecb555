#include "upstream/ask.h"
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "identity/exchange.h"
#include "upstream/upstream_status.h"

enum { ARENA_BYTES = 64 << 10, MESSAGE_MAX = 100 << 20 };

struct ask {
    struct loop *loop;
    const struct upstream *upstream;
    struct ask_handler handler;
    void *ctx;
    struct arena *arena;             /* of `request`, once it must wait, and of a status of ours */
    struct buf message;              /* the same */
    struct upstream_request request; /* its texts are the asker's until ask_start returns */
    struct exchange_token *token;
    struct upstream_call *call; /* NULL: the token is on its way, or all is over */
    struct exchange_wait wait;  /* `told` and what follows it: written by whoever brings the token, read by the task */
    struct loop_task told;
    struct exchange_token *brought;
    struct err why;
    bool waiting, cancelled;
};

static void ask_free(struct ask *a) {
    (void)exchange_token_unref(a->token);
    buf_free(&a->message);
    arena_free(a->arena);
    free(a);
}

/* ---- the call ---- */

static bool on_message(struct upstream_call *call, struct str message, void *ctx) {
    (void)call;
    struct ask *a = ctx;
    return a->handler.on_message(a, message, a->ctx);
}

/* Our proof was not taken, be it by the service or, without gRPC, by a proxy before it: what a caller could do about its
 * own would not help. */
static void refused_us(struct ask *a, struct upstream_status *status) {
    if (a->token) exchange_token_reject(a->token);
    upstream_status_ours(status, a->arena, UNAVAILABLE, upstream_config(a->upstream)->name,
                         "does not take the token that was fetched for you: try again",
                         status->ours ? "it answered HTTP 401" : "it answered UNAUTHENTICATED");
}

static void on_end(struct upstream_call *call, const struct upstream_status *status, void *ctx) {
    (void)call;
    struct ask *a = ctx;
    struct upstream_status ours = *status;
    a->call = NULL;
    if (status->code == UNAUTHENTICATED) refused_us(a, &ours);
    a->handler.on_end(a, &ours, a->ctx);
    ask_free(a);
}

static enum code start_call(struct ask *a, struct err *err) {
    static const struct upstream_handler handler = { on_message, on_end };
    const struct upstream_config *u = upstream_config(a->upstream);
    struct http_client *client = u->client(u->ctx, a->loop);
    if (!client) return err_set(err, UNAVAILABLE, "the server stops");
    if (a->token) a->request.token = exchange_token_text(a->token);
    return upstream_call_start(a->loop, client, &a->request, &handler, a, &a->call, err);
}

/* ---- the token ---- */

static void end_without_call(struct ask *a, const struct err *why) {
    struct upstream_status status = { 0 };
    status.code = why->code;
    status.message = str_z(why->message);
    status.reason = str_z(why->message);
    status.ours = true;
    a->handler.on_end(a, &status, a->ctx);
    ask_free(a);
}

static void on_told(struct loop_task *task, void *ctx) {
    (void)task;
    struct ask *a = ctx;
    a->token = a->brought;
    a->waiting = false;
    if (a->cancelled) {
        ask_free(a);
        return;
    }
    struct err err;
    if (!a->token) end_without_call(a, &a->why);
    else if (start_call(a, &err)) end_without_call(a, &err);
}

static void on_token(struct exchange_wait *wait, struct exchange_token *token, const struct err *err) {
    struct ask *a = CONTAINER_OF(wait, struct ask, wait);
    a->brought = token;
    if (!token) a->why = *err;
    loop_post(a->loop, &a->told);
}

/* The asker's texts are its own once ask_start returned. */
static bool copy_text(struct ask *a, struct str *text) {
    struct str copy = str_dup(a->arena, *text);
    bool ok = copy.p || text->n == 0;
    *text = copy;
    return ok;
}

static enum code keep_request(struct ask *a, struct err *err) {
    struct upstream_request *r = &a->request;
    struct http_header *fields = ARENA_ARRAY(a->arena, struct http_header, r->n_metadata + 1);
    bool ok = fields && copy_text(a, &r->path);
    for (size_t i = 0; ok && i < r->n_metadata; i++) {
        fields[i] = r->metadata[i];
        ok = copy_text(a, &fields[i].name) && copy_text(a, &fields[i].value);
    }
    buf_add_str(&a->message, r->message);
    if (!ok || !buf_ok(&a->message)) return err_oom(err);
    r->metadata = fields;
    r->message = buf_str(&a->message);
    return OK;
}

/* Before exchange_get, which may have the token brought at once, by another thread. */
static enum code ask_for_token(struct ask *a, const struct principal *principal, struct err *err) {
    const struct upstream_config *u = upstream_config(a->upstream);
    enum code rc = exchange_get(u->exchange, principal, u->scopes, u->n_scopes, &a->wait, &a->token, err);
    a->waiting = !rc && !a->token;
    return rc;
}

/* ---- from start to end ---- */

static void fill_address(struct ask *a) {
    const struct upstream_config *u = upstream_config(a->upstream);
    a->request.name = u->name;
    a->request.scheme = u->scheme;
    a->request.host = u->host;
    a->request.port = u->port;
    a->request.prior_h2 = str_eq(u->scheme, STR("http"));
    a->request.token = (struct str){ NULL, 0 };
}

static enum code begin(struct ask *a, const struct principal *principal, struct err *err) {
    enum code rc = a->arena ? OK : err_oom(err);
    fill_address(a);
    if (!rc && upstream_config(a->upstream)->exchange) rc = ask_for_token(a, principal, err);
    if (rc) return rc;
    if (!a->waiting) return start_call(a, err);
    rc = keep_request(a, err);
    if (!rc || exchange_wait_cancel(upstream_config(a->upstream)->exchange, &a->wait)) return rc;
    a->cancelled = true; /* freed by the task that is on its way */
    return rc;
}

enum code ask_start(struct loop *loop, const struct upstream *upstream, const struct principal *principal,
                    const struct upstream_request *request, const struct ask_handler *handler, void *ctx, struct ask **ret,
                    struct err *err) {
    struct ask *a = calloc(1, sizeof *a);
    if (!a) return err_oom(err);
    *a = (struct ask){ .loop = loop,
                       .upstream = upstream,
                       .handler = *handler,
                       .ctx = ctx,
                       .arena = arena_new(ARENA_BYTES),
                       .message = BUF_INIT(MESSAGE_MAX),
                       .request = *request };
    a->wait.done = on_token;
    a->told = (struct loop_task){ .fn = on_told, .ctx = a };
    enum code rc = begin(a, principal, err);
    if (!rc) *ret = a;
    else if (!a->cancelled) ask_free(a);
    return rc;
}

void ask_resume(struct ask *a) {
    if (a->call) upstream_call_resume(a->call);
}

void ask_cancel(struct ask *a) {
    if (!a) return;
    a->cancelled = true;
    if (a->call) upstream_call_cancel(a->call);
    else if (a->waiting && !exchange_wait_cancel(upstream_config(a->upstream)->exchange, &a->wait)) return;
    ask_free(a);
}
