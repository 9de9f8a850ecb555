/* web.c: the Web activity: one request; a 202 with a Location is asked there again until it is no 202. */
#include <stdlib.h>
#include <string.h>
#include "pipeline/web_reply.h"
#include "pipeline/web_request.h"

enum { POLL_FIRST_US = 500000, POLL_MOST_US = 10000000, RETRY_AFTER_MOST_S = 60, MAX_BLIPS = 5, GRACE_US = 2000000 };
#define POLL_WHOLE_US ((int64_t)7 * 24 * 3600 * SECOND_US)

/* ---- ask ---- */

/* What a restart must know: whether the request may be sent again, and where to ask. */
static bool keep_plan(struct pipeline_node *node) {
    json_t *plan = json_pack("{s:s,s:s,s:s*,s:I}", "method", node->method, "url", node->url, "location", node->location,
                             "interval", (json_int_t)node->interval_us);
    return pipeline_node_set_plan(node, plan);
}

static bool keep_request(struct pipeline_node *node, const struct pipeline_request *r) {
    node->method = pipeline_copy_text(r->method);
    node->url = pipeline_copy_text(r->url);
    return node->method && node->url && keep_plan(node);
}

static void ask(struct pipeline_node *node) {
    struct pipelines *p = node->scope->run->p;
    struct web_exchange *e = web_exchange_new(node);
    if (!e) {
        pipeline_node_fail(node, FINAL, "InsufficientMemory", STR(""), "out of memory for the request");
        return;
    }
    if (!(node->location ? web_request_poll(node, e) : web_request_fill(node, e))) return; /* it has failed: e is gone */
    if (!node->location && !keep_request(node, &e->request)) {
        pipeline_node_fail(node, FINAL, "InsufficientMemory", STR(""), "out of memory for the request");
        return;
    }
    pipeline_node_wait(node, WAIT_REPLY, p->effects.now_us(p->effects.ctx) + e->request.timeout_ms * 1000 + GRACE_US);
}

static void ask_in_turn(struct pipeline_node *node) {
    struct pipelines *p = node->scope->run->p;
    if (!p->waiting && p->n_flying < MAX_FLYING) {
        ask(node);
        return;
    }
    node->waiting = true;
    node->next_waiting = NULL;
    *p->last_waiting = node;
    p->last_waiting = &node->next_waiting;
    pipeline_node_wait(node, WAIT_TURN, 0);
}

void web_next(struct pipelines *p) {
    while (p->waiting && p->n_flying < MAX_FLYING) {
        struct pipeline_node *node = p->waiting;
        p->waiting = node->next_waiting;
        if (!p->waiting) p->last_waiting = &p->waiting;
        node->waiting = false;
        ask(node);
    }
}

/* ---- poll ---- */

/* Seconds only: a date would need both clocks to agree. */
static int64_t retry_after_us(const struct pipeline_reply *reply) {
    uint64_t seconds = 0;
    struct str text = web_reply_header(reply, STR("retry-after"));
    if (!text.n || !str_u64(text, &seconds)) return 0;
    if (seconds < 1) seconds = 1;
    if (seconds > RETRY_AFTER_MOST_S) seconds = RETRY_AFTER_MOST_S;
    return (int64_t)seconds * SECOND_US;
}

static void poll_later(struct pipeline_node *node, int64_t asked_us) {
    if (!asked_us) {
        node->interval_us = node->interval_us ? node->interval_us * 2 : POLL_FIRST_US;
        if (node->interval_us > POLL_MOST_US) node->interval_us = POLL_MOST_US;
    }
    if (!keep_plan(node)) {
        pipeline_node_fail(node, FINAL, "InsufficientMemory", STR(""), "out of memory");
        return;
    }
    int64_t now = pipeline_node_now(node), last = node->now.started_us + POLL_WHOLE_US;
    int64_t wake = now + (asked_us ? asked_us : node->interval_us);
    if (wake > last) pipeline_node_fail(node, RETRY, "Timeout", STR(""), "the answer was still 202 after 7 days");
    else pipeline_node_wait(node, WAIT_POLL, wake);
}

