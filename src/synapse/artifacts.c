/* artifacts.c: pipelines and linked services: PUT, GET, DELETE, rename, lists. Both kinds have the same shape. */
#include "data/json.h"
#include "synapse/synapse_priv.h"

static const char *const no_parameters[] = { NULL };

static struct str header(const struct ask *ask, struct str name) {
    return http_header_value(ask->call->http.headers, ask->call->http.n_headers, name);
}

static struct str target_of(const struct ask *ask) {
    return arena_printf(ask->call->arena, "%s/%.*s", ask->kind == ARTIFACT_PIPELINE ? "pipelines" : "linkedservices",
                        STR_ARG(ask->name));
}

/* "/pipelines/{name}": what it is, and that it may be a name. */
static enum code read_named(struct call *call, ask_fn *serve, struct ask **ret, struct err *err) {
    enum code rc = ask_read(call, serve, no_parameters, ret, err);
    if (rc) return rc;
    struct ask *ask = *ret;
    ask->kind = str_eq(ask->segments[0], STR("pipelines")) ? ARTIFACT_PIPELINE : ARTIFACT_LINKED_SERVICE;
    ask->name = ask->segments[1];
    rc = pipelines_check_name(ask->name, err);
    if (rc) return rc;
    call->resource = arena_printf(call->arena, "workspaces/%.*s/%.*s", STR_ARG(ask->synapse->workspace),
                                  STR_ARG(target_of(ask)));
    return call->resource.p ? OK : err_oom(err);
}

static enum code get(const struct ask *ask, struct artifact *ret, struct err *err) {
    return pipelines_get(ask->synapse->pipelines, ask->kind, ask->name, ask->call->arena, ret, err);
}

static enum code answer_artifact(const struct ask *ask, const struct artifact *artifact, struct err *err) {
    DEFER(buf_free) struct buf out = BUF_INIT(SYNAPSE_ANSWER_BYTES);
    enum code rc = show_artifact(&out, ask, artifact, err);
    if (rc) return rc;
    call_reply_header(ask->call, "etag", artifact->etag);
    return answer_json(ask, 200, &out, err);
}

/* ---- conditions on writes ---- */

/* Do If-Match and If-None-Match hold? The desk does one thing at a time: nothing changes until the write. */
static enum code conditions_hold(const struct ask *ask, bool *ret_hold, bool *ret_exists, struct err *err) {
    struct artifact there = { 0 };
    enum code rc = get(ask, &there, err);
    if (rc && rc != NOT_FOUND) return rc;
    bool match = http_header_count(ask->call->http.headers, ask->call->http.n_headers, STR("if-match")) == 0 ||
                 etag_named(header(ask, STR("if-match")), there.etag, false);
    *ret_exists = !rc;
    *ret_hold = match && !etag_named(header(ask, STR("if-none-match")), there.etag, true);
    return OK;
}

/* ---- PUT ---- */

static enum code put(struct ask *ask, struct err *err) {
    struct faults faults = { .arena = ask->call->arena };
    struct artifact made = { 0 };
    bool hold, exists;
    enum code rc = conditions_hold(ask, &hold, &exists, err);
    if (rc) return rc;
    if (!hold) return answer_precondition(ask, ask->name);
    rc = pipelines_put(ask->synapse->pipelines, ask->kind, ask->name, ask->call->http.body, &faults, &made, err);
    return rc ? answer_faults(ask, rc, &faults, target_of(ask), err) : answer_artifact(ask, &made, err);
}

enum code classify_put(struct call *call, struct err *err) {
    struct ask *ask;
    enum code rc = read_named(call, put, &ask, err);
    return rc ? rc : synapse_needs(ask, VERB_ADMINISTER, ask->name, err);
}

/* ---- GET ---- */

static enum code serve_get(struct ask *ask, struct err *err) {
    struct artifact artifact;
    if (!synapse_holds(ask, ask->name)) /* the same words as for one that is not there */
        return err_set(err, NOT_FOUND, "there is no %.*s", STR_ARG(target_of(ask)));
    enum code rc = get(ask, &artifact, err);
    if (rc) return rc == NOT_FOUND ? err_set(err, NOT_FOUND, "there is no %.*s", STR_ARG(target_of(ask))) : rc;
    if (!etag_named(header(ask, STR("if-none-match")), artifact.etag, true)) return answer_artifact(ask, &artifact, err);
    call_reply_header(ask->call, "etag", artifact.etag);
    return answer_empty(ask, 304);
}

