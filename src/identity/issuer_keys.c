/* The keys of an issuer: fetched once for all who ask, swapped whole. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "data/json.h"
#include "identity/issuer_priv.h"

static bool past_hard_bound(const struct issuer *issuer, int64_t now_s) {
    return !issuer->is_static && now_s - issuer->fetched_s > issuer->config.hard_s;
}

static void install(struct issuer *issuer, struct jwks *set, int64_t now_s) {
    pthread_mutex_lock(&issuer->lock);
    struct jwks *old = issuer->keys;
    bool same = old && jwks_equal(old, set);
    issuer->keys = set;
    issuer->fetched_s = now_s;
    if (!same) issuer->version++;
    pthread_mutex_unlock(&issuer->lock);
    jwks_unref(old);
}

enum code issuer_set_keys(struct issuer *issuer, struct str jwks_json, int64_t now_s, struct err *err) {
    struct jwks *set = NULL;
    enum code rc = jwks_parse(jwks_json, &set, NULL, err);
    if (rc) return rc;
    install(issuer, set, now_s);
    return OK;
}

/* Ends a fetch: wakes all who waited, outside the lock. */
static void finish(struct issuer *issuer) {
    pthread_mutex_lock(&issuer->lock);
    struct issuer_wait *waiting = issuer->waiting;
    issuer->waiting = NULL;
    issuer->fetching = false;
    pthread_mutex_unlock(&issuer->lock);
    while (waiting) {
        struct issuer_wait *wait = waiting;
        waiting = wait->next; /* who is woken may be gone at once */
        wait->wake(wait->arg);
    }
}

/* A failed fetch leaves the old keys: they serve until the hard bound. */
static void on_keys(void *arg, unsigned status, struct str body) {
    struct issuer *issuer = arg;
    if (status == 200) (void)!issuer_set_keys(issuer, body, clock_wall_s(), NULL);
    finish(issuer);
}

/* The document must be about the very issuer that was asked, byte for byte: OpenID Connect Discovery 1.0 §4.3. */
static char *uri_from_discovery(const struct issuer *issuer, struct str body) {
    DEFER(json_freep) json_t *doc = NULL;
    struct str iss, uri;
    if (json_read(body, JWKS_MAX_BYTES, 0, &doc, NULL)) return NULL;
    if (!json_member_str(doc, "issuer", &iss) || !str_eq(iss, issuer->iss[0])) return NULL;
    if (!json_member_str(doc, "jwks_uri", &uri) || !issuer_url_lawful(issuer, uri)) return NULL;
    return strndup(uri.p, uri.n);
}

static void on_discovery(void *arg, unsigned status, struct str body) {
    struct issuer *issuer = arg;
    char *uri = status == 200 ? uri_from_discovery(issuer, body) : NULL;
    if (!uri) {
        finish(issuer);
        return;
    }
    free(issuer->learned_uri); /* only the one fetch touches it */
    issuer->learned_uri = uri;
    issuer->fetcher->get(issuer->fetcher->ctx, str_z(uri), on_keys, issuer);
}

static void start(struct issuer *issuer) {
    if (issuer->uri.n) issuer->fetcher->get(issuer->fetcher->ctx, issuer->uri, on_keys, issuer);
    else issuer->fetcher->get(issuer->fetcher->ctx, issuer->discovery, on_discovery, issuer);
}

static void join(struct issuer *issuer, struct issuer_wait *wait) {
    if (!wait) return;
    wait->next = issuer->waiting;
    issuer->waiting = wait;
}

enum issuer_news issuer_refresh(struct issuer *issuer, int64_t now_s, uint64_t version, struct issuer_wait *wait) {
    enum issuer_news news = ISSUER_NO_NEWS;
    if (issuer->is_static || !issuer->fetcher) return news;
    pthread_mutex_lock(&issuer->lock);
    bool newer = issuer->version != version;
    bool begin = !newer && !issuer->fetching && now_s >= issuer->next_fetch_s;
    if (begin) {
        issuer->fetching = true;
        issuer->next_fetch_s = now_s + issuer->config.cooldown_s;
    }
    if (newer) news = ISSUER_NEWS;
    else if (issuer->fetching) {
        join(issuer, wait);
        news = ISSUER_NEWS_LATER;
    }
    pthread_mutex_unlock(&issuer->lock);
    if (begin) start(issuer);
    return news;
}

static void renew_when_due(struct issuer *issuer, int64_t now_s) {
    if (!issuer->is_static && now_s - issuer->fetched_s > issuer->config.fresh_s)
        (void)issuer_refresh(issuer, now_s, issuer->version, NULL);
}

uint64_t issuer_version(struct issuer *issuer, int64_t now_s) {
    renew_when_due(issuer, now_s);
    return past_hard_bound(issuer, now_s) ? 0 : issuer->version;
}

struct jwks *issuer_keys(struct issuer *issuer, int64_t now_s, uint64_t *ret_version) {
    if (issuer->version) renew_when_due(issuer, now_s); /* the very first fetch is by issuer_refresh, which can wait */
    pthread_mutex_lock(&issuer->lock);
    struct jwks *keys = issuer->keys && !past_hard_bound(issuer, now_s) ? jwks_ref(issuer->keys) : NULL;
    *ret_version = issuer->version;
    pthread_mutex_unlock(&issuer->lock);
    return keys;
}
