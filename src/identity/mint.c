#include "identity/mint.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json_text.h"
#include "crypto/random.h"
#include "data/json.h"
#include "identity/claims.h"
#include "identity/jws_make.h"

enum { URL_MAX = 512, JTI_BYTES = 16, PAYLOAD_MAX = 9000, SUBJECT_MAX = 2048 };

struct mint {
    struct key *key;
    char url[URL_MAX + 1], kid[JWS_KID_MAX + 1];
    size_t url_n;
    struct str reserved[MINT_RESERVED_MAX];
    size_t n_reserved;
};

enum code mint_new(struct key *key, struct str issuer_url, struct mint **ret, struct err *err) {
    if (key_kind(key) != KEY_P256 || !key_is_private(key))
        return err_set(err, INVALID_ARGUMENT, "the token key must be a private P-256 key");
    if (issuer_url.n == 0 || issuer_url.n > URL_MAX)
        return err_set(err, INVALID_ARGUMENT, "the issuer's address has 1 to %d bytes", URL_MAX);
    char kid[JWS_KID_MAX + 1];
    enum code rc = jws_kid(key, kid, err);
    if (rc) return rc;
    struct mint *mint = calloc(1, sizeof *mint);
    if (!mint) return err_oom(err);
    memcpy(mint->url, issuer_url.p, issuer_url.n);
    memcpy(mint->kid, kid, sizeof kid);
    mint->url_n = issuer_url.n;
    mint->key = key_ref(key);
    *ret = mint;
    return OK;
}

void mint_free(struct mint *mint) {
    if (!mint) return;
    key_unref(mint->key);
    free(mint);
}

struct str mint_issuer_url(const struct mint *mint) {
    return (struct str){ mint->url, mint->url_n };
}

enum code mint_jwks(const struct mint *mint, struct buf *out, struct err *err) {
    return jws_key_set(mint->key, mint->kid, true, out, err);
}

enum code mint_discovery(const struct mint *mint, struct str jwks_uri, struct str token_uri, struct buf *out,
                         struct err *err) {
    buf_add_z(out, "{\"issuer\":");
    json_text_string(out, mint_issuer_url(mint));
    buf_add_z(out, ",\"jwks_uri\":");
    json_text_string(out, jwks_uri);
    buf_add_z(out, ",\"token_endpoint\":");
    json_text_string(out, token_uri);
    buf_add_z(out, ",\"response_types_supported\":[\"token\"],\"subject_types_supported\":[\"public\"],"
                   "\"id_token_signing_alg_values_supported\":[\"ES256\"],"
                   "\"grant_types_supported\":[\"urn:ietf:params:oauth:grant-type:token-exchange\"]}");
    return buf_ok(out) ? OK : err_oom(err);
}

/* What belongs to the token it came in rather than to its subject. */
static const char *const token_claims[] = { "iss", "aud",   "exp", "nbf",     "iat",     "jti",    "act",      "may_act",
                                            "sub", "nonce", "uti", "at_hash", "c_hash",  "rh",     "aio",      "scope",
                                            "cnf", "sid",   "job", "via",     "job_run", "claims", "auth_time" };

static bool is_token_claim(const char *name) {
    for (size_t i = 0; i < COUNT(token_claims); i++)
        if (strcmp(name, token_claims[i]) == 0) return true;
    return false;
}

/* A copy without what a token holds about itself, and at most MINT_CLAIMS_MAX bytes: later ones are dropped whole. */
static json_t *small_claims(const json_t *claims) {
    json_t *copy = json_deep_copy(claims);
    const char *name;
    json_t *value;
    void *next;
    size_t total = 0;
    json_object_foreach_safe(copy, next, name, value) {
        size_t bytes = json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) + strlen(name) + 4;
        bool keep = !is_token_claim(name) && total + bytes <= MINT_CLAIMS_MAX;
        if (keep) total += bytes;
        else (void)json_object_del(copy, name);
    }
    return copy;
}

static bool set_text(json_t *object, const char *name, struct str text) {
    return json_object_set_new(object, name, json_stringn(text.p ? text.p : "", text.n)) == 0;
}

