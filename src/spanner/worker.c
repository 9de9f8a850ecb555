#include "spanner/worker.h"
#include <pthread.h>
#include <stdlib.h>

enum { MAX_TASKS = 1000 };

struct admin_thread {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stop;
    size_t first, n;
    struct {
        void (*fn)(struct call *call);
        struct call *call;
    } tasks[MAX_TASKS];
};

static void *run(void *arg) {
    struct admin_thread *t = arg;
    (void)pthread_mutex_lock(&t->lock);
    while (t->n || !t->stop) {
        if (!t->n) {
            (void)pthread_cond_wait(&t->changed, &t->lock);
            continue;
        }
        void (*fn)(struct call *) = t->tasks[t->first].fn;
        struct call *call = t->tasks[t->first].call;
        t->first = (t->first + 1) % MAX_TASKS;
        t->n--;
        (void)pthread_mutex_unlock(&t->lock);
        fn(call);
        (void)pthread_mutex_lock(&t->lock);
    }
    (void)pthread_mutex_unlock(&t->lock);
    return NULL;
}

struct admin_thread *admin_thread_new(void) {
    struct admin_thread *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    (void)pthread_mutex_init(&t->lock, NULL);
    (void)pthread_cond_init(&t->changed, NULL);
    if (pthread_create(&t->thread, NULL, run, t) == 0) return t;
    free(t);
    return NULL;
}

void admin_thread_free(struct admin_thread *t) {
    if (!t) return;
    (void)pthread_mutex_lock(&t->lock);
    t->stop = true;
    (void)pthread_cond_signal(&t->changed);
    (void)pthread_mutex_unlock(&t->lock);
    (void)pthread_join(t->thread, NULL);
    (void)pthread_cond_destroy(&t->changed);
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
}

bool admin_thread_post(struct admin_thread *t, void (*fn)(struct call *call), struct call *call) {
    (void)pthread_mutex_lock(&t->lock);
    bool room = t->n < MAX_TASKS && !t->stop;
    if (room) {
        size_t at = (t->first + t->n++) % MAX_TASKS;
        t->tasks[at].fn = fn;
        t->tasks[at].call = call;
        (void)pthread_cond_signal(&t->changed);
    }
    (void)pthread_mutex_unlock(&t->lock);
    return room;
}
