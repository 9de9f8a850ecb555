/* The metadata endpoint of a job, and the development tokens. */
#include "tokens.h"

#include <string.h>

#include "identity/dev_issuer.h"
#include "identity/metadata.h"

enum { HEADERS_MAX = 8 };
struct headers {
    struct str names[HEADERS_MAX], values[HEADERS_MAX];
};

static unsigned header(void *ctx, struct str name, struct str *ret_value) {
    const struct headers *h = ctx;
    unsigned n = 0;
    for (unsigned i = 0; i < HEADERS_MAX; i++) {
        if (!h->names[i].n || !str_eq(h->names[i], name)) continue;
        *ret_value = h->values[i];
        n++;
    }
    return n;
}

static struct str asked_scopes, asked_audience;
static enum code withheld; /* why no token is given */

static enum code access_token(void *ctx, struct str account, struct str scopes, struct arena *arena,
                              struct metadata_token *ret, struct err *err) {
    (void)ctx, (void)account;
    if (withheld) return err_set(err, withheld, "NO_RULE: no more");
    asked_scopes = str_dup(arena, scopes);
    *ret = (struct metadata_token){ STR("tok\"en"), NOW + 900 };
    return OK;
}

static enum code id_token(void *ctx, struct str account, struct str audience, struct arena *arena,
                          struct metadata_token *ret, struct err *err) {
    (void)ctx, (void)account;
    if (withheld) return err_set(err, withheld, "NO_RULE: no more");
    asked_audience = str_dup(arena, audience);
    *ret = (struct metadata_token){ STR("id.to.ken"), NOW + 900 };
    return OK;
}

static struct arena *arena;
#define EMAIL "extract@demo.iam.gserviceaccount.com"

static struct metadata_response ask(const char *method, const char *path, const char *query, struct headers *headers) {
    struct metadata_job job = { .account = STR(EMAIL),
                                .project = STR("demo"),
                                .project_number = 123,
                                .instance_id = 7,
                                .host = STR("127.0.0.9:4000"),
                                .now_s = NOW,
                                .access_token = access_token,
                                .id_token = id_token };
    struct metadata_request request = { str_z(method), str_z(path), str_z(query), headers, header };
    struct metadata_response response = { 0 };
    metadata_answer(&job, &request, arena, &response);
    return response;
}

#define FLAVOR STR_INIT("metadata-flavor")
#define HOST   STR_INIT("host")
#define GOOD                                                                                                               \
    {                                                                                                                      \
        { FLAVOR, HOST }, {                                                                                                \
            STR_INIT("Google"), STR_INIT("metadata.google.internal")                                                       \
        }                                                                                                                  \
    }
#define SA "/computeMetadata/v1/instance/service-accounts/"

