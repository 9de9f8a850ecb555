#include "gate/observe.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "audit/audit.h"
#include "base/clock.h"
#include "base/log_writer.h"
#include "gate/identify.h"
#include "gate/record.h"
#include "gate/relay.h"
#include "gate/upstreams.h"
#include "watch/metrics.h"
#include "watch/process.h"

enum family {
    REQUESTS,
    REQUEST_SECONDS,
    REQUEST_BYTES,
    RESPONSE_BYTES,
    ACCOUNT_SECONDS,
    UPSTREAM_SECONDS,
    UPSTREAM_REQUESTS,
    UNDER_WAY,
    SPOOL_BYTES,
    DECODED_BYTES,
    CONNECTIONS,
    STREAMS,
    ACCEPTED,
    CONNECTIONS_REFUSED,
    RESETS,
    BROKEN,
    AUDIT_ENTRIES,
    AUDIT_BEHIND,
    AUDIT_QUEUE,
    AUDIT_FAILURES,
    AUDIT_FAILING,
    TOKENS,
    TOKENS_KEPT,
    EXCHANGE_ASKS,
    EXCHANGE_FETCHES,
    EXCHANGE_OPEN,
    LOG_DROPPED,
    RESIDENT,
    OPEN_FDS,
    MAX_FDS,
    CPU,
    STARTED,
    FAMILIES,
};

enum { METHODS = 256, OUTCOMES = 2000, CODES = 17 };

#define COUNTER METRIC_COUNTER, METRIC_PLAIN
#define GAUGE   METRIC_GAUGE, METRIC_PLAIN
#define SECONDS METRIC_HISTOGRAM, METRIC_SECONDS

static const struct metric_family families[FAMILIES] = {
    [REQUESTS] = { "linkspan_requests_total",
                   "Requests whose outcome is known.",
                   COUNTER,
                   { "service", "method", "code", "reason" },
                   OUTCOMES },
    [REQUEST_SECONDS] = { "linkspan_request_seconds",
                          "From a whole request to its outcome.",
                          SECONDS,
                          { "method" },
                          METHODS },
    [REQUEST_BYTES] = { "linkspan_request_bytes_total", "Bodies that came in.", COUNTER, { "method" }, METHODS },
    [RESPONSE_BYTES] = { "linkspan_response_bytes_total", "Answers that services gave.", COUNTER, { "method" }, METHODS },
    [ACCOUNT_SECONDS] = { "linkspan_account_request_seconds",
                          "The same by who asked.",
                          SECONDS,
                          { "account" },
                          OBSERVE_ACCOUNTS },
    [UPSTREAM_SECONDS] = { "linkspan_upstream_seconds",
                           "Of requests that went on: the time that the upstream took.",
                           SECONDS,
                           { "upstream" },
                           OBSERVE_UPSTREAMS },
    [UPSTREAM_REQUESTS] = { "linkspan_upstream_requests_total",
                            "Requests that went on to an upstream.",
                            COUNTER,
                            { "upstream", "code" },
                            OBSERVE_UPSTREAMS *CODES },
    [UNDER_WAY] = { "linkspan_requests_under_way", "Requests that are not over.", GAUGE, { NULL }, 0 },
    [DECODED_BYTES] = { "linkspan_decoded_bytes",
                        "Memory of requests under way in decoded form, of limits.memory.",
                        GAUGE,
                        { NULL },
                        0 },
    [SPOOL_BYTES] = { "linkspan_spool_bytes", "Memory of large answers that wait for their clients.", GAUGE, { NULL }, 0 },
    [CONNECTIONS] = { "linkspan_connections", "Connections of clients.", GAUGE, { NULL }, 0 },
    [STREAMS] = { "linkspan_streams", "Open streams on them.", GAUGE, { NULL }, 0 },
    [ACCEPTED] = { "linkspan_connections_accepted_total", "Connections that came in.", COUNTER, { NULL }, 0 },
    [CONNECTIONS_REFUSED] = { "linkspan_connections_refused_total",
                              "Connections closed at once: too many.",
                              COUNTER,
                              { NULL },
                              0 },
    [RESETS] = { "linkspan_stream_resets_total", "Streams that were reset.", COUNTER, { NULL }, 0 },
    [BROKEN] = { "linkspan_protocol_errors_total", "Connections with broken protocol or timeouts.", COUNTER, { NULL }, 0 },
    [AUDIT_ENTRIES] = { "linkspan_audit_entries_total", "Durable entries of the audit log.", COUNTER, { NULL }, 0 },
    [AUDIT_BEHIND] = { "linkspan_audit_unpublished_entries", "Of these, not yet published.", GAUGE, { NULL }, 0 },
    [AUDIT_QUEUE] = { "linkspan_audit_queue_bytes", "Entries that wait to be written.", GAUGE, { NULL }, 0 },
    [AUDIT_FAILURES] = { "linkspan_audit_failures_total", "Writes that the disk refused.", COUNTER, { NULL }, 0 },
    [AUDIT_FAILING] = { "linkspan_audit_failing", "1: the last write of the audit log failed.", GAUGE, { NULL }, 0 },
    [TOKENS] = { "linkspan_token_verifications_total",
                 "Bearer tokens: found verified, verified, or refused.",
                 COUNTER,
                 { "result" },
                 3 },
    [TOKENS_KEPT] = { "linkspan_verified_tokens", "Tokens that are known to be good.", GAUGE, { NULL }, 0 },
    [EXCHANGE_ASKS] = { "linkspan_exchange_asks_total",
                        "Who wanted a token for an upstream: had it, waited, or was refused.",
                        COUNTER,
                        { "exchange", "result" },
                        3 * CONFIG_MAX_EXCHANGES },
    [EXCHANGE_FETCHES] = { "linkspan_exchange_fetches_total",
                           "Exchanges with the token endpoint: got one, or failed.",
                           COUNTER,
                           { "exchange", "result" },
                           2 * CONFIG_MAX_EXCHANGES },
    [EXCHANGE_OPEN] = { "linkspan_exchange_breaker_open",
                        "1: the token endpoint is not asked, as it failed.",
                        GAUGE,
                        { "exchange" },
                        CONFIG_MAX_EXCHANGES },
    [LOG_DROPPED] = { "linkspan_log_dropped_total", "Lines of the log that nobody took in time.", COUNTER, { NULL }, 0 },
    [RESIDENT] = { "process_resident_memory_bytes", "Resident memory size in bytes.", GAUGE, { NULL }, 0 },
    [OPEN_FDS] = { "process_open_fds", "Number of open file descriptors.", GAUGE, { NULL }, 0 },
    [MAX_FDS] = { "process_max_fds", "Maximum number of open file descriptors.", GAUGE, { NULL }, 0 },
    [CPU] = { "process_cpu_seconds_total",
              "Total user and system CPU time spent in seconds.",
              METRIC_COUNTER,
              METRIC_SECONDS,
              { NULL },
              0 },
    [STARTED] = { "process_start_time_seconds",
                  "Start time of the process since unix epoch in seconds.",
                  METRIC_GAUGE,
                  METRIC_SECONDS,
                  { NULL },
                  0 },
};

