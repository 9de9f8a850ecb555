/* jws_make.h: signed tokens and the key set of one key: what all issuers of ours share. Any thread.
 *
 * The algorithm is the key's default (RS256, ES256). Limit: JWS_MAKE_MAX bytes a token. RFC 7515 §3.1, RFC 7517 §5. */
#pragma once
#include "crypto/key.h"

enum { JWS_MAKE_MAX = 12288, JWS_KID_MAX = 64 };

/* {"alg":…,"kid":kid,"typ":typ} and the claims, signed; added to `out`. RESOURCE_EXHAUSTED when it would be too long. What
 * is made on the way is wiped; `out` is the caller's to wipe. */
MUST_USE enum code jws_make(const struct key *key, const char *kid, const char *typ, struct str claims, struct buf *out,
                            struct err *err);
/* {"keys":[…]} with the public members, `use` and `kid`; `alg` too when asked (Entra publishes its keys without). */
MUST_USE enum code jws_key_set(const struct key *key, const char *kid, bool with_alg, struct buf *out, struct err *err);
/* The kid by which our keys go: RFC 7638's thumbprint, NUL-terminated. */
MUST_USE enum code jws_kid(const struct key *key, char ret_kid[JWS_KID_MAX + 1], struct err *err);
