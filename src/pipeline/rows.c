/* rows.c: the state as SQL. Transactions are the callers'. */
#include <stdio.h>
#include <stdlib.h>
#include "data/json.h"
#include "pipeline/pipelines_priv.h"

enum { VERSION = 1, CHECKPOINT_EVERY = 50 };

static const char schema[] =
    "CREATE TABLE artifact(kind INTEGER NOT NULL, name TEXT NOT NULL, folded TEXT NOT NULL, id TEXT NOT NULL,"
    " etag TEXT NOT NULL, body TEXT NOT NULL, created INTEGER NOT NULL, changed INTEGER NOT NULL,"
    " PRIMARY KEY(kind, name), UNIQUE(kind, folded)) WITHOUT ROWID;"
    "CREATE TABLE reference(source TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY(target, source)) WITHOUT ROWID;"
    /* the documents of active runs */
    "CREATE TABLE version(etag TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE run(seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, pipeline TEXT NOT NULL,"
    " version TEXT NOT NULL, state INTEGER NOT NULL, message TEXT, parameters TEXT NOT NULL, variables TEXT,"
    " starter TEXT NOT NULL, issuer TEXT NOT NULL, subject TEXT NOT NULL, request TEXT NOT NULL, root TEXT NOT NULL,"
    " parent_run TEXT NOT NULL, parent_pipeline TEXT NOT NULL, parent_activity TEXT NOT NULL,"
    " depth INTEGER NOT NULL, created INTEGER NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL,"
    " updated INTEGER NOT NULL, output_bytes INTEGER NOT NULL);"
    "CREATE INDEX run_version ON run(version) WHERE version<>'';"
    "CREATE INDEX run_ended ON run(ended) WHERE ended>0;"
    "CREATE TABLE activity(seq INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL, path TEXT NOT NULL,"
    " attempt INTEGER NOT NULL, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, type TEXT NOT NULL, iteration TEXT,"
    " state INTEGER NOT NULL, wait INTEGER NOT NULL, wake INTEGER NOT NULL, deadline INTEGER NOT NULL,"
    " started INTEGER NOT NULL, ended INTEGER NOT NULL, updated INTEGER NOT NULL, hidden INTEGER NOT NULL, plan TEXT,"
    " input TEXT, output TEXT, error TEXT, user_properties TEXT, UNIQUE(run, path, attempt));"
    "CREATE TABLE event(seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, what INTEGER NOT NULL,"
    " run TEXT NOT NULL, activity TEXT NOT NULL);"
    "PRAGMA user_version=1;";

/* ---- open ---- */

static enum code version_of(struct pipelines *p, int *ret, struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(p->store, STR("PRAGMA user_version"), &stmt, err);
    if (rc) return rc;
    int step = sqlite3_step(stmt);
    if (step != SQLITE_ROW) return store_error(store_sqlite(p->store), step, err);
    *ret = sqlite3_column_int(stmt, 0);
    return OK;
}

static enum code make_schema(struct pipelines *p, struct err *err) {
    int version = 0;
    enum code rc = version_of(p, &version, err);
    if (rc || version == VERSION) return rc;
    if (version > VERSION)
        return err_set(err, FAILED_PRECONDITION, "the pipelines' state is of a newer version (%d): run a newer program",
                       version);
    rc = pipeline_rows_begin(p, err);
    if (rc) return rc;
    return pipeline_rows_end(p, store_exec(p->store, schema, err), err);
}

enum code pipeline_rows_open(struct pipelines *p, const char *path, unsigned max_pages, struct err *err) {
    struct err first = { 0 };
    enum code rc = store_open(path, STORE_CREATE, &p->store, &first);
    if (rc == ALREADY_EXISTS) rc = store_open(path, STORE_WRITE, &p->store, &first);
    if (rc) return err_set(err, rc, "%s: %s", path, first.message);
    rc = make_schema(p, err);
    if (!rc && max_pages) {
        char sql[64];
        (void)snprintf(sql, sizeof sql, "PRAGMA max_page_count=%u", max_pages);
        rc = store_exec(p->store, sql, err);
    }
    return rc;
}

/* ---- small helpers ---- */

enum code pipeline_rows_begin(struct pipelines *p, struct err *err) {
    return store_exec_kept(p->store, STR("BEGIN IMMEDIATE"), err);
}