static const struct path_case {
    const char *path, *query;
    unsigned status;
    const char *type, *body;
} paths[] = {
    { "/", "", 200, "application/text", "computeMetadata/\n" },
    { "/computeMetadata/v1/", "", 200, "application/text", "instance/\nproject/\nuniverse/\n" },
    { "/computeMetadata/v1", "", 200, "application/text", "instance/\nproject/\nuniverse/\n" },
    { "/computeMetadata/v1/instance", "", 200, "application/text", "hostname\nid\nname\nservice-accounts/\nzone\n" },
    { "/computeMetadata/v1/project/project-id", "", 200, "application/text", "demo" },
    { "/computeMetadata/v1/project/numeric-project-id", "", 200, "application/text", "123" },
    { "/computeMetadata/v1/instance/id", "", 200, "application/text", "7" },
    { "/computeMetadata/v1/instance/zone", "", 200, "application/text", "projects/123/zones/local-a" },
    { "/computeMetadata/v1/universe/universe-domain", "", 200, "application/text", "googleapis.com" },
    { SA, "", 200, "application/text", "default/\n" EMAIL "/\n" },
    { SA "default/email", "", 200, "application/text", EMAIL },
    { SA EMAIL "/email", "", 200, "application/text", EMAIL },
    { SA "extract%40demo.iam.gserviceaccount.com/email", "", 200, "application/text", EMAIL },
    { SA "default/", "recursive=true", 200, "application/json",
      "{\"aliases\":[\"default\"],\"email\":\"" EMAIL
      "\",\"scopes\":[\"https://www.googleapis.com/auth/cloud-platform\"]}" },
    { SA "default/token", "scopes=a,b", 200, "application/json",
      "{\"access_token\":\"tok\\\"en\",\"expires_in\":900,\"token_type\":\"Bearer\"}" },
    { SA "default/identity", "audience=https://svc/a&format=full", 200, "application/text", "id.to.ken" },
    { SA "other@demo.iam.gserviceaccount.com/token", "", 404, NULL, NULL },
    { SA "default/secret", "", 404, NULL, NULL },
    { "//computeMetadata/v1/project/project-id", "", 404, NULL, NULL },
    { "/computeMetadata//v1/project/project-id", "", 404, NULL, NULL },
    { "/computeMetadata/v1/instance/%2e%2e/project/project-id", "", 404, NULL, NULL },
    { "/computeMetadata/v1/instance/../project/project-id", "", 404, NULL, NULL },
    { "/computemetadata/v1/project/project-id", "", 404, NULL, NULL },
    { "http://169.254.169.254/computeMetadata/v1/project/project-id", "", 404, NULL, NULL },
    { "/computeMetadata/v1beta1/project/project-id", "", 404, NULL, NULL },
    { SA "default/identity", "", 400, NULL, NULL },
    { SA "default/identity", "audience=a&audience=b", 400, NULL, NULL },
    { SA "default/identity", "audience=https://svc/a?b=c&d=e", 400, NULL, NULL },
    { SA "default/identity", "audience=a&format=x", 400, NULL, NULL },
    { SA "default/token", "bindCertificateFingerprint=x", 400, NULL, NULL },
    { SA "default/token", "scopes=%00", 400, NULL, NULL },
    { SA "default/token", "access_token=x", 400, NULL, NULL },
};

static void test_paths(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct headers good = GOOD;
        struct metadata_response r = ask("GET", paths[i].path, paths[i].query, &good);
        if (r.status != paths[i].status)
            fail_msg("%s?%s: %u %.*s", paths[i].path, paths[i].query, r.status, STR_ARG(r.body));
        if (!paths[i].body) continue;
        assert_str(r.body, paths[i].body);
        assert_str(r.content_type, paths[i].type);
    }
    struct headers good = GOOD;
    (void)ask("GET", SA "default/token", "scopes=a,b", &good);
    assert_str(asked_scopes, "a b");
    (void)ask("GET", SA "default/identity", "audience=https%3A%2F%2Fsvc%3Fx%26y", &good);
    assert_str(asked_audience, "https://svc?x&y");
}

