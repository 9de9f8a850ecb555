/* event.h: one audit record, before it is encoded: who, what, verdict, outcome (DESIGN §7). Plain data, borrowed text.
 * Never holds a token, a literal or a row's value. */
#pragma once
#include "model/atom.h"
#include "model/principal.h"

enum event_kind {
    EVENT_INTENT,  /* made durable before the effect */
    EVENT_OUTCOME, /* what came of it; same id as the intention, where there is one */
    EVENT_REFUSAL,
    EVENT_SYSTEM, /* start, stop, reload, recovery, job states */
};

/* Names of the policy. */
struct event_names {
    const struct str *items;
    size_t n;
};

struct event {
    enum event_kind kind;
    int64_t time_us;
    struct str id;                                   /* the request's id: 26 characters, unique, sorts by time */
    const struct principal *principal;               /* NULL: unauthenticated or the system itself */
    struct event_names bears, may_bear, chain_bears; /* which of the policy's names the caller bore: explain reads them */
    struct str source;                               /* the peer's address as text; empty for the system */
    struct str method;                               /* "google.spanner.v1.Spanner.Commit" */
    struct str resource;                             /* "projects/demo/instances/flights/databases/flights" */
    struct str permission;                           /* "spanner.databases.write" */
    const struct atoms *atoms;                       /* what was asked for; may be NULL */
    struct verdict verdict;
    bool decided;      /* verdict holds something */
    enum code code;    /* outcome */
    struct str detail; /* a short text without values: "outcome unknown after a crash" */
    uint64_t rows, bytes_in, bytes_out, latency_us, mutations;
    int64_t commit_us;    /* commit timestamp; 0 = none */
    struct str statement; /* SHA-256 fingerprint of the SQL text with literals removed; empty = none */
    struct str trace;     /* W3C trace id: 32 hex digits, the caller's word; empty = none */
};
