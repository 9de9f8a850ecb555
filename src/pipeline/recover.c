/* recover.c: at open: the runs that were in progress, made again from their rows, and each activity gone on with as its
 * kind says (docs/pipeline_runs.md, "After a restart"). */
#include <stdlib.h>
#include <string.h>
#include "data/json.h"
#include "pipeline/pipelines_priv.h"

enum { TEXT_DEPTH = 66, ROW_ARENA_BYTES = 32 << 20, TEXT_MAX_BYTES = 16 << 20 };

/* ---- known ---- */

static enum code know_all(struct pipelines *p, struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(p->store, STR("SELECT id, pipeline, issuer, subject, ended FROM run"), &stmt, err);
    if (rc) return rc;
    for (int step; (step = sqlite3_step(stmt)) != SQLITE_DONE;) {
        if (step != SQLITE_ROW) return store_error(store_sqlite(p->store), step, err);
        struct str texts[4];
        for (int i = 0; i < 4; i++)
            texts[i] = (struct str){ (const char *)sqlite3_column_text(stmt, i), (size_t)sqlite3_column_bytes(stmt, i) };
        if (!pipeline_run_know(p, texts[0], (struct run_known){ texts[1], texts[2], texts[3] })) return err_oom(err);
        p->n_ended += sqlite3_column_int64(stmt, 4) > 0;
    }
    return OK;
}

/* ---- a run's row ---- */

static void read_id(sqlite3_stmt *stmt, int at, char out[PIPELINE_UUID + 1]) {
    const char *text = (const char *)sqlite3_column_text(stmt, at);
    (void)snprintf(out, PIPELINE_UUID + 1, "%s", text ? text : "");
}

static struct str column(sqlite3_stmt *stmt, int at) {
    const char *text = (const char *)sqlite3_column_text(stmt, at);
    return (struct str){ text ? text : "", (size_t)sqlite3_column_bytes(stmt, at) };
}

#define ACTIVE_COLUMNS                                                                                                     \
    "seq, id, pipeline, version, state, parameters, variables, starter, request, root, parent_run, parent_pipeline,"       \
    " parent_activity, depth, created, started, output_bytes, (SELECT count(*) FROM activity WHERE run=run.seq)"

static enum code read_values(struct run *run, sqlite3_stmt *stmt, struct err *err) {
    enum code rc = version_stored(run->p, column(stmt, 3), column(stmt, 2), &run->version, err);
    if (!rc) rc = json_read(column(stmt, 5), TEXT_MAX_BYTES, TEXT_DEPTH, &run->parameters, err);
    if (rc) return rc;
    if (sqlite3_column_type(stmt, 6) != SQLITE_NULL) {
        rc = json_read(column(stmt, 6), 4 * TEXT_MAX_BYTES, TEXT_DEPTH, &run->variables, err);
    } else {
        run->variables = pipeline_initial_variables(run->version->pipeline);
        rc = run->variables ? OK : err_oom(err);
    }
    size_t cost = ((size_t)sqlite3_column_bytes(stmt, 5) + (size_t)sqlite3_column_bytes(stmt, 6)) * DOCUMENT_COST;
    run->charged += cost; /* it was let in once: not refused now */
    run->p->charged += cost;
    return rc;
}

static enum code read_run(struct run *run, sqlite3_stmt *stmt, struct err *err) {
    run->seq = sqlite3_column_int64(stmt, 0);
    read_id(stmt, 1, run->id);
    run->state = (enum run_state)sqlite3_column_int(stmt, 4);
    run->request = pipeline_copy_text(column(stmt, 8));
    read_id(stmt, 9, run->root);
    read_id(stmt, 10, run->parent_run);
    run->parent_pipeline = pipeline_copy_text(column(stmt, 11));
    read_id(stmt, 12, run->parent_activity);
    run->depth = (unsigned)sqlite3_column_int(stmt, 13);
    run->created_us = sqlite3_column_int64(stmt, 14);
    run->started_us = sqlite3_column_int64(stmt, 15);
    run->output_bytes = (size_t)sqlite3_column_int64(stmt, 16);
    run->n_rows = (unsigned)sqlite3_column_int(stmt, 17);
    run->hides = true; /* perhaps */
    if (!run->request || !run->parent_pipeline) return err_oom(err);
    enum code rc = starter_read(column(stmt, 7), &run->starter, err);
    return rc ? rc : read_values(run, stmt, err);
}

