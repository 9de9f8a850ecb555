#include "pipeline/linked_service.h"

#include "data/json.h"
#include "pipeline/shape.h"

/* Members that hold a secret, in lower case. */
static const struct str secret_keys[] = {
    STR_INIT("password"),
    STR_INIT("pwd"),
    STR_INIT("accountkey"),
    STR_INIT("accesskey"),
    STR_INIT("secretaccesskey"),
    STR_INIT("secretkey"),
    STR_INIT("serviceprincipalkey"),
    STR_INIT("serviceprincipalcredential"),
    STR_INIT("clientsecret"),
    STR_INIT("sastoken"),
    STR_INIT("apikey"),
    STR_INIT("apitoken"),
    STR_INIT("accesstoken"),
    STR_INIT("refreshtoken"),
    STR_INIT("privatekey"),
    STR_INIT("privatekeycontent"),
    STR_INIT("passphrase"),
    STR_INIT("encryptedcredential"),
    STR_INIT("functionkey"),
    STR_INIT("authkey"),
    STR_INIT("credentialstring"),
    STR_INIT("pfx"),
    STR_INIT("embeddedcertdata"),
    STR_INIT("token"),
};

/* Parts of a connection string or an address that are followed by a secret. */
static const struct str secret_parts[] = { STR_INIT("password="),   STR_INIT("pwd="),
                                           STR_INIT("accountkey="), STR_INIT("sharedaccesskey="),
                                           STR_INIT("sig="),        STR_INIT("sharedaccesssignature="),
                                           STR_INIT("accesskey="),  STR_INIT("clientsecret=") };

enum { CHECK_DEPTH_MAX = LINKED_SERVICE_DEPTH_MAX };

static bool is_secret_key(struct str key) {
    for (size_t i = 0; i < COUNT(secret_keys); i++)
        if (str_eq_nocase(key, secret_keys[i])) return true;
    return false;
}

/* The text without spaces, in lower case, has such a part. */
static bool has_secret_part(const struct shape *s, struct str text) {
    char *plain = arena_alloc(s->arena, text.n + 1);
    size_t n = 0;
    if (!plain) {
        s->faults->oom = true;
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == ' ') continue;
        plain[n++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    for (size_t i = 0; i < COUNT(secret_parts); i++)
        if (str_find((struct str){ plain, n }, secret_parts[i]) >= 0) return true;
    return false;
}

static void refuse(const struct shape *s, struct str path, const char *what) {
    fault_add(s->faults, "BadRequest", path, 0,
              "%s: secrets are not kept here. Name one in a key vault (AzureKeyVaultSecret), or use the managed identity",
              what);
}

static void check_value(const struct shape *s, const json_t *v, struct str key, struct str path, unsigned depth) {
    const char *name;
    size_t n;
    json_t *member;
    struct str type = { 0 };
    if (depth > CHECK_DEPTH_MAX) {
        fault_add(s->faults, "BadRequest", path, 0, "nested deeper than %d", CHECK_DEPTH_MAX);
        return;
    }
    if (json_is_object(v) && json_member_str(v, "type", &type) && str_eq_nocase(type, STR("SecureString"))) {
        refuse(s, path, "a SecureString is not supported");
        return;
    }
    bool literal = json_is_string(v) && json_string_length(v);
    if (literal && is_secret_key(key)) refuse(s, path, "a literal secret is not supported");
    else if (literal && has_secret_part(s, json_text_of(v))) refuse(s, path, "the text holds a secret");
    for (size_t i = 0; i < json_array_size(v); i++)
        check_value(s, json_array_get(v, i), key, path_index(s->arena, path, i), depth + 1);
    json_object_keylen_foreach((json_t *)(uintptr_t)v, name, n, member) {
        struct str inner = { name, n };
        check_value(s, member, inner, path_key(s->arena, path, inner), depth + 1);
    }
}

static void check_properties(const struct shape *s, const json_t *properties) {
    static const struct str path = STR_INIT("properties");
    shape_known(s, properties, path, "type typeProperties description annotations parameters connectVia");
    struct str type = shape_string(s, properties, path, "type", true);
    if (type.p && (type.n == 0 || type.n > 128))
        fault_add(s->faults, "BadRequest", STR("properties.type"), 0, "not a type's name");
    (void)shape_string(s, properties, path, "description", false);
    (void)shape_member(s, properties, path, "annotations", SHAPE_ARRAY);
    (void)shape_member(s, properties, path, "parameters", SHAPE_OBJECT);
    (void)shape_member(s, properties, path, "connectVia", SHAPE_OBJECT);
    (void)shape_member(s, properties, path, "typeProperties", SHAPE_OBJECT | SHAPE_REQUIRED);
    check_value(s, properties, (struct str){ 0 }, path, 0);
}

enum code linked_service_check(const json_t *document, struct faults *faults, struct err *err) {
    const struct shape s = { faults->arena, faults };
    static const struct str none = { 0 };
    if (!json_is_object(document)) {
        fault_add(faults, "BadRequest", none, 0, "a linked service is an object with 'properties'");
        return faults_err(faults, err);
    }
    shape_known(&s, document, none, "properties name id type etag");
    (void)shape_string(&s, document, none, "name", false);
    (void)shape_string(&s, document, none, "id", false);
    (void)shape_string(&s, document, none, "type", false);
    (void)shape_string(&s, document, none, "etag", false);
    const json_t *properties = shape_member(&s, document, none, "properties", SHAPE_OBJECT | SHAPE_REQUIRED);
    if (properties) check_properties(&s, properties);
    return faults_err(faults, err);
}

enum code linked_service_read(struct str text, struct faults *faults, json_t **ret, struct err *err) {
    DEFER(json_freep) json_t *document = NULL;
    struct err why;
    enum code rc = json_read(text, LINKED_SERVICE_TEXT_MAX, LINKED_SERVICE_DEPTH_MAX, &document, &why);
    if (rc == RESOURCE_EXHAUSTED) return err_oom(err);
    if (rc)
        fault_add(faults, "BadRequest", (struct str){ 0 }, 0, "line %u, column %u: %s", why.line, why.column, why.message);
    else rc = linked_service_check(document, faults, err);
    if (rc == OK) *ret = TAKE(document);
    return rc == OK ? OK : faults_err(faults, err);
}
