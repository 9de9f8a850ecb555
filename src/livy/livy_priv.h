/* livy_priv.h: what the folder's files share. */
#pragma once
#include "base/buf.h"
#include "dataproc/dataproc.h"
#include "livy/livy.h"
#include "wire/pb/dataproc.pb.h"

enum {
    BATCH_BODY_BYTES = 1 << 20,
    REPLY_BYTES = 4 << 20,
    LIST_MAX = 1000,       /* of Apache's; default 100 */
    SYNAPSE_LIST_MAX = 20, /* Synapse's default, too */
    LOG_DEFAULT = 100,
    LOG_MAX = 10000,
    TAIL_LINES = 10,
    LOG_CURSORS = 16,
};

/* Where a page of a log began, and how far its lines are counted: what was read is not read again. */
struct log_place {
    uint64_t line, byte;
};
struct log_cursor {
    char uuid[40];
    struct log_place page, end;
    uint64_t used; /* when; 0: free */
};

struct livy {
    struct arena *arena;
    struct dataproc *dataproc;
    struct str workspace, cluster;
    struct livy_pool *pools;
    size_t n_pools;
    struct log_cursor cursors[LOG_CURSORS]; /* the desk's */
    uint64_t uses;
};

/* What a request asks for, in both spellings. */
struct batch_ask {
    bool synapse, detailed;
    struct str pool, cluster;
    struct str id;  /* the job's */
    int64_t number; /* from, size: lists and logs; from -1: the end */
    int64_t from, size;
    struct dataproc_submission *submission;
};

/* batch_request.c: a POST's body → what SubmitJob takes. Every key is known, mapped or refused by name. Text of the result
 * lives in the arena. INVALID_ARGUMENT, UNIMPLEMENTED, PERMISSION_DENIED (proxyUser) name the key. */
struct batch_context {
    struct str project, region, cluster;
    struct str caller; /* whom proxyUser may name: nobody but who asks */
    bool synapse;      /* tags */
};
MUST_USE enum code batch_read(struct str body, const struct batch_context *context, struct arena *arena,
                              const struct dataproc_SubmitJobRequest **ret, struct err *err);
#define BATCH_ACCOUNT_PROPERTY "spark.linkspan.account" /* in conf: which account, where policy leaves a choice */
#define BATCH_ACCOUNT_LABEL    "linkspan-account"

/* batch_json.c: a job as a batch. `tail`: the last lines of its output, or NULL. */
struct str batch_state(const struct dataproc_Job *job);
void batch_put(struct buf *out, const struct livy *livy, const struct batch_ask *ask, const struct dataproc_view *view,
               const struct str *tail, size_t n_tail);
void batch_put_apache_error(struct buf *out, const struct method_error *error);
void batch_put_synapse_error(struct buf *out, const struct method_error *error);

/* batch_log.c: on the desk. Puts {"id","from","total","log":[…]}. */
MUST_USE enum code batch_log(struct livy *livy, const struct batch_ask *ask, const struct dataproc_view *view,
                             struct buf *out, struct err *err);
/* The last lines of what there is, borrowed from `out`. */
MUST_USE enum code batch_tail(struct livy *livy, const struct dataproc_view *view, struct buf *out,
                              struct str lines[TAIL_LINES], size_t *ret_n, struct err *err);

/* batches.c: the methods' functions. */
#define LIVY_METHOD(name)                                                                                                  \
    MUST_USE enum code livy_classify_##name(struct call *call, struct err *err);                                           \
    void livy_handle_##name(struct call *call);
LIVY_METHOD(create)
LIVY_METHOD(list)
LIVY_METHOD(get)
LIVY_METHOD(state)
LIVY_METHOD(log)
LIVY_METHOD(cancel)
LIVY_METHOD(session)
#undef LIVY_METHOD
