#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "audit/io.h"
#include "audit/log_priv.h"
#include "base/clock.h"

/* Prompt entries wait a little for company; publication costs some ten syncs, so it comes at most ten times a second: the
 * journal signs every batch, so that nothing durable is unsigned meanwhile. */
enum { GATHER_US = 20000, PUBLISH_US = 80000, RETRY_US = 50000 };

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* When the owner must act next; 0 = now; UINT64_MAX = when woken. Under the mutex. */
static uint64_t next_deadline(const struct audit_log *log) {
    if (log->stop || log->flush_target > log->flush_done || log->n_enforced) return 0;
    if (log->failing) return log->retry_at_us;
    uint64_t at = UINT64_MAX;
    if (log->first) at = log->queued_bytes >= BATCH_BYTES / 2 ? 0 : log->first->queued_us + GATHER_US;
    if (log->edge.tree.size > log->edge.published) at = earlier(at, log->publish_at_us);
    return at;
}

static void wait_until(struct audit_log *log, uint64_t mono_us) {
    struct timespec ts = { .tv_sec = (time_t)(mono_us / 1000000), .tv_nsec = (long)(mono_us % 1000000 * 1000) };
    if (mono_us == UINT64_MAX) (void)pthread_cond_wait(&log->work, &log->mutex);
    else (void)pthread_cond_timedwait(&log->work, &log->mutex, &ts);
}

/* Takes from the queue's head what fits into one batch. Under the mutex. */
static struct node *take_nodes(struct audit_log *log) {
    struct node *first = log->first, **link = &log->first;
    size_t bytes = BATCH_HEADER + NOTE_MAX + AUDIT_ENTRY_MAX; /* with room for a state */
    for (unsigned count = 1; *link && count < BATCH_ENTRIES && bytes + (*link)->n + 2 <= BATCH_BYTES; count++) {
        bytes += (*link)->n + 2;
        if ((*link)->care == AUDIT_ENFORCED) log->n_enforced--;
        link = &(*link)->next;
    }
    if (link == &log->first) return NULL;
    log->first = *link;
    *link = NULL;
    if (!log->first) log->last = &log->first;
    return first;
}

static void add_entry(struct audit_log *log, struct str entry, struct tree *tree, uint32_t *count) {
    entry_put(&log->batch, entry);
    log->leaves[*count] = tree_leaf(entry);
    tree_push(tree, &log->leaves[(*count)++]);
}

static void add_state(struct audit_log *log, struct tree *tree, uint32_t *count) {
    char when[CLOCK_RFC3339_MAX];
    DEFER(buf_free) struct buf text = BUF_INIT(AUDIT_ENTRY_MAX);
    size_t n = clock_rfc3339(clock_wall_us(), when);
    buf_printf(&text,
               "{\"insertId\":\"state-%llu\",\"timestamp\":\"%.*s\",\"kind\":\"system\",\"protoPayload\":{\"methodName\":"
               "\"linkspan.audit.State\"},\"state\":",
               (unsigned long long)tree->size, (int)n, when);
    (void)pthread_mutex_lock(&log->track_mutex);
    track_state(&log->track, tree->size, &text);
    (void)pthread_mutex_unlock(&log->track_mutex);
    buf_add_char(&text, '}');
    if (buf_ok(&text)) add_entry(log, buf_str(&text), tree, count); /* no memory: another time */
}

static bool is_duplicate(struct node *node) {
    if (!node->source) return false;
    if (node->sequence <= node->source->built) return true;
    node->source->built = node->sequence;
    return false;
}