static void append(struct pipelines *p, struct run *run) {
    struct run **at = &p->runs;
    while (*at) at = &(*at)->next;
    *at = run;
    p->n_runs++;
}

/* ---- its activities' rows ---- */

static struct scope *inner_at(struct pipeline_node *owner, size_t index) {
    for (struct scope *scope = owner->inner; scope; scope = scope->next)
        if (scope->index == index) return scope;
    return NULL;
}

static const struct activity_list *inner_list(const struct pipeline_node *owner, size_t index) {
    if (owner->def->kind == ACTIVITY_FOR_EACH) return &owner->def->for_each.activities;
    if (owner->def->kind != ACTIVITY_IF_CONDITION) return NULL;
    return index == 0 ? &owner->def->if_condition.if_true : &owner->def->if_condition.if_false;
}

/* Iterations begin in their order: those before it have begun too. */
static struct scope *make_inner(struct pipeline_node *owner, size_t index) {
    const struct activity_list *list = inner_list(owner, index);
    bool loop = owner->def->kind == ACTIVITY_FOR_EACH;
    if (!list || (loop && index >= json_array_size(owner->items)) || (!loop && index > 1)) return NULL;
    for (size_t i = loop ? owner->next_item : index; i <= index; i++) {
        struct scope *scope = scope_new(owner->scope->run, owner, list, i);
        if (!scope) return NULL;
        if (!loop) continue;
        scope->item = json_array_get(owner->items, i);
        owner->next_item = i + 1;
        owner->n_working++;
    }
    return inner_at(owner, index);
}

static bool cut_number(struct str *path, size_t *ret) {
    size_t n = 0;
    uint64_t value;
    while (n < path->n && path->p[n] >= '0' && path->p[n] <= '9') n++;
    if (!str_u64(str_upto(*path, n), &value)) return false;
    *path = str_from(*path, n);
    *ret = (size_t)value;
    return true;
}

/* "3:17/0". ret_gone: it stands in something that has ended, and does not matter any more. */
static struct pipeline_node *node_at(struct run *run, struct str path, bool *ret_gone) {
    struct scope *scope = run->root_scope;
    size_t index;
    while (cut_number(&path, &index) && index < scope->list->n) {
        struct pipeline_node *node = &scope->nodes[index];
        if (!path.n) return node;
        *ret_gone = node->begun && pipeline_run_state_is_end(node->now.state);
        if (*ret_gone || !str_strip_prefix(&path, STR(":")) || !cut_number(&path, &index)) return NULL;
        scope = inner_at(node, index);
        if (!scope) scope = make_inner(node, index);
        if (!scope || !str_strip_prefix(&path, STR("/"))) return NULL;
    }
    return NULL;
}

static enum code read_error(struct pipeline_node *node, struct str text, struct err *err) {
    json_t *json = NULL;
    struct str message;
    if (!text.n) return OK;
    enum code rc = json_read(text, TEXT_MAX_BYTES, 0, &json, err);
    if (rc) return rc;
    if (json_member_str(json, "message", &message)) {
        free(node->message);
        node->message = pipeline_copy_text(message);
    }
    json_decref(json);
    return OK;
}

static enum code read_plan(struct pipeline_node *node, struct str plan, struct err *err) {
    json_t *json = NULL;
    if (!plan.n) return OK;
    enum code rc = json_read(plan, TEXT_MAX_BYTES, TEXT_DEPTH + 2, &json, err);
    if (rc) return rc;
    node->plan = json;
    if (node->def->kind == ACTIVITY_FOR_EACH) node->items = json_incref(json_object_get(json, "items"));
    return OK;
}

