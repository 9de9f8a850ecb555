/* simple.c: the activities that need nobody: Wait, SetVariable, Fail. */
#include "data/json.h"
#include "pipeline/pipelines_priv.h"

enum { CODE_MAX_BYTES = 200 };

/* ---- Wait ---- */

static void begin_wait(struct pipeline_node *node) {
    struct err err = { 0 };
    json_t *value = NULL;
    enum code rc = pipeline_evaluate(node, node->def->wait_s, &value, &err);
    if (rc) {
        pipeline_node_fail_code(node, rc, &err);
        return;
    }
    json_int_t seconds = json_is_integer(value) ? json_integer_value(value) : -1;
    json_decref(value);
    if (seconds < 0 || seconds > (json_int_t)WAIT_MAX_S) {
        pipeline_node_fail(node, FINAL, "InvalidTemplate", STR(""), "waitTimeInSeconds is no integer from 0 to %d",
                           WAIT_MAX_S);
        return;
    }
    pipeline_node_set_input(node, json_pack("{s:I}", "waitTimeInSeconds", seconds));
    pipeline_node_wait(node, WAIT_TIMER, pipeline_node_now(node) + (int64_t)seconds * SECOND_US);
}

static void end_wait(struct pipeline_node *node) {
    pipeline_node_succeed(node, NULL);
}

/* The timer is set from the row already. */
static void resume_wait(struct pipeline_node *node, const json_t *plan) {
    (void)plan;
    if (!node->now.wake_us) begin_wait(node);
}

const struct pipeline_node_kind pipeline_wait_kind = { .begin = begin_wait, .timer = end_wait, .resume = resume_wait };

/* ---- SetVariable ---- */

static size_t cost_of(const json_t *value) {
    return value ? json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) * DOCUMENT_COST : 0;
}

static bool store(struct run *run, const struct pipeline_slot *slot, json_t *value) {
    size_t before = cost_of(json_object_getn(run->variables, slot->name.p, slot->name.n)), after = cost_of(value);
    if (after > before && !pipeline_run_charge(run, after - before)) return false;
    if (json_object_setn(run->variables, slot->name.p, slot->name.n, value)) return false;
    run->variables_changed = true;
    pipeline_run_touch(run);
    return true;
}

static void begin_set_variable(struct pipeline_node *node) {
    struct run *run = node->scope->run;
    const struct pipeline_slot *slot = &run->version->pipeline->variables[node->def->set_variable.variable];
    struct err err = { 0 };
    json_t *value = NULL;
    enum code rc = pipeline_evaluate(node, node->def->set_variable.value, &value, &err);
    if (rc) {
        pipeline_node_fail_code(node, rc, &err);
        return;
    }
    json_t *shown = json_pack("{s:s%,s:O}", "name", slot->name.p, slot->name.n, "value", value);
    pipeline_node_set_input(node, json_incref(shown));
    if (!pipeline_type_holds(slot->type, value)) {
        json_decref(shown);
        pipeline_node_fail(node, FINAL, "InvalidTemplate", STR(""), "the value for variable %.*s is no %s",
                           STR_ARG(slot->name), pipeline_type_name(slot->type));
    } else if (!store(run, slot, value)) {
        json_decref(shown);
        pipeline_node_fail(node, FINAL, "ResourceExhausted", STR(""), "the runs in progress hold too much");
    } else {
        pipeline_node_succeed(node, shown);
    }
    json_decref(value);
}

static void resume_at_once(struct pipeline_node *node, const json_t *plan) {
    (void)plan;
    pipeline_node_activity_kind(node)->begin(node);
}

const struct pipeline_node_kind pipeline_set_variable_kind = { .begin = begin_set_variable, .resume = resume_at_once };

/* ---- Fail ---- */

static bool text_of(struct pipeline_node *node, const struct template *t, json_t **ret) {
    struct err err = { 0 };
    enum code rc = pipeline_evaluate(node, t, ret, &err);
    if (!rc && json_is_string(*ret)) return true;
    if (rc) pipeline_node_fail_code(node, rc, &err);
    else pipeline_node_fail(node, FINAL, "InvalidTemplate", STR(""), "message and errorCode must be strings");
    return false;
}

static void begin_fail(struct pipeline_node *node) {
    DEFER(json_freep) json_t *message = NULL, *code = NULL;
    if (!text_of(node, node->def->fail.message, &message) || !text_of(node, node->def->fail.error_code, &code)) return;
    pipeline_node_set_input(node, json_pack("{s:O,s:O}", "message", message, "errorCode", code));
    char short_code[CODE_MAX_BYTES + 1];
    (void)snprintf(short_code, sizeof short_code, "%s", json_string_value(code));
    pipeline_node_fail(node, FINAL, short_code, STR(""), "%s", json_string_value(message));
}

const struct pipeline_node_kind pipeline_fail_kind = { .begin = begin_fail, .resume = resume_at_once };