static bool set_location(struct pipeline_node *node, struct str location) {
    DEFER(buf_free) struct buf out = BUF_INIT(20000);
    if (!location_resolve(str_z(node->location ? node->location : node->url), location, &out)) return false;
    char *copy = pipeline_copy_text(buf_str(&out));
    if (!copy) return false;
    free(node->location);
    node->location = copy;
    return true;
}

static void accepted(struct pipeline_node *node, const struct pipeline_reply *reply) {
    struct str location = web_reply_header(reply, STR("location"));
    node->blips = 0;
    if (location.n && !set_location(node, location))
        pipeline_node_fail(node, RETRY, "InvalidResponse", reply->request, "the reply's Location is no http or https URL");
    else poll_later(node, retry_after_us(reply));
}

/* A long job must not be given up because its door was shut for a moment. */
static bool is_blip(const struct pipeline_reply *reply) {
    if (reply->fault)
        return reply->fault == FAULT_UNREACHABLE || reply->fault == FAULT_TIMED_OUT || reply->fault == FAULT_BUSY;
    return reply->status == 429 || (reply->status >= 502 && reply->status <= 504);
}

/* ---- the answer ---- */

void web_answer(struct pipeline_node *node, const struct pipeline_reply *reply) {
    bool polls = node->location != NULL;
    bool async = !reply->fault && reply->status == 202 && !node->def->web.turn_off_async;
    if (async && (polls || web_reply_header(reply, STR("location")).n)) accepted(node, reply);
    else if (polls && is_blip(reply) && node->blips++ < MAX_BLIPS) poll_later(node, retry_after_us(reply));
    else if (reply->fault) web_reply_fault(node, reply);
    else if (reply->status >= 300) web_reply_status(node, reply);
    else web_reply_output(node, reply);
}

static void time_out(struct pipeline_node *node) {
    if (node->now.wait == WAIT_POLL) ask_in_turn(node);
    else pipeline_node_fail(node, RETRY, "Timeout", STR(""), "no reply within %u s", node->def->web.request_timeout_s);
}

/* ---- after a restart ---- */

static bool is_safe(const char *method) {
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 || strcmp(method, "OPTIONS") == 0;
}

static bool read_plan(struct pipeline_node *node, const json_t *plan) {
    const char *location = json_string_value(json_object_get(plan, "location"));
    node->method = pipeline_copy_text(str_z(json_string_value(json_object_get(plan, "method"))));
    node->url = pipeline_copy_text(str_z(json_string_value(json_object_get(plan, "url"))));
    node->interval_us = json_integer_value(json_object_get(plan, "interval"));
    if (location) node->location = pipeline_copy_text(str_z(location));
    return node->method && node->url && (node->location || !location);
}

static void resume_web(struct pipeline_node *node, const json_t *plan) {
    enum run_wait wait = node->now.wait;
    if (!plan || (wait == WAIT_TURN && !json_object_get(plan, "location"))) ask_in_turn(node); /* nothing was sent */
    else if (!read_plan(node, plan)) pipeline_node_fail(node, FINAL, "InsufficientMemory", STR(""), "out of memory");
    else if (wait == WAIT_POLL) timers_set(node->scope->run->p, node);
    else if (node->location) ask_in_turn(node);
    else if (is_safe(node->method)) {
        free(node->method);
        free(node->url);
        node->method = node->url = NULL;
        ask_in_turn(node);
    } else
        pipeline_node_fail(node, RETRY, "Interrupted", STR(""),
                           "Linkspan stopped while this request was under way; whether it arrived is not known");
}

const struct pipeline_node_kind pipeline_web_kind = { .begin = ask_in_turn, .timer = time_out, .resume = resume_web };
