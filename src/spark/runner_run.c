/* runner_run.c: one run: copied, staged, its world made, its endpoints opened, started, ended. */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/file.h"
#include "spark/runner_priv.h"

enum { DETAILS_MAX_BYTES = 1000 };

/* ---- copy ---- */

static bool copy_files(struct arena *arena, struct launch_files *files) {
    struct str *items = ARENA_ARRAY(arena, struct str, files->n + 1);
    for (size_t i = 0; items && i < files->n; i++) {
        items[i] = str_dup(arena, files->items[i]);
        if (files->items[i].n && !items[i].p) return false;
    }
    files->items = items;
    return items != NULL;
}

static bool copy_job(struct arena *arena, const struct runner_job *job, struct runner_job *ret) {
    struct launch_property *properties = ARENA_ARRAY(arena, struct launch_property, job->launch.n_properties + 1);
    *ret = *job;
    struct launch_job *launch = &ret->launch;
    for (size_t i = 0; properties && i < job->launch.n_properties; i++) {
        properties[i].key = str_dup(arena, job->launch.properties[i].key);
        properties[i].value = str_dup(arena, job->launch.properties[i].value);
    }
    launch->properties = properties;
    ret->run = str_dup(arena, job->run);
    ret->account = str_dup(arena, job->account);
    launch->name = str_dup(arena, launch->name);
    launch->main = str_dup(arena, launch->main);
    struct launch_files *lists[] = { &launch->args, &launch->python_files, &launch->jars, &launch->files,
                                     &launch->archives };
    for (size_t i = 0; i < COUNT(lists); i++)
        if (!copy_files(arena, lists[i])) return false;
    return properties && ret->run.p && launch->main.p;
}

struct run *run_new(struct runner *runner, const struct runner_job *job, struct err *err) {
    struct run *run = calloc(1, sizeof *run);
    (void)runner;
    if (run) {
        run->pipe_fd = run->output_fd = run->events_fd = -1;
        run->arena = arena_new(RUNNER_RUN_ARENA);
        progress_init(&run->progress);
        if (run->arena && copy_job(run->arena, job, &run->job)) return run;
    }
    run_free(run);
    (void)err_oom(err);
    return NULL;
}

void run_free(struct run *run) {
    if (!run) return;
    file_close(&run->pipe_fd);
    file_close(&run->output_fd);
    file_close(&run->events_fd);
    progress_free(&run->progress);
    arena_free(run->arena);
    free(run);
}

/* ---- start ---- */

/* One of 60,000 uids, the next each time: two that run at once never have the same. */
static uid_t take_uid(struct runner *runner) {
    return runner->config.first_uid + runner->next_uid++ % RUNNER_UIDS;
}

static enum code make_world(struct runner *runner, struct run *run, struct err *err) {
    DEFER(file_close) int output = -1;
    enum code rc = run_open_output(run, &output, err);
    if (rc) return rc;
    struct world_spec spec = {
        .helper = runner->config.helper,
        .try = runner->mode,
        .only = true, /* the mode was found at start: what jobs may share was decided by it */
        .work = run->work,
        .code = run->code,
        .readable = runner->machine.readable,
        .n_readable = runner->machine.n_readable,
        .uid = take_uid(runner),
        .output_fd = output,
    };
    rc = world_open(&spec, &run->world, err);
    run->has_world = rc == OK;
    return rc;
}

static enum code start_in_world(struct runner *runner, struct run *run, struct err *err) {
    struct launch_command command;
    enum code rc = launch_command(&runner->config.launch, &runner->machine, &run->job.launch, &run->world, run->work,
                                  run->world.uid, run->arena, &command, err);
    if (!rc) rc = runner->hooks.open(runner->hooks.ctx, run->job.run, run->job.user, &run->world, &run->endpoint, err);
    return rc ? rc : world_start(&run->world, command.argv, command.envp, err);
}

enum code run_start(struct runner *runner, struct run *run, struct err *err) {
    enum code rc = runner_make_folder(runner, run, err);
    if (!rc) rc = launch_stage(&runner->config.launch, &run->job.launch, run->code, run->job.main_sha256, err);
    if (!rc) rc = make_world(runner, run, err);
    if (rc) return rc;
    run_tell(runner, run, RUN_STARTING, 0, STR(""));
    rc = start_in_world(runner, run, err);
    if (!rc) run_tell(runner, run, RUN_RUNNING, 0, STR(""));
    return rc;
}

/* ---- stop, end ---- */

void run_stop(struct run *run, uint64_t now_us) {
    if (!run->cancel_told) {
        run->cancel_told = true;
        run->kill_at_us = now_us + RUNNER_TERM_MS * 1000ULL;
        world_terminate(&run->world);
    } else if (now_us >= run->kill_at_us) world_kill(&run->world);
}

void run_tell(struct runner *runner, struct run *run, enum runner_state state, int status, struct str details) {
    (void)pthread_mutex_lock(&runner->lock);
    run->state = state;
    (void)pthread_mutex_unlock(&runner->lock);
    struct runner_change change = { run->job.run, run->job.user, state, status, str_upto(details, DETAILS_MAX_BYTES) };
    runner->hooks.changed(runner->hooks.ctx, &change);
}

/* First what the job could still use goes: tokens and listeners; then its processes and files; then it is told. */
void run_end(struct runner *runner, struct run *run, enum runner_state state, int status, struct str details) {
    if (run->endpoint) runner->hooks.close(runner->hooks.ctx, run->endpoint);
    run->endpoint = NULL;
    if (run->has_world) world_close(&run->world);
    run->has_world = false;
    run_read_output(run);
    run_read_events(runner, run);
    file_close(&run->events_fd);
    run->events_fd = -1;
    runner_clean(run);
    run_tell(runner, run, state, status, details);
}
