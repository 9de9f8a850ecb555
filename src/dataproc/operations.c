/* operations.c: google.longrunning.Operations of this connection: projects/P/regions/R/operations/ID (or locations/R).
 * A cluster's operation is done when it is answered; a job's shows the job's state. */
#include "dataproc/remote.h"
#include "dataproc/filter.h"

/* ---- names ---- */

/* "projects/P/regions/R/operations[/ID]" → ID, empty for the list's parent. */
static bool parse_name(const struct dataproc *dataproc, struct str name, struct str *ret_id) {
    struct str project, place, region, word;
    word = str_cut(&name, '/');
    project = str_cut(&name, '/');
    place = str_cut(&name, '/');
    region = str_cut(&name, '/');
    if (!str_eq_z(word, "projects") || !str_eq(project, dataproc->project) || !str_eq(region, dataproc->region))
        return false;
    if (!str_eq_z(place, "regions") && !str_eq_z(place, "locations")) return false;
    word = str_cut(&name, '/');
    *ret_id = name;
    return (str_eq_z(word, "operations") || (!word.n && !name.n)) && str_find_char(name, '/') < 0;
}

struct dataproc *dataproc_of_operation(const struct dataproc_regions *regions, struct str name) {
    struct str id;
    for (size_t i = 0; i < regions->n; i++)
        if (parse_name(regions->items[i], name, &id)) return regions->items[i];
    return NULL;
}

/* ---- make ---- */

static enum code save(struct dataproc *dataproc, struct call *call, struct operation_row *row, struct err *err) {
    row->body->name = names_operation(dataproc, row->id, call->arena);
    row->caller = access_caller(call, call->arena);
    if (!row->body->name.p || !row->caller.p) return err_oom(err);
    return state_operation_insert(dataproc->state, row, err);
}

/* The operation of a job, as the job stands now. */
static enum code show_job(struct call *call, const struct job_row *row, struct lro_Operation *operation, struct err *err) {
    const struct dataproc_Job *job = row->body;
    struct dataproc_JobMetadata *metadata = PB_NEW(call->arena, dataproc_JobMetadata);
    if (!metadata) return err_oom(err);
    *metadata =
        (struct dataproc_JobMetadata){ .job_id = row->id, .status = job->status, .operation_type = STR("SUBMIT_JOB") };
    const struct dataproc_JobStatus *first = job->status_history.n ? &job->status_history.p[0] : job->status;
    metadata->start_time = first ? first->state_start_time : NULL;
    enum code rc = pb_any_pack(&dataproc_JobMetadata_msg, metadata, call->arena, &operation->metadata, err);
    operation->done = job->done;
    if (rc || !job->done) return rc;
    if (job->status->state == dataproc_JobStatus_State_DONE) {
        operation->result_case = lro_Operation_result_response;
        return pb_any_pack(&dataproc_Job_msg, job, call->arena, &operation->response, err);
    }
    struct rpc_Status *status = PB_NEW(call->arena, rpc_Status);
    if (!status) return err_oom(err);
    status->code = job->status->state == dataproc_JobStatus_State_CANCELLED ? (int32_t)CANCELLED : (int32_t)ABORTED;
    status->message = job->status->details;
    operation->result_case = lro_Operation_result_error;
    operation->error = status;
    return OK;
}

enum code operation_for_job(struct dataproc *dataproc, struct call *call, const struct job_row *row,
                            struct lro_Operation **ret, struct err *err) {
    struct operation_row op = { .id = row->uuid, .cluster = row->cluster, .job = row->id }, old;
    struct err ignored;
    op.body = PB_NEW(call->arena, lro_Operation);
    if (!op.body) return err_oom(err);
    enum code rc = OK;
    /* the same requestId again: the same operation */
    if (state_operation_get(dataproc->state, op.id, call->arena, &old, &ignored) == OK) op.body = old.body;
    else rc = save(dataproc, call, &op, err);
    if (!rc) rc = show_job(call, row, op.body, err);
    if (!rc) *ret = op.body;
    return rc;
}

