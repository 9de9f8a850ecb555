/* What an outbound exchange sends, against what google-auth sends; what it reads. */
#include "tokens.h"

#include "base/file.h"
#include "data/json.h"
#include "identity/exchange_wire.h"

#define BASE "https://sts.example"

static const char *folder;
static struct arena *arena;

static int setup(void **state) {
    (void)state;
    arena = arena_new(4 << 20);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_free(arena);
    return 0;
}

/* ---- requests ---- */

static struct str with_base(struct str text) {
    struct buf out = BUF_INIT(1 << 20);
    ptrdiff_t at;
    while ((at = str_find(text, STR("{base}"))) >= 0) {
        buf_add_str(&out, str_upto(text, (size_t)at));
        buf_add_z(&out, BASE);
        text = str_from(text, (size_t)at + 6);
    }
    buf_add_str(&out, text);
    struct str copy = str_dup(arena, buf_str(&out));
    buf_free(&out);
    return copy;
}

static struct str member(const json_t *object, const char *name) {
    struct str text = { 0 };
    if (!json_member_str(object, name, &text)) fail_msg("the vectors have no %s", name);
    return text;
}

static void same(const char *what, struct str ours, struct str theirs) {
    if (!str_eq(ours, theirs)) fail_msg("%s:\n  ours   \"%.*s\"\n  theirs \"%.*s\"", what, STR_ARG(ours), STR_ARG(theirs));
}

static void compare(const struct exchange_request *ours, const json_t *theirs) {
    struct str tag = http_header_value(ours->headers, ours->n_headers, STR("x-goog-api-client"));
    assert_true(str_strip_prefix(&tag, STR("linkspan ")));
    same("url", ours->url, with_base(member(theirs, "url")));
    same("content-type", http_header_value(ours->headers, ours->n_headers, STR("content-type")),
         member(theirs, "content-type"));
    same("authorization", ours->authorization, member(theirs, "authorization"));
    same("x-goog-api-client", tag, member(theirs, "x-goog-api-client"));
    same("body", ours->body, member(theirs, "body"));
}

static void one_vector(const json_t *vector) {
    struct str scopes[EXCHANGE_SCOPES_MAX];
    struct exchange_config config;
    struct exchange_request request;
    struct err err = { 0 };
    const json_t *list = json_object_get(vector, "scopes"), *requests = json_object_get(vector, "requests");
    size_t n = json_array_size(list);
    for (size_t i = 0; i < n; i++) scopes[i] = json_text_of(json_array_get(list, i));
    struct buf file = BUF_INIT(1 << 16);
    assert_true(json_write(json_object_get(vector, "file"), &file));
    if (exchange_config_read(with_base(buf_str(&file)), false, arena, &config, &err)) fail_msg("%s", err.message);
    buf_free(&file);
    assert_int_equal(exchange_sts_request(&config, scopes, n, member(vector, "subject_token"), arena, &request, &err), OK);
    compare(&request, json_array_get(requests, 0));
    assert_int_equal(json_array_size(requests), config.impersonation_url.n ? 2 : 1);
    if (!config.impersonation_url.n) return;
    assert_int_equal(exchange_iam_request(&config, scopes, n, STR("federated-token"), arena, &request, &err), OK);
    compare(&request, json_array_get(requests, 1));
}

static void test_requests_equal_google_auths(void **state) {
    (void)state;
    char path[1024];
    struct str text;
    json_t *vectors = NULL;
    (void)snprintf(path, sizeof path, "%s/outbound_exchange.json", folder);
    assert_int_equal(file_read(arena, path, 1 << 20, &text, NULL), OK);
    assert_int_equal(json_read(text, 1 << 20, 0, &vectors, NULL), OK);
    assert_true(json_array_size(vectors) >= 10);
    for (size_t i = 0; i < json_array_size(vectors); i++) {
        print_message("  %.*s\n", STR_ARG(member(json_array_get(vectors, i), "name")));
        one_vector(json_array_get(vectors, i));
    }
    json_decref(vectors);
}

static void test_bad_scopes(void **state) {
    (void)state;
    static const struct str cases[] = { STR_INIT(""), STR_INIT("two words"), STR_INIT("line\nbreak") };
    struct exchange_config config = { .token_url = STR(BASE), .audience = STR("a"), .subject_token_type = STR("t") };
    struct exchange_request request;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(exchange_sts_request(&config, &cases[i], 1, STR("s"), arena, &request, NULL), INVALID_ARGUMENT);
    assert_int_equal(exchange_iam_request(&config, cases, 0, STR("f"), arena, &request, NULL), INVALID_ARGUMENT);
}

/* ---- the file ---- */

