#include "spanner/convert.h"

static enum code expected(enum sql_type type, struct err *err) {
    return err_set(err, INVALID_ARGUMENT, "Could not parse value as %s", sql_type_name(type));
}

/* "NaN" and the infinities are strings by the API's mapping; the clients of Go and Node send them as numbers. */
static enum code convert_float(const struct pb_Value *v, struct sql_value *ret, struct err *err) {
    if (v->kind_case != pb_Value_kind_number_value) return expected(SQL_FLOAT64, err);
    *ret = VALUE_FLOAT(v->number_value);
    return OK;
}

static bool is_commit_timestamp(const struct pb_Value *v) {
    return v->kind_case == pb_Value_kind_string_value && str_eq(v->string_value, STR("spanner.commit_timestamp()"));
}

enum code convert_value(const struct pb_Value *v, enum sql_type type, struct arena *arena, struct sql_value *ret,
                        struct err *err) {
    if (v->kind_case == pb_Value_kind_null_value) {
        *ret = VALUE_NULL(type);
        return OK;
    }
    if (type == SQL_BOOL) {
        if (v->kind_case != pb_Value_kind_bool_value) return expected(type, err);
        *ret = VALUE_BOOL(v->bool_value);
        return OK;
    }
    if (type == SQL_FLOAT64 && v->kind_case != pb_Value_kind_string_value) return convert_float(v, ret, err);
    if (type == SQL_TIMESTAMP && is_commit_timestamp(v)) {
        *ret = (struct sql_value){ .type = type, .is_commit_timestamp = true };
        return OK;
    }
    if (v->kind_case != pb_Value_kind_string_value) return expected(type, err);
    return value_parse(type, v->string_value, arena, ret, err);
}

enum code convert_type(const struct spanner_Type *type, enum sql_type *ret, struct err *err) {
    *ret = SQL_UNKNOWN;
    if (!type || type->code == 0) return OK;
    if (type->code >= SQL_BOOL && type->code <= SQL_BYTES && type->type_annotation == 0) {
        *ret = (enum sql_type)type->code;
        return OK;
    }
    const struct pb_enum_value *name = pb_enum_by_number(&spanner_TypeCode_enum, type->code);
    return err_set(err, UNIMPLEMENTED, "Parameters of type %.*s are not supported",
                   STR_ARG(name ? name->name : STR("unknown")));
}

/* The parts of one key, in order; a prefix is fine. */
static enum code convert_key(const struct pb_ListValue *list, const struct sql_table *table, struct arena *arena,
                             struct sql_value parts[SQL_MAX_KEY_PARTS], struct err *err) {
    if (list->values.n > table->n_key)
        return err_set(err, INVALID_ARGUMENT, "A key of table %.*s has %u parts, %zu were given", STR_ARG(table->name),
                       table->n_key, list->values.n);
    for (size_t i = 0; i < list->values.n; i++) {
        enum sql_type type = table->columns[table->key[i].column].type;
        enum code rc = convert_value(&list->values.p[i], type, arena, &parts[i], err);
        if (rc) return rc;
    }
    return OK;
}

static enum code add_key(const struct pb_ListValue *list, struct arena *arena, struct key_set *set, struct err *err) {
    struct sql_value parts[SQL_MAX_KEY_PARTS];
    if (list->values.n != set->table->n_key)
        return err_set(err, INVALID_ARGUMENT, "A key of table %.*s has %u parts, %zu were given", STR_ARG(set->table->name),
                       set->table->n_key, list->values.n);
    enum code rc = convert_key(list, set->table, arena, parts, err);
    return rc ? rc : key_set_add_key(set, parts, list->values.n, err);
}

static enum code add_range(const struct spanner_KeyRange *range, struct arena *arena, struct key_set *set,
                           struct err *err) {
    struct sql_value start[SQL_MAX_KEY_PARTS], end[SQL_MAX_KEY_PARTS];
    const struct pb_ListValue *from = range->start_closed ? range->start_closed : range->start_open;
    const struct pb_ListValue *to = range->end_closed ? range->end_closed : range->end_open;
    if (!from || !to) return err_set(err, INVALID_ARGUMENT, "A key range needs a start and an end");
    enum code rc = convert_key(from, set->table, arena, start, err);
    if (!rc) rc = convert_key(to, set->table, arena, end, err);
    if (rc) return rc;
    return key_set_add_range(set, (struct key_bound){ start, from->values.n, range->start_closed != NULL },
                             (struct key_bound){ end, to->values.n, range->end_closed != NULL }, err);
}

enum code convert_key_set(const struct spanner_KeySet *keys, struct arena *arena, struct key_set *set, struct err *err) {
    enum code rc = OK;
    if (!keys) return OK;
    if (keys->all) rc = key_set_add_all(set, err);
    for (size_t i = 0; !rc && i < keys->keys.n; i++) rc = add_key(&keys->keys.p[i], arena, set, err);
    for (size_t i = 0; !rc && i < keys->ranges.n; i++) rc = add_range(&keys->ranges.p[i], arena, set, err);
    return rc;
}

struct pb_Timestamp convert_timestamp(int64_t wall_us) {
    int64_t seconds = wall_us / 1000000, micros = wall_us % 1000000;
    if (micros < 0) seconds--, micros += 1000000;
    return (struct pb_Timestamp){ .seconds = seconds, .nanos = (int32_t)micros * 1000 };
}

bool convert_timestamp_us(const struct pb_Timestamp *t, int64_t *ret) {
    int64_t us;
    if (__builtin_mul_overflow(t->seconds, 1000000, &us) || t->nanos < 0 || t->nanos > 999999999) return false;
    return !__builtin_add_overflow(us, t->nanos / 1000, ret);
}

bool convert_duration_us(const struct pb_Duration *d, int64_t *ret) {
    int64_t us;
    if (__builtin_mul_overflow(d->seconds, 1000000, &us)) return false;
    return !__builtin_add_overflow(us, d->nanos / 1000, ret) && *ret >= 0;
}
