/* node.c: an activity's life: begun or skipped, waiting, tried again, ended. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/json_text.h"
#include "data/json.h"
#include "pipeline/pipelines_priv.h"

static const struct pipeline_node_kind *const kinds[ACTIVITY_KINDS] = {
    [ACTIVITY_WEB] = &pipeline_web_kind,
    [ACTIVITY_WAIT] = &pipeline_wait_kind,
    [ACTIVITY_SET_VARIABLE] = &pipeline_set_variable_kind,
    [ACTIVITY_FAIL] = &pipeline_fail_kind,
    [ACTIVITY_IF_CONDITION] = &pipeline_if_kind,
    [ACTIVITY_FOR_EACH] = &pipeline_for_each_kind,
    [ACTIVITY_EXECUTE_PIPELINE] = &pipeline_execute_kind,
};

const struct pipeline_node_kind *pipeline_node_activity_kind(const struct pipeline_node *node) {
    return kinds[node->def->kind];
}

int64_t pipeline_node_now(const struct pipeline_node *node) {
    struct pipelines *p = node->scope->run->p;
    return p->effects.now_us(p->effects.ctx);
}

void pipeline_node_touch(struct pipeline_node *node) {
    struct pipelines *p = node->scope->run->p;
    node->now.updated_us = pipeline_node_now(node);
    if (node->dirty) return;
    node->dirty = true;
    node->next_dirty = NULL;
    *p->last_dirty_node = node;
    p->last_dirty_node = &node->next_dirty;
}

/* ---- where it stands ---- */

/* "3" for the root's fourth activity; "3:17/0": the first of its 18th iteration. */
void pipeline_node_place(const struct pipeline_node *node, char out[MAX_PATH_BYTES]) {
    char tail[MAX_PATH_BYTES - 24] = ""; /* 8 levels of at most 15 bytes */
    for (const struct scope *scope = node->scope;; node = scope->owner, scope = node->scope) {
        size_t index = (size_t)(node - scope->nodes);
        if (!scope->owner) {
            (void)snprintf(out, MAX_PATH_BYTES, "%zu%s", index, tail);
            return;
        }
        char longer[MAX_PATH_BYTES + 24];
        int n = snprintf(longer, sizeof longer, ":%zu/%zu%s", scope->index, index, tail);
        if (n > 0) memcpy(tail, longer, sizeof tail);
    }
}

void pipeline_node_iteration(const struct pipeline_node *node, struct buf *out) {
    const struct scope *chain[PIPELINE_NESTING_MAX + 2];
    size_t n = 0;
    for (const struct scope *s = node->scope; s->owner && n < COUNT(chain); s = s->owner->scope)
        if (s->owner->def->kind == ACTIVITY_FOR_EACH) chain[n++] = s;
    while (n) {
        const struct scope *s = chain[--n];
        if (out->n) buf_add_char(out, '/');
        buf_add_str(out, s->owner->def->name);
        buf_printf(out, "[%zu]", s->index);
    }
}

/* ---- texts ---- */

/* NULL: no memory, or longer than `max`. */
static char *dump(const json_t *json, size_t max, size_t *ret_n) {
    struct buf out = BUF_INIT(max + 1);
    bool ok = json && json_write(json, &out);
    *ret_n = out.n;
    buf_add_char(&out, 0);
    if (ok && buf_ok(&out)) return out.p;
    buf_free(&out);
    return NULL;
}

void pipeline_node_set_input(struct pipeline_node *node, json_t *input) {
    size_t n;
    free(node->now.input);
    node->now.input = node->def->policy.secure_input ? pipeline_copy_text(STR("{\"secureInput\":true}"))
                                                     : dump(input, PIPELINES_MAX_OUTPUT_BYTES, &n);
    json_decref(input);
    pipeline_node_touch(node);
}

bool pipeline_node_set_plan(struct pipeline_node *node, json_t *plan) {
    size_t n;
    free(node->now.plan);
    node->now.plan = dump(plan, 2 * PIPELINES_MAX_OUTPUT_BYTES, &n);
    json_decref(plan);
    pipeline_node_touch(node);
    return node->now.plan != NULL;
}

static bool is_systems(const char *code) {
    static const char *const codes[] = { "InsufficientMemory", "Interrupted", "TooManyRequests", "ResourceExhausted" };
    for (size_t i = 0; i < COUNT(codes); i++)
        if (strcmp(codes[i], code) == 0) return true;
    return false;
}

