/* remote_lists.c: an upstream's lists, cut to what the caller may see. A page may be shorter than asked for, or empty: the
 * next token says whether more follows. */
#include "dataproc/remote.h"

/* What a page token belongs to: another filter's token would skip rows. */
static struct str jobs_list(const struct dataproc_ListJobsRequest *r, struct arena *arena) {
    return arena_printf(arena, "jobs %d %zu %.*s %.*s", (int)r->job_state_matcher, r->cluster_name.n,
                        STR_ARG(r->cluster_name), STR_ARG(r->filter));
}

static struct str clusters_list(const struct dataproc_ListClustersRequest *r, struct arena *arena) {
    return arena_printf(arena, "clusters %.*s", STR_ARG(r->filter));
}

static void answer_empty(struct call *call) {
    const void *nothing = pb_new(call->method->response, call->arena);
    if (nothing && call_write_message(call, nothing)) call_end_ok(call);
    else remote_refuse(call, RESOURCE_EXHAUSTED, "out of memory, or nobody waits for the answer");
}

static void send_on(struct call *call, const void *message, struct str *list,
                    enum code (*answer)(struct forward *, void *, struct arena *, struct err *)) {
    struct forward *forward = remote_forward(call, message);
    if (!forward) return;
    forward->ctx = list;
    forward->answer = answer;
    forward_start(forward);
}

/* ---- jobs ---- */

static bool may_see(struct dataproc *dataproc, const struct call *call, const struct dataproc_Job *job) {
    if (!job->placement || !remote_has_cluster(dataproc, job->placement->cluster_name)) return false;
    struct str path = access_path(dataproc, job->placement->cluster_name, call->arena);
    return path.p && access_allows(call, (struct atom){ .verb = VERB_SEE_JOBS, .path = path });
}

static enum code cut_jobs(struct forward *forward, void *message, struct arena *arena, struct err *err) {
    struct dataproc_ListJobsResponse *response = message;
    size_t n = 0;
    (void)arena;
    for (size_t i = 0; i < response->jobs.n; i++)
        if (may_see(forward->call->service, forward->call, &response->jobs.p[i]))
            response->jobs.p[n++] = response->jobs.p[i];
    response->jobs.n = n;
    return remote_page_seal(forward->call, *(const struct str *)forward->ctx, &response->next_page_token, err);
}

void remote_list_jobs(struct call *call) {
    const struct dataproc_ListJobsRequest *r = call->request;
    struct dataproc_ListJobsRequest *message = PB_NEW(call->arena, dataproc_ListJobsRequest);
    struct str *list = ARENA_NEW(call->arena, struct str);
    struct err err = { 0 };
    if (!remote_concerns(call->service, call)) {
        answer_empty(call);
        return;
    }
    enum code rc = message && list ? OK : err_oom(&err);
    if (!rc) {
        *message = *r;
        message->page_size = (int32_t)names_page_size(r->page_size);
        *list = jobs_list(r, call->arena);
        rc = list->p ? remote_page_open(call, *list, r->page_token, &message->page_token, &err) : err_oom(&err);
    }
    if (rc) call_end(call, rc, &err);
    else send_on(call, message, list, cut_jobs);
}

/* ---- clusters ---- */

static enum code cut_clusters(struct forward *forward, void *message, struct arena *arena, struct err *err) {
    struct dataproc_ListClustersResponse *response = message;
    struct dataproc *dataproc = forward->call->service;
    size_t n = 0;
    (void)arena;
    for (size_t i = 0; i < response->clusters.n; i++) {
        struct str name = response->clusters.p[i].cluster_name;
        if (remote_has_cluster(dataproc, name) && access_holds_cluster(dataproc, forward->call, name))
            response->clusters.p[n++] = response->clusters.p[i];
    }
    response->clusters.n = n;
    return remote_page_seal(forward->call, *(const struct str *)forward->ctx, &response->next_page_token, err);
}

void remote_list_clusters(struct call *call) {
    const struct dataproc_ListClustersRequest *r = call->request;
    struct dataproc_ListClustersRequest *message = PB_NEW(call->arena, dataproc_ListClustersRequest);
    struct str *list = ARENA_NEW(call->arena, struct str);
    struct err err = { 0 };
    if (!remote_concerns(call->service, call)) {
        answer_empty(call);
        return;
    }
    enum code rc = message && list ? OK : err_oom(&err);
    if (!rc) {
        *message = *r;
        message->page_size = (int32_t)names_page_size(r->page_size);
        *list = clusters_list(r, call->arena);
        rc = list->p ? remote_page_open(call, *list, r->page_token, &message->page_token, &err) : err_oom(&err);
    }
    if (rc) call_end(call, rc, &err);
    else send_on(call, message, list, cut_clusters);
}
