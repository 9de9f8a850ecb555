#include "identity/jwt.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/enc.h"
#include "crypto/hash.h"
#include "data/json.h"
#include "identity/claims.h"
#include "identity/live_runs.h"
#include "identity/revoke.h"

enum { SCRATCH_BYTES = 64 << 10, TOKEN_ID_BYTES = 16 };

struct proof *proof_ref(struct proof *proof) {
    proof->refs++;
    return proof;
}

struct proof *proof_unref(struct proof *proof) {
    if (!proof || --proof->refs) return NULL;
    json_decref(proof->payload);
    free(proof);
    return NULL;
}

void proof_unrefp(struct proof **proof) {
    proof_unref(*proof);
}

void token_fingerprint(struct str token, char ret[JWT_FINGERPRINT_BYTES]) {
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA256_BYTES];
    hash_sha256(token, digest);
    for (unsigned i = 0; i < TOKEN_ID_BYTES; i++) {
        ret[2 * i] = digits[digest[i] >> 4];
        ret[2 * i + 1] = digits[digest[i] & 15];
    }
    ret[2 * TOKEN_ID_BYTES] = 0;
}

static enum reason read_payload(struct str text, json_t **ret, struct refusal *refusal) {
    struct err err = { 0 };
    enum code rc = json_read(text, JWT_CLAIMS_MAX, 0, ret, &err);
    if (rc == RESOURCE_EXHAUSTED) return refuse(refusal, LIMIT_REACHED, "%s", err.message);
    if (rc) return refuse(refusal, TOKEN_REJECTED, "the claims: %s", err.message);
    return json_is_object(*ret) ? REASON_NONE : refuse(refusal, TOKEN_REJECTED, "the claims are no object");
}

static enum reason find_issuer(const struct jwt_ask *ask, struct proof *proof, struct refusal *refusal) {
    struct str iss;
    if (!json_has(proof->payload, "iss")) return refuse(refusal, CLAIM_MISSING, "iss is missing");
    if (!json_member_str(proof->payload, "iss", &iss)) return refuse(refusal, TOKEN_REJECTED, "iss is not text");
    proof->issuer = issuers_by_iss(ask->issuers, iss);
    if (proof->issuer) return REASON_NONE;
    return refuse(refusal, ISSUER_UNKNOWN, "issuer is not trusted: %.*s", STR_ARG(str_upto(iss, 120)));
}

/* The key that the token names, of the newest set. *ret_wait: it may come with the next one. */
static const struct jwks_key *find_key(const struct jwt_ask *ask, const struct jws *jws, struct proof *proof,
                                       struct jwks **ret_keys, bool *ret_wait) {
    enum issuer_news news = ISSUER_NEWS;
    const struct jwks_key *key = NULL;
    while (!key && news == ISSUER_NEWS) {
        jwks_unref(*ret_keys);
        *ret_keys = issuer_keys(proof->issuer, ask->now_s, &proof->keys_version);
        key = *ret_keys ? jwks_find(*ret_keys, jws->has_kid, jws->kid, jws->alg) : NULL;
        news = key || !ask->wait ? ISSUER_NO_NEWS
                                 : issuer_refresh(proof->issuer, ask->now_s, proof->keys_version, ask->wait);
    }
    *ret_wait = news == ISSUER_NEWS_LATER;
    return key;
}

/* An unknown kid and a bad signature answer alike: nobody learns which kids exist. */
static enum jwt_outcome check_signature(const struct jwt_ask *ask, const struct jws *jws, struct proof *proof,
                                        struct refusal *refusal) {
    DEFER(jwks_unrefp) struct jwks *keys = NULL;
    bool wait;
    const struct jwks_key *key = find_key(ask, jws, proof, &keys, &wait);
    if (wait) return JWT_WAIT;
    if (key && jwks_key_verify(key, jws->signed_part, jws->signature)) return JWT_PROVED;
    struct str name = issuer_config(proof->issuer)->name;
    if (!keys) refuse(refusal, TOKEN_REJECTED, "no keys of issuer %.*s are known", STR_ARG(name));
    else if (!key) refuse(refusal, TOKEN_REJECTED, "issuer %.*s has no such key for this algorithm", STR_ARG(name));
    else refuse(refusal, TOKEN_REJECTED, "the signature does not verify");
    return JWT_REFUSED;
}

