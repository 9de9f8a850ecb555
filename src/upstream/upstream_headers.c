#include "upstream/upstream_headers.h"

#include <limits.h>

#include "base/clock.h"
#include "wire/grpc.h"

/* Whose they are: the framing's, the deadline's, the proof's. A caller's copy of one would be a second opinion. */
static const char *const owned[] = {
    "te",     "content-type", "content-length",    "user-agent", "host", "authorization", "proxy-authorization",
    "cookie", "connection",   "transfer-encoding", "upgrade"
};

static bool is_owned(struct str name) {
    if (str_starts(name, STR("grpc-")) || str_starts(name, STR(":"))) return true;
    for (size_t i = 0; i < COUNT(owned); i++)
        if (str_eq_z(name, owned[i])) return true;
    return false;
}

static bool is_lower_token(struct str name) {
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] >= 'A' && name.p[i] <= 'Z') return false;
    return http_is_token(name);
}

static void put(struct upstream_headers *h, struct str name, struct str value) {
    h->fields[h->n++] = (struct http_header){ name, value };
}

static enum code put_metadata(struct upstream_headers *h, const struct upstream_request *r, struct err *err) {
    if (r->n_metadata > UPSTREAM_METADATA_MAX)
        return err_set(err, INVALID_ARGUMENT, "more than %d fields of metadata", UPSTREAM_METADATA_MAX);
    for (size_t i = 0; i < r->n_metadata; i++) {
        const struct http_header *field = &r->metadata[i];
        bool good = is_lower_token(field->name) && http_is_field_value(field->value) && !is_owned(field->name);
        if (!good)
            return err_set(err, INVALID_ARGUMENT, "metadata may not hold \"%.*s\"", STR_ARG(str_upto(field->name, 100)));
        put(h, field->name, field->value);
    }
    return OK;
}

/* Rounded up, so that the upstream does not give up before we do. At most 8 digits. */
static bool put_timeout(struct upstream_headers *h, const struct upstream_request *r, struct arena *arena) {
    int64_t left_us = r->deadline_us - clock_wall_us();
    h->timeout_ms = UINT_MAX;
    if (r->deadline_us == 0) return true;
    h->timeout_ms = 0;
    if (left_us <= 0) return true;
    char digits[GRPC_TIMEOUT_BYTES];
    int64_t ms = (left_us - 1) / 1000 + 1;
    h->timeout_ms = ms < UINT_MAX ? (unsigned)ms : UINT_MAX - 1;
    struct str text = str_dup(arena, grpc_print_timeout(left_us, digits));
    put(h, STR("grpc-timeout"), text);
    return text.p != NULL;
}

enum code upstream_headers_make(const struct upstream_request *r, struct arena *arena, struct upstream_headers *ret,
                                struct err *err) {
    *ret = (struct upstream_headers){ 0 };
    put(ret, STR("te"), STR("trailers"));
    put(ret, STR("content-type"), STR("application/grpc"));
    put(ret, STR("user-agent"), STR("linkspan"));
    put(ret, STR("grpc-accept-encoding"), STR("identity"));
    bool ok = put_timeout(ret, r, arena);
    if (ok && r->token.n) {
        struct str bearer = arena_printf(arena, "Bearer %.*s", STR_ARG(r->token));
        put(ret, STR("authorization"), bearer);
        ok = bearer.p != NULL;
        if (ok && (!http_is_field_value(bearer) || str_find_char(r->token, ' ') >= 0))
            return err_set(err, INVALID_ARGUMENT, "the token holds characters that no token has");
    }
    return ok ? put_metadata(ret, r, err) : err_oom(err);
}
