/* An exchange whose endpoint is a socket: what reaches it, and what each way of failing becomes. */
#include <stdio.h>
#include <string.h>

#include "gate/exchange_post.h"
#include "outbound_rig.h"

#define ANSWER(status, body_length, body)                                                                                  \
    "HTTP/1.1 " status "\r\ncontent-type: application/json\r\ncontent-length: " body_length "\r\n\r\n" body

static struct world {
    struct loop *loop;
    struct outbound *outbound;
    struct exchange_post post;
    struct exchange *exchange;
    struct script script;
    unsigned told;
    enum code code;
    char token[100], why[1024];
} w;

static enum code subject(void *ctx, const struct principal *principal, struct buf *ret, struct err *err) {
    (void)ctx, (void)principal, (void)err;
    buf_add_z(ret, "subject-token");
    return OK;
}

static void on_told(struct exchange_wait *wait, struct exchange_token *token, const struct err *err) {
    (void)wait;
    w.told++;
    w.code = token ? OK : err->code;
    if (token) (void)snprintf(w.token, sizeof w.token, "%.*s", STR_ARG(exchange_token_text(token)));
    else (void)snprintf(w.why, sizeof w.why, "%s", err->message);
    (void)exchange_token_unref(token);
}

static void open_bounded(const char *head, bool development, unsigned max_calls) {
    struct err err = { 0 };
    char url[100];
    w = (struct world){ .script = { .address = "127.0.0.1", .head = head } };
    script_start(&w.script);
    assert_int_equal(loop_new(&w.loop, &err), OK);
    const struct outbound_config config = { .loop = w.loop, .max_calls = max_calls };
    if (outbound_new(&config, &w.outbound, &err)) fail_msg("%s", err.message);
    w.post = (struct exchange_post){ w.outbound, development };
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/v1/token", w.script.port);
    const struct exchange_effects effects = { &w.post, subject, exchange_post };
    const struct exchange_config c = { .token_url = str_z(url),
                                       .audience = STR("//iam.example/aud"),
                                       .subject_token_type = STR("urn:ietf:params:oauth:token-type:jwt"),
                                       .client_id = STR("linkspan"),
                                       .client_secret = STR("hush") };
    assert_int_equal(exchange_new(&c, &effects, 0, &w.exchange, &err), OK);
}

static void open_world(const char *head, bool development) {
    open_bounded(head, development, 0);
}

static void close_world(void) {
    outbound_stop(w.outbound); /* each post ends before it returns */
    exchange_free(w.exchange);
    outbound_free(w.outbound);
    loop_free(w.loop);
    script_stop(&w.script);
}

static void ask_as(const char *who, struct exchange_wait *wait) {
    static const struct str scope = STR_INIT("https://www.googleapis.com/auth/spanner.data");
    const struct principal p = { .actor = { .kind = ACTOR_OIDC, .issuer = STR("corp"), .subject = str_z(who) } };
    struct exchange_token *token = NULL;
    struct err err = { 0 };
    wait->done = on_told;
    if (exchange_get(w.exchange, &p, &scope, 1, wait, &token, &err) || token) on_told(wait, token, &err);
}

static void ask(struct exchange_wait *wait) {
    ask_as("ada", wait);
}

static void until_told_as(const char *who) {
    struct exchange_wait wait = { 0 };
    w.told = 0;
    ask_as(who, &wait);
    for (unsigned i = 0; i < 200 && !w.told; i++) loop_run_once(w.loop, 50);
    assert_int_equal(w.told, 1);
}

static void until_told(void) {
    until_told_as("ada");
}

static void test_a_token(void **state) {
    (void)state;
    open_world(ANSWER("200 OK", "63", "{\"access_token\":\"far-1\",\"token_type\":\"Bearer\",\"expires_in\":900}"), true);
    until_told();
    if (w.code) fail_msg("%s", w.why);
    assert_string_equal(w.token, "far-1");
    static const char *const lines[] = { "POST /v1/token HTTP/1.1\r\n",
                                         "\r\ncontent-type: application/x-www-form-urlencoded\r\n",
                                         "\r\nauthorization: Basic bGlua3NwYW46aHVzaA==\r\n",
                                         "\r\nx-goog-api-client: linkspan google-byoid-sdk sa-impersonation/false " };
    for (size_t i = 0; i < COUNT(lines); i++)
        if (!strstr(w.script.seen, lines[i])) fail_msg("no \"%s\" in:\n%s", lines[i], w.script.seen);
    close_world();
}

