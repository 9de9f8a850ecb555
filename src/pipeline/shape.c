#include "pipeline/shape.h"

#include "data/json.h"

static const struct str lost = STR_INIT("(out of memory)");

bool path_lost(struct str path) {
    return path.p == lost.p;
}

struct str path_key(struct arena *arena, struct str path, struct str key) {
    bool simple = key.n > 0;
    for (size_t i = 0; i < key.n; i++) {
        char c = key.p[i];
        simple = simple && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_');
    }
    key = str_upto(key, 128);
    if (path_lost(path)) return path;
    struct str made = simple ? arena_printf(arena, "%.*s%s%.*s", STR_ARG(path), path.n ? "." : "", STR_ARG(key))
                             : arena_printf(arena, "%.*s['%.*s']", STR_ARG(path), STR_ARG(key));
    return made.p ? made : lost;
}

struct str path_index(struct arena *arena, struct str path, size_t index) {
    if (path_lost(path)) return path;
    struct str made = arena_printf(arena, "%.*s[%zu]", STR_ARG(path), index);
    return made.p ? made : lost;
}

static unsigned type_of(const json_t *v) {
    static const unsigned types[] = {
        [JSON_OBJECT] = SHAPE_OBJECT, [JSON_ARRAY] = SHAPE_ARRAY, [JSON_STRING] = SHAPE_STRING,
        [JSON_INTEGER] = SHAPE_INT,   [JSON_TRUE] = SHAPE_BOOL,   [JSON_FALSE] = SHAPE_BOOL
    };
    size_t type = (size_t)json_typeof(v);
    return SHAPE_ANY | (type < COUNT(types) ? types[type] : 0);
}

static const char *wanted(unsigned types) {
    static const struct {
        unsigned type;
        const char *name;
    } names[] = { { SHAPE_STRING, "a string" },
                  { SHAPE_INT, "an integer" },
                  { SHAPE_BOOL, "true or false" },
                  { SHAPE_ARRAY, "an array" },
                  { SHAPE_OBJECT, "an object" } };
    for (size_t i = 0; i < COUNT(names); i++)
        if (types & names[i].type) return names[i].name;
    return "a value";
}

const json_t *shape_member(const struct shape *s, const json_t *object, struct str path, const char *key, unsigned types) {
    const json_t *v = json_object_get(object, key);
    if (!v || json_is_null(v)) {
        if (types & SHAPE_REQUIRED) fault_add(s->faults, "BadRequest", path, 0, "'%s' is missing", key);
        return NULL;
    }
    if (type_of(v) & types) return v;
    fault_add(s->faults, "BadRequest", path_key(s->arena, path, str_z(key)), 0, "should be %s", wanted(types));
    return NULL;
}

struct str shape_string(const struct shape *s, const json_t *object, struct str path, const char *key, bool required) {
    const json_t *v = shape_member(s, object, path, key, SHAPE_STRING | (required ? SHAPE_REQUIRED : 0));
    return v ? json_text_of(v) : (struct str){ 0 };
}

bool shape_bool(const struct shape *s, const json_t *object, struct str path, const char *key, bool otherwise) {
    const json_t *v = shape_member(s, object, path, key, SHAPE_BOOL);
    return v ? json_is_true(v) : otherwise;
}

int64_t shape_int(const struct shape *s, const json_t *object, struct str path, const char *key, int64_t min, int64_t max,
                  int64_t otherwise) {
    const json_t *v = shape_member(s, object, path, key, SHAPE_INT);
    if (!v) return otherwise;
    if (json_integer_value(v) >= min && json_integer_value(v) <= max) return json_integer_value(v);
    fault_add(s->faults, "BadRequest", path_key(s->arena, path, str_z(key)), 0, "should be %lld to %lld", (long long)min,
              (long long)max);
    return otherwise;
}

static bool among(struct str name, const char *known) {
    struct str rest = str_z(known);
    while (rest.n)
        if (str_eq(str_cut(&rest, ' '), name)) return true;
    return false;
}

void shape_known(const struct shape *s, const json_t *object, struct str path, const char *known) {
    const char *key;
    size_t n;
    json_t *member;
    json_object_keylen_foreach((json_t *)(uintptr_t)object, key, n, member) {
        struct str name = { key, n };
        if (n && !memchr(key, ' ', n) && among(name, known)) continue;
        fault_add(s->faults, "BadRequest", path_key(s->arena, path, name), 0, "'%.*s' is not supported here",
                  STR_ARG(str_upto(name, 64)));
    }
}

bool shape_plain(const struct shape *s, const json_t *string, struct str path) {
    struct str text = json_text_of(string);
    if (!str_starts(text, STR("@")) && str_find(text, STR("@{")) < 0) return true;
    fault_add(s->faults, "BadRequest", path, 0, "an expression is not supported here");
    return false;
}
