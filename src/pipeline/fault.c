#include "pipeline/fault.h"

#include <stdio.h>

void fault_add(struct faults *faults, const char *code, struct str path, unsigned column, const char *fmt, ...) {
    faults->total++;
    if (faults->n == FAULTS_MAX || faults->oom) return;
    va_list args;
    va_start(args, fmt);
    struct str message = arena_vprintf(faults->arena, fmt, args);
    va_end(args);
    struct str place = str_dup(faults->arena, path);
    if (!message.p || (path.n && !place.p)) {
        faults->oom = true;
        return;
    }
    faults->items[faults->n++] = (struct fault){ code, place, column, message };
}

enum code faults_err(const struct faults *faults, struct err *err) {
    if (faults->oom) return err_oom(err);
    if (faults->n == 0) return OK;
    const struct fault *f = &faults->items[0];
    char column[32] = "", more[48] = "";
    if (f->column) (void)snprintf(column, sizeof column, ", column %u", f->column);
    if (faults->total > 1) (void)snprintf(more, sizeof more, " (and %zu more)", faults->total - 1);
    return err_set(err, INVALID_ARGUMENT, "%.*s%s: %.*s%s", STR_ARG(f->path), column, STR_ARG(f->message), more);
}

static json_t *string_of(struct str s) {
    return json_stringn(s.n ? s.p : "", s.n);
}

static json_t *detail_of(const struct fault *f) {
    char column[32] = "";
    if (f->column) (void)snprintf(column, sizeof column, " (column %u)", f->column);
    return json_pack("{s:s, s:s%, s:o}", "code", f->code, "target", f->path.n ? f->path.p : "", f->path.n, "message",
                     json_sprintf("%.*s%s", STR_ARG(f->message), column));
}

json_t *faults_body(const struct faults *faults, struct str target) {
    json_t *details = json_array();
    for (size_t i = 0; i < faults->n; i++)
        if (json_array_append_new(details, detail_of(&faults->items[i]))) {
            json_decref(details);
            return NULL;
        }
    struct err err = { 0 };
    (void)!faults_err(faults, &err);
    return json_pack("{s:{s:s, s:s, s:o, s:o}}", "error", "code", faults->n ? faults->items[0].code : "InternalServerError",
                     "message", err.message, "target", string_of(target), "details", details);
}