enum code operation_for_cluster(struct dataproc *dataproc, struct call *call, struct str type,
                                const struct dataproc_Cluster *cluster, const struct pb_msg *response_desc,
                                const void *response, struct lro_Operation **ret, struct err *err) {
    struct operation_row op = { .cluster = cluster->cluster_name };
    struct dataproc_ClusterOperationMetadata *metadata = PB_NEW(call->arena, dataproc_ClusterOperationMetadata);
    struct dataproc_ClusterOperationStatus *status = PB_NEW(call->arena, dataproc_ClusterOperationStatus);
    op.body = PB_NEW(call->arena, lro_Operation);
    if (!metadata || !status || !op.body || !names_uuid(call->arena, &op.id)) return err_oom(err);
    *status = (struct dataproc_ClusterOperationStatus){ .state = dataproc_ClusterOperationStatus_State_DONE,
                                                        .inner_state = STR("DONE"),
                                                        .state_start_time = names_now(call->arena) };
    metadata->cluster_name = cluster->cluster_name;
    metadata->cluster_uuid = cluster->cluster_uuid;
    metadata->operation_type = type;
    metadata->status = status;
    op.body->done = true;
    op.body->result_case = lro_Operation_result_response;
    enum code rc = pb_any_pack(&dataproc_ClusterOperationMetadata_msg, metadata, call->arena, &op.body->metadata, err);
    if (!rc) rc = pb_any_pack(response_desc, response, call->arena, &op.body->response, err);
    if (!rc) rc = save(dataproc, call, &op, err);
    if (!rc) *ret = op.body;
    return rc;
}

/* ---- classify ---- */

/* Read under the lock: one look-up by key. It is the loop's thread, so only where no index answers. */
static enum code find(struct dataproc *dataproc, struct call *call, struct str id, struct operation_row *ret,
                      struct err *err) {
    (void)pthread_mutex_lock(&dataproc->lock);
    enum code rc = state_operation_get(dataproc->state, id, call->arena, ret, err);
    (void)pthread_mutex_unlock(&dataproc->lock);
    return rc;
}

/* Whoever may see or cancel the job may its operation; a cluster's is seen by its administrators and job watchers. */
static enum code classify_one(struct dataproc *dataproc, struct call *call, enum verb verb, struct str id,
                              struct err *err) {
    struct operation_row row;
    struct job_known known;
    enum code rc = names_check_id("the operation's id", id, DATAPROC_ID_MAX, err);
    if (!rc) rc = find(dataproc, call, id, &row, err);
    if (rc) return rc;
    call->resource = names_operation(dataproc, id, call->arena);
    if (row.job.n && index_get(dataproc, row.job, call->arena, &known))
        return access_add(call, access_job_atom(dataproc, call, verb, &known), err);
    struct str path = access_path(dataproc, row.cluster, call->arena);
    struct atom plain = { .verb = verb, .path = path }, administer = { .verb = VERB_ADMINISTER, .path = path };
    return access_add(call, access_allows(call, administer) ? administer : plain, err);
}

/* A list is filtered; what it asks for is to see jobs anywhere here. The first cluster on which that is allowed stands for
 * it, else the first that there is, so that a refusal can be explained. */
struct choice {
    struct dataproc *dataproc;
    struct call *call;
    struct atom atom;
    bool allowed;
};

static bool choose(void *ctx, const struct cluster_row *row) {
    struct choice *c = ctx;
    struct atom see = { .verb = VERB_SEE_JOBS, .path = access_path(c->dataproc, row->name, c->call->arena) };
    struct atom administer = { .verb = VERB_ADMINISTER, .path = see.path };
    c->allowed = access_allows(c->call, see);
    bool as_administrator = !c->allowed && access_allows(c->call, administer);
    if (c->allowed || as_administrator || !c->atom.path.n) c->atom = as_administrator ? administer : see;
    c->allowed = c->allowed || as_administrator;
    return !c->allowed;
}

