/* A workspace's own tokens: what they say, who takes them, what is never made. */
#include "tokens.h"

#include <string.h>

#include "data/json.h"
#include "identity/workspace.h"

#define ISSUER OWN "/azure/72f9/"
#define MIRID  "/subscriptions/0/resourcegroups/demo/providers/Microsoft.Synapse/workspaces/flights"

static struct key *rsa, *ec;
static struct arena *arena;
static struct workspace *workspace;
static struct issuers *issuers;
static const struct workspace_config sound = { .issuer = { ISSUER, sizeof ISSUER - 1 },
                                               .tenant = { "72f9", 4 },
                                               .principal = { "the-oid", 7 },
                                               .client = { "the-appid", 9 },
                                               .resource_id = { MIRID, sizeof MIRID - 1 } };

static int setup(void **state) {
    (void)state;
    struct err err = { 0 };
    arena = arena_new(16 << 20);
    rsa = made_key(KEY_RSA), ec = made_key(KEY_P256);
    if (workspace_new(&sound, rsa, &workspace, &err)) fail_msg("%s", err.message);
    DEFER(buf_free) struct buf jwks = BUF_INIT(8192);
    assert_int_equal(workspace_jwks(workspace, &jwks, &err), OK);
    struct issuer_config configs[] = {
        { .name = STR("workspaces"),
          .iss = STR(ISSUER),
          .tenant = STR("72f9"),
          .jwks_json = buf_str(&jwks),
          .audiences = { STR(OWN), STR("api://linkspan") },
          .n_audiences = 2,
          .max_life_s = WORKSPACE_LIFE_S },
    };
    if (issuers_new(configs, COUNT(configs), NULL, &issuers, &err)) fail_msg("%s", err.message);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    workspace_free(workspace);
    issuers_free(issuers);
    key_unref(rsa), key_unref(ec);
    arena_free(arena);
    return 0;
}

static struct str minted(const char *audience, char fingerprint[JWT_FINGERPRINT_BYTES]) {
    struct err err = { 0 };
    DEFER(buf_wipe) struct buf token = BUF_INIT(16384);
    int64_t expires_s = 0;
    if (workspace_token(workspace, str_z(audience), NOW, &token, &expires_s, fingerprint, &err))
        fail_msg("%s", err.message);
    assert_int_equal(expires_s, NOW + 3600);
    return str_dup(arena, buf_str(&token));
}

static enum reason verified(struct str token, struct str service_audience, int64_t now_s, struct proof **ret) {
    struct jwt_ask ask = { .issuers = issuers, .now_s = now_s, .service_audience = service_audience };
    struct refusal refusal = { 0 };
    return jwt_verify(&ask, token, ret, &refusal) == JWT_PROVED ? REASON_NONE : refusal.reason;
}

static enum reason taken(struct str token, struct str service_audience, int64_t now_s) {
    struct proof *proof = NULL;
    enum reason reason = verified(token, service_audience, now_s, &proof);
    proof_unref(proof);
    return reason;
}

static void test_what_a_token_says(void **state) {
    (void)state;
    static const struct {
        const char *claim, *text;
    } texts[] = { { "iss", ISSUER },      { "aud", OWN },       { "appid", "the-appid" }, { "appidacr", "2" },
                  { "idtyp", "app" },     { "oid", "the-oid" }, { "sub", "the-oid" },     { "tid", "72f9" },
                  { "xms_mirid", MIRID }, { "ver", "1.0" } };
    static const struct {
        const char *claim;
        int64_t n;
    } times[] = { { "iat", NOW }, { "nbf", NOW }, { "exp", NOW + 3600 } };
    char fingerprint[JWT_FINGERPRINT_BYTES];
    struct proof *proof = NULL;
    struct str token = minted(OWN, fingerprint), text;
    assert_int_equal(verified(token, STR(""), NOW, &proof), REASON_NONE);
    const json_t *claims = proof->principal.actor.claims;
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_true(json_member_str(claims, texts[i].claim, &text));
        if (!str_eq_z(text, texts[i].text)) fail_msg("%s: %.*s", texts[i].claim, STR_ARG(text));
    }
    for (size_t i = 0; i < COUNT(times); i++) {
        int64_t n = 0;
        assert_true(json_member_int(claims, times[i].claim, &n));
        assert_int_equal(n, times[i].n);
    }
    assert_true(json_member_str(claims, "uti", &text) && text.n == 22);
    assert_int_equal(json_object_size(claims), COUNT(texts) + COUNT(times) + 1); /* and nothing else */
    assert_int_equal(proof->principal.actor.kind, ACTOR_OIDC);
    assert_str(proof->principal.actor.issuer, "workspaces");
    assert_str(proof->principal.actor.subject, "the-oid");
    assert_string_equal(proof->principal.token_id, fingerprint);
    assert_false(proof->own);
    proof_unref(proof);
    char other[JWT_FINGERPRINT_BYTES];
    (void)minted(OWN, other);
    assert_string_not_equal(fingerprint, other); /* each is another */
}

