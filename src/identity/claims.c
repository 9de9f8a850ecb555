#include "identity/claims.h"

#include "data/json.h"

enum { AUD_LIST_MAX = 16, JTI_MAX = 128 };
static const int64_t time_max_s = INT64_C(1) << 40; /* so that sums with it cannot overflow */

bool subject_lawful(struct str subject) {
    for (size_t i = 0; i < subject.n; i++)
        if ((unsigned char)subject.p[i] < 0x20 || subject.p[i] == 0x7f) return false;
    return subject.n > 0 && subject.n <= JWT_SUB_MAX;
}

/* The service's own, which clients write with and without a slash at its end. */
static bool service_audience(const struct jwt_ask *ask, struct str aud) {
    (void)str_strip_suffix(&aud, STR("/"));
    return ask->service_audience.n && str_eq(aud, ask->service_audience);
}

/* Is it one of the issuer's, or the service's, and what the door asks for? */
static bool known_audience(const struct jwt_ask *ask, const struct issuer_config *config, struct str aud) {
    if (ask->audience.n && !str_eq(aud, ask->audience)) return false;
    for (size_t i = 0; i < config->n_audiences; i++)
        if (str_eq(config->audiences[i], aud)) return true;
    return service_audience(ask, aud);
}

/* The first that is known, borrowed from `aud`; an empty one is never known. */
static struct str match_audience(const struct jwt_ask *ask, const struct issuer_config *config, const json_t *aud) {
    struct str none = { NULL, 0 }, found = none;
    size_t n = json_is_string(aud) ? 1 : json_array_size(aud); /* 0 for other types */
    if (n > AUD_LIST_MAX || (n > 1 && !config->audience_list)) return none;
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_is_string(aud) ? aud : json_array_get(aud, i);
        if (!json_is_string(one)) return none;
        if (!found.n && known_audience(ask, config, json_text_of(one))) found = json_text_of(one);
    }
    return found;
}

static enum reason check_audience(const struct jwt_ask *ask, const struct issuer_config *config, const json_t *payload,
                                  struct proof *proof, struct refusal *refusal) {
    const json_t *aud = json_object_get(payload, "aud");
    if (!aud) return refuse(refusal, CLAIM_MISSING, "aud is missing");
    struct str found = match_audience(ask, config, aud);
    if (!found.n)
        return refuse(refusal, AUDIENCE_WRONG, "aud is not one of issuer %.*s's audiences", STR_ARG(config->name));
    proof->audience = found;
    proof->single_audience = json_is_string(aud) || json_array_size(aud) == 1;
    return REASON_NONE;
}

/* Who the token was made for, when that is another than its audience. */
static enum reason check_party(const struct issuer_config *config, const json_t *payload, const struct proof *proof,
                               struct refusal *refusal) {
    struct str azp = STR("");
    if (json_has(payload, "azp") && !json_member_str(payload, "azp", &azp))
        return refuse(refusal, TOKEN_REJECTED, "azp is not text");
    if (config->authorized_party.n) {
        if (azp.n == 0) return refuse(refusal, CLAIM_MISSING, "azp is missing");
        return str_eq(azp, config->authorized_party) ? REASON_NONE
                                                     : refuse(refusal, TOKEN_REJECTED, "azp is another party");
    }
    if (azp.n == 0 || proof->single_audience) return REASON_NONE;
    for (size_t i = 0; i < config->n_audiences; i++)
        if (str_eq(azp, config->audiences[i])) return REASON_NONE;
    return refuse(refusal, TOKEN_REJECTED, "the token has several audiences and azp is none of ours");
}

/* A NumericDate: we take whole seconds only. False: another type, or out of range. */
static bool time_claim(const json_t *payload, const char *name, int64_t *ret) {
    return json_member_int(payload, name, ret) && *ret >= 0 && *ret <= time_max_s;
}

static enum reason check_times(const struct issuer_config *config, const json_t *payload, int64_t now, struct proof *proof,
                               struct refusal *refusal) {
    int64_t exp, iat, nbf = 0;
    if (!json_has(payload, "exp") || !json_has(payload, "iat"))
        return refuse(refusal, CLAIM_MISSING, "exp or iat is missing");
    if (!time_claim(payload, "exp", &exp) || !time_claim(payload, "iat", &iat) ||
        (json_has(payload, "nbf") && !time_claim(payload, "nbf", &nbf)))
        return refuse(refusal, TOKEN_REJECTED, "exp, iat or nbf is not a whole number of seconds");
    if (iat > now + JWT_SKEW_S || nbf > now + JWT_SKEW_S)
        return refuse(refusal, TOKEN_REJECTED, "the token is of the future: iat %lld, now %lld", (long long)iat,
                      (long long)now);
    if (exp <= iat || exp - iat > config->max_life_s)
        return refuse(refusal, TOKEN_REJECTED, "the token lives %lld s, allowed are 1 to %lld", (long long)(exp - iat),
                      (long long)config->max_life_s);
    if (exp + JWT_SKEW_S <= now)
        return refuse(refusal, TOKEN_EXPIRED, "expired at %lld, now %lld", (long long)exp, (long long)now);
    proof->issued_s = iat;
    proof->expires_s = exp;
    return REASON_NONE;
}

