/* runner.c: the owner thread: starts what waits, watches what runs, ends what ended. */
#include "crypto/random.h"
#include "spark/runner.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file.h"
#include "spark/runner_priv.h"

enum { FIRST_UID = 2000000000, UID_BLOCKS = 2000 }; /* up to 2,120,000,000: below 2^31 */
enum { MAX_RUNNING = 256, CONFIG_ARENA = 1 << 20, OOM_KILL = 137, OUT_OF_MEMORY_EXIT = 143 };

/* ---- queue ---- */

static void wake(struct runner *runner) {
    uint64_t one = 1;
    if (write(runner->wake_fd, &one, sizeof one) < 0) return; /* full: it is awake already */
}

static struct run *find(struct run *list, struct str id) {
    while (list && !str_eq(list->job.run, id)) list = list->next;
    return list;
}

enum code runner_submit(struct runner *runner, const struct runner_job *job, struct err *err) {
    if (!runner_good_id(job->run)) return err_set(err, INVALID_ARGUMENT, "a run's id is 1 to 100 of A-Z a-z 0-9 _ -");
    struct run *run = run_new(runner, job, err), **end;
    if (!run) return RESOURCE_EXHAUSTED;
    (void)pthread_mutex_lock(&runner->lock);
    bool full = runner->n_waiting >= RUNNER_MAX_WAITING, stopping = runner->stopping;
    bool twice = find(runner->waiting, job->run) || find(runner->running, job->run);
    if (!full && !twice && !stopping) {
        for (end = &runner->waiting; *end; end = &(*end)->next) {}
        *end = run;
        runner->n_waiting++;
    }
    (void)pthread_mutex_unlock(&runner->lock);
    if (!full && !twice && !stopping) return wake(runner), OK;
    run_free(run);
    if (stopping) return err_set(err, UNAVAILABLE, "the server stops");
    return twice ? err_set(err, ALREADY_EXISTS, "the run is there already")
                 : err_set(err, RESOURCE_EXHAUSTED, "%d jobs wait already: try again later", RUNNER_MAX_WAITING);
}

void runner_cancel(struct runner *runner, struct str id) {
    (void)pthread_mutex_lock(&runner->lock);
    struct run *run = find(runner->running, id);
    if (!run) run = find(runner->waiting, id);
    if (run) run->cancel = true;
    (void)pthread_mutex_unlock(&runner->lock);
    if (run) wake(runner);
}

bool runner_has(struct runner *runner, struct str id) {
    (void)pthread_mutex_lock(&runner->lock);
    bool has = find(runner->running, id) || find(runner->waiting, id);
    (void)pthread_mutex_unlock(&runner->lock);
    return has;
}

bool runner_progress(struct runner *runner, struct str id, struct progress *ret) {
    (void)pthread_mutex_lock(&runner->lock);
    struct run *run = find(runner->running, id);
    if (run) *ret = run->progress.now;
    (void)pthread_mutex_unlock(&runner->lock);
    return run != NULL;
}

/* May it start beside those that run? Without worlds that are apart, only beside runs of its own account. */
static bool may_start(const struct runner *runner, const struct run *run) {
    if (run->cancel) return true; /* to be ended */
    if (runner->n_running >= runner->config.max_jobs) return false;
    if (runner->mode != WORLD_ALONE) return true;
    for (const struct run *r = runner->running; r; r = r->next)
        if (!str_eq(r->job.account, run->job.account)) return false;
    return true;
}

/* Takes the first that may start, from waiting to running. In order: a later one does not overtake. */
static struct run *take_next(struct runner *runner, bool *ret_cancelled) {
    (void)pthread_mutex_lock(&runner->lock);
    struct run *run = NULL, **at = &runner->waiting;
    while (*at && !(*at)->cancel) at = &(*at)->next;
    if (!*at) at = &runner->waiting;
    if (*at && may_start(runner, *at)) {
        run = *at;
        *at = run->next;
        run->next = runner->running;
        runner->running = run;
        runner->n_waiting--;
        runner->n_running++;
        *ret_cancelled = run->cancel;
    }
    (void)pthread_mutex_unlock(&runner->lock);
    return run;
}

static void forget_run(struct runner *runner, struct run *run) {
    (void)pthread_mutex_lock(&runner->lock);
    struct run **at = &runner->running;
    while (*at != run) at = &(*at)->next;
    *at = run->next;
    runner->n_running--;
    (void)pthread_mutex_unlock(&runner->lock);
    run_free(run);
}

/* ---- one round ---- */

static void start_waiting(struct runner *runner) {
    bool cancelled;
    for (struct run *run; (run = take_next(runner, &cancelled));) {
        struct err err = { 0 };
        if (cancelled) run_end(runner, run, RUN_CANCELLED, -1, STR("cancelled before it started"));
        else if (run_start(runner, run, &err)) run_end(runner, run, RUN_FAILED, -1, str_z(err.message));
        else continue;
        forget_run(runner, run);
    }
}

