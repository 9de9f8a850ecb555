/* issuer_priv.h: what an issuer is, for issuer.c (the table) and issuer_keys.c (its keys). */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "identity/issuer.h"

struct issuer {
    struct issuer_config config;
    struct str iss[ISSUER_ISS_MAX];
    struct str discovery, uri; /* where to fetch; uri empty = discovery tells */
    const struct fetcher *fetcher;
    bool is_static; /* keys were given as text: never fetched, never stale */

    _Atomic uint64_t version;  /* 0 = no keys yet */
    _Atomic int64_t fetched_s; /* the last success */

    pthread_mutex_t lock; /* of all below */
    struct jwks *keys;
    bool fetching;
    int64_t next_fetch_s; /* not before */
    char *learned_uri;    /* what discovery told, during a fetch */
    struct issuer_wait *waiting;
};

struct issuers {
    struct arena *arena;
    bool has_fetcher;
    struct fetcher fetcher;
    size_t n;
    struct issuer items[ISSUERS_MAX];
};

bool issuer_url_lawful(const struct issuer *issuer, struct str url);
