#include "rpc.h"
#include "base/arena.h"
#include "base/clock.h"

enum { TIMEOUT_MS = 120000 };

void lane_init(struct lane *lane, struct http_client *client, const struct http_client_request *target, void *ctx) {
    *lane = (struct lane){ .client = client,
                           .target = target,
                           .message = BUF_INIT(RPC_MESSAGE_MAX),
                           .framed = BUF_INIT(RPC_MESSAGE_MAX + GRPC_PREFIX_BYTES),
                           .replies = { .max_bytes = RPC_MESSAGE_MAX },
                           .ctx = ctx };
}

void lane_free(struct lane *lane) {
    buf_free(&lane->message);
    buf_free(&lane->framed);
    grpc_deframer_free(&lane->replies);
}

static void read_status(struct lane *lane, const struct http_header *headers, size_t n) {
    struct str message = { NULL, 0 }, details;
    DEFER(arena_freep) struct arena *arena = arena_new(65536);
    enum code code = arena ? grpc_status_from(arena, headers, n, &message, &details) : RESOURCE_EXHAUSTED;
    if (code) (void)err_set(&lane->err, code, "%.*s", STR_ARG(message));
}

static void on_headers(struct http_call *call UNUSED, unsigned status, const struct http_header *headers, size_t n,
                       void *ctx) {
    struct lane *lane = ctx;
    lane->headers_only = lane->plain ||
                         http_header_value(headers, n, STR("grpc-status")).n > 0; /* the trailers came at once */
    if (status != 200) (void)err_set(&lane->err, grpc_code_from_http(status), "HTTP status %u", status);
    else if (lane->headers_only && !lane->plain) read_status(lane, headers, n);
}

static void on_message(struct str message, void *ctx) {
    struct lane *lane = ctx;
    if (lane->on_message) lane->on_message(lane, message);
}

static void on_data(struct http_call *call UNUSED, struct str data, void *ctx) {
    struct lane *lane = ctx;
    lane->bytes_in += data.n;
    struct err err;
    if (!lane->plain && !lane->err.code && grpc_feed(&lane->replies, data, on_message, lane, &err)) lane->err = err;
}

static void on_end(struct http_call *call UNUSED, const struct http_header *trailers, size_t n, void *ctx) {
    struct lane *lane = ctx;
    if (!lane->headers_only && !lane->err.code) read_status(lane, trailers, n);
    lane->on_end(lane, &lane->err);
}

static void on_error(struct http_call *call UNUSED, const struct err *err, void *ctx) {
    struct lane *lane = ctx;
    lane->err = *err;
    lane->on_end(lane, &lane->err);
}

static const struct http_call_handler handler = {
    .on_headers = on_headers, .on_data = on_data, .on_end = on_end, .on_error = on_error
};

static void post(struct lane *lane, struct str path, struct str content_type, struct str body) {
    struct http_header headers[] = { { STR("content-type"), content_type },
                                     { STR("te"), STR("trailers") },
                                     { STR("authorization"), lane->authorization } };
    struct http_client_request request = *lane->target;
    request.method = STR("POST");
    request.path = path;
    request.headers = headers;
    request.n_headers = lane->plain ? 1 : lane->authorization.n ? 3 : 2;
    request.body = body;
    request.max_body = SIZE_MAX;
    request.timeout_ms = TIMEOUT_MS;
    lane->err = (struct err){ .code = OK };
    lane->started_us = clock_mono_us();
    struct err err;
    if (http_client_send(lane->client, &request, &handler, lane, NULL, &err)) on_error(NULL, &err, lane);
}

void lane_call(struct lane *lane, struct str path) {
    lane->plain = false;
    buf_clear(&lane->framed);
    grpc_frame(&lane->framed, buf_str(&lane->message));
    grpc_deframer_free(&lane->replies);
    post(lane, path, STR("application/grpc"), buf_str(&lane->framed));
}

void lane_post(struct lane *lane, struct str path) {
    lane->plain = true;
    post(lane, path, STR("application/x-www-form-urlencoded"), buf_str(&lane->message));
}
