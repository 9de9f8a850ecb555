/* clusters.c: an embedded cluster is a row: a name under which jobs are placed and rules are written. It runs at once. */
#include "dataproc/dataproc_priv.h"
#include "dataproc/filter.h"

static enum code set_resource(struct dataproc *dataproc, struct call *call, struct str name, struct err *err) {
    call->resource = arena_printf(call->arena, "projects/%.*s/regions/%.*s/clusters/%.*s", STR_ARG(dataproc->project),
                                  STR_ARG(dataproc->region), STR_ARG(name));
    return call->resource.p ? OK : err_oom(err);
}

static enum code classify_named(struct call *call, struct str project, struct str region, struct str name, bool administer,
                                struct err *err) {
    struct dataproc *dataproc;
    enum code rc = access_enter(call, project, region, &dataproc, err);
    if (!rc) rc = names_check_id("clusterName", name, 52, err);
    if (!rc) rc = set_resource(dataproc, call, name, err);
    if (rc || !administer) return rc;
    return access_add(call, (struct atom){ .verb = VERB_ADMINISTER, .path = access_path(dataproc, name, call->arena) },
                      err);
}

/* ---- create ---- */

/* What would have to be done by a real cluster is refused by name; what only describes machines is kept as it was sent. */
static enum code check_config(const struct dataproc_Cluster *cluster, struct err *err) {
    const struct dataproc_ClusterConfig *c = cluster->config;
    if (cluster->virtual_cluster_config) return err_set(err, UNIMPLEMENTED, "virtualClusterConfig is not supported here");
    if (!c) return OK;
    const struct {
        bool there;
        const char *name;
    } parts[] = {
        { c->initialization_actions.n > 0, "initializationActions" },
        { c->encryption_config != NULL, "encryptionConfig" },
        { c->security_config != NULL, "securityConfig" },
        { c->lifecycle_config != NULL, "lifecycleConfig" },
        { c->autoscaling_config != NULL, "autoscalingConfig" },
        { c->metastore_config != NULL, "metastoreConfig" },
        { c->auxiliary_node_groups.n > 0, "auxiliaryNodeGroups" },
        { c->gce_cluster_config && c->gce_cluster_config->service_account.n,
          "gceClusterConfig.serviceAccount (the policy says "
          "as whom a job runs)" },
        { c->software_config && c->software_config->properties.n, "softwareConfig.properties (the configuration's and the "
                                                                  "job's properties count)" },
    };
    for (size_t i = 0; i < COUNT(parts); i++)
        if (parts[i].there) return err_set(err, UNIMPLEMENTED, "config.%s is not supported here", parts[i].name);
    return OK;
}

enum code classify_create_cluster(struct call *call, struct err *err) {
    const struct dataproc_CreateClusterRequest *r = call->request;
    if (!r->cluster) return err_set(err, INVALID_ARGUMENT, "the request has no cluster");
    enum code rc = classify_named(call, r->project_id, r->region, r->cluster->cluster_name, true, err);
    if (!rc) rc = names_check_request(r->request_id, err);
    return rc ? rc : check_config(r->cluster, err);
}

static enum code make_cluster(struct dataproc *dataproc, struct call *call, struct cluster_row *row, struct err *err) {
    const struct dataproc_CreateClusterRequest *r = call->request;
    struct dataproc_Cluster *body = PB_NEW(call->arena, dataproc_Cluster);
    struct dataproc_ClusterStatus *status = PB_NEW(call->arena, dataproc_ClusterStatus);
    struct dataproc_ClusterConfig *config = r->cluster->config ? r->cluster->config
                                                               : PB_NEW(call->arena, dataproc_ClusterConfig);
    if (!body || !status || !config || !names_uuid(call->arena, &row->uuid)) return err_oom(err);
    config->config_bucket = arena_printf(call->arena, "linkspan-%.*s", STR_ARG(dataproc->connection));
    *status = (struct dataproc_ClusterStatus){ .state = dataproc_ClusterStatus_State_RUNNING,
                                               .state_start_time = names_now(call->arena) };
    row->name = r->cluster->cluster_name;
    row->body = body;
    body->project_id = dataproc->project;
    body->cluster_name = row->name;
    body->cluster_uuid = row->uuid;
    body->config = config;
    body->status = status;
    body->labels.p = r->cluster->labels.p;
    body->labels.n = r->cluster->labels.n;
    return OK;
}

