/* test_request.c: the way of a request, from the socket to the audit log and back. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "gate_rig.h"
#include "service/call.h"
#include "wire/pb/lro.pb.h"
#include "wire/pb/pb.h"
#include "wire/pb/spanner.pb.h"

#define HEAD "domain d covers spanner demo/flights owner o\naccount reader is \"reader@demo\"\n"
#define OPEN HEAD "allow reader to read Things in spanner demo/flights owner o until 2099-01-01\n"
#define SHUT HEAD "allow reader to read Others in spanner demo/flights owner o until 2099-01-01\n"

enum { MESSAGE_BYTES = 32 << 10 };

/* ---- the service ---- */

static atomic_uint handled, told, threads;
static atomic_bool name_survived, stream_over;
static _Atomic uint64_t size_at_handle;

static struct str name_of(const struct call *call) {
    return ((const struct lro_GetOperationRequest *)call->request)->name;
}

static enum code classify(struct call *call, struct err *err) {
    static const struct str columns[] = { STR_INIT("c") };
    bool secret = str_eq(name_of(call), STR("things/secret"));
    struct atom atom = { .verb = VERB_READ,
                         .path = STR("spanner demo/flights"),
                         .object = secret ? STR("Secrets") : STR("Things"),
                         .columns = columns,
                         .n_columns = 1 };
    call->resource = name_of(call);
    return atoms_add(&call->atoms, call->arena, atom) ? OK : err_oom(err);
}

static void end_ok(struct call *call) {
    struct lro_GetOperationRequest echo = { .name = name_of(call) };
    struct err err;
    if (call_write_message(call, &echo)) call_end_ok(call);
    else call_end(call, CANCELLED, (err_set(&err, CANCELLED, "nobody waits"), &err));
}

static void start(struct call *call, void *(*fn)(void *)) {
    pthread_t thread;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    atomic_fetch_add(&threads, 1);
    assert_int_equal(pthread_create(&thread, &attr, fn, call), 0);
    pthread_attr_destroy(&attr);
}

static void *end_on_thread(void *arg) {
    usleep(20000);
    end_ok(arg);
    atomic_fetch_sub(&threads, 1);
    return NULL;
}

static void *hold_on_thread(void *arg) {
    struct call *call = arg;
    for (unsigned i = 0; !call_cancelled(call) && i < 5000; i++) usleep(1000);
    usleep(30000); /* the stream is gone for sure */
    if (call_cancelled(call)) atomic_fetch_add(&told, 1);
    atomic_store(&name_survived, str_eq(name_of(call), STR("things/hold")));
    end_ok(call);
    atomic_fetch_sub(&threads, 1);
    return NULL;
}

/* What a raw method knows of HTTP is the request's own, as its body is. */
static void *hold_raw_on_thread(void *arg) {
    struct call *call = arg;
    const struct call_http *http = &call->http;
    for (unsigned i = 0; !call_cancelled(call) && i < 5000; i++) usleep(1000);
    usleep(30000);
    if (call_cancelled(call)) atomic_fetch_add(&told, 1);
    bool same = str_eq(http->method, STR("POST")) && str_eq(http->path, STR("/raw/hold")) &&
                str_eq(http->query, STR("a=b")) && str_eq(http->content_type, STR("application/json")) &&
                str_eq(http->body, STR("{}")) &&
                str_eq(http_header_value(http->headers, http->n_headers, STR("content-type")), http->content_type);
    atomic_store(&name_survived, same);
    call_reply_http(call, 200, "text/plain", STR("ok"));
    call_end_ok(call);
    atomic_fetch_sub(&threads, 1);
    return NULL;
}

static enum code classify_raw(struct call *call, struct err *err) {
    struct atom atom = { .verb = VERB_USE, .path = STR("spanner demo/flights") };
    return atoms_add(&call->atoms, call->arena, atom) ? OK : err_oom(err);
}

static void handle_raw(struct call *call) {
    atomic_fetch_add(&handled, 1);
    start(call, hold_raw_on_thread);
}

