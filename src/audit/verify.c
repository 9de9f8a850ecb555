#include "audit/verify.h"
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "audit/journal.h"
#include "audit/note.h"
#include "audit/tiles.h"
#include "audit/track.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/file.h"

enum { OPEN_TRACKED = 262144, PATH_BYTES = 4096 + TILE_PATH_MAX };

struct work {
    const char *dir;
    const struct key *key;
    struct tiles *tiles;
    struct tree tree;
    struct {
        size_t n;
        struct tree_hash hashes[TILE_WIDTH];
    } level[TILE_LEVELS]; /* of the tile in hand; its number follows from tree.size */
    struct map *open;
    bool kept;
    struct checkpoint kept_head;
    struct buf bundle, tile;
    struct audit_report *report;
};

static enum code fail(struct err *err, const char *where, const char *what) {
    return err_set(err, DATA_LOSS, "%s: %s", where, what);
}

/* Only a hint, and only for an instant: the writer is patient about it. */
static bool is_live(const char *dir) {
    DEFER(file_close) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

/* ---- entries ---- */

static void count_intent(struct work *w, struct str entry) {
    struct entry_head head;
    if (!entry_head(entry, &head)) return;
    if (str_eq_z(head.kind, "intent")) {
        if (map_count(w->open) >= OPEN_TRACKED || !map_put(w->open, head.id, w, NULL))
            w->report->open_intents_at_least = true;
    } else if (!str_eq_z(head.kind, "system")) {
        (void)map_remove(w->open, head.id);
    }
}

static enum code check_kept(struct work *w, struct err *err) {
    if (!w->kept || w->tree.size != w->kept_head.size) return OK;
    struct tree_hash root = tree_root(&w->tree);
    if (!tree_equal(&root, &w->kept_head.root))
        return err_set(err, DATA_LOSS,
                       "the first %" PRIu64 " entries are not those of the kept checkpoint: history was rewritten",
                       w->tree.size);
    w->report->kept_found = true;
    return OK;
}

/* Compares what was recomputed with the tile on disk. */
static enum code check_tile(struct work *w, int level, uint64_t n, struct err *err) {
    char name[TILE_PATH_MAX];
    size_t width = w->level[level].n;
    (void)tile_path(level, n, (unsigned)width, name);
    enum code rc = tiles_read(w->tiles, level, n, &w->tile, err);
    if (rc) return rc;
    for (size_t i = 0; i < width; i++)
        if (memcmp(w->tile.p + i * TREE_HASH, w->level[level].hashes[i].b, TREE_HASH) != 0)
            return err_set(err, DATA_LOSS, "%s: hash %zu is not that of what lies below it (entry %" PRIu64 " on)", name, i,
                           (n * TILE_WIDTH + i) << (TILE_BITS * level));
    return OK;
}

/* A hash for a level; a full tile is compared and its root goes up. */
static enum code add_hash(struct work *w, struct tree_hash h, struct err *err) {
    for (int level = 0; level < TILE_LEVELS; level++) {
        w->level[level].hashes[w->level[level].n++] = h;
        if (w->level[level].n < TILE_WIDTH) return OK;
        enum code rc = check_tile(w, level, (w->tree.size >> (TILE_BITS * (level + 1))) - 1, err);
        if (rc) return rc;
        struct tree tile = { 0 };
        for (size_t i = 0; i < TILE_WIDTH; i++) tree_push(&tile, &w->level[level].hashes[i]);
        h = tree_root(&tile);
        w->level[level].n = 0;
    }
    return OK;
}

static enum code check_bundle(struct work *w, uint64_t tile, struct err *err) {
    enum code rc = tiles_read(w->tiles, TILE_ENTRIES, tile, &w->bundle, err);
    struct str rest = buf_str(&w->bundle), entry;
    while (!rc && entry_next(&rest, &entry)) {
        struct tree_hash leaf = tree_leaf(entry);
        tree_push(&w->tree, &leaf);
        count_intent(w, entry);
        rc = add_hash(w, leaf, err);
        if (!rc) rc = check_kept(w, err);
    }
    return rc;
}

static enum code check_published(struct work *w, audit_progress *progress, void *ctx, struct err *err) {
    uint64_t size = w->tiles->checkpoint.size;
    enum code rc = check_kept(w, err);
    for (uint64_t tile = 0; !rc && tile_width(0, tile, size); tile++) {
        rc = check_bundle(w, tile, err);
        w->report->entries = w->tree.size;
        if (!rc && progress && !progress(ctx, w->tree.size, size)) return err_set(err, CANCELLED, "stopped");
    }
    for (int level = 0; !rc && level < TILE_LEVELS; level++)
        if (w->level[level].n) rc = check_tile(w, level, tile_count(level, size) / TILE_WIDTH, err);
    if (rc) return rc;
    struct tree_hash root = tree_root(&w->tree);
    return tree_equal(&root, &w->tiles->checkpoint.root)
               ? OK
               : fail(err, "checkpoint", "the entries do not lead to the root that was signed");
}

/* ---- the folder ---- */

static bool belongs(const char *name, uint64_t size) {
    int level;
    uint64_t n;
    unsigned width;
    if (strcmp(name, "checkpoint") == 0 || strcmp(name, "journal") == 0) return true;
    return tile_path_parse(str_z(name), &level, &n, &width) && tile_width(level, n, size) == width;
}

/* Nothing lies there that was not checked. */
static enum code check_names(const struct work *w, struct err *err) {
    char root[PATH_BYTES];
    (void)snprintf(root, sizeof root, "%s", w->dir);
    char *roots[] = { root, NULL };
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (!walk) return err_errno(err, root);
    enum code rc = OK;
    size_t skip = strlen(root);
    for (FTSENT *at = fts_read(walk); at && !rc; at = fts_read(walk)) {
        if (at->fts_info == FTS_D || at->fts_info == FTS_DP) continue;
        const char *name = at->fts_path + skip;
        while (*name == '/') name++;
        if (at->fts_info != FTS_F || !belongs(name, w->tiles->checkpoint.size))
            rc = fail(err, name, "does not belong to a log of this size");
    }
    (void)fts_close(walk);
    return rc;
}

/* ---- the journal ---- */

/* A batch that was published since: its entries must be those in the tiles. */
static bool batch_published(struct work *w, const struct batch *batch) {
    struct str rest = batch->entries, entry;
    struct tree_reader reader = tiles_reader(w->tiles);
    for (uint64_t index = batch->first; entry_next(&rest, &entry); index++) {
        struct tree_hash leaf = tree_leaf(entry), there;
        if (reader.node(reader.ctx, 0, index, &there, NULL) || !tree_equal(&leaf, &there)) return false;
    }
    struct checkpoint head;
    struct tree_hash root;
    return !note_open(batch->note, w->key, &head, NULL) && head.size == batch->first + batch->count &&
           !tree_head(&reader, head.size, &root, NULL) && tree_equal(&root, &head.root);
}

static enum code check_batches(struct work *w, struct str journal, struct err *err) {
    struct batch batch;
    while (batch_parse(journal, &batch)) {
        bool published = batch.first + batch.count <= w->tiles->checkpoint.size;
        bool good = published ? batch_published(w, &batch)
                              : batch_verify(&batch, &w->tree, w->tiles->checkpoint.origin, w->key);
        if (!good) break;
        struct str rest = batch.entries, entry;
        while (!published && entry_next(&rest, &entry)) count_intent(w, entry);
        if (!published) w->report->journal_entries += batch.count;
        enum code rc = check_kept(w, err);
        if (rc) return rc;
        journal = str_from(journal, batch.length);
    }
    w->report->entries = w->tree.size;
    if (journal_blank(journal)) return OK;
    return err_set(err, DATA_LOSS,
                   "journal: what follows entry %" PRIu64 " is torn or changed (a start of the server repairs a torn end)",
                   w->tree.size);
}

static enum code check_journal(struct work *w, struct err *err) {
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/journal", w->dir);
    DEFER(buf_free) struct buf journal = BUF_INIT(2 * JOURNAL_BYTES);
    struct err why = { 0 };
    enum code rc = tiles_read_file(path, &journal, &why);
    if (rc == NOT_FOUND) return OK;
    if (rc == FAILED_PRECONDITION) return fail(err, "journal", "is no plain file, or too long");
    return rc ? err_set(err, rc, "%s", why.message) : check_batches(w, buf_str(&journal), err);
}

/* ---- all ---- */

static enum code open_kept(struct work *w, struct str kept, struct err *err) {
    w->kept = w->report->kept_given = kept.n > 0;
    if (!w->kept) return OK;
    enum code rc = note_open(kept, w->key, &w->kept_head, err);
    return rc ? (err ? err_wrap(err, "the kept checkpoint") : rc) : OK;
}

static void report_head(struct work *w) {
    const struct checkpoint *c = &w->tiles->checkpoint;
    struct buf root = { .p = w->report->root, .cap = sizeof w->report->root, .max = sizeof w->report->root };
    char when[CLOCK_RFC3339_MAX];
    w->report->size = c->size;
    enc_base64(&root, (struct str){ (const char *)c->root.b, TREE_HASH });
    (void)snprintf(w->report->time, sizeof w->report->time, "%.*s", (int)clock_rfc3339(c->time_us, when), when);
    (void)snprintf(w->report->origin, sizeof w->report->origin, "%s", c->origin);
}

static enum code run(struct work *w, struct str kept, audit_progress *progress, void *ctx, struct err *err) {
    enum code rc = open_kept(w, kept, err);
    if (rc) return rc;
    w->report->live = is_live(w->dir);
    rc = tiles_open(w->dir, w->key, &w->tiles, err);
    if (rc) return rc;
    report_head(w);
    if (w->kept && strcmp(w->kept_head.origin, w->tiles->checkpoint.origin) != 0)
        return err_set(err, FAILED_PRECONDITION, "the kept checkpoint is of another log, '%s'", w->kept_head.origin);
    rc = check_published(w, progress, ctx, err);
    if (!rc && !w->report->live) rc = check_names(w, err);
    if (!rc && !w->report->live) rc = check_journal(w, err);
    if (rc) return rc;
    if (w->kept && !w->report->kept_found && w->report->live)
        return err_set(err, UNAVAILABLE, "the kept checkpoint is newer than what the server has published: try again");
    if (w->kept && !w->report->kept_found)
        return err_set(err, DATA_LOSS,
                       "the kept checkpoint has %" PRIu64 " entries, the log %" PRIu64 ": the end was cut off",
                       w->kept_head.size, w->tree.size);
    return OK;
}

enum code audit_verify(const char *dir, const struct key *public_key, struct str kept, audit_progress *progress, void *ctx,
                       struct audit_report *ret_report, struct err *err) {
    struct err own = { 0 };
    *ret_report = (struct audit_report){ 0 };
    struct work *w = calloc(1, sizeof *w);
    if (!w) return err_oom(err);
    w->dir = dir;
    w->key = public_key;
    w->report = ret_report;
    w->bundle.max = w->tile.max = ENTRIES_TILE_MAX + 2;
    w->open = map_new();
    enum code rc = w->open ? run(w, kept, progress, ctx, &own) : err_oom(&own);
    ret_report->open_intents = w->open ? map_count(w->open) : 0;
    ret_report->verified = rc == OK;
    if (rc)
        (void)snprintf(ret_report->where, sizeof ret_report->where, "%.*s", (int)sizeof ret_report->where - 1, own.message);
    map_free(w->open, NULL);
    tiles_free(w->tiles);
    buf_free(&w->bundle);
    buf_free(&w->tile);
    free(w);
    return rc ? err_set(err, rc, "%s", own.message) : OK;
}
