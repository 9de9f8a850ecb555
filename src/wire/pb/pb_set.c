#include "base/enc.h"
#include "wire/pb/pb_json_internal.h"

enum { MAX_STEPS = 16 };

static enum code set_message(struct pb_json_reader *r, const struct pb_msg *desc, const struct pb_field *f, void *msg,
                             struct str text) {
    if (f->label == PB_REPEATED || f->label == PB_MAP) return pb_json_fault(r, "cannot be given as text");
    if (!f->msg->well_known) return pb_json_fault(r, "%s has no form of one string", f->msg->name.p);
    pb_mark(desc, f, msg);
    void *sub = pb_new(f->msg, r->arena); /* replaces what was there */
    if (!sub) return err_oom(r->err);
    *(pb_ptr *)pb_at(msg, f->offset) = sub;
    return pb_json_well_known_text(r, f->msg, sub, text);
}

static enum code set(struct pb_json_reader *r, const struct pb_msg *desc, const struct pb_field *f, void *msg,
                     struct str text) {
    if (f->kind == PB_MESSAGE) return set_message(r, desc, f, msg, text);
    if (f->label != PB_REPEATED) {
        pb_mark(desc, f, msg);
        return pb_json_scalar_text(r, f, text, pb_at(msg, f->offset));
    }
    void *place = pb_append(f, msg, r->arena);
    return place ? pb_json_scalar_text(r, f, text, place) : err_oom(r->err);
}

static bool can_enter(const struct pb_field *f) {
    return f->kind == PB_MESSAGE && f->label != PB_REPEATED && f->label != PB_MAP && !f->msg->well_known;
}

enum code pb_set_field(const struct pb_msg *desc, void *msg, struct str dotted_path, struct str text, struct arena *arena,
                       struct err *err) {
    struct pb_path here = { .name = dotted_path };
    struct pb_json_reader r = { .arena = arena, .err = err, .path = &here };
    if (!utf8_valid(text)) return pb_json_fault(&r, "text is not UTF-8"); /* it came from a URL, percent-decoded */
    for (unsigned steps = 0; steps < MAX_STEPS; steps++) {
        const bool last = str_find_char(dotted_path, '.') < 0;
        const struct pb_field *f = pb_field_by_name(desc, str_cut(&dotted_path, '.'));
        if (!f) return pb_json_fault(&r, "unknown field of %s", desc->name.p);
        if (last) return set(&r, desc, f, msg, text);
        if (!can_enter(f)) return pb_json_fault(&r, "%.*s has no fields to set", STR_ARG(f->name));
        msg = pb_sub_new(desc, f, msg, arena);
        if (!msg) return err_oom(err);
        desc = f->msg;
    }
    return pb_json_fault(&r, "too many steps");
}
