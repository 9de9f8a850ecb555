/* exchange_wire.c: the two requests of an exchange, and their answers. */
#include "identity/exchange_wire.h"

#include <string.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/json_text.h"
#include "data/json.h"
#include "wire/url.h"

enum { BODY_MAX = 64 << 10, LIFETIME_DEFAULT_S = 3600, LIFE_MAX_S = 43200 };

#define GRANT    "urn:ietf:params:oauth:grant-type:token-exchange"
#define ACCESS   "urn:ietf:params:oauth:token-type:access_token"
#define IAM_ONLY "https://www.googleapis.com/auth/iam" /* what the federated token may do when it only impersonates */

/* ---- requests ---- */

static void form_text(struct buf *out, struct str text) {
    while (text.n) {
        ptrdiff_t blank = str_find_char(text, ' ');
        struct str word = blank < 0 ? text : str_upto(text, (size_t)blank);
        url_encode(out, word);
        text = str_from(text, word.n + (blank >= 0));
        if (blank >= 0) buf_add_char(out, '+');
    }
}

static void form_field(struct buf *out, const char *name, struct str value) {
    if (out->n) buf_add_char(out, '&');
    buf_add_z(out, name);
    buf_add_char(out, '=');
    form_text(out, value);
}

static void form_scopes(struct buf *out, const struct str *scopes, size_t n) {
    buf_add_z(out, "&scope=");
    for (size_t i = 0; i < n; i++) {
        if (i) buf_add_char(out, '+');
        form_text(out, scopes[i]);
    }
}

static enum code basic(const struct exchange_config *c, struct arena *arena, struct str *ret, struct err *err) {
    DEFER(buf_wipe) struct buf pair = BUF_INIT(4096);
    DEFER(buf_wipe) struct buf value = BUF_INIT(8192);
    buf_add_str(&pair, c->client_id);
    buf_add_char(&pair, ':');
    buf_add_str(&pair, c->client_secret);
    buf_add_z(&value, "Basic ");
    enc_base64(&value, buf_str(&pair));
    *ret = str_dup(arena, buf_str(&value));
    bool ok = buf_ok(&pair) && buf_ok(&value) && ret->p;
    return ok ? OK : err_set(err, RESOURCE_EXHAUSTED, "the client's id and secret are over %d bytes", 4096);
}

static enum code finish(struct exchange_request *r, const struct buf *body, struct arena *arena, struct err *err) {
    r->body = str_dup(arena, buf_str(body));
    bool ok = buf_ok(body) && r->body.p && r->headers[0].value.p && r->headers[1].value.p;
    return ok ? OK : err_set(err, RESOURCE_EXHAUSTED, "the exchange's request does not fit in memory");
}

static bool scopes_lawful(const struct str *scopes, size_t n) {
    bool ok = n > 0 && n <= EXCHANGE_SCOPES_MAX;
    for (size_t i = 0; ok && i < n; i++)
        ok = scopes[i].n && http_is_field_value(scopes[i]) && str_find_char(scopes[i], ' ') < 0;
    return ok;
}

enum code exchange_sts_request(const struct exchange_config *c, const struct str *scopes, size_t n_scopes,
                               struct str subject_token, struct arena *arena, struct exchange_request *ret,
                               struct err *err) {
    static const struct str iam_only = STR_INIT(IAM_ONLY);
    DEFER(buf_wipe) struct buf body = BUF_INIT(BODY_MAX);
    bool second = c->impersonation_url.n > 0;
    if (!scopes_lawful(scopes, n_scopes)) return err_set(err, INVALID_ARGUMENT, "the scopes are not lawful");
    form_field(&body, "grant_type", STR(GRANT));
    form_field(&body, "audience", c->audience);
    form_scopes(&body, second ? &iam_only : scopes, second ? 1 : n_scopes);
    form_field(&body, "requested_token_type", STR(ACCESS));
    form_field(&body, "subject_token", subject_token);
    form_field(&body, "subject_token_type", c->subject_token_type);
    struct str tag = arena_printf(arena, "linkspan google-byoid-sdk sa-impersonation/%s config-lifetime/%s source/%s",
                                  second ? "true" : "false", c->lifetime_s ? "true" : "false",
                                  c->subject_file.n ? "file" : "programmatic");
    *ret = (struct exchange_request){ .url = c->token_url,
                                      .headers = { { STR("content-type"), STR("application/x-www-form-urlencoded") },
                                                   { STR("x-goog-api-client"), tag } },
                                      .n_headers = 2 };
    enum code rc = c->client_id.n ? basic(c, arena, &ret->authorization, err) : OK;
    return rc ? rc : finish(ret, &body, arena, err);
}

