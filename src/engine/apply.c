#include "engine/apply.h"

#include <string.h>

/* Places of parameters in every statement of this file. Cells follow at P_CELL. */
enum { P_KEY = 1, P_TS = 2, P_HIGH = 3, P_CELL = 4 };
enum { SQL_MAX_BYTES = 256 << 10 };

/* One mutation at work. */
struct write {
    struct apply *a;
    const struct engine_mutation *m;
    const struct engine_table *t;
    const struct sql_column **columns;          /* of the cells */
    int part_cell[SQL_MAX_KEY_PARTS];           /* which cell holds each part of the key */
    sqlite3_stmt *insert, *update, *keep, *del; /* those that the kind needs */
    struct sql_value *cells;
    struct buf key;
};

static enum code statement(struct engine_db *db, struct buf *sql, sqlite3_stmt **ret, struct err *err) {
    return buf_ok(sql) ? store_prepare(db->store, buf_str(sql), ret, err) : err_oom(err);
}

static void put_columns(const struct sql_table *t, struct buf *out) {
    for (uint16_t i = 0; i < t->n_columns; i++) buf_add_numbered(out, ", c", t->columns[i].id);
}

static const char *where(bool point) {
    return point ? " WHERE key = ?1" : " WHERE key >= ?1 AND key < ?3";
}

/* Copies the versions that end now into the history; a version of this same commit never was visible. */
static enum code prepare_keep(struct engine_db *db, const struct sql_table *t, bool point, sqlite3_stmt **ret,
                              struct err *err) {
    DEFER(buf_free) struct buf sql = BUF_INIT(SQL_MAX_BYTES);
    buf_add_numbered(&sql, "INSERT INTO h", t->id);
    buf_add_z(&sql, "(key, until, ts");
    put_columns(t, &sql);
    buf_add_z(&sql, ") SELECT key, ?2, ts");
    put_columns(t, &sql);
    buf_add_numbered(&sql, " FROM t", t->id);
    buf_add_z(&sql, where(point));
    buf_add_z(&sql, " AND ts < ?2");
    return statement(db, &sql, ret, err);
}

static enum code prepare_delete(struct engine_db *db, const struct sql_table *t, bool point, sqlite3_stmt **ret,
                                struct err *err) {
    DEFER(buf_free) struct buf sql = BUF_INIT(256);
    buf_add_numbered(&sql, "DELETE FROM t", t->id);
    buf_add_z(&sql, where(point));
    return statement(db, &sql, ret, err);
}

static enum code prepare_insert(struct write *w, struct err *err) {
    DEFER(buf_free) struct buf sql = BUF_INIT(SQL_MAX_BYTES);
    buf_add_numbered(&sql, "INSERT INTO t", w->t->sql.id);
    buf_add_z(&sql, "(key, ts");
    for (size_t i = 0; i < w->m->n_columns; i++) buf_add_numbered(&sql, ", c", w->columns[i]->id);
    buf_add_z(&sql, ") VALUES(?1, ?2");
    for (size_t i = 0; i < w->m->n_columns; i++) buf_add_numbered(&sql, ", ?", i + P_CELL);
    buf_add_z(&sql, ") ON CONFLICT(key) DO NOTHING");
    return statement(w->a->db, &sql, &w->insert, err);
}

static enum code prepare_update(struct write *w, struct err *err) {
    DEFER(buf_free) struct buf sql = BUF_INIT(SQL_MAX_BYTES);
    buf_add_numbered(&sql, "UPDATE t", w->t->sql.id);
    buf_add_z(&sql, " SET ts = ?2");
    for (size_t i = 0; i < w->m->n_columns; i++) {
        buf_add_numbered(&sql, ", c", w->columns[i]->id);
        buf_add_numbered(&sql, " = ?", i + P_CELL);
    }
    buf_add_z(&sql, " WHERE key = ?1");
    return statement(w->a->db, &sql, &w->update, err);
}

/* --- running --------------------------------------------------------------------------------------------------------- */

static int bind_bytes(sqlite3_stmt *stmt, int index, struct str s) {
    return sqlite3_bind_blob64(stmt, index, s.n ? s.p : "", s.n, SQLITE_STATIC);
}

static enum code run(struct apply *a, sqlite3_stmt *stmt, struct str lo, struct str hi, int64_t *ret_changes,
                     struct err *err) {
    int rc = bind_bytes(stmt, P_KEY, lo);
    int n = sqlite3_bind_parameter_count(stmt);
    if (rc == SQLITE_OK && n >= P_TS) rc = sqlite3_bind_int64(stmt, P_TS, a->commit_us);
    if (rc == SQLITE_OK && n == P_HIGH) rc = bind_bytes(stmt, P_HIGH, hi);
    sqlite3 *sqlite = store_sqlite(a->db->store);
    if (rc != SQLITE_OK) return store_error(sqlite, rc, err);
    rc = sqlite3_step(stmt);
    *ret_changes = sqlite3_changes64(sqlite);
    enum code code = rc == SQLITE_DONE ? OK : store_error(sqlite, rc, err);
    sqlite3_reset(stmt); /* the bindings are all set anew next time */
    return code;
}

