#include "data/json.h"

#include <pthread.h>
#include <stdlib.h>

/* jansson's lexer forgets a byte when its buffer cannot grow, and goes on: "bob" may be read for "boob". So its allocations
 * are watched, and a tree that was read while one failed is thrown away. Thread-local: one reader at a time on a thread. */
static _Thread_local bool short_of_memory;

static void *watched_malloc(size_t n) {
    void *p = arena_should_fail() ? NULL : malloc(n);
    if (!p) short_of_memory = true;
    return p;
}

static void watch(void) {
    json_set_alloc_funcs(watched_malloc, free);
}

static json_t *load(struct str text, json_error_t *error) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, watch);
    short_of_memory = false;
    json_t *json = json_loadb(text.n ? text.p : "", text.n, JSON_REJECT_DUPLICATES, error);
    if (!short_of_memory) return json;
    json_decref(json);
    return NULL;
}

void json_freep(json_t **json) {
    json_decref(*json);
}

/* Where the nesting passes the maximum, or text.n. Strings are skipped; what is malformed otherwise is the parser's to say.
 */
static size_t too_deep_at(struct str text, unsigned max_depth) {
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (in_string) {
            if (c == '\\') i++;
            else if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > max_depth) return i;
        } else if ((c == '}' || c == ']') && depth) {
            depth--;
        }
    }
    return text.n;
}

static void place_of(struct str text, size_t at, unsigned *line, unsigned *column) {
    *line = *column = 1;
    for (size_t i = 0; i < at; i++) {
        (*column)++;
        if (text.p[i] == '\n') (*line)++, *column = 1;
    }
}

enum code json_read(struct str text, size_t max_bytes, unsigned max_depth, json_t **ret, struct err *err) {
    if (text.n > max_bytes) return err_set(err, INVALID_ARGUMENT, "the JSON text is longer than %zu bytes", max_bytes);
    if (max_depth == 0) max_depth = JSON_DEPTH_DEFAULT;
    size_t deep = too_deep_at(text, max_depth);
    if (deep < text.n) {
        unsigned line, column;
        place_of(text, deep, &line, &column);
        return err_at(err, INVALID_ARGUMENT, line, column, "nested deeper than %u", max_depth);
    }
    json_error_t je;
    json_t *json = load(text, &je);
    if (!json) {
        if (short_of_memory) return err_oom(err);
        unsigned line = je.line > 0 ? (unsigned)je.line : 1, column = je.column > 0 ? (unsigned)je.column : 1;
        /* jansson's text quotes the input near the fault, which may be a secret: say only where. */
        return err_at(err, INVALID_ARGUMENT, line, column, "not valid JSON%s",
                      json_error_code(&je) == json_error_duplicate_key ? ": a key occurs twice" : "");
    }
    *ret = json;
    return OK;
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
