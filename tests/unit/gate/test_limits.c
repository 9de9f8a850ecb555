/* test_limits.c: limits of the policy and of the configuration, from the socket to the audit log and back. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "gate/admit.h"
#include "gate_rig.h"
#include "policy/policy.h"
#include "service/call.h"
#include "wire/pb/lro.pb.h"
#include "wire/pb/pb.h"
#include "wire/pb/spanner.pb.h"

#define HEAD                                                                                                               \
    "domain d covers spanner demo/flights owner o\naccount reader is \"reader@demo\"\naccount other is \"other@demo\"\n"   \
    "allow reader, other to read Things in spanner demo/flights owner o until 2099-01-01\n"
#define LIMIT(Who, What) HEAD "cap: limit " Who " to " What " in spanner demo/flights owner o\n"

/* ---- the service: "things/ok" answers at once, all else when the test opens the door ---- */

static atomic_uint inside, most_inside;
static atomic_bool open_door;

static struct str name_of(const struct call *call) {
    return ((const struct lro_GetOperationRequest *)call->request)->name;
}

static enum code classify(struct call *call, struct err *err) {
    static const struct str columns[] = { STR_INIT("c") };
    struct atom atom = { VERB_READ, STR("spanner demo/flights"), STR("Things"), STR(""), columns, 1, false };
    return atoms_add(&call->atoms, call->arena, atom) ? OK : err_oom(err);
}

static void end_ok(struct call *call) {
    struct lro_GetOperationRequest echo = { .name = name_of(call) };
    if (call_write_message(call, &echo)) call_end_ok(call);
    else call_end(call, CANCELLED, NULL);
}

static void *wait_for_door(void *arg) {
    unsigned now = atomic_fetch_add(&inside, 1) + 1, most = atomic_load(&most_inside);
    while (now > most && !atomic_compare_exchange_weak(&most_inside, &most, now)) {}
    for (unsigned i = 0; !atomic_load(&open_door) && i < 20000; i++) usleep(500);
    atomic_fetch_sub(&inside, 1);
    end_ok(arg);
    return NULL;
}

static void handle(struct call *call) {
    pthread_t thread;
    if (str_eq(name_of(call), STR("things/ok"))) {
        end_ok(call);
        return;
    }
    assert_int_equal(pthread_create(&thread, NULL, wait_for_door, call), 0);
    pthread_detach(thread);
}

/* One small message, and then nothing until the door opens. */
static void *stream_on_thread(void *arg) {
    struct call *call = arg;
    struct spanner_PartialResultSet part = { .resume_token = STR("t") };
    bool taken = call_write_message(call, &part);
    for (unsigned i = 0; taken && !call_cancelled(call) && !atomic_load(&open_door) && i < 20000; i++) usleep(500);
    call_end_ok(call);
    return NULL;
}

static void handle_stream(struct call *call) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stream_on_thread, call), 0);
    pthread_detach(thread);
}

#define ROW(Name, Verb, Path, Body, ...)                                                                                   \
    {                                                                                                                      \
        .grpc = "test.Service/" Name, .verb = Verb, .path = Path, .body = Body, .request = &lro_GetOperationRequest_msg,   \
        .permission = "test." Name, .classify = classify, __VA_ARGS__                                                      \
    }
static const struct method methods[] = {
    ROW("Unary", "POST", "/v1/{name=things/*}:unary", "*", .response = &lro_GetOperationRequest_msg, .handle = handle),
    ROW("Commit", NULL, NULL, NULL, .response = &lro_GetOperationRequest_msg, .handle = handle, .commits = true),
    ROW("Stream", NULL, NULL, NULL, .response = &spanner_PartialResultSet_msg, .streaming = true, .handle = handle_stream),
};
static const struct service service = { .name = "test", .methods = methods, .n_methods = COUNT(methods) };

static void start(const char *policy) {
    atomic_store(&most_inside, 0);
    atomic_store(&open_door, false);
    gate_rig_start(&service, policy);
}

static int tear_down(void **state) {
    (void)state;
    atomic_store(&open_door, true);
    gate_rig_stop();
    return 0;
}

static void until_inside(unsigned n) {
    for (unsigned i = 0; atomic_load(&inside) != n && i < 2000; i++) reply_turn(2);
    assert_int_equal(atomic_load(&inside), n);
}

static void until_free(void) {
    for (unsigned i = 0; gate_rig_under_way() && i < 1000; i++) reply_turn(5);
    assert_int_equal(gate_rig_under_way(), 0);
}

static enum code ask(const char *method, struct reply *ret) {
    *ret = (struct reply){ 0 };
    reply_grpc(ret, method, "things/ok", NULL, 0);
    reply_wait(ret);
    return ret->code;
}

static enum code unary(void) {
    struct reply r;
    return ask("/test.Service/Unary", &r);
}

static void hold(struct reply *replies, unsigned n, const char *method) {
    for (unsigned i = 0; i < n; i++) {
        replies[i] = (struct reply){ 0 };
        reply_grpc(&replies[i], method, "things/hold", NULL, 0);
    }
}

