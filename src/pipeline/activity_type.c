/* typeProperties: what each kind of activity has of its own. */
#include "data/json.h"
#include "pipeline/document_internal.h"

/* --- members that may be expressions --- */

static const char *type_wanted(unsigned types) {
    return types & SHAPE_STRING  ? "a string"
           : types & SHAPE_INT   ? "an integer"
           : types & SHAPE_BOOL  ? "a Boolean"
           : types & SHAPE_ARRAY ? "an array"
                                 : "an object";
}

static bool type_fits(unsigned types, int type) {
    static const unsigned shapes[] = { [JSON_OBJECT] = SHAPE_OBJECT,
                                       [JSON_ARRAY] = SHAPE_ARRAY,
                                       [JSON_STRING] = SHAPE_STRING,
                                       [JSON_INTEGER] = SHAPE_INT,
                                       [JSON_REAL] = 0,
                                       [JSON_TRUE] = SHAPE_BOOL,
                                       [JSON_FALSE] = SHAPE_BOOL,
                                       [JSON_NULL] = 0 };
    return type < 0 || (types & SHAPE_ANY) || (types & shapes[type]);
}

/* NULL with a fault when it is missing, does not compile, or has another type whatever the run evaluates. */
static const struct template *value_of(const struct shape *s, const json_t *object, struct str path, const char *key,
                                       unsigned types) {
    const json_t *v = shape_member(s, object, path, key, SHAPE_ANY | (types & SHAPE_REQUIRED));
    if (!v) return NULL;
    struct str at = path_key(s->arena, path, str_z(key));
    const struct template *t = template_compile(s->arena, v, at, s->faults);
    if (!t || type_fits(types, template_type(t))) return t;
    fault_add(s->faults, "BadRequest", at, 0, "should be %s, or an expression with such a value", type_wanted(types));
    return NULL;
}

/* --- Web --- */

static const struct {
    struct str name;
    bool body, needs_body;
} methods[] = {
    { STR_INIT("GET"), false, false },   { STR_INIT("HEAD"), false, false }, { STR_INIT("OPTIONS"), true, false },
    { STR_INIT("POST"), true, true },    { STR_INIT("PUT"), true, true },    { STR_INIT("PATCH"), true, true },
    { STR_INIT("DELETE"), true, false },
};

static void read_method(const struct shape *s, const json_t *json, struct str path, struct web_activity *web) {
    struct str method = shape_string(s, json, path, "method", true);
    struct str at = path_key(s->arena, path, STR("method"));
    size_t i = 0;
    if (!method.p) return;
    while (i < COUNT(methods) && !str_eq_nocase(method, methods[i].name)) i++;
    if (i == COUNT(methods)) {
        fault_add(s->faults, "BadRequest", at, 0, "should be GET, HEAD, OPTIONS, POST, PUT, PATCH or DELETE");
        return;
    }
    bool body = json_object_get(json, "body") && !json_is_null(json_object_get(json, "body"));
    web->method = methods[i].name;
    if (body && !methods[i].body)
        fault_add(s->faults, "BadRequest", path_key(s->arena, path, STR("body")), 0, "%s has no body", methods[i].name.p);
    if (!body && methods[i].needs_body)
        fault_add(s->faults, "BadRequest", path, 0, "'body' is missing: %s needs one", methods[i].name.p);
}

static bool token_only(struct str name) {
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c)) return false;
    }
    return name.n > 0 && name.n <= 128;
}

