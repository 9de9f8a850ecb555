/* dataproc.h: the Dataproc API of one embedded connection: clusters, PySpark jobs, operations (docs/jobs.md).
 *
 * State is durable in one SQLite file; one desk thread owns it and serves all calls, so handlers never block a loop. Jobs
 * run in spark/runner. Policy: docs/jobs.md says which atoms each method asks for.
 * Source: google.cloud.dataproc.v1 ClusterController, JobController; google.longrunning.Operations. */
#pragma once
#include "service/call.h"
#include "service/endpoints.h"
#include "spark/world.h"

struct dataproc;

/* Borrowed text must live until dataproc_new returns; it is copied. */
struct dataproc_config {
    struct str connection, project, region, master; /* "demo"; the policy's path is "dataproc demo/<cluster>" */
    const struct str *code;                         /* folders whose files may be run */
    size_t n_code;
    const struct str *properties; /* Spark property prefixes allowed beside the built-in ones */
    size_t n_properties;
    struct str python;
    int64_t memory_bytes; /* of a driver */
    size_t max_jobs;
    const char *folder;     /* the connection's in the data directory: dataproc.sqlite, runs/ */
    const char *helper;     /* world_spec.helper */
    enum world_mode worlds; /* the strongest to try */
};

/* Opens or creates the state, marks what ran when the server stopped as ERROR, starts the threads, and fills the service:
 * rows, names and state. FAILED_PRECONDITION: no Java, no PySpark, a newer version's file. */
MUST_USE enum code dataproc_new(const struct dataproc_config *config, const struct job_endpoints *endpoints,
                                struct dataproc **ret, struct service *ret_service, struct err *err);
/* Ends all jobs and waits for it; calls that still wait are answered UNAVAILABLE. NULL is fine. */
void dataproc_free(struct dataproc *dataproc);
enum world_mode dataproc_world_mode(const struct dataproc *dataproc); /* for the log: says how jobs are kept apart */
const char *dataproc_world_why(const struct dataproc *dataproc);      /* why not better; "" = it is the best */

/* google.longrunning.Operations is one gRPC service for all systems: the gate's row asks each connection whether a name is
 * its own, and then calls classify and handle of the method with this number. The REST rows are in the service's table. */
enum dataproc_operation_method { DATAPROC_OP_GET, DATAPROC_OP_LIST, DATAPROC_OP_CANCEL, DATAPROC_OP_DELETE };
bool dataproc_owns_operation(const struct dataproc *dataproc, struct str name); /* also of a list's parent */
MUST_USE enum code dataproc_operation_classify(struct dataproc *dataproc, enum dataproc_operation_method which,
                                               struct call *call, struct err *err);
void dataproc_operation_handle(struct dataproc *dataproc, enum dataproc_operation_method which, struct call *call);
