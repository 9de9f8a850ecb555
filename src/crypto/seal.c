#include "crypto/seal.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "crypto/evp.h"
#include "crypto/hash.h"
#include "crypto/random.h"

enum { SALT = 16, NONCE = 12, TAG = 16, TOKEN_MAX = (SALT + SEAL_MAX_BYTES + NONCE + TAG) * 4 / 3 + 4 };

struct sealer {
    uint8_t key[SEAL_KEY_BYTES];  /* that it seals with */
    uint8_t root[SEAL_KEY_BYTES]; /* salted: of which the keys of all such sealers are made */
    uint8_t salt[SALT];
    size_t n_salt; /* SALT or 0 */
};

struct sealer *sealer_new(const uint8_t key[SEAL_KEY_BYTES]) {
    struct sealer *sealer = calloc(1, sizeof *sealer);
    if (sealer) memcpy(sealer->key, key, SEAL_KEY_BYTES);
    return sealer;
}

struct sealer *sealer_new_random(void) {
    struct sealer *sealer = calloc(1, sizeof *sealer);
    if (sealer) random_bytes(sealer->key, SEAL_KEY_BYTES);
    return sealer;
}

static void derive(const struct sealer *sealer, const uint8_t salt[SALT], uint8_t ret_key[SEAL_KEY_BYTES]) {
    static const char purpose[] = "linkspan seal 1";
    char bytes[sizeof purpose + SALT];
    memcpy(bytes, purpose, sizeof purpose);
    memcpy(bytes + sizeof purpose, salt, SALT);
    hash_hmac_sha256((struct str){ (const char *)sealer->root, SEAL_KEY_BYTES }, (struct str){ bytes, sizeof bytes },
                     ret_key);
}

struct sealer *sealer_new_salted(const uint8_t key[SEAL_KEY_BYTES]) {
    struct sealer *sealer = calloc(1, sizeof *sealer);
    if (!sealer) return NULL;
    memcpy(sealer->root, key, SEAL_KEY_BYTES);
    random_bytes(sealer->salt, SALT);
    sealer->n_salt = SALT;
    derive(sealer, sealer->salt, sealer->key);
    return sealer;
}

void sealer_free(struct sealer *sealer) {
    if (sealer) OPENSSL_cleanse(sealer, sizeof *sealer);
    free(sealer);
}

static const unsigned char *bytes_of(struct str s) {
    return (const unsigned char *)(s.p ? s.p : "");
}

/* `to` has room for in.n bytes; `tag` is written when sealing and checked when opening. */
static bool gcm(const uint8_t key[SEAL_KEY_BYTES], bool sealing, const uint8_t *nonce, struct str in, struct str additional,
                uint8_t *to, uint8_t *tag) {
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;
    bool ok = ctx && EVP_CipherInit_ex2(ctx, evp_aes256_gcm(), key, nonce, sealing, NULL) == 1 &&
              (additional.n == 0 || EVP_CipherUpdate(ctx, NULL, &n, bytes_of(additional), (int)additional.n) == 1) &&
              (in.n == 0 || EVP_CipherUpdate(ctx, to, &n, bytes_of(in), (int)in.n) == 1) &&
              (sealing || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1) &&
              EVP_CipherFinal_ex(ctx, to + in.n, &n) == 1 &&
              (!sealing || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, tag) == 1);
    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

enum code seal(const struct sealer *sealer, struct str plain, struct str additional, struct buf *out, struct err *err) {
    if (plain.n > SEAL_MAX_BYTES || additional.n > SEAL_MAX_BYTES)
        return err_set(err, INVALID_ARGUMENT, "too long to be sealed");
    DEFER(buf_wipe) struct buf raw = BUF_INIT(SALT + SEAL_MAX_BYTES + NONCE + TAG + 1);
    if (!buf_reserve(&raw, SALT + NONCE + plain.n + TAG + 1)) return err_oom(err);
    uint8_t *p = (uint8_t *)raw.p + sealer->n_salt;
    memcpy(raw.p, sealer->salt, sealer->n_salt);
    random_bytes(p, NONCE);
    if (!gcm(sealer->key, true, p, plain, additional, p + NONCE, p + NONCE + plain.n))
        return err_set(err, INTERNAL, "sealing failed");
    raw.n = sealer->n_salt + NONCE + plain.n + TAG;
    enc_base64url(out, buf_str(&raw));
    return buf_ok(out) ? OK : err_oom(err);
}

/* The key that a text with this salt was sealed with: another start's must be made anew. */
static void key_for(const struct sealer *sealer, const uint8_t *salt, uint8_t ret[SEAL_KEY_BYTES]) {
    if (memcmp(salt, sealer->salt, sealer->n_salt) == 0) memcpy(ret, sealer->key, SEAL_KEY_BYTES);
    else derive(sealer, salt, ret);
}

enum code unseal(const struct sealer *sealer, struct str token, struct str additional, struct arena *arena,
                 struct str *ret_plain, struct err *err) {
    struct str raw;
    if (token.n > TOKEN_MAX || additional.n > SEAL_MAX_BYTES || !dec_base64url(arena, token, &raw) ||
        raw.n < sealer->n_salt + NONCE + TAG)
        return err_set(err, INVALID_ARGUMENT, "not a handle of this server");
    const uint8_t *nonce = (const uint8_t *)raw.p + sealer->n_salt;
    struct str cipher = { (const char *)nonce + NONCE, raw.n - sealer->n_salt - NONCE - TAG };
    uint8_t tag[TAG], key[SEAL_KEY_BYTES];
    memcpy(tag, raw.p + raw.n - TAG, TAG);
    uint8_t *plain = arena_alloc(arena, cipher.n + 1);
    if (!plain) return err_oom(err);
    key_for(sealer, (const uint8_t *)raw.p, key);
    bool opened = gcm(key, false, nonce, cipher, additional, plain, tag);
    OPENSSL_cleanse(key, sizeof key);
    if (!opened) {
        OPENSSL_cleanse(plain, cipher.n + 1); /* what was decrypted before the tag failed */
        return err_set(err, INVALID_ARGUMENT, "not a handle of this server");
    }
    *ret_plain = (struct str){ (const char *)plain, cipher.n };
    return OK;
}
