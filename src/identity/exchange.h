/* exchange.h: tokens for upstreams: fetched once however many ask, kept, renewed, served while the endpoint is down.
 *
 * One exchange serves one configuration (exchange_wire.h) for many principals. It does no I/O: subject tokens and POSTs are
 * effects that are handed in. Any thread may ask; time is clock_wall_us. There are no timers: what nobody asks for is not
 * renewed.
 *
 * Kept by (principal with its chain and job run, scopes in any order), in memory only, `max_entries` of them: the one that
 * was asked for longest ago goes. A token is handed out until 60 s before its end (a quarter of a short life); the first
 * who asks within max(600 s, 20 % of its life) before the end, at most half its life, starts the renewal in the background.
 * Up to 10 % is added, so that not all renew at once. After a failure its key waits: 1 s, doubled up to 60 s. After 5
 * failures of the endpoint in a row, whoever's, nobody asks it for that long, then one does, and only its failure makes the
 * pause longer: those who were on their way when it began tell nothing new. Whoever cannot have a token in the meantime
 * hears at once. A refusal (4xx but 408 and 429) is the asker's own: it opens no breaker. Nor does what this server does
 * not let go out, which makes its key wait for 1 s each time, as room is had as soon as another's exchange ends.
 *
 * DESIGN §4 "Outbound"; RFC 8693; docs/decisions/0006-upstream.md. */
#pragma once
#include "base/buf.h"
#include "identity/exchange_wire.h"
#include "model/principal.h"

struct exchange;
struct exchange_token; /* counted; immutable; wiped with its last holder */

/* What became of a POST; borrowed until `done` returns. */
struct exchange_answer {
    unsigned status; /* 0: the endpoint gave no answer */
    struct str body;
    const struct err *ours; /* not NULL: this server kept it from the endpoint, which had no part in it: for the asker */
};
typedef void exchange_done(void *arg, const struct exchange_answer *answer);

struct exchange_effects {
    void *ctx;
    /* What proves to the STS who asks: adds a token to ret_token (which is wiped). It may depend on what is kept by, and on
     * nothing else. Any thread, short. */
    enum code (*subject)(void *ctx, const struct principal *principal, struct buf *ret_token, struct err *err);
    /* Sends it by the dialer, within a deadline of its own. `done` comes exactly once, on any thread, perhaps before
     * this returns. The request is borrowed until this returns. */
    void (*post)(void *ctx, const struct exchange_request *request, exchange_done *done, void *arg);
};

/* Copies configuration and effects. max_entries 0: 4,096. */
MUST_USE enum code exchange_new(const struct exchange_config *config, const struct exchange_effects *effects,
                                size_t max_entries, struct exchange **ret, struct err *err);
void exchange_free(struct exchange *exchange); /* after the last `done` of a post, with nobody waiting; NULL is fine */

/* Somebody who waits: embedded in its owner, who sets `done`. `done` comes exactly once, on any thread: with a token
 * (a reference of the callee's) or NULL and why. */
struct exchange_wait {
    void (*done)(struct exchange_wait *wait, struct exchange_token *token, const struct err *err);
    struct exchange_wait *next, **at; /* at != NULL: in a list */
};

/* OK with a token (a reference of the caller's): at once. OK with NULL: `wait->done` comes, perhaps before this returns.
 * Else it does not come: UNAVAILABLE (the endpoint is down, and when it is asked again), PERMISSION_DENIED (it refused this
 * principal a moment ago), RESOURCE_EXHAUSTED (memory, our own bounds), INVALID_ARGUMENT (scopes). */
MUST_USE enum code exchange_get(struct exchange *exchange, const struct principal *principal, const struct str *scopes,
                                size_t n_scopes, struct exchange_wait *wait, struct exchange_token **ret_token,
                                struct err *err);
/* True: `done` will not come. False: it came, or is on its way. */
bool exchange_wait_cancel(struct exchange *exchange, struct exchange_wait *wait);
/* A job is over: the tokens of all who acted in this run of it, as whichever account, are dropped, and what is under way
 * goes to nobody: those who wait hear UNAUTHENTICATED. An empty id is no job's. */
void exchange_forget_job(struct exchange *exchange, struct str job_run);

struct exchange_stats {
    uint64_t had, waited, refused; /* askers: a token at once; wait->done; neither */
    uint64_t fetched, failed;      /* exchanges with the endpoint, or attempts at one */
    bool open;                     /* the endpoint is left alone: it failed several times in a row */
};
void exchange_stats(struct exchange *exchange, struct exchange_stats *ret); /* any thread; since the start */

struct str exchange_token_text(const struct exchange_token *token);
int64_t exchange_token_expires_us(const struct exchange_token *token);
/* The upstream does not take it although it should live: the next who asks gets another, at most one in 30 s. */
void exchange_token_reject(struct exchange_token *token);
struct exchange_token *exchange_token_unref(struct exchange_token *token); /* any thread; NULL is fine; returns NULL */
