#include "cli/credentials.h"
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/json_text.h"
#include "data/json.h"
#include "wire/url.h"

enum { ARENA_BYTES = 1 << 20, WORK_BYTES = 1 << 20, TOKEN_BYTES = 64 << 10, RENEW_BEFORE_S = 300, CALL_MS = 30000 };

struct credentials {
    struct arena *arena;
    struct credentials_config config;
    struct buf token;
    int64_t got_s, expires_s;
};

enum code credentials_open(const char *file, struct credentials **ret, struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    struct credentials_config config;
    struct str text;
    if (!arena) return err_oom(err);
    enum code rc = file_read(arena, file, CREDENTIALS_FILE_MAX, &text, err);
    if (!rc) rc = credentials_parse(text, arena, &config, err);
    if (rc) return err_wrap(err, "%s", file);
    struct credentials *c = calloc(1, sizeof *c);
    if (!c) return err_oom(err);
    *c = (struct credentials){ .config = config, .token = BUF_INIT(TOKEN_BYTES), .arena = TAKE(arena) };
    *ret = c;
    return OK;
}

void credentials_free(struct credentials *c) {
    if (!c) return;
    buf_wipe(&c->token);
    arena_free(c->arena);
    free(c);
}

/* One renewal: what it needs, and its memory, which is wiped at the end. */
struct renewal {
    struct credentials *c;
    const struct http_client_config *client;
    struct arena *arena;
    struct err *err;
};

static enum code call(struct renewal *r, struct http_client_request *request, struct str url, struct http_answer *answer) {
    enum code rc = http_url_split(url, request, r->err);
    request->timeout_ms = CALL_MS;
    request->max_body = SUBJECT_TOKEN_MAX;
    return rc ? rc : http_fetch(r->client, request, r->arena, answer, r->err);
}

static enum code get_subject(struct renewal *r, struct str *ret) {
    const struct credentials_config *c = &r->c->config;
    struct str text;
    enum code rc;
    if (c->file.n) {
        char *path = str_dupz(r->arena, c->file);
        rc = path ? file_read(r->arena, path, SUBJECT_TOKEN_MAX, &text, r->err) : err_oom(r->err);
        if (rc) return err_wrap(r->err, "the subject token");
    } else {
        struct http_client_request request = { .method = STR("GET"), .headers = c->headers, .n_headers = c->n_headers };
        struct http_answer answer;
        rc = call(r, &request, c->url, &answer);
        if (rc) return err_wrap(r->err, "the subject token from %.*s", STR_ARG(str_upto(request.host, 100)));
        if (answer.status != 200)
            return err_set(r->err, UNAUTHENTICATED, "the subject token's source %.*s answered %u: %.*s",
                           STR_ARG(request.host), answer.status, STR_ARG(str_upto(str_trim(answer.body), 200)));
        text = answer.body;
    }
    return credentials_subject(c, text, r->arena, ret, r->err);
}

/* The error's own words: OAuth's error_description, or Google's error.message. */
static enum code refused(struct renewal *r, const char *what, const struct http_answer *answer) {
    DEFER(json_freep) json_t *root = NULL;
    struct str text = STR("");
    struct err ignored;
    if (json_read(answer->body, SUBJECT_TOKEN_MAX, 0, &root, &ignored) == OK &&
        !json_member_str(root, "error_description", &text))
        (void)json_member_str(json_object_get(root, "error"), "message", &text);
    enum code code = answer->status == 403 ? PERMISSION_DENIED : answer->status >= 500 ? UNAVAILABLE : UNAUTHENTICATED;
    return err_set(r->err, code, "%s answered %u: %.*s", what, answer->status, STR_ARG(str_upto(text, 400)));
}

