/* How jobs get from any thread to the engine's. */
#include <errno.h>
#include <time.h>
#include "base/clock.h"
#include "engine/db.h"

enum { IDLE_US = 1000000 };

void queue_push(struct job_queue *queue, struct engine_job *job) {
    job->next = NULL;
    if (!queue->first) queue->last = &queue->first;
    *queue->last = job;
    queue->last = &job->next;
    queue->n++;
    queue->bytes += job->bytes;
}

struct engine_job *queue_pop(struct job_queue *queue) {
    struct engine_job *job = queue->first;
    if (!job) return NULL;
    queue->first = job->next;
    job->next = NULL;
    queue->n--;
    queue->bytes -= job->bytes;
    return job;
}

static void wait_in_order(struct engine_db *db, struct engine_job *job) {
    struct engine_job **at = &db->waiting;
    while (*at && (*at)->due_us <= job->due_us) at = &(*at)->next;
    job->next = *at;
    *at = job;
    db->reads.n++; /* it takes a place */
}

static enum code post_locked(struct engine_db *db, struct engine_job *job, struct err *err) {
    if (db->closing) return err_set(err, NOT_FOUND, "Database not found: %s", db->name);
    struct job_queue *queue = job->kind->write ? &db->writes : &db->reads;
    bool full = job->kind->write ? queue->n && queue->bytes + job->bytes > db->options->write_queue_bytes
                                 : queue->n >= db->options->read_queue_jobs;
    if (full) return err_set(err, RESOURCE_EXHAUSTED, "too many requests wait for database %s", db->name);
    if (!job->kind->write) job->number = ++db->n_posted_reads;
    if (job->due_us > clock_wall_us()) wait_in_order(db, job);
    else queue_push(queue, job);
    return OK;
}

/* Whom to wake for what waits, once the lock is free: who is woken under it only runs into it. One sleeping reader is
 * called at a time, and calls the next when more is left: so a reader that wakes up to a handful of small reads does them
 * all, instead of one thread waking up for each. Under the lock. */
static pthread_cond_t *call_reader(struct engine_db *db) {
    if (!db->reads.n || !db->idle_readers || db->reader_called) return NULL;
    db->reader_called = true;
    return &db->read_wake;
}

static void wake(pthread_cond_t *cond) {
    if (cond) pthread_cond_signal(cond);
}

enum code queue_post(struct engine_db *db, struct engine_job *job, const struct engine_job_kind *kind, size_t bytes,
                     int64_t due_us, struct err *err) {
    job->db = db;
    job->kind = kind;
    job->bytes = bytes + 4096; /* a small job takes memory, too */
    job->due_us = due_us;
    job->code = OK;
    pthread_mutex_lock(&db->lock);
    enum code rc = post_locked(db, job, err);
    pthread_cond_t *whom = rc ? NULL : kind->write ? &db->write_wake : call_reader(db);
    pthread_mutex_unlock(&db->lock);
    wake(whom); /* the caller holds the database, not the job any more */
    return rc;
}

void lock_wait_us(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t us) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t nanos = until.tv_nsec + us % 1000000 * 1000;
    until.tv_sec += us / 1000000 + nanos / 1000000000;
    until.tv_nsec = nanos % 1000000000;
    pthread_cond_timedwait(cond, lock, &until);
}

static struct engine_job *pop_due(struct engine_db *db, bool any) {
    struct engine_job *job = db->waiting;
    if (!job || (!any && job->due_us > clock_wall_us())) return NULL;
    db->waiting = job->next;
    db->reads.n--;
    job->next = NULL;
    return job;
}

/* Never without an end: the C library may lose a wake-up (glibc's bug 25847), and then it costs IDLE_US, not for ever. */
static void idle(struct engine_db *db) {
    int64_t us = db->waiting ? db->waiting->due_us - clock_wall_us() : IDLE_US;
    db->idle_readers++;
    lock_wait_us(&db->read_wake, &db->lock, us < 1000 ? 1000 : us > IDLE_US ? IDLE_US : us);
    db->idle_readers--;
    db->reader_called = false;
}

/* When closing, those that wait for a time are handed out, too: they find the database closed. */
struct engine_job *queue_next_read(struct engine_db *db, bool wait) {
    pthread_mutex_lock(&db->lock);
    struct engine_job *job = NULL;
    for (;;) {
        job = pop_due(db, db->closing);
        if (!job && db->reads.first) job = queue_pop(&db->reads);
        if (job || db->closing || !wait) break;
        idle(db);
    }
    pthread_cond_t *whom = call_reader(db);
    pthread_mutex_unlock(&db->lock);
    wake(whom);
    return job;
}
