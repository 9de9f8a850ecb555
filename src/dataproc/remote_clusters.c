/* remote_clusters.c: clusters of an upstream: seen and deleted. They are made there, as the account that the configuration
 * says. */
#include "dataproc/remote.h"

/* The same words whether it is not there, not ours, or nobody's business. */
static enum code not_found(struct str name, struct err *err) {
    return err_set(err, NOT_FOUND, "cluster not found: %.*s", STR_ARG(name));
}

static void words_of_not_found(struct forward *forward, enum code *io_code, struct err *io_err) {
    const struct str *name = forward->ctx;
    if (*io_code == NOT_FOUND) (void)not_found(*name, io_err);
}

static void send_on(struct call *call, const void *message, const struct str *name,
                    enum code (*answer)(struct forward *, void *, struct arena *, struct err *)) {
    struct forward *forward = remote_forward(call, message);
    if (!forward) return;
    forward->ctx = (void *)(uintptr_t)name;
    forward->answer = answer;
    forward->end = words_of_not_found;
    forward_start(forward);
}

void remote_get_cluster(struct call *call) {
    const struct dataproc_GetClusterRequest *r = call->request;
    struct err err = { 0 };
    if (remote_has_cluster(call->service, r->cluster_name) && access_holds_cluster(call->service, call, r->cluster_name))
        send_on(call, r, &r->cluster_name, NULL);
    else call_end(call, not_found(r->cluster_name, &err), &err);
}

static enum code seal_operation(struct forward *forward, void *message, struct arena *arena, struct err *err) {
    const struct str *name = forward->ctx;
    (void)arena;
    return remote_operation_seal(forward->call, *name, true, message, err);
}

void remote_delete_cluster(struct call *call) {
    const struct dataproc_DeleteClusterRequest *r = call->request;
    struct dataproc_DeleteClusterRequest *message = PB_NEW(call->arena, dataproc_DeleteClusterRequest);
    struct err err = { 0 };
    enum code rc = message ? OK : err_oom(&err);
    if (!rc && !remote_has_cluster(call->service, r->cluster_name)) rc = not_found(r->cluster_name, &err);
    if (!rc) {
        *message = *r;
        rc = remote_request_id(call, r->cluster_name, STR(""), &message->request_id, &err);
    }
    if (rc) call_end(call, rc, &err);
    else send_on(call, message, &r->cluster_name, seal_operation);
}
