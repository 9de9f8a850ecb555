/* call.c: service/call.h as the gate implements it: what services do to their request, from any thread. */
#include "gate/reply.h"
#include "gate/record.h"
#include "gate/request.h"
#include "wire/grpc.h"
#include "wire/pb/pb_json.h"

struct gate *gate_of_call(struct call *call) {
    return request_of(call)->gate;
}

bool call_cancelled(const struct call *call) {
    const struct request *r = CONTAINER_OF((struct call *)(uintptr_t)call, struct request, call);
    return atomic_load(&r->cancelled);
}

_Atomic bool *call_cancel_flag(struct call *call) {
    return &request_of(call)->cancelled;
}

void call_on_cancel(struct call *call, void (*fn)(void *ctx), void *ctx) {
    struct request *r = request_of(call);
    r->on_cancel = fn;
    r->on_cancel_ctx = ctx;
}

void call_wait(struct call *call) {
    struct request *r = request_of(call);
    r->classify_waits = true;
    request_hold(r);
}

void call_wait_over(struct call *call) {
    struct request *r = request_of(call);
    r->classify_waits = false;
    request_release(r);
}

static void again_task(struct loop_task *task, void *ctx) {
    (void)task;
    struct request *r = ctx;
    r->classify_waits = false;
    request_run(r);
    request_release(r);
}

void call_again(struct call *call) {
    struct request *r = request_of(call);
    r->again_task = (struct loop_task){ .fn = again_task, .ctx = r };
    loop_post(call->loop, &r->again_task);
}

enum { FULL_BYTES = 512 << 10 };

/* An answer that is sent whole, at its end, is not taken before. */
bool call_is_full(struct call *call, void (*fn)(void *ctx), void *ctx) {
    struct request *r = request_of(call);
    bool streams = r->protocol == PROTOCOL_GRPC || call->method->streaming;
    if (!streams || spool_held(&r->spool) < FULL_BYTES) return false;
    r->on_room = fn;
    r->on_room_ctx = ctx;
    return true;
}

bool call_at_end(struct call *call, void (*fn)(void *ctx), void *ctx) {
    struct request *r = request_of(call);
    struct at_end *e = ARENA_NEW(call->arena, struct at_end);
    if (!e) {
        fn(ctx); /* what was taken is given back now */
        return false;
    }
    *e = (struct at_end){ r->at_end, fn, ctx };
    r->at_end = e;
    return true;
}

static void drain_task(struct loop_task *task, void *ctx) {
    (void)task;
    struct request *r = ctx;
    atomic_store(&r->drain_posted, false);
    reply_drain(r);
    request_release(r);
}

/* A part of the answer is missing: whatever the service says, it did not succeed. */
static bool missing(struct request *r, const struct err *err) {
    r->write_code = err->code;
    r->write_err = *err;
    return false;
}

static bool spooled(struct request *r, struct str head, struct str body) {
    struct err err;
    /* A stream stops here. Of a single answer all is done by now: that nobody hears of it does not undo it. */
    if (atomic_load(&r->cancelled)) return !r->call.method->streaming;
    if (spool_put(&r->spool, head, body, &err)) return missing(r, &err);
    if (r->protocol == PROTOCOL_REST && !r->call.method->streaming) return true; /* sent whole, at the end */
    if (atomic_exchange(&r->drain_posted, true)) return true;
    request_hold(r);
    r->drain_task = (struct loop_task){ .fn = drain_task, .ctx = r };
    loop_post(r->call.loop, &r->drain_task);
    return true;
}

static bool write_grpc(struct request *r, struct str message) {
    unsigned char prefix[GRPC_PREFIX_BYTES];
    grpc_prefix(message.n, prefix);
    return spooled(r, (struct str){ (const char *)prefix, sizeof prefix }, message);
}

/* A stream's answers are the elements of one JSON array. */
static bool write_json(struct request *r, struct str text) {
    if (!r->call.method->streaming) return spooled(r, (struct str){ NULL, 0 }, text);
    struct str head = r->has_written ? STR(",\n") : STR("[");
    r->has_written = true;
    return spooled(r, head, text);
}

