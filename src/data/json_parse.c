#include "data/json_parse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/enc.h"

enum { NUMBER_MAX = 500 };
/* What jansson's values take on the heap, beside their text. */
enum { NUMBER_BYTES = 32, STRING_BYTES = 96, ARRAY_BYTES = 128, OBJECT_BYTES = 256, MEMBER_BYTES = 96 };

struct parser {
    struct str text;
    size_t at;
    unsigned depth;
    const struct parse_rules *rules;
    enum parse_fault fault;
    struct buf plain; /* strings without their escapes: as long as the text together at most, so it never moves */
};

static bool fail(struct parser *p, enum parse_fault fault) {
    p->fault = fault;
    return false;
}

static json_t *none(struct parser *p, enum parse_fault fault) {
    p->fault = fault;
    return NULL;
}

/* Before a value is made. */
static bool pay(struct parser *p, size_t bytes) {
    return !p->rules->charge || arena_charge(p->rules->charge, bytes) || fail(p, PARSE_NO_MEMORY);
}

static json_t *made(struct parser *p, json_t *value) {
    return value ? value : none(p, PARSE_NO_MEMORY);
}

/* The next byte; 0 at the end, which is as wrong outside of strings as NUL is. */
static char next(const struct parser *p) {
    return p->at < p->text.n ? p->text.p[p->at] : 0;
}

static bool take(struct parser *p, char c) {
    if (next(p) != c) return false;
    p->at++;
    return true;
}

static void skip_space(struct parser *p) {
    for (char c = next(p); c == ' ' || c == '\n' || c == '\r' || c == '\t'; c = next(p)) p->at++;
}

/* ---- strings ---- */

