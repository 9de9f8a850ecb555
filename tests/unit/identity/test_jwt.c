/* Our own tokens, what is revoked, what is cached, and short memory. */
#include "tokens.h"

#include <string.h>

#include "base/clock.h"
#include "data/json.h"
#include "identity/live_runs.h"
#include "identity/revoke.h"
#include "identity/verified.h"

static struct key *rsa, *own_key;
static struct arena *arena;
static struct issuers *issuers;
static struct mint *mint;
static struct live_runs *runs;

static int setup(void **state) {
    (void)state;
    struct err err = { 0 };
    arena = arena_new(16 << 20);
    runs = live_runs_new();
    rsa = made_key(KEY_RSA), own_key = made_key(KEY_P256);
    assert_int_equal(mint_new(own_key, STR(OWN), &mint, &err), OK);
    DEFER(buf_free) struct buf jwks = BUF_INIT(4096);
    assert_int_equal(mint_jwks(mint, &jwks, &err), OK);
    struct issuer_config configs[] = {
        { .name = STR("corp"),
          .iss = STR(ISS),
          .jwks_json = key_set(arena, rsa, "k1", ""),
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
    live_runs_free(runs);
    key_unref(rsa), key_unref(own_key);
    arena_free(arena);
    return 0;
}

static struct str foreign(const char *more) {
    return signed_token(arena, rsa, SIG_RS256, STR("{\"alg\":\"RS256\",\"kid\":\"k1\"}"), claims_text(arena, more));
}

static struct proof *prove(struct str token, struct revocations *revocations) {
    struct jwt_ask ask = { .issuers = issuers, .revocations = revocations, .runs = runs, .now_s = NOW };
    struct refusal refusal = { 0 };
    struct proof *proof = NULL;
    if (jwt_verify(&ask, token, &proof, &refusal) != JWT_PROVED)
        fail_msg("%s: %s", reason_name(refusal.reason), refusal.detail);
    return proof;
}

static enum reason refused(struct str token, struct revocations *revocations) {
    struct jwt_ask ask = { .issuers = issuers, .revocations = revocations, .runs = runs, .now_s = NOW };
    struct refusal refusal = { 0 };
    struct proof *proof = NULL;
    assert_int_equal(jwt_verify(&ask, token, &proof, &refusal), JWT_REFUSED);
    return refusal.reason;
}

static void test_a_foreign_chain_is_taken_out(void **state) {
    (void)state;
    struct proof *proof = prove(
        foreign(",\"act\":{\"sub\":\"root\"},\"may_act\":{\"sub\":\"x\"},\"job\":\"a/b\",\"job_run\":\"r\","
                "\"scope\":\"all\",\"via\":\"entra\",\"groups\":[\"g\"]"),
        NULL);
    const struct principal *p = &proof->principal;
    assert_int_equal(p->actor.kind, ACTOR_OIDC);
    assert_str(p->actor.issuer, "corp");
    assert_str(p->actor.subject, "alice");
    assert_int_equal(p->n_chain, 0);
    assert_int_equal(p->job.n + p->job_run.n + proof->scope.n, 0);
    assert_false(json_has(p->actor.claims, "act"));
    assert_false(json_has(p->actor.claims, "may_act"));
    assert_true(json_has(p->actor.claims, "groups"));
    assert_int_equal(strlen(p->token_id), 32);
    proof_unref(proof);
}

static struct str minted(const struct principal *p, char jti[23]) {
    struct err err = { 0 };
    DEFER(buf_free) struct buf token = BUF_INIT(MINT_TOKEN_MAX);
    struct mint_ask ask = { p, STR("s1 s2"), NOW, NOW + 99999 };
    int64_t expires = 0;
    enum code rc = mint_access_token(mint, &ask, &token, &expires, jti, &err);
    if (rc) fail_msg("%s", err.message);
    assert_int_equal(expires, NOW + MINT_MAX_LIFE_S);
    return str_dup(arena, buf_str(&token));
}

static void test_the_chain_survives_minting(void **state) {
    (void)state;
    struct proof *first = prove(foreign(",\"groups\":[\"analysts\"]"), NULL);
    struct principal one, two;
    assert_true(principal_act_as(&first->principal, STR("extract@demo.iam.gserviceaccount.com"), &one));
    assert_true(principal_act_as(&one, STR("deploy@demo.iam.gserviceaccount.com"), &two));
    two.job = STR("nightly/extract"), two.job_run = STR("run-7");
    assert_true(live_runs_begin(runs, two.job_run));
    struct proof *proof = prove(minted(&two, NULL), NULL);
    live_runs_end(runs, two.job_run);
    const struct principal *p = &proof->principal;
    assert_true(proof->own);
    assert_str(p->actor.subject, "deploy@demo.iam.gserviceaccount.com");
    assert_int_equal(p->actor.kind, ACTOR_ACCOUNT);
    assert_int_equal(p->n_chain, 2);
    assert_str(p->chain[0].subject, "alice");
    assert_str(p->chain[0].issuer, "corp");
    assert_true(json_has(p->chain[0].claims, "groups"));
    assert_false(json_has(p->chain[0].claims, "exp"));
    assert_str(p->chain[1].subject, "extract@demo.iam.gserviceaccount.com");
    assert_int_equal(p->chain[1].kind, ACTOR_ACCOUNT);
    assert_str(p->job, "nightly/extract");
    assert_str(p->job_run, "run-7");
    assert_str(proof->scope, "s1 s2");
    proof_unref(first);
    proof_unref(proof);
}

/* "a@x" of nobody, or who it was for the issuer that our exchange knew it by. */
static void test_whose_a_refused_token_of_ours_was(void **state) {
    (void)state;
    static const struct {
        struct actor actor;
        const char *issuer, *subject;
    } cases[] = {
        { { .kind = ACTOR_OIDC, .issuer = STR_INIT("corp"), .subject = STR_INIT("alice") }, "corp", "alice" },
        { { .kind = ACTOR_ACCOUNT, .subject = STR_INIT("a@x") }, "", "a@x" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct principal p = { .actor = cases[i].actor };
        struct jwt_ask late = { .issuers = issuers, .now_s = NOW + MINT_MAX_LIFE_S + JWT_SKEW_S };
        struct refusal refusal = { 0 };
        struct proof *proof = NULL;
        assert_int_equal(jwt_verify(&late, minted(&p, NULL), &proof, &refusal), JWT_REFUSED);
        assert_int_equal(refusal.reason, TOKEN_EXPIRED);
        assert_string_equal(refusal.token.issuer, cases[i].issuer);
        assert_string_equal(refusal.token.subject, cases[i].subject);
    }
}

static void test_a_chain_of_five_is_refused(void **state) {
    (void)state;
    struct principal p = { .actor = { .kind = ACTOR_ACCOUNT, .subject = STR("a@x") } };
    for (int i = 0; i < 4; i++) assert_true(principal_act_as(&p, STR("b@x"), &p));
    assert_false(principal_act_as(&p, STR("b@x"), &p));
    struct err err = { 0 };
    struct str five = STR(
        "{\"iss\":\"" OWN "\",\"aud\":\"" OWN "\",\"sub\":\"a\",\"jti\":\"j\",\"iat\":1800000000,\"exp\":1800003600,"
        "\"act\":{\"sub\":\"1\",\"act\":{\"sub\":\"2\",\"act\":{\"sub\":\"3\",\"act\":{\"sub\":\"4\",\"act\":{\"sub\":"
        "\"5\"}}}}}}");
    DEFER(buf_free) struct buf kid = BUF_INIT(64);
    assert_int_equal(key_thumbprint(own_key, &kid, &err), OK);
    struct str header = arena_printf(arena, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%.*s\"}",
                                     STR_ARG(buf_str(&kid)));
    assert_int_equal(refused(signed_token(arena, own_key, SIG_ES256, header, five), NULL), CHAIN_REFUSED);
}

static void test_large_claims_are_dropped_whole(void **state) {
    (void)state;
    char big[2001];
    memset(big, 'x', 2000), big[2000] = 0;
    struct proof *first = prove(foreign(str_dupz(arena, arena_printf(arena, ",\"big\":\"%s\",\"oid\":\"7d\"", big))), NULL);
    struct proof *proof = prove(minted(&first->principal, NULL), NULL);
    assert_false(json_has(proof->principal.actor.claims, "big"));
    assert_true(json_has(proof->principal.actor.claims, "oid"));
    assert_int_equal(proof->principal.actor.kind, ACTOR_OIDC);
    assert_str(proof->principal.actor.issuer, "corp");
    proof_unref(first);
    proof_unref(proof);
}

static void test_an_id_token_of_ours_is_no_access_token(void **state) {
    (void)state;
    struct err err = { 0 };
    DEFER(buf_free) struct buf token = BUF_INIT(8192);
    assert_int_equal(mint_id_token(mint, STR("a@x"), STR(OWN), NOW, NOW + 60, &token, NULL, &err), INVALID_ARGUMENT);
    assert_int_equal(mint_id_token(mint, STR("a@x"), STR("https://svc"), NOW, NOW, &token, NULL, &err),
                     FAILED_PRECONDITION);
    assert_int_equal(mint_id_token(mint, STR("a@x"), STR("https://svc"), NOW, NOW + 60, &token, NULL, &err), OK);
    assert_int_equal(refused(buf_str(&token), NULL), TOKEN_REJECTED);
}

/* Where our own subject tokens go: whoever had one of ours for it would be us. */
static void test_no_id_token_for_an_exchange(void **state) {
    (void)state;
    static const struct {
        const char *audience;
        bool refused;
    } cases[] = {
        { "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x", true },
        { "https://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x", true },
        { "http://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x", true },
        { "https://IAM.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x/", true },
        { "iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x//", true },
        { "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/y", false },
        { "api://sts", true },
        { "sts", true },
        { "api://sts/else", false },
    };
    struct err err = { 0 };
    struct mint *own = NULL;
    assert_int_equal(mint_new(own_key, STR(OWN), &own, &err), OK);
    assert_int_equal(mint_reserve(own, str_z(cases[0].audience), &err), OK);
    assert_int_equal(mint_reserve(own, STR("api://sts"), &err), OK);
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(buf_free) struct buf token = BUF_INIT(8192);
        enum code rc = mint_id_token(own, STR("a@x"), str_z(cases[i].audience), NOW, NOW + 60, &token, NULL, &err);
        if (rc != (cases[i].refused ? INVALID_ARGUMENT : OK) || (rc && token.n)) fail_msg("%s", cases[i].audience);
    }
    for (int i = 2; i < MINT_RESERVED_MAX; i++) assert_int_equal(mint_reserve(own, STR("api://sts"), &err), OK);
    assert_int_equal(mint_reserve(own, STR("api://sts"), &err), RESOURCE_EXHAUSTED);
    mint_free(own);
}

static enum code saved(void *ctx, struct str jti, int64_t until_s, struct err *err) {
    (void)jti, (void)until_s;
    return ++*(unsigned *)ctx == 2 ? err_set(err, UNAVAILABLE, "disk full") : OK;
}

static void test_revocation_reaches_the_cache_at_once(void **state) {
    (void)state;
    struct err err = { 0 };
    unsigned calls = 0;
    struct revocations *revocations = revocations_new(&(struct revoke_store){ &calls, saved });
    struct verified *cache = verified_new(4);
    struct principal p = { .actor = { .kind = ACTOR_ACCOUNT, .subject = STR("a@x") } };
    char jti[23], second[23];
    struct str one = minted(&p, jti), two = minted(&p, second);
    struct jwt_ask ask = { .issuers = issuers, .revocations = revocations, .now_s = NOW };
    struct refusal refusal = { 0 };
    struct proof *proof = NULL, *again = NULL;
    assert_int_equal(verified_token(cache, &ask, STR("public"), 1, one, &proof, &refusal), JWT_PROVED);
    assert_int_equal(verified_token(cache, &ask, STR("public"), 1, one, &again, &refusal), JWT_PROVED);
    assert_ptr_equal(proof, again);
    proof_unref(proof), proof_unref(again);
    assert_int_equal(revocations_add(revocations, str_z(jti), NOW + 3600, &err), OK);
    assert_int_equal(verified_token(cache, &ask, STR("public"), 1, one, &proof, &refusal), JWT_REFUSED);
    assert_int_equal(refusal.reason, REVOKED);
    assert_string_equal(refusal.token.subject, "a@x");
    assert_int_equal(verified_token(cache, &ask, STR("public"), 1, two, &proof, &refusal), JWT_PROVED);
    proof_unref(proof);
    /* What could not be saved counts all the same, and is told. */
    assert_int_equal(revocations_add(revocations, str_z(second), NOW + 3600, &err), UNAVAILABLE);
    assert_int_equal(verified_token(cache, &ask, STR("public"), 1, two, &proof, &refusal), JWT_REFUSED);
    assert_int_equal(refusal.reason, REVOKED);
    revocations_expire(revocations, NOW + 3721);
    assert_false(is_revoked(revocations, str_z(jti)));
    verified_free(cache);
    revocations_free(revocations);
}

static enum reason taken(struct verified *cache, const struct jwt_ask *ask, struct str token) {
    struct refusal refusal = { 0 };
    struct proof *proof = NULL;
    enum jwt_outcome outcome = verified_token(cache, ask, STR("public"), 1, token, &proof, &refusal);
    proof_unref(proof);
    return outcome == JWT_PROVED ? REASON_NONE : refusal.reason;
}

/* Neither an earlier server's token nor one of an ended run: cached, exchanged or new, only a run under way has any. */
static void test_a_token_of_a_run_holds_while_the_run_is_under_way(void **state) {
    (void)state;
    struct verified *cache = verified_new(4);
    struct principal p = { .actor = { .kind = ACTOR_ACCOUNT, .subject = STR("a@x") }, .job_run = STR("run-1") }, as;
    assert_true(principal_act_as(&p, STR("b@x"), &as));
    struct str direct = minted(&p, NULL), exchanged = minted(&as, NULL);
    struct jwt_ask ask = { .issuers = issuers, .runs = runs, .now_s = NOW }, none = { .issuers = issuers, .now_s = NOW };
    assert_int_equal(taken(cache, &ask, direct), JOB_ENDED);
    assert_int_equal(taken(cache, &none, direct), JOB_ENDED);
    assert_true(live_runs_begin(runs, STR("run-1")));
    assert_false(live_runs_begin(runs, STR("run-1")));
    assert_true(live_runs_begin(runs, STR("run-2")));
    assert_int_equal(taken(cache, &ask, direct), REASON_NONE);
    assert_int_equal(taken(cache, &ask, exchanged), REASON_NONE);
    live_runs_end(runs, STR("run-1"));
    live_runs_end(runs, STR("run-1"));
    assert_int_equal(taken(cache, &ask, direct), JOB_ENDED); /* was cached */
    assert_int_equal(taken(cache, &ask, exchanged), JOB_ENDED);
    assert_int_equal(taken(cache, &ask, minted(&p, NULL)), JOB_ENDED);
    live_runs_end(runs, STR("run-2"));
    verified_free(cache);
}

static void test_the_cache_keeps_doors_audiences_and_versions_apart(void **state) {
    (void)state;
    struct verified *cache = verified_new(4);
    struct jwt_ask ask = { .issuers = issuers, .now_s = NOW };
    struct refusal refusal = { 0 };
    struct proof *a = NULL, *b = NULL;
    struct str token = foreign("");
#define TAKEN(ask, door, policy, ret)                                                                                      \
    assert_int_equal(verified_token(cache, &(ask), STR(door), policy, token, &(ret), &refusal), JWT_PROVED)
    TAKEN(ask, "public", 1, a);
    TAKEN(ask, "admin", 1, b);
    assert_ptr_not_equal(a, b);
    b = proof_unref(b);
    TAKEN(ask, "public", 2, b);
    assert_ptr_not_equal(a, b); /* the policy's next version */
    a = proof_unref(a), b = proof_unref(b);
    struct jwt_ask other = ask, late = ask;
    other.audience = STR("elsewhere");
    assert_int_equal(verified_token(cache, &other, STR("public"), 2, token, &b, &refusal), JWT_REFUSED);
    assert_int_equal(refusal.reason, AUDIENCE_WRONG);
    late.now_s = NOW + 3600 + JWT_SKEW_S;
    assert_int_equal(verified_token(cache, &late, STR("public"), 2, token, &b, &refusal), JWT_REFUSED);
    assert_int_equal(refusal.reason, TOKEN_EXPIRED);
    assert_string_equal(refusal.token.issuer, "corp"); /* it had signed it: so it can be said whose it was */
    assert_int_equal(strlen(refusal.token.id), 32);
    refusal = (struct refusal){ 0 };
    struct str forged = str_upto(token, token.n - 8);
    assert_int_equal(verified_token(cache, &ask, STR("public"), 2, forged, &b, &refusal), JWT_REFUSED);
    assert_string_equal(refusal.token.id, "");
    for (int i = 0; i < 20; i++) {
        token = foreign(str_dupz(arena, arena_printf(arena, ",\"n\":%d", i)));
        TAKEN(ask, "public", 2, a);
        proof_unref(a);
        assert_true(verified_count(cache) <= 4);
    }
    /* New keys of the issuer: what they verified is verified again, and fails. */
    TAKEN(ask, "public", 2, a);
    proof_unref(a);
    struct err err = { 0 };
    struct key *next = made_key(KEY_P256);
    struct issuer *corp = issuers_by_name(issuers, STR("corp"));
    assert_int_equal(issuer_set_keys(corp, key_set(arena, next, "k1", ""), NOW, &err), OK);
    assert_int_equal(verified_token(cache, &ask, STR("public"), 2, token, &a, &refusal), JWT_REFUSED);
    assert_int_equal(refusal.reason, TOKEN_REJECTED);
    assert_int_equal(issuer_set_keys(corp, key_set(arena, rsa, "k1", ""), NOW, &err), OK);
    TAKEN(ask, "public", 2, a);
    proof_unref(a);
    assert_int_equal(issuer_set_keys(corp, STR("{\"keys\":[]}"), NOW, &err), OK); /* all of them are withdrawn */
    assert_int_equal(verified_token(cache, &ask, STR("public"), 2, token, &a, &refusal), JWT_REFUSED);
    assert_int_equal(issuer_set_keys(corp, STR("<html>"), NOW, &err), INVALID_ARGUMENT);
    assert_int_equal(issuer_set_keys(corp, key_set(arena, rsa, "k1", ""), NOW, &err), OK);
    key_unref(next);
    verified_free(cache);
}

/* Each allocation fails once, in our arenas and in jansson: refused for want of memory, never taken amiss, nothing leaked.
 */
static void test_short_memory(void **state) {
    (void)state;
    struct jwt_ask ask = { .issuers = issuers, .now_s = NOW };
    struct str token = foreign(",\"groups\":[\"a\",\"b\"]");
    unsigned n = 1;
    for (enum jwt_outcome outcome = JWT_REFUSED; outcome != JWT_PROVED; n++) {
        struct refusal refusal = { 0 };
        struct proof *proof = NULL;
        arena_fail_after(n);
        outcome = jwt_verify(&ask, token, &proof, &refusal);
        arena_fail_after(0);
        if (outcome == JWT_PROVED) assert_str(proof->principal.actor.subject, "alice");
        else if (refusal.reason != LIMIT_REACHED && refusal.reason != TOKEN_REJECTED)
            fail_msg("%u: %s: %s", n, reason_name(refusal.reason), refusal.detail);
        proof_unref(proof);
    }
    assert_true(n > 30);
    assert_true(n < 500);
}

static void test_figures(void **state) {
    (void)state;
    struct jwt_ask ask = { .issuers = issuers, .now_s = NOW };
    struct verified *cache = verified_new(64);
    struct str token = foreign(",\"groups\":[\"a\",\"b\"],\"tid\":\"72f9\",\"oid\":\"7d0e54c1\"");
    struct refusal refusal;
    struct proof *proof = NULL;
    enum { N = 300 };
    uint64_t t0 = clock_mono_us();
    for (int i = 0; i < N; i++) {
        assert_int_equal(jwt_verify(&ask, token, &proof, &refusal), JWT_PROVED);
        proof_unref(proof);
    }
    uint64_t t1 = clock_mono_us();
    for (int i = 0; i < N; i++) {
        assert_int_equal(verified_token(cache, &ask, STR("public"), 1, token, &proof, &refusal), JWT_PROVED);
        proof_unref(proof);
    }
    uint64_t t2 = clock_mono_us();
    print_message("RS256 verify and claims: %.1f us; from the cache: %.2f us\n", (double)(t1 - t0) / N,
                  (double)(t2 - t1) / N);
    verified_free(cache);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_foreign_chain_is_taken_out),
        cmocka_unit_test(test_the_chain_survives_minting),
        cmocka_unit_test(test_whose_a_refused_token_of_ours_was),
        cmocka_unit_test(test_a_chain_of_five_is_refused),
        cmocka_unit_test(test_large_claims_are_dropped_whole),
        cmocka_unit_test(test_an_id_token_of_ours_is_no_access_token),
        cmocka_unit_test(test_no_id_token_for_an_exchange),
        cmocka_unit_test(test_revocation_reaches_the_cache_at_once),
        cmocka_unit_test(test_a_token_of_a_run_holds_while_the_run_is_under_way),
        cmocka_unit_test(test_the_cache_keeps_doors_audiences_and_versions_apart),
        cmocka_unit_test(test_short_memory),
        cmocka_unit_test(test_figures),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
