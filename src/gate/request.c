#include "gate/request.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include "audit/entry.h"
#include "base/clock.h"
#include "gate/endpoint.h"
#include "gate/identify.h"
#include "gate/request_limits.h"
#include "gate/observe.h"
#include "gate/read.h"
#include "gate/record.h"
#include "gate/relay.h"
#include "gate/reply.h"
#include "gate/request_log.h"
#include "gate/route.h"
#include "gate/trace_context.h"
#include "identity/refusal.h"
#include "wire/grpc.h"

enum {
    ARENA_BYTES = 64 << 20,        /* what one request may take in decoded form, beside its body */
    LARGE_ARENA_BYTES = 512 << 20, /* the same for a body over DEFAULT_BODY_BYTES: a commit */
    LOOK_UP_BYTES = 256 << 10,
    SPOOL_MEMORY_BYTES = 1 << 20,
    DEFAULT_BODY_BYTES = 10 << 20,
    MAX_BUSY = 10000, /* of a worker, decided and not recorded yet */
    READ_BESIDE_BYTES = 128 << 10,
    MAX_CLASSIFY = 8, /* what it waits for changes too often to ever hold still */
};
#define SPOOL_FILE_BYTES (UINT64_C(4) << 30)

enum progress {
    NEXT, /* go on with the step that follows */
    WAIT, /* an answer comes later: request_run goes on */
    DONE,
};

/* ---- the steps ---- */

/* Which row is it for? (gRPC by content type, else REST.) */
static enum progress route(struct request *r) {
    if (r->method_found) return NEXT;
    const struct relay_service *relay = relay_find(r->gate, r->http);
    if (relay && relay_is_misdirected(relay, r->gate, r->http)) r->http_status = 421;
    request_refuse(r, METHOD_UNKNOWN, "no method answers %.*s %.*s", STR_ARG(str_upto(r->http->method, 16)),
                   STR_ARG(str_upto(r->http->path, 200)));
    return NEXT;
}

/* Who is asking? */
static enum progress identify(struct request *r) {
    if (r->call.method->door == DOOR_OPEN) return NEXT;
    return identify_request(r) == IDENTIFY_WAIT ? WAIT : NEXT;
}

static void read_beside(void *ctx) {
    struct request *r = ctx;
    r->read_code = read_request(r, &r->read_err);
}

static void read_beside_done(void *ctx) {
    struct request *r = ctx;
    if (!atomic_load(&r->cancelled)) { /* else it has its end */
        r->step++;
        if (r->read_code) request_fail(r, &r->read_err);
    }
    request_run(r);
}

/* What takes milliseconds does not hold up the loop. Of HTTP only the query is the stream's, which may go meanwhile. */
static bool reads_beside(struct request *r) {
    if (!r->call.method->request || r->body.n <= READ_BESIDE_BYTES) return false;
    struct str query = str_dup(r->call.arena, r->call.http.query);
    if (query.p) r->call.http.query = query;
    return query.p != NULL;
}

/* Only who is known hears of it: of the body of a stranger no more is taken than a small one. */
static void refuse_unread(struct request *r) {
    size_t most = request_max_bytes(r->call.method);
    if (r->http->met >= most) request_refuse(r, TOO_LARGE, "the request is larger than %zu bytes: send it in parts", most);
    else request_refuse(r, LIMIT_REACHED, "there was no room for the request's body: try again");
}

/* Bytes → message, or what a raw method reads. After identify: a stranger's bytes are not parsed. */
static enum progress read_message(struct request *r) {
    struct err err = { 0 };
    if (r->unread) {
        refuse_unread(r);
        return NEXT;
    }
    if (reads_beside(r)) {
        r->reading = (struct loop_work){ .run = read_beside, .done = read_beside_done, .ctx = r };
        if (loop_work(r->worker->loop, &r->reading)) return WAIT;
    }
    if (read_request(r, &err)) request_fail(r, &err);
    return NEXT;
}

