/* Activities: what all kinds have in common. */
#include "data/json.h"
#include "pipeline/document_internal.h"

/* By kind: its name in documents, and the members of its policy. */
static const struct {
    struct str type;
    const char *policy;
} kinds[ACTIVITY_KINDS] = {
    [ACTIVITY_WEB] = { STR_INIT("WebActivity"), "timeout retry retryIntervalInSeconds secureInput secureOutput" },
    [ACTIVITY_WAIT] = { STR_INIT("Wait"), "" },
    [ACTIVITY_SET_VARIABLE] = { STR_INIT("SetVariable"), "secureInput secureOutput" },
    [ACTIVITY_FAIL] = { STR_INIT("Fail"), "" },
    [ACTIVITY_IF_CONDITION] = { STR_INIT("IfCondition"), "" },
    [ACTIVITY_FOR_EACH] = { STR_INIT("ForEach"), "" },
    [ACTIVITY_EXECUTE_PIPELINE] = { STR_INIT("ExecutePipeline"), "secureInput" },
};

const char *activity_type(enum activity_kind kind) {
    return kinds[kind].type.p;
}

static bool read_kind(const struct shape *s, const json_t *json, struct activity *a) {
    struct str type = shape_string(s, json, a->path, "type", true);
    if (!type.p) return false;
    for (size_t i = 0; i < ACTIVITY_KINDS; i++)
        if (str_eq(type, kinds[i].type)) {
            a->kind = (enum activity_kind)i;
            return true;
        }
    fault_add(s->faults, "BadRequest", path_key(s->arena, a->path, STR("type")), 0,
              "activity type '%.*s' is not supported: WebActivity, Wait, SetVariable, Fail, IfCondition, ForEach and "
              "ExecutePipeline are",
              STR_ARG(str_upto(type, 64)));
    return false;
}

/* --- policy --- */

enum { DAY_S = 86400, POLICY_TIMEOUT_S = 7 * DAY_S, POLICY_INTERVAL_S = 30 };

static bool two_digits(struct str s, unsigned max, uint64_t *ret) {
    return s.n == 2 && str_u64(s, ret) && *ret <= max;
}

/* "d.hh:mm:ss" or "hh:mm:ss", of which days are not more than a week. */
static bool read_timespan(struct str text, uint32_t max_s, uint32_t *ret) {
    uint64_t days = 0, hours, minutes, seconds;
    struct str rest = text;
    if (str_find_char(rest, '.') >= 0 && (!str_u64(str_cut(&rest, '.'), &days) || days > 7)) return false;
    struct str hh = str_cut(&rest, ':'), mm = str_cut(&rest, ':');
    if (!two_digits(hh, 23, &hours) || !two_digits(mm, 59, &minutes) || !two_digits(rest, 59, &seconds)) return false;
    uint64_t all = days * DAY_S + hours * 3600 + minutes * 60 + seconds;
    if (all == 0 || all > max_s) return false;
    *ret = (uint32_t)all;
    return true;
}

uint32_t shape_timespan(const struct shape *s, const json_t *object, struct str path, const char *key, uint32_t max_s,
                        uint32_t otherwise) {
    const json_t *v = shape_member(s, object, path, key, SHAPE_STRING);
    struct str at = v ? path_key(s->arena, path, str_z(key)) : path;
    if (!v || !shape_plain(s, v, at)) return otherwise;
    if (!read_timespan(json_text_of(v), max_s, &otherwise))
        fault_add(s->faults, "BadRequest", at, 0,
                  "should be a time span such as 0.00:10:00 (d.hh:mm:ss), of 1 to %u seconds", max_s);
    return otherwise;
}

static void read_policy(const struct shape *s, const json_t *json, struct activity *a) {
    struct str path = path_key(s->arena, a->path, STR("policy"));
    const json_t *policy = shape_member(s, json, a->path, "policy", SHAPE_OBJECT);
    shape_known(s, policy, path, kinds[a->kind].policy);
    a->policy = (struct activity_policy){
        .retry = (unsigned)shape_int(s, policy, path, "retry", 0, 1000, 0),
        .retry_interval_s = (unsigned)shape_int(s, policy, path, "retryIntervalInSeconds", 30, DAY_S, POLICY_INTERVAL_S),
        .timeout_s = shape_timespan(s, policy, path, "timeout", POLICY_TIMEOUT_S, POLICY_TIMEOUT_S),
        .secure_input = shape_bool(s, policy, path, "secureInput", false),
        .secure_output = shape_bool(s, policy, path, "secureOutput", false),
    };
}

