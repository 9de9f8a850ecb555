/* sign.h: signatures, as JOSE names and shapes them. Any thread.
 *
 * ECDSA signatures are r || s, each as long as the curve's order: the length is checked before anything is converted. HMAC
 * is not here on purpose: no key of a verifier is ever a shared secret. RFC 7518 §3, RFC 8037 §3.1. */
#pragma once
#include "crypto/key.h"

enum sig_alg {
    SIG_NONE,
    SIG_RS256,
    SIG_RS384,
    SIG_RS512,
    SIG_PS256,
    SIG_PS384,
    SIG_PS512,
    SIG_ES256,
    SIG_ES384,
    SIG_ES512,
    SIG_EDDSA,
    SIG_COUNT
};

const char *sig_alg_name(enum sig_alg alg);                 /* "RS256"; "" for SIG_NONE */
bool sig_alg_from_name(struct str name, enum sig_alg *ret); /* byte-exact; false for all others, "none" and HS256 too */
bool sig_alg_fits(enum sig_alg alg, const struct key *key); /* the kind of key that this algorithm takes */
enum sig_alg sig_alg_default(const struct key *key);        /* RS256, ES256, ES384, ES512, EdDSA */

/* True only when the signature verifies; every other outcome is false. */
MUST_USE bool sign_verify(const struct key *key, enum sig_alg alg, struct str message, struct str signature);

enum { SIGNATURE_MAX = 1024 }; /* RSA-8192 */
/* Signs; FAILED_PRECONDITION when the key is public or of another kind. */
MUST_USE enum code sign_make(const struct key *key, enum sig_alg alg, struct str message,
                             uint8_t ret_signature[SIGNATURE_MAX], size_t *ret_n, struct err *err);
