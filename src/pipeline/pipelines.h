/* pipelines.h: the pipelines of one workspace: documents, linked services, runs, and the engine that runs them.
 *
 * All state is in one SQLite file, owned by one thread, the desk. Who wants something posts a function, which runs there
 * and may call everything below that says "desk"; it answers its own asker (docs/pipeline_runs.md). What such a function
 * was told OK is durable: each of the changing functions is one transaction. Runs have no thread: a run moves when a timer
 * is due, an answer comes or somebody cancels it.
 *
 * Ownership: text that is given is copied; text that is returned lives in the arena given.
 * Limits: below. Errors: NOT_FOUND, ALREADY_EXISTS, INVALID_ARGUMENT and FAILED_PRECONDITION as each says;
 * RESOURCE_EXHAUSTED for a limit, a full disk or short memory, and then nothing has changed.
 * Source: Azure Synapse artifacts REST API 2020-12-01 (Pipeline, LinkedService, PipelineRun). */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "pipeline/effects.h"
#include "pipeline/fault.h"

enum {
    PIPELINES_MAX_DOCUMENT_BYTES = 4 << 20,
    PIPELINES_MAX_ARTIFACTS = 10000,        /* of each kind */
    PIPELINES_MAX_ACTIVE_RUNS = 1000,       /* queued and in progress, children included */
    PIPELINES_MAX_ACTIVE_BYTES = 256 << 20, /* the documents, parameters and variables of these */
    PIPELINES_MAX_QUEUED = 100,             /* runs that wait for one pipeline's `concurrency` */
    PIPELINES_MAX_ENDED_RUNS = 10000,       /* then the oldest is forgotten */
    PIPELINES_MAX_DEPTH = 8,                /* of ExecutePipeline */
    PIPELINES_MAX_PARAMETER_BYTES = 256 << 10,
    PIPELINES_MAX_OUTPUT_BYTES = 4 << 20, /* of one activity */
    PIPELINES_MAX_RUN_OUTPUT_BYTES =
        64 << 20,                         /* of a run's activities together; past it an activity fails: "OutputTooLarge" */
    PIPELINES_MAX_RUN_ACTIVITIES = 20000, /* activity runs of a run, attempts and iterations counted */
    PIPELINES_MAX_STARTER_BYTES = 32 << 10, /* of the starter's claims and chain, as JSON */
    PIPELINES_MAX_WAITING = 10000,          /* posted functions */
    PIPELINES_PAGE_RUNS = 100,              /* a page of a query */
    PIPELINES_PAGE_BYTES = 8 << 20,         /* the same in bytes: a page ends with the row that passes it */
};

struct pipelines;

struct pipelines_config {
    const char *path;     /* the SQLite file; made when absent */
    struct str workspace; /* pipeline().DataFactory; copied */
    struct pipeline_effects effects;
    bool by_hand;                     /* tests: no thread, pipelines_turn instead */
    unsigned max_ended_runs_for_test; /* 0 = the limit above */
    unsigned max_pages_for_test;      /* 0 = the disk's */
};

/* Opens the state and starts the desk, which resumes what was in progress. FAILED_PRECONDITION: a newer version's file. */
MUST_USE enum code pipelines_open(const struct pipelines_config *config, struct pipelines **ret, struct err *err);
/* Cancels the requests under way and waits for their answers, so the effects must still work; ends the desk. Runs stay in
 * progress and go on at the next open. Functions that still wait get UNAVAILABLE. NULL is fine. */
void pipelines_close(struct pipelines *pipelines);

/* The answer to effects.call. Any thread. Everything is copied before it returns. */
void pipelines_answer(struct pipelines *pipelines, uint64_t ticket, const struct pipeline_reply *reply);

/* `fn` runs exactly once: on the desk with OK; or with UNAVAILABLE (the desk stops, or too many wait: then on the caller's
 * thread, before this returns) or RESOURCE_EXHAUSTED (no memory; likewise), and then it may only answer its asker. Any
 * thread. */
typedef void pipelines_fn(struct pipelines *pipelines, void *ctx, enum code rc);
void pipelines_post(struct pipelines *pipelines, pipelines_fn *fn, void *ctx);

