/* containers.c: the activities that hold others: IfCondition and ForEach. */
#include "data/json.h"
#include "pipeline/pipelines_priv.h"

static void fail_inner(struct pipeline_node *node) {
    pipeline_node_fail(node, FINAL, "InnerActivityFailed", STR(""), "inner activity %.*s failed: %s",
                       STR_ARG(node->inner_name), node->message ? node->message : "");
}

static void no_memory(struct pipeline_node *node) {
    pipeline_node_fail(node, FINAL, "InsufficientMemory", STR(""), "out of memory");
}

/* ---- IfCondition ---- */

static void enter_branch(struct pipeline_node *node, bool truth) {
    const struct activity_list *list = truth ? &node->def->if_condition.if_true : &node->def->if_condition.if_false;
    if (list->n == 0) {
        pipeline_node_succeed(node, NULL);
        return;
    }
    struct scope *scope = scope_new(node->scope->run, node, list, truth ? 0 : 1);
    if (!scope) {
        no_memory(node);
        return;
    }
    pipeline_node_wait(node, WAIT_INNER, 0);
    scope_stir(scope);
}

static void begin_if(struct pipeline_node *node) {
    struct err err = { 0 };
    DEFER(json_freep) json_t *value = NULL;
    enum code rc = pipeline_evaluate(node, node->def->if_condition.expression, &value, &err);
    if (rc) {
        pipeline_node_fail_code(node, rc, &err);
        return;
    }
    if (!json_is_boolean(value)) {
        pipeline_node_fail(node, FINAL, "InvalidTemplate", STR(""), "the condition's expression gives no Boolean");
        return;
    }
    pipeline_node_set_input(node, json_pack("{s:O}", "result", value));
    if (!pipeline_node_set_plan(node, json_pack("{s:O}", "branch", value))) no_memory(node);
    else enter_branch(node, json_is_true(value));
}

static void if_done(struct pipeline_node *node, struct scope *scope, bool ok) {
    (void)scope;
    if (ok) pipeline_node_succeed(node, NULL);
    else fail_inner(node);
}

/* recover.c has made the branch's scope when something in it had begun. */
static void resume_if(struct pipeline_node *node, const json_t *plan) {
    const json_t *branch = json_object_get(plan, "branch");
    if (!branch) begin_if(node);
    else if (!node->inner) enter_branch(node, json_is_true(branch));
}

const struct pipeline_node_kind pipeline_if_kind = { .begin = begin_if, .inner_done = if_done, .resume = resume_if };

/* ---- ForEach ---- */

static void end_for_each(struct pipeline_node *node) {
    if (node->inner_failed) fail_inner(node);
    else pipeline_node_succeed(node, NULL);
}

/* No row is written past the limit but by what has begun: the loop ends there, and says so. */
static bool may_go_on(struct pipeline_node *node) {
    const struct run *run = node->scope->run;
    if (run->n_rows < PIPELINES_MAX_RUN_ACTIVITIES || node->next_item == json_array_size(node->items)) return true;
    if (node->n_working) return false;
    pipeline_node_fail(node, FINAL, "TooManyActivities", STR(""),
                       "the run has more than %d activity runs: %zu items were not begun", PIPELINES_MAX_RUN_ACTIVITIES,
                       json_array_size(node->items) - node->next_item);
    return false;
}

static void begin_iterations(struct pipeline_node *node) {
    const size_t n = json_array_size(node->items);
    if (!may_go_on(node)) return;
    while (node->n_working < node->def->for_each.batch_count && node->next_item < n) {
        struct scope *scope = scope_new(node->scope->run, node, &node->def->for_each.activities, node->next_item);
        if (!scope) {
            for (struct scope *s = node->inner; s; s = s->next) scope_cancel(s);
            no_memory(node);
            return;
        }
        scope->item = json_array_get(node->items, node->next_item++);
        node->n_working++;
        scope_stir(scope);
    }
    if (!node->n_working) end_for_each(node);
}

static bool check_items(struct pipeline_node *node, const json_t *items) {
    if (!json_is_array(items) || json_array_size(items) > FOR_EACH_ITEMS_MAX) {
        pipeline_node_fail(node, FINAL, "InvalidTemplate", STR(""), "items gives no array of at most %d",
                           FOR_EACH_ITEMS_MAX);
        return false;
    }
    if (pipeline_run_charge(node->scope->run, json_dumpb(items, NULL, 0, JSON_COMPACT) * DOCUMENT_COST)) return true;
    pipeline_node_fail(node, FINAL, "ResourceExhausted", STR(""), "the runs in progress hold too much");
    return false;
}

static void begin_for_each(struct pipeline_node *node) {
    struct err err = { 0 };
    DEFER(json_freep) json_t *items = NULL;
    enum code rc = pipeline_evaluate(node, node->def->for_each.items, &items, &err);
    if (rc) {
        pipeline_node_fail_code(node, rc, &err);
        return;
    }
    if (!check_items(node, items)) return;
    pipeline_node_set_input(node, json_pack("{s:I}", "itemsCount", (json_int_t)json_array_size(items)));
    if (!pipeline_node_set_plan(node, json_pack("{s:O}", "items", items))) {
        no_memory(node);
        return;
    }
    node->items = TAKE(items);
    pipeline_node_wait(node, WAIT_INNER, 0);
    begin_iterations(node);
}

static void iteration_done(struct pipeline_node *node, struct scope *scope, bool ok) {
    (void)scope;
    node->n_working--;
    node->inner_failed = node->inner_failed || !ok;
    begin_iterations(node);
}

/* recover.c has set items, the iterations at work and how those before them ended. */
static void resume_for_each(struct pipeline_node *node, const json_t *plan) {
    (void)plan;
    if (!node->items) begin_for_each(node);
    else begin_iterations(node);
}

const struct pipeline_node_kind pipeline_for_each_kind = { .begin = begin_for_each,
                                                           .inner_done = iteration_done,
                                                           .resume = resume_for_each };