static void test_who_takes_it(void **state) {
    (void)state;
    char fingerprint[JWT_FINGERPRINT_BYTES];
    static const struct {
        const char *what, *audience, *service;
        int64_t now_s;
        enum reason reason;
    } cases[] = {
        { "for us", OWN, "", NOW, REASON_NONE },
        { "for our app", "api://linkspan", "", NOW, REASON_NONE },
        { "for another", "https://vault.azure.net", "", NOW, AUDIENCE_WRONG },
        { "for us, nearly", OWN "/", "", NOW, AUDIENCE_WRONG },
        { "for Synapse, elsewhere", "https://dev.azuresynapse.net", "", NOW, AUDIENCE_WRONG },
        { "for Synapse, there", "https://dev.azuresynapse.net", "https://dev.azuresynapse.net", NOW, REASON_NONE },
        { "just before its end", OWN, "", NOW + 3600 + JWT_SKEW_S - 1, REASON_NONE },
        { "at its end", OWN, "", NOW + 3600 + JWT_SKEW_S, TOKEN_EXPIRED },
        { "before its time", OWN, "", NOW - JWT_SKEW_S - 1, TOKEN_REJECTED },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        enum reason got = taken(minted(cases[i].audience, fingerprint), str_z(cases[i].service), cases[i].now_s);
        if (got != cases[i].reason) fail_msg("%s: %s", cases[i].what, reason_name(got));
    }
}

/* Also what the right key signed must be of the right tenant, type and life. */
static void test_what_another_would_make(void **state) {
    (void)state;
#define CLAIMS(iss, tid, exp)                                                                                              \
    "{\"iss\":\"" iss "\",\"aud\":\"" OWN "\",\"sub\":\"the-oid\",\"oid\":\"the-oid\",\"tid\":" tid                        \
    ",\"iat\":1800000000,\"exp\":" exp "}"
    static const struct {
        const char *what, *typ, *claims;
        enum reason reason;
    } cases[] = {
        { "as ours", "JWT", CLAIMS(ISSUER, "\"72f9\"", "1800003600"), REASON_NONE },
        { "another tenant", "JWT", CLAIMS(ISSUER, "\"72f8\"", "1800003600"), TOKEN_REJECTED },
        { "no tenant", "JWT", CLAIMS(ISSUER, "null", "1800003600"), CLAIM_MISSING },
        { "two hours", "JWT", CLAIMS(ISSUER, "\"72f9\"", "1800007200"), TOKEN_REJECTED },
        { "a proof of possession", "dpop+jwt", CLAIMS(ISSUER, "\"72f9\"", "1800003600"), TOKEN_REJECTED },
        { "without the slash", "JWT", CLAIMS(OWN "/azure/72f9", "\"72f9\"", "1800003600"), ISSUER_UNKNOWN },
        { "our own name", "JWT", CLAIMS(OWN, "\"72f9\"", "1800003600"), ISSUER_UNKNOWN },
        { "Entra's name", "JWT", CLAIMS("https://sts.windows.net/72f9/", "\"72f9\"", "1800003600"), ISSUER_UNKNOWN },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str header = arena_printf(arena, "{\"alg\":\"RS256\",\"typ\":\"%s\"}", cases[i].typ);
        enum reason got = taken(signed_token(arena, rsa, SIG_RS256, header, str_z(cases[i].claims)), STR(""), NOW);
        if (got != cases[i].reason) fail_msg("%s: %s", cases[i].what, reason_name(got));
    }
    struct key *stranger = made_key(KEY_RSA);
    struct str token = signed_token(arena, stranger, SIG_RS256, STR("{\"alg\":\"RS256\"}"), str_z(cases[0].claims));
    assert_int_equal(taken(token, STR(""), NOW), TOKEN_REJECTED);
    key_unref(stranger);
}

