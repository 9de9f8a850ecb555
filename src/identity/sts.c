#include "identity/sts.h"

#include "base/json_text.h"

enum { RESPONSE_MAX = 16 << 10 };

static void rejected(struct answer *answer, struct arena *arena, enum reason reason, const char *detail) {
    if (!answer->refusal.reason) refuse(&answer->refusal, reason, "%s", detail);
    answer_oauth_error(answer, arena, 400, "invalid_grant", "the subject token was not accepted");
}

/* Each word of `scope` is one of `held`. */
static bool within(struct str scope, struct str held) {
    while (scope.n) {
        struct str word = str_cut(&scope, ' '), rest = held;
        bool found = false;
        while (rest.n && !found) found = str_eq(str_cut(&rest, ' '), word);
        if (!found) return false;
    }
    return true;
}

/* The audience must name the very provider that the subject token is of: a token for X buys nothing at Y. */
static const char *wrong_target(const struct sts *sts, const struct sts_request *request, const struct proof *proof) {
    struct str project, pool, provider, name = issuer_config(proof->issuer)->name;
    if (sts_provider_of(request->audience, &project, &pool, &provider)) {
        if (!str_eq(provider, name)) return "the audience names another provider than the token's issuer";
        if (sts->provider_project.n && !str_eq(project, sts->provider_project)) return "the audience names another project";
        return NULL;
    }
    if (proof->own && str_eq(request->audience, mint_issuer_url(sts->mint))) return NULL;
    return "the audience is no provider of this server";
}

static const char *wrong_subject(const struct sts_request *request, const struct proof *proof) {
    bool access = str_ends(request->subject_token_type, STR(":access_token"));
    if (access && !proof->own) return "an access token of another issuer is no subject token";
    if (!proof->single_audience) return "the subject token is for several audiences";
    if (proof->own && request->scope.n && !within(request->scope, proof->scope))
        return "the scope is wider than the subject token's";
    return NULL;
}

static void respond(const struct sts *sts, struct str token, int64_t expires_s, struct arena *arena,
                    struct answer *answer) {
    DEFER(buf_wipe) struct buf body = BUF_INIT(RESPONSE_MAX);
    buf_add_z(&body, "{\"access_token\":");
    json_text_string(&body, token);
    buf_printf(&body,
               ",\"issued_token_type\":\"urn:ietf:params:oauth:token-type:access_token\",\"token_type\":\"Bearer\","
               "\"expires_in\":%lld}",
               (long long)(expires_s - sts->ask.now_s));
    struct str text = buf_ok(&body) ? str_dup(arena, buf_str(&body)) : (struct str){ NULL, 0 };
    if (!text.p) {
        refuse(&answer->refusal, LIMIT_REACHED, "out of memory");
        answer_oauth_error(answer, arena, 503, "temporarily_unavailable", "try again");
        return;
    }
    answer->status = 200;
    answer->content_type = STR("application/json; charset=UTF-8");
    answer->body = text;
}

static void mint_for(const struct sts *sts, const struct sts_request *request, const struct proof *proof,
                     struct arena *arena, struct answer *answer) {
    struct err err = { 0 };
    int64_t beyond = proof->own ? 0 : sts->beyond_subject_s; /* else one could live for ever by exchanging */
    struct mint_ask ask = { .principal = &proof->principal,
                            .scope = request->scope.n || !proof->own ? request->scope : proof->scope,
                            .now_s = sts->ask.now_s,
                            .expires_s = proof->expires_s + beyond };
    DEFER(buf_wipe) struct buf token = BUF_INIT(MINT_TOKEN_MAX);
    int64_t expires_s = 0;
    enum code rc = mint_access_token(sts->mint, &ask, &token, &expires_s, NULL, &err);
    if (rc == OK) {
        respond(sts, buf_str(&token), expires_s, arena, answer);
    } else if (rc == FAILED_PRECONDITION) {
        rejected(answer, arena, TOKEN_EXPIRED, err.message);
    } else {
        refuse(&answer->refusal, LIMIT_REACHED, "%s", err.message);
        answer_oauth_error(answer, arena, 503, "temporarily_unavailable", "try again");
    }
}

void sts_exchange(const struct sts *sts, const struct sts_request *request, struct arena *arena, struct proof **ret_proof,
                  struct answer *ret_answer) {
    DEFER(proof_unrefp) struct proof *proof = NULL;
    *ret_answer = (struct answer){ 0 };
    enum jwt_outcome outcome = jwt_verify(&sts->ask, request->subject_token, &proof, &ret_answer->refusal);
    ret_answer->wait = outcome == JWT_WAIT;
    if (outcome == JWT_WAIT) return;
    if (outcome == JWT_REFUSED) {
        rejected(ret_answer, arena, TOKEN_REJECTED, "");
        return;
    }
    const char *wrong = wrong_target(sts, request, proof);
    enum reason reason = wrong ? AUDIENCE_WRONG : TOKEN_REJECTED;
    if (!wrong) wrong = wrong_subject(request, proof);
    if (wrong) {
        rejected(ret_answer, arena, reason, wrong);
        return;
    }
    mint_for(sts, request, proof, arena, ret_answer);
    if (ret_proof && ret_answer->status == 200) *ret_proof = TAKE(proof);
}
