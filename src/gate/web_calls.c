#include "gate/web_calls.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "gate/web_call.h"
#include "identity/mint.h"
#include "identity/workspace.h"

enum { CALLS_MAX = 256, WAITING_BYTES_MAX = 64 << 20, CALL_ARENA_BYTES = 1 << 20, TOKEN_BYTES = 16 << 10 };

/* ---- the list ---- */

static bool enlist(struct web_call *call) {
    struct web_calls *calls = call->calls;
    (void)pthread_mutex_lock(&calls->lock);
    bool ok = calls->n_calls < CALLS_MAX && call->body.n <= WAITING_BYTES_MAX - calls->waiting_bytes;
    if (ok) {
        calls->n_calls++;
        calls->waiting_bytes += call->body.n;
        call->next = calls->calls;
        call->at = &calls->calls;
        if (call->next) call->next->at = &call->next;
        calls->calls = call;
    }
    (void)pthread_mutex_unlock(&calls->lock);
    return ok;
}

/* The copy that the dialer has made is the one that counts from now on. */
static void drop_body(struct web_call *call) {
    if (call->at) call->calls->waiting_bytes -= call->body.n;
    buf_wipe(&call->body);
    call->request.body = (struct str){ NULL, 0 };
}

static void delist(struct web_call *call) {
    struct web_calls *calls = call->calls;
    (void)pthread_mutex_lock(&calls->lock);
    drop_body(call);
    if (call->at) {
        *call->at = call->next;
        if (call->next) call->next->at = call->at;
        calls->n_calls--;
    }
    (void)pthread_mutex_unlock(&calls->lock);
}

/* ---- ways out: each call has one answer ---- */

static void finish(struct web_call *call, struct pipeline_reply *reply) {
    struct web_calls *calls = call->calls;
    uint64_t ticket = call->ticket;
    delist(call); /* before the answer: who closes down waits for that alone */
    reply->request = str_z(call->id);
    calls->answer(calls->answer_ctx, ticket, reply);
    policy_unref(call->policy);
    buf_wipe(&call->token);
    arena_free(call->arena);
    free(call);
}

/* Before anything was sent. The entry says what the user is told. */
static void give_up(struct web_call *call, enum event_kind kind, enum pipeline_fault fault, enum code code,
                    const char *why) {
    char text[900];
    (void)snprintf(text, sizeof text, "%.800s (request %s)", why, call->id);
    web_call_record(call, kind, code, why, 0);
    finish(call, &(struct pipeline_reply){ .fault = fault, .message = str_z(text) });
}

/* ---- the answer ---- */

static const enum pipeline_fault faults[OUTBOUND_CAUSES] = {
    [OUTBOUND_ANSWERED] = FAULT_NONE,       [OUTBOUND_NAME] = FAULT_UNREACHABLE,  [OUTBOUND_ADDRESS_REFUSED] = FAULT_POLICY,
    [OUTBOUND_CONNECT] = FAULT_UNREACHABLE, [OUTBOUND_TLS] = FAULT_TLS,           [OUTBOUND_TIMED_OUT] = FAULT_TIMED_OUT,
    [OUTBOUND_TOO_LARGE] = FAULT_TOO_LARGE, [OUTBOUND_MALFORMED] = FAULT_INVALID, [OUTBOUND_CUT] = FAULT_UNREACHABLE,
    [OUTBOUND_CANCELLED] = FAULT_CANCELLED, [OUTBOUND_STOPPED] = FAULT_CANCELLED, [OUTBOUND_BUSY] = FAULT_BUSY,
};

static void on_fault(struct web_call *call, const struct outbound_answer *answer) {
    char detail[800], text[900];
    (void)snprintf(detail, sizeof detail, "%s: %.700s", outbound_cause_name(answer->cause), answer->err.message);
    (void)snprintf(text, sizeof text, "%.800s (request %s)", answer->err.message, call->id);
    web_call_record(call, EVENT_OUTCOME, answer->err.code, detail, 0);
    finish(call, &(struct pipeline_reply){ .fault = faults[answer->cause], .message = str_z(text) });
}