static enum reason check_revoked(const struct jwt_ask *ask, const struct proof *proof, struct refusal *refusal) {
    if (!proof->own) return REASON_NONE;
    if (is_revoked(ask->revocations, proof->jti)) return refuse(refusal, REVOKED, "the token was revoked");
    if (proof->principal.job_run.n && !live_runs_has(ask->runs, proof->principal.job_run))
        return refuse(refusal, JOB_ENDED, "the job run has ended");
    return REASON_NONE;
}

static enum reason fill(const struct jwt_ask *ask, const struct jws *jws, struct str token, struct proof *proof,
                        struct refusal *refusal) {
    const struct issuer_config *config = issuer_config(proof->issuer);
    proof->own = config->preset == ISSUER_OWN;
    enum reason r = claims_check(ask, jws, config, proof->payload, proof, refusal);
    if (!r)
        r = proof->own ? principal_of_own(proof->payload, proof, refusal)
                       : principal_of_foreign(config, proof->payload, proof, refusal);
    if (!r) r = check_revoked(ask, proof, refusal);
    if (r) return r;
    token_fingerprint(token, proof->principal.token_id);
    proof->principal.expires_us = proof->expires_s * 1000000;
    return REASON_NONE;
}

/* Whose it was, for the operator: its issuer did sign it. Entra's `sub` is another one at each audience, its `oid` is not;
 * our own token says by whom its subject was known. */
static void name_refused(const struct proof *proof, struct str token, struct refusal *refusal) {
    struct str subject = { NULL, 0 };
    const struct issuer_config *config = issuer_config(proof->issuer);
    struct str issuer = config->name;
    if (!refusal) return;
    if (config->preset != ISSUER_ENTRA || !json_member_str(proof->payload, "oid", &subject))
        (void)json_member_str(proof->payload, "sub", &subject);
    if (config->preset == ISSUER_OWN && !json_member_str(proof->payload, "via", &issuer)) issuer = STR(""); /* an account */
    struct refused_token *to = &refusal->token;
    token_fingerprint(token, to->id);
    (void)snprintf(to->issuer, sizeof to->issuer, "%.*s", STR_ARG(issuer));
    (void)snprintf(to->subject, sizeof to->subject, "%.*s", STR_ARG(subject));
}

static enum reason split(struct str token, struct arena *arena, struct jws *ret, struct refusal *refusal) {
    struct err err = { 0 };
    if (token.n == 0) return refuse(refusal, NO_PROOF, "there is no token");
    if (!arena) return refuse(refusal, LIMIT_REACHED, "out of memory");
    enum code rc = jws_split(token, arena, ret, &err);
    if (rc == OK) return REASON_NONE;
    return refuse(refusal, rc == RESOURCE_EXHAUSTED ? LIMIT_REACHED : TOKEN_REJECTED, "%s", err.message);
}

enum jwt_outcome jwt_verify(const struct jwt_ask *ask, struct str token, struct proof **ret_proof,
                            struct refusal *ret_refusal) {
    struct jws jws;
    DEFER(arena_freep) struct arena *arena = arena_new(SCRATCH_BYTES);
    if (split(token, arena, &jws, ret_refusal)) return JWT_REFUSED;
    DEFER(proof_unrefp) struct proof *proof = calloc(1, sizeof *proof);
    if (!proof) {
        refuse(ret_refusal, LIMIT_REACHED, "out of memory");
        return JWT_REFUSED;
    }
    proof->refs = 1;
    if (read_payload(jws.payload, &proof->payload, ret_refusal)) return JWT_REFUSED;
    if (find_issuer(ask, proof, ret_refusal)) return JWT_REFUSED;
    enum jwt_outcome outcome = check_signature(ask, &jws, proof, ret_refusal);
    if (outcome != JWT_PROVED) return outcome;
    if (fill(ask, &jws, token, proof, ret_refusal)) {
        name_refused(proof, token, ret_refusal);
        return JWT_REFUSED;
    }
    *ret_proof = TAKE(proof);
    return JWT_PROVED;
}
