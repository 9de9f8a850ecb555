/* How keys are fetched, renewed, kept and lost. */
#include "tokens.h"

#include <string.h>

#include "base/clock.h"
#include "identity/verified.h"

/* A fetcher whose answers come when the test says. */
static struct fake {
    unsigned gets;
    char url[512];
    void (*done)(void *arg, unsigned status, struct str body);
    void *arg;
} fake;

static void fake_get(void *ctx, struct str url, void (*done)(void *, unsigned, struct str), void *arg) {
    (void)ctx;
    assert_true(url.n < sizeof fake.url);
    memcpy(fake.url, url.p, url.n);
    fake.url[url.n] = 0;
    fake.gets++;
    fake.done = done, fake.arg = arg;
}

static void reply(unsigned status, struct str body) {
    void (*done)(void *, unsigned, struct str) = fake.done;
    fake.done = NULL;
    assert_non_null(done);
    done(fake.arg, status, body);
}

static struct arena *arena;
static struct key *rsa, *next;
static struct issuers *issuers;
static struct issuer *corp;
static unsigned woken;

enum { CALLERS = 1000 };
static struct issuer_wait waits[CALLERS + 100];
static size_t n_waits;

static void wake(void *arg) {
    (void)arg;
    woken++;
}

static struct issuer_wait *new_wait(void) {
    assert_true(n_waits < COUNT(waits));
    waits[n_waits] = (struct issuer_wait){ .wake = wake };
    return &waits[n_waits++];
}

static int setup(void **state) {
    (void)state;
    arena = arena_new(16 << 20);
    rsa = made_key(KEY_RSA), next = made_key(KEY_P256);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    key_unref(rsa), key_unref(next);
    arena_free(arena);
    clock_set_for_test(0);
    return 0;
}

static void begin(void) {
    struct err err = { 0 };
    struct fetcher fetcher = { NULL, fake_get };
    struct issuer_config config = {
        .name = STR("corp"),
        .preset = ISSUER_DISCOVERY,
        .iss = STR(ISS),
        .audiences = { STR(AUD) },
        .n_audiences = 1,
    };
    fake = (struct fake){ 0 };
    woken = 0;
    n_waits = 0;
    clock_set_for_test((int64_t)NOW * 1000000);
    if (issuers_new(&config, 1, &fetcher, &issuers, &err)) fail_msg("%s", err.message);
    corp = issuers_by_name(issuers, STR("corp"));
}

static struct str token_of(const char *kid) {
    return signed_token(arena, rsa, SIG_RS256, arena_printf(arena, "{\"alg\":\"RS256\",\"kid\":\"%s\"}", kid),
                        claims_text(arena, ""));
}

static enum jwt_outcome ask_at(int64_t now, struct str token, bool may_wait) {
    struct jwt_ask ask = { .issuers = issuers, .now_s = now, .wait = may_wait ? new_wait() : NULL };
    struct refusal refusal = { 0 };
    struct proof *proof = NULL;
    enum jwt_outcome outcome = jwt_verify(&ask, token, &proof, &refusal);
    proof_unref(proof);
    return outcome;
}

#define DISCOVERY "{\"issuer\":\"" ISS "\",\"jwks_uri\":\"" ISS "/keys\"}"

static void load_keys(void) {
    assert_int_equal(ask_at(NOW, token_of("k1"), true), JWT_WAIT);
    reply(200, STR(DISCOVERY));
    reply(200, key_set(arena, rsa, "k1", ""));
    assert_int_equal(ask_at(NOW, token_of("k1"), false), JWT_PROVED);
}

static void test_the_first_token_waits_for_discovery_and_keys(void **state) {
    (void)state;
    begin();
    struct str token = token_of("k1");
    for (int i = 0; i < CALLERS; i++) assert_int_equal(ask_at(NOW, token, true), JWT_WAIT); /* however many come at once */
    assert_int_equal(fake.gets, 1);
    assert_string_equal(fake.url, ISS "/.well-known/openid-configuration");
    reply(200, STR(DISCOVERY));
    assert_int_equal(fake.gets, 2);
    assert_string_equal(fake.url, ISS "/keys");
    assert_int_equal(woken, 0);
    reply(200, key_set(arena, rsa, "k1", ""));
    assert_int_equal(woken, CALLERS);
    assert_int_equal(ask_at(NOW, token, false), JWT_PROVED);
    issuers_free(issuers);
}

/* Another thread's fetch ends between our look at the keys and our wish for newer ones. */
static void test_keys_that_came_meanwhile(void **state) {
    (void)state;
    uint64_t seen;
    begin();
    assert_null(issuer_keys(corp, NOW, &seen));
    load_keys();
    assert_int_equal(issuer_refresh(corp, NOW, seen, new_wait()), ISSUER_NEWS);
    jwks_unref(issuer_keys(corp, NOW, &seen));
    assert_int_equal(issuer_refresh(corp, NOW, seen, new_wait()), ISSUER_NO_NEWS);
    assert_int_equal(woken, 1);
    issuers_free(issuers);
}

