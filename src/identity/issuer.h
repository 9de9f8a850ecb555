/* issuer.h: whom we believe, and the keys by which we know them.
 *
 * The table is made once from the configuration and shared by all threads. Each issuer's key set is an immutable snapshot
 * behind a lock held for a pointer's copy. Keys come as text, or are fetched through the caller's `struct fetcher`: one
 * fetch at a time for an issuer, at most one in `cooldown_s`, whatever kids are asked for; after `fresh_s` they are renewed
 * while the old ones serve, until `hard_s` after the last success; a key that its issuer removed is gone with the next set.
 * OpenID Connect Discovery 1.0 §4; RFC 8414 §3. */
#pragma once
#include "base/err.h"
#include "identity/jwks.h"
#include "identity/refusal.h"

enum issuer_preset {
    ISSUER_PLAIN,     /* `iss` and one of: jwks, jwks_uri */
    ISSUER_DISCOVERY, /* `iss` = the URL under which /.well-known/openid-configuration is found (corp, Kubernetes) */
    ISSUER_ENTRA,     /* `tenant`; the v1 and v2 `iss` of that tenant */
    ISSUER_GOOGLE,
    ISSUER_OWN, /* tokens that mint.h makes: `iss`, jwks; typ at+jwt is required */
};

enum { ISSUERS_MAX = 32, ISSUER_ISS_MAX = 2, ISSUER_AUDIENCES_MAX = 16, ISSUER_AUDIENCE_BYTES = 256 };

struct issuer_config {
    struct str name; /* "entra": what policy calls it */
    enum issuer_preset preset;
    struct str iss;
    struct str tenant;    /* when not empty (Entra: always), `tid` must be this */
    struct str jwks_json; /* keys as text, now: wins over any address */
    struct str jwks_uri;  /* overrides the preset's */
    struct str audiences[ISSUER_AUDIENCES_MAX];
    size_t n_audiences;                  /* at least one */
    bool audience_list;                  /* an `aud` array may hold others beside ours (Kubernetes) */
    struct str authorized_party;         /* when not empty, `azp` must be this */
    int64_t max_life_s;                  /* exp - iat; 0 = 86400 */
    int64_t fresh_s, cooldown_s, hard_s; /* 0 = 600, 30, 86400 */
    bool allow_http;                     /* development: addresses may be http */
};

/* How keys are fetched: GET, no redirects, https, at most JWKS_MAX_BYTES, a deadline of seconds: the caller's dialer sees
 * to that. `done` is called exactly once, on any thread, perhaps before `get` returns; status 0 = no answer. */
struct fetcher {
    void *ctx;
    void (*get)(void *ctx, struct str url, void (*done)(void *arg, unsigned status, struct str body), void *arg);
};

struct issuers;
struct issuer;

/* INVALID_ARGUMENT names the issuer and what is wrong. `fetcher` may be NULL when all keys are given as text; it is copied.
 */
MUST_USE enum code issuers_new(const struct issuer_config *configs, size_t n, const struct fetcher *fetcher,
                               struct issuers **ret, struct err *err);
void issuers_free(struct issuers *issuers); /* after the last fetch has ended; NULL is fine */

struct issuer *issuers_by_iss(struct issuers *issuers, struct str iss); /* byte-exact; NULL when unknown */
struct issuer *issuers_by_name(struct issuers *issuers, struct str name);
const struct issuer_config *issuer_config(const struct issuer *issuer);

/* The keys to use now, with a reference (NULL: none yet, or past the hard bound), and their version, which changes with
 * them. Starts a renewal when they are due. */
struct jwks *issuer_keys(struct issuer *issuer, int64_t now_s, uint64_t *ret_version);
uint64_t issuer_version(struct issuer *issuer, int64_t now_s); /* 0 past the hard bound: cheap check for what is cached */

/* Its owner keeps it until it was woken; as many may wait as there are owners. */
struct issuer_wait {
    void (*wake)(void *arg);
    void *arg;
    struct issuer_wait *next;
};

enum issuer_news { ISSUER_NO_NEWS, ISSUER_NEWS, ISSUER_NEWS_LATER };

/* Asks for fresh keys because the set of this version has not the one that is wanted. ISSUER_NEWS_LATER: a fetch is under
 * way, and `wait` is woken once when it ends (perhaps before this returns, on any thread). ISSUER_NEWS: there is another
 * set already, look there. ISSUER_NO_NEWS: none may be fetched now, refuse. `wait` may be NULL. */
enum issuer_news issuer_refresh(struct issuer *issuer, int64_t now_s, uint64_t version, struct issuer_wait *wait);

/* New keys as text (a file changed, our own key rolled). */
MUST_USE enum code issuer_set_keys(struct issuer *issuer, struct str jwks_json, int64_t now_s, struct err *err);
