/* remote_operations.c: operations of an upstream, by the names that we gave their owners. */
#include "dataproc/remote.h"

/* As embedded: a job's for whom the policy lets see or cancel it, a cluster's also for its administrators. */
enum code remote_operation_classify(struct dataproc *dataproc, enum dataproc_operation_method which, struct call *call,
                                    struct str id, struct err *err) {
    struct remote_operation *operation = ARENA_NEW(call->arena, struct remote_operation);
    if (!operation) return err_oom(err);
    if (which == DATAPROC_OP_LIST)
        return err_set(err, UNIMPLEMENTED, "ListOperations is not supported on an upstream connection");
    enum code rc = remote_operation_open(dataproc, call, id, operation, err);
    if (rc) return rc;
    call->prepared = operation;
    call->resource = operation->name;
    struct atom plain = { .verb = which == DATAPROC_OP_GET ? VERB_SEE_JOBS : VERB_CANCEL_JOBS,
                          .path = access_path(dataproc, operation->cluster, call->arena) },
                administer = { .verb = VERB_ADMINISTER, .path = plain.path };
    bool as_administrator = operation->of_cluster && access_allows(call, administer);
    return access_add(call, as_administrator ? administer : plain, err);
}

/* The three requests are a name each. */
static const void *message_of(enum dataproc_operation_method which, struct str name, struct arena *arena) {
    struct lro_GetOperationRequest *get = PB_NEW(arena, lro_GetOperationRequest);
    struct lro_CancelOperationRequest *cancel = PB_NEW(arena, lro_CancelOperationRequest);
    struct lro_DeleteOperationRequest *forget = PB_NEW(arena, lro_DeleteOperationRequest);
    if (!get || !cancel || !forget) return NULL;
    get->name = cancel->name = forget->name = name;
    return which == DATAPROC_OP_GET      ? (const void *)get
           : which == DATAPROC_OP_CANCEL ? (const void *)cancel
                                         : (const void *)forget;
}

static enum code show_our_name(struct forward *forward, void *message, struct arena *arena, struct err *err) {
    const struct remote_operation *operation = forward->ctx;
    (void)arena;
    (void)err;
    ((struct lro_Operation *)message)->name = operation->shown;
    return OK;
}

void remote_operation_handle(enum dataproc_operation_method which, struct call *call) {
    static const char *const paths[] = {
        [DATAPROC_OP_GET] = "/google.longrunning.Operations/GetOperation",
        [DATAPROC_OP_CANCEL] = "/google.longrunning.Operations/CancelOperation",
        [DATAPROC_OP_DELETE] = "/google.longrunning.Operations/DeleteOperation",
    };
    struct remote_operation *operation = call->prepared;
    const void *message = message_of(which, operation->name, call->arena);
    if (!message) {
        remote_refuse(call, RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    struct forward *forward = remote_forward(call, message);
    if (!forward) return;
    forward->path = paths[which];
    forward->ctx = operation;
    forward->hidden = operation->name;
    forward->shown = operation->shown;
    if (which == DATAPROC_OP_GET) forward->answer = show_our_name;
    forward_start(forward);
}
