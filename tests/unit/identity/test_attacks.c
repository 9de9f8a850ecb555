/* Tokens that must not be taken, by kind of attack: header, encoding, claims, keys. */
#include "tokens.h"

#include <string.h>

static struct key *rsa, *p256, *p384, *other;
static struct arena *arena;
static struct issuers *issuers;

static int setup(void **state) {
    (void)state;
    struct err err = { 0 };
    arena = arena_new(64 << 20);
    rsa = made_key(KEY_RSA), p256 = made_key(KEY_P256), p384 = made_key(KEY_P384), other = made_key(KEY_RSA);
    struct str one = key_set(arena, rsa, "k1", ""), two = key_set(arena, p256, "k2", ""),
               b = key_set(arena, other, "kb", "");
    struct str both = arena_printf(arena, "%.*s,%.*s", (int)one.n - 2, one.p, (int)(two.n - 9), two.p + 9);
    struct issuer_config configs[] = {
        { .name = STR("corp"), .iss = STR(ISS), .jwks_json = both, .audiences = { STR(AUD) }, .n_audiences = 1 },
        { .name = STR("kube"),
          .iss = STR("https://kube.example"),
          .jwks_json = one,
          .audiences = { STR(AUD) },
          .n_audiences = 1,
          .audience_list = true,
          .authorized_party = STR("") },
        { .name = STR("party"),
          .iss = STR("https://party.example"),
          .jwks_json = one,
          .audiences = { STR(AUD) },
          .n_audiences = 1,
          .authorized_party = STR("app") },
        { .name = STR("b"), .iss = STR("https://b.example"), .jwks_json = b, .audiences = { STR(AUD) }, .n_audiences = 1 },
        { .name = STR("entra"),
          .preset = ISSUER_ENTRA,
          .tenant = STR("72f9"),
          .jwks_json = one,
          .audiences = { STR("api://linkspan") },
          .n_audiences = 1 },
    };
    enum code rc = issuers_new(configs, COUNT(configs), NULL, &issuers, &err);
    if (rc) fail_msg("%s", err.message);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    issuers_free(issuers);
    key_unref(rsa), key_unref(p256), key_unref(p384), key_unref(other);
    arena_free(arena);
    return 0;
}

static void must(const char *name, struct str token, enum reason expected) {
    struct jwt_ask ask = { .issuers = issuers, .now_s = NOW };
    struct refusal refusal = { 0 };
    struct proof *proof = NULL;
    enum jwt_outcome outcome = jwt_verify(&ask, token, &proof, &refusal);
    enum reason got = outcome == JWT_PROVED ? REASON_NONE : refusal.reason;
    if (got != expected)
        fail_msg("%s: %s (%s), should be %s", name, reason_name(got), refusal.detail, reason_name(expected));
    if (token.n > 40 && strstr(refusal.detail, "eyJ")) fail_msg("%s: the detail shows the token", name);
    proof_unref(proof);
}

static void must_be_refused(const char *name, struct str token) {
    struct jwt_ask ask = { .issuers = issuers, .now_s = NOW };
    struct refusal refusal = { 0 };
    struct proof *proof = NULL;
    if (jwt_verify(&ask, token, &proof, &refusal) != JWT_REFUSED || refusal.reason == REASON_NONE)
        fail_msg("%s: taken", name);
}

