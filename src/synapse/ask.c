/* ask.c: what a call says: path, query and body, strictly; then its way to the desk and back. */
#include "data/json.h"
#include "synapse/synapse_priv.h"

/* ---- path and query ---- */

static bool is_known(const char *const *known, struct str name) {
    for (; *known; known++)
        if (str_eq_z(name, *known)) return true;
    return false;
}

static enum code read_query(struct ask *ask, const char *const *known, struct err *err) {
    struct str query = ask->call->http.query;
    (void)str_strip_prefix(&query, STR("?"));
    enum code rc = url_form(ask->call->arena, query, ask->query, SYNAPSE_MAX_PARAMETERS, &ask->n_query, err);
    if (rc) return rc;
    for (size_t i = 0; i < ask->n_query; i++) {
        struct str name = ask->query[i].name;
        size_t count;
        if (!str_eq(name, STR("api-version")) && !is_known(known, name))
            return err_set(err, INVALID_ARGUMENT, "unknown query parameter: %.*s", STR_ARG(str_upto(name, 100)));
        (void)url_form_get(ask->query, ask->n_query, name, &count);
        if (count > 1) return err_set(err, INVALID_ARGUMENT, "the query parameter %.*s stands twice", STR_ARG(name));
    }
    return OK;
}

/* "2020-12-01", "2021-06-01-preview": any is served alike. */
static enum code check_version(struct ask *ask, struct err *err) {
    ask->api_version = ask_parameter(ask, "api-version");
    if (!ask->api_version.n)
        return err_set(err, INVALID_ARGUMENT, "the query parameter api-version is missing: say api-version=2020-12-01");
    bool ok = ask->api_version.n <= SYNAPSE_API_VERSION_MAX;
    for (size_t i = 0; ok && i < ask->api_version.n; i++) {
        char c = ask->api_version.p[i];
        ok = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '.';
    }
    return ok ? OK : err_set(err, INVALID_ARGUMENT, "api-version is none such as 2020-12-01");
}

enum code ask_read(struct call *call, ask_fn *serve, const char *const *known, struct ask **ret, struct err *err) {
    struct ask *ask = ARENA_NEW(call->arena, struct ask);
    if (!ask) return err_oom(err);
    *ask = (struct ask){ .synapse = call->service, .call = call, .serve = serve };
    enum code rc = url_segments(call->arena, call->http.path, ask->segments, COUNT(ask->segments), &ask->n_segments, err);
    if (!rc) rc = read_query(ask, known, err);
    if (!rc) rc = check_version(ask, err);
    if (rc) return rc;
    call->prepared = ask;
    *ret = ask;
    return OK;
}

struct str ask_parameter(const struct ask *ask, const char *name) {
    size_t count;
    return url_form_get(ask->query, ask->n_query, str_z(name), &count);
}

enum code ask_bool(const struct ask *ask, const char *name, bool *ret, struct err *err) {
    struct str text = ask_parameter(ask, name);
    *ret = str_eq_nocase(text, STR("true"));
    if (*ret || !text.n || str_eq_nocase(text, STR("false"))) return OK;
    return err_set(err, INVALID_ARGUMENT, "the query parameter %s must be true or false", name);
}

/* ---- body ---- */

enum code ask_object(const struct ask *ask, const char *const *known, json_t **ret, struct err *err) {
    *ret = NULL;
    struct str body = ask->call->http.body;
    if (!str_trim(body).n) return OK;
    DEFER(json_freep) json_t *json = NULL;
    enum code rc = json_read(body, ask->call->method->max_request_bytes, 0, &json, err);
    if (rc) return err_wrap(err, "the body");
    if (!json_is_object(json)) return err_set(err, INVALID_ARGUMENT, "the body must be a JSON object");
    const char *key;
    json_t *value;
    if (known)
        json_object_foreach(json, key, value) if (!is_known(known, str_z(key))) return err_set(
            err, INVALID_ARGUMENT, "the body has an unknown key: %.*s", STR_ARG(str_upto(str_z(key), 100)));
    *ret = TAKE(json);
    return OK;
}

/* ---- the desk ---- */

/* True: the pipelines stay until `leave`. */
static bool enter(struct synapse *s) {
    (void)pthread_rwlock_rdlock(&s->door);
    if (!s->closed) return true;
    (void)pthread_rwlock_unlock(&s->door);
    return false;
}

static void leave(struct synapse *s) {
    (void)pthread_rwlock_unlock(&s->door);
}

static enum code stopping(struct err *err) {
    return err_set(err, UNAVAILABLE, "the server stops: try again");
}

enum code ask_run_known(struct ask *ask, bool *ret_known, struct err *err) {
    if (!enter(ask->synapse)) return stopping(err);
    *ret_known = ask->run.n <= PIPELINE_UUID &&
                 pipelines_run_known(ask->synapse->pipelines, ask->run, ask->call->arena, &ask->known);
    leave(ask->synapse);
    return OK;
}

static void on_desk(struct pipelines *pipelines, void *ctx, enum code rc) {
    (void)pipelines;
    struct ask *ask = ctx;
    struct err err = { 0 };
    if (rc) rc = err_set(&err, rc, "too many calls wait, or the server stops: try again");
    else rc = ask->serve(ask, &err);
    if (rc) call_end(ask->call, rc, &err);
}

void ask_post(struct call *call) {
    struct ask *ask = call->prepared;
    struct synapse *s = ask->synapse; /* the call may be gone when it was posted */
    struct err err = { 0 };
    if (!enter(s)) {
        call_end(call, stopping(&err), &err);
        return;
    }
    pipelines_post(s->pipelines, on_desk, ask);
    leave(s);
}
