#include "wire/pb/pb_read.h"

/* Overlong forms are legal as far as ten bytes; the tenth may hold the 64th bit only. */
bool pb_read_varint_slow(struct pb_reader *r, uint64_t *ret) {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70 && r->p < r->end; shift += 7) {
        const uint8_t byte = *r->p++;
        if (shift == 63 && byte > 1) break;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = v;
            return true;
        }
    }
    return !(r->bad = true);
}
