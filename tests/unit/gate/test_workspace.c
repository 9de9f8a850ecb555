/* test_workspace.c: the workspace's identity in the server: its key file, what anyone may read, what is believed of it. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file.h"
#include "crypto/key.h"
#include "gate/data_dir.h"
#include "gate/route.h"
#include "gate/workspace.h"
#include "gate_rig.h"
#include "service/call.h"

#define URL    "https://linkspan.example"
#define TENANT "00000000-0000-4000-8000-00000000de0e"
#define OTHER  "00000000-0000-4000-8000-00000000de0f"
#define POLICY                                                                                                             \
    "domain d covers spanner demo/flights owner o\nidentity synapse is oidc workspaces where oid = \"the-oid\"\n"          \
    "allow synapse to read T in spanner demo/flights owner o until 2099-01-01\n"

static struct config config;
static struct service service;
static struct reply last;

static void who(struct call *call) {
    struct str issuer = call->principal->actor.issuer;
    call_reply_http(call, 200, "text/plain", issuer.n ? issuer : STR("none"));
    call_end_ok(call);
}

static const struct method who_rows[] = { { .verb = "GET", .path = "/who", .door = DOOR_FILTERED, .handle = who } };
static const struct service who_service = { .name = "who", .methods = who_rows, .n_methods = 1 };

static void key_path(char path[DATA_PATH_MAX]) {
    struct err err;
    assert_int_equal(data_path(rig.folder, DATA_WORKSPACE_KEY, path, &err), OK);
}

static void configure(void) {
    struct config_synapse *s = &config.connections[0].synapse;
    config = (struct config){ .data = rig.folder, .n_connections = 1 };
    config.connections[0].name = STR("demo");
    *s = (struct config_synapse){ .present = true,
                                  .workspace = STR("flights"),
                                  .tenant = STR(TENANT),
                                  .principal = STR("the-oid"),
                                  .client = STR("the-appid"),
                                  .issuer = STR(URL "/azure/" TENANT "/"),
                                  .audiences = { STR("api://linkspan") },
                                  .n_audiences = 1 };
}

static void believe_workspace(void) {
    struct err err = { 0 };
    DEFER(buf_free) struct buf own_keys = BUF_INIT(65536), keys = BUF_INIT(65536);
    assert_int_equal(mint_jwks(rig.identity.mint, &own_keys, &err), OK);
    struct issuer_config both[2] = { { .name = STR("linkspan"),
                                       .preset = ISSUER_OWN,
                                       .iss = STR(URL),
                                       .jwks_json = buf_str(&own_keys),
                                       .audiences = { STR(URL) },
                                       .n_audiences = 1 } };
    if (gate_workspace_issuer(&config, rig.identity.workspace, &keys, &both[1], &err)) fail_msg("%s", err.message);
    issuers_free(rig.identity.issuers);
    if (issuers_new(both, 2, NULL, &rig.identity.issuers, &err)) fail_msg("%s", err.message);
}

static int set_up(void **state) {
    (void)state;
    struct err err = { 0 };
    gate_rig_prepare();
    configure();
    assert_int_equal(data_make(rig.folder, &err), OK);
    service = workspace_service(&rig.gate);
    gate_rig_start(&service, POLICY);
    if (routes_add(rig.gate.routes, &who_service, &err)) fail_msg("%s", err.message);
    if (gate_workspace_open(&config, &rig.identity.workspace, &err)) fail_msg("%s", err.message);
    believe_workspace();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    gate_rig_stop();
    workspace_free(rig.identity.workspace);
    return 0;
}

static void expect(const char *path, unsigned status, const char *text) {
    memset(&last, 0, sizeof last);
    reply_rest(&last, "GET", path, "");
    reply_wait(&last);
    if (last.http_status != status || !strstr(last.first, text))
        fail_msg("%s: should be %u with %s, is %u %s %s", path, status, text, last.http_status, last.first, last.error);
}

static void test_the_key_file(void **state) {
    (void)state;
    struct err err = { 0 };
    struct workspace *again = NULL;
    struct stat st;
    char path[DATA_PATH_MAX];
    DEFER(buf_free) struct buf first = BUF_INIT(8192), second = BUF_INIT(8192);
    key_path(path);
    assert_int_equal(stat(path, &st), 0); /* made at the start: there was none */
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(gate_workspace_open(&config, &again, &err), OK);
    assert_int_equal(workspace_jwks(rig.identity.workspace, &first, &err), OK);
    assert_int_equal(workspace_jwks(again, &second, &err), OK);
    assert_true(str_eq(buf_str(&first), buf_str(&second))); /* and stays */
    workspace_free(again);
    again = NULL;
    /* Readable by others, unreadable, of another kind: refused by name, and not replaced. */
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(gate_workspace_open(&config, &again, &err), FAILED_PRECONDITION);
    assert_non_null(strstr(err.message, "keys/workspace.key"));
    assert_int_equal(file_write_durable(path, STR("nonsense"), 0600, &err), OK);
    assert_int_equal(gate_workspace_open(&config, &again, &err), INVALID_ARGUMENT);
    struct key *ec = NULL;
    assert_int_equal(key_generate(KEY_P256, &ec, &err), OK);
    assert_int_equal(key_store(ec, path, &err), OK);
    assert_int_equal(gate_workspace_open(&config, &again, &err), INVALID_ARGUMENT);
    key_unref(ec);
    assert_null(again);
    /* Without a workspace there is neither key nor identity. */
    assert_int_equal(unlink(path), 0);
    config.connections[0].synapse.present = false;
    assert_int_equal(gate_workspace_open(&config, &again, &err), OK);
    assert_null(again);
    assert_int_not_equal(stat(path, &st), 0);
}

