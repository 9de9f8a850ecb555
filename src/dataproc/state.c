/* state.c: rows as SQL; messages as encoded protobuf beside the columns that are searched. */
#include "dataproc/state.h"
#include <stdlib.h>
#include "store/store.h"

enum { VERSION = 1, MAX_BODY_BYTES = 16 << 20, CHECKPOINT_EVERY = 100 };

struct state {
    struct store *store;
    bool read_only;
    unsigned writes;
};

static const char schema[] =
    "CREATE TABLE cluster(name TEXT PRIMARY KEY, uuid TEXT NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE job(seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, uuid TEXT NOT NULL, cluster TEXT NOT "
    "NULL,"
    " submitter TEXT NOT NULL, job TEXT NOT NULL, account TEXT NOT NULL, body BLOB NOT NULL);"
    "CREATE TABLE operation(seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, caller TEXT NOT NULL,"
    " cluster TEXT NOT NULL, job TEXT NOT NULL, body BLOB NOT NULL);"
    "CREATE TABLE request(caller TEXT, kind TEXT, id TEXT, target TEXT NOT NULL, PRIMARY KEY(caller, kind, id)) WITHOUT "
    "ROWID;"
    "PRAGMA user_version=1;";

/* ---- open ---- */

static enum code version_of(struct state *s, int *ret, struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(s->store, STR("PRAGMA user_version"), &stmt, err);
    if (rc) return rc;
    if (sqlite3_step(stmt) != SQLITE_ROW) return store_error(store_sqlite(s->store), SQLITE_ERROR, err);
    *ret = sqlite3_column_int(stmt, 0);
    return OK;
}

static enum code make_schema(struct state *s, struct err *err) {
    int version = 0;
    enum code rc = version_of(s, &version, err);
    if (rc || version == VERSION) return rc;
    if (version > VERSION)
        return err_set(err, FAILED_PRECONDITION, "the jobs' state is of a newer version (%d): run a newer program",
                       version);
    rc = store_exec(s->store, "BEGIN IMMEDIATE", err);
    if (!rc) rc = store_exec(s->store, schema, err);
    return rc ? rc : store_exec(s->store, "COMMIT", err);
}

enum code state_open(const char *path, struct state **ret, struct err *err) {
    struct state *s = calloc(1, sizeof *s);
    if (!s) return err_oom(err);
    struct err first = { 0 };
    enum code rc = store_open(path, STORE_CREATE, &s->store, &first);
    if (rc == ALREADY_EXISTS) rc = store_open(path, STORE_WRITE, &s->store, &first);
    if (rc) (void)err_set(err, rc, "%s", first.message);
    else rc = make_schema(s, err);
    if (rc) state_close(s);
    else *ret = s;
    return rc;
}

enum code state_open_read(const char *path, struct state **ret, struct err *err) {
    struct state *s = calloc(1, sizeof *s);
    if (!s) return err_oom(err);
    s->read_only = true;
    enum code rc = store_open(path, STORE_READ, &s->store, err);
    if (rc) state_close(s);
    else *ret = s;
    return rc;
}