static const struct header_case {
    const char *name, *header;
    enum reason reason;
} headers[] = {
    { "sound", "{\"alg\":\"RS256\",\"kid\":\"k1\"}", REASON_NONE },
    { "typ JWT", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"JWT\"}", REASON_NONE },
    { "typ at+jwt", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"application/at+jwt\"}", REASON_NONE },
    { "x5t is ignored, as Entra sends it", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"x5t\":\"abc\"}", REASON_NONE },
    { "no kid, one key of the algorithm", "{\"alg\":\"RS256\"}", REASON_NONE },
    { "alg none", "{\"alg\":\"none\",\"kid\":\"k1\"}", TOKEN_REJECTED },
    { "alg NONE", "{\"alg\":\"NONE\",\"kid\":\"k1\"}", TOKEN_REJECTED },
    { "alg nOnE", "{\"alg\":\"nOnE\",\"kid\":\"k1\"}", TOKEN_REJECTED },
    { "alg absent", "{\"kid\":\"k1\"}", TOKEN_REJECTED },
    { "alg a list", "{\"alg\":[\"RS256\"],\"kid\":\"k1\"}", TOKEN_REJECTED },
    { "alg rs256", "{\"alg\":\"rs256\",\"kid\":\"k1\"}", TOKEN_REJECTED },
    { "alg HS256", "{\"alg\":\"HS256\",\"kid\":\"k1\"}", TOKEN_REJECTED },
    { "alg PS256 on a key for RS256", "{\"alg\":\"PS256\",\"kid\":\"k1\"}", TOKEN_REJECTED },
    { "alg RS512 on a key for RS256", "{\"alg\":\"RS512\",\"kid\":\"k1\"}", TOKEN_REJECTED },
    { "alg twice", "{\"alg\":\"RS256\",\"alg\":\"RS256\",\"kid\":\"k1\"}", TOKEN_REJECTED },
    { "alg twice, once escaped", "{\"alg\":\"RS256\",\"\\u0061lg\":\"none\",\"kid\":\"k1\"}", TOKEN_REJECTED },
    { "kid unknown", "{\"alg\":\"RS256\",\"kid\":\"k9\"}", TOKEN_REJECTED },
    { "kid of another algorithm's key", "{\"alg\":\"RS256\",\"kid\":\"k2\"}", TOKEN_REJECTED },
    { "kid of another issuer", "{\"alg\":\"RS256\",\"kid\":\"kb\"}", TOKEN_REJECTED },
    { "kid a path", "{\"alg\":\"RS256\",\"kid\":\"../../etc/passwd\"}", TOKEN_REJECTED },
    { "kid a query", "{\"alg\":\"RS256\",\"kid\":\"' OR 1=1 --\"}", TOKEN_REJECTED },
    { "kid with a control character", "{\"alg\":\"RS256\",\"kid\":\"k1\\n\"}", TOKEN_REJECTED },
    { "kid with NUL", "{\"alg\":\"RS256\",\"kid\":\"k1\\u0000\"}", TOKEN_REJECTED },
    { "kid a number", "{\"alg\":\"RS256\",\"kid\":1}", TOKEN_REJECTED },
    { "kid empty", "{\"alg\":\"RS256\",\"kid\":\"\"}", TOKEN_REJECTED },
    { "jwk", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"jwk\":{\"kty\":\"oct\"}}", TOKEN_REJECTED },
    { "jku", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"jku\":\"http://169.254.169.254/\"}", TOKEN_REJECTED },
    { "x5u", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"x5u\":\"http://169.254.169.254/\"}", TOKEN_REJECTED },
    { "x5c", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"x5c\":[]}", TOKEN_REJECTED },
    { "crit unknown", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"crit\":[\"x\"],\"x\":1}", TOKEN_REJECTED },
    { "crit empty", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"crit\":[]}", TOKEN_REJECTED },
    { "crit no list", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"crit\":\"exp\"}", TOKEN_REJECTED },
    { "b64 false", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"b64\":false}", TOKEN_REJECTED },
    { "b64 false with crit", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"b64\":false,\"crit\":[\"b64\"]}", TOKEN_REJECTED },
    { "zip", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"zip\":\"DEF\"}", TOKEN_REJECTED },
    { "p2c", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"p2c\":2147483648}", TOKEN_REJECTED },
    { "cty JWT", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"cty\":\"JWT\"}", TOKEN_REJECTED },
    { "a DPoP proof", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"dpop+jwt\"}", TOKEN_REJECTED },
    { "a logout token", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"logout+jwt\"}", TOKEN_REJECTED },
    { "typ no text", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":7}", TOKEN_REJECTED },
    { "a list", "[\"RS256\"]", TOKEN_REJECTED },
    { "a byte order mark", "\xef\xbb\xbf{\"alg\":\"RS256\",\"kid\":\"k1\"}", TOKEN_REJECTED },
    { "deep", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"x\":[[[[[[]]]]]]}", TOKEN_REJECTED },
};

static void test_headers(void **state) {
    (void)state;
    struct str payload = claims_text(arena, "");
    for (size_t i = 0; i < COUNT(headers); i++)
        must(headers[i].name, signed_token(arena, rsa, SIG_RS256, str_z(headers[i].header), payload), headers[i].reason);
    char kid[65537];
    memset(kid, 'k', sizeof kid);
    must("kid of 64 KiB",
         signed_token(arena, rsa, SIG_RS256, arena_printf(arena, "{\"alg\":\"RS256\",\"kid\":\"%.*s\"}", 65536, kid),
                      payload),
         TOKEN_REJECTED);
}

