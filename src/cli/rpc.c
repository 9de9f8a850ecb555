/* rpc.c: one gRPC call: its headers, its answers, and what a failure says. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "cli/channel_priv.h"
#include "crypto/random.h"
#include "base/enc.h"
#include "wire/pb/rpc.pb.h"
#include "wire/pb/wkt.pb.h"

enum { HEADERS_BYTES = 64 << 10, DETAILS_BYTES = 1 << 20, BACKOFF_FIRST_MS = 100, BACKOFF_MOST_MS = 8000 };

/* ---- what went wrong ---- */

static void keep_text(char *out, size_t size, struct str text) {
    (void)snprintf(out, size, "%.*s", STR_ARG(str_upto(text, size - 1)));
}

static void read_detail(struct rpc *rpc, const struct pb_Any *any, struct arena *arena) {
    const struct pb_msg *desc;
    void *msg;
    struct err ignored;
    if (pb_any_unpack(any, arena, PB_SKIP_UNKNOWN, &desc, &msg, &ignored)) return;
    if (desc == &rpc_ErrorInfo_msg) {
        const struct rpc_ErrorInfo *info = msg;
        keep_text(rpc->reason, sizeof rpc->reason, info->reason);
        for (size_t i = 0; i < info->metadata.n; i++)
            if (str_eq(info->metadata.p[i].key, STR("id"))) keep_text(rpc->id, sizeof rpc->id, info->metadata.p[i].value);
    } else if (desc == &rpc_RetryInfo_msg) {
        const struct pb_Duration *delay = ((const struct rpc_RetryInfo *)msg)->retry_delay;
        if (delay && delay->seconds >= 0 && delay->seconds < 3600)
            rpc->retry_ms = (uint64_t)delay->seconds * 1000 + (uint64_t)(delay->nanos > 0 ? delay->nanos : 0) / 1000000;
    }
}

static void read_details(struct rpc *rpc, struct str details, struct arena *arena) {
    void *msg;
    struct err ignored;
    if (details.n == 0 || pb_decode(&rpc_Status_msg, details, arena, PB_SKIP_UNKNOWN, &msg, &ignored)) return;
    const struct rpc_Status *status = msg;
    for (size_t i = 0; i < status->details.n; i++) read_detail(rpc, &status->details.p[i], arena);
}

static void end(struct rpc *rpc, enum code code) {
    rpc->call = NULL;
    rpc->code = code;
    rpc->may_retry = code == UNAVAILABLE || code == ABORTED;
    rpc->done = true;
}

static void end_with_status(struct rpc *rpc, const struct http_header *trailers, size_t n) {
    DEFER(arena_freep) struct arena *arena = arena_new(DETAILS_BYTES);
    struct str message = { NULL, 0 }, details = { NULL, 0 };
    enum code code = arena ? grpc_status_from(arena, trailers, n, &message, &details) : RESOURCE_EXHAUSTED;
    if (code == OK) {
        end(rpc, OK);
        return;
    }
    read_details(rpc, details, arena);
    bool told = rpc->id[0] && str_find(message, str_z(rpc->id)) >= 0; /* the server's own text has reason and id */
    if (rpc->reason[0] && rpc->id[0])
        (void)err_set(&rpc->err, code, "%.*s%s%s%s%s%s; the operator can run: linkspan policy explain %s",
                      STR_ARG(str_upto(message, 700)), told ? "" : " (", told ? "" : rpc->reason, told ? "" : ", request ",
                      told ? "" : rpc->id, told ? "" : ")", rpc->id);
    else (void)err_set(&rpc->err, code, "%.*s (%s)", STR_ARG(str_upto(message, 900)), code_name(code));
    end(rpc, code);
}

/* ---- the call ---- */

static void on_message(struct str message, void *ctx) {
    struct rpc *rpc = ctx;
    if (rpc->err.code) return;
    rpc->n_messages++;
    if (rpc->on_message) {
        rpc->on_message(rpc, message);
        return;
    }
    buf_clear(&rpc->memory);
    buf_add_str(&rpc->memory, message);
    rpc->reply = buf_str(&rpc->memory);
    if (!buf_ok(&rpc->memory)) (void)err_oom(&rpc->err);
}

static void on_headers(UNUSED struct http_call *call, unsigned status, const struct http_header *headers, size_t n,
                       void *ctx) {
    struct rpc *rpc = ctx;
    rpc->status = status;
    rpc->is_grpc = grpc_is_content_type(http_header_value(headers, n, STR("content-type")));
    if (http_header_find(headers, n, STR("grpc-status"))) end_with_status(rpc, headers, n);
}

static void on_data(struct http_call *call, struct str data, void *ctx) {
    struct rpc *rpc = ctx;
    if (rpc->done || !rpc->is_grpc) return;
    enum code rc = grpc_feed(&rpc->deframer, data, on_message, rpc, &rpc->err);
    if (!rc && !rpc->err.code) return;
    http_call_cancel(call);
    end(rpc, rpc->err.code);
}

static void on_end(UNUSED struct http_call *call, const struct http_header *trailers, size_t n, void *ctx) {
    struct rpc *rpc = ctx;
    rpc->call = NULL;
    if (rpc->done) return;
    if (rpc->status == 200 && rpc->is_grpc) {
        end_with_status(rpc, trailers, n);
        return;
    }
    enum code code = grpc_code_from_http(rpc->status);
    end(rpc, err_set(&rpc->err, code ? code : UNKNOWN, "the server answered HTTP %u, not gRPC: is it a Linkspan server?",
                     rpc->status));
}