struct observe {
    struct gate *gate;
    struct log_writer *log;
    struct metrics *metrics;
    pthread_mutex_t printing;
};

/* ---- names ---- */

struct str observe_account(const struct request *r, char out[OBSERVE_NAME_BYTES]) {
    const struct actor *a = &r->principal.actor;
    if (!r->identified || a->kind == ACTOR_NONE) return STR("unidentified");
    if (a->kind == ACTOR_ACCOUNT) return a->subject;
    int n = snprintf(out, OBSERVE_NAME_BYTES, "%.*s:%.*s", STR_ARG(a->issuer), STR_ARG(a->subject));
    return n < OBSERVE_NAME_BYTES ? (struct str){ out, (size_t)n } : a->subject;
}

struct str observe_method(const struct request *r, char out[OBSERVE_NAME_BYTES]) {
    const struct method *m = r->call.method;
    if (!m) return STR("unknown");
    if (!m->grpc) return str_z(m->path);
    size_t n = strnlen(m->grpc, OBSERVE_NAME_BYTES);
    for (size_t i = 0; i < n; i++) out[i] = (char)(m->grpc[i] == '/' ? '.' : m->grpc[i]);
    return (struct str){ out, n };
}

/* ---- a request ---- */

static void count(struct observe *o, enum family family, const struct str *labels, unsigned shard, uint64_t n) {
    series_add(metrics_series(o->metrics, family, labels), shard, (int64_t)n);
}

static void span(struct observe *o, enum family family, struct str label, unsigned shard, uint64_t us) {
    series_observe(metrics_series(o->metrics, family, &label), shard, us);
}

static void observe_upstream(struct observe *o, const struct call_outcome *outcome, struct str code, unsigned shard) {
    if (!outcome->upstream.n) return;
    span(o, UPSTREAM_SECONDS, outcome->upstream, shard, outcome->upstream_us);
    count(o, UPSTREAM_REQUESTS, (struct str[]){ outcome->upstream, code }, shard, 1);
}

void observe_request(struct request *r) {
    struct observe *o = r->gate->observe;
    if (!o) return;
    char method_text[OBSERVE_NAME_BYTES], account_text[OBSERVE_NAME_BYTES];
    unsigned shard = r->worker->index;
    uint64_t us = clock_mono_us() - r->started_us;
    struct str method = relay_counted_as(r), code = str_z(code_name(record_code(r)));
    if (!method.n) method = observe_method(r, method_text);
    struct str service = r->service ? str_z(r->service->name) : (struct str){ "", 0 };
    count(o, REQUESTS, (struct str[]){ service, method, code, str_z(reason_name(r->reason)) }, shard, 1);
    count(o, REQUEST_BYTES, &method, shard, r->call.http.body.n + r->bytes_in);
    count(o, RESPONSE_BYTES, &method, shard, r->spool.total + r->bytes_out);
    span(o, REQUEST_SECONDS, method, shard, us);
    span(o, ACCOUNT_SECONDS, observe_account(r, account_text), shard, us);
    observe_upstream(o, &r->call.outcome, code, shard);
}

