/* A server to try by hand, with other clients and with load generators: any POST comes back as it is (gRPC with its
 * trailers); GET /bytes/N streams N bytes. Usage: echo_server ADDRESS:PORT [CERT KEY] */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "http/server.h"
#include "wire/grpc.h"

static uint64_t left_of(struct http_stream *s) {
    return (uint64_t)(uintptr_t)http_stream_user(s);
}

static void pump(struct http_stream *s, void *ctx UNUSED) {
    static const char zeros[65536];
    uint64_t left = left_of(s);
    while (left) {
        size_t n = left < sizeof zeros ? (size_t)left : sizeof zeros, taken = http_reply_data(s, (struct str){ zeros, n });
        left -= taken;
        if (taken < n) break;
    }
    http_stream_set_user(s, (void *)(uintptr_t)left);
    if (left == 0) http_reply_end(s, NULL, 0);
}

static void echo_grpc(struct http_stream *s, const struct http_request *r) {
    static const struct http_header headers[] = { { STR_INIT("content-type"), STR_INIT("application/grpc") } };
    static const struct http_header ok[] = { { STR_INIT("grpc-status"), STR_INIT("0") } };
    http_reply_headers(s, 200, headers, 1);
    if (http_reply_data(s, r->body) < r->body.n) http_stream_reset(s, HTTP_RESET_INTERNAL);
    http_reply_end(s, ok, 1);
}

static void on_request(struct http_stream *s, const struct http_request *r, void *ctx) {
    struct str path = r->path;
    uint64_t n = 0;
    if (grpc_is_content_type(http_header_value(r->headers, r->n_headers, STR("content-type")))) echo_grpc(s, r);
    else if (str_strip_prefix(&path, STR("/bytes/")) && str_u64(path, &n)) {
        http_stream_set_user(s, (void *)(uintptr_t)n);
        http_reply_headers(s, 200, NULL, 0);
        pump(s, ctx);
    } else {
        http_reply_simple(s, 200, STR("application/octet-stream"), r->body);
    }
}

static void on_gone(struct http_stream *s UNUSED, enum http_gone why UNUSED, void *ctx UNUSED) {
}

static void on_drained(struct http_server *server UNUSED, void *ctx) {
    loop_stop(ctx);
}

static void on_signal(int signal_number UNUSED, void *ctx) {
    struct http_server *server = ctx;
    struct http_server_stats stats = http_server_stats(server);
    fprintf(stderr, "requests %" PRIu64 ", connections %zu\n", stats.requests, stats.connections);
    http_server_drain(server, 3000, on_drained, http_server_loop(server));
}

int main(int argc, char **argv) {
    struct err err = { 0 };
    struct tls_ctx *tls = NULL;
    struct loop *loop = NULL;
    struct http_server *server = NULL;
    struct http_listener *listener = NULL;
    const struct tls_server_config config = { .cert_file = argc > 3 ? argv[2] : NULL,
                                              .key_file = argc > 3 ? argv[3] : NULL };
    if (argc < 2 || (argc > 3 && tls_server_new(&config, &tls, &err)) || loop_new(&loop, &err)) {
        fprintf(stderr, "%s\n", err.code ? err.message : "usage: echo_server ADDRESS:PORT [CERT KEY]");
        return 1;
    }
    const struct http_server_config sc = {
        .loop = loop, .handler = { .on_request = on_request, .on_writable = pump, .on_gone = on_gone }
    };
    const struct http_listen listen = { .address = str_z(argv[1]), .tls = tls };
    if (http_server_new(&sc, &server, &err) || http_server_listen(server, &listen, &listener, &err) ||
        loop_on_signal(loop, SIGTERM, on_signal, server, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("%u\n", http_listener_port(listener));
    fflush(stdout);
    loop_run(loop);
    http_server_free(server);
    tls_unref(tls);
    loop_free(loop);
    return 0;
}
