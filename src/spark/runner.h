/* runner.h: all job runs of one connection, on one owner thread: queue, worlds, output, progress, cancel, end.
 *
 * `runner_submit`, `runner_cancel` and `runner_progress` may be called from any thread and do not block; hooks are called
 * on the owner thread, one at a time, and may block for a while but may not call runner_stop. At the end of a run its
 * endpoints are closed (tokens revoked, listeners closed) BEFORE anybody is told that it ended.
 * Limits: `max_jobs` at once, 1,000 waiting; 64 MiB of driver output a run, then it is cut with a note; `keep_runs` ended
 * runs keep their output. */
#pragma once
#include "spark/launch.h"
#include "spark/progress.h"

enum {
    RUNNER_MAX_WAITING = 1000,
    RUNNER_OUTPUT_MAX_BYTES = 64 << 20,
    RUNNER_TERM_MS = 5000, /* from SIGTERM to SIGKILL */
    RUNNER_ID_MAX = 101,
    RUNNER_UIDS = 60000, /* uids of a runner, when the server is root */
};

enum runner_state { RUN_WAITING, RUN_STARTING, RUN_RUNNING, RUN_DONE, RUN_FAILED, RUN_CANCELLED };

/* A job to run. Everything is copied. */
struct runner_job {
    struct str run;     /* the run's id, unique for ever; also its folder's name: [A-Za-z0-9_-]{1,100} */
    struct str account; /* jobs of one account only run together when worlds cannot be told apart */
    char main_sha256[LAUNCH_SHA256_HEX + 1];
    struct launch_job launch;
    void *user; /* given back in hooks */
};

struct runner_change {
    struct str run;
    void *user;
    enum runner_state state;
    int exit_status;    /* RUN_FAILED: of the driver; -1 = it never started */
    struct str details; /* for people: the cause of a failure with the last lines; else empty */
};

struct runner_hooks {
    void *ctx;
    /* The run's listeners: takes world->fds (and sets them to -1), also when it fails. */
    enum code (*open)(void *ctx, struct str run, void *user, struct world *world, void **ret_endpoint, struct err *err);
    void (*close)(void *ctx, void *endpoint); /* when it returns, tokens are revoked and listeners closed */
    void (*changed)(void *ctx, const struct runner_change *change);
};

struct runner_config {
    const char *folder;     /* the server's, 0700: each run has a folder in it */
    const char *helper;     /* world_spec.helper */
    enum world_mode worlds; /* the strongest mode to try; WORLD_NAMESPACES unless a test says otherwise */
    uid_t
        first_uid; /* when the server is root: runs get the RUNNER_UIDS uids from here on; 0: a block above 2,000,000,000 */
    size_t max_jobs, keep_runs; /* 0: 1; 200 */
    struct launch_config launch;
};

struct runner;

/* Finds Java and PySpark, probes the world's mode, removes what an earlier server left of worlds, starts the thread.
 * The configuration is copied. */
MUST_USE enum code runner_start(const struct runner_config *config, const struct runner_hooks *hooks, struct runner **ret,
                                struct err *err);
/* Ends all runs (state RUN_CANCELLED, "the server stops"), joins the thread, frees. NULL is fine. */
void runner_stop(struct runner *runner);
enum world_mode runner_mode(const struct runner *runner);
const char *runner_mode_why(const struct runner *runner); /* why it is not a stronger one; "" = it is the strongest */

/* RESOURCE_EXHAUSTED when too many wait. */
MUST_USE enum code runner_submit(struct runner *runner, const struct runner_job *job, struct err *err);
void runner_cancel(struct runner *runner, struct str run); /* unknown or ended: nothing happens */
bool runner_has(struct runner *runner, struct str run);    /* it waits or runs, or its end is being told */
bool runner_progress(struct runner *runner, struct str run, struct progress *ret); /* false: it does not run now */

/* Driver output from `offset`, at most `max` bytes into `ret`; `ret_total` is its length so far. NOT_FOUND: none kept. */
MUST_USE enum code runner_output(struct runner *runner, struct str run, uint64_t offset, size_t max, struct buf *ret,
                                 uint64_t *ret_total, struct err *err);
void runner_forget(struct runner *runner, struct str run); /* removes an ended run's folder */
