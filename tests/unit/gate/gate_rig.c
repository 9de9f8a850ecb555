#include "gate_rig.h"
#include <ftw.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "audit/query.h"
#include "audit/refusals.h"
#include "base/clock.h"
#include "crypto/key.h"
#include "gate/admit.h"
#include "gate/relay.h"
#include "gate/request.h"
#include "gate/route.h"
#include "wire/pb/lro.pb.h"
#include "wire/pb/pb.h"

struct gate_rig rig;
void (*gate_rig_open_more)(void), (*gate_rig_close_more)(void);
#define URL "https://linkspan.example"

/* ---- life ---- */

struct policy *gate_rig_policy(const char *text) {
    struct policy_source source = { STR("t.policy"), str_z(text) };
    struct policy_faults faults;
    struct policy *policy = NULL;
    struct err err = { 0 };
    DEFER(arena_freep) struct arena *arena = arena_new(16 << 20);
    if (policy_load(&source, 1, NULL, arena, &faults, &policy, &err)) fail_msg("%s", err.message);
    return policy;
}

void gate_rig_become(const char *account) {
    struct err err = { 0 };
    DEFER(buf_free) struct buf token = BUF_INIT(sizeof rig.bearer);
    struct principal who = { .actor = { .kind = ACTOR_ACCOUNT, .subject = str_z(account) } };
    struct mint_ask ask = {
        .principal = &who, .scope = STR(SCOPE_EVERYWHERE), .now_s = clock_wall_s(), .expires_s = clock_wall_s() + 3000
    };
    int64_t expires;
    if (mint_access_token(rig.identity.mint, &ask, &token, &expires, NULL, &err)) fail_msg("%s", err.message);
    snprintf(rig.bearer, sizeof rig.bearer, "Bearer %.*s", STR_ARG(buf_str(&token)));
}

static void make_identity(void) {
    struct err err = { 0 };
    DEFER(buf_free) struct buf keys = BUF_INIT(65536);
    assert_int_equal(key_generate(KEY_P256, &rig.token_key, &err), OK);
    assert_int_equal(mint_new(rig.token_key, STR(URL), &rig.identity.mint, &err), OK);
    assert_int_equal(mint_jwks(rig.identity.mint, &keys, &err), OK);
    struct issuer_config own = {
        .name = STR("linkspan"), .preset = ISSUER_OWN, .iss = STR(URL), .jwks_json = buf_str(&keys)
    };
    own.audiences[own.n_audiences++] = STR(URL);
    if (issuers_new(&own, 1, NULL, &rig.identity.issuers, &err)) fail_msg("%s", err.message);
    rig.identity.verified = verified_new(100);
    rig.identity.revocations = revocations_new(NULL);
    rig.identity.runs = live_runs_new();
    gate_rig_become("reader@demo");
}

static void make_audit(void) {
    struct err err = { 0 };
    snprintf(rig.audit_dir, sizeof rig.audit_dir, "%s/audit", rig.folder);
    assert_int_equal(key_generate(KEY_ED25519, &rig.audit_key, &err), OK);
    struct audit_options options = { .dir = rig.audit_dir, .origin = STR("test/audit"), .key = rig.audit_key };
    if (audit_open(&options, &rig.gate.audit, &err)) fail_msg("%s", err.message);
    rig.gate.refusals = audit_refusals_new(rig.gate.audit);
}

static void *run_worker(void *arg) {
    loop_run(arg);
    return NULL;
}

static void make_worker(void) {
    struct err err = { 0 };
    struct worker *w = &rig.gate.workers[0];
    rig.gate.n_workers = 1;
    w->gate = &rig.gate;
    assert_int_equal(loop_new(&w->loop, &err), OK);
    struct http_server_config config = { .loop = w->loop,
                                         .handler = { .max_body = request_max_body,
                                                      .may_have_room = request_may_have_room,
                                                      .on_too_large = request_too_large,
                                                      .on_request = request_begin,
                                                      .streams = relay_streams,
                                                      .on_body = relay_body,
                                                      .on_writable = request_writable,
                                                      .on_gone = request_gone },
                                         .ctx = w };
    assert_int_equal(http_server_new(&config, &w->server, &err), OK);
    struct http_listen listen = { .address = STR("127.0.0.1:0"), .ctx = &rig.gate.public_door };
    struct http_listener *listener;
    if (http_server_listen(w->server, &listen, &listener, &err)) fail_msg("%s", err.message);
    rig.port = http_listener_port(listener);
    if (gate_rig_open_more) gate_rig_open_more();
    assert_int_equal(pthread_create(&w->thread, NULL, run_worker, w->loop), 0);
}

void gate_rig_prepare(void) {
    rig = (struct gate_rig){ 0 };
    snprintf(rig.folder, sizeof rig.folder, "/tmp/gate-XXXXXX");
    assert_non_null(mkdtemp(rig.folder));
}

