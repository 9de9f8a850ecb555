#include <stddef.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/enc.h"
#include "base/json_text.h"
#include "wire/pb/pb_json_internal.h"

/* The shortest of the printf forms that reads back as the same number. */
void pb_json_put_double(struct buf *out, double v) {
    char text[32];
    if (!isfinite(v)) {
        buf_add_z(out, isnan(v) ? "\"NaN\"" : v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v) break;
    }
    buf_add_z(out, text);
}

static void put_float(struct buf *out, float v) {
    char text[32];
    if (!isfinite(v)) {
        pb_json_put_double(out, (double)v);
        return;
    }
    for (int digits = 6; digits <= 9; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, (double)v);
        if (strtof(text, NULL) == v) break;
    }
    buf_add_z(out, text);
}

static void put_enum(struct buf *out, const struct pb_enum *e, int32_t number) {
    const struct pb_enum_value *v = pb_enum_by_number(e, number);
    if (v) {
        buf_add_char(out, '"');
        buf_add_str(out, v->name);
        buf_add_char(out, '"');
    } else {
        buf_printf(out, "%d", number);
    }
}

static void put_bytes(struct buf *out, struct str bytes) {
    buf_add_char(out, '"');
    enc_base64(out, bytes);
    buf_add_char(out, '"');
}

static void put_scalar(struct buf *out, const struct pb_field *f, const void *place) {
    int32_t i32;
    int64_t i64;
    memcpy(&i32, place, f->kind == PB_BOOL ? 1 : sizeof i32);
    switch ((enum pb_kind)f->kind) {
    case PB_DOUBLE: pb_json_put_double(out, *(const double *)place); break;
    case PB_FLOAT: put_float(out, *(const float *)place); break;
    case PB_INT64:
    case PB_SFIXED64:
    case PB_SINT64:
        memcpy(&i64, place, sizeof i64);
        buf_printf(out, "\"%lld\"", (long long)i64);
        break;
    case PB_UINT64:
    case PB_FIXED64:
        memcpy(&i64, place, sizeof i64);
        buf_printf(out, "\"%llu\"", (unsigned long long)i64);
        break;
    case PB_INT32:
    case PB_SFIXED32:
    case PB_SINT32: buf_printf(out, "%d", i32); break;
    case PB_FIXED32:
    case PB_UINT32: buf_printf(out, "%u", (uint32_t)i32); break;
    case PB_BOOL: buf_add_z(out, *(const bool *)place ? "true" : "false"); break;
    case PB_ENUM: put_enum(out, f->enm, i32); break;
    case PB_STRING: json_text_string(out, *(const struct str *)place); break;
    case PB_BYTES: put_bytes(out, *(const struct str *)place); break;
    case PB_MESSAGE: break;
    }
}

static enum code put_element(struct buf *out, const struct pb_field *f, const void *place, unsigned depth,
                             struct err *err) {
    if (f->kind == PB_MESSAGE) return pb_json_put_message(out, f->msg, place, depth + 1, err);
    put_scalar(out, f, place);
    return OK;
}

/* A member that is a pointer: a message that was never set stands for the empty one (the value of a map entry). */
static enum code put_singular(struct buf *out, const struct pb_field *f, const void *msg, unsigned depth, struct err *err) {
    if (f->kind != PB_MESSAGE) return put_element(out, f, pb_at_const(msg, f->offset), depth, err);
    const void *sub = pb_sub(f, msg);
    static const max_align_t empty[64]; /* any message, all zero */
    if (!sub && f->msg->size > sizeof empty) return err_set(err, INTERNAL, "%s: no value", f->msg->name.p);
    return put_element(out, f, sub ? sub : empty, depth, err);
}

static enum code put_list(struct buf *out, const struct pb_field *f, const void *msg, unsigned depth, struct err *err) {
    const struct pb_repeated *all = pb_at_const(msg, f->offset);
    const size_t size = pb_element_size(f);
    buf_add_char(out, '[');
    for (size_t i = 0; i < all->n; i++) {
        if (i) buf_add_char(out, ',');
        enum code rc = put_element(out, f, (const char *)all->p + i * size, depth, err);
        if (rc) return rc;
    }
    buf_add_char(out, ']');
    return OK;
}

static void put_key(struct buf *out, const struct pb_field *key, const void *entry) {
    const void *place = pb_at_const(entry, key->offset);
    const bool quoted = key->kind == PB_STRING || pb_kind_size(key->kind) == 8;
    if (!quoted) buf_add_char(out, '"');
    put_scalar(out, key, place);
    if (!quoted) buf_add_char(out, '"');
    buf_add_char(out, ':');
}

static enum code put_map(struct buf *out, const struct pb_field *f, const void *msg, unsigned depth, struct err *err) {
    const struct pb_repeated *map = pb_at_const(msg, f->offset);
    buf_add_char(out, '{');
    for (size_t i = 0; i < map->n; i++) {
        const void *entry = (const char *)map->p + i * f->msg->size;
        if (i) buf_add_char(out, ',');
        put_key(out, &f->msg->fields[0], entry);
        enum code rc = put_singular(out, &f->msg->fields[1], entry, depth + 1, err);
        if (rc) return rc;
    }
    buf_add_char(out, '}');
    return OK;
}

static enum code put_field(struct buf *out, const struct pb_field *f, const void *msg, unsigned depth, struct err *err) {
    if (f->label == PB_MAP) return put_map(out, f, msg, depth, err);
    if (f->label == PB_REPEATED) return put_list(out, f, msg, depth, err);
    return put_singular(out, f, msg, depth, err);
}

enum code pb_json_put_fields(struct buf *out, const struct pb_msg *desc, const void *msg, unsigned depth, bool *first,
                             struct err *err) {
    for (size_t i = 0; i < desc->field_count; i++) {
        const struct pb_field *f = &desc->fields[i];
        if (!pb_present(f, msg)) continue;
        if (!*first) buf_add_char(out, ',');
        *first = false;
        buf_add_char(out, '"');
        buf_add_str(out, f->json_name);
        buf_add_str(out, STR("\":"));
        enum code rc = put_field(out, f, msg, depth, err);
        if (rc) return rc;
    }
    return OK;
}

enum code pb_json_put_message(struct buf *out, const struct pb_msg *desc, const void *msg, unsigned depth,
                              struct err *err) {
    if (depth > PB_MAX_DEPTH) {
        return err_set(err, INVALID_ARGUMENT, "%s: nested more than %d levels deep", desc->name.p, PB_MAX_DEPTH);
    }
    if (desc->well_known) return pb_json_put_well_known(out, desc, msg, depth, err);
    bool first = true;
    buf_add_char(out, '{');
    enum code rc = pb_json_put_fields(out, desc, msg, depth, &first, err);
    buf_add_char(out, '}');
    return rc;
}

enum code pb_to_json(const struct pb_msg *desc, const void *msg, struct buf *out, struct err *err) {
    enum code rc = pb_json_put_message(out, desc, msg, 0, err);
    if (rc) return rc;
    if (!buf_ok(out)) return err_set(err, RESOURCE_EXHAUSTED, "%s: the JSON text is too large", desc->name.p);
    return OK;
}
