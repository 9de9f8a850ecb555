#include "net/timers.h"

static void put(struct loop_timer **place, struct loop_timer *timer) {
    *place = timer;
    if (timer) timer->link = place;
}

/* Both are roots without siblings; either may be NULL. The later becomes the first child of the earlier. */
static struct loop_timer *merge(struct loop_timer *a, struct loop_timer *b) {
    if (!a) return b;
    if (!b) return a;
    if (b->due_ms < a->due_ms) {
        struct loop_timer *t = a;
        a = b;
        b = t;
    }
    put(&b->sibling, a->child);
    put(&a->child, b);
    a->sibling = NULL;
    return a;
}

static struct loop_timer *detach(struct loop_timer **list) {
    struct loop_timer *t = *list;
    if (!t) return NULL;
    *list = t->sibling;
    t->sibling = NULL;
    return t;
}

/* The two passes of a pairing heap: pairs from the left, then all of them together. */
static struct loop_timer *merge_pairs(struct loop_timer *list) {
    struct loop_timer *pairs = NULL, *all = NULL;
    while (list) {
        struct loop_timer *a = detach(&list), *b = detach(&list);
        a = merge(a, b);
        a->sibling = pairs;
        pairs = a;
    }
    while (pairs) {
        struct loop_timer *a = detach(&pairs);
        all = merge(all, a);
    }
    return all;
}

void timers_insert(struct loop_timer **root, struct loop_timer *timer) {
    timer->child = timer->sibling = NULL;
    put(root, merge(*root, timer));
}

void timers_remove(struct loop_timer **root, struct loop_timer *timer) {
    if (!timer->link) return;
    put(timer->link, timer->sibling);
    struct loop_timer *children = merge_pairs(timer->child);
    timer->child = timer->sibling = NULL;
    timer->link = NULL;
    put(root, merge(*root, children));
}
