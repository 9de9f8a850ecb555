/* queries.c: queryPipelineRuns, queryActivityruns: a page of what the caller may see. */
#include "base/json_text.h"
#include "data/json.h"
#include "synapse/synapse_priv.h"

static const char *const no_parameters[] = { NULL };

static enum code read_filter_body(struct ask *ask, struct err *err) {
    DEFER(json_freep) json_t *body = NULL;
    enum code rc = ask_object(ask, NULL, &body, err);
    if (!rc && !body)
        rc = err_set(err, INVALID_ARGUMENT, "the body is missing: {\"lastUpdatedAfter\", \"lastUpdatedBefore\"}");
    return rc ? rc : filter_read(body, ask->call->arena, &ask->filter, err);
}

struct page {
    const struct ask *ask;
    struct buf *out;
    size_t n;
    enum code rc;
    struct err *err;
};

static enum code end_page(struct page *page, enum code rc, struct str continuation) {
    if (rc || page->rc) return rc ? rc : page->rc;
    buf_add_char(page->out, ']');
    if (continuation.n) {
        buf_add_z(page->out, ",\"continuationToken\":");
        json_text_string(page->out, continuation);
    }
    buf_add_char(page->out, '}');
    return answer_json(page->ask, 200, page->out, page->err);
}

/* ---- runs ---- */

static bool visit_run(void *ctx, const struct run_info *run) {
    struct page *page = ctx;
    struct run_known known = { run->pipeline, run->issuer, run->subject };
    if (page->rc || !synapse_may_see_run(page->ask, &known)) return false;
    if (page->n++) buf_add_char(page->out, ',');
    page->rc = show_run(page->out, run, page->err);
    return true;
}

static enum code query_runs(struct ask *ask, struct err *err) {
    DEFER(buf_free) struct buf out = BUF_INIT(SYNAPSE_ANSWER_BYTES);
    struct page page = { .ask = ask, .out = &out, .err = err };
    struct str continuation = { NULL, 0 };
    buf_add_z(&out, "{\"value\":[");
    enum code rc = pipelines_query_runs(ask->synapse->pipelines, &ask->filter, ask->call->arena, visit_run, &page,
                                        &continuation, err);
    return end_page(&page, rc, continuation);
}

enum code classify_query_runs(struct call *call, struct err *err) {
    struct ask *ask;
    enum code rc = ask_read(call, query_runs, no_parameters, &ask, err);
    if (rc) return rc;
    call->resource = arena_printf(call->arena, "workspaces/%.*s/pipelineruns", STR_ARG(ask->synapse->workspace));
    return read_filter_body(ask, err);
}

/* ---- activity runs of one run ---- */

static bool visit_activity(void *ctx, const struct activity_info *activity) {
    struct page *page = ctx;
    if (page->n++) buf_add_char(page->out, ',');
    show_activity(page->out, activity);
    return true;
}

static enum code query_activities(struct ask *ask, struct err *err) {
    DEFER(buf_free) struct buf out = BUF_INIT(SYNAPSE_ANSWER_BYTES);
    struct page page = { .ask = ask, .out = &out, .err = err };
    struct str continuation = { NULL, 0 };
    buf_add_z(&out, "{\"value\":[");
    enum code rc = pipelines_query_activities(ask->synapse->pipelines, &ask->filter, ask->call->arena, visit_activity,
                                              &page, &continuation, err);
    return end_page(&page, rc, continuation);
}

/* "/pipelines/{name}/pipelineruns/{run}/queryActivityruns": the run must be that pipeline's. */
enum code classify_query_activities(struct call *call, struct err *err) {
    struct ask *ask;
    enum code rc = ask_read(call, query_activities, no_parameters, &ask, err);
    if (rc) return rc;
    ask->name = ask->segments[1];
    ask->run = ask->segments[3];
    bool known = false;
    rc = ask_run_known(ask, &known, err);
    if (rc) return rc;
    if (!known || !str_eq(ask->known.pipeline, ask->name))
        return err_set(err, NOT_FOUND, "there is no run %.*s of the pipeline %.*s", STR_ARG(str_upto(ask->run, 100)),
                       STR_ARG(str_upto(ask->name, 300)));
    call->resource = arena_printf(call->arena, "workspaces/%.*s/pipelines/%.*s/pipelineruns/%.*s",
                                  STR_ARG(ask->synapse->workspace), STR_ARG(ask->name), STR_ARG(ask->run));
    rc = synapse_needs_run(ask, VERB_SEE_JOBS, &ask->known, err);
    if (!rc) rc = read_filter_body(ask, err);
    ask->filter.run = ask->run;
    return rc;
}
