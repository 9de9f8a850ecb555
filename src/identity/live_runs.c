#include "identity/live_runs.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/map.h"

struct live_runs {
    pthread_mutex_t lock;
    struct map *ids; /* a run's id → the set itself: only whether it is there counts */
};

struct live_runs *live_runs_new(void) {
    struct live_runs *runs = calloc(1, sizeof *runs);
    if (!runs) return NULL;
    runs->ids = map_new();
    if (runs->ids && pthread_mutex_init(&runs->lock, NULL) == 0) return runs;
    map_free(runs->ids, NULL);
    free(runs);
    return NULL;
}

void live_runs_free(struct live_runs *runs) {
    if (!runs) return;
    map_free(runs->ids, NULL);
    (void)pthread_mutex_destroy(&runs->lock);
    free(runs);
}

bool live_runs_begin(struct live_runs *runs, struct str id) {
    (void)pthread_mutex_lock(&runs->lock);
    bool begun = id.n && !map_get(runs->ids, id) && map_put(runs->ids, id, runs, NULL);
    (void)pthread_mutex_unlock(&runs->lock);
    return begun;
}

void live_runs_end(struct live_runs *runs, struct str id) {
    (void)pthread_mutex_lock(&runs->lock);
    (void)map_remove(runs->ids, id);
    (void)pthread_mutex_unlock(&runs->lock);
}

bool live_runs_has(struct live_runs *runs, struct str id) {
    if (!runs) return false;
    (void)pthread_mutex_lock(&runs->lock);
    bool has = map_get(runs->ids, id) != NULL;
    (void)pthread_mutex_unlock(&runs->lock);
    return has;
}
