/* Keys from and to their numbers: JWK's side of key.h. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <string.h>

#include "base/enc.h"
#include "crypto/hash.h"
#include "crypto/key_priv.h"

enum { RSA_MAX_BYTES = 1024, EC_MAX_BYTES = 66, JWK_MAX = 4096 };

static enum code from_params(const char *type, OSSL_PARAM *params, struct key **ret, struct err *err) {
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;
    bool made = ctx && EVP_PKEY_fromdata_init(ctx) == 1 && EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (!made) return key_openssl_err(err, INVALID_ARGUMENT, "the key's numbers are no key");
    /* Is the point on the curve, the modulus odd and without small factors … */
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool sound = ctx && EVP_PKEY_public_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (sound) return key_wrap(pkey, false, ret, err);
    EVP_PKEY_free(pkey);
    return key_openssl_err(err, INVALID_ARGUMENT, "the key's numbers are not sound");
}

/* CVE-2017-15361 (ROCA): such a modulus is, modulo every small prime, a power of 65537. For an honest one that is so with
 * probability below 2^-27. */
static bool is_roca(const BIGNUM *n) {
    static const unsigned primes[] = { 11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157 };
    for (size_t i = 0; i < COUNT(primes); i++) {
        unsigned p = primes[i], power = 1;
        BN_ULONG rest = BN_mod_word(n, p);
        bool found = false;
        for (unsigned k = 0; k < p && !found; k++) {
            found = power == rest;
            power = power * (65537 % p) % p;
        }
        if (!found) return false;
    }
    return true;
}

static bool rsa_lawful(const BIGNUM *n, const BIGNUM *e) {
    int bits = BN_num_bits(n);
    if (bits < 2048 || bits > 8192 || !BN_is_odd(n) || is_roca(n)) return false;
    return BN_is_odd(e) && !BN_is_one(e) && BN_num_bits(e) <= 32;
}

static enum code rsa_build(const BIGNUM *n, const BIGNUM *e, struct key **ret, struct err *err) {
    if (!rsa_lawful(n, e)) return err_set(err, INVALID_ARGUMENT, "the RSA key is too short, too long or weak");
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    if (bld && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e))
        params = OSSL_PARAM_BLD_to_param(bld);
    OSSL_PARAM_BLD_free(bld);
    if (!params) return err_oom(err);
    enum code rc = from_params("RSA", params, ret, err);
    OSSL_PARAM_free(params);
    return rc;
}

enum code key_from_rsa(struct str n, struct str e, struct key **ret, struct err *err) {
    if (n.n == 0 || n.n > RSA_MAX_BYTES + 1 || e.n == 0 || e.n > 8)
        return err_set(err, INVALID_ARGUMENT, "the RSA key is too short or too long");
    BIGNUM *bn = BN_bin2bn((const unsigned char *)n.p, (int)n.n, NULL);
    BIGNUM *be = BN_bin2bn((const unsigned char *)e.p, (int)e.n, NULL);
    enum code rc = bn && be ? rsa_build(bn, be, ret, err) : err_oom(err);
    BN_free(bn);
    BN_free(be);
    return rc;
}

enum code key_from_ec(enum key_kind curve, struct str x, struct str y, struct key **ret, struct err *err) {
    static char names[KEY_KIND_COUNT][8] = { [KEY_P256] = "P-256", [KEY_P384] = "P-384", [KEY_P521] = "P-521" };
    size_t bytes = key_field_bytes(curve);
    if (!bytes || x.n != bytes || y.n != bytes)
        return err_set(err, INVALID_ARGUMENT, "the curve's coordinates are not of its length");
    unsigned char point[1 + 2 * EC_MAX_BYTES] = { 4 }; /* uncompressed */
    memcpy(point + 1, x.p, bytes);
    memcpy(point + 1 + bytes, y.p, bytes);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, names[curve], 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * bytes),
        OSSL_PARAM_construct_end(),
    };
    return from_params("EC", params, ret, err);
}