static const struct header_case {
    const char *name, *method;
    struct headers headers;
    unsigned status;
} header_cases[] = {
    { "as clients ask", "GET", GOOD, 200 },
    { "by address", "GET", { { FLAVOR, HOST }, { STR_INIT("Google"), STR_INIT("169.254.169.254") } }, 200 },
    { "by the listener's address", "GET", { { FLAVOR, HOST }, { STR_INIT("Google"), STR_INIT("127.0.0.9:4000") } }, 200 },
    { "another listener's port", "GET", { { FLAVOR, HOST }, { STR_INIT("Google"), STR_INIT("127.0.0.9:4001") } }, 403 },
    { "a rebound name", "GET", { { FLAVOR, HOST }, { STR_INIT("Google"), STR_INIT("evil.example") } }, 403 },
    { "no host", "GET", { { FLAVOR }, { STR_INIT("Google") } }, 403 },
    { "two hosts",
      "GET",
      { { FLAVOR, HOST, HOST }, { STR_INIT("Google"), STR_INIT("metadata"), STR_INIT("metadata") } },
      403 },
    { "no flavor", "GET", { { HOST }, { STR_INIT("metadata") } }, 403 },
    { "another flavor", "GET", { { FLAVOR, HOST }, { STR_INIT("google"), STR_INIT("metadata") } }, 403 },
    { "flavor twice",
      "GET",
      { { FLAVOR, FLAVOR, HOST }, { STR_INIT("Google"), STR_INIT("Google"), STR_INIT("metadata") } },
      403 },
    { "forwarded for",
      "GET",
      { { FLAVOR, HOST, STR_INIT("x-forwarded-for") }, { STR_INIT("Google"), STR_INIT("metadata"), STR_INIT("1.2.3.4") } },
      403 },
    { "forwarded",
      "GET",
      { { FLAVOR, HOST, STR_INIT("forwarded") }, { STR_INIT("Google"), STR_INIT("metadata"), STR_INIT("for=1") } },
      403 },
    { "via",
      "GET",
      { { FLAVOR, HOST, STR_INIT("via") }, { STR_INIT("Google"), STR_INIT("metadata"), STR_INIT("1.1 x") } },
      403 },
    { "origin",
      "GET",
      { { FLAVOR, HOST, STR_INIT("origin") }, { STR_INIT("Google"), STR_INIT("metadata"), STR_INIT("null") } },
      403 },
    { "referer",
      "GET",
      { { FLAVOR, HOST, STR_INIT("referer") }, { STR_INIT("Google"), STR_INIT("metadata"), STR_INIT("http://x") } },
      403 },
    { "a browser's fetch",
      "GET",
      { { FLAVOR, HOST, STR_INIT("sec-fetch-mode") }, { STR_INIT("Google"), STR_INIT("metadata"), STR_INIT("cors") } },
      403 },
    { "h2c",
      "GET",
      { { FLAVOR, HOST, STR_INIT("upgrade") }, { STR_INIT("Google"), STR_INIT("metadata"), STR_INIT("h2c") } },
      403 },
    { "a body",
      "GET",
      { { FLAVOR, HOST, STR_INIT("content-length") }, { STR_INIT("Google"), STR_INIT("metadata"), STR_INIT("5") } },
      400 },
    { "chunks",
      "GET",
      { { FLAVOR, HOST, STR_INIT("transfer-encoding") },
        { STR_INIT("Google"), STR_INIT("metadata"), STR_INIT("chunked") } },
      403 },
    { "POST", "POST", GOOD, 405 },
    { "get", "get", GOOD, 405 },
};

static void test_headers(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(header_cases); i++) {
        struct headers h = header_cases[i].headers;
        struct metadata_response r = ask(header_cases[i].method, SA "default/token", "", &h);
        if (r.status != header_cases[i].status) fail_msg("%s: %u %.*s", header_cases[i].name, r.status, STR_ARG(r.body));
        if (r.status != 200 && str_find(r.body, STR("tok")) >= 0) fail_msg("%s: leaks", header_cases[i].name);
    }
}

static void test_who_may_not_have_a_token_is_told_why(void **state) {
    (void)state;
    static const struct {
        enum code code;
        unsigned status;
        const char *body;
    } cases[] = {
        { PERMISSION_DENIED, 403, "NO_RULE: no more" },
        { UNAVAILABLE, 503, "the token cannot be given now" }, /* clients try again */
        { RESOURCE_EXHAUSTED, 503, "the token cannot be given now" },
    };
    static const char *const asks[][2] = { { SA "default/token", "" }, { SA "default/identity", "audience=x" } };
    struct headers good = GOOD;
    for (size_t i = 0; i < COUNT(cases) * COUNT(asks); i++) {
        withheld = cases[i / COUNT(asks)].code;
        struct metadata_response r = ask("GET", asks[i % COUNT(asks)][0], asks[i % COUNT(asks)][1], &good);
        assert_int_equal(r.status, cases[i / COUNT(asks)].status);
        assert_str(r.body, cases[i / COUNT(asks)].body);
    }
    withheld = OK;
}

