#include "gate/serve.h"
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "audit/audit.h"
#include "audit/refusals.h"
#include "base/file.h"
#include "base/log.h"
#include "base/log_writer.h"
#include "engine/engine.h"
#include "engine/sql/functions.h"
#include "gate/admin.h"
#include "gate/admit.h"
#include "gate/data_dir.h"
#include "gate/dataprocs.h"
#include "gate/endpoint.h"
#include "gate/fetch.h"
#include "gate/identify.h"
#include "gate/livy.h"
#include "gate/operations.h"
#include "gate/outbound.h"
#include "gate/outbox.h"
#include "gate/policies.h"
#include "gate/revoked.h"
#include "gate/relay.h"
#include "gate/route.h"
#include "gate/tokens.h"
#include "gate/upstreams.h"
#include "gate/workers.h"
#include "gate/workspace.h"
#include "gate/workspace_runs.h"
#include "spanner/spanner.h"

enum {
    VERIFIED_TOKENS = 10000,
    KEY_SET_BYTES = 64 << 10,
    SPOOLS_BYTES = 64 << 20,
    LOG_BYTES = 1 << 20,
    LOG_PATIENCE_MS = 2000,
};

/* Everything that a running server holds, in the order in which it is opened; closed in reverse. */
struct server {
    struct gate gate;
    struct log_writer *log;
    struct admin *admin;
    struct identity identity;
    int lock_fd;
    struct key *audit_key, *token_key;
    struct revoked_file *revoked;
    struct outbox *outbox;
    struct fetch *fetch;
    struct engine *engine;
    struct dataproc_regions dataproc;
    struct workspace_runs *runs;
    struct tls_ctx *tls;
    char spool[DATA_PATH_MAX];
    atomic_bool systems_gone;
    bool stops_runs; /* `stopper` runs */
    pthread_t stopper;
};

/* ---- the log, and what is counted ---- */

/* From here on no loop waits for who reads the log. */
static enum code open_log(struct server *s, struct err *err) {
    s->gate.log_requests = s->gate.config->log_requests;
    log_set_format(s->gate.config->log_format);
    enum code rc = log_writer_new(STDERR_FILENO, LOG_BYTES, &s->log, err);
    log_set_writer(s->log);
    return rc;
}

static void close_log(struct server *s) {
    log_set_writer(NULL);
    log_writer_free(s->log, LOG_PATIENCE_MS);
}

static enum code open_admin(struct server *s, struct err *err) {
    if (!s->gate.config->admin.n) return OK;
    enum code rc = observe_new(&s->gate, s->log, &s->gate.observe, err);
    return rc ? rc : admin_open(&s->gate, &s->admin, err);
}

/* ---- keys, audit, identity ---- */

static enum code load_key(const char *data, enum data_path what, struct key **ret, struct err *err) {
    char path[DATA_PATH_MAX];
    enum code rc = data_path(data, what, path, err);
    if (!rc) rc = key_load(path, ret, err);
    return rc ? err_wrap(err, "the key is missing or unreadable: run `linkspan init`") : OK;
}

static enum code open_audit(struct server *s, struct err *err) {
    const struct config *c = s->gate.config;
    char path[DATA_PATH_MAX];
    enum code rc = load_key(c->data, DATA_AUDIT_KEY, &s->audit_key, err);
    if (!rc) rc = data_path(c->data, DATA_AUDIT, path, err);
    struct audit_options options = { .dir = path, .origin = c->audit_origin, .key = s->audit_key };
    if (!rc) rc = audit_open(&options, &s->gate.audit, err);
    if (rc) return rc;
    s->gate.refusals = audit_refusals_new(s->gate.audit);
    s->outbox = outbox_new(s->gate.audit);
    return s->gate.refusals && s->outbox ? OK : err_oom(err);
}

/* The configured authority is trusted too where it exists: our own public listener is among what is called. */
static enum code open_outbound(struct server *s, struct err *err) {
    struct outbound_config config = { .loop = s->gate.workers[0].loop, .ca_file = config_ca_file(s->gate.config) };
    enum code rc = outbound_new(&config, &s->gate.outbound, err);
    return rc ? rc : fetch_new(&config, s->gate.config->development, &s->fetch, err);
}

/* Our own tokens are verified like everybody's: by an issuer of the table. */
static enum code own_issuer(struct server *s, struct issuer_config *own, struct buf *keys, struct err *err) {
    enum code rc = mint_jwks(s->identity.mint, keys, err);
    *own = (struct issuer_config){
        .name = STR("linkspan"), .preset = ISSUER_OWN, .iss = s->gate.config->url, .jwks_json = buf_str(keys)
    };
    own->audiences[own->n_audiences++] = s->gate.config->url;
    return rc;
}

