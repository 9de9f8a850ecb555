#include "spanner/far_columns.h"
#include "wire/pb/spanner.pb.h"

/* Nothing but the code: an element type, a struct or an annotation is another type. */
static bool is_type(const struct spanner_Type *type, enum sql_type expected) {
    return type && type->code == (int32_t)expected && !type->array_element_type && !type->struct_type &&
           type->type_annotation == 0 && type->proto_type_fqn.n == 0;
}

bool far_columns_same(const struct sql_analysis *a, const struct spanner_ResultSetMetadata *metadata) {
    const struct spanner_StructType *row = metadata ? metadata->row_type : NULL;
    if (!row || row->fields.n != a->n_columns) return false;
    for (size_t i = 0; i < a->n_columns; i++)
        if (!str_eq_nocase(row->fields.p[i].name, a->columns[i].name) ||
            !is_type(row->fields.p[i].type, a->columns[i].type))
            return false;
    return true;
}

enum code far_columns_check(const struct sql_analysis *a, const struct spanner_ResultSetMetadata *metadata,
                            struct err *err) {
    if (far_columns_same(a, metadata)) return OK;
    return err_set(err, FAILED_PRECONDITION,
                   "SCHEMA_CHANGED: the answer's columns are not those that were decided on: run it again");
}
