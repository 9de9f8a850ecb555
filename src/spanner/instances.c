/* instances.c: instances and their configurations, which come from Linkspan's own configuration, and finished operations.
 * Of an upstream nothing is asked: the connection names the one instance there is, who calls there need not be allowed to
 * look at instances, and how large it is concerns nobody here (0 nodes: not told). */
#include "base/clock.h"
#include "policy/policy.h"
#include "spanner/admin.h"
#include "spanner/finish.h"
#include "spanner/names.h"
#include "spanner/operation_view.h"
#include "spanner/operations.h"
#include "spanner/target.h"
#include "wire/pb/spanner_inst.pb.h"

enum { MAX_OPERATIONS_LISTED = 1000 };

/* The policy's path of a database in the connection in which the caller holds something: who may use one may see the
 * instance. Without one, a path that no rule can name. */
static struct str usable_path(struct call *call, const struct spanner_connection *connection) {
    struct str path = arena_printf(call->arena, "spanner %.*s/", STR_ARG(connection ? connection->name : STR("?")));
    if (connection) spanner_usable(call, connection, &path);
    return path;
}

static enum code use_instance(struct call *call, struct str project, struct str instance, struct err *err) {
    const struct spanner_connection *connection = spanner_connection_of(call->service, project, instance);
    struct atom atom = { .verb = VERB_USE, .path = usable_path(call, connection) };
    call->prepared = (void *)(uintptr_t)connection;
    return atom.path.p && atoms_add(&call->atoms, call->arena, atom) ? OK : err_oom(err);
}

/* ---- instances ---- */

enum code classify_create_instance(struct call *call, struct err *err) {
    const struct spanner_inst_CreateInstanceRequest *q = call->request;
    struct spanner_name name;
    enum code rc = name_project(q->parent, &name, err);
    if (rc) return rc;
    call->resource = arena_printf(call->arena, "%.*s/instances/%.*s", STR_ARG(q->parent), STR_ARG(q->instance_id));
    return use_instance(call, name.project, q->instance_id, err);
}

/* What is decided here exists: instances are those of the configuration. */
void handle_create_instance(struct call *call) {
    struct err err;
    spanner_end(call, err_set(&err, ALREADY_EXISTS, "Instance already exists: %.*s", STR_ARG(call->resource)), &err);
}

enum code classify_get_instance(struct call *call, struct err *err) {
    struct spanner_name name;
    call->resource = ((const struct spanner_inst_GetInstanceRequest *)call->request)->name;
    enum code rc = name_instance(call->resource, &name, err);
    return rc ? rc : use_instance(call, name.project, name.instance, err);
}

/* The configurations of instances, one a back. */
static const struct back {
    struct str id, name;
} backs[] = { { STR_INIT("linkspan-embedded"), STR_INIT("Linkspan, embedded") },
              { STR_INIT("linkspan-upstream"), STR_INIT("Linkspan, in front of another Spanner") } };

static const struct back *back_of(const struct spanner_connection *c) {
    return &backs[c->far != NULL];
}

static bool is_used(const struct spanner *s, const struct back *back) {
    bool used = s->n_connections == 0 && back == &backs[0];
    for (size_t i = 0; i < s->n_connections; i++) used |= back_of(&s->connections[i]) == back;
    return used;
}

static struct spanner_inst_Instance describe(struct arena *arena, const struct spanner_connection *c) {
    return (struct spanner_inst_Instance){
        .name = arena_printf(arena, "projects/%.*s/instances/%.*s", STR_ARG(c->project), STR_ARG(c->instance)),
        .config = arena_printf(arena, "projects/%.*s/instanceConfigs/%.*s", STR_ARG(c->project), STR_ARG(back_of(c)->id)),
        .display_name = c->instance,
        .node_count = c->far ? 0 : 1,
        .processing_units = c->far ? 0 : 1000,
        .state = spanner_inst_Instance_State_READY,
    };
}

void handle_get_instance(struct call *call) {
    struct spanner_inst_Instance instance = describe(call->arena, call->prepared);
    finish_message(call, OK, &instance, NULL);
}

enum code classify_list_instances(struct call *call, struct err *err) {
    struct spanner_name *name = ARENA_NEW(call->arena, struct spanner_name);
    if (!name) return err_oom(err);
    call->prepared = name;
    call->resource = ((const struct spanner_inst_ListInstancesRequest *)call->request)->parent;
    return name_project(call->resource, name, err);
}

void handle_list_instances(struct call *call) {
    const struct spanner_name *name = call->prepared;
    const struct spanner *s = call->service;
    struct spanner_inst_Instance instances[SPANNER_MAX_CONNECTIONS];
    struct spanner_inst_ListInstancesResponse response = { .instances = { .p = instances } };
    for (size_t i = 0; i < s->n_connections; i++) {
        struct str path;
        if (!str_eq(s->connections[i].project, name->project) || !spanner_usable(call, &s->connections[i], &path)) continue;
        instances[response.instances.n++] = describe(call->arena, &s->connections[i]);
    }
    finish_message(call, OK, &response, NULL);
}

/* ---- configurations: those of the backs that there are, for every project ---- */

enum code classify_configs(struct call *call, struct err *err) {
    (void)err;
    call->resource = STR("instanceConfigs");
    return OK;
}

static struct spanner_inst_InstanceConfig config_of(struct arena *arena, struct str project, const struct back *back) {
    return (struct spanner_inst_InstanceConfig){
        .name = arena_printf(arena, "%.*s/instanceConfigs/%.*s", STR_ARG(project), STR_ARG(back->id)),
        .display_name = back->name,
    };
}

