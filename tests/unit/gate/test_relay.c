/* test_relay.c: a request on its way to a generic service: without memory at each place, and with a token that is not
 * taken. */
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "gate/config.h"
#include "gate/relay.h"
#include "gate/upstreams.h"
#include "gate_rig.h"
#include "identity/exchange.h"

enum { SECOND = 1000000 };

/* ---- the service, on the test's loop ---- */

static struct far {
    struct loop *loop;
    struct http_server *server;
    uint16_t port;
    unsigned requests;
    char bearer[100]; /* of the last request */
    bool proxied;     /* something before it says so instead of it, and speaks no gRPC */
} far;

static const struct http_header GRPC_HEAD[] = { { STR_INIT("content-type"), STR_INIT("application/grpc") } };
static const struct http_header FINE[] = { { STR_INIT("grpc-status"), STR_INIT("0") } };
static const struct http_header NO[] = { { STR_INIT("content-type"), STR_INIT("application/grpc") },
                                         { STR_INIT("grpc-status"), STR_INIT("16") } };

/* "token-1" is never taken. */
static void on_far_request(struct http_stream *s, const struct http_request *r, void *ctx) {
    (void)ctx;
    struct str bearer = http_header_value(r->headers, r->n_headers, STR("authorization"));
    bool grpc = str_eq(http_header_value(r->headers, r->n_headers, STR("content-type")), GRPC_HEAD[0].value);
    bool taken = !str_eq(bearer, STR("Bearer token-1"));
    far.requests++;
    (void)snprintf(far.bearer, sizeof far.bearer, "%.*s", STR_ARG(bearer));
    if (grpc && !taken && far.proxied) http_reply_simple(s, 401, STR("text/html"), STR("<html>who are you"));
    else if (grpc && !taken) http_reply_headers_only(s, 200, NO, COUNT(NO));
    else {
        http_reply_headers(s, taken ? 200 : 401, GRPC_HEAD, grpc);
        struct str body = grpc ? (struct str){ "\0\0\0\0\2hi", 7 } : STR("hi");
        assert_int_equal(http_reply_data(s, body), body.n);
        http_reply_end(s, FINE, grpc);
    }
}

static void no_gone(struct http_stream *s, enum http_gone why, void *ctx) {
    (void)s;
    (void)why;
    (void)ctx;
}

static void open_far(void) {
    struct err err = { 0 };
    far = (struct far){ 0 };
    assert_int_equal(loop_new(&far.loop, &err), OK);
    struct http_server_config config = { .loop = far.loop,
                                         .handler = { .on_request = on_far_request, .on_gone = no_gone } };
    struct http_listen listen = { .address = STR("127.0.0.1:0") };
    struct http_listener *listener;
    assert_int_equal(http_server_new(&config, &far.server, &err), OK);
    assert_int_equal(http_server_listen(far.server, &listen, &listener, &err), OK);
    far.port = http_listener_port(listener);
}

static void close_far(void) {
    http_server_free(far.server);
    loop_free(far.loop);
}

/* ---- the gate: a service at its own address, without a token or with one of an exchange that answers at once ---- */

static struct config config;
static struct upstream *proved;
static struct exchange *exchange;
static unsigned fetched;

static struct http_client *client_of(void *ctx, struct loop *loop) {
    (void)loop;
    return ctx;
}

static enum code subject(void *ctx, const struct principal *principal, struct buf *ret, struct err *err) {
    (void)ctx;
    (void)principal;
    buf_add_z(ret, "subject");
    return buf_ok(ret) ? OK : err_oom(err);
}

static void post(void *ctx, const struct exchange_request *request, exchange_done *done, void *arg) {
    (void)ctx;
    (void)request;
    char body[200];
    int n = snprintf(body, sizeof body, "{\"access_token\":\"token-%u\",\"token_type\":\"Bearer\",\"expires_in\":3600}",
                     ++fetched);
    done(arg, &(struct exchange_answer){ .status = 200, .body = { body, (size_t)n } });
}