static enum code classify_list(struct dataproc *dataproc, struct call *call, struct err *err) {
    struct choice c = { .dataproc = dataproc, .call = call };
    (void)pthread_mutex_lock(&dataproc->lock);
    enum code rc = state_cluster_list(dataproc->state, STR(""), call->arena, choose, &c, err);
    (void)pthread_mutex_unlock(&dataproc->lock);
    if (rc) return rc;
    if (!c.atom.path.n)
        c.atom = (struct atom){ .verb = VERB_SEE_JOBS, .path = access_path(dataproc, STR("none"), call->arena) };
    return access_add(call, c.atom, err);
}

static struct str name_asked_for(enum dataproc_operation_method which, const struct call *call) {
    const struct lro_GetOperationRequest *get = call->request;
    const struct lro_ListOperationsRequest *list = call->request;
    const struct lro_CancelOperationRequest *cancel = call->request;
    const struct lro_DeleteOperationRequest *forget = call->request;
    return which == DATAPROC_OP_GET      ? get->name
           : which == DATAPROC_OP_LIST   ? list->name
           : which == DATAPROC_OP_CANCEL ? cancel->name
                                         : forget->name;
}

static enum code no_operation(struct str name, struct err *err) {
    return err_set(err, NOT_FOUND, "operation not found: %.*s", STR_ARG(str_upto(name, 200)));
}

enum code dataproc_operation_classify(struct dataproc *dataproc, enum dataproc_operation_method which, struct call *call,
                                      struct err *err) {
    struct str name = name_asked_for(which, call), id;
    if (!parse_name(dataproc, name, &id)) return no_operation(name, err);
    access_belongs(call, dataproc);
    if (dataproc->remote) return remote_operation_classify(dataproc, which, call, id, err);
    if (which == DATAPROC_OP_LIST) return classify_list(dataproc, call, err);
    return classify_one(dataproc, call, which == DATAPROC_OP_GET ? VERB_SEE_JOBS : VERB_CANCEL_JOBS, id, err);
}

/* ---- serve ---- */

static enum code show(struct dataproc *dataproc, struct call *call, struct operation_row *row, struct err *err) {
    struct job_row job;
    if (!row->job.n) return OK;
    enum code rc = state_job_get(dataproc->state, row->job, call->arena, &job, err);
    return rc ? rc : show_job(call, &job, row->body, err);
}

static enum code get(struct dataproc *dataproc, struct call *call, struct err *err) {
    const struct lro_GetOperationRequest *r = call->request;
    struct operation_row row;
    struct str id;
    (void)parse_name(dataproc, r->name, &id);
    enum code rc = state_operation_get(dataproc->state, id, call->arena, &row, err);
    if (!rc) rc = show(dataproc, call, &row, err);
    return rc ? rc : desk_reply(call, row.body, err);
}

struct listing {
    struct dataproc *dataproc;
    struct call *call;
    struct lro_ListOperationsResponse *response;
    size_t want;
    int64_t next;
};

static bool may_see(struct listing *l, const struct operation_row *row) {
    struct job_known known;
    if (row->job.n)
        return index_get(l->dataproc, row->job, l->call->arena, &known) &&
               access_allows(l->call, access_job_atom(l->dataproc, l->call, VERB_SEE_JOBS, &known));
    return access_holds_cluster(l->dataproc, l->call, row->cluster);
}

static bool list_one(void *ctx, const struct operation_row *row) {
    struct listing *l = ctx;
    struct operation_row shown = *row;
    struct err ignored;
    if (l->response->operations.n == l->want) {
        l->next = row->seq + 1;
        return false;
    }
    if (may_see(l, row) && show(l->dataproc, l->call, &shown, &ignored) == OK)
        l->response->operations.p[l->response->operations.n++] = *shown.body;
    return true;
}

