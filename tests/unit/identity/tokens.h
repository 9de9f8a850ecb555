/* tokens.h: what the identity tests share: keys made once, tokens signed from JSON text. */
#pragma once
#include "test.h"

#include <stdlib.h>

#include "base/enc.h"
#include "base/json_text.h"
#include "crypto/hash.h"
#include "crypto/sign.h"
#include "identity/jwt.h"
#include "identity/mint.h"

enum { NOW = 1800000000 };
#define ISS "https://id.corp.example"
#define AUD "linkspan"
#define OWN "https://linkspan.example"

/* header.payload of these texts. */
static inline struct str unsigned_token(struct arena *arena, struct str header, struct str payload) {
    struct buf b = BUF_INIT(1 << 20);
    enc_base64url(&b, header);
    buf_add_char(&b, '.');
    enc_base64url(&b, payload);
    struct str s = str_dup(arena, buf_str(&b));
    assert_non_null(s.p);
    buf_free(&b);
    return s;
}

static inline struct str with_signature(struct arena *arena, struct str text, const void *sig, size_t n) {
    struct buf b = BUF_INIT(1 << 20);
    buf_add_str(&b, text);
    buf_add_char(&b, '.');
    enc_base64url(&b, (struct str){ sig, n });
    struct str s = str_dup(arena, buf_str(&b));
    buf_free(&b);
    return s;
}

static inline struct str signed_token(struct arena *arena, const struct key *key, enum sig_alg alg, struct str header,
                                      struct str payload) {
    struct err err = { 0 };
    uint8_t sig[SIGNATURE_MAX];
    size_t n;
    struct str text = unsigned_token(arena, header, payload);
    assert_int_equal(sign_make(key, alg, text, sig, &n, &err), OK);
    return with_signature(arena, text, sig, n);
}

/* {"keys":[{"kid":KID,<extra><public members>}]} */
static inline struct str key_set(struct arena *arena, const struct key *key, const char *kid, const char *extra) {
    struct err err = { 0 };
    struct buf b = BUF_INIT(8192), jwk = BUF_INIT(4096);
    assert_int_equal(key_public_jwk(key, &jwk, &err), OK);
    buf_printf(&b, "{\"keys\":[{\"kid\":\"%s\",%s", kid, extra);
    buf_add_str(&b, str_from(buf_str(&jwk), 1));
    buf_add_z(&b, "]}");
    struct str s = str_dup(arena, buf_str(&b));
    buf_free(&b);
    buf_free(&jwk);
    return s;
}

static inline struct key *made_key(enum key_kind kind) {
    struct err err = { 0 };
    struct key *key = NULL;
    assert_int_equal(key_generate(kind, &key, &err), OK);
    return key;
}

/* Claims that hold, with `more` (",\"x\":1") after them. */
static inline struct str claims_text(struct arena *arena, const char *more) {
    return arena_printf(arena, "{\"iss\":\"" ISS "\",\"aud\":\"" AUD "\",\"sub\":\"alice\",\"iat\":%d,\"exp\":%d%s}",
                        NOW - 10, NOW + 3600, more);
}
