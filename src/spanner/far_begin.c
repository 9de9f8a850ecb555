/* far_begin.c: a transaction of an upstream that begins with a query over INFORMATION_SCHEMA. The query is answered here,
 * from the snapshot; the transaction is begun there first, with the same options, and the answer says its id, so that what
 * comes next is in it. */
#include "spanner/far.h"
#include "spanner/far_handle.h"
#include "spanner/query.h"

enum { ANSWER_MAX = 64 << 10 };

struct beginning {
    struct far_call *far;
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

static enum code outcome(struct beginning *b, const struct upstream_status *status, struct err *err) {
    enum code rc = forward_status(&b->far->forward, status, err);
    if (rc) return rc;
    if (b->code) return *err = b->err, b->code;
    return b->id.n ? OK : err_set(err, INTERNAL, "the upstream begins no transaction");
}

static void on_end(struct ask *ask, const struct upstream_status *status, void *ctx) {
    (void)ask;
    struct beginning *b = ctx;
    struct call *call = b->far->forward.call;
    struct err err;
    enum code rc = outcome(b, status, &err);
    if (rc) {
        call_end(call, rc, &err);
        return;
    }
    query_begun(call, b->id, b->read_us);
    handle_execute_sql(call);
}

static void on_cancel(void *ctx) {
    struct beginning *b = ctx;
    struct ask *ask = b->far->forward.ask;
    struct err err;
    if (!ask) return; /* the query itself is under way */
    b->far->forward.ask = NULL;
    ask_cancel(ask);
    call_end(b->far->forward.call, err_set(&err, CANCELLED, "nobody waits for the answer"), &err);
}

static enum code send_begin(struct beginning *b, struct spanner_TransactionOptions *options, struct err *err) {
    static const struct ask_handler handler = { on_message, on_end };
    struct far_call *f = b->far;
    const struct spanner_BeginTransactionRequest begin = { .session = f->target->far_session, .options = options };
    f->forward.path = "/google.spanner.v1.Spanner/BeginTransaction";
    f->forward.max_message_bytes = ANSWER_MAX;
    return forward_ask(&f->forward, &spanner_BeginTransactionRequest_msg, &begin, &handler, b, err);
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
