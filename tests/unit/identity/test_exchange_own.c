/* Two Linkspans: what one exchanges for an upstream, the other's own STS and IAM Credentials take, and nobody else's. */
#include "tokens.h"

#include <string.h>

#include "base/clock.h"
#include "data/json.h"
#include "identity/exchange.h"
#include "identity/iam.h"
#include "identity/sts.h"

#define PROVIDER "//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/pool/providers/near"
#define NEAR     "https://near.example"
#define ACCOUNT  "reader@far.iam.gserviceaccount.com"

static struct arena *arena;
static struct key *near_key, *far_key;
static struct mint *far_mint;
static struct issuers *far; /* whom the far one believes: the near one, and itself */
static bool may_act;

static int setup(void **state) {
    (void)state;
    struct err err = { 0 };
    arena = arena_new(32 << 20);
    near_key = made_key(KEY_RSA), far_key = made_key(KEY_P256);
    assert_int_equal(mint_new(far_key, STR(OWN), &far_mint, &err), OK);
    DEFER(buf_free) struct buf jwks = BUF_INIT(4096);
    assert_int_equal(mint_jwks(far_mint, &jwks, &err), OK);
    struct issuer_config configs[] = {
        { .name = STR("near"),
          .iss = STR(NEAR),
          .jwks_json = key_set(arena, near_key, "k1", ""),
          .audiences = { STR(OWN) },
          .n_audiences = 1 },
        { .name = STR("linkspan"),
          .preset = ISSUER_OWN,
          .iss = STR(OWN),
          .jwks_json = buf_str(&jwks),
          .audiences = { STR(OWN) },
          .n_audiences = 1 },
    };
    if (issuers_new(configs, COUNT(configs), NULL, &far, &err)) fail_msg("%s", err.message);
    clock_set_for_test((int64_t)NOW * 1000000);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    clock_set_for_test(0);
    mint_free(far_mint);
    issuers_free(far);
    key_unref(near_key), key_unref(far_key);
    arena_free(arena);
    return 0;
}

/* ---- the far one ---- */

static enum reason may_act_as(void *ctx, const struct principal *principal, struct str account) {
    (void)ctx;
    assert_str(principal->actor.subject, "ada@corp");
    assert_str(account, ACCOUNT);
    return may_act ? REASON_NONE : NO_RULE;
}

static struct proof *prove(struct str token, struct refusal *refusal) {
    struct jwt_ask ask = { .issuers = far, .now_s = NOW };
    struct proof *proof = NULL;
    return jwt_verify(&ask, token, &proof, refusal) == JWT_PROVED ? proof : NULL;
}

static void sts_answers(const struct exchange_request *r, struct answer *answer) {
    struct sts sts = { .ask = { .issuers = far, .now_s = NOW }, .mint = far_mint };
    struct sts_request request;
    struct str type = http_header_value(r->headers, r->n_headers, STR("content-type"));
    if (sts_parse(type, r->body, arena, &request, answer)) sts_exchange(&sts, &request, arena, NULL, answer);
}

static void iam_answers(const struct exchange_request *r, struct answer *answer) {
    struct iam iam = { .mint = far_mint, .now_s = NOW, .may_act_as = may_act_as };
    enum iam_method method;
    struct str email, bearer = r->authorization, path = r->url;
    struct refusal refusal = { 0 };
    assert_true(str_strip_prefix(&path, STR(OWN)));
    assert_true(iam_route(path, &method, &email));
    assert_true(str_strip_prefix(&bearer, STR("Bearer ")));
    struct proof *proof = prove(bearer, &refusal);
    if (!proof) {
        fail_msg("%s", refusal.detail);
        return; /* not reached: for the compiler */
    }
    iam_answer(&iam, method, email, r->body, &proof->principal, arena, answer);
    proof_unref(proof);
}

static void post(void *ctx, const struct exchange_request *r, exchange_done *done, void *arg) {
    (void)ctx;
    struct answer answer = { 0 };
    if (str_ends(r->url, STR("/v1/token"))) sts_answers(r, &answer);
    else iam_answers(r, &answer);
    done(arg, &(struct exchange_answer){ .status = answer.status, .body = answer.body });
}

/* ---- the near one ---- */

static enum code subject(void *ctx, const struct principal *principal, struct buf *ret, struct err *err) {
    (void)err;
    const char *audience = ctx;
    struct str claims = arena_printf(
        arena, "{\"iss\":\"" NEAR "\",\"aud\":\"%s\",\"sub\":\"%.*s@%.*s\",\"iat\":%d,\"exp\":%d}", audience,
        STR_ARG(principal->actor.subject), STR_ARG(principal->actor.issuer), NOW, NOW + 3600);
    buf_add_str(ret, signed_token(arena, near_key, SIG_RS256, STR("{\"alg\":\"RS256\",\"kid\":\"k1\"}"), claims));
    return OK;
}

