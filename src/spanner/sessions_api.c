#include "spanner/sessions_api.h"
#include "spanner/roles.h"
#include "spanner/target.h"

enum { MAX_BATCH = 100, MAX_PAGE = 1000 };

/* ---- classify: any live allow in the database ---- */

static enum code use_database(struct call *call, struct str name, struct err *err) {
    struct target *t = ARENA_NEW(call->arena, struct target);
    if (!t) return err_oom(err);
    call->prepared = t;
    enum code rc = target_database(call, name, t, err);
    return rc ? rc : target_atom(call, t, (struct atom){ .verb = VERB_USE }, err);
}

/* As which role the session acts: it goes into the target's state. */
static enum code use_as_role(struct call *call, struct str name, const struct spanner_Session *session, struct err *err) {
    enum code rc = use_database(call, name, err);
    struct target *t = call->prepared;
    if (!rc && t->far && t->connection->roles) rc = target_schema(call, t, err); /* of which the role is made */
    return rc || !session ? rc : role_choose(call, t, session->creator_role, err);
}

enum code classify_create_session(struct call *call, struct err *err) {
    const struct spanner_CreateSessionRequest *q = call->request;
    return use_as_role(call, q->database, q->session, err);
}

enum code classify_batch_create(struct call *call, struct err *err) {
    const struct spanner_BatchCreateSessionsRequest *q = call->request;
    enum code rc = OK;
    if (q->session_template && q->session_template->multiplexed)
        rc = err_set(err, INVALID_ARGUMENT, "Multiplexed sessions are made with CreateSession");
    if (!rc && q->session_count < 1) rc = err_set(err, INVALID_ARGUMENT, "Invalid session_count: it must be positive");
    return rc ? rc : use_as_role(call, q->database, q->session_template, err);
}

enum code classify_list_sessions(struct call *call, struct err *err) {
    enum code rc = use_database(call, ((const struct spanner_ListSessionsRequest *)call->request)->database, err);
    struct target *t = call->prepared;
    return rc || t->far ? rc : target_schema(call, t, err); /* for the names of their roles */
}

static enum code use_session(struct call *call, struct str name, struct err *err) {
    struct target *t = ARENA_NEW(call->arena, struct target);
    if (!t) return err_oom(err);
    call->prepared = t;
    enum code rc = target_session(call, name, t, err);
    return rc ? rc : target_atom(call, t, (struct atom){ .verb = VERB_USE }, err);
}

enum code classify_get_session(struct call *call, struct err *err) {
    return use_session(call, ((const struct spanner_GetSessionRequest *)call->request)->name, err);
}

/* A session that is gone may be deleted again: the database is what is decided. */
enum code classify_delete_session(struct call *call, struct err *err) {
    struct str name = ((const struct spanner_DeleteSessionRequest *)call->request)->name;
    struct spanner_name parts;
    enum code rc = name_session(name, &parts, err);
    return rc ? rc : use_database(call, str_upto(name, name.n - parts.session.n - STR("/sessions/").n), err);
}

/* ---- handle ---- */

static void finish(struct call *call, enum code rc, const void *message, struct err *err) {
    if (!rc && !call_write_message(call, message)) rc = err_set(err, CANCELLED, "The client went away");
    spanner_end(call, rc, err);
}

static struct spanner_Session *describe(struct arena *arena, const struct target *t, struct spanner_Session *to,
                                        struct str name, const struct session *from) {
    struct pb_Timestamp *times = ARENA_ARRAY(arena, struct pb_Timestamp, 2);
    if (!times) return NULL;
    times[0] = convert_timestamp(from->created_us);
    times[1] = convert_timestamp(from->used_us);
    *to = (struct spanner_Session){ .name = name,
                                    .create_time = &times[0],
                                    .approximate_last_use_time = &times[1],
                                    .creator_role = role_name(t, from->role),
                                    .multiplexed = from->multiplexed };
    return to;
}

static enum code create(struct call *call, const struct target *t, bool multiplexed, struct spanner_Session *ret,
                        struct err *err) {
    struct str name;
    struct session session;
    const struct session wanted = { .database_us = engine_db_create_time(t->db),
                                    .role = t->state.role,
                                    .multiplexed = multiplexed };
    enum code rc = session_create(t->spanner->sessions, call->resource, t->owner, wanted, call->arena, &name, &session,
                                  err);
    if (rc) return rc;
    return describe(call->arena, t, ret, name, &session) ? OK : err_oom(err);
}

void handle_create_session(struct call *call) {
    const struct spanner_CreateSessionRequest *q = call->request;
    struct spanner_Session session = { 0 };
    struct err err = { 0 };
    enum code rc = create(call, call->prepared, q->session && q->session->multiplexed, &session, &err);
    finish(call, rc, &session, &err);
}

void handle_batch_create(struct call *call) {
    const struct spanner_BatchCreateSessionsRequest *q = call->request;
    struct spanner_BatchCreateSessionsResponse response = { 0 };
    struct err err = { 0 };
    size_t want = q->session_count > MAX_BATCH ? MAX_BATCH : (size_t)q->session_count;
    response.session.p = ARENA_ARRAY(call->arena, struct spanner_Session, want);
    enum code rc = response.session.p ? OK : err_oom(&err);
    for (; !rc && response.session.n < want; response.session.n++)
        rc = create(call, call->prepared, false, &response.session.p[response.session.n], &err);
    finish(call, rc, &response, &err);
}

void handle_get_session(struct call *call) {
    const struct target *t = call->prepared;
    struct spanner_Session session = { 0 };
    struct err err = { 0 };
    enum code rc = describe(call->arena, t, &session, t->session, &t->state) ? OK : err_oom(&err);
    finish(call, rc, &session, &err);
}

void handle_delete_session(struct call *call) {
    const struct target *t = call->prepared;
    struct str name = ((const struct spanner_DeleteSessionRequest *)call->request)->name;
    struct pb_Empty empty = { 0 };
    struct session session;
    struct err err = { 0 };
    enum code rc = OK;
    if (!session_delete(t->spanner->sessions, name, t->owner) && target_find_session(call, t, name, &session))
        rc = err_set(&err, INVALID_ARGUMENT, "Multiplexed sessions cannot be deleted");
    finish(call, rc, &empty, &err);
}

struct listing {
    struct arena *arena;
    const struct target *target;
    struct spanner_ListSessionsResponse response;
    bool failed;
};

static bool list_one(void *ctx, struct str name, const struct session *session) {
    struct listing *l = ctx;
    struct str copy = str_dup(l->arena, name);
    if (!copy.p || !describe(l->arena, l->target, &l->response.sessions.p[l->response.sessions.n], copy, session))
        l->failed = true;
    else l->response.sessions.n++;
    return !l->failed && l->response.sessions.n < MAX_PAGE;
}

void handle_list_sessions(struct call *call) {
    const struct spanner_ListSessionsRequest *q = call->request;
    const struct target *t = call->prepared;
    struct listing l = { .arena = call->arena, .target = t };
    struct err err = { 0 };
    enum code rc = OK;
    l.response.sessions.p = ARENA_ARRAY(call->arena, struct spanner_Session, MAX_PAGE);
    if (q->filter.n) rc = err_set(&err, UNIMPLEMENTED, "Filters of sessions are not supported");
    else if (!l.response.sessions.p) rc = err_oom(&err);
    else session_each(t->spanner->sessions, call->resource, t->owner, list_one, &l);
    if (l.failed) rc = err_oom(&err);
    finish(call, rc, &l.response, &err);
}
