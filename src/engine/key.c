#include "engine/key.h"

#include <math.h>
#include <string.h>

/* The tag of a value names its type, so that bytes of another table are seen when decoded. 0x05 < 0x10 + type < 0xEF. */
enum { TAG_NULL = 0x05, TAG_VALUE = 0x10 };

static void put_u64(uint64_t x, struct buf *out) {
    char bytes[8];
    for (unsigned i = 0; i < 8; i++) bytes[i] = (char)(uint8_t)(x >> (56 - 8 * i));
    buf_add(out, bytes, sizeof bytes);
}

static void put_text(struct str s, struct buf *out) {
    while (s.n) {
        const char *zero = memchr(s.p, 0, s.n);
        size_t run = zero ? (size_t)(zero - s.p) : s.n;
        buf_add(out, s.p, run);
        if (!zero) break;
        buf_add(out, "\0\xff", 2);
        s = str_from(s, run + 1);
    }
    buf_add(out, "\0\1", 2);
}

static uint64_t float_order(double x) {
    if (isnan(x)) return 0;
    if (x == 0) x = 0; /* -0.0 and 0.0 are one key */
    uint64_t bits = 0;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static double float_from_order(uint64_t order) {
    if (order == 0) return NAN;
    uint64_t bits = order >> 63 ? order & ~(UINT64_C(1) << 63) : ~order;
    double x = 0;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void put_value(const struct sql_value *v, struct buf *out) {
    uint8_t stamp[VALUE_TIMESTAMP_BYTES];
    buf_add_char(out, (char)(TAG_VALUE + (int)v->type));
    switch (v->type) {
    case SQL_BOOL: buf_add_char(out, (char)v->i64); break;
    case SQL_INT64:
    case SQL_DATE: put_u64((uint64_t)v->i64 ^ UINT64_C(1) << 63, out); break;
    case SQL_FLOAT64: put_u64(float_order(v->f64), out); break;
    case SQL_TIMESTAMP:
        value_put_timestamp(v->i64, v->nanos, stamp);
        buf_add(out, stamp, sizeof stamp);
        break;
    case SQL_STRING:
    case SQL_BYTES: put_text(v->s, out); break;
    case SQL_UNKNOWN: break;
    }
}

void key_encode_part(const struct sql_value *v, bool desc, struct buf *out) {
    size_t from = out->n;
    if (v->is_null) buf_add_char(out, TAG_NULL);
    else put_value(v, out);
    if (desc && buf_ok(out))
        for (size_t i = from; i < out->n; i++) out->p[i] = (char)~out->p[i];
}

static size_t value_bytes(const struct sql_value *v) {
    if (v->is_null) return 0;
    return v->type == SQL_STRING || v->type == SQL_BYTES ? v->s.n : 8;
}

enum code key_too_large(const struct sql_table *table, struct err *err) {
    return err_set(err, FAILED_PRECONDITION, "The key of a row of table %.*s is larger than %d bytes.",
                   STR_ARG(table->name), KEY_MAX_VALUE_BYTES);
}

enum code key_encode(const struct sql_table *table, const struct sql_value *parts, size_t n, struct buf *out,
                     struct err *err) {
    if (n > table->n_key)
        return err_set(err, INVALID_ARGUMENT, "Wrong number of key parts for %.*s. Expected: %u. Got: %zu.",
                       STR_ARG(table->name), table->n_key, n);
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        const struct sql_column *c = &table->columns[table->key[i].column];
        if (!parts[i].is_null && parts[i].type != c->type)
            return err_set(err, INVALID_ARGUMENT, "Key part %.*s of table %.*s must be %s, not %s.", STR_ARG(c->name),
                           STR_ARG(table->name), sql_type_name(c->type), sql_type_name(parts[i].type));
        bytes += value_bytes(&parts[i]);
        if (bytes > KEY_MAX_VALUE_BYTES) return key_too_large(table, err);
        key_encode_part(&parts[i], table->key[i].desc, out);
    }
    return buf_ok(out) ? OK : err_oom(err);
}

/* --- back ------------------------------------------------------------------------------------------------------------ */

struct reader {
    struct str rest;
    uint8_t flip; /* 0xff within a DESC part */
};

static bool get_byte(struct reader *r, uint8_t *ret) {
    if (!r->rest.n) return false;
    *ret = (uint8_t)r->rest.p[0] ^ r->flip;
    r->rest = str_from(r->rest, 1);
    return true;
}

static bool get_u64(struct reader *r, uint64_t *ret) {
    uint64_t x = 0;
    for (unsigned i = 0; i < 8; i++) {
        uint8_t byte = 0;
        if (!get_byte(r, &byte)) return false;
        x = x << 8 | byte;
    }
    *ret = x;
    return true;
}

static bool get_text(struct reader *r, struct arena *arena, struct str *ret) {
    char *text = arena_alloc(arena, r->rest.n + 1);
    size_t n = 0;
    uint8_t byte = 0;
    while (text && get_byte(r, &byte)) {
        if (byte == 0) {
            uint8_t next = 0;
            if (!get_byte(r, &next) || (next != 1 && next != 0xff)) return false;
            if (next == 1) {
                *ret = (struct str){ text, n };
                return true;
            }
        }
        text[n++] = (char)byte;
    }
    return false;
}

static bool get_value(struct reader *r, struct arena *arena, struct sql_value *v) {
    uint64_t x = 0;
    uint8_t byte = 0;
    char stamp[VALUE_TIMESTAMP_BYTES];
    switch (v->type) {
    case SQL_BOOL:
        if (!get_byte(r, &byte) || byte > 1) return false;
        v->i64 = byte;
        return true;
    case SQL_INT64:
    case SQL_DATE:
        if (!get_u64(r, &x)) return false;
        v->i64 = (int64_t)(x ^ UINT64_C(1) << 63);
        return true;
    case SQL_FLOAT64:
        if (!get_u64(r, &x)) return false;
        v->f64 = float_from_order(x);
        return true;
    case SQL_TIMESTAMP:
        for (size_t i = 0; i < sizeof stamp; i++) {
            if (!get_byte(r, &byte)) return false;
            stamp[i] = (char)byte;
        }
        return value_get_timestamp((struct str){ stamp, sizeof stamp }, &v->i64, &v->nanos);
    case SQL_STRING:
    case SQL_BYTES: return get_text(r, arena, &v->s);
    case SQL_UNKNOWN: break;
    }
    return false;
}

bool key_decode(const struct sql_table *table, struct str key, struct arena *arena, struct sql_value *ret_parts) {
    struct reader r = { .rest = key };
    for (size_t i = 0; i < table->n_key; i++) {
        struct sql_value v = { .type = table->columns[table->key[i].column].type };
        uint8_t tag = 0;
        r.flip = table->key[i].desc ? 0xff : 0;
        if (!get_byte(&r, &tag)) return false;
        if (tag == TAG_NULL) v.is_null = true;
        else if (tag != TAG_VALUE + (int)v.type || !get_value(&r, arena, &v)) return false;
        ret_parts[i] = v;
    }
    return r.rest.n == 0;
}

void key_spec(const struct sql_table *table, size_t n, struct buf *out) {
    static const char letters[] = { [SQL_BOOL] = 'b', [SQL_INT64] = 'i',  [SQL_FLOAT64] = 'f', [SQL_TIMESTAMP] = 't',
                                    [SQL_DATE] = 'd', [SQL_STRING] = 's', [SQL_BYTES] = 'y' };
    for (size_t i = 0; i < n && i < table->n_key; i++) {
        buf_add_char(out, letters[table->columns[table->key[i].column].type]);
        buf_add_char(out, table->key[i].desc ? '-' : '+');
    }
}
