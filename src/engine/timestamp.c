/* Which timestamp a read gets. A served timestamp raises the floor below which nothing commits any more. */
#include <inttypes.h>
#include "base/clock.h"
#include "engine/db.h"

static int64_t most(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* Sees all that was acknowledged, waits for nothing: just before the batch at work, else now. */
int64_t db_strong_timestamp(struct engine_db *db, uint64_t *ret_posted) {
    pthread_mutex_lock(&db->lock);
    int64_t at = db->pending_us ? db->pending_us - 1 : most(clock_wall_us(), db->last_us);
    db->floor_us = most(db->floor_us, at);
    if (ret_posted) *ret_posted = db->n_posted_reads;
    pthread_mutex_unlock(&db->lock);
    return at;
}

enum code db_check_age(struct engine_db *db, int64_t at_us, struct err *err) {
    int64_t oldest = most(clock_wall_us() - db->options->retention_us, atomic_load(&db->pruned_us));
    if (at_us >= oldest) return OK;
    char text[CLOCK_RFC3339_MAX];
    clock_rfc3339(at_us, text);
    return err_set(err, FAILED_PRECONDITION, "Read timestamp %s is too old: versions of rows are kept for %" PRId64 " s.",
                   text, db->options->retention_us / 1000000);
}

enum code engine_pick_timestamp(struct engine_db *db, struct engine_bound bound, int64_t *ret_us, struct err *err) {
    int64_t now = clock_wall_us(), at = 0;
    bool duration = bound.kind == ENGINE_MAX_STALENESS || bound.kind == ENGINE_EXACT_STALENESS;
    if (duration && bound.us < 0) return err_set(err, INVALID_ARGUMENT, "a staleness must not be negative");
    if (!duration && bound.kind != ENGINE_STRONG && bound.us > now && bound.us - now > ENGINE_FUTURE_US)
        return err_set(err, DEADLINE_EXCEEDED, "The read timestamp is more than an hour in the future.");
    switch (bound.kind) {
    case ENGINE_STRONG:
    case ENGINE_MAX_STALENESS: at = db_strong_timestamp(db, NULL); break; /* the freshest is never too stale */
    case ENGINE_MIN_READ_TIMESTAMP: at = most(bound.us, db_strong_timestamp(db, NULL)); break;
    case ENGINE_READ_TIMESTAMP: at = bound.us; break;
    case ENGINE_EXACT_STALENESS: at = now - (bound.us > now ? now : bound.us); break;
    }
    enum code rc = db_check_age(db, at, err);
    if (rc) return rc;
    *ret_us = at;
    return OK;
}
