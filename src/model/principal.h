/* principal.h: who is asking, as identity proved it and policy judges it. Plain data; lives in the arena (or the cached
 * entry) of whoever made it; immutable once made. */
#pragma once
#include <netinet/in.h>
#include "base/str.h"

struct json_t; /* jansson's */

enum actor_kind { ACTOR_NONE, ACTOR_OIDC, ACTOR_ACCOUNT };

/* One who acts, or for whom one acts. */
struct actor {
    enum actor_kind kind;
    struct str issuer;           /* the issuer's name in the configuration; empty for an account */
    struct str subject;          /* `sub`, or the account's e-mail address */
    const struct json_t *claims; /* what policy's tests may ask; NULL = none known. Borrowed */
};

enum { PRINCIPAL_MAX_CHAIN = 4 };

struct principal {
    struct actor actor;                      /* the current subject */
    struct actor chain[PRINCIPAL_MAX_CHAIN]; /* for whom it acts, outermost (the first who asked) first */
    unsigned n_chain;
    struct str job;       /* "nightly/transform": the job statement that the running code matched; empty = no job */
    struct str job_run;   /* the run's id; empty = no job */
    struct in6_addr from; /* the peer's address (IPv4 mapped), as the socket tells it */
    int64_t expires_us;   /* wall time at which the proof ends */
    char token_id[33];    /* fingerprint of the token: hex of SHA-256, first 16 bytes; "" for an endpoint */
};
