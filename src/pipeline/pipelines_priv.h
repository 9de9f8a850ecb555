/* pipelines_priv.h: what the engine's files share.
 *
 * How it moves. An event (an answer, a timer, a call of the API) changes nodes and runs in memory and marks them dirty.
 * What follows from it (the next activities) is done at once, by the queue of scopes to look at. Then `settle` writes all
 * that is dirty in one transaction; only after that are requests sent, happenings told and memory freed. When the
 * transaction fails, nothing of that happens and no event is taken until it succeeds: memory is ahead of the disk, the
 * world is not.
 *
 * A run is a tree: the run's root scope holds a node for each activity; ForEach and IfCondition own inner scopes. A
 * finished iteration is freed, so that a loop of 100,000 costs no more than its parallel iterations. */
#pragma once
#include <pthread.h>
#include "base/buf.h"
#include "base/map.h"
#include "pipeline/document.h"
#include "pipeline/pipelines.h"
#include "store/store.h"

enum {
    MAX_FLYING = 100,     /* requests under way */
    MAX_PATH_BYTES = 200, /* of a node: "3:17/0" */
    MAX_MESSAGE_BYTES = 1000,
    REQUEST_ARENA_BYTES = 16 << 20,
    DOCUMENT_COST = 4, /* memory of a compiled document, by the bytes of its text */
};
#define SECOND_US ((int64_t)1000000)

/* A run keeps the document that it began with. Shared by runs of one version. */
struct version {
    struct version *next;
    unsigned refs;
    char *name, etag[PIPELINE_UUID + 3];
    struct pipeline *pipeline;
    size_t cost;
};

/* One attempt of an activity, as a row. The texts are handed to the disk at the next settle and then freed here. */
struct attempt {
    char id[PIPELINE_UUID + 1];
    unsigned number;
    enum run_state state;
    enum run_wait wait;
    int64_t started_us, ended_us, updated_us, wake_us, deadline_us;
    char *plan, *input, *output, *error, *user_properties;
    size_t output_bytes;
    bool dirty, saved, tell_started, tell_ended;
};

struct pipeline_node {
    struct scope *scope;
    const struct activity *def;
    bool begun;
    struct attempt now;
    struct past *past; /* attempts that failed, not yet saved */
    char *message;     /* of its failure */
    struct pipeline_node *next_dirty, *next_waiting;
    size_t timer; /* 1 + its place in the heap; 0 = none */
    bool dirty, waiting;

    struct web_exchange *exchange; /* web: the request under way */
    char *location, *method, *url;
    int64_t interval_us;
    unsigned blips;

    struct scope *inner; /* containers: the scopes that are at work */
    json_t *items;
    json_t *plan; /* while a restart reads it */
    size_t next_item, n_working;
    bool inner_failed;
    struct str inner_name; /* of the inner activity that `message` is of */
    struct run *child;     /* ExecutePipeline: the run it waits for */
};

struct past {
    struct past *next;
    struct attempt attempt;
};

struct scope {
    struct run *run;
    struct pipeline_node *owner; /* NULL: the run's root */
    struct scope *next;          /* among the owner's inner ones; in the trash */
    size_t index;                /* the iteration; 0 and 1: if's branches */
    const json_t *item;          /* borrowed from the owner's items */
    const struct activity_list *list;
    size_t n_left;
    bool stirred, dropped;
    struct scope *next_stirred;
    struct pipeline_node nodes[];
};

struct run {
    struct pipelines *p;
    struct run *next; /* active ones, oldest first; later in the trash */
    int64_t seq;
    char id[PIPELINE_UUID + 1], root[PIPELINE_UUID + 1];
    char parent_run[PIPELINE_UUID + 1], parent_activity[PIPELINE_UUID + 1];
    char *parent_pipeline, *request;
    struct pipeline_node *parent; /* waits for this run; NULL: nobody does */
    unsigned depth;
    struct version *version;
    struct starter *starter;
    enum run_state state;
    char *message;
    int64_t created_us, started_us, ended_us, updated_us;
    json_t *parameters, *variables;
    size_t charged, output_bytes;
    unsigned n_rows, n_flying;
    struct scope *root_scope;
    bool dirty, is_new, variables_changed, tell_started, tell_ended, hides, to_cancel;
    struct run *next_dirty;
};

