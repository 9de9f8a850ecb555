/* import_send.c: several commits in flight; what may be sent again is, as an insert_or_update twice is the same as once. */
#include <stdlib.h>
#include "base/clock.h"
#include "cli/import.h"

enum { IN_FLIGHT_MAX = 32, COMMIT_MS = 120000, TURN_MS = 100, ATTEMPTS = 12, FRAME_SPARE = 1 << 20 };

struct slot {
    struct rpc rpc;
    struct buf frame;
    size_t count;
    unsigned tries;
    bool busy, waits; /* waits: until due_us, to be sent again */
    uint64_t due_us;
};

struct sender {
    struct channel *channel;
    struct str session;
    const struct import_map *map;
    const struct import_rows *rows;
    const struct import_limits *limits;
    struct import_counts *counts;
    struct slot slots[IN_FLIGHT_MAX];
    size_t next; /* row */
    unsigned busy;
    struct err *err;
};

static enum code fill(struct sender *s, struct slot *slot) {
    slot->count = import_chunk(s->rows, s->next, s->map->n_columns, s->limits);
    buf_clear(&slot->frame);
    import_commit_encode(s->session, s->map, s->rows, s->next, slot->count, &slot->frame);
    if (!buf_ok(&slot->frame)) return err_set(s->err, RESOURCE_EXHAUSTED, "a row is larger than a commit may be");
    slot->rpc = (struct rpc){ .channel = s->channel,
                              .method = "google.spanner.v1.Spanner/Commit",
                              .request = buf_str(&slot->frame),
                              .timeout_ms = COMMIT_MS };
    slot->tries = 0;
    slot->busy = true;
    s->busy++;
    s->next += slot->count;
    return rpc_start(&slot->rpc, s->err);
}

static enum code again(struct sender *s, struct slot *slot) {
    struct rpc *rpc = &slot->rpc;
    if (++slot->tries == ATTEMPTS || !(rpc->may_retry || rpc->code == DEADLINE_EXCEEDED)) {
        *s->err = rpc->err;
        return rpc->code;
    }
    slot->due_us = clock_mono_us() + rpc_backoff_ms(rpc, slot->tries) * 1000;
    slot->waits = true;
    s->counts->retries++;
    rpc_finish(rpc);
    return OK;
}

static enum code look(struct sender *s, struct slot *slot) {
    if (slot->waits) {
        if (clock_mono_us() < slot->due_us) return OK;
        slot->waits = false;
        return rpc_start(&slot->rpc, s->err);
    }
    if (!slot->rpc.done) return OK;
    if (slot->rpc.code) return again(s, slot);
    rpc_finish(&slot->rpc);
    s->counts->rows += slot->count;
    s->counts->commits++;
    s->counts->bytes += slot->frame.n;
    slot->busy = false;
    s->busy--;
    return OK;
}

static enum code turn(struct sender *s) {
    for (unsigned i = 0; i < s->limits->in_flight && i < IN_FLIGHT_MAX; i++) {
        struct slot *slot = &s->slots[i];
        enum code rc = slot->busy ? look(s, slot) : OK;
        if (!rc && !slot->busy && s->next < s->rows->n) rc = fill(s, slot);
        if (rc) return rc;
    }
    if (s->counts->progress) s->counts->progress(s->counts->ctx);
    if (s->busy) channel_turn(s->channel, TURN_MS);
    return OK;
}

enum code import_send(struct channel *channel, struct str session, const struct import_map *map,
                      const struct import_rows *rows, const struct import_limits *limits, struct import_counts *counts,
                      struct err *err) {
    struct sender *s = calloc(1, sizeof *s);
    if (!s) return err_oom(err);
    *s = (struct sender){ channel, session, map, rows, limits, counts, .err = err };
    for (size_t i = 0; i < IN_FLIGHT_MAX; i++) s->slots[i].frame = (struct buf)BUF_INIT(limits->bytes + FRAME_SPARE);
    enum code rc = OK;
    while (!rc && (s->busy || s->next < rows->n)) rc = turn(s);
    for (size_t i = 0; i < IN_FLIGHT_MAX; i++) {
        rpc_finish(&s->slots[i].rpc);
        buf_free(&s->slots[i].frame);
    }
    free(s);
    return rc;
}