static struct {
    unsigned times;
    enum code code;
    char token[8192], why[1024];
} told;

static void on_told(struct exchange_wait *wait, struct exchange_token *token, const struct err *err) {
    (void)wait;
    told.times++;
    told.code = token ? OK : err->code;
    if (token) (void)snprintf(told.token, sizeof told.token, "%.*s", STR_ARG(exchange_token_text(token)));
    else (void)snprintf(told.why, sizeof told.why, "%s", err->message);
    (void)exchange_token_unref(token);
}

static void ask(bool impersonate, const char *audience) {
    static const struct str scope = STR_INIT("https://www.googleapis.com/auth/spanner.data");
    struct exchange_config config = { .token_url = STR(OWN "/v1/token"),
                                      .audience = STR(PROVIDER),
                                      .subject_token_type = STR("urn:ietf:params:oauth:token-type:jwt") };
    if (impersonate) config.impersonation_url = STR(OWN "/v1/projects/-/serviceAccounts/" ACCOUNT ":generateAccessToken");
    struct exchange_effects effects = { (void *)(uintptr_t)audience, subject, post };
    struct principal ada = { .actor = { .kind = ACTOR_OIDC, .issuer = STR("corp"), .subject = STR("ada") } };
    struct exchange_wait wait = { .done = on_told };
    struct exchange_token *token = NULL;
    struct exchange *exchange = NULL;
    struct err err = { 0 };
    memset(&told, 0, sizeof told);
    assert_int_equal(exchange_new(&config, &effects, 0, &exchange, &err), OK);
    assert_int_equal(exchange_get(exchange, &ada, &scope, 1, &wait, &token, &err), OK);
    assert_null(token);
    assert_int_equal(told.times, 1);
    exchange_free(exchange);
}

static void test_a_federated_token(void **state) {
    (void)state;
    struct refusal refusal = { 0 };
    ask(false, OWN);
    if (told.code) fail_msg("%s", told.why);
    struct proof *proof = prove(str_z(told.token), &refusal);
    if (!proof) {
        fail_msg("%s", refusal.detail);
        return; /* not reached: for the compiler */
    }
    assert_str(proof->principal.actor.subject, "ada@corp");
    proof_unref(proof);
}

static void test_a_service_accounts_token(void **state) {
    (void)state;
    struct refusal refusal = { 0 };
    may_act = true;
    ask(true, OWN);
    if (told.code) fail_msg("%s", told.why);
    struct proof *proof = prove(str_z(told.token), &refusal);
    if (!proof) {
        fail_msg("%s", refusal.detail);
        return; /* not reached: for the compiler */
    }
    assert_str(proof->principal.actor.subject, ACCOUNT);
    assert_int_equal(proof->principal.n_chain, 1); /* the far audit sees for whom */
    assert_str(proof->principal.chain[0].subject, "ada@corp");
    proof_unref(proof);
}

static void test_the_far_policy_refuses(void **state) {
    (void)state;
    may_act = false;
    ask(true, OWN);
    assert_int_equal(told.code, PERMISSION_DENIED);
}

static void test_a_subject_token_for_somebody_else(void **state) {
    (void)state;
    ask(false, "https://another.example");
    assert_int_equal(told.code, PERMISSION_DENIED);
    assert_null(strstr(told.why, "ada"));
}

/* What tokens are not kept by, the subject token does not say: else one that was got with more would serve those with less.
 */
static void test_a_subject_token_says_who_and_no_more(void **state) {
    (void)state;
    DEFER(json_freep) json_t *more = json_pack("{s:[s]}", "groups", "admins"), *less = json_pack("{s:[]}", "groups");
    struct principal p = { .actor = { ACTOR_OIDC, STR("corp"), STR("ada"), more },
                           .chain = { { ACTOR_OIDC, STR("corp"), STR("bob"), more } },
                           .n_chain = 1 };
    DEFER(buf_free) struct buf first = BUF_INIT(16384), second = BUF_INIT(16384);
    struct err err;
    assert_int_equal(mint_subject_token(far_mint, &p, STR("aud"), NOW, &first, &err), OK);
    p.actor.claims = p.chain[0].claims = less;
    assert_int_equal(mint_subject_token(far_mint, &p, STR("aud"), NOW, &second, &err), OK);
    struct str a = buf_str(&first), b = buf_str(&second); /* the signature is another each time */
    (void)str_cut(&a, '.'), (void)str_cut(&b, '.');
    a = str_cut(&a, '.'), b = str_cut(&b, '.');
    if (!str_eq(a, b)) fail_msg("%.*s\n%.*s", STR_ARG(a), STR_ARG(b));
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_federated_token),
        cmocka_unit_test(test_a_service_accounts_token),
        cmocka_unit_test(test_the_far_policy_refuses),
        cmocka_unit_test(test_a_subject_token_for_somebody_else),
        cmocka_unit_test(test_a_subject_token_says_who_and_no_more),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
