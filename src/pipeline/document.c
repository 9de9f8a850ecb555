#include "pipeline/document.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/enc.h"
#include "data/json.h"
#include "pipeline/document_internal.h"

enum { PIPELINE_ARENA_MAX = 64 << 20 };

struct box {
    struct pipeline pipeline;
    struct arena *arena;
    json_t *document;
    atomic_uint refs;
};

static struct box *box_of(struct pipeline *pipeline) {
    return CONTAINER_OF(pipeline, struct box, pipeline);
}

struct pipeline *pipeline_ref(struct pipeline *pipeline) {
    atomic_fetch_add(&box_of(pipeline)->refs, 1);
    return pipeline;
}

struct pipeline *pipeline_unref(struct pipeline *pipeline) {
    if (!pipeline) return NULL;
    struct box *box = box_of(pipeline);
    if (atomic_fetch_sub(&box->refs, 1) != 1) return NULL;
    arena_free(box->arena);
    json_decref(box->document);
    free(box);
    return NULL;
}

void pipeline_unrefp(struct pipeline **pipeline) {
    *pipeline = pipeline_unref(*pipeline);
}

static struct pipeline *box_new(json_t *document) {
    struct box *box = calloc(1, sizeof *box);
    if (!box) return NULL;
    atomic_init(&box->refs, 1);
    box->document = json_incref(document);
    box->pipeline.document = document;
    box->arena = arena_new(PIPELINE_ARENA_MAX);
    return box->arena ? &box->pipeline : pipeline_unref(&box->pipeline);
}

bool pipeline_name_valid(struct str name, size_t max_chars) {
    if (name.n == 0 || !utf8_valid(name) || utf8_length(name) > max_chars) return false;
    unsigned char first = (unsigned char)name.p[0];
    bool letter = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || first >= 0x80;
    if (!letter && first != '_' && (first < '0' || first > '9')) return false;
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7f || strchr(".+?/<>*#%&:\\", name.p[i])) return false;
    return name.p[name.n - 1] != ' ';
}

/* What is kept for the clients and means nothing here; its shape is checked. */
static void check_annotations(const struct shape *s, const json_t *properties, struct str path) {
    (void)shape_string(s, properties, path, "description", false);
    (void)shape_member(s, properties, path, "annotations", SHAPE_ARRAY);
    (void)shape_string(s, properties, path, "lastPublishTime", false);
    const json_t *folder = shape_member(s, properties, path, "folder", SHAPE_OBJECT);
    struct str at = path_key(s->arena, path, STR("folder"));
    shape_known(s, folder, at, "name");
    (void)shape_string(s, folder, at, "name", false);
}

static void collect_references(struct compile *c) {
    struct pipeline *p = c->pipeline;
    struct str *names = ARENA_ARRAY(c->shape.arena, struct str, p->n_activities + 1);
    if (!names) {
        c->shape.faults->oom = true;
        return;
    }
    for (size_t i = 0; i < p->n_activities; i++) {
        if (c->all[i]->kind != ACTIVITY_EXECUTE_PIPELINE) continue;
        size_t k = 0;
        while (k < p->n_references && !str_eq(names[k], c->all[i]->execute.pipeline)) k++;
        if (k == p->n_references) names[p->n_references++] = c->all[i]->execute.pipeline;
    }
    p->references = names;
}

static void compile_document(struct compile *c, const json_t *document) {
    static const struct str none = { 0 }, path = STR_INIT("properties");
    const struct shape *s = &c->shape;
    if (!json_is_object(document)) {
        fault_add(s->faults, "BadRequest", none, 0, "a pipeline is an object with 'properties'");
        return;
    }
    shape_known(s, document, none, "properties name id type etag");
    (void)shape_string(s, document, none, "name", false);
    (void)shape_string(s, document, none, "id", false);
    (void)shape_string(s, document, none, "type", false);
    (void)shape_string(s, document, none, "etag", false);
    const json_t *properties = shape_member(s, document, none, "properties", SHAPE_OBJECT | SHAPE_REQUIRED);
    if (!properties) return;
    shape_known(s, properties, path,
                "activities parameters variables concurrency annotations description folder lastPublishTime");
    check_annotations(s, properties, path);
    c->pipeline->concurrency = (unsigned)shape_int(s, properties, path, "concurrency", 1, 10000, 0);
    compile_slots(c, properties, path);
    c->pipeline->activities = compile_activities(c, properties, path, "activities", false);
    if (s->faults->oom) return;
    compile_references(c);
    collect_references(c);
}

enum code pipeline_compile(json_t *document, struct faults *faults, struct pipeline **ret, struct err *err) {
    DEFER(pipeline_unrefp) struct pipeline *pipeline = box_new(document);
    if (!pipeline) return err_oom(err);
    struct compile c = { .shape = { box_of(pipeline)->arena, faults }, .pipeline = pipeline };
    compile_document(&c, document);
    enum code rc = faults_err(faults, err);
    if (rc == OK) *ret = TAKE(pipeline);
    return rc;
}

enum code pipeline_read(struct str text, struct faults *faults, struct pipeline **ret, struct err *err) {
    DEFER(json_freep) json_t *document = NULL;
    struct err why;
    enum code rc = json_read(text, PIPELINE_TEXT_MAX, PIPELINE_DEPTH_MAX, &document, &why);
    if (rc == OK) return pipeline_compile(document, faults, ret, err);
    if (rc == RESOURCE_EXHAUSTED) return err_oom(err);
    fault_add(faults, "BadRequest", (struct str){ 0 }, 0, "line %u, column %u: %s", why.line, why.column, why.message);
    return faults_err(faults, err);
}
