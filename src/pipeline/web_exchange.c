/* web_exchange.c: requests under way. The desk makes, sends and frees them; any thread may answer one. */
#include <stdlib.h>
#include "pipeline/pipelines_priv.h"

enum { MAX_HEADERS = 100, ANSWER_ARENA_BYTES = 6 << 20 };

struct web_exchange *web_exchange_new(struct pipeline_node *node) {
    struct pipelines *p = node->scope->run->p;
    struct web_exchange *e = arena_should_fail() ? NULL : calloc(1, sizeof *e);
    if (!e) return NULL;
    e->arena = arena_new(REQUEST_ARENA_BYTES);
    if (!e->arena) {
        free(e);
        return NULL;
    }
    e->ticket = ++p->tickets;
    e->node = node;
    e->run = node->scope->run;
    (void)pthread_mutex_lock(&p->lock);
    e->next = p->exchanges;
    p->exchanges = e;
    (void)pthread_mutex_unlock(&p->lock);
    p->n_flying++;
    e->run->n_flying++;
    node->exchange = e;
    return e;
}

static void send_one(struct pipelines *p, struct web_exchange *e) {
    struct arena *arena = TAKE(e->arena); /* the answer may come at once */
    struct pipeline_request request = e->request;
    request.at = pipeline_run_place(e->run, e->node);
    request.at.activity_run = str_z(e->node->now.id);
    e->sent = true;
    p->effects.call(p->effects.ctx, e->ticket, &request);
    arena_free(arena);
}

void exchange_send_all(struct pipelines *p) {
    struct web_exchange *next;
    for (struct web_exchange *e = p->exchanges; e; e = next) {
        next = e->next;
        if (!e->sent && e->node) send_one(p, e);
        else if (!e->sent) web_exchange_free(p, e); /* cancelled before it was sent */
    }
}

void web_exchange_abandon(struct web_exchange *e) {
    struct pipelines *p = e->run->p;
    e->node->exchange = NULL;
    e->node = NULL;
    if (e->sent) p->effects.cancel(p->effects.ctx, e->ticket);
    else web_exchange_free(p, e);
}

void exchange_forget_run(struct run *run) {
    for (struct web_exchange *e = run->p->exchanges; e; e = e->next)
        if (e->run == run) e->run = NULL, e->node = NULL;
}

/* ---- the answer ---- */

static bool copy_headers(struct arena *arena, const struct pipeline_reply *reply, struct pipeline_reply *ret) {
    size_t n = reply->n_headers < MAX_HEADERS ? reply->n_headers : MAX_HEADERS;
    struct pipeline_header *headers = ARENA_ARRAY(arena, struct pipeline_header, n + 1);
    if (!headers) return false;
    for (size_t i = 0; i < n; i++) {
        headers[i] = (struct pipeline_header){ str_dup(arena, reply->headers[i].name),
                                               str_dup(arena, reply->headers[i].value) };
        if (!headers[i].name.p || !headers[i].value.p) return false;
    }
    ret->headers = headers;
    ret->n_headers = n;
    return true;
}

/* Short memory is an answer too. */
static struct arena *copy_reply(const struct pipeline_reply *reply, struct pipeline_reply *ret) {
    struct arena *arena = arena_new(ANSWER_ARENA_BYTES);
    *ret = (struct pipeline_reply){ .fault = reply->fault, .status = reply->status };
    if (arena) {
        ret->message = str_dup(arena, reply->message);
        ret->request = str_dup(arena, reply->request);
        ret->body = str_dup(arena, reply->body);
        if (ret->message.p && ret->request.p && ret->body.p && copy_headers(arena, reply, ret)) return arena;
        bool large = reply->body.n > PIPELINES_MAX_OUTPUT_BYTES;
        arena_free(arena);
        if (large) {
            *ret = (struct pipeline_reply){ .fault = FAULT_TOO_LARGE };
            return NULL;
        }
    }
    *ret = (struct pipeline_reply){ .fault = FAULT_BUSY, .message = STR("out of memory for the reply") };
    return NULL;
}

void pipelines_answer(struct pipelines *p, uint64_t ticket, const struct pipeline_reply *reply) {
    struct pipeline_reply copy;
    struct arena *arena = copy_reply(reply, &copy);
    (void)pthread_mutex_lock(&p->lock);
    struct web_exchange *e = p->exchanges;
    while (e && e->ticket != ticket) e = e->next;
    if (e && !e->answered) {
        e->answered = true;
        e->reply = copy;
        e->arena = TAKE(arena);
        e->next_answered = NULL;
        *p->last_answered = e;
        p->last_answered = &e->next_answered;
        (void)pthread_cond_signal(&p->news);
    }
    (void)pthread_mutex_unlock(&p->lock);
    arena_free(arena);
}

struct web_exchange *exchange_take_answer(struct pipelines *p) {
    (void)pthread_mutex_lock(&p->lock);
    struct web_exchange *e = p->answered;
    if (e) {
        p->answered = e->next_answered;
        if (!p->answered) p->last_answered = &p->answered;
    }
    (void)pthread_mutex_unlock(&p->lock);
    return e;
}

void web_exchange_free(struct pipelines *p, struct web_exchange *exchange) {
    (void)pthread_mutex_lock(&p->lock);
    struct web_exchange **at = &p->exchanges;
    while (*at != exchange) at = &(*at)->next;
    *at = exchange->next;
    (void)pthread_mutex_unlock(&p->lock);
    if (exchange->node) exchange->node->exchange = NULL;
    if (exchange->run) exchange->run->n_flying--;
    p->n_flying--;
    arena_free(exchange->arena);
    free(exchange);
}
