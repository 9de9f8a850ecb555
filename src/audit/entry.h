/* entry.h: one audit record as JSON text, in the shape of Cloud Audit Logs, and back.
 *
 * Text is at most AUDIT_ENTRY_MAX bytes: long texts are cut with "…", long lists end early and say how many there were.
 * Of the atoms that a cut list leaves out the objects are told all the same: no table is hidden behind others.
 * Holds no values, literals or tokens, because struct event has none. Any thread. Source: google.cloud.audit.AuditLog,
 * LogEntry. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "model/event.h"
#include "model/refused.h"

/* Adds one JSON object to `out` (whose maximum must leave room for AUDIT_ENTRY_MAX). RESOURCE_EXHAUSTED: no memory. */
MUST_USE enum code audit_entry_encode(const struct event *event, struct buf *out, struct err *err);

/* Whether an entry has room for every object of the list, be it only by its name: a request of which it has not must not go
 * on. INVALID_ARGUMENT (some 29,000 bytes of names), RESOURCE_EXHAUSTED: no memory. Up to 8 atoms always fit. */
MUST_USE enum code audit_entry_tells(const struct atoms *atoms, struct err *err);

struct audit_actor {
    struct str email;   /* a service account's; or empty: */
    struct str issuer;  /* the issuer's name in the configuration */
    struct str subject; /* as that issuer calls it */
};

struct audit_atom {
    struct str verb, path, object, account;
    struct str *columns;
    size_t n_columns;     /* that the entry holds */
    size_t columns_total; /* that were asked for */
    bool any_column;
};

struct audit_entry {
    struct str id, timestamp; /* RFC 3339 */
    int64_t time_us;
    enum event_kind kind;
    struct audit_actor actor;                      /* all empty: unauthenticated or the system */
    struct audit_actor chain[PRINCIPAL_MAX_CHAIN]; /* outermost first */
    size_t n_chain;
    struct event_names bears, may_bear, chain_bears;
    struct str source, method, resource, permission, job, job_run, token_id, statement, trace, detail;
    struct audit_atom *atoms;
    size_t n_atoms, atoms_total;
    bool decided, allowed;
    struct str reason, rule, refused_column; /* reason as reason_name has it */
    unsigned refused_atom;
    enum code code;
    uint64_t rows, bytes_in, bytes_out, latency_us, mutations;
    struct str commit_timestamp;
    uint64_t refusals; /* how many this entry stands for: a summary by source and second; else 0 */
    struct audit_refused {
        struct str token_id, reason, issuer, subject;
    } tokens[REFUSED_TOKENS_MAX]; /* of such a summary: whose they were, where an issuer had signed them */
    size_t n_tokens;
    struct str outbox; /* the source that sequenced it; empty = none */
    uint64_t outbox_sequence;
};

/* Parses what audit_entry_encode wrote (members it does not know are ignored). Text lives in the arena. INVALID_ARGUMENT.
 */
MUST_USE enum code audit_entry_parse(struct str json, struct arena *arena, struct audit_entry *ret, struct err *err);
