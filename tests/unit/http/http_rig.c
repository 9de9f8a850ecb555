#include "http_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire/grpc.h"

static char folder[64];

const char *rig_file(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* ---- certificates ---- */

static void remove_folder(void) {
    unlink(rig_file("cert.pem"));
    unlink(rig_file("key.pem"));
    rmdir(folder);
}

static void add_names(X509 *cert) {
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
}

static void make_certificate(void) {
    snprintf(folder, sizeof folder, "/tmp/rig-XXXXXX");
    assert_non_null(mkdtemp(folder));
    atexit(remove_folder);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)"rig", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    add_names(cert);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    FILE *f = fopen(rig_file("cert.pem"), "w");
    PEM_write_X509(f, cert);
    fclose(f);
    f = fopen(rig_file("key.pem"), "w");
    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
    X509_free(cert);
    EVP_PKEY_free(key);
}

/* ---- the handler ---- */

static void pump(struct rig *rig, struct http_stream *s) {
    static char bytes[8192];
    while (rig->sent < rig->to_send) {
        size_t n = rig->to_send - rig->sent < sizeof bytes ? rig->to_send - rig->sent : sizeof bytes;
        for (size_t i = 0; i < n; i++) bytes[i] = (char)(rig->sent + i);
        size_t taken = http_reply_data(s, (struct str){ bytes, n });
        rig->sent += taken;
        struct http_server_stats stats = http_server_stats(rig->server);
        if (stats.queued_bytes > rig->most_queued) rig->most_queued = stats.queued_bytes;
        if (taken < n) return;
    }
    http_reply_end(s, NULL, 0);
}

static size_t max_body(struct http_stream *s UNUSED, const struct http_request *r, void *ctx UNUSED) {
    return str_eq(r->path, STR("/small")) ? 1000 : 200u << 20;
}

static bool may_have_room(struct http_stream *s UNUSED, const struct http_request *r, void *ctx UNUSED) {
    return !str_eq(r->path, STR("/stranger"));
}

static void on_too_large(struct http_stream *s, const struct http_request *r, void *ctx) {
    struct rig *rig = ctx;
    rig->too_large++;
    rig->met = r->met;
    rig->stream = s;
    http_reply_simple(s, 413, STR("text/plain"), STR("too large"));
}

static void reply_grpc(struct http_stream *s, struct str body) {
    const struct http_header headers[] = { { STR("content-type"), STR("application/grpc") } };
    const struct http_header trailers[] = { { STR("grpc-status"), STR("0") } };
    http_reply_headers(s, 200, headers, 1);
    assert_int_equal(http_reply_data(s, body), body.n);
    http_reply_end(s, trailers, 1);
}

static void on_request(struct http_stream *s, const struct http_request *r, void *ctx) {
    struct rig *rig = ctx;
    rig->requests++;
    rig->stream = s;
    rig->listener_ctx = r->listener_ctx;
    snprintf(rig->seen, sizeof rig->seen, "%.*s %.*s %.*s %.*s %zu", STR_ARG(r->method), STR_ARG(r->path),
             STR_ARG(r->query), STR_ARG(r->scheme), r->body.n);
    if (str_eq(r->path, STR("/never"))) return;
    if (str_eq(r->path, STR("/close"))) http_listener_close(rig->listener), rig->listener = NULL;
    else if (str_eq(r->path, STR("/reset"))) http_stream_reset(s, HTTP_RESET_INTERNAL);
    else if (str_eq(r->path, STR("/grpc"))) reply_grpc(s, r->body);
    else if (str_eq(r->path, STR("/trailers-only"))) {
        const struct http_header only[] = { { STR("grpc-status"), STR("7") } };
        http_reply_headers_only(s, 200, only, 1);
    } else if (str_eq(r->path, STR("/stream"))) {
        rig->sent = 0;
        http_reply_headers(s, 200, NULL, 0);
        pump(rig, s);
    } else if (str_eq(r->path, STR("/where"))) {
        http_reply_simple(s, 200, STR("text/plain"), r->authority);
    } else {
        http_reply_simple(s, 200, STR("application/octet-stream"), str_upto(r->body, 200));
    }
}