static bool set_actor(json_t *object, const struct actor *actor, bool with_claims) {
    if (!set_text(object, "sub", actor->subject)) return false;
    if (actor->kind != ACTOR_OIDC) return true;
    if (!set_text(object, "via", actor->issuer)) return false;
    return !with_claims || !actor->claims || json_object_set_new(object, "claims", small_claims(actor->claims)) == 0;
}

/* chain[n - 1] is the outermost `act`; the earlier ones nest inside it. */
static bool set_chain(json_t *payload, const struct principal *p, bool with_claims) {
    json_t *inner = NULL;
    for (unsigned i = 0; i < p->n_chain; i++) {
        json_t *act = json_object();
        bool ok = act && set_actor(act, &p->chain[i], with_claims) && (!inner || json_object_set(act, "act", inner) == 0);
        json_decref(inner);
        inner = act;
        if (ok) continue;
        json_decref(inner);
        return false;
    }
    return !inner || json_object_set_new(payload, "act", inner) == 0;
}

static bool set_int(json_t *object, const char *name, int64_t n) {
    return json_object_set_new(object, name, json_integer(n)) == 0;
}

static enum code sign_payload(const struct mint *mint, const char *typ, const json_t *payload, struct buf *out,
                              struct err *err) {
    DEFER(buf_free) struct buf text = BUF_INIT(PAYLOAD_MAX);
    if (!json_write(payload, &text)) return err_set(err, RESOURCE_EXHAUSTED, "the token would be too long");
    return jws_make(mint->key, mint->kid, typ, buf_str(&text), out, err);
}

static bool fill(const struct mint *mint, const struct mint_ask *ask, int64_t expires_s, struct str jti, json_t *payload) {
    const struct principal *p = ask->principal;
    return set_text(payload, "iss", mint_issuer_url(mint)) && set_text(payload, "aud", mint_issuer_url(mint)) &&
           set_int(payload, "iat", ask->now_s) && set_int(payload, "exp", expires_s) && set_text(payload, "jti", jti) &&
           (ask->scope.n == 0 || set_text(payload, "scope", ask->scope)) &&
           (p->job.n == 0 || set_text(payload, "job", p->job)) &&
           (p->job_run.n == 0 || set_text(payload, "job_run", p->job_run)) && set_actor(payload, &p->actor, true) &&
           set_chain(payload, p, true);
}

enum code mint_access_token(const struct mint *mint, const struct mint_ask *ask, struct buf *ret_token,
                            int64_t *ret_expires_s, char ret_jti[23], struct err *err) {
    int64_t latest = ask->now_s + MINT_MAX_LIFE_S, expires_s = ask->expires_s < latest ? ask->expires_s : latest;
    if (expires_s <= ask->now_s) return err_set(err, FAILED_PRECONDITION, "the token would have ended already");
    if (ask->principal->n_chain > MINT_CHAIN_MAX || !subject_lawful(ask->principal->actor.subject))
        return err_set(err, FAILED_PRECONDITION, "the chain of actors is too long, or the subject is no text");
    DEFER(buf_free) struct buf jti = BUF_INIT(64);
    random_text(&jti, JTI_BYTES);
    DEFER(json_freep) json_t *payload = json_object();
    if (!payload || !buf_ok(&jti) || !fill(mint, ask, expires_s, buf_str(&jti), payload)) return err_oom(err);
    enum code rc = sign_payload(mint, "at+jwt", payload, ret_token, err);
    if (rc) return rc;
    if (ret_expires_s) *ret_expires_s = expires_s;
    if (ret_jti) memcpy(ret_jti, jti.p, jti.n), ret_jti[jti.n] = 0;
    return OK;
}

enum code mint_reserve(struct mint *mint, struct str audience, struct err *err) {
    if (mint->n_reserved == MINT_RESERVED_MAX)
        return err_set(err, RESOURCE_EXHAUSTED, "more than %d audiences are reserved", MINT_RESERVED_MAX);
    mint->reserved[mint->n_reserved++] = audience;
    return OK;
}

