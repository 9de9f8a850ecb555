/* versions.c: the documents of active runs, compiled once for all runs of one version. */
#include <stdlib.h>
#include <string.h>
#include "pipeline/pipelines_priv.h"

enum { FAULTS_ARENA_BYTES = 1 << 20 };

static struct version *find(struct pipelines *p, struct str etag, struct str name) {
    for (struct version *v = p->versions; v; v = v->next)
        if (str_eq_z(etag, v->etag) && str_eq_z(name, v->name)) return v;
    return NULL;
}

static enum code compile(struct str body, struct version *version, struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(FAULTS_ARENA_BYTES);
    struct faults faults = { .arena = arena };
    if (!arena) return err_oom(err);
    return pipeline_read(body, &faults, &version->pipeline, err);
}

static enum code make(struct pipelines *p, struct str etag, struct str name, struct str body, struct version **ret,
                      struct err *err) {
    size_t cost = body.n * DOCUMENT_COST;
    if (p->charged + cost > PIPELINES_MAX_ACTIVE_BYTES)
        return err_set(err, RESOURCE_EXHAUSTED, "the runs in progress hold too much: try again when some have ended");
    struct version *v = arena_should_fail() ? NULL : calloc(1, sizeof *v);
    if (!v) return err_oom(err);
    v->name = pipeline_copy_text(name);
    if (etag.n >= sizeof v->etag || !v->name) {
        free(v->name);
        free(v);
        return err_oom(err);
    }
    memcpy(v->etag, etag.p, etag.n);
    enum code rc = compile(body, v, err);
    if (rc) {
        free(v->name);
        free(v);
        return rc;
    }
    v->refs = 1;
    v->cost = cost;
    v->next = p->versions;
    p->versions = v;
    p->charged += cost;
    *ret = v;
    return OK;
}

/* `read` gives etag and body of one row. */
static enum code get(struct pipelines *p, sqlite3_stmt *stmt, struct str name, struct version **ret, struct err *err) {
    enum code rc = pipeline_rows_step(p, stmt, "pipeline", name, err);
    if (rc) return rc;
    struct str etag = { (const char *)sqlite3_column_text(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0) };
    struct version *v = find(p, etag, name);
    if (v) {
        v->refs++;
        *ret = v;
        return OK;
    }
    struct str body = { (const char *)sqlite3_column_text(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1) };
    if (!etag.p || !body.p) return err_oom(err);
    return make(p, etag, name, body, ret, err);
}

enum code version_current(struct pipelines *p, struct str name, struct version **ret, struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(p->store, STR("SELECT etag, body FROM artifact WHERE kind=0 AND name=?"), &stmt, err);
    if (rc) return rc;
    pipeline_rows_bind(stmt, 1, name);
    return get(p, stmt, name, ret, err);
}

enum code version_stored(struct pipelines *p, struct str etag, struct str name, struct version **ret, struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(p->store, STR("SELECT etag, body FROM version WHERE etag=?"), &stmt, err);
    if (rc) return rc;
    pipeline_rows_bind(stmt, 1, etag);
    return get(p, stmt, name, ret, err);
}

struct version *version_unref(struct pipelines *p, struct version *version) {
    if (!version || --version->refs) return NULL;
    struct version **at = &p->versions;
    while (*at != version) at = &(*at)->next;
    *at = version->next;
    p->charged -= version->cost;
    (void)pipeline_unref(version->pipeline);
    free(version->name);
    free(version);
    return NULL;
}
