/* Any bytes as a pipeline's document and as a linked service: refused with faults that have a body, or compiled, the same
 * twice. */
#include <stdlib.h>

#include "pipeline/document.h"
#include "pipeline/linked_service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void freep(json_t **json) {
    json_decref(*json);
}

static void check_list(struct activity_list list) {
    for (size_t i = 0; i < list.n; i++) {
        const struct activity *a = &list.items[i];
        if (!a->name.n || a->ordinal >= PIPELINE_ACTIVITIES_MAX ||
            (a->kind == ACTIVITY_WEB && (!a->web.url || !a->web.method.n)))
            abort();
        for (size_t k = 0; k < a->n_depends_on; k++)
            if (a->depends_on[k].activity >= list.n || !a->depends_on[k].conditions) abort();
        if (a->kind == ACTIVITY_FOR_EACH) check_list(a->for_each.activities);
        if (a->kind == ACTIVITY_IF_CONDITION) check_list(a->if_condition.if_true), check_list(a->if_condition.if_false);
    }
}

static void check_pipeline(const struct pipeline *p, struct arena *arena) {
    DEFER(freep) json_t *parameters = NULL;
    DEFER(freep) json_t *variables = pipeline_initial_variables(p);
    struct faults faults = { .arena = arena };
    struct err err;
    check_list(p->activities);
    if (variables && json_object_size(variables) != p->n_variables) abort();
    if (pipeline_bind_parameters(p, NULL, &faults, &parameters, &err) == OK &&
        json_object_size(parameters) != p->n_parameters)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    DEFER(arena_freep) struct arena *arena = arena_new(16 << 20);
    DEFER(pipeline_unrefp) struct pipeline *p = NULL;
    DEFER(freep) json_t *service = NULL;
    struct str text = { (const char *)data, size };
    struct faults faults = { .arena = arena }, others = { .arena = arena };
    struct err err;
    if (!arena) return 0;
    enum code rc = pipeline_read(text, &faults, &p, &err);
    if ((rc == OK) != (faults.total == 0 && p != NULL) && rc != RESOURCE_EXHAUSTED) abort();
    if (rc == OK) check_pipeline(p, arena);
    DEFER(freep) json_t *body = rc ? faults_body(&faults, STR("pipelines/x")) : NULL;
    if (rc == INVALID_ARGUMENT && !body) abort();
    rc = linked_service_read(text, &others, &service, &err);
    if ((rc == OK) != (service != NULL)) abort();
    return 0;
}
