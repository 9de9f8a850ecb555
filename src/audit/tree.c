#include "audit/tree.h"
#include <string.h>
#include "crypto/hash.h"

/* The first byte keeps leaves and nodes apart, so that no entry can pass for an inner node (RFC 6962 §2.1). */
struct tree_hash tree_leaf(struct str entry) {
    struct tree_hash h;
    hash_sha256_2(STR("\0"), entry, h.b);
    return h;
}

struct tree_hash tree_node(const struct tree_hash *left, const struct tree_hash *right) {
    uint8_t text[1 + 2 * TREE_HASH] = { 1 };
    memcpy(text + 1, left->b, TREE_HASH);
    memcpy(text + 1 + TREE_HASH, right->b, TREE_HASH);
    struct tree_hash h;
    hash_sha256((struct str){ (const char *)text, sizeof text }, h.b);
    return h;
}

bool tree_equal(const struct tree_hash *a, const struct tree_hash *b) {
    return memcmp(a->b, b->b, TREE_HASH) == 0;
}

void tree_push(struct tree *tree, const struct tree_hash *leaf) {
    struct tree_hash h = *leaf;
    unsigned level = 0;
    for (uint64_t bits = tree->size; bits & 1; bits >>= 1, level++) h = tree_node(&tree->edge[level], &h);
    tree->edge[level] = h;
    tree->size++;
}

struct tree_hash tree_root(const struct tree *tree) {
    struct tree_hash h;
    bool some = false;
    for (unsigned level = 0; level < TREE_LEVELS; level++) {
        if (!(tree->size >> level & 1)) continue;
        h = some ? tree_node(&tree->edge[level], &h) : tree->edge[level];
        some = true;
    }
    if (!some) hash_sha256(STR(""), h.b);
    return h;
}

/* The lowest bit set, as a level. */
static unsigned low_bit(uint64_t n) {
    return (unsigned)__builtin_ctzll(n);
}

enum code tree_edge(const struct tree_reader *reader, uint64_t size, struct tree *ret, struct err *err) {
    struct tree tree = { .size = size };
    for (unsigned level = 0; level < TREE_LEVELS; level++) {
        if (!(size >> level & 1)) continue;
        enum code rc = reader->node(reader->ctx, level, (size >> level) - 1, &tree.edge[level], err);
        if (rc) return rc;
    }
    *ret = tree;
    return OK;
}

enum code tree_head(const struct tree_reader *reader, uint64_t size, struct tree_hash *ret, struct err *err) {
    struct tree tree;
    enum code rc = tree_edge(reader, size, &tree, err);
    if (rc) return rc;
    *ret = tree_root(&tree);
    return OK;
}

/* MTH(D[lo:hi]) where lo is a multiple of the width of every node that the range needs (RFC 6962's splits see to it). */
static enum code range_head(const struct tree_reader *reader, uint64_t lo, uint64_t hi, struct tree_hash *ret,
                            struct err *err) {
    struct tree_hash h;
    bool some = false;
    for (uint64_t end = hi; end > lo;) {
        unsigned level = low_bit(end - lo);
        struct tree_hash node;
        enum code rc = reader->node(reader->ctx, level, (end >> level) - 1, &node, err);
        if (rc) return rc;
        h = some ? tree_node(&node, &h) : node;
        some = true;
        end -= UINT64_C(1) << level;
    }
    if (!some) hash_sha256(STR(""), h.b);
    *ret = h;
    return OK;
}

