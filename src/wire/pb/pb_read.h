/* pb_read.h: a cursor over the fields of one encoded message, for decoding by hand where materialising costs too much
 * (Mutation.values goes straight from here to SQLite's bindings).
 *
 *     struct pb_reader r = pb_read(bytes);
 *     struct pb_item item;
 *     while (pb_next(&r, &item)) switch (item.number) { … }
 *     if (r.bad) … refuse
 * Payloads point into the input. Lengths are checked; UTF-8 is not: the caller checks what it takes as text. Groups, field
 * number 0, tags over 32 bits and varints over 64 bits make the reader bad. Any thread; no allocation. */
#pragma once
#include <string.h>
#include "base/str.h"
#include "wire/pb/pb_wire.h"

struct pb_reader {
    const uint8_t *p, *end;
    bool bad;
};

struct pb_item {
    uint32_t number;
    enum pb_wire wire;
    uint64_t value;   /* varint, or the bits of a 32- or 64-bit field */
    struct str bytes; /* length-delimited */
};

static inline struct pb_reader pb_read(struct str bytes) {
    const uint8_t *p = (const uint8_t *)bytes.p;
    return (struct pb_reader){ .p = p, .end = bytes.n ? p + bytes.n : p };
}

bool pb_read_varint_slow(struct pb_reader *r, uint64_t *ret); /* also sets `bad` */

static inline bool pb_read_varint(struct pb_reader *r, uint64_t *ret) {
    if (r->p < r->end && *r->p < 0x80) {
        *ret = *r->p++;
        return true;
    }
    return pb_read_varint_slow(r, ret);
}

static inline bool pb_read_fixed(struct pb_reader *r, size_t size, uint64_t *ret) {
    if ((size_t)(r->end - r->p) < size) return !(r->bad = true);
    uint64_t v = 0;
    memcpy(&v, r->p, size);
    r->p += size;
    *ret = v;
    return true;
}

static inline bool pb_read_bytes(struct pb_reader *r, struct str *ret) {
    uint64_t n;
    if (!pb_read_varint(r, &n)) return false;
    if (n > (uint64_t)(r->end - r->p)) return !(r->bad = true);
    *ret = (struct str){ (const char *)r->p, (size_t)n };
    r->p += n;
    return true;
}

/* The next field; false at the end and on bad input (`bad` tells which). */
static inline bool pb_next(struct pb_reader *r, struct pb_item *item) {
    uint64_t tag;
    if (r->p == r->end || r->bad || !pb_read_varint(r, &tag)) return false;
    if (tag < 8 || tag > UINT32_MAX) return !(r->bad = true);
    item->number = (uint32_t)(tag >> 3);
    item->wire = (enum pb_wire)(tag & 7);
    switch (item->wire) {
    case PB_WIRE_VARINT: return pb_read_varint(r, &item->value);
    case PB_WIRE_64: return pb_read_fixed(r, 8, &item->value);
    case PB_WIRE_BYTES: return pb_read_bytes(r, &item->bytes);
    case PB_WIRE_32: return pb_read_fixed(r, 4, &item->value);
    case PB_WIRE_GROUP:
    case PB_WIRE_END: break;
    }
    return !(r->bad = true);
}

static inline double pb_as_double(uint64_t bits) {
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}
