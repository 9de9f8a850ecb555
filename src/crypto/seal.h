/* seal.h: sealed text that clients carry and cannot read, change or guess (handles, page tokens): AES-256-GCM, as
 * base64url.
 *
 * The additional data binds a token to its kind and owner: opened with other additional data it is refused. One key seals
 * at most 2^32 texts (random 96-bit nonces, NIST SP 800-38D §8.3); make a new sealer per process start. Any thread. The key
 * is wiped when the sealer is freed. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { SEAL_KEY_BYTES = 32, SEAL_MAX_BYTES = 64 << 10 };

struct sealer;

struct sealer *sealer_new_random(void);                       /* NULL when out of memory */
struct sealer *sealer_new(const uint8_t key[SEAL_KEY_BYTES]); /* copies the key */
void sealer_free(struct sealer *sealer);                      /* NULL is fine */

/* Adds base64url(nonce || ciphertext || tag). INVALID_ARGUMENT above SEAL_MAX_BYTES. */
MUST_USE enum code seal(const struct sealer *sealer, struct str plain, struct str additional, struct buf *out,
                        struct err *err);
/* INVALID_ARGUMENT for whatever this sealer did not make with this additional data. */
MUST_USE enum code unseal(const struct sealer *sealer, struct str token, struct str additional, struct arena *arena,
                          struct str *ret_plain, struct err *err);