static void test_audiences_that_none_is_made_for(void **state) {
    (void)state;
    char long_one[WORKSPACE_AUDIENCE_MAX + 2];
    memset(long_one, 'a', sizeof long_one - 1), long_one[sizeof long_one - 1] = '\0';
    const struct str audiences[] = { STR(""),     { NULL, 0 }, str_z(long_one),    STR("a b"),     STR("a\nb"),
                                     STR("a\0b"), STR("\x7f"), STR("caf\xc3\xa9"), STR("\xff\xfe") };
    for (size_t i = 0; i < COUNT(audiences); i++) {
        struct err err = { 0 };
        DEFER(buf_wipe) struct buf token = BUF_INIT(16384);
        int64_t expires_s = -1;
        char fingerprint[JWT_FINGERPRINT_BYTES] = "untouched";
        assert_int_equal(workspace_token(workspace, audiences[i], NOW, &token, &expires_s, fingerprint, &err),
                         INVALID_ARGUMENT);
        assert_int_equal(token.n, 0);
        assert_int_equal(expires_s, -1);
        assert_string_equal(fingerprint, "untouched");
    }
    long_one[WORKSPACE_AUDIENCE_MAX] = '\0';
    char fingerprint[JWT_FINGERPRINT_BYTES];
    assert_true(minted(long_one, fingerprint).n > 0);
    /* What JSON would have to escape stays what it is. */
    DEFER(json_freep) json_t *claims = NULL;
    struct str token = minted("api://\"x\\<y>&'", fingerprint), text = STR(""), aud;
    struct err err;
    (void)str_cut(&token, '.');
    assert_true(dec_base64url(arena, str_cut(&token, '.'), &text));
    assert_int_equal(json_read(text, 8192, 0, &claims, &err), OK);
    assert_true(json_member_str(claims, "aud", &aud));
    assert_str(aud, "api://\"x\\<y>&'");
    /* No room: nothing half made. */
    DEFER(buf_wipe) struct buf small = BUF_INIT(100);
    int64_t expires_s;
    assert_int_not_equal(workspace_token(workspace, STR("a"), NOW, &small, &expires_s, fingerprint, &err), OK);
}

static void test_what_it_is_made_of(void **state) {
    (void)state;
    static const char too_long[WORKSPACE_TEXT_MAX + 1] = { 'x' };
    struct workspace *w = NULL;
    struct err err = { 0 };
    assert_int_equal(workspace_new(&sound, ec, &w, &err), INVALID_ARGUMENT);
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 2; k++) {
            struct workspace_config bad = sound;
            struct str *texts[] = { &bad.issuer, &bad.tenant, &bad.principal, &bad.client, &bad.resource_id };
            *texts[i] = k ? (struct str){ too_long, sizeof too_long } : STR("");
            assert_int_equal(workspace_new(&bad, rsa, &w, &err), INVALID_ARGUMENT);
        }
    DEFER(buf_free) struct buf public_pem = BUF_INIT(8192);
    struct key *public_key = NULL;
    assert_int_equal(key_public_pem(rsa, &public_pem, &err), OK);
    assert_int_equal(key_from_pem(buf_str(&public_pem), &public_key, &err), OK);
    assert_int_equal(workspace_new(&sound, public_key, &w, &err), INVALID_ARGUMENT);
    key_unref(public_key);
    assert_null(w);
    /* Each allocation fails once: refused for want of memory, nothing leaked. */
    for (unsigned n = 1; !w; n++) {
        arena_fail_after(n);
        enum code rc = workspace_new(&sound, rsa, &w, &err);
        arena_fail_after(0);
        assert_true(rc == RESOURCE_EXHAUSTED || (rc == OK && n > 3));
    }
    workspace_free(w);
}

static void test_what_is_published(void **state) {
    (void)state;
    struct err err = { 0 };
    DEFER(buf_free) struct buf keys = BUF_INIT(8192), discovery = BUF_INIT(8192);
    DEFER(json_freep) json_t *set = NULL, *document = NULL;
    struct str text;
    assert_int_equal(workspace_jwks(workspace, &keys, &err), OK);
    assert_int_equal(json_read(buf_str(&keys), 8192, 0, &set, &err), OK);
    const json_t *key = json_array_get(json_object_get(set, "keys"), 0);
    assert_int_equal(json_object_size(key), 5); /* kid, use, kty, n, e: no private member */
    assert_true(json_member_str(key, "kty", &text) && str_eq(text, STR("RSA")));
    assert_true(json_member_str(key, "use", &text) && str_eq(text, STR("sig")));
    assert_int_equal(workspace_discovery(workspace, &discovery, &err), OK);
    assert_int_equal(json_read(buf_str(&discovery), 8192, 0, &document, &err), OK);
    assert_true(json_member_str(document, "issuer", &text) && str_eq(text, STR(ISSUER)));
    assert_true(json_member_str(document, "jwks_uri", &text) && str_eq(text, STR(ISSUER "discovery/keys")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_token_says),       cmocka_unit_test(test_who_takes_it),
        cmocka_unit_test(test_what_another_would_make), cmocka_unit_test(test_audiences_that_none_is_made_for),
        cmocka_unit_test(test_what_it_is_made_of),      cmocka_unit_test(test_what_is_published),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
