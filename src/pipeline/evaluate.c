/* evaluate.c: what an expression sees from where it stands. */
#include <string.h>
#include "base/clock.h"
#include "data/json.h"
#include "pipeline/pipelines_priv.h"

enum { LOOKED_AT_MAX = 80, TEXTS_ARENA_BYTES = 64 << 20, OUTPUT_DEPTH = 64 };

/* One evaluation: what activity('x') gave is read once and lives until its end. */
struct looking {
    struct pipeline_node *from;
    const struct pipeline_node *nodes[LOOKED_AT_MAX];
    json_t *values[LOOKED_AT_MAX];
    size_t n;
    enum code rc; /* of a look-up that failed for another reason than that there is none */
    struct err err;
};

static const struct pipeline_node *find_in(const struct scope *scope, struct str name) {
    for (size_t i = 0; i < scope->list->n; i++)
        if (str_eq(scope->list->items[i].name, name)) return &scope->nodes[i];
    return NULL;
}

/* The nearest scope first. Siblings within other branches or iterations are not seen. */
static const struct pipeline_node *find_node(const struct pipeline_node *from, struct str name) {
    for (const struct scope *scope = from->scope; scope; scope = scope->owner ? scope->owner->scope : NULL) {
        const struct pipeline_node *node = find_in(scope, name);
        if (node) return node;
    }
    return NULL;
}

static json_t *parse(struct looking *l, struct str text) {
    json_t *json = NULL;
    if (!text.n) return json_null();
    l->rc = json_read(text, PIPELINES_MAX_OUTPUT_BYTES * 2, OUTPUT_DEPTH + 2, &json, &l->err);
    return json;
}

/* What is not yet on the disk is still in the node. */
static bool texts_of(struct looking *l, const struct pipeline_node *node, struct arena *arena, struct str *output,
                     struct str *error) {
    struct str stored_output = { 0 }, stored_error = { 0 };
    if (node->now.saved && !(node->now.output || node->now.error)) {
        l->rc = pipeline_rows_attempt_texts(node->scope->run->p, node->now.id, arena, &stored_output, &stored_error,
                                            &l->err);
        if (l->rc) return false;
    }
    *output = node->now.output ? str_z(node->now.output) : stored_output;
    *error = node->now.error ? str_z(node->now.error) : stored_error;
    return true;
}

static json_t *value_of(struct looking *l, const struct pipeline_node *node) {
    DEFER(arena_freep) struct arena *arena = arena_new(TEXTS_ARENA_BYTES);
    struct str output_text = { 0 }, error_text = { 0 };
    if (!arena) return l->rc = err_oom(&l->err), NULL;
    if (!texts_of(l, node, arena, &output_text, &error_text)) return NULL;
    json_t *output = parse(l, output_text);
    json_t *error = output ? parse(l, error_text) : NULL;
    if (!output || !error) {
        json_decref(output);
        return NULL;
    }
    char start[CLOCK_RFC3339_MAX];
    (void)clock_rfc3339(node->now.started_us, start);
    json_t *value = json_pack("{s:o,s:o,s:s,s:s,s:s}", "output", output, "error", error, "status",
                              pipeline_run_state_name(node->now.state), "activityRunId", node->now.id, "executionStartTime",
                              start);
    if (!value) l->rc = err_oom(&l->err);
    return value;
}

static const json_t *look(void *user, struct str name) {
    struct looking *l = user;
    const struct pipeline_node *node = find_node(l->from, name);
    if (!node || !node->begun || !pipeline_run_state_is_end(node->now.state) || l->rc) return NULL;
    for (size_t i = 0; i < l->n; i++)
        if (l->nodes[i] == node) return l->values[i];
    if (l->n == LOOKED_AT_MAX) return NULL;
    json_t *value = value_of(l, node);
    if (!value) return NULL;
    l->nodes[l->n] = node;
    return l->values[l->n++] = value;
}

static bool guid(void *user, char out[EXPR_GUID_SIZE]) {
    struct looking *l = user;
    pipeline_make_uuid(l->from->scope->run->p, out);
    return true;
}

static const json_t *item_of(const struct pipeline_node *node) {
    for (const struct scope *scope = node->scope; scope; scope = scope->owner ? scope->owner->scope : NULL)
        if (scope->item) return scope->item;
    return NULL;
}

enum code pipeline_evaluate(struct pipeline_node *node, const struct template *t, json_t **ret, struct err *err) {
    struct run *run = node->scope->run;
    struct looking l = { .from = node };
    char began[CLOCK_RFC3339_MAX];
    (void)clock_rfc3339(run->created_us, began);
    const struct expr_context context = {
        .system = { .data_factory = str_z(run->p->workspace),
                    .pipeline = str_z(pipeline_run_pipeline(run)),
                    .run_id = str_z(run->id),
                    .group_id = str_z(run->root),
                    .trigger_type = run->parent_run[0] ? STR("PipelineActivity") : STR("Manual"),
                    .trigger_id = str_z(run->parent_run[0] ? run->parent_activity : run->id),
                    .trigger_name = run->parent_run[0] ? str_z(run->parent_pipeline) : STR("Manual"),
                    .trigger_time = str_z(began),
                    .triggered_by_pipeline_name = str_z(run->parent_pipeline),
                    .triggered_by_pipeline_run_id = str_z(run->parent_run) },
        .parameters = run->parameters,
        .variables = run->variables,
        .item = item_of(node),
        .now_us = pipeline_node_now(node),
        .activity = look,
        .guid = guid,
        .user = &l,
    };
    enum code rc = template_eval(t, &context, ret, err);
    for (size_t i = 0; i < l.n; i++) json_decref(l.values[i]);
    if (!l.rc) return rc;
    if (!rc) { /* `?.` took the failed look-up for one that has not run */
        json_decref(*ret);
        *ret = NULL;
    }
    return err_set(err, l.rc, "%s", l.err.message);
}
