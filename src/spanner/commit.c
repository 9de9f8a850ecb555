#include "spanner/commit.h"
#include <string.h>
#include "spanner/far.h"
#include "spanner/target.h"

struct commit_work {
    struct target target;
    struct engine_commit commit;
    struct engine_mutation *mutations;
};

/* What the engine asks of one mutation, as its rows come. */
struct mutation_source {
    struct arena *arena;
    const struct spanner_Mutation_Write *write;
    const struct spanner_KeySet *keys;
    size_t at;
};

static const struct mutation_row { /* by the number of the oneof's member */
    enum mutation_kind kind;
    int verbs[2]; /* -1 = none */
} mutation_rows[] = {
    [spanner_Mutation_operation_insert] = { MUTATION_INSERT, { VERB_INSERT, -1 } },
    [spanner_Mutation_operation_update] = { MUTATION_UPDATE, { VERB_UPDATE, -1 } },
    [spanner_Mutation_operation_insert_or_update] = { MUTATION_INSERT_OR_UPDATE, { VERB_INSERT, VERB_UPDATE } },
    [spanner_Mutation_operation_replace] = { MUTATION_REPLACE, { VERB_DELETE, VERB_INSERT } },
    [spanner_Mutation_operation_delete] = { MUTATION_DELETE, { VERB_DELETE, -1 } },
};

static const struct spanner_Mutation_Write *write_of(const struct spanner_Mutation *m) {
    if (m->insert) return m->insert;
    if (m->update) return m->update;
    return m->insert_or_update ? m->insert_or_update : m->replace;
}

/* ---- classify ---- */

/* Whose rows go with the rows of this one. */
static enum code add_cascade_atoms(struct call *call, const struct target *t, const struct sql_table *table,
                                   struct err *err) {
    const struct sql_table *const *children;
    size_t n;
    if (!sql_table_cascade(call->arena, table, &children, &n)) return err_oom(err);
    enum code rc = OK;
    for (size_t i = 0; !rc && i < n; i++)
        rc = target_atom(call, t, (struct atom){ .verb = VERB_DELETE, .object = children[i]->name }, err);
    return rc;
}

/* Names as the schema spells them; unknown ones as the caller does: who holds nothing hears only that. */
static enum code add_mutation_atoms(struct call *call, const struct target *t, const struct spanner_Mutation *m,
                                    struct err *err) {
    if (m->operation_case <= 0 || (size_t)m->operation_case >= COUNT(mutation_rows))
        return err_set(err, UNIMPLEMENTED,
                       "Mutations other than insert, update, insert_or_update, replace and delete are not supported");
    const struct mutation_row *row = &mutation_rows[m->operation_case];
    const struct spanner_Mutation_Write *write = write_of(m);
    struct str given = write ? write->table : m->delete->table;
    const struct sql_table *table = sql_catalog_find(t->catalog, given);
    struct atom atom = { .object = table ? table->name : given };
    struct str *names = ARENA_ARRAY(call->arena, struct str, write ? write->columns.n + 1 : 1);
    if (!names) return err_oom(err);
    enum code rc = !table && t->far ? far_unresolved(call, t, given, STR(""), err) : OK;
    for (size_t i = 0; !rc && write && i < write->columns.n; i++) {
        int at = table ? sql_table_find(table, write->columns.p[i]) : -1;
        if (at < 0 && table && t->far) rc = far_unresolved(call, t, given, write->columns.p[i], err);
        names[i] = at < 0 ? write->columns.p[i] : table->columns[at].name;
    }
    for (size_t i = 0; !rc && i < 2 && row->verbs[i] >= 0; i++) {
        atom.verb = (enum verb)row->verbs[i];
        bool columns = atom.verb != VERB_DELETE && write;
        atom.columns = columns ? names : NULL;
        atom.n_columns = columns ? write->columns.n : 0;
        rc = target_atom(call, t, atom, err);
        if (!rc && table && atom.verb == VERB_DELETE) rc = add_cascade_atoms(call, t, table, err);
    }
    return rc;
}

/* Kinds of mutations that were listed. Clients send a mutation a row: without this a commit of 1,000 rows asks for the same
 * 1,000 times. What is not remembered is listed again, which only costs. */
enum { SHAPES_MAX = 32 };
struct shapes {
    const struct spanner_Mutation *items[SHAPES_MAX];
    size_t n, last;
};

static bool same_shape(const struct spanner_Mutation *a, const struct spanner_Mutation *b) {
    if (a->operation_case != b->operation_case) return false;
    const struct spanner_Mutation_Write *x = write_of(a), *y = write_of(b);
    if (!x || !y) return !x && !y && str_eq(a->delete->table, b->delete->table);
    if (x->columns.n != y->columns.n || !str_eq(x->table, y->table)) return false;
    for (size_t i = 0; i < x->columns.n; i++)
        if (!str_eq(x->columns.p[i], y->columns.p[i])) return false;
    return true;
}

