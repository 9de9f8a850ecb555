#include "wire/pb/pb_json_internal.h"
#include <stdio.h>
#include "data/json.h"

enum { MAX_FIELDS = 254, MAX_PATH_TEXT = 400, MAX_NAME_TEXT = 80 };

static void path_print(struct buf *out, const struct pb_path *path) {
    if (path->up) path_print(out, path->up);
    if (path->name.p) {
        buf_printf(out, "%s%.*s", path->up ? "." : "", STR_ARG(str_upto(path->name, MAX_NAME_TEXT)));
    } else {
        buf_printf(out, "[%zu]", path->index);
    }
}

enum code pb_json_fault(struct pb_json_reader *r, const char *fmt, ...) {
    DEFER(buf_free) struct buf where = BUF_INIT(16 << 10);
    char what[256];
    if (r->path) path_print(&where, r->path);
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    const struct str w = str_upto(buf_str(&where), MAX_PATH_TEXT);
    return err_set(r->err, INVALID_ARGUMENT, "%.*s%s%s", STR_ARG(w), w.n ? ": " : "", what);
}

static enum code value(struct pb_json_reader *r, const struct pb_field *f, const json_t *tree, void *place) {
    return f->kind == PB_MESSAGE ? pb_json_message(r, f->msg, place, tree) : pb_json_scalar(r, f, tree, place);
}

static enum code repeated(struct pb_json_reader *r, const struct pb_field *f, void *msg, const json_t *tree) {
    if (!json_is_array(tree)) return pb_json_fault(r, "not a list");
    const struct pb_path *up = r->path;
    enum code rc = OK;
    for (size_t i = 0; i < json_array_size(tree) && !rc; i++) {
        struct pb_path here = { .up = up, .index = i };
        r->path = &here;
        const json_t *item = json_array_get(tree, i);
        const bool null_is_value = f->msg && f->msg->well_known == PB_WK_VALUE;
        void *place = pb_append(f, msg, r->arena);
        if (!place) rc = err_oom(r->err);
        else if (json_is_null(item) && !null_is_value) rc = pb_json_fault(r, "null in a list");
        else rc = value(r, f, item, place);
    }
    r->path = up;
    return rc;
}

/* JSON spells all map keys as strings. */
static enum code map_key(struct pb_json_reader *r, const struct pb_field *key, struct str text, void *entry) {
    return pb_json_scalar_text(r, key, text, pb_at(entry, key->offset));
}

static enum code map_value(struct pb_json_reader *r, const struct pb_msg *entry_desc, void *entry, const json_t *tree) {
    const struct pb_field *f = &entry_desc->fields[1];
    const bool null_is_value = f->msg && f->msg->well_known == PB_WK_VALUE;
    if (json_is_null(tree) && !null_is_value) return pb_json_fault(r, "null in a map");
    if (f->kind != PB_MESSAGE) return pb_json_scalar(r, f, tree, pb_at(entry, f->offset));
    void *sub = pb_sub_new(entry_desc, f, entry, r->arena);
    return sub ? pb_json_message(r, f->msg, sub, tree) : err_oom(r->err);
}

static enum code map(struct pb_json_reader *r, const struct pb_field *f, void *msg, const json_t *tree) {
    if (!json_is_object(tree)) return pb_json_fault(r, "not an object");
    const struct pb_path *up = r->path;
    enum code rc = OK;
    for (void *it = json_object_iter((json_t *)(uintptr_t)tree); it && !rc;
         it = json_object_iter_next((json_t *)(uintptr_t)tree, it)) {
        struct pb_path here = { .up = up, .name = { json_object_iter_key(it), json_object_iter_key_len(it) } };
        r->path = &here;
        void *entry = pb_append(f, msg, r->arena);
        if (!entry) rc = err_oom(r->err);
        else if (!pb_json_deeper(r)) rc = pb_json_fault(r, "nested more than %d levels deep", PB_MAX_DEPTH);
        if (!rc) rc = map_key(r, &f->msg->fields[0], here.name, entry);
        if (!rc) rc = map_value(r, f->msg, entry, json_object_iter_value(it));
        r->depth--;
    }
    r->path = up;
    if (!rc && !pb_map_tidy(f, msg, r->arena)) return err_oom(r->err);
    return rc;
}

