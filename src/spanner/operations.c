#include "spanner/operations.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/map.h"

enum { MAX_OPERATIONS = 10000 };

struct operation {
    size_t n;
    char bytes[];
};

struct operations {
    pthread_mutex_t lock;
    struct map *by_name;
    char *ring[MAX_OPERATIONS]; /* names, oldest overwritten */
    size_t next;
};

struct operations *operations_new(void) {
    struct operations *o = calloc(1, sizeof *o);
    if (o && !(o->by_name = map_new())) {
        free(o);
        return NULL;
    }
    if (o) (void)pthread_mutex_init(&o->lock, NULL);
    return o;
}

void operations_free(struct operations *o) {
    if (!o) return;
    for (size_t i = 0; i < MAX_OPERATIONS; i++) free(o->ring[i]);
    map_free(o->by_name, free);
    (void)pthread_mutex_destroy(&o->lock);
    free(o);
}

static void make_room(struct operations *o, char *name) {
    char **place = &o->ring[o->next];
    o->next = (o->next + 1) % MAX_OPERATIONS;
    if (*place) free(map_remove(o->by_name, str_z(*place)));
    free(*place);
    *place = name;
}

bool operations_put(struct operations *o, struct str name, struct str encoded) {
    struct operation *op = malloc(sizeof *op + encoded.n);
    char *copy = strndup(name.p, name.n);
    void *old = NULL;
    bool ok = false;
    (void)pthread_mutex_lock(&o->lock);
    if (op && copy) {
        op->n = encoded.n;
        if (encoded.n) memcpy(op->bytes, encoded.p, encoded.n);
        make_room(o, copy);
        ok = map_put(o->by_name, name, op, &old);
        copy = NULL;
    }
    (void)pthread_mutex_unlock(&o->lock);
    free(old);
    free(copy);
    if (!ok) free(op);
    return ok;
}

struct str operations_get(struct operations *o, struct str name, struct arena *arena) {
    struct str found = { NULL, 0 };
    (void)pthread_mutex_lock(&o->lock);
    const struct operation *op = map_get(o->by_name, name);
    if (op) found = str_dup(arena, (struct str){ op->bytes, op->n });
    (void)pthread_mutex_unlock(&o->lock);
    return found;
}

bool operations_delete(struct operations *o, struct str name) {
    (void)pthread_mutex_lock(&o->lock);
    void *op = map_remove(o->by_name, name);
    (void)pthread_mutex_unlock(&o->lock);
    free(op);
    return op != NULL;
}

size_t operations_list(struct operations *o, struct str prefix, struct arena *arena, struct str *ret, size_t max) {
    size_t at = 0, n = 0;
    struct str name;
    void *value;
    (void)pthread_mutex_lock(&o->lock);
    while (n < max && map_next(o->by_name, &at, &name, &value)) {
        const struct operation *op = value;
        if (!str_starts(name, prefix)) continue;
        ret[n] = str_dup(arena, (struct str){ op->bytes, op->n });
        if (ret[n].p) n++;
    }
    (void)pthread_mutex_unlock(&o->lock);
    return n;
}