/* Nearly always it is as the one before. */
static bool shape_is_listed(struct shapes *s, const struct spanner_Mutation *m) {
    if (s->n && same_shape(s->items[s->last], m)) return true;
    for (size_t i = 0; i < s->n; i++) {
        if (!same_shape(s->items[i], m)) continue;
        s->last = i;
        return true;
    }
    return false;
}

/* The decision is of the set of atoms: each is decided by itself, the first that a deny meets or that lacks an allow is the
 * answer, and of equal ones that is the first, which stays. Keys and values are in no atom. */
static enum code add_commit_atoms(struct call *call, const struct target *t, const struct spanner_CommitRequest *q,
                                  struct err *err) {
    struct shapes shapes = { .n = 0 };
    enum code rc = OK;
    for (size_t i = 0; !rc && i < q->mutations.n; i++) {
        const struct spanner_Mutation *m = &q->mutations.p[i];
        if (shape_is_listed(&shapes, m)) continue;
        rc = add_mutation_atoms(call, t, m, err);
        if (shapes.n == SHAPES_MAX) continue;
        shapes.last = shapes.n;
        shapes.items[shapes.n++] = m;
    }
    return rc;
}

enum code classify_commit(struct call *call, struct err *err) {
    const struct spanner_CommitRequest *q = call->request;
    struct commit_work *w = ARENA_NEW(call->arena, struct commit_work);
    if (!w) return err_oom(err);
    call->prepared = w;
    enum code rc = target_session(call, q->session, &w->target, err);
    if (!rc && q->mutations.n) rc = target_schema(call, &w->target, err);
    if (!rc) rc = add_commit_atoms(call, &w->target, q, err);
    if (!rc && q->mutations.n == 0) rc = target_atom(call, &w->target, (struct atom){ .verb = VERB_USE }, err);
    return rc;
}

static enum code classify_use(struct call *call, struct str session, struct err *err) {
    struct target *t = ARENA_NEW(call->arena, struct target);
    if (!t) return err_oom(err);
    call->prepared = t;
    enum code rc = target_session(call, session, t, err);
    return rc ? rc : target_atom(call, t, (struct atom){ .verb = VERB_USE }, err);
}

/* The mutation key is one of those that Commit will bring: it is decided as what it is, for an upstream sees its values. */
enum code classify_begin(struct call *call, struct err *err) {
    const struct spanner_BeginTransactionRequest *q = call->request;
    enum code rc = classify_use(call, q->session, err);
    struct target *t = call->prepared;
    if (!rc && q->mutation_key) rc = target_schema(call, t, err);
    return rc || !q->mutation_key ? rc : add_mutation_atoms(call, t, q->mutation_key, err);
}

enum code classify_rollback(struct call *call, struct err *err) {
    return classify_use(call, ((const struct spanner_RollbackRequest *)call->request)->session, err);
}

const struct target *commit_target(const struct call *call) {
    const struct commit_work *w = call->prepared;
    return &w->target;
}

/* ---- begin, rollback ---- */

void handle_begin(struct call *call) {
    const struct spanner_BeginTransactionRequest *q = call->request;
    struct when when;
    struct err err = { 0 };
    enum code rc = when_begin(call, call->prepared, q->options, &when, &err);
    if (!rc) {
        struct pb_Timestamp timestamp = convert_timestamp(when.engine.timestamp_us);
        struct spanner_MultiplexedSessionPrecommitToken token = { .precommit_token = when.id, .seq_num = 1 };
        struct spanner_Transaction transaction = { .id = when.id };
        if (when.return_timestamp) transaction.read_timestamp = &timestamp;
        if (when.read_write && q->mutation_key) transaction.precommit_token = &token;
        if (!call_write_message(call, &transaction)) rc = err_set(&err, CANCELLED, "The client went away");
    }
    spanner_end(call, rc, &err);
}

void handle_rollback(struct call *call) {
    const struct spanner_RollbackRequest *q = call->request;
    const struct target *t = call->prepared;
    uint8_t id[ENGINE_TXN_ID_BYTES];
    struct err err = { 0 };
    struct pb_Empty empty = { 0 };
    enum code rc = when_write_id(q->transaction_id, id, &err);
    if (!rc) rc = engine_txn_rollback(t->db, t->owner, id, &err);
    if (!rc && !call_write_message(call, &empty)) rc = err_set(&err, CANCELLED, "The client went away");
    spanner_end(call, rc, &err);
}

/* ---- commit (the callbacks run on the writer thread) ---- */

