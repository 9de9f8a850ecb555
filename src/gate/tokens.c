#include "gate/tokens.h"
#include <string.h>
#include "base/clock.h"
#include "gate/endpoint.h"
#include "gate/identify.h"
#include "gate/record.h"
#include "gate/request.h"
#include "gate/run_right.h"
#include "identity/iam.h"
#include "identity/metadata.h"

/* ---- answers ---- */

static void send_answer(struct request *r, const struct answer *answer) {
    struct arena *arena = r->call.arena;
    if (answer->about.n) r->call.outcome.detail = answer->about;
    if (answer->status >= 400 && answer->about.n)
        r->call.outcome.detail = arena_printf(arena, "answered with HTTP %u: %.*s", answer->status, STR_ARG(answer->about));
    else if (answer->status >= 400) /* the body says why, the log at least that it was no token */
        r->call.outcome.detail = arena_printf(arena, "answered with HTTP %u", answer->status);
    call_reply_http(&r->call, answer->status, str_dupz(r->call.arena, answer->content_type), answer->body);
    call_end_ok(&r->call);
}

/* A token leaves only once its entry is durable. */
static void send_recorded(struct request *r) {
    struct answer unavailable;
    if (!r->intent_code) {
        send_answer(r, r->answer);
        return;
    }
    answer_google_error(&unavailable, r->call.arena, UNAVAILABLE, "the audit log cannot be written now: try again later");
    send_answer(r, &unavailable);
}

static void refuse_with(struct request *r, const struct answer *answer) {
    r->reason = answer->refusal.reason ? answer->refusal.reason : TOKEN_REJECTED;
    identify_keep_refusal(r, &answer->refusal);
    record_outcome(r);
    r->reason = REASON_NONE; /* recorded; the body says it in OAuth's words */
    atomic_store(&r->recorded, true);
    send_answer(r, answer);
}

/* ---- token exchange: RFC 8693 in Google's shape ---- */

static void exchange(struct call *call) {
    struct request *r = request_of(call);
    struct answer *answer = ARENA_NEW(call->arena, struct answer);
    struct sts_request ask;
    if (!answer) {
        call_end(call, RESOURCE_EXHAUSTED, NULL);
        return;
    }
    if (!sts_parse(call->http.content_type, call->http.body, call->arena, &ask, answer)) {
        refuse_with(r, answer);
        return;
    }
    struct sts sts = { .ask = identify_ask(r), .mint = r->gate->identity->mint };
    proof_unref(r->proof);
    r->proof = NULL;
    sts_exchange(&sts, &ask, call->arena, &r->proof, answer);
    if (answer->wait) return; /* keys are being fetched: served again */
    if (!r->proof) {
        refuse_with(r, answer);
        return;
    }
    r->principal = r->proof->principal;
    r->principal.from = r->http->peer.ip;
    r->identified = true;
    r->answer = answer;
    record_enforced(r, send_recorded);
}

/* ---- IAM credentials ---- */

struct iam_path {
    enum iam_method method;
    struct str email;
};

static enum code classify_iam(struct call *call, struct err *err) {
    struct iam_path *path = ARENA_NEW(call->arena, struct iam_path);
    if (!path) return err_oom(err);
    struct str decoded; /* some clients write %40 */
    enum code rc = url_decode(call->arena, call->http.path, &decoded, err);
    if (rc) return rc;
    if (!iam_route(decoded, &path->method, &path->email))
        return err_set(err, NOT_FOUND, "no such method of a service account");
    call->prepared = path;
    call->resource = arena_printf(call->arena, "projects/-/serviceAccounts/%.*s", STR_ARG(path->email));
    struct atom atom = { .verb = VERB_ACT_AS, .account = path->email };
    return atoms_add(&call->atoms, call->arena, atom) ? OK : err_oom(err);
}

/* The atom was decided before this runs. */
static enum reason already_decided(void *ctx, const struct principal *principal, struct str account) {
    (void)ctx;
    (void)principal;
    (void)account;
    return REASON_NONE;
}

static void act_as(struct call *call) {
    struct request *r = request_of(call);
    const struct iam_path *path = call->prepared;
    struct iam iam = { .mint = r->gate->identity->mint, .now_s = clock_wall_s(), .may_act_as = already_decided };
    struct answer answer = { 0 };
    iam_answer(&iam, path->method, path->email, call->http.body, call->principal, call->arena, &answer);
    send_answer(r, &answer);
}