/* The key that everybody knows used as a shared secret. */
static void test_public_key_as_hmac_secret(void **state) {
    (void)state;
    struct err err = { 0 };
    DEFER(buf_free) struct buf pem = BUF_INIT(8192);
    assert_int_equal(key_public_pem(rsa, &pem, &err), OK);
    struct str text = unsigned_token(arena, STR("{\"alg\":\"HS256\",\"kid\":\"k1\"}"), claims_text(arena, ""));
    uint8_t mac[32];
    hash_hmac_sha256(buf_str(&pem), text, mac);
    must("HS256 with the PEM", with_signature(arena, text, mac, sizeof mac), TOKEN_REJECTED);
    hash_hmac_sha256(str_trim(buf_str(&pem)), text, mac);
    must("HS256 with the PEM, trimmed", with_signature(arena, text, mac, sizeof mac), TOKEN_REJECTED);
}

static void test_elliptic_signatures(void **state) {
    (void)state;
    struct err err = { 0 };
    struct str header = STR("{\"alg\":\"ES256\",\"kid\":\"k2\"}"), payload = claims_text(arena, "");
    struct str text = unsigned_token(arena, header, payload);
    uint8_t sig[SIGNATURE_MAX + 2];
    size_t n;
    must("sound", signed_token(arena, p256, SIG_ES256, header, payload), REASON_NONE);
    assert_int_equal(sign_make(p384, SIG_ES384, text, sig, &n, &err), OK);
    must("a P-384 key's", with_signature(arena, text, sig, n), TOKEN_REJECTED);
    must("a P-384 key's, cut", with_signature(arena, text, sig, 64), TOKEN_REJECTED);
    memset(sig, 0, sizeof sig);
    must("r = s = 0", with_signature(arena, text, sig, 64), TOKEN_REJECTED);
    memset(sig, 0xff, sizeof sig);
    must("r, s above the order", with_signature(arena, text, sig, 64), TOKEN_REJECTED);
    assert_int_equal(sign_make(p256, SIG_ES256, text, sig, &n, &err), OK);
    must("one byte more", with_signature(arena, text, sig, 65), TOKEN_REJECTED);
    must("one byte less", with_signature(arena, text, sig, 63), TOKEN_REJECTED);
    static const uint8_t der[] = { 0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01 };
    must("DER", with_signature(arena, text, der, sizeof der), TOKEN_REJECTED);
    must("64 KiB", with_signature(arena, text, arena_alloc(arena, 65536), 65536), TOKEN_REJECTED);
}

static void test_encodings(void **state) {
    (void)state;
    struct str good = signed_token(arena, rsa, SIG_RS256, STR("{\"alg\":\"RS256\",\"kid\":\"k1\"}"),
                                   claims_text(arena, ""));
    size_t dot = (size_t)str_find_char(good, '.'), last = good.n - 1;
    must("as made", good, REASON_NONE);
    must("padding at the end", arena_printf(arena, "%.*s=", STR_ARG(good)), TOKEN_REJECTED);
    must("padding inside", arena_printf(arena, "%.*s=%.*s", (int)dot, good.p, STR_ARG(str_from(good, dot))),
         TOKEN_REJECTED);
    must("a space before", arena_printf(arena, " %.*s", STR_ARG(good)), TOKEN_REJECTED);
    must("a newline after", arena_printf(arena, "%.*s\n", STR_ARG(good)), TOKEN_REJECTED);
    must("a space inside", arena_printf(arena, "%.*s %.*s", (int)dot, good.p, STR_ARG(str_from(good, dot))),
         TOKEN_REJECTED);
    must("two parts", str_upto(good, last - 300), TOKEN_REJECTED);
    must("four parts", arena_printf(arena, "%.*s.x", STR_ARG(good)), TOKEN_REJECTED);
    must("five parts", STR("eyJhbGciOiJkaXIifQ.e30.AA.AA.AA"), TOKEN_REJECTED);
    must("empty header", arena_printf(arena, "%.*s", STR_ARG(str_from(good, dot))), TOKEN_REJECTED);
    must("empty signature", arena_printf(arena, "%.*s.e30.", (int)dot, good.p), TOKEN_REJECTED);
    must("empty payload", arena_printf(arena, "%.*s..AA", (int)dot, good.p), TOKEN_REJECTED);
    must("dots", STR(".."), TOKEN_REJECTED);
    must("JSON serialization", STR("{\"payload\":\"e30\",\"signatures\":[]}"), TOKEN_REJECTED);
    must("nothing", STR(""), NO_PROOF);
    /* 256 bytes of signature leave trailing bits in the last character: each of its neighbours decodes to the same bytes.
     */
    char *bent = str_dupz(arena, good);
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    bent[last] = *(strchr(alphabet, bent[last]) + 1);
    must("trailing bits", str_z(bent), TOKEN_REJECTED);
    for (size_t i = 0; i < good.n; i += 7) {
        bent = str_dupz(arena, good);
        bent[i] = bent[i] == 'A' ? 'B' : 'A';
        if (bent[i] != good.p[i]) must_be_refused("one character changed", str_z(bent));
    }
    static char big[1 << 20];
    memset(big, 'A', sizeof big);
    must("1 MiB", (struct str){ big, sizeof big }, TOKEN_REJECTED);
    must("16 KiB and 1", (struct str){ big, (16 << 10) + 1 }, TOKEN_REJECTED);
}

