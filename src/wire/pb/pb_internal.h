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

struct pb_kind_info {
    uint8_t wire, size; /* enum pb_wire; of the C member of a singular field: 1, 4, 8 or a struct str */
};
extern const struct pb_kind_info pb_kinds[];

static inline enum pb_wire pb_kind_wire(uint8_t kind) {
    return (enum pb_wire)pb_kinds[kind].wire;
}

static inline size_t pb_kind_size(uint8_t kind) {
    return pb_kinds[kind].size;
}

/* A number's member as its bits. Sizes are spelled out, as a copy of variable size would be a call. */
static inline uint64_t pb_load(uint8_t kind, const void *place) {
    uint64_t v64 = 0;
    uint32_t v32;
    if (pb_kinds[kind].size == 1) return *(const uint8_t *)place;
    if (pb_kinds[kind].size == 4) {
        memcpy(&v32, place, sizeof v32);
        return v32;
    }
    memcpy(&v64, place, sizeof v64);
    return v64;
}

static inline void pb_store(uint8_t kind, void *place, uint64_t v) {
    const uint32_t v32 = (uint32_t)v;
    if (pb_kinds[kind].size == 4) memcpy(place, &v32, sizeof v32);
    else memcpy(place, &v, sizeof v);
}

/* pb_field_by_number and pb_has, for the loops of the codec. */
static inline const struct pb_field *pb_lookup(const struct pb_msg *desc, uint32_t number) {
    if (number >= desc->by_number_count) return pb_field_by_number(desc, number);
    const uint8_t i = desc->by_number[number];
    return i ? &desc->fields[i - 1] : NULL;
}

static inline bool pb_present(const struct pb_field *f, const void *msg) {
    const void *member = pb_at_const(msg, f->offset);
    switch ((enum pb_label)f->label) {
    case PB_OPTIONAL: return *(const bool *)pb_at_const(msg, f->presence);
    case PB_ONEOF: return *(const int32_t *)pb_at_const(msg, f->presence) == (int32_t)f->number;
    case PB_REPEATED:
    case PB_MAP: return ((const struct pb_repeated *)member)->n != 0;
    case PB_IMPLICIT: break;
    }
    if (f->kind == PB_STRING || f->kind == PB_BYTES) return ((const struct str *)member)->n != 0;
    return pb_load(f->kind, member) != 0; /* by bits: -0.0 is not the default */
}

size_t pb_element_size(const struct pb_field *f); /* of one element of a repeated field */

/* How many elements the array of a repeated field with n of them has room for: it follows from n alone, so whoever makes
 * such an array here allocates this much. */
size_t pb_capacity(size_t n);
/* Appends one zeroed element; its address, or NULL when the arena is full. Only for arrays that this library made. */
void *pb_append(const struct pb_field *f, void *msg, struct arena *arena);

/* Marks the field as set: has-bit, or the oneof's case (the member that was set before becomes zero). */
void pb_mark(const struct pb_msg *desc, const struct pb_field *f, void *msg);
/* The message in a singular field, made when absent. NULL when the arena is full. */
void *pb_sub_new(const struct pb_msg *desc, const struct pb_field *f, void *msg, struct arena *arena);

/* Map entries by key, the last of equal keys kept. False when the arena is full. */
bool pb_map_tidy(const struct pb_field *f, void *msg, struct arena *arena);
/* Is the map in order? If not, *ret_order is a heap array of entries by key, to be freed. False when memory is short. */
bool pb_map_order(const struct pb_field *f, const struct pb_repeated *map, const void ***ret_order);