static bool take_hex4(struct parser *p, uint32_t *ret) {
    uint32_t v = 0;
    for (unsigned i = 0; i < 4; i++) {
        const char c = next(p);
        if (c >= '0' && c <= '9') v = v << 4 | (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') v = v << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
        else return false;
        p->at++;
    }
    *ret = v;
    return true;
}

/* Behind "\u". A surrogate stands only before its other half. */
static bool take_unit(struct parser *p) {
    uint32_t v, low;
    char utf8[4];
    if (!take_hex4(p, &v)) return false;
    if (v >= 0xd800 && v < 0xdc00) {
        if (!take(p, '\\') || !take(p, 'u') || !take_hex4(p, &low) || low < 0xdc00 || low >= 0xe000) return false;
        v = 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
    }
    size_t n = utf8_put(v, utf8);
    buf_add(&p->plain, utf8, n);
    return n > 0 && (v || p->rules->any_value);
}

static bool take_escape(struct parser *p) {
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char c = next(p);
    const char *at = strchr(names, c);
    if (!c) return false;
    p->at++;
    if (c == 'u') return take_unit(p);
    if (at) buf_add_char(&p->plain, values[at - names]);
    return at != NULL;
}

/* Up to a quote, a backslash, or what no string holds. */
static struct str take_run(struct parser *p) {
    const size_t begin = p->at;
    while (p->at < p->text.n && p->text.p[p->at] != '"' && p->text.p[p->at] != '\\' &&
           (unsigned char)p->text.p[p->at] >= 0x20)
        p->at++;
    return (struct str){ p->text.p + begin, p->at - begin };
}

/* Behind the opening quote. It stays in the text, or in `plain`. */
static bool take_string(struct parser *p, struct str *ret) {
    struct str run = take_run(p);
    const size_t begin = p->plain.n;
    bool fine = true;
    if (next(p) == '\\') {
        if (!p->plain.p && !buf_reserve(&p->plain, p->text.n)) return fail(p, PARSE_NO_MEMORY);
        buf_add_str(&p->plain, run);
        while (fine && take(p, '\\')) {
            fine = take_escape(p);
            buf_add_str(&p->plain, take_run(p));
        }
        run = str_from(buf_str(&p->plain), begin);
    }
    *ret = run;
    return (fine && take(p, '"') && utf8_valid(run)) || fail(p, PARSE_MALFORMED);
}

static json_t *read_string(struct parser *p) {
    struct str text;
    if (!take_string(p, &text) || !pay(p, STRING_BYTES + text.n)) return NULL;
    return made(p, json_stringn_nocheck(text.p, text.n));
}

/* ---- numbers and words ---- */

static bool take_digits(struct parser *p) {
    const size_t begin = p->at;
    while (next(p) >= '0' && next(p) <= '9') p->at++;
    return p->at > begin;
}

/* False: not by the grammar. */
static bool take_number(struct parser *p, bool *ret_real) {
    (void)take(p, '-');
    if (!take(p, '0') && !take_digits(p)) return false;
    const bool fraction = take(p, '.');
    if (fraction && !take_digits(p)) return false;
    const bool exponent = take(p, 'e') || take(p, 'E');
    if (exponent && !take(p, '-')) (void)take(p, '+');
    if (exponent && !take_digits(p)) return false;
    *ret_real = fraction || exponent;
    return true;
}

static json_t *read_real(struct parser *p, struct str digits) {
    char z[NUMBER_MAX + 1];
    memcpy(z, digits.p, digits.n);
    z[digits.n] = 0;
    const double v = strtod(z, NULL); /* the program stays in the C locale */
    return isfinite(v) ? made(p, json_real(v)) : none(p, PARSE_MALFORMED);
}

static json_t *read_number(struct parser *p) {
    const size_t begin = p->at;
    bool real;
    int64_t v;
    if (!take_number(p, &real) || p->at - begin > NUMBER_MAX) return none(p, PARSE_MALFORMED);
    const struct str digits = { p->text.p + begin, p->at - begin };
    if (!pay(p, NUMBER_BYTES)) return NULL;
    if (real) return read_real(p, digits);
    return str_i64(digits, &v) ? made(p, json_integer(v)) : none(p, PARSE_MALFORMED);
}

static json_t *read_word(struct parser *p) {
    struct str rest = str_from(p->text, p->at);
    json_t *value = str_strip_prefix(&rest, STR("true"))    ? json_true()
                    : str_strip_prefix(&rest, STR("false")) ? json_false()
                    : str_strip_prefix(&rest, STR("null"))  ? json_null()
                                                            : NULL;
    p->at = p->text.n - rest.n;
    return value ? value : none(p, PARSE_MALFORMED);
}

/* ---- objects and arrays ---- */

static json_t *read_value(struct parser *p);

static bool read_item(struct parser *p, json_t *array) {
    json_t *value = read_value(p);
    return value && (json_array_append_new(array, value) == 0 || fail(p, PARSE_NO_MEMORY));
}

/* A key that was there takes the old one's place, and the object has not grown. */
static bool read_member(struct parser *p, json_t *object) {
    struct str key;
    const size_t members = json_object_size(object);
    if (!take(p, '"')) return fail(p, PARSE_MALFORMED);
    if (!take_string(p, &key)) return false;
    if (str_find_char(key, 0) >= 0) return fail(p, PARSE_MALFORMED);
    skip_space(p);
    if (!take(p, ':')) return fail(p, PARSE_MALFORMED);
    skip_space(p);
    json_t *value = pay(p, MEMBER_BYTES + key.n) ? read_value(p) : NULL;
    if (!value) return false;
    if (json_object_setn_new_nocheck(object, key.p, key.n, value) != 0) return fail(p, PARSE_NO_MEMORY);
    return json_object_size(object) > members || fail(p, PARSE_KEY_TWICE);
}

static bool read_list(struct parser *p, json_t *list, bool (*read_one)(struct parser *p, json_t *list), char end) {
    skip_space(p);
    if (take(p, end)) return true;
    do {
        skip_space(p);
        if (!read_one(p, list)) return false;
        skip_space(p);
    } while (take(p, ','));
    return take(p, end) || fail(p, PARSE_MALFORMED);
}

static json_t *read_nested(struct parser *p, bool is_object) {
    if (p->depth == p->rules->max_depth) return none(p, PARSE_TOO_DEEP);
    p->depth++;
    p->at++;
    if (!pay(p, is_object ? OBJECT_BYTES : ARRAY_BYTES)) return NULL;
    json_t *list = made(p, is_object ? json_object() : json_array());
    if (list && !(is_object ? read_list(p, list, read_member, '}') : read_list(p, list, read_item, ']'))) {
        json_decref(list);
        return NULL;
    }
    p->depth--;
    return list;
}

static json_t *read_value(struct parser *p) {
    const char c = next(p);
    if (!c) return none(p, PARSE_MALFORMED);
    if (c == '{' || c == '[') return read_nested(p, c == '{');
    if (take(p, '"')) return read_string(p);
    return c == '-' || (c >= '0' && c <= '9') ? read_number(p) : read_word(p);
}

static json_t *read_whole(struct parser *p) {
    skip_space(p);
    if (!p->rules->any_value && next(p) != '{' && next(p) != '[') return none(p, PARSE_MALFORMED);
    json_t *tree = read_value(p);
    skip_space(p);
    if (!tree || p->at == p->text.n) return tree;
    json_decref(tree);
    return none(p, PARSE_MALFORMED);
}

json_t *json_parse(struct str text, const struct parse_rules *rules, enum parse_fault *ret_fault, size_t *ret_at) {
    struct parser p = { .text = text, .rules = rules, .plain = BUF_INIT(text.n) };
    json_t *tree = read_whole(&p);
    buf_wipe(&p.plain);
    if (tree) return tree;
    *ret_fault = p.fault;
    *ret_at = p.at;
    return NULL;
}