static enum code read_attempt(struct pipeline_node *node, sqlite3_stmt *stmt, struct err *err) {
    struct attempt *a = &node->now;
    if (node->begun && (unsigned)sqlite3_column_int(stmt, 1) < a->number) return OK;
    bool had_ended = node->begun && pipeline_run_state_is_end(a->state);
    a->number = (unsigned)sqlite3_column_int(stmt, 1);
    read_id(stmt, 2, a->id);
    a->state = (enum run_state)sqlite3_column_int(stmt, 3);
    a->wait = (enum run_wait)sqlite3_column_int(stmt, 4);
    a->wake_us = sqlite3_column_int64(stmt, 5);
    a->deadline_us = sqlite3_column_int64(stmt, 6);
    a->started_us = sqlite3_column_int64(stmt, 7);
    a->ended_us = sqlite3_column_int64(stmt, 8);
    a->saved = true;
    node->begun = true;
    bool ended = pipeline_run_state_is_end(a->state);
    if (ended && !had_ended) node->scope->n_left--;
    if (!ended && had_ended) node->scope->n_left++;
    enum code rc = read_error(node, column(stmt, 10), err);
    json_decref(node->plan);
    node->plan = NULL;
    return rc || ended ? rc : read_plan(node, column(stmt, 9), err);
}

static enum code read_nodes(struct run *run, struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(run->p->store,
                                 STR("SELECT path, attempt, id, state, wait, wake, deadline, started, ended, plan, error"
                                     " FROM activity WHERE run=? ORDER BY seq"),
                                 &stmt, err);
    if (rc) return rc;
    (void)sqlite3_bind_int64(stmt, 1, run->seq);
    for (int step; (step = sqlite3_step(stmt)) != SQLITE_DONE;) {
        bool gone = false;
        if (step != SQLITE_ROW) return store_error(store_sqlite(run->p->store), step, err);
        struct pipeline_node *node = node_at(run, column(stmt, 0), &gone);
        if (gone) continue;
        if (!node) return err_set(err, DATA_LOSS, "an activity's row has no place in its pipeline");
        rc = read_attempt(node, stmt, err);
        if (rc) return rc;
    }
    return OK;
}

static enum code read_tree(struct run *run, struct err *err) {
    if (run->state == RUN_QUEUED) return OK;
    run->root_scope = scope_new(run, NULL, &run->version->pipeline->activities, 0);
    return run->root_scope ? read_nodes(run, err) : err_oom(err);
}

/* ---- all active runs ---- */

/* One of the statements that end what cannot be resumed: ?1 is the run, ?2 the time, ?3 why. */
static enum code give_up_by(struct pipelines *p, struct str sql, const struct run *run, const char *why, struct err *err) {
    sqlite3_stmt *stmt;
    enum code rc = store_prepare(p->store, sql, &stmt, err);
    if (rc) return rc;
    (void)sqlite3_bind_int64(stmt, 1, run->seq);
    (void)sqlite3_bind_int64(stmt, 2, p->effects.now_us(p->effects.ctx));
    pipeline_rows_bind(stmt, 3, str_z(why));
    return store_run(stmt, err);
}

/* A run that cannot be made again must not keep the others from going on. It ends as any other does: nothing of it is in
 * progress, hidden or kept for later, and its end is told. */
static enum code give_up(struct pipelines *p, struct run *run, const char *why, struct err *err) {
    static const struct str statements[] = {
        STR_INIT("UPDATE run SET state=3, message='it could not be resumed: ' || ?3, ended=?2, updated=?2, version=''"
                 " WHERE seq=?1"),
        STR_INIT("UPDATE activity SET state=3, wait=0, wake=0, deadline=0, ended=?2, updated=?2, plan=NULL"
                 " WHERE run=?1 AND ended=0 AND ?3=?3"),
        STR_INIT("UPDATE activity SET output=NULL WHERE run=?1 AND hidden&2 AND ?2=?2 AND ?3=?3"),
        STR_INIT("DELETE FROM version WHERE etag NOT IN (SELECT version FROM run) AND ?1=?1 AND ?2=?2 AND ?3=?3"),
    };
    _Static_assert(RUN_FAILED == 3, "as the statements have it");
    enum code rc = pipeline_rows_begin(p, err);
    if (rc) return rc;
    for (size_t i = 0; i < COUNT(statements) && !rc; i++) rc = give_up_by(p, statements[i], run, why, err);
    if (!rc) rc = pipeline_rows_add_event(p, RUN_ENDED, p->effects.now_us(p->effects.ctx), run, "", err);
    return pipeline_rows_end(p, rc, err);
}