static void test_the_probe_needs_no_flavor(void **state) {
    (void)state;
    struct headers h = { { HOST }, { STR_INIT("127.0.0.9:4000") } };
    assert_int_equal(ask("GET", "/", "", &h).status, 200);
    h.values[0] = STR("evil.example");
    assert_int_equal(ask("GET", "/", "", &h).status, 403);
}

static void test_shapes_of_development_tokens_verify(void **state) {
    (void)state;
    struct err err = { 0 };
    struct dev_issuer *dev = NULL;
    assert_int_equal(dev_issuer_new(STR("http://127.0.0.1:8444/dev"), NULL, &dev, &err), OK);
    DEFER(buf_free) struct buf keys = BUF_INIT(4096), doc = BUF_INIT(4096);
    assert_int_equal(dev_issuer_jwks(dev, &keys, &err), OK);
    assert_int_equal(dev_issuer_discovery(dev, &doc, &err), OK);
    const struct issuer_config configs[] = {
        { .name = STR("entra"),
          .preset = ISSUER_ENTRA,
          .tenant = STR("72f9"),
          .jwks_json = buf_str(&keys),
          .audiences = { STR(AUD) },
          .n_audiences = 1 },
        { .name = STR("google"),
          .preset = ISSUER_GOOGLE,
          .jwks_json = buf_str(&keys),
          .audiences = { STR(AUD) },
          .n_audiences = 1 },
        { .name = STR("dev"),
          .iss = STR("http://127.0.0.1:8444/dev"),
          .jwks_json = buf_str(&keys),
          .audiences = { STR(AUD) },
          .n_audiences = 1 },
    };
    struct issuers *issuers = NULL;
    if (issuers_new(configs, COUNT(configs), NULL, &issuers, &err)) fail_msg("%s", err.message);
    static const struct {
        const char *query, *issuer, *subject;
    } shapes[] = {
        { "shape=entra&tenant=72f9&sub=7d0e&aud=linkspan&groups=a,b", "entra", "7d0e" },
        { "shape=entra-v1&tenant=72f9&sub=7d0e&aud=linkspan", "entra", "7d0e" },
        { "shape=google&sub=x%40y&aud=linkspan", "google", "x@y" },
        { "shape=kubernetes&sub=ns:runner&aud=linkspan", "dev", "system:serviceaccount:ns:runner" },
        { "sub=alice&aud=linkspan&life=60", "dev", "alice" },
    };
    for (size_t i = 0; i < COUNT(shapes); i++) {
        struct dev_ask dev_ask;
        DEFER(buf_free) struct buf token = BUF_INIT(16384);
        assert_int_equal(dev_issuer_parse(str_z(shapes[i].query), arena, &dev_ask, &err), OK);
        assert_int_equal(dev_issuer_token(dev, &dev_ask, &token, &err), OK);
        struct jwt_ask verify = { .issuers = issuers, .now_s = dev_ask.now_s };
        struct refusal refusal = { 0 };
        struct proof *proof = NULL;
        if (jwt_verify(&verify, buf_str(&token), &proof, &refusal) != JWT_PROVED)
            fail_msg("%s: %s", shapes[i].query, refusal.detail);
        assert_str(proof->principal.actor.issuer, shapes[i].issuer);
        assert_str(proof->principal.actor.subject, shapes[i].subject);
        proof_unref(proof);
    }
    static const char *const bad[] = {
        "", "sub=a", "sub=a&aud=b&sub=c", "sub=a&aud=b&x=1", "sub=a&aud=b&shape=okta", "sub=a&aud=b&life=0"
    };
    struct dev_ask unused;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(dev_issuer_parse(str_z(bad[i]), arena, &unused, &err), INVALID_ARGUMENT);
    issuers_free(issuers);
    dev_issuer_free(dev);
}

static int setup(void **state) {
    (void)state;
    arena = arena_new(1 << 20);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    arena_free(arena);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_who_may_not_have_a_token_is_told_why),
        cmocka_unit_test(test_the_probe_needs_no_flavor),
        cmocka_unit_test(test_shapes_of_development_tokens_verify),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
