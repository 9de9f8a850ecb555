#include "base/arena.h"
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena_keep.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
enum { GAP = 16, KEEPS = false };
#else
#define POISON(p, n)   ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
enum { GAP = 0, KEEPS = true };
#endif

enum { FIRST_BLOCK = 4096, LAST_BLOCK = 1 << 20 };

struct block {
    struct block *next;
    size_t cap, used;
    alignas(max_align_t) unsigned char data[];
};

struct arena {
    struct block *blocks; /* the newest first */
    size_t held, max;     /* held: with what is charged */
    size_t charged;
    struct budget *budget;
    bool secret;
};

static _Thread_local unsigned fail_after;

void arena_fail_after(unsigned n) {
    fail_after = n;
}

bool arena_should_fail(void) {
    return fail_after && --fail_after == 0;
}

/* First blocks for this thread's next arenas. */
static _Thread_local struct {
    struct block *blocks;
    unsigned n, max;
} kept;

void arena_keep(unsigned blocks) {
    kept.max = KEEPS ? blocks : 0;
    while (kept.n > kept.max) {
        struct block *b = kept.blocks;
        kept.blocks = b->next;
        kept.n--;
        free(b);
    }
}

static struct block *take_block(size_t cap) {
    struct block *b = kept.blocks;
    if (!b || cap != FIRST_BLOCK) return malloc(sizeof *b + cap);
    kept.blocks = b->next;
    kept.n--;
    return b;
}

static void give_block(struct block *b) {
    if (b->cap != FIRST_BLOCK || kept.n >= kept.max) {
        free(b);
        return;
    }
    b->next = kept.blocks;
    kept.blocks = b;
    kept.n++;
}

/* A first block is not counted: small requests touch nothing that their neighbours write. */
static struct budget *budget_of(const struct arena *arena, size_t cap) {
    return cap > FIRST_BLOCK ? arena->budget : NULL;
}

static struct block *block_new(struct arena *arena, size_t need) {
    size_t cap = arena->blocks ? arena->blocks->cap * 2 : FIRST_BLOCK;
    if (cap > LAST_BLOCK) cap = LAST_BLOCK;
    if (cap > arena->max - arena->held) cap = arena->max - arena->held;
    if (cap < need) cap = need;
    if (cap > arena->max - arena->held) return NULL;
    if (!budget_take(budget_of(arena, cap), cap)) return NULL;
    struct block *b = take_block(cap);
    if (!b) {
        budget_give(budget_of(arena, cap), cap);
        return NULL;
    }
    *b = (struct block){ .next = arena->blocks, .cap = cap };
    POISON(b->data, cap);
    arena->blocks = b;
    arena->held += cap;
    return b;
}

static void block_free(struct arena *arena, struct block *b) {
    UNPOISON(b->data, b->cap);
    if (arena->secret) explicit_bzero(b->data, b->used);
    arena->held -= b->cap;
    budget_give(budget_of(arena, b->cap), b->cap);
    give_block(b);
}

struct arena *arena_new(size_t max_bytes) {
    struct arena *arena = calloc(1, sizeof *arena);
    if (arena) arena->max = max_bytes;
    return arena;
}

struct arena *arena_new_secret(size_t max_bytes) {
    struct arena *arena = arena_new(max_bytes);
    if (arena) arena->secret = true;
    return arena;
}

void arena_share(struct arena *arena, struct budget *budget) {
    arena->budget = budget;
}

void arena_free(struct arena *arena) {
    if (!arena) return;
    while (arena->blocks) {
        struct block *b = arena->blocks;
        arena->blocks = b->next;
        block_free(arena, b);
    }
    budget_give(arena->budget, arena->charged);
    free(arena);
}

void arena_freep(struct arena **arena) {
    arena_free(*arena);
    *arena = NULL;
}

void arena_reset(struct arena *arena) {
    while (arena->blocks && arena->blocks->next) {
        struct block *b = arena->blocks;
        arena->blocks = b->next;
        block_free(arena, b);
    }
    struct block *first = arena->blocks;
    if (!first) return;
    UNPOISON(first->data, first->cap);
    if (arena->secret) explicit_bzero(first->data, first->used);
    first->used = 0;
    POISON(first->data, first->cap);
}

void *arena_alloc(struct arena *arena, size_t bytes) {
    if (arena_should_fail()) return NULL;
    if (bytes > arena->max) return NULL;
    size_t step = (bytes + GAP + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (step == 0) step = alignof(max_align_t);
    struct block *b = arena->blocks;
    if (!b || b->cap - b->used < step) b = block_new(arena, step);
    if (!b) return NULL;
    void *p = b->data + b->used;
    b->used += step;
    UNPOISON(p, bytes);
    return memset(p, 0, bytes);
}

void *arena_array(struct arena *arena, size_t count, size_t bytes_each) {
    size_t bytes;
    if (__builtin_mul_overflow(count, bytes_each, &bytes)) return NULL;
    return arena_alloc(arena, bytes);
}

bool arena_charge(struct arena *arena, size_t bytes) {
    if (bytes > arena->max - arena->held || !budget_take(arena->budget, bytes)) return false;
    arena->held += bytes;
    arena->charged += bytes;
    return true;
}

size_t arena_used(const struct arena *arena) {
    return arena->held;
}

bool arena_grow(struct arena *arena, void *items_ptr, size_t *cap, size_t need, size_t bytes_each) {
    if (need <= *cap) return true;
    size_t want = *cap ? *cap : 4;
    while (want < need)
        if (__builtin_mul_overflow(want, 2u, &want)) return false;
    void *bigger = arena_array(arena, want, bytes_each);
    if (!bigger) return false;
    void *items;
    memcpy(&items, items_ptr, sizeof items);
    if (*cap) memcpy(bigger, items, *cap * bytes_each);
    memcpy(items_ptr, &bigger, sizeof bigger);
    *cap = want;
    return true;
}

struct str arena_vprintf(struct arena *arena, const char *fmt, va_list args) {
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    char *p = n < 0 ? NULL : arena_alloc(arena, (size_t)n + 1);
    if (p) (void)vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p ? (struct str){ p, (size_t)n } : (struct str){ NULL, 0 };
}

struct str arena_printf(struct arena *arena, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    struct str s = arena_vprintf(arena, fmt, args);
    va_end(args);
    return s;
}
