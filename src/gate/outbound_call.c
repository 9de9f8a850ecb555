#include "gate/outbound_call.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "http/outgoing.h"
#include "wire/url.h"

enum { CALL_ARENA_BYTES = 256 << 10, ANSWER_HEADERS_MAX = 64 };

/* ---- the request, copied ---- */

static struct str lower_case(struct arena *arena, struct str text) {
    char *copy = str_dupz(arena, text);
    for (size_t i = 0; copy && i < text.n; i++)
        if (copy[i] >= 'A' && copy[i] <= 'Z') copy[i] = (char)(copy[i] - 'A' + 'a');
    return (struct str){ copy, copy ? text.n : 0 };
}

/* HTTP/2 wants names in lower case. Our token comes last. */
static bool copy_headers(struct outbound_call *call, const struct outbound_request *r) {
    struct http_header *copy = ARENA_ARRAY(call->arena, struct http_header, r->n_headers + 1);
    size_t n = 0;
    bool ok = copy != NULL;
    for (; ok && n < r->n_headers; n++) {
        copy[n] = (struct http_header){ lower_case(call->arena, r->headers[n].name),
                                        str_dup(call->arena, r->headers[n].value) };
        ok = copy[n].name.p && (copy[n].value.p || r->headers[n].value.n == 0);
    }
    if (ok && (r->token.n || r->authorization.n)) {
        struct str value = r->token.n ? arena_printf(call->arena, "Bearer %.*s", STR_ARG(r->token))
                                      : str_dup(call->arena, r->authorization);
        copy[n] = (struct http_header){ STR("authorization"), value };
        ok = copy[n++].value.p != NULL;
    }
    call->request.headers = copy;
    call->request.n_headers = n;
    return ok;
}

static bool copy_body(struct outbound_call *call, struct str body) {
    char *copy = body.n && !arena_should_fail() ? malloc(body.n) : NULL;
    if (body.n && !copy) return false;
    if (copy) memcpy(copy, body.p, body.n);
    call->body = call->request.body = (struct str){ copy, body.n };
    return true;
}

/* What is sent is what was read: the URL's normal form and its query. */
static bool copy_request(struct outbound_call *call, const struct outbound_request *r) {
    struct url url;
    char *buf = arena_alloc(call->arena, URL_MAX);
    if (!buf || url_parse(r->url, buf, &url, NULL)) return false;
    call->request = (struct http_client_request){
        .method = str_dup(call->arena, r->method),
        .scheme = url.scheme,
        .host = url.host,
        .port = url.port,
        .path = url.query.p ? arena_printf(call->arena, "%.*s?%.*s", STR_ARG(url.path), STR_ARG(url.query)) : url.path,
        .max_body = r->max_answer_bytes,
        .timeout_ms = r->timeout_ms,
    };
    return call->request.method.p && call->request.path.p && copy_headers(call, r) && copy_body(call, r->body);
}

/* ---- the end ---- */

void outbound_call_free(struct outbound_call *call) {
    if (!call) return;
    if (call->body.n) explicit_bzero((char *)(uintptr_t)call->body.p, call->body.n);
    free((char *)(uintptr_t)call->body.p);
    buf_wipe(&call->received);
    arena_free(call->arena);
    free(call);
}

static void finish(struct outbound_call *call) {
    http_call_cancel(call->http);
    call->http = NULL;
    outbound_unlink(call->outbound, call);
    call->done(call->arg, &call->answer);
    outbound_call_free(call);
}

static void fail(struct outbound_call *call, enum outbound_cause cause, enum code code, const char *why) {
    call->answer = (struct outbound_answer){ .cause = cause };
    (void)err_set(&call->answer.err, code, "%.*s: %s", STR_ARG(call->request.host), why);
    finish(call);
}

void outbound_call_stop(struct outbound_call *call) {
    fail(call, OUTBOUND_STOPPED, UNAVAILABLE, "the call was given up, as the server stops");
}

static void on_cancel(struct loop_task *task, void *ctx) {
    (void)task;
    fail(ctx, OUTBOUND_CANCELLED, CANCELLED, "the call was cancelled");
}

/* ---- the answer ---- */

static bool keep_headers(struct outbound_call *call, const struct http_header *headers, size_t n) {
    struct http_header *kept = ARENA_ARRAY(call->arena, struct http_header, n + 1);
    size_t count = 0;
    for (size_t i = 0; kept && i < n; i++) {
        if (str_eq(headers[i].name, STR("set-cookie"))) continue; /* no cookies: not even to look at */
        kept[count].name = str_dup(call->arena, headers[i].name);
        kept[count].value = str_dup(call->arena, headers[i].value);
        if (!kept[count].name.p || (headers[i].value.n && !kept[count].value.p)) return false;
        count++;
    }
    call->answer.headers = kept;
    call->answer.n_headers = count;
    return kept != NULL;
}