static void decide_atoms(struct request *r) {
    policy_decide(r->policy, r->call.subject, &r->call.atoms, clock_wall_us(), &r->verdict);
    r->decided = true;
    if (r->verdict.reason) {
        request_refuse(r, r->verdict.reason, "%s", reply_restate(r));
        return;
    }
    struct err err;
    if (audit_entry_tells(&r->call.atoms, &err)) request_fail(r, &err); /* told only to who may touch them */
    else if (r->call.fence && r->call.fence(&r->call, &err)) request_refuse(r, DENIED, "%s", err.message);
}

static enum code classify(struct request *r, struct err *err) {
    const struct method *m = r->call.method;
    if (r->n_classified++ == MAX_CLASSIFY)
        return err_set(err, UNAVAILABLE, "what is asked for changes too fast: try again");
    return m->classify ? m->classify(&r->call, err) : OK;
}

/* Who is refused is none of them, and who was answered and does not read no more. */
static void set_busy(struct request *r, bool busy) {
    if (r->busy == busy) return;
    r->busy = busy;
    if (busy) r->worker->n_busy++;
    else r->worker->n_busy--;
}

/* May they? Every atom of the request needs an allow. Nothing is asked of others for more than MAX_BUSY. */
static enum progress decide(struct request *r) {
    struct err err = { 0 };
    const struct method *m = r->call.method;
    if (r->n_classified == 0 && r->worker->n_busy >= MAX_BUSY) { /* what it would wait for is bounded, too */
        request_refuse(r, LIMIT_REACHED, "too many requests are under way: try again");
        return NEXT;
    }
    set_busy(r, r->identified);
    policy_unref(r->policy); /* of a classify that had to wait */
    r->policy = gate_policy(r->gate);
    r->call.atoms.n = 0;
    if (r->service) r->call.service = r->service->state;
    r->call.policy = r->policy;
    if (r->identified) {
        r->call.subject = policy_identify(r->policy, &r->principal, r->call.arena);
        if (!r->call.subject) {
            (void)err_oom(&err);
            request_fail(r, &err);
            return NEXT;
        }
    }
    enum code rc = classify(r, &err);
    if (r->classify_waits) return WAIT; /* call_again runs this step anew */
    if (!rc && r->call.far && !m->forward)
        rc = err_set(&err, UNIMPLEMENTED, "%s is not supported on upstream connections", m->grpc ? m->grpc : m->path);
    if (rc) request_fail(r, &err);
    else if (m->door == DOOR_PROOF && r->call.atoms.n == 0)
        request_refuse(r, NOT_UNDERSTOOD, "%s asks for nothing that a rule names", m->grpc ? m->grpc : m->path);
    else if (m->door == DOOR_PROOF) decide_atoms(r);
    return NEXT;
}

/* Is there room? The policy's limits, the configuration's; a database keeps its own. */
static enum progress admit(struct request *r) {
    limits_enter(r);
    return NEXT;
}

/* The intention becomes durable before the effect. */
static enum progress intend(struct request *r) {
    enum method_record kind = r->call.method->record;
    if (kind == RECORD_OUTBOX && r->call.far) kind = RECORD_ENFORCED; /* the transaction is another system's */
    if ((kind == RECORD_OUTBOX || kind == RECORD_PROMPT) && record_is_behind(r->gate))
        request_refuse(r, AUDIT_UNAVAILABLE, "the audit log cannot be written now: try again later");
    return kind == RECORD_ENFORCED && record_intention(r) ? WAIT : NEXT;
}

static enum progress serve(struct request *r) {
    if (atomic_load(&r->cancelled)) {
        atomic_store(&r->ended, true);
        return NEXT;
    }
    if (r->call.far) r->call.method->forward(&r->call);
    else r->call.method->handle(&r->call);
    return WAIT; /* call_end goes on */
}

static enum progress record(struct request *r) {
    set_busy(r, false);
    record_outcome(r);
    observe_request(r);
    request_log(r);
    return NEXT;
}

static enum progress reply(struct request *r) {
    return reply_finish(r) ? DONE : WAIT;
}

static const struct step {
    const char *name;
    enum progress (*run)(struct request *r);
} steps[] = {
    { "route", route },   { "identify", identify }, { "read", read_message }, { "decide", decide }, { "admit", admit },
    { "intend", intend }, { "serve", serve },       { "record", record },     { "reply", reply },
};
enum { STEP_REPLY = COUNT(steps) - 1, STEP_RECORD = COUNT(steps) - 2, STEP_SERVE = COUNT(steps) - 3 };

