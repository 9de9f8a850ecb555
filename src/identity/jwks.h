/* jwks.h: the signing keys of one issuer.
 *
 * A key set is immutable once parsed; a reload makes a new one and swaps the pointer (docs/identity.md). Any thread may
 * look up. Each key is bound to exactly one algorithm: its `alg`, or its kind's default (RS256, ES256, ES384, ES512,
 * EdDSA). Limits: 1 MiB of JSON, 64 keys, RSA 2048..8192, P-256, P-384, P-521, Ed25519. RFC 7517, RFC 7518 §6, RFC 8037. */
#pragma once
#include <jansson.h>

#include "crypto/sign.h"

enum { JWKS_MAX_BYTES = 1 << 20, JWKS_MAX_KEYS = 64, JWKS_MAX_KID = 256 };

struct jwks;
struct jwks_key;

/* Parses a key set. Keys that may not sign (use=enc, unknown kty, too short, private or shared secrets) are skipped and
 * counted in ret_skipped (NULL is fine), as are those that share a kid. A set without any is one, too: an issuer may
 * withdraw all that it had. INVALID_ARGUMENT when the document is no key set. */
MUST_USE enum code jwks_parse(struct str json, struct jwks **ret_set, unsigned *ret_skipped, struct err *err);
struct jwks *jwks_ref(struct jwks *set);
struct jwks *jwks_unref(struct jwks *set);                   /* NULL is fine; returns NULL */
void jwks_unrefp(struct jwks **set);                         /* for DEFER */
size_t jwks_count(const struct jwks *set);                   /* of those that may verify */
bool jwks_equal(const struct jwks *a, const struct jwks *b); /* made from the same text */

/* The one key that may have signed with this id and algorithm, or NULL. An absent kid (has_kid false) finds a key only when
 * exactly one is usable for the algorithm. */
const struct jwks_key *jwks_find(const struct jwks *set, bool has_kid, struct str kid, enum sig_alg alg);
/* True when the key made this signature, by its own algorithm. False also for a NULL key. */
MUST_USE bool jwks_key_verify(const struct jwks_key *key, struct str message, struct str signature);
