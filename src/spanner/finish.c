#include "spanner/finish.h"
#include "crypto/random.h"
#include "spanner/operations.h"

void finish_message(struct call *call, enum code rc, const void *message, struct err *err) {
    struct err lost;
    if (!rc && !call_write_message(call, message)) {
        rc = err_set(&lost, CANCELLED, "The client went away");
        err = &lost;
    }
    spanner_end(call, rc, err);
}

enum code operation_id_check(struct str id, struct err *err) {
    bool ok = id.n == 0 || (id.n <= 128 && id.p[0] >= 'a' && id.p[0] <= 'z');
    for (size_t i = 0; ok && i < id.n; i++)
        ok = (id.p[i] >= 'a' && id.p[i] <= 'z') || (id.p[i] >= '0' && id.p[i] <= '9') || id.p[i] == '_';
    return ok ? OK : err_set(err, INVALID_ARGUMENT, "Invalid operation_id: a-z, then a-z 0-9 _, at most 128");
}

static enum code name_it(struct arena *arena, struct str parent, struct str id, struct str *ret, struct err *err) {
    DEFER(buf_free) struct buf random = BUF_INIT(64);
    if (!id.n) {
        buf_add_z(&random, "_auto_");
        random_text(&random, 9);
        id = buf_str(&random);
    }
    *ret = arena_printf(arena, "%.*s/operations/%.*s", STR_ARG(parent), STR_ARG(id));
    return ret->p ? OK : err_oom(err);
}

void finish_operation(struct call *call, struct str parent, struct str id, const struct pb_msg *metadata_type,
                      const void *metadata, const struct pb_msg *response_type, const void *response) {
    struct spanner *s = call->service;
    struct lro_Operation operation = { .done = true, .result_case = lro_Operation_result_response };
    DEFER(buf_free) struct buf encoded = BUF_INIT(16 << 20);
    struct err err = { 0 };
    enum code rc = name_it(call->arena, parent, id, &operation.name, &err);
    if (!rc) rc = pb_any_pack(metadata_type, metadata, call->arena, &operation.metadata, &err);
    if (!rc) rc = pb_any_pack(response_type, response, call->arena, &operation.response, &err);
    if (!rc) rc = pb_encode(&lro_Operation_msg, &operation, &encoded, &err);
    if (!rc && !operations_put(s->operations, operation.name, buf_str(&encoded))) rc = err_oom(&err);
    finish_message(call, rc, &operation, &err);
}