/* ---- what anyone may read ---- */

static void send_json(struct call *call, enum code rc, const struct buf *json, const struct err *err) {
    if (rc) {
        call_end(call, rc, err);
        return;
    }
    call_reply_http(call, 200, "application/json", buf_str(json));
    call_end_ok(call);
}

static void key_set(struct call *call) {
    struct gate *gate = call->service;
    DEFER(buf_free) struct buf out = BUF_INIT(65536);
    struct err err;
    enum code rc = mint_jwks(gate->identity->mint, &out, &err);
    send_json(call, rc, &out, &err);
}

static void discovery(struct call *call) {
    struct gate *gate = call->service;
    DEFER(buf_free) struct buf out = BUF_INIT(65536);
    struct err err;
    struct str base = mint_issuer_url(gate->identity->mint);
    struct str keys = arena_printf(call->arena, "%.*s/v1/jwks", STR_ARG(base));
    struct str token = arena_printf(call->arena, "%.*s/v1/token", STR_ARG(base));
    enum code rc = mint_discovery(gate->identity->mint, keys, token, &out, &err);
    send_json(call, rc, &out, &err);
}

static void health(struct call *call) {
    call_reply_http(call, 200, "text/plain; charset=utf-8", STR("ok\n"));
    call_end_ok(call);
}

static const struct method token_methods[] = {
    { .verb = "POST",
      .path = "/v1/token",
      .permission = "sts.tokens.exchange",
      .door = DOOR_OPEN,
      .record = RECORD_PROMPT,
      .max_request_bytes = STS_BODY_MAX,
      .handle = exchange,
      .about = "Exchanges a caller's token for one of ours (RFC 8693)." },
    { .verb = "POST",
      .path = "/v1/projects/-/serviceAccounts/*:generateAccessToken",
      .permission = "iam.serviceAccounts.getAccessToken",
      .door = DOOR_PROOF,
      .record = RECORD_ENFORCED,
      .max_request_bytes = IAM_BODY_MAX,
      .classify = classify_iam,
      .handle = act_as,
      .about = "A short token of a service account that the caller may act as." },
    { .verb = "POST",
      .path = "/v1/projects/-/serviceAccounts/*:generateIdToken",
      .permission = "iam.serviceAccounts.getOpenIdToken",
      .door = DOOR_PROOF,
      .record = RECORD_ENFORCED,
      .max_request_bytes = IAM_BODY_MAX,
      .classify = classify_iam,
      .handle = act_as,
      .about = "An ID token of a service account that the caller may act as." },
    { .verb = "GET",
      .path = "/v1/jwks",
      .door = DOOR_OPEN,
      .record = RECORD_NONE,
      .handle = key_set,
      .about = "The keys that our tokens are signed with." },
    { .verb = "GET",
      .path = "/.well-known/openid-configuration",
      .door = DOOR_OPEN,
      .record = RECORD_NONE,
      .handle = discovery,
      .about = "OpenID Connect discovery." },
    { .verb = "GET",
      .path = "/healthz",
      .door = DOOR_OPEN,
      .record = RECORD_NONE,
      .handle = health,
      .about = "Is the server up?" },
};

struct service tokens_service(struct gate *gate) {
    static const char *const scopes[] = { SCOPE_OF_GOOGLE "iam", NULL };
    return (struct service){
        .name = "tokens", .methods = token_methods, .n_methods = COUNT(token_methods), .state = gate, .scopes = scopes
    };
}

/* ---- a job's metadata server ---- */

struct metadata_work {
    struct request *request;
    struct run_ruling ruling; /* on the run, if a token was asked for */
    bool minted;
};

static unsigned find_header(void *ctx, struct str name, struct str *ret_value) {
    const struct http_request *http = ctx;
    struct str value = http_header_value(http->headers, http->n_headers, name);
    if (str_eq(name, STR("host"))) { /* not among the headers: HTTP calls it the authority */
        *ret_value = http->authority;
        return 1;
    }
    *ret_value = value;
    return (unsigned)http_header_count(http->headers, http->n_headers, name);
}

/* A token is as good as a new start: what the submit needed is needed now, too (policy: the end of a `run` rule stops
 * renewals). */
