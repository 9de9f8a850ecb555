/* id.h: request ids: 26 characters of Crockford's base 32: 48 bits of milliseconds, then 80 random bits (a ULID): unique,
 * sorts by time, safe in URLs. Any thread. */
#pragma once
#include "base/str.h"

enum { ID_LENGTH = 26 };

void id_new(char out[ID_LENGTH + 1]);
/* At most 64 bytes to tell things apart by: no secrets, as they are fetched in advance. */
void id_random(void *out, size_t n);
