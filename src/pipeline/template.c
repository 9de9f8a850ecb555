#include "pipeline/template.h"

#include "data/json.h"
#include "pipeline/expr_internal.h"
#include "pipeline/shape.h"

enum template_kind { TEMPLATE_CONSTANT, TEMPLATE_EXPR, TEMPLATE_ARRAY, TEMPLATE_OBJECT };

struct template {
    enum template_kind kind;
    struct str path;
    const json_t *constant; /* borrowed */
    const struct expr *expr;
    const struct template **children;
    const struct str *keys; /* of an object's children */
    size_t n;
};

static const struct template *compile(struct arena *arena, const json_t *value, struct str path, unsigned depth,
                                      struct faults *faults);

static struct template *new_template(struct arena *arena, enum template_kind kind, struct str path, struct faults *faults) {
    struct template *t = ARENA_NEW(arena, struct template);
    if (!t) {
        faults->oom = true;
        return NULL;
    }
    t->kind = kind, t->path = path;
    return t;
}

static const struct template *constant(struct arena *arena, const json_t *value, struct str path, struct faults *faults) {
    struct template *t = new_template(arena, TEMPLATE_CONSTANT, path, faults);
    if (t) t->constant = value;
    return t;
}

static const struct template *compile_string(struct arena *arena, const json_t *value, struct str path,
                                             struct faults *faults) {
    const struct expr *expr;
    struct err err;
    struct str text;
    enum code rc = expr_parse(arena, json_text_of(value), &expr, &err);
    if (rc == RESOURCE_EXHAUSTED) faults->oom = true;
    if (rc) {
        fault_add(faults, "InvalidTemplate", path, err.column, "%s", err.message);
        return NULL;
    }
    if (expr_is_literal(expr, &text) && str_eq(text, json_text_of(value))) return constant(arena, value, path, faults);
    struct template *t = new_template(arena, TEMPLATE_EXPR, path, faults);
    if (t) t->expr = expr;
    return t;
}

/* {"type": "Expression", "value": …}: the value, or NULL. */
static const json_t *expression_value(const json_t *object) {
    struct str type;
    const json_t *value = json_object_get(object, "value");
    if (json_object_size(object) != 2 || !json_member_str(object, "type", &type) || !json_is_string(value)) return NULL;
    return str_eq(type, STR("Expression")) ? value : NULL;
}

/* Whether something in it may have to be evaluated: what has nothing needs no places of its own. */
static bool may_compute(const json_t *value, unsigned depth) {
    const char *key;
    json_t *member;
    if (depth > EXPR_DEPTH_MAX || (json_is_object(value) && expression_value(value))) return true;
    struct str text = json_text_of(value);
    bool any = str_starts(text, STR("@")) || str_find(text, STR("@{")) >= 0;
    for (size_t i = 0; !any && i < json_array_size(value); i++) any = may_compute(json_array_get(value, i), depth + 1);
    json_object_foreach((json_t *)(uintptr_t)value, key, member) any = any || may_compute(member, depth + 1);
    return any;
}

static const json_t *child_value(const struct template *t, const json_t *container, size_t i) {
    return t->keys ? json_object_getn(container, t->keys[i].p, t->keys[i].n) : json_array_get(container, i);
}

/* A container whose members all stand for themselves is constant. */
static const struct template *finish(struct template *t, const json_t *value, bool failed) {
    if (failed) return NULL;
    for (size_t i = 0; i < t->n; i++)
        if (template_literal(t->children[i]) != child_value(t, value, i)) return t;
    t->kind = TEMPLATE_CONSTANT, t->constant = value;
    return t;
}

static const struct template *compile_array(struct arena *arena, const json_t *value, struct str path, unsigned depth,
                                            struct faults *faults) {
    struct template *t = new_template(arena, TEMPLATE_ARRAY, path, faults);
    size_t n = json_array_size(value);
    const struct template **children = ARENA_ARRAY(arena, const struct template *, n + 1);
    bool failed = false;
    if (!t || !children) {
        faults->oom = true;
        return NULL;
    }
    t->children = children;
    for (; t->n < n; t->n++) {
        struct str at = path_index(arena, path, t->n);
        children[t->n] = compile(arena, json_array_get(value, t->n), at, depth + 1, faults);
        if (!children[t->n]) failed = true;
    }
    return finish(t, value, failed);
}

