/* test_tokens.c: Linkspan as an issuer, and a job's own endpoints. */
#include <arpa/inet.h>
#include <jansson.h>
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

#define WITHOUT_RUN                                                                                                        \
    "domain d covers spanner demo/flights, dataproc demo/batch owner o\naccount reader is \"reader@demo\"\n"               \
    "account deployer is \"deployer@demo\"\naccount other is \"other@demo\"\n"                                             \
    "identity team is oidc corp where \"team\" in groups\n"                                                                \
    "allow reader to act as deployer owner o until 2099-01-01\n"                                                           \
    "allow other to read T in spanner demo/flights owner o until 2099-01-01\n"
#define POLICY                                                                                                             \
    WITHOUT_RUN "run: allow reader, team to run jobs on dataproc demo/batch as deployer owner o until 2099-01-01\n"
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

/* A job that `who` submitted, not yet open. */
struct job {
    struct job_endpoints endpoints;
    struct job_endpoints_spec spec;
    void *endpoint;
    uint16_t api, metadata;
    char host[32];
    struct err err;
};

static const struct principal reader = { .actor = { .kind = ACTOR_ACCOUNT, .subject = STR_INIT("reader@demo") } };

static void make_job(struct job *job, const struct principal *who) {
    *job = (struct job){ .endpoints = endpoints_of(&rig.gate),
                         .spec = { .run = STR("run1"),
                                   .job = STR("n/a"),
                                   .account = STR("deployer@demo"),
                                   .project = STR("p"),
                                   .submitter = who,
                                   .asked = { .verb = VERB_RUN_JOB,
                                              .path = STR("dataproc demo/batch"),
                                              .object = STR("n/a"),
                                              .account = STR("deployer@demo") } } };
    job->spec.api_fd = listen_at(&job->api);
    job->spec.metadata_fds[0] = listen_at(&job->metadata);
    job->spec.metadata_fds[1] = -1;
    snprintf(job->host, sizeof job->host, "127.0.0.1:%u", job->metadata);
    job->spec.metadata_hosts[0] = job->host;
}

static enum code open_job(struct job *job) {
    return job->endpoints.open(job->endpoints.ctx, &job->spec, &job->endpoint, &job->err);
}

static void close_job(struct job *job) {
    job->endpoints.close(job->endpoints.ctx, job->endpoint);
}

static void test_job(void **state) {
    (void)state;
    struct job job;
    make_job(&job, &reader);
    uint16_t api = job.api, metadata = job.metadata;
    if (open_job(&job)) fail_msg("%s", job.err.message);
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
    close_job(&job);
    expect("GET", "/v1/who", "", 401, "UNAUTHENTICATED"); /* its tokens end with it */
    rig.port = api;
    memset(&last, 0, sizeof last);
    reply_rest(&last, "GET", "/v1/who", "");
    reply_until(&last, &last.over);
    assert_true(last.failed);
}

#define ACCOUNT "/computeMetadata/v1/instance/service-accounts/default/"

static void expect_tokens(unsigned status, const char *text) {
    expect("GET", ACCOUNT "token", "", status, text);
    expect("GET", ACCOUNT "identity?audience=https%3A%2F%2Fsvc", "", status, text);
}

/* What takes the right of whoever submitted, and what gives it back. */
static void test_tokens_end_with_the_rule(void **state) {
    (void)state;
    static const struct {
        const char *name, *policy, *reason;
    } cases[] = {
        { "the rule is gone", WITHOUT_RUN, "NO_RULE" },
        { "it has ended",
          WITHOUT_RUN "run: allow reader to run jobs on dataproc demo/batch as deployer owner o until 2020-01-01\n",
          "RULE_EXPIRED" },
        { "it is for another account",
          WITHOUT_RUN "run: allow reader to run jobs on dataproc demo/batch as other owner o until 2099-01-01\n",
          "NO_RULE" },
        { "a deny", POLICY "deny reader to run jobs on dataproc demo/batch as deployer owner o\n", "DENIED" },
        { "a deny of acting, which free code does", POLICY "deny reader to act as deployer owner o\n", "DENIED" },
    };
    struct job job;
    make_job(&job, &reader);
    job.spec.job = job.spec.asked.object = STR(""); /* free code */
    if (open_job(&job)) fail_msg("%s", job.err.message);
    rig.port = job.metadata;
    for (size_t i = 0; i < COUNT(cases); i++) {
        expect_tokens(200, "");
        gate_set_policy(&rig.gate, gate_rig_policy(cases[i].policy));
        expect_tokens(403, cases[i].reason);
        expect("GET", ACCOUNT "token", "", 403, "reader@demo may not run job in dataproc demo/batch as deployer@demo");
        struct found f = audit_find("/computeMetadata/v1", cases[i].reason);
        assert_int_equal(f.kind, EVENT_REFUSAL);
        assert_int_equal(f.code, PERMISSION_DENIED);
        assert_string_equal(f.subject, "reader@demo");
        assert_true(f.n >= 3);
        expect("GET", ACCOUNT "email", "", 200, "deployer@demo");
        gate_set_policy(&rig.gate, gate_rig_policy(POLICY));
    }
    close_job(&job);
}

static void test_a_run_that_waited_too_long_does_not_start(void **state) {
    (void)state;
    struct job job;
    make_job(&job, &reader);
    gate_set_policy(&rig.gate, gate_rig_policy(WITHOUT_RUN));
    assert_int_equal(open_job(&job), PERMISSION_DENIED);
    assert_non_null(strstr(job.err.message, "NO_RULE: reader@demo may not run job n/a in dataproc demo/batch as deployer"));
    struct found f = audit_find("dataproc.jobs.Start", "NO_RULE");
    assert_int_equal(f.kind, EVENT_REFUSAL);
    assert_string_equal(f.subject, "reader@demo");
    assert_non_null(strstr(job.err.message, f.id));
    rig.port = job.api;
    memset(&last, 0, sizeof last);
    reply_rest(&last, "GET", "/v1/who", "");
    reply_until(&last, &last.over);
    assert_true(last.failed); /* the descriptors were ours to close */
    assert_false(live_runs_has(rig.identity.runs, STR("run1")));
}

/* Conditions are asked of what the submit proved, although whoever proved it is long gone. */
static void test_the_claims_of_the_submit_stay(void **state) {
    (void)state;
    json_t *claims = json_pack("{s:[s]}", "groups", "team");
    struct principal ada = { .actor = {
                                 .kind = ACTOR_OIDC, .issuer = STR("corp"), .subject = STR("ada"), .claims = claims } };
    struct job job, other;
    make_job(&job, &ada);
    if (open_job(&job)) fail_msg("%s", job.err.message);
    json_decref(claims);
    memset(&ada, 0, sizeof ada);
    rig.port = job.metadata;
    expect_tokens(200, "");
    close_job(&job);
    ada.actor = (struct actor){ .kind = ACTOR_OIDC, .issuer = STR("corp"), .subject = STR("ada") };
    make_job(&other, &ada); /* its issuer sent no groups: not known is not allowed */
    assert_int_equal(open_job(&other), PERMISSION_DENIED);
    assert_non_null(strstr(other.err.message, "CLAIM_MISSING"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = { TEST(test_public),
                                        TEST(test_act_as),
                                        TEST(test_job),
                                        TEST(test_tokens_end_with_the_rule),
                                        TEST(test_a_run_that_waited_too_long_does_not_start),
                                        TEST(test_the_claims_of_the_submit_stay) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
