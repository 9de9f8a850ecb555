/* seal.h: sealed text that clients carry and cannot read, change or guess (handles, page tokens): AES-256-GCM, as
 * base64url.
 *
 * The additional data binds a token to its kind and owner: opened with other additional data it is refused. One key seals
 * at most 2^32 texts (random 96-bit nonces, NIST SP 800-38D §8.3): where many are sealed, make a new sealer per process
 * start, or one with a salt. Any thread. The keys are wiped when the sealer is freed. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { SEAL_KEY_BYTES = 32, SEAL_MAX_BYTES = 64 << 10 };

struct sealer;

struct sealer *sealer_new_random(void);                       /* NULL when out of memory */
struct sealer *sealer_new(const uint8_t key[SEAL_KEY_BYTES]); /* copies the key */
/* Seals with a key of its own, made of this one and a random salt that goes along: so the limit is a sealer's, not the
 * key's. Opens what any such sealer of the same key sealed, and nothing of sealer_new's. */
struct sealer *sealer_new_salted(const uint8_t key[SEAL_KEY_BYTES]);
/* `make` (one of the above) with a key that is kept in a file of the folder (0600), made when there is none: what it seals
 * outlives a restart. Blocks. FAILED_PRECONDITION: the file is no key. */
MUST_USE enum code sealer_open_file(const char *folder, const char *file,
                                    struct sealer *(*make)(const uint8_t key[SEAL_KEY_BYTES]), struct sealer **ret,
                                    struct err *err);
void sealer_free(struct sealer *sealer); /* NULL is fine */

/* Adds base64url(nonce || ciphertext || tag). INVALID_ARGUMENT above SEAL_MAX_BYTES. */
MUST_USE enum code seal(const struct sealer *sealer, struct str plain, struct str additional, struct buf *out,
                        struct err *err);
/* INVALID_ARGUMENT for whatever this sealer did not make with this additional data. */
MUST_USE enum code unseal(const struct sealer *sealer, struct str token, struct str additional, struct arena *arena,
                          struct str *ret_plain, struct err *err);
