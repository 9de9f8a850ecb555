#include "gate/request_log.h"
#include <stdio.h>
#include "base/clock.h"
#include "base/json_text.h"
#include "base/log.h"
#include "gate/config.h"
#include "gate/observe.h"
#include "gate/record.h"
#include "gate/trace_context.h"

enum { LINE_BYTES = 16384, URL_BYTES = 1024, STRANGERS_A_SECOND = 50 };

/* What a line tells, for either format. */
struct entry {
    const struct request *r;
    enum code code;
    uint64_t latency_us;
    struct str account, method, url;
    char account_text[OBSERVE_NAME_BYTES], method_text[OBSERVE_NAME_BYTES], url_text[OBSERVE_NAME_BYTES];
    char time[CLOCK_RFC3339_MAX];
};

static enum log_severity severity(const struct entry *e) {
    if (e->code == INTERNAL || e->code == UNKNOWN || e->code == DATA_LOSS) return LOG_ERROR;
    return e->r->reason || e->code == UNAVAILABLE || e->code == DEADLINE_EXCEEDED ? LOG_WARNING : LOG_INFO;
}

/* As the client hears it: gRPC tells failures in its trailers. */
static unsigned http_status(const struct entry *e) {
    const struct request *r = e->r;
    if (r->protocol == PROTOCOL_GRPC) return 200;
    if (r->protocol == PROTOCOL_RAW && r->raw_status && (!e->code || r->raw_status >= 400)) return r->raw_status;
    if (e->code) return code_http_status(e->code);
    return r->protocol == PROTOCOL_RAW ? 204 : 200;
}

/* The path without its query. Once the client is gone only the row can tell. */
static struct str url_of(const struct request *r, char out[OBSERVE_NAME_BYTES]) {
    if (r->http) return str_upto(r->http->path, URL_BYTES);
    const struct method *m = r->call.method;
    if (!m) return (struct str){ NULL, 0 };
    if (r->protocol != PROTOCOL_GRPC) return str_z(m->path);
    (void)snprintf(out, OBSERVE_NAME_BYTES, "/%s", m->grpc);
    return str_z(out);
}

static void member(struct buf *out, const char *before, const char *name, struct str value) {
    if (!value.n) return;
    buf_printf(out, "%s\"%s\":", before, name);
    json_text_string(out, value);
}

static void put_http(struct buf *out, const struct entry *e) {
    static const char *const versions[] = { "HTTP/1.0", "HTTP/1.1", "HTTP/2" };
    const struct request *r = e->r;
    buf_printf(
        out,
        ",\"httpRequest\":{\"status\":%u,\"requestSize\":\"%zu\",\"responseSize\":\"%llu\",\"latency\":\"%llu.%06llus\"",
        http_status(e), r->call.http.body.n, (unsigned long long)r->spool.total,
        (unsigned long long)(e->latency_us / 1000000), (unsigned long long)(e->latency_us % 1000000));
    member(out, ",", "requestUrl", e->url);
    member(out, ",", "remoteIp", r->source);
    if (r->http) member(out, ",", "requestMethod", str_upto(r->http->method, 32));
    if (r->http) member(out, ",", "protocol", str_z(versions[r->http->version]));
    buf_add_char(out, '}');
}

static void put_labels(struct buf *out, const struct entry *e) {
    const struct request *r = e->r;
    member(out, ",\"logging.googleapis.com/labels\":{", "request", r->call.id);
    member(out, ",", "method", e->method);
    member(out, ",", "account", e->account);
    member(out, ",", "code", str_z(code_name(e->code)));
    member(out, ",", "reason", str_z(reason_name(r->reason)));
    member(out, ",", "upstream", r->call.outcome.upstream);
    buf_add_char(out, '}');
}

static void put_json(struct buf *out, const struct entry *e) {
    buf_printf(out, "{\"time\":\"%s\",\"severity\":\"%s\",\"message\":\"%.*s: %s\"", e->time,
               log_severity_name(severity(e)), STR_ARG(e->method), code_name(e->code));
    put_http(out, e);
    member(out, ",", "logging.googleapis.com/trace", trace_context_id(e->r));
    member(out, ",", "logging.googleapis.com/spanId", trace_context_span(e->r));
    put_labels(out, e);
    buf_add_z(out, "}\n");
}

static void put_text(struct buf *out, const struct entry *e) {
    buf_printf(out, "%s %s %.*s %s %s%s%llu.%06llus ", e->time, log_severity_name(severity(e)), STR_ARG(e->method),
               code_name(e->code), reason_name(e->r->reason), e->r->reason ? " " : "",
               (unsigned long long)(e->latency_us / 1000000), (unsigned long long)(e->latency_us % 1000000));
    json_text_string(out, e->account);
    buf_printf(out, " from %.*s request %.*s\n", STR_ARG(e->r->source), STR_ARG(e->r->call.id));
}

/* Of those whom nobody knows, some each second. */
static bool has_room(struct worker *w) {
    struct request_log_share *share = &w->strangers;
    uint64_t second = clock_mono_us() / 1000000;
    if (second != share->second) *share = (struct request_log_share){ .second = second };
    return share->lines++ < STRANGERS_A_SECOND;
}

static bool wanted(struct request *r) {
    unsigned which = r->gate->log_requests;
    if (which == LOG_REQUESTS_NONE || (which == LOG_REQUESTS_REFUSALS && !r->reason)) return false;
    return r->identified || !r->reason || has_room(r->worker);
}

void request_log(struct request *r) {
    if (!wanted(r)) return;
    struct entry e = { .r = r, .code = record_code(r), .latency_us = clock_mono_us() - r->started_us };
    e.url = url_of(r, e.url_text);
    e.account = observe_account(r, e.account_text);
    e.method = observe_method(r, e.method_text);
    (void)clock_rfc3339(clock_wall_us(), e.time);
    DEFER(buf_free) struct buf line = BUF_INIT(LINE_BYTES);
    if (log_format() == LOG_JSON) put_json(&line, &e);
    else put_text(&line, &e);
    if (buf_ok(&line)) log_put(buf_str(&line));
}