static void test_what_is_no_token(void **state) {
    (void)state;
    static const struct {
        const char *name, *head;
        enum code code;
        const char *says;
    } cases[] = {
        { "a redirect is not followed", "HTTP/1.1 307 x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
          UNAVAILABLE, "HTTP 307" },
        { "a sign-in page", "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>", UNAVAILABLE,
          "no token" },
        { "a refusal", ANSWER("400 Bad Request", "26", "{\"error\":\"invalid_target\"}"), PERMISSION_DENIED,
          "invalid_target" },
        { "no HTTP", "SSH-2.0-x\r\n\r\n", UNAVAILABLE, "does not answer" },
        { "cut off", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", UNAVAILABLE, "does not answer" },
        { "an answer without end", "HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n{", UNAVAILABLE, "does not answer" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        open_world(cases[i].head, true);
        until_told();
        if (w.code != cases[i].code || !strstr(w.why, cases[i].says))
            fail_msg("%s: %s %s", cases[i].name, code_name(w.code), w.why);
        if (strstr(w.why, "hush") || strstr(w.why, "subject-token")) fail_msg("%s: %s", cases[i].name, w.why);
        close_world();
    }
}

static void test_loopback_in_production(void **state) {
    (void)state;
    open_world(ANSWER("200 OK", "0", ""), false);
    until_told();
    assert_int_equal(w.code, UNAVAILABLE);
    assert_int_equal(w.script.connections, 0); /* no packet was sent */
    close_world();
}

static void test_stopped_while_somebody_waits(void **state) {
    (void)state;
    struct exchange_wait wait = { 0 };
    open_world(NULL, true); /* it never says a word */
    ask(&wait);
    for (unsigned i = 0; i < 20; i++) loop_run_once(w.loop, 5);
    assert_int_equal(w.told, 0);
    outbound_stop(w.outbound);
    assert_int_equal(w.told, 1);
    assert_int_equal(w.code, UNAVAILABLE);
    assert_non_null(strstr(w.why, "this server stops"));
    close_world();
}

/* What is kept back here says nothing of the endpoint: nobody is made to wait for it. */
static void test_kept_back_by_our_own_bounds(void **state) {
    (void)state;
    static const char *const people[] = { "ada", "bob", "cem", "dan", "eve", "fay" };
    struct script silent = { .address = "127.0.0.1" };
    struct result result = { 0 };
    char url[100];
    uint64_t id = 0;
    open_bounded(ANSWER("200 OK", "63", "{\"access_token\":\"far-1\",\"token_type\":\"Bearer\",\"expires_in\":900}"), true,
                 1);
    script_start(&silent);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", silent.port);
    const struct outbound_request request = { .method = STR("GET"), .url = str_z(url), .may_loopback = true };
    assert_int_equal(outbound_send(w.outbound, &request, result_done, &result, &id, NULL), OK);
    for (size_t i = 0; i < COUNT(people); i++) {
        until_told_as(people[i]);
        if (w.code != RESOURCE_EXHAUSTED || !strstr(w.why, "this server has")) fail_msg("%s: %s", people[i], w.why);
    }
    assert_int_equal(w.script.connections, 0);
    outbound_cancel(w.outbound, id);
    result_wait(w.loop, &result);
    until_told_as("gus");
    if (w.code) fail_msg("%s", w.why);
    assert_string_equal(w.token, "far-1");
    close_world();
    script_stop(&silent);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_token),
        cmocka_unit_test(test_what_is_no_token),
        cmocka_unit_test(test_loopback_in_production),
        cmocka_unit_test(test_stopped_while_somebody_waits),
        cmocka_unit_test(test_kept_back_by_our_own_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
