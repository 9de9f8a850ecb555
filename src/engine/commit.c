/* One commit: validate, apply the mutations under a savepoint, leave the old versions in the history, add the audit entry.
 */
#include "base/clock.h"
#include "engine/apply.h"
#include "engine/db.h"

enum { ENTRY_MAX_BYTES = 1 << 20 };

/* The writes are known before the first is applied; what is deleted is counted on the way. */
static enum code count_writes(struct engine_commit *commit, struct commit_cost *cost, struct err *err) {
    for (size_t i = 0; i < commit->n; i++) {
        const struct engine_mutation *m = &commit->mutations[i];
        if (m->kind != MUTATION_DELETE) commit_cost_add(cost, m->table, m->n_rows, m->n_columns, m->n_columns);
    }
    commit->ret_mutation_count = cost->mutations;
    return commit_cost_check(cost, err);
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

static enum code apply_all(struct apply *a, struct engine_commit *commit, struct err *err) {
    struct engine_db *db = a->db;
    enum code rc = OK;
    for (size_t i = 0; i < commit->n && !rc; i++) {
        rc = apply_mutation(a, &commit->mutations[i], err);
        commit->ret_mutation_count = a->cost->mutations;
    }
    if (!rc && txn_gate_hit(db, commit, a->writes))
        rc = err_set(err, ABORTED, "Transaction was aborted: one that lost repeatedly goes first. Retry.");
    return rc ? rc : add_entry(db, commit, a->commit_us, err);
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
                                    struct commit_cost *cost, struct err *err) {
    struct write_set writes = { .arena = db->scratch };
    struct apply a = { .db = db, .commit_us = commit_us, .writes = &writes, .cost = cost };
    size_t n_entries = db->n_entries;
    enum code rc = store_exec_kept(db->store, STR("SAVEPOINT one"), err);
    if (rc) return rc;
    rc = end_savepoint(db, apply_all(&a, commit, err), err);
    if (rc) db->n_entries = n_entries;
    else ring_add(db->ring, commit_us, &writes);
    return rc;
}

enum code commit_apply(struct engine_db *db, struct engine_commit *commit, int64_t commit_us, struct err *err) {
    struct commit_cost cost = { 0 };
    commit->ret_again = false;
    enum code rc = count_writes(commit, &cost, err);
    if (!rc && commit->has_txn) rc = txn_validate(db, commit, &commit->ret_again, err);
    if (commit->ret_again) return rc;
    if (!rc) rc = apply_in_savepoint(db, commit, commit_us, &cost, err);
    commit->ret_timestamp_us = rc ? 0 : commit_us;
    if (commit->has_txn) txn_finish(db, commit, rc);
    return rc;
}
