#include "base/enc.h"
#include "wire/pb/pb_internal.h"
#include "wire/pb/pb_read.h"

struct decoder {
    struct arena *arena;
    unsigned flags;
    struct err *err;
};

static enum code message(struct decoder *d, const struct pb_msg *desc, void *msg, struct str bytes, unsigned depth);

static enum code malformed(struct decoder *d, const struct pb_msg *desc) {
    return err_set(d->err, INVALID_ARGUMENT, "%s: malformed protobuf", desc->name.p);
}

static enum code fault(struct decoder *d, const struct pb_msg *desc, const struct pb_field *f, const char *what) {
    return err_set(d->err, INVALID_ARGUMENT, "%s.%s: %s", desc->name.p, f->name.p, what);
}

static enum code unknown(struct decoder *d, const struct pb_msg *desc, const struct pb_item *item) {
    if (!(d->flags & PB_REFUSE_UNKNOWN)) return OK;
    return err_set(d->err, INVALID_ARGUMENT, "%s: unknown field number %u (wire type %u)", desc->name.p, item->number,
                   (unsigned)item->wire);
}

static bool ascii_only(struct str s) {
    size_t i = 0;
    for (uint64_t word; i + sizeof word <= s.n; i += sizeof word) {
        memcpy(&word, s.p + i, sizeof word);
        if (word & UINT64_C(0x8080808080808080)) return false;
    }
    for (; i < s.n; i++) {
        if (s.p[i] & 0x80) return false;
    }
    return true;
}

static uint64_t unzigzag(uint64_t v) {
    return (v >> 1) ^ (0 - (v & 1));
}

/* Stores a number as its C type; 32-bit kinds keep the low half, as every protobuf library does. */
static void store(uint8_t kind, void *place, uint64_t v) {
    switch ((enum pb_kind)kind) {
    case PB_BOOL: *(bool *)place = v != 0; return;
    case PB_SINT64: v = unzigzag(v); break;
    case PB_SINT32: v = unzigzag((uint32_t)v); break;
    case PB_DOUBLE:
    case PB_FLOAT:
    case PB_INT64:
    case PB_UINT64:
    case PB_INT32:
    case PB_FIXED64:
    case PB_FIXED32:
    case PB_UINT32:
    case PB_ENUM:
    case PB_SFIXED32:
    case PB_SFIXED64:
    case PB_STRING:
    case PB_BYTES:
    case PB_MESSAGE: break;
    }
    pb_store(kind, place, v);
}

static enum code text(struct decoder *d, const struct pb_msg *desc, const struct pb_field *f, struct str bytes,
                      void *place) {
    if (f->kind == PB_STRING && !ascii_only(bytes) && !utf8_valid(bytes)) return fault(d, desc, f, "string is not UTF-8");
    *(struct str *)place = bytes;
    return OK;
}

/* A packed element is counted before it is stored, so one arena array holds them all. */
static enum code packed(struct decoder *d, const struct pb_msg *desc, const struct pb_field *f, void *msg,
                        struct str bytes) {
    const enum pb_wire wire = pb_kind_wire(f->kind);
    struct pb_reader r = pb_read(bytes);
    while (r.p < r.end) {
        uint64_t v = 0;
        const bool good = wire == PB_WIRE_VARINT ? pb_read_varint(&r, &v)
                                                 : pb_read_fixed(&r, wire == PB_WIRE_64 ? 8 : 4, &v);
        if (!good) return fault(d, desc, f, "malformed packed field");
        void *place = pb_append(f, msg, d->arena);
        if (!place) return err_oom(d->err);
        store(f->kind, place, v);
    }
    return OK;
}

static enum code element(struct decoder *d, const struct pb_msg *desc, const struct pb_field *f, void *msg,
                         const struct pb_item *item, unsigned depth) {
    void *place = pb_append(f, msg, d->arena);
    if (!place) return err_oom(d->err);
    if (f->kind == PB_MESSAGE) return message(d, f->msg, place, item->bytes, depth + 1);
    if (item->wire == PB_WIRE_BYTES) return text(d, desc, f, item->bytes, place);
    store(f->kind, place, item->value);
    return OK;
}

static enum code singular(struct decoder *d, const struct pb_msg *desc, const struct pb_field *f, void *msg,
                          const struct pb_item *item, unsigned depth) {
    if (f->kind == PB_MESSAGE) {
        void *sub = pb_sub_new(desc, f, msg, d->arena);
        return sub ? message(d, f->msg, sub, item->bytes, depth + 1) : err_oom(d->err);
    }
    if (f->label != PB_IMPLICIT) pb_mark(desc, f, msg);
    void *place = pb_at(msg, f->offset);
    if (item->wire == PB_WIRE_BYTES) return text(d, desc, f, item->bytes, place);
    store(f->kind, place, item->value);
    return OK;
}

static enum code field(struct decoder *d, const struct pb_msg *desc, void *msg, const struct pb_item *item,
                       unsigned depth) {
    const struct pb_field *f = pb_lookup(desc, item->number);
    if (!f) return unknown(d, desc, item);
    const bool repeated = f->label == PB_REPEATED || f->label == PB_MAP;
    const enum pb_wire wire = pb_kind_wire(f->kind);
    if (item->wire != wire) {
        if (repeated && item->wire == PB_WIRE_BYTES) return packed(d, desc, f, msg, item->bytes);
        return unknown(d, desc, item);
    }
    return repeated ? element(d, desc, f, msg, item, depth) : singular(d, desc, f, msg, item, depth);
}

static enum code maps_tidy(struct decoder *d, const struct pb_msg *desc, void *msg) {
    for (size_t i = 0; i < desc->field_count; i++) {
        if (desc->fields[i].label == PB_MAP && !pb_map_tidy(&desc->fields[i], msg, d->arena)) return err_oom(d->err);
    }
    return OK;
}

static enum code message(struct decoder *d, const struct pb_msg *desc, void *msg, struct str bytes, unsigned depth) {
    if (depth > PB_MAX_DEPTH) {
        return err_set(d->err, INVALID_ARGUMENT, "%s: nested more than %d levels deep", desc->name.p, PB_MAX_DEPTH);
    }
    struct pb_reader r = pb_read(bytes);
    struct pb_item item;
    while (pb_next(&r, &item)) {
        enum code rc = field(d, desc, msg, &item, depth);
        if (rc) return rc;
    }
    if (r.bad) return malformed(d, desc);
    return desc->has_map ? maps_tidy(d, desc, msg) : OK;
}

enum code pb_decode(const struct pb_msg *desc, struct str bytes, struct arena *arena, unsigned flags, void **ret_msg,
                    struct err *err) {
    struct decoder d = { .arena = arena, .flags = flags, .err = err };
    void *msg = pb_new(desc, arena);
    if (!msg) return err_oom(err);
    enum code rc = message(&d, desc, msg, bytes, 0);
    if (rc) return rc;
    *ret_msg = msg;
    return OK;
}