static void test_what_anyone_may_read(void **state) {
    (void)state;
    rig.bearer[0] = '\0';
    expect("/azure/" TENANT "/.well-known/openid-configuration", 200,
           "{\"issuer\":\"" URL "/azure/" TENANT "/\",\"jwks_uri\":\"" URL "/azure/" TENANT "/discovery/keys\"");
    expect("/azure/" TENANT "/discovery/keys", 200, "\"kty\":\"RSA\"");
    assert_null(strstr(last.first, "\"d\""));
    static const char *const absent[] = {
        "/azure/" OTHER "/.well-known/openid-configuration",
        "/azure/" OTHER "/discovery/keys",
        "/azure/" TENANT "x/discovery/keys",
        "/azure/%30" TENANT "/discovery/keys",
    };
    for (size_t i = 0; i < COUNT(absent); i++) expect(absent[i], 404, "NOT_FOUND");
    expect("/azure//discovery/keys", 501, "METHOD_UNKNOWN");
    expect("/azure/" TENANT "/oauth2/token", 501, "METHOD_UNKNOWN"); /* nobody gets a token */
}

static void bear(const char *audience) {
    struct err err = { 0 };
    DEFER(buf_wipe) struct buf token = BUF_INIT(8192);
    int64_t expires_s;
    char fingerprint[JWT_FINGERPRINT_BYTES];
    if (workspace_token(rig.identity.workspace, str_z(audience), clock_wall_s(), &token, &expires_s, fingerprint, &err))
        fail_msg("%s", err.message);
    snprintf(rig.bearer, sizeof rig.bearer, "Bearer %.*s", STR_ARG(buf_str(&token)));
}

static void test_who_bears_its_token(void **state) {
    (void)state;
    bear("api://linkspan");
    expect("/who", 200, "workspaces");
    bear("https://elsewhere.example");
    expect("/who", 401, "TOKEN_REJECTED");
    bear(URL); /* not among the configured audiences */
    expect("/who", 401, "TOKEN_REJECTED");
    gate_rig_become("reader@demo");
    expect("/who", 200, "none");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void) {
    const struct CMUnitTest tests[] = { TEST(test_the_key_file), TEST(test_what_anyone_may_read),
                                        TEST(test_who_bears_its_token) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
