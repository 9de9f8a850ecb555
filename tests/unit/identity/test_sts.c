/* POST /v1/token and IAM Credentials, as the clients send them. */
#include "tokens.h"

#include <string.h>

#include "data/json.h"
#include "identity/iam.h"
#include "identity/sts.h"

static struct key *rsa, *own_key;
static struct arena *arena;
static struct issuers *issuers;
static struct mint *mint;

#define PROVIDER(x) "//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/pool/providers/" x
#define GRANT       "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange"
#define TYPE(x)     "&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3A" x
#define FORM        STR("application/x-www-form-urlencoded")
#define CLOUD       "https://www.googleapis.com/auth/cloud-platform"

static int setup(void **state) {
    (void)state;
    struct err err = { 0 };
    arena = arena_new(32 << 20);
    rsa = made_key(KEY_RSA), own_key = made_key(KEY_P256);
    assert_int_equal(mint_new(own_key, STR(OWN), &mint, &err), OK);
    DEFER(buf_free) struct buf jwks = BUF_INIT(4096);
    assert_int_equal(mint_jwks(mint, &jwks, &err), OK);
    struct str keys = key_set(arena, rsa, "k1", "");
    struct issuer_config configs[] = {
        { .name = STR("corp"),
          .iss = STR(ISS),
          .jwks_json = keys,
          .audiences = { STR(AUD) },
          .n_audiences = 1,
          .audience_list = true },
        { .name = STR("twin"),
          .iss = STR("https://twin.example"),
          .jwks_json = keys,
          .audiences = { STR(AUD) },
          .n_audiences = 1 },
        { .name = STR("linkspan"),
          .preset = ISSUER_OWN,
          .iss = STR(OWN),
          .jwks_json = buf_str(&jwks),
          .audiences = { STR(OWN) },
          .n_audiences = 1 },
    };
    if (issuers_new(configs, COUNT(configs), NULL, &issuers, &err)) fail_msg("%s", err.message);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    mint_free(mint);
    issuers_free(issuers);
    key_unref(rsa), key_unref(own_key);
    arena_free(arena);
    return 0;
}

static struct str subject(const char *claims) {
    return signed_token(arena, rsa, SIG_RS256, STR("{\"alg\":\"RS256\",\"kid\":\"k1\"}"), str_z(claims));
}

#define SOUND "{\"iss\":\"" ISS "\",\"aud\":\"" AUD "\",\"sub\":\"alice\",\"iat\":1800000000,\"exp\":1800001000}"

static struct sts sts_now(void) {
    return (struct sts){ .ask = { .issuers = issuers, .now_s = NOW }, .mint = mint };
}

static struct answer post(struct str type, struct str body) {
    struct sts sts = sts_now();
    struct sts_request request;
    struct answer answer;
    if (sts_parse(type, body, arena, &request, &answer)) sts_exchange(&sts, &request, arena, NULL, &answer);
    return answer;
}

static struct str form_with(struct str token, const char *provider, const char *more) {
    return arena_printf(arena, "%s&audience=%s&subject_token=%.*s%s", GRANT TYPE("jwt"), provider, STR_ARG(token), more);
}

static struct str token_in(const struct answer *answer, const char *member) {
    struct err err = { 0 };
    DEFER(json_freep) json_t *json = NULL;
    struct str token;
    assert_int_equal(json_read(answer->body, 1 << 16, 0, &json, &err), OK);
    assert_true(json_member_str(json, member, &token));
    return str_dup(arena, token);
}

static struct proof *prove(struct str token) {
    struct jwt_ask ask = { .issuers = issuers, .now_s = NOW };
    struct refusal refusal = { 0 };
    struct proof *proof = NULL;
    if (jwt_verify(&ask, token, &proof, &refusal) != JWT_PROVED)
        fail_msg("%s: %s", reason_name(refusal.reason), refusal.detail);
    return proof;
}

