#include "identity/iam.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/json_text.h"
#include "data/json.h"

enum { LIFETIME_DEFAULT_S = 3600, SCOPES_MAX = 50, SCOPE_TEXT_MAX = 2048 };

bool iam_route(struct str path, enum iam_method *ret_method, struct str *ret_email) {
    static const struct {
        const char *name;
        enum iam_method method;
    } methods[] = { { "generateAccessToken", IAM_GENERATE_ACCESS_TOKEN },
                    { "generateIdToken", IAM_GENERATE_ID_TOKEN },
                    { "signBlob", IAM_SIGN_BLOB },
                    { "signJwt", IAM_SIGN_JWT } };
    if (!str_strip_prefix(&path, STR("/v1/projects/-/serviceAccounts/"))) return false;
    struct str email = str_cut(&path, ':');
    if (email.n == 0 || email.n > IAM_EMAIL_MAX || str_find_char(email, '@') < 1) return false;
    for (size_t i = 0; i < email.n; i++) {
        char c = email.p[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '@' || c == '-' || c == '.' || c == '_';
        if (!fine) return false;
    }
    for (size_t i = 0; i < COUNT(methods); i++) {
        if (!str_eq_z(path, methods[i].name)) continue;
        *ret_method = methods[i].method;
        *ret_email = email;
        return true;
    }
    return false;
}

struct call {
    const struct iam *iam;
    struct str email;
    const json_t *body;
    const struct principal *caller;
    struct arena *arena;
    struct answer *answer;
};

static void fail(struct call *call, enum code code, enum reason reason, const char *message) {
    refuse(&call->answer->refusal, reason, "%s", message);
    answer_google_error(call->answer, call->arena, code, message);
}

static void done(struct call *call, struct buf *body) {
    struct str text = buf_ok(body) ? str_dup(call->arena, buf_str(body)) : (struct str){ NULL, 0 };
    if (!text.p) {
        fail(call, RESOURCE_EXHAUSTED, LIMIT_REACHED, "out of memory");
        return;
    }
    call->answer->status = 200;
    call->answer->content_type = STR("application/json; charset=UTF-8");
    call->answer->body = text;
}

/* "3600s": whole seconds. (A protobuf Duration may have a fraction: no client sends one.) */
static bool lifetime_of(const json_t *body, int64_t *ret) {
    struct str text;
    *ret = LIFETIME_DEFAULT_S;
    if (!json_has(body, "lifetime")) return true;
    return json_member_str(body, "lifetime", &text) && str_strip_suffix(&text, STR("s")) && str_i64(text, ret) &&
           *ret >= 1 && *ret <= MINT_MAX_LIFE_S;
}

static bool scopes_of(const json_t *body, struct buf *out) {
    const json_t *list = json_object_get(body, "scope");
    size_t n = json_array_size(list);
    if (n == 0 || n > SCOPES_MAX) return false;
    for (size_t i = 0; i < n; i++) {
        struct str word = json_text_of(json_array_get(list, i));
        if (word.n == 0) return false;
        for (size_t k = 0; k < word.n; k++)
            if (word.p[k] <= 0x20 || word.p[k] >= 0x7f || word.p[k] == '"' || word.p[k] == '\\') return false;
        if (i) buf_add_char(out, ' ');
        buf_add_str(out, word);
    }
    return buf_ok(out);
}

static void access_token(struct call *call) {
    struct err err = { 0 };
    int64_t life, now = call->iam->now_s, expires_s = 0;
    DEFER(buf_free) struct buf scope = BUF_INIT(SCOPE_TEXT_MAX);
    if (!scopes_of(call->body, &scope)) {
        fail(call, INVALID_ARGUMENT, NOT_UNDERSTOOD, "scope must hold 1 to 50 scopes");
        return;
    }
    if (!lifetime_of(call->body, &life)) {
        fail(call, INVALID_ARGUMENT, NOT_UNDERSTOOD, "lifetime must be 1s to 3600s");
        return;
    }
    struct principal as;
    if (!principal_act_as(call->caller, call->email, &as)) {
        fail(call, PERMISSION_DENIED, CHAIN_REFUSED, "the chain of actors is too long");
        return;
    }
    int64_t proof_end = call->caller->expires_us / 1000000;
    struct mint_ask ask = { &as, buf_str(&scope), now, now + life < proof_end ? now + life : proof_end };
    DEFER(buf_wipe) struct buf token = BUF_INIT(MINT_TOKEN_MAX), body = BUF_INIT(2 * MINT_TOKEN_MAX);
    enum code rc = mint_access_token(call->iam->mint, &ask, &token, &expires_s, NULL, &err);
    if (rc) {
        fail(call, rc, rc == FAILED_PRECONDITION ? TOKEN_EXPIRED : LIMIT_REACHED, err.message);
        return;
    }
    char when[CLOCK_RFC3339_MAX];
    size_t n = clock_rfc3339(expires_s * 1000000, when);
    buf_add_z(&body, "{\"accessToken\":");
    json_text_string(&body, buf_str(&token));
    buf_printf(&body, ",\"expireTime\":\"%.*s\"}", (int)n, when);
    done(call, &body);
}

static void id_token(struct call *call) {
    struct err err = { 0 };
    struct str audience;
    if (!json_member_str(call->body, "audience", &audience)) {
        fail(call, INVALID_ARGUMENT, NOT_UNDERSTOOD, "audience is missing");
        return;
    }
    DEFER(buf_wipe) struct buf token = BUF_INIT(MINT_TOKEN_MAX), body = BUF_INIT(2 * MINT_TOKEN_MAX);
    enum code rc = mint_id_token(call->iam->mint, call->email, audience, call->iam->now_s,
                                 call->caller->expires_us / 1000000, &token, NULL, &err);
    call->answer->about = arena_printf(call->arena, "an ID token for %.*s", STR_ARG(audience));
    if (rc) {
        fail(call, rc,
             rc == INVALID_ARGUMENT      ? NOT_UNDERSTOOD
             : rc == FAILED_PRECONDITION ? TOKEN_EXPIRED
                                         : LIMIT_REACHED,
             err.message);
        return;
    }
    buf_add_z(&body, "{\"token\":");
    json_text_string(&body, buf_str(&token));
    buf_add_char(&body, '}');
    done(call, &body);
}

/* Python sends "delegates": null. A chain of accounts is not supported: policy would have to judge each link. */
static bool no_delegates(const json_t *body) {
    const json_t *delegates = json_object_get(body, "delegates");
    return !delegates || json_is_null(delegates) || (json_is_array(delegates) && json_array_size(delegates) == 0);
}

static void answer(struct call *call, enum iam_method method) {
    if (method == IAM_SIGN_BLOB || method == IAM_SIGN_JWT) {
        fail(call, UNIMPLEMENTED, METHOD_UNKNOWN, "signBlob and signJwt are not supported");
        return;
    }
    if (!no_delegates(call->body)) {
        fail(call, UNIMPLEMENTED, NOT_UNDERSTOOD, "delegates are not supported: ask for the account itself");
        return;
    }
    enum reason reason = call->iam->may_act_as(call->iam->ctx, call->caller, call->email);
    if (reason) {
        fail(call, PERMISSION_DENIED, reason,
             "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).");
        return;
    }
    if (method == IAM_GENERATE_ACCESS_TOKEN) access_token(call);
    else id_token(call);
}

void iam_answer(const struct iam *iam, enum iam_method method, struct str email, struct str body,
                const struct principal *caller, struct arena *arena, struct answer *ret_answer) {
    DEFER(json_freep) json_t *json = NULL;
    *ret_answer = (struct answer){ 0 };
    struct call call = { iam, email, NULL, caller, arena, ret_answer };
    if (json_read(body, IAM_BODY_MAX, 0, &json, NULL) || !json_is_object(json)) {
        fail(&call, INVALID_ARGUMENT, NOT_UNDERSTOOD, "the body is not a strict JSON object");
        return;
    }
    call.body = json;
    answer(&call, method);
}
