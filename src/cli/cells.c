#include "cli/cells.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/enc.h"
#include "wire/pb/pb_write.h"

enum { NUMBER_MAX = 64, TIME_MAX = 64, BYTES_ARENA = 16 << 20 };

static const struct {
    struct str name;
    bool sized; /* NAME(…) */
} types[] = {
    [CELL_BOOL] = { STR_INIT("BOOL"), false },           [CELL_INT64] = { STR_INIT("INT64"), false },
    [CELL_FLOAT64] = { STR_INIT("FLOAT64"), false },     [CELL_STRING] = { STR_INIT("STRING"), true },
    [CELL_BYTES] = { STR_INIT("BYTES"), true },          [CELL_DATE] = { STR_INIT("DATE"), false },
    [CELL_TIMESTAMP] = { STR_INIT("TIMESTAMP"), false },
};

bool cell_type_of(struct str spanner_type, enum cell_type *ret) {
    struct str rest = spanner_type, name = str_cut(&rest, '(');
    for (size_t i = 0; i < COUNT(types); i++) {
        if (!str_eq(name, types[i].name) || types[i].sized != (rest.n > 0)) continue;
        *ret = (enum cell_type)i;
        return true;
    }
    return false;
}

const char *cell_type_name(enum cell_type type) {
    return types[type].name.p;
}

static const char *encode_bool(struct str text, struct buf *out) {
    bool yes = str_eq_nocase(text, STR("true")), no = str_eq_nocase(text, STR("false"));
    if (!yes && !no) return "is no BOOL: true or false";
    pb_put_value_bool(out, 1, yes);
    return NULL;
}

/* "517.0" is what programs write that hold integers with gaps as floats: nothing is lost. */
static struct str strip_zero_fraction(struct str text) {
    ptrdiff_t dot = str_find_char(text, '.');
    if (dot <= 0 || (size_t)dot + 1 == text.n) return text;
    for (size_t i = (size_t)dot + 1; i < text.n; i++)
        if (text.p[i] != '0') return text;
    return str_upto(text, (size_t)dot);
}

static const char *encode_int(struct str text, struct buf *out) {
    int64_t n;
    text = strip_zero_fraction(text);
    if (!str_i64(text, &n)) return "is no INT64";
    pb_put_value_string(out, 1, text);
    return NULL;
}

static bool parse_double(struct str text, double *ret) {
    char copy[NUMBER_MAX], *end;
    if (text.n == 0 || text.n >= sizeof copy) return false;
    for (size_t i = 0; i < text.n; i++)
        if (!strchr("0123456789+-.eE", text.p[i])) return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    *ret = strtod(copy, &end);
    return *end == '\0' && isfinite(*ret);
}

static const char *encode_double(struct str text, struct buf *out) {
    static const struct str names[] = { STR_INIT("NaN"), STR_INIT("Infinity"), STR_INIT("-Infinity") };
    double v;
    for (size_t i = 0; i < COUNT(names); i++) {
        if (!str_eq(text, names[i])) continue;
        pb_put_value_string(out, 1, text);
        return NULL;
    }
    if (!parse_double(text, &v)) return "is no FLOAT64";
    pb_put_value_number(out, 1, v);
    return NULL;
}

static const char *encode_bytes(struct str text, struct buf *out) {
    DEFER(arena_freep) struct arena *arena = arena_new(BYTES_ARENA);
    struct str bytes;
    if (!arena || !dec_base64(arena, text, &bytes)) return "is no base64";
    pb_put_value_string(out, 1, text);
    return NULL;
}

static const char *encode_date(struct str text, struct buf *out) {
    struct str rest = text;
    uint64_t y, m, d;
    bool ok = text.n == 10 && str_u64(str_cut(&rest, '-'), &y) && str_u64(str_cut(&rest, '-'), &m) && str_u64(rest, &d);
    if (!ok || !clock_valid_date((int64_t)y, (unsigned)m, (unsigned)d)) return "is no DATE: 2013-01-31";
    pb_put_value_string(out, 1, text);
    return NULL;
}

/* A space instead of the T is what many programs write. */
static bool time_text(struct str text, char copy[TIME_MAX], struct str *ret) {
    if (text.n >= TIME_MAX || text.n < 11) return false;
    memcpy(copy, text.p, text.n);
    if (copy[10] == ' ') copy[10] = 'T';
    *ret = (struct str){ copy, text.n };
    return true;
}

static const char *encode_timestamp(struct str text, struct buf *out) {
    char copy[TIME_MAX];
    int64_t seconds;
    int32_t nanos;
    if (!time_text(text, copy, &text) || !clock_parse_rfc3339(text, &seconds, &nanos))
        return "is no TIMESTAMP with its zone: 2013-01-31T05:00:00Z";
    pb_put_value_string(out, 1, text);
    return NULL;
}

const char *cell_encode(enum cell_type type, struct str text, struct buf *out) {
    switch (type) {
    case CELL_BOOL: return encode_bool(text, out);
    case CELL_INT64: return encode_int(text, out);
    case CELL_FLOAT64: return encode_double(text, out);
    case CELL_STRING: pb_put_value_string(out, 1, text); return NULL;
    case CELL_BYTES: return encode_bytes(text, out);
    case CELL_DATE: return encode_date(text, out);
    case CELL_TIMESTAMP: return encode_timestamp(text, out);
    }
    return "is of a type that is not supported";
}

void cell_encode_null(struct buf *out) {
    pb_put_value_null(out, 1);
}

/* ---- order ---- */

static void put_big_endian(struct buf *out, uint64_t v) {
    for (unsigned shift = 64; shift > 0; shift -= 8) buf_add_char(out, (char)(v >> (shift - 8)));
}

static void key_int(struct str text, struct buf *out) {
    int64_t n = 0;
    (void)str_i64(strip_zero_fraction(text), &n);
    put_big_endian(out, (uint64_t)n ^ UINT64_C(1) << 63);
}

static void key_double(struct str text, struct buf *out) {
    double v = 0;
    uint64_t bits;
    (void)parse_double(text, &v);
    memcpy(&bits, &v, sizeof bits);
    put_big_endian(out, bits >> 63 ? ~bits : bits | UINT64_C(1) << 63);
}

static void key_time(struct str text, struct buf *out) {
    char copy[TIME_MAX];
    int64_t seconds = 0;
    int32_t nanos = 0;
    if (time_text(text, copy, &text)) (void)clock_parse_rfc3339(text, &seconds, &nanos);
    put_big_endian(out, (uint64_t)seconds ^ UINT64_C(1) << 63);
    put_big_endian(out, (uint64_t)nanos);
}

/* 00 ends it; a 00 inside is 00 ff. */
static void key_text(struct str text, struct buf *out) {
    for (size_t i = 0; i < text.n; i++) {
        buf_add_char(out, text.p[i]);
        if (text.p[i] == '\0') buf_add_char(out, '\xff');
    }
    buf_add_char(out, '\0');
}

void cell_key(enum cell_type type, struct str text, bool is_null, bool descending, struct buf *out) {
    size_t start = out->n;
    buf_add_char(out, is_null ? 0 : 1);
    if (!is_null) {
        if (type == CELL_INT64) key_int(text, out);
        else if (type == CELL_FLOAT64) key_double(text, out);
        else if (type == CELL_TIMESTAMP) key_time(text, out);
        else key_text(text, out);
    }
    for (size_t i = start; descending && i < out->n; i++) out->p[i] = (char)~out->p[i];
}