static void configure(void) {
    struct config_connection *c = &config.connections[0];
    static char endpoint[64];
    config =
        (struct config){ .n_connections = 1, .development = true, .url = STR("https://linkspan.example"), .ca = "/none" };
    *c = (struct config_connection){ .name = STR("shop"), .service = { .present = true, .hosts = { STR("127.0.0.1") } } };
    c->service.n_hosts = 1;
    c->service.endpoint = (struct str){ endpoint,
                                        (size_t)snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", far.port) };
    c->service.timeout_ms = 5000;
    c->service.far =
        (struct config_upstream){ .scheme = STR("http"), .host = STR("127.0.0.1"), .port = far.port, .loopback = true };
}

static void open_relays(void) {
    struct err err = { 0 };
    configure();
    rig.gate.config = &config;
    if (upstreams_open(&rig.gate, &rig.gate.upstreams, &err)) fail_msg("%s", err.message);
    if (relays_open(&rig.gate, &rig.gate.relays, &err)) fail_msg("%s", err.message);
}

/* The service's upstream becomes one with an exchange, before a worker runs. */
static void open_proved_relays(void) {
    static const struct exchange_effects effects = { NULL, subject, post };
    const struct exchange_config at = { .token_url = STR("https://sts.example/"),
                                        .audience = STR("a"),
                                        .subject_token_type = STR("urn:ietf:params:oauth:token-type:jwt") };
    struct err err = { 0 };
    open_relays();
    const struct http_request any = { .listener_ctx = &rig.gate.public_door, .authority = STR("127.0.0.1") };
    struct relay_service *to = (struct relay_service *)(uintptr_t)relay_find(&rig.gate, &any);
    assert_non_null(to);
    struct upstream_config upstream = *upstream_config(to->upstream);
    fetched = 0;
    assert_int_equal(exchange_new(&at, &effects, 0, &exchange, &err), OK);
    upstream.exchange = exchange;
    upstream.scopes[upstream.n_scopes++] = STR("all");
    upstream.ctx = upstream.client(upstream.ctx, rig.gate.workers[0].loop);
    upstream.client = client_of;
    assert_int_equal(upstream_new(&upstream, &proved, &err), OK);
    to->upstream = proved;
}

static void close_relays(void) {
    relays_free(rig.gate.relays);
    upstreams_free(rig.gate.upstreams);
    upstream_free(proved);
    exchange_free(exchange);
    proved = NULL;
    exchange = NULL;
}

static void start(void (*open)(void)) {
    static const struct service none = { .name = "none" };
    char policy[500];
    open_far();
    (void)snprintf(policy, sizeof policy,
                   "domain d covers spanner demo/flights owner o\naccount reader is \"reader@demo\"\n"
                   "allow reader to call \"http://127.0.0.1:%u/*\" with audience \"\" owner o until 2099-01-01\n",
                   far.port);
    gate_rig_open_more = open;
    gate_rig_close_more = close_relays;
    gate_rig_start(&none, policy);
}

static int teardown(void **state) {
    (void)state;
    clock_set_for_test(0);
    gate_rig_stop();
    close_far();
    return 0;
}

static int open_bare(void **state) {
    (void)state;
    start(open_relays);
    return 0;
}

static int open_proved(void **state) {
    (void)state;
    start(open_proved_relays);
    return 0;
}

/* ---- calls ---- */

static struct reply last;

static void wait(void) {
    uint64_t end = clock_mono_us() + 10 * (uint64_t)SECOND;
    while (!last.over && clock_mono_us() < end) {
        loop_run_once(rig.loop, 1);
        loop_run_once(far.loop, 1);
    }
    if (!last.over) fail_msg("nothing came back: %s %s", last.message, last.error);
    grpc_deframer_free(&last.frames);
}

static void ask_grpc(void) {
    memset(&last, 0, sizeof last);
    reply_grpc(&last, "/shop.Orders/List", "all", "5S", 0);
    wait();
}

static void ask_http(void) {
    memset(&last, 0, sizeof last);
    reply_rest(&last, "POST", "/orders?x=1", "{}");
    wait();
}

/* ---- tests ---- */

static bool went_well(void) {
    return !last.failed && last.http_status == 200 && last.code == OK && last.bytes == (last.grpc ? 7 : 2);
}

/* Whatever fails for want of memory: one end, an error or the whole answer; and the next caller is served. */
static void sweep(void (*ask)(void)) {
    unsigned failed = 0, well = 0;
    for (unsigned n = 1; n <= 150; n++) {
        gate_rig_fail_after(n);
        ask();
        gate_rig_fail_after(0);
        if (went_well()) well++;
        else failed++;
        if (!last.failed && !went_well()) assert_true(last.http_status >= 400 || last.code != OK);
    }
    ask();
    assert_true(went_well());
    for (unsigned i = 0; gate_rig_under_way() && i < 1000; i++) reply_turn(5);
    assert_int_equal(gate_rig_under_way(), 0);
    if (failed < 10 || well < 10) fail_msg("%u failed, %u went well: where is the end of the allocations?", failed, well);
}

static void test_grpc_without_memory(void **state) {
    (void)state;
    sweep(ask_grpc);
}

static void test_http_without_memory(void **state) {
    (void)state;
    sweep(ask_http);
}

/* Of the second token on: the first is not taken, and is 31 s old. */
static void get_second_token(void) {
    int64_t now = clock_wall_us();
    ask_http();
    clock_set_for_test(now + 31 * (int64_t)SECOND);
    ask_http();
    assert_true(went_well());
}

static void test_with_a_token_without_memory(void **state) {
    (void)state;
    get_second_token();
    sweep(ask_grpc);
    assert_string_equal(far.bearer, "Bearer token-2");
}

/* The caller can do nothing about it; the token is replaced once it is 30 s old, whoever asked for it first. */
static void test_a_token_that_is_not_taken(void **state) {
    (void)state;
    int64_t now = clock_wall_us();
    clock_set_for_test(now);
    ask_http();
    assert_int_equal(last.http_status, 503);
    if (!strstr(last.first, "the upstream of shop.service does not take the token")) fail_msg("%s", last.first);
    ask_grpc();
    assert_int_equal(last.code, UNAVAILABLE);
    assert_non_null(strstr(last.message, "does not take the token"));
    assert_int_equal(fetched, 1);
    assert_int_equal(far.requests, 2);
    clock_set_for_test(now + 31 * (int64_t)SECOND);
    ask_grpc();
    assert_true(went_well());
    assert_int_equal(fetched, 2);
    ask_http();
    assert_true(went_well());
    assert_int_equal(fetched, 2);
    struct found f = audit_find("shop.Orders.List", "");
    assert_int_equal(f.n, 2);
}

/* What stands before a gRPC service refuses as HTTP does. */
static void test_a_token_that_a_proxy_does_not_take(void **state) {
    (void)state;
    int64_t now = clock_wall_us();
    clock_set_for_test(now);
    far.proxied = true;
    ask_grpc();
    assert_int_equal(last.code, UNAVAILABLE);
    if (!strstr(last.message, "the upstream of shop.service does not take the token")) fail_msg("%s", last.message);
    clock_set_for_test(now + 31 * (int64_t)SECOND);
    ask_grpc();
    assert_true(went_well());
    assert_string_equal(far.bearer, "Bearer token-2");
    assert_int_equal(fetched, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_grpc_without_memory, open_bare, teardown),
        cmocka_unit_test_setup_teardown(test_http_without_memory, open_bare, teardown),
        cmocka_unit_test_setup_teardown(test_with_a_token_without_memory, open_proved, teardown),
        cmocka_unit_test_setup_teardown(test_a_token_that_is_not_taken, open_proved, teardown),
        cmocka_unit_test_setup_teardown(test_a_token_that_a_proxy_does_not_take, open_proved, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
