/* databases.c: making, showing, changing and dropping databases. */
#include "googlesql/print.h"
#include "spanner/admin.h"
#include "spanner/ddl.h"
#include "spanner/finish.h"
#include "spanner/roles.h"
#include "spanner/worker.h"

enum { MAX_DDL_TEXT = 10 << 20 };

/* ---- CreateDatabase ---- */

struct create_work {
    struct target target; /* of an upstream */
    struct spanner_name instance;
    const struct spanner_connection *connection;
    struct str database, full_name, path;
    struct ddl_list ddl;
    struct engine_db *db;
    struct engine_ddl_job job;
    struct err err; /* of the tables that could not be made */
};

/* On a job's own endpoint nothing is made, and no right grows: what exists and may be used is said to exist. Whether it
 * exists at an upstream is told by its schema, which is read anyway before the database can be used. */
static enum code not_by_jobs(const struct create_work *w, struct err *err) {
    return err_set(err, PERMISSION_DENIED, "Databases are not made by jobs: %.*s", STR_ARG(w->full_name));
}

static enum code create_atoms(struct call *call, struct create_work *w, struct err *err) {
    struct atom atom = { .verb = call->endpoint ? VERB_USE : VERB_ADMINISTER, .path = w->path };
    if (!atoms_add(&call->atoms, call->arena, atom)) return err_oom(err);
    if (!call->endpoint) return ddl_atoms(call, w->path, &w->ddl, err);
    enum code rc = w->target.far ? target_schema(call, &w->target, err) : OK;
    return rc == NOT_FOUND ? not_by_jobs(w, err) : rc;
}

enum code classify_create_database(struct call *call, struct err *err) {
    const struct spanner_db_CreateDatabaseRequest *q = call->request;
    struct create_work *w = ARENA_NEW(call->arena, struct create_work);
    if (!w) return err_oom(err);
    call->prepared = w;
    enum code rc = name_instance(q->parent, &w->instance, err);
    if (!rc) rc = ddl_database_name(call->arena, q->create_statement, &w->database, err);
    if (!rc && q->database_dialect > spanner_db_DatabaseDialect_GOOGLE_STANDARD_SQL)
        rc = err_set(err, UNIMPLEMENTED, "Only databases of dialect GOOGLE_STANDARD_SQL are supported");
    if (!rc) rc = ddl_parse(call->arena, q->extra_statements.p, q->extra_statements.n, &w->ddl, err);
    if (rc) return rc;
    w->full_name = arena_printf(call->arena, "%.*s/databases/%.*s", STR_ARG(q->parent), STR_ARG(w->database));
    call->resource = w->full_name;
    w->connection = spanner_connection_of(call->service, w->instance.project, w->instance.instance);
    rc = target_connection(call, w->instance.project, w->instance.instance, w->database, &w->target, err);
    w->path = w->target.path;
    return rc ? rc : create_atoms(call, w, err);
}

const struct target *create_database_target(const struct call *call) {
    const struct create_work *w = call->prepared;
    return &w->target;
}

static void create_finish(struct call *call, enum code rc, struct err *err) {
    struct create_work *w = call->prepared;
    struct spanner_db_CreateDatabaseMetadata metadata = { .database = w->full_name };
    struct spanner_db_Database database = { .name = w->full_name,
                                            .state = spanner_db_Database_State_READY,
                                            .database_dialect = spanner_db_DatabaseDialect_GOOGLE_STANDARD_SQL };
    engine_db_unref(w->db);
    if (rc) spanner_end(call, rc, err);
    else
        finish_operation(call, w->full_name, (struct str){ NULL, 0 }, &spanner_db_CreateDatabaseMetadata_msg, &metadata,
                         &spanner_db_Database_msg, &database);
}

/* A database whose first tables cannot be made is not left behind. */
static void undo_on_thread(struct call *call) {
    struct create_work *w = call->prepared;
    struct spanner *s = call->service;
    struct err err;
    spanner_close_database(s, w->instance.instance, w->database);
    w->db = engine_db_unref(w->db);
    if (engine_drop_database(s->engine, w->instance.instance, w->database, &err))
        (void)err_wrap(&w->err, "the database is left behind");
    create_finish(call, w->err.code, &w->err);
}

static void create_ddl_done(struct engine_ddl_job *job) {
    struct call *call = job->ctx;
    struct create_work *w = call->prepared;
    struct spanner *s = call->service;
    w->err = job->job.err;
    if (job->job.code && admin_thread_post(s->admin, undo_on_thread, call)) return;
    create_finish(call, job->job.code, &w->err);
}

static void create_on_thread(struct call *call) {
    struct create_work *w = call->prepared;
    struct spanner *s = call->service;
    struct err err = { 0 };
    enum code rc = engine_create_database(s->engine, w->instance.instance, w->database, &err);
    if (!rc) rc = spanner_open_database(s, w->instance.instance, w->database, &err);
    if (!rc && !(w->db = spanner_database(s, w->instance.instance, w->database))) rc = err_oom(&err);
    if (!rc && w->ddl.n) {
        w->job = (struct engine_ddl_job){ .statements = w->ddl.items, .n = w->ddl.n, .done = create_ddl_done, .ctx = call };
        rc = engine_post_ddl(w->db, &w->job, &err);
        if (!rc) return;
        w->err = err;
        undo_on_thread(call);
        return;
    }
    create_finish(call, rc, &err);
}