/* The whole answer is the connection's: what is left of the stream needs no request. Who lets nothing out holds little. */
static void leave_stream(struct request *r) {
    if (!r->stream || !r->replied) return;
    http_stream_set_user(r->stream, NULL);
    r->stream = NULL;
    r->http = NULL;
    loop_timer_stop(r->worker->loop, &r->deadline);
    request_release(r);
}

void request_run(struct request *r) {
    while (r->step < COUNT(steps)) {
        if (r->step < STEP_SERVE && atomic_load(&r->cancelled)) r->step = STEP_RECORD; /* perhaps the stream is gone */
        unsigned at = r->step;
        enum progress progress = steps[at].run(r);
        if (progress == WAIT) return;
        if (progress == DONE) break;
        if (r->step == at) r->step++; /* a refusal jumped ahead by itself */
    }
    r->step = COUNT(steps);
    leave_stream(r);
    request_release(r);
}

/* ---- ways out: no path skips the record ---- */

enum reason request_public_reason(const struct request *r) {
    bool proved = r->identified || r->door->kind != DOOR_PUBLIC;
    return proved ? r->reason : refusal_public_reason(r->reason);
}

void request_refuse(struct request *r, enum reason reason, const char *fmt, ...) {
    char text[768];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    r->reason = reason;
    r->code = reason_code(reason);
    /* Who proved its name lacks a right, not a proof: a client must not fetch new tokens for that. */
    if (r->identified && reason == CLAIM_MISSING) r->code = PERMISSION_DENIED;
    (void)err_set(&r->err, r->code, "%s: %s (request %s)", reason_name(request_public_reason(r)), text, r->id);
    r->step = STEP_RECORD;
}

void request_fail(struct request *r, const struct err *err) {
    r->err = *err;
    r->code = err->code;
    r->step = STEP_RECORD;
}

void request_cancel(struct request *r, enum code code, const char *why) {
    if (atomic_exchange(&r->cancelled, true)) return;
    if (!r->code) (void)(r->code = code, err_set(&r->err, code, "%s (request %s)", why, r->id));
    r->cut = true;
    if (r->on_cancel && !atomic_load(&r->ended)) r->on_cancel(r->on_cancel_ctx); /* ended: its ctx may be gone */
    r->on_cancel = NULL;
}

/* ---- life ---- */

struct request *request_of(struct call *call) {
    return CONTAINER_OF(call, struct request, call);
}

void request_hold(struct request *r) {
    atomic_fetch_add(&r->holds, 1);
}

static void enlist(struct request *r) {
    r->next = r->worker->requests;
    r->link = &r->worker->requests;
    if (r->next) r->next->link = &r->next;
    r->worker->requests = r;
    r->worker->n_requests++;
}

static void delist(struct request *r) {
    if (!r->link) return;
    *r->link = r->next;
    if (r->next) r->next->link = r->link;
    r->link = NULL;
    r->worker->n_requests--;
}

/* On the loop: whoever holds it elsewhere gives it back by a task. */
static void request_free(struct request *r) {
    limits_leave(r);
    delist(r); /* only now: a service may work long for a client that is gone */
    for (struct at_end *e = r->at_end; e; e = e->next) e->fn(e->ctx);
    spool_free(&r->spool);
    free(r->chunk);
    policy_unref(r->policy);
    identify_leave(r);
    arena_free(r->call.arena);
    buf_wipe(&r->body); /* tokens come in bodies too */
    free(r);
}

void request_release(struct request *r) {
    if (atomic_fetch_sub(&r->holds, 1) == 1) request_free(r);
}

static void deadline_passed(struct loop_timer *timer, void *ctx) {
    (void)timer;
    struct request *r = ctx;
    r->late = true;
    request_cancel(r, DEADLINE_EXCEEDED, "the deadline passed");
    if (r->step == STEP_REPLY) request_run(r);
}

