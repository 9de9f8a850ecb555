/* arena.h: memory of one lifetime, freed at once.
 *
 * An arena states its maximum at creation; past it, arena_alloc returns NULL and the request ends with
 * RESOURCE_EXHAUSTED. One thread at a time. Gaps are poisoned under AddressSanitizer. Freed memory of an arena made
 * with `arena_new_secret` is wiped. */
#pragma once
#include <stdarg.h>
#include "base/attr.h"
#include "base/budget.h"
#include "base/str.h"

struct arena;

struct arena *arena_new(size_t max_bytes);        /* NULL when out of memory */
struct arena *arena_new_secret(size_t max_bytes); /* wiped before it is freed */
/* Before the first allocation: what it takes beyond its first page comes out of the budget too, which outlives it. */
void arena_share(struct arena *arena, struct budget *budget);
void arena_free(struct arena *arena);   /* NULL is fine */
void arena_freep(struct arena **arena); /* for DEFER */
void arena_reset(struct arena *arena);  /* frees all but the first block: for reuse */

/* Zeroed, aligned for any type. NULL when the maximum, the budget or the machine's memory is reached. */
void *arena_alloc(struct arena *arena, size_t bytes);
void *arena_array(struct arena *arena, size_t count, size_t bytes_each); /* checks the product */
/* Counts memory that lies elsewhere, against the maximum and the budget, until the arena is freed. False: it is too much.
 */
MUST_USE bool arena_charge(struct arena *arena, size_t bytes);
size_t arena_used(const struct arena *arena); /* with what was charged */

#define ARENA_NEW(arena, type)          ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_array((arena), (count), sizeof(type)))

/* Grows an array that lives in the arena: *items has *cap places of `bytes_each`, and at least `need` afterwards. */
MUST_USE bool arena_grow(struct arena *arena, void *items_ptr, size_t *cap, size_t need, size_t bytes_each);

/* {NULL, 0} when full. The text is NUL-terminated beyond n. */
struct str arena_printf(struct arena *arena, const char *fmt, ...) PRINTF_LIKE(2, 3);
struct str arena_vprintf(struct arena *arena, const char *fmt, va_list args) PRINTF_LIKE(2, 0);

/* Test only: the n-th allocation from now on fails (0 = none) in every arena and buffer of this thread. */
void arena_fail_after(unsigned n);
bool arena_should_fail(void); /* what buf.c and map.c ask */
