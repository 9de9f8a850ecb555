#include "spanner/far_columns.h"
#include "wire/pb/spanner.pb.h"

enum { MAX_DEPTH = 4 }; /* an array's element is no array: there is nothing deeper */

/* Nothing but the code: an element type, a struct or an annotation is another type. */
static bool is_type(const struct spanner_Type *type, int32_t code) {
    return type && type->code == code && !type->array_element_type && !type->struct_type && type->type_annotation == 0 &&
           type->proto_type_fqn.n == 0;
}

/* ---- types that are none of ours, as INFORMATION_SCHEMA writes them ---- */

static const struct {
    const char *text;
    int32_t code;
} plain_types[] = {
    { "BOOL", spanner_TypeCode_BOOL },       { "INT64", spanner_TypeCode_INT64 },
    { "FLOAT32", spanner_TypeCode_FLOAT32 }, { "FLOAT64", spanner_TypeCode_FLOAT64 },
    { "STRING", spanner_TypeCode_STRING },   { "BYTES", spanner_TypeCode_BYTES },
    { "DATE", spanner_TypeCode_DATE },       { "TIMESTAMP", spanner_TypeCode_TIMESTAMP },
    { "JSON", spanner_TypeCode_JSON },       { "NUMERIC", spanner_TypeCode_NUMERIC },
    { "UUID", spanner_TypeCode_UUID },       { "INTERVAL", spanner_TypeCode_INTERVAL },
};

static bool is_plain(const struct spanner_Type *type, struct str text) {
    struct str word = str_cut(&text, '(');
    for (size_t i = 0; i < COUNT(plain_types); i++)
        if (str_eq_nocase(word, str_z(plain_types[i].text))) return is_type(type, plain_types[i].code);
    return false;
}

/* "PROTO<shop.Order>", "ENUM<shop.Kind>": however it is written, its name is in it. */
static bool is_named(const struct spanner_Type *type, struct str text) {
    bool proto = type->code == spanner_TypeCode_PROTO || type->code == spanner_TypeCode_ENUM;
    return proto && !type->array_element_type && !type->struct_type && type->type_annotation == 0 &&
           type->proto_type_fqn.n && str_find(text, type->proto_type_fqn) >= 0;
}

/* "ARRAY<STRING(20)>", "ARRAY<FLOAT32>(vector_length=>128)": the element's text. */
static struct str element_of(struct str text) {
    ptrdiff_t end = str_find(text, STR(">("));
    if (end >= 0) text = str_upto(text, (size_t)end + 1);
    bool array = str_strip_prefix(&text, STR("ARRAY<")) && str_strip_suffix(&text, STR(">"));
    return array ? text : (struct str){ NULL, 0 };
}

static bool is_other(const struct spanner_Type *type, struct str text, unsigned depth) {
    struct str element = element_of(text);
    if (!type || depth > MAX_DEPTH) return false;
    if (!element.n) return is_plain(type, text) || is_named(type, text);
    return type->code == spanner_TypeCode_ARRAY && !type->struct_type && type->type_annotation == 0 &&
           is_other(type->array_element_type, element, depth + 1);
}

/* ---- columns ---- */

static bool is_of_statement(const struct far_columns *c, size_t i, const struct spanner_StructType_Field *field) {
    const struct sql_result_column *column = &c->analysis->columns[i];
    return str_eq_nocase(field->name, column->name) && is_type(field->type, (int32_t)column->type);
}

static bool is_of_read(const struct far_columns *c, size_t i, const struct spanner_StructType_Field *field) {
    const struct sql_column *column = &c->table->columns[c->read[i]];
    if (!str_eq_nocase(field->name, column->name)) return false;
    return column->other_type.n ? is_other(field->type, column->other_type, 0)
                                : is_type(field->type, (int32_t)column->type);
}

static bool same(const struct far_columns *c, const struct spanner_ResultSetMetadata *metadata) {
    const struct spanner_StructType *row = metadata ? metadata->row_type : NULL;
    size_t n = c->analysis ? c->analysis->n_columns : c->n_read;
    if (!row || row->fields.n != n) return false;
    for (size_t i = 0; i < n; i++)
        if (!(c->analysis ? is_of_statement : is_of_read)(c, i, &row->fields.p[i])) return false;
    return true;
}

enum code far_columns_check(const struct far_columns *columns, const struct spanner_ResultSetMetadata *metadata,
                            struct err *err) {
    if (same(columns, metadata)) return OK;
    return err_set(err, FAILED_PRECONDITION,
                   "SCHEMA_CHANGED: the answer's columns are not those that were decided on: run it again");
}