static void handle_unary(struct call *call) {
    struct err err;
    struct str name = name_of(call);
    struct audit_stats stats;
    audit_stats(rig.gate.audit, &stats);
    atomic_store(&size_at_handle, stats.size);
    atomic_fetch_add(&handled, 1);
    if (str_eq(name, STR("things/thread"))) start(call, end_on_thread);
    else if (str_eq(name, STR("things/hold"))) start(call, hold_on_thread);
    else if (str_eq(name, STR("things/aborted"))) {
        call_add_detail(call, "google.rpc.RetryInfo", STR("\x0a\x02\x08\x01"));
        call_end(call, ABORTED, (err_set(&err, ABORTED, "try again"), &err));
    } else end_ok(call);
}

/* "things/N": N messages; "things/endless": until nobody takes them. */
static void *stream_on_thread(void *arg) {
    struct call *call = arg;
    uint64_t n = UINT64_MAX;
    char *bytes = calloc(1, MESSAGE_BYTES);
    struct spanner_PartialResultSet part = { .resume_token = { bytes, MESSAGE_BYTES } };
    bool endless = !str_u64(str_from(name_of(call), 7), &n), taken = true;
    for (uint64_t i = 0; taken && i < n; i++) {
        taken = call_write_message(call, &part);
        if (endless) usleep(1000);
    }
    free(bytes);
    struct err err;
    if (call_cancelled(call)) atomic_fetch_add(&told, 1);
    atomic_store(&stream_over, true);
    if (taken) call_end_ok(call);
    else call_end(call, CANCELLED, (err_set(&err, CANCELLED, "nobody takes it"), &err));
    atomic_fetch_sub(&threads, 1);
    return NULL;
}

static void handle_stream(struct call *call) {
    atomic_fetch_add(&handled, 1);
    start(call, stream_on_thread);
}

#define ROW(Name, Verb, Path, Body, ...)                                                                                   \
    {                                                                                                                      \
        .grpc = "test.Service/" Name, .verb = Verb, .path = Path, .body = Body, .request = &lro_GetOperationRequest_msg,   \
        .permission = "test." Name, .classify = classify, __VA_ARGS__                                                      \
    }
#define UNARY .response = &lro_GetOperationRequest_msg, .handle = handle_unary
static const struct method methods[] = {
    ROW("Unary", "POST", "/v1/{name=things/*}:unary", "*", UNARY, .max_request_bytes = 1000),
    ROW("Get", "GET", "/v1/{name=things/*}", NULL, UNARY),
    ROW("Post", "POST", "/v1/{name=things/*}:post", "*", UNARY),
    ROW("Stream", "POST", "/v1/{name=things/*}:stream", "*", .response = &spanner_PartialResultSet_msg, .streaming = true,
        .handle = handle_stream),
    ROW("Enforced", NULL, NULL, NULL, UNARY, .record = RECORD_ENFORCED),
    { .verb = "POST", .path = "/raw/hold", .permission = "test.raw", .classify = classify_raw, .handle = handle_raw },
};
static const struct service service = { .name = "test", .methods = methods, .n_methods = COUNT(methods) };

static int set_up(void **state) {
    (void)state;
    atomic_store(&handled, 0);
    atomic_store(&told, 0);
    atomic_store(&stream_over, false);
    gate_rig_start(&service, OPEN);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    gate_rig_stop();
    for (unsigned i = 0; atomic_load(&threads) && i < 1000; i++) usleep(1000);
    return 0;
}

/* ---- unary ---- */

static void test_grpc_ok(void **state) {
    (void)state;
    static const char *const names[] = { "things/ok", "things/thread" };
    for (size_t i = 0; i < COUNT(names); i++) {
        struct reply r = { 0 };
        reply_grpc(&r, "/test.Service/Unary", names[i], NULL, 0);
        reply_wait(&r);
        assert_string_equal(r.message, "");
        assert_int_equal(r.code, OK);
        assert_int_equal(r.messages, 1);
        assert_str(((struct str){ r.first + 2, r.first_n - 2 }), names[i]);
    }
    struct found f = audit_find("Unary", "");
    assert_int_equal(f.n, 2);
    assert_int_equal(f.kind, EVENT_OUTCOME);
    assert_int_equal(f.code, OK);
    assert_string_equal(f.subject, "reader@demo");
}