static bool type_is(struct str typ, const char *name) {
    (void)str_strip_prefix(&typ, STR("application/"));
    return str_eq_nocase(typ, str_z(name));
}

/* An access token is not an ID token, a DPoP proof or a logout token. RFC 8725 §3.11, RFC 9068 §2.1. */
static enum reason check_type(const struct jws *jws, const struct issuer_config *config, const json_t *payload,
                              struct refusal *refusal) {
    bool own = config->preset == ISSUER_OWN;
    bool fine = own ? str_eq_z(jws->typ, "at+jwt")
                    : jws->typ.n == 0 || type_is(jws->typ, "JWT") || type_is(jws->typ, "at+jwt");
    if (!fine) return refuse(refusal, TOKEN_REJECTED, "the token is of another type");
    if (json_has(payload, "events")) return refuse(refusal, TOKEN_REJECTED, "a security event is no token");
    return REASON_NONE;
}

static enum reason check_tenant(const struct issuer_config *config, const json_t *payload, struct refusal *refusal) {
    struct str tid;
    if (config->tenant.n == 0) return REASON_NONE;
    if (!json_member_str(payload, "tid", &tid)) return refuse(refusal, CLAIM_MISSING, "tid is missing");
    return str_eq(tid, config->tenant) ? REASON_NONE : refuse(refusal, TOKEN_REJECTED, "tid is another tenant");
}

static enum reason read_jti(const json_t *payload, struct proof *proof, struct refusal *refusal) {
    if (!json_has(payload, "jti")) return REASON_NONE;
    if (!json_member_str(payload, "jti", &proof->jti)) return refuse(refusal, TOKEN_REJECTED, "jti is not text");
    if (proof->jti.n > JTI_MAX) proof->jti = STR(""); /* too long to be revoked by, which is ours only */
    return REASON_NONE;
}

enum reason claims_check(const struct jwt_ask *ask, const struct jws *jws, const struct issuer_config *config,
                         const json_t *payload, struct proof *proof, struct refusal *refusal) {
    enum reason r = check_type(jws, config, payload, refusal);
    if (!r) r = check_times(config, payload, ask->now_s, proof, refusal);
    if (!r) r = check_audience(ask, config, payload, proof, refusal);
    if (!r) r = check_party(config, payload, proof, refusal);
    if (!r) r = check_tenant(config, payload, refusal);
    if (!r) r = read_jti(payload, proof, refusal);
    return r;
}

static enum reason read_subject(const json_t *object, struct str *ret, struct refusal *refusal) {
    if (!json_has(object, "sub")) return refuse(refusal, CLAIM_MISSING, "sub is missing");
    if (!json_member_str(object, "sub", ret) || !subject_lawful(*ret))
        return refuse(refusal, TOKEN_REJECTED, "sub is not 1 to %d bytes of text without control characters", JWT_SUB_MAX);
    return REASON_NONE;
}

enum reason principal_of_foreign(const struct issuer_config *config, json_t *payload, struct proof *proof,
                                 struct refusal *refusal) {
    struct principal *p = &proof->principal;
    enum reason r = read_subject(payload, &p->actor.subject, refusal);
    if (r) return r;
    (void)json_object_del(payload, "act");
    (void)json_object_del(payload, "may_act");
    p->actor.kind = ACTOR_OIDC;
    p->actor.issuer = config->name;
    p->actor.claims = payload;
    return REASON_NONE;
}

/* One actor of our own token: an account has no `via`. */
static enum reason read_actor(const json_t *object, struct actor *ret, struct refusal *refusal) {
    enum reason r = read_subject(object, &ret->subject, refusal);
    if (r) return r;
    bool oidc = json_member_str(object, "via", &ret->issuer);
    ret->kind = oidc ? ACTOR_OIDC : ACTOR_ACCOUNT;
    const json_t *claims = json_object_get(object, "claims");
    ret->claims = json_is_object(claims) ? claims : NULL;
    return REASON_NONE;
}

enum reason principal_of_own(const json_t *payload, struct proof *proof, struct refusal *refusal) {
    struct principal *p = &proof->principal;
    struct actor outermost_first[PRINCIPAL_MAX_CHAIN] = { 0 };
    enum reason r = read_actor(payload, &p->actor, refusal);
    unsigned n = 0;
    for (const json_t *act = json_object_get(payload, "act"); !r && act; act = json_object_get(act, "act")) {
        if (n == PRINCIPAL_MAX_CHAIN) return refuse(refusal, CHAIN_REFUSED, "the chain of actors is too long");
        r = read_actor(act, &outermost_first[n++], refusal);
    }
    if (r) return r;
    for (unsigned i = 0; i < n; i++) p->chain[i] = outermost_first[n - 1 - i];
    p->n_chain = n;
    (void)json_member_str(payload, "job", &p->job);
    (void)json_member_str(payload, "job_run", &p->job_run);
    (void)json_member_str(payload, "scope", &proof->scope);
    return proof->jti.n ? REASON_NONE : refuse(refusal, CLAIM_MISSING, "jti is missing");
}
