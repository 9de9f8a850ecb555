/* One commit: validate, apply the mutations under a savepoint, leave the old versions in the history, add the audit entry.
 */
#include <inttypes.h>
#include "base/clock.h"
#include "engine/apply.h"
#include "engine/db.h"

enum { ENTRY_MAX_BYTES = 1 << 20 };

static enum code too_many(uint64_t count, struct err *err) {
    return err_set(
        err, INVALID_ARGUMENT,
        "The transaction contains too many mutations. It has %" PRIu64
        "; the limit is %d. Insert and update operations count "
        "with the multiplicity of the number of columns they affect. Please reduce the number of writes, or use fewer "
        "columns.",
        count, ENGINE_MAX_MUTATIONS);
}

/* The writes are known before the first is applied; what is deleted is counted on the way. */
static enum code count_writes(struct engine_commit *commit, struct err *err) {
    uint64_t count = 0;
    for (size_t i = 0; i < commit->n; i++)
        if (commit->mutations[i].kind != MUTATION_DELETE)
            count += commit->mutations[i].n_rows * commit->mutations[i].n_columns;
    commit->ret_mutation_count = count;
    return count > ENGINE_MAX_MUTATIONS ? too_many(count, err) : OK;
}

static enum code add_entry(struct engine_db *db, struct engine_commit *commit, int64_t commit_us, struct err *err) {
    if (!commit->entry) return OK;
    DEFER(buf_free) struct buf b = BUF_INIT(ENTRY_MAX_BYTES);
    enum code rc = commit->entry(commit->ctx, commit_us, commit->ret_mutation_count, &b, err);
    if (rc) return rc;
    if (!buf_ok(&b)) return err_set(err, RESOURCE_EXHAUSTED, "the audit entry of a commit is too large");
    struct str copy = str_dup(db->scratch, buf_str(&b));
    if (!copy.p || !arena_grow(db->scratch, &db->entries, &db->entries_cap, db->n_entries + 1, sizeof *db->entries))
        return err_oom(err);
    rc = outbox_add(db, commit_us, copy, err);
    if (!rc) db->entries[db->n_entries++] = (struct batch_entry){ commit_us, copy };
    return rc;
}

static enum code apply_all(struct engine_db *db, struct engine_commit *commit, int64_t commit_us, struct write_set *writes,
                           struct err *err) {
    struct apply a = { .db = db, .commit_us = commit_us, .writes = writes, .count = commit->ret_mutation_count };
    enum code rc = OK;
    for (size_t i = 0; i < commit->n && !rc; i++) {
        rc = apply_mutation(&a, &commit->mutations[i], err);
        commit->ret_mutation_count = a.count;
        if (!rc && a.count > ENGINE_MAX_MUTATIONS) rc = too_many(a.count, err);
    }
    if (!rc && txn_gate_hit(db, commit, writes))
        rc = err_set(err, ABORTED, "Transaction was aborted: one that lost repeatedly goes first. Retry.");
    return rc ? rc : add_entry(db, commit, commit_us, err);
}

static bool in_batch(const struct engine_db *db) {
    return !sqlite3_get_autocommit(store_sqlite(db->store));
}

/* Ends the savepoint. When even that fails the whole batch is taken back, which the writer sees. */
static enum code end_savepoint(struct engine_db *db, enum code outcome, struct err *err) {
    if (!in_batch(db)) return outcome ? outcome : err_set(err, INTERNAL, "the batch was lost");
    if (outcome == OK) return store_exec_kept(db->store, STR("RELEASE one"), err);
    if (store_exec_kept(db->store, STR("ROLLBACK TO one"), NULL) == OK &&
        store_exec_kept(db->store, STR("RELEASE one"), NULL) == OK)
        return outcome;
    return store_exec(db->store, "ROLLBACK", NULL) == OK ? outcome
                                                         : err_set(err, INTERNAL, "a commit could not be taken back");
}

static enum code apply_in_savepoint(struct engine_db *db, struct engine_commit *commit, int64_t commit_us,
                                    struct err *err) {
    struct write_set writes = { .arena = db->scratch };
    size_t n_entries = db->n_entries;
    enum code rc = store_exec_kept(db->store, STR("SAVEPOINT one"), err);
    if (rc) return rc;
    rc = end_savepoint(db, apply_all(db, commit, commit_us, &writes, err), err);
    if (rc) db->n_entries = n_entries;
    else ring_add(db->ring, commit_us, &writes);
    return rc;
}

enum code commit_apply(struct engine_db *db, struct engine_commit *commit, int64_t commit_us, struct err *err) {
    commit->ret_again = false;
    enum code rc = count_writes(commit, err);
    if (!rc && commit->has_txn) rc = txn_validate(db, commit, &commit->ret_again, err);
    if (commit->ret_again) return rc;
    if (!rc) rc = apply_in_savepoint(db, commit, commit_us, err);
    commit->ret_timestamp_us = rc ? 0 : commit_us;
    if (commit->has_txn) txn_finish(db, commit, rc);
    return rc;
}