static void test_a_thousand_bogus_kids_cost_one_fetch_in_the_cooldown(void **state) {
    (void)state;
    begin();
    load_keys();
    unsigned before = fake.gets;
    assert_int_equal(ask_at(NOW + 31, token_of("bogus"), true), JWT_WAIT);
    reply(200, STR(DISCOVERY));
    reply(200, key_set(arena, rsa, "k1", ""));
    for (int i = 0; i < 1000; i++) assert_int_equal(ask_at(NOW + 32, token_of("bogus"), true), JWT_REFUSED);
    assert_int_equal(fake.gets, before + 2);
    assert_int_equal(ask_at(NOW + 62, token_of("bogus"), true), JWT_WAIT);
    reply(0, STR(""));
    issuers_free(issuers);
}

static const struct bad_answer {
    const char *name, *discovery, *keys;
    unsigned status;
} bad_answers[] = {
    { "discovery is down", "", NULL, 503 },
    { "discovery redirects", "", NULL, 302 },
    { "discovery of another issuer", "{\"issuer\":\"https://evil.example\",\"jwks_uri\":\"https://evil.example/keys\"}",
      NULL, 200 },
    { "issuer with a slash more", "{\"issuer\":\"" ISS "/\",\"jwks_uri\":\"" ISS "/keys\"}", NULL, 200 },
    { "keys over http", "{\"issuer\":\"" ISS "\",\"jwks_uri\":\"http://id.corp.example/keys\"}", NULL, 200 },
    { "keys with user in the address", "{\"issuer\":\"" ISS "\",\"jwks_uri\":\"https://good@evil.example/\"}", NULL, 200 },
    { "discovery is HTML", "<html>", NULL, 200 },
    { "keys are HTML", DISCOVERY, "<html>", 200 },
    { "keys are empty", DISCOVERY, "{\"keys\":[]}", 200 },
    { "keys are no list", DISCOVERY, "{\"keys\":{}}", 200 },
    { "a shared secret", DISCOVERY, "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"k1\",\"alg\":\"HS256\",\"k\":\"AAAA\"}]}", 200 },
};

static void test_bad_answers_leave_no_keys(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(bad_answers); i++) {
        const struct bad_answer *c = &bad_answers[i];
        begin();
        assert_int_equal(ask_at(NOW, token_of("k1"), true), JWT_WAIT);
        reply(c->status, str_z(c->discovery));
        if (c->keys) reply(200, str_z(c->keys));
        if (fake.done || woken != 1) fail_msg("%s: still fetching", c->name);
        if (ask_at(NOW, token_of("k1"), false) != JWT_REFUSED) fail_msg("%s: taken", c->name);
        issuers_free(issuers);
    }
}

static void test_old_keys_serve_while_the_issuer_is_down_but_not_for_ever(void **state) {
    (void)state;
    begin();
    load_keys();
    struct str day = signed_token(
        arena, rsa, SIG_RS256, STR("{\"alg\":\"RS256\",\"kid\":\"k1\"}"),
        STR("{\"iss\":\"" ISS "\",\"aud\":\"" AUD "\",\"sub\":\"a\",\"iat\":1800000300,\"exp\":1800086700}"));
    assert_int_equal(ask_at(NOW + 601, day, false), JWT_PROVED); /* and a renewal has begun */
    assert_non_null(fake.done);
    reply(503, STR(""));
    assert_int_equal(ask_at(NOW + 86400, day, false), JWT_PROVED);
    reply(503, STR(""));
    assert_int_equal(ask_at(NOW + 86401, day, false), JWT_REFUSED);
    if (fake.done) reply(503, STR(""));
    issuers_free(issuers);
}

static void test_a_removed_key_is_gone_also_for_what_is_cached(void **state) {
    (void)state;
    begin();
    load_keys();
    struct verified *cache = verified_new(8);
    struct jwt_ask ask = { .issuers = issuers, .now_s = NOW };
    struct refusal refusal = { 0 };
    struct proof *proof = NULL;
    struct str token = token_of("k1");
    assert_int_equal(verified_token(cache, &ask, STR("public"), 1, token, &proof, &refusal), JWT_PROVED);
    proof_unref(proof);
    ask.now_s = NOW + 601;
    clock_set_for_test((int64_t)(NOW + 601) * 1000000);
    assert_int_equal(verified_token(cache, &ask, STR("public"), 1, token, &proof, &refusal), JWT_PROVED);
    proof_unref(proof);
    reply(200, STR(DISCOVERY));
    reply(200, key_set(arena, next, "k2", ""));
    assert_int_equal(verified_token(cache, &ask, STR("public"), 1, token, &proof, &refusal), JWT_REFUSED);
    verified_free(cache);
    issuers_free(issuers);
}

