/* work.h: what would hold the loop up for long, done beside it.
 *
 * Embedded in its owner's structure, which must stay until `done`; one at a time. Runs on one of libuv's few threads, so it
 * may compute, and must not wait for others. The loop must not be freed before `done`. */
#pragma once
#include "net/loop.h"

struct loop_work {
    void (*run)(void *ctx);  /* on another thread */
    void (*done)(void *ctx); /* then, on the loop */
    void *ctx;
};

/* Loop thread. False: out of memory, nothing will be called. */
MUST_USE bool loop_work(struct loop *loop, struct loop_work *work);
