#include "wire/pb/pb_json_internal.h"
#include "wire/pb/wkt.pb.h"

enum { MAX_MASK_BYTES = 64 << 10 };

/* "fooBar.baz" → "foo_bar.baz". Underscores are not allowed in: they could not come back. */
static enum code mask_path(struct pb_json_reader *r, struct str camel, struct str *ret) {
    DEFER(buf_free) struct buf snake = BUF_INIT(MAX_MASK_BYTES);
    for (size_t i = 0; i < camel.n; i++) {
        const char c = camel.p[i];
        if (c == '_') return pb_json_fault(r, "a field mask's path is camel case in JSON");
        if (c >= 'A' && c <= 'Z') {
            buf_add_char(&snake, '_');
            buf_add_char(&snake, (char)(c - 'A' + 'a'));
        } else {
            buf_add_char(&snake, c);
        }
    }
    *ret = str_dup(r->arena, buf_str(&snake));
    return buf_ok(&snake) && (ret->p || !snake.n) ? OK : err_oom(r->err);
}

static enum code mask(struct pb_json_reader *r, struct pb_FieldMask *m, struct str text) {
    const struct pb_field *f = &pb_FieldMask_msg.fields[0];
    if (str_ends(text, STR(","))) return pb_json_fault(r, "an empty path in a field mask");
    while (text.n) {
        const struct str camel = str_cut(&text, ',');
        if (!camel.n) return pb_json_fault(r, "an empty path in a field mask");
        struct str *path = pb_append(f, m, r->arena);
        if (!path) return err_oom(r->err);
        enum code rc = mask_path(r, camel, path);
        if (rc) return rc;
    }
    return OK;
}

enum code pb_json_well_known_text(struct pb_json_reader *r, const struct pb_msg *desc, void *msg, struct str text) {
    struct pb_Timestamp *t = msg;
    struct pb_Duration *d = msg;
    if (desc->well_known == PB_WK_TIMESTAMP) {
        return pb_timestamp_parse(text, &t->seconds, &t->nanos) ? OK : pb_json_fault(r, "not an RFC 3339 timestamp");
    }
    if (desc->well_known == PB_WK_DURATION) {
        return pb_duration_parse(text, &d->seconds, &d->nanos) ? OK : pb_json_fault(r, "not a duration such as \"1.5s\"");
    }
    if (desc->well_known == PB_WK_FIELD_MASK) return mask(r, msg, text);
    return pb_json_fault(r, "%s has no form of one string", desc->name.p);
}

static enum code value_message(struct pb_json_reader *r, struct pb_Value *v, uint32_t number, const json_t *tree) {
    const struct pb_field *f = pb_field_by_number(&pb_Value_msg, number);
    void *sub = pb_sub_new(&pb_Value_msg, f, v, r->arena);
    return sub ? pb_json_message(r, f->msg, sub, tree) : err_oom(r->err);
}

static enum code value_scalar(struct pb_json_reader *r, struct pb_Value *v, uint32_t number, const json_t *tree) {
    const struct pb_field *f = pb_field_by_number(&pb_Value_msg, number);
    pb_mark(&pb_Value_msg, f, v);
    return number == pb_Value_kind_null_value ? OK : pb_json_scalar(r, f, tree, pb_at(v, f->offset));
}

static enum code value(struct pb_json_reader *r, struct pb_Value *v, const json_t *tree) {
    switch (json_typeof(tree)) {
    case JSON_OBJECT: return value_message(r, v, pb_Value_kind_struct_value, tree);
    case JSON_ARRAY: return value_message(r, v, pb_Value_kind_list_value, tree);
    case JSON_STRING: return value_scalar(r, v, pb_Value_kind_string_value, tree);
    case JSON_INTEGER:
    case JSON_REAL: return value_scalar(r, v, pb_Value_kind_number_value, tree);
    case JSON_TRUE:
    case JSON_FALSE: return value_scalar(r, v, pb_Value_kind_bool_value, tree);
    case JSON_NULL: break;
    }
    return value_scalar(r, v, pb_Value_kind_null_value, tree);
}

/* Struct and ListValue hold one field each; its JSON stands for the message. */
static enum code only_field(struct pb_json_reader *r, const struct pb_msg *desc, void *msg, const json_t *tree) {
    if (json_is_null(tree)) return pb_json_fault(r, "null where %s is wanted", desc->name.p);
    return pb_json_field(r, desc, &desc->fields[0], msg, tree);
}

/* {"@type": URL, fields…} or, when the message has its own form, {"@type": URL, "value": form}. */
static enum code any_inner(struct pb_json_reader *r, const struct pb_msg *desc, void *msg, const json_t *tree) {
    if (!desc->well_known) return pb_json_fields(r, desc, msg, tree, true);
    const json_t *form = json_object_get(tree, "value");
    if (!form || json_object_size(tree) != 2) return pb_json_fault(r, "wants \"@type\" and \"value\", no more");
    return pb_json_message(r, desc, msg, form);
}

static enum code any(struct pb_json_reader *r, struct pb_Any *any, const json_t *tree) {
    if (!json_is_object(tree)) return pb_json_fault(r, "not an object");
    if (json_object_size(tree) == 0) return OK;
    const json_t *type = json_object_get(tree, "@type");
    if (!json_is_string(type)) return pb_json_fault(r, "\"@type\" is missing");
    struct str url = { json_string_value(type), json_string_length(type) }, name = url;
    while (str_find_char(name, '/') >= 0) (void)str_cut(&name, '/');
    const struct pb_msg *desc = name.n < url.n ? pb_find(name) : NULL;
    if (!desc) return pb_json_fault(r, "unknown type \"%.*s\"", STR_ARG(str_upto(url, 120)));
    void *inner = pb_new(desc, r->arena);
    if (!inner) return err_oom(r->err);
    enum code rc = any_inner(r, desc, inner, tree);
    struct pb_Any *packed = NULL;
    if (!rc) rc = pb_any_pack(desc, inner, r->arena, &packed, r->err);
    if (rc) return rc;
    any->type_url = str_dup(r->arena, url);
    any->value = packed->value;
    return any->type_url.p ? OK : err_oom(r->err);
}

enum code pb_json_well_known(struct pb_json_reader *r, const struct pb_msg *desc, void *msg, const json_t *tree) {
    if (desc->well_known == PB_WK_VALUE) return value(r, msg, tree);
    if (desc->well_known == PB_WK_STRUCT || desc->well_known == PB_WK_LIST_VALUE) return only_field(r, desc, msg, tree);
    if (desc->well_known == PB_WK_ANY) return any(r, msg, tree);
    if (!json_is_string(tree)) return pb_json_fault(r, "not a string");
    return pb_json_well_known_text(r, desc, msg, (struct str){ json_string_value(tree), json_string_length(tree) });
}
