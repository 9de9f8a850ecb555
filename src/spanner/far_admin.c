/* far_admin.c: databases of an upstream, their schemas and operations. */
#include "base/clock.h"
#include "policy/policy.h"
#include "spanner/admin.h"
#include "spanner/far.h"
#include "spanner/far_handle.h"
#include "spanner/operation_view.h"
#include "wire/pb/lro.pb.h"
#include "wire/pb/spanner_db.pb.h"

/* The request goes on as it was decoded: it holds no handle. */
static void send_as_is(struct call *call, const struct target *t) {
    struct far_call *f = far_new(call, t);
    if (f) far_send(f, call->request, false, NULL);
}

void far_create_database(struct call *call) {
    struct err err;
    if (!call->endpoint) send_as_is(call, create_database_target(call));
    else spanner_end(call, err_set(&err, ALREADY_EXISTS, "Database already exists: %.*s", STR_ARG(call->resource)), &err);
}

void far_get_database(struct call *call) {
    send_as_is(call, call->prepared);
}

void far_drop_database(struct call *call) {
    send_as_is(call, call->prepared);
}

void far_get_ddl(struct call *call) {
    send_as_is(call, call->prepared);
}

/* From the answer on the schema is another one: who asks next waits for it. */
static enum code show_ddl(struct forward *forward, void *message, struct arena *arena, struct err *err) {
    (void)message, (void)arena, (void)err;
    far_schema_is_another(far_of(forward)->target);
    return OK;
}

void far_update_ddl(struct call *call) {
    struct far_call *f = far_new(call, update_ddl_target(call));
    if (f) far_send(f, call->request, false, show_ddl);
}

/* ---- lists: only what the caller holds something in ---- */

static bool is_visible(const struct far_call *f, struct str name) {
    struct call *call = f->forward.call;
    struct spanner_name parts;
    struct err err;
    if (name_database(name, &parts, &err)) return false;
    struct str path = spanner_policy_path(call->arena, f->target->connection, parts.database);
    return path.p && policy_holds_something(call->policy, call->subject, path, (struct str){ NULL, 0 }, clock_wall_us());
}

static enum code show_databases(struct forward *forward, void *message, struct arena *arena, struct err *err) {
    struct spanner_db_ListDatabasesResponse *r = message;
    const struct far_call *f = far_of(forward);
    size_t n = 0;
    for (size_t i = 0; i < r->databases.n; i++)
        if (is_visible(f, r->databases.p[i].name)) r->databases.p[n++] = r->databases.p[i];
    r->databases.n = n;
    return far_seal(f->target, FAR_PAGE, (struct str){ NULL, 0 }, r->next_page_token, arena, &r->next_page_token, err);
}

void far_list_databases(struct call *call) {
    struct spanner_db_ListDatabasesRequest q = *(const struct spanner_db_ListDatabasesRequest *)call->request;
    const struct target *t = list_databases_target(call);
    struct err err;
    struct far_call *f = t ? far_new(call, t) : NULL;
    if (!f) return;
    enum code rc = far_open(t, FAR_PAGE, (struct str){ NULL, 0 }, q.page_token, call->arena, &q.page_token, &err);
    if (rc) spanner_end(call, rc, &err);
    else far_send(f, &q, false, show_databases);
}

/* ---- operations: the database that stands in the name is what is decided ---- */

/* When an operation ends, so may a change of the schema. */
static enum code show_operation(struct forward *forward, void *message, struct arena *arena, struct err *err) {
    struct lro_Operation *operation = message;
    if (operation->done) far_schema_is_another(far_of(forward)->target);
    return operation_view(forward->call, operation, arena, err);
}

void far_get_operation(struct call *call) {
    struct far_call *f = far_new(call, call->prepared);
    if (f) far_send(f, call->request, false, show_operation);
}

static enum code show_operations(struct forward *forward, void *message, struct arena *arena, struct err *err) {
    struct lro_ListOperationsResponse *r = message;
    enum code rc = OK;
    for (size_t i = 0; !rc && i < r->operations.n; i++) rc = operation_view(forward->call, &r->operations.p[i], arena, err);
    return rc ? rc
              : far_seal(far_of(forward)->target, FAR_PAGE, forward->call->resource, r->next_page_token, arena,
                         &r->next_page_token, err);
}

void far_list_operations(struct call *call) {
    struct lro_ListOperationsRequest q = *(const struct lro_ListOperationsRequest *)call->request;
    const struct target *t = call->prepared;
    struct err err;
    struct far_call *f = far_new(call, t);
    if (!f) return;
    enum code rc = far_open(t, FAR_PAGE, call->resource, q.page_token, call->arena, &q.page_token, &err);
    if (rc) spanner_end(call, rc, &err);
    else far_send(f, &q, false, show_operations);
}

void far_delete_operation(struct call *call) {
    send_as_is(call, call->prepared);
}

void far_cancel_operation(struct call *call) {
    send_as_is(call, call->prepared);
}
