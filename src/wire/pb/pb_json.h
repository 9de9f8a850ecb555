/* pb_json.h: the canonical JSON mapping of protobuf messages (ProtoJSON), proto3.
 *
 * Reading takes lowerCamelCase and original field names, int64 as string or number, enums by name or number, bytes in
 * either base64 alphabet, null as absent; refuses duplicate keys, unknown names, a field given twice by two spellings, a
 * oneof given twice, values out of range and more than PB_MAX_DEPTH levels. Faults carry the path: "statements[1].params:
 * …". Writing leaves out default values and writes int64 as strings and enums by name. An integer literal outside int64 is
 * refused, even where a double is wanted (write it with a point or an exponent). Strings of the result live in the arena.
 * The tree in between lies in the heap: the arena is charged with it. Any thread. */
#pragma once
#include "wire/pb/pb.h"

/* INVALID_ARGUMENT with line and column, or the path. RESOURCE_EXHAUSTED: the arena is too small for the tree and the
 * message. */
MUST_USE enum code pb_from_json(const struct pb_msg *desc, struct str json, struct arena *arena, unsigned flags,
                                void **ret_msg, struct err *err);
/* Appends JSON text. INVALID_ARGUMENT for what has no JSON form (an Any of an unknown type, a timestamp of the year 10000).
 */
MUST_USE enum code pb_to_json(const struct pb_msg *desc, const void *msg, struct buf *out, struct err *err);

/* Sets the field at a dotted path ("options.optimizer_version", either spelling) from the text of a URL's path or query;
 * makes the messages on the way; appends to a repeated field. Maps, lists of messages and messages without a one-string
 * form are refused. `msg` must come from this library and `arena` must live as long. The text is copied. */
MUST_USE enum code pb_set_field(const struct pb_msg *desc, void *msg, struct str dotted_path, struct str text,
                                struct arena *arena, struct err *err);
