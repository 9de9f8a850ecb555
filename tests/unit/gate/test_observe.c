/* Observed: a request is counted once, whatever came of it, under names that no stranger chooses; its trace goes through.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gate_rig.h"
#include "gate/observe.h"
#include "service/call.h"
#include "wire/pb/lro.pb.h"

static struct { char parent[64]; } last;

static enum code classify(struct call *call, struct err *err) {
    struct atom atom = { VERB_READ, STR("spanner demo/db"), STR("T"), .columns = NULL };
    atom.any_column = true;
    return atoms_add(&call->atoms, call->arena, atom) ? OK : err_oom(err);
}

/* Says that it went on to an upstream, as upstream/forward.c does. */
static void handle(struct call *call) {
    snprintf(last.parent, sizeof last.parent, "%.*s", STR_ARG(call->traceparent));
    call->outcome.upstream = STR("prod.spanner");
    call->outcome.upstream_us = 3000;
    struct lro_Operation answer = { .name = STR("answer") };
    if (call_write_message(call, &answer)) call_end_ok(call);
    else call_end(call, INTERNAL, NULL);
}

static const struct method methods[] = {
    { .grpc = "test.Test/Unary",
      .request = &lro_GetOperationRequest_msg,
      .response = &lro_Operation_msg,
      .permission = "test.unary",
      .classify = classify,
      .handle = handle },
};
static const struct service service = { .name = "test", .methods = methods, .n_methods = COUNT(methods) };

static const char policy[] = "domain d covers spanner demo/* owner team\n"
                             "account reader is \"reader@demo\"\n"
                             "look: allow reader to read every table in spanner demo/db owner team until 2099-01-01\n";

static int start(void **state) {
    (void)state;
    struct err err = { 0 };
    gate_rig_start(&service, policy);
    assert_int_equal(observe_new(&rig.gate, NULL, &rig.gate.observe, &err), OK);
    (void)gate_rig_under_way(); /* a task: the worker sees it from now on */
    return 0;
}

static int stop(void **state) {
    (void)state;
    gate_rig_drain();
    struct observe *observe = rig.gate.observe;
    gate_rig_stop();
    observe_free(observe);
    return 0;
}

static void call(const char *path, unsigned flags, enum code expected) {
    struct reply r = { 0 };
    reply_grpc(&r, path, "x", NULL, flags);
    reply_wait(&r);
    if (r.code != expected) fail_msg("%d %s", r.code, r.message);
}

static void assert_line(const char *line) {
    DEFER(buf_free) struct buf out = BUF_INIT(1 << 20);
    buf_add_char(&out, '\n');
    observe_print(rig.gate.observe, &out);
    assert_true(buf_ok(&out));
    if (str_find(buf_str(&out), str_z(line)) < 0) fail_msg("no \"%s\" in:%.*s", line, STR_ARG(buf_str(&out)));
}

static void test_counted_once(void **state) {
    (void)state;
    for (unsigned i = 0; i < 3; i++) call("/test.Test/Unary", 0, OK);
    call("/test.Test/Unary", ANONYMOUS, UNAUTHENTICATED);
    call("/evil.Evil/Name", 0, UNIMPLEMENTED);
    gate_rig_become("other@demo");
    call("/test.Test/Unary", 0, PERMISSION_DENIED);
    assert_line("\nlinkspan_requests_total{service=\"test\",method=\"test.Test.Unary\",code=\"OK\",reason=\"\"} 3\n");
    assert_line("\nlinkspan_requests_total{service=\"test\",method=\"test.Test.Unary\",code=\"UNAUTHENTICATED\",reason="
                "\"NO_PROOF\"} 1\n");
    assert_line(
        "\nlinkspan_requests_total{service=\"\",method=\"unknown\",code=\"UNIMPLEMENTED\",reason=\"METHOD_UNKNOWN\"} 1\n");
    assert_line("\nlinkspan_request_seconds_count{method=\"test.Test.Unary\"} 5\n");
    assert_line("\nlinkspan_account_request_seconds_count{account=\"reader@demo\"} 3\n");
    assert_line("\nlinkspan_account_request_seconds_count{account=\"other@demo\"} 1\n");
    assert_line("\nlinkspan_account_request_seconds_count{account=\"unidentified\"} 2\n");
    assert_line("\nlinkspan_token_verifications_total{result=\"cached\"} 2\n");
    assert_line("\nlinkspan_token_verifications_total{result=\"verified\"} 2\n");
    assert_line("\nlinkspan_requests_under_way 0\n");
}

static void test_upstream(void **state) {
    (void)state;
    call("/test.Test/Unary", 0, OK);
    assert_line("\nlinkspan_upstream_requests_total{upstream=\"prod.spanner\",code=\"OK\"} 1\n");
    assert_line("\nlinkspan_upstream_seconds_sum{upstream=\"prod.spanner\"} 0.003000\n");
    assert_line("\nlinkspan_upstream_seconds_count{upstream=\"prod.spanner\"} 1\n");
}

/* Without a caller's there is one of our own, new each time. */
static void test_own_trace(void **state) {
    (void)state;
    char first[64];
    call("/test.Test/Unary", 0, OK);
    memcpy(first, last.parent, sizeof first);
    struct trace_parent p;
    assert_true(trace_parent_parse(str_z(first), &p));
    assert_false(p.sampled);
    call("/test.Test/Unary", 0, OK);
    assert_true(trace_parent_parse(str_z(last.parent), &p));
    assert_memory_not_equal(first, last.parent, 3 + TRACE_ID_LENGTH);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_counted_once, start, stop),
        cmocka_unit_test_setup_teardown(test_upstream, start, stop),
        cmocka_unit_test_setup_teardown(test_own_trace, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
