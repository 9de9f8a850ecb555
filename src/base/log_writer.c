#include "base/log_writer.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

struct log_writer {
    int fd;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below; never held while writing */
    pthread_cond_t changed;
    struct buf waiting; /* whole lines */
    uint64_t dropped, told;
    bool stop, idle; /* idle: the thread has nothing left, and has stopped */
};

/* ---- the thread ---- */

static bool wait_for_room(int fd) {
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    return errno == EINTR || (errno == EAGAIN && poll(&p, 1, -1) >= 0);
}

/* What cannot be written is gone: there is no other place to say so. */
static void write_out(int fd, struct str text) {
    while (text.n) {
        ssize_t n = write(fd, text.p, text.n);
        if (n > 0) text = str_from(text, (size_t)n);
        else if (n == 0 || !wait_for_room(fd)) return;
    }
}

static void tell_dropped(int fd, uint64_t n) {
    char time[CLOCK_RFC3339_MAX];
    DEFER(buf_free) struct buf line = BUF_INIT(512);
    (void)clock_rfc3339(clock_wall_us(), time);
    bool json = log_format() == LOG_JSON;
    buf_printf(&line, json ? "{\"time\":\"%s\",\"severity\":\"%s\",\"message\":\"" : "%s %s \"", time,
               log_severity_name(LOG_WARNING));
    buf_printf(&line, "%llu lines of the log were dropped: standard error is read too slowly\"%s\n", (unsigned long long)n,
               json ? "}" : "");
    write_out(fd, buf_str(&line));
}

/* Waits for something to write. False: there is nothing, and nothing will come. */
static bool take(struct log_writer *w, struct buf *ret_lines, uint64_t *ret_dropped) {
    (void)pthread_mutex_lock(&w->lock);
    while (!w->waiting.n && w->dropped == w->told && !w->stop) (void)pthread_cond_wait(&w->changed, &w->lock);
    bool any = w->waiting.n || w->dropped != w->told;
    struct buf lines = w->waiting; /* and the other way round: both keep their memory */
    w->waiting = *ret_lines;
    *ret_lines = lines;
    *ret_dropped = w->dropped - w->told;
    w->told = w->dropped;
    w->idle = !any;
    if (w->idle) (void)pthread_cond_broadcast(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
    return any;
}

static void *run(void *arg) {
    struct log_writer *w = arg;
    DEFER(buf_free) struct buf lines = BUF_INIT(w->waiting.max);
    uint64_t dropped;
    while (take(w, &lines, &dropped)) {
        write_out(w->fd, buf_str(&lines));
        buf_clear(&lines);
        if (dropped) tell_dropped(w->fd, dropped);
    }
    return NULL;
}

/* ---- for others ---- */

void log_writer_put(struct log_writer *w, struct str line) {
    (void)pthread_mutex_lock(&w->lock);
    size_t before = w->waiting.n;
    buf_add_str(&w->waiting, line);
    if (!buf_ok(&w->waiting)) {
        w->waiting.failed = false;
        w->waiting.n = before;
        w->dropped++;
    }
    if (before == 0) (void)pthread_cond_broadcast(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
}

uint64_t log_writer_dropped(struct log_writer *w) {
    (void)pthread_mutex_lock(&w->lock);
    uint64_t n = w->dropped;
    (void)pthread_mutex_unlock(&w->lock);
    return n;
}

static void release(struct log_writer *w) {
    buf_free(&w->waiting);
    (void)pthread_cond_destroy(&w->changed);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}

enum code log_writer_new(int fd, size_t max_bytes, struct log_writer **ret, struct err *err) {
    struct log_writer *w = calloc(1, sizeof *w);
    if (!w) return err_oom(err);
    *w = (struct log_writer){ .fd = fd, .waiting = BUF_INIT(max_bytes) };
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->changed, NULL);
    if (pthread_create(&w->thread, NULL, run, w) != 0) {
        release(w);
        return err_oom(err);
    }
    *ret = w;
    return OK;
}

void log_writer_free(struct log_writer *w, unsigned patience_ms) {
    struct timespec end;
    if (!w) return;
    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += patience_ms / 1000;
    end.tv_nsec += patience_ms % 1000 * 1000000L;
    if (end.tv_nsec >= 1000000000L) end.tv_sec++, end.tv_nsec -= 1000000000L;
    (void)pthread_mutex_lock(&w->lock);
    w->stop = true;
    (void)pthread_cond_broadcast(&w->changed);
    while (!w->idle && pthread_cond_timedwait(&w->changed, &w->lock, &end) == 0) {}
    bool idle = w->idle;
    (void)pthread_mutex_unlock(&w->lock);
    if (idle) {
        (void)pthread_join(w->thread, NULL);
        release(w);
    } else (void)pthread_detach(w->thread);
}