static enum code singular(struct pb_json_reader *r, const struct pb_msg *desc, const struct pb_field *f, void *msg,
                          const json_t *tree) {
    if (f->label == PB_ONEOF && *(const int32_t *)pb_at_const(msg, f->presence) != 0) {
        return pb_json_fault(r, "another member of the same oneof is set");
    }
    if (f->kind != PB_MESSAGE) {
        pb_mark(desc, f, msg);
        return pb_json_scalar(r, f, tree, pb_at(msg, f->offset));
    }
    void *sub = pb_sub_new(desc, f, msg, r->arena);
    return sub ? pb_json_message(r, f->msg, sub, tree) : err_oom(r->err);
}

enum code pb_json_field(struct pb_json_reader *r, const struct pb_msg *desc, const struct pb_field *f, void *msg,
                        const json_t *tree) {
    const bool is_value = f->kind == PB_MESSAGE && f->msg->well_known == PB_WK_VALUE;
    if (json_is_null(tree) && (!is_value || f->label == PB_REPEATED || f->label == PB_MAP)) return OK; /* absent */
    if (f->label == PB_MAP) return map(r, f, msg, tree);
    if (f->label == PB_REPEATED) return repeated(r, f, msg, tree);
    return singular(r, desc, f, msg, tree);
}

static enum code one_name(struct pb_json_reader *r, const struct pb_msg *desc, void *msg, struct str name,
                          const json_t *tree, bool seen[MAX_FIELDS]) {
    const struct pb_field *f = pb_field_by_name(desc, name);
    if (!f) {
        if (r->flags & PB_SKIP_UNKNOWN) return OK;
        return pb_json_fault(r, "unknown field of %s", desc->name.p);
    }
    bool *known = &seen[f - desc->fields];
    if (*known) return pb_json_fault(r, "given twice");
    *known = true;
    return pb_json_field(r, desc, f, msg, tree);
}

enum code pb_json_fields(struct pb_json_reader *r, const struct pb_msg *desc, void *msg, const json_t *object,
                         bool in_any) {
    if (!json_is_object(object)) return pb_json_fault(r, "not an object");
    const struct pb_path *up = r->path;
    bool seen[MAX_FIELDS] = { false };
    enum code rc = OK;
    for (void *it = json_object_iter((json_t *)(uintptr_t)object); it && !rc;
         it = json_object_iter_next((json_t *)(uintptr_t)object, it)) {
        struct pb_path here = { .up = up, .name = { json_object_iter_key(it), json_object_iter_key_len(it) } };
        if (in_any && str_eq(here.name, STR("@type"))) continue;
        r->path = &here;
        rc = one_name(r, desc, msg, here.name, json_object_iter_value(it), seen);
    }
    r->path = up;
    return rc;
}

enum code pb_json_message(struct pb_json_reader *r, const struct pb_msg *desc, void *msg, const json_t *tree) {
    if (!pb_json_deeper(r)) return pb_json_fault(r, "nested more than %d levels deep", PB_MAX_DEPTH);
    enum code rc = desc->well_known ? pb_json_well_known(r, desc, msg, tree) : pb_json_fields(r, desc, msg, tree, false);
    r->depth--;
    return rc;
}

static enum code top(const struct pb_msg *desc, const json_t *tree, struct arena *arena, unsigned flags, void **ret_msg,
                     struct err *err) {
    struct pb_json_reader r = { .arena = arena, .err = err, .flags = flags };
    void *msg = pb_new(desc, arena);
    if (!msg) return err_oom(err);
    enum code rc = desc->well_known ? pb_json_well_known(&r, desc, msg, tree) : pb_json_fields(&r, desc, msg, tree, false);
    if (!rc) *ret_msg = msg;
    return rc;
}

enum code pb_from_json(const struct pb_msg *desc, struct str json, struct arena *arena, unsigned flags, void **ret_msg,
                       struct err *err) {
    DEFER(json_freep) json_t *tree = NULL;
    struct err bad = { .code = OK };
    if (json_read_value(json, PB_MAX_DEPTH, arena, &tree, &bad) == OK) return top(desc, tree, arena, flags, ret_msg, err);
    if (bad.line == 0) return err_set(err, bad.code, "%s", bad.message);
    return err_at(err, bad.code, bad.line, bad.column, "line %u, column %u: %s", bad.line, bad.column, bad.message);
}