/* Entries, then the head that signs them. */
static enum code build(struct audit_log *log, struct node *nodes, struct tree *tree, uint32_t *ret_count, struct err *err) {
    uint32_t count = 0;
    batch_begin(&log->batch);
    for (struct node *node = nodes; node; node = node->next) {
        node->index = AUDIT_NO_INDEX;
        if (is_duplicate(node)) continue;
        node->index = tree->size;
        add_entry(log, (struct str){ node->bytes, node->n }, tree, &count);
    }
    if (tree->size >= log->track.next_state) add_state(log, tree, &count);
    *ret_count = count;
    if (!count) return OK;
    struct tree_hash root = tree_root(tree);
    buf_clear(&log->note);
    enum code rc = note_sign(str_z(log->origin), tree->size, &root, clock_wall_us(), log->key, &log->note, err);
    if (rc) return rc;
    return batch_end(&log->batch, log->edge.tree.size, count, buf_str(&log->note)) ? OK : err_oom(err);
}

/* The batch at the journal's end, zeros over what an earlier try left behind it, one sync. */
static enum code write_journal(struct audit_log *log, struct err *err) {
    size_t end = log->journal_used + log->batch.n, dirty = log->journal_dirty;
    if (end > log->journal_dirty) log->journal_dirty = end;
    enum code rc = io_write_at(log->journal_fd, buf_str(&log->batch), log->journal_used, err);
    if (!rc && dirty > end) rc = io_write_at(log->journal_fd, (struct str){ log->zeros, dirty - end }, end, err);
    if (!rc) rc = io_sync(log->journal_fd, err);
    if (rc) return rc;
    log->journal_used = end;
    log->journal_dirty = end;
    return OK;
}

static void set_head(struct audit_log *log) {
    (void)pthread_mutex_lock(&log->mutex);
    memcpy(log->head, log->note.p, log->note.n);
    log->head_n = log->note.n;
    log->stats.size = log->edge.tree.size;
    log->stats.batches++;
    (void)pthread_mutex_unlock(&log->mutex);
}

static void learn(struct audit_log *log, struct str entries, uint64_t index) {
    struct str entry;
    (void)pthread_mutex_lock(&log->track_mutex);
    while (entry_next(&entries, &entry)) track_add(&log->track, index++, entry);
    if (index > log->track.next_state) log->track.next_state = index + STATE_EVERY;
    (void)pthread_mutex_unlock(&log->track_mutex);
}

static enum code commit(struct audit_log *log, struct node *nodes, struct err *err) {
    struct tree tree = log->edge.tree;
    uint32_t count = 0;
    enum code rc = build(log, nodes, &tree, &count, err);
    if (rc || !count) return rc;
    if (!edge_has_room(&log->edge, count) || log->journal_used + log->batch.n > JOURNAL_BYTES) {
        rc = audit_log_publish(log, err); /* under the head that is durable, not the one in hand */
        if (rc) return rc;
    }
    struct str entries = { log->batch.p + BATCH_HEADER, log->batch.n - BATCH_HEADER - log->note.n };
    if (!edge_reserve(&log->edge, entries.n)) return err_oom(err);
    rc = write_journal(log, err);
    if (rc) return rc;
    if (log->edge.tree.size == log->edge.published) log->publish_at_us = clock_mono_us() + PUBLISH_US;
    uint64_t first = log->edge.tree.size;
    edge_add(&log->edge, entries, log->leaves, &tree);
    set_head(log);
    learn(log, entries, first);
    return OK;
}

enum code audit_log_publish(struct audit_log *log, struct err *err) {
    (void)pthread_mutex_lock(&log->mutex);
    char head[NOTE_MAX];
    size_t n = log->head_n;
    memcpy(head, log->head, n);
    (void)pthread_mutex_unlock(&log->mutex);
    enum code rc = edge_publish(&log->edge, log->dir, (struct str){ head, n }, err);
    if (rc) return rc;
    log->journal_used = 0;
    struct str zeros = { log->zeros, log->journal_dirty };
    if (log->journal_fd >= 0 && !io_write_at(log->journal_fd, zeros, 0, NULL)) log->journal_dirty = 0;
    (void)pthread_mutex_lock(&log->mutex);
    log->stats.published = log->edge.published;
    (void)pthread_mutex_unlock(&log->mutex);
    return OK;
}

