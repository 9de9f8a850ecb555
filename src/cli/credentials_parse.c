#include "cli/credentials.h"
#include "data/json.h"

static bool copy_member(const json_t *object, const char *key, struct arena *arena, struct str *ret) {
    struct str text;
    if (!json_member_str(object, key, &text) || text.n == 0) return false;
    *ret = str_dup(arena, text);
    return ret->p != NULL;
}

static enum code missing(struct err *err, const char *what) {
    return err_set(err, INVALID_ARGUMENT, "the credentials file lacks %s", what);
}

/* A token goes over TLS, or does not leave the machine. */
static bool is_private(struct str url) {
    return str_starts(url, STR("https://")) || str_starts(url, STR("http://127.0.0.1:")) ||
           str_starts(url, STR("http://localhost:")) || str_starts(url, STR("http://169.254.169.254/"));
}

static enum code read_headers(const json_t *headers, struct arena *arena, struct credentials_config *c, struct err *err) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)headers, name, value) {
        struct str key = str_z(name), text = json_text_of(value);
        if (c->n_headers == CREDENTIALS_MAX_HEADERS || !http_is_token(key) || !http_is_field_value(text))
            return err_set(err, INVALID_ARGUMENT, "credential_source.headers: at most 8, names and values of HTTP");
        char *lower = str_dupz(arena, key);
        for (char *p = lower; p && *p; p++)
            if (*p >= 'A' && *p <= 'Z') *p = (char)(*p + 32);
        c->headers[c->n_headers++] = (struct http_header){ str_z(lower), str_dup(arena, text) };
    }
    return OK;
}

static enum code read_format(const json_t *format, struct arena *arena, struct credentials_config *c, struct err *err) {
    struct str type = STR("text");
    (void)json_member_str(format, "type", &type);
    if (str_eq(type, STR("text"))) return OK;
    if (!str_eq(type, STR("json")))
        return err_set(err, INVALID_ARGUMENT, "credential_source.format.type must be text or json");
    if (!copy_member(format, "subject_token_field_name", arena, &c->field))
        return missing(err, "credential_source.format.subject_token_field_name");
    return OK;
}

static enum code read_source(const json_t *source, struct arena *arena, struct credentials_config *c, struct err *err) {
    static const char *const refused[] = { "executable", "environment_id", "certificate" };
    for (size_t i = 0; i < COUNT(refused); i++)
        if (json_has(source, refused[i]))
            return err_set(err, INVALID_ARGUMENT, "credential_source.%s is not supported: use file or url", refused[i]);
    bool file = copy_member(source, "file", arena, &c->file), url = copy_member(source, "url", arena, &c->url);
    if (file == url) return missing(err, "one of credential_source.file and credential_source.url");
    const json_t *headers = json_object_get(source, "headers"), *format = json_object_get(source, "format");
    enum code rc = headers && url ? read_headers(headers, arena, c, err) : OK;
    return rc || !format ? rc : read_format(format, arena, c, err);
}

static enum code check_type(const json_t *root, struct err *err) {
    struct str type = STR("");
    (void)json_member_str(root, "type", &type);
    if (str_eq(type, STR("external_account"))) return OK;
    if (str_eq(type, STR("service_account")))
        return err_set(err, INVALID_ARGUMENT,
                       "the credentials file holds a key (service_account): keys are not used here, "
                       "make an external_account file");
    return err_set(err, INVALID_ARGUMENT, "the credentials file must be of type external_account");
}

static enum code read_impersonation(const json_t *root, struct arena *arena, struct credentials_config *c,
                                    struct err *err) {
    c->impersonation_life_s = 3600;
    if (!copy_member(root, "service_account_impersonation_url", arena, &c->impersonation_url)) return OK;
    if (!is_private(c->impersonation_url) || !str_ends(c->impersonation_url, STR(":generateAccessToken")))
        return err_set(err, INVALID_ARGUMENT,
                       "service_account_impersonation_url must be https and end in :generateAccessToken");
    const json_t *more = json_object_get(root, "service_account_impersonation");
    (void)json_member_int(more, "token_lifetime_seconds", &c->impersonation_life_s);
    if (c->impersonation_life_s < 60 || c->impersonation_life_s > 43200)
        return err_set(err, INVALID_ARGUMENT, "token_lifetime_seconds must be from 60 to 43200");
    return OK;
}

enum code credentials_parse(struct str json, struct arena *arena, struct credentials_config *ret, struct err *err) {
    DEFER(json_freep) json_t *root = NULL;
    struct credentials_config c = { 0 };
    enum code rc = json_read(json, CREDENTIALS_FILE_MAX, 0, &root, err);
    if (!rc) rc = check_type(root, err);
    if (rc) return rc;
    if (!copy_member(root, "audience", arena, &c.audience)) return missing(err, "audience");
    if (!copy_member(root, "subject_token_type", arena, &c.subject_token_type)) return missing(err, "subject_token_type");
    if (!copy_member(root, "token_url", arena, &c.token_url)) return missing(err, "token_url");
    if (!is_private(c.token_url)) return err_set(err, INVALID_ARGUMENT, "token_url must be https");
    const json_t *source = json_object_get(root, "credential_source");
    if (!json_is_object(source)) return missing(err, "credential_source");
    rc = read_source(source, arena, &c, err);
    if (!rc) rc = read_impersonation(root, arena, &c, err);
    if (!rc) *ret = c;
    return rc;
}

enum code credentials_subject(const struct credentials_config *config, struct str answer, struct arena *arena,
                              struct str *ret, struct err *err) {
    *ret = str_trim(answer);
    if (config->field.n) {
        DEFER(json_freep) json_t *root = NULL;
        struct str token;
        char *field = str_dupz(arena, config->field);
        if (!field) return err_oom(err);
        if (json_read(answer, SUBJECT_TOKEN_MAX, 0, &root, err) || !json_member_str(root, field, &token))
            return err_set(err, UNAUTHENTICATED, "the token's source answered no JSON with \"%s\"", field);
        *ret = str_dup(arena, token);
    }
    return ret->n ? OK : err_set(err, UNAUTHENTICATED, "the token's source is empty");
}
