#include "gate/read.h"
#include <string.h>
#include "wire/grpc.h"
#include "wire/pb/pb_json.h"

enum { MAX_QUERY_PAIRS = 64 };

/* What was decoded did not fit: its own bound, or that of all requests. */
static enum code tell_room(enum code rc, struct err *err) {
    if (rc == RESOURCE_EXHAUSTED)
        (void)err_wrap(err,
                       "the request is too large for the memory that requests may take now (limits.memory): send it in "
                       "smaller parts, or try again later");
    return rc;
}

static enum code read_grpc(struct request *r, struct err *err) {
    const struct method *m = r->call.method;
    struct str bytes;
    void *message;
    if (r->no_compression && r->call.http.body.n && r->call.http.body.p[0] == 1)
        return err_set(err, INTERNAL, "gRPC: the message is marked as compressed, and grpc-encoding names no compression");
    enum code rc = grpc_single(r->call.http.body, request_max_bytes(m), &bytes, err);
    if (!rc) rc = tell_room(pb_decode(m->request, bytes, r->call.arena, PB_REFUSE_UNKNOWN, &message, err), err);
    if (!rc) r->call.request = message;
    return rc;
}

/* body: "job" means that the body is that field's message. */
static enum code read_field_body(struct request *r, const struct pb_field *field, void *message, struct err *err) {
    void *inner;
    if (!field || field->kind != PB_MESSAGE || field->label == PB_REPEATED)
        return err_set(err, INTERNAL, "the row's body names no message field");
    enum code rc = pb_from_json(field->msg, r->call.http.body, r->call.arena, 0, &inner, err);
    if (!rc) memcpy((char *)message + field->offset, &inner, sizeof inner);
    return rc;
}

static enum code read_body(struct request *r, void **message, struct err *err) {
    const struct method *m = r->call.method;
    struct str body = str_trim(r->call.http.body);
    if (!m->body || body.n == 0) {
        *message = pb_new(m->request, r->call.arena);
        if (!*message) return err_oom(err);
        return body.n ? err_set(err, INVALID_ARGUMENT, "this method takes no body") : OK;
    }
    if (strcmp(m->body, "*") == 0) return pb_from_json(m->request, body, r->call.arena, 0, message, err);
    const struct pb_field *field = pb_field_by_name(m->request, str_z(m->body));
    *message = pb_new(m->request, r->call.arena);
    if (!*message) return err_oom(err);
    return read_field_body(r, field, *message, err);
}

/* Google's clients add `$alt=json;enum-encoding=int` and the like: how to answer, not what is asked. */
static bool is_system_parameter(struct str name) {
    static const char *const names[] = { "alt", "$alt", "prettyPrint", "fields", "$.xgafv", "quotaUser" };
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_eq_z(name, names[i])) return true;
    return false;
}

static enum code read_query(struct request *r, void *message, struct err *err) {
    struct url_pair pairs[MAX_QUERY_PAIRS];
    size_t n;
    enum code rc = url_form(r->call.arena, r->call.http.query, pairs, MAX_QUERY_PAIRS, &n, err);
    for (size_t i = 0; !rc && i < n; i++) {
        if (is_system_parameter(pairs[i].name)) continue;
        rc = pb_set_field(r->call.method->request, message, pairs[i].name, pairs[i].value, r->call.arena, err);
    }
    return rc;
}

/* The path's variables come last: nothing in a body overrules the resource that the path names. */
static enum code read_rest(struct request *r, struct err *err) {
    void *message;
    enum code rc = read_body(r, &message, err);
    if (!rc && r->call.http.query.n) rc = read_query(r, message, err);
    for (size_t i = 0; !rc && i < r->n_variables; i++)
        rc = pb_set_field(r->call.method->request, message, r->variables[i].name, r->variables[i].value, r->call.arena,
                          err);
    if (!rc) r->call.request = message;
    return rc;
}

static bool keep(struct arena *arena, struct str *text) {
    struct str copy = str_dup(arena, *text);
    bool ok = copy.p || text->n == 0;
    *text = copy;
    return ok;
}

/* Proofs end at the gate: no service reads them, and an arena is not wiped. */
static bool is_proof(struct str name) {
    return str_eq(name, STR("authorization")) || str_eq(name, STR("cookie"));
}

/* What HTTP holds goes with the stream, while a service may read it on another thread. */
static enum code keep_http(struct request *r, struct err *err) {
    struct call_http *http = &r->call.http;
    struct arena *arena = r->call.arena;
    struct http_header *headers = ARENA_ARRAY(arena, struct http_header, http->n_headers + 1);
    bool ok = headers && keep(arena, &http->method) && keep(arena, &http->path) && keep(arena, &http->query) &&
              keep(arena, &http->content_type);
    size_t n = 0;
    for (size_t i = 0; ok && i < http->n_headers; i++) {
        if (is_proof(http->headers[i].name)) continue;
        headers[n] = http->headers[i];
        ok = keep(arena, &headers[n].name) && keep(arena, &headers[n].value);
        n++;
    }
    http->headers = headers;
    http->n_headers = ok ? n : 0;
    return ok ? OK : err_oom(err);
}

enum code read_request(struct request *r, struct err *err) {
    if (!r->call.method->request)
        return r->call.method->streaming ? OK : keep_http(r, err); /* relayed: of the stream's life */
    return r->protocol == PROTOCOL_GRPC ? read_grpc(r, err) : tell_room(read_rest(r, err), err);
}
