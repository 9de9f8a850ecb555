#include "spanner/token.h"
#include <string.h>
#include "crypto/hash.h"
#include "crypto/random.h"
#include "spanner/far_side.h"

enum { MAX_PLAIN = 48 << 10 };

static struct str context_of(struct arena *arena, const struct target *t, uint8_t kind) {
    return arena_printf(arena, "handle-%u|%.*s|%.*s", kind, STR_ARG(t->path), STR_ARG(t->owner));
}

static void put_bytes(struct buf *b, struct str s) {
    uint32_t n = (uint32_t)s.n;
    buf_add(b, &n, sizeof n);
    buf_add_str(b, s);
}

static bool get(struct str *rest, void *out, size_t n) {
    if (rest->n < n) return false;
    memcpy(out, rest->p, n);
    *rest = (struct str){ rest->p + n, rest->n - n };
    return true;
}

static bool get_bytes(struct str *rest, struct str *ret) {
    uint32_t n;
    if (!get(rest, &n, sizeof n) || n > rest->n) return false;
    *ret = str_upto(*rest, n);
    *rest = (struct str){ rest->p + n, rest->n - n };
    return true;
}

bool handle_is_used(const struct call *call, struct str partition_token, struct str resume_token) {
    return call->method->streaming || partition_token.n || resume_token.n;
}

enum code handle_seal(const struct target *t, const struct handle *h, struct arena *arena, struct str *ret,
                      struct err *err) {
    DEFER(buf_free) struct buf plain = BUF_INIT(MAX_PLAIN), out = BUF_INIT(2 * MAX_PLAIN);
    struct str context = context_of(arena, t, h->kind);
    if (!context.p) return err_oom(err);
    buf_add(&plain, &h->timestamp_us, sizeof h->timestamp_us);
    buf_add(&plain, &h->rows, sizeof h->rows);
    buf_add(&plain, h->request, sizeof h->request);
    buf_add(&plain, h->lowered, sizeof h->lowered);
    buf_add(&plain, &h->seen_us, sizeof h->seen_us);
    buf_add(&plain, &h->now_us, sizeof h->now_us);
    buf_add(&plain, &h->histories, sizeof h->histories);
    put_bytes(&plain, h->lo);
    put_bytes(&plain, h->hi);
    if (!buf_ok(&plain)) return err_oom(err);
    enum code rc = seal(far_sealer_of(t), buf_str(&plain), context, &out, err);
    if (rc) return rc;
    *ret = str_dup(arena, buf_str(&out));
    return ret->p ? OK : err_oom(err);
}

enum code handle_open(const struct target *t, struct str token, uint8_t kind, const uint8_t request[32],
                      struct arena *arena, struct handle *ret, struct err *err) {
    struct str plain, context = context_of(arena, t, kind);
    if (!context.p) return err_oom(err);
    *ret = (struct handle){ .kind = kind };
    struct err inner;
    bool ok = !unseal(far_sealer_of(t), token, context, arena, &plain, &inner) &&
              get(&plain, &ret->timestamp_us, sizeof ret->timestamp_us) && get(&plain, &ret->rows, sizeof ret->rows) &&
              get(&plain, ret->request, sizeof ret->request) && get(&plain, ret->lowered, sizeof ret->lowered) &&
              get(&plain, &ret->seen_us, sizeof ret->seen_us) && get(&plain, &ret->now_us, sizeof ret->now_us) &&
              get(&plain, &ret->histories, sizeof ret->histories) && get_bytes(&plain, &ret->lo) &&
              get_bytes(&plain, &ret->hi);
    if (ok && memcmp(ret->request, request, 32) == 0) return OK;
    return err_set(err, INVALID_ARGUMENT,
                   kind == HANDLE_PARTITION ? "Invalid partition token, or not the request that it was made for"
                                            : "Invalid resume token, or not the request that it was made for");
}

/* ---- what a request is, as a digest ---- */

static void add_text(struct hash *h, struct str text) {
    uint64_t size = text.n;
    hash_add(h, (struct str){ (const char *)&size, sizeof size });
    hash_add(h, text);
}

static void add_message(struct hash *h, const struct pb_msg *desc, const void *message) {
    DEFER(buf_free) struct buf b = BUF_INIT(128 << 20);
    struct err err;
    uint8_t never[32];
    if (message && pb_encode(desc, message, &b, &err)) { /* memory is short: it matches nothing, least of all no message */
        random_bytes(never, sizeof never);
        hash_add(h, (struct str){ (const char *)never, sizeof never });
    }
    add_text(h, buf_str(&b));
}

static struct hash *begin_sql(struct str sql, const struct pb_Struct *params) {
    struct hash *h = hash_new();
    hash_add(h, STR("sql"));
    add_text(h, sql);
    add_message(h, &pb_Struct_msg, params && params->fields.n ? params : NULL); /* {} and none are the same */
    return h;
}

static void add_type(struct hash *h, struct str name, const struct spanner_Type *type) {
    add_text(h, name);
    add_message(h, &spanner_Type_msg, type);
}

void handle_request_of_sql(const struct spanner_ExecuteSqlRequest *q, uint8_t ret[32]) {
    DEFER(hash_freep) struct hash *h = begin_sql(q->sql, q->params);
    for (size_t i = 0; i < q->param_types.n; i++) add_type(h, q->param_types.p[i].key, q->param_types.p[i].value);
    hash_end(h, ret);
}

void handle_request_of_partition_sql(const struct spanner_PartitionQueryRequest *q, uint8_t ret[32]) {
    DEFER(hash_freep) struct hash *h = begin_sql(q->sql, q->params);
    for (size_t i = 0; i < q->param_types.n; i++) add_type(h, q->param_types.p[i].key, q->param_types.p[i].value);
    hash_end(h, ret);
}

static void digest_read(struct str table, struct str index, const struct str *columns, size_t n,
                        const struct spanner_KeySet *keys, uint8_t ret[32]) {
    DEFER(hash_freep) struct hash *h = hash_new();
    uint64_t count = n;
    hash_add(h, index.n ? STR("indexed read") : STR("read"));
    add_text(h, table);
    if (index.n) add_text(h, index);
    hash_add(h, (struct str){ (const char *)&count, sizeof count });
    for (size_t i = 0; i < n; i++) add_text(h, columns[i]);
    add_message(h, &spanner_KeySet_msg, keys);
    hash_end(h, ret);
}

void handle_request_of_read(const struct spanner_ReadRequest *q, uint8_t ret[32]) {
    digest_read(q->table, q->index, q->columns.p, q->columns.n, q->key_set, ret);
}

void handle_request_of_partition_read(const struct spanner_PartitionReadRequest *q, uint8_t ret[32]) {
    digest_read(q->table, q->index, q->columns.p, q->columns.n, q->key_set, ret);
}
