/* pb_write.h: writing protobuf by hand, for hot paths: rows go from SQLite's values into a PartialResultSet with these.
 *
 * All functions append to a struct buf; a full buffer fails as buf.h says, so check buf_ok once at the end. Nested
 * messages: size_t mark = pb_begin(b, 2); … pb_end(b, mark); leave one byte for the length and move the body when it needs
 * more: cheap, as bodies over 127 bytes are few. The caller writes fields in the order of their numbers. */
#pragma once
#include <string.h>
#include "base/buf.h"
#include "wire/pb/pb_wire.h"

static inline size_t pb_varint_put(uint8_t out[10], uint64_t v) {
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) out[n++] = (uint8_t)(v | 0x80);
    out[n++] = (uint8_t)v;
    return n;
}

static inline size_t pb_varint_size(uint64_t v) {
    return (size_t)(9 * (63 - __builtin_clzll(v | 1)) + 73) / 64;
}

/* True when `need` bytes may be written at the end; asks the buffer only when it is nearly full. */
static inline bool pb_room(struct buf *b, size_t need) {
    return (!b->failed && b->cap - b->n >= need) || buf_reserve(b, need);
}

static inline void pb_put_varint(struct buf *b, uint64_t v) {
    if (pb_room(b, pb_varint_size(v))) b->n += pb_varint_put((uint8_t *)b->p + b->n, v);
}

static inline void pb_put_tag(struct buf *b, uint32_t number, enum pb_wire wire) {
    pb_put_varint(b, (uint64_t)number << 3 | wire);
}

/* int64, uint64, bool, enum; negative numbers of 32 bits are sign-extended by the caller */
static inline void pb_put_u64(struct buf *b, uint32_t number, uint64_t v) {
    pb_put_tag(b, number, PB_WIRE_VARINT);
    pb_put_varint(b, v);
}

/* The machines that we build for are little-endian, as is the wire. */
static inline void pb_put_raw64(struct buf *b, uint64_t v) {
    if (!pb_room(b, sizeof v)) return;
    memcpy(b->p + b->n, &v, sizeof v);
    b->n += sizeof v;
}

static inline void pb_put_raw32(struct buf *b, uint32_t v) {
    if (!pb_room(b, sizeof v)) return;
    memcpy(b->p + b->n, &v, sizeof v);
    b->n += sizeof v;
}

static inline void pb_put_double(struct buf *b, uint32_t number, double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    pb_put_tag(b, number, PB_WIRE_64);
    pb_put_raw64(b, bits);
}

/* A length and that many bytes, without a tag. */
static inline void pb_put_counted(struct buf *b, struct str s) {
    pb_put_varint(b, s.n);
    if (s.n == 0 || !pb_room(b, s.n)) return;
    memcpy(b->p + b->n, s.p, s.n);
    b->n += s.n;
}

static inline void pb_put_bytes(struct buf *b, uint32_t number, struct str s) { /* string, bytes, an encoded message */
    pb_put_tag(b, number, PB_WIRE_BYTES);
    pb_put_counted(b, s);
}

static inline size_t pb_begin(struct buf *b, uint32_t number) {
    pb_put_tag(b, number, PB_WIRE_BYTES);
    pb_put_varint(b, 0);
    return b->n;
}

static inline void pb_end(struct buf *b, size_t mark) {
    if (b->failed) return;
    const size_t body = b->n - mark, more = pb_varint_size(body) - 1;
    if (more) {
        if (!pb_room(b, more)) return;
        memmove(b->p + mark + more, b->p + mark, body);
        b->n += more;
    }
    (void)pb_varint_put((uint8_t *)b->p + mark - 1, body);
}

/* One google.protobuf.Value as field `number` (PartialResultSet.values is 2, ListValue.values is 1). */
enum {
    PB_VALUE_NULL = 1,
    PB_VALUE_NUMBER = 2,
    PB_VALUE_STRING = 3,
    PB_VALUE_BOOL = 4,
    PB_VALUE_STRUCT = 5,
    PB_VALUE_LIST = 6
};

static inline void pb_put_value_null(struct buf *b, uint32_t number) {
    pb_put_bytes(b, number, STR("\x08\x00"));
}

static inline void pb_put_value_bool(struct buf *b, uint32_t number, bool v) {
    pb_put_bytes(b, number, v ? STR("\x20\x01") : STR("\x20\x00"));
}

static inline void pb_put_value_number(struct buf *b, uint32_t number, double v) {
    pb_put_tag(b, number, PB_WIRE_BYTES);
    pb_put_varint(b, 9);
    pb_put_double(b, PB_VALUE_NUMBER, v);
}

static inline void pb_put_value_string(struct buf *b, uint32_t number, struct str s) {
    pb_put_tag(b, number, PB_WIRE_BYTES);
    pb_put_varint(b, 1 + pb_varint_size(s.n) + s.n);
    pb_put_bytes(b, PB_VALUE_STRING, s);
}

/* A list: elements follow as pb_put_value_…(b, 1, …); an empty list is allowed. */
struct pb_list_mark {
    size_t value, list;
};

static inline struct pb_list_mark pb_begin_value_list(struct buf *b, uint32_t number) {
    struct pb_list_mark m = { .value = pb_begin(b, number) };
    m.list = pb_begin(b, PB_VALUE_LIST);
    return m;
}

static inline void pb_end_value_list(struct buf *b, struct pb_list_mark m) {
    pb_end(b, m.list);
    pb_end(b, m.value);
}
