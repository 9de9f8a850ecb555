/* settle.c: one transaction for all that changed; then, and only then, what it means for the world. */
#include <stdio.h>
#include <stdlib.h>
#include "data/json.h"
#include "pipeline/pipelines_priv.h"

enum { RETRY_US = 1000000, TELL_ARENA_BYTES = 1 << 20, PRUNE_AT_ONCE = 10 };

/* ---- write ---- */

static enum code write_new_runs(struct pipelines *p, struct err *err) {
    enum code rc = OK;
    for (struct run *run = p->dirty_runs; run && !rc; run = run->next_dirty) {
        if (run->is_new) rc = pipeline_rows_insert_run(p, run, err);
        if (!rc && run->tell_started) rc = pipeline_rows_add_event(p, RUN_STARTED, run->started_us, run, "", err);
    }
    return rc;
}

static enum code write_attempt(struct pipelines *p, struct pipeline_node *node, struct attempt *a, struct err *err) {
    struct run *run = node->scope->run;
    enum code rc = pipeline_rows_save_attempt(p, node, a, err);
    if (!rc && a->tell_started) rc = pipeline_rows_add_event(p, ACTIVITY_STARTED, a->started_us, run, a->id, err);
    if (!rc && a->tell_ended) rc = pipeline_rows_add_event(p, ACTIVITY_ENDED, a->ended_us, run, a->id, err);
    return rc;
}

static enum code write_nodes(struct pipelines *p, struct err *err) {
    enum code rc = OK;
    for (struct pipeline_node *node = p->dirty_nodes; node && !rc; node = node->next_dirty) {
        for (struct past *past = node->past; past && !rc; past = past->next)
            rc = write_attempt(p, node, &past->attempt, err);
        if (!rc) rc = write_attempt(p, node, &node->now, err);
    }
    return rc;
}

static enum code write_runs(struct pipelines *p, struct err *err) {
    enum code rc = OK;
    for (struct run *run = p->dirty_runs; run && !rc; run = run->next_dirty) {
        rc = pipeline_rows_save_run(p, run, err);
        if (!rc && run->tell_ended) rc = pipeline_rows_add_event(p, RUN_ENDED, run->ended_us, run, "", err);
    }
    return rc;
}

static enum code forget_told(struct pipelines *p, struct err *err) {
    sqlite3_stmt *stmt;
    if (!p->told) return OK;
    enum code rc = store_prepare(p->store, STR("DELETE FROM event WHERE seq<=?"), &stmt, err);
    if (rc) return rc;
    (void)sqlite3_bind_int64(stmt, 1, p->told);
    return store_run(stmt, err);
}

static enum code write_all(struct pipelines *p, struct err *err) {
    enum code rc = pipeline_rows_begin(p, err);
    if (rc) return rc;
    rc = forget_told(p, err);
    if (!rc) rc = write_new_runs(p, err);
    if (!rc) rc = write_nodes(p, err);
    if (!rc) rc = write_runs(p, err);
    return pipeline_rows_end(p, rc, err);
}

/* ---- what is written is no longer dirty ---- */

static void was_saved(struct attempt *a) {
    attempt_free_texts(a);
    a->saved = true;
    a->tell_started = a->tell_ended = false;
}

static void clean_nodes(struct pipelines *p) {
    for (struct pipeline_node *node = p->dirty_nodes, *next; node; node = next) {
        next = node->next_dirty;
        for (struct past *past = node->past, *older; past; past = older) {
            older = past->next;
            was_saved(&past->attempt);
            free(past);
        }
        node->past = NULL;
        was_saved(&node->now);
        node->dirty = false;
    }
    p->dirty_nodes = NULL;
    p->last_dirty_node = &p->dirty_nodes;
}

static void clean_runs(struct pipelines *p) {
    for (struct run *run = p->dirty_runs; run; run = run->next_dirty) {
        if (run->tell_ended) p->n_ended++;
        run->dirty = run->is_new = run->variables_changed = run->tell_started = run->tell_ended = false;
    }
    p->dirty_runs = NULL;
    p->last_dirty_run = &p->dirty_runs;
}

static void empty_trash(struct pipelines *p) {
    for (struct scope *scope = p->trash_scopes, *next; scope; scope = next) {
        next = scope->next;
        scope_free(scope);
    }
    p->trash_scopes = NULL;
    for (struct run *run = p->trash_runs, *next; run; run = next) {
        next = run->next;
        pipeline_run_destroy(run);
    }
    p->trash_runs = NULL;
}

enum code pipeline_settle(struct pipelines *p, struct err *err) {
    if (p->dirty_runs || p->dirty_nodes) {
        enum code rc = write_all(p, err);
        p->stuck = rc != OK;
        if (rc) {
            p->retry_us = p->effects.now_us(p->effects.ctx) + RETRY_US;
            return rc;
        }
        p->told = 0;
        clean_nodes(p);
        clean_runs(p);
    }
    pipeline_settle_tell(p);
    exchange_send_all(p);
    empty_trash(p);
    return OK;
}

/* ---- happenings ---- */

/* A member of an activity's error; empty when it has none. p == NULL: no memory. */
static struct str error_member(struct str error, const char *key, struct arena *arena) {
    json_t *json = NULL;
    struct err err;
    struct str text = STR("");
    if (!error.n) return text;
    enum code rc = json_read(error, PIPELINES_MAX_OUTPUT_BYTES, 0, &json, &err);
    if (rc) return rc == RESOURCE_EXHAUSTED ? (struct str){ 0 } : text; /* no text may hold up all that comes after it */
    if (json_member_str(json, key, &text)) text = str_dup(arena, text);
    json_decref(json);
    return text.p ? text : (struct str){ 0 };
}

