/* test_tokens.c: Linkspan as an issuer, and a job's own endpoints. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"
#include "gate/endpoint.h"
#include "gate/tokens.h"
#include "gate/route.h"
#include "gate_rig.h"
#include "service/call.h"

#define POLICY                                                                                                             \
    "domain d covers spanner demo/flights owner o\naccount reader is \"reader@demo\"\naccount deployer is "                \
    "\"deployer@demo\"\naccount other is \"other@demo\"\n"                                                                 \
    "allow reader to act as deployer owner o until 2099-01-01\n"                                                           \
    "allow other to read T in spanner demo/flights owner o until 2099-01-01\n"
#define ACCOUNTS "/v1/projects/-/serviceAccounts/"

/* Who asks, as the gate sees it. */
static void who(struct call *call) {
    char text[300];
    const struct principal *p = call->principal;
    int n = snprintf(text, sizeof text, "%.*s job %.*s run %.*s for %.*s%s", STR_ARG(p->actor.subject), STR_ARG(p->job),
                     STR_ARG(p->job_run), STR_ARG(p->n_chain ? p->chain[0].subject : STR("nobody")),
                     call->endpoint ? " by its endpoint" : "");
    call_reply_http(call, 200, "text/plain", (struct str){ text, (size_t)n });
    call_end_ok(call);
}

static const struct method who_methods[] = {
    { .verb = "GET", .path = "/v1/who", .permission = "who", .door = DOOR_FILTERED, .handle = who },
};
static const struct service who_service = { .name = "who", .methods = who_methods, .n_methods = 1, .for_jobs = true };

static struct reply last;
static struct service service;
static uint16_t public_port;

static void expect(const char *verb, const char *path, const char *body, unsigned status, const char *text) {
    memset(&last, 0, sizeof last);
    reply_rest(&last, verb, path, body);
    reply_wait(&last);
    if (last.http_status != status || !strstr(last.first, text))
        fail_msg("%s %s: should be %u with %s, is %u %s %s", verb, path, status, text, last.http_status, last.first,
                 last.error);
}

static int set_up(void **state) {
    (void)state;
    struct err err;
    service = tokens_service(&rig.gate);
    gate_rig_start(&service, POLICY);
    if (routes_add(rig.gate.routes, &who_service, &err)) fail_msg("%s", err.message);
    rig.gate.metadata = metadata_service(&rig.gate);
    public_port = rig.port;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    gate_rig_stop();
    return 0;
}

static void test_public(void **state) {
    (void)state;
    expect("GET", "/healthz", "", 200, "ok");
    expect("GET", "/v1/jwks", "", 200, "\"kty\":\"EC\"");
    expect("GET", "/.well-known/openid-configuration", "", 200, "/v1/jwks");
    expect("POST", "/v1/token", "nonsense", 400, "error");
    expect("GET", "/v1/who", "", 200, "reader@demo job  run  for nobody");
    snprintf(rig.bearer, sizeof rig.bearer, "Bearer nonsense");
    expect("GET", "/v1/who", "", 401, "UNAUTHENTICATED");
    snprintf(rig.bearer, sizeof rig.bearer, "Basic nonsense");
    expect("GET", "/v1/who", "", 401, "NO_PROOF");
}

static void test_act_as(void **state) {
    (void)state;
    static const char body[] = "{\"scope\":[\"https://www.googleapis.com/auth/cloud-platform\"]}";
    expect("POST", ACCOUNTS "deployer@demo:generateAccessToken", body, 200, "\"accessToken\":\"");
    struct found f = audit_find(ACCOUNTS "*:generateAccessToken", "");
    assert_int_equal(f.n, 2);
    assert_int_equal(f.before, EVENT_INTENT);
    const char *token = strstr(last.first, "\"accessToken\":\"") + strlen("\"accessToken\":\"");
    snprintf(rig.bearer, sizeof rig.bearer, "Bearer %.*s", (int)strcspn(token, "\""), token);
    expect("GET", "/v1/who", "", 200, "deployer@demo job  run  for reader@demo");
    gate_rig_become("reader@demo");
    expect("POST", ACCOUNTS "other@demo:generateAccessToken", body, 403, "NO_RULE");
    expect("POST", ACCOUNTS "other@demo:generateAccessToken", body, 403, "reader@demo may not act as other@demo");
    expect("POST", ACCOUNTS "deployer%40demo:generateAccessToken", body, 200, "accessToken");
    expect("POST", ACCOUNTS "deployer@demo%2Fx:generateAccessToken", body, 404, "error");
}

/* ---- a job's endpoints ---- */

static int listen_at(uint16_t *ret_port) {
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static void test_job(void **state) {
    (void)state;
    struct job_endpoints endpoints = endpoints_of(&rig.gate);
    struct principal submitter = { .actor = { .kind = ACTOR_ACCOUNT, .subject = STR("reader@demo") } };
    uint16_t api, metadata;
    char host[32];
    struct job_endpoints_spec spec = { .run = STR("run1"),
                                       .job = STR("n/a"),
                                       .account = STR("deployer@demo"),
                                       .project = STR("p"),
                                       .submitter = &submitter,
                                       .api_fd = listen_at(&api) };
    spec.metadata_fds[0] = listen_at(&metadata);
    spec.metadata_fds[1] = -1;
    snprintf(host, sizeof host, "127.0.0.1:%u", metadata);
    spec.metadata_hosts[0] = host;
    void *endpoint;
    struct err err;
    if (endpoints.open(endpoints.ctx, &spec, &endpoint, &err)) fail_msg("%s", err.message);
    rig.port = api; /* the reader's token in the header counts for nothing here */
    expect("GET", "/v1/who", "", 200, "deployer@demo job n/a run run1 for reader@demo by its endpoint");
    expect("GET", "/healthz", "", 501, "METHOD_UNKNOWN"); /* not for jobs */
    expect("POST", ACCOUNTS "other@demo:generateAccessToken", "{}", 501, "METHOD_UNKNOWN");
    rig.port = metadata;
    expect("GET", "/computeMetadata/v1/project/project-id", "", 200, "p");
    expect("GET", "/v1/who", "", 404, "");
    expect("GET", "/computeMetadata/v1/instance/service-accounts/default/token", "", 200, "\"access_token\":\"");
    const char *token = strstr(last.first, "\"access_token\":\"") + strlen("\"access_token\":\"");
    snprintf(rig.bearer, sizeof rig.bearer, "Bearer %.*s", (int)strcspn(token, "\""), token);
    assert_int_equal(audit_find("/computeMetadata/v1", "").n, 1); /* told of before the token left */
    rig.port = public_port;
    expect("GET", "/v1/who", "", 200, "deployer@demo job n/a run run1 for reader@demo");
    struct live_runs *before = rig.identity.runs;
    rig.identity.runs = live_runs_new(); /* as after a restart */
    expect("GET", "/v1/who", "", 401, "UNAUTHENTICATED");
    live_runs_free(rig.identity.runs);
    rig.identity.runs = before;
    expect("GET", "/v1/who", "", 200, "deployer@demo job n/a run run1 for reader@demo");
    endpoints.close(endpoints.ctx, endpoint);
    expect("GET", "/v1/who", "", 401, "UNAUTHENTICATED"); /* its tokens end with it */
    rig.port = api;
    memset(&last, 0, sizeof last);
    reply_rest(&last, "GET", "/v1/who", "");
    reply_until(&last, &last.over);
    assert_true(last.failed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = { TEST(test_public), TEST(test_act_as), TEST(test_job) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