#define FILE_WITH(more)                                                                                                    \
    "{\"type\":\"external_account\",\"audience\":\"//iam/aud\",\"subject_token_type\":\"urn:t\"" more "}"
#define IMPERSONATE(url) FILE_WITH(",\"service_account_impersonation_url\":\"" url "\"")

static const struct {
    const char *name, *text;
    enum code code;
    const char *says; /* part of the message */
} files[] = {
    { "Google's own STS when none is named", FILE_WITH(""), OK, NULL },
    { "a file", FILE_WITH(",\"credential_source\":{\"file\":\"/run/token\"}"), OK, NULL },
    { "no JSON", "{", INVALID_ARGUMENT, "" },
    { "an array", "[]", INVALID_ARGUMENT, "no object" },
    { "a service account's key", "{\"type\":\"service_account\"}", INVALID_ARGUMENT, "external_account" },
    { "a private key in it", FILE_WITH(",\"private_key\":\"x\""), UNIMPLEMENTED, "private_key" },
    { "a number as a text", FILE_WITH(",\"token_url\":1"), INVALID_ARGUMENT, "token_url" },
    { "plain http", FILE_WITH(",\"token_url\":\"http://sts.example/t\""), INVALID_ARGUMENT, "https" },
    { "a URL with a query", FILE_WITH(",\"token_url\":\"https://sts.example/t?a=b\""), INVALID_ARGUMENT, "query" },
    { "a URL with a user", FILE_WITH(",\"token_url\":\"https://u@sts.example/t\""), INVALID_ARGUMENT, "token_url" },
    { "an executable", FILE_WITH(",\"credential_source\":{\"executable\":{}}"), UNIMPLEMENTED, "executable" },
    { "a source by URL", FILE_WITH(",\"credential_source\":{\"url\":\"http://x\"}"), UNIMPLEMENTED, "url" },
    { "AWS", FILE_WITH(",\"credential_source\":{\"environment_id\":\"aws1\"}"), UNIMPLEMENTED, "environment_id" },
    { "a source that names nothing", FILE_WITH(",\"credential_source\":{}"), INVALID_ARGUMENT, "no file" },
    { "another universe", FILE_WITH(",\"universe_domain\":\"x.example\""), UNIMPLEMENTED, "universe_domain" },
    { "a quota project", FILE_WITH(",\"quota_project_id\":\"x\""), UNIMPLEMENTED, "quota_project_id" },
    { "a secret of nobody", FILE_WITH(",\"client_secret\":\"x\""), INVALID_ARGUMENT, "client_id" },
    { "a colon in the client's id", FILE_WITH(",\"client_id\":\"a:b\""), INVALID_ARGUMENT, "colon" },
    { "a lifetime of a day", FILE_WITH(",\"service_account_impersonation\":{\"token_lifetime_seconds\":86400}"),
      INVALID_ARGUMENT, "43200" },
    { "another account than the URL's", FILE_WITH(",\"service_account_impersonation\":{\"x\":1}"), INVALID_ARGUMENT, "" },
    { "a service account", IMPERSONATE("https://i.example/v1/projects/-/serviceAccounts/a@b.c:generateAccessToken"), OK,
      NULL },
    { "another method", IMPERSONATE("https://i.example/v1/projects/-/serviceAccounts/a@b.c:signBlob"), INVALID_ARGUMENT,
      "generateAccessToken" },
    { "an account with a slash", IMPERSONATE("https://i.example/v1/serviceAccounts/a@b.c/x:generateAccessToken"),
      INVALID_ARGUMENT, "generateAccessToken" },
    { "no audience", "{\"type\":\"external_account\",\"subject_token_type\":\"t\"}", INVALID_ARGUMENT, "audience" },
};

static void test_files(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(files); i++) {
        struct exchange_config config;
        struct err err = { 0 };
        enum code rc = exchange_config_read(str_z(files[i].text), false, arena, &config, &err);
        if (rc != files[i].code) fail_msg("%s: %s %s", files[i].name, code_name(rc), err.message);
        if (rc && !strstr(err.message, files[i].says)) fail_msg("%s: says \"%s\"", files[i].name, err.message);
        if (!rc) assert_str(config.token_url, "https://sts.googleapis.com/v1/token");
    }
    struct exchange_config config;
    assert_int_equal(
        exchange_config_read(STR(FILE_WITH(",\"token_url\":\"http://127.0.0.1:1/t\"")), true, arena, &config, NULL), OK);
}

/* ---- answers ---- */

#define SENT 1000000000

