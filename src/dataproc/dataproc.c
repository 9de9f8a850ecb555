/* dataproc.c: made and ended. */
#include "dataproc/dataproc.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/file.h"
#include "dataproc/remote.h"

enum { CONFIG_ARENA_BYTES = 1 << 20, MAX_PATH = 1000 };

bool dataproc_copy_list(struct arena *arena, const struct str *from, size_t n, const struct str **ret) {
    struct str *copy = ARENA_ARRAY(arena, struct str, n + 1);
    for (size_t i = 0; copy && i < n; i++) copy[i] = str_dup(arena, from[i]);
    *ret = copy;
    return copy != NULL;
}

static bool copy_config(struct dataproc *d, const struct dataproc_config *config) {
    struct arena *a = d->arena;
    d->connection = str_dup(a, config->connection);
    d->project = str_dup(a, config->project);
    d->region = str_dup(a, config->region);
    d->url = str_dup(a, config->url);
    d->launch = (struct launch_config){ .python = str_dupz(a, config->python),
                                        .master = str_dupz(a, config->master),
                                        .project = str_dupz(a, config->project),
                                        .n_code = config->n_code,
                                        .n_properties = config->n_properties,
                                        .memory_bytes = config->memory_bytes };
    return d->connection.p && d->project.p && d->region.p && d->launch.python && d->launch.master &&
           dataproc_copy_list(a, config->code, config->n_code, &d->launch.code) &&
           dataproc_copy_list(a, config->properties, config->n_properties, &d->launch.properties);
}

static enum code open_state(struct dataproc *d, const struct dataproc_config *config, struct err *err) {
    char path[PATH_MAX];
    enum code rc = file_make_dirs(config->folder, 0700, err);
    if (rc) return rc;
    (void)snprintf(path, sizeof path, "%s/dataproc.sqlite", config->folder);
    rc = state_open(path, &d->state, err);
    if (!rc) rc = sealer_open_file(config->folder, "bridge.key", sealer_new, &d->sealer, err);
    return rc ? rc : run_hooks_recover(d, err);
}

static enum code open_runner(struct dataproc *d, const struct dataproc_config *config, struct err *err) {
    char runs[PATH_MAX];
    (void)snprintf(runs, sizeof runs, "%s/runs", config->folder);
    struct runner_config runner = {
        .folder = runs,
        .helper = config->helper,
        .worlds = config->worlds,
        .max_jobs = config->max_jobs,
        .launch = d->launch,
    };
    struct runner_hooks hooks = run_hooks(d);
    return runner_start(&runner, &hooks, &d->runner, err);
}

enum code dataproc_new(const struct dataproc_config *config, const struct job_endpoints *endpoints, struct dataproc **ret,
                       struct err *err) {
    struct dataproc *d = calloc(1, sizeof *d);
    if (!d) return err_oom(err);
    (void)pthread_mutex_init(&d->lock, NULL);
    (void)pthread_mutex_init(&d->index_lock, NULL);
    d->endpoints = *endpoints;
    d->arena = arena_new(CONFIG_ARENA_BYTES);
    d->index = map_new();
    enum code rc = d->arena && d->index && copy_config(d, config) ? OK : err_oom(err);
    if (!rc) rc = open_state(d, config, err);
    if (!rc) rc = open_runner(d, config, err);
    if (!rc) rc = desk_start(d, err);
    if (rc) {
        dataproc_free(d);
        return rc;
    }
    *ret = d;
    return OK;
}

struct service dataproc_service(struct dataproc_regions *regions) {
    return (struct service){
        .name = "dataproc", .methods = dataproc_methods, .n_methods = dataproc_n_methods, .state = regions
    };
}

/* First nobody asks any more, then the jobs end (their last news is written), then the state closes. */
void dataproc_free(struct dataproc *d) {
    if (!d) return;
    if (d->remote) {
        remote_free(d->remote);
        arena_free(d->arena);
        free(d);
        return;
    }
    desk_stop(d);
    (void)pthread_mutex_lock(&d->lock);
    d->closing = true;
    (void)pthread_mutex_unlock(&d->lock);
    runner_stop(d->runner);
    state_close(d->state);
    index_free(d);
    sealer_free(d->sealer);
    (void)pthread_mutex_destroy(&d->lock);
    (void)pthread_mutex_destroy(&d->index_lock);
    arena_free(d->arena);
    free(d);
}

enum world_mode dataproc_world_mode(const struct dataproc *d) {
    return runner_mode(d->runner);
}

const char *dataproc_world_why(const struct dataproc *d) {
    return runner_mode_why(d->runner);
}