enum code pipeline_rows_end(struct pipelines *p, enum code rc, struct err *err) {
    struct err ignored;
    if (!rc) rc = store_exec_kept(p->store, STR("COMMIT"), err);
    if (rc) {
        /* SQLite has rolled back by itself after some errors */
        if (!sqlite3_get_autocommit(store_sqlite(p->store)) && store_exec(p->store, "ROLLBACK", &ignored)) return rc;
        return rc;
    }
    if (++p->writes >= CHECKPOINT_EVERY) {
        p->writes = 0;
        (void)sqlite3_wal_checkpoint_v2(store_sqlite(p->store), NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    }
    return OK;
}

void pipeline_rows_bind(sqlite3_stmt *stmt, int at, struct str text) {
    (void)sqlite3_bind_text(stmt, at, text.p ? text.p : "", (int)text.n, SQLITE_STATIC);
}

/* NULL stays SQL's NULL. */
static void bind_z(sqlite3_stmt *stmt, int at, const char *text) {
    if (text) (void)sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

static void bind_ints(sqlite3_stmt *stmt, int from, const int64_t *values, size_t n) {
    for (size_t i = 0; i < n; i++) (void)sqlite3_bind_int64(stmt, from + (int)i, values[i]);
}

struct str pipeline_rows_text(sqlite3_stmt *stmt, int at, struct arena *arena) {
    const unsigned char *text = sqlite3_column_text(stmt, at);
    struct str copy = str_dup(arena, (struct str){ (const char *)text, (size_t)sqlite3_column_bytes(stmt, at) });
    return copy.p ? copy : (struct str){ 0 };
}

enum code pipeline_rows_step(struct pipelines *p, sqlite3_stmt *stmt, const char *what, struct str key, struct err *err) {
    int step = sqlite3_step(stmt);
    if (step == SQLITE_ROW) return OK;
    if (step == SQLITE_DONE) return err_set(err, NOT_FOUND, "%s not found: %.*s", what, STR_ARG(str_upto(key, 300)));
    return store_error(store_sqlite(p->store), step, err);
}

/* ---- runs ---- */

static enum code keep_version(struct pipelines *p, const struct version *version, struct err *err) {
    sqlite3_stmt *stmt;
    enum code rc = store_prepare(
        p->store,
        STR("INSERT OR IGNORE INTO version(etag, body) SELECT etag, body FROM artifact WHERE etag=?"
            " AND kind=0 AND name=?"),
        &stmt, err);
    if (rc) return rc;
    pipeline_rows_bind(stmt, 1, str_z(version->etag));
    pipeline_rows_bind(stmt, 2, str_z(version->name));
    return store_run(stmt, err);
}

static char *dump(const json_t *json) {
    struct buf out = BUF_INIT(PIPELINES_MAX_ACTIVE_BYTES);
    bool ok = json_write(json, &out);
    buf_add_char(&out, 0);
    if (ok && buf_ok(&out)) return out.p;
    buf_free(&out);
    return NULL;
}

enum code pipeline_rows_insert_run(struct pipelines *p, struct run *run, struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = keep_version(p, run->version, err);
    if (rc) return rc;
    rc = store_prepare(p->store,
                       STR("INSERT INTO run(id, pipeline, version, parameters, starter, issuer, subject, request, root,"
                           " parent_run, parent_pipeline, parent_activity, depth, created, state, started, ended,"
                           " updated, output_bytes) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,0,0,0,?,0)"),
                       &stmt, err);
    if (rc) return rc;
    char *parameters = dump(run->parameters);
    if (!parameters) return err_oom(err);
    const struct actor *who = &run->starter->principal.actor;
    const struct str texts[] = { str_z(run->id),         str_z(run->version->name),   str_z(run->version->etag),
                                 str_z(parameters),      str_z(run->starter->text),   who->issuer,
                                 who->subject,           str_z(run->request),         str_z(run->root),
                                 str_z(run->parent_run), str_z(run->parent_pipeline), str_z(run->parent_activity) };
    for (int i = 0; i < (int)COUNT(texts); i++) pipeline_rows_bind(stmt, i + 1, texts[i]);
    const int64_t numbers[] = { run->depth, run->created_us, run->created_us };
    bind_ints(stmt, (int)COUNT(texts) + 1, numbers, COUNT(numbers));
    rc = store_run(stmt, err);
    free(parameters);
    if (!rc) run->seq = sqlite3_last_insert_rowid(store_sqlite(p->store));
    return rc;
}

static enum code drop_version(struct pipelines *p, struct run *run, struct err *err) {
    sqlite3_stmt *stmt;
    enum code rc = store_prepare(
        p->store, STR("DELETE FROM version WHERE etag=?1 AND NOT EXISTS(SELECT 1 FROM run WHERE version=?1)"), &stmt, err);
    if (rc) return rc;
    pipeline_rows_bind(stmt, 1, str_z(run->version->etag));
    return store_run(stmt, err);
}

/* What secureOutput hides was kept for the run's own expressions. */
static enum code drop_hidden(struct pipelines *p, struct run *run, struct err *err) {
    sqlite3_stmt *stmt;
    enum code rc = store_prepare(p->store, STR("UPDATE activity SET output=NULL WHERE run=? AND hidden&2"), &stmt, err);
    if (rc) return rc;
    (void)sqlite3_bind_int64(stmt, 1, run->seq);
    return store_run(stmt, err);
}

enum code pipeline_rows_save_run(struct pipelines *p, struct run *run, struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    bool ended = pipeline_run_state_is_end(run->state);
    enum code rc = store_prepare(p->store,
                                 STR("UPDATE run SET state=?1, started=?2, ended=?3, updated=?4, output_bytes=?5,"
                                     " message=?6, variables=COALESCE(?7, variables),"
                                     " version=CASE WHEN ?3>0 THEN '' ELSE version END WHERE seq=?8"),
                                 &stmt, err);
    if (rc) return rc;
    char *variables = run->variables_changed ? dump(run->variables) : NULL;
    if (run->variables_changed && !variables) return err_oom(err);
    const int64_t numbers[] = { run->state, run->started_us, run->ended_us, run->updated_us, (int64_t)run->output_bytes };
    bind_ints(stmt, 1, numbers, COUNT(numbers));
    bind_z(stmt, 6, run->message);
    bind_z(stmt, 7, variables);
    (void)sqlite3_bind_int64(stmt, 8, run->seq);
    rc = store_run(stmt, err);
    free(variables);
    if (!rc && ended) rc = drop_version(p, run, err);
    if (!rc && ended && run->hides) rc = drop_hidden(p, run, err);
    return rc;
}

/* ---- activities ---- */

static void bind_attempt(sqlite3_stmt *stmt, const struct pipeline_node *node, const struct attempt *a, const char *path,
                         const char *iteration) {
    const struct activity_policy *policy = &node->def->policy;
    const int64_t numbers[] = { node->scope->run->seq,
                                a->number,
                                a->state,
                                a->wait,
                                a->wake_us,
                                a->deadline_us,
                                a->started_us,
                                a->ended_us,
                                a->updated_us,
                                (policy->secure_input ? 1 : 0) | (policy->secure_output ? 2 : 0) };
    bind_ints(stmt, 1, numbers, COUNT(numbers));
    pipeline_rows_bind(stmt, 11, str_z(path));
    pipeline_rows_bind(stmt, 12, str_z(a->id));
    pipeline_rows_bind(stmt, 13, node->def->name);
    pipeline_rows_bind(stmt, 14, str_z(activity_type(node->def->kind)));
    const char *const texts[] = { iteration && *iteration ? iteration : NULL,
                                  a->ended_us ? NULL : a->plan,
                                  a->input,
                                  a->output,
                                  a->error,
                                  a->user_properties };
    for (int i = 0; i < (int)COUNT(texts); i++) bind_z(stmt, 15 + i, texts[i]);
}

enum code pipeline_rows_save_attempt(struct pipelines *p, struct pipeline_node *node, struct attempt *attempt,
                                     struct err *err) {
    char path[MAX_PATH_BYTES];
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    DEFER(buf_free) struct buf iteration = BUF_INIT(8192);
    pipeline_node_place(node, path);
    pipeline_node_iteration(node, &iteration);
    buf_add_char(&iteration, 0);
    if (!buf_ok(&iteration)) return err_oom(err);
    enum code rc = store_prepare(
        p->store,
        STR("INSERT INTO activity(run, attempt, state, wait, wake, deadline, started, ended, updated, hidden, path, id, "
            "name,"
            " type, iteration, plan, input, output, error, user_properties)"
            " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(run, path, attempt) DO UPDATE SET"
            " state=excluded.state, wait=excluded.wait, wake=excluded.wake, deadline=excluded.deadline,"
            " started=excluded.started, ended=excluded.ended, updated=excluded.updated,"
            " plan=CASE WHEN excluded.ended>0 THEN NULL ELSE COALESCE(excluded.plan, plan) END,"
            " input=COALESCE(excluded.input, input),"
            " output=COALESCE(excluded.output, output), error=COALESCE(excluded.error, error),"
            " user_properties=COALESCE(excluded.user_properties, user_properties)"),
        &stmt, err);
    if (rc) return rc;
    bind_attempt(stmt, node, attempt, path, iteration.p);
    return store_run(stmt, err);
}

enum code pipeline_rows_attempt_texts(struct pipelines *p, const char *id, struct arena *arena, struct str *ret_output,
                                      struct str *ret_error, struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(p->store, STR("SELECT output, error FROM activity WHERE id=?"), &stmt, err);
    if (rc) return rc;
    pipeline_rows_bind(stmt, 1, str_z(id));
    rc = pipeline_rows_step(p, stmt, "activity run", str_z(id), err);
    if (rc) return rc;
    *ret_output = pipeline_rows_text(stmt, 0, arena);
    *ret_error = pipeline_rows_text(stmt, 1, arena);
    bool lost = (sqlite3_column_type(stmt, 0) != SQLITE_NULL && !ret_output->p) ||
                (sqlite3_column_type(stmt, 1) != SQLITE_NULL && !ret_error->p);
    return lost ? err_oom(err) : OK;
}

/* ---- happenings ---- */

enum code pipeline_rows_add_event(struct pipelines *p, enum pipeline_happening what, int64_t at_us, struct run *run,
                                  const char *activity_run, struct err *err) {
    sqlite3_stmt *stmt;
    if (!p->effects.event) return OK;
    p->untold = true;
    enum code rc = store_prepare(p->store, STR("INSERT INTO event(at, what, run, activity) VALUES(?,?,?,?)"), &stmt, err);
    if (rc) return rc;
    const int64_t numbers[] = { at_us, what };
    bind_ints(stmt, 1, numbers, COUNT(numbers));
    pipeline_rows_bind(stmt, 3, str_z(run->id));
    pipeline_rows_bind(stmt, 4, str_z(activity_run));
    return store_run(stmt, err);
}
