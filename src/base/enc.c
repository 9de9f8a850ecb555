#include "base/enc.h"
#include <string.h>
#include "base/arena.h"

static const char std_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char hex_alphabet[] = "0123456789abcdef";

static void encode64(struct buf *out, struct str in, const char *alphabet, bool pad) {
    if (!in.n || !buf_reserve(out, (in.n + 2) / 3 * 4)) return;
    char *to = out->p + out->n;
    size_t i = 0;
    for (; i + 3 <= in.n; i += 3) {
        uint32_t v = (uint32_t)(unsigned char)in.p[i] << 16 | (uint32_t)(unsigned char)in.p[i + 1] << 8 |
                     (uint32_t)(unsigned char)in.p[i + 2];
        *to++ = alphabet[v >> 18];
        *to++ = alphabet[v >> 12 & 63];
        *to++ = alphabet[v >> 6 & 63];
        *to++ = alphabet[v & 63];
    }
    if (i < in.n) {
        uint32_t v = (uint32_t)(unsigned char)in.p[i] << 16;
        bool two = i + 1 < in.n;
        if (two) v |= (uint32_t)(unsigned char)in.p[i + 1] << 8;
        *to++ = alphabet[v >> 18];
        *to++ = alphabet[v >> 12 & 63];
        if (two) *to++ = alphabet[v >> 6 & 63];
        else if (pad) *to++ = '=';
        if (pad) *to++ = '=';
    }
    out->n = (size_t)(to - out->p);
}

void enc_base64(struct buf *out, struct str bytes) {
    encode64(out, bytes, std_alphabet, true);
}

void enc_base64url(struct buf *out, struct str bytes) {
    encode64(out, bytes, url_alphabet, false);
}

void enc_hex(struct buf *out, struct str bytes) {
    for (size_t i = 0; i < bytes.n; i++) {
        unsigned char c = (unsigned char)bytes.p[i];
        buf_add_char(out, hex_alphabet[c >> 4]);
        buf_add_char(out, hex_alphabet[c & 15]);
    }
}

enum { STANDARD, URL, EITHER }; /* which of the two last characters are taken */

/* Value + 1 of each character: what is not named is 0, which is none. */
#define DIGITS                                                                                                             \
    ['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10,         \
    ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19,            \
    ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,            \
    ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37,            \
    ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46,            \
    ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55,            \
    ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62

static const uint8_t sextets[][256] = {
    [STANDARD] = { DIGITS, ['+'] = 63, ['/'] = 64 },
    [URL] = { DIGITS, ['-'] = 63, ['_'] = 64 },
    [EITHER] = { DIGITS, ['+'] = 63, ['/'] = 64, ['-'] = 63, ['_'] = 64 },
};

/* One to four characters: their bits, the first highest. False: one of them is none of the alphabet's. */
static bool gather(const uint8_t sextet[256], const char *p, size_t n, uint32_t *ret) {
    uint32_t bits = 0;
    bool fine = true;
    for (size_t i = 0; i < n; i++) {
        uint32_t v = sextet[(unsigned char)p[i]];
        fine &= v != 0;
        bits = bits << 6 | ((v - 1) & 63);
    }
    *ret = bits;
    return fine;
}

/* `in` has no padding any more. */
static bool decode64(struct arena *arena, struct str in, unsigned alphabet, struct str *ret) {
    const uint8_t *sextet = sextets[alphabet];
    if (in.n % 4 == 1) return false;
    char *out = arena_alloc(arena, in.n / 4 * 3 + 3);
    if (!out) return false;
    uint32_t v;
    size_t n = 0, i = 0;
    for (; i + 4 <= in.n; i += 4) {
        if (!gather(sextet, in.p + i, 4, &v)) return false;
        out[n++] = (char)(unsigned char)(v >> 16);
        out[n++] = (char)(unsigned char)(v >> 8);
        out[n++] = (char)(unsigned char)v;
    }
    size_t left = in.n - i; /* 0, 2 or 3 */
    if (left) {
        unsigned unused = left == 2 ? 4 : 2;
        if (!gather(sextet, in.p + i, left, &v)) return false;
        if (v & ((1u << unused) - 1)) return false; /* trailing bits are set: two texts for one value */
        v >>= unused;
        if (left == 3) out[n++] = (char)(unsigned char)(v >> 8);
        out[n++] = (char)(unsigned char)v;
    }
    *ret = (struct str){ out, n };
    return true;
}

static struct str without_padding(struct str s) {
    for (unsigned i = 0; i < 2 && s.n && s.p[s.n - 1] == '='; i++) s.n--;
    return s;
}

bool dec_base64(struct arena *arena, struct str text, struct str *ret) {
    return text.n % 4 == 0 && decode64(arena, without_padding(text), STANDARD, ret);
}

bool dec_base64url(struct arena *arena, struct str text, struct str *ret) {
    return decode64(arena, text, URL, ret);
}

bool dec_base64_any(struct arena *arena, struct str text, struct str *ret) {
    struct str bare = without_padding(text);
    if (bare.n != text.n && text.n % 4 != 0) return false;
    return decode64(arena, bare, EITHER, ret);
}

static int nibble(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool dec_hex(struct arena *arena, struct str text, struct str *ret) {
    if (text.n % 2) return false;
    char *out = arena_alloc(arena, text.n / 2 + 1);
    if (!out) return false;
    for (size_t i = 0; i < text.n; i += 2) {
        int hi = nibble(text.p[i]), lo = nibble(text.p[i + 1]);
        if (hi < 0 || lo < 0) return false;
        out[i / 2] = (char)(unsigned char)(hi << 4 | lo);
    }
    *ret = (struct str){ out, text.n / 2 };
    return true;
}

bool utf8_next(struct str *rest, uint32_t *ret) {
    if (!rest->n) return false;
    unsigned char c = (unsigned char)rest->p[0];
    unsigned more = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 : c >= 0xe0 && c < 0xf0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : 9;
    if (more == 9 || rest->n <= more) return false;
    static const unsigned char lead_mask[] = { 0x7f, 0x1f, 0x0f, 0x07 };
    static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
    uint32_t v = c & lead_mask[more];
    for (unsigned i = 1; i <= more; i++) {
        unsigned char d = (unsigned char)rest->p[i];
        if ((d & 0xc0) != 0x80) return false;
        v = v << 6 | (d & 0x3fu);
    }
    if (v < least[more] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000)) return false;
    *rest = str_from(*rest, more + 1);
    *ret = v;
    return true;
}

bool utf8_valid(struct str s) {
    uint32_t v;
    while (s.n) {
        uint64_t eight;
        while (s.n >= 8 && (memcpy(&eight, s.p, 8), (eight & 0x8080808080808080u) == 0)) s.p += 8, s.n -= 8;
        while (s.n && (unsigned char)s.p[0] < 0x80) s.p++, s.n--;
        if (s.n && !utf8_next(&s, &v)) return false;
    }
    return true;
}

size_t utf8_put(uint32_t v, char out[4]) {
    if (v > 0x10ffff || (v >= 0xd800 && v < 0xe000)) return 0;
    unsigned more = v < 0x80 ? 0 : v < 0x800 ? 1 : v < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = { 0, 0xc0, 0xe0, 0xf0 };
    for (unsigned i = more; i > 0; i--, v >>= 6) out[i] = (char)(unsigned char)(0x80 | (v & 0x3f));
    out[0] = (char)(unsigned char)(lead[more] | v);
    return more + 1;
}

size_t utf8_length(struct str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}
