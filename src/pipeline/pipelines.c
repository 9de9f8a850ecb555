/* pipelines.c: opened and closed. */
#include <stdlib.h>
#include "pipeline/desk.h"

static void make_queues(struct pipelines *p) {
    p->last = &p->first;
    p->last_answered = &p->answered;
    p->last_stirred = &p->stirred;
    p->last_dirty_node = &p->dirty_nodes;
    p->last_dirty_run = &p->dirty_runs;
    p->last_waiting = &p->waiting;
}

static void make_locks(struct pipelines *p) {
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_mutex_init(&p->known_lock, NULL);
    (void)pthread_cond_init(&p->news, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

enum code pipelines_open(const struct pipelines_config *config, struct pipelines **ret, struct err *err) {
    struct pipelines *p = arena_should_fail() ? NULL : calloc(1, sizeof *p);
    if (!p) return err_oom(err);
    make_queues(p);
    make_locks(p);
    p->effects = config->effects;
    p->by_hand = config->by_hand;
    p->max_ended = config->max_ended_runs_for_test ? config->max_ended_runs_for_test : PIPELINES_MAX_ENDED_RUNS;
    p->untold = config->effects.event != NULL;
    p->workspace = pipeline_copy_text(config->workspace);
    p->known = map_new();
    enum code rc = p->workspace && p->known ? OK : err_oom(err);
    if (!rc) rc = pipeline_rows_open(p, config->path, config->max_pages_for_test, err);
    if (!rc) rc = pipeline_recover(p, err);
    if (!rc && !p->by_hand) rc = pipeline_desk_start(p, err);
    if (rc) pipelines_close(p);
    else *ret = p;
    return rc;
}

static void free_runs(struct run *run) {
    for (struct run *next; run; run = next) {
        next = run->next;
        pipeline_run_destroy(run);
    }
}

static void free_trash(struct scope *scope) {
    for (struct scope *next; scope; scope = next) {
        next = scope->next;
        scope_free(scope);
    }
}

/* Runs know one another only as parent and child, which freeing must not follow. */
static void free_all(struct pipelines *p) {
    for (struct run *run = p->runs; run; run = run->next)
        if (run->parent) run->parent->child = NULL, run->parent = NULL;
    free_trash(p->trash_scopes);
    p->trash_scopes = NULL;
    struct run *runs = TAKE(p->runs);
    free_runs(runs);
    free_runs(TAKE(p->trash_runs));
    free_trash(p->trash_scopes); /* inner scopes of those */
}

void pipelines_close(struct pipelines *p) {
    if (!p) return;
    pipeline_desk_stop(p);
    free_all(p);
    if (p->store) (void)sqlite3_wal_checkpoint_v2(store_sqlite(p->store), NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    store_close(p->store);
    map_free(p->known, free);
    free(p->timers);
    free(p->workspace);
    (void)pthread_mutex_destroy(&p->lock);
    (void)pthread_mutex_destroy(&p->known_lock);
    (void)pthread_cond_destroy(&p->news);
    free(p);
}
