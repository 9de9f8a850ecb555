/* policy.h: may they? The policy language of docs/policy.md: read, check, compile, decide.
 *
 * A `struct policy` is an immutable snapshot with a reference count: made by policy_load, shared by any number of threads,
 * swapped whole on reload. A `struct policy_subject` says once which of one snapshot's names a principal bears; it lives in
 * the arena that it was made in, belongs to that snapshot (another one answers POLICY_STALE) and may be used by any thread.
 * Text in verdicts and answers is borrowed from the snapshot.
 * Limits: 1 MiB a file, 256 files, 10,000 statements, 1,024 named columns a table, 16 MiB of memory while loading. Times
 * are microseconds since the epoch. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "model/atom.h"
#include "model/principal.h"

struct policy;
struct policy_subject;

/* ---- load ---- */

struct policy_source {
    struct str name; /* "flights.policy" */
    struct str text;
};

/* What a place of the text is blamed for. A warning does not keep the policy from being used. */
struct policy_fault {
    struct str file;
    unsigned line, column; /* from 1; 0 = the whole file */
    bool warning;
    struct str text;
};

struct policy_faults {
    struct policy_fault *items;
    size_t n, cap, n_errors;
};

enum policy_known { POLICY_UNKNOWN, POLICY_ABSENT, POLICY_PRESENT };

/* What the outside knows; any callback may be NULL. Path is "spanner demo/flights"; POLICY_UNKNOWN: no such schema at hand.
 * An empty column asks for the table. Absent tables and columns are warnings, an absent issuer is a fault; `workspaces`,
 * our own, is never asked for. */
struct policy_context {
    void *user;
    enum policy_known (*column)(void *user, struct str path, struct str table, struct str column);
    enum policy_known (*issuer)(void *user, struct str issuer);
};

/* Parses, checks and compiles. All faults (by file, line, column) go to ret_faults, in the caller's arena, also on failure.
 * INVALID_ARGUMENT when there are errors: err then holds the first one. */
MUST_USE enum code policy_load(const struct policy_source *sources, size_t n, const struct policy_context *context,
                               struct arena *arena, struct policy_faults *ret_faults, struct policy **ret, struct err *err);
/* All *.policy files of the directory, by name. */
MUST_USE enum code policy_load_dir(const char *dir, const struct policy_context *context, struct arena *arena,
                                   struct policy_faults *ret_faults, struct policy **ret, struct err *err);
struct policy *policy_ref(struct policy *policy);
struct policy *policy_unref(struct policy *policy); /* NULL is fine; returns NULL */
void policy_unrefp(struct policy **policy);         /* for DEFER */

/* The first time after `now_us` at which a rule ends: INT64_MAX when none does. */
int64_t policy_next_change(const struct policy *policy, int64_t now_us);
size_t policy_rule_count(const struct policy *policy);

/* The canonical text of one file; comments that stand alone are kept before the statement that follows. Formatting twice
 * changes nothing. A file with faults of syntax is not formatted: INVALID_ARGUMENT, with its first fault. */
MUST_USE enum code policy_format(struct policy_source source, struct arena *arena, struct str *ret, struct err *err);

/* ---- identify ---- */

/* NULL: the arena is full. Claims are tested here, once; the principal need not outlive the call. */
const struct policy_subject *policy_identify(const struct policy *policy, const struct principal *principal,
                                             struct arena *arena);

/* As the audit keeps it and `explain` reads it back: the names that the current actor bears for certain, those that it may
 * bear (its issuer did not send a claim), and those that anybody in its chain bears or may bear. */
struct policy_names {
    struct str *items;
    size_t n;
};
struct policy_bearing {
    struct policy_names sure, unsure, chain;
};
MUST_USE bool policy_bearing_of(const struct policy *policy, const struct policy_subject *subject, struct arena *arena,
                                struct policy_bearing *ret); /* false: arena full */

/* ---- decide ---- */

/* Every atom needs an allow and no deny. No allocation, no failure. A deny of any atom goes before a missing allow of an
 * earlier one, so that what is reported as missing is what would help. No atoms: allowed. */