/* Who is calling is said by the workspace's identity, and where a message ends by the connection. */
static const char *header_refused(struct str name) {
    static const struct str secrets[] = { STR_INIT("authorization"), STR_INIT("proxy-authorization"), STR_INIT("cookie") };
    static const struct str framing[] = { STR_INIT("host"),
                                          STR_INIT("content-length"),
                                          STR_INIT("transfer-encoding"),
                                          STR_INIT("upgrade"),
                                          STR_INIT("connection"),
                                          STR_INIT("keep-alive"),
                                          STR_INIT("expect"),
                                          STR_INIT("te"),
                                          STR_INIT("trailer"),
                                          STR_INIT("proxy-connection") };
    for (size_t i = 0; i < COUNT(secrets); i++)
        if (str_eq_nocase(name, secrets[i])) return "is not supported: use authentication with type MSI";
    for (size_t i = 0; i < COUNT(framing); i++)
        if (str_eq_nocase(name, framing[i])) return "is not supported: the connection sets it";
    return token_only(name) ? NULL : "is not the name of a header";
}

static void read_headers(const struct shape *s, const json_t *json, struct str path, struct web_activity *web) {
    const json_t *headers = json_object_get(json, "headers");
    struct str at = path_key(s->arena, path, STR("headers"));
    const char *key;
    size_t n;
    json_t *member;
    web->headers = value_of(s, json, path, "headers", SHAPE_OBJECT);
    if (!web->headers || template_type(web->headers) != JSON_OBJECT) return; /* an expression: the run looks at its value */
    if (json_object_size(headers) > WEB_HEADERS_MAX)
        fault_add(s->faults, "BadRequest", at, 0, "more than %d headers", WEB_HEADERS_MAX);
    json_object_keylen_foreach((json_t *)(uintptr_t)headers, key, n, member) {
        struct str name = { key, n }, place = path_key(s->arena, at, name);
        const char *why = header_refused(name);
        if (why) fault_add(s->faults, "BadRequest", place, 0, "header '%.*s' %s", STR_ARG(str_upto(name, 64)), why);
        if (!json_is_string(member) && !json_is_object(member))
            fault_add(s->faults, "BadRequest", place, 0, "should be a string");
    }
}

static void read_authentication(const struct shape *s, const json_t *json, struct str path, struct web_activity *web) {
    const json_t *authentication = shape_member(s, json, path, "authentication", SHAPE_OBJECT);
    if (!authentication) return;
    struct str at = path_key(s->arena, path, STR("authentication"));
    struct str type = shape_string(s, authentication, at, "type", true);
    if (type.p && !str_eq_nocase(type, STR("MSI"))) {
        fault_add(s->faults, "BadRequest", path_key(s->arena, at, STR("type")), 0,
                  "authentication '%.*s' is not supported: MSI is", STR_ARG(str_upto(type, 64)));
        return;
    }
    shape_known(s, authentication, at, "type resource");
    web->resource = value_of(s, authentication, at, "resource", SHAPE_STRING | SHAPE_REQUIRED);
}

/* Settings of which only the one that changes nothing is supported. */
static void refuse_settings(const struct shape *s, const json_t *json, struct str path) {
    static const char *const lists[] = { "datasets", "linkedServices" };
    if (shape_bool(s, json, path, "disableCertValidation", false))
        fault_add(s->faults, "BadRequest", path_key(s->arena, path, STR("disableCertValidation")), 0,
                  "is not supported: certificates are always checked");
    for (size_t i = 0; i < COUNT(lists); i++)
        if (json_array_size(shape_member(s, json, path, lists[i], SHAPE_ARRAY)))
            fault_add(s->faults, "BadRequest", path_key(s->arena, path, str_z(lists[i])), 0, "'%s' is not supported",
                      lists[i]);
    const json_t *via = shape_member(s, json, path, "connectVia", SHAPE_OBJECT);
    struct str name = { 0 };
    if (via && !(json_member_str(via, "referenceName", &name) && str_eq(name, STR("AutoResolveIntegrationRuntime"))))
        fault_add(s->faults, "BadRequest", path_key(s->arena, path, STR("connectVia")), 0,
                  "'connectVia' is not supported, but for AutoResolveIntegrationRuntime");
}

static void check_url(const struct shape *s, struct str path, const struct template *url) {
    const json_t *literal = url ? template_literal(url) : NULL;
    struct str text = json_text_of(literal);
    if (!literal || str_eq_nocase(str_upto(text, 8), STR("https://")) || str_eq_nocase(str_upto(text, 7), STR("http://")))
        return;
    fault_add(s->faults, "BadRequest", path_key(s->arena, path, STR("url")), 0, "should begin with https:// or http://");
}

