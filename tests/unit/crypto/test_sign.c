#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/file.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "crypto/sign.h"

static void hex_is(const uint8_t *bytes, size_t n, const char *expected) {
    DEFER(buf_free) struct buf hex = BUF_INIT(1024);
    enc_hex(&hex, (struct str){ (const char *)bytes, n });
    assert_str(buf_str(&hex), expected);
}

static void test_sha256_of_known_texts(void **state) {
    (void)state;
    static const struct {
        const char *name, *text, *digest;
    } cases[] = {
        { "empty", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "abc (FIPS 180-4)", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    };
    struct hash *h = hash_new();
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t digest[SHA256_BYTES];
        struct str text = str_z(cases[i].text);
        hash_sha256(text, digest);
        hex_is(digest, sizeof digest, cases[i].digest);
        hash_add(h, str_upto(text, 1));
        hash_add(h, str_from(text, 1));
        hash_end(h, digest);
        hex_is(digest, sizeof digest, cases[i].digest);
        hash_sha256_2(str_upto(text, 2), str_from(text, 2), digest);
        hex_is(digest, sizeof digest, cases[i].digest);
    }
    hash_free(h);
}

/* RFC 4231, test cases 2 and 6. */
static void test_hmac_of_known_texts(void **state) {
    (void)state;
    uint8_t mac[SHA256_BYTES];
    hash_hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"), mac);
    hex_is(mac, sizeof mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    char key[131];
    memset(key, 0xaa, sizeof key);
    hash_hmac_sha256((struct str){ key, sizeof key }, STR("Test Using Larger Than Block-Size Key - Hash Key First"), mac);
    hex_is(mac, sizeof mac, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static const struct {
    enum key_kind kind;
    enum sig_alg algs[6];
} kinds[] = {
    { KEY_RSA, { SIG_RS256, SIG_RS384, SIG_RS512, SIG_PS256, SIG_PS384, SIG_PS512 } },
    { KEY_P256, { SIG_ES256 } },
    { KEY_P384, { SIG_ES384 } },
    { KEY_P521, { SIG_ES512 } },
    { KEY_ED25519, { SIG_EDDSA } },
};

static void check_alg(const struct key *key, const struct key *public, enum sig_alg alg) {
    struct err err = { 0 };
    uint8_t sig[SIGNATURE_MAX];
    size_t n = 0;
    assert_int_equal(sign_make(key, alg, STR("the message"), sig, &n, &err), OK);
    struct str s = { (const char *)sig, n };
    assert_true(sign_verify(public, alg, STR("the message"), s));
    assert_false(sign_verify(public, alg, STR("the messagf"), s));
    assert_false(sign_verify(public, alg, STR("the message"), str_upto(s, n - 1)));
    assert_false(sign_verify(public, alg, STR("the message"), STR("")));
    for (unsigned other = SIG_NONE; other < SIG_COUNT; other++)
        if (other != alg) assert_false(sign_verify(public, (enum sig_alg)other, STR("the message"), s));
    sig[n / 2] ^= 1;
    assert_false(sign_verify(public, alg, STR("the message"), s));
    memset(sig, 0, n);
    assert_false(sign_verify(public, alg, STR("the message"), s));
    assert_int_equal(sign_make(public, alg, STR("the message"), sig, &n, &err), FAILED_PRECONDITION);
}

static void test_each_algorithm_verifies_its_own_and_nothing_else(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct err err = { 0 };
        DEFER(key_unrefp) struct key *key = NULL, *public = NULL;
        assert_int_equal(key_generate(kinds[i].kind, &key, &err), OK);
        assert_int_equal(sig_alg_default(key), kinds[i].algs[0]);
        DEFER(buf_free) struct buf pem = BUF_INIT(8192);
        assert_int_equal(key_public_pem(key, &pem, &err), OK);
        assert_int_equal(key_from_pem(buf_str(&pem), &public, &err), OK);
        for (size_t a = 0; a < COUNT(kinds[i].algs) && kinds[i].algs[a]; a++) check_alg(key, public, kinds[i].algs[a]);
        key_unref(public);
        public = NULL;
    }
}

static void test_names_of_algorithms_are_exact(void **state) {
    (void)state;
    static const char *const refused[] = { "none", "NONE", "HS256", "rs256", "RS256 ", "", "ES256K" };
    enum sig_alg alg = SIG_NONE;
    for (size_t i = 0; i < COUNT(refused); i++) assert_false(sig_alg_from_name(str_z(refused[i]), &alg));
    assert_true(sig_alg_from_name(STR("PS384"), &alg));
    assert_int_equal(alg, SIG_PS384);
}

static void test_a_stored_key_comes_back_and_must_be_private(void **state) {
    (void)state;
    struct err err = { 0 };
    char path[] = "/tmp/linkspan-key-XXXXXX";
    int fd = mkstemp(path);
    file_close(&fd);
    DEFER(key_unrefp) struct key *key = NULL, *again = NULL;
    assert_int_equal(key_generate(KEY_P256, &key, &err), OK);
    assert_int_equal(key_store(key, path, &err), OK);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(key_load(path, &again, &err), OK);
    DEFER(buf_free) struct buf a = BUF_INIT(64), b = BUF_INIT(64);
    assert_int_equal(key_thumbprint(key, &a, &err), OK);
    assert_int_equal(key_thumbprint(again, &b, &err), OK);
    assert_true(str_eq(buf_str(&a), buf_str(&b)));
    key_unref(again);
    again = NULL;
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(key_load(path, &again, &err), FAILED_PRECONDITION);
    unlink(path);
}

/* RFC 8037 appendix A.3; RFC 8032 §7.1 test 1's key is the same pair. */
static void test_thumbprint_and_seed_of_rfc_8037(void **state) {
    (void)state;
    struct err err = { 0 };
    struct arena *arena = arena_new(4096);
    struct str seed, x;
    assert_true(dec_base64url(arena, STR("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"), &seed));
    assert_true(dec_base64url(arena, STR("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"), &x));
    DEFER(key_unrefp) struct key *key = NULL;
    assert_int_equal(key_from_ed25519_seed(seed, &key, &err), OK);
    uint8_t public[32];
    assert_int_equal(key_ed25519_public(key, public, &err), OK);
    assert_memory_equal(public, x.p, 32);
    DEFER(buf_free) struct buf print = BUF_INIT(64);
    assert_int_equal(key_thumbprint(key, &print, &err), OK);
    assert_str(buf_str(&print), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    arena_free(arena);
}

static void test_weak_numbers_are_refused(void **state) {
    (void)state;
    struct err err = { 0 };
    struct key *key = NULL;
    char n[256];
    random_bytes(n, sizeof n);
    n[0] = (char)0x80, n[255] |= 1;
    struct str three = STR("\x03"), one = STR("\x01"), modulus = { n, sizeof n };
    assert_int_equal(key_from_rsa(str_upto(modulus, 128), three, &key, &err), INVALID_ARGUMENT);
    assert_int_equal(key_from_rsa(modulus, one, &key, &err), INVALID_ARGUMENT);
    assert_int_equal(key_from_rsa(modulus, STR("\x04"), &key, &err), INVALID_ARGUMENT);
    assert_int_equal(key_from_rsa(modulus, STR(""), &key, &err), INVALID_ARGUMENT);
    char point[32] = { 5 };
    struct str p = { point, sizeof point };
    assert_int_equal(key_from_ec(KEY_P256, p, p, &key, &err), INVALID_ARGUMENT); /* off the curve */
    assert_int_equal(key_from_ec(KEY_P256, str_upto(p, 31), p, &key, &err), INVALID_ARGUMENT);
    assert_int_equal(key_from_ed25519(str_upto(p, 31), &key, &err), INVALID_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256_of_known_texts),
        cmocka_unit_test(test_hmac_of_known_texts),
        cmocka_unit_test(test_each_algorithm_verifies_its_own_and_nothing_else),
        cmocka_unit_test(test_names_of_algorithms_are_exact),
        cmocka_unit_test(test_a_stored_key_comes_back_and_must_be_private),
        cmocka_unit_test(test_thumbprint_and_seed_of_rfc_8037),
        cmocka_unit_test(test_weak_numbers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
