#include "gate/workspace_runs.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file.h"
#include "crypto/random.h"
#include "gate/config.h"
#include "gate/data_dir.h"
#include "gate/identify.h"
#include "gate/run_events.h"
#include "gate/web_calls.h"
#include "pipeline/pipelines.h"
#include "synapse/synapse.h"

struct workspace_runs {
    _Atomic(struct pipelines *) pipelines;
    struct web_calls *calls;
    struct run_events events;
    struct synapse *synapse;
    atomic_bool closed;
};

/* ---- what runs ask of the world ---- */

static int64_t now_us(void *ctx) {
    (void)ctx;
    return clock_wall_us();
}

static void fill_random(void *ctx, void *out, size_t n) {
    (void)ctx;
    random_bytes(out, n);
}

/* Any thread; also the desk's, while pipelines_open is about to return to the thread that starts the server. */
static void answer(void *ctx, uint64_t ticket, const struct pipeline_reply *reply) {
    struct workspace_runs *w = ctx;
    struct pipelines *pipelines;
    while (!(pipelines = atomic_load(&w->pipelines))) (void)usleep(1000);
    pipelines_answer(pipelines, ticket, reply);
}

static void call(void *ctx, uint64_t ticket, const struct pipeline_request *request) {
    struct workspace_runs *w = ctx;
    web_calls_begin(w->calls, ticket, request);
}

static void cancel(void *ctx, uint64_t ticket) {
    struct workspace_runs *w = ctx;
    web_calls_cancel(w->calls, ticket);
}

static void event(void *ctx, const struct pipeline_event *happened) {
    struct workspace_runs *w = ctx;
    run_events_write(&w->events, happened);
}

/* ---- open, close ---- */

static enum code open_calls(struct workspace_runs *w, struct gate *gate, struct str url, const struct config_connection *c,
                            struct err *err) {
    struct web_calls_config config = { .gate = gate,
                                       .workspace = gate->identity->workspace,
                                       .name = c->synapse.workspace,
                                       .account = c->synapse.account,
                                       .url = url,
                                       .answer = answer,
                                       .answer_ctx = w };
    return web_calls_new(&config, &w->calls, err);
}

static enum code open_pipelines(struct workspace_runs *w, const struct config *config, const struct config_connection *c,
                                struct err *err) {
    char folder[DATA_PATH_MAX], path[DATA_PATH_MAX + 128];
    if (snprintf(folder, sizeof folder, "%s/synapse", config->data) >= (int)sizeof folder)
        return err_set(err, INVALID_ARGUMENT, "the data directory's path is too long");
    (void)snprintf(path, sizeof path, "%s/%.*s.sqlite", folder, STR_ARG(str_upto(c->name, 100)));
    enum code rc = file_make_dirs(folder, 0700, err);
    if (rc) return rc;
    struct pipelines_config options = {
        .path = path,
        .workspace = c->synapse.workspace,
        .effects = { .ctx = w, .call = call, .cancel = cancel, .event = event, .now_us = now_us, .random = fill_random }
    };
    struct pipelines *pipelines;
    rc = pipelines_open(&options, &pipelines, err);
    if (!rc) atomic_store(&w->pipelines, pipelines);
    return rc;
}

enum code workspace_runs_open(struct gate *gate, struct workspace_runs **ret, struct service *ret_service,
                              struct err *err) {
    const struct config_connection *c = config_workspace(gate->config);
    *ret = NULL;
    if (!c) return OK;
    struct workspace_runs *w = calloc(1, sizeof *w);
    if (!w) return err_oom(err);
    *ret = w;
    struct synapse_config config = {
        .connection = c->name, .workspace = c->synapse.workspace, .account = c->synapse.account, .url = gate->config->url
    };
    w->events = (struct run_events){ gate, c->synapse.workspace, c->synapse.account };
    enum code rc = open_calls(w, gate, gate->config->url, c, err);
    if (!rc) rc = open_pipelines(w, gate->config, c, err);
    if (!rc) rc = synapse_new(&config, atomic_load(&w->pipelines), &w->synapse, ret_service, err);
    return rc ? err_wrap(err, "connections.%.*s.synapse", STR_ARG(c->name)) : OK;
}

void workspace_runs_close(struct workspace_runs *w) {
    if (!w || atomic_exchange(&w->closed, true)) return;
    synapse_close(w->synapse);
    pipelines_close(atomic_load(&w->pipelines));
}

void workspace_runs_free(struct workspace_runs *w) {
    if (!w) return;
    synapse_free(w->synapse);
    web_calls_free(w->calls);
    free(w);
}