enum code key_from_ed25519(struct str x, struct key **ret, struct err *err) {
    if (x.n != 32) return err_set(err, INVALID_ARGUMENT, "an Ed25519 key has 32 bytes");
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, (const unsigned char *)x.p, x.n);
    if (!pkey) return key_openssl_err(err, INVALID_ARGUMENT, "not an Ed25519 key");
    return key_wrap(pkey, false, ret, err);
}

enum code key_from_ed25519_seed(struct str seed, struct key **ret, struct err *err) {
    if (seed.n != 32) return err_set(err, INVALID_ARGUMENT, "an Ed25519 seed has 32 bytes");
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, (const unsigned char *)seed.p, seed.n);
    if (!pkey) return key_openssl_err(err, INVALID_ARGUMENT, "not an Ed25519 seed");
    return key_wrap(pkey, true, ret, err);
}

enum code key_ed25519_public(const struct key *key, uint8_t ret_public[32], struct err *err) {
    size_t n = 32;
    if (key->kind != KEY_ED25519) return err_set(err, FAILED_PRECONDITION, "the key is not Ed25519");
    if (EVP_PKEY_get_raw_public_key(key->pkey, ret_public, &n) == 1) return OK;
    return key_openssl_err(err, INTERNAL, "cannot read the key");
}

/* ,"name":"<base64url of the number>"; fixed length when `bytes` is not 0. */
static bool add_number(const struct key *key, const char *param, size_t bytes, const char *text, struct buf *out) {
    BIGNUM *bn = NULL;
    unsigned char raw[RSA_MAX_BYTES];
    if (EVP_PKEY_get_bn_param(key->pkey, param, &bn) != 1) return false;
    int n = BN_bn2binpad(bn, raw, bytes ? (int)bytes : BN_num_bytes(bn));
    BN_free(bn);
    if (n < 0) return false;
    buf_add_z(out, text);
    enc_base64url(out, (struct str){ (const char *)raw, (size_t)n });
    return true;
}

static bool add_rsa(const struct key *key, struct buf *out) {
    return add_number(key, OSSL_PKEY_PARAM_RSA_E, 0, "{\"e\":\"", out) &&
           add_number(key, OSSL_PKEY_PARAM_RSA_N, 0, "\",\"kty\":\"RSA\",\"n\":\"", out);
}

static bool add_ec(const struct key *key, struct buf *out) {
    size_t bytes = key_field_bytes(key->kind);
    buf_printf(out, "{\"crv\":\"P-%u\",\"kty\":\"EC\"", key->kind == KEY_P256 ? 256U : key->kind == KEY_P384 ? 384U : 521U);
    return add_number(key, OSSL_PKEY_PARAM_EC_PUB_X, bytes, ",\"x\":\"", out) &&
           add_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, bytes, "\",\"y\":\"", out);
}

static bool add_ed(const struct key *key, struct buf *out) {
    uint8_t raw[32];
    if (key_ed25519_public(key, raw, NULL)) return false;
    buf_add_z(out, "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"");
    enc_base64url(out, (struct str){ (const char *)raw, sizeof raw });
    return true;
}

enum code key_public_jwk(const struct key *key, struct buf *out, struct err *err) {
    bool ok = key->kind == KEY_RSA ? add_rsa(key, out) : key->kind == KEY_ED25519 ? add_ed(key, out) : add_ec(key, out);
    if (!ok) return key_openssl_err(err, INTERNAL, "cannot read the key");
    buf_add_z(out, "\"}");
    return buf_ok(out) ? OK : err_oom(err);
}

enum code key_thumbprint(const struct key *key, struct buf *out, struct err *err) {
    DEFER(buf_free) struct buf jwk = BUF_INIT(JWK_MAX);
    enum code rc = key_public_jwk(key, &jwk, err);
    if (rc) return rc;
    uint8_t digest[SHA256_BYTES];
    hash_sha256(buf_str(&jwk), digest);
    enc_base64url(out, (struct str){ (const char *)digest, sizeof digest });
    return buf_ok(out) ? OK : err_oom(err);
}
