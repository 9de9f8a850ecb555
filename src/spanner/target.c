#include "spanner/target.h"
#include <string.h>
#include "base/clock.h"
#include "policy/policy.h"
#include "spanner/far.h"
#include "spanner/far_handle.h"
#include "spanner/roles.h"

/* ---- where ---- */

static void give_back_db(void *ctx) {
    engine_db_unref(ctx);
}

static void give_back_catalog(void *ctx) {
    engine_catalog_unref(ctx);
}

static enum code find_database(struct call *call, struct target *t, struct str name, struct err *err) {
    t->spanner = call->service;
    t->connection = spanner_connection_of(t->spanner, t->name.project, t->name.instance);
    t->far = t->connection ? t->connection->far : NULL;
    call->far = t->far != NULL;
    if (!t->far) t->db = t->connection ? spanner_database(t->spanner, t->name.instance, t->name.database) : NULL;
    if (!t->far && !t->db)
        return spanner_not_found(call, "google.spanner.admin.database.v1.Database", "Database", name, err);
    if (t->db && !call_at_end(call, give_back_db, t->db)) return err_oom(err);
    t->owner = spanner_owner(call->arena, call->principal);
    t->path = spanner_policy_path(call->arena, t->connection, t->name.database);
    return t->owner.p && t->path.p ? OK : err_oom(err);
}

enum code target_database(struct call *call, struct str name, struct target *ret, struct err *err) {
    *ret = (struct target){ 0 };
    call->resource = name;
    enum code rc = name_database(name, &ret->name, err);
    return rc ? rc : find_database(call, ret, name, err);
}

enum code target_connection(struct call *call, struct str project, struct str instance, struct str database,
                            struct target *t, struct err *err) {
    *t = (struct target){ .spanner = call->service,
                          .name = { .project = project, .instance = instance, .database = database } };
    t->connection = spanner_connection_of(t->spanner, project, instance);
    t->far = t->connection ? t->connection->far : NULL;
    call->far = t->far != NULL;
    t->owner = spanner_owner(call->arena, call->principal);
    t->path = spanner_policy_path(call->arena, t->connection, database);
    return t->owner.p && t->path.p ? OK : err_oom(err);
}

enum code target_schema(struct call *call, struct target *t, struct err *err) {
    if (t->far) return far_target_schema(call, t, err);
    t->catalog = engine_catalog(t->db);
    return call_at_end(call, give_back_catalog, (void *)(uintptr_t)t->catalog) ? OK : err_oom(err);
}

bool target_find_session(struct call *call, const struct target *t, struct str name, struct session *ret) {
    struct sessions *sessions = t->spanner->sessions;
    int64_t database_us = engine_db_create_time(t->db);
    if (session_use(sessions, name, t->owner, ret) && ret->database_us == database_us) return true;
    return session_revive(sessions, name, t->owner, database_us, call->arena, ret);
}

enum code target_session(struct call *call, struct str name, struct target *ret, struct err *err) {
    *ret = (struct target){ .session = name };
    enum code rc = name_session(name, &ret->name, err);
    if (rc) return rc;
    struct str database = str_upto(name, name.n - ret->name.session.n - strlen("/sessions/"));
    call->resource = database;
    rc = find_database(call, ret, database, err);
    if (rc) return rc;
    if (ret->far) return far_target_session(call, ret, err);
    if (!target_find_session(call, ret, name, &ret->state))
        return spanner_not_found(call, "google.spanner.v1.Session", "Session", name, err);
    return role_fence(call, ret, err);
}

enum code target_atom(struct call *call, const struct target *t, struct atom atom, struct err *err) {
    atom.path = t->path;
    return atoms_add(&call->atoms, call->arena, atom) ? OK : err_oom(err);
}

bool target_may_learn(struct call *call, const struct target *t) {
    return policy_holds_something(call->policy, call->subject, t->path, (struct str){ NULL, 0 }, clock_wall_us());
}

/* ---- when ---- */

enum { TAG_WRITE = 'W', TAG_READ = 'R' };

/* What seals a read-only transaction's id: it is of use in this session, to this owner. */
static struct str seal_context(struct arena *arena, const struct target *t) {
    return arena_printf(arena, "read-only|%.*s|%.*s", STR_ARG(t->session), STR_ARG(t->owner));
}