static enum code run_cells(struct write *w, sqlite3_stmt *stmt, int64_t *ret_changes, struct err *err) {
    for (size_t i = 0; i < w->m->n_columns; i++) {
        int rc = value_bind(stmt, (int)i + P_CELL, &w->cells[i]);
        if (rc != SQLITE_OK) return store_error(store_sqlite(w->a->db->store), rc, err);
    }
    return run(w->a, stmt, buf_str(&w->key), (struct str){ 0 }, ret_changes, err);
}

static enum code insert_row(struct write *w, int64_t *ret_inserted, struct err *err) {
    return run_cells(w, w->insert, ret_inserted, err);
}

static enum code update_row(struct write *w, int64_t *ret_updated, struct err *err) {
    int64_t kept = 0;
    enum code rc = run(w->a, w->keep, buf_str(&w->key), (struct str){ 0 }, &kept, err);
    return rc ? rc : run_cells(w, w->update, ret_updated, err);
}

static enum code replace_row(struct write *w, struct err *err) {
    int64_t changes = 0;
    enum code rc = run(w->a, w->keep, buf_str(&w->key), (struct str){ 0 }, &changes, err);
    if (!rc) rc = run(w->a, w->del, buf_str(&w->key), (struct str){ 0 }, &changes, err);
    return rc ? rc : insert_row(w, &changes, err);
}

/* Row values stay out of messages: the place in the mutation tells which row it was. */
static enum code write_row(struct write *w, size_t row, struct err *err) {
    struct str table = w->t->sql.name;
    int64_t changes = 0;
    enum code rc = OK;
    switch (w->m->kind) {
    case MUTATION_INSERT:
        rc = insert_row(w, &changes, err);
        if (!rc && !changes)
            rc = err_set(err, ALREADY_EXISTS, "Row %zu of the mutation already exists in table %.*s.", row, STR_ARG(table));
        break;
    case MUTATION_UPDATE:
        rc = update_row(w, &changes, err);
        if (!rc && !changes)
            rc = err_set(err, NOT_FOUND, "Row %zu of the mutation was not found in table %.*s.", row, STR_ARG(table));
        break;
    case MUTATION_INSERT_OR_UPDATE:
        rc = insert_row(w, &changes, err);
        if (!rc && !changes) rc = update_row(w, &changes, err);
        break;
    case MUTATION_REPLACE: rc = replace_row(w, err); break;
    case MUTATION_DELETE: break;
    }
    if (!rc && !write_set_add(w->a->writes, w->t->sql.id, buf_str(&w->key), (struct str){ 0 })) rc = err_oom(err);
    return rc;
}

static enum code take_cells(struct write *w, struct err *err) {
    enum code rc = w->m->row(w->m->ctx, w->columns, w->m->n_columns, w->cells, err);
    for (size_t i = 0; i < w->m->n_columns && !rc; i++) {
        struct sql_value *v = &w->cells[i];
        rc = value_check(w->t->sql.name, w->columns[i], v, err);
        if (!rc && v->is_commit_timestamp && !v->is_null) *v = value_timestamp_us(w->a->commit_us);
        w->a->bytes += !v->is_null && (v->type == SQL_STRING || v->type == SQL_BYTES) ? v->s.n : 8;
    }
    return rc ? rc : commit_cost_check_bytes(w->a->bytes, err);
}

static enum code make_key(struct write *w, struct err *err) {
    struct sql_value parts[SQL_MAX_KEY_PARTS];
    for (uint16_t i = 0; i < w->t->sql.n_key; i++) parts[i] = w->cells[w->part_cell[i]];
    buf_clear(&w->key);
    return key_encode(&w->t->sql, parts, w->t->sql.n_key, &w->key, err);
}

/* --- which columns --------------------------------------------------------------------------------------------------- */

static int cell_of(const struct write *w, const struct sql_column *c) {
    for (size_t i = 0; i < w->m->n_columns; i++)
        if (w->columns[i] == c) return (int)i;
    return -1;
}

static enum code find_columns(struct write *w, struct err *err) {
    const struct sql_table *t = &w->t->sql;
    if (w->m->n_columns > t->n_columns) /* some name comes twice, or is unknown */
        return err_set(err, INVALID_ARGUMENT, "The mutation names more columns than table %.*s has.", STR_ARG(t->name));
    for (size_t i = 0; i < w->m->n_columns; i++) {
        struct str name = w->m->columns[i];
        int at = sql_table_find(t, name);
        if (at < 0)
            return err_set(err, NOT_FOUND, "Column not found in table %.*s: %.*s", STR_ARG(t->name),
                           STR_ARG(str_upto(name, 200)));
        w->columns[i] = &t->columns[at];
        if (cell_of(w, w->columns[i]) != (int)i)
            return err_set(err, INVALID_ARGUMENT, "Column %.*s is given more than once.", STR_ARG(t->columns[at].name));
    }
    return OK;
}

