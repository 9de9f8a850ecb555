#include "gate/identify.h"
#include "base/clock.h"
#include "gate/endpoint.h"

static void wake_on_loop(struct loop_task *task, void *ctx) {
    (void)task;
    struct request *r = ctx;
    request_run(r);
    request_release(r);
}

/* Any thread; perhaps before jwt_verify returns: the loop runs the task later. */
static void wake(void *arg) {
    struct request *r = arg;
    request_hold(r);
    r->wake_task = (struct loop_task){ .fn = wake_on_loop, .ctx = r };
    loop_post(r->worker->loop, &r->wake_task);
}

struct jwt_ask identify_ask(struct request *r) {
    struct identity *identity = r->gate->identity;
    bool first = !r->waited; /* one wait a request: then the answer counts */
    r->waited = true;
    r->key_wait = (struct issuer_wait){ .wake = wake, .arg = r };
    return (struct jwt_ask){
        .issuers = identity->issuers,
        .revocations = identity->revocations,
        .runs = identity->runs,
        .service_audience = r->service ? r->service->audience : STR(""),
        .now_s = clock_wall_s(),
        .wait = first ? &r->key_wait : NULL,
    };
}

/* The token of exactly one "authorization: Bearer …" header; empty when there is none or something else. */
static struct str bearer(const struct http_request *http) {
    if (http_header_count(http->headers, http->n_headers, STR("authorization")) != 1) return (struct str){ NULL, 0 };
    struct str value = http_header_value(http->headers, http->n_headers, STR("authorization"));
    struct str scheme = str_cut(&value, ' ');
    return str_eq_nocase(scheme, STR("bearer")) ? value : (struct str){ NULL, 0 };
}

void identify_keep_refusal(struct request *r, const struct refusal *refusal) {
    struct refused_token *token = refusal->token.id[0] ? ARENA_NEW(r->call.arena, struct refused_token) : NULL;
    if (token) *token = refusal->token;
    r->refused_token = token;
}

static enum identified by_token(struct request *r) {
    struct identity *identity = r->gate->identity;
    struct jwt_ask ask = identify_ask(r);
    struct refusal refusal = { 0 };
    enum jwt_outcome outcome = verified_token(identity->verified, &ask, STR("public"), identity->policy_version,
                                              bearer(r->http), &r->proof, &refusal);
    if (outcome == JWT_WAIT) return IDENTIFY_WAIT;
    if (outcome == JWT_REFUSED) {
        identify_keep_refusal(r, &refusal);
        request_refuse(r, refusal.reason, "%s", refusal_public_text(refusal.reason));
        return IDENTIFY_REFUSED;
    }
    r->principal = r->proof->principal;
    return IDENTIFIED;
}

bool identify_at_headers(const struct gate *gate, const struct http_request *http, struct str service_audience) {
    struct identity *identity = gate->identity;
    struct jwt_ask ask = { .issuers = identity->issuers,
                           .revocations = identity->revocations,
                           .runs = identity->runs,
                           .service_audience = service_audience,
                           .now_s = clock_wall_s() };
    struct refusal refusal = { 0 };
    struct proof *proof = NULL;
    enum jwt_outcome outcome = verified_token(identity->verified, &ask, STR("public"), identity->policy_version,
                                              bearer(http), &proof, &refusal);
    proof_unref(proof);
    return outcome == JWT_PROVED;
}

static enum identified by_endpoint(struct request *r) {
    if (!endpoint_principal(r->door->endpoint, &r->principal)) {
        request_refuse(r, JOB_ENDED, "the job of this endpoint has ended");
        return IDENTIFY_REFUSED;
    }
    return IDENTIFIED;
}

/* A token that names no scope is not narrowed. */
static bool scope_reaches(struct str scope, const struct service *service) {
    bool reaches = scope.n == 0;
    while (scope.n && !reaches) {
        struct str word = str_cut(&scope, ' ');
        reaches = str_eq_z(word, SCOPE_EVERYWHERE);
        for (size_t i = 0; service && service->scopes && service->scopes[i]; i++)
            reaches = reaches || str_eq_z(word, service->scopes[i]);
    }
    return reaches;
}

enum identified identify_request(struct request *r) {
    enum identified outcome = r->door->kind == DOOR_PUBLIC ? by_token(r) : by_endpoint(r);
    if (outcome != IDENTIFIED) return outcome;
    r->principal.from = r->http->peer.ip;
    r->call.principal = &r->principal;
    r->identified = true;
    if (!r->proof || !r->proof->own || scope_reaches(r->proof->scope, r->service)) return IDENTIFIED;
    request_refuse(r, CLAIM_MISSING, "the token's scopes do not reach this service: ask for one with cloud-platform's");
    return IDENTIFY_REFUSED;
}

enum reason identify_still(const struct request *r, int64_t now_us) {
    if (r->endpoint) return endpoint_is_open(r->endpoint) ? REASON_NONE : JOB_ENDED;
    if (r->principal.expires_us <= now_us) return TOKEN_EXPIRED;
    const struct identity *identity = r->gate->identity;
    if (r->proof && r->proof->own && is_revoked(identity->revocations, r->proof->jti)) return REVOKED;
    if (r->principal.job_run.n && !live_runs_has(identity->runs, r->principal.job_run)) return JOB_ENDED;
    return REASON_NONE;
}

void identify_leave(struct request *r) {
    proof_unref(r->proof);
    endpoint_unref(r->endpoint);
}