void handle_list_configs(struct call *call) {
    const struct spanner_inst_ListInstanceConfigsRequest *q = call->request;
    struct spanner_inst_InstanceConfig configs[COUNT(backs)];
    struct spanner_inst_ListInstanceConfigsResponse response = { .instance_configs = { .p = configs } };
    for (size_t i = 0; i < COUNT(backs); i++)
        if (is_used(call->service, &backs[i]))
            configs[response.instance_configs.n++] = config_of(call->arena, q->parent, &backs[i]);
    finish_message(call, OK, &response, NULL);
}

void handle_get_config(struct call *call) {
    const struct spanner_inst_GetInstanceConfigRequest *q = call->request;
    const struct back *back = NULL;
    struct spanner_name name;
    struct err err = { 0 };
    enum code rc = name_config(q->name, &name, &err);
    for (size_t i = 0; !rc && i < COUNT(backs); i++)
        if (str_eq(name.config, backs[i].id) && is_used(call->service, &backs[i])) back = &backs[i];
    if (!rc && !back) rc = err_set(&err, NOT_FOUND, "Instance config not found: %.*s", STR_ARG(str_upto(q->name, 300)));
    if (rc) {
        finish_message(call, rc, NULL, &err);
        return;
    }
    struct str project = arena_printf(call->arena, "projects/%.*s", STR_ARG(name.project));
    struct spanner_inst_InstanceConfig config = config_of(call->arena, project, back);
    finish_message(call, OK, &config, NULL);
}

/* ---- operations ---- */

/* Of a database. Instances have none here, whoever serves their databases: such a name is answered as one that is not
 * there. */
static enum code use_operation(struct call *call, enum verb verb, struct str full, struct err *err) {
    struct spanner_name name;
    call->resource = full;
    enum code rc = name_operation(full, &name, err);
    if (rc) return rc;
    if (!name.database.n) return use_instance(call, name.project, name.instance, err);
    struct target *t = ARENA_NEW(call->arena, struct target);
    if (!t) return err_oom(err);
    rc = target_connection(call, name.project, name.instance, name.database, t, err);
    if (rc) return rc;
    if (!t->connection) return use_instance(call, name.project, name.instance, err);
    call->prepared = t;
    return target_atom(call, t, (struct atom){ .verb = verb }, err);
}

enum code classify_get_operation(struct call *call, struct err *err) {
    return use_operation(call, VERB_USE, ((const struct lro_GetOperationRequest *)call->request)->name, err);
}

/* Who merely reads does not stop another's change, nor takes what tells how it went. */
enum code classify_delete_operation(struct call *call, struct err *err) {
    return use_operation(call, VERB_ADMINISTER, ((const struct lro_DeleteOperationRequest *)call->request)->name, err);
}

enum code classify_cancel_operation(struct call *call, struct err *err) {
    return use_operation(call, VERB_ADMINISTER, ((const struct lro_CancelOperationRequest *)call->request)->name, err);
}

/* "projects/P/instances/I/databases/D/operations": the parent is what is decided. */
enum code classify_list_operations(struct call *call, struct err *err) {
    struct str name = ((const struct lro_ListOperationsRequest *)call->request)->name;
    if (!str_ends(name, STR("/operations"))) name = arena_printf(call->arena, "%.*s/operations", STR_ARG(name));
    struct str any = arena_printf(call->arena, "%.*s/any", STR_ARG(name));
    enum code rc = any.p ? use_operation(call, VERB_USE, any, err) : err_oom(err);
    call->resource = name;
    return rc;
}

static enum code not_there(struct call *call, struct err *err) {
    return err_set(err, NOT_FOUND, "Operation not found: %.*s", STR_ARG(str_upto(call->resource, 300)));
}

void handle_get_operation(struct call *call) {
    struct spanner *s = call->service;
    struct str encoded = operations_get(s->operations, call->resource, call->arena);
    void *operation = NULL;
    struct err err = { 0 };
    enum code rc = encoded.p ? pb_decode(&lro_Operation_msg, encoded, call->arena, 0, &operation, &err)
                             : not_there(call, &err);
    if (!rc) rc = operation_view(call, operation, call->arena, &err);
    finish_message(call, rc, operation, &err);
}

void handle_list_operations(struct call *call) {
    struct spanner *s = call->service;
    struct str *encoded = ARENA_ARRAY(call->arena, struct str, MAX_OPERATIONS_LISTED);
    struct lro_ListOperationsResponse response = { 0 };
    struct err err = { 0 };
    struct str prefix = arena_printf(call->arena, "%.*s/", STR_ARG(call->resource));
    response.operations.p = ARENA_ARRAY(call->arena, struct lro_Operation, MAX_OPERATIONS_LISTED);
    enum code rc = encoded && response.operations.p && prefix.p ? OK : err_oom(&err);
    size_t n = rc ? 0 : operations_list(s->operations, prefix, call->arena, encoded, MAX_OPERATIONS_LISTED);
    for (size_t i = 0; !rc && i < n; i++) {
        void *operation = NULL;
        rc = pb_decode(&lro_Operation_msg, encoded[i], call->arena, 0, &operation, &err);
        if (!rc) rc = operation_view(call, operation, call->arena, &err);
        if (!rc) response.operations.p[response.operations.n++] = *(struct lro_Operation *)operation;
    }
    finish_message(call, rc, &response, &err);
}

void handle_delete_operation(struct call *call) {
    struct spanner *s = call->service;
    struct pb_Empty empty = { 0 };
    struct err err = { 0 };
    enum code rc = operations_delete(s->operations, call->resource) ? OK : not_there(call, &err);
    finish_message(call, rc, &empty, &err);
}

/* They have all ended: there is nothing to cancel. */
void handle_cancel_operation(struct call *call) {
    struct pb_Empty empty = { 0 };
    finish_message(call, OK, &empty, NULL);
}