static void set_deadline(struct request *r) {
    struct str timeout = http_header_value(r->http->headers, r->http->n_headers, STR("grpc-timeout"));
    uint64_t us;
    if (r->protocol != PROTOCOL_GRPC || !grpc_parse_timeout(timeout, &us) || us > UINT64_C(86400000000)) return;
    r->call.deadline_us = clock_wall_us() + (int64_t)us;
    r->deadline = (struct loop_timer){ .fn = deadline_passed, .ctx = r };
    loop_timer_start(r->worker->loop, &r->deadline, us / 1000 + 1);
}

/* Asked now, as a large body is read on another thread, when the headers may be gone. */
static bool names_no_compression(const struct http_request *http) {
    struct str encoding = http_header_value(http->headers, http->n_headers, STR("grpc-encoding"));
    return encoding.n == 0 || str_eq(encoding, STR("identity"));
}

/* Which row? Only looks: asked at the headers already, when there is no request yet. */
static bool match_route(const struct gate *gate, const struct http_request *http, struct arena *arena,
                        enum protocol *ret_protocol, struct route_match *ret) {
    const struct door *door = http->listener_ctx;
    struct err err;
    bool found;
    if (door->kind == DOOR_JOB_METADATA) { /* one handler answers all of its paths */
        *ret = (struct route_match){ .service = &gate->metadata, .method = gate->metadata.methods };
        *ret_protocol = PROTOCOL_RAW;
        return true;
    }
    const struct relay_service *relay = relay_find(gate, http);
    if (relay) return relay_route(relay, gate, http, arena, ret_protocol, ret);
    if (grpc_is_content_type(http_header_value(http->headers, http->n_headers, STR("content-type")))) {
        *ret_protocol = PROTOCOL_GRPC;
        found = routes_find_grpc(gate->routes, http->path, ret);
    } else {
        *ret_protocol = PROTOCOL_REST;
        found = arena && routes_find_rest(gate->routes, http->method, http->path, arena, ret, &err) == OK;
    }
    if (found && !ret->method->request) *ret_protocol = PROTOCOL_RAW;
    return found && endpoint_serves(door, ret->service);
}

static void find_route(struct request *r) {
    struct route_match match;
    r->method_found = match_route(r->gate, r->http, r->call.arena, &r->protocol, &match);
    if (!r->method_found) return;
    r->variables = match.variables;
    r->n_variables = match.n_variables;
    r->call.method = match.method;
    r->service = match.service;
    r->call.service = match.service->state;
}

static bool init_texts(struct request *r) {
    char address[NET_ADDRESS_MAX];
    size_t n = net_address_print(&r->http->peer, address);
    r->call.arena = arena_new(r->body.n > DEFAULT_BODY_BYTES ? LARGE_ARENA_BYTES : ARENA_BYTES);
    if (!r->call.arena) return false;
    arena_share(r->call.arena, &r->gate->memory);
    r->source = str_dup(r->call.arena, (struct str){ address, n });
    return r->source.p != NULL;
}

/* Takes the body along: services read it when the client, and so its stream, is long gone. */
static struct request *request_new(struct http_stream *stream, const struct http_request *http, struct worker *worker) {
    struct request *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->gate = worker->gate;
    r->worker = worker;
    r->stream = stream;
    r->http = http;
    r->door = http->listener_ctx;
    if (r->door->endpoint) r->endpoint = endpoint_ref(r->door->endpoint); /* the door is a part of it */
    r->started_us = clock_mono_us();
    id_new(r->id);
    spool_init(&r->spool, r->gate->spool_dir, SPOOL_MEMORY_BYTES, SPOOL_FILE_BYTES, &r->gate->spool_budget);
    atomic_store(&r->holds, 2); /* the stream's and the steps' */
    r->call.id = (struct str){ r->id, ID_LENGTH };
    r->call.loop = worker->loop;
    r->call.endpoint = r->door->endpoint != NULL;
    http_stream_take_body(stream, &r->body);
    if (!init_texts(r)) {
        request_free(r);
        return NULL;
    }
    find_route(r);
    trace_context_begin(r);
    enlist(r);
    http_stream_set_user(stream, r);
    return r;
}

size_t request_max_bytes(const struct method *method) {
    return method->max_request_bytes ? method->max_request_bytes : DEFAULT_BODY_BYTES;
}