enum code classify_get(struct call *call, struct err *err) {
    struct ask *ask;
    return read_named(call, serve_get, &ask, err);
}

/* ---- DELETE, rename ---- */

static enum code serve_delete(struct ask *ask, struct err *err) {
    bool hold, exists;
    enum code rc = conditions_hold(ask, &hold, &exists, err);
    if (rc) return rc;
    if (!hold) return answer_precondition(ask, ask->name);
    if (!exists) return answer_empty(ask, 204);
    rc = pipelines_delete(ask->synapse->pipelines, ask->kind, ask->name, err);
    return rc ? rc : answer_empty(ask, 200);
}

enum code classify_delete(struct call *call, struct err *err) {
    struct ask *ask;
    enum code rc = read_named(call, serve_delete, &ask, err);
    return rc ? rc : synapse_needs(ask, VERB_ADMINISTER, ask->name, err);
}

static enum code serve_rename(struct ask *ask, struct err *err) {
    enum code rc = pipelines_rename(ask->synapse->pipelines, ask->kind, ask->name, ask->new_name, err);
    return rc ? rc : answer_empty(ask, 200);
}

enum code classify_rename(struct call *call, struct err *err) {
    static const char *const known[] = { "newName", NULL };
    DEFER(json_freep) json_t *body = NULL;
    struct ask *ask;
    struct str name;
    enum code rc = read_named(call, serve_rename, &ask, err);
    if (!rc) rc = ask_object(ask, known, &body, err);
    if (rc) return rc;
    if (!body || !json_member_str(body, "newName", &name)) return err_set(err, INVALID_ARGUMENT, "newName is missing");
    ask->new_name = str_dup(call->arena, name);
    rc = pipelines_check_name(ask->new_name, err);
    if (!rc) rc = synapse_needs(ask, VERB_ADMINISTER, ask->name, err);
    return rc ? rc : synapse_needs(ask, VERB_ADMINISTER, ask->new_name, err);
}

/* ---- lists ---- */

struct listing {
    const struct ask *ask;
    struct buf *out;
    size_t n;
    struct str last; /* the last that was looked at */
    bool more;
    enum code rc;
    struct err *err;
};

static bool list_one(void *ctx, const struct artifact *artifact) {
    struct listing *l = ctx;
    if (l->n == SYNAPSE_PAGE_ITEMS || l->out->n > SYNAPSE_PAGE_BYTES) {
        l->more = true;
        return false;
    }
    l->last = artifact->name;
    if (!synapse_holds(l->ask, artifact->name)) return true;
    if (l->n++) buf_add_char(l->out, ',');
    l->rc = show_artifact(l->out, l->ask, artifact, l->err);
    return l->rc == OK;
}

/* The place in the link is not sealed: every page is filtered anew for whoever asks. */
static void put_next_link(struct buf *out, const struct listing *l) {
    const struct synapse *synapse = l->ask->synapse;
    if (!l->more) return;
    buf_printf(out, ",\"nextLink\":\"%.*s/%.*s?api-version=%.*s&$after=", STR_ARG(synapse->url),
               STR_ARG(l->ask->segments[0]), STR_ARG(l->ask->api_version));
    url_encode(out, l->last);
    buf_add_char(out, '"');
}

static enum code serve_list(struct ask *ask, struct err *err) {
    DEFER(buf_free) struct buf out = BUF_INIT(SYNAPSE_ANSWER_BYTES);
    struct listing l = { .ask = ask, .out = &out, .err = err };
    buf_add_z(&out, "{\"value\":[");
    enum code rc = pipelines_list(ask->synapse->pipelines, ask->kind, ask->after, ask->call->arena, list_one, &l, err);
    if (rc || l.rc) return rc ? rc : l.rc;
    buf_add_char(&out, ']');
    put_next_link(&out, &l);
    buf_add_char(&out, '}');
    return answer_json(ask, 200, &out, err);
}

enum code classify_list(struct call *call, struct err *err) {
    static const char *const known[] = { "$after", NULL };
    struct ask *ask;
    enum code rc = ask_read(call, serve_list, known, &ask, err);
    if (rc) return rc;
    ask->kind = str_eq(ask->segments[0], STR("pipelines")) ? ARTIFACT_PIPELINE : ARTIFACT_LINKED_SERVICE;
    ask->after = ask_parameter(ask, "$after");
    call->resource = arena_printf(call->arena, "workspaces/%.*s/%.*s", STR_ARG(ask->synapse->workspace),
                                  STR_ARG(ask->segments[0]));
    return OK;
}
