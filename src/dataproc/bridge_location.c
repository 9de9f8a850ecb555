/* bridge_location.c: what a Location of the bridge holds, sealed: connection, job and end. All locations have one length,
 * so that nothing of the job shows. The key is the connection's own, in a file beside its jobs: locations outlive a
 * restart. */
#include <string.h>
#include "dataproc/dataproc_priv.h"

enum { TIME_BYTES = 8, PLAIN_BYTES = TIME_BYTES + DATAPROC_UUID + 1 + DATAPROC_ID_MAX };

/* nonce, text, tag; base64url without padding */
_Static_assert(BRIDGE_LOCATION_LENGTH == ((12 + PLAIN_BYTES + 16) * 4 + 2) / 3, "the length of a sealed location");

static struct str bound_to(const struct dataproc *dataproc, struct arena *arena) {
    return arena_printf(arena, "linkspan bridge location 1 %.*s", STR_ARG(dataproc->connection));
}

enum code bridge_location_put(const struct dataproc *dataproc, const struct bridge_location *location, struct buf *out,
                              struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 14);
    char plain[PLAIN_BYTES] = { 0 }, *at = plain;
    if (!arena) return err_oom(err);
    if (location->uuid.n != DATAPROC_UUID || location->id.n > DATAPROC_ID_MAX)
        return err_set(err, INTERNAL, "a job without a proper name");
    for (int shift = 56; shift >= 0; shift -= 8) *at++ = (char)((uint64_t)location->expires_us >> shift & 0xff);
    memcpy(at, location->uuid.p, DATAPROC_UUID);
    at[DATAPROC_UUID] = (char)location->id.n;
    memcpy(at + DATAPROC_UUID + 1, location->id.p, location->id.n);
    return seal(dataproc->sealer, (struct str){ plain, sizeof plain }, bound_to(dataproc, arena), out, err);
}

bool bridge_location_read(const struct dataproc *dataproc, struct str sealed, int64_t now_us, struct arena *arena,
                          struct bridge_location *ret) {
    struct str plain;
    struct err err;
    uint64_t expires = 0;
    if (sealed.n != BRIDGE_LOCATION_LENGTH) return false;
    if (unseal(dataproc->sealer, sealed, bound_to(dataproc, arena), arena, &plain, &err) || plain.n != PLAIN_BYTES)
        return false;
    for (unsigned i = 0; i < TIME_BYTES; i++) expires = expires << 8 | (unsigned char)plain.p[i];
    size_t id = (unsigned char)plain.p[TIME_BYTES + DATAPROC_UUID];
    if (id > DATAPROC_ID_MAX || (int64_t)expires <= now_us) return false;
    *ret = (struct bridge_location){ .expires_us = (int64_t)expires,
                                     .uuid = { plain.p + TIME_BYTES, DATAPROC_UUID },
                                     .id = { plain.p + TIME_BYTES + DATAPROC_UUID + 1, id } };
    return true;
}
