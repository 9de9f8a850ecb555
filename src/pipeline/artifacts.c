/* artifacts.c: pipelines and linked services: the documents, as they were put. */
#include <stdio.h>
#include <string.h>
#include "data/json.h"
#include "pipeline/linked_service.h"
#include "pipeline/pipelines_priv.h"

#define COLUMNS "name, id, etag, body, created, changed"

static const char *kind_name(enum artifact_kind kind) {
    return kind == ARTIFACT_PIPELINE ? "pipeline" : "linked service";
}

/* Names may not differ by the case of ASCII letters alone. */
static struct str fold(struct arena *arena, struct str name) {
    char *folded = arena_alloc(arena, name.n + 1);
    if (!folded) return (struct str){ 0 };
    for (size_t i = 0; i < name.n; i++)
        folded[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] - 'A' + 'a') : name.p[i];
    return (struct str){ folded, name.n };
}

/* ---- read ---- */

static enum code read_artifact(sqlite3_stmt *stmt, struct arena *arena, struct artifact *ret, struct err *err) {
    *ret = (struct artifact){ pipeline_rows_text(stmt, 0, arena), pipeline_rows_text(stmt, 1, arena),
                              pipeline_rows_text(stmt, 2, arena), pipeline_rows_text(stmt, 3, arena),
                              sqlite3_column_int64(stmt, 4),      sqlite3_column_int64(stmt, 5) };
    return ret->name.p && ret->id.p && ret->etag.p && ret->body.p ? OK : err_oom(err);
}

enum code pipelines_get(struct pipelines *p, enum artifact_kind kind, struct str name, struct arena *arena,
                        struct artifact *ret, struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(p->store, STR("SELECT " COLUMNS " FROM artifact WHERE kind=? AND name=?"), &stmt, err);
    if (rc) return rc;
    (void)sqlite3_bind_int(stmt, 1, (int)kind);
    pipeline_rows_bind(stmt, 2, name);
    rc = pipeline_rows_step(p, stmt, kind_name(kind), name, err);
    return rc ? rc : read_artifact(stmt, arena, ret, err);
}

enum code pipelines_list(struct pipelines *p, enum artifact_kind kind, struct str after, struct arena *arena,
                         artifact_visit *visit, void *ctx, struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(p->store, STR("SELECT " COLUMNS " FROM artifact WHERE kind=? AND name>? ORDER BY name"),
                                 &stmt, err);
    if (rc) return rc;
    (void)sqlite3_bind_int(stmt, 1, (int)kind);
    pipeline_rows_bind(stmt, 2, after);
    for (int step; (step = sqlite3_step(stmt)) != SQLITE_DONE;) {
        struct artifact artifact;
        if (step != SQLITE_ROW) return store_error(store_sqlite(p->store), step, err);
        rc = read_artifact(stmt, arena, &artifact, err);
        if (rc || !visit(ctx, &artifact)) return rc;
    }
    return OK;
}

/* ---- what a change must know ---- */

/* The one number that a statement with a kind and a text gives. */
static enum code number(struct pipelines *p, struct str sql, enum artifact_kind kind, struct str text, struct str other,
                        int64_t *ret, struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(p->store, sql, &stmt, err);
    if (rc) return rc;
    (void)sqlite3_bind_int(stmt, 1, (int)kind);
    pipeline_rows_bind(stmt, 2, text);
    pipeline_rows_bind(stmt, 3, other);
    rc = pipeline_rows_step(p, stmt, "row", text, err);
    if (!rc) *ret = sqlite3_column_int64(stmt, 0);
    return rc;
}

/* A new name: there is room, and none that differs by case alone. `old` may be itself (a rename). */
static enum code check_new(struct pipelines *p, enum artifact_kind kind, struct str name, struct str old,
                           struct arena *arena, struct err *err) {
    int64_t n = 0;
    enum code rc = number(p, STR("SELECT count(*) FROM artifact WHERE kind=?1 AND ?2=?2 AND ?3=?3"), kind, name, old, &n,
                          err);
    if (rc) return rc;
    if (n >= PIPELINES_MAX_ARTIFACTS && !old.n)
        return err_set(err, RESOURCE_EXHAUSTED, "there are %d of these already", PIPELINES_MAX_ARTIFACTS);
    struct str folded = fold(arena, name);
    if (!folded.p) return err_oom(err);
    rc = number(p, STR("SELECT count(*) FROM artifact WHERE kind=?1 AND folded=?2 AND name<>?3"), kind, folded, old, &n,
                err);
    if (rc || !n) return rc;
    return err_set(err, ALREADY_EXISTS, "a %s with this name, or one that differs by case alone, is there already",
                   kind_name(kind));
}