static enum code list(struct dataproc *dataproc, struct call *call, struct err *err) {
    const struct lro_ListOperationsRequest *r = call->request;
    struct listing l = { .dataproc = dataproc, .call = call, .want = names_page_size(r->page_size) };
    struct str place;
    int64_t before = 0;
    enum code rc = names_read_page_token(call->arena, r->page_token, &place, err);
    if (rc) return rc;
    if (r->filter.n && !str_eq_z(r->filter, "{}"))
        return err_set(err, UNIMPLEMENTED, "filters of operations are not supported here");
    if (place.n && !str_i64(place, &before)) return err_set(err, INVALID_ARGUMENT, "pageToken is none of ours");
    l.response = PB_NEW(call->arena, lro_ListOperationsResponse);
    if (l.response) l.response->operations.p = ARENA_ARRAY(call->arena, struct lro_Operation, l.want);
    if (!l.response || !l.response->operations.p) return err_oom(err);
    rc = state_operation_list(dataproc->state, before, call->arena, list_one, &l, err);
    if (rc) return rc;
    if (l.next)
        l.response->next_page_token = names_page_token(call->arena, arena_printf(call->arena, "%lld", (long long)l.next));
    return desk_reply(call, l.response, err);
}

static enum code cancel(struct dataproc *dataproc, struct call *call, struct err *err) {
    const struct lro_CancelOperationRequest *r = call->request;
    const struct pb_Empty nothing = { 0 };
    struct operation_row row;
    struct job_row job;
    struct str id;
    (void)parse_name(dataproc, r->name, &id);
    enum code rc = state_operation_get(dataproc->state, id, call->arena, &row, err);
    if (rc || !row.job.n) return rc ? rc : desk_reply(call, &nothing, err); /* a cluster's is done already */
    rc = state_job_get(dataproc->state, row.job, call->arena, &job, err);
    if (rc || job.body->done) return rc ? rc : desk_reply(call, &nothing, err);
    rc = history_move(job.body, dataproc_JobStatus_State_CANCEL_STARTED, STR(""), call->arena, err);
    if (!rc) rc = state_job_save(dataproc->state, &job, err);
    if (rc) return rc;
    runner_cancel(dataproc->runner, job.uuid);
    return desk_reply(call, &nothing, err);
}

static enum code forget(struct dataproc *dataproc, struct call *call, struct err *err) {
    const struct lro_DeleteOperationRequest *r = call->request;
    const struct pb_Empty nothing = { 0 };
    struct str id;
    (void)parse_name(dataproc, r->name, &id);
    enum code rc = state_operation_delete(dataproc->state, id, err);
    return rc ? rc : desk_reply(call, &nothing, err);
}

void dataproc_operation_handle(struct dataproc *dataproc, enum dataproc_operation_method which, struct call *call) {
    static desk_fn *const functions[] = {
        [DATAPROC_OP_GET] = get, [DATAPROC_OP_LIST] = list, [DATAPROC_OP_CANCEL] = cancel, [DATAPROC_OP_DELETE] = forget
    };
    if (dataproc->remote) remote_operation_handle(which, call);
    else desk_post(dataproc, call, functions[which]);
}

/* ---- the REST rows ---- */

static enum code classify_rest(struct call *call, enum dataproc_operation_method which, struct err *err) {
    struct str name = name_asked_for(which, call);
    struct dataproc *dataproc = dataproc_of_operation(call->service, name);
    if (!dataproc) return no_operation(name, err);
    return dataproc_operation_classify(dataproc, which, call, err);
}

enum code classify_rest_get_operation(struct call *call, struct err *err) {
    return classify_rest(call, DATAPROC_OP_GET, err);
}

void handle_rest_get_operation(struct call *call) {
    dataproc_operation_handle(call->service, DATAPROC_OP_GET, call);
}

enum code classify_rest_list_operations(struct call *call, struct err *err) {
    return classify_rest(call, DATAPROC_OP_LIST, err);
}

void handle_rest_list_operations(struct call *call) {
    dataproc_operation_handle(call->service, DATAPROC_OP_LIST, call);
}

enum code classify_rest_cancel_operation(struct call *call, struct err *err) {
    return classify_rest(call, DATAPROC_OP_CANCEL, err);
}

void handle_rest_cancel_operation(struct call *call) {
    dataproc_operation_handle(call->service, DATAPROC_OP_CANCEL, call);
}

enum code classify_rest_delete_operation(struct call *call, struct err *err) {
    return classify_rest(call, DATAPROC_OP_DELETE, err);
}

void handle_rest_delete_operation(struct call *call) {
    dataproc_operation_handle(call->service, DATAPROC_OP_DELETE, call);
}
