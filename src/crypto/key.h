/* key.h: asymmetric keys: made, loaded, stored, and as JWK.
 *
 * A key is immutable and counted by reference; any thread may use it at once. Private parts are wiped by OpenSSL when the
 * last reference goes. Limits: RSA 2048..8192 bits with an odd exponent 3..2^32-1 and no ROCA fingerprint; P-256, P-384,
 * P-521; Ed25519. RFC 7517, 7518 §6, 8037. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum key_kind { KEY_RSA, KEY_P256, KEY_P384, KEY_P521, KEY_ED25519, KEY_KIND_COUNT };

struct key;

/* RSA makes 2048 bits. */
MUST_USE enum code key_generate(enum key_kind kind, struct key **ret, struct err *err);
struct key *key_ref(struct key *key);
struct key *key_unref(struct key *key); /* NULL is fine; returns NULL */
void key_unrefp(struct key **key);      /* for DEFER */
enum key_kind key_kind(const struct key *key);
bool key_is_private(const struct key *key);

/* PEM, PKCS #8, not encrypted, mode 0600 in a file. Loading refuses a file that others may read (FAILED_PRECONDITION). */
MUST_USE enum code key_load(const char *path, struct key **ret, struct err *err);
MUST_USE enum code key_store(const struct key *key, const char *path, struct err *err);
MUST_USE enum code key_from_pem(struct str pem, struct key **ret, struct err *err);
MUST_USE enum code key_to_pem(const struct key *key, struct buf *out, struct err *err);
MUST_USE enum code key_public_pem(const struct key *key, struct buf *out, struct err *err); /* SubjectPublicKeyInfo */

/* Public keys from their numbers (big-endian bytes, as a JWK holds them). INVALID_ARGUMENT for what the limits refuse. */
MUST_USE enum code key_from_rsa(struct str n, struct str e, struct key **ret, struct err *err);
MUST_USE enum code key_from_ec(enum key_kind curve, struct str x, struct str y, struct key **ret, struct err *err);
MUST_USE enum code key_from_ed25519(struct str x, struct key **ret, struct err *err);
/* The 32-byte seed of RFC 8032: what a private Ed25519 key is stored as elsewhere. */
MUST_USE enum code key_from_ed25519_seed(struct str seed, struct key **ret, struct err *err);
MUST_USE enum code key_ed25519_public(const struct key *key, uint8_t ret_public[32], struct err *err);

/* The public members only, in RFC 7638's canonical order: {"crv":…,"kty":…,"x":…,"y":…}. */
MUST_USE enum code key_public_jwk(const struct key *key, struct buf *out, struct err *err);
/* base64url of SHA-256 of the canonical form. RFC 7638. */
MUST_USE enum code key_thumbprint(const struct key *key, struct buf *out, struct err *err);