/* by_hand: does all that is due now. Returns the wall time of the next timer, INT64_MAX without one. */
int64_t pipelines_turn(struct pipelines *pipelines);

/* ---- documents: desk ---- */

enum artifact_kind { ARTIFACT_PIPELINE, ARTIFACT_LINKED_SERVICE };

struct artifact {
    struct str name, id; /* as it was first written; a UUID, kept through renames and changes */
    struct str etag;     /* strong, quoted: "\"0c2f…\"". Another for every other content */
    struct str body;     /* the JSON object that was put: {"properties":{…}} */
    int64_t created_us, changed_us;
};

/* The name of a pipeline or a linked service: 1 to 140 characters, the first a letter, a digit or '_', none of
 * <>*#.%&:\+?/ or controls, no space at the end. INVALID_ARGUMENT says so. Any thread. */
MUST_USE enum code pipelines_check_name(struct str name, struct err *err);
/* Letters' case counts, yet two names may not differ by it alone. INVALID_ARGUMENT says what of the document is not
 * understood, with its place in it; a pipeline that names one that is not there (ExecutePipeline): FAILED_PRECONDITION.
 * `faults` gets all faults (set its arena, which *ret's text lives in too). */
MUST_USE enum code pipelines_put(struct pipelines *p, enum artifact_kind kind, struct str name, struct str body,
                                 struct faults *faults, struct artifact *ret, struct err *err);
MUST_USE enum code pipelines_get(struct pipelines *p, enum artifact_kind kind, struct str name, struct arena *arena,
                                 struct artifact *ret, struct err *err);
/* FAILED_PRECONDITION when another pipeline names it. Runs in progress keep the document they began with. */
MUST_USE enum code pipelines_delete(struct pipelines *p, enum artifact_kind kind, struct str name, struct err *err);
MUST_USE enum code pipelines_rename(struct pipelines *p, enum artifact_kind kind, struct str name, struct str to,
                                    struct err *err);
/* By name, those after `after` (empty = from the start). `visit` answers false to stop; what it is given lives in `arena`.
 */
typedef bool artifact_visit(void *ctx, const struct artifact *artifact);
MUST_USE enum code pipelines_list(struct pipelines *p, enum artifact_kind kind, struct str after, struct arena *arena,
                                  artifact_visit *visit, void *ctx, struct err *err);

/* ---- runs: desk ---- */

/* Synapse's words. A run is never Skipped; an activity is never Queued for longer than ForEach's batchCount makes it. */
enum run_state { RUN_QUEUED, RUN_IN_PROGRESS, RUN_SUCCEEDED, RUN_FAILED, RUN_CANCELING, RUN_CANCELLED, RUN_SKIPPED };
const char *pipeline_run_state_name(enum run_state state); /* "InProgress"; any thread */
bool pipeline_run_state_is_end(enum run_state state);

struct run_start {
    struct str pipeline;
    struct str parameters;           /* a JSON object, or empty */
    const struct principal *starter; /* kept with claims and chain (one less than the most); not its address, job, token */
    struct str request;              /* the id of the request that starts it */
    struct str id;                   /* a fresh UUID, chosen by who has to record it first; empty: made here */
};
/* NOT_FOUND: no such pipeline. ALREADY_EXISTS: the id is taken. INVALID_ARGUMENT: a parameter that is unknown, missing or
 * of another type, by its name; `faults` gets all. RESOURCE_EXHAUSTED: too many are active or queued. */
MUST_USE enum code pipelines_create_run(struct pipelines *p, const struct run_start *start, struct faults *faults,
                                        char ret_id[PIPELINE_UUID + 1], struct err *err);

struct run_info {
    struct str id, pipeline, parameters; /* parameters: a JSON object, defaults included */
    enum run_state state;
    struct str message;                                   /* why it failed; empty */
    int64_t created_us, started_us, ended_us, updated_us; /* 0 = not yet */
    struct str request, issuer, subject;                  /* who started it; issuer empty: an account */
    struct str root_run, parent_run, parent_pipeline,
        parent_activity_run; /* root_run = id, others empty: started by createRun */
};
MUST_USE enum code pipelines_get_run(struct pipelines *p, struct str id, struct arena *arena, struct run_info *ret,
                                     struct err *err);
