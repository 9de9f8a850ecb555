#include "audit/tiles.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"

size_t tile_path(int level, uint64_t n, unsigned width, char out[TILE_PATH_MAX]) {
    char groups[7][5];
    unsigned count = 0;
    do {
        (void)snprintf(groups[count], sizeof groups[count], "%s%03u", count ? "x" : "", (unsigned)(n % 1000));
        n /= 1000;
        count++;
    } while (n && count < COUNT(groups));
    struct buf b = { .p = out, .cap = TILE_PATH_MAX, .max = TILE_PATH_MAX };
    buf_add_z(&b, "tile/");
    if (level == TILE_ENTRIES) buf_add_z(&b, "entries");
    else buf_printf(&b, "%d", level);
    while (count--) buf_printf(&b, "/%s", groups[count]);
    if (width < TILE_WIDTH) buf_printf(&b, ".p/%u", width);
    buf_add_char(&b, '\0');
    return b.n - 1;
}

bool tile_path_parse(struct str path, int *ret_level, uint64_t *ret_n, unsigned *ret_width) {
    struct str rest = path;
    uint64_t level = 0, n = 0, width = TILE_WIDTH;
    if (path.n >= TILE_PATH_MAX || !str_strip_prefix(&rest, STR("tile/"))) return false;
    struct str first = str_cut(&rest, '/');
    bool entries = str_eq_z(first, "entries");
    if (!entries && (!str_u64(first, &level) || level >= TILE_LEVELS)) return false;
    for (unsigned groups = 0; rest.n && groups < 7; groups++) {
        uint64_t group;
        struct str part = str_cut(&rest, '/');
        bool more = str_strip_prefix(&part, STR("x"));
        bool partial = str_strip_suffix(&part, STR(".p"));
        if (part.n != 3 || !str_u64(part, &group)) return false;
        n = n * 1000 + group;
        if (more) continue;
        if (partial && !str_u64(rest, &width)) return false;
        if (partial) rest.n = 0;
        break;
    }
    if (rest.n || width > TILE_WIDTH) return false;
    *ret_level = entries ? TILE_ENTRIES : (int)level;
    *ret_n = n;
    *ret_width = (unsigned)width;
    char again[TILE_PATH_MAX]; /* one spelling only */
    return str_eq((struct str){ again, tile_path(*ret_level, n, *ret_width, again) }, path);
}

uint64_t tile_count(int level, uint64_t size) {
    return level <= 0 ? size : size >> (TILE_BITS * level);
}

unsigned tile_width(int level, uint64_t n, uint64_t size) {
    uint64_t count = tile_count(level, size);
    if (n < count / TILE_WIDTH) return TILE_WIDTH;
    return n == count / TILE_WIDTH ? (unsigned)(count % TILE_WIDTH) : 0;
}

bool entry_next(struct str *rest, struct str *ret_entry) {
    *ret_entry = (struct str){ NULL, 0 };
    if (rest->n < 2) return false;
    size_t n = (size_t)((uint8_t)rest->p[0] << 8 | (uint8_t)rest->p[1]);
    if (rest->n - 2 < n) return false;
    *ret_entry = (struct str){ rest->p + 2, n };
    *rest = str_from(*rest, 2 + n);
    return true;
}

void entry_put(struct buf *out, struct str entry) {
    buf_add_char(out, (char)(uint8_t)(entry.n >> 8));
    buf_add_char(out, (char)(uint8_t)entry.n);
    buf_add_str(out, entry);
}

static enum code read_all(int fd, struct buf *into, struct err *err) {
    for (;;) {
        ssize_t n = read(fd, into->p + into->n, into->cap - into->n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_errno(err, "cannot read the audit log");
        if (n == 0) return OK;
        into->n += (size_t)n;
        if (into->n == into->cap) return err_set(err, FAILED_PRECONDITION, "the file grew while it was read");
    }
}

enum code tiles_read_file(const char *path, struct buf *into, struct err *err) {
    DEFER(file_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st)) return err_errno(err, path);
    buf_clear(into);
    if (!S_ISREG(st.st_mode) || st.st_size < 0 || (uint64_t)st.st_size >= into->max)
        return err_set(err, FAILED_PRECONDITION, "%s: not a plain file, or too long for what it should be", path);
    if (!buf_reserve(into, (size_t)st.st_size + 1)) return err_oom(err);
    return read_all(fd, into, err);
}

/* A bundle holds exactly `width` whole entries. */
static bool bundle_whole(struct str bundle, unsigned width) {
    struct str entry;
    while (width && entry_next(&bundle, &entry)) width--;
    return width == 0 && bundle.n == 0;
}

static enum code load_tile(struct tiles *t, int level, uint64_t n, unsigned width, struct buf *into, struct err *err) {
    char path[sizeof t->dir + TILE_PATH_MAX + 1], name[TILE_PATH_MAX];
    (void)tile_path(level, n, width, name);
    (void)snprintf(path, sizeof path, "%s/%s", t->dir, name);
    struct err why = { 0 };
    enum code rc = tiles_read_file(path, into, &why);
    if (rc == NOT_FOUND) return err_set(err, DATA_LOSS, "%s: is missing", name);
    if (rc == FAILED_PRECONDITION) return err_set(err, DATA_LOSS, "%s: %s", name, why.message);
    if (rc) return err_set(err, rc, "%s", why.message);
    bool whole = level == TILE_ENTRIES ? bundle_whole(buf_str(into), width) : into->n == (size_t)width * TREE_HASH;
    return whole ? OK : err_set(err, DATA_LOSS, "%s: its length or an entry's length is wrong", name);
}

static struct buf *edge_of(struct tiles *t, int level) {
    return &t->edge[level == TILE_ENTRIES ? TILE_LEVELS : level];
}

