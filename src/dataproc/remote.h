/* remote.h: a connection whose clusters are an upstream's: the same rows, served there (docs/upstream.md). For this folder.
 *
 * Nothing of a job is remembered here: on which cluster it runs is asked of the upstream for every call, as the caller.
 * Everything happens on the call's loop. */
#pragma once
#include "dataproc/dataproc_priv.h"
#include "upstream/forward.h"

struct remote {
    const struct upstream *upstream;
    struct sealer *sealer; /* of the handles that clients get */
    const struct dataproc_account *accounts;
    size_t n_accounts;
    const struct str *code; /* dataproc_upstream_config's */
    size_t n_code;
    struct http_header routing; /* as Google's clients send it */
};

/* remote.c */
void remote_free(struct remote *remote); /* NULL is fine */
bool remote_has_cluster(const struct dataproc *dataproc, struct str cluster);
struct str remote_account_of(const struct dataproc *dataproc, struct str cluster); /* empty: no cluster of the connection */
/* Does the caller hold something on a cluster of the connection? Whoever does not is not worth a call to the upstream. */
bool remote_concerns(struct dataproc *dataproc, const struct call *call);
/* A forward of this message, ready but for its `answer` and `end`; then forward_start. NULL: the call has ended. */
struct forward *remote_forward(struct call *call, const void *message);
void remote_refuse(struct call *call, enum code code, const char *fmt, ...) PRINTF_LIKE(3, 4); /* ends the call */

/* remote_handles.c: what clients get back, bound to connection and owner. */
struct remote_operation {
    struct str shown, name; /* as the client has it; as the upstream has it */
    struct str cluster;
    bool of_cluster; /* else a job's */
};
/* Puts our name in place of the upstream's. */
MUST_USE enum code remote_operation_seal(struct call *call, struct str cluster, bool of_cluster,
                                         struct lro_Operation *operation, struct err *err);
/* NOT_FOUND for what was not given to this caller. */
MUST_USE enum code remote_operation_open(struct dataproc *dataproc, struct call *call, struct str id,
                                         struct remote_operation *ret, struct err *err);
/* The same for page tokens; `list` says which list it belongs to. Empty stays empty. */
MUST_USE enum code remote_page_seal(struct call *call, struct str list, struct str *io_token, struct err *err);
MUST_USE enum code remote_page_open(struct call *call, struct str list, struct str token, struct str *ret, struct err *err);
/* requestId, bound to access_asker, as at the upstream several callers may be one account, and to what else was decided:
 * that of another decision is another one. Empty stays empty. */
MUST_USE enum code remote_request_id(struct call *call, struct str cluster, struct str decided, struct str *io_id,
                                     struct err *err);

/* remote_jobs.c: waits for the upstream's answer about the job, then adds the atom. */
MUST_USE enum code remote_classify_job(struct dataproc *dataproc, struct call *call, enum verb verb, struct str id,
                                       struct err *err);
void remote_get_job(struct call *call);
void remote_update_job(struct call *call);
void remote_cancel_job(struct call *call);
void remote_delete_job(struct call *call);

/* remote_lists.c */
void remote_list_jobs(struct call *call);
void remote_list_clusters(struct call *call);

/* remote_code.c */
MUST_USE enum code remote_other_files(const struct launch_job *launch, struct arena *arena, struct launch_files *ret,
                                      struct err *err); /* all but the main one; after launch_check */
/* The first that is in no listed place, so that the job is free code. Empty: none. */
struct str remote_foreign_file(const struct remote *remote, const struct launch_files *others);
/* For the audit: which files, and their digest, as there is not room for all. */
struct str remote_files_text(const struct remote *remote, struct str main, const struct launch_files *others,
                             struct arena *arena);

/* remote_submit.c */
MUST_USE enum code remote_classify_submit(struct dataproc *dataproc, struct call *call, struct err *err);
void remote_submit(struct call *call);

/* remote_clusters.c */
void remote_get_cluster(struct call *call);
void remote_delete_cluster(struct call *call);

/* remote_operations.c */
MUST_USE enum code remote_operation_classify(struct dataproc *dataproc, enum dataproc_operation_method which,
                                             struct call *call, struct str id, struct err *err);
void remote_operation_handle(enum dataproc_operation_method which, struct call *call);
