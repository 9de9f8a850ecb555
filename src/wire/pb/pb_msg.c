#include "wire/pb/pb_internal.h"

enum { FIRST_CAP = 4 };

const struct pb_kind_info pb_kinds[] = {
    [PB_DOUBLE] = { PB_WIRE_64, sizeof(double) },        [PB_FLOAT] = { PB_WIRE_32, sizeof(float) },
    [PB_INT64] = { PB_WIRE_VARINT, sizeof(int64_t) },    [PB_UINT64] = { PB_WIRE_VARINT, sizeof(uint64_t) },
    [PB_INT32] = { PB_WIRE_VARINT, sizeof(int32_t) },    [PB_FIXED64] = { PB_WIRE_64, sizeof(uint64_t) },
    [PB_FIXED32] = { PB_WIRE_32, sizeof(uint32_t) },     [PB_BOOL] = { PB_WIRE_VARINT, sizeof(bool) },
    [PB_STRING] = { PB_WIRE_BYTES, sizeof(struct str) }, [PB_MESSAGE] = { PB_WIRE_BYTES, sizeof(void *) },
    [PB_BYTES] = { PB_WIRE_BYTES, sizeof(struct str) },  [PB_UINT32] = { PB_WIRE_VARINT, sizeof(uint32_t) },
    [PB_ENUM] = { PB_WIRE_VARINT, sizeof(int32_t) },     [PB_SFIXED32] = { PB_WIRE_32, sizeof(int32_t) },
    [PB_SFIXED64] = { PB_WIRE_64, sizeof(int64_t) },     [PB_SINT32] = { PB_WIRE_VARINT, sizeof(int32_t) },
    [PB_SINT64] = { PB_WIRE_VARINT, sizeof(int64_t) },
};

size_t pb_element_size(const struct pb_field *f) {
    return f->kind == PB_MESSAGE ? f->msg->size : pb_kinds[f->kind].size;
}

void *pb_new(const struct pb_msg *desc, struct arena *arena) {
    return arena_alloc(arena, desc->size);
}

const struct pb_msg *pb_find(struct str full_name) {
    size_t lo = 0, hi = pb_registry_count;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        const int c = str_cmp(full_name, pb_registry[mid]->name);
        if (c == 0) return pb_registry[mid];
        if (c < 0) hi = mid;
        else lo = mid + 1;
    }
    return NULL;
}

const struct pb_field *pb_field_by_number(const struct pb_msg *desc, uint32_t number) {
    if (number < desc->by_number_count) return pb_lookup(desc, number);
    for (size_t i = desc->field_count; i > 0 && desc->fields[i - 1].number >= number; i--) {
        if (desc->fields[i - 1].number == number) return &desc->fields[i - 1];
    }
    return NULL;
}

const struct pb_field *pb_field_by_name(const struct pb_msg *desc, struct str name) {
    for (size_t i = 0; i < desc->field_count; i++) {
        const struct pb_field *f = &desc->fields[i];
        if (str_eq(f->json_name, name) || str_eq(f->name, name)) return f;
    }
    return NULL;
}

const struct pb_enum_value *pb_enum_by_number(const struct pb_enum *e, int32_t number) {
    for (size_t i = 0; i < e->count; i++) {
        if (e->values[i].number == number) return &e->values[i];
    }
    return NULL;
}

const struct pb_enum_value *pb_enum_by_name(const struct pb_enum *e, struct str name) {
    for (size_t i = 0; i < e->count; i++) {
        if (str_eq(e->values[i].name, name)) return &e->values[i];
    }
    return NULL;
}

bool pb_has(const struct pb_field *field, const void *msg) {
    return pb_present(field, msg);
}

size_t pb_capacity(size_t n) {
    size_t cap = n ? FIRST_CAP : 0;
    while (cap < n) cap *= 2;
    return cap;
}

void *pb_append(const struct pb_field *f, void *msg, struct arena *arena) {
    struct pb_repeated *r = pb_at(msg, f->offset);
    const size_t size = pb_element_size(f), cap = pb_capacity(r->n);
    if (r->n == cap) {
        void *p = arena_array(arena, cap ? cap * 2 : FIRST_CAP, size);
        if (!p) return NULL;
        if (r->n) memcpy(p, r->p, r->n * size);
        r->p = p;
    }
    return (char *)r->p + size * r->n++;
}

/* A field's message says nothing of its siblings, so the owner's description is asked for the one that was set. */
static void oneof_mark(const struct pb_msg *desc, const struct pb_field *f, void *msg) {
    int32_t *which = pb_at(msg, f->presence);
    if (*which == (int32_t)f->number) return;
    const struct pb_field *old = *which > 0 ? pb_field_by_number(desc, (uint32_t)*which) : NULL;
    if (old) memset(pb_at(msg, old->offset), 0, pb_kinds[old->kind].size);
    *which = (int32_t)f->number;
}

void pb_mark(const struct pb_msg *desc, const struct pb_field *f, void *msg) {
    if (f->label == PB_OPTIONAL) *(bool *)pb_at(msg, f->presence) = true;
    else if (f->label == PB_ONEOF) oneof_mark(desc, f, msg);
}

void *pb_sub_new(const struct pb_msg *desc, const struct pb_field *f, void *msg, struct arena *arena) {
    pb_mark(desc, f, msg);
    pb_ptr *member = pb_at(msg, f->offset);
    if (!*member) *member = pb_new(f->msg, arena);
    return *member;
}
