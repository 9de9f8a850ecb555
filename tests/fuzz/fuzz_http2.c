#include <stdlib.h>
#include <string.h>

#include "wire/http2.h"

/* Bytes from a peer; the first chooses the role. Each stream that is seen must close once, and be gone at the end. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_headers(struct h2_stream *s, const struct http_header *h, size_t n, bool over, bool too_many, void *ctx) {
    static const struct http_header ok[] = { { STR_INIT(":status"), STR_INIT("200") } };
    (void)h;
    (void)over;
    (void)too_many;
    if (n > 40) abort();
    ++*(long *)ctx;
    h2_set_user(s, ctx);
    if (h2_id(s) % 4 == 1) {
        h2_respond(s, ok, 1, false);
        (void)!h2_write(s, STR("body"));
    } else if (h2_id(s) % 8 == 3) h2_reset(s, 8);
}

static void on_data(struct h2_stream *s, struct str data, void *ctx) {
    (void)ctx;
    h2_consume(s, data.n / 2);
}

static void on_end(struct h2_stream *s, const struct http_header *t, size_t n, void *ctx) {
    (void)t;
    (void)n;
    (void)ctx;
    h2_finish(s, NULL, 0);
}

static void on_writable(struct h2_stream *s, void *ctx) {
    (void)s;
    (void)ctx;
}

static void on_close(struct h2_stream *s, uint32_t error, bool by_peer, void *ctx) {
    (void)error;
    (void)by_peer;
    if (h2_user(s) && --*(long *)ctx < 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct h2_callbacks callbacks = { on_headers, on_data, on_end, on_writable, on_close, NULL };
    static const struct h2_limits limits = { 4096, 40, 4096, 10, 65535, 65535 };
    struct h2 *h2 = NULL;
    long open = 0;
    if (size < 2 || h2_new(data[0] & 1 ? H2_CLIENT : H2_SERVER, &limits, &callbacks, &open, &h2, NULL) != OK) return 0;
    struct str in = { (const char *)data + 1, size - 1 };
    bool server = !(data[0] & 1), good = true;
    if (server) good = h2_receive(h2, STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), NULL) == OK;
    size_t piece = 1 + data[0] / 2;
    for (size_t at = 0; good && at < in.n; at += piece) {
        struct buf out = BUF_INIT(1 << 20);
        good = h2_receive(h2, str_upto(str_from(in, at), piece), NULL) == OK && h2_send(h2, &out, 65536, NULL) == OK;
        buf_free(&out);
    }
    h2_free(h2);
    if (open != 0) abort();
    return 0;
}