/* A request under way. Found by its ticket; made before it is sent, freed when its answer was taken. */
struct web_exchange {
    struct web_exchange *next; /* all of them */
    struct web_exchange *next_answered;
    uint64_t ticket;
    struct pipeline_node *node; /* NULL: nobody waits any more */
    struct run *run;            /* NULL: gone */
    struct arena *arena;        /* of the request, until it is sent; then of the answer */
    struct pipeline_request request;
    struct pipeline_reply reply;
    bool sent, answered;
};

struct posted {
    struct posted *next;
    pipelines_fn *fn;
    void *ctx;
};

struct pipelines {
    struct pipeline_effects effects;
    char *workspace;
    struct store *store;
    unsigned max_ended, writes;
    bool by_hand, started;
    pthread_t thread;

    pthread_mutex_t lock; /* of what other threads touch: */
    pthread_cond_t news;
    struct posted *first, **last;
    size_t n_posted;
    bool stopping;
    struct web_exchange *exchanges; /* list and tickets change on the desk only */
    struct web_exchange *answered, **last_answered;

    pthread_mutex_t known_lock;
    struct map *known; /* run id → struct known */

    /* the desk's own */
    uint64_t tickets;
    size_t n_flying, charged, n_runs, n_ended;
    struct run *runs;
    struct version *versions;
    struct pipeline_node **timers;
    size_t n_timers, cap_timers, reserved_timers;
    struct scope *stirred, **last_stirred;
    struct pipeline_node *dirty_nodes, **last_dirty_node;
    struct run *dirty_runs, **last_dirty_run;
    struct pipeline_node *waiting, **last_waiting; /* web activities that wait for a place among MAX_FLYING */
    struct scope *trash_scopes;
    struct run *trash_runs;
    bool stuck;             /* the last settle failed */
    bool untold;            /* the table of happenings may hold some */
    int64_t retry_us, told; /* of settle; the last happening that was told */
};

/* ---- names.c ---- */
void pipeline_make_uuid(struct pipelines *p, char out[PIPELINE_UUID + 1]);
/* A copy in the heap, NUL-terminated; NULL when memory is short (or the test says so). */
char *pipeline_copy_text(struct str text);

/* ---- rows.c: rows ↔ structs; within the caller's transaction ---- */
MUST_USE enum code pipeline_rows_open(struct pipelines *p, const char *path, unsigned max_pages, struct err *err);
MUST_USE enum code pipeline_rows_begin(struct pipelines *p, struct err *err);
/* Commits when rc is OK, else rolls back; returns rc or the commit's failure. */
MUST_USE enum code pipeline_rows_end(struct pipelines *p, enum code rc, struct err *err);
void pipeline_rows_bind(sqlite3_stmt *stmt, int at, struct str text);
struct str pipeline_rows_text(sqlite3_stmt *stmt, int at, struct arena *arena); /* p == NULL: no memory */
/* One step: OK for a row; NOT_FOUND without one. */
MUST_USE enum code pipeline_rows_step(struct pipelines *p, sqlite3_stmt *stmt, const char *what, struct str key,
                                      struct err *err);
MUST_USE enum code pipeline_rows_insert_run(struct pipelines *p, struct run *run, struct err *err);
MUST_USE enum code pipeline_rows_save_run(struct pipelines *p, struct run *run, struct err *err);
MUST_USE enum code pipeline_rows_save_attempt(struct pipelines *p, struct pipeline_node *node, struct attempt *attempt,
                                              struct err *err);
MUST_USE enum code pipeline_rows_add_event(struct pipelines *p, enum pipeline_happening what, int64_t at_us,
                                           struct run *run, const char *activity_run, struct err *err);
/* What an activity gave, for activity('x'): the texts of its newest attempt. */
MUST_USE enum code pipeline_rows_attempt_texts(struct pipelines *p, const char *id, struct arena *arena,
                                               struct str *ret_output, struct str *ret_error, struct err *err);