static enum code next_row(void *ctx, const struct sql_column *const *columns, size_t n, struct sql_value *ret,
                          struct err *err) {
    struct mutation_source *s = ctx;
    const struct pb_ListValue *row = &s->write->values.p[s->at++];
    if (row->values.n != n)
        return err_set(err, INVALID_ARGUMENT, "Mutation of table %.*s: %zu columns are named, a row has %zu values",
                       STR_ARG(s->write->table), n, row->values.n);
    for (size_t i = 0; i < n; i++) {
        enum code rc = convert_value(&row->values.p[i], columns[i]->type, s->arena, &ret[i], err);
        if (rc)
            return err_wrap(err, "Invalid value for column %.*s in table %.*s", STR_ARG(columns[i]->name),
                            STR_ARG(s->write->table));
    }
    return OK;
}

static enum code fill_keys(void *ctx, const struct sql_table *table, struct key_set *set, struct err *err) {
    struct mutation_source *s = ctx;
    (void)table;
    return convert_key_set(s->keys, s->arena, set, err);
}

static enum code make_mutations(struct call *call, struct commit_work *w, const struct spanner_CommitRequest *q,
                                struct err *err) {
    struct mutation_source *sources = ARENA_ARRAY(call->arena, struct mutation_source, q->mutations.n + 1);
    w->mutations = ARENA_ARRAY(call->arena, struct engine_mutation, q->mutations.n + 1);
    if (!sources || !w->mutations) return err_oom(err);
    for (size_t i = 0; i < q->mutations.n; i++) {
        const struct spanner_Mutation *m = &q->mutations.p[i];
        const struct spanner_Mutation_Write *write = write_of(m);
        sources[i] =
            (struct mutation_source){ .arena = call->arena, .write = write, .keys = write ? NULL : m->delete->key_set };
        w->mutations[i] = (struct engine_mutation){ .kind = mutation_rows[m->operation_case].kind, .ctx = &sources[i] };
        w->mutations[i].table = write ? write->table : m->delete->table;
        if (!write) w->mutations[i].keys = fill_keys;
        else {
            w->mutations[i].columns = write->columns.p;
            w->mutations[i].n_columns = write->columns.n;
            w->mutations[i].n_rows = write->values.n;
            w->mutations[i].row = next_row;
        }
    }
    return OK;
}

static enum code write_entry(void *ctx, int64_t commit_us, uint64_t mutations, struct buf *out, struct err *err) {
    struct call *call = ctx;
    call->outcome.mutations = mutations;
    return call_outbox_entry(call, OK, commit_us, out, err);
}

static void commit_done(struct engine_commit *commit) {
    struct call *call = commit->ctx;
    const struct spanner_CommitRequest *q = call->request;
    if (commit->job.code) {
        call->outcome.mutations = commit->ret_mutation_count;
        spanner_end(call, commit->job.code, &commit->job.err);
        return;
    }
    if (!commit->ret_again) call_recorded(call); /* with the rows, in one transaction */
    struct pb_Timestamp timestamp = convert_timestamp(commit->ret_timestamp_us);
    struct spanner_CommitResponse_CommitStats stats = { .mutation_count = (int64_t)commit->ret_mutation_count };
    struct spanner_CommitResponse response = { .commit_timestamp = &timestamp,
                                               .commit_stats = q->return_commit_stats ? &stats : NULL };
    if (call_write_message(call, &response)) call_end_ok(call);
    else call_end(call, CANCELLED, NULL);
}

static enum code choose_transaction(struct commit_work *w, const struct spanner_CommitRequest *q, struct err *err) {
    if (q->transaction_id.n) {
        w->commit.has_txn = true;
        return when_write_id(q->transaction_id, w->commit.txn, err);
    }
    const struct spanner_TransactionOptions *o = q->single_use_transaction;
    if (!o) return err_set(err, INVALID_ARGUMENT, "Invalid commit request: the transaction is missing");
    if (o->mode_case && !o->read_write)
        return err_set(err, FAILED_PRECONDITION, "Cannot commit a read-only or partitioned DML transaction");
    return OK;
}

void handle_commit(struct call *call) {
    const struct spanner_CommitRequest *q = call->request;
    struct commit_work *w = call->prepared;
    struct err err = { 0 };
    enum code rc = choose_transaction(w, q, &err);
    if (!rc) rc = make_mutations(call, w, q, &err);
    w->commit.mutations = w->mutations;
    w->commit.n = q->mutations.n;
    w->commit.bytes = call->http.body.n;
    w->commit.owner = w->target.owner;
    w->commit.entry = write_entry;
    w->commit.done = commit_done;
    w->commit.ctx = call;
    if (!rc) rc = engine_post_commit(w->target.db, &w->commit, &err);
    if (rc) spanner_end(call, rc, &err);
}
