/* Opening: from whatever a crash left to the last consistent state. What was acknowledged is in the journal or under the
 * checkpoint; a batch that was not written whole was not acknowledged and is dropped. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "audit/io.h"
#include "audit/log_priv.h"
#include "base/clock.h"
#include "base/file.h"

enum { LOCK_TRIES = 10, LOCK_WAIT_MS = 20, LEFT_ARENA = 64 << 20, PATH_BYTES = 4096 + 16 };

/* A verifier takes the lock for an instant to see whether somebody has it: hence some patience. */
static enum code lock_dir(struct audit_log *log, struct err *err) {
    enum code rc = file_make_dirs(log->dir, 0700, err);
    if (rc) return rc;
    log->dir_fd = open(log->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (log->dir_fd < 0) return err_errno(err, log->dir);
    for (unsigned i = 0; i < LOCK_TRIES; i++) {
        if (flock(log->dir_fd, LOCK_EX | LOCK_NB) == 0) return OK;
        (void)nanosleep(&(struct timespec){ .tv_nsec = LOCK_WAIT_MS * 1000000 }, NULL);
    }
    return err_set(err, ALREADY_EXISTS, "%s: another process has this audit log open", log->dir);
}

static void path_of(const struct audit_log *log, const char *name, char out[PATH_BYTES]) {
    (void)snprintf(out, PATH_BYTES, "%s/%s", log->dir, name);
}

static bool exists(const struct audit_log *log, const char *name) {
    char path[PATH_BYTES];
    path_of(log, name, path);
    return access(path, F_OK) == 0;
}

/* A log begins with a signed checkpoint of nothing; so one without a checkpoint has lost it. */
static enum code create(struct audit_log *log, struct err *err) {
    if (exists(log, "tile") || exists(log, "journal"))
        return err_set(err, DATA_LOSS, "%s: the checkpoint is missing but entries are there", log->dir);
    struct tree_hash root = tree_root(&log->edge.tree);
    DEFER(buf_free) struct buf note = BUF_INIT(NOTE_MAX);
    enum code rc = note_sign(str_z(log->origin), 0, &root, clock_wall_us(), log->key, &note, err);
    return rc ? rc : io_replace_file(log->dir, "checkpoint", buf_str(&note), err);
}

static enum code load_published(struct audit_log *log, struct err *err) {
    if (!exists(log, "checkpoint")) {
        enum code rc = create(log, err);
        if (rc) return rc;
    }
    DEFER(tiles_freep) struct tiles *tiles = NULL;
    enum code rc = tiles_open(log->dir, log->key, &tiles, err);
    if (rc) return rc;
    if (strcmp(tiles->checkpoint.origin, log->origin) != 0)
        return err_set(err, FAILED_PRECONDITION, "the audit log is of '%s', not of '%s'", tiles->checkpoint.origin,
                       log->origin);
    clock_floor(tiles->checkpoint.time_us);
    memcpy(log->head, tiles->note, tiles->note_n);
    log->head_n = tiles->note_n;
    return edge_load(&log->edge, tiles, err);
}

static enum code take_batch(struct audit_log *log, const struct batch *batch, struct err *err) {
    struct tree tree = log->edge.tree;
    if (!batch_verify(batch, &tree, log->origin, log->key)) return DATA_LOSS;
    if (!edge_has_room(&log->edge, batch->count) && audit_log_publish(log, err)) return err ? err->code : UNAVAILABLE;
    if (!edge_reserve(&log->edge, batch->entries.n)) return err_oom(err);
    struct str rest = batch->entries, entry;
    for (uint32_t i = 0; entry_next(&rest, &entry); i++) log->leaves[i] = tree_leaf(entry);
    edge_add(&log->edge, batch->entries, log->leaves, &tree);
    memcpy(log->head, batch->note.p, batch->note.n);
    log->head_n = batch->note.n;
    return OK;
}

/* Wherever it stands: the length of the batch before may be what was changed. */
static bool newer_follows(const struct audit_log *log, struct str journal) {
    for (;;) {
        journal = str_from(journal, 1);
        ptrdiff_t at = str_find(journal, STR("LSJ1"));
        if (at < 0) return false;
        journal = str_from(journal, (size_t)at);
        if (batch_follows(journal, log->edge.tree.size, log->key)) return true;
    }
}

/* The batches beyond what is published, to the last whole one. A batch that is not whole can only have been the last: when
 * another follows it, what is between was changed. */
static enum code replay(struct audit_log *log, struct str journal, struct err *err) {
    struct batch batch;
    while (batch_parse(journal, &batch)) {
        bool stale = batch.first + batch.count <= log->edge.published;
        enum code rc = stale ? OK : take_batch(log, &batch, err);
        if (rc == DATA_LOSS) break;
        if (rc) return rc;
        journal = str_from(journal, batch.length);
    }
    if (newer_follows(log, journal))
        return err_set(err, DATA_LOSS, "journal: the batch at entry %llu was changed",
                       (unsigned long long)log->edge.tree.size);
    return OK;
}

static enum code replay_journal(struct audit_log *log, struct err *err) {
    char path[PATH_BYTES];
    path_of(log, "journal", path);
    DEFER(buf_free) struct buf journal = BUF_INIT(2 * JOURNAL_BYTES);
    struct err why = { 0 };
    enum code rc = tiles_read_file(path, &journal, &why);
    if (rc && rc != NOT_FOUND) return err_set(err, rc, "%s", why.message);
    bool unclean = rc != NOT_FOUND;
    rc = rc ? OK : replay(log, buf_str(&journal), err);
    if (rc) return rc;
    if (log->edge.tree.size > log->edge.published) rc = audit_log_publish(log, err);
    if (rc || !unclean) return rc;
    rc = edge_clean(&log->edge, log->dir, err);
    if (!rc && syncfs(log->dir_fd)) rc = err_errno(err, log->dir); /* names that the crash left in memory only */
    return rc;
}

/* All zeros, preallocated by writing, as only written blocks are overwritten fast. */
static enum code make_journal(struct audit_log *log, struct err *err) {
    char path[PATH_BYTES];
    path_of(log, "journal", path);
    log->journal_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (log->journal_fd < 0) return err_errno(err, path);
    if (ftruncate(log->journal_fd, JOURNAL_BYTES)) return err_errno(err, path);
    enum code rc = io_write_at(log->journal_fd, (struct str){ log->zeros, JOURNAL_BYTES }, 0, err);
    if (!rc) rc = io_sync(log->journal_fd, err);
    if (!rc) rc = io_sync_dir(log->dir, err);
    log->journal_dirty = log->journal_used = 0;
    return rc;
}

/* Looks backward for the last state; gives the index from which entries must be read. */
static enum code find_state(struct audit_log *log, struct tiles *tiles, struct buf *bundle, uint64_t *ret_from,
                            struct err *err) {
    uint64_t size = tiles->checkpoint.size;
    *ret_from = 0;
    for (uint64_t tile = (size + TILE_WIDTH - 1) / TILE_WIDTH; tile-- > 0;) {
        enum code rc = tiles_read(tiles, TILE_ENTRIES, tile, bundle, err);
        if (rc) return rc;
        struct str rest = buf_str(bundle), entry;
        uint64_t index = tile * TILE_WIDTH;
        bool found = false;
        for (; entry_next(&rest, &entry); index++) {
            if (!track_take_state(&log->track, entry, ret_from)) continue;
            found = true;
            log->track.next_state = index + STATE_EVERY;
        }
        if (found) return OK;
    }
    return OK;
}

/* A found place may only be skipped to inside what is there. */
static enum code scan(struct audit_log *log, struct err *err) {
    DEFER(tiles_freep) struct tiles *tiles = NULL;
    DEFER(buf_free) struct buf bundle = BUF_INIT(ENTRIES_TILE_MAX + 2);
    uint64_t from = 0;
    enum code rc = tiles_open(log->dir, log->key, &tiles, err);
    if (!rc) rc = find_state(log, tiles, &bundle, &from, err);
    for (uint64_t tile = from / TILE_WIDTH; !rc && tile_width(0, tile, tiles->checkpoint.size); tile++) {
        rc = tiles_read(tiles, TILE_ENTRIES, tile, &bundle, err);
        struct str rest = buf_str(&bundle), entry;
        uint64_t index = tile * TILE_WIDTH;
        for (; !rc && entry_next(&rest, &entry); index++) track_add(&log->track, index, entry);
    }
    if (!rc) clock_floor(log->track.latest_us);
    return rc;
}

/* What audit_recover will close. */
static enum code list_left(struct audit_log *log, struct err *err) {
    size_t n = map_count(log->track.open), at = 0;
    log->left_arena = arena_new(LEFT_ARENA);
    if (!log->left_arena) return err_oom(err);
    if (!n) return OK;
    log->left = ARENA_ARRAY(log->left_arena, struct left, n);
    if (!log->left) return err_oom(err);
    struct str id;
    void *index;
    while (map_next(log->track.open, &at, &id, &index)) {
        struct left left = { str_dup(log->left_arena, id), (uintptr_t)index - 1 };
        if (!left.id.p) return err_oom(err);
        log->left[log->n_left++] = left;
    }
    return OK;
}

enum code audit_log_recover(struct audit_log *log, struct err *err) {
    enum code rc = lock_dir(log, err);
    if (!rc) rc = load_published(log, err);
    if (!rc) rc = replay_journal(log, err);
    if (!rc) rc = make_journal(log, err);
    if (!rc) rc = scan(log, err);
    if (!rc) rc = list_left(log, err);
    log->stats.size = log->edge.tree.size;
    log->stats.published = log->edge.published;
    return rc;
}
