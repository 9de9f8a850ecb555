/* exchange_priv.h: what an exchange is, for exchange.c (the cache) and exchange_flight.c (one exchange under way). */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "crypto/hash.h"
#include "identity/exchange.h"

struct exchange_token {
    atomic_uint refs;
    atomic_bool rejected;
    int64_t fetched_us, expires_us;
    size_t n;
    char text[];
};

/* How often something that fails is tried again. */
struct backoff {
    unsigned failures; /* in a row */
    int64_t until_us;  /* not before */
};

struct exchange_entry {
    struct exchange_entry *next, **at;
    uint8_t key[SHA256_BYTES];
    uint8_t job_run[SHA256_BYTES]; /* of its id; of nothing: no job's */
    struct exchange_token *token;  /* NULL: none */
    int64_t renew_us;              /* from then on somebody renews it */
    struct flight *flight;         /* NULL: none under way */
    struct exchange_wait *waiting;
    struct backoff backoff;
    enum code code; /* of the last failure */
    char why[200];
    uint64_t used; /* the exchange's count when it was asked for last */
};

struct exchange {
    struct arena *arena; /* the configuration's texts; secret */
    struct exchange_config config;
    struct exchange_effects effects;
    size_t max_entries;
    pthread_mutex_t lock; /* of all below */
    struct map *by_key;
    struct exchange_entry *entries;
    struct backoff breaker;
    struct flight *probe;        /* the one that asks although the breaker is open; NULL: none */
    struct exchange_stats stats; /* but for `open` */
    uint64_t count;
};

/* One exchange under way: nobody else's until it ends. */
struct flight {
    struct exchange *exchange;
    struct exchange_entry *entry;      /* cannot go while the flight is on; touched under the lock only */
    struct arena *arena;               /* secret */
    const struct principal *principal; /* of the asker: until begin has returned from `subject` */
    struct str scopes[EXCHANGE_SCOPES_MAX];
    size_t n_scopes;
    int64_t sent_us;
    bool asked;     /* the endpoint: its failures count */
    bool kept_back; /* by this server: the endpoint has not failed */
    bool forgotten; /* under the lock */
};

/* NULL: out of memory. Copies the scopes. */
struct flight *flight_new(struct exchange *exchange, const struct principal *principal, const struct str *scopes,
                          size_t n_scopes);
void flight_begin(struct flight *flight); /* without the lock; ends with exactly one exchange_settle, perhaps at once */
void flight_free(struct flight *flight);

/* The end of a flight: with a token (taken) or with what went wrong. Frees the flight. */
void exchange_settle(struct flight *flight, struct exchange_token *token, const struct err *err);
/* exchange_token.c */
struct exchange_token *exchange_token_new(struct str text, int64_t fetched_us, int64_t expires_us);
struct exchange_token *exchange_token_ref(struct exchange_token *token);        /* NULL is fine */
bool exchange_token_usable(const struct exchange_token *token, int64_t now_us); /* false for NULL */
int64_t exchange_token_renewal_us(const struct exchange_token *token);          /* with jitter: once a token */
