/* batches.c: the methods of both APIs. A request is read into a struct batch_ask; from there on there is one way for both,
 * until the answer is written. */
#include <string.h>
#include "livy/livy_priv.h"
#include "model/atom.h"
#include "service/call.h"
#include "wire/url.h"

enum { NOT_SAID = -2, MAX_SEGMENTS = 12, MAX_PAIRS = 8, ITEM_ARENA_BYTES = 64 << 20, TAIL_BUFFER_BYTES = 16 << 10 };

/* ---- reading: path and query ---- */

static enum code find_pool(const struct livy *livy, struct batch_ask *ask, struct err *err) {
    for (size_t i = 0; i < livy->n_pools; i++) {
        if (!str_eq(livy->pools[i].name, ask->pool)) continue;
        ask->cluster = livy->pools[i].cluster;
        return OK;
    }
    return err_set(err, NOT_FOUND, "the workspace %.*s has no Spark pool %.*s", STR_ARG(livy->workspace),
                   STR_ARG(str_upto(ask->pool, 100)));
}

/* /livyApi/versions/{v}/sparkPools/{pool}/… or /…; leaves what follows: "batches", the id, … */
static enum code read_place(struct call *call, struct batch_ask *ask, struct str rest[MAX_SEGMENTS], size_t *ret_n,
                            struct err *err) {
    const struct livy *livy = call->service;
    struct str segments[MAX_SEGMENTS];
    size_t n, skip = 0;
    enum code rc = url_segments(call->arena, call->http.path, segments, MAX_SEGMENTS, &n, err);
    if (rc) return rc;
    ask->synapse = n > 5 && str_eq_z(segments[0], "livyApi");
    if (ask->synapse) skip = 5;
    for (size_t i = skip; i < n; i++) rest[i - skip] = segments[i];
    *ret_n = n - skip;
    ask->cluster = livy->cluster;
    if (!ask->synapse) return OK;
    ask->pool = segments[4];
    return find_pool(livy, ask, err);
}

static enum code read_number(struct url_pair pair, int64_t low, int64_t *ret, struct err *err) {
    if (str_i64(pair.value, ret) && *ret >= low) return OK;
    return err_set(err, INVALID_ARGUMENT, "%.*s must be a number from %lld on", STR_ARG(pair.name), (long long)low);
}

static enum code read_pair(struct call *call, struct batch_ask *ask, struct url_pair pair, bool pages, struct err *err) {
    if (pages && str_eq_z(pair.name, "from")) return read_number(pair, -1, &ask->from, err);
    if (pages && str_eq_z(pair.name, "size")) return read_number(pair, 0, &ask->size, err);
    if (ask->synapse && str_eq_z(pair.name, "detailed")) {
        ask->detailed = str_eq_nocase(pair.value, STR("true"));
        if (ask->detailed || str_eq_nocase(pair.value, STR("false"))) return OK;
        return err_set(err, INVALID_ARGUMENT, "detailed must be true or false");
    }
    if (!ask->synapse && str_eq_z(pair.name, "doAs")) {
        if (str_eq(pair.value, call->principal->actor.subject)) return OK;
        return err_set(err, PERMISSION_DENIED, "doAs: nobody acts for somebody else here");
    }
    return err_set(err, INVALID_ARGUMENT, "the query's %.*s is not understood", STR_ARG(str_upto(pair.name, 100)));
}

static enum code read_query(struct call *call, struct batch_ask *ask, bool pages, struct err *err) {
    struct url_pair pairs[MAX_PAIRS];
    struct str query = call->http.query;
    size_t n = 0;
    (void)str_strip_prefix(&query, STR("?"));
    enum code rc = query.n ? url_form(call->arena, query, pairs, MAX_PAIRS, &n, err) : OK;
    for (size_t i = 0; !rc && i < n; i++) rc = read_pair(call, ask, pairs[i], pages, err);
    return rc;
}

/* `depth`: how many segments the row has from "batches" on. */
static enum code read_ask(struct call *call, size_t depth, bool pages, struct batch_ask **ret, struct err *err) {
    struct batch_ask *ask = ARENA_NEW(call->arena, struct batch_ask);
    struct str rest[MAX_SEGMENTS];
    size_t n;
    if (!ask) return err_oom(err);
    ask->size = -1; /* not said */
    ask->from = NOT_SAID;
    ask->number = -1;
    enum code rc = read_place(call, ask, rest, &n, err);
    if (!rc && n != depth) rc = err_set(err, NOT_FOUND, "no such resource");
    if (!rc) rc = read_query(call, ask, pages, err);
    if (rc) return rc;
    if (depth > 1 && (!str_i64(rest[1], &ask->number) || ask->number < 0))
        return err_set(err, NOT_FOUND, "no batch has the id %.*s here", STR_ARG(str_upto(rest[1], 50)));
    call->prepared = ask;
    *ret = ask;
    return OK;
}

