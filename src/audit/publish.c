#include "audit/publish.h"
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "audit/io.h"

enum { PATH_BYTES = 4096 + TILE_PATH_MAX, UNPUBLISHED_MAX = 48 << 20 };

enum code edge_init(struct edge *edge, struct err *err) {
    memset(edge, 0, sizeof *edge);
    edge->entries.max = UNPUBLISHED_MAX;
    for (size_t i = 0; i < TILE_LEVELS; i++) {
        edge->level[i].cap = i == 0 ? EDGE_LEAVES : EDGE_UPPER;
        edge->level[i].hashes = calloc(edge->level[i].cap, sizeof(struct tree_hash));
        if (!edge->level[i].hashes) return err_oom(err);
    }
    return OK;
}

void edge_free(struct edge *edge) {
    buf_free(&edge->entries);
    for (size_t i = 0; i < TILE_LEVELS; i++) free(edge->level[i].hashes);
}

/* Adds a hash to a level; each 256th completes a tile, whose root goes to the level above. */
static void push_hash(struct edge *edge, size_t level, struct tree_hash h) {
    while (level < TILE_LEVELS) {
        struct tree_hash *hashes = edge->level[level].hashes;
        hashes[edge->level[level].n++] = h;
        if (edge->level[level].n % TILE_WIDTH) return;
        struct tree tile = { 0 };
        for (size_t i = edge->level[level].n - TILE_WIDTH; i < edge->level[level].n; i++) tree_push(&tile, &hashes[i]);
        h = tree_root(&tile);
        level++;
    }
}

bool edge_has_room(const struct edge *edge, uint32_t count) {
    return edge->level[0].n + count <= edge->level[0].cap;
}

bool edge_reserve(struct edge *edge, size_t bytes) {
    bool ok = buf_reserve(&edge->entries, bytes);
    edge->entries.failed = false; /* nothing was written */
    return ok;
}

void edge_add(struct edge *edge, struct str entries, const struct tree_hash *leaves, const struct tree *tree) {
    struct str entry;
    while (entry_next(&entries, &entry)) {
        if (edge->level[0].n % TILE_WIDTH == 0) edge->entries_start[edge->level[0].n / TILE_WIDTH] = edge->entries.n;
        entry_put(&edge->entries, entry);
        push_hash(edge, 0, *leaves++);
    }
    edge->tree = *tree;
}

static enum code load_levels(struct edge *edge, struct tiles *tiles, struct err *err) {
    uint64_t size = tiles->checkpoint.size;
    for (int level = 0; level < TILE_LEVELS; level++) {
        uint64_t count = tile_count(level, size);
        edge->level[level].first = count / TILE_WIDTH;
        edge->level[level].n = (size_t)(count % TILE_WIDTH);
        if (edge->level[level].n) memcpy(edge->level[level].hashes, tiles->edge[level].p, edge->level[level].n * TREE_HASH);
    }
    struct tree_reader reader = tiles_reader(tiles);
    enum code rc = tree_edge(&reader, size, &edge->tree, err);
    if (rc) return rc;
    struct tree_hash root = tree_root(&edge->tree);
    return tree_equal(&root, &tiles->checkpoint.root)
               ? OK
               : err_set(err, DATA_LOSS, "the tiles do not lead to the checkpoint's root");
}

enum code edge_load(struct edge *edge, struct tiles *tiles, struct err *err) {
    enum code rc = load_levels(edge, tiles, err);
    if (rc) return rc;
    struct str rest = buf_str(&tiles->edge[TILE_LEVELS]), entry;
    if (!edge_reserve(edge, rest.n)) return err_oom(err);
    buf_add_str(&edge->entries, rest);
    for (size_t i = 0; entry_next(&rest, &entry); i++) {
        struct tree_hash leaf = tree_leaf(entry);
        if (!tree_equal(&leaf, &edge->level[0].hashes[i]))
            return err_set(err, DATA_LOSS, "tile/entries: the last tile's entry %zu does not match its hash", i);
    }
    edge->published = edge->tree.size;
    return OK;
}

/* Cuts the last part of a path off; false when it has one part only. */
static bool parent_of(char *path) {
    char *slash = strrchr(path, '/');
    if (!slash || slash == path) return false;
    *slash = '\0';
    return true;
}

static enum code sync_parent(const char *path, struct err *err) {
    char dir[PATH_BYTES];
    (void)snprintf(dir, sizeof dir, "%s", path);
    return io_sync_dir(parent_of(dir) ? dir : ".", err);
}

/* Makes a folder, its parents first, and the names of new ones durable. */
static enum code make_dir(const char *dir, struct err *err) {
    if (mkdir(dir, 0700) == 0) return sync_parent(dir, err);
    if (errno == EEXIST) return OK;
    char up[PATH_BYTES];
    (void)snprintf(up, sizeof up, "%s", dir);
    if (errno != ENOENT || !parent_of(up)) return err_errno(err, dir);
    enum code rc = make_dir(up, err);
    if (rc) return rc;
    return mkdir(dir, 0700) == 0 || errno == EEXIST ? sync_parent(dir, err) : err_errno(err, dir);
}

static void full_path(const char *dir, int level, uint64_t n, unsigned width, char out[PATH_BYTES]) {
    char name[TILE_PATH_MAX];
    (void)tile_path(level, n, width, name);
    (void)snprintf(out, PATH_BYTES, "%s/%s", dir, name);
}