/* All whose tokens are believed: we, the configured ones, and our workspace. */
static enum code open_issuers(struct server *s, struct err *err) {
    const struct config *c = s->gate.config;
    struct issuer_config issuers[ISSUERS_MAX];
    size_t n = 0;
    DEFER(buf_free) struct buf own_keys = BUF_INIT(KEY_SET_BYTES), workspace_keys = BUF_INIT(KEY_SET_BYTES);
    struct fetcher fetcher = fetch_fetcher(s->fetch);
    enum code rc = own_issuer(s, &issuers[n++], &own_keys, err);
    for (size_t i = 0; i < c->n_issuers; i++) issuers[n++] = c->issuers[i];
    if (!rc && s->identity.workspace)
        rc = gate_workspace_issuer(c, s->identity.workspace, &workspace_keys, &issuers[n++], err);
    return rc ? rc : issuers_new(issuers, n, &fetcher, &s->identity.issuers, err);
}

static enum code open_identity(struct server *s, struct err *err) {
    const struct config *c = s->gate.config;
    char path[DATA_PATH_MAX];
    enum code rc = load_key(c->data, DATA_TOKEN_KEY, &s->token_key, err);
    if (!rc) rc = mint_new(s->token_key, c->url, &s->identity.mint, err);
    for (size_t i = 0; !rc && i < c->n_exchanges; i++)
        rc = mint_reserve(s->identity.mint, c->exchanges[i].config.audience, err);
    if (!rc) rc = data_path(c->data, DATA_REVOKED, path, err);
    if (!rc) rc = revoked_open(path, &s->revoked, &s->identity.revocations, err);
    if (!rc) rc = gate_workspace_open(c, &s->identity.workspace, err);
    if (!rc) rc = open_issuers(s, err);
    if (!rc && !(s->identity.verified = verified_new(VERIFIED_TOKENS))) rc = err_oom(err);
    if (!rc && !(s->identity.runs = live_runs_new())) rc = err_oom(err);
    s->gate.identity = &s->identity;
    return rc;
}

static enum code open_policy(struct server *s, struct err *err) {
    DEFER(buf_free) struct buf faults = BUF_INIT(1 << 20);
    (void)pthread_mutex_init(&s->gate.policy_lock, NULL);
    enum code rc = policies_load(s->gate.spanner, s->gate.config, &faults, &s->gate.policy, err);
    for (struct str rest = buf_str(&faults), line; (line = str_cut(&rest, '\n')).n;)
        log_line(rc ? LOG_ERROR : LOG_WARNING, "%.*s", STR_ARG(line));
    return rc;
}

/* ---- the systems behind us ---- */

/* The scopes are those of what it does: data and databases; for the schema's account data alone. */
static enum code open_far_spanner(struct gate *g, const struct config_connection *c, struct spanner_connection *to,
                                  struct err *err) {
    static const struct str scopes[] = { STR_INIT("https://www.googleapis.com/auth/spanner.data"),
                                         STR_INIT("https://www.googleapis.com/auth/spanner.admin") };
    char name[CONFIG_NAME_MAX + sizeof ".spanner"];
    int n = snprintf(name, sizeof name, "%.*s.spanner", STR_ARG(str_upto(c->name, CONFIG_NAME_MAX)));
    struct str text = { name, (size_t)n };
    to->schema_loop = g->workers[0].loop;
    to->schema_age_us = c->spanner.schema_age_ms * 1000;
    enum code rc = upstreams_make(g->upstreams, text, &c->spanner.far, scopes, COUNT(scopes), &to->far, err);
    return rc ? rc : upstreams_make(g->upstreams, text, &c->spanner.far_schema, scopes, 1, &to->far_schema, err);
}

static enum code open_far_spanners(struct gate *g, struct spanner_config *config, struct err *err) {
    enum code rc = OK;
    size_t at = 0;
    for (size_t i = 0; !rc && i < g->config->n_connections; i++) {
        const struct config_connection *c = &g->config->connections[i];
        if (!c->spanner.present) continue;
        if (c->spanner.upstream) rc = open_far_spanner(g, c, &config->connections[at], err);
        at++;
    }
    return rc;
}

static enum code open_spanner(struct server *s, struct err *err) {
    const struct config *c = s->gate.config;
    struct engine_options options = { .data_dir = c->data,
                                      .sink = outbox_sink,
                                      .setup = spanner_setup_connection,
                                      .sql_error = sql_error_from_sqlite,
                                      .ctx = s->outbox };
    enum code rc = engine_open(&options, &s->engine, err);
    struct spanner_config config;
    char keys[DATA_PATH_MAX];
    config_spanner(c, s->engine, &config);
    if (!rc) rc = data_path(c->data, DATA_KEYS, keys, err);
    config.keys = keys;
    if (!rc) rc = open_far_spanners(&s->gate, &config, err);
    return rc ? rc : spanner_new(&config, &s->gate.spanner, err);
}

