/* exchange_file.c: Google's `external_account` file, read strictly. https://google.aip.dev/auth/4117 */
#include "data/json.h"
#include "identity/exchange_wire.h"
#include "wire/url.h"

enum { LIFETIME_MIN_S = 600, LIFETIME_MAX_S = 43200 };

static const char *const known[] = {
    "type",
    "audience",
    "subject_token_type",
    "token_url",
    "token_info_url", /* introspection: never asked */
    "service_account_impersonation_url",
    "service_account_impersonation",
    "credential_source",
    "client_id",
    "client_secret",
    "universe_domain",
};

static bool is_known(const char *key) {
    for (size_t i = 0; i < COUNT(known); i++)
        if (str_eq_z(str_z(key), known[i])) return true;
    return false;
}

static enum code check_keys(json_t *doc, struct err *err) {
    const char *key;
    json_t *value;
    json_object_foreach(doc, key, value) {
        if (!is_known(key)) return err_set(err, UNIMPLEMENTED, "\"%.100s\" is not supported", key);
        bool text = json_is_string(value),
             object = str_eq_z(str_z(key), "service_account_impersonation") || str_eq_z(str_z(key), "credential_source");
        if (object ? !json_is_object(value) : !text)
            return err_set(err, INVALID_ARGUMENT, "\"%s\" is of another type", key);
    }
    return OK;
}

/* What is called is the one spelling that was read. */
static enum code check_url(const char *what, struct str *text, bool allow_http, struct arena *arena, struct err *err) {
    char buf[URL_MAX];
    struct url url;
    enum code rc = url_parse(*text, buf, &url, err);
    if (rc) return err_wrap(err, "%s", what);
    if (url.query.p) return err_set(err, INVALID_ARGUMENT, "%s may have no query", what);
    if (!str_eq(url.scheme, STR("https")) && !allow_http) return err_set(err, INVALID_ARGUMENT, "%s must be https", what);
    *text = str_dup(arena, url.normal);
    return text->p ? OK : err_oom(err);
}

/* A name as it stands in a path: nothing that could end the segment. */
static bool is_account(struct str email) {
    bool at = false;
    for (size_t i = 0; i < email.n; i++) {
        char c = email.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
        if (!plain && (c != '@' || at)) return false;
        at |= c == '@';
    }
    return at && email.n <= 254;
}

static enum code check_impersonation(struct str *url, bool allow_http, struct arena *arena, struct err *err) {
    enum code rc = check_url("service_account_impersonation_url", url, allow_http, arena, err);
    if (rc) return rc;
    struct str email = *url;
    bool method = str_strip_suffix(&email, STR(":generateAccessToken"));
    ptrdiff_t at = str_find(email, STR("/serviceAccounts/"));
    if (!method || at < 0 || !is_account(str_from(email, (size_t)at + 17)))
        return err_set(err, INVALID_ARGUMENT,
                       "service_account_impersonation_url must end with /serviceAccounts/E-MAIL:generateAccessToken");
    return OK;
}

static enum code read_lifetime(const json_t *doc, struct exchange_config *c, struct err *err) {
    const json_t *options = json_object_get(doc, "service_account_impersonation");
    if (!options) return OK;
    bool only = json_object_size(options) == 1 && json_member_int(options, "token_lifetime_seconds", &c->lifetime_s);
    if (!only || c->lifetime_s < LIFETIME_MIN_S || c->lifetime_s > LIFETIME_MAX_S)
        return err_set(err, INVALID_ARGUMENT,
                       "service_account_impersonation holds token_lifetime_seconds, %d to %d, and nothing else",
                       LIFETIME_MIN_S, LIFETIME_MAX_S);
    return OK;
}

static enum code read_source(json_t *doc, struct exchange_config *c, struct err *err) {
    json_t *source = json_object_get(doc, "credential_source"), *value;
    const char *key;
    json_object_foreach(source, key, value) {
        if (!str_eq_z(str_z(key), "file"))
            return err_set(err, UNIMPLEMENTED, "credential_source.%.100s is not supported: a text \"file\" is", key);
    }
    if (source && (!json_member_str(source, "file", &c->subject_file) || c->subject_file.n == 0))
        return err_set(err, INVALID_ARGUMENT, "credential_source names no file");
    return OK;
}

static enum code check_texts(const json_t *doc, const struct exchange_config *c, struct err *err) {
    struct str universe = STR("googleapis.com"), type = { 0 };
    (void)json_member_str(doc, "universe_domain", &universe);
    if (!json_member_str(doc, "type", &type) || !str_eq(type, STR("external_account")))
        return err_set(err, INVALID_ARGUMENT, "\"type\" must be external_account");
    if (c->audience.n == 0) return err_set(err, INVALID_ARGUMENT, "\"audience\" is missing");
    if (c->subject_token_type.n == 0) return err_set(err, INVALID_ARGUMENT, "\"subject_token_type\" is missing");
    if (!str_eq(universe, STR("googleapis.com")))
        return err_set(err, UNIMPLEMENTED, "\"universe_domain\" is not supported but for googleapis.com");
    if (str_find(c->audience, STR("/workforcePools/")) >= 0)
        return err_set(err, UNIMPLEMENTED, "workforce pools are for people: name a workload identity pool");
    if (c->client_secret.n && c->client_id.n == 0)
        return err_set(err, INVALID_ARGUMENT, "\"client_secret\" without \"client_id\"");
    if (str_find_char(c->client_id, ':') >= 0) return err_set(err, INVALID_ARGUMENT, "\"client_id\" may hold no colon");
    return OK;
}

static bool copy(struct exchange_config *c, struct arena *arena) {
    struct str *texts[] = { &c->token_url,         &c->audience,  &c->subject_token_type, &c->subject_file,
                            &c->impersonation_url, &c->client_id, &c->client_secret };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct str copied = str_dup(arena, *texts[i]);
        if (!copied.p && texts[i]->n) return false;
        *texts[i] = copied;
    }
    return true;
}

enum code exchange_config_read(struct str json, bool allow_http, struct arena *arena, struct exchange_config *ret,
                               struct err *err) {
    DEFER(json_freep) json_t *doc = NULL;
    struct exchange_config c = { .token_url = STR("https://sts.googleapis.com/v1/token") };
    enum code rc = json_read(json, EXCHANGE_FILE_MAX, 0, &doc, err);
    if (!rc && !json_is_object(doc)) rc = err_set(err, INVALID_ARGUMENT, "is no object");
    if (!rc) rc = check_keys(doc, err);
    if (rc) return rc;
    (void)json_member_str(doc, "token_url", &c.token_url);
    (void)json_member_str(doc, "audience", &c.audience);
    (void)json_member_str(doc, "subject_token_type", &c.subject_token_type);
    (void)json_member_str(doc, "client_id", &c.client_id);
    (void)json_member_str(doc, "client_secret", &c.client_secret);
    bool second = json_member_str(doc, "service_account_impersonation_url", &c.impersonation_url);
    rc = check_texts(doc, &c, err);
    if (!rc) rc = check_url("token_url", &c.token_url, allow_http, arena, err);
    if (!rc && second) rc = check_impersonation(&c.impersonation_url, allow_http, arena, err);
    if (!rc) rc = read_lifetime(doc, &c, err);
    if (!rc) rc = read_source(doc, &c, err);
    if (rc) return rc;
    if (!copy(&c, arena)) return err_oom(err);
    *ret = c;
    return OK;
}
