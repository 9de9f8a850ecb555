#include "spanner/far_handle.h"
#include <string.h>
#include "spanner/far_side.h"

enum { CONTEXT_MAX = 8 << 10 };

static const struct {
    const char *name;
    enum code code;
    const char *wrong;
} kinds[FAR_KINDS] = {
    [FAR_SESSION] = { "session", NOT_FOUND, "Session not found" },
    [FAR_TRANSACTION] = { "transaction", NOT_FOUND, "Transaction not found in this session" },
    [FAR_PRECOMMIT] = { "precommit", INVALID_ARGUMENT, "Invalid precommit token" },
    [FAR_PARTITION] = { "partition", INVALID_ARGUMENT, "Invalid partition token, or not the request that it was made for" },
    [FAR_RESUME] = { "resume", INVALID_ARGUMENT, "Invalid resume token, or not the request that it was made for" },
    [FAR_PAGE] = { "page", INVALID_ARGUMENT, "Invalid page_token, or not the request that it was made for" },
};

/* Lengths keep the parts apart, whatever they hold. */
static bool put_context(struct buf *b, const struct target *t, enum far_kind kind, struct str bind) {
    buf_printf(b, "far-%s|%zu:%.*s|%zu:%.*s|", kinds[kind].name, t->path.n, STR_ARG(t->path), t->owner.n,
               STR_ARG(t->owner));
    buf_add_str(b, bind);
    return buf_ok(b);
}

enum code far_seal(const struct target *t, enum far_kind kind, struct str bind, struct str plain, struct arena *arena,
                   struct str *ret, struct err *err) {
    DEFER(buf_free) struct buf context = BUF_INIT(CONTEXT_MAX), out = BUF_INIT(2 * SEAL_MAX_BYTES);
    *ret = (struct str){ NULL, 0 };
    if (!plain.n) return OK;
    if (!put_context(&context, t, kind, bind)) return err_oom(err);
    enum code rc = seal(far_sealer_of(t), plain, buf_str(&context), &out, err);
    if (rc) return err_wrap(err, "the upstream's %s", kinds[kind].name);
    *ret = str_dup(arena, buf_str(&out));
    return ret->p ? OK : err_oom(err);
}

enum code far_open(const struct target *t, enum far_kind kind, struct str bind, struct str sealed, struct arena *arena,
                   struct str *ret, struct err *err) {
    DEFER(buf_free) struct buf context = BUF_INIT(CONTEXT_MAX);
    struct err inner;
    *ret = (struct str){ NULL, 0 };
    if (!sealed.n) return OK;
    if (!put_context(&context, t, kind, bind)) return err_oom(err);
    if (!unseal(far_sealer_of(t), sealed, buf_str(&context), arena, ret, &inner)) return OK;
    return err_set(err, kinds[kind].code, "%s", kinds[kind].wrong);
}

struct str far_database(const struct target *t, struct arena *arena) {
    return arena_printf(arena, "projects/%.*s/instances/%.*s/databases/%.*s", STR_ARG(t->name.project),
                        STR_ARG(t->name.instance), STR_ARG(t->name.database));
}

enum code far_seal_session(const struct target *t, struct str name, struct arena *arena, struct str *ret, struct err *err) {
    struct spanner_name parts;
    struct str sealed, database = far_database(t, arena);
    struct err inner;
    if (!database.p) return err_oom(err);
    if (name_session(name, &parts, &inner) ||
        !str_eq(str_upto(name, name.n - parts.session.n - strlen("/sessions/")), database))
        return err_set(err, INTERNAL, "the upstream answers with a session of another database");
    enum code rc = far_seal(t, FAR_SESSION, (struct str){ NULL, 0 }, parts.session, arena, &sealed, err);
    if (rc) return rc;
    *ret = arena_printf(arena, "%.*s/sessions/%.*s", STR_ARG(database), STR_ARG(sealed));
    return ret->p ? OK : err_oom(err);
}

enum code far_target_session(struct call *call, struct target *t, struct err *err) {
    struct str id, database = far_database(t, call->arena);
    if (!database.p) return err_oom(err);
    if (far_open(t, FAR_SESSION, (struct str){ NULL, 0 }, t->name.session, call->arena, &id, err))
        return spanner_not_found(call, "google.spanner.v1.Session", "Session", t->session, err);
    t->far_session = arena_printf(call->arena, "%.*s/sessions/%.*s", STR_ARG(database), STR_ARG(id));
    return t->far_session.p ? OK : err_oom(err);
}
