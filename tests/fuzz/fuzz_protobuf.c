/* fuzz_protobuf: the first byte picks a message type, the rest is its bytes. What decodes must encode, and what we encoded
 * must decode to the same bytes; the JSON of it may be refused, but not crash. */
#include <stdlib.h>
#include "wire/pb/pb_json.h"

enum { MEMORY = 8 << 20 };

static const char *const types[] = {
    "google.spanner.v1.ExecuteSqlRequest",
    "google.spanner.v1.CommitRequest",
    "google.spanner.v1.ReadRequest",
    "google.spanner.v1.PartialResultSet",
    "google.spanner.v1.BatchWriteResponse",
    "google.spanner.v1.ResultSet",
    "google.cloud.dataproc.v1.Cluster",
    "google.cloud.dataproc.v1.Job",
    "google.longrunning.Operation",
    "google.protobuf.Value",
    "google.rpc.Status",
    "google.iam.v1.SetIamPolicyRequest",
};

static void again(const struct pb_msg *desc, struct str first, struct arena *arena) {
    DEFER(buf_free) struct buf second = BUF_INIT(MEMORY);
    void *msg = NULL;
    if (pb_decode(desc, first, arena, PB_REFUSE_UNKNOWN, &msg, NULL) == RESOURCE_EXHAUSTED) return;
    if (!msg || pb_encode(desc, msg, &second, NULL)) abort();
    if (!str_eq(first, buf_str(&second))) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    DEFER(arena_freep) struct arena *arena = arena_new(MEMORY);
    DEFER(buf_free) struct buf out = BUF_INIT(MEMORY), json = BUF_INIT(MEMORY);
    const struct pb_msg *desc = pb_find(str_z(types[data[0] % COUNT(types)]));
    const struct str bytes = { (const char *)data + 1, size - 1 };
    struct err err;
    void *msg = NULL;
    if (!arena || !desc || pb_decode(desc, bytes, arena, 0, &msg, &err)) return 0;
    if (pb_encode(desc, msg, &out, &err)) abort();
    again(desc, buf_str(&out), arena);
    if (!pb_to_json(desc, msg, &json, &err)) (void)!pb_from_json(desc, buf_str(&json), arena, 0, &msg, &err);
    return 0;
}