static void compile_web(struct compile *c, struct activity *a, const json_t *json, struct str path) {
    const struct shape *s = &c->shape;
    shape_known(s, json, path,
                "method url headers body authentication httpRequestTimeout turnOffAsync disableCertValidation connectVia "
                "datasets linkedServices");
    read_method(s, json, path, &a->web);
    a->web.url = value_of(s, json, path, "url", SHAPE_STRING | SHAPE_REQUIRED);
    check_url(s, path, a->web.url);
    read_headers(s, json, path, &a->web);
    a->web.body = value_of(s, json, path, "body", SHAPE_ANY);
    read_authentication(s, json, path, &a->web);
    a->web.request_timeout_s = shape_timespan(s, json, path, "httpRequestTimeout", WEB_TIMEOUT_MAX_S,
                                              WEB_TIMEOUT_DEFAULT_S);
    a->web.turn_off_async = shape_bool(s, json, path, "turnOffAsync", false);
    refuse_settings(s, json, path);
}

/* --- the others --- */

static void compile_wait(struct compile *c, struct activity *a, const json_t *json, struct str path) {
    const struct shape *s = &c->shape;
    shape_known(s, json, path, "waitTimeInSeconds");
    a->wait_s = value_of(s, json, path, "waitTimeInSeconds", SHAPE_INT | SHAPE_REQUIRED);
    const json_t *literal = a->wait_s ? template_literal(a->wait_s) : NULL;
    if (literal && (json_integer_value(literal) < 0 || json_integer_value(literal) > WAIT_MAX_S))
        fault_add(s->faults, "BadRequest", path_key(s->arena, path, STR("waitTimeInSeconds")), 0, "should be 0 to %d",
                  WAIT_MAX_S);
}

static unsigned type_of_variable(enum pipeline_type type) {
    static const unsigned types[] = {
        [TYPE_STRING] = SHAPE_STRING, [TYPE_INT] = SHAPE_INT,     [TYPE_FLOAT] = SHAPE_ANY,
        [TYPE_BOOL] = SHAPE_BOOL,     [TYPE_ARRAY] = SHAPE_ARRAY, [TYPE_OBJECT] = SHAPE_OBJECT
    };
    return types[type];
}

static void compile_set_variable(struct compile *c, struct activity *a, const json_t *json, struct str path) {
    const struct shape *s = &c->shape;
    const struct pipeline *p = c->pipeline;
    shape_known(s, json, path, "variableName value setSystemVariable");
    if (shape_bool(s, json, path, "setSystemVariable", false))
        fault_add(s->faults, "BadRequest", path_key(s->arena, path, STR("setSystemVariable")), 0,
                  "a pipeline's return value is not supported");
    struct str name = shape_string(s, json, path, "variableName", true);
    size_t i = 0;
    while (i < p->n_variables && !str_eq(p->variables[i].name, name)) i++;
    if (name.p && i == p->n_variables)
        fault_add(s->faults, "BadRequest", path_key(s->arena, path, STR("variableName")), 0,
                  "the pipeline has no variable '%.*s'", STR_ARG(str_upto(name, 64)));
    a->set_variable.variable = (unsigned)i;
    unsigned types = i < p->n_variables ? type_of_variable(p->variables[i].type) : SHAPE_ANY;
    a->set_variable.value = value_of(s, json, path, "value", types | SHAPE_REQUIRED);
}

static void compile_fail(struct compile *c, struct activity *a, const json_t *json, struct str path) {
    shape_known(&c->shape, json, path, "message errorCode");
    a->fail.message = value_of(&c->shape, json, path, "message", SHAPE_STRING | SHAPE_REQUIRED);
    a->fail.error_code = value_of(&c->shape, json, path, "errorCode", SHAPE_STRING | SHAPE_REQUIRED);
}

