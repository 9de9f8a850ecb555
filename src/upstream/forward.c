#include "upstream/forward.h"
#include "base/clock.h"
#include "wire/pb/pb.h"
#include "wire/pb/rpc.pb.h"

enum { REQUEST_MAX = 100 << 20, ANSWER_ARENA_BYTES = 512 << 20, WORDS_MAX = 64 << 10, MESSAGE_MAX = 1000 };

/* ---- the end ---- */

/* The client's own words for an upstream's handle. */
static struct str reworded(const struct forward *f, struct arena *arena, struct str text) {
    DEFER(buf_free) struct buf out = BUF_INIT(WORDS_MAX);
    ptrdiff_t at;
    while (f->hidden.n && (at = str_find(text, f->hidden)) >= 0) {
        buf_add_str(&out, str_upto(text, (size_t)at));
        buf_add_str(&out, f->shown);
        text = str_from(text, (size_t)at + f->hidden.n);
    }
    buf_add_str(&out, text);
    return str_dup(arena, str_upto(buf_str(&out), MESSAGE_MAX));
}

/* A detail goes on byte for byte, but for a resource that the client knows by another name. */
static struct str detail_for_client(const struct forward *f, struct str type, struct str value, struct arena *arena) {
    DEFER(buf_free) struct buf out = BUF_INIT(WORDS_MAX);
    void *decoded;
    struct err err;
    if (!f->hidden.n || str_find(value, f->hidden) < 0) return value;
    if (!str_eq(type, STR("google.rpc.ResourceInfo")) || pb_decode(&rpc_ResourceInfo_msg, value, arena, 0, &decoded, &err))
        return (struct str){ NULL, 0 };
    struct rpc_ResourceInfo *info = decoded;
    info->resource_name = reworded(f, arena, info->resource_name);
    info->description = reworded(f, arena, info->description);
    return pb_encode(&rpc_ResourceInfo_msg, info, &out, &err) ? (struct str){ NULL, 0 } : str_dup(arena, buf_str(&out));
}

static void add_details(struct forward *f, const struct upstream_status *status) {
    static const struct str prefix = STR_INIT("type.googleapis.com/");
    struct arena *arena = f->call->arena;
    void *decoded = NULL;
    struct err err;
    bool has_retry = false;
    if (status->details.n && pb_decode(&rpc_Status_msg, status->details, arena, 0, &decoded, &err)) decoded = NULL;
    const struct rpc_Status *whole = decoded;
    for (size_t i = 0; whole && i < whole->details.n; i++) {
        struct str type = whole->details.p[i].type_url;
        if (!str_strip_prefix(&type, prefix)) continue;
        struct str value = detail_for_client(f, type, whole->details.p[i].value, arena);
        const char *name = str_dupz(arena, type);
        if (name && value.p) call_add_detail(f->call, name, value);
        has_retry |= str_eq(type, STR("google.rpc.RetryInfo"));
    }
    if (!has_retry && status->retry_info.n) call_add_detail(f->call, "google.rpc.RetryInfo", status->retry_info);
}

static void note_upstream(struct forward *f) {
    f->call->outcome.upstream = upstream_config(f->upstream)->name;
    f->call->outcome.upstream_us = clock_mono_us() - f->started_us;
}

static void finish(struct forward *f, enum code code, struct err *err) {
    if (f->end) f->end(f, &code, err);
    call_end(f->call, code, err);
}

enum code forward_status(struct forward *f, const struct upstream_status *status, struct err *err) {
    f->ask = NULL;
    f->ours = status->ours;
    note_upstream(f);
    if (status->ours) f->call->outcome.detail = str_dup(f->call->arena, str_upto(status->reason, 300));
    if (!status->code) return OK;
    if (!status->ours) add_details(f, status);
    return err_set(err, status->code, "%.*s", STR_ARG(reworded(f, f->call->arena, status->message)));
}

static void on_end(struct ask *ask, const struct upstream_status *status, void *ctx) {
    (void)ask;
    struct forward *f = ctx;
    struct err err = { 0 };
    finish(f, forward_status(f, status, &err), &err);
}

static void give_up(struct forward *f, enum code code, struct err *err) {
    struct ask *ask = f->ask;
    f->ask = NULL;
    note_upstream(f);
    finish(f, code, err);
    ask_cancel(ask);
}

/* Nobody waits any more: the gate has said why. */
static void on_cancel(void *ctx) {
    struct forward *f = ctx;
    struct err err;
    if (!f->ask) return;
    call_has_gone_on(f->call);
    give_up(f, err_set(&err, CANCELLED, "nobody waits for the answer"), &err);
}

/* ---- the answer ---- */

static void on_room(void *ctx) {
    struct forward *f = ctx;
    if (f->ask) ask_resume(f->ask);
}

static enum code pass_on(struct forward *f, struct str message, struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(ANSWER_ARENA_BYTES);
    void *decoded = NULL;
    enum code rc = arena ? pb_decode(f->call->method->response, message, arena, 0, &decoded, err) : err_oom(err);
    if (rc) return err_wrap(err, "the upstream's answer");
    if (f->answer) rc = f->answer(f, decoded, arena, err);
    if (!rc && !call_write_message(f->call, decoded)) rc = err_set(err, CANCELLED, "nobody takes the answer");
    return rc;
}

static bool on_message(struct ask *ask, struct str message, void *ctx) {
    (void)ask;
    struct forward *f = ctx;
    struct err err;
    enum code rc = pass_on(f, message, &err);
    if (rc) {
        give_up(f, rc, &err);
        return false;
    }
    return !call_is_full(f->call, on_room, f);
}

/* ---- the request ---- */

/* Without one, and REST has none, an upstream that says nothing would hold its caller for ever. */
static int64_t deadline_of(const struct forward *f) {
    int64_t timeout_us = upstream_config(f->upstream)->timeout_us;
    if (f->call->deadline_us || !timeout_us) return f->call->deadline_us;
    return clock_wall_us() + timeout_us;
}

static void add_metadata(struct forward *f, struct str name, struct str value) {
    if (value.n && f->n_metadata < FORWARD_METADATA_MAX) f->metadata[f->n_metadata++] = (struct http_header){ name, value };
}

enum code forward_ask(struct forward *f, const struct pb_msg *type, const void *message, const struct ask_handler *handler,
                      void *ctx, struct err *err) {
    struct call *call = f->call;
    DEFER(buf_free) struct buf bytes = BUF_INIT(REQUEST_MAX);
    struct str path = f->path ? str_z(f->path) : arena_printf(call->arena, "/%s", call->method->grpc);
    f->started_us = clock_mono_us();
    if (!path.p) return err_oom(err);
    add_metadata(f, STR("traceparent"), call->traceparent);
    add_metadata(f, STR("tracestate"), call->tracestate);
    enum code rc = pb_encode(type, message, &bytes, err);
    if (rc) return rc;
    const struct upstream_request request = { .path = path,
                                              .metadata = f->metadata,
                                              .n_metadata = f->n_metadata,
                                              .message = buf_str(&bytes),
                                              .max_message_bytes = f->max_message_bytes,
                                              .deadline_us = deadline_of(f) };
    return ask_start(call->loop, f->upstream, call->principal, &request, handler, ctx, &f->ask, err);
}

void forward_start(struct forward *f) {
    static const struct ask_handler handler = { on_message, on_end };
    struct err err;
    enum code rc = forward_ask(f, f->call->method->request, f->message, &handler, f, &err);
    if (!rc) {
        call_on_cancel(f->call, on_cancel, f);
        return;
    }
    note_upstream(f);
    finish(f, rc, &err);
}
