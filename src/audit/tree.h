/* tree.h: RFC 6962 Merkle trees: hashes, heads, proofs. Pure computation; any thread.
 *
 * A node is named by level and number: level 0 holds the leaves' hashes; node n of level l covers leaves [n·2^l,
 * (n+1)·2^l). Only complete nodes have names; a head over another number of leaves is made of them. RFC 6962 §2.1, RFC 9162
 * §2.1.3, §2.1.4. */
#pragma once
#include "base/err.h"
#include "base/str.h"

enum { TREE_HASH = 32, TREE_LEVELS = 64, TREE_PROOF_MAX = 64 };

struct tree_hash {
    uint8_t b[TREE_HASH];
};

struct tree_hash tree_leaf(struct str entry);
struct tree_hash tree_node(const struct tree_hash *left, const struct tree_hash *right);
bool tree_equal(const struct tree_hash *a, const struct tree_hash *b);

/* A growing tree, of which only the right edge is kept: one complete node for each bit set in `size`. */
struct tree {
    uint64_t size;
    struct tree_hash edge[TREE_LEVELS]; /* edge[l] means something when bit l of size is set */
};
void tree_push(struct tree *tree, const struct tree_hash *leaf);
struct tree_hash tree_root(const struct tree *tree); /* SHA-256 of nothing for the empty tree */

/* Answers complete nodes. */
struct tree_reader {
    enum code (*node)(void *ctx, unsigned level, uint64_t n, struct tree_hash *ret, struct err *err);
    void *ctx;
};

struct tree_proof {
    size_t n;
    struct tree_hash path[TREE_PROOF_MAX];
};

MUST_USE enum code tree_head(const struct tree_reader *reader, uint64_t size, struct tree_hash *ret, struct err *err);
MUST_USE enum code tree_edge(const struct tree_reader *reader, uint64_t size, struct tree *ret, struct err *err);
/* OUT_OF_RANGE: index >= size; old_size > size. */
MUST_USE enum code tree_prove_inclusion(const struct tree_reader *reader, uint64_t index, uint64_t size,
                                        struct tree_proof *ret, struct err *err);
MUST_USE enum code tree_prove_consistency(const struct tree_reader *reader, uint64_t old_size, uint64_t size,
                                          struct tree_proof *ret, struct err *err);

bool tree_check_inclusion(const struct tree_hash *leaf, uint64_t index, uint64_t size, const struct tree_proof *proof,
                          const struct tree_hash *root);
bool tree_check_consistency(uint64_t old_size, uint64_t size, const struct tree_proof *proof,
                            const struct tree_hash *old_root, const struct tree_hash *root);