static enum code load_edge(struct tiles *t, struct err *err) {
    for (int level = TILE_ENTRIES; level < TILE_LEVELS; level++) {
        uint64_t count = tile_count(level, t->checkpoint.size);
        unsigned width = (unsigned)(count % TILE_WIDTH);
        struct buf *edge = edge_of(t, level);
        *edge = (struct buf){ .p = edge->p, .cap = edge->cap, .max = ENTRIES_TILE_MAX + 2 };
        if (!width) continue;
        enum code rc = load_tile(t, level, count / TILE_WIDTH, width, edge, err);
        if (rc) return rc;
    }
    return OK;
}

static enum code load_checkpoint(struct tiles *t, const struct key *key, struct err *err) {
    char path[sizeof t->dir + 16];
    (void)snprintf(path, sizeof path, "%s/checkpoint", t->dir);
    DEFER(buf_free) struct buf note = BUF_INIT(NOTE_MAX + 1);
    enum code rc = tiles_read_file(path, &note, err);
    if (rc == FAILED_PRECONDITION) return err_set(err, DATA_LOSS, "checkpoint: too long");
    if (rc) return rc;
    rc = key ? note_open(buf_str(&note), key, &t->checkpoint, err) : note_parse(buf_str(&note), &t->checkpoint, err);
    if (rc) {
        if (err) (void)err_wrap(err, "checkpoint");
        return rc;
    }
    memcpy(t->note, note.p, note.n);
    t->note_n = note.n;
    return OK;
}

/* The writer removes a partial tile after the next checkpoint is there: then we look again. */
static enum code load(struct tiles *t, const struct key *key, struct err *err) {
    enum { TRIES = 20 };
    enum code rc = load_checkpoint(t, key, err);
    for (unsigned i = 0; !rc && i < TRIES; i++) {
        struct err why = { 0 };
        uint64_t size = t->checkpoint.size;
        enum code edge = load_edge(t, &why);
        if (!edge) return OK;
        rc = load_checkpoint(t, key, err);
        if (rc) return rc;
        if (t->checkpoint.size == size) return err_set(err, edge, "%s", why.message);
    }
    return rc ? rc : err_set(err, UNAVAILABLE, "the audit log moves on faster than it can be read");
}

enum code tiles_open(const char *dir, const struct key *key, struct tiles **ret, struct err *err) {
    DEFER(tiles_freep) struct tiles *t = calloc(1, sizeof *t);
    if (!t) return err_oom(err);
    int n = snprintf(t->dir, sizeof t->dir, "%s", dir);
    if (n < 0 || (size_t)n >= sizeof t->dir) return err_set(err, INVALID_ARGUMENT, "the folder's name is too long");
    enum code rc = load(t, key, err);
    if (rc) return rc;
    *ret = TAKE(t);
    return OK;
}

void tiles_free(struct tiles *t) {
    if (!t) return;
    for (size_t i = 0; i < COUNT(t->edge); i++) buf_free(&t->edge[i]);
    free(t);
}

void tiles_freep(struct tiles **t) {
    tiles_free(*t);
}

enum code tiles_read(struct tiles *t, int level, uint64_t n, struct buf *into, struct err *err) {
    unsigned width = tile_width(level, n, t->checkpoint.size);
    if (!width) return err_set(err, OUT_OF_RANGE, "the log has no such tile");
    if (width == TILE_WIDTH) return load_tile(t, level, n, width, into, err);
    buf_clear(into);
    buf_add_str(into, buf_str(edge_of(t, level)));
    return buf_ok(into) ? OK : err_oom(err);
}

/* The hashes of tile n of a level, from the edge, the cache or the file. */
static enum code tile_hashes(struct tiles *t, unsigned level, uint64_t n, const uint8_t **ret, struct err *err) {
    unsigned width = tile_width((int)level, n, t->checkpoint.size);
    if (!width) return err_set(err, OUT_OF_RANGE, "the log has no such tile");
    *ret = width < TILE_WIDTH ? (const uint8_t *)t->edge[level].p : t->cache[level].bytes;
    if (width < TILE_WIDTH || (t->cache[level].there && t->cache[level].n == n)) return OK;
    DEFER(buf_free) struct buf bytes = BUF_INIT(TILE_BYTES + 2);
    t->cache[level].there = false;
    enum code rc = load_tile(t, (int)level, n, TILE_WIDTH, &bytes, err);
    if (rc) return rc;
    memcpy(t->cache[level].bytes, bytes.p, TILE_BYTES);
    t->cache[level].n = n;
    t->cache[level].there = true;
    return OK;
}

/* Node n of `level` stands above 2^(level mod 8) hashes of one tile. */
static enum code tiles_node(void *ctx, unsigned level, uint64_t n, struct tree_hash *ret, struct err *err) {
    unsigned row = level / TILE_BITS, up = level % TILE_BITS;
    if (row >= TILE_LEVELS) return err_set(err, OUT_OF_RANGE, "the log has no such node");
    uint64_t first = n << up;
    const uint8_t *hashes = NULL;
    enum code rc = tile_hashes(ctx, row, first / TILE_WIDTH, &hashes, err);
    if (rc) return rc;
    struct tree tree = { 0 };
    for (uint64_t i = 0; i < UINT64_C(1) << up; i++) {
        struct tree_hash h;
        memcpy(h.b, hashes + (first % TILE_WIDTH + i) * TREE_HASH, TREE_HASH);
        tree_push(&tree, &h);
    }
    *ret = tree_root(&tree);
    return OK;
}

struct tree_reader tiles_reader(struct tiles *t) {
    return (struct tree_reader){ tiles_node, t };
}
