#include "test.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/seal.h"
#include "crypto/x509.h"

static void test_a_sealed_text_opens_for_its_owner_only(void **state) {
    (void)state;
    struct err err = { 0 };
    struct sealer *sealer = sealer_new_random(), *other = sealer_new_random();
    struct arena *arena = arena_new(1 << 20);
    DEFER(buf_free) struct buf token = BUF_INIT(4096);
    assert_int_equal(seal(sealer, STR("session 7"), STR("session\0alice"), &token, &err), OK);
    struct str plain, t = buf_str(&token);
    assert_int_equal(unseal(sealer, t, STR("session\0alice"), arena, &plain, &err), OK);
    assert_str(plain, "session 7");
    assert_int_equal(unseal(sealer, t, STR("session\0bob"), arena, &plain, &err), INVALID_ARGUMENT);
    assert_int_equal(unseal(other, t, STR("session\0alice"), arena, &plain, &err), INVALID_ARGUMENT);
    assert_int_equal(unseal(sealer, STR(""), STR(""), arena, &plain, &err), INVALID_ARGUMENT);
    arena_free(arena);
    sealer_free(sealer);
    sealer_free(other);
}

static void test_each_changed_byte_and_each_cut_is_refused(void **state) {
    (void)state;
    struct err err = { 0 };
    struct sealer *sealer = sealer_new_random();
    struct arena *arena = arena_new(1 << 20);
    DEFER(buf_free) struct buf token = BUF_INIT(4096);
    assert_int_equal(seal(sealer, STR("x"), STR("a"), &token, &err), OK);
    struct str plain;
    for (size_t i = 0; i < token.n; i++) {
        char kept = token.p[i];
        token.p[i] = kept == 'A' ? 'B' : 'A';
        assert_int_equal(unseal(sealer, buf_str(&token), STR("a"), arena, &plain, &err), INVALID_ARGUMENT);
        token.p[i] = kept;
        assert_int_equal(unseal(sealer, str_upto(buf_str(&token), i), STR("a"), arena, &plain, &err), INVALID_ARGUMENT);
    }
    assert_int_equal(unseal(sealer, buf_str(&token), STR("a"), arena, &plain, &err), OK);
    arena_free(arena);
    sealer_free(sealer);
}

/* What one start sealed, the next one opens; under no other key, and with no other salt. */
static void test_salted_sealers_of_one_key_open_each_others(void **state) {
    (void)state;
    static const uint8_t key[SEAL_KEY_BYTES] = { 7 }, other_key[SEAL_KEY_BYTES] = { 8 };
    struct err err = { 0 };
    struct sealer *first = sealer_new_salted(key), *second = sealer_new_salted(key), *plain_one = sealer_new(key),
                  *other = sealer_new_salted(other_key);
    struct arena *arena = arena_new(1 << 20);
    struct str plain;
    DEFER(buf_free) struct buf token = BUF_INIT(4096), bare = BUF_INIT(4096);
    assert_int_equal(seal(first, STR("session 7"), STR("alice"), &token, &err), OK);
    assert_int_equal(seal(plain_one, STR("session 7"), STR("alice"), &bare, &err), OK);
    struct str t = buf_str(&token);
    assert_int_equal(unseal(first, t, STR("alice"), arena, &plain, &err), OK);
    assert_int_equal(unseal(second, t, STR("alice"), arena, &plain, &err), OK);
    assert_str(plain, "session 7");
    assert_int_equal(unseal(second, t, STR("bob"), arena, &plain, &err), INVALID_ARGUMENT);
    assert_int_equal(unseal(other, t, STR("alice"), arena, &plain, &err), INVALID_ARGUMENT);
    assert_int_equal(unseal(plain_one, t, STR("alice"), arena, &plain, &err), INVALID_ARGUMENT);
    assert_int_equal(unseal(second, buf_str(&bare), STR("alice"), arena, &plain, &err), INVALID_ARGUMENT);
    for (size_t i = 0; i < t.n; i++) {
        char kept = token.p[i];
        token.p[i] = kept == 'A' ? 'B' : 'A';
        assert_int_equal(unseal(second, t, STR("alice"), arena, &plain, &err), INVALID_ARGUMENT);
        token.p[i] = kept;
        assert_int_equal(unseal(second, str_upto(t, i), STR("alice"), arena, &plain, &err), INVALID_ARGUMENT);
    }
    arena_free(arena);
    sealer_free(first);
    sealer_free(second);
    sealer_free(plain_one);
    sealer_free(other);
}

