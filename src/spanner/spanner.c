#include "spanner/spanner.h"
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/decimal.h"
#include "engine/sql/functions.h"
#include "policy/policy.h"
#include "spanner/far_side.h"
#include "spanner/internal.h"
#include "spanner/methods.h"
#include "spanner/operations.h"
#include "spanner/session.h"
#include "spanner/statements.h"
#include "spanner/worker.h"
#include "wire/pb/pb_write.h"

/* ---- the databases ---- */

static struct str key_of(char out[160], struct str instance, struct str database) {
    size_t n = 0;
    if (instance.n + database.n + 1 > 159) return (struct str){ NULL, 0 };
    memcpy(out, instance.p, instance.n);
    n = instance.n;
    out[n++] = '/';
    memcpy(out + n, database.p, database.n);
    return (struct str){ out, n + database.n };
}

/* engine_db_ref does not exist on purpose: a reference is what engine_get_database gives; an open one comes at once. */
struct engine_db *spanner_database(struct spanner *s, struct str instance, struct str database) {
    char text[160];
    struct str key = key_of(text, instance, database);
    (void)pthread_mutex_lock(&s->lock);
    struct engine_db *db = key.p ? map_get(s->databases, key) : NULL;
    if (db) db = engine_db_ref(db);
    (void)pthread_mutex_unlock(&s->lock);
    return db;
}

enum code spanner_open_database(struct spanner *s, struct str instance, struct str database, struct err *err) {
    char text[160];
    struct engine_db *db;
    enum code rc = engine_get_database(s->engine, instance, database, &db, err);
    if (rc) return rc;
    (void)pthread_mutex_lock(&s->lock);
    void *old = NULL;
    bool put = map_put(s->databases, key_of(text, instance, database), db, &old);
    (void)pthread_mutex_unlock(&s->lock);
    engine_db_unref(put ? old : db);
    return put ? OK : err_oom(err);
}

void spanner_close_database(struct spanner *s, struct str instance, struct str database) {
    char text[160];
    (void)pthread_mutex_lock(&s->lock);
    struct engine_db *db = map_remove(s->databases, key_of(text, instance, database));
    (void)pthread_mutex_unlock(&s->lock);
    engine_db_unref(db);
}

void spanner_each_database(struct call *call, const struct spanner_connection *connection,
                           bool (*fn)(void *ctx, struct engine_db *db, struct str database), void *ctx) {
    struct spanner *s = call->service;
    size_t at = 0;
    struct str key;
    void *value;
    bool go_on = true;
    (void)pthread_mutex_lock(&s->lock);
    while (go_on && map_next(s->databases, &at, &key, &value)) {
        struct str database = key;
        if (!str_eq(str_cut(&database, '/'), connection->instance)) continue;
        struct str path = spanner_policy_path(call->arena, connection, database);
        if (policy_holds_something(call->policy, call->subject, path, (struct str){ NULL, 0 }, clock_wall_us()))
            go_on = fn(ctx, value, database);
    }
    (void)pthread_mutex_unlock(&s->lock);
}

struct first_usable {
    struct call *call;
    const struct spanner_connection *connection;
    struct str *path;
    bool found;
};

static bool take_first(void *ctx, struct engine_db *db, struct str database) {
    (void)db;
    struct first_usable *f = ctx;
    *f->path = spanner_policy_path(f->call->arena, f->connection, database);
    f->found = true;
    return false;
}

/* Which databases an upstream has is not known here: what rules name is asked for. */
static bool far_usable(struct call *call, const struct spanner_connection *connection, struct str *path) {
    struct str system = arena_printf(call->arena, "spanner %.*s/", STR_ARG(connection->name));
    struct str held = { 0 };
    if (system.p) held = policy_path_held(call->policy, call->subject, system, clock_wall_us(), call->arena);
    if (held.n) *path = held;
    return held.n > 0;
}

bool spanner_usable(struct call *call, const struct spanner_connection *connection, struct str *path) {
    if (connection->far) return far_usable(call, connection, path);
    struct first_usable f = { .call = call, .connection = connection, .path = path };
    spanner_each_database(call, connection, take_first, &f);
    return f.found;
}

/* ---- names and owners ---- */

const struct spanner_connection *spanner_connection_of(const struct spanner *s, struct str project, struct str instance) {
    for (size_t i = 0; i < s->n_connections; i++)
        if (str_eq(s->connections[i].project, project) && str_eq(s->connections[i].instance, instance))
            return &s->connections[i];
    return NULL;
}

struct str spanner_policy_path(struct arena *arena, const struct spanner_connection *connection, struct str database) {
    const struct str parts[] = { STR("spanner "), connection ? connection->name : STR("?"), STR("/"), database };
    return str_join(arena, parts, COUNT(parts));
}

struct str spanner_owner(struct arena *arena, const struct principal *p) {
    /* subjects hold what they like: lengths keep "a|b" of one and "a", "b" of another apart */
    char kind[DECIMAL_MAX], n_issuer[DECIMAL_MAX], n_subject[DECIMAL_MAX];
    const struct str parts[] = { { kind, decimal_u64(p->actor.kind, kind) },
                                 STR("|"),
                                 { n_issuer, decimal_u64(p->actor.issuer.n, n_issuer) },
                                 STR(":"),
                                 p->actor.issuer,
                                 STR("|"),
                                 { n_subject, decimal_u64(p->actor.subject.n, n_subject) },
                                 STR(":"),
                                 p->actor.subject,
                                 STR("|"),
                                 p->job_run };
    return str_join(arena, parts, COUNT(parts));
}

