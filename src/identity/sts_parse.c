/* The request of POST /v1/token: a form, or camelCase JSON: into one struct, refusing by name what is not supported. */
#include <stdio.h>
#include <string.h>

#include "data/json.h"
#include "identity/form.h"
#include "identity/sts.h"

enum { OPTIONS_MAX = 4096, USER_PROJECT_MAX = 32, SCOPE_MAX = 2048, AUDIENCE_MAX = 512 };

#define TOKEN_TYPE(name) "urn:ietf:params:oauth:token-type:" name

struct parse {
    struct arena *arena;
    struct answer *answer;
};

static bool invalid(struct parse *p, const char *error, const char *description) {
    answer_oauth_error(p->answer, p->arena, 400, error, description);
    refuse(&p->answer->refusal, TOKEN_REJECTED, "STS request: %s", description);
    return false;
}

static bool invalid_name(struct parse *p, const char *what, struct str name) {
    char text[STS_DESCRIPTION_MAX];
    (void)snprintf(text, sizeof text, "%s: %.*s", what, STR_ARG(str_upto(name, 64)));
    return invalid(p, "invalid_request", text);
}

/* camelCase → the form's names; the rest are refused by name. */
static const struct {
    const char *form, *json;
} field_names[] = {
    { "grant_type", "grantType" },
    { "audience", "audience" },
    { "scope", "scope" },
    { "requested_token_type", "requestedTokenType" },
    { "subject_token", "subjectToken" },
    { "subject_token_type", "subjectTokenType" },
    { "options", "options" },
};

static bool json_to_form(struct parse *p, const json_t *json, struct form *ret) {
    ret->n = 0;
    for (size_t i = 0; i < COUNT(field_names); i++) {
        const json_t *value = json_object_get(json, field_names[i].json);
        if (!value) continue;
        if (!json_is_string(value)) return invalid_name(p, "must be text", str_z(field_names[i].json));
        struct str text = str_dup(p->arena, json_text_of(value));
        if (!text.p && json_string_length(value)) return invalid(p, "invalid_request", "the request is too long");
        ret->names[ret->n] = str_z(field_names[i].form);
        ret->values[ret->n++] = text;
    }
    if (ret->n != json_object_size(json))
        return invalid(p, "invalid_request", "the request holds a field that is not supported");
    return true;
}

static bool read_json(struct parse *p, struct str body, struct form *ret) {
    DEFER(json_freep) json_t *json = NULL;
    if (json_read(body, STS_BODY_MAX, 0, &json, NULL) || !json_is_object(json))
        return invalid(p, "invalid_request", "the body is not strict JSON");
    return json_to_form(p, json, ret);
}

static bool read_form(struct parse *p, struct str body, struct form *ret) {
    static const char *const known[COUNT(field_names) + 1] = {
        "grant_type", "audience", "scope", "requested_token_type", "subject_token", "subject_token_type", "options", NULL,
    };
    if (!form_parse(body, p->arena, ret))
        return invalid(p, "invalid_request", "the body is not a form, or holds a field twice");
    struct str other = form_unknown(ret, known);
    if (str_starts(other, STR("actor_token"))) return invalid(p, "invalid_request", "actor_token is not supported");
    return other.p ? invalid_name(p, "this field is not supported", other) : true;
}

static struct str media_type(struct str content_type) {
    return str_trim(str_cut(&content_type, ';'));
}

/* Python encodes the options twice, Node and Go once: what then still begins with "%7B" is decoded again. */
static bool read_options(struct parse *p, struct str options, struct sts_request *request) {
    if (options.n == 0) return true;
    if (options.p[0] == '%' && !percent_decode(options, false, p->arena, &options))
        return invalid(p, "invalid_request", "options is not JSON");
    DEFER(json_freep) json_t *json = NULL;
    if (json_read(options, OPTIONS_MAX, 0, &json, NULL) || !json_is_object(json))
        return invalid(p, "invalid_request", "options is not JSON");
    if (json_has(json, "accessBoundary")) return invalid(p, "invalid_request", "options.accessBoundary is not supported");
    if (json_has(json, "bindCertFingerprint"))
        return invalid(p, "invalid_request", "options.bindCertFingerprint is not supported");
    struct str project = STR("");
    if (json_has(json, "userProject") && (!json_member_str(json, "userProject", &project) || project.n > USER_PROJECT_MAX))
        return invalid(p, "invalid_request", "options.userProject has at most 32 bytes");
    if (json_object_size(json) != (size_t)json_has(json, "userProject"))
        return invalid(p, "invalid_request", "options holds a field that is not supported");
    request->user_project = str_dup(p->arena, project);
    return project.n == 0 || request->user_project.p ? true : invalid(p, "invalid_request", "the request is too long");
}