/* Without what an STS may be generous about: the scheme, slashes at the end (and case: str_eq_nocase). */
static struct str bare(struct str audience) {
    ptrdiff_t at = str_find(audience, STR("//"));
    bool scheme = at == 0 || (at > 0 && audience.p[at - 1] == ':');
    struct str rest = scheme ? str_from(audience, (size_t)at + 2) : audience;
    while (str_strip_suffix(&rest, STR("/"))) {}
    return rest;
}

static bool is_reserved(const struct mint *mint, struct str audience) {
    for (size_t i = 0; i < mint->n_reserved; i++)
        if (str_eq_nocase(bare(mint->reserved[i]), bare(audience))) return true;
    return false;
}

enum code mint_id_token(const struct mint *mint, struct str account, struct str audience, int64_t now_s, int64_t expires_s,
                        struct buf *ret_token, int64_t *ret_expires_s, struct err *err) {
    if (audience.n == 0 || audience.n > URL_MAX)
        return err_set(err, INVALID_ARGUMENT, "the audience has 1 to %d bytes", URL_MAX);
    if (str_eq(audience, mint_issuer_url(mint)))
        return err_set(err, INVALID_ARGUMENT, "an ID token is for others: this server takes access tokens");
    if (is_reserved(mint, audience))
        return err_set(err, INVALID_ARGUMENT, "this audience is where the server itself exchanges tokens: ask for another");
    int64_t latest = now_s + MINT_MAX_LIFE_S, end_s = expires_s < latest ? expires_s : latest;
    if (end_s <= now_s) return err_set(err, FAILED_PRECONDITION, "the token would have ended already");
    DEFER(json_freep) json_t *payload = json_object();
    bool ok = payload && set_text(payload, "iss", mint_issuer_url(mint)) && set_text(payload, "aud", audience) &&
              set_text(payload, "azp", account) && set_text(payload, "sub", account) &&
              set_text(payload, "email", account) && json_object_set_new(payload, "email_verified", json_true()) == 0 &&
              set_int(payload, "iat", now_s) && set_int(payload, "exp", end_s);
    if (!ok) return err_oom(err);
    if (ret_expires_s) *ret_expires_s = end_s;
    return sign_payload(mint, "JWT", payload, ret_token, err);
}

/* No account has a slash, no issuer's name has one: the two kinds never meet. */
static bool set_foreign_subject(json_t *payload, const struct actor *actor) {
    DEFER(buf_free) struct buf subject = BUF_INIT(SUBJECT_MAX);
    if (actor->kind == ACTOR_OIDC) buf_printf(&subject, "%.*s/", STR_ARG(actor->issuer));
    buf_add_str(&subject, actor->subject);
    return buf_ok(&subject) && set_text(payload, "sub", buf_str(&subject));
}

/* Without claims: what is got for it is kept by who asks and the chain (exchange.h), and other tokens of the same subject
 * may have others. */
enum code mint_subject_token(const struct mint *mint, const struct principal *p, struct str audience, int64_t now_s,
                             struct buf *ret_token, struct err *err) {
    if (p->n_chain > MINT_CHAIN_MAX || !subject_lawful(p->actor.subject))
        return err_set(err, FAILED_PRECONDITION, "the chain of actors is too long, or the subject is no text");
    DEFER(json_freep) json_t *payload = json_object();
    bool ok = payload && set_actor(payload, &p->actor, false) && set_foreign_subject(payload, &p->actor) &&
              set_text(payload, "iss", mint_issuer_url(mint)) && set_text(payload, "aud", audience) &&
              set_int(payload, "iat", now_s) && set_int(payload, "exp", now_s + MINT_MAX_LIFE_S) &&
              (p->job.n == 0 || set_text(payload, "job", p->job)) &&
              (p->job_run.n == 0 || set_text(payload, "job_run", p->job_run)) && set_chain(payload, p, false);
    return ok ? sign_payload(mint, "JWT", payload, ret_token, err) : err_oom(err);
}

bool principal_act_as(const struct principal *caller, struct str account, struct principal *ret) {
    if (caller->n_chain >= MINT_CHAIN_MAX) return false;
    struct principal p = *caller;
    p.chain[p.n_chain++] = caller->actor;
    p.actor = (struct actor){ .kind = ACTOR_ACCOUNT, .subject = account };
    *ret = p;
    return true;
}