static void test_a_form_is_exchanged(void **state) {
    (void)state;
    struct answer answer = post(
        FORM, form_with(subject(SOUND), PROVIDER("corp"), "&scope=" CLOUD "&options=%7B%22userProject%22%3A%22p%22%7D"));
    if (answer.status != 200) fail_msg("%u %.*s", answer.status, STR_ARG(answer.body));
    assert_true(str_find(answer.body, STR("\"token_type\":\"Bearer\",\"expires_in\":1000}")) > 0);
    assert_true(str_find(answer.body, STR("\"issued_token_type\":\"urn:ietf:params:oauth:token-type:access_token\"")) > 0);
    struct proof *proof = prove(token_in(&answer, "access_token"));
    assert_true(proof->own);
    assert_int_equal(proof->expires_s, 1800001000); /* no later than the subject token */
    assert_str(proof->principal.actor.issuer, "corp");
    assert_str(proof->principal.actor.subject, "alice");
    assert_str(proof->scope, CLOUD);
    proof_unref(proof);
}

static void test_options_encoded_twice_and_json_bodies(void **state) {
    (void)state;
    struct answer answer = post(
        FORM, form_with(subject(SOUND), PROVIDER("corp"), "&options=%257B%2522userProject%2522%253A%2522p%2522%257D"));
    assert_int_equal(answer.status, 200);
    struct str token = subject(SOUND);
    struct str json = arena_printf(
        arena,
        "{\"grantType\":\"urn:ietf:params:oauth:grant-type:token-exchange\",\"audience\":\"" PROVIDER(
            "corp") "\","
                    "\"subjectTokenType\":\"urn:ietf:params:oauth:token-type:id_token\",\"subjectToken\":\"%.*s\"}",
        STR_ARG(token));
    assert_int_equal(post(STR("application/json; charset=utf-8"), json).status, 200);
}

static const struct form_case {
    const char *name, *type, *body, *says;
} bad_forms[] = {
    { "plain text", "text/plain", GRANT, "form or JSON" },
    { "no grant type", "application/x-www-form-urlencoded", "audience=x", "unsupported_grant_type" },
    { "another grant type", "application/x-www-form-urlencoded", "grant_type=password", "unsupported_grant_type" },
    { "a field twice", "application/x-www-form-urlencoded", GRANT "&audience=a&audience=b", "twice" },
    { "a field twice, once encoded", "application/x-www-form-urlencoded", GRANT "&audience=a&%61udience=b", "twice" },
    { "half an escape", "application/x-www-form-urlencoded", GRANT "&audience=%4", "not a form" },
    { "NUL", "application/x-www-form-urlencoded", GRANT "&audience=%00", "not a form" },
    { "actor token", "application/x-www-form-urlencoded", GRANT "&actor_token=x", "actor_token is not supported" },
    { "actor token type", "application/x-www-form-urlencoded", GRANT "&actor_token_type=x",
      "actor_token is not supported" },
    { "resource", "application/x-www-form-urlencoded", GRANT "&resource=x", "resource" },
    { "SAML", "application/x-www-form-urlencoded", GRANT TYPE("saml2") "&audience=a&subject_token=x", "saml2" },
    { "mTLS", "application/x-www-form-urlencoded", GRANT TYPE("mtls") "&audience=a&subject_token=x", "mtls" },
    { "no subject token", "application/x-www-form-urlencoded", GRANT TYPE("jwt") "&audience=a",
      "subject_token is missing" },
    { "no audience", "application/x-www-form-urlencoded", GRANT TYPE("jwt") "&subject_token=x", "audience is missing" },
    { "scope with two spaces", "application/x-www-form-urlencoded",
      GRANT TYPE("jwt") "&subject_token=x&audience=a&scope=b++c", "invalid_scope" },
    { "access boundary", "application/x-www-form-urlencoded",
      GRANT TYPE("jwt") "&subject_token=x&audience=a&options=%7B%22accessBoundary%22%3A%7B%7D%7D", "accessBoundary" },
    { "certificate binding", "application/x-www-form-urlencoded",
      GRANT TYPE("jwt") "&subject_token=x&audience=a&options=%7B%22bindCertFingerprint%22%3A%22x%22%7D",
      "bindCertFingerprint" },
    { "options no JSON", "application/x-www-form-urlencoded", GRANT TYPE("jwt") "&subject_token=x&audience=a&options=x",
      "options is not JSON" },
    { "options twice a key", "application/x-www-form-urlencoded",
      GRANT TYPE("jwt") "&subject_token=x&audience=a&options=%7B%22a%22%3A1%2C%22a%22%3A1%7D", "options is not JSON" },
    { "another requested type", "application/x-www-form-urlencoded",
      GRANT TYPE("jwt") "&subject_token=x&audience=a&requested_token_type=x", "requested_token_type" },
    { "JSON with a key twice", "application/json", "{\"audience\":\"a\",\"audience\":\"b\"}", "strict JSON" },
    { "JSON with an unknown key", "application/json", "{\"actorToken\":\"a\"}", "not supported" },
    { "JSON with a list", "application/json", "{\"audience\":[\"a\"]}", "must be text" },
};

