/* uuid.h: UUIDs of version 4. Any thread. RFC 9562 §5.4. */
#pragma once
#include <stdint.h>

enum { UUID_LENGTH = 36 };

/* Made of 16 unpredictable bytes: lower case, with its NUL. */
void uuid_of_random(const uint8_t bytes[16], char out[UUID_LENGTH + 1]);
