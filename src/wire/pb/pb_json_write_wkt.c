#include <math.h>
#include "base/json_text.h"
#include "wire/pb/pb_json_internal.h"
#include "wire/pb/wkt.pb.h"

enum { MAX_ANY_MEMORY = 64 << 20, MAX_MASK_TEXT = 64 << 10 };

static enum code put_timestamp(struct buf *out, const struct pb_Timestamp *t, struct err *err) {
    buf_add_char(out, '"');
    if (!pb_timestamp_print(out, t->seconds, t->nanos)) {
        return err_set(err, INVALID_ARGUMENT, "google.protobuf.Timestamp: out of range for JSON");
    }
    buf_add_char(out, '"');
    return OK;
}

static enum code put_duration(struct buf *out, const struct pb_Duration *d, struct err *err) {
    buf_add_char(out, '"');
    if (!pb_duration_print(out, d->seconds, d->nanos)) {
        return err_set(err, INVALID_ARGUMENT, "google.protobuf.Duration: out of range for JSON");
    }
    buf_add_char(out, '"');
    return OK;
}

/* "foo_bar" → "fooBar". What would not come back as it was (nothing, "a,b", "fooBar", "foo__bar", "foo_3") has no JSON
 * form. */
static bool mask_path(struct buf *camel, struct str snake) {
    if (!snake.n) return false;
    for (size_t i = 0; i < snake.n; i++) {
        char c = snake.p[i];
        if ((c >= 'A' && c <= 'Z') || c == ',') return false;
        if (c == '_') {
            c = ++i < snake.n ? snake.p[i] : 0;
            if (c < 'a' || c > 'z') return false;
            c = (char)(c - 'a' + 'A');
        }
        buf_add_char(camel, c);
    }
    return true;
}

static enum code put_mask(struct buf *out, const struct pb_FieldMask *m, struct err *err) {
    DEFER(buf_free) struct buf camel = BUF_INIT(MAX_MASK_TEXT);
    for (size_t i = 0; i < m->paths.n; i++) {
        if (i) buf_add_char(&camel, ',');
        if (!mask_path(&camel, m->paths.p[i])) {
            return err_set(err, INVALID_ARGUMENT, "google.protobuf.FieldMask: a path has no JSON form");
        }
    }
    if (!buf_ok(&camel)) return err_set(err, RESOURCE_EXHAUSTED, "google.protobuf.FieldMask: too large");
    json_text_string(out, buf_str(&camel));
    return OK;
}

/* NaN and the infinities have no JSON form in a Value: a string there would come back as a string. */
static enum code put_number(struct buf *out, double v, struct err *err) {
    if (!isfinite(v)) return err_set(err, INVALID_ARGUMENT, "google.protobuf.Value: a number that JSON cannot hold");
    pb_json_put_double(out, v);
    return OK;
}

static enum code put_value(struct buf *out, const struct pb_Value *v, unsigned depth, struct err *err) {
    switch (v->kind_case) {
    case pb_Value_kind_number_value: return put_number(out, v->number_value, err);
    case pb_Value_kind_string_value: json_text_string(out, v->string_value); return OK;
    case pb_Value_kind_bool_value: buf_add_z(out, v->bool_value ? "true" : "false"); return OK;
    case pb_Value_kind_struct_value: return pb_json_put_message(out, &pb_Struct_msg, v->struct_value, depth + 1, err);
    case pb_Value_kind_list_value: return pb_json_put_message(out, &pb_ListValue_msg, v->list_value, depth + 1, err);
    default: buf_add_z(out, "null"); return OK; /* also one with no kind */
    }
}

static enum code put_struct(struct buf *out, const struct pb_Struct *s, unsigned depth, struct err *err) {
    static const struct pb_Value none;
    buf_add_char(out, '{');
    for (size_t i = 0; i < s->fields.n; i++) {
        const struct pb_Struct_FieldsEntry *e = &s->fields.p[i];
        if (i) buf_add_char(out, ',');
        json_text_string(out, e->key);
        buf_add_char(out, ':');
        enum code rc = pb_json_put_message(out, &pb_Value_msg, e->value ? e->value : &none, depth + 2, err);
        if (rc) return rc;
    }
    buf_add_char(out, '}');
    return OK;
}

static enum code put_list(struct buf *out, const struct pb_ListValue *l, unsigned depth, struct err *err) {
    buf_add_char(out, '[');
    for (size_t i = 0; i < l->values.n; i++) {
        if (i) buf_add_char(out, ',');
        enum code rc = pb_json_put_message(out, &pb_Value_msg, &l->values.p[i], depth + 1, err);
        if (rc) return rc;
    }
    buf_add_char(out, ']');
    return OK;
}

static enum code put_any(struct buf *out, const struct pb_Any *any, unsigned depth, struct err *err) {
    if (!any->type_url.n && !any->value.n) {
        buf_add_z(out, "{}");
        return OK;
    }
    DEFER(arena_freep) struct arena *arena = arena_new(MAX_ANY_MEMORY);
    const struct pb_msg *desc;
    void *msg;
    if (!arena) return err_oom(err);
    enum code rc = pb_any_unpack(any, arena, PB_REFUSE_UNKNOWN, &desc, &msg, err);
    if (rc) return rc;
    bool first = false;
    buf_add_z(out, "{\"@type\":");
    json_text_string(out, any->type_url);
    if (desc->well_known) {
        buf_add_z(out, ",\"value\":");
        rc = pb_json_put_message(out, desc, msg, depth + 1, err);
    } else {
        rc = pb_json_put_fields(out, desc, msg, depth + 1, &first, err);
    }
    buf_add_char(out, '}');
    return rc;
}

enum code pb_json_put_well_known(struct buf *out, const struct pb_msg *desc, const void *msg, unsigned depth,
                                 struct err *err) {
    switch ((enum pb_well_known)desc->well_known) {
    case PB_WK_TIMESTAMP: return put_timestamp(out, msg, err);
    case PB_WK_DURATION: return put_duration(out, msg, err);
    case PB_WK_FIELD_MASK: return put_mask(out, msg, err);
    case PB_WK_VALUE: return put_value(out, msg, depth, err);
    case PB_WK_STRUCT: return put_struct(out, msg, depth, err);
    case PB_WK_LIST_VALUE: return put_list(out, msg, depth, err);
    case PB_WK_ANY: return put_any(out, msg, depth, err);
    case PB_WK_NONE: break;
    }
    return err_set(err, INTERNAL, "%s: no JSON form", desc->name.p);
}
