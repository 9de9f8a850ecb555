#include "test.h"
#include "cli/credentials.h"

#define HEAD                                                                                                               \
    "{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"t\",\"token_url\":\"https://h/v1/token\","

static const struct {
    const char *name, *json, *message; /* NULL: fine */
} cases[] = {
    { "file", HEAD "\"credential_source\":{\"file\":\"/x\"}}", NULL },
    { "url", HEAD "\"credential_source\":{\"url\":\"http://127.0.0.1:1/x\",\"headers\":{\"Metadata\":\"true\"}}}", NULL },
    { "key", "{\"type\":\"service_account\"}",
      "the credentials file holds a key (service_account): keys are not used here, make an external_account file" },
    { "user", "{\"type\":\"authorized_user\"}", "the credentials file must be of type external_account" },
    { "executable", HEAD "\"credential_source\":{\"executable\":{\"command\":\"x\"}}}",
      "credential_source.executable is not supported: use file or url" },
    { "aws", HEAD "\"credential_source\":{\"environment_id\":\"aws1\"}}",
      "credential_source.environment_id is not supported: use file or url" },
    { "two sources", HEAD "\"credential_source\":{\"file\":\"/x\",\"url\":\"https://h\"}}",
      "the credentials file lacks one of credential_source.file and credential_source.url" },
    { "no source", HEAD "\"x\":1}", "the credentials file lacks credential_source" },
    { "token over http",
      "{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"t\",\"token_url\":\"http://h/\","
      "\"credential_source\":{\"file\":\"/x\"}}",
      "token_url must be https" },
    { "format", HEAD "\"credential_source\":{\"file\":\"/x\",\"format\":{\"type\":\"json\"}}}",
      "the credentials file lacks credential_source.format.subject_token_field_name" },
    { "impersonation",
      HEAD "\"credential_source\":{\"file\":\"/x\"},\"service_account_impersonation_url\":\"https://h/x\"}",
      "service_account_impersonation_url must be https and end in :generateAccessToken" },
};

static void test_parse(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
        struct credentials_config config;
        struct err err = { 0 };
        enum code rc = credentials_parse(str_z(cases[i].json), arena, &config, &err);
        if (!cases[i].message && rc) fail_msg("%s: %s", cases[i].name, err.message);
        if (!cases[i].message) continue;
        assert_int_equal(rc, INVALID_ARGUMENT);
        assert_string_equal(err.message, cases[i].message);
    }
}

static void test_subject(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct credentials_config text = { 0 }, json = { .field = STR("access_token") };
    struct str token;
    struct err err;
    assert_int_equal(credentials_subject(&text, STR("  abc\n"), arena, &token, &err), OK);
    assert_str(token, "abc");
    assert_int_equal(credentials_subject(&text, STR(" \n"), arena, &token, &err), UNAUTHENTICATED);
    assert_int_equal(credentials_subject(&json, STR("{\"access_token\":\"abc\"}"), arena, &token, &err), OK);
    assert_str(token, "abc");
    assert_int_equal(credentials_subject(&json, STR("{\"other\":\"abc\"}"), arena, &token, &err), UNAUTHENTICATED);
    assert_int_equal(credentials_subject(&json, STR("abc"), arena, &token, &err), UNAUTHENTICATED);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_parse), cmocka_unit_test(test_subject) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
