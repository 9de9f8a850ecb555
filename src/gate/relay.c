/* relay.c: one request on its way to a generic service, and its answer on its way back. */
#include "gate/relay.h"
#include <limits.h>
#include "base/clock.h"
#include "gate/relay_headers.h"
#include "gate/reply.h"
#include "identity/exchange.h"
#include "upstream/upstream_status.h"
#include "wire/grpc.h"

enum { HELD_MAX = 512 << 10, ANSWER_FIELDS_MAX = 120, BEARER_MAX = 64 << 10 };

struct relay {
    struct request *r;
    const struct relay_service *to;
    struct http_call *http; /* NULL: not begun, or over */
    struct exchange_token *token;
    struct exchange_wait wait;
    struct exchange_token *brought; /* written by whoever brings it, read by the task */
    struct err why;
    struct loop_task told;
    uint64_t started_us;
    struct loop_timer patience; /* HTTP: until the answer begins */
    struct buf held;            /* of the answer, from held_at on: what the client has no room for */
    size_t held_at;
    unsigned status;
    struct http_header *last; /* the trailers; of gRPC's Trailers-Only, the headers */
    size_t n_last;
    bool clients_turn; /* whom `patience` waits for */
    bool waits_for_token, only_trailers, upstream_over, over;
};

static struct str name_of(const struct relay *l) {
    return upstream_config(l->to->upstream)->name;
}

static bool is_grpc(const struct relay *l) {
    return l->r->protocol == PROTOCOL_GRPC;
}

/* ---- the end: exactly one call_end ---- */

static void finish(struct relay *l, enum code code, const struct err *err) {
    struct http_call *http = l->http;
    if (l->over) return;
    l->over = true;
    l->http = NULL;
    l->r->call.outcome.upstream = name_of(l);
    l->r->call.outcome.upstream_us = clock_mono_us() - l->started_us;
    loop_timer_stop(l->r->worker->loop, &l->patience);
    http_call_cancel(http); /* resets its stream only; NULL when it ended by itself */
    buf_free(&l->held);
    l->token = exchange_token_unref(l->token);
    call_end(&l->r->call, code, err);
}

static void fail(struct relay *l, const struct upstream_status *status) {
    struct err err;
    (void)err_set(&err, status->code, "%.*s (request %s)", STR_ARG(str_upto(status->message, 700)), l->r->id);
    l->r->call.outcome.detail = str_dup(l->r->call.arena, str_upto(status->reason, 300));
    finish(l, status->code, &err);
}

static void fail_ours(struct relay *l, enum code code, const char *what, const char *reason) {
    struct upstream_status status = { .http_status = l->status };
    upstream_status_ours(&status, l->r->call.arena, code, name_of(l), what, reason);
    fail(l, &status);
}

/* Nobody waits any more: the gate has said why. */
static void on_cancel(void *ctx) {
    struct relay *l = ctx;
    struct err err;
    (void)err_set(&err, CANCELLED, "nobody waits for the answer");
    if (l->http) call_has_gone_on(&l->r->call);
    bool brought = l->waits_for_token && !exchange_wait_cancel(upstream_config(l->to->upstream)->exchange, &l->wait);
    if (!brought) finish(l, CANCELLED, &err); /* else the task that is on its way does */
}

/* ---- the answer ---- */

static bool keep_last(struct relay *l, const struct http_header *fields, size_t n) {
    struct arena *arena = l->r->call.arena;
    struct http_header passed[ANSWER_FIELDS_MAX];
    n = relay_answer_headers(fields, n, l->token ? exchange_token_text(l->token) : (struct str){ NULL, 0 }, passed,
                             ANSWER_FIELDS_MAX);
    l->last = ARENA_ARRAY(arena, struct http_header, n + 1);
    bool ok = l->last != NULL;
    for (size_t i = 0; ok && i < n; i++) {
        l->last[i] = (struct http_header){ str_dup(arena, passed[i].name), str_dup(arena, passed[i].value) };
        ok = l->last[i].name.p && (l->last[i].value.p || passed[i].value.n == 0);
    }
    l->n_last = ok ? n : 0;
    return ok;
}

/* The status that the audit keeps: gRPC's own, or what stands for HTTP's. */
static enum code code_of_http(unsigned status) {
    for (unsigned code = OK; status >= 400 && code <= UNAUTHENTICATED; code++)
        if (code_http_status((enum code)code) == status) return (enum code)code;
    return status >= 400 ? UNKNOWN : OK;
}