/* ---- ends ---- */

enum code spanner_not_found(struct call *call, const char *kind, const char *what, struct str name, struct err *err) {
    DEFER(buf_free) struct buf info = BUF_INIT(4096), type = BUF_INIT(256);
    buf_printf(&type, "%s%s", strchr(kind, '/') ? "" : "type.googleapis.com/", kind);
    pb_put_bytes(&info, 1, buf_str(&type));
    pb_put_bytes(&info, 2, str_upto(name, 1000));
    if (buf_ok(&info)) call_add_detail(call, "google.rpc.ResourceInfo", buf_str(&info));
    return err_set(err, NOT_FOUND, "%s not found: %.*s", what, STR_ARG(str_upto(name, 500)));
}

void spanner_end(struct call *call, enum code code, const struct err *err) {
    static const char retry_in_10_ms[] = "\x0a\x05\x10\x80\xad\xe2\x04"; /* RetryInfo{retry_delay{nanos: 10,000,000}} */
    if (code == ABORTED)
        call_add_detail(call, "google.rpc.RetryInfo", (struct str){ retry_in_10_ms, sizeof retry_in_10_ms - 1 });
    call_end(call, code, err);
}

/* ---- life ---- */

struct opening {
    struct spanner *spanner;
    struct str instance;
    enum code code;
    struct err *err;
};

static bool open_one(void *ctx, struct str database) {
    struct opening *o = ctx;
    o->code = spanner_open_database(o->spanner, o->instance, database, o->err);
    return !o->code;
}

static enum code open_far_sides(struct spanner *s, const char *keys, struct err *err) {
    enum code rc = OK;
    for (size_t i = 0; !rc && i < s->n_connections; i++)
        if (s->connections[i].far) rc = far_side_new(&s->connections[i], keys, &s->far_sides[i], err);
    return rc;
}

static enum code open_all(struct spanner *s, struct err *err) {
    for (size_t i = 0; i < s->n_connections; i++) {
        if (s->connections[i].far) continue;
        struct opening opening = { .spanner = s, .instance = s->connections[i].instance, .err = err };
        enum code rc = engine_list_databases(s->engine, opening.instance, open_one, &opening, err);
        if (rc || opening.code) return rc ? rc : opening.code;
    }
    return OK;
}

static enum code open_session_sealer(const char *keys, struct sealer **ret, struct err *err) {
    if (keys) return sealer_open_file(keys, "sessions.key", sealer_new_salted, ret, err);
    return (*ret = sealer_new_random()) ? OK : err_oom(err);
}

enum code spanner_new(const struct spanner_config *config, struct spanner **ret, struct err *err) {
    struct spanner *s = calloc(1, sizeof *s);
    if (!s) return err_oom(err);
    (void)pthread_mutex_init(&s->lock, NULL);
    s->engine = config->engine;
    s->n_connections = config->n_connections;
    memcpy(s->connections, config->connections, sizeof s->connections);
    enum code rc = open_session_sealer(config->keys, &s->session_sealer, err);
    if (rc) {
        spanner_free(s);
        return rc;
    }
    s->sealer = sealer_new_random();
    s->sessions = sessions_new(s->session_sealer);
    s->operations = operations_new();
    s->statements = statements_new();
    s->databases = map_new();
    s->admin = admin_thread_new();
    s->info = admin_thread_new();
    bool made = s->sealer && s->sessions && s->operations && s->statements && s->databases && s->admin && s->info;
    rc = made ? open_all(s, err) : err_oom(err);
    if (!rc) rc = open_far_sides(s, config->keys, err);
    if (rc) spanner_free(s);
    else *ret = s;
    return rc;
}

static void unref_database(void *db) {
    engine_db_unref(db);
}

void spanner_free(struct spanner *s) {
    if (!s) return;
    for (size_t i = 0; i < s->n_connections; i++) far_side_free(s->far_sides[i]);
    admin_thread_free(s->admin);
    admin_thread_free(s->info);
    map_free(s->databases, unref_database);
    operations_free(s->operations);
    statements_free(s->statements);
    sessions_free(s->sessions);
    sealer_free(s->session_sealer);
    sealer_free(s->sealer);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

int spanner_setup_connection(void *ctx, sqlite3 *connection) {
    struct err err;
    (void)ctx;
    return sql_functions_register(connection, &err) ? SQLITE_NOMEM : SQLITE_OK;
}

struct service spanner_service(struct spanner *s) {
    static const char *const scopes[] = { SCOPE_OF_GOOGLE "spanner.data", SCOPE_OF_GOOGLE "spanner.admin", NULL };
    return (struct service){ .name = "spanner",
                             .methods = spanner_methods,
                             .n_methods = spanner_n_methods,
                             .state = s,
                             .for_jobs = true,
                             .scopes = scopes };
}

int spanner_knows(struct spanner *s, struct str connection, struct str database, struct str table, struct str column) {
    struct engine_db *db = NULL;
    for (size_t i = 0; i < s->n_connections && !db; i++)
        if (str_eq(s->connections[i].name, connection)) db = spanner_database(s, s->connections[i].instance, database);
    if (!db) return -1;
    const struct sql_catalog *catalog = engine_catalog(db);
    const struct sql_table *found = sql_catalog_find(catalog, table);
    int known = found && (column.n == 0 || sql_table_find(found, column) >= 0);
    engine_catalog_unref(catalog);
    engine_db_unref(db);
    return known;
}