/* The largest power of two below n (n >= 2). */
static uint64_t split(uint64_t n) {
    return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

static void reverse(struct tree_proof *proof) {
    for (size_t i = 0; i < proof->n / 2; i++) {
        struct tree_hash h = proof->path[i];
        proof->path[i] = proof->path[proof->n - 1 - i];
        proof->path[proof->n - 1 - i] = h;
    }
}

/* PATH(m, D[n]), written without recursion: from the root down, the sibling at each split; then turned round. */
enum code tree_prove_inclusion(const struct tree_reader *reader, uint64_t index, uint64_t size, struct tree_proof *ret,
                               struct err *err) {
    if (index >= size) return err_set(err, OUT_OF_RANGE, "the log has no entry at this index");
    struct tree_proof proof = { 0 };
    uint64_t lo = 0, hi = size;
    while (hi - lo > 1) {
        uint64_t mid = lo + split(hi - lo);
        bool left = index < mid;
        enum code rc = range_head(reader, left ? mid : lo, left ? hi : mid, &proof.path[proof.n++], err);
        if (rc) return rc;
        if (left) hi = mid;
        else lo = mid;
    }
    reverse(&proof);
    *ret = proof;
    return OK;
}

/* SUBPROOF(m, D[n], b): `whole` is b: the subtree in hand is the whole old tree, whose head the checker knows. */
enum code tree_prove_consistency(const struct tree_reader *reader, uint64_t old_size, uint64_t size, struct tree_proof *ret,
                                 struct err *err) {
    if (old_size > size) return err_set(err, OUT_OF_RANGE, "the older tree is larger");
    struct tree_proof proof = { 0 };
    uint64_t lo = 0, hi = size;
    bool whole = true;
    enum code rc = OK;
    while (old_size && old_size < hi) {
        uint64_t mid = lo + split(hi - lo);
        bool left = old_size <= mid;
        rc = range_head(reader, left ? mid : lo, left ? hi : mid, &proof.path[proof.n++], err);
        if (rc) return rc;
        if (left) {
            hi = mid;
        } else {
            lo = mid;
            whole = false;
        }
    }
    if (old_size && !whole) rc = range_head(reader, lo, hi, &proof.path[proof.n++], err);
    if (rc) return rc;
    reverse(&proof);
    *ret = proof;
    return OK;
}

/* RFC 9162 §2.1.3.2. */
bool tree_check_inclusion(const struct tree_hash *leaf, uint64_t index, uint64_t size, const struct tree_proof *proof,
                          const struct tree_hash *root) {
    if (index >= size) return false;
    uint64_t fn = index, sn = size - 1;
    struct tree_hash r = *leaf;
    for (size_t i = 0; i < proof->n; i++) {
        if (sn == 0) return false;
        if ((fn & 1) || fn == sn) {
            r = tree_node(&proof->path[i], &r);
            while (!(fn & 1) && fn) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            r = tree_node(&r, &proof->path[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && tree_equal(&r, root);
}

/* RFC 9162 §2.1.4.2, steps 3 to 6, from the first node on. */
static bool climb(uint64_t fn, uint64_t sn, const struct tree_hash *path, size_t n, const struct tree_hash *old_root,
                  const struct tree_hash *root) {
    while (fn & 1) {
        fn >>= 1;
        sn >>= 1;
    }
    struct tree_hash fr = path[0], sr = path[0];
    for (size_t i = 1; i < n; i++) {
        if (sn == 0) return false;
        if ((fn & 1) || fn == sn) {
            fr = tree_node(&path[i], &fr);
            sr = tree_node(&path[i], &sr);
            while (!(fn & 1) && fn) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            sr = tree_node(&sr, &path[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && tree_equal(&fr, old_root) && tree_equal(&sr, root);
}

bool tree_check_consistency(uint64_t old_size, uint64_t size, const struct tree_proof *proof,
                            const struct tree_hash *old_root, const struct tree_hash *root) {
    if (old_size > size) return false;
    if (old_size == size) return proof->n == 0 && tree_equal(old_root, root);
    if (old_size == 0) { /* every tree continues the empty one */
        struct tree_hash empty = tree_root(&(struct tree){ 0 });
        return proof->n == 0 && tree_equal(old_root, &empty);
    }
    bool power = (old_size & (old_size - 1)) == 0;
    struct tree_hash path[TREE_PROOF_MAX + 1];
    size_t n = 0;
    if (power) path[n++] = *old_root; /* left out of the proof: the checker has it */
    if (proof->n > TREE_PROOF_MAX || proof->n + n == 0) return false;
    memcpy(path + n, proof->path, proof->n * sizeof *path);
    n += proof->n;
    return climb(old_size - 1, size - 1, path, n, old_root, root);
}
