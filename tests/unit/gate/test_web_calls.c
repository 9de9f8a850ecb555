/* test_web_calls.c: Web activities: decided by the policy, written down before they are sent, joined by their token. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "audit/audit.h"
#include "audit/entry.h"
#include "audit/query.h"
#include "base/clock.h"
#include "crypto/key.h"
#include "gate/web_calls.h"
#include "identity/jwt.h"
#include "identity/workspace.h"
#include "outbound_rig.h"
#include "policy/policy.h"

#define RUN  "11111111-1111-4111-8111-111111111111"
#define ACT  "22222222-2222-4222-8222-222222222222"
#define WHO  "flights@demo.synapse"
#define HEAD "domain d covers spanner demo/flights owner o\naccount workspace is \"" WHO "\"\n"

struct world {
    struct gate gate;
    struct loop *loop;
    struct web_calls *calls;
    struct workspace *workspace;
    struct key *audit_key;
    struct script script;
    struct names names;
    char folder[64];
};
static struct world w;
static struct key *rsa; /* slow to make */

/* ---- the answer ---- */

struct got {
    unsigned times;
    enum pipeline_fault fault;
    unsigned status;
    char message[1000], request[64], body[100], header[100];
};
static struct got got;

static void on_reply(void *ctx, uint64_t ticket, const struct pipeline_reply *reply) {
    (void)ctx;
    assert_int_equal(ticket, 7);
    got.times++;
    got.fault = reply->fault;
    got.status = reply->status;
    snprintf(got.message, sizeof got.message, "%.*s", STR_ARG(reply->message));
    snprintf(got.request, sizeof got.request, "%.*s", STR_ARG(reply->request));
    snprintf(got.body, sizeof got.body, "%.*s", STR_ARG(str_upto(reply->body, 90)));
    for (size_t i = 0; i < reply->n_headers; i++)
        if (str_eq(reply->headers[i].name, STR("location")))
            snprintf(got.header, sizeof got.header, "%.*s", STR_ARG(reply->headers[i].value));
}

/* ---- the world ---- */

static struct policy *policy_of(const char *text) {
    struct policy_source source = { STR("t.policy"), str_z(text) };
    struct policy_faults faults;
    struct policy *policy = NULL;
    struct err err = { 0 };
    DEFER(arena_freep) struct arena *arena = arena_new(16 << 20);
    if (policy_load(&source, 1, NULL, arena, &faults, &policy, &err)) fail_msg("%s: %s", text, err.message);
    return policy;
}

static void open_audit(void) {
    struct err err = { 0 };
    snprintf(w.folder, sizeof w.folder, "/tmp/web-XXXXXX");
    assert_non_null(mkdtemp(w.folder));
    assert_int_equal(key_generate(KEY_ED25519, &w.audit_key, &err), OK);
    struct audit_options options = { .dir = w.folder, .origin = STR("test/audit"), .key = w.audit_key };
    if (audit_open(&options, &w.gate.audit, &err)) fail_msg("%s", err.message);
}

static void open_workspace(void) {
    struct err err = { 0 };
    const struct workspace_config config = { .issuer = STR("https://l.example/azure/t/"),
                                             .tenant = STR("t"),
                                             .principal = STR("oid"),
                                             .client = STR("app"),
                                             .resource_id = STR("/x") };
    assert_int_equal(workspace_new(&config, rsa, &w.workspace, &err), OK);
}

/* PORT in a text is the script's. */
static void fill_port(char *text) {
    char port[8], *mark;
    snprintf(port, sizeof port, "%u", w.script.port);
    while ((mark = strstr(text, "PORT"))) {
        memmove(mark + strlen(port), mark + 4, strlen(mark + 4) + 1);
        memcpy(mark, port, strlen(port));
    }
}

