/* test_audience.c: a token for one service's audience, through the whole gate: its rows take it, others do not, and an
 * exchange does not turn it into one of ours. */
#include <stdio.h>
#include <string.h>
#include "audit/refusals.h"
#include "base/clock.h"
#include "crypto/key.h"
#include "gate/route.h"
#include "gate/tokens.h"
#include "gate_rig.h"
#include "identity/dev_issuer.h"
#include "service/call.h"

#define SYNAPSE "https://dev.azuresynapse.net"
#define POLICY                                                                                                             \
    "domain d covers spanner demo/flights owner o\naccount reader is \"reader@demo\"\n"                                    \
    "allow reader to read T in spanner demo/flights owner o until 2099-01-01\n"

static void who(struct call *call) {
    call_reply_http(call, 200, "text/plain", call->principal->actor.subject);
    call_end_ok(call);
}

static const struct method shared_rows[] = { { .verb = "GET", .path = "/shared", .door = DOOR_FILTERED, .handle = who } };
static const struct method plain_rows[] = { { .verb = "GET", .path = "/plain", .door = DOOR_FILTERED, .handle = who } };
static const struct service shared = {
    .name = "shared", .methods = shared_rows, .n_methods = 1, .audience = { SYNAPSE, sizeof SYNAPSE - 1 }
};
static const struct service plain = { .name = "plain", .methods = plain_rows, .n_methods = 1 };

static struct reply last;
static struct service tokens;
static struct dev_issuer *dev;

/* Beside our own issuer one whose tokens the test makes; before the first request. */
static void believe_dev(void) {
    struct err err = { 0 };
    DEFER(buf_free) struct buf own_keys = BUF_INIT(65536), dev_keys = BUF_INIT(65536);
    assert_int_equal(dev_issuer_new(STR("https://dev.example"), NULL, &dev, &err), OK);
    assert_int_equal(dev_issuer_jwks(dev, &dev_keys, &err), OK);
    assert_int_equal(mint_jwks(rig.identity.mint, &own_keys, &err), OK);
    struct issuer_config configs[] = {
        { .name = STR("linkspan"),
          .preset = ISSUER_OWN,
          .iss = mint_issuer_url(rig.identity.mint),
          .jwks_json = buf_str(&own_keys),
          .audiences = { mint_issuer_url(rig.identity.mint) },
          .n_audiences = 1 },
        { .name = STR("dev"),
          .iss = STR("https://dev.example"),
          .jwks_json = buf_str(&dev_keys),
          .audiences = { STR("api://linkspan") },
          .n_audiences = 1 },
    };
    issuers_free(rig.identity.issuers);
    if (issuers_new(configs, COUNT(configs), NULL, &rig.identity.issuers, &err)) fail_msg("%s", err.message);
}

static int set_up(void **state) {
    (void)state;
    struct err err;
    tokens = tokens_service(&rig.gate);
    gate_rig_start(&tokens, POLICY);
    if (routes_add(rig.gate.routes, &shared, &err) || routes_add(rig.gate.routes, &plain, &err))
        fail_msg("%s", err.message);
    believe_dev();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    gate_rig_stop();
    dev_issuer_free(dev);
    return 0;
}

static struct str token_for(const char *aud) {
    struct err err = { 0 };
    DEFER(buf_free) struct buf token = BUF_INIT(8192);
    struct dev_ask ask = {
        .shape = DEV_PLAIN, .subject = STR("alice"), .audience = str_z(aud), .now_s = clock_wall_s(), .life_s = 600
    };
    assert_int_equal(dev_issuer_token(dev, &ask, &token, &err), OK);
    snprintf(rig.bearer, sizeof rig.bearer, "Bearer %.*s", STR_ARG(buf_str(&token)));
    return str_from(str_z(rig.bearer), strlen("Bearer "));
}

static void expect(const char *verb, const char *path, const char *body, unsigned status, const char *text) {
    memset(&last, 0, sizeof last);
    reply_rest(&last, verb, path, body);
    reply_wait(&last);
    if (last.http_status != status || !strstr(last.first, text))
        fail_msg("%s %s: should be %u with %s, is %u %s %s", verb, path, status, text, last.http_status, last.first,
                 last.error);
}

static void test_a_shared_audience(void **state) {
    (void)state;
    static const char *const auds[] = { SYNAPSE, SYNAPSE "/" };
    for (size_t i = 0; i < COUNT(auds); i++) {
        (void)token_for(auds[i]);
        for (int k = 0; k < 2; k++) { /* the second time from the cache */
            expect("GET", "/plain", "", 401, "TOKEN_REJECTED");
            expect("GET", "/shared", "", 200, "alice");
            expect("GET", "/plain", "", 401, "TOKEN_REJECTED");
        }
    }
    reply_turn(1100);
    audit_refusals_tick(rig.gate.refusals); /* the cause is the operator's to see */
    assert_int_equal(audit_find("", "TOKEN_REJECTED").n, 0);
    assert_true(audit_find("", "AUDIENCE_WRONG").n > 0);
    (void)token_for(SYNAPSE "/x");
    expect("GET", "/shared", "", 401, "TOKEN_REJECTED");
}

static void test_others(void **state) {
    (void)state;
    (void)token_for("api://linkspan");
    expect("GET", "/shared", "", 200, "alice");
    expect("GET", "/plain", "", 200, "alice");
    gate_rig_become("reader@demo"); /* our own */
    expect("GET", "/shared", "", 200, "reader@demo");
    expect("GET", "/plain", "", 200, "reader@demo");
}

static void exchange(const char *aud, unsigned status, const char *text) {
    static char body[8192];
    struct str token = token_for(aud);
    snprintf(body, sizeof body,
             "{\"grantType\":\"urn:ietf:params:oauth:grant-type:token-exchange\","
             "\"subjectTokenType\":\"urn:ietf:params:oauth:token-type:jwt\",\"audience\":"
             "\"//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/dev\","
             "\"subjectToken\":\"%.*s\"}",
             STR_ARG(token));
    expect("POST", "/v1/token", body, status, text);
}

static void test_an_exchange(void **state) {
    (void)state;
    exchange("api://linkspan", 200, "access_token");
    exchange(SYNAPSE, 400, "invalid_grant");
    expect("GET", "/shared", "", 200, "alice"); /* also when it is cached as good */
    exchange(SYNAPSE, 400, "invalid_grant");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = { TEST(test_a_shared_audience), TEST(test_others), TEST(test_an_exchange) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
