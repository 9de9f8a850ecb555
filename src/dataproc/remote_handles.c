/* remote_handles.c: an upstream's operations and page tokens as clients see them, sealed: they name the connection and the
 * owner to whom they were given, and nobody else can use, read or make one. */
#include "base/enc.h"
#include "crypto/hash.h"
#include "dataproc/remote.h"

enum { HANDLE_BYTES = 4096, REQUEST_ID_HEX = 40 };

/* Whom a handle is bound to; each part with its length, so that no two read alike. */
static struct str bound_to(const struct call *call, const char *kind, struct str list) {
    const struct dataproc *dataproc = call->service;
    struct str owner = access_caller(call, call->arena);
    return arena_printf(call->arena, "linkspan dataproc %s 1 %zu %.*s %zu %.*s %.*s", kind, dataproc->connection.n,
                        STR_ARG(dataproc->connection), owner.n, STR_ARG(owner), STR_ARG(list));
}

static enum code seal_text(struct call *call, struct str plain, struct str bound, struct str *ret, struct err *err) {
    const struct dataproc *dataproc = call->service;
    DEFER(buf_free) struct buf out = BUF_INIT(2 * HANDLE_BYTES);
    if (!bound.p || !plain.p) return err_oom(err);
    if (plain.n > HANDLE_BYTES)
        return err_set(err, INTERNAL, "the upstream of %.*s.dataproc answers with a handle that is too long",
                       STR_ARG(dataproc->connection));
    enum code rc = seal(dataproc->remote->sealer, plain, bound, &out, err);
    if (rc) return rc;
    struct str text = buf_ok(&out) ? str_dup(call->arena, buf_str(&out)) : (struct str){ NULL, 0 };
    if (!text.p) return err_oom(err);
    *ret = text;
    return OK;
}

static bool open_text(struct call *call, struct str sealed, struct str bound, struct str *ret) {
    const struct dataproc *dataproc = call->service;
    struct err ignored;
    return bound.p && sealed.n <= 2 * HANDLE_BYTES &&
           unseal(dataproc->remote->sealer, sealed, bound, call->arena, ret, &ignored) == OK;
}

/* ---- operations: "j batch projects/acme/regions/here/operations/ID" ---- */

enum code remote_operation_seal(struct call *call, struct str cluster, bool of_cluster, struct lro_Operation *operation,
                                struct err *err) {
    struct str plain = arena_printf(call->arena, "%c %.*s %.*s", of_cluster ? 'c' : 'j', STR_ARG(cluster),
                                    STR_ARG(operation->name)),
               id;
    enum code rc = seal_text(call, plain, bound_to(call, "operation", STR("")), &id, err);
    if (rc) return rc;
    operation->name = names_operation(call->service, id, call->arena);
    return operation->name.p ? OK : err_oom(err);
}

enum code remote_operation_open(struct dataproc *dataproc, struct call *call, struct str id, struct remote_operation *ret,
                                struct err *err) {
    struct str plain;
    if (!open_text(call, id, bound_to(call, "operation", STR("")), &plain))
        return err_set(err, NOT_FOUND, "operation not found: %.*s", STR_ARG(str_upto(id, 200)));
    struct str kind = str_cut(&plain, ' '), cluster = str_cut(&plain, ' ');
    if (!remote_has_cluster(dataproc, cluster)) /* the configuration has changed since */
        return err_set(err, NOT_FOUND, "operation not found: %.*s", STR_ARG(str_upto(id, 200)));
    *ret = (struct remote_operation){ .shown = names_operation(dataproc, id, call->arena),
                                      .name = plain,
                                      .cluster = cluster,
                                      .of_cluster = str_eq_z(kind, "c") };
    return ret->shown.p ? OK : err_oom(err);
}

/* ---- page tokens ---- */

enum code remote_page_seal(struct call *call, struct str list, struct str *io_token, struct err *err) {
    return io_token->n ? seal_text(call, *io_token, bound_to(call, "page", list), io_token, err) : OK;
}

enum code remote_page_open(struct call *call, struct str list, struct str token, struct str *ret, struct err *err) {
    *ret = (struct str){ NULL, 0 };
    if (!token.n || open_text(call, token, bound_to(call, "page", list), ret)) return OK;
    return err_set(err, INVALID_ARGUMENT, "pageToken is none of ours, or of another list: start the list again");
}

/* ---- requestId ---- */

enum code remote_request_id(struct call *call, struct str cluster, struct str decided, struct str *io_id, struct err *err) {
    DEFER(buf_free) struct buf hex = BUF_INIT(256);
    uint8_t digest[SHA256_BYTES];
    if (!io_id->n) return OK;
    struct str asker = access_asker(call, cluster, call->arena),
               what = arena_printf(call->arena, "%s %.*s %.*s %.*s", call->method->grpc, STR_ARG(asker), STR_ARG(decided),
                                   STR_ARG(*io_id)),
               bound = bound_to(call, "request", what);
    if (!asker.p || !what.p || !bound.p) return err_oom(err);
    hash_sha256(bound, digest);
    enc_hex(&hex, (struct str){ (const char *)digest, sizeof digest });
    struct str id = buf_ok(&hex) ? str_dup(call->arena, str_upto(buf_str(&hex), REQUEST_ID_HEX)) : (struct str){ NULL, 0 };
    if (!id.p) return err_oom(err);
    *io_id = id;
    return OK;
}
