#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "audit/entry.h"
#include "audit/io.h"
#include "audit/log_priv.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json_text.h"

enum { DEFAULT_QUEUE = 16 << 20 };

static void free_log(struct audit_log *log) {
    edge_free(&log->edge);
    track_free(&log->track);
    buf_free(&log->batch);
    buf_free(&log->note);
    free(log->leaves);
    free(log->zeros);
    arena_free(log->left_arena);
    key_unref(log->key);
    file_close(&log->journal_fd);
    file_close(&log->dir_fd); /* and with it the lock */
    (void)pthread_cond_destroy(&log->work);
    (void)pthread_cond_destroy(&log->flushed);
    (void)pthread_mutex_destroy(&log->mutex);
    (void)pthread_mutex_destroy(&log->track_mutex);
    free(log);
}

static void free_logp(struct audit_log **log) {
    if (*log) free_log(*log);
}

static void init_sync(struct audit_log *log) {
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&log->work, &attr);
    (void)pthread_cond_init(&log->flushed, &attr);
    (void)pthread_condattr_destroy(&attr);
    (void)pthread_mutex_init(&log->mutex, NULL);
    (void)pthread_mutex_init(&log->track_mutex, NULL);
    log->last = &log->first;
    log->dir_fd = log->journal_fd = -1;
}

/* All memory that the owner thread needs for any batch, so that it does not fail for want of it later. */
static enum code init_memory(struct audit_log *log, struct err *err) {
    log->batch.max = BATCH_BYTES + 4096;
    log->note.max = NOTE_MAX;
    log->leaves = calloc(BATCH_ENTRIES, sizeof *log->leaves);
    log->zeros = calloc(1, JOURNAL_BYTES);
    bool ok = track_init(&log->track) && buf_reserve(&log->batch, BATCH_BYTES) && buf_reserve(&log->note, NOTE_MAX);
    return ok && log->leaves && log->zeros ? edge_init(&log->edge, err) : err_oom(err);
}

static enum code check_options(const struct audit_options *o, struct err *err) {
    if (!note_origin_valid(o->origin)) return err_set(err, INVALID_ARGUMENT, "the audit log's origin is not a valid name");
    if (strlen(o->dir) >= sizeof((struct audit_log *)0)->dir)
        return err_set(err, INVALID_ARGUMENT, "the folder's name is too long");
    if (!o->key || key_kind(o->key) != KEY_ED25519 || !key_is_private(o->key))
        return err_set(err, INVALID_ARGUMENT, "the audit log signs with a private Ed25519 key");
    return OK;
}

enum code audit_open(const struct audit_options *o, struct audit_log **ret, struct err *err) {
    enum code rc = check_options(o, err);
    if (rc) return rc;
    DEFER(free_logp) struct audit_log *log = calloc(1, sizeof *log);
    if (!log) return err_oom(err);
    init_sync(log);
    (void)snprintf(log->dir, sizeof log->dir, "%s", o->dir);
    memcpy(log->origin, o->origin.p, o->origin.n);
    log->key = key_ref(o->key);
    log->queue_max_bytes = o->queue_max_bytes ? o->queue_max_bytes : DEFAULT_QUEUE;
    rc = init_memory(log, err);
    if (!rc) rc = audit_log_recover(log, err);
    if (rc) return rc;
    if (pthread_create(&log->thread, NULL, audit_owner, log))
        return err_set(err, RESOURCE_EXHAUSTED, "cannot start a thread");
    *ret = TAKE(log);
    return OK;
}

void audit_close(struct audit_log *log) {
    if (!log) return;
    (void)pthread_mutex_lock(&log->mutex);
    log->stop = true;
    (void)pthread_cond_signal(&log->work);
    (void)pthread_mutex_unlock(&log->mutex);
    (void)pthread_join(log->thread, NULL);
    if (log->edge.published == log->edge.tree.size && !log->edge.untidy) { /* all is in tiles, and nothing else */
        char path[sizeof log->dir + 16];
        (void)snprintf(path, sizeof path, "%s/journal", log->dir);
        if (!io_unlink(path, NULL) && io_sync_dir(log->dir, NULL)) { /* then it comes back empty: as good */
        }
    }
    free_log(log);
}

void audit_closep(struct audit_log **log) {
    audit_close(*log);
}

/* ---- queueing ---- */

static enum code check_entry(struct str entry, struct err *err) {
    if (entry.n < 2 || entry.n > AUDIT_ENTRY_MAX || entry.p[0] != '{' || entry.p[entry.n - 1] != '}')
        return err_set(err, INVALID_ARGUMENT, "an audit entry is one JSON object of at most %d bytes", AUDIT_ENTRY_MAX);
    return OK;
}

static struct node *new_node(struct str entry, struct str more, audit_done *done, void *ctx) {
    struct node *node = arena_should_fail() ? NULL : malloc(sizeof *node + entry.n + more.n);
    if (!node) return NULL;
    *node = (struct node){ .done = done, .ctx = ctx, .n = entry.n + more.n };
    memcpy(node->bytes, entry.p, entry.n);
    if (more.n) memcpy(node->bytes + entry.n, more.p, more.n);
    return node;
}