static void complete_http(struct relay *l) {
    struct err err;
    enum code code = code_of_http(l->status);
    l->r->call.outcome.detail = arena_printf(l->r->call.arena, "HTTP %u", l->status);
    (void)err_set(&err, code, "the service answered %u", l->status);
    finish(l, code, code ? &err : NULL);
}

static void complete_grpc(struct relay *l) {
    struct upstream_status status = { .http_status = l->status, .ours = true, .code = UNKNOWN };
    struct err err;
    upstream_status_from_trailers(&status, l->r->call.arena, name_of(l), l->last, l->n_last);
    if (!status.ours && reply_is_amid(l->r))
        upstream_status_ours(&status, l->r->call.arena, INTERNAL, name_of(l), "ends in the midst of a message", "");
    if (!status.ours && status.code == UNAUTHENTICATED && l->token) {
        exchange_token_reject(l->token);
        upstream_status_ours(&status, l->r->call.arena, UNAVAILABLE, name_of(l),
                             "does not take the token that was fetched for you: try again", "it answered UNAUTHENTICATED");
    }
    if (status.ours) {
        l->last = NULL;
        fail(l, &status);
        return;
    }
    if (status.code) (void)err_set(&err, status.code, "%.*s", STR_ARG(str_upto(status.message, 1000)));
    finish(l, status.code, status.code ? &err : NULL);
}

/* All of the answer is with the client's connection, but its end: that waits for the record. */
static void complete(struct relay *l) {
    if (!l->upstream_over || l->held.n > l->held_at) return;
    if (is_grpc(l)) complete_grpc(l);
    else complete_http(l);
}

static size_t put(struct relay *l, struct str data) {
    struct request *r = l->r;
    size_t n = r->stream ? http_reply_data(r->stream, data) : 0;
    if (is_grpc(l)) reply_follow(r, str_upto(data, n));
    r->bytes_out += n;
    return n;
}

void relay_room(struct relay *l) {
    if (l->over) return;
    l->held_at += put(l, str_from(buf_str(&l->held), l->held_at));
    if (l->held_at < l->held.n) return;
    buf_free(&l->held);
    l->held_at = 0;
    if (l->http) http_call_resume(l->http);
    complete(l);
}

static void on_data(struct http_call *http, struct str data, void *ctx) {
    struct relay *l = ctx;
    if (l->only_trailers) {
        fail_ours(l, INTERNAL, "answers with a status and then with data", "");
        return;
    }
    if (l->held.n == l->held_at) data = str_from(data, put(l, data));
    if (data.n == 0) return;
    buf_add_str(&l->held, data);
    if (buf_ok(&l->held)) http_call_pause(http);
    else fail_ours(l, RESOURCE_EXHAUSTED, "answers with more than there is memory for", "");
}

static void begin_reply(struct relay *l, const struct http_header *headers, size_t n) {
    struct request *r = l->r;
    struct http_header passed[ANSWER_FIELDS_MAX];
    n = relay_answer_headers(headers, n, l->token ? exchange_token_text(l->token) : (struct str){ NULL, 0 }, passed,
                             ANSWER_FIELDS_MAX);
    if (!r->stream) return;
    r->reply_begun = true;
    r->raw_status = l->status;
    http_reply_headers(r->stream, l->status, passed, n);
}

static void begin_grpc(struct relay *l, const struct http_header *headers, size_t n) {
    struct upstream_status status = { 0 };
    struct str type = http_header_value(headers, n, STR("content-type"));
    if (l->status == 401 && l->token) { /* a proxy before the service says so, not in gRPC */
        exchange_token_reject(l->token);
        fail_ours(l, UNAVAILABLE, "does not take the token that was fetched for you: try again", "it answered HTTP 401");
        return;
    }
    if (l->status != 200 || !str_starts(type, STR("application/grpc"))) {
        (void)upstream_status_from_headers(&status, l->r->call.arena, name_of(l), l->status, headers, n);
        if (!status.ours) status.code = INTERNAL;
        fail(l, &status);
        return;
    }
    l->only_trailers = http_header_find(headers, n, STR("grpc-status")) != NULL;
    if (!l->only_trailers) begin_reply(l, headers, n);
    else if (!keep_last(l, headers, n)) fail_ours(l, RESOURCE_EXHAUSTED, "answers with more than there is memory for", "");
}

