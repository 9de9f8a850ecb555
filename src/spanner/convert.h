/* convert.h: google.spanner.v1's values, types and keys, and the engine's. Any thread; results in the arena or borrowed. */
#pragma once
#include "engine/key.h"
#include "wire/pb/spanner.pb.h"
#include "wire/pb/wkt.pb.h"

/* A Value as the wire has it → a value of this type. INVALID_ARGUMENT names what was expected. */
MUST_USE enum code convert_value(const struct pb_Value *v, enum sql_type type, struct arena *arena, struct sql_value *ret,
                                 struct err *err);
/* google.spanner.v1.Type → one of ours. UNIMPLEMENTED names the type. NULL: SQL_UNKNOWN. */
MUST_USE enum code convert_type(const struct spanner_Type *type, enum sql_type *ret, struct err *err);
/* KeySet → key_set of the table (not finished). */
MUST_USE enum code convert_key_set(const struct spanner_KeySet *keys, struct arena *arena, struct key_set *set,
                                   struct err *err);
/* The names of the key columns that a KeySet reads: those of the table's key. */
struct pb_Timestamp convert_timestamp(int64_t wall_us);
/* Rounded down to microseconds: commit timestamps have that grain. False: out of int64. */
bool convert_timestamp_us(const struct pb_Timestamp *t, int64_t *ret);
bool convert_duration_us(const struct pb_Duration *d, int64_t *ret);