static enum code read_only_id(struct call *call, const struct target *t, int64_t us, struct str *ret, struct err *err) {
    DEFER(buf_free) struct buf id = BUF_INIT(1024);
    struct str context = seal_context(call->arena, t), plain = { (const char *)&us, sizeof us };
    if (!context.p) return err_oom(err);
    buf_add_char(&id, TAG_READ);
    enum code rc = seal(t->spanner->sealer, plain, context, &id, err);
    if (rc) return rc;
    *ret = str_dup(call->arena, buf_str(&id));
    return ret->p ? OK : err_oom(err);
}

static enum code open_read_only(struct call *call, const struct target *t, struct str id, struct when *ret,
                                struct err *err) {
    struct str plain, context = seal_context(call->arena, t);
    if (!context.p) return err_oom(err);
    struct err inner;
    if (unseal(t->spanner->sealer, str_from(id, 1), context, call->arena, &plain, &inner) || plain.n != sizeof(int64_t))
        return err_set(err, NOT_FOUND, "Transaction not found in this session");
    memcpy(&ret->engine.timestamp_us, plain.p, sizeof(int64_t));
    ret->engine.at = true;
    return OK;
}

enum code when_write_id(struct str id, uint8_t ret[ENGINE_TXN_ID_BYTES], struct err *err) {
    if (id.n && id.p[0] == TAG_READ)
        return err_set(err, FAILED_PRECONDITION, "Cannot commit or roll back a read-only transaction");
    if (id.n != 1 + ENGINE_TXN_ID_BYTES || id.p[0] != TAG_WRITE)
        return err_set(err, INVALID_ARGUMENT, "Invalid transaction id");
    memcpy(ret, id.p + 1, ENGINE_TXN_ID_BYTES);
    return OK;
}

static enum code bound_of(const struct spanner_TransactionOptions_ReadOnly *o, bool single_use, struct engine_bound *ret,
                          struct err *err) {
    bool ok = true;
    *ret = (struct engine_bound){ .kind = ENGINE_STRONG };
    if (o->min_read_timestamp)
        *ret = (struct engine_bound){ .kind = ENGINE_MIN_READ_TIMESTAMP },
        ok = convert_timestamp_us(o->min_read_timestamp, &ret->us);
    if (o->max_staleness)
        *ret = (struct engine_bound){ .kind = ENGINE_MAX_STALENESS }, ok = convert_duration_us(o->max_staleness, &ret->us);
    if (o->read_timestamp)
        *ret = (struct engine_bound){ .kind = ENGINE_READ_TIMESTAMP },
        ok = convert_timestamp_us(o->read_timestamp, &ret->us);
    if (o->exact_staleness)
        *ret = (struct engine_bound){ .kind = ENGINE_EXACT_STALENESS },
        ok = convert_duration_us(o->exact_staleness, &ret->us);
    if (!ok) return err_set(err, INVALID_ARGUMENT, "The timestamp bound is out of range");
    if (!single_use && (o->min_read_timestamp || o->max_staleness))
        return err_set(err, INVALID_ARGUMENT, "min_read_timestamp and max_staleness are for single-use transactions only");
    return OK;
}

static enum code begin_read_only(struct call *call, const struct target *t,
                                 const struct spanner_TransactionOptions_ReadOnly *o, bool single_use, struct when *ret,
                                 struct err *err) {
    struct engine_bound bound;
    enum code rc = bound_of(o, single_use, &bound, err);
    ret->return_timestamp = o->return_read_timestamp;
    ret->single_use = single_use;
    if (rc || (single_use && bound.kind == ENGINE_STRONG)) return rc; /* strong: the read itself finds the newest */
    rc = engine_pick_timestamp(t->db, bound, &ret->engine.timestamp_us, err);
    ret->engine.at = true;
    if (rc || single_use) return rc;
    ret->begun = true;
    return read_only_id(call, t, ret->engine.timestamp_us, &ret->id, err);
}

/* An attempt that was aborted may be named by the next one, which then may go first; in a session that is not multiplexed
 * it is the one before. One that is unknown, or was not aborted, is none. */
