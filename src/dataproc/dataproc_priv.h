/* dataproc_priv.h: what the folder's files share.
 *
 * Threads: loops classify (they read `index`, under its lock, and the constant parts); the desk serves; the runner's owner
 * thread tells of changes. `lock` is held by desk and hooks while they touch `state`; it is taken before `index_lock`. */
#pragma once
#include <pthread.h>
#include "base/map.h"
#include "crypto/seal.h"
#include "dataproc/dataproc.h"
#include "dataproc/state.h"
#include "policy/policy.h"
#include "spark/runner.h"

enum {
    DATAPROC_ID_MAX = 100,
    DATAPROC_UUID = 36,
    DESK_MAX_CALLS = 10000,
    PAGE_DEFAULT = 100,
    PAGE_MAX = 1000,
    HOOK_ARENA_BYTES = 64 << 20,
};

typedef dataproc_work desk_fn;

struct desk_item {
    struct desk_item *next;
    struct call *call;
    desk_fn *fn;
};

struct desk {
    pthread_mutex_t lock;
    pthread_cond_t news;
    pthread_t thread;
    struct desk_item *first, **last;
    size_t n;
    bool started, stopping;
};

/* What classify must know of a job without asking the state. Strings in the heap, behind the struct. */
struct job_known {
    int64_t number; /* the row's seq */
    struct str id, cluster, submitter, job, account;
};

struct dataproc {
    struct arena *arena; /* of the configuration */
    struct str connection, project, region;
    struct launch_config launch;
    struct remote *remote; /* upstream connections: instead of all that follows */
    struct job_endpoints endpoints;
    struct runner *runner;
    struct desk desk;

    pthread_mutex_t lock;
    struct state *state;
    bool closing;

    pthread_mutex_t index_lock;
    struct map *index;           /* job id → struct job_known */
    struct job_known **numbered; /* the same by number, ascending; written by the desk only */
    size_t n_numbered, cap_numbered;

    struct sealer *sealer; /* the bridge's: constant */
    struct str url;
};

extern const struct method dataproc_methods[];
extern const size_t dataproc_n_methods;

/* dataproc.c */
MUST_USE bool dataproc_copy_list(struct arena *arena, const struct str *from, size_t n, const struct str **ret);

/* desk.c */
MUST_USE enum code desk_start(struct dataproc *dataproc, struct err *err);
void desk_stop(struct dataproc *dataproc);
/* The function runs on the desk, with the lock; it answers the call, or returns an error, which then ends the call. */
void desk_post(struct dataproc *dataproc, struct call *call, desk_fn *fn);
/* The usual end of a desk function. */
MUST_USE enum code desk_reply(struct call *call, const void *message, struct err *err);

/* index.c */
MUST_USE bool index_put(struct dataproc *dataproc, const struct job_row *row);
void index_remove(struct dataproc *dataproc, struct str id);
bool index_get(struct dataproc *dataproc, struct str id, struct arena *arena, struct job_known *ret);
bool index_find(struct dataproc *dataproc, int64_t number, struct arena *arena, struct job_known *ret);
void index_sort(struct dataproc *dataproc); /* after the recovery, which puts the newest first */
void index_free(struct dataproc *dataproc);

/* access.c: whom the policy lets see what. */
struct str access_path(struct dataproc *dataproc, struct str cluster, struct arena *arena); /* "dataproc demo/batch" */
struct str access_caller(const struct call *call, struct arena *arena); /* who asks, as a key: issuer and subject */
/* Whose requestId it is: the caller's with all for whom it acts, and the cluster's. Of another chain, or for another
 * cluster, the same id is another one. */
struct str access_asker(const struct call *call, struct str cluster, struct arena *arena);
bool access_allows(const struct call *call, struct atom atom);
/* What running a job asks for: a submit, and every later question whether it still may. */
struct atom access_run_atom(struct str path, struct str job, struct str account);
/* The atom that a call on this job asks for: `verb`, or, for the submitter who may still run it, that. */
struct atom access_job_atom(struct dataproc *dataproc, const struct call *call, enum verb verb,
                            const struct job_known *job);
bool access_may_see_job(struct dataproc *dataproc, const struct call *call, const struct job_row *row);
bool access_holds_cluster(struct dataproc *dataproc, const struct call *call, struct str cluster);
MUST_USE enum code access_add(struct call *call, struct atom atom, struct err *err);
MUST_USE enum code access_place(const struct dataproc *dataproc, struct str project, struct str region, struct err *err);
/* From here on the call is this connection's (call->service), served as its back says (call->far). */
void access_belongs(struct call *call, struct dataproc *dataproc);
/* The same for the connection of this project and region. Once in a classify. */
MUST_USE enum code access_enter(struct call *call, struct str project, struct str region, struct dataproc **ret,
                                struct err *err);