void handle_create_database(struct call *call) {
    struct create_work *w = call->prepared;
    struct err err = { 0 };
    enum code rc = OK;
    struct engine_db *db = w->connection ? spanner_database(call->service, w->instance.instance, w->database) : NULL;
    if (db) rc = err_set(&err, ALREADY_EXISTS, "Database already exists: %.*s", STR_ARG(w->full_name));
    else if (call->endpoint) rc = not_by_jobs(w, &err);
    else if (!w->connection)
        rc = err_set(&err, NOT_FOUND, "Instance not found: projects/%.*s/instances/%.*s", STR_ARG(w->instance.project),
                     STR_ARG(w->instance.instance));
    else if (!admin_thread_post(((struct spanner *)call->service)->admin, create_on_thread, call))
        rc = err_set(&err, UNAVAILABLE, "Too many databases are being made: try again");
    else return;
    engine_db_unref(db);
    spanner_end(call, rc, &err);
}

/* ---- Get, List ---- */

enum code classify_get_database(struct call *call, struct err *err) {
    struct target *t = ARENA_NEW(call->arena, struct target);
    if (!t) return err_oom(err);
    call->prepared = t;
    enum code rc = target_database(call, ((const struct spanner_db_GetDatabaseRequest *)call->request)->name, t, err);
    return rc ? rc : target_atom(call, t, (struct atom){ .verb = VERB_USE }, err);
}

static struct spanner_db_Database describe(struct engine_db *db, struct str name, struct pb_Timestamp *time) {
    *time = convert_timestamp(engine_db_create_time(db));
    return (struct spanner_db_Database){ .name = name,
                                         .state = spanner_db_Database_State_READY,
                                         .create_time = time,
                                         .version_retention_period = STR("1h"),
                                         .database_dialect = spanner_db_DatabaseDialect_GOOGLE_STANDARD_SQL };
}

void handle_get_database(struct call *call) {
    const struct target *t = call->prepared;
    struct pb_Timestamp time;
    struct spanner_db_Database database = describe(t->db, call->resource, &time);
    finish_message(call, OK, &database, NULL);
}

enum code classify_list_databases(struct call *call, struct err *err) {
    struct spanner_name *name = ARENA_NEW(call->arena, struct spanner_name);
    if (!name) return err_oom(err);
    call->prepared = name;
    call->resource = ((const struct spanner_db_ListDatabasesRequest *)call->request)->parent;
    enum code rc = name_instance(call->resource, name, err);
    const struct spanner_connection *c = rc ? NULL : spanner_connection_of(call->service, name->project, name->instance);
    call->far = c && c->far;
    return rc;
}

const struct target *list_databases_target(struct call *call) {
    const struct spanner_name *name = call->prepared;
    struct target *t = ARENA_NEW(call->arena, struct target);
    struct err err;
    enum code rc = t ? target_connection(call, name->project, name->instance, STR(""), t, &err) : err_oom(&err);
    if (rc) spanner_end(call, rc, &err);
    return rc ? NULL : t;
}

struct listing {
    struct call *call;
    struct spanner_db_ListDatabasesResponse response;
    bool failed;
};

static bool list_one(void *ctx, struct engine_db *db, struct str database) {
    struct listing *l = ctx;
    struct arena *arena = l->call->arena;
    struct pb_Timestamp *time = ARENA_NEW(arena, struct pb_Timestamp);
    struct str name = arena_printf(arena, "%.*s/databases/%.*s", STR_ARG(l->call->resource), STR_ARG(database));
    l->failed = !time || !name.p;
    if (!l->failed) l->response.databases.p[l->response.databases.n++] = describe(db, name, time);
    return !l->failed && l->response.databases.n < ENGINE_MAX_DATABASES;
}

/* Only those in which the caller holds something. */
void handle_list_databases(struct call *call) {
    const struct spanner_name *name = call->prepared;
    const struct spanner_connection *connection = spanner_connection_of(call->service, name->project, name->instance);
    struct listing l = { .call = call };
    struct err err = { 0 };
    enum code rc = OK;
    l.response.databases.p = ARENA_ARRAY(call->arena, struct spanner_db_Database, ENGINE_MAX_DATABASES);
    if (!l.response.databases.p) rc = err_oom(&err);
    else if (connection) spanner_each_database(call, connection, list_one, &l);
    if (l.failed) rc = err_oom(&err);
    finish_message(call, rc, &l.response, &err);
}

/* ---- Drop ---- */

enum code classify_drop_database(struct call *call, struct err *err) {
    struct target *t = ARENA_NEW(call->arena, struct target);
    if (!t) return err_oom(err);
    call->prepared = t;
    enum code rc = target_database(call, ((const struct spanner_db_DropDatabaseRequest *)call->request)->database, t, err);
    return rc ? rc : target_atom(call, t, (struct atom){ .verb = VERB_ADMINISTER }, err);
}