static void start(const char *rules, struct script script) {
    struct err err = { 0 };
    char text[2000], filled[1500];
    w = (struct world){ .script = script };
    got = (struct got){ 0 };
    script_start(&w.script);
    snprintf(filled, sizeof filled, "%s", rules);
    fill_port(filled);
    snprintf(text, sizeof text, HEAD "%s", filled);
    open_audit();
    open_workspace();
    (void)pthread_mutex_init(&w.gate.policy_lock, NULL);
    w.gate.policy = policy_of(text);
    assert_int_equal(loop_new(&w.loop, &err), OK);
    w.gate.workers[0].loop = w.loop;
    w.gate.n_workers = 1;
    const struct outbound_config out = { .loop = w.loop, .resolver = names_resolver(&w.names) };
    assert_int_equal(outbound_new(&out, &w.gate.outbound, &err), OK);
    char own[64] = "http://own.example:PORT";
    fill_port(own);
    const struct web_calls_config config = { .gate = &w.gate,
                                             .workspace = w.workspace,
                                             .name = STR("flights"),
                                             .account = STR(WHO),
                                             .url = str_z(own),
                                             .answer = on_reply };
    assert_int_equal(web_calls_new(&config, &w.calls, &err), OK);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void stop(void) {
    outbound_stop(w.gate.outbound);
    web_calls_free(w.calls);
    outbound_free(w.gate.outbound);
    audit_close(w.gate.audit);
    loop_free(w.loop);
    policy_unref(w.gate.policy);
    workspace_free(w.workspace);
    key_unref(w.audit_key);
    script_stop(&w.script);
    (void)nftw(w.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const struct principal person = { .actor = {
                                             .kind = ACTOR_OIDC, .issuer = STR_INIT("corp"), .subject = STR_INIT("ann") } };

static struct pipeline_request request_of(char url[200], const char *path, const char *audience) {
    snprintf(url, 200, "http://127.0.0.1:%u%s", w.script.port, path);
    return (struct pipeline_request){ .at = { .pipeline = STR("nightly"),
                                              .run = STR(RUN),
                                              .activity_run = STR(ACT),
                                              .activity = STR("submit"),
                                              .type = STR("WebActivity"),
                                              .root_run = STR(RUN),
                                              .request = STR("01REQUEST"),
                                              .starter = &person },
                                      .method = STR("POST"),
                                      .url = str_z(url),
                                      .body = STR("{}"),
                                      .audience = str_z(audience),
                                      .timeout_ms = 5000,
                                      .max_reply_bytes = 1000 };
}

static void ask(const struct pipeline_request *request) {
    got = (struct got){ 0 };
    web_calls_begin(w.calls, 7, request);
    for (unsigned i = 0; i < 400 && !got.times; i++) loop_run_once(w.loop, 25);
    assert_int_equal(got.times, 1);
}

/* ---- the audit ---- */

struct entries {
    unsigned n;
    enum event_kind kinds[8];
    char reason[8][32], detail[8][700], token[8][40], resource[300], subject[64], chain[64], object[200], account[64];
    enum code code[8];
    char id[32], method[64];
};

static bool visit(void *ctx, uint64_t index, struct str json, const struct audit_entry *e) {
    (void)index;
    (void)json;
    struct entries *all = ctx;
    unsigned i = all->n++;
    if (i >= 8) return false;
    all->kinds[i] = e->kind;
    all->code[i] = e->code;
    snprintf(all->reason[i], sizeof all->reason[i], "%.*s", STR_ARG(e->reason));
    snprintf(all->detail[i], sizeof all->detail[i], "%.*s", STR_ARG(e->detail));
    snprintf(all->token[i], sizeof all->token[i], "%.*s", STR_ARG(e->token_id));
    snprintf(all->resource, sizeof all->resource, "%.*s", STR_ARG(e->resource));
    snprintf(all->subject, sizeof all->subject, "%.*s", STR_ARG(e->actor.email));
    if (e->n_chain) snprintf(all->chain, sizeof all->chain, "%.*s", STR_ARG(e->chain[0].subject));
    if (e->n_atoms) snprintf(all->object, sizeof all->object, "%.*s", STR_ARG(e->atoms[0].object));
    if (e->n_atoms) snprintf(all->account, sizeof all->account, "%.*s", STR_ARG(e->atoms[0].account));
    snprintf(all->id, sizeof all->id, "%.*s", STR_ARG(e->id));
    snprintf(all->method, sizeof all->method, "%.*s", STR_ARG(e->method));
    return true;
}

static struct entries entries_of(const char *id) {
    struct err err = { 0 };
    struct entries all = { 0 };
    const struct audit_filter filter = { .id = str_z(id) };
    assert_int_equal(audit_flush(w.gate.audit, &err), OK);
    if (audit_query(w.folder, &filter, visit, &all, &err)) fail_msg("%s", err.message);
    return all;
}

#define LAWFUL    " owner o until 2099-01-01\n"
#define RULE      "allow workspace to call \"http://127.0.0.1:PORT/bridge/*\" with audience \"api://x\"" LAWFUL
#define TOKENLESS "allow workspace to call \"http://127.0.0.1:PORT/free\" with audience \"\"" LAWFUL

static const struct script accepted = {
    .head = "HTTP/1.1 202 Accepted\r\nlocation: /bridge/jobs/1\r\ncontent-length: 2\r\n\r\n{}"
};

/* ---- what comes of a call ---- */

static void test_a_call_with_a_token(void **state) {
    (void)state;
    char url[200], token[4096] = "", fingerprint[JWT_FINGERPRINT_BYTES];
    start(RULE, accepted);
    struct pipeline_request r = request_of(url, "/bridge/jobs?secret=1", "api://x");
    ask(&r);
    assert_int_equal(got.fault, FAULT_NONE);
    assert_int_equal(got.status, 202);
    assert_string_equal(got.body, "{}");
    assert_string_equal(got.header, "/bridge/jobs/1");
    const char *bearer = strstr(w.script.seen, "authorization: Bearer ");
    assert_non_null(bearer);
    snprintf(token, sizeof token, "%.*s", (int)strcspn(bearer + 22, "\r\n"), bearer + 22);
    token_fingerprint(str_z(token), fingerprint);
    struct entries e = entries_of(got.request);
    assert_int_equal(e.n, 2);
    assert_int_equal(e.kinds[0], EVENT_INTENT);
    assert_int_equal(e.kinds[1], EVENT_OUTCOME);
    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal(e.token[i], fingerprint);
        assert_null(strstr(e.detail[i], "secret"));
        assert_non_null(strstr(e.detail[i], "of run " RUN ", started by request 01REQUEST, POST by activity submit"));
    }
    assert_non_null(strstr(e.detail[1], "HTTP 202"));
    assert_string_equal(e.method, "pipeline.WebActivity");
    assert_string_equal(e.resource, "workspaces/flights/pipelines/nightly/pipelineruns/" RUN "/activityruns/" ACT);
    assert_string_equal(e.subject, WHO);
    assert_string_equal(e.chain, "ann");
    assert_string_equal(e.account, "api://x");
    assert_true(strstr(e.object, "/bridge/jobs") && !strchr(e.object, '?'));
    stop();
}

static void test_a_call_without_a_token(void **state) {
    (void)state;
    char url[200];
    start(RULE TOKENLESS, accepted);
    struct pipeline_request r = request_of(url, "/free", "");
    ask(&r);
    assert_int_equal(got.status, 202);
    assert_null(strstr(w.script.seen, "authorization"));
    assert_string_equal(entries_of(got.request).token[1], "");
    stop();
}

/* A Location may be a capability: it is asked, and neither the log nor the activity's error repeat it. */
static void test_a_poll(void **state) {
    (void)state;
    static const char secret[] = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFy";
    static const struct {
        const char *rules, *path;
        bool secret;
        unsigned n;
    } cases[] = {
        { RULE, "/bridge/jobs/Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFy?sig=1", true, 2 },
        { RULE "deny workspace to call \"http://127.0.0.1:PORT/bridge/jobs/*\" with audience \"api://x\" owner o\n",
          "/bridge/jobs/Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFy", true, 1 },
        { RULE, "/bridge/jobs/17/", false, 2 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char url[200], shown[200], hash[JWT_FINGERPRINT_BYTES];
        start(cases[i].rules, accepted);
        struct pipeline_request r = request_of(url, cases[i].path, "api://x");
        r.poll = true;
        r.method = STR("GET");
        r.body = STR("");
        ask(&r);
        struct entries e = entries_of(got.request);
        token_fingerprint(str_z(secret), hash);
        snprintf(shown, sizeof shown, cases[i].secret ? "http://127.0.0.1:%u/bridge/jobs/~%s" : "http://127.0.0.1:%u%s",
                 w.script.port, cases[i].secret ? hash : cases[i].path);
        assert_int_equal(e.n, cases[i].n);
        assert_string_equal(e.object, shown);
        assert_null(strstr(got.message, secret));
        for (unsigned k = 0; k < e.n; k++) assert_null(strstr(e.detail[k], secret));
        assert_non_null(strstr(e.detail[0], "poll, GET"));
        if (e.n == 2) assert_non_null(strstr(w.script.seen, cases[i].path));
        else assert_int_equal(got.fault, FAULT_POLICY);
        stop();
    }
}

/* Nothing is sent, and the log says why. */
static void test_what_is_refused(void **state) {
    (void)state;
    static const struct http_case {
        const char *what, *rules, *path, *url, *audience, *header;
        enum pipeline_fault fault;
        const char *reason, *message;
    } cases[] = {
        { "no rule", "", "/a", NULL, "api://x", NULL, FAULT_POLICY, "NO_", "may not call http://127.0.0.1:" },
        { "another path", RULE, "/other", NULL, "api://x", NULL, FAULT_POLICY, "NO_RULE", "api://x" },
        { "another audience", RULE, "/bridge/a", NULL, "api://y", NULL, FAULT_POLICY, "NO_RULE", "api://y" },
        { "no token where the rule has one", RULE, "/bridge/a", NULL, "", NULL, FAULT_POLICY, "NO_RULE",
          "without a token" },
        { "a deny",
          RULE "deny workspace to call \"http://127.0.0.1:PORT/bridge/x\" with audience \"api://x\" owner o because "
               "\"no\"\n",
          "/bridge/x", NULL, "api://x", NULL, FAULT_POLICY, "DENIED", "DENIED" },
        { "dots", RULE, "/bridge/../a", NULL, "api://x", NULL, FAULT_REQUEST, "NOT_UNDERSTOOD", "dot segment" },
        { "another spelling", RULE, NULL, "http://127.1/bridge/a", "api://x", NULL, FAULT_REQUEST, "NOT_UNDERSTOOD",
          "another spelling" },
        { "a header that is ours", RULE, "/bridge/a", NULL, "api://x", "Authorization", FAULT_REQUEST, "NOT_UNDERSTOOD",
          "Authorization" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char url[200];
        start(cases[i].rules, accepted);
        struct pipeline_request r = request_of(url, cases[i].path ? cases[i].path : "/", cases[i].audience);
        const struct pipeline_header header = { str_z(cases[i].header), STR("secret") };
        if (cases[i].url) r.url = str_z(cases[i].url);
        if (cases[i].header) r.headers = &header, r.n_headers = 1;
        ask(&r);
        if (got.fault != cases[i].fault || !strstr(got.message, cases[i].message) || !strstr(got.message, got.request))
            fail_msg("%s: %d %s", cases[i].what, got.fault, got.message);
        struct entries e = entries_of(got.request);
        if (e.n != 1 || e.kinds[0] != EVENT_REFUSAL || !strstr(e.reason[0], cases[i].reason) ||
            strstr(e.detail[0], "secret"))
            fail_msg("%s: %u entries, %s, %s", cases[i].what, e.n, e.reason[0], e.detail[0]);
        assert_int_equal(atomic_load(&w.script.connections), 0);
        stop();
    }
}

/* The policy allows the name, the dialer judges its address: loopback only where the rule writes the port. */
static void test_addresses(void **state) {
    (void)state;
    static const struct {
        const char *what, *rules, *url, *address;
        enum pipeline_fault fault;
        const char *detail;
    } cases[] = {
        { "a name of loopback", "allow workspace to call \"http://in.example/a\" with audience \"\"" LAWFUL,
          "http://in.example/a", "127.0.0.1", FAULT_POLICY, "ADDRESS_REFUSED" },
        { "a name of loopback, whose port the rule writes",
          "allow workspace to call \"http://in.example:PORT/*\" with audience \"\"" LAWFUL, "http://in.example:PORT/a",
          "127.0.0.1", FAULT_POLICY, "ADDRESS_REFUSED" },
        { "the same in IPv6", "allow workspace to call \"http://in.example:PORT/*\" with audience \"\"" LAWFUL,
          "http://in.example:PORT/a", "::1", FAULT_POLICY, "ADDRESS_REFUSED" },
        { "a name of a metadata service", "allow workspace to call \"http://in.example:80/a\" with audience \"\"" LAWFUL,
          "http://in.example:80/a", "169.254.169.254", FAULT_POLICY, "link-local" },
        { "no such name", "allow workspace to call \"http://in.example/a\" with audience \"\"" LAWFUL,
          "http://in.example/a", NULL, FAULT_UNREACHABLE, "NAME: " },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char url[200];
        start(cases[i].rules, accepted);
        w.names.answers[0][0] = cases[i].address;
        struct pipeline_request r = request_of(url, "/", "");
        snprintf(url, sizeof url, "%s", cases[i].url);
        fill_port(url);
        r.url = str_z(url);
        ask(&r);
        struct entries e = entries_of(got.request);
        if (got.fault != cases[i].fault || e.n != 2 || !strstr(e.detail[1], cases[i].detail))
            fail_msg("%s: %d %s; %s", cases[i].what, got.fault, got.message, e.detail[1]);
        assert_int_not_equal(e.code[1], OK);
        assert_int_equal(atomic_load(&w.script.connections), 0);
        stop();
    }
}

/* Who names loopback himself, and the server's own name, come through. */
static void test_lawful_loopback(void **state) {
    (void)state;
    static const char *const hosts[] = { "localhost", "in.localhost", "own.example" };
    for (size_t i = 0; i < COUNT(hosts); i++) {
        char url[200], rules[300];
        snprintf(rules, sizeof rules, "allow workspace to call \"http://%s:PORT/*\" with audience \"\"" LAWFUL, hosts[i]);
        start(rules, accepted);
        w.names.answers[0][0] = "127.0.0.1";
        struct pipeline_request r = request_of(url, "/", "");
        snprintf(url, sizeof url, "http://%s:PORT/a", hosts[i]);
        fill_port(url);
        r.url = str_z(url);
        ask(&r);
        if (got.fault || got.status != 202) fail_msg("%s: %d %s", hosts[i], got.fault, got.message);
        assert_int_equal(atomic_load(&w.script.connections), 1);
        stop();
    }
}

static void test_faults_of_servers(void **state) {
    (void)state;
    static const struct {
        const char *what;
        struct script script;
        enum pipeline_fault fault;
    } cases[] = {
        { "too large", { .head = "HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n" }, FAULT_TOO_LARGE },
        { "no HTTP", { .head = "hello\r\n\r\n" }, FAULT_INVALID },
        { "nothing", { .head = "" }, FAULT_UNREACHABLE },
        { "never", { 0 }, FAULT_TIMED_OUT },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char url[200];
        start(TOKENLESS, cases[i].script);
        struct pipeline_request r = request_of(url, "/free", "");
        if (cases[i].fault == FAULT_TIMED_OUT) r.timeout_ms = 100;
        ask(&r);
        if (got.fault != cases[i].fault) fail_msg("%s: %d %s", cases[i].what, got.fault, got.message);
        assert_int_equal(entries_of(got.request).n, 2);
        stop();
    }
}

static void test_cancel(void **state) {
    (void)state;
    char url[200];
    for (unsigned late = 0; late < 2; late++) {
        start(TOKENLESS, (struct script){ 0 });
        struct pipeline_request r = request_of(url, "/free", "");
        web_calls_begin(w.calls, 7, &r);
        for (unsigned i = 0; late && i < 400 && !atomic_load(&w.script.connections); i++) loop_run_once(w.loop, 10);
        web_calls_cancel(w.calls, 7);
        web_calls_cancel(w.calls, 8);
        for (unsigned i = 0; i < 400 && !got.times; i++) loop_run_once(w.loop, 25);
        assert_int_equal(got.times, 1);
        assert_int_equal(got.fault, FAULT_CANCELLED);
        assert_int_equal(atomic_load(&w.script.connections), late);
        assert_int_equal(entries_of(got.request).code[1], CANCELLED);
        stop();
    }
}

/* Without a log nothing goes out. */
static void test_without_an_audit_log(void **state) {
    (void)state;
    char url[200];
    struct err err;
    start(TOKENLESS, accepted);
    audit_close(w.gate.audit);
    struct audit_options options = {
        .dir = w.folder, .origin = STR("test/audit"), .key = w.audit_key, .queue_max_bytes = 1
    };
    assert_int_equal(audit_open(&options, &w.gate.audit, &err), OK); /* one that takes nothing */
    struct pipeline_request r = request_of(url, "/free", "");
    ask(&r);
    assert_int_equal(got.fault, FAULT_BUSY);
    assert_non_null(strstr(got.message, "nothing was sent"));
    assert_int_equal(atomic_load(&w.script.connections), 0);
    stop();
}

static void test_a_full_chain(void **state) {
    (void)state;
    char url[200];
    struct principal starter = person;
    start(TOKENLESS, accepted);
    while (starter.n_chain < PRINCIPAL_MAX_CHAIN) starter.chain[starter.n_chain++] = person.actor;
    struct pipeline_request r = request_of(url, "/free", "");
    r.at.starter = &starter;
    ask(&r);
    assert_int_equal(got.fault, FAULT_POLICY);
    assert_string_equal(entries_of(got.request).reason[0], "CHAIN_REFUSED");
    assert_int_equal(atomic_load(&w.script.connections), 0);
    stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_call_with_a_token),
        cmocka_unit_test(test_a_call_without_a_token),
        cmocka_unit_test(test_a_poll),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_lawful_loopback),
        cmocka_unit_test(test_faults_of_servers),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_without_an_audit_log),
        cmocka_unit_test(test_a_full_chain),
    };
    struct err err;
    if (key_generate(KEY_RSA, &rsa, &err)) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    key_unref(rsa);
    return failed;
}