enum code exchange_iam_request(const struct exchange_config *c, const struct str *scopes, size_t n_scopes,
                               struct str federated_token, struct arena *arena, struct exchange_request *ret,
                               struct err *err) {
    DEFER(buf_wipe) struct buf body = BUF_INIT(BODY_MAX);
    if (!scopes_lawful(scopes, n_scopes)) return err_set(err, INVALID_ARGUMENT, "the scopes are not lawful");
    buf_add_z(&body, "{\"delegates\": null, \"scope\": [");
    for (size_t i = 0; i < n_scopes; i++) {
        if (i) buf_add_z(&body, ", ");
        json_text_string(&body, scopes[i]);
    }
    buf_printf(&body, "], \"lifetime\": \"%llds\"}", (long long)(c->lifetime_s ? c->lifetime_s : LIFETIME_DEFAULT_S));
    *ret = (struct exchange_request){ .url = c->impersonation_url,
                                      .authorization = arena_printf(arena, "Bearer %.*s", STR_ARG(federated_token)),
                                      .headers = { { STR("content-type"), STR("application/json") },
                                                   { STR("x-goog-api-client"),
                                                     STR("linkspan auth-request-type/at cred-type/imp") } },
                                      .n_headers = 2 };
    if (!ret->authorization.p) return err_oom(err);
    return finish(ret, &body, arena, err);
}

/* ---- answers ---- */

/* "invalid_grant", "PERMISSION_DENIED": all that is told of what an endpoint says. */
static bool is_word(struct str s) {
    bool ok = s.n > 0 && s.n <= 64;
    for (size_t i = 0; ok && i < s.n; i++)
        ok = (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') || s.p[i] == '_';
    return ok;
}

static bool is_token(struct str s) {
    bool ok = s.n > 0 && s.n <= EXCHANGE_TOKEN_MAX;
    for (size_t i = 0; ok && i < s.n; i++) ok = s.p[i] > ' ' && s.p[i] < 0x7f;
    return ok;
}

/* `endpoint`: no refusal of this asker. A 429 is none: quotas are of the project, and of the one service account that all
 * of an exchange share, whoever used them up. */
static enum code refused(const char *who, unsigned status, struct str body, struct err *err) {
    DEFER(json_freep) json_t *doc = NULL;
    struct str word = { 0 };
    bool endpoint = status == 0 || status == 408 || status == 429 || status >= 500 || status < 400;
    if (status == 0) return err_set(err, UNAVAILABLE, "%s does not answer", who);
    if (json_read(body, EXCHANGE_REPLY_MAX, 0, &doc, NULL) == OK && !json_member_str(doc, "error", &word))
        (void)json_member_str(json_object_get(doc, "error"), "status", &word);
    if (!is_word(word)) word = STR("no reason that can be told");
    return err_set(err, endpoint ? UNAVAILABLE : PERMISSION_DENIED, "%s answers HTTP %u: %.*s", who, status, STR_ARG(word));
}

static enum code not_a_token(const char *who, struct err *err) {
    return err_set(err, UNAVAILABLE, "%s answers with what is no token", who);
}

static enum code take(const char *who, struct str token, int64_t life_us, int64_t sent_us, struct arena *arena,
                      struct str *ret_token, int64_t *ret_expires_us, struct err *err) {
    if (!is_token(token) || life_us <= 0) return not_a_token(who, err);
    if (life_us > (int64_t)LIFE_MAX_S * 1000000) life_us = (int64_t)LIFE_MAX_S * 1000000;
    struct str copied = str_dup(arena, token);
    if (!copied.p) return err_oom(err);
    *ret_token = copied;
    *ret_expires_us = sent_us + life_us;
    return OK;
}

/* jansson frees without wiping: the document's one secret is overwritten where it stands. */
static void wipe_member(json_t *doc, const char *name) {
    struct str text;
    if (json_member_str(doc, name, &text)) explicit_bzero((char *)(uintptr_t)text.p, text.n);
}

enum code exchange_sts_reply(unsigned status, struct str body, int64_t sent_us, struct arena *arena, struct str *ret_token,
                             int64_t *ret_expires_us, struct err *err) {
    static const char who[] = "the token service";
    DEFER(json_freep) json_t *doc = NULL;
    struct str token, type;
    int64_t life_s = 0;
    if (status != 200) return refused(who, status, body, err);
    if (json_read(body, EXCHANGE_REPLY_MAX, 0, &doc, NULL)) return not_a_token(who, err);
    bool whole = json_member_str(doc, "access_token", &token) && json_member_int(doc, "expires_in", &life_s) &&
                 json_member_str(doc, "token_type", &type) && str_eq_nocase(type, STR("Bearer"));
    if (life_s > LIFE_MAX_S) life_s = LIFE_MAX_S;
    enum code rc = whole ? take(who, token, life_s * 1000000, sent_us, arena, ret_token, ret_expires_us, err)
                         : not_a_token(who, err);
    wipe_member(doc, "access_token");
    return rc;
}

enum code exchange_iam_reply(unsigned status, struct str body, int64_t sent_us, struct arena *arena, struct str *ret_token,
                             int64_t *ret_expires_us, struct err *err) {
    static const char who[] = "the service account's token endpoint";
    DEFER(json_freep) json_t *doc = NULL;
    struct str token, until;
    int64_t end_s = 0;
    int32_t nanos = 0;
    if (status != 200) return refused(who, status, body, err);
    if (json_read(body, EXCHANGE_REPLY_MAX, 0, &doc, NULL)) return not_a_token(who, err);
    bool whole = json_member_str(doc, "accessToken", &token) && json_member_str(doc, "expireTime", &until) &&
                 clock_parse_rfc3339(until, &end_s, &nanos);
    enum code rc = whole ? take(who, token, end_s * 1000000 - sent_us, sent_us, arena, ret_token, ret_expires_us, err)
                         : not_a_token(who, err);
    wipe_member(doc, "accessToken");
    return rc;
}
