/* Values: their types' names, text, equality, size. */
#include <math.h>
#include <stdlib.h>

#include "base/decimal.h"
#include "data/json.h"
#include "pipeline/expr_internal.h"

const char *expr_type_name(const json_t *value) {
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string", [JSON_INTEGER] = "an integer",
        [JSON_REAL] = "a float",     [JSON_TRUE] = "a Boolean", [JSON_FALSE] = "a Boolean", [JSON_NULL] = "null"
    };
    return names[json_typeof(value)];
}

enum code expr_charge(struct expr_run *run, unsigned column, size_t steps) {
    run->work += steps;
    if (run->work <= EXPR_WORK_MAX) return OK;
    return err_at(run->err, OUT_OF_RANGE, 0, column, "the expression takes more than %d steps", EXPR_WORK_MAX);
}

/* The shortest decimal that reads back as the same double. */
static void add_real(struct buf *out, double v, bool as_json) {
    char text[40];
    int n = 0;
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v) break;
    }
    buf_add(out, text, (size_t)n);
    if (as_json && !strpbrk(text, ".e")) buf_add_z(out, ".0");
}

static void write_object(const json_t *value, struct buf *out) {
    const char *key;
    size_t n;
    json_t *member;
    bool first = true;
    buf_add_char(out, '{');
    json_object_keylen_foreach((json_t *)(uintptr_t)value, key, n, member) {
        json_t *name = json_stringn_nocheck(key, n);
        if (!first) buf_add_char(out, ',');
        first = false;
        if (!name || !json_write(name, out)) out->failed = true;
        json_decref(name);
        buf_add_char(out, ':');
        expr_write_json(member, out);
    }
    buf_add_char(out, '}');
}

void expr_write_json(const json_t *value, struct buf *out) {
    if (json_is_object(value)) {
        write_object(value, out);
    } else if (json_is_array(value)) {
        buf_add_char(out, '[');
        for (size_t i = 0; i < json_array_size(value); i++) {
            if (i) buf_add_char(out, ',');
            expr_write_json(json_array_get(value, i), out);
        }
        buf_add_char(out, ']');
    } else if (json_is_real(value)) {
        add_real(out, json_real_value(value), true);
    } else if (!json_write(value, out)) {
        out->failed = true;
    }
}

static void add_scalar(const json_t *value, struct buf *out) {
    char text[DECIMAL_MAX];
    if (json_is_string(value)) buf_add_str(out, json_text_of(value));
    else if (json_is_integer(value)) buf_add(out, text, decimal_i64(json_integer_value(value), text));
    else if (json_is_real(value)) add_real(out, json_real_value(value), false);
    else if (json_is_boolean(value)) buf_add_z(out, json_is_true(value) ? "True" : "False"); /* as .NET writes them */
}

enum code expr_add_text(struct expr_run *run, unsigned column, const json_t *value, struct buf *out) {
    size_t before = out->n;
    if (json_is_object(value) || json_is_array(value)) {
        enum code rc = expr_measure(run, column, value);
        if (rc) return rc;
        expr_write_json(value, out);
    } else {
        add_scalar(value, out);
    }
    if (!buf_ok(out)) return err_at(run->err, OUT_OF_RANGE, 0, column, "the text is longer than %d bytes", EXPR_RESULT_MAX);
    return expr_charge(run, column, out->n - before);
}

/* --- size --- */

static size_t string_size(struct str s) {
    size_t n = s.n + 2;
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < 0x20) n += 5;
        else if (s.p[i] == '"' || s.p[i] == '\\') n++;
    }
    return n;
}

/* Adds the size of the JSON text to *size; false: too deep or too large. */
static bool add_size(const json_t *value, unsigned depth, size_t *size) {
    const char *key;
    size_t n;
    json_t *member;
    if (depth > EXPR_DEPTH_MAX) return false;
    *size += json_is_string(value) ? string_size(json_text_of(value)) : 4;
    for (size_t i = 0; i < json_array_size(value) && *size <= EXPR_RESULT_MAX; i++)
        if (!add_size(json_array_get(value, i), depth + 1, size)) return false;
    json_object_keylen_foreach((json_t *)(uintptr_t)value, key, n, member) {
        *size += string_size((struct str){ key, n });
        if (*size > EXPR_RESULT_MAX || !add_size(member, depth + 1, size)) return false;
    }
    return *size <= EXPR_RESULT_MAX;
}

enum code expr_measure(struct expr_run *run, unsigned column, const json_t *value) {
    size_t size = 0;
    bool fits = add_size(value, 0, &size);
    enum code rc = expr_charge(run, column, size);
    if (rc || fits) return rc;
    return err_at(run->err, OUT_OF_RANGE, 0, column, "the value is larger than %d bytes, or nested deeper than %d",
                  EXPR_RESULT_MAX, EXPR_DEPTH_MAX);
}

/* --- equality --- */

/* A Boolean beside a number counts as 1 or 0. */
static double number_of(const json_t *v) {
    return json_is_boolean(v) ? (json_is_true(v) ? 1.0 : 0.0) : json_number_value(v);
}

static bool scalar_equal(const json_t *a, const json_t *b) {
    bool number_a = json_is_number(a), number_b = json_is_number(b);
    if (json_is_integer(a) && json_is_integer(b)) return json_integer_value(a) == json_integer_value(b);
    if ((number_a && (number_b || json_is_boolean(b))) || (number_b && json_is_boolean(a)))
        return number_of(a) == number_of(b);
    if (json_is_string(a) && json_is_string(b)) return str_eq(json_text_of(a), json_text_of(b));
    return json_typeof(a) == json_typeof(b);
}

static enum code object_equal(struct expr_call *call, const json_t *a, const json_t *b, bool *ret) {
    const char *key;
    size_t n;
    json_t *member;
    *ret = json_object_size(a) == json_object_size(b);
    json_object_keylen_foreach((json_t *)(uintptr_t)a, key, n, member) {
        const json_t *other = *ret ? json_object_getn(b, key, n) : NULL;
        if (!other) {
            *ret = false;
            return OK;
        }
        enum code rc = expr_equal(call, member, other, ret);
        if (rc) return rc;
    }
    return OK;
}

enum code expr_equal(struct expr_call *call, const json_t *a, const json_t *b, bool *ret) {
    enum code rc = expr_charge(call->run, call->node->column, 1 + json_string_length(a) / 8);
    if (rc) return rc;
    if (json_is_object(a) && json_is_object(b)) return object_equal(call, a, b, ret);
    if (!json_is_array(a) || !json_is_array(b)) {
        *ret = scalar_equal(a, b);
        return OK;
    }
    *ret = json_array_size(a) == json_array_size(b);
    for (size_t i = 0; rc == OK && *ret && i < json_array_size(a); i++)
        rc = expr_equal(call, json_array_get(a, i), json_array_get(b, i), ret);
    return rc;
}
