#include "base/decimal.h"
#include <string.h>

void decimal_fixed(uint64_t v, unsigned digits, char *out) {
    while (digits--) {
        out[digits] = (char)('0' + v % 10);
        v /= 10;
    }
}

size_t decimal_u64(uint64_t v, char *out) {
    char text[DECIMAL_MAX];
    size_t at = sizeof text;
    do text[--at] = (char)('0' + v % 10);
    while (v /= 10);
    memcpy(out, text + at, sizeof text - at);
    return sizeof text - at;
}

size_t decimal_i64(int64_t v, char *out) {
    if (v >= 0) return decimal_u64((uint64_t)v, out);
    out[0] = '-';
    return 1 + decimal_u64(0 - (uint64_t)v, out + 1); /* at most 19 digits: there is room */
}