/* ---- settle.c ---- */
MUST_USE enum code pipeline_settle(struct pipelines *p, struct err *err); /* writes, then acts and frees */
void pipeline_settle_tell(struct pipelines *p);                           /* happenings that are durable */
void pipeline_settle_prune(struct pipelines *p);                          /* ended runs beyond the limit */

/* ---- starter.c: the principal that a run keeps ---- */
struct starter {
    struct principal principal;
    char *text; /* JSON, as it is stored */
    json_t *json;
};
MUST_USE enum code starter_write(const struct principal *principal, struct buf *out, struct err *err);
MUST_USE enum code starter_read(struct str text, struct starter **ret, struct err *err);
struct starter *starter_copy(const struct starter *starter); /* NULL: no memory */
void starter_free(struct starter *starter);

/* ---- versions.c ---- */
/* What the name stands for now; shared, one reference more. */
MUST_USE enum code version_current(struct pipelines *p, struct str name, struct version **ret, struct err *err);
MUST_USE enum code version_stored(struct pipelines *p, struct str etag, struct str name, struct version **ret,
                                  struct err *err);
struct version *version_unref(struct pipelines *p, struct version *version);

/* ---- run.c: runs as a whole ---- */
struct run_seed {
    struct str pipeline;
    struct str id;            /* chosen already; empty: none */
    const json_t *parameters; /* NULL: none */
    const struct starter *starter;
    struct str request;
    struct pipeline_node *parent; /* the activity that makes it; NULL: createRun */
    bool waits;
};
/* In memory only: dirty, not among the active ones. */
MUST_USE enum code pipeline_run_make(struct pipelines *p, const struct run_seed *seed, struct faults *faults,
                                     struct run **ret, struct err *err);
void pipeline_run_enter(struct run *run); /* among the active ones; it begins when it may */
/* Those that wait for a place, in their order: of this pipeline, or of all (NULL). */
void pipeline_run_start_queued(struct pipelines *p, const char *pipeline);
void pipeline_run_finish(struct run *run, enum run_state state, const char *message);
void pipeline_run_cancel_chosen(struct pipelines *p); /* those with to_cancel */
void pipeline_run_end_if_cancelled(struct run *run);  /* when nothing of it is under way any more */
void pipeline_run_destroy(struct run *run);           /* not among the active ones any more; NULL is fine */
void pipeline_run_touch(struct run *run);             /* dirty */
struct run *pipeline_run_find(struct pipelines *p, struct str id);
MUST_USE bool pipeline_run_charge(struct run *run, size_t bytes); /* against PIPELINES_MAX_ACTIVE_BYTES */
const char *pipeline_run_pipeline(const struct run *run);
struct pipeline_place pipeline_run_place(const struct run *run, const struct pipeline_node *node);
MUST_USE bool pipeline_run_know(struct pipelines *p, struct str id, struct run_known known); /* for pipelines_run_known */
void pipeline_run_unknow(struct pipelines *p, const char *id);

/* ---- scope.c: activities in their order ---- */
struct scope *scope_new(struct run *run, struct pipeline_node *owner, const struct activity_list *list, size_t index);
void scope_stir(struct scope *scope); /* look at it in this turn */
void scope_work(struct pipelines *p); /* until nothing is stirred */
void scope_drop(struct scope *scope); /* into the trash; its owner forgets it */
void scope_free(struct scope *scope);
void scope_cancel(struct scope *scope); /* ends all that is not ended, inner ones too, as Cancelled */
/* Its nodes' outcome by the rule of the leaves; ret_failed is a node that decided it. All must have ended. */
bool scope_succeeded(const struct scope *scope, const struct pipeline_node **ret_failed);

/* ---- node.c: an activity's life ---- */
void pipeline_node_touch(struct pipeline_node *node);
void pipeline_node_begin(struct pipeline_node *node);
void pipeline_node_skip(struct pipeline_node *node);
void pipeline_node_succeed(struct pipeline_node *node, json_t *output); /* takes the reference; NULL = {} */
void pipeline_node_cancel(struct pipeline_node *node);
enum again { FINAL, RETRY };
void pipeline_node_fail(struct pipeline_node *node, enum again again, const char *code, struct str request, const char *fmt,
                        ...) PRINTF_LIKE(5, 6);
