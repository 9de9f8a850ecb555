/* far_begin.c: a transaction of an upstream that begins with a query over INFORMATION_SCHEMA. The query is answered here,
 * from the snapshot; the transaction is begun there first, with the same options, and the answer says its id, so that what
 * comes next is in it. */
#include "base/clock.h"
#include "spanner/far.h"
#include "spanner/far_handle.h"
#include "spanner/query.h"

enum { REQUEST_MAX = 16 << 10, ANSWER_MAX = 64 << 10 };

struct beginning {
    struct far_call *far;
    struct ask *ask;
    uint64_t started_us;
    struct str id; /* sealed; empty: none came */
    int64_t read_us;
    enum code code; /* of what the answer was found to be */
    struct err err;
};

static enum code take(struct beginning *b, struct str message, struct err *err) {
    const struct far_call *f = b->far;
    struct arena *arena = f->forward.call->arena;
    void *decoded;
    struct str bytes = str_dup(arena, message);
    enum code rc = bytes.p ? pb_decode(&spanner_Transaction_msg, bytes, arena, 0, &decoded, err) : err_oom(err);
    if (rc) return rc;
    const struct spanner_Transaction *transaction = decoded;
    if (!transaction->id.n) return err_set(err, INTERNAL, "the upstream begins a transaction without an id");
    if (transaction->read_timestamp) (void)convert_timestamp_us(transaction->read_timestamp, &b->read_us);
    return far_seal(f->target, FAR_TRANSACTION, f->target->session, transaction->id, arena, &b->id, err);
}

static bool on_message(struct ask *ask, struct str message, void *ctx) {
    (void)ask;
    struct beginning *b = ctx;
    if (!b->code && !b->id.n) b->code = take(b, message, &b->err);
    return true;
}

/* The upstream's words may name its session as the client does not know it. */
static enum code say(struct beginning *b, const struct upstream_status *status, struct err *err) {
    const struct target *t = b->far->target;
    if (status->code == NOT_FOUND && !status->ours)
        return spanner_not_found(b->far->forward.call, "google.spanner.v1.Session", "Session", t->session, err);
    if (status->code && str_find(status->message, t->far_session) >= 0)
        return err_set(err, status->code, "the upstream begins no transaction");
    if (status->code) return err_set(err, status->code, "%.*s", STR_ARG(str_upto(status->message, 900)));
    if (b->code) return *err = b->err, b->code;
    return b->id.n ? OK : err_set(err, INTERNAL, "the upstream begins no transaction");
}

static void on_end(struct ask *ask, const struct upstream_status *status, void *ctx) {
    (void)ask;
    struct beginning *b = ctx;
    struct call *call = b->far->forward.call;
    struct err err = { 0 };
    b->ask = NULL;
    call->outcome.upstream = upstream_config(b->far->target->far)->name;
    call->outcome.upstream_us = clock_mono_us() - b->started_us;
    if (status->ours) call->outcome.detail = str_dup(call->arena, str_upto(status->reason, 300));
    enum code rc = say(b, status, &err);
    if (rc) {
        spanner_end(call, rc, &err);
        return;
    }
    query_begun(call, b->id, b->read_us);
    handle_execute_sql(call);
}

static void on_cancel(void *ctx) {
    struct beginning *b = ctx;
    struct ask *ask = b->ask;
    struct err err;
    if (!ask) return; /* the query itself is under way */
    b->ask = NULL;
    ask_cancel(ask);
    spanner_end(b->far->forward.call, err_set(&err, CANCELLED, "nobody waits for the answer"), &err);
}

static enum code send_begin(struct beginning *b, struct spanner_TransactionOptions *options, struct err *err) {
    static const struct ask_handler handler = { on_message, on_end };
    const struct far_call *f = b->far;
    const struct call *call = f->forward.call;
    DEFER(buf_free) struct buf message = BUF_INIT(REQUEST_MAX);
    const struct spanner_BeginTransactionRequest begin = { .session = f->target->far_session, .options = options };
    enum code rc = pb_encode(&spanner_BeginTransactionRequest_msg, &begin, &message, err);
    if (rc) return rc;
    const struct upstream_request request = { .path = STR("/google.spanner.v1.Spanner/BeginTransaction"),
                                              .metadata = f->forward.metadata,
                                              .n_metadata = f->forward.n_metadata,
                                              .message = buf_str(&message),
                                              .max_message_bytes = ANSWER_MAX,
                                              .deadline_us = call->deadline_us };
    b->started_us = clock_mono_us();
    return ask_start(call->loop, f->target->far, call->principal, &request, &handler, b, &b->ask, err);
}

void far_begin_and_query(struct call *call, const struct target *t, struct spanner_TransactionOptions *options) {
    struct beginning *b = ARENA_NEW(call->arena, struct beginning);
    struct far_call *far = far_new(call, t);
    struct err err;
    if (!far) return;
    enum code rc = b ? OK : err_oom(&err);
    if (!rc && !options->read_only)
        rc = err_set(&err, INVALID_ARGUMENT, "INFORMATION_SCHEMA is read in read-only transactions alone");
    if (b) *b = (struct beginning){ .far = far };
    if (!rc) rc = send_begin(b, options, &err);
    if (rc) spanner_end(call, rc, &err);
    else call_on_cancel(call, on_cancel, b);
}