static const struct claims_case {
    const char *name, *claims;
    enum reason reason;
} claims[] = {
#define TIMES "\"iat\":1800000000,\"exp\":1800003600"
#define BASE  "\"iss\":\"" ISS "\",\"aud\":\"" AUD "\",\"sub\":\"alice\""
    { "sound", "{" BASE "," TIMES "}", REASON_NONE },
    { "not an object", "[1]", TOKEN_REJECTED },
    { "aud twice", "{" BASE "," TIMES ",\"aud\":\"linkspan\"}", TOKEN_REJECTED },
    { "aud twice, once escaped", "{" BASE "," TIMES ",\"\\u0061ud\":\"linkspan\"}", TOKEN_REJECTED },
    { "Aud is no aud", "{\"iss\":\"" ISS "\",\"sub\":\"a\",\"Aud\":\"linkspan\"," TIMES "}", CLAIM_MISSING },
    { "an escaped name is the name", "{\"iss\":\"" ISS "\",\"sub\":\"a\",\"\\u0061ud\":\"linkspan\"," TIMES "}",
      REASON_NONE },
    { "bad UTF-8", "{" BASE "," TIMES ",\"x\":\"\xff\"}", TOKEN_REJECTED },
    { "iss with a slash more", "{\"iss\":\"" ISS "/\",\"aud\":\"linkspan\",\"sub\":\"a\"," TIMES "}", ISSUER_UNKNOWN },
    { "iss in capitals", "{\"iss\":\"https://ID.corp.example\",\"aud\":\"linkspan\",\"sub\":\"a\"," TIMES "}",
      ISSUER_UNKNOWN },
    { "iss with a port", "{\"iss\":\"" ISS ":443\",\"aud\":\"linkspan\",\"sub\":\"a\"," TIMES "}", ISSUER_UNKNOWN },
    { "iss with user", "{\"iss\":\"https://id.corp.example@evil.example\",\"aud\":\"linkspan\",\"sub\":\"a\"," TIMES "}",
      ISSUER_UNKNOWN },
    { "iss with a homoglyph",
      "{\"iss\":\"https://\xd1\x96"
      "d.corp.example\",\"aud\":\"linkspan\",\"sub\":\"a\"," TIMES "}",
      ISSUER_UNKNOWN },
    { "iss empty", "{\"iss\":\"\",\"aud\":\"linkspan\",\"sub\":\"a\"," TIMES "}", ISSUER_UNKNOWN },
    { "iss a list", "{\"iss\":[\"" ISS "\"],\"aud\":\"linkspan\",\"sub\":\"a\"," TIMES "}", TOKEN_REJECTED },
    { "iss absent", "{\"aud\":\"linkspan\",\"sub\":\"a\"," TIMES "}", CLAIM_MISSING },
    { "aud absent", "{\"iss\":\"" ISS "\",\"sub\":\"a\"," TIMES "}", CLAIM_MISSING },
    { "aud another", "{\"iss\":\"" ISS "\",\"aud\":\"other\",\"sub\":\"a\"," TIMES "}", AUDIENCE_WRONG },
    { "aud a prefix", "{\"iss\":\"" ISS "\",\"aud\":\"linkspa\",\"sub\":\"a\"," TIMES "}", AUDIENCE_WRONG },
    { "aud longer", "{\"iss\":\"" ISS "\",\"aud\":\"linkspan2\",\"sub\":\"a\"," TIMES "}", AUDIENCE_WRONG },
    { "aud empty", "{\"iss\":\"" ISS "\",\"aud\":\"\",\"sub\":\"a\"," TIMES "}", AUDIENCE_WRONG },
    { "aud an object", "{\"iss\":\"" ISS "\",\"aud\":{\"linkspan\":1},\"sub\":\"a\"," TIMES "}", AUDIENCE_WRONG },
    { "aud an empty list", "{\"iss\":\"" ISS "\",\"aud\":[],\"sub\":\"a\"," TIMES "}", AUDIENCE_WRONG },
    { "aud a list of one", "{\"iss\":\"" ISS "\",\"aud\":[\"linkspan\"],\"sub\":\"a\"," TIMES "}", REASON_NONE },
    { "aud a list with others, not configured",
      "{\"iss\":\"" ISS "\",\"aud\":[\"linkspan\",\"x\"],\"sub\":\"a\"," TIMES "}", AUDIENCE_WRONG },
    { "aud a list with others, configured",
      "{\"iss\":\"https://kube.example\",\"aud\":[\"x\",\"linkspan\"],\"sub\":\"a\"," TIMES "}", REASON_NONE },
    { "aud a list with a number", "{\"iss\":\"https://kube.example\",\"aud\":[\"linkspan\",1],\"sub\":\"a\"," TIMES "}",
      AUDIENCE_WRONG },
    { "several aud, azp another",
      "{\"iss\":\"https://kube.example\",\"aud\":[\"x\",\"linkspan\"],\"azp\":\"x\",\"sub\":\"a\"," TIMES "}",
      TOKEN_REJECTED },
    { "azp as configured",
      "{\"iss\":\"https://party.example\",\"aud\":\"linkspan\",\"azp\":\"app\",\"sub\":\"a\"," TIMES "}", REASON_NONE },
    { "azp another", "{\"iss\":\"https://party.example\",\"aud\":\"linkspan\",\"azp\":\"app2\",\"sub\":\"a\"," TIMES "}",
      TOKEN_REJECTED },
    { "azp missing", "{\"iss\":\"https://party.example\",\"aud\":\"linkspan\",\"sub\":\"a\"," TIMES "}", CLAIM_MISSING },
    { "exp absent", "{" BASE ",\"iat\":1800000000}", CLAIM_MISSING },
    { "iat absent", "{" BASE ",\"exp\":1800003600}", CLAIM_MISSING },
    { "exp as text", "{" BASE ",\"iat\":1800000000,\"exp\":\"1800003600\"}", TOKEN_REJECTED },
    { "exp a real", "{" BASE ",\"iat\":1800000000,\"exp\":1800003600.0}", TOKEN_REJECTED },
    { "exp 1e308", "{" BASE ",\"iat\":1800000000,\"exp\":1e308}", TOKEN_REJECTED },
    { "exp 1e309", "{" BASE ",\"iat\":1800000000,\"exp\":1e309}", TOKEN_REJECTED },
    { "exp negative", "{" BASE ",\"iat\":1800000000,\"exp\":-1}", TOKEN_REJECTED },
    { "exp true", "{" BASE ",\"iat\":1800000000,\"exp\":true}", TOKEN_REJECTED },
    { "exp 2^63", "{" BASE ",\"iat\":1800000000,\"exp\":9223372036854775808}", TOKEN_REJECTED },
    { "exp 2^63-1", "{" BASE ",\"iat\":1800000000,\"exp\":9223372036854775807}", TOKEN_REJECTED },
    { "exp NaN", "{" BASE ",\"iat\":1800000000,\"exp\":NaN}", TOKEN_REJECTED },
    { "expired within the skew", "{" BASE ",\"iat\":1799990000,\"exp\":1799999941}", REASON_NONE },
    { "expired at the skew", "{" BASE ",\"iat\":1799990000,\"exp\":1799999940}", TOKEN_EXPIRED },
    { "iat within the skew", "{" BASE ",\"iat\":1800000060,\"exp\":1800003600}", REASON_NONE },
    { "iat of the future", "{" BASE ",\"iat\":1800000061,\"exp\":1800003600}", TOKEN_REJECTED },
    { "nbf of the future", "{" BASE "," TIMES ",\"nbf\":1800000061}", TOKEN_REJECTED },
    { "nbf as text", "{" BASE "," TIMES ",\"nbf\":\"0\"}", TOKEN_REJECTED },
    { "lives a day", "{" BASE ",\"iat\":1800000000,\"exp\":1800086400}", REASON_NONE },
    { "lives longer", "{" BASE ",\"iat\":1800000000,\"exp\":1800086401}", TOKEN_REJECTED },
    { "ends before it begins", "{" BASE ",\"iat\":1800000050,\"exp\":1800000040}", TOKEN_REJECTED },
    { "sub absent", "{\"iss\":\"" ISS "\",\"aud\":\"linkspan\"," TIMES "}", CLAIM_MISSING },
    { "sub empty", "{\"iss\":\"" ISS "\",\"aud\":\"linkspan\",\"sub\":\"\"," TIMES "}", TOKEN_REJECTED },
    { "sub with a line break", "{\"iss\":\"" ISS "\",\"aud\":\"linkspan\",\"sub\":\"a\\r\\nb\"," TIMES "}",
      TOKEN_REJECTED },
    { "sub a number", "{\"iss\":\"" ISS "\",\"aud\":\"linkspan\",\"sub\":7," TIMES "}", TOKEN_REJECTED },
    { "sub a star is only text", "{\"iss\":\"" ISS "\",\"aud\":\"linkspan\",\"sub\":\"*\"," TIMES "}", REASON_NONE },
    { "a logout token", "{" BASE "," TIMES ",\"events\":{}}", TOKEN_REJECTED },
    { "another issuer's key", "{\"iss\":\"https://b.example\",\"aud\":\"linkspan\",\"sub\":\"a\"," TIMES "}",
      TOKEN_REJECTED },
    { "Entra v2",
      "{\"iss\":\"https://login.microsoftonline.com/72f9/v2.0\",\"aud\":\"api://"
      "linkspan\",\"tid\":\"72f9\",\"sub\":\"a\"," TIMES "}",
      REASON_NONE },
    { "Entra v1",
      "{\"iss\":\"https://sts.windows.net/72f9/\",\"aud\":\"api://linkspan\",\"tid\":\"72f9\",\"sub\":\"a\"," TIMES "}",
      REASON_NONE },
    { "Entra, another tenant's iss",
      "{\"iss\":\"https://sts.windows.net/72f8/\",\"aud\":\"api://linkspan\",\"tid\":\"72f9\",\"sub\":\"a\"," TIMES "}",
      ISSUER_UNKNOWN },
    { "Entra, tid another",
      "{\"iss\":\"https://sts.windows.net/72f9/\",\"aud\":\"api://linkspan\",\"tid\":\"72f8\",\"sub\":\"a\"," TIMES "}",
      TOKEN_REJECTED },
    { "Entra, tid absent", "{\"iss\":\"https://sts.windows.net/72f9/\",\"aud\":\"api://linkspan\",\"sub\":\"a\"," TIMES "}",
      CLAIM_MISSING },
};