static void drop_on_thread(struct call *call) {
    const struct target *t = call->prepared;
    struct err err = { 0 };
    struct pb_Empty empty = { 0 };
    spanner_close_database(t->spanner, t->name.instance, t->name.database);
    enum code rc = engine_drop_database(t->spanner->engine, t->name.instance, t->name.database, &err);
    finish_message(call, rc, &empty, &err);
}

void handle_drop_database(struct call *call) {
    const struct target *t = call->prepared;
    struct err err = { 0 };
    if (admin_thread_post(t->spanner->admin, drop_on_thread, call)) return;
    spanner_end(call, err_set(&err, UNAVAILABLE, "Too many changes of databases are under way: try again"), &err);
}

/* ---- DDL ---- */

enum code classify_get_ddl(struct call *call, struct err *err) {
    struct target *t = ARENA_NEW(call->arena, struct target);
    if (!t) return err_oom(err);
    call->prepared = t;
    enum code rc = target_database(call, ((const struct spanner_db_GetDatabaseDdlRequest *)call->request)->database, t,
                                   err);
    return rc ? rc : target_atom(call, t, (struct atom){ .verb = VERB_READ_SCHEMA }, err);
}

void handle_get_ddl(struct call *call) {
    struct target *t = call->prepared;
    struct spanner_db_GetDatabaseDdlResponse response = { 0 };
    struct err err = { 0 };
    enum code rc = target_schema(call, t, &err);
    if (!rc) response.statements.p = ARENA_ARRAY(call->arena, struct str, t->catalog->n_tables + 1);
    if (!rc && !response.statements.p) rc = err_oom(&err);
    for (size_t i = 0; !rc && i < t->catalog->n_tables; i++) {
        DEFER(buf_free) struct buf text = BUF_INIT(MAX_DDL_TEXT);
        sql_print_table(t->catalog->tables[i], &text);
        struct str copy = str_dup(call->arena, buf_str(&text));
        if (!buf_ok(&text) || !copy.p) rc = err_oom(&err);
        else response.statements.p[response.statements.n++] = copy;
    }
    if (!rc && !role_statements(call->arena, t->catalog, &response.statements.p, &response.statements.n))
        rc = err_oom(&err);
    finish_message(call, rc, &response, &err);
}

struct update_work {
    struct target target;
    struct ddl_list ddl;
    struct engine_ddl_job job;
    int64_t *timestamps;
};

enum code classify_update_ddl(struct call *call, struct err *err) {
    const struct spanner_db_UpdateDatabaseDdlRequest *q = call->request;
    struct update_work *w = ARENA_NEW(call->arena, struct update_work);
    if (!w) return err_oom(err);
    call->prepared = w;
    enum code rc = target_database(call, q->database, &w->target, err);
    if (!rc && q->statements.n == 0) rc = err_set(err, INVALID_ARGUMENT, "No DDL statements were given");
    if (!rc) rc = operation_id_check(q->operation_id, err);
    if (!rc) rc = ddl_parse(call->arena, q->statements.p, q->statements.n, &w->ddl, err);
    return rc ? rc : ddl_atoms(call, w->target.path, &w->ddl, err);
}

const struct target *update_ddl_target(const struct call *call) {
    const struct update_work *w = call->prepared;
    return &w->target;
}

static void update_done(struct engine_ddl_job *job) {
    struct call *call = job->ctx;
    struct update_work *w = call->prepared;
    const struct spanner_db_UpdateDatabaseDdlRequest *q = call->request;
    struct spanner_db_UpdateDatabaseDdlMetadata metadata = { .database = q->database };
    struct pb_Empty empty = { 0 };
    if (job->job.code) {
        spanner_end(call, job->job.code, &job->job.err);
        return;
    }
    metadata.statements.p = q->statements.p;
    metadata.statements.n = q->statements.n;
    struct pb_Timestamp *times = ARENA_ARRAY(call->arena, struct pb_Timestamp, w->ddl.n);
    for (size_t i = 0; times && i < w->ddl.n; i++) times[i] = convert_timestamp(w->timestamps[i]);
    metadata.commit_timestamps.p = times;
    metadata.commit_timestamps.n = times ? w->ddl.n : 0;
    finish_operation(call, q->database, q->operation_id, &spanner_db_UpdateDatabaseDdlMetadata_msg, &metadata,
                     &pb_Empty_msg, &empty);
}

void handle_update_ddl(struct call *call) {
    struct update_work *w = call->prepared;
    struct err err = { 0 };
    enum code rc = OK;
    w->timestamps = ARENA_ARRAY(call->arena, int64_t, w->ddl.n);
    if (!w->timestamps) rc = err_oom(&err);
    w->job = (struct engine_ddl_job){
        .statements = w->ddl.items, .n = w->ddl.n, .ret_timestamps = w->timestamps, .done = update_done, .ctx = call
    };
    if (!rc) rc = engine_post_ddl(w->target.db, &w->job, &err);
    if (rc) spanner_end(call, rc, &err);
}