static enum code answer_again(struct dataproc *dataproc, struct call *call, struct str id, struct err *err) {
    struct operation_row first;
    enum code rc = state_operation_get(dataproc->state, id, call->arena, &first, err);
    return rc ? rc : desk_reply(call, first.body, err);
}

static struct str last_part(struct str name) {
    while (name.n && str_find_char(name, '/') >= 0) (void)str_cut(&name, '/');
    return name;
}

/* The operation is done when it is answered; its id is kept for a repeated request. */
static enum code answer(struct dataproc *dataproc, struct call *call, struct str type, struct str request,
                        const struct dataproc_Cluster *cluster, bool with_cluster, struct err *err) {
    const struct pb_Empty nothing = { 0 };
    struct lro_Operation *operation;
    enum code rc = operation_for_cluster(dataproc, call, type, cluster,
                                         with_cluster ? &dataproc_Cluster_msg : &pb_Empty_msg,
                                         with_cluster ? (const void *)cluster : &nothing, &operation, err);
    if (!rc && request.n)
        rc = state_request_put(dataproc->state, access_asker(call, cluster->cluster_name, call->arena), type, request,
                               last_part(operation->name), err);
    return rc ? rc : desk_reply(call, operation, err);
}

static enum code create_cluster(struct dataproc *dataproc, struct call *call, struct err *err) {
    const struct dataproc_CreateClusterRequest *r = call->request;
    struct cluster_row row, old;
    struct str first;
    bool again;
    struct err ignored;
    enum code rc = state_request_get(dataproc->state, access_asker(call, r->cluster->cluster_name, call->arena),
                                     STR("CREATE"), r->request_id, call->arena, &again, &first, err);
    if (!rc && again) return answer_again(dataproc, call, first, err);
    if (rc) return rc;
    if (state_cluster_get(dataproc->state, r->cluster->cluster_name, call->arena, &old, &ignored) == OK)
        return err_set(err, ALREADY_EXISTS, "cluster %.*s exists already", STR_ARG(old.name));
    rc = make_cluster(dataproc, call, &row, err);
    if (!rc) rc = state_cluster_insert(dataproc->state, &row, err);
    return rc ? rc : answer(dataproc, call, STR("CREATE"), r->request_id, row.body, true, err);
}

void handle_create_cluster(struct call *call) {
    desk_post(call->service, call, create_cluster);
}

/* ---- delete, update ---- */

enum code classify_delete_cluster(struct call *call, struct err *err) {
    const struct dataproc_DeleteClusterRequest *r = call->request;
    enum code rc = classify_named(call, r->project_id, r->region, r->cluster_name, true, err);
    return rc ? rc : names_check_request(r->request_id, err);
}

static bool runs_there(void *ctx, const struct job_row *row) {
    struct cluster_row *cluster = ctx;
    if (!row->body->done && str_eq(row->cluster, cluster->name)) cluster->body = NULL; /* found one */
    return cluster->body != NULL;
}

static enum code delete_cluster(struct dataproc *dataproc, struct call *call, struct err *err) {
    const struct dataproc_DeleteClusterRequest *r = call->request;
    struct cluster_row row, seen;
    struct str first;
    bool again;
    enum code rc = state_request_get(dataproc->state, access_asker(call, r->cluster_name, call->arena), STR("DELETE"),
                                     r->request_id, call->arena, &again, &first, err);
    if (!rc && again) return answer_again(dataproc, call, first, err);
    if (!rc) rc = state_cluster_get(dataproc->state, r->cluster_name, call->arena, &row, err);
    if (rc) return rc;
    if (r->cluster_uuid.n && !str_eq(r->cluster_uuid, row.uuid))
        return err_set(err, NOT_FOUND, "cluster %.*s is another one by now: its uuid differs", STR_ARG(row.name));
    seen = row;
    rc = state_job_list(dataproc->state, 0, call->arena, runs_there, &seen, err);
    if (rc) return rc;
    if (!seen.body) return err_set(err, FAILED_PRECONDITION, "jobs still run on cluster %.*s", STR_ARG(row.name));
    rc = state_cluster_delete(dataproc->state, row.name, err);
    return rc ? rc : answer(dataproc, call, STR("DELETE"), r->request_id, row.body, false, err);
}