static void test_claims(void **state) {
    (void)state;
    struct str header = STR("{\"alg\":\"RS256\",\"kid\":\"k1\"}");
    for (size_t i = 0; i < COUNT(claims); i++)
        must(claims[i].name, signed_token(arena, rsa, SIG_RS256, header, str_z(claims[i].claims)), claims[i].reason);
    char sub[257];
    memset(sub, 's', sizeof sub);
    struct str long_sub = arena_printf(arena, "{\"iss\":\"" ISS "\",\"aud\":\"linkspan\",\"sub\":\"%.*s\"," TIMES "}", 256,
                                       sub);
    must("sub of 256 bytes", signed_token(arena, rsa, SIG_RS256, header, long_sub), TOKEN_REJECTED);
    struct buf b = BUF_INIT(1 << 20);
    buf_add_z(&b, "{" BASE "," TIMES ",\"x\":");
    for (int i = 0; i < 40; i++) buf_add_char(&b, '[');
    for (int i = 0; i < 40; i++) buf_add_char(&b, ']');
    buf_add_char(&b, '}');
    must("depth 41", signed_token(arena, rsa, SIG_RS256, header, buf_str(&b)), TOKEN_REJECTED);
    buf_free(&b);
}

static void test_what_a_client_sees_tells_nothing(void **state) {
    (void)state;
    for (unsigned r = TOKEN_REJECTED; r <= CLAIM_MISSING; r++) {
        assert_int_equal(refusal_public_reason((enum reason)r), TOKEN_REJECTED);
        assert_string_equal(refusal_public_text((enum reason)r), refusal_public_text(TOKEN_REJECTED));
    }
    assert_int_equal(refusal_public_reason(NO_PROOF), NO_PROOF);
    assert_int_equal(refusal_public_reason(NO_RULE), NO_RULE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),   cmocka_unit_test(test_public_key_as_hmac_secret),
        cmocka_unit_test(test_encodings), cmocka_unit_test(test_elliptic_signatures),
        cmocka_unit_test(test_claims),    cmocka_unit_test(test_what_a_client_sees_tells_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
