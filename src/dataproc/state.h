/* state.h: what the Dataproc API remembers, in one SQLite file. One thread at a time (dataproc.c's lock).
 * Text and messages of rows live in the arena given. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "wire/pb/dataproc.pb.h"
#include "wire/pb/lro.pb.h"

struct state;

struct job_row {
    int64_t seq; /* grows; 0 until inserted */
    struct str id, uuid, cluster;
    struct str submitter;    /* who asked: see caller_key in access.h */
    struct str job, account; /* the policy's job statement (empty = free code); e-mail address */
    struct dataproc_Job *body;
};

struct cluster_row {
    struct str name, uuid;
    struct dataproc_Cluster *body;
};

struct operation_row {
    int64_t seq;
    struct str id, caller, cluster;
    struct str job; /* the job whose state it shows; empty: a cluster's, done */
    struct lro_Operation *body;
};

/* Opens or creates. FAILED_PRECONDITION for the file of a newer version. */
MUST_USE enum code state_open(const char *path, struct state **ret, struct err *err);
/* To look only, also while a server writes. NOT_FOUND: there is none. */
MUST_USE enum code state_open_read(const char *path, struct state **ret, struct err *err);
void state_close(struct state *state); /* NULL is fine */

/* NOT_FOUND, ALREADY_EXISTS as they say. `request` (may be empty) of `asker` is remembered with the row, in one
 * transaction. */
MUST_USE enum code state_job_get(struct state *state, struct str id, struct arena *arena, struct job_row *ret,
                                 struct err *err);
MUST_USE enum code state_job_insert(struct state *state, struct job_row *row, struct str asker, struct str request,
                                    struct err *err);
MUST_USE enum code state_job_save(struct state *state, const struct job_row *row, struct err *err);
MUST_USE enum code state_job_delete(struct state *state, struct str id, struct err *err);
/* Newest first, below `before` (0 = from the newest). `visit` answers false to stop; what it is given lives in `arena`. */
typedef bool state_visit_job(void *ctx, const struct job_row *row);
MUST_USE enum code state_job_list(struct state *state, int64_t before, struct arena *arena, state_visit_job *visit,
                                  void *ctx, struct err *err);

MUST_USE enum code state_cluster_get(struct state *state, struct str name, struct arena *arena, struct cluster_row *ret,
                                     struct err *err);
MUST_USE enum code state_cluster_insert(struct state *state, const struct cluster_row *row, struct err *err);
MUST_USE enum code state_cluster_delete(struct state *state, struct str name, struct err *err);
typedef bool state_visit_cluster(void *ctx, const struct cluster_row *row);
MUST_USE enum code state_cluster_list(struct state *state, struct str after, struct arena *arena,
                                      state_visit_cluster *visit, void *ctx, struct err *err); /* by name */

MUST_USE enum code state_operation_get(struct state *state, struct str id, struct arena *arena, struct operation_row *ret,
                                       struct err *err);
MUST_USE enum code state_operation_insert(struct state *state, const struct operation_row *row, struct err *err);
MUST_USE enum code state_operation_delete(struct state *state, struct str id, struct err *err);
typedef bool state_visit_operation(void *ctx, const struct operation_row *row);
MUST_USE enum code state_operation_list(struct state *state, int64_t before, struct arena *arena,
                                        state_visit_operation *visit, void *ctx, struct err *err);

/* requestId: what the first request of this asker (access_asker) with this id and kind ("job", "CREATE", "DELETE") made.
 * False: none. */
MUST_USE enum code state_request_get(struct state *state, struct str asker, struct str kind, struct str request,
                                     struct arena *arena, bool *ret_found, struct str *ret_target, struct err *err);
MUST_USE enum code state_request_put(struct state *state, struct str asker, struct str kind, struct str request,
                                     struct str target, struct err *err);
