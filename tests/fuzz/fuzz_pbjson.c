/* fuzz_pbjson: the first byte picks a message type, the rest is JSON text, or, after a NUL, the text for one field. What is
 * read from JSON must encode and decode, and its own JSON must read as the same message. */
#include <stdlib.h>
#include "wire/pb/pb_json.h"

enum { MEMORY = 8 << 20 };

static const char *const types[] = {
    "google.spanner.v1.ExecuteSqlRequest",
    "google.spanner.v1.CommitRequest",
    "google.protobuf.Struct",
    "google.cloud.dataproc.v1.Job",
    "google.longrunning.Operation",
    "google.protobuf.Timestamp",
    "google.protobuf.Duration",
    "google.protobuf.FieldMask",
    "google.cloud.dataproc.v1.UpdateClusterRequest",
};

static void round_trip(const struct pb_msg *desc, const void *msg, struct arena *arena) {
    DEFER(buf_free) struct buf bytes = BUF_INIT(MEMORY), json = BUF_INIT(MEMORY), second = BUF_INIT(MEMORY);
    void *back = NULL;
    struct err err;
    enum code rc = pb_encode(desc, msg, &bytes, &err);
    if (!rc) rc = pb_decode(desc, buf_str(&bytes), arena, PB_REFUSE_UNKNOWN, &back, &err);
    if (rc && rc != RESOURCE_EXHAUSTED) abort();
    if (rc || pb_to_json(desc, msg, &json, &err) || pb_from_json(desc, buf_str(&json), arena, 0, &back, &err)) return;
    if (!pb_encode(desc, back, &second, &err) && !str_eq(buf_str(&bytes), buf_str(&second))) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    DEFER(arena_freep) struct arena *arena = arena_new(MEMORY);
    const struct pb_msg *desc = pb_find(str_z(types[data[0] % COUNT(types)]));
    struct str text = { (const char *)data + 1, size - 1 };
    const struct str first = str_cut(&text, 0); /* JSON, or the path of a field when there is more */
    struct err err;
    void *msg = NULL;
    if (!arena || !desc) return 0;
    if (text.n) {
        msg = pb_new(desc, arena);
        if (!msg || pb_set_field(desc, msg, first, text, arena, &err)) return 0;
    } else if (pb_from_json(desc, first, arena, 0, &msg, &err)) {
        return 0;
    }
    round_trip(desc, msg, arena);
    return 0;
}