static enum code check_columns(struct write *w, struct err *err) {
    const struct sql_table *t = &w->t->sql;
    for (uint16_t i = 0; i < t->n_key; i++) {
        const struct sql_column *c = &t->columns[t->key[i].column];
        w->part_cell[i] = cell_of(w, c);
        if (w->part_cell[i] < 0)
            return err_set(err, FAILED_PRECONDITION, "The mutation on table %.*s does not give its key column %.*s.",
                           STR_ARG(t->name), STR_ARG(c->name));
    }
    for (uint16_t i = 0; i < t->n_columns && w->m->kind != MUTATION_UPDATE; i++)
        if (t->columns[i].not_null && cell_of(w, &t->columns[i]) < 0)
            return err_set(err, FAILED_PRECONDITION,
                           "A new row in table %.*s does not specify a non-null value for NOT NULL column: %.*s",
                           STR_ARG(t->name), STR_ARG(t->columns[i].name));
    return OK;
}

static enum code prepare_write(struct write *w, struct err *err) {
    enum mutation_kind kind = w->m->kind;
    enum code rc = find_columns(w, err);
    if (!rc) rc = check_columns(w, err);
    if (!rc && kind != MUTATION_UPDATE) rc = prepare_insert(w, err);
    if (!rc && (kind == MUTATION_UPDATE || kind == MUTATION_INSERT_OR_UPDATE)) rc = prepare_update(w, err);
    if (!rc && kind != MUTATION_INSERT) rc = prepare_keep(w->a->db, &w->t->sql, true, &w->keep, err);
    if (!rc && kind == MUTATION_REPLACE) rc = prepare_delete(w->a->db, &w->t->sql, true, &w->del, err);
    return rc;
}

static void write_clean(struct write *w) {
    sqlite3_stmt *all[] = { w->insert, w->update, w->keep, w->del };
    for (size_t i = 0; i < COUNT(all); i++) store_done(all[i]); /* the cells' memory ends here */
    buf_free(&w->key);
}

static enum code apply_write(struct apply *a, const struct engine_mutation *m, const struct engine_table *t,
                             struct err *err) {
    DEFER(write_clean) struct write w = { .a = a, .m = m, .t = t, .key = BUF_INIT(KEY_MAX_BYTES) };
    if (m->n_columns > SQL_MAX_COLUMNS) return err_set(err, INVALID_ARGUMENT, "The mutation names too many columns.");
    w.columns = arena_array(a->db->scratch, m->n_columns + 1, sizeof(const struct sql_column *));
    w.cells = ARENA_ARRAY(a->db->scratch, struct sql_value, m->n_columns + 1);
    if (!w.columns || !w.cells) return err_oom(err);
    enum code rc = prepare_write(&w, err);
    for (size_t i = 0; i < m->n_rows && !rc; i++) {
        rc = take_cells(&w, err);
        if (!rc) rc = make_key(&w, err);
        if (!rc) rc = write_row(&w, i, err);
    }
    return rc;
}

/* --- delete ---------------------------------------------------------------------------------------------------------- */

static enum code delete_range(struct apply *a, const struct sql_table *t, const struct key_range *r, struct err *err) {
    sqlite3_stmt *keep = NULL, *del = NULL;
    int64_t changes = 0;
    enum code rc = prepare_keep(a->db, t, r->point, &keep, err);
    if (!rc) rc = prepare_delete(a->db, t, r->point, &del, err);
    if (!rc) rc = run(a, keep, r->lo, r->hi, &changes, err);
    if (!rc) rc = run(a, del, r->lo, r->hi, &changes, err);
    store_done(keep);
    store_done(del);
    if (!rc && !write_set_add(a->writes, t->id, r->lo, r->point ? (struct str){ 0 } : r->hi)) rc = err_oom(err);
    return rc;
}

static enum code apply_delete(struct apply *a, const struct engine_mutation *m, const struct engine_table *t,
                              struct err *err) {
    struct key_set set = { .arena = a->db->scratch, .table = &t->sql };
    enum code rc = m->keys(m->ctx, &t->sql, &set, err);
    if (rc) return rc;
    commit_cost_add(a->cost, t->sql.name, set.n, 1, 1);
    rc = commit_cost_check(a->cost, err);
    if (rc) return rc;
    key_set_finish(&set);
    for (size_t i = 0; i < set.n && !rc; i++) rc = delete_range(a, &t->sql, &set.ranges[i], err);
    return rc;
}

enum code apply_mutation(struct apply *a, const struct engine_mutation *m, struct err *err) {
    const struct sql_table *t = sql_catalog_find(&a->db->catalog->sql, m->table);
    if (!t || t->schema.n) return err_set(err, NOT_FOUND, "Table not found: %.*s", STR_ARG(str_upto(m->table, 200)));
    struct table_state *state = engine_table(t)->state;
    atomic_store(&state->newest_us, a->commit_us); /* before the SQLite commit: see db.h */
    state->touched = true;
    return m->kind == MUTATION_DELETE ? apply_delete(a, m, engine_table(t), err) : apply_write(a, m, engine_table(t), err);
}
