/* runs.c: what the API asks of runs: create, get, cancel; and what loops may know of them. */
#include <stdlib.h>
#include <string.h>
#include "data/json.h"
#include "pipeline/pipelines_priv.h"
#include "pipeline/query.h"

enum { PARAMETERS_DEPTH = 32 };

/* ---- create ---- */

static enum code make_starter(const struct principal *principal, struct starter **ret, struct err *err) {
    DEFER(buf_free) struct buf text = BUF_INIT(PIPELINES_MAX_STARTER_BYTES);
    if (principal->n_chain == PRINCIPAL_MAX_CHAIN) /* the workspace acts for whoever starts a run: one more */
        return err_set(err, INVALID_ARGUMENT, "who acts for %d others already cannot start a run", PRINCIPAL_MAX_CHAIN);
    enum code rc = starter_write(principal, &text, err);
    return rc ? rc : starter_read(buf_str(&text), ret, err);
}

static enum code read_parameters(struct str text, json_t **ret, struct err *err) {
    if (!str_trim(text).n) return OK;
    enum code rc = json_read(text, PIPELINES_MAX_PARAMETER_BYTES, PARAMETERS_DEPTH, ret, err);
    if (rc) return err_wrap(err, "parameters");
    return json_is_object(*ret) ? OK : err_set(err, INVALID_ARGUMENT, "parameters are no JSON object");
}

/* The row first: what follows from it may then happen. */
static enum code store_new(struct pipelines *p, struct run *run, struct err *err) {
    enum code rc = pipeline_rows_begin(p, err);
    if (rc) return rc;
    rc = pipeline_rows_insert_run(p, run, err);
    return pipeline_rows_end(p, rc, err);
}

static enum code create(struct pipelines *p, const struct run_start *start, const struct starter *starter,
                        const json_t *parameters, struct faults *faults, struct run **ret, struct err *err) {
    const struct run_seed seed = {
        .pipeline = start->pipeline,
        .id = start->id,
        .parameters = parameters,
        .starter = starter,
        .request = start->request,
    };
    const struct actor *who = &starter->principal.actor;
    struct run *run = NULL;
    enum code rc = pipeline_run_make(p, &seed, faults, &run, err);
    if (rc) return rc;
    if (!pipeline_run_know(p, str_z(run->id), (struct run_known){ start->pipeline, who->issuer, who->subject }))
        rc = err_oom(err);
    if (!rc) rc = store_new(p, run, err);
    if (rc) {
        pipeline_run_unknow(p, run->id);
        pipeline_run_destroy(run);
        return rc;
    }
    run->is_new = false;
    *ret = run;
    return OK;
}

static enum code check_id(struct pipelines *p, struct str id, struct err *err) {
    if (!id.n) return OK;
    if (id.n != PIPELINE_UUID) return err_set(err, INVALID_ARGUMENT, "a run's id must be a UUID");
    (void)pthread_mutex_lock(&p->known_lock);
    bool taken = map_get(p->known, id) != NULL;
    (void)pthread_mutex_unlock(&p->known_lock);
    return taken ? err_set(err, ALREADY_EXISTS, "there is a pipeline run %.*s already", STR_ARG(id)) : OK;
}

enum code pipelines_create_run(struct pipelines *p, const struct run_start *start, struct faults *faults,
                               char ret_id[PIPELINE_UUID + 1], struct err *err) {
    DEFER(json_freep) json_t *parameters = NULL;
    struct starter *starter = NULL;
    struct run *run = NULL;
    enum code rc = pipeline_settle(p, err);
    if (!rc) rc = check_id(p, start->id, err);
    if (!rc) rc = read_parameters(start->parameters, &parameters, err);
    if (!rc) rc = make_starter(start->starter, &starter, err);
    if (rc) return rc;
    rc = create(p, start, starter, parameters, faults, &run, err);
    starter_free(starter);
    if (rc) return rc;
    memcpy(ret_id, run->id, sizeof run->id);
    pipeline_run_enter(run); /* the desk goes on with it in this turn */
    return OK;
}

/* ---- get ---- */

enum code pipelines_get_run(struct pipelines *p, struct str id, struct arena *arena, struct run_info *ret,
                            struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(p->store, STR("SELECT " RUN_COLUMNS " FROM run WHERE id=?"), &stmt, err);
    if (rc) return rc;
    pipeline_rows_bind(stmt, 1, id);
    rc = pipeline_rows_step(p, stmt, "pipeline run", id, err);
    return rc ? rc : query_read_run(stmt, arena, ret, err);
}