void handle_delete_cluster(struct call *call) {
    desk_post(call->service, call, delete_cluster);
}

enum code classify_update_cluster(struct call *call, struct err *err) {
    const struct dataproc_UpdateClusterRequest *r = call->request;
    enum code rc = classify_named(call, r->project_id, r->region, r->cluster_name, true, err);
    return rc ? rc
              : err_set(err, UNIMPLEMENTED, "UpdateCluster is not supported: an embedded cluster has nothing to change");
}

void handle_update_cluster(struct call *call) {
    struct err err = { 0 };
    call_end(call, err_set(&err, UNIMPLEMENTED, "UpdateCluster is not supported"), &err);
}

/* ---- get, list: whoever holds something on the cluster ---- */

enum code classify_get_cluster(struct call *call, struct err *err) {
    const struct dataproc_GetClusterRequest *r = call->request;
    return classify_named(call, r->project_id, r->region, r->cluster_name, false, err);
}

static enum code get_cluster(struct dataproc *dataproc, struct call *call, struct err *err) {
    const struct dataproc_GetClusterRequest *r = call->request;
    struct cluster_row row;
    enum code rc = state_cluster_get(dataproc->state, r->cluster_name, call->arena, &row, err);
    if (rc) return rc;
    if (!access_holds_cluster(dataproc, call, row.name)) /* the same words as for one that is not there */
        return err_set(err, NOT_FOUND, "cluster not found: %.*s", STR_ARG(r->cluster_name));
    return desk_reply(call, row.body, err);
}

void handle_get_cluster(struct call *call) {
    desk_post(call->service, call, get_cluster);
}

struct listing {
    struct dataproc *dataproc;
    struct call *call;
    struct filter filter;
    struct dataproc_ListClustersResponse *response;
    size_t want;
    struct str last;
};

static bool list_one(void *ctx, const struct cluster_row *row) {
    struct listing *l = ctx;
    if (l->response->clusters.n == l->want) {
        l->response->next_page_token = names_page_token(l->call->arena, l->last);
        return false;
    }
    l->last = row->name;
    if (filter_cluster(&l->filter, row->body) && access_holds_cluster(l->dataproc, l->call, row->name))
        l->response->clusters.p[l->response->clusters.n++] = *row->body;
    return true;
}

enum code classify_list_clusters(struct call *call, struct err *err) {
    const struct dataproc_ListClustersRequest *r = call->request;
    struct listing *l = ARENA_NEW(call->arena, struct listing);
    if (!l) return err_oom(err);
    call->prepared = l;
    enum code rc = access_enter(call, r->project_id, r->region, &l->dataproc, err);
    return rc ? rc : filter_parse(r->filter, &l->filter, err);
}

static enum code list_clusters(struct dataproc *dataproc, struct call *call, struct err *err) {
    const struct dataproc_ListClustersRequest *r = call->request;
    struct listing *l = call->prepared;
    struct str after;
    enum code rc = names_read_page_token(call->arena, r->page_token, &after, err);
    if (rc) return rc;
    l->call = call;
    l->want = names_page_size(r->page_size);
    l->response = PB_NEW(call->arena, dataproc_ListClustersResponse);
    if (l->response) l->response->clusters.p = ARENA_ARRAY(call->arena, struct dataproc_Cluster, l->want);
    if (!l->response || !l->response->clusters.p) return err_oom(err);
    rc = state_cluster_list(dataproc->state, after, call->arena, list_one, l, err);
    return rc ? rc : desk_reply(call, l->response, err);
}

void handle_list_clusters(struct call *call) {
    desk_post(call->service, call, list_clusters);
}
