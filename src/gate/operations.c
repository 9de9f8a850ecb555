#include "gate/operations.h"
#include "dataproc/dataproc.h"
#include "service/call.h"
#include "spanner/admin.h"
#include "spanner/far.h"
#include "wire/pb/lro.pb.h"

enum { OPERATION_METHODS = 4 };

/* How each system answers; dataproc's are numbered alike. */
static const struct spanner_row {
    enum code (*classify)(struct call *call, struct err *err);
    void (*handle)(struct call *call);
    void (*forward)(struct call *call);
} spanner_rows[OPERATION_METHODS] = {
    [DATAPROC_OP_GET] = { classify_get_operation, handle_get_operation, far_get_operation },
    [DATAPROC_OP_LIST] = { classify_list_operations, handle_list_operations, far_list_operations },
    [DATAPROC_OP_CANCEL] = { classify_cancel_operation, handle_cancel_operation, far_cancel_operation },
    [DATAPROC_OP_DELETE] = { classify_delete_operation, handle_delete_operation, far_delete_operation },
};

/* From here on the call belongs to the system whose operation it is. */
static enum code classify(struct call *call, enum dataproc_operation_method which, struct str name, struct err *err) {
    struct gate *gate = gate_of_call(call);
    struct dataproc *dataproc = gate->dataproc ? dataproc_of_operation(gate->dataproc, name) : NULL;
    if (dataproc) {
        return dataproc_operation_classify(dataproc, which, call, err);
    }
    call->service = gate->spanner;
    return spanner_rows[which].classify(call, err);
}

static void handle(struct call *call, enum dataproc_operation_method which) {
    struct gate *gate = gate_of_call(call);
    if (call->service == gate->spanner) spanner_rows[which].handle(call);
    else dataproc_operation_handle(call->service, which, call);
}

/* An upstream's: the same, sent on. */
static void forward(struct call *call, enum dataproc_operation_method which) {
    struct gate *gate = gate_of_call(call);
    if (call->service == gate->spanner) spanner_rows[which].forward(call);
    else dataproc_operation_handle(call->service, which, call);
}

#define ROW(word, which, message)                                                                                          \
    static enum code classify_##word(struct call *call, struct err *err) {                                                 \
        return classify(call, which, ((const struct message *)call->request)->name, err);                                  \
    }                                                                                                                      \
    static void handle_##word(struct call *call) {                                                                         \
        handle(call, which);                                                                                               \
    }                                                                                                                      \
    static void forward_##word(struct call *call) {                                                                        \
        forward(call, which);                                                                                              \
    }
ROW(get, DATAPROC_OP_GET, lro_GetOperationRequest)
ROW(list, DATAPROC_OP_LIST, lro_ListOperationsRequest)
ROW(cancel, DATAPROC_OP_CANCEL, lro_CancelOperationRequest)
ROW(delete, DATAPROC_OP_DELETE, lro_DeleteOperationRequest)

#define OPERATION "/v1/{name=projects/*/instances/*/databases/*/operations/*}"
static const struct method methods[] = {
    { .grpc = "google.longrunning.Operations/GetOperation",
      .verb = "GET",
      .path = OPERATION,
      .request = &lro_GetOperationRequest_msg,
      .response = &lro_Operation_msg,
      .permission = "spanner.databaseOperations.get",
      .record = RECORD_PROMPT,
      .classify = classify_get,
      .handle = handle_get,
      .forward = forward_get,
      .about = "How an operation stands." },
    { .grpc = "google.longrunning.Operations/ListOperations",
      .verb = "GET",
      .path = "/v1/{name=projects/*/instances/*/databases/*/operations}",
      .request = &lro_ListOperationsRequest_msg,
      .response = &lro_ListOperationsResponse_msg,
      .permission = "spanner.databaseOperations.list",
      .record = RECORD_PROMPT,
      .classify = classify_list,
      .handle = handle_list,
      .forward = forward_list,
      .about = "Operations of a database or region." },
    { .grpc = "google.longrunning.Operations/CancelOperation",
      .verb = "POST",
      .path = OPERATION ":cancel",
      .request = &lro_CancelOperationRequest_msg,
      .response = &pb_Empty_msg,
      .permission = "spanner.databaseOperations.cancel",
      .record = RECORD_ENFORCED,
      .classify = classify_cancel,
      .handle = handle_cancel,
      .forward = forward_cancel,
      .about = "Cancels an operation." },
    { .grpc = "google.longrunning.Operations/DeleteOperation",
      .verb = "DELETE",
      .path = OPERATION,
      .request = &lro_DeleteOperationRequest_msg,
      .response = &pb_Empty_msg,
      .permission = "spanner.databaseOperations.delete",
      .record = RECORD_PROMPT,
      .classify = classify_delete,
      .handle = handle_delete,
      .forward = forward_delete,
      .about = "Forgets an operation." },
};

struct service operations_service(struct gate *gate) {
    static const char *const scopes[] = { SCOPE_OF_GOOGLE "spanner.admin", NULL }; /* of Spanner's alone */
    return (struct service){ .name = "operations",
                             .methods = methods,
                             .n_methods = COUNT(methods),
                             .state = gate,
                             .for_jobs = true,
                             .scopes = scopes };
}
