/* run.c: runs as a whole: made, begun when they may, cancelled, ended. */
#include "pipeline/pipelines_priv.h"
#include <stdlib.h>
#include <string.h>

static size_t json_cost(const json_t *json) {
    return json ? json_dumpb(json, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) * DOCUMENT_COST : 0;
}

bool pipeline_run_charge(struct run *run, size_t bytes) {
    if (run->p->charged + bytes > PIPELINES_MAX_ACTIVE_BYTES) return false;
    run->p->charged += bytes;
    run->charged += bytes;
    return true;
}

const char *pipeline_run_pipeline(const struct run *run) {
    return run->version->name;
}

void pipeline_run_touch(struct run *run) {
    struct pipelines *p = run->p;
    run->updated_us = p->effects.now_us(p->effects.ctx);
    if (run->dirty) return;
    run->dirty = true;
    run->next_dirty = NULL;
    *p->last_dirty_run = run;
    p->last_dirty_run = &run->next_dirty;
}

struct run *pipeline_run_find(struct pipelines *p, struct str id) {
    for (struct run *run = p->runs; run; run = run->next)
        if (str_eq_z(id, run->id)) return run;
    return NULL;
}

struct pipeline_place pipeline_run_place(const struct run *run, const struct pipeline_node *node) {
    return (struct pipeline_place){ .pipeline = str_z(pipeline_run_pipeline(run)),
                                    .run = str_z(run->id),
                                    .activity_run = node ? str_z(node->now.id) : (struct str){ 0 },
                                    .activity = node ? node->def->name : (struct str){ 0 },
                                    .type = node ? str_z(activity_type(node->def->kind)) : (struct str){ 0 },
                                    .root_run = str_z(run->root),
                                    .request = str_z(run->request),
                                    .starter = &run->starter->principal };
}

/* ---- made ---- */

static void link_to_parent(struct run *run, const struct run_seed *seed) {
    struct run *above = seed->parent ? seed->parent->scope->run : NULL;
    memcpy(run->root, above ? above->root : run->id, sizeof run->root);
    if (!above) return;
    run->depth = above->depth + 1;
    memcpy(run->parent_run, above->id, sizeof run->parent_run);
    memcpy(run->parent_activity, seed->parent->now.id, sizeof run->parent_activity);
    run->parent = seed->waits ? seed->parent : NULL;
}

static enum code fill(struct run *run, const struct run_seed *seed, struct faults *faults, struct err *err) {
    struct pipelines *p = run->p;
    if (seed->id.n) memcpy(run->id, seed->id.p, PIPELINE_UUID);
    else pipeline_make_uuid(p, run->id);
    link_to_parent(run, seed);
    run->created_us = p->effects.now_us(p->effects.ctx);
    run->is_new = run->variables_changed = true;
    run->request = pipeline_copy_text(seed->request);
    run->parent_pipeline = pipeline_copy_text(str_z(seed->parent ? pipeline_run_pipeline(seed->parent->scope->run) : ""));
    run->starter = starter_copy(seed->starter);
    if (!run->request || !run->parent_pipeline || !run->starter) return err_oom(err);
    enum code rc = version_current(p, seed->pipeline, &run->version, err);
    if (rc) return rc;
    rc = pipeline_bind_parameters(run->version->pipeline, seed->parameters, faults, &run->parameters, err);
    if (rc) return rc;
    run->variables = pipeline_initial_variables(run->version->pipeline);
    if (!run->variables) return err_oom(err);
    size_t cost = json_cost(run->parameters) + json_cost(run->variables);
    if (pipeline_run_charge(run, cost)) return OK;
    return err_set(err, RESOURCE_EXHAUSTED, "the runs in progress hold too much: try again when some have ended");
}

static enum code may_add(struct pipelines *p, const struct run *run, struct err *err) {
    unsigned queued = 0;
    for (const struct run *r = p->runs; r; r = r->next)
        queued += r->state == RUN_QUEUED && strcmp(pipeline_run_pipeline(r), pipeline_run_pipeline(run)) == 0;
    if (queued < PIPELINES_MAX_QUEUED) return OK;
    return err_set(err, RESOURCE_EXHAUSTED, "%u runs of this pipeline wait for one to end: its concurrency is %u", queued,
                   run->version->pipeline->concurrency);
}

enum code pipeline_run_make(struct pipelines *p, const struct run_seed *seed, struct faults *faults, struct run **ret,
                            struct err *err) {
    if (p->n_runs >= PIPELINES_MAX_ACTIVE_RUNS)
        return err_set(err, RESOURCE_EXHAUSTED, "%d runs are in progress: try again when one has ended",
                       PIPELINES_MAX_ACTIVE_RUNS);
    struct run *run = arena_should_fail() ? NULL : calloc(1, sizeof *run);
    if (!run) return err_oom(err);
    run->p = p;
    enum code rc = fill(run, seed, faults, err);
    if (!rc) rc = may_add(p, run, err);
    if (rc) pipeline_run_destroy(run);
    else *ret = run;
    return rc;
}

