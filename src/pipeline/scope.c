/* scope.c: activities in their order: which begin, which are skipped, and what their outcome means for what is around them.
 */
#include <stdlib.h>
#include "pipeline/pipelines_priv.h"
#include "pipeline/rules.h"

enum { WORK_AT_ONCE = 500 };

struct scope *scope_new(struct run *run, struct pipeline_node *owner, const struct activity_list *list, size_t index) {
    if (arena_should_fail() || !timers_reserve(run->p, list->n)) return NULL;
    struct scope *scope = calloc(1, sizeof *scope + list->n * sizeof *scope->nodes);
    if (!scope) {
        timers_release(run->p, list->n);
        return NULL;
    }
    scope->run = run;
    scope->owner = owner;
    scope->index = index;
    scope->list = list;
    scope->n_left = list->n;
    for (size_t i = 0; i < list->n; i++) {
        scope->nodes[i].scope = scope;
        scope->nodes[i].def = &list->items[i];
    }
    if (owner) {
        scope->next = owner->inner;
        owner->inner = scope;
    }
    return scope;
}

static void unstir(struct scope *scope) {
    struct pipelines *p = scope->run->p;
    struct scope **at = &p->stirred;
    if (!scope->stirred) return;
    while (*at != scope) at = &(*at)->next_stirred;
    *at = scope->next_stirred;
    if (!*at) p->last_stirred = at;
}

void scope_free(struct scope *scope) {
    if (!scope) return;
    unstir(scope);
    for (size_t i = 0; i < scope->list->n; i++) pipeline_node_free(&scope->nodes[i]);
    timers_release(scope->run->p, scope->list->n);
    free(scope);
}

void scope_drop(struct scope *scope) {
    struct pipelines *p = scope->run->p;
    for (struct scope **at = &scope->owner->inner; *at; at = &(*at)->next) {
        if (*at != scope) continue;
        *at = scope->next;
        break;
    }
    scope->dropped = true;
    scope->next = p->trash_scopes;
    p->trash_scopes = scope;
}

/* ---- order ---- */

static enum run_state state_of(const void *ctx, unsigned index, bool *ret_ended) {
    const struct scope *scope = ctx;
    const struct pipeline_node *node = &scope->nodes[index];
    *ret_ended = node->begun && pipeline_run_state_is_end(node->now.state);
    return node->now.state;
}

static void look_at_nodes(struct scope *scope) {
    for (unsigned i = 0; i < scope->list->n; i++) {
        struct pipeline_node *node = &scope->nodes[i];
        if (node->begun || scope->run->state == RUN_CANCELING) continue;
        switch (rules_next(scope->list, i, state_of, scope)) {
        case NEXT_WAIT: break;
        case NEXT_BEGIN: pipeline_node_begin(node); break;
        case NEXT_SKIP: pipeline_node_skip(node); break;
        }
    }
}

bool scope_succeeded(const struct scope *scope, const struct pipeline_node **ret_failed) {
    unsigned failed = 0;
    if (rules_succeeded(scope->list, state_of, scope, &failed)) return true;
    *ret_failed = &scope->nodes[failed];
    return false;
}

static void finish_root(struct scope *scope) {
    const struct pipeline_node *failed = NULL;
    struct run *run = scope->run;
    if (scope_succeeded(scope, &failed)) {
        pipeline_run_finish(run, RUN_SUCCEEDED, NULL);
        return;
    }
    DEFER(buf_free) struct buf text = BUF_INIT(2 * MAX_MESSAGE_BYTES);
    buf_printf(&text, "Operation on target %.*s failed: %s", STR_ARG(failed->def->name),
               failed->message ? failed->message : "");
    buf_add_char(&text, 0);
    pipeline_run_finish(run, RUN_FAILED, buf_ok(&text) ? text.p : "an activity failed");
}

static void finish_inner(struct scope *scope) {
    const struct pipeline_node *failed = NULL;
    struct pipeline_node *owner = scope->owner;
    bool ok = scope_succeeded(scope, &failed);
    if (!ok && !owner->message && failed->message) {
        owner->message = pipeline_copy_text(str_z(failed->message));
        owner->inner_name = failed->def->name;
    }
    scope_drop(scope);
    pipeline_node_activity_kind(owner)->inner_done(owner, scope, ok);
}

void scope_stir(struct scope *scope) {
    struct pipelines *p = scope->run->p;
    if (scope->stirred) return;
    scope->stirred = true;
    scope->next_stirred = NULL;
    *p->last_stirred = scope;
    p->last_stirred = &scope->next_stirred;
}

/* Several looks at one scope may be needed: a node that ends at once makes others ready, which stirs it again. */
void scope_work(struct pipelines *p) {
    struct scope *scope;
    for (unsigned i = 0; i < WORK_AT_ONCE && (scope = p->stirred); i++) {
        p->stirred = scope->next_stirred;
        if (!p->stirred) p->last_stirred = &p->stirred;
        scope->stirred = false;
        if (scope->dropped || pipeline_run_state_is_end(scope->run->state)) continue;
        look_at_nodes(scope);
        if (scope->n_left || scope->run->state == RUN_CANCELING || scope->stirred) continue;
        if (scope->owner) finish_inner(scope);
        else finish_root(scope);
    }
}

void scope_cancel(struct scope *scope) {
    for (size_t i = 0; i < scope->list->n; i++) {
        struct pipeline_node *node = &scope->nodes[i];
        if (!node->begun || pipeline_run_state_is_end(node->now.state)) continue;
        for (struct scope *inner = node->inner; inner; inner = inner->next) scope_cancel(inner);
        pipeline_node_cancel(node);
    }
}
