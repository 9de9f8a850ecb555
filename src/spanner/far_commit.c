/* far_commit.c: transactions of an upstream. */
#include "spanner/commit.h"
#include "spanner/commit_limits.h"
#include "spanner/far.h"
#include "spanner/far_handle.h"

static enum code show_transaction(struct forward *forward, void *message, struct arena *arena, struct err *err) {
    return far_seal_transaction(far_of(forward), message, arena, err);
}

void far_begin(struct call *call) {
    struct spanner_BeginTransactionRequest q = *(const struct spanner_BeginTransactionRequest *)call->request;
    const struct target *t = call->prepared;
    struct err err;
    struct far_call *f = far_new(call, t);
    if (!f) return;
    q.session = t->far_session;
    enum code rc = far_check_options(q.request_options, q.routing_hint, &err);
    if (!rc && q.options && q.options->partitioned_dml)
        rc = err_set(&err, UNIMPLEMENTED, "Partitioned DML is not supported: use mutations");
    if (!rc) rc = far_open_options(f, q.options, &q.options, &err);
    if (rc) spanner_end(call, rc, &err);
    else far_send(f, &q, q.options && !q.options->read_only, show_transaction);
}

static enum code show_commit(struct forward *forward, void *message, struct arena *arena, struct err *err) {
    struct spanner_CommitResponse *r = message;
    struct call *call = forward->call;
    int64_t us;
    r->cache_update = NULL;
    if (r->commit_timestamp && convert_timestamp_us(r->commit_timestamp, &us)) call->outcome.commit_us = us;
    if (r->commit_stats && r->commit_stats->mutation_count > 0)
        call->outcome.mutations = (uint64_t)r->commit_stats->mutation_count;
    return far_seal_precommit(far_of(forward), r->precommit_token, arena, err);
}

static enum code open_commit(struct far_call *f, struct spanner_CommitRequest *q, struct err *err) {
    struct arena *arena = f->forward.call->arena;
    struct str bind = f->target->session;
    enum code rc = far_check_options(q->request_options, q->routing_hint, err);
    if (!rc) rc = far_open(f->target, FAR_TRANSACTION, bind, q->transaction_id, arena, &q->transaction_id, err);
    if (!rc) rc = far_open_options(f, q->single_use_transaction, &q->single_use_transaction, err);
    if (rc || !q->precommit_token) return rc;
    struct spanner_MultiplexedSessionPrecommitToken *token = ARENA_NEW(arena,
                                                                       struct spanner_MultiplexedSessionPrecommitToken);
    if (!token) return err_oom(err);
    *token = *q->precommit_token;
    q->precommit_token = token;
    return far_open(f->target, FAR_PRECOMMIT, bind, token->precommit_token, arena, &token->precommit_token, err);
}

void far_commit(struct call *call) {
    struct spanner_CommitRequest q = *(const struct spanner_CommitRequest *)call->request;
    const struct target *t = commit_target(call);
    struct err err;
    struct far_call *f = far_new(call, t);
    if (!f) return;
    q.session = t->far_session;
    enum code rc = commit_fits(t->catalog, &q, call->http.body.n, &err);
    if (!rc) rc = open_commit(f, &q, &err);
    if (rc) spanner_end(call, rc, &err);
    else far_send(f, &q, true, show_commit);
}

void far_rollback(struct call *call) {
    struct spanner_RollbackRequest q = *(const struct spanner_RollbackRequest *)call->request;
    const struct target *t = call->prepared;
    struct err err;
    struct far_call *f = far_new(call, t);
    if (!f) return;
    q.session = t->far_session;
    enum code rc = far_open(t, FAR_TRANSACTION, t->session, q.transaction_id, call->arena, &q.transaction_id, &err);
    if (rc) spanner_end(call, rc, &err);
    else far_send(f, &q, true, NULL);
}