static const struct {
    const char *name;
    unsigned status;
    const char *body;
    enum code code;
    int64_t life_s;
    const char *says;
} sts_replies[] = {
    { "a token", 200, "{\"access_token\":\"T\",\"token_type\":\"Bearer\",\"expires_in\":300}", OK, 300, NULL },
    { "an unknown member", 200, "{\"access_token\":\"T\",\"token_type\":\"bearer\",\"expires_in\":9,\"x\":1}", OK, 9,
      NULL },
    { "a life of years is cut to 12 hours", 200,
      "{\"access_token\":\"T\",\"token_type\":\"Bearer\",\"expires_in\":9000000000000000}", OK, 43200, NULL },
    { "no answer", 0, "", UNAVAILABLE, 0, "does not answer" },
    { "HTML", 200, "<html>sign in</html>", UNAVAILABLE, 0, "no token" },
    { "no life", 200, "{\"access_token\":\"T\",\"token_type\":\"Bearer\"}", UNAVAILABLE, 0, "no token" },
    { "no time left", 200, "{\"access_token\":\"T\",\"token_type\":\"Bearer\",\"expires_in\":0}", UNAVAILABLE, 0,
      "no token" },
    { "a life as text", 200, "{\"access_token\":\"T\",\"token_type\":\"Bearer\",\"expires_in\":\"9\"}", UNAVAILABLE, 0,
      "" },
    { "a token that is no header", 200, "{\"access_token\":\"a\\r\\nb\",\"token_type\":\"Bearer\",\"expires_in\":9}",
      UNAVAILABLE, 0, "no token" },
    { "an empty token", 200, "{\"access_token\":\"\",\"token_type\":\"Bearer\",\"expires_in\":9}", UNAVAILABLE, 0, "" },
    { "a token of another type", 200, "{\"access_token\":\"T\",\"token_type\":\"DPoP\",\"expires_in\":9}", UNAVAILABLE, 0,
      "" },
    { "a refusal", 400, "{\"error\":\"invalid_grant\",\"error_description\":\"SECRET\"}", PERMISSION_DENIED, 0,
      "invalid_grant" },
    { "a refusal in Google's form", 403, "{\"error\":{\"status\":\"PERMISSION_DENIED\",\"message\":\"SECRET\"}}",
      PERMISSION_DENIED, 0, "HTTP 403: PERMISSION_DENIED" },
    { "a refusal with a story for a code", 400, "{\"error\":\"SECRET: a b\"}", PERMISSION_DENIED, 0, "HTTP 400" },
    { "too many", 429, "{}", UNAVAILABLE, 0, "429" },
    { "a redirect", 302, "", UNAVAILABLE, 0, "302" },
    { "a proxy's page", 502, "<html>SECRET", UNAVAILABLE, 0, "502" },
};

static void test_sts_replies(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(sts_replies); i++) {
        struct str token;
        int64_t expires = 0;
        struct err err = { 0 };
        enum code rc = exchange_sts_reply(sts_replies[i].status, str_z(sts_replies[i].body), SENT, arena, &token, &expires,
                                          &err);
        if (rc != sts_replies[i].code) fail_msg("%s: %s %s", sts_replies[i].name, code_name(rc), err.message);
        if (rc && (!strstr(err.message, sts_replies[i].says) || strstr(err.message, "SECRET")))
            fail_msg("%s: says \"%s\"", sts_replies[i].name, err.message);
        if (!rc) assert_str(token, "T");
        if (!rc) assert_int_equal(expires, SENT + sts_replies[i].life_s * 1000000);
    }
}

static void test_iam_replies(void **state) {
    (void)state;
    static const struct {
        const char *name, *body;
        enum code code;
    } cases[] = {
        { "a token", "{\"accessToken\":\"T\",\"expireTime\":\"1970-01-01T01:00:00Z\"}", OK },
        { "a fraction and an offset", "{\"accessToken\":\"T\",\"expireTime\":\"1970-01-01T02:00:00.5+01:00\"}", OK },
        { "already over", "{\"accessToken\":\"T\",\"expireTime\":\"1970-01-01T00:00:01Z\"}", UNAVAILABLE },
        { "no time", "{\"accessToken\":\"T\",\"expireTime\":\"soon\"}", UNAVAILABLE },
        { "no token", "{\"expireTime\":\"1970-01-01T01:00:00Z\"}", UNAVAILABLE },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str token;
        int64_t expires = 0;
        enum code rc = exchange_iam_reply(200, str_z(cases[i].body), SENT, arena, &token, &expires, NULL);
        if (rc != cases[i].code) fail_msg("%s: %s", cases[i].name, code_name(rc));
        if (!rc) assert_int_equal(expires, 3600000000);
    }
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    folder = argv[1];
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_equal_google_auths),
        cmocka_unit_test(test_bad_scopes),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_sts_replies),
        cmocka_unit_test(test_iam_replies),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