/* ---- what others count: read now ---- */

static void set(struct observe *o, enum family family, const struct str *labels, unsigned shard, uint64_t value) {
    series_set(metrics_series(o->metrics, family, labels), shard, (int64_t)value);
}

void observe_connections(struct worker *w) {
    struct observe *o = w->gate->observe;
    if (!o) return;
    struct http_server_stats stats = http_server_stats(w->server);
    set(o, CONNECTIONS, NULL, w->index, stats.connections);
    set(o, STREAMS, NULL, w->index, stats.streams);
    set(o, ACCEPTED, NULL, w->index, stats.accepted);
    set(o, CONNECTIONS_REFUSED, NULL, w->index, stats.refused);
    set(o, RESETS, NULL, w->index, stats.resets);
    set(o, BROKEN, NULL, w->index, stats.bad);
}

static void read_audit(struct observe *o) {
    struct audit_stats stats;
    audit_stats(o->gate->audit, &stats);
    set(o, AUDIT_ENTRIES, NULL, 0, stats.size);
    set(o, AUDIT_BEHIND, NULL, 0, stats.size - stats.published);
    set(o, AUDIT_QUEUE, NULL, 0, stats.queued_bytes);
    set(o, AUDIT_FAILURES, NULL, 0, stats.failures);
    set(o, AUDIT_FAILING, NULL, 0, stats.failing);
}

static void read_tokens(struct observe *o) {
    struct verified_stats stats;
    verified_stats(o->gate->identity->verified, &stats);
    set(o, TOKENS, (struct str[]){ STR("cached") }, 0, stats.cached);
    set(o, TOKENS, (struct str[]){ STR("verified") }, 0, stats.proved);
    set(o, TOKENS, (struct str[]){ STR("refused") }, 0, stats.refused);
    set(o, TOKENS_KEPT, NULL, 0, stats.entries);
}

static void read_exchange(struct observe *o, size_t i) {
    struct exchange_stats stats;
    struct str name;
    if (!upstreams_exchange(o->gate->upstreams, i, &name, &stats)) return;
    set(o, EXCHANGE_ASKS, (struct str[]){ name, STR("had") }, 0, stats.had);
    set(o, EXCHANGE_ASKS, (struct str[]){ name, STR("waited") }, 0, stats.waited);
    set(o, EXCHANGE_ASKS, (struct str[]){ name, STR("refused") }, 0, stats.refused);
    set(o, EXCHANGE_FETCHES, (struct str[]){ name, STR("ok") }, 0, stats.fetched);
    set(o, EXCHANGE_FETCHES, (struct str[]){ name, STR("failed") }, 0, stats.failed);
    set(o, EXCHANGE_OPEN, &name, 0, stats.open);
}

static void read_process(struct observe *o) {
    struct process_usage usage;
    process_usage(&usage);
    set(o, RESIDENT, NULL, 0, (uint64_t)usage.resident_bytes);
    set(o, OPEN_FDS, NULL, 0, (uint64_t)usage.open_fds);
    set(o, MAX_FDS, NULL, 0, (uint64_t)usage.max_fds);
    set(o, CPU, NULL, 0, (uint64_t)usage.cpu_us);
}

static void read_gate(struct observe *o) {
    struct gate *g = o->gate;
    for (unsigned i = 0; i < g->n_workers; i++) set(o, UNDER_WAY, NULL, i, atomic_load(&g->workers[i].n_requests));
    set(o, SPOOL_BYTES, NULL, 0, atomic_load(&g->spool_budget.held));
    set(o, DECODED_BYTES, NULL, 0, atomic_load(&g->memory.held));
    if (o->log) set(o, LOG_DROPPED, NULL, 0, log_writer_dropped(o->log));
}

void observe_print(struct observe *o, struct buf *out) {
    (void)pthread_mutex_lock(&o->printing); /* so that no scrape sets what another has newer */
    read_gate(o);
    read_audit(o);
    read_tokens(o);
    for (size_t i = 0; i < CONFIG_MAX_EXCHANGES; i++) read_exchange(o, i);
    read_process(o);
    metrics_print(o->metrics, out);
    (void)pthread_mutex_unlock(&o->printing);
}

/* ---- life ---- */

enum code observe_new(struct gate *gate, struct log_writer *log, struct observe **ret, struct err *err) {
    struct observe *o = calloc(1, sizeof *o);
    if (!o) return err_oom(err);
    *o = (struct observe){ .gate = gate, .log = log, .metrics = metrics_new(families, FAMILIES, gate->n_workers) };
    (void)pthread_mutex_init(&o->printing, NULL);
    if (!o->metrics) {
        observe_free(o);
        return err_oom(err);
    }
    set(o, STARTED, NULL, 0, (uint64_t)clock_wall_us());
    *ret = o;
    return OK;
}

void observe_free(struct observe *o) {
    if (!o) return;
    metrics_free(o->metrics);
    (void)pthread_mutex_destroy(&o->printing);
    free(o);
}