void pipeline_run_destroy(struct run *run) {
    if (!run) return;
    struct pipelines *p = run->p;
    scope_free(run->root_scope);
    exchange_forget_run(run);
    p->charged -= run->charged;
    (void)version_unref(p, run->version);
    starter_free(run->starter);
    json_decref(run->parameters);
    json_decref(run->variables);
    free(run->parent_pipeline);
    free(run->request);
    free(run->message);
    free(run);
}

/* ---- begun ---- */

/* By its pipeline's concurrency. */
static bool has_place(const struct run *run) {
    unsigned limit = run->version->pipeline->concurrency, n = 0;
    if (!limit) return true;
    for (const struct run *r = run->p->runs; r; r = r->next)
        n += r != run && r->state != RUN_QUEUED && !pipeline_run_state_is_end(r->state) &&
             strcmp(pipeline_run_pipeline(r), pipeline_run_pipeline(run)) == 0;
    return n < limit;
}

static void start(struct run *run) {
    struct pipelines *p = run->p;
    run->state = RUN_IN_PROGRESS;
    run->started_us = p->effects.now_us(p->effects.ctx);
    run->tell_started = true;
    pipeline_run_touch(run);
    run->root_scope = scope_new(run, NULL, &run->version->pipeline->activities, 0);
    if (run->root_scope) scope_stir(run->root_scope);
    else pipeline_run_finish(run, RUN_FAILED, "out of memory");
}

void pipeline_run_enter(struct run *run) {
    struct pipelines *p = run->p;
    struct run **at = &p->runs;
    while (*at) at = &(*at)->next;
    *at = run;
    run->next = NULL;
    p->n_runs++;
    pipeline_run_touch(run);
    if (has_place(run)) start(run);
}

/* None of its pipeline waits longer: each may be of a version with another `concurrency`. */
static bool is_first_in_queue(const struct run *run) {
    const struct run *r = run->p->runs;
    while (r->state != RUN_QUEUED || strcmp(pipeline_run_pipeline(r), pipeline_run_pipeline(run)) != 0) r = r->next;
    return r == run;
}

static struct run *next_queued(struct pipelines *p, const char *pipeline) {
    for (struct run *run = p->runs; run; run = run->next) {
        if (run->state != RUN_QUEUED || (pipeline && strcmp(pipeline_run_pipeline(run), pipeline) != 0)) continue;
        if (is_first_in_queue(run) && has_place(run)) return run;
    }
    return NULL;
}

void pipeline_run_start_queued(struct pipelines *p, const char *pipeline) {
    for (struct run *run; (run = next_queued(p, pipeline));) start(run);
}

/* ---- ended ---- */

static void leave(struct run *run) {
    struct pipelines *p = run->p;
    struct run **at = &p->runs;
    while (*at && *at != run) at = &(*at)->next;
    if (!*at) return;
    *at = run->next;
    p->n_runs--;
    run->next = p->trash_runs;
    p->trash_runs = run;
}

void pipeline_run_finish(struct run *run, enum run_state state, const char *message) {
    struct pipeline_node *parent = run->parent;
    struct pipelines *p = run->p;
    run->state = state;
    run->ended_us = p->effects.now_us(p->effects.ctx);
    if (!run->started_us) run->started_us = run->ended_us; /* cancelled in the queue */
    if (message && !run->message) run->message = pipeline_copy_text(str_upto(str_z(message), MAX_MESSAGE_BYTES));
    run->tell_ended = true;
    pipeline_run_touch(run);
    leave(run);
    if (parent) {
        run->parent = NULL;
        execute_child_done(parent, run);
    }
    pipeline_run_start_queued(p, pipeline_run_pipeline(run));
}

/* What it asked is called off at once; it is Cancelled when the last of these has been answered. */
static void cancel(struct run *run) {
    run->to_cancel = false;
    pipeline_run_touch(run);
    if (run->root_scope) scope_cancel(run->root_scope);
    pipeline_run_end_if_cancelled(run);
}

void pipeline_run_end_if_cancelled(struct run *run) {
    if (run->state == RUN_CANCELING && !run->n_flying) pipeline_run_finish(run, RUN_CANCELLED, "cancelled on request");
}

static struct run *next_to_cancel(struct pipelines *p) {
    for (struct run *run = p->runs; run; run = run->next)
        if (run->to_cancel) return run;
    return NULL;
}

void pipeline_run_cancel_chosen(struct pipelines *p) {
    for (struct run *run = p->runs; run; run = run->next) /* first: the end of one must not begin another */
        if (run->to_cancel) run->state = RUN_CANCELING;
    for (struct run *run; (run = next_to_cancel(p));) cancel(run);
}
