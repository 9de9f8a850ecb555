#include <stdlib.h>
#include "wire/pb/pb_internal.h"
#include "wire/pb/pb_write.h"

struct encoder {
    struct buf *out;
    struct err *err;
};

static enum code message(struct encoder *e, const struct pb_msg *desc, const void *msg, unsigned depth);

static void put_varint_of(struct buf *out, uint8_t kind, const void *place) {
    uint64_t v = pb_load(kind, place);
    switch ((enum pb_kind)kind) {
    case PB_INT32:
    case PB_ENUM: /* negative numbers of 32 bits take ten bytes */ v = (uint64_t)(int64_t)(int32_t)v; break;
    case PB_SINT32: v = (uint32_t)(v << 1) ^ (v >> 31 ? UINT32_MAX : 0); break;
    case PB_SINT64: v = (v << 1) ^ (v >> 63 ? UINT64_MAX : 0); break;
    case PB_DOUBLE:
    case PB_FLOAT:
    case PB_INT64:
    case PB_UINT64:
    case PB_FIXED64:
    case PB_FIXED32:
    case PB_BOOL:
    case PB_STRING:
    case PB_MESSAGE:
    case PB_BYTES:
    case PB_UINT32:
    case PB_SFIXED32:
    case PB_SFIXED64: break;
    }
    pb_put_varint(out, v);
}

static void put_scalar(struct buf *out, uint8_t kind, const void *place) { /* without its tag */
    switch (pb_kind_wire(kind)) {
    case PB_WIRE_VARINT: put_varint_of(out, kind, place); break;
    case PB_WIRE_64: pb_put_raw64(out, pb_load(kind, place)); break;
    case PB_WIRE_32: pb_put_raw32(out, (uint32_t)pb_load(kind, place)); break;
    case PB_WIRE_BYTES: pb_put_counted(out, *(const struct str *)place); break;
    case PB_WIRE_GROUP:
    case PB_WIRE_END: break;
    }
}

static enum code submessage(struct encoder *e, const struct pb_field *f, const void *sub, unsigned depth) {
    const size_t mark = pb_begin(e->out, f->number);
    enum code rc = sub ? message(e, f->msg, sub, depth + 1) : OK;
    if (rc) return rc;
    pb_end(e->out, mark);
    return OK;
}

static enum code map(struct encoder *e, const struct pb_field *f, const struct pb_repeated *entries, unsigned depth) {
    const void **order = NULL;
    if (!pb_map_order(f, entries, &order)) return err_oom(e->err);
    enum code rc = OK;
    for (size_t i = 0; i < entries->n && !rc; i++) {
        rc = submessage(e, f, order ? order[i] : (const char *)entries->p + i * f->msg->size, depth);
    }
    free(order);
    return rc;
}

static enum code repeated(struct encoder *e, const struct pb_field *f, const struct pb_repeated *all, unsigned depth) {
    const size_t size = pb_element_size(f);
    const char *p = all->p;
    const size_t mark = f->packed ? pb_begin(e->out, f->number) : 0;
    for (size_t i = 0; i < all->n; i++) {
        if (f->kind == PB_MESSAGE) {
            enum code rc = submessage(e, f, p + i * size, depth);
            if (rc) return rc;
            continue;
        }
        if (!f->packed) pb_put_tag(e->out, f->number, pb_kind_wire(f->kind));
        put_scalar(e->out, f->kind, p + i * size);
    }
    if (f->packed) pb_end(e->out, mark);
    return OK;
}

static enum code field(struct encoder *e, const struct pb_field *f, const void *msg, unsigned depth) {
    const void *place = pb_at_const(msg, f->offset);
    if (f->label == PB_MAP) return map(e, f, place, depth);
    if (f->label == PB_REPEATED) return repeated(e, f, place, depth);
    if (f->kind == PB_MESSAGE) return submessage(e, f, pb_sub(f, msg), depth);
    pb_put_tag(e->out, f->number, pb_kind_wire(f->kind));
    put_scalar(e->out, f->kind, place);
    return OK;
}

static enum code message(struct encoder *e, const struct pb_msg *desc, const void *msg, unsigned depth) {
    if (depth > PB_MAX_DEPTH) {
        return err_set(e->err, INVALID_ARGUMENT, "%s: nested more than %d levels deep", desc->name.p, PB_MAX_DEPTH);
    }
    for (size_t i = 0; i < desc->field_count; i++) {
        const struct pb_field *f = &desc->fields[i];
        if (!desc->map_entry && !pb_present(f, msg)) continue; /* an entry always has both key and value */
        enum code rc = field(e, f, msg, depth);
        if (rc) return rc;
    }
    return OK;
}

enum code pb_encode(const struct pb_msg *desc, const void *msg, struct buf *out, struct err *err) {
    struct encoder e = { .out = out, .err = err };
    enum code rc = message(&e, desc, msg, 0);
    if (rc) return rc;
    if (!buf_ok(out)) return err_set(err, RESOURCE_EXHAUSTED, "%s: the encoded message is too large", desc->name.p);
    return OK;
}