static void read_user_properties(const struct shape *s, const json_t *json, struct activity *a) {
    const json_t *list = shape_member(s, json, a->path, "userProperties", SHAPE_ARRAY);
    struct str path = path_key(s->arena, a->path, STR("userProperties"));
    if (json_array_size(list) == 0) return;
    if (json_array_size(list) > ACTIVITY_USER_PROPERTIES_MAX)
        fault_add(s->faults, "BadRequest", path, 0, "more than %d", ACTIVITY_USER_PROPERTIES_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        struct str at = path_index(s->arena, path, i);
        if (!json_is_object(one)) fault_add(s->faults, "BadRequest", at, 0, "should be an object with 'name' and 'value'");
        else shape_known(s, one, at, "name value");
        if (!json_is_object(one)) continue;
        (void)shape_string(s, one, at, "name", true);
        (void)shape_member(s, one, at, "value", SHAPE_ANY | SHAPE_REQUIRED);
    }
    a->user_properties = template_compile(s->arena, list, path, s->faults);
}

/* --- dependencies --- */

static unsigned read_conditions(const struct shape *s, const json_t *json, struct str path) {
    static const struct {
        struct str name;
        unsigned condition;
    } conditions[] = { { STR_INIT("Succeeded"), DEPEND_SUCCEEDED },
                       { STR_INIT("Failed"), DEPEND_FAILED },
                       { STR_INIT("Skipped"), DEPEND_SKIPPED },
                       { STR_INIT("Completed"), DEPEND_COMPLETED } };
    const json_t *list = shape_member(s, json, path, "dependencyConditions", SHAPE_ARRAY | SHAPE_REQUIRED);
    struct str at = path_key(s->arena, path, STR("dependencyConditions"));
    unsigned all = 0;
    if (list && json_array_size(list) == 0) fault_add(s->faults, "BadRequest", at, 0, "is empty");
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct str name = json_text_of(json_array_get(list, i));
        size_t k = 0;
        while (k < COUNT(conditions) && !str_eq_nocase(name, conditions[k].name)) k++;
        if (k < COUNT(conditions)) all |= conditions[k].condition;
        else
            fault_add(s->faults, "BadRequest", path_index(s->arena, at, i), 0,
                      "should be Succeeded, Failed, Skipped or Completed");
    }
    return all;
}

static bool find_name(const struct activity *items, size_t n, struct str name, unsigned *ret) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(items[i].name, name)) {
            *ret = (unsigned)i;
            return true;
        }
    return false;
}

/* One of dependsOn. False: no dependency could be made of it. */
static bool read_dependency(const struct shape *s, const json_t *json, struct str path, const struct activity *items,
                            size_t n, struct activity_dependency *ret) {
    if (!json_is_object(json)) {
        fault_add(s->faults, "BadRequest", path, 0, "should be an object with 'activity' and 'dependencyConditions'");
        return false;
    }
    shape_known(s, json, path, "activity dependencyConditions");
    struct str name = shape_string(s, json, path, "activity", true);
    ret->conditions = read_conditions(s, json, path);
    if (!name.p) return false;
    if (find_name(items, n, name, &ret->activity)) return true;
    fault_add(s->faults, "BadRequest", path_key(s->arena, path, STR("activity")), 0,
              "there is no activity '%.*s' beside this one", STR_ARG(str_upto(name, ACTIVITY_NAME_MAX)));
    return false;
}

static void read_dependencies(const struct shape *s, const json_t *json, const struct activity *items, size_t n,
                              struct activity *a) {
    const json_t *list = shape_member(s, json, a->path, "dependsOn", SHAPE_ARRAY);
    struct str path = path_key(s->arena, a->path, STR("dependsOn"));
    size_t count = json_array_size(list);
    if (count > ACTIVITY_DEPENDENCIES_MAX) {
        fault_add(s->faults, "BadRequest", path, 0, "more than %d dependencies", ACTIVITY_DEPENDENCIES_MAX);
        return;
    }
    struct activity_dependency *all = ARENA_ARRAY(s->arena, struct activity_dependency, count + 1);
    if (!all) {
        s->faults->oom = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct activity_dependency one = { 0 };
        struct str at = path_index(s->arena, path, i);
        if (!read_dependency(s, json_array_get(list, i), at, items, n, &one)) continue;
        for (size_t k = 0; k < a->n_depends_on; k++)
            if (all[k].activity == one.activity)
                fault_add(s->faults, "BadRequest", at, 0, "depends on the same activity twice");
        all[a->n_depends_on++] = one;
    }
    a->depends_on = all;
}

