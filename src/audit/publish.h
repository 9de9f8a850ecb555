/* publish.h: the tree's right edge in memory and its way into tiles. The owner thread's alone. */
#pragma once
#include "audit/note.h"
#include "audit/tiles.h"

enum { EDGE_LEAVES = 16384 + TILE_WIDTH, EDGE_UPPER = 2 * TILE_WIDTH };

/* Everything from the last full published tile on. */
struct edge {
    bool untidy;        /* a publication did not end: there may be tiles that belong to no checkpoint */
    struct tree tree;   /* durable */
    uint64_t published; /* size under the checkpoint on disk */
    struct buf entries; /* length-prefixed, from the first entry of the first unfinished tile */
    size_t entries_start[EDGE_LEAVES / TILE_WIDTH + 2]; /* where each tile of them begins */
    struct {
        uint64_t first; /* the tile that hashes[0] begins */
        size_t n, cap;
        struct tree_hash *hashes;
    } level[TILE_LEVELS];
};

MUST_USE enum code edge_init(struct edge *edge, struct err *err);
void edge_free(struct edge *edge);
/* From what is published: checks that the tiles' edge leads to the checkpoint's root and holds the entries' hashes.
 * DATA_LOSS. */
MUST_USE enum code edge_load(struct edge *edge, struct tiles *tiles, struct err *err);
/* Room for these? Publish first if not. */
bool edge_has_room(const struct edge *edge, uint32_t count);
MUST_USE bool edge_reserve(struct edge *edge, size_t bytes); /* memory for entries of so many bytes, prefixes included */
/* Adds entries whose room was reserved, with their hashes, and takes `tree`, which has grown by them. */
void edge_add(struct edge *edge, struct str entries, const struct tree_hash *leaves, const struct tree *tree);
/* Writes what is new as tiles, then the checkpoint, then removes the partial tiles that were replaced. May be repeated. */
MUST_USE enum code edge_publish(struct edge *edge, const char *dir, struct str note, struct err *err);
/* Removes tiles that do not belong to the published size: what a crash left. */
MUST_USE enum code edge_clean(struct edge *edge, const char *dir, struct err *err);
