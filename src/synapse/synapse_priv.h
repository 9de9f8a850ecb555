/* synapse_priv.h: what the folder's files share.
 *
 * A call is read and classified on its loop into a struct ask, which then goes to the pipelines' desk; there its `serve`
 * answers it. Everything in struct synapse is constant, but for its door. */
#pragma once
#include <jansson.h>
#include <pthread.h>

#include "pipeline/document.h"
#include "pipeline/pipelines.h"
#include "policy/policy.h"
#include "synapse/synapse.h"
#include "wire/url.h"

enum {
    SYNAPSE_SMALL_BODY = 64 << 10,
    SYNAPSE_PAGE_ITEMS = 200,
    SYNAPSE_PAGE_BYTES = 8 << 20,
    SYNAPSE_ANSWER_BYTES = 64 << 20, /* of one answer: a page, and the last row that passed its size */
    SYNAPSE_MAX_PARAMETERS = 8,      /* of a query string */
    SYNAPSE_API_VERSION_MAX = 40,
};

struct synapse {
    struct arena *arena;
    struct str connection, workspace, account, url;
    struct pipelines *pipelines;
    pthread_rwlock_t door; /* read: a loop is inside the pipelines' functions. Write: the door closes */
    bool closed;           /* under `door` */
};

struct ask;
typedef enum code ask_fn(struct ask *ask, struct err *err);

/* One call, read. In its arena. */
struct ask {
    struct synapse *synapse;
    struct call *call;
    ask_fn *serve; /* on the desk: answers the call, or returns an error, which then ends it */

    struct str segments[8]; /* of the path, decoded */
    size_t n_segments;
    struct url_pair query[SYNAPSE_MAX_PARAMETERS];
    size_t n_query;
    struct str api_version;

    enum artifact_kind kind;
    struct str name, new_name; /* of the artifact */
    struct str after;          /* lists: the place where the page begins */
    struct str run;
    struct run_known known; /* of that run */
    bool recursive;
    struct run_query filter;
};

/* ---- ask.c: from HTTP to a struct ask ---- */

/* Splits path and query, checks api-version, and refuses parameters that are not in `known` (NULL-terminated). */
MUST_USE enum code ask_read(struct call *call, ask_fn *serve, const char *const *known, struct ask **ret, struct err *err);
/* The value of a query parameter; empty when it is not there. */
struct str ask_parameter(const struct ask *ask, const char *name);
MUST_USE enum code ask_bool(const struct ask *ask, const char *name, bool *ret, struct err *err);
/* The body, as an object whose keys are in `known` (NULL-terminated; NULL: any). An empty body gives NULL. */
MUST_USE enum code ask_object(const struct ask *ask, const char *const *known, json_t **ret, struct err *err);
/* Is the run that the call names known? Fills `known`. UNAVAILABLE: the server stops. */
MUST_USE enum code ask_run_known(struct ask *ask, bool *ret_known, struct err *err);
/* To the desk, and there `serve`. */
void ask_post(struct call *call);

/* ---- etag.c: RFC 9110 §13.1 ---- */

/* Does a list of entity tags ("*", "\"a\", \"b\"", also without quotes, as Synapse's bodies have them) name this one?
 * `etag` is quoted; empty: there is nothing, which "*" does not name either. Weak tags match only when `weak`. */
bool etag_named(struct str list, struct str etag, bool weak);
struct str etag_bare(struct str etag); /* without the quotes */

/* ---- access.c: what is asked of the policy ---- */

struct str synapse_path(const struct synapse *synapse, struct str name, struct arena *arena); /* "synapse demo/load" */
/* Adds an atom on an artifact. */
MUST_USE enum code synapse_needs(const struct ask *ask, enum verb verb, struct str name, struct err *err);
/* Adds what is asked of this run: `verb`, or, for who started it and still may, that. */
MUST_USE enum code synapse_needs_run(const struct ask *ask, enum verb verb, const struct run_known *run, struct err *err);
bool synapse_may_see_run(const struct ask *ask, const struct run_known *run);
bool synapse_holds(const struct ask *ask, struct str name); /* something on the artifact */

/* ---- errors.c ---- */

/* put_error of the rows, by what is missing when it is NOT_FOUND. */
void put_pipeline_error(struct buf *out, const struct method_error *error);
void put_linked_service_error(struct buf *out, const struct method_error *error);
void put_run_error(struct buf *out, const struct method_error *error);

/* ---- show.c: Synapse's JSON ---- */

MUST_USE enum code show_artifact(struct buf *out, const struct ask *ask, const struct artifact *artifact, struct err *err);
MUST_USE enum code show_run(struct buf *out, const struct run_info *run, struct err *err);
void show_activity(struct buf *out, const struct activity_info *activity);

/* ---- answer.c ---- */

/* Ends the call with JSON. */
MUST_USE enum code answer_json(const struct ask *ask, unsigned status, const struct buf *json, struct err *err);
MUST_USE enum code answer_empty(const struct ask *ask, unsigned status);
/* Ends the call with 412. Always OK. */
enum code answer_precondition(const struct ask *ask, struct str name);
/* Ends the call with all faults, when there are any; else returns the error. */
MUST_USE enum code answer_faults(const struct ask *ask, enum code rc, const struct faults *faults, struct str target,
                                 struct err *err);

/* ---- filter.c: RunFilterParameters ---- */

MUST_USE enum code filter_read(const json_t *body, struct arena *arena, struct run_query *ret, struct err *err);

/* ---- artifacts.c, runs.c, queries.c: the methods' functions ---- */
#define DECLARE_METHOD(name) MUST_USE enum code classify_##name(struct call *call, struct err *err);
DECLARE_METHOD(put)
DECLARE_METHOD(get)
DECLARE_METHOD(delete)
DECLARE_METHOD(rename)
DECLARE_METHOD(list)
DECLARE_METHOD(create_run)
DECLARE_METHOD(get_run)
DECLARE_METHOD(cancel_run)
DECLARE_METHOD(query_runs)
DECLARE_METHOD(query_activities)
#undef DECLARE_METHOD

extern const struct method synapse_methods[];
extern const size_t synapse_n_methods;
