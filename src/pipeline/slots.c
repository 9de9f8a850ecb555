/* Parameters and variables: their declarations, and a run's values. */
#include "data/json.h"
#include "pipeline/document_internal.h"

static const struct {
    struct str name;
    enum pipeline_type type;
    bool parameter, variable;
} types[] = {
    { STR_INIT("String"), TYPE_STRING, true, true }, { STR_INIT("Int"), TYPE_INT, true, true },
    { STR_INIT("Integer"), TYPE_INT, false, true },  { STR_INIT("Float"), TYPE_FLOAT, true, false },
    { STR_INIT("Bool"), TYPE_BOOL, true, true },     { STR_INIT("Boolean"), TYPE_BOOL, false, true },
    { STR_INIT("Array"), TYPE_ARRAY, true, true },   { STR_INIT("Object"), TYPE_OBJECT, true, false },
};

const char *pipeline_type_name(enum pipeline_type type) {
    for (size_t i = 0; i < COUNT(types); i++)
        if (types[i].type == type) return types[i].name.p;
    return "?";
}

bool pipeline_type_holds(enum pipeline_type type, const json_t *value) {
    switch (type) {
    case TYPE_STRING: return json_is_string(value);
    case TYPE_INT: return json_is_integer(value);
    case TYPE_FLOAT: return json_is_number(value);
    case TYPE_BOOL: return json_is_boolean(value);
    case TYPE_ARRAY: return json_is_array(value);
    case TYPE_OBJECT: return json_is_object(value);
    }
    return false;
}

static bool read_type(struct str name, bool parameter, enum pipeline_type *ret) {
    for (size_t i = 0; i < COUNT(types); i++)
        if (str_eq_nocase(name, types[i].name) && (parameter ? types[i].parameter : types[i].variable)) {
            *ret = types[i].type;
            return true;
        }
    return false;
}

static void read_slot(const struct shape *s, const json_t *json, struct str path, bool parameter,
                      struct pipeline_slot *slot) {
    if (!json_is_object(json)) {
        fault_add(s->faults, "BadRequest", path, 0, "should be an object with 'type' and, if wanted, 'defaultValue'");
        return;
    }
    shape_known(s, json, path, "type defaultValue");
    struct str type = shape_string(s, json, path, "type", true);
    if (!type.p) return;
    if (!read_type(type, parameter, &slot->type)) {
        fault_add(s->faults, "BadRequest", path_key(s->arena, path, STR("type")), 0, "type '%.*s' is not supported: %s",
                  STR_ARG(str_upto(type, 64)),
                  parameter ? "string, int, float, bool, array and object are" : "String, Integer, Boolean and Array are");
        return;
    }
    const json_t *initial = json_object_get(json, "defaultValue");
    if (!initial || json_is_null(initial)) return;
    struct str at = path_key(s->arena, path, STR("defaultValue"));
    slot->initial = initial;
    if (json_is_string(initial) && !shape_plain(s, initial, at)) return;
    if (!pipeline_type_holds(slot->type, initial))
        fault_add(s->faults, "BadRequest", at, 0, "should be of type %s", pipeline_type_name(slot->type));
    return;
}

static bool twice(const struct pipeline_slot *slots, size_t n, struct str name) {
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(slots[i].name, name)) return true;
    return false;
}

static const struct pipeline_slot *read_slots(struct compile *c, const json_t *object, struct str path, size_t max,
                                              bool parameter, size_t *ret_n) {
    const struct shape *s = &c->shape;
    struct pipeline_slot *slots = ARENA_ARRAY(s->arena, struct pipeline_slot, json_object_size(object) + 1);
    const char *key;
    size_t key_n, n = 0;
    json_t *member;
    if (!slots) {
        s->faults->oom = true;
        return NULL;
    }
    if (json_object_size(object) > max) fault_add(s->faults, "BadRequest", path, 0, "more than %zu", max);
    json_object_keylen_foreach((json_t *)(uintptr_t)object, key, key_n, member) {
        struct str name = { key, key_n }, at = path_key(s->arena, path, name);
        slots[n] = (struct pipeline_slot){ .name = name };
        if (!pipeline_name_valid(name, PIPELINE_NAME_MAX)) fault_add(s->faults, "BadRequest", at, 0, "not a valid name");
        if (twice(slots, n, name))
            fault_add(s->faults, "BadRequest", at, 0, "another name differs from this only in its case");
        read_slot(s, member, at, parameter, &slots[n]);
        n++; /* also a bad one: its name is known */
    }
    *ret_n = n;
    return slots;
}