static enum code check_references(struct pipelines *p, const struct pipeline *pipeline, struct str name, struct err *err) {
    for (size_t i = 0; i < pipeline->n_references; i++) {
        struct str target = pipeline->references[i];
        int64_t n = 0;
        enum code rc = number(p, STR("SELECT count(*) FROM artifact WHERE kind=?1 AND name=?2 AND ?3=?3"),
                              ARTIFACT_PIPELINE, target, STR(""), &n, err);
        if (rc) return rc;
        if (!n && !str_eq(target, name))
            return err_set(err, FAILED_PRECONDITION, "it runs pipeline %.*s, which is not there: put that one first",
                           STR_ARG(target));
    }
    return OK;
}

static enum code check_unreferenced(struct pipelines *p, enum artifact_kind kind, struct str name, bool also_itself,
                                    struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    if (kind != ARTIFACT_PIPELINE) return OK;
    enum code rc = store_prepare(
        p->store, STR("SELECT source FROM reference WHERE target=?1 AND (source<>?1 OR ?2) LIMIT 1"), &stmt, err);
    if (rc) return rc;
    pipeline_rows_bind(stmt, 1, name);
    (void)sqlite3_bind_int(stmt, 2, also_itself);
    int step = sqlite3_step(stmt);
    if (step == SQLITE_DONE) return OK;
    if (step != SQLITE_ROW) return store_error(store_sqlite(p->store), step, err);
    return err_set(err, FAILED_PRECONDITION, "pipeline %s runs it: change that one first",
                   (const char *)sqlite3_column_text(stmt, 0));
}

/* ---- change ---- */

static enum code drop_references(struct pipelines *p, struct str name, struct err *err) {
    sqlite3_stmt *stmt;
    enum code rc = store_prepare(p->store, STR("DELETE FROM reference WHERE source=?"), &stmt, err);
    if (rc) return rc;
    pipeline_rows_bind(stmt, 1, name);
    return store_run(stmt, err);
}

static enum code write_references(struct pipelines *p, struct str name, const struct pipeline *pipeline, struct err *err) {
    enum code rc = drop_references(p, name, err);
    for (size_t i = 0; i < pipeline->n_references && !rc; i++) {
        sqlite3_stmt *stmt;
        rc = store_prepare(p->store, STR("INSERT INTO reference(source, target) VALUES(?,?)"), &stmt, err);
        if (rc) return rc;
        pipeline_rows_bind(stmt, 1, name);
        pipeline_rows_bind(stmt, 2, pipeline->references[i]);
        rc = store_run(stmt, err);
    }
    return rc;
}

static enum code write_row(struct pipelines *p, enum artifact_kind kind, const struct artifact *a, struct str folded,
                           struct err *err) {
    sqlite3_stmt *stmt;
    enum code rc = store_prepare(
        p->store,
        STR("INSERT INTO artifact(kind, name, folded, id, etag, body, created, changed) VALUES(?,?,?,?,?,?,?,?)"
            " ON CONFLICT(kind, name) DO UPDATE SET etag=excluded.etag, body=excluded.body, changed=excluded.changed"),
        &stmt, err);
    if (rc) return rc;
    (void)sqlite3_bind_int(stmt, 1, (int)kind);
    const struct str texts[] = { a->name, folded, a->id, a->etag, a->body };
    for (int i = 0; i < (int)COUNT(texts); i++) pipeline_rows_bind(stmt, i + 2, texts[i]);
    (void)sqlite3_bind_int64(stmt, 7, a->created_us);
    (void)sqlite3_bind_int64(stmt, 8, a->changed_us);
    return store_run(stmt, err);
}

static enum code write_artifact(struct pipelines *p, enum artifact_kind kind, const struct artifact *a,
                                const struct pipeline *pipeline, struct arena *arena, struct err *err) {
    struct str folded = fold(arena, a->name);
    if (!folded.p) return err_oom(err);
    enum code rc = pipeline_rows_begin(p, err);
    if (rc) return rc;
    rc = write_row(p, kind, a, folded, err);
    if (!rc && pipeline) rc = write_references(p, a->name, pipeline, err);
    return pipeline_rows_end(p, rc, err);
}

static struct str new_etag(struct pipelines *p, struct arena *arena) {
    char id[PIPELINE_UUID + 1];
    pipeline_make_uuid(p, id);
    return arena_printf(arena, "\"%s\"", id);
}

static struct str new_id(struct pipelines *p, struct arena *arena) {
    char id[PIPELINE_UUID + 1];
    pipeline_make_uuid(p, id);
    return str_dup(arena, str_z(id));
}

static enum code check_body(enum artifact_kind kind, struct str body, struct faults *faults, struct pipeline **ret,
                            struct err *err) {
    DEFER(json_freep) json_t *json = NULL;
    if (body.n > PIPELINES_MAX_DOCUMENT_BYTES) return err_set(err, INVALID_ARGUMENT, "the document is longer than 4 MiB");
    return kind == ARTIFACT_PIPELINE ? pipeline_read(body, faults, ret, err)
                                     : linked_service_read(body, faults, &json, err);
}

