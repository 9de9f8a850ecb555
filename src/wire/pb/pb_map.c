#include <stdlib.h>
#include "wire/pb/pb_internal.h"

/* Every map entry begins with its key, field 1. */
struct key {
    const void *entry;
    uint8_t kind;
};

static int sign(uint64_t a, uint64_t b) {
    return (a > b) - (a < b);
}

static int key_cmp(uint8_t kind, const void *a, const void *b) {
    if (kind == PB_STRING) return str_cmp(*(const struct str *)a, *(const struct str *)b);
    uint64_t x = 0, y = 0;
    memcpy(&x, a, pb_kind_size(kind));
    memcpy(&y, b, pb_kind_size(kind));
    const bool is_signed = kind == PB_INT32 || kind == PB_INT64 || kind == PB_SINT32 || kind == PB_SINT64 ||
                           kind == PB_SFIXED32 || kind == PB_SFIXED64;
    const uint64_t flip = is_signed ? UINT64_C(1) << (8 * pb_kind_size(kind) - 1) : 0;
    return sign(x ^ flip, y ^ flip);
}

/* Equal keys stay in the order of arrival, which is that of their addresses. */
static int order_cmp(const void *a, const void *b) {
    const struct key *x = a, *y = b;
    const int c = key_cmp(x->kind, x->entry, y->entry);
    return c ? c : sign((uintptr_t)x->entry, (uintptr_t)y->entry);
}

static const char *entry_at(const struct pb_field *f, const struct pb_repeated *map, size_t i) {
    return (const char *)map->p + i * f->msg->size;
}

static bool ascending(const struct pb_field *f, const struct pb_repeated *map) {
    for (size_t i = 1; i < map->n; i++) {
        if (key_cmp(f->msg->fields[0].kind, entry_at(f, map, i - 1), entry_at(f, map, i)) >= 0) return false;
    }
    return true;
}

static void keys_sort(const struct pb_field *f, const struct pb_repeated *map, struct key *keys) {
    for (size_t i = 0; i < map->n; i++) {
        keys[i] = (struct key){ .entry = entry_at(f, map, i), .kind = f->msg->fields[0].kind };
    }
    qsort(keys, map->n, sizeof *keys, order_cmp);
}

bool pb_map_tidy(const struct pb_field *f, void *msg, struct arena *arena) {
    struct pb_repeated *map = pb_at(msg, f->offset);
    if (ascending(f, map)) return true;
    struct key *keys = ARENA_ARRAY(arena, struct key, map->n);
    char *tidy = arena_array(arena, pb_capacity(map->n), f->msg->size); /* a second occurrence may append to it */
    if (!keys || !tidy) return false;
    keys_sort(f, map, keys);
    size_t n = 0;
    for (size_t i = 0; i < map->n; i++) {
        if (i + 1 < map->n && key_cmp(keys[i].kind, keys[i].entry, keys[i + 1].entry) == 0) continue;
        memcpy(tidy + n++ * f->msg->size, keys[i].entry, f->msg->size);
    }
    *map = (struct pb_repeated){ .p = tidy, .n = n };
    return true;
}

bool pb_map_order(const struct pb_field *f, const struct pb_repeated *map, const void ***ret_order) {
    *ret_order = NULL;
    if (ascending(f, map)) return true;
    struct key *keys = calloc(map->n, sizeof *keys);
    const void **order = calloc(map->n, sizeof *order);
    if (keys && order) {
        keys_sort(f, map, keys);
        for (size_t i = 0; i < map->n; i++) order[i] = keys[i].entry;
        *ret_order = order;
    } else {
        free(order);
    }
    free(keys);
    return *ret_order != NULL;
}