/* names.c */
MUST_USE enum code names_check_id(const char *what, struct str id, size_t max, struct err *err);
MUST_USE enum code names_check_request(struct str request, struct err *err);
bool names_uuid(struct arena *arena, struct str *ret);
struct pb_Timestamp *names_now(struct arena *arena);
struct str names_page_token(struct arena *arena, struct str place); /* opaque */
MUST_USE enum code names_read_page_token(struct arena *arena, struct str token, struct str *ret_place, struct err *err);
size_t names_page_size(int32_t asked);
struct str names_operation(const struct dataproc *dataproc, struct str id, struct arena *arena);

/* history.c: a job's states */
MUST_USE enum code history_move(struct dataproc_Job *job, int32_t state, struct str details, struct arena *arena,
                                struct err *err);
void history_show_progress(struct dataproc *dataproc, const struct job_row *row, struct arena *arena);
struct str history_application_id(const struct dataproc_Job *job); /* Spark's; empty: none known */
void history_add_application(struct dataproc_Job *job, const struct progress *progress, int32_t state, struct arena *arena);

/* submit.c: the names of a submission, checked; fills uuid, id, cluster and submitter. */
MUST_USE enum code submission_names(struct dataproc *dataproc, const struct dataproc_SubmitJobRequest *request,
                                    struct call *call, struct job_row *row, struct err *err);
/* submit.c: on the desk: the row, then the runner; or the first job of the same requestId. */
MUST_USE enum code submission_serve(struct dataproc *dataproc, struct call *call, struct dataproc_submission *submission,
                                    struct job_row *ret, struct err *err);
/* jobs.c: what a call on this job of the connection asks for; once access_belongs was said */
MUST_USE enum code job_classify(struct dataproc *dataproc, struct call *call, enum verb verb, struct str id,
                                struct err *err);
/* jobs.c: on the desk */
MUST_USE enum code job_cancel(struct dataproc *dataproc, struct call *call, struct job_row *row, struct err *err);

/* bridge.c, bridge_location.c: what a Location of the bridge holds, sealed. */
struct bridge_location {
    struct str id, uuid;
    int64_t expires_us;
};
enum { BRIDGE_LOCATION_LENGTH = 231 };
MUST_USE enum code bridge_location_put(const struct dataproc *dataproc, const struct bridge_location *location,
                                       struct buf *out, struct err *err);
/* False for whatever is not a whole, unexpired location of this connection: all alike. */
bool bridge_location_read(const struct dataproc *dataproc, struct str sealed, int64_t now_us, struct arena *arena,
                          struct bridge_location *ret);
void bridge_hide_tokens(struct str text, struct buf *out); /* what reads like a token becomes "[a token]" */

/* run_hooks.c: a run's endpoints, and what the runner tells */
struct job_run; /* the runner's `user`: who asked, for which job */
struct job_run *job_run_new(struct dataproc *dataproc, const struct call *call, const struct job_row *row);
void job_run_free(struct job_run *run);
struct runner_hooks run_hooks(struct dataproc *dataproc);
MUST_USE enum code run_hooks_recover(struct dataproc *dataproc, struct err *err); /* at start */

/* submit.c, jobs.c, driver_objects.c, clusters.c, operations.c: the methods' functions */
#define DECLARE_METHOD(name)                                                                                               \
    MUST_USE enum code classify_##name(struct call *call, struct err *err);                                                \
    void handle_##name(struct call *call);
DECLARE_METHOD(submit)
DECLARE_METHOD(submit_as_operation)
DECLARE_METHOD(get_job)
DECLARE_METHOD(list_jobs)
DECLARE_METHOD(update_job)
DECLARE_METHOD(cancel_job)
DECLARE_METHOD(delete_job)
DECLARE_METHOD(driver_output)
DECLARE_METHOD(driver_object)
DECLARE_METHOD(bridge_submit)
DECLARE_METHOD(bridge_poll)
DECLARE_METHOD(create_cluster)
DECLARE_METHOD(get_cluster)
DECLARE_METHOD(list_clusters)
DECLARE_METHOD(update_cluster)
DECLARE_METHOD(delete_cluster)
DECLARE_METHOD(rest_get_operation)
DECLARE_METHOD(rest_list_operations)
DECLARE_METHOD(rest_cancel_operation)
DECLARE_METHOD(rest_delete_operation)
#undef DECLARE_METHOD

/* operations.c: the operation of a job, or a finished one of a cluster, made durable and answered. */
MUST_USE enum code operation_for_job(struct dataproc *dataproc, struct call *call, const struct job_row *row,
                                     struct lro_Operation **ret, struct err *err);
MUST_USE enum code operation_for_cluster(struct dataproc *dataproc, struct call *call, struct str type,
                                         const struct dataproc_Cluster *cluster, const struct pb_msg *response_desc,
                                         const void *response, struct lro_Operation **ret, struct err *err);
