#include "base/buf.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/decimal.h"

void buf_free(struct buf *b) {
    free(b->p);
    *b = (struct buf)BUF_INIT(b->max);
}

void buf_wipe(struct buf *b) {
    if (b->p) explicit_bzero(b->p, b->cap);
    buf_free(b);
}

void buf_clear(struct buf *b) {
    b->n = 0;
    b->failed = false;
}

bool buf_ok(const struct buf *b) {
    return !b->failed;
}

struct str buf_str(const struct buf *b) {
    return (struct str){ b->p, b->n };
}

bool buf_reserve(struct buf *b, size_t more) {
    if (b->failed) return false;
    if (more <= b->cap - b->n) return true;
    b->failed = true; /* until shown otherwise */
    if (more > b->max || b->n > b->max - more || arena_should_fail()) return false;
    size_t cap = b->cap ? b->cap : 256;
    while (cap < b->n + more) cap *= 2;
    if (cap > b->max) cap = b->max;
    char *p = realloc(b->p, cap);
    if (!p) return false;
    b->p = p;
    b->cap = cap;
    b->failed = false;
    return true;
}

void buf_vprintf(struct buf *b, const char *fmt, va_list args) {
    if (b->failed) return;
    va_list again;
    va_copy(again, args);
    size_t room = b->cap - b->n; /* mostly it fits: one pass instead of two */
    int n = vsnprintf(room ? b->p + b->n : NULL, room, fmt, args);
    if (n < 0) b->failed = true;
    else if ((size_t)n < room) b->n += (size_t)n;
    else if (buf_reserve(b, (size_t)n + 1)) {
        (void)vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    buf_vprintf(b, fmt, args);
    va_end(args);
}

void buf_add_numbered(struct buf *b, const char *name, uint64_t number) {
    char text[DECIMAL_MAX];
    buf_add_z(b, name);
    buf_add(b, text, decimal_u64(number, text));
}

void buf_consume(struct buf *b, size_t n) {
    if (n >= b->n) {
        b->n = 0;
        return;
    }
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}