/* ---- answering ---- */

static enum code answer(struct call *call, unsigned status, const struct buf *body, struct err *err) {
    if (!buf_ok(body)) return err_set(err, RESOURCE_EXHAUSTED, "the answer is larger than 4 MiB: ask for less");
    call_reply_http(call, status, "application/json; charset=utf-8", buf_str(body));
    call_end_ok(call);
    return OK;
}

static enum code answer_batch(struct call *call, unsigned status, const struct dataproc_view *view, struct err *err) {
    struct livy *livy = call->service;
    DEFER(buf_free) struct buf body = BUF_INIT(REPLY_BYTES), output = BUF_INIT(TAIL_BUFFER_BYTES);
    struct str tail[TAIL_LINES];
    size_t n;
    enum code rc = batch_tail(livy, view, &output, tail, &n, err);
    if (rc) return rc;
    batch_put(&body, livy, call->prepared, view, tail, n);
    return answer(call, status, &body, err);
}

static enum code view_asked(struct dataproc *dataproc, struct call *call, struct dataproc_view *ret, struct err *err) {
    const struct batch_ask *ask = call->prepared;
    return dataproc_view_job(dataproc, ask->id, call->arena, ret, err);
}

static void post(struct call *call, dataproc_work *work) {
    const struct livy *livy = call->service;
    dataproc_post(livy->dataproc, call, work);
}

/* ---- create ---- */

enum code livy_classify_create(struct call *call, struct err *err) {
    struct livy *livy = call->service;
    struct batch_ask *ask;
    const struct dataproc_SubmitJobRequest *request;
    enum code rc = read_ask(call, 1, false, &ask, err);
    if (rc) return rc;
    const struct batch_context context = { .project = dataproc_project(livy->dataproc),
                                           .region = dataproc_region(livy->dataproc),
                                           .cluster = ask->cluster,
                                           .caller = call->principal->actor.subject,
                                           .synapse = ask->synapse };
    rc = batch_read(call->http.body, &context, call->arena, &request, err);
    return rc ? rc : dataproc_classify_submit(livy->dataproc, call, request, &ask->submission, err);
}

/* Apache Livy's clients want 201 exactly, Synapse's 200 exactly. */
static enum code create(struct dataproc *dataproc, struct call *call, struct err *err) {
    const struct batch_ask *ask = call->prepared;
    struct dataproc_view view;
    enum code rc = dataproc_submit(dataproc, call, ask->submission, &view, err);
    if (rc) return rc;
    if (!ask->synapse)
        call_reply_header(call, "location", arena_printf(call->arena, "/batches/%lld", (long long)view.number));
    return answer_batch(call, ask->synapse ? 200 : 201, &view, err);
}

void livy_handle_create(struct call *call) {
    post(call, create);
}

/* ---- list ---- */

enum code livy_classify_list(struct call *call, struct err *err) {
    struct batch_ask *ask;
    enum code rc = read_ask(call, 1, true, &ask, err);
    if (rc) return rc;
    int64_t max = ask->synapse ? SYNAPSE_LIST_MAX : LIST_MAX;
    if (ask->size < 0) ask->size = ask->synapse ? SYNAPSE_LIST_MAX : 100;
    if (ask->size > max) ask->size = max;
    if (ask->from == NOT_SAID) ask->from = 0;
    return ask->from < 0 ? err_set(err, INVALID_ARGUMENT, "from must be a number from 0 on") : OK;
}

static enum code put_item(struct livy *livy, const struct batch_ask *ask, struct str id, struct buf *body,
                          struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(ITEM_ARENA_BYTES);
    struct dataproc_view view;
    enum code rc = arena ? dataproc_view_job(livy->dataproc, id, arena, &view, err) : err_oom(err);
    if (!rc) batch_put(body, livy, ask, &view, NULL, 0);
    return rc;
}