static void test_a_key_is_kept_in_a_file(void **state) {
    (void)state;
    char folder[] = "/tmp/linkspan-seal-XXXXXX", path[64];
    struct err err = { 0 };
    struct sealer *sealer = NULL, *again = NULL;
    struct arena *arena = arena_new(1 << 20);
    struct str plain;
    struct stat info;
    DEFER(buf_free) struct buf token = BUF_INIT(4096);
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/a.key", folder);
    assert_int_equal(sealer_open_file(folder, "a.key", sealer_new_salted, &sealer, &err), OK);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(info.st_size, SEAL_KEY_BYTES);
    assert_int_equal(seal(sealer, STR("x"), STR("a"), &token, &err), OK);
    assert_int_equal(sealer_open_file(folder, "a.key", sealer_new_salted, &again, &err), OK);
    assert_int_equal(unseal(again, buf_str(&token), STR("a"), arena, &plain, &err), OK);
    assert_int_equal(truncate(path, 31), 0);
    struct sealer *none = NULL;
    assert_int_equal(sealer_open_file(folder, "a.key", sealer_new_salted, &none, &err), FAILED_PRECONDITION);
    assert_null(none);
    (void)unlink(path);
    (void)rmdir(folder);
    arena_free(arena);
    sealer_free(sealer);
    sealer_free(again);
}

static X509 *read_cert(struct str pem) {
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(cert);
    return cert;
}

static int verify_for(X509 *ca, X509 *leaf, const char *host, const char *ip) {
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, ca);
    X509_STORE_CTX_init(ctx, store, leaf, NULL);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
    if (host) X509_VERIFY_PARAM_set1_host(param, host, 0);
    if (ip) X509_VERIFY_PARAM_set1_ip_asc(param, ip);
    int ok = X509_verify_cert(ctx);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return ok;
}

static void test_a_server_certificate_verifies_for_its_names_only(void **state) {
    (void)state;
    struct err err = { 0 };
    struct key *ca_key = NULL, *key = NULL;
    assert_int_equal(key_generate(KEY_P256, &ca_key, &err), OK);
    assert_int_equal(key_generate(KEY_P256, &key, &err), OK);
    DEFER(buf_free) struct buf ca_pem = BUF_INIT(8192), pem = BUF_INIT(8192);
    assert_int_equal(x509_make_ca(ca_key, STR("Linkspan test"), 30, &ca_pem, &err), OK);
    const struct str list[] = { STR("localhost"), STR("*.gw.internal"), STR("127.0.0.1"), STR("::1") };
    struct x509_names names = { list, COUNT(list) };
    assert_int_equal(x509_issue_server(ca_key, buf_str(&ca_pem), key, &names, 30, &pem, &err), OK);
    X509 *ca = read_cert(buf_str(&ca_pem)), *leaf = read_cert(buf_str(&pem));
    assert_int_equal(verify_for(ca, leaf, "localhost", NULL), 1);
    assert_int_equal(verify_for(ca, leaf, "kv.gw.internal", NULL), 1);
    assert_int_equal(verify_for(ca, leaf, NULL, "127.0.0.1"), 1);
    assert_int_equal(verify_for(ca, leaf, NULL, "::1"), 1);
    assert_int_equal(verify_for(ca, leaf, "example.com", NULL), 0);
    assert_int_equal(verify_for(ca, leaf, "linkspan", NULL), 0); /* the common name is no host's name */
    assert_int_equal(verify_for(ca, leaf, NULL, "127.0.0.2"), 0);
    assert_int_equal(verify_for(leaf, ca, NULL, NULL), 0);
    X509_free(ca);
    X509_free(leaf);
    /* Another's CA key, and names that are none. */
    assert_int_equal(x509_issue_server(key, buf_str(&ca_pem), key, &names, 30, &pem, &err), INVALID_ARGUMENT);
    static const char *const bad[] = { "", "a b", "https://x", ".x", "a..b", "*.*.x", "x\n" };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct str one = str_z(bad[i]);
        struct x509_names refused = { &one, 1 };
        assert_int_equal(x509_issue_server(ca_key, buf_str(&ca_pem), key, &refused, 30, &pem, &err), INVALID_ARGUMENT);
    }
    key_unref(ca_key);
    key_unref(key);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sealed_text_opens_for_its_owner_only),
        cmocka_unit_test(test_salted_sealers_of_one_key_open_each_others),
        cmocka_unit_test(test_a_key_is_kept_in_a_file),
        cmocka_unit_test(test_each_changed_byte_and_each_cut_is_refused),
        cmocka_unit_test(test_a_server_certificate_verifies_for_its_names_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
