/* echo.c: a gRPC service in plain C on the project's own HTTP server, in plaintext (h2c): what gateways are measured in
 * front of, and what a gRPC server costs that does nothing.
 *
 *     bench_echo PORT
 *
 * /bench.Echo/Say answers its own message; /bench.Echo/Pour answers as many bytes as field 1 of its message says, in
 * messages of 32 KiB. Nobody is asked who he is. Runs until SIGTERM. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/buf.h"
#include "http/server.h"
#include "wire/grpc.h"
#include "wire/pb/pb_read.h"

enum { PIECE_BYTES = 32 << 10, MESSAGE_MAX = 4 << 20 };

/* What is left to pour. The stream's user. */
struct pour {
    uint64_t left;
    size_t at; /* within the piece that is under way */
};

static const struct http_header head[] = { { STR_INIT("content-type"), STR_INIT("application/grpc") } };
static const struct http_header fine[] = { { STR_INIT("grpc-status"), STR_INIT("0") } };

static void refuse(struct http_stream *stream, const char *status) {
    const struct http_header both[] = { head[0], { STR("grpc-status"), str_z(status) } };
    http_reply_headers_only(stream, 200, both, 2);
}

static void say(struct http_stream *stream, struct str body) {
    http_reply_headers(stream, 200, head, 1);
    if (http_reply_data(stream, body) == body.n) http_reply_end(stream, fine, 1);
    else http_stream_reset(stream, HTTP_RESET_INTERNAL); /* more than a stream's queue: no bench sends that */
}

static void pour_on(struct http_stream *stream, void *ctx UNUSED) {
    static _Thread_local char piece[GRPC_PREFIX_BYTES + PIECE_BYTES];
    struct pour *pour = http_stream_user(stream);
    if (!pour) return;
    grpc_prefix(PIECE_BYTES, (unsigned char *)piece);
    while (pour->left) {
        size_t taken = http_reply_data(stream, (struct str){ piece + pour->at, sizeof piece - pour->at });
        if (!taken) return;
        pour->at = (pour->at + taken) % sizeof piece;
        if (!pour->at) pour->left -= pour->left < PIECE_BYTES ? pour->left : PIECE_BYTES;
    }
    http_reply_end(stream, fine, 1);
}

static void begin_pour(struct http_stream *stream, struct str message) {
    struct pb_reader r = pb_read(message);
    struct pb_item item;
    struct pour *pour = calloc(1, sizeof *pour);
    if (!pour) {
        refuse(stream, "8");
        return;
    }
    while (pb_next(&r, &item))
        if (item.number == 1) pour->left = item.value;
    http_stream_set_user(stream, pour);
    http_reply_headers(stream, 200, head, 1);
    pour_on(stream, NULL);
}

static void on_request(struct http_stream *stream, const struct http_request *request, void *ctx UNUSED) {
    struct str message;
    struct err err;
    if (grpc_single(request->body, MESSAGE_MAX, &message, &err)) refuse(stream, "3");
    else if (str_eq(request->path, STR("/bench.Echo/Say"))) say(stream, request->body);
    else if (str_eq(request->path, STR("/bench.Echo/Pour"))) begin_pour(stream, message);
    else refuse(stream, "12");
}

static void on_gone(struct http_stream *stream, enum http_gone why UNUSED, void *ctx UNUSED) {
    free(http_stream_user(stream));
}

static void on_stop(int signal_number UNUSED, void *ctx) {
    loop_stop(ctx);
}

int main(int argc, char **argv) {
    struct loop *loop = NULL;
    struct http_server *server = NULL;
    struct http_listener *listener;
    struct err err;
    char address[32];
    if (argc != 2) return 64;
    (void)snprintf(address, sizeof address, "127.0.0.1:%s", argv[1]);
    enum code rc = loop_new(&loop, &err);
    const struct http_server_config config = {
        .loop = loop,
        .handler = { .on_request = on_request, .on_writable = pour_on, .on_gone = on_gone },
        .limits = { .max_streams = 1000 },
    };
    const struct http_listen listen = { .address = str_z(address) };
    if (!rc) rc = http_server_new(&config, &server, &err);
    if (!rc) rc = http_server_listen(server, &listen, &listener, &err);
    if (!rc) rc = loop_on_signal(loop, SIGTERM, on_stop, loop, &err);
    if (!rc) loop_run(loop);
    if (rc) (void)fprintf(stderr, "bench_echo: %s\n", err.message);
    http_server_free(server);
    loop_free(loop);
    return rc ? 1 : 0;
}
