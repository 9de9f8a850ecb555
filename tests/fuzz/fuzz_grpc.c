#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "wire/grpc.h"

/* The first byte is the length of the pieces; framing must not depend on it. Then the text forms. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(struct str message, void *ctx) {
    size_t *total = ctx;
    total[0]++;
    total[1] += message.n;
}

static enum code run(struct str in, size_t piece, size_t total[2]) {
    struct grpc_deframer d = { .max_bytes = 1000 };
    enum code rc = OK;
    for (size_t at = 0; at < in.n && rc == OK; at += piece)
        rc = grpc_feed(&d, str_upto(str_from(in, at), piece), count, total, NULL);
    grpc_deframer_free(&d);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    struct str in = { (const char *)data + 1, size - 1 };
    size_t whole[2] = { 0 }, cut[2] = { 0 };
    enum code a = run(in, in.n, whole), b = run(in, 1 + data[0] % 31, cut);
    if (a != b || memcmp(whole, cut, sizeof whole) != 0) abort();
    struct arena *arena = arena_new(1 << 20);
    struct buf encoded = BUF_INIT(1 << 20);
    uint64_t us = 0;
    grpc_encode_message(&encoded, in);
    if (buf_ok(&encoded) && !str_eq(grpc_decode_message(arena, buf_str(&encoded)), in)) abort();
    (void)grpc_decode_message(arena, in);
    (void)grpc_parse_timeout(in, &us);
    (void)grpc_is_content_type(in);
    buf_free(&encoded);
    arena_free(arena);
    return 0;
}