static void on_writable(struct http_stream *s, void *ctx) {
    struct rig *rig = ctx;
    rig->writable++;
    if (rig->to_send) pump(rig, s);
}

static void on_gone(struct http_stream *s, enum http_gone why, void *ctx) {
    struct rig *rig = ctx;
    assert_non_null(http_stream_request(s)->method.p); /* the request lives until here */
    rig->gone++;
    rig->last_gone = why;
    if (rig->stream == s) rig->stream = NULL;
}

/* ---- life ---- */

void rig_start(struct rig *rig, enum rig_transport transport, const struct http_limits *limits, bool http1_only) {
    static const struct http_handler handler = { .max_body = max_body,
                                                 .may_have_room = may_have_room,
                                                 .on_too_large = on_too_large,
                                                 .on_request = on_request,
                                                 .on_writable = on_writable,
                                                 .on_gone = on_gone };
    rig_start_with(rig, transport, limits, http1_only, &handler);
}

void rig_start_with(struct rig *rig, enum rig_transport transport, const struct http_limits *limits, bool http1_only,
                    const struct http_handler *handler) {
    struct err err = { 0 };
    *rig = (struct rig){ 0 };
    if (!folder[0]) make_certificate();
    char cert[256], key[256];
    snprintf(cert, sizeof cert, "%s", rig_file("cert.pem"));
    snprintf(key, sizeof key, "%s", rig_file("key.pem"));
    assert_int_equal(loop_new(&rig->loop, &err), OK);
    const struct tls_server_config stls = { .cert_file = cert, .key_file = key, .http1_only = http1_only };
    const struct tls_client_config ctls = { .ca_file = cert, .http1_only = http1_only };
    if (tls_server_new(&stls, &rig->server_tls, &err) || tls_client_new(&ctls, &rig->client_tls, &err))
        fail_msg("%s", err.message);
    const struct http_server_config config = {
        .loop = rig->loop, .limits = limits ? *limits : (struct http_limits){ 0 }, .handler = *handler, .ctx = rig
    };
    assert_int_equal(http_server_new(&config, &rig->server, &err), OK);
    const struct http_listen listen = { .address = STR("127.0.0.1:0"),
                                        .tls = transport == RIG_TLS ? rig->server_tls : NULL,
                                        .http1_only = http1_only,
                                        .ctx = rig };
    if (http_server_listen(rig->server, &listen, &rig->listener, &err)) fail_msg("%s", err.message);
    rig->port = http_listener_port(rig->listener);
    const struct http_client_config client = { .loop = rig->loop, .tls = rig->client_tls };
    assert_int_equal(http_client_new(&client, &rig->client, &err), OK);
}

void rig_stop(struct rig *rig) {
    http_client_free(rig->client);
    http_server_free(rig->server);
    assert_int_equal(rig->gone, rig->requests + rig->too_large); /* each exactly once */
    tls_unref(rig->server_tls);
    tls_unref(rig->client_tls);
    loop_free(rig->loop);
}

void rig_until(struct rig *rig, const bool *done) {
    uint64_t end = loop_now_ms(rig->loop) + 10000;
    while (!*done) {
        loop_run_once(rig->loop, 100);
        if (loop_now_ms(rig->loop) > end) fail_msg("nothing happened for ten seconds");
    }
}

void rig_wait(struct rig *rig, const unsigned *count, unsigned at_least) {
    uint64_t end = loop_now_ms(rig->loop) + 10000;
    while (*count < at_least) {
        loop_run_once(rig->loop, 20);
        if (loop_now_ms(rig->loop) > end) fail_msg("%u instead of %u after ten seconds", *count, at_least);
    }
}

bool rig_turn(struct rig *rig, unsigned ms) {
    uint64_t end = loop_now_ms(rig->loop) + ms;
    while (loop_now_ms(rig->loop) < end) loop_run_once(rig->loop, 5);
    return true;
}

/* ---- calls ---- */

char rig_byte(size_t at) {
    return (char)(at % 251 + at / 65536);
}