void gate_rig_start(const struct service *service, const char *policy) {
    struct err err = { 0 };
    if (!rig.folder[0]) gate_rig_prepare();
    rig.arena = arena_new(16 << 20);
    make_audit();
    make_identity();
    rig.gate.identity = &rig.identity;
    rig.gate.admit = admit_new();
    assert_non_null(rig.gate.admit);
    rig.gate.spool_dir = rig.folder;
    rig.gate.memory.max = 1 << 30;
    pthread_mutex_init(&rig.gate.policy_lock, NULL);
    rig.gate.policy = gate_rig_policy(policy);
    rig.gate.routes = routes_new();
    if (routes_add(rig.gate.routes, service, &err)) fail_msg("%s", err.message);
    make_worker();
    assert_int_equal(loop_new(&rig.loop, &err), OK);
    struct http_client_config config = { .loop = rig.loop };
    assert_int_equal(http_client_new(&config, &rig.client, &err), OK);
}

/* ---- on the worker's loop ---- */

struct on_loop {
    struct loop_task task;
    sem_t done;
    bool review, fails;
    unsigned n;
};

static void look(struct loop_task *task, void *ctx) {
    (void)task;
    struct on_loop *o = ctx;
    struct worker *w = &rig.gate.workers[0];
    for (struct request *r = w->requests, *next; o->review && r; r = next) {
        next = r->next;
        request_review(r, clock_wall_us());
    }
    if (o->fails) arena_fail_after(o->n);
    o->n = w->n_requests;
    sem_post(&o->done);
}

static unsigned on_loop(struct on_loop o) {
    o.task = (struct loop_task){ .fn = look, .ctx = &o };
    sem_init(&o.done, 0, 0);
    loop_post(rig.gate.workers[0].loop, &o.task);
    while (sem_wait(&o.done) != 0) {}
    sem_destroy(&o.done);
    return o.n;
}

void gate_rig_review(void) {
    (void)on_loop((struct on_loop){ .review = true });
}

unsigned gate_rig_under_way(void) {
    return on_loop((struct on_loop){ 0 });
}

