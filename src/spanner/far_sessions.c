/* far_sessions.c: sessions of an upstream. */
#include "spanner/far.h"
#include "spanner/far_handle.h"
#include "spanner/generated_role.h"

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

/* ---- the second fence: a database role that grants what the rules could ever allow the caller ---- */

struct role {
    char name[POLICY_ROLE_NAME_BYTES];
};

static void role_is_missing(struct forward *forward, enum code *io_code, struct err *io_err) {
    const struct role *role = forward->ctx;
    bool about_role = (*io_code == NOT_FOUND || *io_code == INVALID_ARGUMENT) &&
                      str_find(str_z(io_err->message), str_z(role->name)) >= 0;
    if (!about_role || forward->ours) return;
    *io_code = err_set(io_err, FAILED_PRECONDITION,
                       "The database has no role %s, which stands for your rules: its administrator runs `linkspan policy "
                       "roles` and the statements that it prints",
                       role->name);
}

/* The session as it is asked for upstream: with the role of the caller, where the connection has roles. */
static enum code with_role(struct far_call *f, const struct spanner_Session *from, struct spanner_Session **ret,
                           struct err *err) {
    struct call *call = f->forward.call;
    const struct target *t = f->target;
    *ret = ARENA_NEW(call->arena, struct spanner_Session);
    struct role *role = ARENA_NEW(call->arena, struct role);
    if (!*ret || !role) return err_oom(err);
    **ret = from ? *from : (struct spanner_Session){ 0 };
    if (!t->connection->roles) return OK;
    enum code rc = role_name_for(call->policy, call->subject, t->path, t->catalog, role->name, err);
    (*ret)->creator_role = str_z(role->name);
    f->forward.end = role_is_missing;
    f->forward.ctx = role;
    return rc;
}

void far_create_session(struct call *call) {
    struct spanner_CreateSessionRequest q = *(const struct spanner_CreateSessionRequest *)call->request;
    struct far_call *f = far_new(call, call->prepared);
    struct err err;
    if (!f) return;
    enum code rc = with_role(f, q.session, &q.session, &err);
    if (rc) spanner_end(call, rc, &err);
    else far_send(f, &q, false, show_one);
}

void far_batch_create(struct call *call) {
    struct spanner_BatchCreateSessionsRequest q = *(const struct spanner_BatchCreateSessionsRequest *)call->request;
    struct far_call *f = far_new(call, call->prepared);
    struct err err;
    if (!f) return;
    enum code rc = with_role(f, q.session_template, &q.session_template, &err);
    if (rc) spanner_end(call, rc, &err);
    else far_send(f, &q, false, show_all);
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
