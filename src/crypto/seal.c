#include "crypto/seal.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "crypto/evp.h"
#include "crypto/random.h"

enum { NONCE = 12, TAG = 16, TOKEN_MAX = (SEAL_MAX_BYTES + NONCE + TAG) * 4 / 3 + 4 };

struct sealer {
    uint8_t key[SEAL_KEY_BYTES];
};

struct sealer *sealer_new(const uint8_t key[SEAL_KEY_BYTES]) {
    struct sealer *sealer = malloc(sizeof *sealer);
    if (sealer) memcpy(sealer->key, key, SEAL_KEY_BYTES);
    return sealer;
}

struct sealer *sealer_new_random(void) {
    struct sealer *sealer = malloc(sizeof *sealer);
    if (sealer) random_bytes(sealer->key, SEAL_KEY_BYTES);
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
static bool gcm(const struct sealer *sealer, bool sealing, const uint8_t *nonce, struct str in, struct str additional,
                uint8_t *to, uint8_t *tag) {
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;
    bool ok = ctx && EVP_CipherInit_ex2(ctx, evp_aes256_gcm(), sealer->key, nonce, sealing, NULL) == 1 &&
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
    DEFER(buf_wipe) struct buf raw = BUF_INIT(SEAL_MAX_BYTES + NONCE + TAG + 1);
    if (!buf_reserve(&raw, NONCE + plain.n + TAG + 1)) return err_oom(err);
    uint8_t *p = (uint8_t *)raw.p;
    random_bytes(p, NONCE);
    if (!gcm(sealer, true, p, plain, additional, p + NONCE, p + NONCE + plain.n))
        return err_set(err, INTERNAL, "sealing failed");
    raw.n = NONCE + plain.n + TAG;
    enc_base64url(out, buf_str(&raw));
    return buf_ok(out) ? OK : err_oom(err);
}

enum code unseal(const struct sealer *sealer, struct str token, struct str additional, struct arena *arena,
                 struct str *ret_plain, struct err *err) {
    struct str raw;
    if (token.n > TOKEN_MAX || additional.n > SEAL_MAX_BYTES || !dec_base64url(arena, token, &raw) || raw.n < NONCE + TAG)
        return err_set(err, INVALID_ARGUMENT, "not a handle of this server");
    struct str cipher = { raw.p + NONCE, raw.n - NONCE - TAG };
    uint8_t tag[TAG];
    memcpy(tag, raw.p + raw.n - TAG, TAG);
    uint8_t *plain = arena_alloc(arena, cipher.n + 1);
    if (!plain) return err_oom(err);
    if (!gcm(sealer, false, (const uint8_t *)raw.p, cipher, additional, plain, tag)) {
        OPENSSL_cleanse(plain, cipher.n + 1); /* what was decrypted before the tag failed */
        return err_set(err, INVALID_ARGUMENT, "not a handle of this server");
    }
    *ret_plain = (struct str){ (const char *)plain, cipher.n };
    return OK;
}