static void test_bad_requests_are_refused_by_name(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(bad_forms); i++) {
        struct answer answer = post(str_z(bad_forms[i].type), str_z(bad_forms[i].body));
        if (answer.status != 400 || str_find(answer.body, str_z(bad_forms[i].says)) < 0)
            fail_msg("%s: %u %.*s", bad_forms[i].name, answer.status, STR_ARG(answer.body));
        if (!str_starts(answer.body, STR("{\"error\":\""))) fail_msg("%s: not OAuth's shape", bad_forms[i].name);
    }
}

static void test_wrong_subjects_all_look_alike(void **state) {
    (void)state;
    const struct {
        const char *name;
        struct str token;
        const char *provider;
        enum reason reason;
    } cases[] = {
        { "not a token", STR("x"), PROVIDER("corp"), TOKEN_REJECTED },
        { "for another provider", subject(SOUND), PROVIDER("twin"), AUDIENCE_WRONG },
        { "an unknown provider", subject(SOUND), PROVIDER("nobody"), AUDIENCE_WRONG },
        { "a foreign audience", subject(SOUND), "https%3A%2F%2Felsewhere", AUDIENCE_WRONG },
        { "our own address, with a foreign token", subject(SOUND), OWN, AUDIENCE_WRONG },
        { "the provider with a tail", subject(SOUND), PROVIDER("corp/x"), AUDIENCE_WRONG },
        { "expired",
          subject("{\"iss\":\"" ISS "\",\"aud\":\"" AUD "\",\"sub\":\"a\",\"iat\":1799990000,\"exp\":1799999000}"),
          PROVIDER("corp"), TOKEN_EXPIRED },
        { "ends now",
          subject("{\"iss\":\"" ISS "\",\"aud\":\"" AUD "\",\"sub\":\"a\",\"iat\":1799990000,\"exp\":1800000000}"),
          PROVIDER("corp"), TOKEN_EXPIRED },
        { "for two audiences",
          subject("{\"iss\":\"" ISS "\",\"aud\":[\"" AUD "\",\"x\"],\"sub\":\"a\",\"iat\":1800000000,\"exp\":1800001000}"),
          PROVIDER("corp"), TOKEN_REJECTED },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct answer answer = post(FORM, form_with(cases[i].token, cases[i].provider, ""));
        if (answer.status != 400 || answer.refusal.reason != cases[i].reason)
            fail_msg("%s: %u %s %s", cases[i].name, answer.status, reason_name(answer.refusal.reason),
                     answer.refusal.detail);
        assert_str(answer.body,
                   "{\"error\":\"invalid_grant\",\"error_description\":\"the subject token was not accepted\"}");
    }
}

static void test_an_own_token_only_narrows(void **state) {
    (void)state;
    struct answer first = post(FORM, form_with(subject(SOUND), PROVIDER("corp"), "&scope=a+b"));
    struct str token = token_in(&first, "access_token");
    struct answer same = post(FORM, form_with(token, OWN, "")), less = post(FORM, form_with(token, OWN, "&scope=b")),
                  more = post(FORM, form_with(token, OWN, "&scope=a+c")),
                  swapped = post(FORM, form_with(token, PROVIDER("corp"), ""));
    assert_int_equal(same.status, 200);
    assert_int_equal(less.status, 200);
    assert_int_equal(more.status, 400);
    assert_int_equal(swapped.status, 400);
    struct sts sts = sts_now();
    sts.beyond_subject_s = 3000; /* what policy adds for others' tokens must not let ours live for ever */
    struct sts_request request;
    struct answer answer;
    assert_true(sts_parse(FORM, form_with(token, OWN, ""), arena, &request, &answer));
    struct proof *by = NULL;
    sts_exchange(&sts, &request, arena, &by, &answer);
    assert_non_null(by);
    struct proof *proof = prove(token_in(&answer, "access_token"));
    assert_int_equal(proof->expires_s, 1800001000);
    assert_str(proof->scope, "a b");
    assert_str(proof->principal.actor.issuer, "corp");
    proof_unref(proof), proof_unref(by);
}

