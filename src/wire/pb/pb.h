/* pb.h: protobuf messages, driven by tables that tools/pbgen makes from our own files in proto/.
 *
 * A message is a plain C struct (see any generated <prefix>.pb.h for its shape) and a `const struct pb_msg` that describes
 * it. Ownership: a decoded message and all below it live in the arena given; strings and bytes point into the input, which
 * must live as long. Nothing is ever freed one by one. Tables are constant: any thread. A message belongs to whoever made
 * it. Limits: 64 levels of nesting, map entries counted; lengths are checked against the input; memory is bounded by the
 * arena, output by the buffer's maximum. Errors: INVALID_ARGUMENT for input that is not a message, RESOURCE_EXHAUSTED when
 * the arena or buffer is full. Source: protobuf.dev, Encoding and ProtoJSON. See docs/protobuf.md. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define PB_MAX_DEPTH 64

enum pb_kind { /* the numbers of descriptor.proto's FieldDescriptorProto.Type; groups (10) are refused */
               PB_DOUBLE = 1,
               PB_FLOAT = 2,
               PB_INT64 = 3,
               PB_UINT64 = 4,
               PB_INT32 = 5,
               PB_FIXED64 = 6,
               PB_FIXED32 = 7,
               PB_BOOL = 8,
               PB_STRING = 9,
               PB_MESSAGE = 11,
               PB_BYTES = 12,
               PB_UINT32 = 13,
               PB_ENUM = 14,
               PB_SFIXED32 = 15,
               PB_SFIXED64 = 16,
               PB_SINT32 = 17,
               PB_SINT64 = 18,
};

enum pb_label {
    PB_IMPLICIT, /* scalar: absent when zero; message: absent when NULL */
    PB_OPTIONAL, /* scalar with a `bool has_…` at `presence` */
    PB_ONEOF,    /* present when the int32_t case at `presence` equals the field's number */
    PB_REPEATED, /* {pointer to the first element, count} */
    PB_MAP,      /* the same, of entries {key, value} */
};

enum pb_well_known { /* messages whose JSON form is their own */
                     PB_WK_NONE,
                     PB_WK_ANY,
                     PB_WK_DURATION,
                     PB_WK_FIELD_MASK,
                     PB_WK_LIST_VALUE,
                     PB_WK_STRUCT,
                     PB_WK_TIMESTAMP,
                     PB_WK_VALUE,
};

struct pb_enum_value {
    struct str name;
    int32_t number;
};

struct pb_enum {
    struct str name; /* "google.spanner.v1.TypeCode" */
    const struct pb_enum_value *values;
    size_t count;
};

struct pb_field {
    uint32_t number, offset, presence;
    uint8_t kind, label; /* enum pb_kind, enum pb_label */
    bool packed;         /* a repeated scalar that is written packed (both forms are read) */
    const struct pb_msg *msg;
    const struct pb_enum *enm;
    struct str name, json_name;
};

struct pb_msg {
    struct str name;               /* "google.spanner.v1.ExecuteSqlRequest" */
    const struct pb_field *fields; /* by number */
    const uint8_t *by_number;      /* number → index + 1, 0 = none; longer numbers are searched */
    uint32_t by_number_count;
    uint16_t field_count, size;
    uint8_t well_known; /* enum pb_well_known */
    bool map_entry, has_map;
};

/* What every repeated field looks like in memory; the codec reads all of them through it. */
struct pb_repeated {
    void *p;
    size_t n;
} __attribute__((may_alias));

/* pb_decode: without it, unknown fields are skipped and lost; with it, the first one is refused by message and number, as
 * is a known number with the wrong wire type. What goes upstream is what was decoded, so the gate always sets it.
 * pb_from_json refuses unknown names unless PB_SKIP_UNKNOWN is given. */
#define PB_REFUSE_UNKNOWN 1u
#define PB_SKIP_UNKNOWN   2u

/* Reads one whole message. Repeated occurrences of a singular message merge, of a scalar the last wins, of a map key the
 * last wins; strings must be UTF-8; enums are open. */
MUST_USE enum code pb_decode(const struct pb_msg *desc, struct str bytes, struct arena *arena, unsigned flags,
                             void **ret_msg, struct err *err);
/* Appends the message, fields by number, map entries by key: the bytes are those of any deterministic serializer. On
 * failure the buffer may hold a part. */
MUST_USE enum code pb_encode(const struct pb_msg *desc, const void *msg, struct buf *out, struct err *err);

/* A new, empty message; NULL when the arena is full. PB_NEW(arena, spanner_Session) has the right type. */
void *pb_new(const struct pb_msg *desc, struct arena *arena);
#define PB_NEW(arena, type) ((struct type *)pb_new(&type##_msg, (arena)))

/* Look-ups; NULL when there is none. */
const struct pb_msg *pb_find(struct str full_name); /* every message of proto/ */
const struct pb_field *pb_field_by_number(const struct pb_msg *desc, uint32_t number);
const struct pb_field *pb_field_by_name(const struct pb_msg *desc, struct str name);    /* either spelling */
const struct pb_enum_value *pb_enum_by_number(const struct pb_enum *e, int32_t number); /* the first of aliases */
const struct pb_enum_value *pb_enum_by_name(const struct pb_enum *e, struct str name);
bool pb_has(const struct pb_field *field, const void *msg); /* present, by the rules of its label */

/* google.protobuf.Any: type URLs end in "/" and the full name; unpacking a type that proto/ does not declare is refused by
 * name. Packing writes "type.googleapis.com/…"; the bytes live in the arena. */
struct pb_Any;
MUST_USE enum code pb_any_pack(const struct pb_msg *desc, const void *msg, struct arena *arena, struct pb_Any **ret_any,
                               struct err *err);
MUST_USE enum code pb_any_unpack(const struct pb_Any *any, struct arena *arena, unsigned flags,
                                 const struct pb_msg **ret_desc, void **ret_msg, struct err *err);