void gate_rig_fail_after(unsigned n) {
    (void)on_loop((struct on_loop){ .fails = true, .n = n });
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void gate_rig_drain(void) {
    if (!rig.loop) return;
    http_client_free(rig.client);
    loop_free(rig.loop);
    rig.loop = NULL;
    for (unsigned i = 0; gate_rig_under_way() && i < 3000; i++) usleep(10000);
    assert_int_equal(gate_rig_under_way(), 0);
}

void gate_rig_stop(void) {
    struct worker *w = &rig.gate.workers[0];
    gate_rig_drain();
    loop_stop(w->loop);
    pthread_join(w->thread, NULL);
    http_server_free(w->server);
    if (gate_rig_close_more) gate_rig_close_more();
    loop_free(w->loop);
    audit_refusals_free(rig.gate.refusals);
    audit_close(rig.gate.audit);
    verified_free(rig.identity.verified);
    issuers_free(rig.identity.issuers);
    mint_free(rig.identity.mint);
    revocations_free(rig.identity.revocations);
    live_runs_free(rig.identity.runs);
    key_unref(rig.audit_key);
    key_unref(rig.token_key);
    routes_free(rig.gate.routes);
    policy_unref(rig.gate.policy);
    admit_free(rig.gate.admit);
    arena_free(rig.arena);
    nftw(rig.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    rig.folder[0] = '\0';
}

/* ---- calls ---- */

static void copy(char *to, size_t size, struct str from) {
    snprintf(to, size, "%.*s", STR_ARG(from));
}

static void take_status(struct reply *r, const struct http_header *headers, size_t n) {
    struct str message, details;
    if (!http_header_value(headers, n, STR("grpc-status")).n) return;
    r->code = grpc_status_from(rig.arena, headers, n, &message, &details);
    copy(r->message, sizeof r->message, message);
    r->details = details.n;
    copy(r->retry, sizeof r->retry, http_header_value(headers, n, STR("google.rpc.retryinfo-bin")));
}

static void on_headers(struct http_call *call, unsigned status, const struct http_header *headers, size_t n, void *ctx) {
    struct reply *r = ctx;
    r->http_status = status;
    r->begun = !http_header_find(headers, n, STR("grpc-status"));
    take_status(r, headers, n);
    if (r->pause) http_call_pause(call);
    r->paused = r->pause;
}

static void on_message(struct str message, void *ctx) {
    struct reply *r = ctx;
    if (r->messages++) return;
    r->first_n = message.n < sizeof r->first - 1 ? message.n : sizeof r->first - 1;
    memcpy(r->first, message.p, r->first_n);
}

static void on_data(struct http_call *call, struct str data, void *ctx) {
    (void)call;
    struct reply *r = ctx;
    struct err err;
    r->bytes += data.n;
    if (r->grpc && r->http_status == 200) assert_int_equal(grpc_feed(&r->frames, data, on_message, r, &err), OK);
    for (size_t i = 0; !r->grpc && i < data.n && r->first_n < sizeof r->first - 1; i++) r->first[r->first_n++] = data.p[i];
}

static void on_end(struct http_call *call, const struct http_header *trailers, size_t n, void *ctx) {
    (void)call;
    struct reply *r = ctx;
    take_status(r, trailers, n);
    r->over = true;
    r->call = NULL;
}

static void on_error(struct http_call *call, const struct err *err, void *ctx) {
    (void)call;
    struct reply *r = ctx;
    copy(r->error, sizeof r->error, str_z(err->message));
    r->over = r->failed = true;
    r->call = NULL;
}

static const struct http_call_handler handler = { on_headers, on_data, on_end, on_error };

void reply_grpc(struct reply *r, const char *path, const char *name, const char *timeout, unsigned flags) {
    struct err err = { 0 };
    struct buf *body = arena_alloc(rig.arena, sizeof *body), message = BUF_INIT(1 << 20);
    *body = (struct buf)BUF_INIT(2 << 20);
    struct lro_GetOperationRequest q = { .name = str_z(name) };
    assert_int_equal(pb_encode(&lro_GetOperationRequest_msg, &q, &message, &err), OK);
    grpc_frame(body, buf_str(&message));
    buf_free(&message);
    struct http_header headers[4] = { { STR("content-type"), STR("application/grpc") } };
    size_t n = 1;
    if (!(flags & ANONYMOUS)) headers[n++] = (struct http_header){ STR("authorization"), str_z(rig.bearer) };
    if (timeout) headers[n++] = (struct http_header){ STR("grpc-timeout"), str_z(timeout) };
    struct http_client_request request = { .method = STR("POST"),
                                           .scheme = STR("http"),
                                           .host = STR("127.0.0.1"),
                                           .port = rig.port,
                                           .path = str_z(path),
                                           .headers = headers,
                                           .n_headers = n,
                                           .body = str_dup(rig.arena, buf_str(body)),
                                           .max_body = SIZE_MAX,
                                           .prior_h2 = true };
    buf_free(body);
    r->grpc = true;
    r->frames.max_bytes = 1 << 20;
    if (http_client_send(rig.client, &request, &handler, r, &r->call, &err)) fail_msg("%s", err.message);
}

void reply_rest(struct reply *r, const char *verb, const char *path, const char *body) {
    struct err err = { 0 };
    struct http_header headers[] = { { STR("authorization"), str_z(rig.bearer) },
                                     { STR("content-type"), STR("application/json") },
                                     { STR("metadata-flavor"), STR("Google") } };
    struct http_client_request request = { .method = str_z(verb),
                                           .scheme = STR("http"),
                                           .host = STR("127.0.0.1"),
                                           .port = rig.port,
                                           .path = str_z(path),
                                           .headers = headers,
                                           .n_headers = COUNT(headers),
                                           .body = str_z(body),
                                           .max_body = SIZE_MAX };
    if (http_client_send(rig.client, &request, &handler, r, &r->call, &err)) fail_msg("%s", err.message);
}

void reply_until(struct reply *r, const bool *flag) {
    uint64_t end = clock_mono_us() + 10 * 1000000;
    while (!*flag && clock_mono_us() < end) loop_run_once(rig.loop, 20);
    if (!*flag) fail_msg("nothing came back: %s %s", r->message, r->error);
}

void reply_wait(struct reply *r) {
    reply_until(r, &r->over);
    if (r->grpc && !r->failed) assert_true(grpc_feed_is_between(&r->frames)); /* never half a message */
    grpc_deframer_free(&r->frames);
}

void reply_turn(unsigned ms) {
    uint64_t end = clock_mono_us() + ms * 1000u;
    while (clock_mono_us() < end) loop_run_once(rig.loop, 5);
}

void reply_resume(struct reply *r) {
    r->paused = false;
    if (r->call) http_call_resume(r->call);
}

/* ---- the log ---- */

static bool visit(void *ctx, uint64_t index, struct str json, const struct audit_entry *e) {
    (void)index;
    (void)json;
    struct found *f = ctx;
    f->n++;
    f->before = f->kind;
    f->kind = e->kind;
    f->code = e->code;
    copy(f->id, sizeof f->id, e->id);
    copy(f->reason, sizeof f->reason, e->reason);
    copy(f->subject, sizeof f->subject, e->actor.email);
    return true;
}

struct found audit_find(const char *method, const char *reason) {
    struct err err = { 0 };
    struct found f = { 0 };
    struct audit_filter filter = { .method = str_z(method), .reason = str_z(reason) };
    assert_int_equal(audit_flush(rig.gate.audit, &err), OK);
    if (audit_query(rig.audit_dir, &filter, visit, &f, &err)) fail_msg("%s", err.message);
    return f;
}