static enum code exchange(struct renewal *r, struct str subject, struct str *ret_token, int64_t *ret_expires_s) {
    const struct credentials_config *c = &r->c->config;
    const struct url_pair form[] = {
        { STR("grant_type"), STR("urn:ietf:params:oauth:grant-type:token-exchange") },
        { STR("audience"), c->audience },
        { STR("scope"), STR("https://www.googleapis.com/auth/cloud-platform") },
        { STR("requested_token_type"), STR("urn:ietf:params:oauth:token-type:access_token") },
        { STR("subject_token_type"), c->subject_token_type },
        { STR("subject_token"), subject },
    };
    DEFER(buf_wipe) struct buf body = BUF_INIT(4 * SUBJECT_TOKEN_MAX);
    for (size_t i = 0; i < COUNT(form); i++) {
        buf_printf(&body, "%s%.*s=", i ? "&" : "", STR_ARG(form[i].name));
        url_encode(&body, form[i].value);
    }
    if (!buf_ok(&body)) return err_oom(r->err);
    struct http_header type = { STR("content-type"), STR("application/x-www-form-urlencoded") };
    struct http_client_request request = {
        .method = STR("POST"), .headers = &type, .n_headers = 1, .body = buf_str(&body)
    };
    struct http_answer answer;
    enum code rc = call(r, &request, c->token_url, &answer);
    if (rc) return err_wrap(r->err, "the token exchange at %.*s", STR_ARG(str_upto(request.host, 100)));
    if (answer.status != 200) return refused(r, "the token exchange", &answer);
    DEFER(json_freep) json_t *root = NULL;
    struct str token;
    int64_t life;
    rc = json_read(answer.body, SUBJECT_TOKEN_MAX, 0, &root, r->err);
    if (rc || !json_member_str(root, "access_token", &token) || !json_member_int(root, "expires_in", &life))
        return err_set(r->err, UNAUTHENTICATED, "the token exchange answered no token");
    *ret_token = str_dup(r->arena, token);
    *ret_expires_s = clock_wall_s() + life;
    return ret_token->n ? OK : err_oom(r->err);
}

static enum code read_impersonated(struct renewal *r, const struct http_answer *answer, struct str *ret_token,
                                   int64_t *ret_expires_s) {
    DEFER(json_freep) json_t *root = NULL;
    struct str token, expires;
    int32_t nanos;
    enum code rc = json_read(answer->body, SUBJECT_TOKEN_MAX, 0, &root, r->err);
    if (rc || !json_member_str(root, "accessToken", &token) || !json_member_str(root, "expireTime", &expires) ||
        !clock_parse_rfc3339(expires, ret_expires_s, &nanos))
        return err_set(r->err, UNAUTHENTICATED, "generateAccessToken answered no token");
    *ret_token = str_dup(r->arena, token);
    return ret_token->n ? OK : err_oom(r->err);
}

static enum code impersonate(struct renewal *r, struct str *token, int64_t *expires_s) {
    const struct credentials_config *c = &r->c->config;
    struct str bearer = arena_printf(r->arena, "Bearer %.*s", STR_ARG(*token));
    struct str body = arena_printf(
        r->arena,
        "{\"delegates\":[],\"scope\":[\"https://www.googleapis.com/auth/cloud-platform\"],\"lifetime\":\"%llds\"}",
        (long long)c->impersonation_life_s);
    if (!bearer.p || !body.p) return err_oom(r->err);
    struct http_header headers[] = { { STR("content-type"), STR("application/json") }, { STR("authorization"), bearer } };
    struct http_client_request request = { .method = STR("POST"), .headers = headers, .n_headers = 2, .body = body };
    struct http_answer answer;
    enum code rc = call(r, &request, c->impersonation_url, &answer);
    if (rc) return err_wrap(r->err, "generateAccessToken");
    if (answer.status != 200) return refused(r, "generateAccessToken", &answer);
    return read_impersonated(r, &answer, token, expires_s);
}

static enum code renew(struct credentials *c, const struct http_client_config *client, struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new_secret(WORK_BYTES);
    struct renewal r = { .c = c, .client = client, .arena = arena, .err = err };
    struct str subject, token;
    int64_t expires_s = 0;
    enum code rc = arena ? get_subject(&r, &subject) : err_oom(err);
    if (!rc) rc = exchange(&r, subject, &token, &expires_s);
    if (!rc && c->config.impersonation_url.n) rc = impersonate(&r, &token, &expires_s);
    if (rc) return rc;
    if (!http_is_field_value(token)) return err_set(err, UNAUTHENTICATED, "the token that was answered is no token");
    buf_wipe(&c->token);
    buf_add_str(&c->token, token);
    c->got_s = clock_wall_s();
    c->expires_s = expires_s;
    return buf_ok(&c->token) ? OK : err_oom(err);
}

enum code credentials_token(struct credentials *c, const struct http_client_config *client, struct str *ret,
                            struct err *err) {
    int64_t now = clock_wall_s(), life = c->expires_s - c->got_s;
    int64_t early = life / 5 < RENEW_BEFORE_S ? life / 5 : RENEW_BEFORE_S;
    if (c->token.n == 0 || now >= c->expires_s - early) {
        enum code rc = renew(c, client, err);
        /* The issuer is down: what is still good serves on. */
        if (rc && (rc != UNAVAILABLE || c->token.n == 0 || now >= c->expires_s)) return rc;
    }
    *ret = buf_str(&c->token);
    return OK;
}