/* ---- cancel ---- */

static bool is_child_of(const struct pipelines *p, const struct run *run, const struct run *above) {
    while (run->parent_run[0]) {
        if (strcmp(run->parent_run, above->id) == 0) return true;
        const struct run *up = NULL;
        for (up = p->runs; up && strcmp(up->id, run->parent_run) != 0;) up = up->next;
        if (!up) return false;
        run = up;
    }
    return false;
}

static bool is_chosen(const struct pipelines *p, const struct run *run, const struct run *asked, bool recursive) {
    if (run->state == RUN_CANCELING) return false;
    return run == asked || (recursive && is_child_of(p, run, asked));
}

static enum code store_canceling(struct pipelines *p, const struct run *run, struct err *err) {
    sqlite3_stmt *stmt;
    enum code rc = store_prepare(p->store, STR("UPDATE run SET state=?, updated=? WHERE seq=?"), &stmt, err);
    if (rc) return rc;
    (void)sqlite3_bind_int(stmt, 1, RUN_CANCELING);
    (void)sqlite3_bind_int64(stmt, 2, p->effects.now_us(p->effects.ctx));
    (void)sqlite3_bind_int64(stmt, 3, run->seq);
    return store_run(stmt, err);
}

static enum code store_all_canceling(struct pipelines *p, struct run *asked, bool recursive, struct err *err) {
    enum code rc = pipeline_rows_begin(p, err);
    if (rc) return rc;
    for (struct run *run = p->runs; run && !rc; run = run->next)
        if (is_chosen(p, run, asked, recursive)) rc = store_canceling(p, run, err);
    return pipeline_rows_end(p, rc, err);
}

enum code pipelines_cancel_run(struct pipelines *p, struct str id, bool recursive, struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(4 << 20);
    struct run_info info;
    if (!arena) return err_oom(err);
    scope_work(p); /* what a function before this one began must have a row */
    enum code rc = pipeline_settle(p, err);
    if (!rc) rc = pipelines_get_run(p, id, arena, &info, err);
    struct run *asked = rc ? NULL : pipeline_run_find(p, id);
    if (rc) return rc;
    if (!asked) return err_set(err, FAILED_PRECONDITION, "the run has ended: %s", pipeline_run_state_name(info.state));
    rc = store_all_canceling(p, asked, recursive, err);
    if (rc) return rc;
    /* marked first: what ends meanwhile must not begin anything */
    for (struct run *run = p->runs; run; run = run->next)
        if (is_chosen(p, run, asked, recursive) && run != asked) run->to_cancel = true;
    asked->to_cancel = asked->state != RUN_CANCELING;
    pipeline_run_cancel_chosen(p);
    return OK;
}

/* ---- known ---- */

struct known {
    struct run_known of;
    char text[];
};

static struct str place(char **at, struct str text) {
    struct str copy = { *at, text.n };
    if (text.n) memcpy(*at, text.p, text.n);
    *at += text.n;
    return copy;
}

bool pipeline_run_know(struct pipelines *p, struct str id, struct run_known known) {
    struct known *k = arena_should_fail() ? NULL
                                          : malloc(sizeof *k + known.pipeline.n + known.issuer.n + known.subject.n + 1);
    if (!k) return false;
    char *at = k->text;
    k->of.pipeline = place(&at, known.pipeline);
    k->of.issuer = place(&at, known.issuer);
    k->of.subject = place(&at, known.subject);
    void *old = NULL;
    (void)pthread_mutex_lock(&p->known_lock);
    bool ok = map_put(p->known, id, k, &old);
    (void)pthread_mutex_unlock(&p->known_lock);
    free(ok ? old : k);
    return ok;
}

void pipeline_run_unknow(struct pipelines *p, const char *id) {
    (void)pthread_mutex_lock(&p->known_lock);
    free(map_remove(p->known, str_z(id)));
    (void)pthread_mutex_unlock(&p->known_lock);
}

bool pipelines_run_known(struct pipelines *p, struct str id, struct arena *arena, struct run_known *ret) {
    (void)pthread_mutex_lock(&p->known_lock); /* once unlocked, the desk may free it */
    const struct known *k = map_get(p->known, id);
    *ret = (struct run_known){ 0 };
    if (k)
        *ret = (struct run_known){ str_dup(arena, k->of.pipeline), str_dup(arena, k->of.issuer),
                                   str_dup(arena, k->of.subject) };
    (void)pthread_mutex_unlock(&p->known_lock);
    return ret->pipeline.p && ret->issuer.p && ret->subject.p;
}