static struct activity_list inner(struct compile *c, struct activity *a, const json_t *json, struct str path,
                                  const char *key, bool required) {
    const struct activity *outer = c->container;
    c->container = a;
    struct activity_list list = compile_activities(c, json, path, key, required);
    c->container = outer;
    return list;
}

static void compile_if(struct compile *c, struct activity *a, const json_t *json, struct str path) {
    shape_known(&c->shape, json, path, "expression ifTrueActivities ifFalseActivities");
    a->if_condition.expression = value_of(&c->shape, json, path, "expression", SHAPE_BOOL | SHAPE_REQUIRED);
    a->if_condition.if_true = inner(c, a, json, path, "ifTrueActivities", false);
    a->if_condition.if_false = inner(c, a, json, path, "ifFalseActivities", false);
}

static void compile_for_each(struct compile *c, struct activity *a, const json_t *json, struct str path) {
    const struct shape *s = &c->shape;
    shape_known(s, json, path, "items isSequential batchCount activities");
    a->for_each.items = value_of(s, json, path, "items", SHAPE_ARRAY | SHAPE_REQUIRED);
    a->for_each.is_sequential = shape_bool(s, json, path, "isSequential", false);
    int64_t batch = shape_int(s, json, path, "batchCount", 1, FOR_EACH_BATCH_MAX, FOR_EACH_BATCH_DEFAULT);
    a->for_each.batch_count = a->for_each.is_sequential ? 1 : (unsigned)batch;
    a->for_each.activities = inner(c, a, json, path, "activities", true);
}

static void compile_execute(struct compile *c, struct activity *a, const json_t *json, struct str path) {
    const struct shape *s = &c->shape;
    shape_known(s, json, path, "pipeline parameters waitOnCompletion");
    const json_t *reference = shape_member(s, json, path, "pipeline", SHAPE_OBJECT | SHAPE_REQUIRED);
    struct str at = path_key(s->arena, path, STR("pipeline"));
    shape_known(s, reference, at, "referenceName type name");
    if (reference) {
        struct str type = shape_string(s, reference, at, "type", true);
        if (type.p && !str_eq(type, STR("PipelineReference")))
            fault_add(s->faults, "BadRequest", path_key(s->arena, at, STR("type")), 0, "should be PipelineReference");
        a->execute.pipeline = shape_string(s, reference, at, "referenceName", true);
        if (a->execute.pipeline.p && !pipeline_name_valid(a->execute.pipeline, PIPELINE_NAME_MAX))
            fault_add(s->faults, "BadRequest", path_key(s->arena, at, STR("referenceName")), 0,
                      "not the name of a pipeline");
    }
    a->execute.wait_on_completion = shape_bool(s, json, path, "waitOnCompletion", false);
    if (!shape_member(s, json, path, "parameters", SHAPE_OBJECT)) return;
    a->execute.parameters = value_of(s, json, path, "parameters", SHAPE_OBJECT);
}

void compile_type_properties(struct compile *c, struct activity *a, const json_t *json) {
    static void (*const kinds[ACTIVITY_KINDS])(struct compile * c, struct activity * a, const json_t *json,
                                               struct str path) = {
        [ACTIVITY_WEB] = compile_web,
        [ACTIVITY_WAIT] = compile_wait,
        [ACTIVITY_SET_VARIABLE] = compile_set_variable,
        [ACTIVITY_FAIL] = compile_fail,
        [ACTIVITY_IF_CONDITION] = compile_if,
        [ACTIVITY_FOR_EACH] = compile_for_each,
        [ACTIVITY_EXECUTE_PIPELINE] = compile_execute,
    };
    const json_t *properties = shape_member(&c->shape, json, a->path, "typeProperties", SHAPE_OBJECT | SHAPE_REQUIRED);
    if (properties) kinds[a->kind](c, a, properties, path_key(c->shape.arena, a->path, STR("typeProperties")));
}
