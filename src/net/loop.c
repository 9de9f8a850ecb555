#include "net/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <uv.h>

#include "base/arena_keep.h"
#include "net/timers.h"

enum { MAX_SIGNALS = 8, ARENA_BLOCKS = 256 };

struct signal_watch {
    int signal_number;
    void (*fn)(int signal_number, void *ctx);
    void *ctx;
};

struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_prepare_t before_sleep;
    uv_idle_t busy; /* active while deferred tasks wait: the loop then polls without sleeping */
    uv_timer_t alarm, wait;
    uint64_t alarm_due_ms; /* UINT64_MAX: not armed */
    struct loop_timer *timers;
    struct loop_task *deferred, **deferred_end;
    _Atomic(struct loop_task *) posted; /* newest first; the one who finds it empty wakes the loop */
    struct loop_task *taken;            /* of those, what is about to run, oldest first */
    _Atomic bool stop;
    struct signal_watch signals[MAX_SIGNALS];
    unsigned n_signals;
    int signal_fd; /* -1: none is watched */
    uv_poll_t signal_poll;
    char scratch[LOOP_SCRATCH_BYTES];
};

/* ---- tasks ---- */

/* What was posted, in the order in which it came, behind what was taken before. */
static void take_posted(struct loop *loop) {
    struct loop_task *newest = atomic_exchange_explicit(&loop->posted, NULL, memory_order_acquire), *first = NULL;
    struct loop_task **end = &loop->taken;
    while (newest) {
        struct loop_task *older = newest->next;
        newest->next = first;
        first = newest;
        newest = older;
    }
    while (*end) end = &(*end)->next;
    *end = first;
}

static void run_posted(struct loop *loop) {
    take_posted(loop);
    while (loop->taken) {
        struct loop_task *task = loop->taken;
        loop->taken = task->next;
        task->next = NULL;
        task->fn(task, task->ctx);
    }
}

/* What it takes off the posted list runs with the wake-up that its poster sent. */
bool loop_post_cancel(struct loop *loop, struct loop_task *task) {
    take_posted(loop);
    for (struct loop_task **at = &loop->taken; *at; at = &(*at)->next) {
        if (*at != task) continue;
        *at = task->next;
        return true;
    }
    return false;
}

static void on_wake(uv_async_t *wake) {
    struct loop *loop = wake->data;
    run_posted(loop);
    if (atomic_load_explicit(&loop->stop, memory_order_acquire)) uv_stop(&loop->uv);
}

static void push(struct loop *loop, struct loop_task *newest, struct loop_task *oldest) {
    struct loop_task *head = atomic_load_explicit(&loop->posted, memory_order_relaxed);
    do {
        oldest->next = head;
    } while (
        !atomic_compare_exchange_weak_explicit(&loop->posted, &head, newest, memory_order_release, memory_order_relaxed));
    /* Tasks may run and be freed from here on. */
    if (!head) uv_async_send(&loop->wake);
}

void loop_post(struct loop *loop, struct loop_task *task) {
    push(loop, task, task);
}

void loop_post_batch(struct loop *loop, struct loop_task *first) {
    if (!first) return;
    struct loop_task *oldest = first, *newest = NULL;
    while (first) {
        struct loop_task *next = first->next;
        first->next = newest;
        newest = first;
        first = next;
    }
    push(loop, newest, oldest);
}

void loop_defer(struct loop *loop, struct loop_task *task) {
    if (task->queued) return;
    task->queued = true;
    task->next = NULL;
    *loop->deferred_end = task;
    loop->deferred_end = &task->next;
}

void loop_defer_cancel(struct loop *loop, struct loop_task *task) {
    if (!task->queued) return;
    task->queued = false;
    for (struct loop_task **at = &loop->deferred; *at; at = &(*at)->next) {
        if (*at != task) continue;
        *at = task->next;
        if (loop->deferred_end == &task->next) loop->deferred_end = at;
        return;
    }
}

static void on_busy(uv_idle_t *busy UNUSED) {
}

/* Runs what was deferred up to now; a task that defers itself again gets its turn after the next poll. Tasks are taken
 * one by one up to a marker, so that one may cancel another. */
static void on_before_sleep(uv_prepare_t *prepare) {
    struct loop *loop = prepare->data;
    struct loop_task marker = { 0 };
    if (loop->deferred) loop_defer(loop, &marker);
    while (loop->deferred) {
        struct loop_task *task = loop->deferred;
        loop->deferred = task->next;
        if (!loop->deferred) loop->deferred_end = &loop->deferred;
        task->queued = false;
        if (task == &marker) break;
        task->fn(task, task->ctx);
    }
    if (loop->deferred) uv_idle_start(&loop->busy, on_busy);
    else uv_idle_stop(&loop->busy);
}

/* ---- timers: one libuv timer for the earliest of ours ---- */

static void on_alarm(uv_timer_t *alarm);

static void arm(struct loop *loop) {
    if (!loop->timers || loop->timers->due_ms >= loop->alarm_due_ms) return;
    loop->alarm_due_ms = loop->timers->due_ms;
    uint64_t now = uv_now(&loop->uv);
    uv_timer_start(&loop->alarm, on_alarm, loop->alarm_due_ms > now ? loop->alarm_due_ms - now : 0, 0);
}

static void on_alarm(uv_timer_t *alarm) {
    struct loop *loop = alarm->data;
    uint64_t now = uv_now(&loop->uv);
    while (loop->timers && loop->timers->due_ms <= now) {
        struct loop_timer *timer = loop->timers;
        timers_remove(&loop->timers, timer);
        timer->fn(timer, timer->ctx);
    }
    loop->alarm_due_ms = UINT64_MAX;
    arm(loop);
}