static void on_answer(void *arg, const struct outbound_answer *answer) {
    struct web_call *call = arg;
    char detail[32];
    if (answer->cause != OUTBOUND_ANSWERED) {
        on_fault(call, answer);
        return;
    }
    struct pipeline_header *headers = ARENA_ARRAY(call->arena, struct pipeline_header, answer->n_headers + 1);
    for (size_t i = 0; headers && i < answer->n_headers; i++)
        headers[i] = (struct pipeline_header){ answer->headers[i].name, answer->headers[i].value };
    struct pipeline_reply reply = {
        .status = answer->status, .body = answer->body, .headers = headers, .n_headers = headers ? answer->n_headers : 0
    };
    (void)snprintf(detail, sizeof detail, "HTTP %u", answer->status);
    web_call_record(call, EVENT_OUTCOME, OK, detail, answer->body.n); /* whatever the status: the call was made */
    if (!headers) reply = (struct pipeline_reply){ .fault = FAULT_BUSY, .message = STR("out of memory") };
    finish(call, &reply);
}

/* ---- sending, once the intention is durable ---- */

/* Under the lock, so that a cancellation comes either before or finds the id. */
static enum code send_out(struct web_call *call, struct err *err) {
    struct web_calls *calls = call->calls;
    (void)pthread_mutex_lock(&calls->lock);
    enum code rc = call->cancelled
                       ? err_set(err, CANCELLED, "the call was cancelled")
                       : outbound_send(calls->gate->outbound, &call->request, on_answer, call, &call->outbound_id, err);
    if (!rc) {
        call->sent_bytes = call->body.n;
        drop_body(call);
    }
    (void)pthread_mutex_unlock(&calls->lock);
    return rc;
}

static void go_on(struct loop_task *task, void *ctx) {
    (void)task;
    struct web_call *call = ctx;
    struct err err;
    if (call->intent_code) {
        give_up(call, EVENT_OUTCOME, FAULT_BUSY, UNAVAILABLE, "the audit log cannot be written now: nothing was sent");
        return;
    }
    enum code rc = send_out(call, &err);
    if (rc == CANCELLED || rc == UNAVAILABLE) give_up(call, EVENT_OUTCOME, FAULT_CANCELLED, rc, err.message);
    else if (rc) give_up(call, EVENT_OUTCOME, rc == INVALID_ARGUMENT ? FAULT_REQUEST : FAULT_BUSY, rc, err.message);
}

static void on_intention(void *ctx, enum code code, uint64_t index) {
    (void)index;
    struct web_call *call = ctx;
    call->intent_code = code;
    call->task = (struct loop_task){ .fn = go_on, .ctx = call };
    loop_post(call->calls->gate->workers[0].loop, &call->task);
}

static void intend(struct web_call *call) {
    struct err err;
    if (!web_call_intend(call, on_intention, &err)) return;
    (void)err_wrap(&err, "the audit log cannot take the call: nothing was sent");
    give_up(call, EVENT_OUTCOME, FAULT_BUSY, err.code, err.message);
}

/* ---- the token ---- */

static void mint_token(struct web_call *call) {
    struct err err;
    int64_t expires_s;
    enum code rc = OK;
    if (!call->atom.account.n) {
        intend(call);
        return;
    }
    if (!call->calls->workspace) rc = err_set(&err, FAILED_PRECONDITION, "this workspace has no identity");
    if (!rc)
        rc = workspace_token(call->calls->workspace, call->atom.account, clock_wall_s(), &call->token, &expires_s,
                             call->principal.token_id, &err);
    call->request.token = buf_str(&call->token);
    if (rc) give_up(call, EVENT_OUTCOME, FAULT_TOKEN, rc, err.message);
    else intend(call);
}

/* ---- may it? ---- */

static void refuse_call(struct web_call *call) {
    char why[800];
    struct str who = str_upto(call->principal.actor.subject, 128), to = str_upto(call->atom.object, 300);
    (void)snprintf(why, sizeof why, "%s: %.*s may not call %.*s %s%.*s%s: `linkspan policy explain %s` tells why",
                   reason_name(call->verdict.reason), STR_ARG(who), STR_ARG(to),
                   call->atom.account.n ? "with audience \"" : "without a token",
                   STR_ARG(str_upto(call->atom.account, 128)), call->atom.account.n ? "\"" : "", call->id);
    give_up(call, EVENT_REFUSAL, FAULT_POLICY, reason_code(call->verdict.reason), why);
}