static void on_headers(struct http_call *http, unsigned status, const struct http_header *headers, size_t n, void *ctx) {
    (void)http;
    struct relay *l = ctx;
    l->status = status;
    loop_timer_stop(l->r->worker->loop, &l->patience);
    if (is_grpc(l)) begin_grpc(l, headers, n);
    else if (status == 401 && l->token) { /* about our token: the caller's own was good */ exchange_token_reject(l->token);
        fail_ours(l, UNAVAILABLE, "does not take the token that was fetched for you: try again", "it answered 401");
    } else begin_reply(l, headers, n);
}

static void on_end(struct http_call *http, const struct http_header *trailers, size_t n, void *ctx) {
    (void)http;
    struct relay *l = ctx;
    l->http = NULL;
    bool ok = l->only_trailers || keep_last(l, trailers, n);
    l->upstream_over = ok; /* else what went out must not look whole */
    if (ok) complete(l);
    else fail_ours(l, RESOURCE_EXHAUSTED, "answers with more than there is memory for", "");
}

static void on_error(struct http_call *http, const struct err *err, void *ctx) {
    struct relay *l = ctx;
    struct upstream_status status = { .http_status = l->status };
    l->http = NULL;
    upstream_status_from_fault(&status, l->r->call.arena, name_of(l), http_call_fault(http), err);
    fail(l, &status);
}

/* ---- the request ---- */

static void on_late(struct loop_timer *timer, void *ctx) {
    (void)timer;
    struct relay *l = ctx;
    if (!l->clients_turn) {
        fail_ours(l, DEADLINE_EXCEEDED, "took too long to answer", "nothing moved for the connection's `timeout`");
        return;
    }
    struct err err;
    l->r->http_status = 408;
    finish(l, err_set(&err, DEADLINE_EXCEEDED, "the rest of the request did not come in time"), &err);
}

/* HTTP: whoever must make the next move makes one within the connection's `timeout`. (gRPC has deadlines, and streams in
 * which nobody has anything to say.) */
static void be_patient(struct relay *l, bool its_turn) {
    if (is_grpc(l) || l->status) return;
    l->clients_turn = !its_turn;
    loop_timer_start(l->r->worker->loop, &l->patience, (uint64_t)l->to->config->timeout_ms);
}

static void on_writable(struct http_call *http, void *ctx) {
    (void)http;
    struct relay *l = ctx;
    if (l->r->stream) http_stream_more(l->r->stream);
}

size_t relay_body(struct http_stream *stream, struct str piece, bool over, void *ctx) {
    (void)ctx;
    struct request *r = http_stream_user(stream);
    struct relay *l = r ? r->relay : NULL;
    if (!r || (l && l->over)) return piece.n; /* the answer is there without it */
    if (!l || !l->http) return 0;             /* not decided yet, or the token is on its way */
    size_t n = http_call_write(l->http, piece);
    r->bytes_in += n;
    be_patient(l, over || n < piece.n);
    if (over && n == piece.n) http_call_finish(l->http);
    return n;
}

static bool put_field(struct http_header *fields, size_t *n, struct str name, struct str value) {
    if (*n == RELAY_FIELDS_MAX || !value.p) return false;
    fields[(*n)++] = (struct http_header){ name, value };
    return true;
}

/* Ours, beside what passed. The trace context, in its one form; what is left of the deadline: our own timer stands behind
 * it. */
static bool add_own(struct relay *l, struct http_header *fields, size_t *n, const struct buf *bearer) {
    struct call *call = &l->r->call;
    bool ok = put_field(fields, n, STR("traceparent"), call->traceparent);
    if (ok && call->tracestate.n) ok = put_field(fields, n, STR("tracestate"), call->tracestate);
    if (ok && is_grpc(l)) ok = put_field(fields, n, STR("te"), STR("trailers"));
    if (ok && is_grpc(l) && call->deadline_us) {
        char text[GRPC_TIMEOUT_BYTES];
        ok = put_field(fields, n, STR("grpc-timeout"),
                       str_dup(call->arena, grpc_print_timeout(call->deadline_us - clock_wall_us(), text)));
    }
    if (ok && l->token) ok = put_field(fields, n, STR("authorization"), buf_str(bearer));
    return ok;
}

static bool known_length(const struct http_request *http, uint64_t *ret) {
    struct str length = http_header_value(http->headers, http->n_headers, STR("content-length"));
    return length.n && str_u64(length, ret);
}

