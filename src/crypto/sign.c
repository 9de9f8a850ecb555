#include "crypto/sign.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "crypto/evp.h"
#include "crypto/hash.h"
#include "crypto/key_priv.h"

enum { DER_MAX = 160 };
_Static_assert((int)SIG_COUNT <= (int)KEY_PREPARED_MAX, "a place for each algorithm");

static const struct alg_row {
    const char *name;
    unsigned bits; /* of the digest; 0 = the algorithm digests itself */
    enum key_kind kind;
    bool pss;
} algs[SIG_COUNT] = {
    [SIG_NONE] = { "", 0, KEY_KIND_COUNT, false },    [SIG_RS256] = { "RS256", 256, KEY_RSA, false },
    [SIG_RS384] = { "RS384", 384, KEY_RSA, false },   [SIG_RS512] = { "RS512", 512, KEY_RSA, false },
    [SIG_PS256] = { "PS256", 256, KEY_RSA, true },    [SIG_PS384] = { "PS384", 384, KEY_RSA, true },
    [SIG_PS512] = { "PS512", 512, KEY_RSA, true },    [SIG_ES256] = { "ES256", 256, KEY_P256, false },
    [SIG_ES384] = { "ES384", 384, KEY_P384, false },  [SIG_ES512] = { "ES512", 512, KEY_P521, false },
    [SIG_EDDSA] = { "EdDSA", 0, KEY_ED25519, false },
};

const char *sig_alg_name(enum sig_alg alg) {
    return (unsigned)alg < SIG_COUNT ? algs[alg].name : "";
}

bool sig_alg_from_name(struct str name, enum sig_alg *ret) {
    for (unsigned i = SIG_NONE + 1; i < SIG_COUNT; i++) {
        if (!str_eq_z(name, algs[i].name)) continue;
        *ret = (enum sig_alg)i;
        return true;
    }
    return false;
}

bool sig_alg_fits(enum sig_alg alg, const struct key *key) {
    return (unsigned)alg < SIG_COUNT && algs[alg].kind == key->kind;
}

enum sig_alg sig_alg_default(const struct key *key) {
    for (unsigned i = SIG_NONE + 1; i < SIG_COUNT; i++)
        if (algs[i].kind == key->kind) return (enum sig_alg)i;
    return SIG_NONE;
}

static void ctx_freep(EVP_PKEY_CTX **ctx) {
    EVP_PKEY_CTX_free(*ctx);
}