static void call_headers(struct http_call *call, unsigned status, const struct http_header *headers, size_t n, void *ctx) {
    struct rig_call *c = ctx;
    c->status = status;
    c->headers++;
    struct str type = http_header_value(headers, n, STR("content-type"));
    snprintf(c->header, sizeof c->header, "%.*s", STR_ARG(type));
    if (c->pause_at_headers) http_call_pause(call);
}

static void call_data(struct http_call *call UNUSED, struct str data, void *ctx) {
    struct rig_call *c = ctx;
    if (c->bytes + data.n < sizeof c->body) memcpy(c->body + c->bytes, data.p, data.n);
    for (size_t i = 0; i < data.n; i++) c->hash = c->hash * 31 + (unsigned char)data.p[i];
    c->bytes += data.n;
}

static void call_end(struct http_call *call UNUSED, const struct http_header *trailers, size_t n, void *ctx) {
    struct rig_call *c = ctx;
    c->ends++;
    c->trailers = n;
    if (n) snprintf(c->trailer, sizeof c->trailer, "%.*s=%.*s", STR_ARG(trailers[0].name), STR_ARG(trailers[0].value));
}

static void call_error(struct http_call *call UNUSED, const struct err *err, void *ctx) {
    struct rig_call *c = ctx;
    c->errors++;
    snprintf(c->error, sizeof c->error, "%s: %s", code_name(err->code), err->message);
}

static void call_writable(struct http_call *call, void *ctx) {
    struct rig_call *c = ctx;
    static char bytes[8192];
    while (c->given < c->to_give) {
        size_t n = c->to_give - c->given < sizeof bytes ? c->to_give - c->given : sizeof bytes;
        for (size_t i = 0; i < n; i++) bytes[i] = rig_byte(c->given + i);
        size_t taken = http_call_write(call, (struct str){ bytes, n });
        c->given += taken;
        if (taken < n) return;
    }
    if (!c->keep_open) http_call_finish(call);
}

struct http_client_request rig_request(const struct rig *rig, const char *method, const char *path) {
    return (struct http_client_request){
        .method = str_z(method), .host = STR("localhost"), .port = rig->port, .path = str_z(path), .scheme = STR("https")
    };
}

void rig_send(struct rig *rig, struct rig_call *call, const struct http_client_request *request) {
    static const struct http_call_handler handler = { call_headers, call_data, call_end, call_error, call_writable };
    struct err err = { 0 };
    if (!http_client_send(rig->client, request, &handler, call, &call->call, &err)) return;
    if (!call->may_fail) fail_msg("%s", err.message);
    call->errors++;
}

void rig_finish(struct rig *rig, struct rig_call *call) {
    uint64_t end = loop_now_ms(rig->loop) + 10000;
    while (!call->ends && !call->errors) {
        loop_run_once(rig->loop, 100);
        if (loop_now_ms(rig->loop) > end) fail_msg("the call did not end: %zu bytes, status %u", call->bytes, call->status);
    }
    assert_int_equal(call->ends + call->errors, 1);
}

int rig_connect(const struct rig *rig) {
    struct net_address to;
    struct sockaddr_storage sa;
    assert_int_equal(net_address_parse(STR("127.0.0.1:0"), &to, NULL), OK);
    to.port = rig->port;
    socklen_t n = net_address_to(&to, &sa);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, n), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

size_t rig_raw(struct rig *rig, struct str text, char *answer, size_t room, unsigned ms, bool *ret_closed) {
    int fd = rig_connect(rig);
    size_t got = 0;
    bool closed = false;
    uint64_t end = loop_now_ms(rig->loop) + ms;
    while (loop_now_ms(rig->loop) < end && !closed) {
        ssize_t n = text.n ? send(fd, text.p, text.n, MSG_NOSIGNAL) : 0;
        if (n > 0) text = str_from(text, (size_t)n);
        loop_run_once(rig->loop, 5);
        n = recv(fd, answer + got, room - 1 - got, 0);
        if (n > 0) got += (size_t)n;
        closed = n == 0 || (n < 0 && errno != EAGAIN);
    }
    answer[got] = 0;
    close(fd);
    if (ret_closed) *ret_closed = closed;
    return got;
}
