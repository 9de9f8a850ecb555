#include "test.h"

#include <string.h>
#include "audit/note.h"
#include "audit/tiles.h"
#include "audit/tree.h"
#include "base/enc.h"
#include "crypto/key.h"

/* The eight leaves and the roots that Certificate Transparency's implementations share. */
static const struct {
    const char *p;
    size_t n;
} inputs[] = { { "", 0 },
               { "\x00", 1 },
               { "\x10", 1 },
               { "\x20\x21", 2 },
               { "\x30\x31", 2 },
               { "\x40\x41\x42\x43", 4 },
               { "\x50\x51\x52\x53\x54\x55\x56\x57", 8 },
               { "\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16 } };
static const char *const roots[] = { "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                                     "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                                     "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                                     "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                                     "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                                     "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                                     "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                                     "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                                     "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328" };

static void check_hex(const struct tree_hash *h, const char *hex) {
    DEFER(buf_free) struct buf b = BUF_INIT(128);
    enc_hex(&b, (struct str){ (const char *)h->b, TREE_HASH });
    assert_str(buf_str(&b), hex);
}

static struct tree_hash leaf_of(size_t i) {
    return tree_leaf((struct str){ inputs[i].p, inputs[i].n });
}

static void test_known_roots(void **state) {
    (void)state;
    struct tree tree = { 0 };
    for (size_t n = 0; n < COUNT(roots); n++) {
        struct tree_hash root = tree_root(&tree);
        check_hex(&root, roots[n]);
        if (n == COUNT(inputs)) break;
        struct tree_hash leaf = leaf_of(n);
        tree_push(&tree, &leaf);
    }
}

/* Nodes computed from the definition, over leaves that are their number as text (or the shared ones). */
static enum code plain_node(void *ctx, unsigned level, uint64_t n, struct tree_hash *ret, struct err *err) {
    const struct tree_hash *leaves = ctx;
    if (level == 0) {
        *ret = leaves[n];
        return OK;
    }
    struct tree_hash left, right;
    if (plain_node(ctx, level - 1, 2 * n, &left, err) || plain_node(ctx, level - 1, 2 * n + 1, &right, err))
        return INTERNAL;
    *ret = tree_node(&left, &right);
    return OK;
}

static void test_known_proofs(void **state) {
    (void)state;
    struct tree_hash leaves[8];
    for (size_t i = 0; i < 8; i++) leaves[i] = leaf_of(i);
    struct tree_reader reader = { plain_node, leaves };
    struct tree_proof proof;
    assert_int_equal(tree_prove_inclusion(&reader, 5, 8, &proof, NULL), OK);
    assert_int_equal(proof.n, 3);
    check_hex(&proof.path[0], "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b");
    check_hex(&proof.path[1], "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0");
    check_hex(&proof.path[2], roots[4]);
    assert_int_equal(tree_prove_consistency(&reader, 6, 8, &proof, NULL), OK);
    assert_int_equal(proof.n, 3);
    check_hex(&proof.path[0], "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a");
    check_hex(&proof.path[1], "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0");
    check_hex(&proof.path[2], roots[4]);
    assert_int_equal(tree_prove_inclusion(&reader, 8, 8, &proof, NULL), OUT_OF_RANGE);
    assert_int_equal(tree_prove_consistency(&reader, 9, 8, &proof, NULL), OUT_OF_RANGE);
}

enum { MANY = 40 };

static void many_leaves(struct tree_hash leaves[MANY], struct tree_hash heads[MANY + 1]) {
    struct tree tree = { 0 };
    heads[0] = tree_root(&tree);
    for (size_t i = 0; i < MANY; i++) {
        char text[4] = { (char)('0' + i % 10), (char)('0' + i / 10) };
        leaves[i] = tree_leaf((struct str){ text, 2 });
        tree_push(&tree, &leaves[i]);
        heads[i + 1] = tree_root(&tree);
    }
}

static void test_every_inclusion(void **state) {
    (void)state;
    struct tree_hash leaves[MANY], heads[MANY + 1];
    many_leaves(leaves, heads);
    struct tree_reader reader = { plain_node, leaves };
    for (uint64_t size = 1; size <= MANY; size++)
        for (uint64_t i = 0; i < size; i++) {
            struct tree_proof proof;
            assert_int_equal(tree_prove_inclusion(&reader, i, size, &proof, NULL), OK);
            assert_true(tree_check_inclusion(&leaves[i], i, size, &proof, &heads[size]));
            assert_false(tree_check_inclusion(&leaves[(i + 1) % MANY], i, size, &proof, &heads[size]));
            assert_false(tree_check_inclusion(&leaves[i], i, size, &proof, &heads[size - 1]));
            if (!proof.n) continue;
            proof.path[proof.n / 2].b[3] ^= 1;
            assert_false(tree_check_inclusion(&leaves[i], i, size, &proof, &heads[size]));
            proof.path[proof.n / 2].b[3] ^= 1;
            proof.n--;
            assert_false(tree_check_inclusion(&leaves[i], i, size, &proof, &heads[size]));
        }
}

static void test_every_consistency(void **state) {
    (void)state;
    struct tree_hash leaves[MANY], heads[MANY + 1];
    many_leaves(leaves, heads);
    struct tree_reader reader = { plain_node, leaves };
    for (uint64_t size = 0; size <= MANY; size++)
        for (uint64_t old = 0; old <= size; old++) {
            struct tree_proof proof;
            assert_int_equal(tree_prove_consistency(&reader, old, size, &proof, NULL), OK);
            assert_true(tree_check_consistency(old, size, &proof, &heads[old], &heads[size]));
            if (old) assert_false(tree_check_consistency(old, size, &proof, &heads[old - 1], &heads[size]));
            if (old && old < size) assert_false(tree_check_consistency(old, size, &proof, &heads[old], &heads[size - 1]));
            if (!proof.n) continue;
            proof.path[0].b[31] ^= 0x80;
            assert_false(tree_check_consistency(old, size, &proof, &heads[old], &heads[size]));
            proof.n--;
            assert_false(tree_check_consistency(old, size, &proof, &heads[old], &heads[size]));
        }
}

static const struct {
    const char *name, *path;
    int level;
    uint64_t n;
    unsigned width;
    bool valid;
} paths[] = {
    { "first tile", "tile/0/000", 0, 0, 256, true },
    { "partial", "tile/1/000.p/17", 1, 0, 17, true },
    { "entries", "tile/entries/x001/x234/067", TILE_ENTRIES, 1234067, 256, true },
    { "large partial", "tile/entries/x001/x234/067.p/255", TILE_ENTRIES, 1234067, 255, true },
    { "leading zero group", "tile/0/x000/001", 0, 0, 0, false },
    { "full as partial", "tile/0/000.p/256", 0, 0, 0, false },
    { "width with zero", "tile/0/000.p/01", 0, 0, 0, false },
    { "width nothing", "tile/0/000.p/0", 0, 0, 0, false },
    { "level too high", "tile/8/000", 0, 0, 0, false },
    { "level with zero", "tile/00/000", 0, 0, 0, false },
    { "x missing", "tile/0/001/234", 0, 0, 0, false },
    { "ends in x", "tile/0/x001", 0, 0, 0, false },
    { "two digits", "tile/0/01", 0, 0, 0, false },
    { "trailing slash", "tile/0/001/", 0, 0, 0, false },
    { "elsewhere", "tiles/0/001", 0, 0, 0, false },
};

static void test_paths(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        int level;
        uint64_t n;
        unsigned width;
        bool valid = tile_path_parse(str_z(paths[i].path), &level, &n, &width);
        if (valid && width == 0) valid = false; /* no tile has this width: tile_width never says 0 for one that is there */
        if (valid != paths[i].valid) fail_msg("%s: %s", paths[i].name, paths[i].path);
        if (!valid) continue;
        char out[TILE_PATH_MAX];
        assert_str(((struct str){ out, tile_path(paths[i].level, paths[i].n, paths[i].width, out) }), paths[i].path);
        assert_true(level == paths[i].level && n == paths[i].n && width == paths[i].width);
    }
}

static void test_note(void **state) {
    (void)state;
    struct key *key = NULL, *other = NULL;
    char seed[32] = { 1 };
    assert_int_equal(key_from_ed25519_seed((struct str){ seed, sizeof seed }, &key, NULL), OK);
    assert_int_equal(key_generate(KEY_ED25519, &other, NULL), OK);
    DEFER(buf_free) struct buf note = BUF_INIT(NOTE_MAX);
    struct tree_hash root = { { 9 } };
    assert_int_equal(note_sign(STR("a.example/log"), 42, &root, 1700000000123456, key, &note, NULL), OK);
    struct checkpoint head;
    assert_int_equal(note_open(buf_str(&note), key, &head, NULL), OK);
    assert_int_equal(head.size, 42);
    assert_int_equal(head.time_us, 1700000000123456);
    assert_true(tree_equal(&head.root, &root));
    assert_string_equal(head.origin, "a.example/log");
    assert_int_equal(note_open(buf_str(&note), other, &head, NULL), DATA_LOSS);
    for (size_t i = 0; i < note.n; i++) /* no byte may change in any bit */
        for (unsigned bit = 0; bit < 8; bit++) {
            note.p[i] = (char)(note.p[i] ^ (1 << bit));
            if (!note_open(buf_str(&note), key, &head, NULL)) fail_msg("byte %zu bit %u may change", i, bit);
            note.p[i] = (char)(note.p[i] ^ (1 << bit));
        }
    key_unref(key);
    key_unref(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_roots),     cmocka_unit_test(test_known_proofs),
        cmocka_unit_test(test_every_inclusion), cmocka_unit_test(test_every_consistency),
        cmocka_unit_test(test_paths),           cmocka_unit_test(test_note),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