/* Any other name may come to mean loopback (DNS rebinding), whatever a rule says of its port. Our own url's is the
 * operator's. */
static bool may_be_loopback(const struct web_calls *calls, const struct url *url) {
    char buf[URL_MAX];
    struct url own;
    return url_is_loopback(url) || (!url_parse(calls->url, buf, &own, NULL) && url_same_origin(url, &own));
}

static void decide(struct web_call *call, const struct principal *starter, const struct url *url) {
    struct principal acting;
    int64_t now_us = clock_wall_us();
    if (!principal_act_as(starter, call->calls->account, &acting)) {
        call->verdict.reason = CHAIN_REFUSED;
        call->decided = true;
        refuse_call(call);
        return;
    }
    call->policy = gate_policy(call->calls->gate);
    struct atom asked = call->atom;
    asked.object = url->normal;
    call->atom.object = web_call_shown_url(call, url);
    call->atoms = (struct atoms){ &call->atom, 1, 1 };
    const struct policy_subject *subject = policy_identify(call->policy, &acting, call->arena);
    bool room = subject && policy_bearing_of(call->policy, subject, call->arena, &call->bearing);
    if (!room || !call->atom.object.n) {
        give_up(call, EVENT_OUTCOME, FAULT_BUSY, RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    policy_decide(call->policy, subject, &(struct atoms){ &asked, 1, 1 }, now_us, &call->verdict);
    call->decided = true;
    call->request.may_loopback = may_be_loopback(call->calls, url) &&
                                 policy_call_port_written(call->policy, subject, &asked, now_us);
    if (call->verdict.reason) refuse_call(call);
    else mint_token(call);
}

/* ---- the request, copied ---- */

static bool copy_actor(struct arena *arena, const struct actor *from, struct actor *to) {
    *to = (struct actor){ .kind = from->kind,
                          .issuer = str_dup(arena, from->issuer),
                          .subject = str_dup(arena, from->subject) };
    return (to->issuer.p || !from->issuer.n) && (to->subject.p || !from->subject.n);
}

/* What the entries say of who acts: texts only, as claims belong to the caller. */
static bool copy_principal(struct web_call *call, const struct principal *starter) {
    struct principal *p = &call->principal;
    p->actor = (struct actor){ .kind = ACTOR_ACCOUNT, .subject = call->calls->account };
    for (unsigned i = 0; i < starter->n_chain && p->n_chain < PRINCIPAL_MAX_CHAIN; i++)
        if (!copy_actor(call->arena, &starter->chain[i], &p->chain[p->n_chain++])) return false;
    return p->n_chain == PRINCIPAL_MAX_CHAIN || copy_actor(call->arena, &starter->actor, &p->chain[p->n_chain++]);
}

static bool copy_headers(struct web_call *call, const struct pipeline_request *r) {
    struct http_header *copy = ARENA_ARRAY(call->arena, struct http_header, r->n_headers + 1);
    for (size_t i = 0; copy && i < r->n_headers; i++) {
        copy[i] = (struct http_header){ str_dup(call->arena, r->headers[i].name),
                                        str_dup(call->arena, r->headers[i].value) };
        if (!copy[i].name.p || (r->headers[i].value.n && !copy[i].value.p)) return false;
    }
    call->request.headers = copy;
    call->request.n_headers = r->n_headers;
    return copy != NULL;
}

static unsigned timeout_of(int64_t ms) {
    return ms <= 0 ? 0 : ms > 24 * 3600 * 1000 ? 24 * 3600 * 1000 : (unsigned)ms;
}

static bool copy_request(struct web_call *call, const struct pipeline_request *r) {
    buf_add_str(&call->body, r->body);
    call->atom = (struct atom){ .verb = VERB_CALL, .account = str_dup(call->arena, r->audience) };
    call->request = (struct outbound_request){ .method = str_dup(call->arena, r->method),
                                               .url = str_dup(call->arena, r->url),
                                               .body = buf_str(&call->body),
                                               .max_answer_bytes = r->max_reply_bytes,
                                               .timeout_ms = timeout_of(r->timeout_ms) };
    bool texts = call->request.method.p && call->request.url.p && (call->atom.account.p || !r->audience.n);
    return texts && buf_ok(&call->body) && copy_headers(call, r) && copy_principal(call, r->at.starter) &&
           web_call_describe(call, &r->at);
}

static struct web_call *call_new(struct web_calls *calls, uint64_t ticket, const struct pipeline_request *request) {
    struct web_call *call = calloc(1, sizeof *call);
    if (!call) return NULL;
    call->calls = calls;
    call->ticket = ticket;
    call->poll = request->poll;
    call->started_us = clock_mono_us();
    call->body = (struct buf)BUF_INIT(OUTBOUND_BODY_MAX + 1);
    call->token = (struct buf)BUF_INIT(TOKEN_BYTES);
    call->arena = arena_new_secret(CALL_ARENA_BYTES);
    id_new(call->id);
    if (call->arena && copy_request(call, request)) return call;
    buf_wipe(&call->body);
    arena_free(call->arena);
    free(call);
    return NULL;
}

/* ---- from outside ---- */

static void turn_away(struct web_calls *calls, uint64_t ticket, enum pipeline_fault fault, const char *why) {
    calls->answer(calls->answer_ctx, ticket, &(struct pipeline_reply){ .fault = fault, .message = str_z(why) });
}

void web_calls_begin(void *ctx, uint64_t ticket, const struct pipeline_request *request) {
    struct web_calls *calls = ctx;
    struct url url;
    struct err err;
    if (request->body.n > OUTBOUND_BODY_MAX) {
        turn_away(calls, ticket, FAULT_REQUEST, "the body is larger than 4 MiB");
        return;
    }
    struct web_call *call = call_new(calls, ticket, request);
    if (!call) {
        turn_away(calls, ticket, FAULT_BUSY, "out of memory, or the request's texts are larger than 1 MiB");
        return;
    }
    enum code rc = outbound_check(&call->request, &err);
    if (!rc) rc = url_parse(call->request.url, call->url, &url, &err);
    if (!enlist(call)) give_up(call, EVENT_OUTCOME, FAULT_BUSY, RESOURCE_EXHAUSTED, "too many calls are under way");
    else if (rc) {
        call->verdict.reason = NOT_UNDERSTOOD;
        call->decided = true;
        give_up(call, EVENT_REFUSAL, FAULT_REQUEST, rc, err.message);
    } else decide(call, request->at.starter, &url);
}

void web_calls_cancel(void *ctx, uint64_t ticket) {
    struct web_calls *calls = ctx;
    (void)pthread_mutex_lock(&calls->lock);
    struct web_call *call = calls->calls;
    while (call && call->ticket != ticket) call = call->next;
    if (call) call->cancelled = true;
    if (call && call->outbound_id) outbound_cancel(calls->gate->outbound, call->outbound_id);
    (void)pthread_mutex_unlock(&calls->lock);
}

enum code web_calls_new(const struct web_calls_config *config, struct web_calls **ret, struct err *err) {
    struct web_calls *calls = calloc(1, sizeof *calls);
    if (!calls || pthread_mutex_init(&calls->lock, NULL)) {
        free(calls);
        return err_oom(err);
    }
    calls->gate = config->gate;
    calls->workspace = config->workspace;
    calls->answer = config->answer;
    calls->answer_ctx = config->answer_ctx;
    calls->arena = arena_new(4096);
    if (calls->arena) calls->name = str_dup(calls->arena, config->name);
    if (calls->arena) calls->account = str_dup(calls->arena, config->account);
    if (calls->arena) calls->url = str_dup(calls->arena, config->url);
    if (!calls->name.p || !calls->account.p || (config->url.n && !calls->url.p)) {
        web_calls_free(calls);
        return err_oom(err);
    }
    *ret = calls;
    return OK;
}

void web_calls_free(struct web_calls *calls) {
    if (!calls) return;
    arena_free(calls->arena);
    (void)pthread_mutex_destroy(&calls->lock);
    free(calls);
}
