#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include "base/enc.h"
#include "wire/pb/pb_json_internal.h"

enum { MAX_NUMBER_TEXT = 64 };

/* What the text or number of a JSON value says, before the field's range is looked at. */
struct number {
    enum { NUMBER_SIGNED, NUMBER_UNSIGNED, NUMBER_REAL } shape;
    int64_t i;
    uint64_t u;
    double d;
};

static const struct {
    struct str text;
    double value;
} specials[] = {
    { STR_INIT("NaN"), (double)NAN },
    { STR_INIT("Infinity"), (double)INFINITY },
    { STR_INIT("-Infinity"), (double)-INFINITY },
};

/* JSON's own grammar of numbers, so that "0x10", " 1", "1." and "nan" are none. */
static bool number_form(struct str s) {
    size_t i = 0, start;
    if (i < s.n && s.p[i] == '-') i++;
    for (start = i; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {}
    if (i == start || (s.p[start] == '0' && i > start + 1)) return false;
    if (i < s.n && s.p[i] == '.') {
        for (start = ++i; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {}
        if (i == start) return false;
    }
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        if (i < s.n && (s.p[i] == '+' || s.p[i] == '-')) i++;
        for (start = i; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {}
        if (i == start) return false;
    }
    return i == s.n;
}

static bool number_from_text(struct str s, struct number *ret) {
    char z[MAX_NUMBER_TEXT + 1];
    if (s.n > MAX_NUMBER_TEXT || !number_form(s)) return false;
    if (str_i64(s, &ret->i)) {
        ret->shape = NUMBER_SIGNED;
        return true;
    }
    if (str_u64(s, &ret->u)) {
        ret->shape = NUMBER_UNSIGNED;
        return true;
    }
    memcpy(z, s.p, s.n);
    z[s.n] = 0;
    ret->d = strtod(z, NULL);
    ret->shape = NUMBER_REAL;
    return isfinite(ret->d);
}

/* 1.0 and 1e3 are integers too, as far as a double is exact. */
static bool number_whole(struct number *n) {
    if (n->shape != NUMBER_REAL) return true;
    if (n->d != floor(n->d) || fabs(n->d) > 9007199254740992.0) return false;
    n->i = (int64_t)n->d;
    n->shape = NUMBER_SIGNED;
    return true;
}

static enum code put_integer(struct pb_json_reader *r, uint8_t kind, struct number n, void *place) {
    if (!number_whole(&n)) return pb_json_fault(r, "not an integer");
    const bool big = n.shape == NUMBER_UNSIGNED; /* over INT64_MAX */
    const size_t size = pb_kind_size(kind);
    const bool is_unsigned = kind == PB_UINT64 || kind == PB_FIXED64 || kind == PB_UINT32 || kind == PB_FIXED32;
    if (is_unsigned) {
        if (!big && n.i < 0) return pb_json_fault(r, "negative number in an unsigned field");
        const uint64_t v = big ? n.u : (uint64_t)n.i;
        if (size == 4 && v > UINT32_MAX) return pb_json_fault(r, "number out of range");
        memcpy(place, &v, size);
        return OK;
    }
    if (big || (size == 4 && (n.i < INT32_MIN || n.i > INT32_MAX))) return pb_json_fault(r, "number out of range");
    memcpy(place, &n.i, size);
    return OK;
}

static enum code put_real(struct pb_json_reader *r, uint8_t kind, double d, void *place) {
    if (kind == PB_DOUBLE) {
        *(double *)place = d;
        return OK;
    }
    if (isfinite(d) && fabs(d) > (double)FLT_MAX) return pb_json_fault(r, "number out of range");
    *(float *)place = (float)d;
    return OK;
}

static enum code put_number(struct pb_json_reader *r, uint8_t kind, struct number n, void *place) {
    if (kind != PB_DOUBLE && kind != PB_FLOAT) return put_integer(r, kind, n, place);
    if (n.shape == NUMBER_SIGNED) n.d = (double)n.i;
    if (n.shape == NUMBER_UNSIGNED) n.d = (double)n.u;
    return put_real(r, kind, n.d, place);
}

static enum code number_text(struct pb_json_reader *r, uint8_t kind, struct str s, void *place) {
    struct number n = { 0 };
    for (size_t i = 0; (kind == PB_DOUBLE || kind == PB_FLOAT) && i < COUNT(specials); i++) {
        if (str_eq(s, specials[i].text)) return put_real(r, kind, specials[i].value, place);
    }
    if (!number_from_text(s, &n)) return pb_json_fault(r, "not a number");
    if (kind == PB_DOUBLE || kind == PB_FLOAT) { /* "-0" keeps its sign */
        if (n.shape == NUMBER_SIGNED && n.i == 0 && s.p[0] == '-') return put_real(r, kind, -0.0, place);
    }
    return put_number(r, kind, n, place);
}

static enum code enum_text(struct pb_json_reader *r, const struct pb_field *f, struct str s, void *place) {
    const struct pb_enum_value *v = pb_enum_by_name(f->enm, s);
    if (v) {
        *(int32_t *)place = v->number;
        return OK;
    }
    struct number n = { 0 };
    if (number_from_text(s, &n)) return put_integer(r, PB_INT32, n, place);
    return pb_json_fault(r, "\"%.*s\" is no value of %s", STR_ARG(str_upto(s, 80)), f->enm->name.p);
}

static enum code string_copy(struct pb_json_reader *r, struct str s, void *place) {
    struct str copy = str_dup(r->arena, s);
    if (s.n && !copy.p) return err_oom(r->err);
    *(struct str *)place = copy;
    return OK;
}

static enum code bytes_text(struct pb_json_reader *r, struct str s, void *place) {
    if (dec_base64_any(r->arena, s, place)) return OK;
    return pb_json_fault(r, "not base64");
}

enum code pb_json_scalar_text(struct pb_json_reader *r, const struct pb_field *f, struct str text, void *place) {
    switch ((enum pb_kind)f->kind) {
    case PB_STRING: return utf8_valid(text) ? string_copy(r, text, place) : pb_json_fault(r, "string is not UTF-8");
    case PB_BYTES: return bytes_text(r, text, place);
    case PB_ENUM: return enum_text(r, f, text, place);
    case PB_BOOL:
        if (!str_eq(text, STR("true")) && !str_eq(text, STR("false"))) return pb_json_fault(r, "neither true nor false");
        *(bool *)place = text.p[0] == 't';
        return OK;
    case PB_MESSAGE: return pb_json_fault(r, "a message has no text");
    case PB_DOUBLE:
    case PB_FLOAT:
    case PB_INT64:
    case PB_UINT64:
    case PB_INT32:
    case PB_FIXED64:
    case PB_FIXED32:
    case PB_UINT32:
    case PB_SFIXED32:
    case PB_SFIXED64:
    case PB_SINT32:
    case PB_SINT64: break;
    }
    return number_text(r, f->kind, text, place);
}

/* Booleans come as such; strings and bytes as strings; numbers as either; enums as name or number. */
enum code pb_json_scalar(struct pb_json_reader *r, const struct pb_field *f, const json_t *tree, void *place) {
    const uint8_t kind = f->kind;
    if (kind == PB_BOOL) {
        if (!json_is_boolean(tree)) return pb_json_fault(r, "neither true nor false");
        *(bool *)place = json_is_true(tree);
        return OK;
    }
    if (json_is_string(tree)) {
        const struct str s = { json_string_value(tree), json_string_length(tree) };
        if (kind == PB_ENUM && !pb_enum_by_name(f->enm, s)) {
            return pb_json_fault(r, "\"%.*s\" is no value of %s", STR_ARG(str_upto(s, 80)), f->enm->name.p);
        }
        return pb_json_scalar_text(r, f, s, place);
    }
    if (kind == PB_STRING || kind == PB_BYTES) return pb_json_fault(r, "not a string");
    if (!json_is_number(tree)) return pb_json_fault(r, "not a number");
    const uint8_t as = kind == PB_ENUM ? PB_INT32 : kind;
    if (json_is_integer(tree)) return put_number(r, as, (struct number){ .i = json_integer_value(tree) }, place);
    return put_number(r, as, (struct number){ .shape = NUMBER_REAL, .d = json_real_value(tree) }, place);
}