static void let_go(struct reply *replies, unsigned n) {
    atomic_store(&open_door, true);
    for (unsigned i = 0; i < n; i++) reply_wait(&replies[i]);
}

/* ---- at once ---- */

static void so_many_at_once_and_the_refused_is_told(void **state) {
    (void)state;
    struct reply held[3], r;
    start(LIMIT("reader", "3 requests at once"));
    hold(held, 3, "/test.Service/Unary");
    until_inside(3);
    assert_int_equal(ask("/test.Service/Unary", &r), RESOURCE_EXHAUSTED);
    if (!strstr(r.message, "LIMIT_REACHED: reader has no more than 3 requests at once in spanner demo/flights (rule cap): "
                           "try again in 100 ms (request "))
        fail_msg("%s", r.message);
    assert_memory_equal(r.retry, "CgUQgMLXLw", 10); /* RetryInfo{retry_delay{nanos: 100,000,000}} */
    struct found f = audit_find("Unary", "LIMIT_REACHED");
    assert_int_equal(f.n, 1);
    assert_int_equal(f.kind, EVENT_REFUSAL);
    assert_int_equal(f.code, RESOURCE_EXHAUSTED);
    if (!strstr(r.message, f.id)) fail_msg("%s lacks %s", r.message, f.id);
    gate_rig_become("other@demo");
    assert_int_equal(unary(), OK); /* a neighbour */
    gate_rig_become("reader@demo");
    let_go(held, 3);
    assert_int_equal(atomic_load(&most_inside), 3);
    for (unsigned i = 0; i < 3; i++) assert_int_equal(held[i].code, OK);
    for (unsigned i = 0; i < 200; i++) assert_int_equal(unary(), OK); /* one after the other is never two */
}

static void rest_hears_it_too(void **state) {
    (void)state;
    struct reply held[1], r = { 0 };
    start(LIMIT("reader", "1 requests at once"));
    hold(held, 1, "/test.Service/Unary");
    until_inside(1);
    reply_rest(&r, "POST", "/v1/things/ok:unary", "{}");
    reply_wait(&r);
    assert_int_equal(r.http_status, 429);
    if (!strstr(r.first, "LIMIT_REACHED") || !strstr(r.first, "\"retryDelay\":\"0.100s\"")) fail_msg("%s", r.first);
    let_go(held, 1);
}

static void one_after_the_other_is_never_two(void **state) {
    (void)state;
    start(LIMIT("reader", "1 requests at once"));
    for (unsigned i = 0; i < 300; i++) {
        struct reply r = { 0 };
        if (i % 2) reply_rest(&r, "POST", "/v1/things/ok:unary", "{}"); /* on another connection */
        else reply_grpc(&r, "/test.Service/Unary", "things/ok", NULL, 0);
        reply_wait(&r);
        assert_int_equal(i % 2 ? (r.http_status == 200 ? OK : UNKNOWN) : r.code, OK);
    }
}

static void commits_are_counted_apart(void **state) {
    (void)state;
    struct reply held[2], r;
    start(LIMIT("reader", "2 commits at once"));
    hold(held, 2, "/test.Service/Commit");
    until_inside(2);
    assert_int_equal(ask("/test.Service/Commit", &r), RESOURCE_EXHAUSTED);
    if (!strstr(r.message, "2 commits at once")) fail_msg("%s", r.message);
    assert_int_equal(unary(), OK);
    let_go(held, 2);
    assert_int_equal(ask("/test.Service/Commit", &r), OK);
}

static void a_client_that_goes_leaves_its_place_when_the_work_is_over(void **state) {
    (void)state;
    struct reply held[1];
    start(LIMIT("reader", "1 requests at once"));
    hold(held, 1, "/test.Service/Unary");
    until_inside(1);
    http_call_cancel(held[0].call);
    reply_turn(50);
    assert_int_equal(unary(), RESOURCE_EXHAUSTED); /* the service is still at it */
    atomic_store(&open_door, true);
    until_free();
    assert_int_equal(unary(), OK);
}

static void a_stream_counts_until_it_ends(void **state) {
    (void)state;
    struct reply stream = { 0 };
    bool begun = false;
    start(LIMIT("reader", "1 requests at once"));
    reply_grpc(&stream, "/test.Service/Stream", "things/x", NULL, 0);
    for (unsigned i = 0; !begun && i < 1000; i++) {
        reply_turn(5);
        begun = stream.messages == 1;
    }
    assert_true(begun);
    assert_int_equal(unary(), RESOURCE_EXHAUSTED);
    let_go(&stream, 1);
    assert_int_equal(stream.code, OK);
    assert_int_equal(unary(), OK);
    atomic_store(&open_door, false);
    stream = (struct reply){ 0 };
    reply_grpc(&stream, "/test.Service/Stream", "things/x", NULL, 0);
    for (unsigned i = 0; !stream.messages && i < 1000; i++) reply_turn(5);
    assert_int_equal(unary(), RESOURCE_EXHAUSTED);
    http_call_cancel(stream.call);
    grpc_deframer_free(&stream.frames);
    until_free();
    assert_int_equal(unary(), OK);
}

