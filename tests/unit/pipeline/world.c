#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/arena.h"

enum { START_S = 1700000000 };

const struct principal world_person = {
    .actor = { .kind = ACTOR_OIDC, .issuer = STR_INIT("corp"), .subject = STR_INIT("ada@corp.example") },
};

/* ---- effects ---- */

uint64_t world_random(struct world *w) { /* splitmix64 */
    uint64_t z = (w->seed += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static void fill_random(void *ctx, void *out, size_t n) {
    for (size_t i = 0; i < n; i++) ((uint8_t *)out)[i] = (uint8_t)world_random(ctx);
}

static int64_t now(void *ctx) {
    return ((struct world *)ctx)->now_us;
}

static void copy(char *out, size_t size, struct str text) {
    (void)snprintf(out, size, "%.*s", STR_ARG(text));
}

static struct script *next_script(struct world *w, struct str url) {
    struct script *last = NULL;
    for (size_t i = 0; i < w->n_scripts; i++) {
        if (!str_ends(url, str_z(w->scripts[i].url))) continue;
        last = &w->scripts[i];
        if (!last->used) break;
    }
    if (last) last->used = true;
    return last;
}

static void reply(struct world *w, uint64_t ticket, const struct script *s) {
    struct pipeline_header headers[4] = { { STR("content-type"), STR("application/json") } };
    size_t n = 1;
    if (s->location) headers[n++] = (struct pipeline_header){ STR("location"), str_z(s->location) };
    if (s->retry_after) headers[n++] = (struct pipeline_header){ STR("retry-after"), str_z(s->retry_after) };
    headers[n++] = (struct pipeline_header){ STR("set-cookie"), STR("secret=1") };
    struct pipeline_reply r = { .fault = s->fault,
                                .request = STR("req-out"),
                                .status = s->status,
                                .body = str_z(s->body),
                                .headers = headers,
                                .n_headers = n };
    pipelines_answer(w->p, ticket, &r);
}

static void call(void *ctx, uint64_t ticket, const struct pipeline_request *r) {
    struct world *w = ctx;
    assert_true(w->n_asked < WORLD_MAX);
    struct asked *a = &w->asked[w->n_asked++];
    *a = (struct asked){ .ticket = ticket, .at_us = w->now_us, .timeout_ms = r->timeout_ms, .poll = r->poll };
    copy(a->method, sizeof a->method, r->method);
    copy(a->url, sizeof a->url, r->url);
    copy(a->body, sizeof a->body, r->body);
    copy(a->audience, sizeof a->audience, r->audience);
    copy(a->subject, sizeof a->subject, r->at.starter->actor.subject);
    copy(a->request, sizeof a->request, r->at.request);
    if (r->n_headers) copy(a->type, sizeof a->type, r->headers[r->n_headers - 1].value);
    if (w->on_call) w->on_call(w);
    const struct script *s = next_script(w, r->url);
    static const struct script none = { .fault = FAULT_UNREACHABLE };
    if (s && s->hold) a->held = true;
    else reply(w, ticket, s ? s : &none);
}

static void cancel(void *ctx, uint64_t ticket) {
    struct world *w = ctx;
    for (size_t i = 0; i < w->n_asked; i++) {
        if (w->asked[i].ticket != ticket || !w->asked[i].held) continue;
        w->asked[i].held = false;
        w->asked[i].cancelled = true;
        reply(w, ticket, &(struct script){ .fault = FAULT_CANCELLED });
    }
}

static void event(void *ctx, const struct pipeline_event *e) {
    static const char *const words[] = { "run started", "run ended", "activity started", "activity ended" };
    struct world *w = ctx;
    assert_true(e->seq > w->last_event || w->last_event == 0);
    w->last_event = e->seq;
    assert_str(e->at.starter->actor.subject, "ada@corp.example");
    assert_int_equal(e->at.run.n, PIPELINE_UUID);
    if (w->mute) return;
    assert_true(w->n_events < WORLD_MAX);
    (void)snprintf(w->events[w->n_events++], sizeof w->events[0], "%s %.*s %.*s%s%.*s", words[e->what],
                   STR_ARG(e->at.activity.n ? e->at.activity : e->at.pipeline), STR_ARG(e->status),
                   e->error_code.n ? " " : "", STR_ARG(e->error_code));
}

/* ---- open and close ---- */

enum code world_start(struct world *w, struct err *err) {
    struct pipelines_config config = {
        .path = w->path,
        .workspace = STR("flights"),
        .effects = { w, call, cancel, w->deaf ? NULL : event, now, fill_random },
        .by_hand = true,
        .max_pages_for_test = w->max_pages,
        .max_ended_runs_for_test = w->max_ended,
    };
    w->last_event = 0;
    return pipelines_open(&config, &w->p, err);
}

void world_stop(struct world *w) {
    pipelines_close(w->p);
    w->p = NULL;
}

void world_open(struct world *w, struct script *scripts, size_t n) {
    struct err err = { 0 };
    unsigned max_pages = w->max_pages, max_ended = w->max_ended;
    bool deaf = w->deaf;
    memset(w, 0, sizeof *w);
    w->max_pages = max_pages;
    w->max_ended = max_ended;
    w->deaf = deaf;
    w->now_us = (int64_t)START_S * 1000000;
    w->seed = 7;
    w->scripts = scripts;
    w->n_scripts = n;
    w->arena = arena_new(512u << 20);
    (void)snprintf(w->dir, sizeof w->dir, "/tmp/linkspan-pipe-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    (void)snprintf(w->path, sizeof w->path, "%s/pipelines.sqlite", w->dir);
    if (world_start(w, &err)) fail_msg("%s", err.message);
}

void world_close(struct world *w) {
    char command[100];
    world_stop(w);
    arena_free(w->arena);
    (void)snprintf(command, sizeof command, "rm -rf %s", w->dir);
    assert_int_equal(system(command), 0);
    w->max_pages = w->max_ended = 0;
    w->deaf = false;
}

/* ---- what tests do ---- */

void world_put(struct world *w, const char *name, const char *activities, const char *more) {
    struct faults faults = { .arena = w->arena };
    struct err err = { 0 };
    struct artifact artifact;
    struct str body = arena_printf(w->arena, "{\"properties\":{\"activities\":[%s]%s%s}}", activities, more ? "," : "",
                                   more ? more : "");
    if (pipelines_put(w->p, ARTIFACT_PIPELINE, str_z(name), body, &faults, &artifact, &err)) fail_msg("%s", err.message);
}

void world_run(struct world *w, const char *name, const char *parameters, char id[PIPELINE_UUID + 1]) {
    struct faults faults = { .arena = w->arena };
    struct err err = { 0 };
    const struct run_start start = {
        .pipeline = str_z(name), .parameters = str_z(parameters), .starter = &world_person, .request = STR("req-1")
    };
    if (pipelines_create_run(w->p, &start, &faults, id, &err)) fail_msg("%s", err.message);
    (void)pipelines_turn(w->p);
}

void world_pass(struct world *w, int64_t seconds) {
    int64_t until = w->now_us + seconds * 1000000;
    for (int64_t next; (next = pipelines_turn(w->p)) <= until;)
        if (next > w->now_us) w->now_us = next;
    w->now_us = until;
    (void)pipelines_turn(w->p);
}

void world_answer(struct world *w, size_t at, unsigned status, const char *body) {
    assert_true(w->asked[at].held);
    w->asked[at].held = false;
    reply(w, w->asked[at].ticket, &(struct script){ .status = status, .body = body });
    (void)pipelines_turn(w->p);
}

struct run_info world_get(struct world *w, const char *id) {
    struct run_info info = { 0 };
    struct err err = { 0 };
    if (pipelines_get_run(w->p, str_z(id), w->arena, &info, &err)) fail_msg("%s", err.message);
    return info;
}

void world_is(struct world *w, const char *id, enum run_state state) {
    struct run_info info = world_get(w, id);
    if (info.state != state)
        fail_msg("the run is %s, should be %s: %.*s", pipeline_run_state_name(info.state), pipeline_run_state_name(state),
                 STR_ARG(info.message));
}

struct looking {
    const char *name;
    struct activity_info found;
    size_t n;
    enum run_state state;
};

static bool see(void *ctx, const struct activity_info *info) {
    struct looking *l = ctx;
    if (!str_eq_z(info->name, l->name)) return true;
    l->found = *info;
    l->n += info->state == l->state;
    return true;
}

static struct looking look(struct world *w, const char *id, const char *name, enum run_state state) {
    struct looking l = { .name = name, .state = state };
    struct run_query query = { .run = str_z(id) };
    struct err err = { 0 };
    do {
        if (pipelines_query_activities(w->p, &query, w->arena, see, &l, &query.continuation, &err))
            fail_msg("%s", err.message);
    } while (query.continuation.n);
    return l;
}

struct activity_info world_activity(struct world *w, const char *id, const char *name) {
    return look(w, id, name, RUN_QUEUED).found;
}

size_t world_count(struct world *w, const char *id, const char *name, enum run_state state) {
    return look(w, id, name, state).n;
}

void world_activity_is(struct world *w, const char *id, const char *name, enum run_state state) {
    struct activity_info info = world_activity(w, id, name);
    if (!info.id.n) fail_msg("activity %s has no row", name);
    if (info.state != state)
        fail_msg("activity %s is %s, should be %s: %.*s", name, pipeline_run_state_name(info.state),
                 pipeline_run_state_name(state), STR_ARG(info.error));
}

void world_error(struct world *w, const char *id, const char *name, const char *code) {
    char want[100];
    struct activity_info info = world_activity(w, id, name);
    (void)snprintf(want, sizeof want, "{\"errorCode\":\"%s\",", code);
    if (!str_starts(info.error, str_z(want))) fail_msg("activity %s: %.*s, should be %s", name, STR_ARG(info.error), code);
}
