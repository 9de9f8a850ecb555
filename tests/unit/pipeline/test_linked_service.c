#include "help.h"
#include "pipeline/linked_service.h"

struct service_case {
    const char *name, *properties;
    const char *path, *message; /* NULL: it is taken */
};

static const struct service_case cases[] = {
    { "an address and the managed identity",
      "\"type\":\"RestService\",\"typeProperties\":{\"url\":\"https://a.example\",\"authenticationType\":"
      "\"ManagedServiceIdentity\",\"aadResourceId\":\"api://x\"}",
      NULL, NULL },
    { "a secret in a key vault",
      "\"type\":\"AzureSqlDatabase\",\"typeProperties\":{\"password\":{\"type\":\"AzureKeyVaultSecret\",\"secretName\":"
      "\"n\","
      "\"store\":{\"referenceName\":\"kv\",\"type\":\"LinkedServiceReference\"}}}",
      NULL, NULL },
    { "a connection string without a secret",
      "\"type\":\"AzureSqlDatabase\",\"typeProperties\":{\"connectionString\":\"Server=a;Database=b\"}", NULL, NULL },
    { "no type", "\"typeProperties\":{}", "properties", "'type' is missing" },
    { "no typeProperties", "\"type\":\"X\"", "properties", "'typeProperties' is missing" },
    { "an unknown key", "\"type\":\"X\",\"typeProperties\":{},\"secret\":1", "properties.secret", "not supported here" },
    { "a SecureString",
      "\"type\":\"X\",\"typeProperties\":{\"anything\":{\"type\":\"SecureString\",\"value\":\"hunter2\"}}",
      "properties.typeProperties.anything", "a SecureString is not supported" },
    { "a SecureString in a list, spelled otherwise",
      "\"type\":\"X\",\"typeProperties\":{\"a\":[0,{\"type\":\"secureString\",\"value\":\"hunter2\"}]}",
      "properties.typeProperties.a[1]", "a SecureString is not supported" },
    { "a literal password", "\"type\":\"X\",\"typeProperties\":{\"Password\":\"hunter2\"}",
      "properties.typeProperties.Password", "a literal secret" },
    { "a literal key of an account", "\"type\":\"X\",\"typeProperties\":{\"in\":{\"accountKey\":\"hunter2\"}}",
      "properties.typeProperties.in.accountKey", "a literal secret" },
    { "an encrypted credential", "\"type\":\"X\",\"typeProperties\":{\"encryptedCredential\":\"hunter2\"}",
      "properties.typeProperties.encryptedCredential", "a literal secret" },
    { "a connection string with a password",
      "\"type\":\"X\",\"typeProperties\":{\"connectionString\":\"Server=a;Pass Word = hunter2;Password = hunter2\"}",
      "properties.typeProperties.connectionString", "the text holds a secret" },
    { "a signed address", "\"type\":\"X\",\"typeProperties\":{\"url\":\"https://a.example/b?sv=1&sig=hunter2\"}",
      "properties.typeProperties.url", "the text holds a secret" },
    { "a parameter with a secret",
      "\"type\":\"X\",\"typeProperties\":{},\"parameters\":{\"p\":{\"type\":\"SecureString\"}}", "properties.parameters.p",
      "a SecureString is not supported" },
};

static void each_case(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[1024];
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
        DEFER(json_freep) json_t *got = NULL;
        struct faults faults = { .arena = arena };
        struct err err = { 0 };
        (void)snprintf(text, sizeof text, "{\"name\":\"n\",\"properties\":{%s}}", cases[i].properties);
        enum code rc = linked_service_read(str_z(text), &faults, &got, &err);
        if (strstr(err.message, "hunter2")) fail_msg("%s: tells the secret", cases[i].name);
        if (!cases[i].message) {
            if (rc) fail_msg("%s: %s", cases[i].name, err.message);
            continue;
        }
        if (rc != INVALID_ARGUMENT || faults.n != 1 || !str_eq_z(faults.items[0].path, cases[i].path) ||
            str_find(faults.items[0].message, str_z(cases[i].message)) < 0)
            fail_msg("%s: %d %zu %s", cases[i].name, rc, faults.n, err.message);
    }
}

static void text_is_read_strictly(void **state) {
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct faults faults = { .arena = arena };
    json_t *got = NULL;
    struct err err;
    (void)state;
    assert_int_equal(linked_service_read(STR("{\"properties\":"), &faults, &got, &err), INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "not valid JSON"));
    faults.n = faults.total = 0;
    assert_int_equal(linked_service_read(STR("[]"), &faults, &got, &err), INVALID_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(each_case), cmocka_unit_test(text_is_read_strictly) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
