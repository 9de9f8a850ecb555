/* Tokens for a service's own audience: taken by its rows, by no others, however the cache was filled. */
#include "tokens.h"

#include "identity/sts.h"
#include "identity/verified.h"

#define SYNAPSE "https://dev.azuresynapse.net"

static struct key *rsa, *own_key;
static struct arena *arena;
static struct issuers *issuers;
static struct mint *mint;

static int setup(void **state) {
    (void)state;
    struct err err = { 0 };
    arena = arena_new(16 << 20);
    rsa = made_key(KEY_RSA), own_key = made_key(KEY_P256);
    assert_int_equal(mint_new(own_key, STR(OWN), &mint, &err), OK);
    DEFER(buf_free) struct buf jwks = BUF_INIT(4096);
    assert_int_equal(mint_jwks(mint, &jwks, &err), OK);
    struct str keys = key_set(arena, rsa, "k1", "");
    struct issuer_config configs[] = {
        { .name = STR("corp"), .iss = STR(ISS), .jwks_json = keys, .audiences = { STR(AUD) }, .n_audiences = 1 },
        { .name = STR("lists"),
          .iss = STR("https://lists.example"),
          .jwks_json = keys,
          .audiences = { STR(AUD) },
          .n_audiences = 1,
          .audience_list = true },
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

static struct str token_for(const char *iss, const char *aud) {
    return signed_token(arena, rsa, SIG_RS256, STR("{\"alg\":\"RS256\",\"kid\":\"k1\"}"),
                        arena_printf(arena, "{\"iss\":\"%s\",\"aud\":%s,\"sub\":\"alice\",\"iat\":%d,\"exp\":%d}", iss, aud,
                                     NOW - 10, NOW + 3600));
}

static struct str own_token(void) {
    struct err err = { 0 };
    DEFER(buf_free) struct buf token = BUF_INIT(MINT_TOKEN_MAX);
    struct principal p = { .actor = { .kind = ACTOR_ACCOUNT, .subject = STR("a@x") } };
    struct mint_ask ask = { .principal = &p, .now_s = NOW, .expires_s = NOW + 600 };
    assert_int_equal(mint_access_token(mint, &ask, &token, NULL, NULL, &err), OK);
    return str_dup(arena, buf_str(&token));
}

/* By a row of a service with this audience. */
static enum reason at(struct verified *cache, struct str service_audience, struct str token) {
    struct jwt_ask ask = { .issuers = issuers, .now_s = NOW, .service_audience = service_audience };
    struct refusal refusal = { 0 };
    struct proof *proof = NULL;
    enum jwt_outcome outcome = cache ? verified_token(cache, &ask, STR("public"), 1, token, &proof, &refusal)
                                     : jwt_verify(&ask, token, &proof, &refusal);
    if (outcome == JWT_PROVED) assert_true(proof->audience.n > 0);
    proof_unref(proof);
    return outcome == JWT_PROVED ? REASON_NONE : refusal.reason;
}

static void test_which_audiences_open_which_rows(void **state) {
    (void)state;
    static const struct {
        const char *what, *iss, *aud;
        enum reason synapse, spanner; /* at Synapse's rows, at others */
    } cases[] = {
        { "the issuer's own", ISS, "\"" AUD "\"", REASON_NONE, REASON_NONE },
        { "Synapse's", ISS, "\"" SYNAPSE "\"", REASON_NONE, AUDIENCE_WRONG },
        { "with a slash", ISS, "\"" SYNAPSE "/\"", REASON_NONE, AUDIENCE_WRONG },
        { "with two", ISS, "\"" SYNAPSE "//\"", AUDIENCE_WRONG, AUDIENCE_WRONG },
        { "with a path", ISS, "\"" SYNAPSE "/.default\"", AUDIENCE_WRONG, AUDIENCE_WRONG },
        { "a prefix of it", ISS, "\"https://dev.azuresynapse\"", AUDIENCE_WRONG, AUDIENCE_WRONG },
        { "a name that begins like it", ISS, "\"" SYNAPSE ".evil.example\"", AUDIENCE_WRONG, AUDIENCE_WRONG },
        { "a workspace's own name", ISS, "\"https://flights.dev.azuresynapse.net\"", AUDIENCE_WRONG, AUDIENCE_WRONG },
        { "other case", ISS, "\"https://Dev.AzureSynapse.Net\"", AUDIENCE_WRONG, AUDIENCE_WRONG },
        { "http", ISS, "\"http://dev.azuresynapse.net\"", AUDIENCE_WRONG, AUDIENCE_WRONG },
        { "with its port", ISS, "\"" SYNAPSE ":443\"", AUDIENCE_WRONG, AUDIENCE_WRONG },
        { "a blank after it", ISS, "\"" SYNAPSE " \"", AUDIENCE_WRONG, AUDIENCE_WRONG },
        { "a NUL after it", ISS, "\"" SYNAPSE "\\u0000\"", TOKEN_REJECTED, TOKEN_REJECTED },
        { "the issuer's with a slash", ISS, "\"" AUD "/\"", AUDIENCE_WRONG, AUDIENCE_WRONG },
        { "empty", ISS, "\"\"", AUDIENCE_WRONG, AUDIENCE_WRONG },
        { "a slash", ISS, "\"/\"", AUDIENCE_WRONG, AUDIENCE_WRONG },
        { "a number", ISS, "1", AUDIENCE_WRONG, AUDIENCE_WRONG },
        { "an object", ISS, "{\"" SYNAPSE "\":1}", AUDIENCE_WRONG, AUDIENCE_WRONG },
        { "a list of it alone", ISS, "[\"" SYNAPSE "\"]", REASON_NONE, AUDIENCE_WRONG },
        { "a list of it alone, with a slash", ISS, "[\"" SYNAPSE "/\"]", REASON_NONE, AUDIENCE_WRONG },
        { "a list with another", ISS, "[\"" SYNAPSE "\",\"api://other\"]", AUDIENCE_WRONG, AUDIENCE_WRONG },
        { "a list with the issuer's", ISS, "[\"" SYNAPSE "\",\"" AUD "\"]", AUDIENCE_WRONG, AUDIENCE_WRONG },
        { "an empty list", ISS, "[]", AUDIENCE_WRONG, AUDIENCE_WRONG },
        { "a list in a list", ISS, "[[\"" SYNAPSE "\"]]", AUDIENCE_WRONG, AUDIENCE_WRONG },
        { "where lists are taken: with another", "https://lists.example", "[\"api://other\",\"" SYNAPSE "\"]", REASON_NONE,
          AUDIENCE_WRONG },
        { "where lists are taken: with the issuer's", "https://lists.example", "[\"" SYNAPSE "\",\"" AUD "\"]", REASON_NONE,
          REASON_NONE },
        { "where lists are taken: with a number", "https://lists.example", "[\"" SYNAPSE "\",1]", AUDIENCE_WRONG,
          AUDIENCE_WRONG },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str token = token_for(cases[i].iss, cases[i].aud);
        enum reason synapse = at(NULL, STR(SYNAPSE), token), spanner = at(NULL, STR(""), token);
        if (synapse != cases[i].synapse || spanner != cases[i].spanner)
            fail_msg("%s: %s, %s", cases[i].what, reason_name(synapse), reason_name(spanner));
    }
}

static void test_our_own_tokens_work_everywhere(void **state) {
    (void)state;
    struct str token = own_token();
    struct verified *cache = verified_new(8);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(at(cache, STR(SYNAPSE), token), REASON_NONE);
        assert_int_equal(at(cache, STR(""), token), REASON_NONE);
    }
    verified_free(cache);
}

/* The same token, asked for in both orders, twice: what one row's entry holds, another row never finds. */
static void test_the_cache_keeps_services_apart(void **state) {
    (void)state;
    static const char *const auds[] = { "\"" SYNAPSE "\"", "\"" SYNAPSE "/\"", "[\"" SYNAPSE "\"]" };
    for (size_t i = 0; i < COUNT(auds); i++)
        for (int order = 0; order < 2; order++) {
            struct str token = token_for(ISS, auds[i]);
            struct verified *cache = verified_new(8);
            if (order) assert_int_equal(at(cache, STR(""), token), AUDIENCE_WRONG);
            for (int k = 0; k < 2; k++) {
                assert_int_equal(at(cache, STR(SYNAPSE), token), REASON_NONE);
                assert_int_equal(at(cache, STR(""), token), AUDIENCE_WRONG);
                assert_int_equal(at(cache, STR("https://other.example"), token), AUDIENCE_WRONG);
            }
            assert_int_equal(verified_count(cache), 1);
            verified_free(cache);
        }
}

/* The texts that make a cache key cannot be shifted into each other. */
static void test_a_door_is_no_audience(void **state) {
    (void)state;
    struct str token = token_for(ISS, "\"" SYNAPSE "\"");
    struct verified *cache = verified_new(8);
    struct jwt_ask ask = { .issuers = issuers, .now_s = NOW, .service_audience = STR(SYNAPSE) };
    struct refusal refusal = { 0 };
    struct proof *proof = NULL;
    assert_int_equal(verified_token(cache, &ask, STR("public"), 1, token, &proof, &refusal), JWT_PROVED);
    proof_unref(proof);
    struct jwt_ask moved = { .issuers = issuers, .now_s = NOW, .audience = STR(SYNAPSE) };
    assert_int_equal(verified_token(cache, &moved, STR("public"), 1, token, &proof, &refusal), JWT_REFUSED);
    assert_int_equal(refusal.reason, AUDIENCE_WRONG);
    moved.audience = STR("");
    assert_int_equal(verified_token(cache, &moved, STR("public" SYNAPSE), 1, token, &proof, &refusal), JWT_REFUSED);
    assert_int_equal(refusal.reason, AUDIENCE_WRONG);
    verified_free(cache);
}

/* Else a token that all workspaces get would become one of ours, which opens every row. */
static void test_an_exchange_does_not_take_it(void **state) {
    (void)state;
    static const struct {
        const char *aud;
        unsigned status;
    } cases[] = { { "\"" AUD "\"", 200 }, { "\"" SYNAPSE "\"", 400 }, { "\"" SYNAPSE "/\"", 400 } };
    struct sts sts = { .ask = { .issuers = issuers, .now_s = NOW }, .mint = mint };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str body = arena_printf(
            arena,
            "grant_type=urn%%3Aietf%%3Aparams%%3Aoauth%%3Agrant-type%%3Atoken-exchange"
            "&subject_token_type=urn%%3Aietf%%3Aparams%%3Aoauth%%3Atoken-type%%3Ajwt"
            "&audience=//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/corp"
            "&subject_token=%.*s",
            STR_ARG(token_for(ISS, cases[i].aud)));
        struct sts_request request;
        struct answer answer;
        assert_true(sts_parse(STR("application/x-www-form-urlencoded"), body, arena, &request, &answer));
        sts_exchange(&sts, &request, arena, NULL, &answer);
        if (answer.status != cases[i].status) fail_msg("%s: %u", cases[i].aud, answer.status);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_audiences_open_which_rows), cmocka_unit_test(test_our_own_tokens_work_everywhere),
        cmocka_unit_test(test_the_cache_keeps_services_apart),  cmocka_unit_test(test_a_door_is_no_audience),
        cmocka_unit_test(test_an_exchange_does_not_take_it),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
