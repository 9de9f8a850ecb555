/* desk.c: the thread that serves all calls, one after the other: SQLite and files never block a loop. */
#include <stdlib.h>
#include "dataproc/dataproc_priv.h"

static void refuse(struct call *call, enum code code, const char *why) {
    struct err err = { 0 };
    call_end(call, err_set(&err, code, "%s", why), &err);
}

void desk_post(struct dataproc *dataproc, struct call *call, desk_fn *fn) {
    struct desk *desk = &dataproc->desk;
    struct desk_item *item = calloc(1, sizeof *item);
    if (!item) {
        refuse(call, RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    *item = (struct desk_item){ NULL, call, fn };
    (void)pthread_mutex_lock(&desk->lock);
    bool take = !desk->stopping && desk->n < DESK_MAX_CALLS;
    if (take) {
        *desk->last = item;
        desk->last = &item->next;
        desk->n++;
        (void)pthread_cond_signal(&desk->news);
    }
    (void)pthread_mutex_unlock(&desk->lock);
    if (take) return;
    free(item);
    refuse(call, UNAVAILABLE, "too many calls wait, or the server stops: try again");
}

enum code desk_reply(struct call *call, const void *message, struct err *err) {
    if (!call_write_message(call, message)) return err_set(err, CANCELLED, "nobody waits for the answer");
    call_end_ok(call);
    return OK;
}

static struct desk_item *take(struct desk *desk, bool *ret_stopping) {
    (void)pthread_mutex_lock(&desk->lock);
    while (!desk->first && !desk->stopping) (void)pthread_cond_wait(&desk->news, &desk->lock);
    struct desk_item *item = desk->first;
    if (item) {
        desk->first = item->next;
        desk->n--;
        if (!desk->first) desk->last = &desk->first;
    }
    *ret_stopping = desk->stopping;
    (void)pthread_mutex_unlock(&desk->lock);
    return item;
}

static void *serve(void *ctx) {
    struct dataproc *dataproc = ctx;
    bool stopping;
    for (struct desk_item *item; (item = take(&dataproc->desk, &stopping));) {
        struct err err = { 0 };
        enum code rc = OK;
        if (stopping) rc = err_set(&err, UNAVAILABLE, "the server stops");
        else {
            (void)pthread_mutex_lock(&dataproc->lock);
            rc = item->fn(dataproc, item->call, &err);
            (void)pthread_mutex_unlock(&dataproc->lock);
        }
        if (rc) call_end(item->call, rc, &err);
        free(item);
    }
    return NULL;
}

enum code desk_start(struct dataproc *dataproc, struct err *err) {
    struct desk *desk = &dataproc->desk;
    desk->last = &desk->first;
    (void)pthread_mutex_init(&desk->lock, NULL);
    (void)pthread_cond_init(&desk->news, NULL);
    if (pthread_create(&desk->thread, NULL, serve, dataproc))
        return err_set(err, RESOURCE_EXHAUSTED, "no thread for Dataproc");
    desk->started = true;
    return OK;
}

void desk_stop(struct dataproc *dataproc) {
    struct desk *desk = &dataproc->desk;
    if (!desk->started) return;
    (void)pthread_mutex_lock(&desk->lock);
    desk->stopping = true;
    (void)pthread_cond_signal(&desk->news);
    (void)pthread_mutex_unlock(&desk->lock);
    (void)pthread_join(desk->thread, NULL);
    desk->started = false;
}
