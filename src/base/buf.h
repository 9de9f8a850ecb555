/* buf.h: a growing byte buffer that demands its maximum at creation.
 *
 * Once a write does not fit (or memory is short) the buffer is *failed*: later writes do nothing and buf_ok is false,
 * so a writer checks once, at its end. One thread at a time. The owner calls buf_free (DEFER(buf_free)). */
#pragma once
#include <stdarg.h>
#include <string.h>
#include "base/attr.h"
#include "base/str.h"

struct buf {
    char *p;
    size_t n, cap, max;
    bool failed;
};

#define BUF_INIT(max_bytes)                                                                                                \
    { .max = (max_bytes) }

void buf_free(struct buf *b);  /* frees the memory; the buffer may be used again, with the same maximum */
void buf_wipe(struct buf *b);  /* the same, and wipes what it held: for secrets */
void buf_clear(struct buf *b); /* n = 0, keeps the memory, not failed any more */
bool buf_ok(const struct buf *b);
struct str buf_str(const struct buf *b);
bool buf_reserve(struct buf *b, size_t more); /* room for `more` bytes after n; false = failed */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list args) PRINTF_LIKE(2, 0);
void buf_add_numbered(struct buf *b, const char *name, uint64_t number); /* "t" and 5: t5; without printf */

/* Inline, as encoders append a few bytes at a time: the buffer is asked only when it is nearly full. */
static inline void buf_add(struct buf *b, const void *p, size_t n) {
    bool fits = !b->failed && b->cap - b->n >= n;
    if (n == 0 || (!fits && !buf_reserve(b, n))) return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

static inline void buf_add_str(struct buf *b, struct str s) {
    buf_add(b, s.p, s.n);
}

static inline void buf_add_z(struct buf *b, const char *z) {
    if (z) buf_add(b, z, strlen(z));
}

static inline void buf_add_char(struct buf *b, char c) {
    buf_add(b, &c, 1);
}

void buf_consume(struct buf *b, size_t n); /* drops the first n bytes; moves the rest */
