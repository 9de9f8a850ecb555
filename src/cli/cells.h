/* cells.h: a field of text → one google.protobuf.Value, and its place in the key's order. Sans-I/O; any thread.
 * Source: google.spanner.v1.TypeCode says how each type is written. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

enum cell_type { CELL_BOOL, CELL_INT64, CELL_FLOAT64, CELL_STRING, CELL_BYTES, CELL_DATE, CELL_TIMESTAMP };

/* "STRING(MAX)", "INT64", … False: not supported. */
bool cell_type_of(struct str spanner_type, enum cell_type *ret);
const char *cell_type_name(enum cell_type type);
/* Adds it as an element of a ListValue (field 1). NULL when fine, else what is wrong: never with the value itself. */
const char *cell_encode(enum cell_type type, struct str text, struct buf *out);
void cell_encode_null(struct buf *out);
/* Adds bytes that sort as the value does; only for neatness of the load: what cannot be parsed sorts as text. */
void cell_key(enum cell_type type, struct str text, bool is_null, bool descending, struct buf *out);