void compile_slots(struct compile *c, const json_t *properties, struct str path) {
    struct pipeline *p = c->pipeline;
    const struct shape *s = &c->shape;
    const json_t *parameters = shape_member(s, properties, path, "parameters", SHAPE_OBJECT);
    const json_t *variables = shape_member(s, properties, path, "variables", SHAPE_OBJECT);
    p->parameters = read_slots(c, parameters, path_key(s->arena, path, STR("parameters")), PIPELINE_PARAMETERS_MAX, true,
                               &p->n_parameters);
    p->variables = read_slots(c, variables, path_key(s->arena, path, STR("variables")), PIPELINE_VARIABLES_MAX, false,
                              &p->n_variables);
}

/* --- a run's values --- */

static bool put(json_t *object, struct str key, const json_t *value) {
    return value && json_object_setn(object, key.p, key.n, (json_t *)(uintptr_t)value) == 0;
}

static void bind_one(const struct pipeline_slot *slot, const json_t *supplied, struct faults *faults, json_t *all) {
    const json_t *given = json_object_getn(supplied, slot->name.p, slot->name.n);
    const json_t *value = given && !json_is_null(given) ? given : slot->initial;
    if (!value) {
        fault_add(faults, "InvalidPipelineParameter", slot->name, 0, "parameter '%.*s' (%s) is missing, and has no default",
                  STR_ARG(slot->name), pipeline_type_name(slot->type));
    } else if (!pipeline_type_holds(slot->type, value)) {
        fault_add(faults, "InvalidPipelineParameter", slot->name, 0, "parameter '%.*s' should be of type %s",
                  STR_ARG(slot->name), pipeline_type_name(slot->type));
    } else if (!put(all, slot->name, value)) {
        faults->oom = true;
    }
}

static void refuse_unknown(const struct pipeline *p, const json_t *supplied, struct faults *faults) {
    const char *key;
    size_t n;
    json_t *member;
    json_object_keylen_foreach((json_t *)(uintptr_t)supplied, key, n, member) {
        size_t i = 0;
        struct str name = { key, n };
        while (i < p->n_parameters && !str_eq(p->parameters[i].name, name)) i++;
        if (i == p->n_parameters)
            fault_add(faults, "InvalidPipelineParameter", str_upto(name, 128), 0, "the pipeline has no parameter '%.*s'",
                      STR_ARG(str_upto(name, 64)));
    }
}

enum code pipeline_bind_parameters(const struct pipeline *pipeline, const json_t *supplied, struct faults *faults,
                                   json_t **ret, struct err *err) {
    json_t *all = json_object();
    if (!all) faults->oom = true;
    if (supplied && !json_is_null(supplied) && !json_is_object(supplied))
        fault_add(faults, "BadRequest", (struct str){ 0 }, 0, "the parameters should be an object");
    for (size_t i = 0; i < pipeline->n_parameters; i++) bind_one(&pipeline->parameters[i], supplied, faults, all);
    refuse_unknown(pipeline, supplied, faults);
    enum code rc = faults_err(faults, err);
    if (rc) json_decref(all);
    else *ret = all;
    return rc;
}

static json_t *zero_of(enum pipeline_type type) {
    switch (type) {
    case TYPE_STRING: return json_string("");
    case TYPE_INT: return json_integer(0);
    case TYPE_FLOAT: return json_real(0);
    case TYPE_BOOL: return json_false();
    case TYPE_ARRAY: return json_array();
    case TYPE_OBJECT: return json_object();
    }
    return NULL;
}

json_t *pipeline_initial_variables(const struct pipeline *pipeline) {
    DEFER(json_freep) json_t *all = json_object();
    for (size_t i = 0; i < pipeline->n_variables; i++) {
        const struct pipeline_slot *v = &pipeline->variables[i];
        json_t *zero = v->initial ? NULL : zero_of(v->type);
        bool kept = put(all, v->name, v->initial ? v->initial : zero);
        json_decref(zero);
        if (!kept) return NULL;
    }
    return TAKE(all);
}