/* RFC 6749 §3.3: words of %x21 / %x23-5B / %x5D-7E, one space between them. */
static bool scope_lawful(struct str scope) {
    if (scope.n > SCOPE_MAX) return false;
    char before = ' ';
    for (size_t i = 0; i < scope.n; i++) {
        char c = scope.p[i];
        if (c == ' ' ? before == ' ' : c < 0x21 || c > 0x7e || c == '"' || c == '\\') return false;
        before = c;
    }
    return scope.n == 0 || before != ' ';
}

static bool check_types(struct parse *p, const struct form *form, const struct sts_request *r) {
    struct str grant = STR("");
    (void)form_get(form, "grant_type", &grant);
    if (!str_eq_z(grant, "urn:ietf:params:oauth:grant-type:token-exchange"))
        return invalid(p, "unsupported_grant_type", "grant_type must be urn:ietf:params:oauth:grant-type:token-exchange");
    if (r->requested_token_type.n && !str_eq_z(r->requested_token_type, TOKEN_TYPE("access_token")))
        return invalid(p, "invalid_request", "requested_token_type must be " TOKEN_TYPE("access_token"));
    if (str_eq_z(r->subject_token_type, TOKEN_TYPE("jwt")) || str_eq_z(r->subject_token_type, TOKEN_TYPE("id_token")) ||
        str_eq_z(r->subject_token_type, TOKEN_TYPE("access_token")))
        return true;
    return invalid_name(p, "this subject_token_type is not supported", r->subject_token_type);
}

bool sts_provider_of(struct str audience, struct str *ret_project, struct str *ret_pool, struct str *ret_provider) {
    (void)str_strip_prefix(&audience, STR("https:"));
    if (!str_strip_prefix(&audience, STR("//iam.googleapis.com/projects/"))) return false;
    struct str project = str_cut(&audience, '/');
    if (!str_strip_prefix(&audience, STR("locations/global/workloadIdentityPools/"))) return false;
    struct str pool = str_cut(&audience, '/');
    if (!str_strip_prefix(&audience, STR("providers/"))) return false;
    if (project.n == 0 || pool.n == 0 || audience.n == 0 || str_find_char(audience, '/') >= 0) return false;
    *ret_project = project;
    *ret_pool = pool;
    *ret_provider = audience;
    return true;
}

static bool fill(struct parse *p, const struct form *form, struct sts_request *r) {
    struct str options = STR(""), project, pool;
    (void)form_get(form, "audience", &r->audience);
    (void)form_get(form, "scope", &r->scope);
    (void)form_get(form, "subject_token", &r->subject_token);
    (void)form_get(form, "subject_token_type", &r->subject_token_type);
    (void)form_get(form, "requested_token_type", &r->requested_token_type);
    (void)form_get(form, "options", &options);
    if (!check_types(p, form, r)) return false;
    if (r->subject_token.n == 0) return invalid(p, "invalid_request", "subject_token is missing");
    if (r->audience.n == 0 || r->audience.n > AUDIENCE_MAX)
        return invalid(p, "invalid_request", "audience is missing or too long");
    if (!scope_lawful(r->scope)) return invalid(p, "invalid_scope", "scope is not a list of words");
    (void)sts_provider_of(r->audience, &project, &pool, &r->provider);
    return read_options(p, options, r);
}

bool sts_parse(struct str content_type, struct str body, struct arena *arena, struct sts_request *ret_request,
               struct answer *ret_answer) {
    struct parse p = { arena, ret_answer };
    struct form form;
    *ret_answer = (struct answer){ 0 };
    struct str type = media_type(content_type);
    if (body.n > STS_BODY_MAX) return invalid(&p, "invalid_request", "the body is longer than 64 KiB");
    bool json = str_eq_nocase(type, STR("application/json"));
    if (!json && !str_eq_nocase(type, STR("application/x-www-form-urlencoded")))
        return invalid(&p, "invalid_request", "the body must be a form or JSON");
    if (!(json ? read_json(&p, body, &form) : read_form(&p, body, &form))) return false;
    struct sts_request request = { 0 };
    if (!fill(&p, &form, &request)) return false;
    *ret_request = request;
    return true;
}
