/* tiles.h: the published log as files, and reading them. C2SP tlog-tiles.
 *
 *   checkpoint                       the signed head (note.h)
 *   tile/L/N  tile/L/N.p/W           256 (or W) hashes of 32 bytes: nodes N·256… of level 8·L
 *   tile/entries/N  tile/entries/N.p/W   256 (or W) entries, each a big-endian u16 length and its bytes
 *   journal                          the owner's (journal.h); gone after a clean close
 * N is written in groups of three digits, all but the last with an 'x' before: 1234067 is x001/x234/067. A partial tile is
 * there only at the right edge, with just the width that the checkpoint's size asks for. One thread at a time. */
#pragma once
#include "audit/note.h"
#include "audit/tree.h"

enum {
    TILE_WIDTH = 256,
    TILE_BITS = 8,
    TILE_LEVELS = 8,
    TILE_ENTRIES = -1,
    TILE_PATH_MAX = 80,
    TILE_BYTES = TILE_WIDTH * TREE_HASH
};
enum { ENTRIES_TILE_MAX = TILE_WIDTH * (2 + 65535) };

/* Relative to the folder. `level` may be TILE_ENTRIES. Returns the length; NUL-terminated. */
size_t tile_path(int level, uint64_t n, unsigned width, char out[TILE_PATH_MAX]);
bool tile_path_parse(struct str path, int *ret_level, uint64_t *ret_n, unsigned *ret_width); /* canonical spelling only */
/* Complete entries of this level in a tree of `size`; entries count as level 0. */
uint64_t tile_count(int level, uint64_t size);
/* How wide tile n is in a tree of `size`; 0 = it does not exist. */
unsigned tile_width(int level, uint64_t n, uint64_t size);

/* The next entry of a bundle. False at the end and when the rest is not whole (then ret_entry->p is NULL and rest->n > 0).
 */
bool entry_next(struct str *rest, struct str *ret_entry);
void entry_put(struct buf *out, struct str entry);

/* A checkpoint, and its right edge in memory, so that a writer who moves on does not disturb the reader. */
struct tiles {
    char dir[4000];
    char note[NOTE_MAX + 1];
    size_t note_n;
    struct checkpoint checkpoint;
    struct buf edge[TILE_LEVELS + 1]; /* partial tiles by level, entries last */
    struct {
        uint64_t n;
        bool there;
        uint8_t bytes[TILE_BYTES];
    } cache[TILE_LEVELS]; /* the last full tile that was read */
};

/* NOT_FOUND: no checkpoint there. With a key the signature must verify (DATA_LOSS). The caller frees with tiles_free. */
MUST_USE enum code tiles_open(const char *dir, const struct key *key, struct tiles **ret, struct err *err);
void tiles_free(struct tiles *tiles);   /* NULL is fine */
void tiles_freep(struct tiles **tiles); /* for DEFER */

/* The bytes of tile n, put into `into` (cleared first; maximum ENTRIES_TILE_MAX). DATA_LOSS: missing or of a wrong length.
 */
MUST_USE enum code tiles_read(struct tiles *tiles, int level, uint64_t n, struct buf *into, struct err *err);
struct tree_reader tiles_reader(struct tiles *tiles);

/* Reads a whole file into a buffer. NOT_FOUND; FAILED_PRECONDITION: longer than the buffer's maximum, or no plain file. */
MUST_USE enum code tiles_read_file(const char *path, struct buf *into, struct err *err);