static void what_is_refused_otherwise_takes_no_place(void **state) {
    (void)state;
    start(LIMIT(
        "reader",
        "1 requests at once, 100000 requests per second") "deny reader to read Things in spanner demo/flights owner o\n");
    for (unsigned i = 0; i < 5; i++) assert_int_equal(unary(), PERMISSION_DENIED);
    gate_set_policy(&rig.gate, gate_rig_policy(LIMIT("reader", "1 requests at once")));
    assert_int_equal(unary(), OK);
}

/* ---- a second ---- */

static void so_many_a_second(void **state) {
    (void)state;
    unsigned through = 0, refused = 0;
    start(LIMIT("reader", "20 requests per second"));
    uint64_t begin = clock_mono_us(), end = begin + 1500000;
    while (clock_mono_us() < end) {
        enum code code = unary();
        assert_true(code == OK || code == RESOURCE_EXHAUSTED);
        *(code ? &refused : &through) += 1;
    }
    uint64_t passed = clock_mono_us() - begin;
    assert_true(refused > 0);
    assert_in_range(through, 20, 20 + 20 * passed / 1000000 + 1);
    gate_rig_become("other@demo");
    for (unsigned i = 0; i < 40; i++) assert_int_equal(unary(), OK);
}

/* ---- a new policy ---- */

static void a_reload_forgets_nothing(void **state) {
    (void)state;
    struct reply held[2];
    start(LIMIT("reader", "2 requests at once"));
    hold(held, 2, "/test.Service/Unary");
    until_inside(2);
    gate_set_policy(&rig.gate, gate_rig_policy("# again\n" LIMIT("reader", "2 requests at once")));
    assert_int_equal(unary(), RESOURCE_EXHAUSTED);
    gate_set_policy(&rig.gate, gate_rig_policy(LIMIT("reader", "3 requests at once"))); /* the same label */
    assert_int_equal(unary(), OK);
    gate_set_policy(&rig.gate, gate_rig_policy(LIMIT("reader", "1 requests at once")));
    assert_int_equal(unary(), RESOURCE_EXHAUSTED);
    gate_set_policy(&rig.gate, gate_rig_policy(HEAD));
    assert_int_equal(unary(), OK);
    let_go(held, 2); /* what was counted under a limit that is gone */
    gate_set_policy(&rig.gate, gate_rig_policy(LIMIT("reader", "1 requests at once")));
    for (unsigned i = 0; i < 5; i++) assert_int_equal(unary(), OK);
}

/* ---- everybody ---- */

static void anyone_is_each_by_itself(void **state) {
    (void)state;
    struct reply held[2];
    start(LIMIT("anyone", "1 requests at once"));
    hold(held, 1, "/test.Service/Unary");
    gate_rig_become("other@demo");
    hold(held + 1, 1, "/test.Service/Unary");
    until_inside(2);
    assert_int_equal(unary(), RESOURCE_EXHAUSTED);
    let_go(held, 2);
    assert_int_equal(held[0].code, OK);
    assert_int_equal(held[1].code, OK);
}

static void names_of_one_rule_count_apart(void **state) {
    (void)state;
    struct reply held[1];
    start(LIMIT("reader, other", "1 requests at once"));
    hold(held, 1, "/test.Service/Unary");
    until_inside(1);
    assert_int_equal(unary(), RESOURCE_EXHAUSTED);
    gate_rig_become("other@demo");
    assert_int_equal(unary(), OK);
    let_go(held, 1);
}

static void the_configuration_s_limit_is_everybody_s(void **state) {
    (void)state;
    struct reply held[2], r;
    start(HEAD);
    rig.gate.per_account.at_once = 2;
    hold(held, 2, "/test.Service/Unary");
    until_inside(2);
    assert_int_equal(ask("/test.Service/Unary", &r), RESOURCE_EXHAUSTED);
    if (!strstr(r.message, "reader@demo has no more than 2 requests at once (limits.per_account): try again in 100 ms"))
        fail_msg("%s", r.message);
    gate_rig_become("other@demo");
    assert_int_equal(unary(), OK);
    let_go(held, 2);
    rig.gate.per_account.per_second = 3;
    for (unsigned i = 0; i < 3; i++) assert_int_equal(unary(), OK);
    assert_int_equal(ask("/test.Service/Unary", &r), RESOURCE_EXHAUSTED);
    if (!strstr(r.message, "3 requests per second (limits.per_account)")) fail_msg("%s", r.message);
    assert_true(strlen(r.retry) > 4);
}

int main(void) {
#define TEST(Fn) cmocka_unit_test_teardown(Fn, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(so_many_at_once_and_the_refused_is_told),
        TEST(rest_hears_it_too),
        TEST(one_after_the_other_is_never_two),
        TEST(commits_are_counted_apart),
        TEST(a_client_that_goes_leaves_its_place_when_the_work_is_over),
        TEST(a_stream_counts_until_it_ends),
        TEST(what_is_refused_otherwise_takes_no_place),
        TEST(so_many_a_second),
        TEST(a_reload_forgets_nothing),
        TEST(anyone_is_each_by_itself),
        TEST(names_of_one_rule_count_apart),
        TEST(the_configuration_s_limit_is_everybody_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