/* OK also for a run that is cancelling. FAILED_PRECONDITION: it has ended. `recursive`: its children too; else they go on.
 */
MUST_USE enum code pipelines_cancel_run(struct pipelines *p, struct str id, bool recursive, struct err *err);

/* What an activity in progress waits for: for who asks why a run hangs. */
enum run_wait { WAIT_NOTHING, WAIT_TURN, WAIT_TIMER, WAIT_REPLY, WAIT_POLL, WAIT_RETRY, WAIT_INNER, WAIT_RUN };

struct activity_info {
    struct str id, name, type, run, pipeline;
    enum run_state state;
    int64_t started_us, ended_us; /* 0 = not yet */
    unsigned attempt;             /* from 0: each is a run of its own */
    struct str input, output;     /* JSON; empty = none. Hidden ones: {"secureInput":true} */
    struct str error;             /* {"errorCode","message","failureType","target"[,"requestId"]}; empty = none */
    struct str iteration;         /* the ForEach's place: "loop[3]/inner[0]"; empty = none */
    struct str user_properties;   /* JSON */
    enum run_wait wait;
    int64_t wake_us; /* of WAIT_TIMER, WAIT_POLL, WAIT_RETRY; of WAIT_REPLY its timeout */
};

/* ---- queries: desk. Source: RunFilterParameters ---- */

enum run_field {
    FIELD_PIPELINE_NAME,
    FIELD_STATUS,
    FIELD_RUN_START,
    FIELD_RUN_END,
    FIELD_RUN_ID,
    FIELD_RUN_GROUP_ID, /* of runs */
    FIELD_ACTIVITY_NAME,
    FIELD_ACTIVITY_TYPE,
    FIELD_ACTIVITY_RUN_START,
    FIELD_ACTIVITY_RUN_END, /* of activities, and STATUS */
    FIELD_COUNT
};
/* Synapse's spelling: operand "PipelineName", "ActivityType", …; orderBy's the same. False: unknown. Any thread. */
bool pipeline_run_field_read(struct str name, enum run_field *ret);

enum filter_operator { FILTER_EQUALS, FILTER_NOT_EQUALS, FILTER_IN, FILTER_NOT_IN };
bool pipeline_filter_operator_read(struct str name, enum filter_operator *ret);

enum { RUN_QUERY_MAX_FILTERS = 16, RUN_QUERY_MAX_VALUES = 100, RUN_QUERY_MAX_ORDERS = 3 };
struct run_filter {
    enum run_field field;
    enum filter_operator op;
    const struct str *values;
    size_t n_values; /* exactly 1 for (not) equals */
};
struct run_order {
    enum run_field field;
    bool descending;
};
struct run_query {
    int64_t updated_after_us, updated_before_us; /* of the run or of the activity run; both inclusive; 0 = open */
    const struct run_filter *filters;
    size_t n_filters;
    const struct run_order *orders; /* none: newest first (runs), oldest first (activities) */
    size_t n_orders;
    struct str continuation; /* of the answer before; empty = the first page. Bound to filters and order */
    struct str run;          /* activities only: of this run */
};

/* Visits a page's rows in order; `visit` answers whether the row counts: those that the caller may not see do not.
 * ret_continuation is empty at the end. INVALID_ARGUMENT: a filter, an order or a continuation that is none. */
typedef bool run_visit(void *ctx, const struct run_info *run);
MUST_USE enum code pipelines_query_runs(struct pipelines *p, const struct run_query *query, struct arena *arena,
                                        run_visit *visit, void *ctx, struct str *ret_continuation, struct err *err);
typedef bool activity_visit(void *ctx, const struct activity_info *activity);
/* NOT_FOUND: no such run. */
MUST_USE enum code pipelines_query_activities(struct pipelines *p, const struct run_query *query, struct arena *arena,
                                              activity_visit *visit, void *ctx, struct str *ret_continuation,
                                              struct err *err);

/* ---- what a loop may know without the desk: for deciding ---- */

struct run_known {
    struct str pipeline, issuer, subject; /* its pipeline's name when it began; who started it */
};
/* False: no such run. Any thread. */
bool pipelines_run_known(struct pipelines *p, struct str id, struct arena *arena, struct run_known *ret);