void pipeline_node_fail_code(struct pipeline_node *node, enum code rc, const struct err *err); /* an expression or memory */
void pipeline_node_wait(struct pipeline_node *node, enum run_wait wait, int64_t wake_us);      /* a timer, if wake_us */
void pipeline_node_timer(struct pipeline_node *node, int64_t now_us);
void pipeline_node_set_input(struct pipeline_node *node, json_t *input); /* takes the reference; hidden by secureInput */
MUST_USE bool pipeline_node_set_plan(struct pipeline_node *node,
                                     json_t *plan); /* takes the reference: what a restart must know */
void pipeline_node_free(struct pipeline_node *node);
void attempt_free_texts(struct attempt *attempt);
void pipeline_node_place(const struct pipeline_node *node, char out[MAX_PATH_BYTES]);
void pipeline_node_iteration(const struct pipeline_node *node, struct buf *out);
int64_t pipeline_node_now(const struct pipeline_node *node);

/* What each kind of activity does. NULL: nothing. */
struct pipeline_node_kind {
    void (*begin)(struct pipeline_node *node);
    void (*timer)(struct pipeline_node *node); /* its wait is over */
    void (*inner_done)(struct pipeline_node *node, struct scope *scope,
                       bool ok); /* the scope is in no list any more, and not yet freed */
    void (*resume)(struct pipeline_node *node, const json_t *plan); /* after a restart, in progress */
};
extern const struct pipeline_node_kind pipeline_web_kind, pipeline_wait_kind, pipeline_set_variable_kind,
    pipeline_fail_kind, pipeline_if_kind, pipeline_for_each_kind, pipeline_execute_kind;
const struct pipeline_node_kind *pipeline_node_activity_kind(const struct pipeline_node *node);

/* ---- evaluate.c ---- */
/* Evaluates in the node's place: parameters, variables, item(), the activities around it. */
MUST_USE enum code pipeline_evaluate(struct pipeline_node *node, const struct template *t, json_t **ret, struct err *err);

/* ---- timers.c: a heap by wake_us or deadline_us, whichever is first ---- */
MUST_USE bool timers_reserve(struct pipelines *p, size_t n); /* room for n nodes more; undone by timers_release */
void timers_release(struct pipelines *p, size_t n);
void timers_set(struct pipelines *p,
                struct pipeline_node *node); /* by node->now; removes it when there is nothing to wait for */
void timers_drop(struct pipelines *p, struct pipeline_node *node);
struct pipeline_node *timers_due(struct pipelines *p, int64_t now_us); /* taken out; NULL: none */
int64_t timers_next(const struct pipelines *p);                        /* INT64_MAX: none */

/* ---- web_exchange.c: requests under way ---- */
struct web_exchange *web_exchange_new(struct pipeline_node *node); /* its arena is ready for the request; NULL: no memory */
void exchange_send_all(struct pipelines *p);                       /* those that are durable now */
void web_exchange_abandon(struct web_exchange *exchange);          /* its node wants it no more */
void exchange_forget_run(struct run *run);
struct web_exchange *exchange_take_answer(struct pipelines *p);
void web_exchange_free(struct pipelines *p, struct web_exchange *exchange);
/* web.c: the answer to a node's request; and a place for those that wait for one. */
void web_answer(struct pipeline_node *node, const struct pipeline_reply *reply);
void web_next(struct pipelines *p);
/* execute.c: the run that a node waits for has ended. */
void execute_child_done(struct pipeline_node *node, struct run *child);
/* location.c: RFC 3986 §5.2; http and https only, without the fragment. False: none that can be asked. */
bool location_resolve(struct str base, struct str reference, struct buf *out);

/* ---- recover.c ---- */
MUST_USE enum code pipeline_recover(struct pipelines *p, struct err *err); /* at open */