/* What decides how the answer is understood may be there once only. */
static const char *read_headers(struct outbound_call *call, const struct http_header *headers, size_t n) {
    struct {
        struct str name, *to;
        const char *twice;
    } single[] = {
        { STR("content-type"), &call->answer.content_type, "the answer has several content-types" },
        { STR("location"), &call->answer.location, "the answer has several locations" },
        { STR("retry-after"), &call->answer.retry_after, "the answer has several retry-afters" },
    };
    if (n > ANSWER_HEADERS_MAX) return "the answer has more than 64 headers";
    for (size_t i = 0; i < COUNT(single); i++) {
        if (http_header_count(headers, n, single[i].name) > 1) return single[i].twice;
        *single[i].to = http_header_value(call->answer.headers, call->answer.n_headers, single[i].name);
    }
    struct str coding = http_header_value(headers, n, STR("content-encoding"));
    return coding.n && !str_eq_nocase(coding, STR("identity")) ? "the answer is compressed, which was not asked for" : NULL;
}

static bool says_too_much(const struct outbound_call *call, const struct http_header *headers, size_t n) {
    uint64_t length = 0;
    bool body = !str_eq(call->request.method, STR("HEAD"));
    return body && str_u64(http_header_value(headers, n, STR("content-length")), &length) &&
           length > call->request.max_body;
}

static void on_headers(struct http_call *http, unsigned status, const struct http_header *headers, size_t n, void *ctx) {
    (void)http;
    struct outbound_call *call = ctx;
    char text[100];
    call->answer.status = status;
    bool kept = keep_headers(call, headers, n);
    const char *why = kept ? read_headers(call, headers, n) : "the answer's headers do not fit in memory";
    if (why) {
        fail(call, kept ? OUTBOUND_MALFORMED : OUTBOUND_BUSY, kept ? INVALID_ARGUMENT : RESOURCE_EXHAUSTED, why);
    } else if (says_too_much(call, headers, n)) {
        (void)snprintf(text, sizeof text, "the answer is larger than %zu bytes", call->request.max_body);
        fail(call, OUTBOUND_TOO_LARGE, RESOURCE_EXHAUSTED, text);
    }
}

static bool hold(struct outbound_call *call, size_t bytes) {
    if (!outbound_hold(call->outbound, bytes)) return false;
    call->held += bytes;
    buf_reserve(&call->received, bytes);
    return buf_ok(&call->received);
}

static void on_data(struct http_call *http, struct str data, void *ctx) {
    (void)http;
    struct outbound_call *call = ctx;
    if (hold(call, data.n)) buf_add_str(&call->received, data);
    else
        fail(call, OUTBOUND_BUSY, RESOURCE_EXHAUSTED,
             "other calls hold all the memory that calls may have: try again later");
}

static void on_end(struct http_call *http, const struct http_header *trailers, size_t n, void *ctx) {
    (void)http;
    (void)trailers;
    (void)n;
    struct outbound_call *call = ctx;
    call->http = NULL;
    call->answer.body = buf_str(&call->received);
    finish(call);
}

static void on_error(struct http_call *http, const struct err *err, void *ctx) {
    static const enum outbound_cause causes[] = {
        [HTTP_FAULT_OTHER] = OUTBOUND_BUSY,
        [HTTP_FAULT_NAME] = OUTBOUND_NAME,
        [HTTP_FAULT_ADDRESS] = OUTBOUND_ADDRESS_REFUSED,
        [HTTP_FAULT_CONNECT] = OUTBOUND_CONNECT,
        [HTTP_FAULT_TLS] = OUTBOUND_TLS,
        [HTTP_FAULT_TIMEOUT] = OUTBOUND_TIMED_OUT,
        [HTTP_FAULT_TOO_LARGE] = OUTBOUND_TOO_LARGE,
        [HTTP_FAULT_MALFORMED] = OUTBOUND_MALFORMED,
        [HTTP_FAULT_CUT] = OUTBOUND_CUT,
    };
    struct outbound_call *call = ctx;
    call->answer = (struct outbound_answer){ .cause = causes[http_call_fault(http)], .err = *err };
    call->http = NULL;
    if (call->answer.cause == OUTBOUND_TLS)
        (void)err_set(&call->answer.err, err->code,
                      "%.900s (its certificate must be valid for this very name, and signed by an "
                      "authority of the system's or of tls.ca)",
                      err->message);
    finish(call);
}

/* ---- the beginning ---- */

static void begin(struct loop_task *task, void *ctx) {
    (void)task;
    static const struct http_call_handler handler = { on_headers, on_data, on_end, on_error };
    struct outbound_call *call = ctx;
    struct err err;
    call->begun = true;
    struct http_client *client = call->outbound->clients[call->may_loopback];
    if (http_client_send(client, &call->request, &handler, call, &call->http, &err))
        fail(call, OUTBOUND_BUSY, RESOURCE_EXHAUSTED, err.message);
}

struct outbound_call *outbound_call_new(struct outbound *outbound, const struct outbound_request *request,
                                        outbound_done *done, void *arg) {
    struct outbound_call *call = calloc(1, sizeof *call);
    if (!call) return NULL;
    *call = (struct outbound_call){ .outbound = outbound,
                                    .done = done,
                                    .arg = arg,
                                    .arena = arena_new_secret(CALL_ARENA_BYTES),
                                    .may_loopback = request->may_loopback,
                                    .received = BUF_INIT(request->max_answer_bytes) };
    call->begin = (struct loop_task){ .fn = begin, .ctx = call };
    call->cancel = (struct loop_task){ .fn = on_cancel, .ctx = call };
    if (call->arena && copy_request(call, request)) return call;
    outbound_call_free(call);
    return NULL;
}
