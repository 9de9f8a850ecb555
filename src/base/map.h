/* map.h: bytes → pointer, open addressing, in the heap.
 *
 * Keys are copied in; values are the caller's. Keyed by a random seed of the process, so that keys which clients choose
 * cannot be made to collide. One thread at a time. map_put returns false when memory is short. */
#pragma once
#include "base/attr.h"
#include "base/str.h"

struct map;

struct map *map_new(void);
void map_free(struct map *m, void (*free_value)(void *));                          /* NULL m, NULL free_value are fine */
void *map_get(const struct map *m, struct str key);                                /* NULL when absent */
MUST_USE bool map_put(struct map *m, struct str key, void *value, void **ret_old); /* ret_old may be NULL */
void *map_remove(struct map *m, struct str key);                                   /* what was there, or NULL */
size_t map_count(const struct map *m);
/* Walks in no order: start with *at = 0. The map may not change meanwhile, but for map_remove of the current key. */
bool map_next(const struct map *m, size_t *at, struct str *ret_key, void **ret_value);