static enum code write_tile(const char *dir, int level, uint64_t n, unsigned width, struct str bytes, struct err *err) {
    char path[PATH_BYTES];
    full_path(dir, level, n, width, path);
    char parent[PATH_BYTES];
    (void)snprintf(parent, sizeof parent, "%s", path);
    enum code rc = parent_of(parent) ? make_dir(parent, err) : OK;
    if (!rc) rc = io_write_file(path, bytes, err);
    return rc ? rc : io_sync_dir(parent, err);
}

/* The entries of the i-th tile in memory. */
static struct str entries_of(const struct edge *edge, size_t i, size_t tiles) {
    size_t from = edge->entries_start[i], to = i + 1 < tiles ? edge->entries_start[i + 1] : edge->entries.n;
    return (struct str){ edge->entries.p + from, to - from };
}

/* Writes the tiles of one level that are new since the last publication. */
static enum code write_level(const struct edge *edge, const char *dir, int level, struct err *err) {
    size_t n = edge->level[level].n, tiles = (n + TILE_WIDTH - 1) / TILE_WIDTH;
    uint64_t before = tile_count(level, edge->published);
    if (edge->level[level].first * TILE_WIDTH + n == before) return OK;
    for (size_t i = 0; i < tiles; i++) {
        unsigned width = (unsigned)(n - i * TILE_WIDTH < TILE_WIDTH ? n - i * TILE_WIDTH : TILE_WIDTH);
        uint64_t tile = edge->level[level].first + i;
        const struct tree_hash *hashes = edge->level[level].hashes + i * TILE_WIDTH;
        enum code rc = write_tile(dir, level, tile, width, (struct str){ (const char *)hashes, width * TREE_HASH }, err);
        if (!rc && level == 0) rc = write_tile(dir, TILE_ENTRIES, tile, width, entries_of(edge, i, tiles), err);
        if (rc) return rc;
    }
    return OK;
}

static bool remove_partial(const char *dir, int level, uint64_t n, unsigned width) {
    char path[PATH_BYTES];
    full_path(dir, level, n, width, path);
    (void)unlink(path);                     /* one that stays is removed when the log is opened */
    if (parent_of(path)) (void)rmdir(path); /* when it is empty */
    return true;
}

static bool remove_replaced(const char *dir, uint64_t before, uint64_t size) {
    bool all = true;
    for (int level = TILE_ENTRIES; level < TILE_LEVELS; level++) {
        uint64_t count = tile_count(level, before);
        unsigned width = (unsigned)(count % TILE_WIDTH);
        if (width && tile_count(level, size) != count) all &= remove_partial(dir, level, count / TILE_WIDTH, width);
    }
    return all;
}

/* Full tiles are final: only the unfinished one stays in memory. */
static void drop_full(struct edge *edge) {
    size_t full = edge->level[0].n / TILE_WIDTH, rest = edge->level[0].n % TILE_WIDTH;
    if (full) buf_consume(&edge->entries, rest ? edge->entries_start[full] : edge->entries.n);
    edge->entries_start[0] = 0;
    for (size_t i = 0; i < TILE_LEVELS; i++) {
        full = edge->level[i].n / TILE_WIDTH;
        if (!full) continue;
        rest = edge->level[i].n % TILE_WIDTH;
        memmove(edge->level[i].hashes, edge->level[i].hashes + full * TILE_WIDTH, rest * sizeof(struct tree_hash));
        edge->level[i].first += full;
        edge->level[i].n = rest;
    }
}

enum code edge_publish(struct edge *edge, const char *dir, struct str note, struct err *err) {
    bool untidy = edge->untidy;
    edge->untidy = true;
    for (int level = 0; level < TILE_LEVELS; level++) {
        enum code rc = write_level(edge, dir, level, err);
        if (rc) return rc;
    }
    enum code rc = io_replace_file(dir, "checkpoint", note, err);
    if (rc) return rc;
    uint64_t before = edge->published;
    edge->published = edge->tree.size;
    drop_full(edge);
    bool removed = remove_replaced(dir, before, edge->published);
    if (!untidy && removed) edge->untidy = false;
    return untidy ? edge_clean(edge, dir, err) : OK;
}

/* Ours, but not of this size: what a publication that did not end has left. */
static bool left_over(const char *name, uint64_t size) {
    int level;
    uint64_t n;
    unsigned width;
    return tile_path_parse(str_z(name), &level, &n, &width) && tile_width(level, n, size) != width;
}

enum code edge_clean(struct edge *edge, const char *dir, struct err *err) {
    char root[PATH_BYTES];
    (void)snprintf(root, sizeof root, "%s/tile", dir);
    char *roots[] = { root, NULL };
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
    if (!walk) return err_errno(err, root);
    enum code rc = OK;
    size_t skip = strlen(dir) + 1;
    for (FTSENT *at = fts_read(walk); at && !rc; at = fts_read(walk))
        if (at->fts_info != FTS_D && at->fts_info != FTS_DP && left_over(at->fts_path + skip, edge->published))
            rc = io_unlink(at->fts_path, err);
        else if (at->fts_info == FTS_DP && at->fts_level > 0) (void)rmdir(at->fts_path); /* only when it is empty */
    (void)fts_close(walk);
    (void)snprintf(root, sizeof root, "%s/checkpoint.new", dir);
    if (!rc) rc = io_unlink(root, err);
    if (!rc) edge->untidy = false;
    return rc;
}