static void test_equal_subjects_of_two_issuers_stay_two(void **state) {
    (void)state;
    struct answer a = post(FORM, form_with(subject(SOUND), PROVIDER("corp"), ""));
    struct answer b = post(FORM, form_with(subject("{\"iss\":\"https://twin.example\",\"aud\":\"" AUD
                                                   "\",\"sub\":\"alice\",\"iat\":1800000000,"
                                                   "\"exp\":1800001000}"),
                                           PROVIDER("twin"), ""));
    struct proof *pa = prove(token_in(&a, "access_token")), *pb = prove(token_in(&b, "access_token"));
    assert_str(pa->principal.actor.issuer, "corp");
    assert_str(pb->principal.actor.issuer, "twin");
    proof_unref(pa), proof_unref(pb);
}

static void test_short_memory(void **state) {
    (void)state;
    struct sts sts = sts_now();
    struct str body = form_with(subject(SOUND), PROVIDER("corp"), "&scope=a&options=%7B%22userProject%22%3A%22p%22%7D");
    unsigned n = 1, status = 0;
    for (; status != 200; n++) {
        struct arena *own = arena_new(1 << 20);
        struct sts_request request;
        struct answer answer;
        arena_fail_after(n);
        if (sts_parse(FORM, body, own, &request, &answer)) sts_exchange(&sts, &request, own, NULL, &answer);
        arena_fail_after(0);
        status = answer.status;
        if (status != 200 && status != 400 && status != 503) fail_msg("%u: status %u", n, status);
        arena_free(own);
    }
    assert_true(n > 50);
    assert_true(n < 1000);
}

/* IAM Credentials. */

static struct str asked;
static enum reason may(void *ctx, const struct principal *principal, struct str account) {
    (void)principal;
    asked = account;
    return ctx ? NO_RULE : REASON_NONE;
}

static const struct principal caller = {
    .actor = { .kind = ACTOR_OIDC, .issuer = STR_INIT("corp"), .subject = STR_INIT("alice") },
    .expires_us = (NOW + 1800) * INT64_C(1000000),
};
#define EMAIL "extract@demo.iam.gserviceaccount.com"

static struct answer generate(enum iam_method method, const char *body, bool allowed) {
    struct iam iam = { mint, NOW, allowed ? NULL : (void *)&asked, may };
    struct answer answer;
    iam_answer(&iam, method, STR(EMAIL), str_z(body), &caller, arena, &answer);
    return answer;
}

static void test_routes(void **state) {
    (void)state;
    enum iam_method method;
    struct str email;
    assert_true(iam_route(STR("/v1/projects/-/serviceAccounts/" EMAIL ":generateAccessToken"), &method, &email));
    assert_str(email, EMAIL);
    static const char *const others[] = {
        "/v1/projects/real/serviceAccounts/a@b:generateAccessToken",
        "/v1/projects/-/serviceAccounts/a@b:other",
        "/v1/projects/-/serviceAccounts/a@b/../c@d:signJwt",
        "/v1/projects/-/serviceAccounts/:signJwt",
        "/v1/projects/-/serviceAccounts/a%40b:signJwt",
        "/v1/projects/-/serviceAccounts/a@b",
    };
    for (size_t i = 0; i < COUNT(others); i++)
        if (iam_route(str_z(others[i]), &method, &email)) fail_msg("%s", others[i]);
}

static void test_the_callers_name_goes_into_the_chain(void **state) {
    (void)state;
    struct answer answer = generate(IAM_GENERATE_ACCESS_TOKEN,
                                    "{\"delegates\":null,\"scope\":[\"" CLOUD "\"],\"lifetime\":\"3600s\"}", true);
    if (answer.status != 200) fail_msg("%.*s", STR_ARG(answer.body));
    assert_str(asked, EMAIL);
    struct proof *proof = prove(token_in(&answer, "accessToken"));
    assert_str(proof->principal.actor.subject, EMAIL);
    assert_int_equal(proof->principal.n_chain, 1);
    assert_str(proof->principal.chain[0].subject, "alice");
    assert_int_equal(proof->expires_s, NOW + 1800); /* the caller's own proof ends then */
    assert_str(token_in(&answer, "expireTime"), "2027-01-15T08:30:00Z");
    proof_unref(proof);
}