/* --- one activity, and lists --- */

static void check_name(struct compile *c, const struct activity *a) {
    const struct shape *s = &c->shape;
    struct str at = path_key(s->arena, a->path, STR("name"));
    if (!a->name.p) return;
    if (!pipeline_name_valid(a->name, ACTIVITY_NAME_MAX))
        fault_add(s->faults, "BadRequest", at, 0,
                  "not a valid name: at most %d characters, beginning with a letter, a digit or '_', without . + ? / < > * "
                  "%% & : and \\",
                  ACTIVITY_NAME_MAX);
    for (unsigned i = 0; i < a->ordinal; i++)
        if (str_eq_nocase(c->all[i]->name, a->name))
            fault_add(s->faults, "BadRequest", at, 0, "'%.*s' is also the name of %.*s",
                      STR_ARG(str_upto(a->name, ACTIVITY_NAME_MAX)), STR_ARG(c->all[i]->path));
}

static bool may_stand_here(struct compile *c, const struct activity *a) {
    const struct activity *outer = c->container;
    bool container = a->kind == ACTIVITY_IF_CONDITION || a->kind == ACTIVITY_FOR_EACH;
    if (!outer || !container || (outer->kind == ACTIVITY_FOR_EACH && a->kind == ACTIVITY_IF_CONDITION)) return true;
    fault_add(
        c->shape.faults, "BadRequest", a->path, 0,
        "%s '%.*s' inside of %s '%.*s' is not supported, as in Synapse: put it in a pipeline that ExecutePipeline runs",
        activity_type(a->kind), STR_ARG(str_upto(a->name, ACTIVITY_NAME_MAX)), activity_type(outer->kind),
        STR_ARG(str_upto(outer->name, ACTIVITY_NAME_MAX)));
    return false;
}

static void compile_activity(struct compile *c, const json_t *json, struct activity *a) {
    const struct shape *s = &c->shape;
    shape_known(s, json, a->path,
                "name type description dependsOn userProperties policy state onInactiveMarkAs typeProperties");
    (void)shape_string(s, json, a->path, "description", false);
    struct str state = shape_string(s, json, a->path, "state", false);
    if (state.p && !str_eq_nocase(state, STR("Active")))
        fault_add(s->faults, "BadRequest", path_key(s->arena, a->path, STR("state")), 0, "only Active is supported");
    check_name(c, a);
    read_user_properties(s, json, a);
    if (!read_kind(s, json, a) || !may_stand_here(c, a)) return;
    read_policy(s, json, a);
    compile_type_properties(c, a, json);
}

/* A place for one more activity of the pipeline. */
static bool enlist(struct compile *c, struct activity *a) {
    if (c->pipeline->n_activities == PIPELINE_ACTIVITIES_MAX) return false;
    a->ordinal = (unsigned)c->pipeline->n_activities;
    c->all[c->pipeline->n_activities++] = a;
    return true;
}

struct activity_list compile_activities(struct compile *c, const json_t *object, struct str path, const char *key,
                                        bool required) {
    const struct shape *s = &c->shape;
    const json_t *list = shape_member(s, object, path, key, SHAPE_ARRAY | (required ? SHAPE_REQUIRED : 0));
    struct str at = path_key(s->arena, path, str_z(key));
    size_t count = json_array_size(list), n = 0;
    struct activity *items = ARENA_ARRAY(s->arena, struct activity, count + 1);
    const json_t **sources = ARENA_ARRAY(s->arena, const json_t *, count + 1);
    if (!items || !sources) {
        s->faults->oom = true;
        return (struct activity_list){ 0 };
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *json = json_array_get(list, i);
        struct activity *a = &items[n];
        *a = (struct activity){ .path = path_index(s->arena, at, i) };
        if (path_lost(a->path)) s->faults->oom = true;
        if (!json_is_object(json)) {
            fault_add(s->faults, "BadRequest", a->path, 0, "an activity is an object with 'name' and 'type'");
            continue;
        }
        if (!enlist(c, a)) {
            fault_add(s->faults, "BadRequest", a->path, 0, "more than %d activities, with inner ones",
                      PIPELINE_ACTIVITIES_MAX);
            break;
        }
        a->name = shape_string(s, json, a->path, "name", true);
        sources[n++] = json;
        compile_activity(c, json, a);
    }
    for (size_t i = 0; i < n; i++) read_dependencies(s, sources[i], items, n, &items[i]);
    return (struct activity_list){ items, n };
}