static void finish(struct audit_log *log, struct node *node, enum code code) {
    if (node->done) node->done(node->ctx, code, code ? AUDIT_NO_INDEX : node->index);
    (void)pthread_mutex_lock(&log->mutex);
    log->queued_bytes -= sizeof *node + node->n;
    log->finished++;
    (void)pthread_mutex_unlock(&log->mutex);
    free(node);
}

static void finish_all(struct audit_log *log, struct node *nodes, enum code code) {
    while (nodes) {
        struct node *next = nodes->next;
        finish(log, nodes, code);
        nodes = next;
    }
}

/* After a failure: enforced entries are told, the others go back to the queue's head in their order. */
static void put_back(struct audit_log *log, struct node *nodes) {
    struct node *kept = NULL, **last = &kept;
    while (nodes) {
        struct node *node = nodes;
        nodes = node->next;
        node->next = NULL;
        if (node->care == AUDIT_ENFORCED) {
            finish(log, node, UNAVAILABLE);
            continue;
        }
        if (node->source) node->source->built = node->source->durable;
        *last = node;
        last = &node->next;
    }
    if (!kept) return;
    (void)pthread_mutex_lock(&log->mutex);
    if (!log->first) log->last = last;
    *last = log->first;
    log->first = kept;
    (void)pthread_mutex_unlock(&log->mutex);
}

/* One round: a batch, then publication when it is due. Without the mutex. */
static enum code work(struct audit_log *log, struct node *nodes, bool publish_now) {
    struct err err = { 0 };
    bool state = log->edge.tree.size >= log->track.next_state;
    enum code rc = nodes || state ? commit(log, nodes, &err) : OK;
    if (rc) put_back(log, nodes);
    else finish_all(log, nodes, OK);
    bool dirty = log->edge.tree.size > log->edge.published;
    if (!rc && dirty && (publish_now || clock_mono_us() >= log->publish_at_us)) rc = audit_log_publish(log, &err);
    return rc;
}

/* After a round: whom it lets go on. Under the mutex, and in one go: who asks for a flush meanwhile must not be forgotten.
 * True: the thread may end. */
static bool settle(struct audit_log *log, enum code rc) {
    bool clean = log->edge.tree.size == log->edge.published;
    log->failing = log->stats.failing = rc != OK;
    if (rc) {
        log->retry_at_us = log->publish_at_us = clock_mono_us() + RETRY_US;
        log->stats.failures++;
        log->flush_target = log->flush_done; /* who waits sees `failures` */
        (void)pthread_cond_broadcast(&log->flushed);
    } else if (log->flush_target > log->flush_done && clean && log->finished >= log->flush_target) {
        log->flush_done = log->flush_target;
        (void)pthread_cond_broadcast(&log->flushed);
    }
    return log->stop && (rc || (!log->first && clean));
}

void *audit_owner(void *arg) {
    struct audit_log *log = arg;
    (void)pthread_mutex_lock(&log->mutex);
    for (bool end = false; !end;) {
        for (uint64_t at = next_deadline(log); at > clock_mono_us(); at = next_deadline(log)) wait_until(log, at);
        struct node *nodes = take_nodes(log);
        bool publish_now = (log->stop || log->flush_target > log->flush_done) && !log->first;
        publish_now |= log->flush_target > log->flush_done && log->finished >= log->flush_target;
        if (log->stop && !log->first && log->edge.tree.size + STATE_EVERY > log->track.next_state + STATE_EVERY / 16)
            log->track.next_state = log->track.next_state < log->edge.tree.size ? log->track.next_state
                                                                                : log->edge.tree.size;
        (void)pthread_mutex_unlock(&log->mutex);
        enum code rc = work(log, nodes, publish_now);
        (void)pthread_mutex_lock(&log->mutex);
        end = settle(log, rc);
    }
    struct node *rest = log->first;
    log->first = NULL;
    log->last = &log->first;
    (void)pthread_mutex_unlock(&log->mutex);
    finish_all(log, rest, UNAVAILABLE);
    return NULL;
}