static char *error_text(const struct pipeline_node *node, const char *code, struct str request, const char *message) {
    struct buf out = BUF_INIT(16 * MAX_MESSAGE_BYTES);
    buf_add_z(&out, "{\"errorCode\":");
    json_text_string(&out, str_z(code));
    buf_add_z(&out, ",\"message\":");
    json_text_string(&out, str_z(message));
    buf_add_z(&out, is_systems(code) ? ",\"failureType\":\"SystemError\",\"target\":"
                                     : ",\"failureType\":\"UserError\",\"target\":");
    json_text_string(&out, node->def->name);
    if (request.n) {
        buf_add_z(&out, ",\"requestId\":");
        json_text_string(&out, str_upto(request, 200));
    }
    buf_add_z(&out, "}");
    buf_add_char(&out, 0);
    if (buf_ok(&out)) return out.p;
    buf_free(&out);
    return NULL;
}

/* ---- begin ---- */

static bool set_user_properties(struct pipeline_node *node) {
    json_t *value = NULL;
    struct err err = { 0 };
    size_t n;
    if (!node->def->user_properties) return true;
    enum code rc = pipeline_evaluate(node, node->def->user_properties, &value, &err);
    if (rc) {
        pipeline_node_fail_code(node, rc, &err);
        return false;
    }
    node->now.user_properties = dump(value, PIPELINES_MAX_OUTPUT_BYTES, &n);
    json_decref(value);
    return true;
}

static bool may_add_row(struct pipeline_node *node) {
    struct run *run = node->scope->run;
    if (++run->n_rows <= PIPELINES_MAX_RUN_ACTIVITIES) return true;
    pipeline_node_fail(node, FINAL, "TooManyActivities", STR(""), "the run has more than %d activity runs",
                       PIPELINES_MAX_RUN_ACTIVITIES);
    return false;
}

static void begin_attempt(struct pipeline_node *node) {
    node->now.state = RUN_IN_PROGRESS;
    node->now.started_us = pipeline_node_now(node);
    node->now.tell_started = true;
    node->now.wait = WAIT_NOTHING;
    node->now.wake_us = 0;
    if (node->def->kind == ACTIVITY_WEB)
        node->now.deadline_us = node->now.started_us + (int64_t)node->def->policy.timeout_s * SECOND_US;
    timers_set(node->scope->run->p, node);
    pipeline_node_touch(node);
    if (may_add_row(node) && set_user_properties(node)) pipeline_node_activity_kind(node)->begin(node);
}

void pipeline_node_begin(struct pipeline_node *node) {
    node->begun = true;
    pipeline_make_uuid(node->scope->run->p, node->now.id);
    begin_attempt(node);
}

/* ---- end ---- */

static void leave_waiting(struct pipeline_node *node) {
    struct pipelines *p = node->scope->run->p;
    if (!node->waiting) return;
    struct pipeline_node **at = &p->waiting;
    while (*at != node) at = &(*at)->next_waiting;
    *at = node->next_waiting;
    if (!*at) p->last_waiting = at;
    node->waiting = false;
}

static void drop_work(struct pipeline_node *node) {
    if (node->exchange) web_exchange_abandon(node->exchange);
    leave_waiting(node);
    while (node->inner) scope_drop(node->inner);
    free(node->location);
    free(node->method);
    free(node->url);
    json_decref(node->items);
    node->location = node->method = node->url = NULL;
    node->items = NULL;
    node->blips = 0;
    node->interval_us = 0;
    if (node->child) node->child->parent = NULL;
    node->child = NULL;
}

static void finish(struct pipeline_node *node, enum run_state state) {
    drop_work(node);
    node->begun = true;
    node->now.state = state;
    node->now.ended_us = pipeline_node_now(node);
    node->now.wait = WAIT_NOTHING;
    node->now.wake_us = node->now.deadline_us = 0;
    timers_set(node->scope->run->p, node);
    node->now.tell_ended = true;
    pipeline_node_touch(node);
    node->scope->n_left--;
    scope_stir(node->scope);
}

void pipeline_node_skip(struct pipeline_node *node) {
    struct run *run = node->scope->run;
    pipeline_make_uuid(run->p, node->now.id);
    node->now.started_us = pipeline_node_now(node);
    run->n_rows++; /* at most one for each that the limit let begin: no need to fail for it */
    finish(node, RUN_SKIPPED);
}

void pipeline_node_cancel(struct pipeline_node *node) {
    if (!node->now.started_us) node->now.started_us = pipeline_node_now(node); /* it waited to be tried again */
    finish(node, RUN_CANCELLED);
}