enum code pipelines_put(struct pipelines *p, enum artifact_kind kind, struct str name, struct str body,
                        struct faults *faults, struct artifact *ret, struct err *err) {
    DEFER(pipeline_unrefp) struct pipeline *pipeline = NULL;
    struct arena *arena = faults->arena;
    struct artifact a = { 0 };
    struct err ignored;
    enum code rc = pipeline_settle(p, err);
    if (!rc) rc = pipelines_check_name(name, err);
    if (!rc) rc = check_body(kind, body, faults, &pipeline, err);
    if (!rc && pipeline) rc = check_references(p, pipeline, name, err);
    if (rc) return rc;
    int64_t now = p->effects.now_us(p->effects.ctx);
    rc = pipelines_get(p, kind, name, arena, &a, &ignored);
    if (!rc && str_eq(a.body, body)) {
        *ret = a;
        return OK;
    }
    if (rc == NOT_FOUND) {
        rc = check_new(p, kind, name, STR(""), arena, err);
        a = (struct artifact){ .name = str_dup(arena, name), .id = new_id(p, arena), .created_us = now };
    } else if (rc) {
        return err_set(err, rc, "%s", ignored.message);
    }
    if (rc) return rc;
    a.etag = new_etag(p, arena);
    a.body = str_dup(arena, body);
    a.changed_us = now;
    if (!a.name.p || !a.id.p || !a.etag.p || !a.body.p) return err_oom(err);
    rc = write_artifact(p, kind, &a, pipeline, arena, err);
    if (!rc) *ret = a;
    return rc;
}

static enum code change_name(struct pipelines *p, struct str sql, enum artifact_kind kind, struct str name, struct str to,
                             struct str folded, struct err *err) {
    sqlite3_stmt *stmt;
    enum code rc = store_prepare(p->store, sql, &stmt, err);
    if (rc) return rc;
    (void)sqlite3_bind_int(stmt, 1, (int)kind);
    pipeline_rows_bind(stmt, 2, name);
    if (to.n) pipeline_rows_bind(stmt, 3, to);
    if (to.n) pipeline_rows_bind(stmt, 4, folded);
    return store_run(stmt, err);
}

static enum code check_there(struct pipelines *p, enum artifact_kind kind, struct str name, struct err *err) {
    int64_t n = 0;
    enum code rc = number(p, STR("SELECT count(*) FROM artifact WHERE kind=?1 AND name=?2 AND ?3=?3"), kind, name, STR(""),
                          &n, err);
    if (rc || n) return rc;
    return err_set(err, NOT_FOUND, "%s not found: %.*s", kind_name(kind), STR_ARG(str_upto(name, 300)));
}

enum code pipelines_delete(struct pipelines *p, enum artifact_kind kind, struct str name, struct err *err) {
    enum code rc = pipeline_settle(p, err);
    if (!rc) rc = check_there(p, kind, name, err);
    if (!rc) rc = check_unreferenced(p, kind, name, false, err);
    if (!rc) rc = pipeline_rows_begin(p, err);
    if (rc) return rc;
    rc = change_name(p, STR("DELETE FROM artifact WHERE kind=?1 AND name=?2"), kind, name, STR(""), STR(""), err);
    if (!rc && kind == ARTIFACT_PIPELINE) rc = drop_references(p, name, err);
    return pipeline_rows_end(p, rc, err);
}

enum code pipelines_rename(struct pipelines *p, enum artifact_kind kind, struct str name, struct str to, struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 16);
    if (!arena) return err_oom(err);
    enum code rc = pipelines_check_name(to, err);
    if (rc) return rc;
    struct str folded = fold(arena, to);
    if (!folded.p) return err_oom(err);
    rc = pipeline_settle(p, err);
    if (!rc) rc = check_there(p, kind, name, err);
    if (!rc) rc = check_unreferenced(p, kind, name, true, err); /* its own document would name what is gone */
    if (!rc) rc = check_new(p, kind, to, name, arena, err);
    if (!rc) rc = pipeline_rows_begin(p, err);
    if (rc) return rc;
    rc = change_name(p, STR("UPDATE artifact SET name=?3, folded=?4 WHERE kind=?1 AND name=?2"), kind, name, to, folded,
                     err);
    if (!rc && kind == ARTIFACT_PIPELINE)
        rc = change_name(p, STR("UPDATE reference SET source=?3 WHERE source=?2 AND ?1=?1 AND ?4=?4"), kind, name, to,
                         folded, err);
    return pipeline_rows_end(p, rc, err);
}
