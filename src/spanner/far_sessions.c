/* far_sessions.c: sessions of an upstream. */
#include "spanner/far.h"
#include "spanner/far_handle.h"

static enum code show(struct far_call *f, struct spanner_Session *session, struct arena *arena, struct err *err) {
    session->creator_role = (struct str){ NULL, 0 }; /* ours to set, and nobody else's to know */
    return far_seal_session(f->target, session->name, arena, &session->name, err);
}

static enum code show_one(struct forward *forward, void *message, struct arena *arena, struct err *err) {
    return show(far_of(forward), message, arena, err);
}

static enum code show_all(struct forward *forward, void *message, struct arena *arena, struct err *err) {
    struct spanner_BatchCreateSessionsResponse *r = message;
    enum code rc = OK;
    for (size_t i = 0; !rc && i < r->session.n; i++) rc = show(far_of(forward), &r->session.p[i], arena, err);
    return rc;
}

void far_create_session(struct call *call) {
    struct far_call *f = far_new(call, call->prepared);
    if (f) far_send(f, call->request, false, show_one);
}

void far_batch_create(struct call *call) {
    struct far_call *f = far_new(call, call->prepared);
    if (f) far_send(f, call->request, false, show_all);
}

void far_get_session(struct call *call) {
    const struct target *t = call->prepared;
    struct spanner_GetSessionRequest q = *(const struct spanner_GetSessionRequest *)call->request;
    struct far_call *f = far_new(call, t);
    q.name = t->far_session;
    if (f) far_send(f, &q, false, show_one);
}

/* One that is gone may be deleted again, as Spanner has it; one that was never the caller's is as good as gone. */
void far_delete_session(struct call *call) {
    struct target *t = call->prepared;
    struct spanner_DeleteSessionRequest q = *(const struct spanner_DeleteSessionRequest *)call->request;
    struct pb_Empty empty = { 0 };
    struct err err;
    t->session = q.name;
    enum code rc = name_session(q.name, &t->name, &err);
    if (!rc && !far_target_session(call, t, &err)) {
        struct far_call *f = far_new(call, t);
        q.name = t->far_session;
        if (f) far_send(f, &q, false, NULL);
    } else if (call_write_message(call, &empty)) call_end_ok(call);
    else call_end(call, CANCELLED, NULL);
}