static const struct iam_case {
    const char *name;
    enum iam_method method;
    const char *body;
    unsigned status;
    const char *says;
} iam_cases[] = {
    { "no scope", IAM_GENERATE_ACCESS_TOKEN, "{\"scope\":[]}", 400, "scope" },
    { "scope no list", IAM_GENERATE_ACCESS_TOKEN, "{\"scope\":\"a\"}", 400, "scope" },
    { "scope with a space", IAM_GENERATE_ACCESS_TOKEN, "{\"scope\":[\"a b\"]}", 400, "scope" },
    { "-1s", IAM_GENERATE_ACCESS_TOKEN, "{\"scope\":[\"a\"],\"lifetime\":\"-1s\"}", 400, "lifetime" },
    { "0s", IAM_GENERATE_ACCESS_TOKEN, "{\"scope\":[\"a\"],\"lifetime\":\"0s\"}", 400, "lifetime" },
    { "43201s", IAM_GENERATE_ACCESS_TOKEN, "{\"scope\":[\"a\"],\"lifetime\":\"43201s\"}", 400, "lifetime" },
    { "1e9s", IAM_GENERATE_ACCESS_TOKEN, "{\"scope\":[\"a\"],\"lifetime\":\"1e9s\"}", 400, "lifetime" },
    { "a number", IAM_GENERATE_ACCESS_TOKEN, "{\"scope\":[\"a\"],\"lifetime\":3600}", 400, "lifetime" },
    { "a delegate", IAM_GENERATE_ACCESS_TOKEN, "{\"scope\":[\"a\"],\"delegates\":[\"projects/-/serviceAccounts/x\"]}", 501,
      "delegates" },
    { "delegates no list", IAM_GENERATE_ACCESS_TOKEN, "{\"scope\":[\"a\"],\"delegates\":\"x\"}", 501, "delegates" },
    { "a key twice", IAM_GENERATE_ACCESS_TOKEN, "{\"scope\":[\"a\"],\"scope\":[\"b\"]}", 400, "strict" },
    { "unknown keys are let be, as Node sends some", IAM_GENERATE_ACCESS_TOKEN, "{\"scope\":[\"a\"],\"useEmailAzp\":true}",
      200, "" },
    { "an empty list of delegates", IAM_GENERATE_ACCESS_TOKEN, "{\"scope\":[\"a\"],\"delegates\":[]}", 200, "" },
    { "signBlob", IAM_SIGN_BLOB, "{}", 501, "signBlob" },
    { "signJwt", IAM_SIGN_JWT, "{}", 501, "signJwt" },
    { "ID token", IAM_GENERATE_ID_TOKEN, "{\"audience\":\"https://svc\",\"includeEmail\":true}", 200, "" },
    { "ID token for ourselves", IAM_GENERATE_ID_TOKEN, "{\"audience\":\"" OWN "\"}", 400, "access tokens" },
    { "ID token without audience", IAM_GENERATE_ID_TOKEN, "{}", 400, "audience" },
};

static void test_iam_requests(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(iam_cases); i++) {
        struct answer answer = generate(iam_cases[i].method, iam_cases[i].body, true);
        if (answer.status != iam_cases[i].status || str_find(answer.body, str_z(iam_cases[i].says)) < 0)
            fail_msg("%s: %u %.*s", iam_cases[i].name, answer.status, STR_ARG(answer.body));
    }
    struct answer denied = generate(IAM_GENERATE_ACCESS_TOKEN, "{\"scope\":[\"a\"]}", false);
    assert_int_equal(denied.status, 403);
    assert_int_equal(denied.refusal.reason, NO_RULE);
    struct principal full = caller;
    full.n_chain = 4;
    struct iam iam = { mint, NOW, NULL, may };
    iam_answer(&iam, IAM_GENERATE_ACCESS_TOKEN, STR(EMAIL), STR("{\"scope\":[\"a\"]}"), &full, arena, &denied);
    assert_int_equal(denied.refusal.reason, CHAIN_REFUSED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_form_is_exchanged),
        cmocka_unit_test(test_options_encoded_twice_and_json_bodies),
        cmocka_unit_test(test_bad_requests_are_refused_by_name),
        cmocka_unit_test(test_wrong_subjects_all_look_alike),
        cmocka_unit_test(test_an_own_token_only_narrows),
        cmocka_unit_test(test_equal_subjects_of_two_issuers_stay_two),
        cmocka_unit_test(test_short_memory),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_the_callers_name_goes_into_the_chain),
        cmocka_unit_test(test_iam_requests),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
