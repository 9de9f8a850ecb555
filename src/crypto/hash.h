/* hash.h: SHA-256, -384, -512 and HMAC-SHA-256 (FIPS 180-4, RFC 2104). Any thread; a `struct hash` is one thread's.
 *
 * The digests are fetched from OpenSSL once. When it cannot digest at all (no memory for its context) the functions abort:
 * to go on with a wrong digest would be worse than to stop. */
#pragma once
#include "base/str.h"

enum { SHA256_BYTES = 32, HASH_MAX_BYTES = 64 };

void hash_sha256(struct str bytes, uint8_t ret_digest[SHA256_BYTES]);
void hash_sha256_2(struct str first, struct str second,
                   uint8_t ret_digest[SHA256_BYTES]); /* of both, one after the other */
void hash_sha256_n(const struct str *parts, unsigned n, uint8_t ret_digest[SHA256_BYTES]);
void hash_hmac_sha256(struct str key, struct str bytes, uint8_t ret_mac[SHA256_BYTES]);

/* `bits` is 256, 384 or 512; returns the digest's length in bytes. */
size_t hash_sha2(unsigned bits, struct str bytes, uint8_t ret_digest[HASH_MAX_BYTES]);

/* SHA-256 of what comes in pieces. */
struct hash;
struct hash *hash_new(void);
void hash_add(struct hash *h, struct str bytes);
void hash_end(struct hash *h, uint8_t ret_digest[SHA256_BYTES]); /* and starts over */
void hash_free(struct hash *h);                                  /* NULL is fine */
void hash_freep(struct hash **h);                                /* for DEFER */
