#include "data/json.h"

#include <pthread.h>
#include <stdlib.h>

/* jansson 2.14 is not safe when memory is short: its lexer forgets a byte when its buffer cannot grow, and goes on.
 * - "bob" may be read for "boob". So allocations are watched; from the first that fails on the parser gets no more text,
 * and what it made is thrown away.
 * - Behind a number or a word it puts the next byte back, and asserts that this was the last it kept: an abort. So each
 * byte at which the buffer may grow within these is fed alone, and the allocation that follows has a reserve. Numbers are
 *   bounded for that. A control character within a string is put back too: there the text ends, as it is not JSON. */
enum {
    LEXER_BYTES = 15, /* of a token, before the buffer grows for the first time */
    WORD_BYTES = 500, /* a number, or a word, at the most */
    RESERVE_BYTES = 1024
};

struct feed {
    struct str text;
    size_t at, word; /* of the next byte: how many of a number or a word stand before it */
    unsigned depth, max_depth;
    bool in_string, escaped, too_deep;
    bool grows; /* the next allocation may be the lexer's */
    bool short_of_memory;
    _Alignas(16) char reserve[RESERVE_BYTES];
};
static _Thread_local struct feed *feeding; /* one at a time on a thread */

static void *watched_malloc(size_t n) {
    struct feed *f = feeding;
    void *p = arena_should_fail() ? NULL : malloc(n);
    if (!f) return p;
    bool reserved = !p && f->grows && n <= sizeof f->reserve;
    if (!p) f->short_of_memory = true;
    f->grows = false;
    return reserved ? f->reserve : p;
}

static void watched_free(void *p) {
    if (!feeding || p != feeding->reserve) free(p);
}

static void watch(void) {
    json_set_alloc_funcs(watched_malloc, watched_free);
}

static bool is_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '+' || c == '.';
}

/* False: the text ends before this byte. What is malformed otherwise is the parser's to say. */
static bool pass_in_string(struct feed *f, char c) {
    if ((unsigned char)c < 0x20) return false;
    if (f->escaped) f->escaped = false;
    else if (c == '\\') f->escaped = true;
    else if (c == '"') f->in_string = false;
    return true;
}

static bool pass(struct feed *f, char c) {
    if (f->in_string) return pass_in_string(f, c);
    f->word = is_word(c) ? f->word + 1 : 0;
    f->in_string = c == '"';
    if (c == '{' || c == '[') f->too_deep = ++f->depth > f->max_depth;
    else if ((c == '}' || c == ']') && f->depth) f->depth--;
    return !f->too_deep && f->word <= WORD_BYTES;
}

static size_t feed_some(void *buffer, size_t max, void *ctx) {
    struct feed *f = ctx;
    char *out = buffer;
    size_t n = 0;
    while (n < max && f->at < f->text.n && !f->short_of_memory) {
        const char c = f->text.p[f->at];
        const bool alone = !f->in_string && f->word >= LEXER_BYTES;
        if (alone && n) break;
        if (!pass(f, c)) {
            f->text.n = f->at;
            break;
        }
        out[n++] = c;
        f->at++;
        if (!alone) continue;
        f->grows = true;
        break;
    }
    return n;
}

static json_t *load(struct feed *f, json_error_t *error) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, watch);
    feeding = f;
    json_t *json = json_load_callback(feed_some, f, JSON_REJECT_DUPLICATES, error);
    if (f->short_of_memory) json_decref(json);
    feeding = NULL;
    return f->short_of_memory ? NULL : json;
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

enum code json_read(struct str text, size_t max_bytes, unsigned max_depth, json_t **ret, struct err *err) {
    if (text.n > max_bytes) return err_set(err, INVALID_ARGUMENT, "the JSON text is longer than %zu bytes", max_bytes);
    struct feed feed = { .text = text, .max_depth = max_depth ? max_depth : JSON_DEPTH_DEFAULT };
    json_error_t je;
    json_t *json = load(&feed, &je);
    if (feed.short_of_memory) return err_oom(err);
    if (feed.too_deep) {
        unsigned line, column;
        place_of(text, feed.at, &line, &column);
        json_decref(json);
        return err_at(err, INVALID_ARGUMENT, line, column, "nested deeper than %u", feed.max_depth);
    }
    if (!json) {
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
