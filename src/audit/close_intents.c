/* Closing what a crash left open: an intention whose outcome nobody knows gets the outcome `unknown`. */
#include "audit/audit.h"
#include "audit/entry.h"
#include "audit/log_priv.h"
#include "base/clock.h"

enum { PARSE_ARENA = 1 << 20 };

static bool still_open(struct audit_log *log, const struct left *left) {
    (void)pthread_mutex_lock(&log->track_mutex);
    bool open = map_get(log->track.open, left->id) != NULL;
    (void)pthread_mutex_unlock(&log->track_mutex);
    return open;
}

static enum code read_entry(struct tiles *tiles, uint64_t index, struct buf *bundle, struct str *ret, struct err *err) {
    enum code rc = tiles_read(tiles, TILE_ENTRIES, index / TILE_WIDTH, bundle, err);
    if (rc) return rc;
    struct str rest = buf_str(bundle);
    for (uint64_t i = 0; i <= index % TILE_WIDTH; i++)
        if (!entry_next(&rest, ret)) return err_set(err, DATA_LOSS, "tile/entries: an intention is missing");
    return OK;
}

static struct actor actor_of(const struct audit_actor *a) {
    if (a->email.n) return (struct actor){ .kind = ACTOR_ACCOUNT, .subject = a->email };
    return (struct actor){ .kind = a->subject.n ? ACTOR_OIDC : ACTOR_NONE, .issuer = a->issuer, .subject = a->subject };
}

/* The same who and what as the intention. */
static enum code append_unknown(struct audit_log *log, const struct audit_entry *intent, struct err *err) {
    struct principal who = { .actor = actor_of(&intent->actor), .job = intent->job, .job_run = intent->job_run };
    for (size_t i = 0; i < intent->n_chain; i++) who.chain[who.n_chain++] = actor_of(&intent->chain[i]);
    struct event event = { .kind = EVENT_OUTCOME,
                           .time_us = clock_wall_us(),
                           .id = intent->id,
                           .principal = &who,
                           .source = intent->source,
                           .method = intent->method,
                           .resource = intent->resource,
                           .code = UNKNOWN,
                           .detail = STR("outcome unknown after a crash") };
    DEFER(buf_free) struct buf json = BUF_INIT(AUDIT_ENTRY_MAX + 4096);
    enum code rc = audit_entry_encode(&event, &json, err);
    return rc ? rc : audit_append(log, buf_str(&json), AUDIT_PROMPT, NULL, NULL, err);
}

static enum code close_one(struct audit_log *log, struct tiles *tiles, const struct left *left, struct buf *bundle,
                           struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(PARSE_ARENA);
    struct audit_entry intent;
    struct str json;
    if (!arena) return err_oom(err);
    enum code rc = read_entry(tiles, left->index, bundle, &json, err);
    if (!rc) rc = audit_entry_parse(json, arena, &intent, err);
    return rc ? rc : append_unknown(log, &intent, err);
}

enum code audit_recover(struct audit_log *log, size_t *ret_closed, struct err *err) {
    DEFER(tiles_freep) struct tiles *tiles = NULL;
    DEFER(buf_free) struct buf bundle = BUF_INIT(ENTRIES_TILE_MAX + 2);
    size_t closed = 0;
    enum code rc = audit_flush(log, err); /* outcomes that an outbox has just queued count */
    if (!rc) rc = tiles_open(log->dir, NULL, &tiles, err);
    for (size_t i = 0; !rc && i < log->n_left; i++) {
        if (!still_open(log, &log->left[i])) continue;
        rc = close_one(log, tiles, &log->left[i], &bundle, err);
        if (rc == RESOURCE_EXHAUSTED && !(rc = audit_flush(log, err)))
            rc = close_one(log, tiles, &log->left[i], &bundle, err);
        closed += !rc;
    }
    if (!rc) rc = audit_flush(log, err);
    if (!rc) *ret_closed = closed;
    return rc;
}
