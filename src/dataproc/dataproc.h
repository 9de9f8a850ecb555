/* dataproc.h: the Dataproc API: clusters, PySpark jobs, operations (docs/jobs.md), of connections that are served here or
 * by an upstream (docs/upstream.md).
 *
 * Embedded, state is durable in one SQLite file; one desk thread owns it and serves all calls, so handlers never block a
 * loop. Jobs run in spark/runner. An upstream connection keeps nothing but its sealing key: its calls live on their loops.
 * Policy: docs/jobs.md says which atoms each method asks for.
 * Source: google.cloud.dataproc.v1 ClusterController, JobController; google.longrunning.Operations. */
#pragma once
#include "service/call.h"
#include "service/endpoints.h"
#include "spark/world.h"

struct dataproc;
struct upstream;

/* Borrowed text must live until dataproc_new returns; it is copied. */
struct dataproc_config {
    struct str connection, project, region, master; /* "demo"; the policy's path is "dataproc demo/<cluster>" */
    struct str url;                                 /* how clients reach us: the bridge's Location begins with it */
    const struct str *code;                         /* folders whose files may be run */
    size_t n_code;
    const struct str *properties; /* Spark property prefixes allowed beside the built-in ones */
    size_t n_properties;
    struct str python;
    int64_t memory_bytes; /* of a driver */
    size_t max_jobs;
    const char *folder;     /* the connection's in the data directory: dataproc.sqlite, bridge.key, runs/ */
    const char *helper;     /* world_spec.helper */
    enum world_mode worlds; /* the strongest to try */
};

/* Opens or creates the state, marks what ran when the server stopped as ERROR, starts the threads. FAILED_PRECONDITION: no
 * Java, no PySpark, a newer version's file. */
MUST_USE enum code dataproc_new(const struct dataproc_config *config, const struct job_endpoints *endpoints,
                                struct dataproc **ret, struct err *err);

/* Whose identity the jobs of an upstream's cluster have: no request chooses it. */
struct dataproc_account {
    struct str cluster, email;
};

struct dataproc_upstream_config {
    struct str connection, project, region;  /* the upstream's own project and region */
    const struct upstream *upstream;         /* outlives the connection */
    const struct dataproc_account *accounts; /* the clusters of this connection: no other is seen or used */
    size_t n_accounts;
    const struct str *code; /* places (dataproc_is_code_place) whose files may go with a job that is named */
    size_t n_code;
    const struct str *properties; /* as dataproc_config's */
    size_t n_properties;
    const char *folder; /* the connection's in the data directory: handles.key */
};
/* "gs://BUCKET/…/" or "file:///FOLDER/…/": plain text that nobody who reads it takes for another place. */
bool dataproc_is_code_place(struct str uri);
/* A connection whose requests go on. Reads or makes its sealing key. */
MUST_USE enum code dataproc_new_upstream(const struct dataproc_upstream_config *config, struct dataproc **ret,
                                         struct err *err);

/* Embedded: ends all jobs and waits for it; calls that still wait are answered UNAVAILABLE. NULL is fine. */
void dataproc_free(struct dataproc *dataproc);
bool dataproc_is_upstream(const struct dataproc *dataproc);

/* All connections of a server. A request finds its own by project and region, which no two of them share. */
enum { DATAPROC_MAX_REGIONS = 16 };
struct dataproc_regions {
    struct dataproc *items[DATAPROC_MAX_REGIONS];
    size_t n;
};
/* The rows; classify sets call->service to the connection. `regions` is constant and outlives the service. */
struct service dataproc_service(struct dataproc_regions *regions);

/* ---- of an embedded connection ---- */

enum world_mode dataproc_world_mode(const struct dataproc *dataproc); /* for the log: says how jobs are kept apart */
const char *dataproc_world_why(const struct dataproc *dataproc);      /* why not better; "" = it is the best */

/* google.longrunning.Operations is one gRPC service for all systems: the gate's row asks whose a name (or a list's parent)
 * is, and then calls classify and handle of the method with this number. The REST rows are in the service's table. */
enum dataproc_operation_method { DATAPROC_OP_GET, DATAPROC_OP_LIST, DATAPROC_OP_CANCEL, DATAPROC_OP_DELETE };
struct dataproc *dataproc_of_operation(const struct dataproc_regions *regions, struct str name); /* NULL: nobody's */
MUST_USE enum code dataproc_operation_classify(struct dataproc *dataproc, enum dataproc_operation_method which,
                                               struct call *call, struct err *err);
void dataproc_operation_handle(struct dataproc *dataproc, enum dataproc_operation_method which, struct call *call);

/* ---- the same jobs for another API (livy/): one history, one runner; embedded only ----
 *
 * classify on the loop; then dataproc_post brings `work` to the desk, where the rest may be called, and only there. */

typedef enum code dataproc_work(struct dataproc *dataproc, struct call *call, struct err *err);
/* `work` answers the call, or returns an error, which then ends it. */
void dataproc_post(struct dataproc *dataproc, struct call *call, dataproc_work *work);

/* A job as the other API shows it; in the arena of whoever asked. */
struct dataproc_view {
    int64_t number; /* grows with each job of the connection, is never given twice, also over restarts */
    struct str id, submitter, account, application; /* submitter: the subject; application: Spark's id, empty: none yet */
    const struct dataproc_Job *body;
};

struct dataproc_submission; /* from classify to desk; in the call's arena */
struct dataproc_SubmitJobRequest;
struct dataproc_Job;

struct str dataproc_project(const struct dataproc *dataproc);
struct str dataproc_region(const struct dataproc *dataproc);
/* What SubmitJob asks for: checks, hashes, chooses the account, adds the atom. `request` must live as long as the call. */
MUST_USE enum code dataproc_classify_submit(struct dataproc *dataproc, struct call *call,
                                            const struct dataproc_SubmitJobRequest *request,
                                            struct dataproc_submission **ret, struct err *err);
/* What seeing (VERB_SEE_JOBS) or cancelling (VERB_CANCEL_JOBS) the job with this number asks for. NOT_FOUND also for a job
 * of another cluster. */
MUST_USE enum code dataproc_classify_number(struct dataproc *dataproc, struct call *call, enum verb verb,
                                            struct str cluster, int64_t number, struct str *ret_id, struct err *err);

MUST_USE enum code dataproc_submit(struct dataproc *dataproc, struct call *call, struct dataproc_submission *submission,
                                   struct dataproc_view *ret, struct err *err);
MUST_USE enum code dataproc_view_job(struct dataproc *dataproc, struct str id, struct arena *arena,
                                     struct dataproc_view *ret, struct err *err);
MUST_USE enum code dataproc_cancel(struct dataproc *dataproc, struct call *call, struct str id, struct err *err);
/* The numbers of the cluster's jobs that the caller may see, ascending: the `from`th and following, at most `size` of them
 * into `ret_ids`; `ret_total` counts all. */
MUST_USE enum code dataproc_list(struct dataproc *dataproc, struct call *call, struct str cluster, size_t from, size_t size,
                                 struct str *ret_ids, size_t *ret_n, size_t *ret_total, struct err *err);
/* Driver output as runner_output gives it; nothing yet is OK and empty. */
MUST_USE enum code dataproc_output(struct dataproc *dataproc, const struct dataproc_view *view, uint64_t offset, size_t max,
                                   struct buf *ret, uint64_t *ret_total, struct err *err);
