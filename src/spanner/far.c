#include "spanner/far.h"
#include "spanner/far_handle.h"
#include "wire/url.h"

/* ---- the call ---- */

struct far_call *far_of(struct forward *forward) {
    return CONTAINER_OF(forward, struct far_call, forward);
}

/* Google's front ends route by these; their values come from what was decoded. */
static bool add_routing(struct far_call *f, struct call *call) {
    const struct target *t = f->target;
    DEFER(buf_free) struct buf params = BUF_INIT(4096);
    struct str database = far_database(t, call->arena);
    buf_add_z(&params, t->far_session.n ? "session=" : "database=");
    url_encode(&params, t->far_session.n ? t->far_session : database);
    struct str text = str_dup(call->arena, buf_str(&params));
    if (!database.p || !buf_ok(&params) || !text.p) return false;
    f->forward.metadata[f->forward.n_metadata++] = (struct http_header){ STR("google-cloud-resource-prefix"), database };
    f->forward.metadata[f->forward.n_metadata++] = (struct http_header){ STR("x-goog-request-params"), text };
    return true;
}

struct far_call *far_new(struct call *call, const struct target *t) {
    struct far_call *f = ARENA_NEW(call->arena, struct far_call);
    struct err err;
    if (f)
        *f = (struct far_call){
            .forward = { .call = call, .upstream = t->far, .hidden = t->far_session, .shown = t->session }, .target = t
        };
    if (f && add_routing(f, call)) return f;
    call_end(call, err_oom(&err), &err);
    return NULL;
}

/* What is not found there, or not understood, may be so because the schema is another one by now. */
static void doubt_schema(struct forward *forward, enum code *io_code, struct err *io_err) {
    (void)io_err;
    if (*io_code == INVALID_ARGUMENT || *io_code == NOT_FOUND) far_schema_doubt(far_of(forward)->target);
}

void far_send(struct far_call *f, const void *message, bool to_leader,
              enum code (*answer)(struct forward *forward, void *message, struct arena *arena, struct err *err)) {
    if (to_leader)
        f->forward.metadata[f->forward.n_metadata++] = (struct http_header){ STR("x-goog-spanner-route-to-leader"),
                                                                             STR("true") };
    f->forward.message = message;
    f->forward.answer = answer;
    if (!f->forward.end) f->forward.end = doubt_schema;
    forward_start(&f->forward);
}

/* ---- what is in many messages ---- */

enum code far_check_options(const struct spanner_RequestOptions *options, const struct spanner_RoutingHint *hint,
                            struct err *err) {
    if (options && options->client_context)
        return err_set(err, PERMISSION_DENIED,
                       "request_options.client_context may not be set by a client: Linkspan says who asks");
    if (hint)
        return err_set(err, UNIMPLEMENTED, "routing_hint is not supported: no cache of another server's was handed out");
    return OK;
}

enum code far_open_options(const struct far_call *f, const struct spanner_TransactionOptions *from,
                           struct spanner_TransactionOptions **ret, struct err *err) {
    struct arena *arena = f->forward.call->arena;
    *ret = NULL;
    if (!from) return OK;
    struct spanner_TransactionOptions *to = ARENA_NEW(arena, struct spanner_TransactionOptions);
    struct spanner_TransactionOptions_ReadWrite *rw = ARENA_NEW(arena, struct spanner_TransactionOptions_ReadWrite);
    if (!to || !rw) return err_oom(err);
    *ret = to;
    *to = *from;
    if (!from->read_write) return OK;
    *rw = *from->read_write;
    to->read_write = rw;
    struct str before = rw->multiplexed_session_previous_transaction_id;
    return far_open(f->target, FAR_TRANSACTION, f->target->session, before, arena,
                    &rw->multiplexed_session_previous_transaction_id, err);
}

enum code far_open_selector(const struct far_call *f, const struct spanner_TransactionSelector *from,
                            struct spanner_TransactionSelector **ret, struct err *err) {
    struct arena *arena = f->forward.call->arena;
    *ret = NULL;
    if (!from) return OK;
    struct spanner_TransactionSelector *to = ARENA_NEW(arena, struct spanner_TransactionSelector);
    if (!to) return err_oom(err);
    *ret = to;
    *to = *from;
    if (from->begin) return far_open_options(f, from->begin, &to->begin, err);
    return far_open(f->target, FAR_TRANSACTION, f->target->session, from->id, arena, &to->id, err);
}

bool far_writes(const struct spanner_TransactionSelector *selector) {
    if (!selector) return false;
    return selector->id.n || (selector->begin && !selector->begin->read_only);
}

enum code far_seal_precommit(const struct far_call *f, struct spanner_MultiplexedSessionPrecommitToken *token,
                             struct arena *arena, struct err *err) {
    if (!token) return OK;
    return far_seal(f->target, FAR_PRECOMMIT, f->target->session, token->precommit_token, arena, &token->precommit_token,
                    err);
}

enum code far_seal_transaction(const struct far_call *f, struct spanner_Transaction *transaction, struct arena *arena,
                               struct err *err) {
    if (!transaction) return OK;
    transaction->cache_update = NULL;
    enum code rc = far_seal(f->target, FAR_TRANSACTION, f->target->session, transaction->id, arena, &transaction->id, err);
    return rc ? rc : far_seal_precommit(f, transaction->precommit_token, arena, err);
}
