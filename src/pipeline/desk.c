/* desk.c: the thread that owns everything: takes answers, timers and posted functions, lets runs go on, settles. */
#include <stdlib.h>
#include <time.h>
#include "pipeline/desk.h"

enum { BATCH = 256 };
#define LONGEST_SLEEP_US ((int64_t)60 * SECOND_US)

/* ---- posted functions ---- */

void pipelines_post(struct pipelines *p, pipelines_fn *fn, void *ctx) {
    struct posted *item = arena_should_fail() ? NULL : calloc(1, sizeof *item);
    if (!item) {
        fn(p, ctx, RESOURCE_EXHAUSTED);
        return;
    }
    *item = (struct posted){ NULL, fn, ctx };
    (void)pthread_mutex_lock(&p->lock);
    bool take = !p->stopping && p->n_posted < PIPELINES_MAX_WAITING;
    if (take) {
        *p->last = item;
        p->last = &item->next;
        p->n_posted++;
        (void)pthread_cond_signal(&p->news);
    }
    (void)pthread_mutex_unlock(&p->lock);
    if (take) return;
    free(item);
    fn(p, ctx, UNAVAILABLE);
}

static struct posted *take_posted(struct pipelines *p) {
    (void)pthread_mutex_lock(&p->lock);
    struct posted *item = p->first;
    if (item) {
        p->first = item->next;
        p->n_posted--;
        if (!p->first) p->last = &p->first;
    }
    (void)pthread_mutex_unlock(&p->lock);
    return item;
}

static bool run_posted(struct pipelines *p, enum code rc) {
    bool any = false;
    for (int i = 0; i < BATCH; i++) {
        struct posted *item = take_posted(p);
        if (!item) return any;
        item->fn(p, item->ctx, rc);
        free(item);
        if (!p->stuck) scope_work(p);
        any = true;
    }
    return any;
}

/* ---- events ---- */

static void take_answer(struct pipelines *p, struct web_exchange *e) {
    struct pipeline_node *node = e->node;
    struct run *run = e->run;
    e->node = NULL;
    if (node) {
        node->exchange = NULL;
        web_answer(node, &e->reply);
    }
    web_exchange_free(p, e);
    if (run) pipeline_run_end_if_cancelled(run);
}

static bool take_answers(struct pipelines *p) {
    bool any = false;
    for (int i = 0; i < BATCH; i++) {
        struct web_exchange *e = exchange_take_answer(p);
        if (!e) return any;
        take_answer(p, e);
        any = true;
    }
    return any;
}

static bool take_timers(struct pipelines *p) {
    int64_t now = p->effects.now_us(p->effects.ctx);
    bool any = false;
    for (int i = 0; i < BATCH; i++) {
        struct pipeline_node *node = timers_due(p, now);
        if (!node) return any;
        pipeline_node_timer(node, now);
        any = true;
    }
    return any;
}

/* ---- turns ---- */

/* What was sent may be answered at once. */
static bool has_answer(struct pipelines *p) {
    (void)pthread_mutex_lock(&p->lock);
    bool any = p->answered && !p->stuck;
    (void)pthread_mutex_unlock(&p->lock);
    return any;
}

/* Failed: the desk is stuck, and tries again in a second. */
static void settle_now(struct pipelines *p) {
    struct err err;
    enum code rc = pipeline_settle(p, &err);
    (void)rc;
}

/* One round of all. True: there may be more at once. */
static bool desk_round(struct pipelines *p) {
    bool any = false;
    if (p->stuck && p->effects.now_us(p->effects.ctx) >= p->retry_us) settle_now(p);
    if (!p->stuck) {
        any = take_answers(p);
        any = take_timers(p) || any;
        scope_work(p);
        web_next(p);
        scope_work(p);
        settle_now(p);
    }
    any = run_posted(p, OK) || any;
    if (!p->stuck) settle_now(p);
    pipeline_settle_prune(p);
    bool due = !p->stuck && (p->stirred || timers_next(p) <= p->effects.now_us(p->effects.ctx));
    return any || due || has_answer(p);
}

static int64_t desk_next(const struct pipelines *p) {
    return p->stuck ? p->retry_us : timers_next(p);
}

int64_t pipelines_turn(struct pipelines *p) {
    while (desk_round(p)) continue;
    return desk_next(p);
}

/* ---- the thread ---- */

static bool has_news(const struct pipelines *p) {
    return p->stopping || p->first || (p->answered && !p->stuck);
}

/* Sleeps on the monotonic clock: the wall's may jump, and is looked at again after a minute. */
static void sleep_until(struct pipelines *p, int64_t wake_us) {
    int64_t left = wake_us == INT64_MAX ? LONGEST_SLEEP_US : wake_us - p->effects.now_us(p->effects.ctx);
    if (left > LONGEST_SLEEP_US) left = LONGEST_SLEEP_US;
    if (left < 0) left = 0;
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t nanos = until.tv_nsec + (left % SECOND_US) * 1000;
    until.tv_sec += (time_t)(left / SECOND_US + nanos / 1000000000);
    until.tv_nsec = (long)(nanos % 1000000000);
    (void)pthread_mutex_lock(&p->lock);
    int rc = 0;
    while (!has_news(p) && rc == 0) rc = pthread_cond_timedwait(&p->news, &p->lock, &until);
    (void)pthread_mutex_unlock(&p->lock);
}

static bool is_stopping(struct pipelines *p) {
    (void)pthread_mutex_lock(&p->lock);
    bool stopping = p->stopping;
    (void)pthread_mutex_unlock(&p->lock);
    return stopping;
}

static void *work(void *ctx) {
    struct pipelines *p = ctx;
    while (!is_stopping(p)) {
        int64_t next = pipelines_turn(p);
        sleep_until(p, next);
    }
    return NULL;
}

enum code pipeline_desk_start(struct pipelines *p, struct err *err) {
    if (pthread_create(&p->thread, NULL, work, p)) return err_set(err, RESOURCE_EXHAUSTED, "no thread for pipelines");
    p->started = true;
    return OK;
}

/* ---- the end ---- */

/* The requests that are under way are called off; what they were is in their rows, as if the process had died. */
static void wait_for_answers(struct pipelines *p) {
    for (struct web_exchange *e = p->exchanges; e; e = e->next)
        if (e->sent) p->effects.cancel(p->effects.ctx, e->ticket);
    struct web_exchange *next;
    for (struct web_exchange *e = p->exchanges; e; e = next) {
        next = e->next;
        if (!e->sent) web_exchange_free(p, e);
    }
    while (p->exchanges) {
        struct web_exchange *e = exchange_take_answer(p);
        if (e) {
            web_exchange_free(p, e);
            continue;
        }
        (void)pthread_mutex_lock(&p->lock);
        while (!p->answered) (void)pthread_cond_wait(&p->news, &p->lock);
        (void)pthread_mutex_unlock(&p->lock);
    }
}

void pipeline_desk_stop(struct pipelines *p) {
    (void)pthread_mutex_lock(&p->lock);
    p->stopping = true;
    (void)pthread_cond_signal(&p->news);
    (void)pthread_mutex_unlock(&p->lock);
    if (p->started) (void)pthread_join(p->thread, NULL);
    p->started = false;
    while (run_posted(p, UNAVAILABLE)) continue;
    wait_for_answers(p);
}
