#include "pipeline/expr_utf16.h"

#include <utf8proc.h>

#include "base/enc.h"

size_t utf16_length(struct str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        n += (c & 0xc0) == 0x80 ? 0 : c >= 0xf0 ? 2 : 1; /* four bytes are two units */
    }
    return n;
}

bool utf16_offset(struct str s, uint64_t units, size_t *ret_byte) {
    struct str rest = s;
    uint32_t c;
    uint64_t at = 0;
    while (at < units && utf8_next(&rest, &c)) at += c > 0xffff ? 2 : 1;
    if (at != units) return false;
    *ret_byte = s.n - rest.n;
    return true;
}

static void map_all(struct str s, struct buf *out, utf8proc_int32_t (*map)(utf8proc_int32_t)) {
    uint32_t c;
    char bytes[4];
    while (utf8_next(&s, &c)) buf_add(out, bytes, utf8_put((uint32_t)map((utf8proc_int32_t)c), bytes));
}

void utf8_lower(struct str s, struct buf *out) {
    map_all(s, out, utf8proc_tolower);
}

void utf8_upper(struct str s, struct buf *out) {
    map_all(s, out, utf8proc_toupper);
}

static bool is_space(uint32_t c) {
    if (c <= 0x20) return c == ' ' || (c >= '\t' && c <= '\r');
    if (c == 0x85) return true;
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

struct str utf8_trim(struct str s) {
    struct str rest = s;
    uint32_t c;
    size_t end = 0, start = s.n;
    while (rest.n) {
        size_t at = s.n - rest.n;
        if (!utf8_next(&rest, &c)) return s;
        if (is_space(c)) continue;
        if (start == s.n) start = at;
        end = s.n - rest.n;
    }
    return start < end ? (struct str){ s.p + start, end - start } : (struct str){ 0 };
}