void policy_decide(const struct policy *policy, const struct policy_subject *subject, const struct atoms *atoms,
                   int64_t now_us, struct verdict *ret);

/* One bound that a request must keep: so many at once, or a second, of all that are counted under (rule, unit, who). */
struct policy_limit {
    struct str rule, path;
    struct str who; /* the name of the policy that the count is for; empty: of `anyone`, each caller by itself */
    bool commits;   /* only commits count; else every request */
    bool at_once;   /* else a second */
    uint64_t most;  /* 1 to 1,000,000,000 */
};

struct policy_limits {
    struct policy_limit *items;
    size_t n, cap;
};

/* The bounds that apply to a request for these atoms: by (rule, unit, who), each once. `commit`: it is one. Ask once it is
 * allowed. False: the arena is full, or the subject is another snapshot's. */
MUST_USE bool policy_limits(const struct policy *policy, const struct policy_subject *subject, const struct atoms *atoms,
                            bool commit, struct arena *arena, struct policy_limits *ret);

/* Does an allow that grants this call (VERB_CALL) write the port out in its URL, be it the scheme's default or not? Only
 * then may a loopback address be dialled. Ask once the call is allowed: denies are not looked at. */
bool policy_call_port_written(const struct policy *policy, const struct policy_subject *subject, const struct atom *call,
                              int64_t now_us);

/* Does the subject hold a live, undenied grant on anything in the path, or (table not empty) on that table? For
 * INFORMATION_SCHEMA and lists. */
bool policy_holds_something(const struct policy *policy, const struct policy_subject *subject, struct str path,
                            struct str table, int64_t now_us);

/* A path of this system ("spanner demo/") in which the subject holds something, of those that rules name: the first by
 * name. Where a rule says "*", that path is named "-", as no database is. Empty: none. In the arena. */
struct str policy_path_held(const struct policy *policy, const struct policy_subject *subject, struct str system,
                            int64_t now_us, struct arena *arena);

/* The accounts (e-mail addresses, in order) as which the subject may run this job there; job "" = free code. False: arena
 * full. */
MUST_USE bool policy_accounts_for_run(const struct policy *policy, const struct policy_subject *subject, struct str path,
                                      struct str job, int64_t now_us, struct arena *arena, struct policy_names *ret);

/* The name of the `job` statement ("nightly/transform") that this code is, or empty. A statement with a digest is matched
 * by kind ("pyspark") and digest (64 hex digits of SHA-256) whatever the URI; one without, by kind and URI. */
struct str policy_job_for_digest(const struct policy *policy, struct str kind, struct str uri, struct str sha256);

/* Account names of the policy, and back: empty when it has none. */
struct str policy_account_email(const struct policy *policy, struct str name);
struct str policy_account_name(const struct policy *policy, struct str email);

/* ---- explain ---- */

/* A request as the audit recorded it. The issuer and subject are used only when no name is borne. */
struct policy_recorded {
    struct policy_bearing bearing;
    struct str issuer, subject, job;
    struct in6_addr from;
    const struct atoms *atoms;
    struct verdict verdict;
};

/* Statements to add at the end of a file, in canonical form. */
struct policy_addition {
    struct str file, rule, owner; /* the owner of the file's domain, who must agree */
};

/* A rule that would allow what was refused first, but for what it lacks: "ended at 2026-06-01T00:00:00Z". */
struct policy_near {
    struct str rule, file;
    unsigned line;
    struct str lacks;
};

struct policy_explanation {
    struct str text;                   /* for a person: what was asked, why it was refused, what would help */
    struct policy_addition *additions; /* one a domain that the request needs; none when nothing that may be added helps */
    size_t n_additions;
    struct str why_none;      /* why there are no additions */
    struct policy_near *near; /* at most three, the nearest first */
    size_t n_near;
};

/* Judged by `policy`, which may be newer than the one that refused; the text says when the verdict is another one now.
 * All additions together give exactly what the request asked for to the first name that the caller bears. */
MUST_USE enum code policy_explain(const struct policy *policy, const struct policy_recorded *recorded, int64_t now_us,
                                  struct arena *arena, struct policy_explanation *ret, struct err *err);