/* False: short of memory; nothing was told. */
static bool tell_one(struct pipelines *p, sqlite3_stmt *stmt, struct arena *arena, const struct starter *starter) {
    enum pipeline_happening what = (enum pipeline_happening)sqlite3_column_int(stmt, 2);
    bool began = what == RUN_STARTED || what == ACTIVITY_STARTED, of_run = what == RUN_STARTED || what == RUN_ENDED;
    struct str error = began || of_run ? (struct str){ 0 } : pipeline_rows_text(stmt, 13, arena);
    const struct pipeline_event event = {
        .seq = sqlite3_column_int64(stmt, 0),
        .at_us = sqlite3_column_int64(stmt, 1),
        .what = what,
        .at = { .pipeline = pipeline_rows_text(stmt, 4, arena),
                .run = pipeline_rows_text(stmt, 3, arena),
                .activity_run = of_run ? (struct str){ 0 } : pipeline_rows_text(stmt, 9, arena),
                .activity = of_run ? (struct str){ 0 } : pipeline_rows_text(stmt, 10, arena),
                .type = of_run ? (struct str){ 0 } : pipeline_rows_text(stmt, 11, arena),
                .root_run = pipeline_rows_text(stmt, 5, arena),
                .request = pipeline_rows_text(stmt, 6, arena),
                .starter = starter ? &starter->principal : NULL },
        .status = str_z(
            pipeline_run_state_name(began ? RUN_IN_PROGRESS : (enum run_state)sqlite3_column_int(stmt, of_run ? 8 : 12))),
        .error_code = error_member(error, "errorCode", arena),
        .message = began    ? (struct str){ 0 }
                   : of_run ? pipeline_rows_text(stmt, 14, arena)
                            : error_member(error, "message", arena),
    };
    const struct pipeline_place *at = &event.at;
    if (!at->pipeline.p || !at->run.p || !at->root_run.p || !at->request.p || (!began && !event.message.p)) return false;
    if (!of_run && (!at->activity_run.p || !at->activity.p || !at->type.p)) return false;
    p->effects.event(p->effects.ctx, &event);
    return true;
}

void pipeline_settle_tell(struct pipelines *p) {
    if (!p->effects.event || !p->untold) return;
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    struct err err = { 0 };
    if (store_prepare(
            p->store,
            STR("SELECT e.seq, e.at, e.what, r.id, r.pipeline, r.root, r.request, r.starter, r.state, a.id, a.name,"
                " a.type, a.state, a.error, r.message FROM event e JOIN run r ON r.id=e.run"
                " LEFT JOIN activity a ON a.id=e.activity WHERE e.seq>? ORDER BY e.seq"),
            &stmt, &err))
        return;
    (void)sqlite3_bind_int64(stmt, 1, p->told);
    int step;
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
        DEFER(arena_freep) struct arena *arena = arena_new(TELL_ARENA_BYTES);
        struct starter *starter = NULL;
        struct str text = arena ? pipeline_rows_text(stmt, 7, arena) : (struct str){ 0 };
        if (!text.p) return; /* short of memory: at the next settle */
        enum code rc = starter_read(text, &starter, &err);
        if (rc == RESOURCE_EXHAUSTED) return; /* one that cannot be read must not hold up all that comes after it */
        bool told = tell_one(p, stmt, arena, starter);
        starter_free(starter);
        if (!told) return;
        p->told = sqlite3_column_int64(stmt, 0);
    }
    p->untold = step != SQLITE_DONE;
}

/* ---- prune ---- */

static enum code oldest_ended(struct pipelines *p, int64_t *ret_seq, char ret_id[PIPELINE_UUID + 1], struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(p->store, STR("SELECT seq, id FROM run WHERE ended>0 ORDER BY ended, seq LIMIT 1"), &stmt,
                                 err);
    if (!rc) rc = pipeline_rows_step(p, stmt, "run", STR(""), err);
    if (rc) return rc;
    const char *id = (const char *)sqlite3_column_text(stmt, 1);
    *ret_seq = sqlite3_column_int64(stmt, 0);
    (void)snprintf(ret_id, PIPELINE_UUID + 1, "%s", id ? id : "");
    return OK;
}

static enum code delete_by_seq(struct pipelines *p, struct str sql, int64_t seq, struct err *err) {
    sqlite3_stmt *stmt;
    enum code rc = store_prepare(p->store, sql, &stmt, err);
    if (rc) return rc;
    (void)sqlite3_bind_int64(stmt, 1, seq);
    return store_run(stmt, err);
}

static enum code prune_one(struct pipelines *p, struct err *err) {
    int64_t seq = 0;
    char id[PIPELINE_UUID + 1];
    enum code rc = oldest_ended(p, &seq, id, err);
    if (!rc) rc = pipeline_rows_begin(p, err);
    if (rc) return rc;
    rc = delete_by_seq(p, STR("DELETE FROM activity WHERE run=?"), seq, err);
    if (!rc) rc = delete_by_seq(p, STR("DELETE FROM run WHERE seq=?"), seq, err);
    rc = pipeline_rows_end(p, rc, err);
    if (rc) return rc;
    p->n_ended--;
    pipeline_run_unknow(p, id);
    return OK;
}

/* Best effort: what is not pruned now is so in a later turn. */
void pipeline_settle_prune(struct pipelines *p) {
    struct err err;
    for (int i = 0; i < PRUNE_AT_ONCE && !p->stuck && !p->untold && p->n_ended > p->max_ended; i++)
        if (prune_one(p, &err)) return;
}
