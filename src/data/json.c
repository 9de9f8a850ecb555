#include "data/json.h"

#include <pthread.h>
#include <stdlib.h>

#include "data/json_parse.h"

/* jansson's values, but not its parser: where memory is short that one forgets a byte and goes on ("bob" may be read for
 * "boob"), or aborts; and it takes five times as long. Its allocations are ours to fail in tests. */
static void *allocate(size_t n) {
    return arena_should_fail() ? NULL : malloc(n);
}

static void watch(void) {
    json_set_alloc_funcs(allocate, free);
}

void json_freep(json_t **json) {
    json_decref(*json);
}

static void place_of(struct str text, size_t at, unsigned *line, unsigned *column) {
    *line = *column = 1;
    for (size_t i = 0; i < at; i++) {
        (*column)++;
        if (text.p[i] == '\n') (*line)++, *column = 1;
    }
}

/* Only where: the text may be a secret. */
static enum code tell(struct str text, size_t at, enum parse_fault fault, unsigned max_depth, struct err *err) {
    unsigned line, column;
    if (fault == PARSE_NO_MEMORY) return err_oom(err);
    place_of(text, at, &line, &column);
    if (fault == PARSE_TOO_DEEP) return err_at(err, INVALID_ARGUMENT, line, column, "nested deeper than %u", max_depth);
    return err_at(err, INVALID_ARGUMENT, line, column, "not valid JSON%s",
                  fault == PARSE_KEY_TWICE ? ": a key occurs twice" : "");
}

static enum code read(struct str text, const struct parse_rules *rules, json_t **ret, struct err *err) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, watch);
    enum parse_fault fault = PARSE_FINE;
    size_t at = 0;
    json_t *json = json_parse(text, rules, &fault, &at);
    if (!json) return tell(text, at, fault, rules->max_depth, err);
    *ret = json;
    return OK;
}

enum code json_read(struct str text, size_t max_bytes, unsigned max_depth, json_t **ret, struct err *err) {
    if (text.n > max_bytes) return err_set(err, INVALID_ARGUMENT, "the JSON text is longer than %zu bytes", max_bytes);
    const struct parse_rules rules = { .max_depth = max_depth ? max_depth : JSON_DEPTH_DEFAULT };
    return read(text, &rules, ret, err);
}

enum code json_read_value(struct str text, unsigned max_depth, struct arena *charge, json_t **ret, struct err *err) {
    const struct parse_rules rules = { .max_depth = max_depth, .any_value = true, .charge = charge };
    return read(text, &rules, ret, err);
}

bool json_member_str(const json_t *object, const char *key, struct str *ret) {
    const json_t *v = json_object_get(object, key);
    if (!json_is_string(v)) return false;
    *ret = json_text_of(v);
    return true;
}

bool json_member_int(const json_t *object, const char *key, int64_t *ret) {
    const json_t *v = json_object_get(object, key);
    if (!json_is_integer(v)) return false;
    *ret = json_integer_value(v);
    return true;
}

struct str json_text_of(const json_t *string) {
    return (struct str){ json_string_value(string), json_string_length(string) };
}

bool json_has(const json_t *object, const char *key) {
    return json_object_get(object, key) != NULL;
}

static int add_bytes(const char *p, size_t n, void *out) {
    buf_add(out, p, n);
    return buf_ok(out) ? 0 : -1;
}

bool json_write(const json_t *json, struct buf *out) {
    return json_dump_callback(json, add_bytes, out, JSON_COMPACT | JSON_ENCODE_ANY) == 0 && buf_ok(out);
}