static enum code open_services(struct server *s, struct err *err) {
    struct gate *g = &s->gate;
    enum code rc = upstreams_open(g, &g->upstreams, err);
    if (!rc) rc = relays_open(g, &g->relays, err);
    if (!rc) rc = open_spanner(s, err);
    if (!rc) rc = dataprocs_open(g, &s->dataproc, err);
    return rc ? rc : livy_open(g, err);
}

/* Last of the systems, as its runs go on at once: under the policy, and recorded. */
static enum code open_runs(struct server *s, struct err *err) {
    struct gate *g = &s->gate;
    enum code rc = workspace_runs_open(g, &s->runs, &g->services[g->n_services], err);
    if (!rc && s->runs) g->n_services++;
    return rc;
}

static enum code open_routes(struct server *s, struct err *err) {
    struct gate *g = &s->gate;
    enum code rc = OK;
    g->services[g->n_services++] = spanner_service(g->spanner);
    g->services[g->n_services++] = operations_service(g);
    g->services[g->n_services++] = tokens_service(g);
    if (s->identity.workspace) g->services[g->n_services++] = workspace_service(g);
    g->metadata = metadata_service(g);
    g->routes = routes_new();
    if (!g->routes) return err_oom(err);
    for (unsigned i = 0; !rc && i < g->n_services; i++) rc = routes_add(g->routes, &g->services[i], err);
    return rc;
}

/* ---- signals ---- */

static void *stop_runs(void *arg) {
    struct server *s = arg;
    workspace_runs_close(s->runs);
    workers_drain(&s->gate);
    return NULL;
}

/* First the pipelines: what they call is often us, and a closed door would fail runs that can go on after the start. */
static void on_terminate(int signal_number, void *ctx) {
    struct server *s = ctx;
    if (s->gate.draining) return;
    s->gate.draining = true;
    log_line(LOG_INFO, "signal %d: finishing what is under way", signal_number);
    s->stops_runs = s->runs && pthread_create(&s->stopper, NULL, stop_runs, s) == 0;
    if (!s->stops_runs) workers_drain(&s->gate);
}

static void on_reload(int signal_number, void *ctx) {
    (void)signal_number;
    struct server *s = ctx;
    policies_reload(&s->gate);
}

static const struct watched_signal {
    int number;
    void (*fn)(int signal_number, void *ctx);
} watched_signals[] = { { SIGTERM, on_terminate }, { SIGINT, on_terminate }, { SIGHUP, on_reload } };

/* Before the first thread, and until the process ends: a reload that comes too early waits, one that comes too late kills
 * nobody. */
static void hold_signals(void) {
    for (size_t i = 0; i < COUNT(watched_signals); i++) loop_hold_signal(watched_signals[i].number);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is a full disk: the write fails, the server does not */
}

static enum code watch_signals(struct server *s, struct err *err) {
    enum code rc = OK;
    for (size_t i = 0; !rc && i < COUNT(watched_signals); i++)
        rc = loop_on_signal(s->gate.workers[0].loop, watched_signals[i].number, watched_signals[i].fn, s, err);
    return rc;
}

/* ---- from start to end ---- */

static enum code open_loops(struct server *s, struct err *err) {
    return workers_make_loops(&s->gate, err);
}

static enum code open_workers(struct server *s, struct err *err) {
    return workers_open(&s->gate, &s->tls, err);
}

static enum code open_limits(struct server *s, struct err *err) {
    s->gate.per_account.at_once = s->gate.config->per_account.at_once;
    s->gate.per_account.per_second = s->gate.config->per_account.per_second;
    s->gate.admit = admit_new();
    return s->gate.admit ? OK : err_oom(err);
}

static enum code recover(struct server *s, struct err *err) {
    size_t closed = 0;
    enum code rc = audit_recover(s->gate.audit, &closed, err);
    if (closed) log_line(LOG_WARNING, "%zu requests were under way when the server stopped: recorded as unknown", closed);
    return rc;
}

static const struct opening { /* the road map of a start */
    const char *what;
    enum code (*open)(struct server *s, struct err *err);
} openings[] = {
    { "log", open_log },           { "event loops", open_loops },
    { "audit log", open_audit },   { "outgoing calls", open_outbound },
    { "identity", open_identity }, { "services", open_services },
    { "policy", open_policy },     { "limits", open_limits },
    { "recovery", recover },       { "pipelines", open_runs },
    { "routes", open_routes },     { "admin", open_admin },
    { "workers", open_workers },   { "signals", watch_signals },
};

