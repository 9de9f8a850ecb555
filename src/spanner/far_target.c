/* far_target.c: the schema behind a target whose connection is upstream. */
#include "googlesql/catalog.h"
#include "spanner/far.h"
#include "spanner/far_handle.h"
#include "spanner/far_side.h"

struct schema_wait {
    struct far_schema_wait wait;
    struct far_schema *schemas;
    struct call *call;
};

/* The snapshot, or the failure, is kept: classify asks for it again. */
static void on_schema(struct far_schema_wait *wait, const struct sql_catalog *snapshot, const struct err *err) {
    (void)err;
    far_schema_unref(snapshot);
    call_again(CONTAINER_OF(wait, struct schema_wait, wait)->call);
}

/* Who asked has gone: the reading is others', and goes on without him. False: on_schema is called, or was. */
static void on_cancel(void *ctx) {
    struct schema_wait *w = ctx;
    if (far_schema_wait_cancel(w->schemas, &w->wait)) call_again(w->call);
}

static void give_back(void *ctx) {
    far_schema_unref(ctx);
}

enum code far_target_schema(struct call *call, struct target *t, struct err *err) {
    static const struct sql_catalog nothing;
    struct schema_wait *w = ARENA_NEW(call->arena, struct schema_wait);
    struct str database = far_database(t, call->arena);
    if (!w || !database.p) return err_oom(err);
    t->catalog = &nothing;
    if (!target_may_learn(call, t)) return OK; /* the atoms refuse him, whatever the schema is */
    *w = (struct schema_wait){ .wait = { .done = on_schema }, .schemas = far_side_of(t)->schemas, .call = call };
    const struct sql_catalog *snapshot = NULL;
    call_wait(call); /* before the answer can come, on another thread */
    call_on_cancel(call, on_cancel, w);
    enum code rc = far_schema_get(w->schemas, database, &w->wait, &snapshot, err);
    if (!rc && !snapshot) return err_set(err, UNAVAILABLE, "the schema is being read");
    call_on_cancel(call, NULL, NULL);
    call_wait_over(call);
    if (rc) return rc;
    t->catalog = snapshot;
    return call_at_end(call, give_back, (void *)(uintptr_t)snapshot) ? OK : err_oom(err);
}

static void mark(const struct target *t, void (*how)(struct far_schema *cache, struct str database)) {
    DEFER(arena_freep) struct arena *arena = arena_new(4096);
    struct str database = arena ? far_database(t, arena) : (struct str){ NULL, 0 };
    if (database.p) how(far_side_of(t)->schemas, database);
}

void far_schema_doubt(const struct target *t) {
    mark(t, far_schema_stale);
}

void far_schema_is_another(const struct target *t) {
    mark(t, far_schema_changed);
}

enum code far_no_index(struct call *call, const struct target *t, struct str table, struct str index, struct err *err) {
    if (!target_may_learn(call, t)) return OK;
    far_schema_doubt(t); /* it may be new */
    return err_set(err, NOT_FOUND, "Index not found on table %.*s: %.*s", STR_ARG(str_upto(table, SQL_MAX_IDENTIFIER)),
                   STR_ARG(str_upto(index, SQL_MAX_IDENTIFIER)));
}

enum code far_unresolved(struct call *call, const struct target *t, struct str table, struct str column, struct err *err) {
    if (!target_may_learn(call, t)) return OK;
    far_schema_doubt(t); /* it may be new */
    table = str_upto(table, SQL_MAX_IDENTIFIER);
    const struct sql_other *other = sql_catalog_find_other(t->catalog, &table, 1);
    if (other) return err_set(err, UNIMPLEMENTED, "%.*s is %s: not supported yet", STR_ARG(other->name), other->what);
    if (!column.n) return err_set(err, NOT_FOUND, "Table not found: %.*s", STR_ARG(table));
    return err_set(err, NOT_FOUND, "Column not found in table %.*s: %.*s", STR_ARG(table),
                   STR_ARG(str_upto(column, SQL_MAX_IDENTIFIER)));
}
