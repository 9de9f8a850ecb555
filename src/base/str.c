#include "base/str.h"
#include <string.h>
#include "base/arena.h"

struct str str_z(const char *z) {
    return z ? (struct str){ z, strlen(z) } : (struct str){ NULL, 0 };
}

bool str_eq(struct str a, struct str b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_eq_z(struct str a, const char *z) {
    return str_eq(a, str_z(z));
}

static unsigned char lower(char c) {
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool str_eq_nocase(struct str a, struct str b) {
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i])) return false;
    return true;
}

int str_cmp(struct str a, struct str b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    if (c) return c;
    return a.n < b.n ? -1 : a.n > b.n;
}

bool str_starts(struct str s, struct str prefix) {
    return s.n >= prefix.n && str_eq(str_upto(s, prefix.n), prefix);
}

bool str_ends(struct str s, struct str suffix) {
    return s.n >= suffix.n && str_eq(str_from(s, s.n - suffix.n), suffix);
}

bool str_strip_prefix(struct str *s, struct str prefix) {
    if (!str_starts(*s, prefix)) return false;
    *s = str_from(*s, prefix.n);
    return true;
}

bool str_strip_suffix(struct str *s, struct str suffix) {
    if (!str_ends(*s, suffix)) return false;
    s->n -= suffix.n;
    return true;
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s) {
    while (s.n && is_space(s.p[0])) s.p++, s.n--;
    while (s.n && is_space(s.p[s.n - 1])) s.n--;
    return s;
}

struct str str_from(struct str s, size_t at) {
    if (at >= s.n) return (struct str){ NULL, 0 };
    return (struct str){ s.p + at, s.n - at };
}

struct str str_upto(struct str s, size_t n) {
    if (n < s.n) s.n = n;
    return s;
}

ptrdiff_t str_find_char(struct str s, char c) {
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? at - s.p : -1;
}

ptrdiff_t str_find(struct str s, struct str what) {
    if (what.n == 0) return 0;
    const char *at = s.n >= what.n ? memmem(s.p, s.n, what.p, what.n) : NULL;
    return at ? at - s.p : -1;
}

struct str str_cut(struct str *rest, char sep) {
    ptrdiff_t at = str_find_char(*rest, sep);
    struct str head = *rest;
    if (at < 0) {
        *rest = (struct str){ NULL, 0 };
        return head;
    }
    head.n = (size_t)at;
    *rest = str_from(*rest, (size_t)at + 1);
    return head;
}

bool str_u64(struct str s, uint64_t *ret) {
    uint64_t v = 0;
    if (s.n == 0 || s.n > 20) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v)) return false;
    }
    *ret = v;
    return true;
}

bool str_i64(struct str s, int64_t *ret) {
    bool negative = str_strip_prefix(&s, STR("-"));
    uint64_t v;
    if (!str_u64(s, &v)) return false;
    if (v > (uint64_t)INT64_MAX + (negative ? 1u : 0u)) return false;
    *ret = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

bool str_eq_secret(struct str a, struct str b) {
    if (a.n != b.n) return false;
    unsigned char diff = 0;
    for (size_t i = 0; i < a.n; i++) {
        diff |= (unsigned char)(a.p[i] ^ b.p[i]);
        __asm__ volatile("" : "+r"(diff)); /* keeps the compiler from leaving early */
    }
    return diff == 0;
}

struct str str_dup(struct arena *arena, struct str s) {
    char *p = str_dupz(arena, s);
    return (struct str){ p, p ? s.n : 0 };
}

char *str_dupz(struct arena *arena, struct str s) {
    char *p = arena_alloc(arena, s.n + 1);
    if (!p) return NULL;
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

struct str str_join(struct arena *arena, const struct str *parts, size_t n) {
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) bytes += parts[i].n;
    char *p = arena_alloc(arena, bytes + 1), *at = p;
    if (!p) return (struct str){ NULL, 0 };
    for (size_t i = 0; i < n; at += parts[i++].n)
        if (parts[i].n) memcpy(at, parts[i].p, parts[i].n);
    *at = '\0';
    return (struct str){ p, bytes };
}

uint64_t str_hash(struct str s) {
    uint64_t h = 1469598103934665603u; /* FNV-1a */
    for (size_t i = 0; i < s.n; i++) h = (h ^ (unsigned char)s.p[i]) * 1099511628211u;
    return h ^ (h >> 29);
}