static enum code list(struct dataproc *dataproc, struct call *call, struct err *err) {
    struct livy *livy = call->service;
    const struct batch_ask *ask = call->prepared;
    DEFER(buf_free) struct buf body = BUF_INIT(REPLY_BYTES);
    struct str *ids = ARENA_ARRAY(call->arena, struct str, (size_t)ask->size + 1);
    size_t n, total;
    if (!ids) return err_oom(err);
    enum code rc = dataproc_list(dataproc, call, ask->cluster, (size_t)ask->from, (size_t)ask->size, ids, &n, &total, err);
    buf_printf(&body, "{\"from\":%lld,\"total\":%zu,\"sessions\":[", (long long)ask->from, rc ? 0 : total);
    for (size_t i = 0; !rc && i < n; i++) {
        if (i) buf_add_char(&body, ',');
        rc = put_item(livy, ask, ids[i], &body, err);
    }
    buf_add_z(&body, "]}\n");
    return rc ? rc : answer(call, 200, &body, err);
}

void livy_handle_list(struct call *call) {
    post(call, list);
}

/* ---- one batch ---- */

static enum code classify_one(struct call *call, size_t depth, bool pages, enum verb verb, struct err *err) {
    const struct livy *livy = call->service;
    struct batch_ask *ask;
    enum code rc = read_ask(call, depth, pages, &ask, err);
    return rc ? rc : dataproc_classify_number(livy->dataproc, call, verb, ask->cluster, ask->number, &ask->id, err);
}

enum code livy_classify_get(struct call *call, struct err *err) {
    return classify_one(call, 2, false, VERB_SEE_JOBS, err);
}

static enum code get(struct dataproc *dataproc, struct call *call, struct err *err) {
    struct dataproc_view view;
    enum code rc = view_asked(dataproc, call, &view, err);
    return rc ? rc : answer_batch(call, 200, &view, err);
}

void livy_handle_get(struct call *call) {
    post(call, get);
}

enum code livy_classify_state(struct call *call, struct err *err) {
    return classify_one(call, 3, false, VERB_SEE_JOBS, err);
}

static enum code state(struct dataproc *dataproc, struct call *call, struct err *err) {
    DEFER(buf_free) struct buf body = BUF_INIT(REPLY_BYTES);
    struct dataproc_view view;
    enum code rc = view_asked(dataproc, call, &view, err);
    if (rc) return rc;
    struct str word = batch_state(view.body);
    buf_printf(&body, "{\"id\":%lld,\"state\":\"%.*s\"}\n", (long long)view.number, STR_ARG(word));
    return answer(call, 200, &body, err);
}

void livy_handle_state(struct call *call) {
    post(call, state);
}

enum code livy_classify_log(struct call *call, struct err *err) {
    enum code rc = classify_one(call, 3, true, VERB_SEE_JOBS, err);
    if (rc) return rc;
    struct batch_ask *ask = call->prepared;
    if (ask->size < 0) ask->size = LOG_DEFAULT;
    if (ask->size > LOG_MAX) ask->size = LOG_MAX;
    if (ask->from == NOT_SAID) ask->from = -1; /* the end */
    return OK;
}

static enum code log_page(struct dataproc *dataproc, struct call *call, struct err *err) {
    struct livy *livy = call->service;
    DEFER(buf_free) struct buf body = BUF_INIT(2 * REPLY_BYTES); /* 1 MiB of lines, each byte perhaps six */
    struct dataproc_view view;
    enum code rc = view_asked(dataproc, call, &view, err);
    if (!rc) rc = batch_log(livy, call->prepared, &view, &body, err);
    return rc ? rc : answer(call, 200, &body, err);
}

void livy_handle_log(struct call *call) {
    post(call, log_page);
}

/* ---- delete: cancels; the job stays in the history, as who polls it wants to see its end ---- */

enum code livy_classify_cancel(struct call *call, struct err *err) {
    return classify_one(call, 2, false, VERB_CANCEL_JOBS, err);
}

static enum code cancel(struct dataproc *dataproc, struct call *call, struct err *err) {
    const struct batch_ask *ask = call->prepared;
    DEFER(buf_free) struct buf body = BUF_INIT(1000);
    enum code rc = dataproc_cancel(dataproc, call, ask->id, err);
    buf_add_z(&body, ask->synapse ? "{}\n" : "{\"msg\":\"deleted\"}\n");
    return rc ? rc : answer(call, 200, &body, err);
}

void livy_handle_cancel(struct call *call) {
    post(call, cancel);
}

/* ---- sessions ---- */

enum code livy_classify_session(struct call *call, struct err *err) {
    (void)call;
    return err_set(err, UNIMPLEMENTED, "interactive sessions and statements are not supported here: submit a batch");
}

void livy_handle_session(struct call *call) {
    call_end(call, UNIMPLEMENTED, NULL);
}
