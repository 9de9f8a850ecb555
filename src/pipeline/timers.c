/* timers.c: the nodes that wait for a time, in a binary heap. Room is made when a scope is made, so that no later step can
 * fail for it. */
#include <stdlib.h>
#include "pipeline/pipelines_priv.h"

bool timers_reserve(struct pipelines *p, size_t n) {
    size_t need = p->reserved_timers + n;
    if (need > p->cap_timers) {
        size_t cap = need * 2;
        struct pipeline_node **grown = arena_should_fail() ? NULL
                                                           : realloc(p->timers, cap * sizeof(struct pipeline_node *));
        if (!grown) return false;
        p->timers = grown;
        p->cap_timers = cap;
    }
    p->reserved_timers = need;
    return true;
}

void timers_release(struct pipelines *p, size_t n) {
    p->reserved_timers -= n;
}

/* A wait's time, or the attempt's end, whichever is first. */
static int64_t due_at(const struct pipeline_node *node) {
    int64_t wake = node->now.wake_us ? node->now.wake_us : INT64_MAX;
    int64_t deadline = node->now.deadline_us ? node->now.deadline_us : INT64_MAX;
    return wake < deadline ? wake : deadline;
}

static void put(struct pipelines *p, size_t at, struct pipeline_node *node) {
    p->timers[at] = node;
    node->timer = at + 1;
}

static void rise(struct pipelines *p, size_t at, struct pipeline_node *node) {
    while (at > 0 && due_at(p->timers[(at - 1) / 2]) > due_at(node)) {
        put(p, at, p->timers[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(p, at, node);
}

static void sink(struct pipelines *p, size_t at, struct pipeline_node *node) {
    for (size_t child; (child = 2 * at + 1) < p->n_timers; at = child) {
        if (child + 1 < p->n_timers && due_at(p->timers[child + 1]) < due_at(p->timers[child])) child++;
        if (due_at(p->timers[child]) >= due_at(node)) break;
        put(p, at, p->timers[child]);
    }
    put(p, at, node);
}

void timers_drop(struct pipelines *p, struct pipeline_node *node) {
    if (!node->timer) return;
    size_t at = node->timer - 1;
    struct pipeline_node *last = p->timers[--p->n_timers];
    node->timer = 0;
    if (last == node) return;
    sink(p, at, last);
    rise(p, last->timer - 1, last);
}

void timers_set(struct pipelines *p, struct pipeline_node *node) {
    timers_drop(p, node);
    if (due_at(node) == INT64_MAX) return;
    rise(p, p->n_timers++, node);
}

struct pipeline_node *timers_due(struct pipelines *p, int64_t now_us) {
    struct pipeline_node *node = p->n_timers ? p->timers[0] : NULL;
    if (!node || due_at(node) > now_us) return NULL;
    timers_drop(p, node);
    return node;
}

int64_t timers_next(const struct pipelines *p) {
    return p->n_timers ? due_at(p->timers[0]) : INT64_MAX;
}
