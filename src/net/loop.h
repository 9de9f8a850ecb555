/* loop.h: one event loop a thread (libuv): timers, tasks from other threads, signals.
 *
 * A loop belongs to the thread that runs it; only loop_post, loop_post_batch and loop_stop may be called by others,
 * and the loop must outlive those who post. Tasks and timers are embedded in their owner's structures: nothing here
 * allocates after loop_new. Times are milliseconds of a monotonic clock. Rules for the loop: docs/http.md. */
#pragma once
#include <stdatomic.h>
#include <stdint.h>
#include "base/err.h"

struct loop;
struct uv_loop_s;

/* Work to be run on the loop's thread. The owner keeps the memory until fn is called (fn may free it). */
struct loop_task {
    void (*fn)(struct loop_task *task, void *ctx);
    void *ctx;
    struct loop_task *next;
    bool queued; /* loop_defer only: already waiting */
};

/* A one-shot timer, stopped at zero initialisation. Stop it before its memory goes away; fn may start it again. */
struct loop_timer {
    void (*fn)(struct loop_timer *timer, void *ctx);
    void *ctx;
    uint64_t due_ms;
    struct loop_timer *child, *sibling, **link; /* pairing heap; link == NULL: not started */
};

/* Also makes the process ignore SIGPIPE (uv_spawn gives children the default back). */
MUST_USE enum code loop_new(struct loop **ret_loop, struct err *err);
void loop_free(
    struct loop *loop); /* not while it runs; closes what is left; NULL is fine. Tasks not yet run are dropped. */
void loop_freep(struct loop **loop);
void loop_run(struct loop *loop);                            /* until loop_stop */
void loop_stop(struct loop *loop);                           /* any thread; a stop before the run counts */
void loop_run_once(struct loop *loop, unsigned max_wait_ms); /* one turn: for tests and for blocking wrappers */
uint64_t loop_now_ms(const struct loop *loop);               /* as of this turn */

/* Any thread; first in, first out for one poster. Tasks that arrive before the loop wakes cost one wake-up together. */
void loop_post(struct loop *loop, struct loop_task *task);
void loop_post_batch(struct loop *loop, struct loop_task *first); /* a chain by `next`, in order */
/* Loop thread, or when the loop does not run: takes back a posted task that has not run yet. False: it is not there. */
bool loop_post_cancel(struct loop *loop, struct loop_task *task);
/* Loop thread: runs the task once more before the loop sleeps; a task that waits already is not queued twice. */
void loop_defer(struct loop *loop, struct loop_task *task);
void loop_defer_cancel(struct loop *loop, struct loop_task *task);

void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms); /* restarts it if it runs */
void loop_timer_stop(struct loop *loop, struct loop_timer *timer);                     /* fine when it does not run */

/* Blocks the signal in the caller's thread, and so in all that it starts from now on. A program with threads does so before
 * it starts the first: one that does not block it would do what the signal does by itself, which is to end the process. */
void loop_hold_signal(int signal_number);
/* Calls fn on the loop's thread at each arrival of the signal. Up to 8 signals, on one loop (the main one). The signal is
 * read, not caught (signalfd(2)): it is held from now on, also when the loop is gone. */
MUST_USE enum code loop_on_signal(struct loop *loop, int signal_number, void (*fn)(int signal_number, void *ctx), void *ctx,
                                  struct err *err);

struct uv_loop_s *loop_uv(struct loop *loop); /* for the handles of child processes and sockets */