static enum code send_with(struct relay *l, struct http_client *client, const struct buf *bearer, struct err *err) {
    static const struct http_call_handler handler = { on_headers, on_data, on_end, on_error, on_writable };
    const struct upstream_config *u = upstream_config(l->to->upstream);
    const struct http_request *http = l->r->http;
    struct http_header fields[RELAY_FIELDS_MAX];
    size_t n = relay_request_headers(http->headers, http->n_headers, l->to->config, fields);
    if (!add_own(l, fields, &n, bearer)) return err_set(err, INVALID_ARGUMENT, "the request has too many header fields");
    struct http_client_request request = {
        .method = http->method,
        .scheme = u->scheme,
        .host = u->host,
        .port = u->port,
        .path = *(const struct str *)l->r->call.prepared,
        .headers = fields,
        .n_headers = n,
        .max_body = SIZE_MAX,
        .timeout_ms = UINT_MAX,
        .streams = http->streams,
        .prior_h2 = is_grpc(l) && str_eq(u->scheme, STR("http")),
    };
    request.has_length = known_length(http, &request.length);
    return http_client_send(client, &request, &handler, l, &l->http, err);
}

static void send_on(struct relay *l) {
    const struct upstream_config *u = upstream_config(l->to->upstream);
    struct http_client *client = u->client(u->ctx, l->r->worker->loop);
    struct err err = { 0 };
    DEFER(buf_wipe) struct buf bearer = BUF_INIT(BEARER_MAX);
    enum code rc = client ? OK : err_set(&err, UNAVAILABLE, "the server stops");
    if (!rc && l->token) {
        struct str token = exchange_token_text(l->token);
        buf_printf(&bearer, "Bearer %.*s", STR_ARG(token));
        if (!buf_ok(&bearer)) rc = err_oom(&err);
    }
    if (!rc) rc = send_with(l, client, &bearer, &err);
    if (rc) finish(l, rc, &err);
    else be_patient(l, !l->r->http->streams);
}

/* ---- the token ---- */

static void on_told(struct loop_task *task, void *ctx) {
    (void)task;
    struct relay *l = ctx;
    l->waits_for_token = false;
    l->token = l->brought;
    if (!l->token) finish(l, l->why.code, &l->why);
    else if (call_cancelled(&l->r->call)) on_cancel(l);
    else send_on(l);
}

static void on_token(struct exchange_wait *wait, struct exchange_token *token, const struct err *err) {
    struct relay *l = CONTAINER_OF(wait, struct relay, wait);
    l->brought = token;
    if (!token) l->why = *err;
    loop_post(l->r->worker->loop, &l->told);
}

static void get_token(struct relay *l) {
    const struct upstream_config *u = upstream_config(l->to->upstream);
    struct err err;
    l->wait.done = on_token;
    l->told = (struct loop_task){ .fn = on_told, .ctx = l };
    l->waits_for_token = true; /* it may be brought before this returns */
    enum code rc = exchange_get(u->exchange, l->r->call.principal, u->scopes, u->n_scopes, &l->wait, &l->token, &err);
    if (!rc && !l->token) return;
    l->waits_for_token = false;
    if (rc) finish(l, rc, &err);
    else send_on(l);
}

/* ---- the beginning, and the reply's end ---- */

void relay_start(struct call *call) {
    struct request *r = request_of(call);
    struct relay *l = ARENA_NEW(call->arena, struct relay);
    struct err err;
    if (!l) {
        call_end(call, err_oom(&err), &err);
        return;
    }
    *l = (struct relay){ .r = r, .to = call->service, .started_us = clock_mono_us(), .held = BUF_INIT(HELD_MAX) };
    l->patience = (struct loop_timer){ .fn = on_late, .ctx = l };
    r->relay = l;
    call_on_cancel(call, on_cancel, l);
    if (upstream_config(l->to->upstream)->exchange) get_token(l);
    else send_on(l);
}

bool relay_reply(const struct request *r) {
    const struct relay *l = r->relay;
    bool whole = l && l->upstream_over && !r->cut && (r->protocol != PROTOCOL_GRPC || l->last);
    if (!l) return false;
    if (whole && l->only_trailers) http_reply_headers_only(r->stream, l->status, l->last, l->n_last);
    else if (whole) http_reply_end(r->stream, l->last, l->n_last);
    else if (r->reply_begun && (r->protocol != PROTOCOL_GRPC || reply_is_amid(r)))
        http_stream_reset(r->stream, HTTP_RESET_INTERNAL);
    else return false;
    return true;
}