enum { MAX_MESSAGE_BYTES = 128 << 20 };

bool call_write_message(struct call *call, const void *message) {
    struct request *r = request_of(call);
    DEFER(buf_free) struct buf out = BUF_INIT(MAX_MESSAGE_BYTES);
    struct err err;
    const struct pb_msg *type = call->method->response;
    enum code rc = r->protocol == PROTOCOL_GRPC ? pb_encode(type, message, &out, &err)
                                                : pb_to_json(type, message, &out, &err);
    if (rc) return missing(r, &err);
    return r->protocol == PROTOCOL_GRPC ? write_grpc(r, buf_str(&out)) : write_json(r, buf_str(&out));
}

bool call_write(struct call *call, struct str message) {
    struct request *r = request_of(call);
    if (r->protocol == PROTOCOL_GRPC) return write_grpc(r, message);
    DEFER(arena_freep) struct arena *arena = arena_new(MAX_MESSAGE_BYTES);
    void *decoded = NULL;
    struct err err;
    enum code rc = arena ? pb_decode(call->method->response, message, arena, 0, &decoded, &err) : err_oom(&err);
    return rc ? missing(r, &err) : call_write_message(call, decoded);
}

void call_reply_header(struct call *call, const char *name, struct str value) {
    struct request *r = request_of(call);
    struct str copy = str_dup(call->arena, value);
    if (r->n_raw_headers == CALL_MAX_REPLY_HEADERS || !copy.p || !http_is_field_value(copy)) return;
    r->raw_headers[r->n_raw_headers++] = (struct http_header){ str_z(name), copy };
}

void call_reply_http(struct call *call, unsigned status, const char *content_type, struct str body) {
    struct request *r = request_of(call);
    r->raw_status = status;
    r->raw_type = content_type;
    struct err err;
    if (body.n && spool_put(&r->spool, (struct str){ NULL, 0 }, body, &err)) r->raw_status = 500;
}

void call_add_detail(struct call *call, const char *type, struct str encoded) {
    struct request *r = request_of(call);
    struct str copy = str_dup(call->arena, encoded);
    if (r->n_details == REQUEST_MAX_DETAILS || !copy.p) return;
    r->details[r->n_details++] = (struct detail){ type, copy };
}

void call_has_gone_on(struct call *call) {
    enum method_record record = call->method->record;
    struct request *r = request_of(call);
    r->unheard = record == RECORD_ENFORCED || record == RECORD_OUTBOX;
    if (r->unheard)
        call->outcome.detail = STR("it may have gone on when nobody waited any more: whether it was done is not known");
}

static void end_task(struct loop_task *task, void *ctx) {
    (void)task;
    struct request *r = ctx;
    r->on_cancel = NULL;
    r->served = !r->ended_code && !r->write_code;
    if (!r->code && r->write_code) { /* tells more than a service that only knows that nobody takes its answer */
        r->code = r->write_code;
        r->err = r->write_err;
    } else if (r->ended_code && (!r->code || r->code == CANCELLED)) {
        r->code = r->ended_code;
        r->err = r->ended_err;
    }
    r->step++; /* from serve to record */
    request_run(r);
}

void call_end(struct call *call, enum code code, const struct err *err) {
    struct request *r = request_of(call);
    if (atomic_exchange(&r->ended, true)) return;
    r->ended_code = code;
    if (code && err) r->ended_err = *err;
    else if (code) (void)err_set(&r->ended_err, code, "%s", code_name(code));
    r->end_task = (struct loop_task){ .fn = end_task, .ctx = r };
    loop_post(call->loop, &r->end_task);
}

void call_end_ok(struct call *call) {
    call_end(call, OK, NULL);
}

enum code call_outbox_entry(struct call *call, enum code code, int64_t commit_us, struct buf *ret, struct err *err) {
    call->outcome.commit_us = commit_us;
    return record_entry(request_of(call), EVENT_OUTCOME, REASON_NONE, code, ret, err);
}

void call_recorded(struct call *call) {
    atomic_store(&request_of(call)->recorded, true);
}
