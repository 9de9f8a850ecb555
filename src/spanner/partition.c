#include "spanner/partition.h"
#include <string.h>
#include "spanner/token.h"

struct split_work {
    struct call *call;
    struct engine_split split;
    struct key_set keys;
    struct target *target;
    struct when *when;
    uint8_t request[32];
};

static enum code answer_partitions(struct split_work *s, struct err *err) {
    struct call *call = s->call;
    struct spanner_PartitionResponse response = { 0 };
    struct spanner_Transaction transaction = { .id = s->when->id };
    struct pb_Timestamp timestamp = convert_timestamp(s->split.when.ret_timestamp_us);
    size_t n = s->split.ret_n_cuts + 1;
    struct spanner_Partition *partitions = ARENA_ARRAY(call->arena, struct spanner_Partition, n);
    if (!partitions) return err_oom(err);
    for (size_t i = 0; i < n; i++) {
        struct handle h = { .kind = HANDLE_PARTITION, .timestamp_us = s->when->engine.timestamp_us };
        h.lo = i ? s->split.ret_cuts[i - 1] : (struct str){ NULL, 0 };
        h.hi = i + 1 < n ? s->split.ret_cuts[i] : STR("\xff");
        memcpy(h.request, s->request, sizeof h.request);
        enum code rc = handle_seal(s->target, &h, call->arena, &partitions[i].partition_token, err);
        if (rc) return rc;
    }
    response.partitions.p = partitions;
    response.partitions.n = n;
    if (s->when->begun) {
        response.transaction = &transaction;
        if (s->when->return_timestamp) transaction.read_timestamp = &timestamp;
    }
    return call_write_message(call, &response) ? OK : err_set(err, CANCELLED, "The client went away");
}

static void split_done(struct engine_split *split) {
    struct split_work *s = split->ctx;
    enum code rc = split->job.code;
    if (!rc) rc = answer_partitions(s, &split->job.err);
    spanner_end(s->call, rc, &split->job.err);
}

enum { DEFAULT_PARTITIONS = 4, MAX_PARTITIONS = 256 };

enum code partition_start(struct call *call, struct target *t, struct when *when, const struct sql_table *table,
                          const struct spanner_PartitionOptions *options, const uint8_t request[32], struct err *err) {
    struct split_work *s = ARENA_NEW(call->arena, struct split_work);
    if (!s) return err_oom(err);
    if (!when->engine.at || when->single_use)
        return err_set(err, INVALID_ARGUMENT, "Partitions need a read-only transaction that may be used more than once");
    s->call = call;
    s->target = t;
    s->when = when;
    memcpy(s->request, request, sizeof s->request);
    s->keys = (struct key_set){ .arena = call->arena, .table = table };
    enum code rc = key_set_add_all(&s->keys, err);
    if (rc) return rc;
    key_set_finish(&s->keys);
    int64_t want = options && options->max_partitions > 0 ? options->max_partitions : DEFAULT_PARTITIONS;
    s->split = (struct engine_split){ .when = when->engine,
                                      .table = table,
                                      .ranges = s->keys.ranges,
                                      .n_ranges = s->keys.n,
                                      .want = (unsigned)(want > MAX_PARTITIONS ? MAX_PARTITIONS : want),
                                      .arena = call->arena,
                                      .done = split_done,
                                      .ctx = s };
    s->split.when.cancel = call_cancel_flag(call);
    return engine_post_split(t->db, &s->split, err);
}