static enum code load_run(struct pipelines *p, sqlite3_stmt *stmt, struct err *err) {
    struct err why = { 0 };
    struct run *run = arena_should_fail() ? NULL : calloc(1, sizeof *run);
    if (!run) return err_oom(err);
    run->p = p;
    enum code rc = read_run(run, stmt, &why);
    if (!rc) rc = read_tree(run, &why);
    if (!rc) {
        append(p, run);
        return OK;
    }
    if (rc == RESOURCE_EXHAUSTED || rc == INTERNAL) {
        (void)err_set(err, rc, "%s", why.message);
    } else {
        p->n_ended++;
        rc = give_up(p, run, why.message, err);
    }
    pipeline_run_destroy(run);
    return rc;
}

static enum code load_runs(struct pipelines *p, struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(p->store, STR("SELECT " ACTIVE_COLUMNS " FROM run WHERE ended=0 ORDER BY seq"), &stmt,
                                 err);
    if (rc) return rc;
    for (int step; (step = sqlite3_step(stmt)) != SQLITE_DONE;) {
        if (step != SQLITE_ROW) return store_error(store_sqlite(p->store), step, err);
        rc = load_run(p, stmt, err);
        if (rc) return rc;
    }
    return OK;
}

/* ---- joined, and gone on with ---- */

static bool is_at_work(const struct pipeline_node *node) {
    return node->begun && !pipeline_run_state_is_end(node->now.state);
}

static struct pipeline_node *find_by_id(struct scope *scope, const char *id) {
    for (size_t i = 0; scope && i < scope->list->n; i++) {
        struct pipeline_node *node = &scope->nodes[i], *found = NULL;
        if (is_at_work(node) && strcmp(node->now.id, id) == 0) return node;
        for (struct scope *inner = node->inner; inner && !found; inner = inner->next) found = find_by_id(inner, id);
        if (found) return found;
    }
    return NULL;
}

static void join_children(struct pipelines *p) {
    for (struct run *run = p->runs; run; run = run->next) {
        struct run *above = run->parent_run[0] ? pipeline_run_find(p, str_z(run->parent_run)) : NULL;
        struct pipeline_node *node = above ? find_by_id(above->root_scope, run->parent_activity) : NULL;
        if (!node || node->now.wait != WAIT_RUN) continue;
        node->child = run;
        run->parent = node;
    }
}

static void resume_node(struct pipeline_node *node) {
    json_t *plan = TAKE(node->plan);
    timers_set(node->scope->run->p, node);
    if (node->now.state == RUN_IN_PROGRESS)
        pipeline_node_activity_kind(node)->resume(node, plan); /* else it waits to be tried again */
    json_decref(plan);
}

static void resume_scope(struct scope *scope) {
    for (size_t i = 0; i < scope->list->n; i++) {
        struct pipeline_node *node = &scope->nodes[i];
        if (!is_at_work(node)) continue;
        for (struct scope *inner = node->inner; inner; inner = inner->next) resume_scope(inner);
        resume_node(node);
    }
    scope_stir(scope);
}

static void resume_runs(struct pipelines *p) {
    for (struct run *run = p->runs; run; run = run->next) run->to_cancel = run->state == RUN_CANCELING;
    for (struct run *run = p->runs; run; run = run->next)
        if (run->root_scope && run->state == RUN_IN_PROGRESS) resume_scope(run->root_scope);
    pipeline_run_cancel_chosen(p);
}

enum code pipeline_recover(struct pipelines *p, struct err *err) {
    enum code rc = know_all(p, err);
    if (!rc) rc = load_runs(p, err);
    if (rc) return rc;
    join_children(p);
    resume_runs(p);
    pipeline_run_start_queued(p, NULL);
    return OK;
}