/* First the pipelines, which are clients of the jobs: their runs shall go on later, not fail. */
static void *close_off_loop(void *arg) {
    struct server *s = arg;
    workspace_runs_close(s->runs);
    dataprocs_free(&s->dataproc);
    atomic_store(&s->systems_gone, true);
    return NULL;
}

/* The end of a job closes its listeners on the first loop, a Web activity's request ends there, and both are waited for: so
 * it turns meanwhile. */
static void close_systems(struct server *s) {
    pthread_t thread;
    if (s->stops_runs) (void)pthread_join(s->stopper, NULL); /* it began the drain, so it is done */
    if (!s->dataproc.n && !s->runs) return;
    if (pthread_create(&thread, NULL, close_off_loop, s) != 0) return; /* the process ends, and what it runs with it */
    while (!atomic_load(&s->systems_gone)) loop_run_once(s->gate.workers[0].loop, 20);
    (void)pthread_join(thread, NULL);
}

static void close_all(struct server *s) {
    struct gate *g = &s->gate;
    close_systems(s);
    admin_close(s->admin);
    outbound_stop(g->outbound);
    upstreams_stop(g->upstreams); /* who waits for a token hears so, and ends */
    fetch_stop(s->fetch);         /* who waits for keys goes on without, and ends */
    for (unsigned i = 0; i < g->n_workers; i++) http_server_free(g->workers[i].server);
    for (unsigned i = 0; i < g->n_workers; i++) workers_finish_requests(&g->workers[i]);
    workspace_runs_free(s->runs);
    livy_close(g);
    if (s->outbox) outbox_stop(s->outbox);
    spanner_free(g->spanner);
    engine_close(s->engine);
    audit_refusals_free(g->refusals);
    audit_close(g->audit);
    outbox_free(s->outbox);
    fetch_free(s->fetch);
    outbound_free(g->outbound);
    relays_free(g->relays);
    upstreams_free(g->upstreams);
    for (unsigned i = 0; i < g->n_workers; i++) loop_free(g->workers[i].loop);
    verified_free(s->identity.verified);
    issuers_free(s->identity.issuers);
    mint_free(s->identity.mint);
    workspace_free(s->identity.workspace);
    revocations_free(s->identity.revocations);
    live_runs_free(s->identity.runs);
    revoked_close(s->revoked);
    key_unref(s->audit_key);
    key_unref(s->token_key);
    tls_unref(s->tls);
    routes_free(g->routes);
    policy_unref(g->policy);
    admit_free(g->admit);
    observe_free(g->observe);
    close_log(s);
    file_close(&s->lock_fd);
}

static enum code run(struct server *s, struct err *err) {
    for (size_t i = 0; i < COUNT(openings); i++) {
        enum code rc = openings[i].open(s, err);
        if (rc) return rc;
    }
    for (unsigned i = 1; i < s->gate.n_workers; i++)
        if (pthread_create(&s->gate.workers[i].thread, NULL, workers_run, &s->gate.workers[i]) != 0) return err_oom(err);
    log_line(LOG_INFO, "ready on %.*s, %zu rules, %u workers", STR_ARG(s->gate.config->listen),
             policy_rule_count(s->gate.policy), s->gate.n_workers);
    loop_run(s->gate.workers[0].loop);
    for (unsigned i = 1; i < s->gate.n_workers; i++) (void)pthread_join(s->gate.workers[i].thread, NULL);
    log_line(LOG_INFO, "stopped");
    return OK;
}

/* The heap's end goes up and down with the requests under way: by default each time to the system and back, with all its
 * pages. What is larger than the threshold still goes back at once. */
static void keep_heap(void) {
    (void)mallopt(M_MMAP_THRESHOLD, 4 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 16 << 20);
}

enum code serve(const struct config *config, struct err *err) {
    struct server *s = calloc(1, sizeof *s);
    if (!s) return err_oom(err);
    keep_heap();
    hold_signals();
    s->lock_fd = -1;
    s->gate.config = config;
    s->gate.spool_dir = s->spool;
    s->gate.spool_budget.max = SPOOLS_BYTES;
    s->gate.memory.max = (size_t)config->memory_bytes;
    enum code rc = data_lock(config->data, &s->lock_fd, err);
    if (!rc) rc = data_path(config->data, DATA_SPOOL, s->spool, err);
    if (!rc) rc = run(s, err);
    close_all(s);
    free(s);
    return rc;
}
