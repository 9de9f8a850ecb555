/* help.h: one context for the tests of expressions, templates and documents. */
#pragma once
#include <string.h>

#include "../test.h"
#include "data/json.h"
#include "pipeline/document.h"

static inline bool fixed_guid(void *user, char out[EXPR_GUID_SIZE]) {
    (void)user;
    memcpy(out, "00112233-4455-6677-8899-aabbccddeeff", EXPR_GUID_SIZE);
    return true;
}

struct world {
    json_t *parameters, *variables, *item, *web;
};

static inline const json_t *world_activity(void *user, struct str name) {
    struct world *w = user;
    return str_eq(name, STR("Web")) ? w->web : NULL;
}

static inline json_t *must_load(const char *text) {
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(json);
    return json;
}

static inline void world_open(struct world *w) {
    w->parameters = must_load(
        "{\"s\":\"blue\",\"n\":42,\"f\":1.5,\"b\":true,\"list\":[1,2,3],\"o\":{\"k\":\"v\",\"in\":{\"x\":[10,20]}}}");
    w->variables = must_load("{\"v\":\"green\",\"none\":null}");
    w->item = must_load("{\"id\":7}");
    w->web = must_load("{\"status\":\"Succeeded\",\"output\":{\"id\":\"job-1\",\"rows\":[{\"n\":1},{\"n\":2}]}}");
}

static inline void world_close(struct world *w) {
    json_decref(w->parameters);
    json_decref(w->variables);
    json_decref(w->item);
    json_decref(w->web);
}

static inline struct expr_context world_context(struct world *w) {
    return (struct expr_context){
        .system = { .data_factory = STR("flights"),
                    .pipeline = STR("Nightly"),
                    .run_id = STR("run-1"),
                    .trigger_time = STR("2026-03-01T00:00:00Z") },
        .parameters = w->parameters,
        .variables = w->variables,
        .item = w->item,
        .now_us = INT64_C(1772368215123456), /* 2026-03-01T12:30:15.123456Z */
        .activity = world_activity,
        .guid = fixed_guid,
        .user = w,
    };
}