static void on_error(UNUSED struct http_call *call, const struct err *err, void *ctx) {
    struct rpc *rpc = ctx;
    rpc->call = NULL;
    if (rpc->done) return;
    rpc->err = *err;
    end(rpc, err->code);
}

static size_t put_headers(const struct rpc *rpc, struct str bearer, char timeout[24], struct http_header *headers) {
    size_t n = 0;
    headers[n++] = (struct http_header){ STR("content-type"), STR("application/grpc") };
    headers[n++] = (struct http_header){ STR("te"), STR("trailers") };
    headers[n++] = (struct http_header){ STR("user-agent"), STR("linkspan-cli") };
    headers[n++] = (struct http_header){ STR("authorization"), bearer };
    if (rpc->timeout_ms == UINT_MAX) return n;
    (void)snprintf(timeout, 24, "%um", rpc->timeout_ms ? rpc->timeout_ms : RPC_UNARY_MS);
    headers[n++] = (struct http_header){ STR("grpc-timeout"), str_z(timeout) };
    return n;
}

enum code rpc_start(struct rpc *rpc, struct err *err) {
    static const struct http_call_handler handler = { on_headers, on_data, on_end, on_error };
    DEFER(buf_wipe) struct buf bearer = BUF_INIT(HEADERS_BYTES);
    DEFER(buf_free) struct buf path = BUF_INIT(1024);
    struct http_header headers[5];
    char timeout[24];
    enum code rc = channel_bearer(rpc->channel, &bearer, err);
    if (rc) return rc;
    buf_printf(&path, "/%s", rpc->method);
    rpc->deframer = (struct grpc_deframer){ .max_bytes = RPC_MESSAGE_MAX };
    rpc->memory = (struct buf)BUF_INIT(RPC_MESSAGE_MAX);
    struct http_client_request request = rpc->channel->server;
    request.method = STR("POST");
    request.path = buf_str(&path);
    request.headers = headers;
    request.n_headers = put_headers(rpc, buf_str(&bearer), timeout, headers);
    request.body = rpc->request;
    request.max_body = SIZE_MAX;
    request.timeout_ms = rpc->timeout_ms ? rpc->timeout_ms : RPC_UNARY_MS;
    return http_client_send(rpc->channel->client, &request, &handler, rpc, &rpc->call, err);
}

void rpc_finish(struct rpc *rpc) {
    if (rpc->call) http_call_cancel(rpc->call);
    grpc_deframer_free(&rpc->deframer);
    buf_free(&rpc->memory);
    *rpc = (struct rpc){ .channel = rpc->channel,
                         .method = rpc->method,
                         .request = rpc->request,
                         .timeout_ms = rpc->timeout_ms,
                         .on_message = rpc->on_message,
                         .ctx = rpc->ctx };
}

enum code rpc_wait(struct rpc *rpc, struct err *err) {
    while (!rpc->done) channel_turn(rpc->channel, 1000);
    if (rpc->code) *err = rpc->err;
    return rpc->code;
}

uint64_t rpc_backoff_ms(const struct rpc *rpc, unsigned attempt) {
    uint16_t noise;
    random_bytes(&noise, sizeof noise);
    uint64_t most = BACKOFF_FIRST_MS;
    for (unsigned i = 1; i < attempt && most < BACKOFF_MOST_MS; i++) most *= 2;
    return rpc->retry_ms + most / 2 + most / 2 * noise / UINT16_MAX;
}

/* ---- one message there, one back ---- */

static enum code attempt(struct rpc *rpc, struct err *err) {
    enum code rc = rpc_start(rpc, err);
    if (!rc) rc = rpc_wait(rpc, err);
    if (!rc && rpc->n_messages != 1)
        rc = err_set(err, INTERNAL, "the server answered %zu messages, not one", rpc->n_messages);
    return rc;
}

enum code rpc_unary(struct channel *channel, const char *method, const struct pb_msg *in, const void *request,
                    const struct pb_msg *out, bool safe, struct arena *arena, void **ret, struct err *err) {
    DEFER(buf_free) struct buf message = BUF_INIT(RPC_MESSAGE_MAX), frame = BUF_INIT(RPC_MESSAGE_MAX + 16);
    enum code rc = pb_encode(in, request, &message, err);
    if (rc) return rc;
    grpc_frame(&frame, buf_str(&message));
    if (!buf_ok(&frame)) return err_oom(err);
    struct rpc rpc = { .channel = channel, .method = method, .request = buf_str(&frame) };
    for (unsigned tries = 1; (rc = attempt(&rpc, err)) == UNAVAILABLE && safe && tries < RPC_ATTEMPTS; tries++) {
        uint64_t wait_ms = rpc_backoff_ms(&rpc, tries);
        rpc_finish(&rpc);
        channel_pause(channel, wait_ms);
    }
    /* Decoded texts point into the bytes, which must live as long. */
    struct str copy = rc ? (struct str){ NULL, 0 } : str_dup(arena, rpc.reply);
    if (!rc && rpc.reply.n && !copy.p) rc = err_oom(err);
    if (!rc) rc = pb_decode(out, copy, arena, PB_SKIP_UNKNOWN, ret, err);
    rpc_finish(&rpc);
    return rc;
}