/* "the driver exited with 1: AnalysisException: …" */
static struct str failure_details(struct run *run, int status) {
    struct str tail = run_output_tail(run, run->arena);
    struct str cause = launch_cause(tail, run->arena);
    const char *hint = status == OOM_KILL             ? " (killed: is there enough memory?)"
                       : status == OUT_OF_MEMORY_EXIT ? " (ended by SIGTERM)"
                                                      : "";
    return arena_printf(run->arena, "the driver exited with %d%s%s%.*s", status, hint, cause.n ? ": " : "", STR_ARG(cause));
}

static bool is_cancelled(struct runner *runner, struct run *run) {
    (void)pthread_mutex_lock(&runner->lock);
    bool cancelled = run->cancel;
    (void)pthread_mutex_unlock(&runner->lock);
    return cancelled;
}

static void look_after(struct runner *runner, struct run *run) {
    int status;
    run_read_output(run);
    run_read_events(runner, run);
    bool cancelled = is_cancelled(runner, run);
    if (world_ended(&run->world, &status)) {
        run_read_output(run);
        run_read_events(runner, run);
        if (cancelled) run_end(runner, run, RUN_CANCELLED, status, STR("cancelled"));
        else if (status == 0) run_end(runner, run, RUN_DONE, 0, STR(""));
        else run_end(runner, run, RUN_FAILED, status, failure_details(run, status));
        forget_run(runner, run);
        runner_prune(runner);
    } else if (cancelled) run_stop(run, clock_mono_us());
}

static void look_after_all(struct runner *runner) {
    for (struct run *run = runner->running, *next; run; run = next) { /* only this thread changes the list */
        next = run->next;
        look_after(runner, run);
    }
}

static void wait_for_news(struct runner *runner) {
    struct pollfd polls[1 + 2 * MAX_RUNNING] = { { runner->wake_fd, POLLIN, 0 } };
    nfds_t n = 1;
    for (struct run *run = runner->running; run && n + 2 <= COUNT(polls); run = run->next) {
        polls[n++] = (struct pollfd){ run->world.pidfd, POLLIN, 0 };
        if (run->pipe_fd >= 0) polls[n++] = (struct pollfd){ run->pipe_fd, POLLIN, 0 };
    }
    (void)poll(polls, n, runner->running ? RUNNER_TICK_MS : -1);
    uint64_t count;
    if (polls[0].revents && read(runner->wake_fd, &count, sizeof count) < 0) return;
}

static bool is_stopping(struct runner *runner) {
    (void)pthread_mutex_lock(&runner->lock);
    bool stopping = runner->stopping;
    (void)pthread_mutex_unlock(&runner->lock);
    return stopping;
}

static void end_all(struct runner *runner) {
    for (struct run *run; (run = runner->running);) {
        run_end(runner, run, RUN_CANCELLED, -1, STR("the server stopped"));
        forget_run(runner, run);
    }
    (void)pthread_mutex_lock(&runner->lock);
    struct run *waiting = runner->waiting;
    runner->waiting = NULL;
    runner->n_waiting = 0;
    (void)pthread_mutex_unlock(&runner->lock);
    for (struct run *next; waiting; waiting = next) {
        next = waiting->next;
        run_tell(runner, waiting, RUN_CANCELLED, -1, STR("the server stopped"));
        run_free(waiting);
    }
}

static void *own(void *ctx) {
    struct runner *runner = ctx;
    while (!is_stopping(runner)) {
        start_waiting(runner);
        wait_for_news(runner);
        look_after_all(runner);
    }
    end_all(runner);
    return NULL;
}

/* ---- output of any run ---- */

enum code runner_output(struct runner *runner, struct str run, uint64_t offset, size_t max, struct buf *ret,
                        uint64_t *ret_total, struct err *err) {
    char path[1200];
    if (!runner_good_id(run)) return err_set(err, NOT_FOUND, "no such run");
    (void)snprintf(path, sizeof path, "%s/%.*s/driveroutput", runner->config.folder, STR_ARG(run));
    DEFER(file_close) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return err_set(err, NOT_FOUND, "no driver output is kept of this run");
    off_t total = lseek(fd, 0, SEEK_END);
    uint64_t have = total > 0 ? (uint64_t)total : 0, left = offset < have ? have - offset : 0;
    size_t want = left < max ? (size_t)left : max;
    if (!buf_reserve(ret, want)) return err_oom(err);
    ssize_t n = want ? pread(fd, ret->p + ret->n, want, (off_t)offset) : 0;
    if (n < 0) return err_errno(err, "driver output");
    ret->n += (size_t)n;
    *ret_total = have;
    return OK;
}

