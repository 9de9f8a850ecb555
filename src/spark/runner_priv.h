/* runner_priv.h: what the runner's files share: one run, and the runner. Everything is the owner thread's, but for what
 * `lock` guards. */
#pragma once
#include <pthread.h>
#include "spark/runner.h"

enum { RUNNER_TAIL_BYTES = 16384, RUNNER_RUN_ARENA = 64 << 20, RUNNER_TICK_MS = 200 };

struct run {
    struct run *next;
    struct arena *arena;
    struct runner_job job;
    enum runner_state state;
    char folder[1024], work[1100], code[1100];
    struct world world;
    bool has_world;
    void *endpoint;
    bool cancel, cancel_told; /* asked; SIGTERM sent */
    uint64_t kill_at_us;      /* mono; 0 = none */
    int pipe_fd, output_fd, events_fd;
    uint64_t output_bytes;
    bool output_cut;
    struct progress_reader progress;
};

struct runner {
    struct arena *arena; /* of the configuration */
    struct runner_config config;
    struct runner_hooks hooks;
    struct launch_machine machine;
    enum world_mode mode;
    char mode_why[256];
    pthread_t thread;
    bool started;
    int wake_fd;

    pthread_mutex_t lock; /* guards what follows, and the runs' `cancel`, `progress.now`, `state` for others to read */
    struct run *waiting, *running;
    size_t n_waiting, n_running;
    unsigned next_uid;
    bool stopping;
};

/* runner_run.c: one run from its folder to its end; the owner thread. */
struct run *run_new(struct runner *runner, const struct runner_job *job, struct err *err);
void run_free(struct run *run); /* closes and frees; the folder stays */
MUST_USE enum code run_start(struct runner *runner, struct run *run, struct err *err);
void run_stop(struct run *run, uint64_t now_us); /* asks once; kills when the time is over */
/* Ends endpoints, then tells. */
void run_end(struct runner *runner, struct run *run, enum runner_state state, int status, struct str details);
void run_tell(struct runner *runner, struct run *run, enum runner_state state, int status, struct str details);

/* runner_output.c: the driver's output and event log. */
MUST_USE enum code run_open_output(struct run *run, int *ret_write_fd, struct err *err);
void run_read_output(struct run *run);                            /* what the pipe holds now */
struct str run_output_tail(struct run *run, struct arena *arena); /* the last 16 KiB */
void run_read_events(struct runner *runner, struct run *run);     /* follows the event log */

/* runner_folders.c */
MUST_USE enum code runner_make_folder(struct runner *runner, struct run *run, struct err *err);
void runner_clean(struct run *run);                                      /* work and code go; output stays */
void runner_remove_tree(const char *path);                               /* follows no links */
void runner_prune(struct runner *runner);                                /* at most keep_runs folders */
MUST_USE enum code runner_sweep(struct runner *runner, struct err *err); /* at start: what an earlier server left */
bool runner_good_id(struct str run);