void pipeline_node_succeed(struct pipeline_node *node, json_t *output) {
    struct run *run = node->scope->run;
    size_t n = 2;
    char *text = output ? dump(output, PIPELINES_MAX_OUTPUT_BYTES, &n) : pipeline_copy_text(STR("{}"));
    bool large = !text && output && json_dumpb(output, NULL, 0, JSON_COMPACT) > PIPELINES_MAX_OUTPUT_BYTES;
    json_decref(output);
    if (!text && !large) {
        pipeline_node_fail(node, FINAL, "InsufficientMemory", STR(""), "out of memory for the output");
        return;
    }
    if (large || run->output_bytes + n > PIPELINES_MAX_RUN_OUTPUT_BYTES) {
        free(text);
        pipeline_node_fail(node, FINAL, "OutputTooLarge", STR(""),
                           "an output may have %d bytes, those of a run together %d", PIPELINES_MAX_OUTPUT_BYTES,
                           PIPELINES_MAX_RUN_OUTPUT_BYTES);
        return;
    }
    run->output_bytes += n;
    run->hides = run->hides || node->def->policy.secure_output;
    free(node->now.output);
    node->now.output = text;
    pipeline_run_touch(run);
    finish(node, RUN_SUCCEEDED);
}

/* ---- fail, and perhaps try again ---- */

/* The failed attempt becomes a row of its own; the next waits in this one. False: not now. */
static bool try_again(struct pipeline_node *node) {
    struct run *run = node->scope->run;
    if (node->now.number >= node->def->policy.retry || run->state == RUN_CANCELING) return false;
    struct past *past = arena_should_fail() ? NULL : calloc(1, sizeof *past);
    if (!past) return false;
    drop_work(node);
    past->attempt = node->now;
    past->attempt.state = RUN_FAILED;
    past->attempt.ended_us = past->attempt.updated_us = pipeline_node_now(node);
    past->attempt.wait = WAIT_NOTHING;
    past->attempt.wake_us = past->attempt.deadline_us = 0;
    past->attempt.tell_ended = true;
    past->next = node->past;
    node->past = past;
    node->now = (struct attempt){ .number = past->attempt.number + 1, .state = RUN_QUEUED };
    pipeline_make_uuid(run->p, node->now.id);
    pipeline_node_wait(node, WAIT_RETRY, pipeline_node_now(node) + (int64_t)node->def->policy.retry_interval_s * SECOND_US);
    return true;
}

void pipeline_node_fail(struct pipeline_node *node, enum again again, const char *code, struct str request, const char *fmt,
                        ...) {
    char message[MAX_MESSAGE_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    free(node->now.error);
    node->now.error = error_text(node, code, request, message);
    if (again == RETRY && try_again(node)) return;
    char *copy = pipeline_copy_text(str_z(message)); /* `message` may be made of it */
    free(node->message);
    node->message = copy;
    finish(node, RUN_FAILED);
}

void pipeline_node_fail_code(struct pipeline_node *node, enum code rc, const struct err *err) {
    pipeline_node_fail(node, FINAL, rc == RESOURCE_EXHAUSTED ? "InsufficientMemory" : "InvalidTemplate", STR(""), "%s",
                       err->message);
}

/* ---- time ---- */

void pipeline_node_wait(struct pipeline_node *node, enum run_wait wait, int64_t wake_us) {
    node->now.wait = wait;
    node->now.wake_us = wake_us;
    timers_set(node->scope->run->p, node);
    pipeline_node_touch(node);
}

void pipeline_node_timer(struct pipeline_node *node, int64_t now_us) {
    if (node->now.deadline_us && node->now.deadline_us <= now_us)
        pipeline_node_fail(node, RETRY, "Timeout", STR(""), "no end within the activity's timeout of %u s",
                           node->def->policy.timeout_s);
    else if (node->now.wait == WAIT_RETRY) begin_attempt(node);
    else pipeline_node_activity_kind(node)->timer(node);
}

void pipeline_node_free(struct pipeline_node *node) {
    while (node->inner) { /* the end of all: not into the trash */
        struct scope *inner = node->inner;
        node->inner = inner->next;
        scope_free(inner);
    }
    drop_work(node);
    json_decref(node->plan);
    timers_drop(node->scope->run->p, node);
    while (node->past) {
        struct past *past = node->past;
        node->past = past->next;
        attempt_free_texts(&past->attempt);
        free(past);
    }
    attempt_free_texts(&node->now);
    free(node->message);
}

void attempt_free_texts(struct attempt *a) {
    free(a->plan);
    free(a->input);
    free(a->output);
    free(a->error);
    free(a->user_properties);
    a->plan = a->input = a->output = a->error = a->user_properties = NULL;
}