static void checkpoint(struct state *s) {
    s->writes = 0;
    (void)sqlite3_wal_checkpoint_v2(store_sqlite(s->store), NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

void state_close(struct state *state) {
    if (!state) return;
    if (state->store && !state->read_only) checkpoint(state);
    store_close(state->store);
    free(state);
}

/* ---- small helpers ---- */

static void bind(sqlite3_stmt *stmt, int at, struct str text) {
    (void)sqlite3_bind_text(stmt, at, text.p ? text.p : "", (int)text.n, SQLITE_TRANSIENT);
}

static struct str column(sqlite3_stmt *stmt, int at, struct arena *arena) {
    const unsigned char *text = sqlite3_column_text(stmt, at);
    return str_dup(arena, (struct str){ (const char *)text, (size_t)sqlite3_column_bytes(stmt, at) });
}

static enum code bind_body(sqlite3_stmt *stmt, int at, const struct pb_msg *desc, const void *message, struct err *err) {
    DEFER(buf_free) struct buf out = BUF_INIT(MAX_BODY_BYTES);
    enum code rc = pb_encode(desc, message, &out, err);
    if (!rc) (void)sqlite3_bind_blob(stmt, at, out.p ? out.p : "", (int)out.n, SQLITE_TRANSIENT);
    return rc;
}

static enum code column_body(sqlite3_stmt *stmt, int at, const struct pb_msg *desc, struct arena *arena, void **ret,
                             struct err *err) {
    struct str blob = { sqlite3_column_blob(stmt, at), (size_t)sqlite3_column_bytes(stmt, at) };
    struct str copy = str_dup(arena, blob);
    if (blob.n && !copy.p) return err_oom(err);
    return pb_decode(desc, copy, arena, 0, ret, err);
}

static enum code run(struct state *s, sqlite3_stmt *stmt, struct err *err) {
    enum code rc = store_run(stmt, err);
    if (!rc && ++s->writes >= CHECKPOINT_EVERY) checkpoint(s);
    return rc;
}

static enum code delete_by(struct state *s, struct str sql, struct str key, struct err *err) {
    sqlite3_stmt *stmt;
    enum code rc = store_prepare(s->store, sql, &stmt, err);
    if (rc) return rc;
    bind(stmt, 1, key);
    return run(s, stmt, err);
}

/* One step: ROW, or NOT_FOUND with the words given. */
static enum code step_one(struct state *s, sqlite3_stmt *stmt, const char *what, struct str key, struct err *err) {
    int step = sqlite3_step(stmt);
    if (step == SQLITE_ROW) return OK;
    if (step == SQLITE_DONE) return err_set(err, NOT_FOUND, "%s not found: %.*s", what, STR_ARG(str_upto(key, 200)));
    return store_error(store_sqlite(s->store), step, err);
}

/* ---- jobs ---- */

#define JOB_COLUMNS "seq, id, uuid, cluster, submitter, job, account, body"

static enum code read_job(sqlite3_stmt *stmt, struct arena *arena, struct job_row *ret, struct err *err) {
    *ret = (struct job_row){ sqlite3_column_int64(stmt, 0), column(stmt, 1, arena),
                             column(stmt, 2, arena),        column(stmt, 3, arena),
                             column(stmt, 4, arena),        column(stmt, 5, arena),
                             column(stmt, 6, arena),        NULL };
    void *body;
    enum code rc = column_body(stmt, 7, &dataproc_Job_msg, arena, &body, err);
    if (!rc) ret->body = body;
    return rc;
}

enum code state_job_get(struct state *s, struct str id, struct arena *arena, struct job_row *ret, struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(s->store, STR("SELECT " JOB_COLUMNS " FROM job WHERE id=?"), &stmt, err);
    if (rc) return rc;
    bind(stmt, 1, id);
    rc = step_one(s, stmt, "job", id, err);
    return rc ? rc : read_job(stmt, arena, ret, err);
}

static enum code insert_job(struct state *s, struct job_row *row, struct err *err) {
    sqlite3_stmt *stmt;
    enum code rc = store_prepare(
        s->store, STR("INSERT INTO job(id, uuid, cluster, submitter, job, account, body) VALUES(?,?,?,?,?,?,?)"), &stmt,
        err);
    if (rc) return rc;
    const struct str texts[] = { row->id, row->uuid, row->cluster, row->submitter, row->job, row->account };
    for (int i = 0; i < (int)COUNT(texts); i++) bind(stmt, i + 1, texts[i]);
    rc = bind_body(stmt, (int)COUNT(texts) + 1, &dataproc_Job_msg, row->body, err);
    if (rc) return store_done(stmt), rc;
    rc = run(s, stmt, err);
    row->seq = sqlite3_last_insert_rowid(store_sqlite(s->store));
    return rc;
}

enum code state_job_insert(struct state *s, struct job_row *row, struct str asker, struct str request, struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(MAX_BODY_BYTES * 2);
    struct job_row old;
    struct err ignored;
    if (!arena) return err_oom(err);
    if (state_job_get(s, row->id, arena, &old, &ignored) == OK)
        return err_set(err, ALREADY_EXISTS, "job %.*s exists already", STR_ARG(row->id));
    enum code rc = store_exec(s->store, "BEGIN IMMEDIATE", err);
    if (rc) return rc;
    rc = insert_job(s, row, err);
    if (!rc && request.n) rc = state_request_put(s, asker, STR("job"), request, row->id, err);
    if (!rc) rc = store_exec(s->store, "COMMIT", err);
    if (rc && store_exec(s->store, "ROLLBACK", &ignored)) return rc;
    return rc;
}

enum code state_job_save(struct state *s, const struct job_row *row, struct err *err) {
    sqlite3_stmt *stmt;
    enum code rc = store_prepare(s->store, STR("UPDATE job SET body=? WHERE id=?"), &stmt, err);
    if (rc) return rc;
    rc = bind_body(stmt, 1, &dataproc_Job_msg, row->body, err);
    if (rc) return store_done(stmt), rc;
    bind(stmt, 2, row->id);
    return run(s, stmt, err);
}

enum code state_job_delete(struct state *s, struct str id, struct err *err) {
    enum code rc = delete_by(s, STR("DELETE FROM request WHERE kind='job' AND target=?"), id, err);
    return rc ? rc : delete_by(s, STR("DELETE FROM job WHERE id=?"), id, err);
}

enum code state_job_list(struct state *s, int64_t before, struct arena *arena, state_visit_job *visit, void *ctx,
                         struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(s->store, STR("SELECT " JOB_COLUMNS " FROM job WHERE seq<? ORDER BY seq DESC"), &stmt,
                                 err);
    if (rc) return rc;
    (void)sqlite3_bind_int64(stmt, 1, before ? before : INT64_MAX);
    for (int step; (step = sqlite3_step(stmt)) != SQLITE_DONE;) {
        struct job_row row;
        if (step != SQLITE_ROW) return store_error(store_sqlite(s->store), step, err);
        rc = read_job(stmt, arena, &row, err);
        if (rc || !visit(ctx, &row)) return rc;
    }
    return OK;
}

/* ---- clusters ---- */

static enum code read_cluster(sqlite3_stmt *stmt, struct arena *arena, struct cluster_row *ret, struct err *err) {
    void *body;
    *ret = (struct cluster_row){ column(stmt, 0, arena), column(stmt, 1, arena), NULL };
    enum code rc = column_body(stmt, 2, &dataproc_Cluster_msg, arena, &body, err);
    if (!rc) ret->body = body;
    return rc;
}

enum code state_cluster_get(struct state *s, struct str name, struct arena *arena, struct cluster_row *ret,
                            struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(s->store, STR("SELECT name, uuid, body FROM cluster WHERE name=?"), &stmt, err);
    if (rc) return rc;
    bind(stmt, 1, name);
    rc = step_one(s, stmt, "cluster", name, err);
    return rc ? rc : read_cluster(stmt, arena, ret, err);
}

enum code state_cluster_insert(struct state *s, const struct cluster_row *row, struct err *err) {
    sqlite3_stmt *stmt;
    enum code rc = store_prepare(s->store, STR("INSERT INTO cluster(name, uuid, body) VALUES(?,?,?)"), &stmt, err);
    if (rc) return rc;
    bind(stmt, 1, row->name);
    bind(stmt, 2, row->uuid);
    rc = bind_body(stmt, 3, &dataproc_Cluster_msg, row->body, err);
    if (rc) return store_done(stmt), rc;
    return run(s, stmt, err);
}

enum code state_cluster_delete(struct state *s, struct str name, struct err *err) {
    return delete_by(s, STR("DELETE FROM cluster WHERE name=?"), name, err);
}

enum code state_cluster_list(struct state *s, struct str after, struct arena *arena, state_visit_cluster *visit, void *ctx,
                             struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(s->store, STR("SELECT name, uuid, body FROM cluster WHERE name>? ORDER BY name"), &stmt,
                                 err);
    if (rc) return rc;
    bind(stmt, 1, after);
    for (int step; (step = sqlite3_step(stmt)) != SQLITE_DONE;) {
        struct cluster_row row;
        if (step != SQLITE_ROW) return store_error(store_sqlite(s->store), step, err);
        rc = read_cluster(stmt, arena, &row, err);
        if (rc || !visit(ctx, &row)) return rc;
    }
    return OK;
}

/* ---- operations ---- */

#define OPERATION_COLUMNS "seq, id, caller, cluster, job, body"

static enum code read_operation(sqlite3_stmt *stmt, struct arena *arena, struct operation_row *ret, struct err *err) {
    void *body;
    *ret = (struct operation_row){ sqlite3_column_int64(stmt, 0), column(stmt, 1, arena), column(stmt, 2, arena),
                                   column(stmt, 3, arena),        column(stmt, 4, arena), NULL };
    enum code rc = column_body(stmt, 5, &lro_Operation_msg, arena, &body, err);
    if (!rc) ret->body = body;
    return rc;
}

enum code state_operation_get(struct state *s, struct str id, struct arena *arena, struct operation_row *ret,
                              struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(s->store, STR("SELECT " OPERATION_COLUMNS " FROM operation WHERE id=?"), &stmt, err);
    if (rc) return rc;
    bind(stmt, 1, id);
    rc = step_one(s, stmt, "operation", id, err);
    return rc ? rc : read_operation(stmt, arena, ret, err);
}

enum code state_operation_insert(struct state *s, const struct operation_row *row, struct err *err) {
    sqlite3_stmt *stmt;
    enum code rc = store_prepare(s->store, STR("INSERT INTO operation(id, caller, cluster, job, body) VALUES(?,?,?,?,?)"),
                                 &stmt, err);
    if (rc) return rc;
    const struct str texts[] = { row->id, row->caller, row->cluster, row->job };
    for (int i = 0; i < (int)COUNT(texts); i++) bind(stmt, i + 1, texts[i]);
    rc = bind_body(stmt, (int)COUNT(texts) + 1, &lro_Operation_msg, row->body, err);
    if (rc) return store_done(stmt), rc;
    return run(s, stmt, err);
}

enum code state_operation_delete(struct state *s, struct str id, struct err *err) {
    return delete_by(s, STR("DELETE FROM operation WHERE id=?"), id, err);
}

enum code state_operation_list(struct state *s, int64_t before, struct arena *arena, state_visit_operation *visit,
                               void *ctx, struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(s->store, STR("SELECT " OPERATION_COLUMNS " FROM operation WHERE seq<? ORDER BY seq DESC"),
                                 &stmt, err);
    if (rc) return rc;
    (void)sqlite3_bind_int64(stmt, 1, before ? before : INT64_MAX);
    for (int step; (step = sqlite3_step(stmt)) != SQLITE_DONE;) {
        struct operation_row row;
        if (step != SQLITE_ROW) return store_error(store_sqlite(s->store), step, err);
        rc = read_operation(stmt, arena, &row, err);
        if (rc || !visit(ctx, &row)) return rc;
    }
    return OK;
}

/* ---- request ids ---- */

enum code state_request_get(struct state *s, struct str asker, struct str kind, struct str request, struct arena *arena,
                            bool *ret_found, struct str *ret_target, struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    *ret_found = false;
    if (!request.n) return OK;
    enum code rc = store_prepare(s->store, STR("SELECT target FROM request WHERE caller=? AND kind=? AND id=?"), &stmt,
                                 err);
    if (rc) return rc;
    bind(stmt, 1, asker);
    bind(stmt, 2, kind);
    bind(stmt, 3, request);
    int step = sqlite3_step(stmt);
    if (step == SQLITE_DONE) return OK;
    if (step != SQLITE_ROW) return store_error(store_sqlite(s->store), step, err);
    *ret_target = column(stmt, 0, arena);
    *ret_found = true;
    return OK;
}

enum code state_request_put(struct state *s, struct str asker, struct str kind, struct str request, struct str target,
                            struct err *err) {
    sqlite3_stmt *stmt;
    enum code rc = store_prepare(s->store, STR("INSERT OR REPLACE INTO request(caller, kind, id, target) VALUES(?,?,?,?)"),
                                 &stmt, err);
    if (rc) return rc;
    const struct str texts[] = { asker, kind, request, target };
    for (int i = 0; i < (int)COUNT(texts); i++) bind(stmt, i + 1, texts[i]);
    return store_run(stmt, err);
}