static void test_key_sets(void **state) {
    (void)state;
    struct err err = { 0 };
    struct str one = key_set(arena, rsa, "k", ""), enc = key_set(arena, rsa, "k", "\"use\":\"enc\","),
               private = key_set(arena, rsa, "k", "\"d\":\"AQAB\","), ps = key_set(arena, rsa, "k", "\"alg\":\"PS256\","),
               wrong = key_set(arena, rsa, "k", "\"alg\":\"ES256\","),
               ops = key_set(arena, rsa, "k", "\"key_ops\":[\"sign\"],");
    struct str inner = { one.p + 9, one.n - 11 };
    struct str twice = arena_printf(arena, "{\"keys\":[%.*s,%.*s]}", STR_ARG(inner), STR_ARG(inner));
    const struct {
        const char *name;
        struct str text;
        enum code code;
        enum sig_alg finds;
    } sets[] = {
        { "one key", one, OK, SIG_RS256 },
        { "for PS256 only", ps, OK, SIG_PS256 },
        { "for encryption", enc, OK, SIG_NONE },
        { "a private key, published", private, OK, SIG_NONE },
        { "an algorithm of another kind", wrong, OK, SIG_NONE },
        { "may only sign", ops, OK, SIG_NONE },
        { "one kid twice", twice, OK, SIG_NONE },
        { "none", STR("{\"keys\":[]}"), OK, SIG_NONE },
        { "no list", STR("{}"), INVALID_ARGUMENT, SIG_NONE },
    };
    for (size_t i = 0; i < COUNT(sets); i++) {
        struct jwks *set = NULL;
        enum code rc = jwks_parse(sets[i].text, &set, NULL, &err);
        if (rc != sets[i].code) fail_msg("%s: %s", sets[i].name, code_name(rc));
        for (unsigned alg = 1; set && alg < SIG_COUNT; alg++)
            if ((jwks_find(set, true, STR("k"), (enum sig_alg)alg) != NULL) != (alg == sets[i].finds))
                fail_msg("%s: %u", sets[i].name, alg);
        if (set && jwks_count(set) != (sets[i].finds != SIG_NONE)) fail_msg("%s: %zu keys", sets[i].name, jwks_count(set));
        jwks_unref(set);
    }
    struct buf many = BUF_INIT(2 << 20);
    buf_add_z(&many, "{\"keys\":[");
    for (int i = 0; i < 10000; i++) buf_add_z(&many, i ? ",{}" : "{}");
    buf_add_z(&many, "]}");
    struct jwks *set = NULL;
    assert_int_equal(jwks_parse(buf_str(&many), &set, NULL, &err), INVALID_ARGUMENT);
    buf_free(&many);
}

static void test_faults_of_the_table_name_the_issuer(void **state) {
    (void)state;
    struct fetcher fetcher = { NULL, fake_get };
    const struct {
        const char *name;
        struct issuer_config config;
        const char *says;
    } faults[] = {
        { "no audience",
          { .name = STR("x"), .iss = STR("i"), .jwks_uri = STR("https://x/") },
          "issuer x: it has no audiences" },
        { "http",
          { .name = STR("x"), .iss = STR("i"), .jwks_uri = STR("http://x/"), .audiences = { STR("a") }, .n_audiences = 1 },
          "not https" },
        { "tenant common",
          { .name = STR("x"),
            .preset = ISSUER_ENTRA,
            .tenant = STR("common"),
            .audiences = { STR("a") },
            .n_audiences = 1 },
          "tenant" },
        { "no keys", { .name = STR("x"), .iss = STR("i"), .audiences = { STR("a") }, .n_audiences = 1 }, "neither keys" },
        { "bad keys",
          { .name = STR("x"), .iss = STR("i"), .jwks_json = STR("{}"), .audiences = { STR("a") }, .n_audiences = 1 },
          "issuer x: " },
    };
    for (size_t i = 0; i < COUNT(faults); i++) {
        struct err err = { 0 };
        if (issuers_new(&faults[i].config, 1, &fetcher, &issuers, &err) != INVALID_ARGUMENT) fail_msg("%s", faults[i].name);
        if (!strstr(err.message, faults[i].says)) fail_msg("%s: %s", faults[i].name, err.message);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_token_waits_for_discovery_and_keys),
        cmocka_unit_test(test_keys_that_came_meanwhile),
        cmocka_unit_test(test_a_thousand_bogus_kids_cost_one_fetch_in_the_cooldown),
        cmocka_unit_test(test_bad_answers_leave_no_keys),
        cmocka_unit_test(test_old_keys_serve_while_the_issuer_is_down_but_not_for_ever),
        cmocka_unit_test(test_a_removed_key_is_gone_also_for_what_is_cached),
        cmocka_unit_test(test_key_sets),
        cmocka_unit_test(test_faults_of_the_table_name_the_issuer),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
