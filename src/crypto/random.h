/* random.h: unpredictable bytes from OpenSSL's generator. Any thread.
 *
 * A machine that cannot give randomness cannot run this program safely: the functions abort rather than return less. */
#pragma once
#include "base/buf.h"

void random_bytes(void *out, size_t n);
/* Adds `n_bytes` of randomness as base64url text (n_bytes <= 64). */
void random_text(struct buf *out, size_t n_bytes);