static enum code may_mint(struct metadata_work *work, struct err *err) {
    struct request *r = work->request;
    const struct run_right *right = endpoint_right(r->endpoint);
    run_right_decide(right, r->policy, r->call.arena, &work->ruling);
    return work->ruling.verdict.reason ? run_right_refuse(right, &work->ruling, r->id, r->call.arena, err) : OK;
}

static enum code mint_access(void *ctx, struct str account, struct str scopes, struct arena *arena,
                             struct metadata_token *ret, struct err *err) {
    struct metadata_work *work = ctx;
    struct request *r = work->request;
    (void)account; /* it is the endpoint's: metadata_answer refuses others */
    enum code rc = may_mint(work, err);
    if (rc) return rc;
    int64_t now = clock_wall_s();
    struct mint_ask ask = { .principal = &r->principal, .scope = scopes, .now_s = now, .expires_s = now + MINT_MAX_LIFE_S };
    if (scopes.n == 0) ask.scope = STR(SCOPE_EVERYWHERE);
    DEFER(buf_wipe) struct buf token = BUF_INIT(MINT_TOKEN_MAX);
    rc = mint_access_token(r->gate->identity->mint, &ask, &token, &ret->expires_s, NULL, err);
    if (!rc) ret->text = str_dup(arena, buf_str(&token));
    work->minted = true;
    return rc;
}

static enum code mint_identity(void *ctx, struct str account, struct str audience, struct arena *arena,
                               struct metadata_token *ret, struct err *err) {
    struct metadata_work *work = ctx;
    struct request *r = work->request;
    enum code rc = may_mint(work, err);
    if (rc) return rc;
    DEFER(buf_wipe) struct buf token = BUF_INIT(MINT_TOKEN_MAX);
    int64_t now = clock_wall_s();
    rc = mint_id_token(r->gate->identity->mint, account, audience, now, now + MINT_MAX_LIFE_S, &token, &ret->expires_s,
                       err);
    if (!rc) ret->text = str_dup(arena, buf_str(&token));
    r->call.outcome.detail = arena_printf(arena, "an ID token for %.*s", STR_ARG(audience));
    work->minted = true;
    return rc;
}

/* The entry names whose right ended: the rule that is missing is the submitter's, and by it `explain` judges. */
static void refuse_mint(struct request *r, const struct run_ruling *ruling) {
    const struct run_right *right = endpoint_right(r->endpoint);
    r->principal = right->submitter;
    r->call.subject = ruling->subject;
    r->call.atoms = right->asked;
    r->verdict = ruling->verdict;
    r->reason = ruling->verdict.reason;
    call_reply_http(&r->call, r->answer->status, str_dupz(r->call.arena, r->answer->content_type), r->answer->body);
    call_end(&r->call, PERMISSION_DENIED, NULL);
}

static void metadata(struct call *call) {
    struct request *r = request_of(call);
    struct metadata_work work = { .request = r };
    struct metadata_job job = {
        .account = r->principal.actor.subject,
        .project = endpoint_project(r->door->endpoint),
        .host = str_z(endpoint_metadata_host(r->door)),
        .now_s = clock_wall_s(),
        .ctx = &work,
        .access_token = mint_access,
        .id_token = mint_identity,
    };
    struct metadata_request ask = { .method = call->http.method,
                                    .path = call->http.path,
                                    .query = call->http.query,
                                    .ctx = (void *)(uintptr_t)r->http,
                                    .header = find_header };
    struct metadata_response response;
    struct answer *answer = ARENA_NEW(call->arena, struct answer);
    metadata_answer(&job, &ask, call->arena, &response);
    if (!answer) {
        call_end(call, RESOURCE_EXHAUSTED, NULL);
        return;
    }
    *answer = (struct answer){ .status = response.status, .content_type = response.content_type, .body = response.body };
    r->answer = answer;
    if (work.ruling.verdict.reason) refuse_mint(r, &work.ruling);
    else if (work.minted && response.status == 200) record_enforced(r, send_recorded);
    else send_answer(r, answer);
}

static const struct method metadata_methods[] = {
    { .verb = "GET",
      .path = "/computeMetadata/v1",
      .permission = "iam.serviceAccounts.getAccessToken",
      .door = DOOR_FILTERED,
      .record = RECORD_NONE,
      .max_request_bytes = 65536,
      .handle = metadata,
      .about = "A job's own metadata server." },
};

struct service metadata_service(struct gate *gate) {
    return (struct service){ .name = "metadata", .methods = metadata_methods, .n_methods = 1, .state = gate };
}
