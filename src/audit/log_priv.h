/* log_priv.h: the inside of struct audit_log, shared by log.c (callers), owner.c (the thread) and recover.c (opening). */
#pragma once
#include <pthread.h>
#include "audit/audit.h"
#include "audit/journal.h"
#include "audit/publish.h"
#include "audit/track.h"

struct node { /* an entry that waits */
    struct node *next;
    audit_done *done;
    void *ctx;
    enum audit_care care;
    struct source *source; /* outbox only */
    uint64_t sequence, index, queued_us;
    size_t n;
    char bytes[];
};

struct audit_log {
    /* Fixed once open. */
    char dir[4000];
    char origin[ORIGIN_MAX + 1];
    struct key *key;
    size_t queue_max_bytes;
    int dir_fd; /* holds the lock */
    pthread_t thread;

    /* Under `mutex`. */
    pthread_mutex_t mutex;
    pthread_cond_t work, flushed;
    struct node *first, **last;
    size_t queued_bytes, n_enforced;
    uint64_t queued, finished;         /* entries ever */
    uint64_t flush_target, flush_done; /* in `finished` */
    bool stop;
    struct audit_stats stats;
    char head[NOTE_MAX]; /* the durable tree's */
    size_t head_n;

    /* Under `track_mutex`: outboxes, recovery and the owner; never a loop. */
    pthread_mutex_t track_mutex;
    struct track track;
    struct arena *left_arena; /* intentions that were open when the log was opened: ids and places */
    struct left {
        struct str id;
        uint64_t index;
    } * left;
    size_t n_left;

    /* The owner thread's alone. */
    struct edge edge;
    struct buf batch, note;
    struct tree_hash *leaves; /* of the batch: BATCH_ENTRIES */
    char *zeros;              /* JOURNAL_BYTES of them */
    int journal_fd;
    size_t journal_used;  /* the live batches' end */
    size_t journal_dirty; /* past this, zeros only */
    uint64_t publish_at_us, retry_at_us;
    bool failing;
};

void *audit_owner(void *log); /* the thread */
/* recover.c: from the folder to a log that may start its thread. On error the caller frees what there is. */
MUST_USE enum code audit_log_recover(struct audit_log *log, struct err *err);
/* owner.c, used by recovery before the thread runs. */
MUST_USE enum code audit_log_publish(struct audit_log *log, struct err *err);