static void test_rest(void **state) {
    (void)state;
    static const struct {
        const char *what, *verb, *path, *body;
        unsigned status;
        const char *answer;
    } cases[] = {
        { "path variable", "POST", "/v1/things/ok:unary", "{}", 200, "{\"name\":\"things/ok\"}" },
        { "the path wins over the body", "POST", "/v1/things/ok:unary", "{\"name\":\"things/secret\"}", 200,
          "{\"name\":\"things/ok\"}" },
        { "the path wins over the query", "GET", "/v1/things/ok?name=things%2Fsecret", "", 200,
          "{\"name\":\"things/ok\"}" },
        { "no body at all", "GET", "/v1/things/ok", "", 200, "{\"name\":\"things/ok\"}" },
        { "unknown field", "POST", "/v1/things/ok:unary", "{\"nome\":\"x\"}", 400, "unknown field" },
        { "denied", "GET", "/v1/things/secret", "", 403, "NO_RULE" },
        { "no method", "PUT", "/v1/things/ok", "{}", 501, "METHOD_UNKNOWN" },
        { "empty stream", "POST", "/v1/things/0:stream", "{}", 200, "[]" },
        { "a stream is an array", "POST", "/v1/things/1:stream", "{}", 200, "[{\"resumeToken\":\"AAAA" },
        { "denied stream", "POST", "/v1/things/secret:stream", "{}", 403, "NO_RULE" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct reply r = { 0 };
        reply_rest(&r, cases[i].verb, cases[i].path, cases[i].body);
        reply_wait(&r);
        if (r.http_status != cases[i].status || !strstr(r.first, cases[i].answer))
            fail_msg("%s: %u %s %s", cases[i].what, r.http_status, r.first, r.error);
    }
}

static void test_refusals(void **state) {
    (void)state;
    static const struct {
        const char *path, *name, *reason, *method;
        unsigned flags;
        enum code code;
        bool begun; /* header fields go before the status: of a stream, or of what may be one */
    } cases[] = {
        { "/test.Service/Unary", "things/secret", "NO_RULE", "Unary", 0, PERMISSION_DENIED, false },
        { "/test.Service/Stream", "things/secret", "NO_RULE", "Stream", 0, PERMISSION_DENIED, true },
        { "/test.Service/Nothing", "things/ok", "METHOD_UNKNOWN", NULL, 0, UNIMPLEMENTED, true },
        { "/test.Service/Unary", "things/ok", "NO_PROOF", NULL, ANONYMOUS, UNAUTHENTICATED, false },
        { "/test.Service/Stream", "things/ok", "NO_PROOF", NULL, ANONYMOUS, UNAUTHENTICATED, true },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct reply r = { 0 };
        reply_grpc(&r, cases[i].path, cases[i].name, NULL, cases[i].flags);
        reply_wait(&r);
        assert_int_equal(r.code, cases[i].code);
        assert_int_equal(r.begun, cases[i].begun);
        if (!strstr(r.message, cases[i].reason)) fail_msg("%s lacks %s", r.message, cases[i].reason);
        assert_true(r.details > 20);
        if (!cases[i].method) continue;
        struct found f = audit_find(cases[i].method, cases[i].reason);
        assert_int_equal(f.n, 1);
        assert_int_equal(f.kind, EVENT_REFUSAL);
        if (!strstr(r.message, f.id)) fail_msg("%s lacks %s", r.message, f.id);
    }
    assert_int_equal(atomic_load(&handled), 0);
}

static void test_too_large(void **state) {
    (void)state;
    static char name[3000];
    memset(name, 'x', sizeof name - 1);
    struct reply r = { 0 };
    reply_grpc(&r, "/test.Service/Unary", name, NULL, 0);
    reply_wait(&r);
    if (r.code != INVALID_ARGUMENT || !strstr(r.message, "TOO_LARGE")) fail_msg("%d %s %s", r.code, r.message, r.error);
    assert_int_equal(atomic_load(&handled), 0);
}

/* A large message is read beside the loop: as it would be on it, also when its client goes meanwhile. */
static const char *large_name(const char *end) {
    static char name[300 << 10];
    memset(name, 'x', sizeof name - 1);
    memcpy(name, "things/", 7);
    memcpy(name + sizeof name - 1 - strlen(end), end, strlen(end));
    return name;
}

static void test_large(void **state) {
    (void)state;
    struct reply r = { 0 };
    reply_grpc(&r, "/test.Service/Get", large_name(""), NULL, 0);
    reply_wait(&r);
    if (r.code) fail_msg("%d %s %s", r.code, r.message, r.error);
    assert_true(r.bytes > 300 << 10);
    r = (struct reply){ 0 };
    reply_grpc(&r, "/test.Service/Get", large_name("\xff"), NULL, 0); /* no UTF-8 */
    reply_wait(&r);
    if (r.code != INVALID_ARGUMENT) fail_msg("%d %s %s", r.code, r.message, r.error);
    assert_int_equal(atomic_load(&handled), 1);
    for (unsigned i = 0; i < 30; i++) {
        r = (struct reply){ 0 };
        reply_grpc(&r, "/test.Service/Get", large_name(""), i % 3 ? NULL : "1m", 0);
        for (unsigned turns = i % 6; turns; turns--) loop_run_once(rig.loop, 1);
        if (r.call && !r.over) http_call_cancel(r.call);
        grpc_deframer_free(&r.frames);
    }
    for (unsigned i = 0; gate_rig_under_way() && i < 1000; i++) reply_turn(5);
    assert_int_equal(gate_rig_under_way(), 0);
}

static const char *large_body(const char *end) {
    static char body[(300 << 10) + 64];
    (void)snprintf(body, sizeof body, "{\"name\":\"%s\"%s", large_name(""), end);
    return body;
}

static void test_large_rest(void **state) {
    (void)state;
    static const char *const path =
        "/v1/things/ok:post?name=things%2Fsecret"; /* neither the query nor the body overrules it */
    struct reply r = { 0 };
    reply_rest(&r, "POST", path, large_body("}"));
    reply_wait(&r);
    if (r.http_status != 200 || !strstr(r.first, "{\"name\":\"things/ok\"}")) fail_msg("%u %s", r.http_status, r.first);
    r = (struct reply){ 0 };
    reply_rest(&r, "POST", path, large_body(",}"));
    reply_wait(&r);
    if (r.http_status != 400 || !strstr(r.first, "line 1, column 307")) fail_msg("%u %s", r.http_status, r.first);
    assert_int_equal(atomic_load(&handled), 1);
    for (unsigned i = 0; i < 30; i++) {
        r = (struct reply){ 0 };
        reply_rest(&r, "POST", path, large_body("}"));
        for (unsigned turns = i % 6; turns; turns--) loop_run_once(rig.loop, 1);
        if (r.call && !r.over) http_call_cancel(r.call);
    }
    for (unsigned i = 0; gate_rig_under_way() && i < 1000; i++) reply_turn(5);
    assert_int_equal(gate_rig_under_way(), 0);
}

static void test_details(void **state) {
    (void)state;
    struct reply r = { 0 };
    reply_grpc(&r, "/test.Service/Unary", "things/aborted", NULL, 0);
    reply_wait(&r);
    assert_int_equal(r.code, ABORTED);
    assert_true(r.details > 10);
    assert_memory_equal(r.retry, "CgIIAQ", 6);
}

/* ---- cancellation ---- */

static void test_client_resets(void **state) {
    (void)state;
    struct reply r = { 0 };
    reply_grpc(&r, "/test.Service/Unary", "things/hold", NULL, 0);
    for (unsigned i = 0; !atomic_load(&handled) && i < 1000; i++) reply_turn(5);
    http_call_cancel(r.call);
    for (unsigned i = 0; !atomic_load(&told) && i < 1000; i++) reply_turn(5);
    assert_int_equal(atomic_load(&told), 1);
    assert_true(atomic_load(&name_survived)); /* the message outlives the stream */
    for (unsigned i = 0; gate_rig_under_way() && i < 1000; i++) reply_turn(5);
    struct found f = audit_find("Unary", "");
    assert_int_equal(f.n, 1);
    assert_int_equal(f.code, OK); /* it was done, and the log does not say otherwise because nobody waited */
}

static void test_client_resets_stream(void **state) {
    (void)state;
    struct reply r = { .pause = true };
    reply_grpc(&r, "/test.Service/Stream", "things/endless", NULL, 0);
    reply_until(&r, &r.paused);
    http_call_cancel(r.call);
    for (unsigned i = 0; !atomic_load(&stream_over) && i < 1000; i++) reply_turn(5);
    assert_int_equal(atomic_load(&told), 1);
    for (unsigned i = 0; gate_rig_under_way() && i < 1000; i++) reply_turn(5);
    assert_int_equal(audit_find("Stream", "").code, CANCELLED);
    grpc_deframer_free(&r.frames);
}

static void test_client_resets_raw(void **state) {
    (void)state;
    struct reply r = { 0 };
    reply_rest(&r, "POST", "/raw/hold?a=b", "{}");
    for (unsigned i = 0; !atomic_load(&handled) && i < 2000; i++) reply_turn(5);
    http_call_cancel(r.call);
    for (unsigned i = 0; !atomic_load(&told) && i < 2000; i++) reply_turn(5);
    for (unsigned i = 0; atomic_load(&threads) && i < 2000; i++) reply_turn(5);
    assert_int_equal(atomic_load(&told), 1);
    assert_true(atomic_load(&name_survived));
}

static void test_deadline(void **state) {
    (void)state;
    struct reply r = { 0 };
    reply_grpc(&r, "/test.Service/Unary", "things/hold", "60m", 0);
    reply_wait(&r);
    assert_int_equal(r.code, DEADLINE_EXCEEDED);
    assert_int_equal(r.messages, 0);
    assert_int_equal(atomic_load(&told), 1);
}

/* ---- slow clients ---- */

static bool spool_file_is_open(void) {
    DIR *dir = opendir("/proc/self/fd");
    bool found = false;
    for (struct dirent *e; (e = readdir(dir));) {
        char link[300], to[300];
        snprintf(link, sizeof link, "/proc/self/fd/%s", e->d_name);
        ssize_t n = readlink(link, to, sizeof to - 1);
        if (n <= 0) continue;
        to[n] = '\0';
        found |= strncmp(to, rig.folder, strlen(rig.folder)) == 0 && to[strlen(rig.folder) + 1] == '#';
    }
    closedir(dir);
    return found;
}

/* The service ends long before its client has read: what waits is in a file, and all of it arrives. */
static void test_paused_client(void **state) {
    (void)state;
    struct reply r = { .pause = true };
    reply_grpc(&r, "/test.Service/Stream", "things/500", NULL, 0);
    reply_until(&r, &r.paused);
    for (unsigned i = 0; !atomic_load(&stream_over) && i < 1000; i++) reply_turn(5);
    assert_true(spool_file_is_open());
    assert_true(r.bytes < 2 << 20);
    reply_resume(&r);
    reply_wait(&r);
    assert_int_equal(r.code, OK);
    assert_int_equal(r.messages, 500);
    assert_false(spool_file_is_open());
}

static void test_deadline_of_paused_client(void **state) {
    (void)state;
    struct reply r = { .pause = true };
    reply_grpc(&r, "/test.Service/Stream", "things/500", "300m", 0);
    reply_until(&r, &r.paused);
    reply_turn(500);
    for (unsigned i = 0; gate_rig_under_way() && i < 4000; i++) reply_turn(5);
    assert_int_equal(gate_rig_under_way(), 0); /* nothing is kept for it */
    assert_false(spool_file_is_open());
    reply_resume(&r);
    reply_until(&r, &r.over);
    grpc_deframer_free(&r.frames);
}

/* ---- what ends while a request lasts ---- */

static void test_policy_ends_stream(void **state) {
    (void)state;
    struct reply r = { 0 };
    reply_grpc(&r, "/test.Service/Stream", "things/endless", NULL, 0);
    while (r.messages < 3) loop_run_once(rig.loop, 20);
    gate_set_policy(&rig.gate, gate_rig_policy(OPEN)); /* a new policy that still allows it */
    gate_rig_review();
    reply_turn(20);
    assert_false(r.over);
    gate_set_policy(&rig.gate, gate_rig_policy(SHUT));
    gate_rig_review();
    reply_wait(&r);
    assert_int_equal(r.code, PERMISSION_DENIED);
    assert_non_null(strstr(r.message, "NO_RULE"));
    assert_int_equal(audit_find("Stream", "NO_RULE").kind, EVENT_REFUSAL);
}

/* The service is done, its answer waits for the client: what was not read yet stays here. */
static void test_policy_ends_waiting_reply(void **state) {
    (void)state;
    struct reply r = { .pause = true };
    reply_grpc(&r, "/test.Service/Stream", "things/500", NULL, 0);
    reply_until(&r, &r.paused);
    for (unsigned i = 0; !atomic_load(&stream_over) && i < 1000; i++) reply_turn(5);
    reply_turn(50);
    gate_set_policy(&rig.gate, gate_rig_policy(SHUT));
    gate_rig_review();
    reply_resume(&r);
    reply_wait(&r);
    assert_int_equal(r.code, PERMISSION_DENIED);
    assert_true(r.messages < 60);
    assert_int_equal(audit_find("Stream", "").n, 2);
    assert_int_equal(audit_find("Stream", "NO_RULE").kind, EVENT_REFUSAL);
}

/* ---- audit before effect ---- */

static void test_enforced(void **state) {
    (void)state;
    struct reply r = { 0 };
    reply_grpc(&r, "/test.Service/Enforced", "things/ok", NULL, 0);
    reply_wait(&r);
    assert_int_equal(r.code, OK);
    assert_int_equal(atomic_load(&size_at_handle), 1); /* its intention was durable */
    struct found f = audit_find("Enforced", "");
    assert_int_equal(f.n, 2);
    assert_int_equal(f.before, EVENT_INTENT);
    assert_int_equal(f.kind, EVENT_OUTCOME);
}

static void test_audit_fails(void **state) {
    (void)state;
    struct rlimit old, none;
    struct reply r = { 0 };
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    none = (struct rlimit){ 1, old.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    reply_grpc(&r, "/test.Service/Enforced", "things/ok", NULL, 0);
    reply_until(&r, &r.over);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    reply_wait(&r);
    assert_int_equal(r.code, UNAVAILABLE);
    assert_non_null(strstr(r.message, "AUDIT_UNAVAILABLE"));
    assert_int_equal(atomic_load(&handled), 0);
}

/* ---- all at once ---- */

/* Calls of every kind, reset, paused, out of time, and reviewed while they run: each ends once, and nothing is left. */
static void test_storm(void **state) {
    (void)state;
    enum { CALLS = 240, AT_ONCE = 24 };
    static struct reply replies[AT_ONCE];
    static const char *const names[] = { "things/ok", "things/thread", "things/secret", "things/aborted" };
    static const char *const streams[] = { "things/40", "things/endless", "things/3" };
    unsigned seed = 7;
    memset(replies, 0, sizeof replies);
    for (unsigned i = 0; i < CALLS; i++) {
        struct reply *r = &replies[i % AT_ONCE];
        seed = seed * 1103515245u + 12345u;
        unsigned dice = seed >> 16;
        if (r->call) http_call_cancel(r->call); /* no callback follows */
        grpc_deframer_free(&r->frames);
        *r = (struct reply){ .pause = dice % 5 == 0 };
        if (dice % 2) reply_grpc(r, "/test.Service/Stream", streams[dice / 2 % 3], dice % 3 ? NULL : "20m", 0);
        else reply_grpc(r, dice % 4 ? "/test.Service/Unary" : "/test.Service/Enforced", names[dice / 4 % 4], NULL, 0);
        if (dice % 7 == 0) loop_run_once(rig.loop, 3);
        if (i % 60 == 30) gate_set_policy(&rig.gate, gate_rig_policy(SHUT));
        if (i % 60 == 40) gate_set_policy(&rig.gate, gate_rig_policy(OPEN));
        if (i % 10 == 5) gate_rig_review();
    }
    for (unsigned i = 0; i < AT_ONCE; i++) {
        if (replies[i].call) http_call_cancel(replies[i].call);
        grpc_deframer_free(&replies[i].frames);
    }
    /* comes behind all of those on their connection */
    struct reply last = { 0 };
    reply_grpc(&last, "/test.Service/Unary", "things/ok", NULL, 0);
    reply_wait(&last);
    assert_int_equal(last.code, OK);
    for (unsigned i = 0; gate_rig_under_way() && i < 3000; i++) reply_turn(5);
    assert_int_equal(gate_rig_under_way(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_grpc_ok),
        TEST(test_rest),
        TEST(test_refusals),
        TEST(test_too_large),
        TEST(test_large),
        TEST(test_large_rest),
        TEST(test_details),
        TEST(test_client_resets),
        TEST(test_client_resets_stream),
        TEST(test_client_resets_raw),
        TEST(test_deadline),
        TEST(test_paused_client),
        TEST(test_deadline_of_paused_client),
        TEST(test_policy_ends_stream),
        TEST(test_policy_ends_waiting_reply),
        TEST(test_enforced),
        TEST(test_audit_fails),
        TEST(test_storm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
