/* Project Wycheproof's vectors for JWS and JWK: every case has an outcome, and each that differs from its label is named.
 */
#include "tokens.h"

#include "base/file.h"
#include "data/json.h"
#include "identity/jwks.h"
#include "identity/jws.h"

static const char *folder;

static json_t *load(struct arena *arena, const char *name) {
    struct err err = { 0 };
    struct str text;
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(file_read(arena, path, 4 << 20, &text, &err), OK);
    json_t *json = json_loadb(text.p, text.n, 0, NULL);
    assert_non_null(json);
    return json;
}

/* Labelled valid, refused here on purpose. */
static const struct {
    int first, last;
    const char *why;
} refused_on_purpose[] = {
    { 346, 346, "a key for PS256 takes PS256 only, not PS384" },
    { 347, 347, "the key's alg is ES521, which is no algorithm" },
    { 350, 350, "a key for PS256 takes PS256 only, not PS384" },
    { 351, 351, "the key's alg is ES521, which is no algorithm" },
    { 372, 372, "'?' inside base64url" },
    { 373, 373, "'?' inside base64url" },
};

static const char *exception(int id) {
    for (size_t i = 0; i < COUNT(refused_on_purpose); i++)
        if (id >= refused_on_purpose[i].first && id <= refused_on_purpose[i].last) return refused_on_purpose[i].why;
    return NULL;
}

static struct str set_text(struct arena *arena, const json_t *key) {
    struct buf b = BUF_INIT(1 << 20);
    bool whole = json_has(key, "keys");
    buf_add_z(&b, whole ? "" : "{\"keys\":[");
    assert_true(json_write(key, &b));
    buf_add_z(&b, whole ? "" : "]}");
    struct str s = str_dup(arena, buf_str(&b));
    buf_free(&b);
    return s;
}

static bool accepts(struct arena *arena, const json_t *key, struct str token) {
    struct err err = { 0 };
    DEFER(jwks_unrefp) struct jwks *set = NULL;
    struct jws jws;
    if (jwks_parse(set_text(arena, key), &set, NULL, &err)) return false;
    if (jws_split(token, arena, &jws, &err)) return false;
    return jwks_key_verify(jwks_find(set, jws.has_kid, jws.kid, jws.alg), jws.signed_part, jws.signature);
}

static bool is_hmac(const json_t *key) {
    struct str kty = STR("");
    const json_t *first = json_has(key, "keys") ? json_array_get(json_object_get(key, "keys"), 0) : key;
    return json_member_str(first, "kty", &kty) && str_eq_z(kty, "oct");
}

struct tally {
    unsigned accepted, refused, hmac, exceptions;
};

static void one_case(struct arena *arena, const json_t *key, const json_t *test, bool named, struct tally *tally) {
    struct str token = STR(""), label = STR(""), comment = STR("");
    int64_t id = 0;
    assert_true(json_member_int(test, "tcId", &id));
    assert_true(json_member_str(test, "result", &label));
    (void)json_member_str(test, "comment", &comment);
    bool compact = json_member_str(test, "jws", &token), valid = str_eq_z(label, "valid");
    bool accepted = compact && accepts(arena, key, token);
    bool hmac = valid && is_hmac(key), excepted = named && exception((int)id);
    bool expected = valid && !hmac && !excepted;
    if (accepted != expected)
        fail_msg("case %lld (%.*s) is labelled %.*s, was %s", (long long)id, STR_ARG(comment), STR_ARG(label),
                 accepted ? "accepted" : "refused");
    tally->accepted += accepted;
    tally->refused += !accepted;
    tally->hmac += hmac;
    tally->exceptions += excepted && valid && !hmac; /* 372 and 373 are HMAC too */
}

static struct tally run_file(const char *name, bool named) {
    struct tally tally = { 0 };
    struct arena *files = arena_new(8 << 20);
    json_t *root = load(files, name);
    const json_t *groups = json_object_get(root, "testGroups");
    for (size_t g = 0; g < json_array_size(groups); g++) {
        const json_t *group = json_array_get(groups, g), *tests = json_object_get(group, "tests");
        const json_t *key = json_has(group, "public") ? json_object_get(group, "public")
                                                      : json_object_get(group, "private");
        for (size_t t = 0; t < json_array_size(tests); t++) {
            struct arena *arena = arena_new(2 << 20);
            one_case(arena, key, json_array_get(tests, t), named, &tally);
            arena_free(arena);
        }
    }
    json_decref(root);
    arena_free(files);
    return tally;
}

static void test_signatures(void **state) {
    (void)state;
    struct tally t = run_file("json_web_signature.json", true);
    print_message("JWS: %u accepted, %u refused (HMAC labelled valid: %u, named exceptions: %u)\n", t.accepted, t.refused,
                  t.hmac, t.exceptions);
    assert_int_equal(t.accepted + t.refused, 401);
    assert_int_equal(t.accepted + t.hmac + t.exceptions, 46);
    assert_int_equal(t.accepted, 32);
    assert_int_equal(t.exceptions, 4);
}

static void test_keys(void **state) {
    (void)state;
    struct tally t = run_file("json_web_key.json", false);
    print_message("JWK: %u accepted, %u refused (HMAC labelled valid: %u)\n", t.accepted, t.refused, t.hmac);
    assert_int_equal(t.accepted + t.refused, 26);
    assert_int_equal(t.accepted, 1);
    assert_int_equal(t.hmac, 4);
}

int main(int argc, char **argv) {
    folder = argc > 1 ? argv[1] : "tests/vectors";
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_signatures), cmocka_unit_test(test_keys) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
