/* pb_internal.h: what the files of this folder share; nobody else includes it. */
#pragma once
#include <string.h>
#include "wire/pb/pb.h"
#include "wire/pb/pb_wire.h"

extern const struct pb_msg *const pb_registry[]; /* generated; by full name */
extern const size_t pb_registry_count;

static inline void *pb_at(void *msg, uint32_t offset) {
    return (char *)msg + offset;
}

static inline const void *pb_at_const(const void *msg, uint32_t offset) {
    return (const char *)msg + offset;
}

/* A pointer to a message, whatever its type. */
typedef void *__attribute__((may_alias)) pb_ptr;

static inline const void *pb_sub(const struct pb_field *f, const void *msg) {
    return *(const pb_ptr *)pb_at_const(msg, f->offset);
}

enum pb_wire pb_kind_wire(uint8_t kind);
size_t pb_kind_size(uint8_t kind);                /* of the C member of a singular field */
size_t pb_element_size(const struct pb_field *f); /* of one element of a repeated field */

/* Appends one zeroed element; its address, or NULL when the arena is full. Capacity is a power of two and follows from the
 * count, so it is right only for arrays that these functions made. */
void *pb_append(const struct pb_field *f, void *msg, struct arena *arena);

/* Marks the field as set: has-bit, or the oneof's case (the member that was set before becomes zero). */
void pb_mark(const struct pb_msg *desc, const struct pb_field *f, void *msg);
/* The message in a singular field, made when absent. NULL when the arena is full. */
void *pb_sub_new(const struct pb_msg *desc, const struct pb_field *f, void *msg, struct arena *arena);

/* Map entries by key, the last of equal keys kept. False when the arena is full. */
bool pb_map_tidy(const struct pb_field *f, void *msg, struct arena *arena);
/* Is the map in order? If not, *ret_order is a heap array of entries by key, to be freed. False when memory is short. */
bool pb_map_order(const struct pb_field *f, const struct pb_repeated *map, const void ***ret_order);