static const struct template *compile_object(struct arena *arena, const json_t *value, struct str path, unsigned depth,
                                             struct faults *faults) {
    const json_t *inner = expression_value(value);
    const char *key;
    size_t key_n;
    json_t *member;
    bool failed = false;
    if (inner) return compile_string(arena, inner, path, faults);
    struct template *t = new_template(arena, TEMPLATE_OBJECT, path, faults);
    const struct template **children = ARENA_ARRAY(arena, const struct template *, json_object_size(value) + 1);
    struct str *keys = ARENA_ARRAY(arena, struct str, json_object_size(value) + 1);
    if (!t || !children || !keys) {
        faults->oom = true;
        return NULL;
    }
    t->children = children, t->keys = keys;
    json_object_keylen_foreach((json_t *)(uintptr_t)value, key, key_n, member) {
        keys[t->n] = (struct str){ key, key_n };
        children[t->n] = compile(arena, member, path_key(arena, path, keys[t->n]), depth + 1, faults);
        if (!children[t->n++]) failed = true;
    }
    return finish(t, value, failed);
}

static const struct template *compile(struct arena *arena, const json_t *value, struct str path, unsigned depth,
                                      struct faults *faults) {
    if (path_lost(path)) faults->oom = true;
    if (depth > EXPR_DEPTH_MAX) {
        fault_add(faults, "BadRequest", path, 0, "nested deeper than %d", EXPR_DEPTH_MAX);
        return NULL;
    }
    if (!may_compute(value, depth)) return constant(arena, value, path, faults);
    if (json_is_string(value)) return compile_string(arena, value, path, faults);
    if (json_is_array(value)) return compile_array(arena, value, path, depth, faults);
    if (json_is_object(value)) return compile_object(arena, value, path, depth, faults);
    return constant(arena, value, path, faults);
}

const struct template *template_compile(struct arena *arena, const json_t *value, struct str path, struct faults *faults) {
    return compile(arena, value, path, 0, faults);
}

const json_t *template_literal(const struct template *t) {
    return t->kind == TEMPLATE_CONSTANT ? t->constant : NULL;
}

int template_type(const struct template *t) {
    switch (t->kind) {
    case TEMPLATE_CONSTANT: return (int)json_typeof(t->constant);
    case TEMPLATE_EXPR: return expr_is_text(t->expr) ? JSON_STRING : -1;
    case TEMPLATE_ARRAY: return JSON_ARRAY;
    case TEMPLATE_OBJECT: return JSON_OBJECT;
    }
    return -1;
}

void template_each_ref(const struct template *t, void (*see)(void *user, struct str path, const struct expr_ref *ref),
                       void *user) {
    size_t n = 0;
    const struct expr_ref *refs = t->kind == TEMPLATE_EXPR ? expr_refs(t->expr, &n) : NULL;
    for (size_t i = 0; i < n; i++) see(user, t->path, &refs[i]);
    if (t->kind == TEMPLATE_ARRAY || t->kind == TEMPLATE_OBJECT)
        for (size_t i = 0; i < t->n; i++) template_each_ref(t->children[i], see, user);
}

/* --- evaluation --- */

static enum code eval(const struct template *t, const struct expr_context *context, json_t **ret, struct err *err);

static enum code eval_children(const struct template *t, const struct expr_context *context, json_t *into,
                               struct err *err) {
    for (size_t i = 0; i < t->n; i++) {
        json_t *value = NULL;
        enum code rc = eval(t->children[i], context, &value, err);
        if (rc) return rc;
        bool failed = t->keys ? json_object_setn_new(into, t->keys[i].n ? t->keys[i].p : "", t->keys[i].n, value)
                              : json_array_append_new(into, value);
        if (failed) return err_oom(err);
    }
    return OK;
}

static enum code eval(const struct template *t, const struct expr_context *context, json_t **ret, struct err *err) {
    if (t->kind == TEMPLATE_CONSTANT) {
        *ret = json_incref((json_t *)(uintptr_t)t->constant);
        return OK;
    }
    if (t->kind == TEMPLATE_EXPR) {
        enum code rc = expr_eval(t->expr, context, ret, err);
        if (rc && rc != RESOURCE_EXHAUSTED) (void)err_wrap(err, "%.*s", STR_ARG(t->path));
        return rc;
    }
    json_t *value = t->kind == TEMPLATE_ARRAY ? json_array() : json_object();
    enum code rc = value ? eval_children(t, context, value, err) : err_oom(err);
    if (rc) json_decref(value);
    else *ret = value;
    return rc;
}

enum code template_eval(const struct template *t, const struct expr_context *context, json_t **ret, struct err *err) {
    struct err local;
    struct expr_run run = { .context = context, .err = err ? err : &local };
    json_t *value = NULL;
    enum code rc = eval(t, context, &value, run.err);
    if (rc == OK && t->kind != TEMPLATE_EXPR) {
        rc = expr_measure(&run, 0, value);
        if (rc) (void)err_wrap(run.err, "%.*s", STR_ARG(t->path));
    }
    if (rc) json_decref(value);
    else *ret = value;
    return rc;
}
