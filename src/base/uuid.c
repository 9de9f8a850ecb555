#include "base/uuid.h"

void uuid_of_random(const uint8_t bytes[16], char out[UUID_LENGTH + 1]) {
    static const char hex[] = "0123456789abcdef";
    char *at = out;
    for (unsigned i = 0; i < 16; i++) {
        unsigned byte = bytes[i];
        if (i == 6) byte = (byte & 0x0f) | 0x40; /* the version */
        if (i == 8) byte = (byte & 0x3f) | 0x80; /* the variant */
        if (i == 4 || i == 6 || i == 8 || i == 10) *at++ = '-';
        *at++ = hex[byte >> 4];
        *at++ = hex[byte & 15];
    }
    *at = 0;
}
