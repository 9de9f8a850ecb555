#include <stdlib.h>
#include <string.h>

#include "dataproc/dataproc_priv.h"

/* Locations: nothing that this key did not seal is read; what it sealed over arbitrary names comes back as it was, and not
 * with one bit changed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void seal_and_read(const struct dataproc *dataproc, const uint8_t *data, size_t size, struct arena *arena) {
    struct buf out = BUF_INIT(4096);
    struct err err;
    struct bridge_location got,
        put = { { (const char *)data, size % (DATAPROC_ID_MAX + 1) }, STR("0e9d2b3e-5d0b-4f43-8a53-0d7c7f2d9e10"), 1000 };
    if (bridge_location_put(dataproc, &put, &out, &err) || out.n != BRIDGE_LOCATION_LENGTH) abort();
    if (!bridge_location_read(dataproc, buf_str(&out), 0, arena, &got) || !str_eq(got.id, put.id) ||
        !str_eq(got.uuid, put.uuid) || got.expires_us != put.expires_us)
        abort();
    size_t at = size % BRIDGE_LOCATION_LENGTH;
    out.p[at] = out.p[at] == 'A' ? 'B' : 'A';
    if (bridge_location_read(dataproc, buf_str(&out), 0, arena, &got)) abort();
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t key[SEAL_KEY_BYTES] = { 1, 2, 3 };
    struct dataproc dataproc = { .connection = STR("demo"), .sealer = sealer_new(key) };
    struct arena *arena = arena_new(1 << 20);
    struct bridge_location got;
    struct buf out = BUF_INIT(1 << 20);
    if (!dataproc.sealer || !arena) return 0;
    if (bridge_location_read(&dataproc, (struct str){ (const char *)data, size }, 0, arena, &got)) abort();
    if (size <= DATAPROC_ID_MAX) seal_and_read(&dataproc, data, size, arena);
    bridge_hide_tokens((struct str){ (const char *)data, size }, &out);
    if (buf_ok(&out) && str_find(buf_str(&out), STR("eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiJhIn0.c2lnbmF0dXJl")) >= 0) abort();
    buf_free(&out);
    sealer_free(dataproc.sealer);
    arena_free(arena);
    return 0;
}