static bool set_rsa(EVP_PKEY_CTX *ctx, const struct alg_row *row) {
    if (row->kind != KEY_RSA) return true;
    if (EVP_PKEY_CTX_set_rsa_padding(ctx, row->pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) != 1) return false;
    if (EVP_PKEY_CTX_set_signature_md(ctx, evp_sha2(row->bits)) != 1) return false;
    return !row->pss || EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool ed25519_verify(const struct key *key, struct str message, struct str sig) {
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && sig.n == 64 && EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, key->pkey, NULL) == 1 &&
              EVP_DigestVerify(ctx, (const unsigned char *)sig.p, sig.n, (const unsigned char *)message.p, message.n) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

/* r || s → DER. The length is the caller's check, before. */
static size_t der_from_rs(struct str rs, unsigned char der[DER_MAX]) {
    ECDSA_SIG *sig = ECDSA_SIG_new();
    int half = (int)(rs.n / 2), n = 0;
    const unsigned char *p = (const unsigned char *)rs.p;
    BIGNUM *r = BN_bin2bn(p, half, NULL), *s = BN_bin2bn(p + half, half, NULL);
    if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1) {
        n = i2d_ECDSA_SIG(sig, NULL);
        unsigned char *to = der;
        n = n > 0 && n <= DER_MAX ? i2d_ECDSA_SIG(sig, &to) : 0;
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(sig);
    return n > 0 ? (size_t)n : 0;
}

/* A fresh copy of the context that verifies by this algorithm. Two threads may both make the first one: one is kept. */
static EVP_PKEY_CTX *verifying_context(const struct key *key, const struct alg_row *row) {
    EVP_PKEY_CTX *_Atomic *place = &key->prepared[row - algs];
    EVP_PKEY_CTX *ready = *place, *none = NULL;
    if (ready) return EVP_PKEY_CTX_dup(ready);
    EVP_PKEY_CTX *made = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    if (!made || EVP_PKEY_verify_init(made) != 1 || !set_rsa(made, row)) {
        EVP_PKEY_CTX_free(made);
        return NULL;
    }
    ready = EVP_PKEY_CTX_dup(made);
    if (!atomic_compare_exchange_strong(place, &none, made)) EVP_PKEY_CTX_free(made);
    return ready;
}

static bool digest_verify(const struct key *key, const struct alg_row *row, struct str message, const unsigned char *sig,
                          size_t n) {
    uint8_t digest[HASH_MAX_BYTES];
    size_t digest_n = hash_sha2(row->bits, message, digest);
    DEFER(ctx_freep) EVP_PKEY_CTX *ctx = verifying_context(key, row);
    return ctx && EVP_PKEY_verify(ctx, sig, n, digest, digest_n) == 1;
}

static bool verify(const struct key *key, const struct alg_row *row, struct str message, struct str sig) {
    if (row->kind == KEY_ED25519) return ed25519_verify(key, message, sig);
    if (row->kind == KEY_RSA) {
        if (sig.n != (size_t)EVP_PKEY_get_size(key->pkey)) return false;
        return digest_verify(key, row, message, (const unsigned char *)sig.p, sig.n);
    }
    if (sig.n != 2 * key_field_bytes(row->kind)) return false;
    unsigned char der[DER_MAX];
    size_t n = der_from_rs(sig, der);
    return n && digest_verify(key, row, message, der, n);
}

bool sign_verify(const struct key *key, enum sig_alg alg, struct str message, struct str signature) {
    if (!sig_alg_fits(alg, key)) return false;
    bool ok = verify(key, &algs[alg], message, signature);
    if (!ok) ERR_clear_error();
    return ok;
}

static bool ed25519_sign(const struct key *key, struct str message, uint8_t *out, size_t *n) {
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, key->pkey, NULL) == 1 &&
              EVP_DigestSign(ctx, out, n, (const unsigned char *)message.p, message.n) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

/* DER → r || s, in place. */
static bool rs_from_der(size_t field, uint8_t *sig, size_t *n) {
    const unsigned char *p = sig;
    ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &p, (long)*n);
    bool ok = parsed && BN_bn2binpad(ECDSA_SIG_get0_r(parsed), sig, (int)field) == (int)field &&
              BN_bn2binpad(ECDSA_SIG_get0_s(parsed), sig + field, (int)field) == (int)field;
    ECDSA_SIG_free(parsed);
    *n = 2 * field;
    return ok;
}

static bool digest_sign(const struct key *key, const struct alg_row *row, struct str message, uint8_t *out, size_t *n) {
    uint8_t digest[HASH_MAX_BYTES];
    size_t digest_n = hash_sha2(row->bits, message, digest);
    DEFER(ctx_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    if (!ctx || EVP_PKEY_sign_init(ctx) != 1 || !set_rsa(ctx, row)) return false;
    if (EVP_PKEY_sign(ctx, out, n, digest, digest_n) != 1) return false;
    return row->kind == KEY_RSA || rs_from_der(key_field_bytes(row->kind), out, n);
}

enum code sign_make(const struct key *key, enum sig_alg alg, struct str message, uint8_t ret_signature[SIGNATURE_MAX],
                    size_t *ret_n, struct err *err) {
    if (!sig_alg_fits(alg, key) || !key->is_private)
        return err_set(err, FAILED_PRECONDITION, "the key cannot sign with %s", sig_alg_name(alg));
    size_t n = SIGNATURE_MAX;
    const struct alg_row *row = &algs[alg];
    bool ok = row->kind == KEY_ED25519 ? ed25519_sign(key, message, ret_signature, &n)
                                       : digest_sign(key, row, message, ret_signature, &n);
    if (!ok) return key_openssl_err(err, INTERNAL, "cannot sign");
    *ret_n = n;
    return OK;
}