void runner_forget(struct runner *runner, struct str run) {
    char path[1200];
    (void)pthread_mutex_lock(&runner->lock);
    const struct run *there = find(runner->running, run);
    bool live = (there && there->state < RUN_DONE) || find(runner->waiting, run);
    (void)pthread_mutex_unlock(&runner->lock);
    if (live || !runner_good_id(run)) return;
    (void)snprintf(path, sizeof path, "%s/%.*s", runner->config.folder, STR_ARG(run));
    runner_remove_tree(path);
}

/* ---- life ---- */

static bool copy_strs(struct arena *arena, const struct str **list, size_t n) {
    struct str *copy = ARENA_ARRAY(arena, struct str, n + 1);
    for (size_t i = 0; copy && i < n; i++) copy[i] = str_dup(arena, (*list)[i]);
    *list = copy;
    return copy != NULL;
}

/* Another server of this machine must not share our uids: where namespaces are forbidden, a run's end kills all processes
 * of its uid. So each takes a block of its own, by chance. */
static uid_t pick_first_uid(void) {
    uint16_t block;
    random_bytes(&block, sizeof block);
    return FIRST_UID + (uid_t)(block % UID_BLOCKS) * RUNNER_UIDS;
}

static bool copy_config(struct runner *runner, const struct runner_config *config) {
    struct arena *a = runner->arena;
    struct runner_config *c = &runner->config;
    *c = *config;
    c->folder = str_dupz(a, str_z(config->folder));
    c->helper = config->helper ? str_dupz(a, str_z(config->helper)) : NULL;
    c->launch.python = str_dupz(a, str_z(config->launch.python));
    c->launch.master = str_dupz(a, str_z(config->launch.master));
    c->launch.project = str_dupz(a, str_z(config->launch.project));
    if (!c->first_uid) c->first_uid = pick_first_uid();
    if (!c->max_jobs) c->max_jobs = 1;
    if (c->max_jobs > MAX_RUNNING) c->max_jobs = MAX_RUNNING;
    return c->folder && c->launch.python && c->launch.master && c->launch.project &&
           copy_strs(a, &c->launch.code, c->launch.n_code) && copy_strs(a, &c->launch.properties, c->launch.n_properties);
}

static enum code find_mode(struct runner *runner, struct err *err) {
    if (runner->config.worlds != WORLD_NAMESPACES) {
        runner->mode = runner->config.worlds;
        (void)snprintf(runner->mode_why, sizeof runner->mode_why, "the configuration asked for it");
        return OK;
    }
    return world_probe(runner->config.helper, runner->config.folder, runner->config.first_uid, &runner->mode,
                       runner->mode_why, err);
}

static enum code prepare(struct runner *runner, const struct runner_config *config, struct err *err) {
    runner->arena = arena_new(CONFIG_ARENA);
    if (!runner->arena || !copy_config(runner, config)) return err_oom(err);
    runner->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (runner->wake_fd < 0) return err_errno(err, "eventfd");
    enum code rc = file_make_dirs(runner->config.folder, 0700, err);
    char real[PATH_MAX];
    if (!rc && !realpath(runner->config.folder, real)) rc = err_errno(err, runner->config.folder);
    if (!rc) runner->config.folder = str_dupz(runner->arena, str_z(real)); /* worlds want an absolute one */
    if (!rc && !runner->config.folder) rc = err_oom(err);
    if (!rc) rc = launch_find_machine(runner->config.launch.python, runner->arena, &runner->machine, err);
    if (!rc) rc = find_mode(runner, err);
    return rc ? rc : runner_sweep(runner, err);
}

enum code runner_start(const struct runner_config *config, const struct runner_hooks *hooks, struct runner **ret,
                       struct err *err) {
    struct runner *runner = calloc(1, sizeof *runner);
    if (!runner) return err_oom(err);
    runner->hooks = *hooks;
    runner->wake_fd = -1;
    (void)pthread_mutex_init(&runner->lock, NULL);
    enum code rc = prepare(runner, config, err);
    if (!rc && pthread_create(&runner->thread, NULL, own, runner))
        rc = err_set(err, RESOURCE_EXHAUSTED, "no thread for jobs");
    runner->started = rc == OK;
    if (rc) runner_stop(runner);
    else *ret = runner;
    return rc;
}

void runner_stop(struct runner *runner) {
    if (!runner) return;
    if (runner->started) {
        (void)pthread_mutex_lock(&runner->lock);
        runner->stopping = true;
        (void)pthread_mutex_unlock(&runner->lock);
        wake(runner);
        (void)pthread_join(runner->thread, NULL);
    }
    file_close(&runner->wake_fd);
    (void)pthread_mutex_destroy(&runner->lock);
    arena_free(runner->arena);
    free(runner);
}

enum world_mode runner_mode(const struct runner *runner) {
    return runner->mode;
}

const char *runner_mode_why(const struct runner *runner) {
    return runner->mode_why;
}