/* Asked at the headers: the row tells how much body the request may have. */
size_t request_max_body(struct http_stream *stream, const struct http_request *http, void *ctx) {
    (void)stream;
    const struct worker *worker = ctx;
    DEFER(arena_freep) struct arena *arena = arena_new(LOOK_UP_BYTES);
    enum protocol protocol;
    struct route_match match;
    if (!match_route(worker->gate, http, arena, &protocol, &match))
        return HTTP_SMALL_BODY; /* enough to answer a small call in its own protocol */
    return request_max_bytes(match.method) + GRPC_PREFIX_BYTES;
}

/* A stranger may not fill what is kept for bodies: whoever needs more than a small one is known by its token. */
bool request_may_have_room(struct http_stream *stream, const struct http_request *http, void *ctx) {
    (void)stream;
    const struct worker *worker = ctx;
    const struct door *door = http->listener_ctx;
    DEFER(arena_freep) struct arena *arena = arena_new(LOOK_UP_BYTES);
    enum protocol protocol;
    struct route_match match;
    if (door->kind != DOOR_PUBLIC) return true;
    if (!match_route(worker->gate, http, arena, &protocol, &match)) return false;
    return identify_at_headers(worker->gate, http, match.service->audience);
}

static void begin(struct http_stream *stream, const struct http_request *http, struct worker *worker, bool unread) {
    struct request *r = request_new(stream, http, worker);
    if (!r) {
        http_stream_reset(stream, HTTP_RESET_CALM); /* out of memory */
        return;
    }
    r->unread = unread;
    r->call.http = (struct call_http){ http->method,
                                       http->path,
                                       http->query,
                                       http->body,
                                       http_header_value(http->headers, http->n_headers, STR("content-type")),
                                       http->headers,
                                       http->n_headers };
    r->no_compression = names_no_compression(http);
    set_deadline(r);
    request_run(r);
}

void request_begin(struct http_stream *stream, const struct http_request *http, void *ctx) {
    begin(stream, http, ctx, false);
}

void request_too_large(struct http_stream *stream, const struct http_request *http, void *ctx) {
    begin(stream, http, ctx, true);
}

void request_writable(struct http_stream *stream, void *ctx) {
    (void)ctx;
    struct request *r = http_stream_user(stream);
    if (r) reply_drain(r);
}

void request_gone(struct http_stream *stream, enum http_gone why, void *ctx) {
    (void)ctx;
    struct request *r = http_stream_user(stream);
    if (!r) return;
    http_stream_set_user(stream, NULL);
    r->stream = NULL;
    r->http = NULL;
    loop_timer_stop(r->worker->loop, &r->deadline);
    if (why != HTTP_GONE_DONE) request_cancel(r, CANCELLED, "the client went away");
    if (r->step == STEP_REPLY) request_run(r); /* what waited for the client has nowhere to go: done */
    request_release(r);
}

/* What of the request would be refused now. */
static enum reason judge_again(struct request *r, int64_t now_us) {
    enum reason reason = identify_still(r, now_us);
    if (reason || !r->decided) return reason;
    DEFER(policy_unrefp) struct policy *policy = gate_policy(r->gate);
    DEFER(arena_freep) struct arena *arena = NULL;
    const struct policy_subject *subject = r->call.subject;
    struct verdict verdict = { .reason = POLICY_STALE };
    if (policy != r->policy) {
        arena = arena_new(1 << 20);
        subject = arena ? policy_identify(policy, &r->principal, arena) : NULL;
    }
    if (subject) policy_decide(policy, subject, &r->call.atoms, now_us, &verdict);
    return verdict.reason;
}

void request_review(struct request *r, int64_t now_us) {
    if (!r->identified || atomic_load(&r->cancelled) || r->step == STEP_RECORD || r->step > STEP_REPLY) return;
    enum reason reason = judge_again(r, now_us);
    if (!reason) return;
    r->reason = reason;
    r->code = reason_code(reason);
    (void)err_set(&r->err, r->code, "%s: what allowed this request has ended (request %s)", reason_name(reason), r->id);
    request_cancel(r, r->code, "ended");
    if (r->step != STEP_REPLY) return; /* its service ends it */
    record_ended(r);                   /* the outcome was told already; what of it waits here must not go out */
    request_run(r);
}