static enum code begin_read_write(struct call *call, const struct target *t,
                                  const struct spanner_TransactionOptions_ReadWrite *o, struct when *ret, struct err *err) {
    uint8_t id_before[ENGINE_TXN_ID_BYTES];
    struct str before = o->multiplexed_session_previous_transaction_id;
    const uint8_t *previous = t->state.has_txn ? t->state.txn : NULL;
    if (before.n && !when_write_id(before, id_before, err)) previous = id_before;
    enum code rc = engine_txn_begin(t->db, t->owner, previous, ret->engine.txn, err);
    if (rc) return rc;
    session_begins(t->spanner->sessions, t->session, t->owner, ret->engine.txn);
    char *id = arena_alloc(call->arena, 1 + ENGINE_TXN_ID_BYTES);
    if (!id) return err_oom(err);
    id[0] = TAG_WRITE;
    memcpy(id + 1, ret->engine.txn, ENGINE_TXN_ID_BYTES);
    ret->id = (struct str){ id, 1 + ENGINE_TXN_ID_BYTES };
    ret->begun = ret->read_write = ret->engine.has_txn = true;
    return OK;
}

enum code when_begin(struct call *call, const struct target *t, const struct spanner_TransactionOptions *o,
                     struct when *ret, struct err *err) {
    *ret = (struct when){ .engine.owner = t->owner };
    if (o && o->read_only) return begin_read_only(call, t, o->read_only, false, ret, err);
    if (o && o->partitioned_dml) return err_set(err, UNIMPLEMENTED, "Partitioned DML is not supported: use mutations");
    if (!o || !o->read_write)
        return err_set(err, INVALID_ARGUMENT, "Invalid BeginTransaction request: the mode is missing");
    if (o->isolation_level > spanner_TransactionOptions_IsolationLevel_SERIALIZABLE)
        return err_set(err, UNIMPLEMENTED, "Only SERIALIZABLE transactions are supported");
    return begin_read_write(call, t, o->read_write, ret, err);
}

void when_failed(const struct target *t, const struct when *when) {
    struct err err;
    if (!when->begun || !when->engine.has_txn) return;
    if (engine_txn_rollback(t->db, t->owner, when->engine.txn, &err)) return; /* it ends by itself when it is idle */
}

static enum code single_use(struct call *call, const struct target *t, const struct spanner_TransactionOptions *o,
                            struct when *ret, struct err *err) {
    if (o->mode_case == 0) return OK;
    if (!o->read_only) return err_set(err, INVALID_ARGUMENT, "Single-use transactions must be read-only here");
    return begin_read_only(call, t, o->read_only, true, ret, err);
}

/* What is answered here of an upstream is its schema. What the query is to begin has begun there. */
static enum code when_far(struct call *call, const struct target *t, const struct spanner_TransactionSelector *s,
                          struct when *ret, struct err *err) {
    struct str id;
    const struct spanner_TransactionOptions *o = s->begin ? s->begin : s->single_use;
    ret->single_use = s->single_use != NULL;
    ret->return_timestamp = o && o->read_only && o->read_only->return_read_timestamp;
    if (!s->begin) return far_open(t, FAR_TRANSACTION, t->session, s->id, call->arena, &id, err);
    ret->begun = true;
    ret->id = t->begun;
    ret->engine.at = t->begun_read_us != 0;
    ret->engine.timestamp_us = t->begun_read_us;
    return OK;
}

enum code when_resolve(struct call *call, const struct target *t, const struct spanner_TransactionSelector *s,
                       struct when *ret, struct err *err) {
    *ret = (struct when){ .engine.owner = t->owner };
    if (!s || s->selector_case == 0) return OK;
    if (t->far) return when_far(call, t, s, ret, err);
    if (s->single_use) return single_use(call, t, s->single_use, ret, err);
    if (s->begin) return when_begin(call, t, s->begin, ret, err);
    if (s->id.n && s->id.p[0] == TAG_READ) return open_read_only(call, t, s->id, ret, err);
    enum code rc = when_write_id(s->id, ret->engine.txn, err);
    if (rc) return rc;
    ret->engine.has_txn = ret->read_write = true;
    ret->id = s->id;
    return OK;
}
