#include "crypto/key.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "crypto/key_priv.h"

enum { PEM_MAX = 16 << 10, RSA_MADE_BITS = 2048, RSA_MIN_BITS = 2048, RSA_MAX_BITS = 8192 };

enum code key_openssl_err(struct err *err, enum code code, const char *what) {
    unsigned long e = ERR_get_error();
    const char *why = e ? ERR_reason_error_string(e) : NULL;
    ERR_clear_error();
    return err_set(err, code, "%s: %s", what, why ? why : "OpenSSL gives no reason");
}

size_t key_field_bytes(enum key_kind kind) {
    return kind == KEY_P256 ? 32 : kind == KEY_P384 ? 48 : kind == KEY_P521 ? 66 : 0;
}

static bool ec_kind(const EVP_PKEY *pkey, enum key_kind *ret) {
    static const struct {
        const char *name;
        enum key_kind kind;
    } curves[] = { { "prime256v1", KEY_P256 }, { "P-256", KEY_P256 },     { "secp384r1", KEY_P384 },
                   { "P-384", KEY_P384 },      { "secp521r1", KEY_P521 }, { "P-521", KEY_P521 } };
    char group[32];
    size_t n;
    if (!EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, &n)) return false;
    for (size_t i = 0; i < COUNT(curves); i++) {
        if (!str_eq_z(str_z(group), curves[i].name)) continue;
        *ret = curves[i].kind;
        return true;
    }
    return false;
}

static bool kind_of(const EVP_PKEY *pkey, enum key_kind *ret) {
    if (EVP_PKEY_is_a(pkey, "EC")) return ec_kind(pkey, ret);
    bool rsa = EVP_PKEY_is_a(pkey, "RSA"), ed = EVP_PKEY_is_a(pkey, "ED25519");
    *ret = rsa ? KEY_RSA : KEY_ED25519;
    return ed || (rsa && EVP_PKEY_get_bits(pkey) >= RSA_MIN_BITS && EVP_PKEY_get_bits(pkey) <= RSA_MAX_BITS);
}

enum code key_wrap(EVP_PKEY *pkey, bool is_private, struct key **ret, struct err *err) {
    enum key_kind kind;
    if (!kind_of(pkey, &kind)) {
        EVP_PKEY_free(pkey);
        return err_set(err, INVALID_ARGUMENT, "the key is not RSA of 2048 to 8192 bits, P-256, P-384, P-521 or Ed25519");
    }
    struct key *key = calloc(1, sizeof *key);
    EVP_PKEY_CTX *_Atomic *prepared = calloc(KEY_PREPARED_MAX, sizeof *prepared);
    if (!key || !prepared) {
        EVP_PKEY_free(pkey);
        free(prepared);
        free(key);
        return err_oom(err);
    }
    *key = (struct key){ .refs = 1, .kind = kind, .is_private = is_private, .pkey = pkey, .prepared = prepared };
    *ret = key;
    return OK;
}

enum code key_generate(enum key_kind kind, struct key **ret, struct err *err) {
    static const char *const curves[KEY_KIND_COUNT] = { [KEY_P256] = "P-256", [KEY_P384] = "P-384", [KEY_P521] = "P-521" };
    EVP_PKEY *pkey = kind == KEY_RSA       ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)RSA_MADE_BITS)
                     : kind == KEY_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                           : EVP_PKEY_Q_keygen(NULL, NULL, "EC", curves[kind]);
    if (!pkey) return key_openssl_err(err, INTERNAL, "cannot make a key");
    return key_wrap(pkey, true, ret, err);
}

struct key *key_ref(struct key *key) {
    key->refs++;
    return key;
}

struct key *key_unref(struct key *key) {
    if (!key || --key->refs) return NULL;
    for (unsigned i = 0; i < KEY_PREPARED_MAX; i++) EVP_PKEY_CTX_free(key->prepared[i]);
    free(key->prepared);
    EVP_PKEY_free(key->pkey);
    free(key);
    return NULL;
}

void key_unrefp(struct key **key) {
    key_unref(*key);
}

enum key_kind key_kind(const struct key *key) {
    return key->kind;
}

bool key_is_private(const struct key *key) {
    return key->is_private;
}

static void bio_freep(BIO **bio) {
    BIO_free_all(*bio);
}

enum code key_from_pem(struct str pem, struct key **ret, struct err *err) {
    if (pem.n > PEM_MAX) return err_set(err, INVALID_ARGUMENT, "the key's PEM text is too long");
    DEFER(bio_freep) BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    if (!bio) return err_oom(err);
    /* An empty passphrase, given: OpenSSL must never ask on the terminal. */
    char none[1] = "";
    bool is_private = str_find(pem, STR("PRIVATE KEY-----")) >= 0;
    EVP_PKEY *pkey = is_private ? PEM_read_bio_PrivateKey(bio, NULL, NULL, none)
                                : PEM_read_bio_PUBKEY(bio, NULL, NULL, none);
    if (!pkey) return key_openssl_err(err, INVALID_ARGUMENT, "not a key in PEM");
    return key_wrap(pkey, is_private, ret, err);
}

static enum code add_bio(struct buf *out, BIO *bio, struct err *err) {
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    buf_add(out, p, n > 0 ? (size_t)n : 0);
    return buf_ok(out) ? OK : err_oom(err);
}

enum code key_to_pem(const struct key *key, struct buf *out, struct err *err) {
    if (!key->is_private) return err_set(err, FAILED_PRECONDITION, "the key has no private part");
    DEFER(bio_freep) BIO *bio = BIO_new(BIO_s_secmem()); /* wiped when it is freed */
    if (!bio) return err_oom(err);
    if (PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) != 1)
        return key_openssl_err(err, INTERNAL, "cannot write the key");
    return add_bio(out, bio, err);
}

enum code key_public_pem(const struct key *key, struct buf *out, struct err *err) {
    DEFER(bio_freep) BIO *bio = BIO_new(BIO_s_mem());
    if (!bio) return err_oom(err);
    if (PEM_write_bio_PUBKEY(bio, key->pkey) != 1) return key_openssl_err(err, INTERNAL, "cannot write the key");
    return add_bio(out, bio, err);
}

enum code key_load(const char *path, struct key **ret, struct err *err) {
    struct stat st;
    if (stat(path, &st) != 0) return err_errno(err, path);
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return err_set(err, FAILED_PRECONDITION, "%s may be read by others; its mode must be 0600", path);
    DEFER(arena_freep) struct arena *arena = arena_new_secret(4 * (size_t)PEM_MAX);
    if (!arena) return err_oom(err);
    struct str pem;
    enum code rc = file_read(arena, path, PEM_MAX, &pem, err);
    if (rc) return rc;
    rc = key_from_pem(pem, ret, err);
    return rc ? err_wrap(err, "%s", path) : OK;
}

enum code key_store(const struct key *key, const char *path, struct err *err) {
    DEFER(buf_wipe) struct buf pem = BUF_INIT(PEM_MAX);
    enum code rc = key_to_pem(key, &pem, err);
    return rc ? rc : file_write_durable(path, buf_str(&pem), 0600, err);
}
