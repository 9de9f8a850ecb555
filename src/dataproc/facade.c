/* facade.c: the same jobs for another API: what dataproc.h offers to livy/. */
#include "dataproc/dataproc_priv.h"

void dataproc_post(struct dataproc *dataproc, struct call *call, dataproc_work *work) {
    desk_post(dataproc, call, work);
}

struct str dataproc_project(const struct dataproc *dataproc) {
    return dataproc->project;
}

struct str dataproc_region(const struct dataproc *dataproc) {
    return dataproc->region;
}

enum code dataproc_classify_number(struct dataproc *dataproc, struct call *call, enum verb verb, struct str cluster,
                                   int64_t number, struct str *ret_id, struct err *err) {
    struct job_known known;
    if (!index_find(dataproc, number, call->arena, &known) || !str_eq(known.cluster, cluster))
        return err_set(err, NOT_FOUND, "no batch has the id %lld here", (long long)number);
    if (!known.id.p) return err_oom(err);
    *ret_id = known.id;
    call->resource = arena_printf(call->arena, "projects/%.*s/regions/%.*s/jobs/%.*s", STR_ARG(dataproc->project),
                                  STR_ARG(dataproc->region), STR_ARG(known.id));
    return access_add(call, access_job_atom(dataproc, call, verb, &known), err);
}

/* "1 issuer subject", as access_caller writes it. */
static struct str subject_of(struct str submitter) {
    (void)str_cut(&submitter, ' ');
    (void)str_cut(&submitter, ' ');
    return submitter;
}

static void show(const struct job_row *row, struct dataproc_view *ret) {
    *ret = (struct dataproc_view){ .number = row->seq,
                                   .id = row->id,
                                   .submitter = subject_of(row->submitter),
                                   .account = row->account,
                                   .application = history_application_id(row->body),
                                   .body = row->body };
}

enum code dataproc_submit(struct dataproc *dataproc, struct call *call, struct dataproc_submission *submission,
                          struct dataproc_view *ret, struct err *err) {
    struct job_row row;
    enum code rc = submission_serve(dataproc, call, submission, &row, err);
    if (!rc) show(&row, ret);
    return rc;
}

enum code dataproc_view_job(struct dataproc *dataproc, struct str id, struct arena *arena, struct dataproc_view *ret,
                            struct err *err) {
    struct job_row row;
    enum code rc = state_job_get(dataproc->state, id, arena, &row, err);
    if (rc) return rc;
    history_show_progress(dataproc, &row, arena);
    show(&row, ret);
    return OK;
}

enum code dataproc_cancel(struct dataproc *dataproc, struct call *call, struct str id, struct err *err) {
    struct job_row row;
    enum code rc = state_job_get(dataproc->state, id, call->arena, &row, err);
    return rc ? rc : job_cancel(dataproc, call, &row, err);
}

static bool may_see(struct dataproc *dataproc, struct call *call, const struct job_known *known) {
    return access_allows(call, access_job_atom(dataproc, call, VERB_SEE_JOBS, known));
}

enum code dataproc_list(struct dataproc *dataproc, struct call *call, struct str cluster, size_t from, size_t size,
                        struct str *ret_ids, size_t *ret_n, size_t *ret_total, struct err *err) {
    *ret_n = *ret_total = 0;
    for (size_t i = 0; i < dataproc->n_numbered; i++) {
        const struct job_known *known = dataproc->numbered[i];
        if (!str_eq(known->cluster, cluster) || !may_see(dataproc, call, known)) continue;
        size_t at = (*ret_total)++;
        if (at < from || *ret_n == size) continue;
        struct str id = str_dup(call->arena, known->id);
        if (!id.p) return err_oom(err);
        ret_ids[(*ret_n)++] = id;
    }
    return OK;
}

enum code dataproc_output(struct dataproc *dataproc, const struct dataproc_view *view, uint64_t offset, size_t max,
                          struct buf *ret, uint64_t *ret_total, struct err *err) {
    struct err first = { 0 };
    *ret_total = 0;
    enum code rc = runner_output(dataproc->runner, view->body->job_uuid, offset, max, ret, ret_total, &first);
    if (rc == NOT_FOUND) return OK; /* it has not begun, or is too old to be kept */
    return rc ? err_set(err, rc, "%s", first.message) : OK;
}