void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms) {
    timers_remove(&loop->timers, timer);
    uv_update_time(&loop->uv); /* in a long turn the loop's clock stands: a deadline must not pass early for it */
    timer->due_ms = uv_now(&loop->uv) + (delay_ms ? delay_ms : 1); /* 0 would starve the loop when fn restarts it */
    timers_insert(&loop->timers, timer);
    arm(loop);
}

void loop_timer_stop(struct loop *loop, struct loop_timer *timer) {
    timers_remove(&loop->timers, timer); /* the alarm may ring for nothing: cheaper than to set it again */
}

uint64_t loop_now_ms(const struct loop *loop) {
    return uv_now(&loop->uv);
}

/* ---- signals ---- */

static void on_signal(uv_poll_t *poll, int status, int events) {
    struct loop *loop = poll->data;
    struct signalfd_siginfo info;
    (void)status, (void)events;                                            /* the read tells */
    if (read(loop->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) /* one a turn: a flood does not hold the loop */
        for (const struct signal_watch *w = loop->signals; w < loop->signals + loop->n_signals; w++)
            if (w->signal_number == (int)info.ssi_signo) w->fn(w->signal_number, w->ctx);
}

static enum code read_signals(struct loop *loop, const sigset_t *set, struct err *err) {
    int fd = signalfd(loop->signal_fd, set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) return err_errno(err, "signalfd");
    if (loop->signal_fd >= 0) return OK;
    loop->signal_fd = fd;
    int rc = uv_poll_init(&loop->uv, &loop->signal_poll, fd);
    if (rc) return err_set(err, INTERNAL, "signals: %s", uv_strerror(rc));
    loop->signal_poll.data = loop;
    uv_poll_start(&loop->signal_poll, UV_READABLE, on_signal);
    uv_unref((uv_handle_t *)&loop->signal_poll);
    return OK;
}

void loop_hold_signal(int signal_number) {
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, signal_number);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

enum code loop_on_signal(struct loop *loop, int signal_number, void (*fn)(int signal_number, void *ctx), void *ctx,
                         struct err *err) {
    sigset_t set;
    if (loop->n_signals == MAX_SIGNALS) return err_set(err, RESOURCE_EXHAUSTED, "too many signals are watched");
    loop_hold_signal(signal_number);
    loop->signals[loop->n_signals++] = (struct signal_watch){ .signal_number = signal_number, .fn = fn, .ctx = ctx };
    (void)sigemptyset(&set);
    for (unsigned i = 0; i < loop->n_signals; i++) (void)sigaddset(&set, loop->signals[i].signal_number);
    return read_signals(loop, &set, err);
}

/* ---- life ---- */

enum code loop_new(struct loop **ret_loop, struct err *err) {
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop) return err_oom(err);
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to sockets without MSG_NOSIGNAL */
    int rc = uv_loop_init(&loop->uv);
    if (!rc && (rc = uv_async_init(&loop->uv, &loop->wake, on_wake)) != 0) uv_loop_close(&loop->uv);
    if (rc) {
        free(loop);
        return err_set(err, RESOURCE_EXHAUSTED, "event loop: %s", uv_strerror(rc));
    }
    uv_prepare_init(&loop->uv, &loop->before_sleep);
    uv_idle_init(&loop->uv, &loop->busy);
    uv_timer_init(&loop->uv, &loop->alarm);
    uv_timer_init(&loop->uv, &loop->wait);
    loop->wake.data = loop->before_sleep.data = loop->alarm.data = loop;
    loop->alarm_due_ms = UINT64_MAX;
    loop->signal_fd = -1;
    loop->deferred_end = &loop->deferred;
    uv_prepare_start(&loop->before_sleep, on_before_sleep);
    *ret_loop = loop;
    return OK;
}

static void close_handle(uv_handle_t *handle, void *ctx UNUSED) {
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

void loop_free(struct loop *loop) {
    if (!loop) return;
    uv_walk(&loop->uv, close_handle, NULL);
    while (uv_run(&loop->uv, UV_RUN_DEFAULT)) {}
    uv_loop_close(&loop->uv);
    if (loop->signal_fd >= 0) close(loop->signal_fd);
    free(loop);
}

void loop_freep(struct loop **loop) {
    loop_free(*loop);
    *loop = NULL;
}

void loop_run(struct loop *loop) {
    arena_keep(ARENA_BLOCKS);
    while (!atomic_exchange_explicit(&loop->stop, false, memory_order_acq_rel)) uv_run(&loop->uv, UV_RUN_DEFAULT);
    arena_keep(0);
}

void loop_stop(struct loop *loop) {
    atomic_store_explicit(&loop->stop, true, memory_order_release);
    uv_async_send(&loop->wake);
}

/* libuv fires what is due before it polls, too. If this thread was held up until then, nothing would end the poll: so the
 * turn ends. */
static void on_wait(uv_timer_t *wait) {
    uv_stop(wait->loop);
}

void loop_run_once(struct loop *loop, unsigned max_wait_ms) {
    uv_update_time(&loop->uv);
    if (max_wait_ms) uv_timer_start(&loop->wait, on_wait, max_wait_ms, 0);
    uv_run(&loop->uv, max_wait_ms ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    uv_timer_stop(&loop->wait);
}

uv_loop_t *loop_uv(struct loop *loop) {
    return &loop->uv;
}

char *loop_scratch(struct loop *loop) {
    return loop->scratch;
}
