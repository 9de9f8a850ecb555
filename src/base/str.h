/* str.h: slices of bytes, by value.
 *
 * A `struct str` never owns what it points at, and is not NUL-terminated: use str_dupz at the libc edge.
 * Any thread. An empty slice may have p == NULL. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"

struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
#define STR_INIT(literal)                                                                                                  \
    { "" literal, sizeof(literal) - 1 }
#define STR_ARG(s) (int)(s).n, (s).p /* for "%.*s" */

struct arena;

struct str str_z(const char *z); /* NULL gives the empty slice */
bool str_eq(struct str a, struct str b);
bool str_eq_z(struct str a, const char *z);
bool str_eq_nocase(struct str a, struct str b); /* ASCII only */
int str_cmp(struct str a, struct str b);        /* byte order; a prefix comes first */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_strip_prefix(struct str *s, struct str prefix); /* removes it when it is there */
bool str_strip_suffix(struct str *s, struct str suffix);
struct str str_trim(struct str s);                 /* ASCII white space at both ends */
struct str str_from(struct str s, size_t at);      /* the part from `at` on; empty past the end */
struct str str_upto(struct str s, size_t n);       /* the first n bytes, or all */
ptrdiff_t str_find_char(struct str s, char c);     /* index or -1 */
ptrdiff_t str_find(struct str s, struct str what); /* index or -1 */

/* Cuts `*rest` at the first `sep`: returns what is before and leaves what is after. Without `sep` returns all and
 * leaves the empty slice. */
struct str str_cut(struct str *rest, char sep);

/* Decimal, the whole slice, no sign except '-' for i64, no leading '+', no white space. False on overflow or other text. */
bool str_u64(struct str s, uint64_t *ret);
bool str_i64(struct str s, int64_t *ret);

/* Equal in constant time for equal lengths: for secrets. */
bool str_eq_secret(struct str a, struct str b);

/* Copies into the arena; str_dupz adds a NUL. NULL / {NULL,0} when the arena is full. */
struct str str_dup(struct arena *arena, struct str s);
struct str str_join(struct arena *arena, const struct str *parts, size_t n); /* one behind the other, as str_dup */
char *str_dupz(struct arena *arena, struct str s);
uint64_t str_hash(struct str s); /* not keyed: for tables whose keys are not chosen by an attacker, or bounded in number */