/* Takes the node, or frees it. */
static enum code enqueue(struct audit_log *log, struct node *node, struct err *err) {
    size_t bytes = sizeof *node + node->n;
    node->queued_us = clock_mono_us();
    (void)pthread_mutex_lock(&log->mutex);
    bool ok = !log->stop && bytes <= log->queue_max_bytes && log->queued_bytes <= log->queue_max_bytes - bytes;
    if (ok) {
        bool wake = node->care == AUDIT_ENFORCED ? log->n_enforced == 0
                                                 : !log->first || log->queued_bytes >= BATCH_BYTES / 2;
        *log->last = node;
        log->last = &node->next;
        log->queued_bytes += bytes;
        log->queued++;
        log->n_enforced += node->care == AUDIT_ENFORCED;
        if (wake) (void)pthread_cond_signal(&log->work);
    }
    (void)pthread_mutex_unlock(&log->mutex);
    if (ok) return OK;
    free(node);
    return err_set(err, RESOURCE_EXHAUSTED, "the audit log's queue is full");
}

enum code audit_append(struct audit_log *log, struct str entry, enum audit_care care, audit_done *done, void *ctx,
                       struct err *err) {
    enum code rc = check_entry(entry, err);
    if (rc) return rc;
    struct node *node = new_node(entry, STR(""), done, ctx);
    if (!node) return err_oom(err);
    node->care = care;
    return enqueue(log, node, err);
}

/* Names go into JSON as they are. */
static bool source_valid(struct str name) {
    if (name.n == 0 || name.n > AUDIT_SOURCE_MAX) return false;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] > '~' || strchr("\"\\<>", name.p[i])) return false;
    return true;
}

/* Under the track's mutex: numbers of one source enter the queue in order, or not at all, as the log keeps only the
 * highest. */
static enum code queue_sequenced(struct audit_log *log, struct node *node, struct str name, struct err *err) {
    struct source *source = track_source(&log->track, name);
    enum code rc = OK;
    if (!source) rc = err_set(err, RESOURCE_EXHAUSTED, "more than %d outboxes", AUDIT_MAX_SOURCES);
    else if (source->refused && node->sequence > source->refused)
        rc = err_set(err, FAILED_PRECONDITION, "number %" PRIu64 " of this outbox must come first", source->refused);
    if (rc) {
        free(node);
        return rc;
    }
    uint64_t sequence = node->sequence;
    node->source = source;
    rc = enqueue(log, node, err);
    if (rc) {
        if (sequence > source->accepted) source->refused = sequence;
        return rc;
    }
    source->refused = 0;
    if (sequence > source->accepted) source->accepted = sequence;
    return OK;
}

enum code audit_append_from_outbox(struct audit_log *log, struct str source, uint64_t sequence, struct str entry,
                                   audit_done *done, void *ctx, struct err *err) {
    enum code rc = check_entry(entry, err);
    if (rc) return rc;
    if (!source_valid(source) || sequence == 0) return err_set(err, INVALID_ARGUMENT, "not an outbox's name and number");
    char tail[AUDIT_SOURCE_MAX + 80];
    int n = snprintf(tail, sizeof tail, ",\"outbox\":{\"source\":\"%.*s\",\"sequence\":%" PRIu64 "}}", STR_ARG(source),
                     sequence);
    struct node *node = new_node(str_upto(entry, entry.n - 1), (struct str){ tail, (size_t)n }, done, ctx);
    if (!node) return err_oom(err);
    node->sequence = sequence;
    node->care = AUDIT_PROMPT; /* kept and retried */
    (void)pthread_mutex_lock(&log->track_mutex);
    rc = queue_sequenced(log, node, source, err);
    (void)pthread_mutex_unlock(&log->track_mutex);
    return rc;
}

uint64_t audit_outbox_highest(struct audit_log *log, struct str name) {
    (void)pthread_mutex_lock(&log->track_mutex);
    uint64_t highest = 0;
    for (size_t i = 0; i < log->track.n_sources; i++)
        if (str_eq_z(name, log->track.sources[i].name)) highest = log->track.sources[i].durable;
    (void)pthread_mutex_unlock(&log->track_mutex);
    return highest;
}

enum code audit_flush(struct audit_log *log, struct err *err) {
    (void)pthread_mutex_lock(&log->mutex);
    uint64_t target = log->queued, failures = log->stats.failures;
    if (target > log->flush_target) log->flush_target = target;
    (void)pthread_cond_signal(&log->work);
    while (log->flush_done < target && log->stats.failures == failures) (void)pthread_cond_wait(&log->flushed, &log->mutex);
    bool done = log->flush_done >= target;
    (void)pthread_mutex_unlock(&log->mutex);
    return done ? OK : err_set(err, UNAVAILABLE, "the audit log cannot be written");
}

void audit_stats(struct audit_log *log, struct audit_stats *ret) {
    (void)pthread_mutex_lock(&log->mutex);
    *ret = log->stats;
    ret->queued_bytes = log->queued_bytes;
    (void)pthread_mutex_unlock(&log->mutex);
}

enum code audit_checkpoint(struct audit_log *log, struct buf *out, struct err *err) {
    (void)pthread_mutex_lock(&log->mutex);
    buf_add(out, log->head, log->head_n);
    (void)pthread_mutex_unlock(&log->mutex);
    return buf_ok(out) ? OK : err_oom(err);
}
