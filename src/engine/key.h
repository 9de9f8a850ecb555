/* key.h: keys as bytes whose memcmp order is Spanner's key order.
 *
 * A part is a tag (NULL lowest), then: BOOL, INT64, DATE big-endian with the sign flipped; FLOAT64 in total order, NaN
 * lowest; TIMESTAMP its 12 bytes; STRING and BYTES with 0 as 00 FF, ended by 00 01. A DESC part is complemented. No part
 * begins with FF, so `prefix FF` lies behind everything that begins with the prefix.
 * Limits: 16 parts, 8 KiB of values. Any thread. */
#pragma once
#include "engine/value.h"

enum { KEY_MAX_VALUE_BYTES = 8192, KEY_MAX_BYTES = 2 * KEY_MAX_VALUE_BYTES + 3 * SQL_MAX_KEY_PARTS };

/* Appends the first `n` parts of the table's key. INVALID_ARGUMENT when a value has not its column's type;
 * FAILED_PRECONDITION when the key is too large. */
MUST_USE enum code key_encode(const struct sql_table *table, const struct sql_value *parts, size_t n, struct buf *out,
                              struct err *err);
enum code key_too_large(const struct sql_table *table, struct err *err);     /* says so: FAILED_PRECONDITION */
void key_encode_part(const struct sql_value *v, bool desc, struct buf *out); /* no checks */
/* Reads a whole key back; false when the bytes are no key of this table. Text lives in the arena. */
MUST_USE bool key_decode(const struct sql_table *table, struct str key, struct arena *arena, struct sql_value *ret_parts);

/* lo <= key < hi. A point is a range of one full key. */
struct key_range {
    struct str lo, hi;
    bool point;
};

/* The rows that a request names, in an arena: sorted and disjoint after key_set_finish. */
struct key_set {
    struct arena *arena;
    const struct sql_table *table;
    struct key_range *ranges;
    size_t n, cap;
};
struct key_bound { /* one end of a KeyRange: a prefix of the key */
    const struct sql_value *parts;
    size_t n;
    bool closed;
};
MUST_USE enum code key_set_add_key(struct key_set *set, const struct sql_value *parts, size_t n, struct err *err);
MUST_USE enum code key_set_add_range(struct key_set *set, struct key_bound start, struct key_bound end, struct err *err);
MUST_USE enum code key_set_add_all(struct key_set *set, struct err *err);
MUST_USE enum code key_set_add_encoded(struct key_set *set, struct str lo, struct str hi, struct err *err); /* [lo, hi) */
void key_set_finish(struct key_set *set);
bool key_ranges_hit(const struct key_range *sorted, size_t n, struct str lo, struct str hi); /* does one overlap? */

/* SQL functions, deterministic:
 *   lk(spec, a, b, …)   the key bytes; NULL when a part is NULL or NaN: for equality, as `t.key = lk('i+s-', u.x, u.y)`
 *   lkn(spec, a, b, …)  the same, NULL and NaN are parts: for ranges and IS NULL
 *   lkz(bytes)          behind everything that begins with these bytes
 * A spec is a letter and a direction a part: b BOOL, i INT64, f FLOAT64, t TIMESTAMP, d DATE, s STRING, y BYTES; + or -. */
MUST_USE int key_register(sqlite3 *db);
/* "i+s-" of the first n key parts. */
void key_spec(const struct sql_table *table, size_t n, struct buf *out);
