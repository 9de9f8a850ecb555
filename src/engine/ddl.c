/* Changes of the schema, applied within the writer's SQLite transaction. */
#include <inttypes.h>
#include "engine/db.h"

enum { MAX_TABLES = 5000 };

static enum code check_name(const char *what, struct str name, struct err *err) {
    bool ok = name.n > 0 && name.n <= SQL_MAX_IDENTIFIER;
    for (size_t i = 0; i < name.n && ok; i++) {
        char c = name.p[i], lower = (char)(c | 0x20);
        ok = (lower >= 'a' && lower <= 'z') || c == '_' || (i && c >= '0' && c <= '9');
    }
    if (ok) return OK;
    return err_set(err, INVALID_ARGUMENT, "Invalid %s name: %.*s.", what, STR_ARG(str_upto(name, 200)));
}

static enum code check_column(struct str table, const struct sql_column *c, struct err *err) {
    int64_t most = c->type == SQL_STRING ? VALUE_MAX_STRING_CHARS : VALUE_MAX_CELL_BYTES;
    enum code rc = check_name("column", c->name, err);
    if (rc) return rc;
    if (c->type < SQL_BOOL || c->type > SQL_BYTES)
        return err_set(err, UNIMPLEMENTED, "The type of column %.*s.%.*s is not supported.", STR_ARG(table),
                       STR_ARG(c->name));
    if ((c->type == SQL_STRING || c->type == SQL_BYTES) && c->max_length != INT64_MAX &&
        (c->max_length < 1 || c->max_length > most))
        return err_set(err, FAILED_PRECONDITION,
                       "Invalid length for column %.*s.%.*s: %" PRId64 " is not between 1 and %" PRId64 ".", STR_ARG(table),
                       STR_ARG(c->name), c->max_length, most);
    if (c->allow_commit_timestamp && c->type != SQL_TIMESTAMP)
        return err_set(err, FAILED_PRECONDITION, "Option allow_commit_timestamp needs a TIMESTAMP column, not %.*s.%.*s.",
                       STR_ARG(table), STR_ARG(c->name));
    return OK;
}

enum code ddl_next_id(struct store *s, uint32_t *ret, struct err *err) {
    int64_t id = 0;
    enum code rc = meta_get(s, "next_id", &id, err);
    if (!rc) rc = meta_set(s, "next_id", id + 1, err);
    if (!rc && id > UINT32_MAX) rc = err_set(err, RESOURCE_EXHAUSTED, "no more ids for tables and columns");
    if (!rc) *ret = (uint32_t)id;
    return rc;
}

static enum code execf(struct store *s, struct err *err, const char *fmt, uint32_t a, uint32_t b) {
    DEFER(buf_free) struct buf sql = BUF_INIT(4096);
    for (const char *p = fmt; *p; p++) /* $a and $b: ids, the only things that are written into SQL */
        if (p[0] == '$') buf_printf(&sql, "%" PRIu32, *++p == 'a' ? a : b);
        else buf_add_char(&sql, *p);
    buf_add_char(&sql, '\0');
    return buf_ok(&sql) ? store_exec(s, sql.p, err) : err_oom(err);
}

static enum code insert_column(struct store *s, uint32_t table_id, uint32_t id, uint32_t ordinal,
                               const struct sql_column *c, struct err *err) {
    sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(s, STR("INSERT INTO columns VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"), &stmt, err);
    if (rc) return rc;
    sqlite3_bind_int64(stmt, 1, id);
    sqlite3_bind_int64(stmt, 2, table_id);
    sqlite3_bind_int64(stmt, 3, ordinal);
    sqlite3_bind_text64(stmt, 4, c->name.p, c->name.n, SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_int(stmt, 5, (int)c->type);
    sqlite3_bind_int64(stmt, 6, c->max_length);
    sqlite3_bind_int(stmt, 7, c->not_null);
    sqlite3_bind_int(stmt, 8, c->allow_commit_timestamp);
    return store_run(stmt, err);
}

static int find_column(const struct engine_ddl *d, struct str name) {
    for (uint16_t i = 0; i < d->n_columns; i++)
        if (str_eq_nocase(d->columns[i].name, name)) return i;
    return -1;
}

static enum code check_create(const struct engine_ddl *d, struct err *err) {
    enum code rc = check_name("table", d->table, err);
    if (rc) return rc;
    if (d->n_key > SQL_MAX_KEY_PARTS)
        return err_set(err, FAILED_PRECONDITION, "Table %.*s has %u key columns; the maximum is %d.", STR_ARG(d->table),
                       d->n_key, SQL_MAX_KEY_PARTS);
    if (d->n_columns > SQL_MAX_COLUMNS)
        return err_set(err, FAILED_PRECONDITION, "Table %.*s has too many columns; the maximum is %d.", STR_ARG(d->table),
                       SQL_MAX_COLUMNS);
    for (uint16_t i = 0; i < d->n_columns && !rc; i++) {
        rc = check_column(d->table, &d->columns[i], err);
        if (!rc && find_column(d, d->columns[i].name) != i)
            rc = err_set(err, FAILED_PRECONDITION, "Duplicate column name %.*s.%.*s.", STR_ARG(d->table),
                         STR_ARG(d->columns[i].name));
    }
    for (uint16_t i = 0; i < d->n_key && !rc; i++) {
        if (find_column(d, d->key[i].column) < 0)
            rc = err_set(err, FAILED_PRECONDITION, "Table %.*s references nonexistent key column %.*s.", STR_ARG(d->table),
                         STR_ARG(d->key[i].column));
        for (uint16_t j = 0; j < i && !rc; j++)
            if (str_eq_nocase(d->key[i].column, d->key[j].column))
                rc = err_set(err, FAILED_PRECONDITION, "Key column %.*s of table %.*s is given twice.",
                             STR_ARG(d->key[i].column), STR_ARG(d->table));
    }
    return rc;
}

static enum code create_rows(struct store *s, const struct engine_ddl *d, uint32_t id, int64_t commit_us, struct err *err) {
    sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(s, STR("INSERT INTO tables VALUES(?1, ?2, ?3)"), &stmt, err);
    if (rc) return rc;
    sqlite3_bind_int64(stmt, 1, id);
    sqlite3_bind_text64(stmt, 2, d->table.p, d->table.n, SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_int64(stmt, 3, commit_us);
    rc = store_run(stmt, err);
    return rc ? rc : clock_set(s, id, commit_us, err);
}

static enum code create_key(struct store *s, const struct engine_ddl *d, uint32_t id, const uint32_t *ids,
                            struct err *err) {
    for (uint16_t i = 0; i < d->n_key; i++) {
        sqlite3_stmt *stmt = NULL;
        enum code rc = store_prepare(s, STR("INSERT INTO key_parts VALUES(?1, ?2, ?3, ?4)"), &stmt, err);
        if (rc) return rc;
        sqlite3_bind_int64(stmt, 1, id);
        sqlite3_bind_int(stmt, 2, i);
        sqlite3_bind_int64(stmt, 3, ids[find_column(d, d->key[i].column)]);
        sqlite3_bind_int(stmt, 4, d->key[i].desc);
        rc = store_run(stmt, err);
        if (rc) return rc;
    }
    return OK;
}

/* The live rows, and beside them the versions that ended at `until`. No types: no affinity changes a value. */
static enum code create_storage(struct store *s, uint32_t id, const uint32_t *ids, uint16_t n, struct err *err) {
    DEFER(buf_free) struct buf columns = BUF_INIT(64 * 1024), sql = BUF_INIT(256 * 1024);
    for (uint16_t i = 0; i < n; i++) buf_printf(&columns, ", c%" PRIu32, ids[i]);
    struct str list = buf_str(&columns);
    buf_printf(&sql, "CREATE TABLE t%" PRIu32 "(key BLOB NOT NULL PRIMARY KEY, ts INTEGER NOT NULL%.*s) WITHOUT ROWID;", id,
               STR_ARG(list));
    buf_printf(&sql,
               "CREATE TABLE h%" PRIu32 "(key BLOB NOT NULL, until INTEGER NOT NULL, ts INTEGER NOT NULL%.*s,"
               " PRIMARY KEY(key, until)) WITHOUT ROWID",
               id, STR_ARG(list));
    buf_add_char(&sql, '\0');
    return buf_ok(&columns) && buf_ok(&sql) ? store_exec(s, sql.p, err) : err_oom(err);
}

static enum code create_table(struct engine_db *db, const struct engine_ddl *d, int64_t commit_us, struct err *err) {
    uint32_t id = 0, ids[SQL_MAX_COLUMNS] = { 0 };
    enum code rc = check_create(d, err);
    if (!rc && db->catalog->sql.n_tables >= MAX_TABLES)
        rc = err_set(err, FAILED_PRECONDITION, "Too many tables; the maximum is %d.", MAX_TABLES);
    if (!rc) rc = ddl_next_id(db->store, &id, err);
    for (uint16_t i = 0; i < d->n_columns && !rc; i++) {
        rc = ddl_next_id(db->store, &ids[i], err);
        if (!rc) rc = insert_column(db->store, id, ids[i], i, &d->columns[i], err);
    }
    if (!rc) rc = create_rows(db->store, d, id, commit_us, err);
    if (!rc) rc = create_key(db->store, d, id, ids, err);
    return rc ? rc : create_storage(db->store, id, ids, d->n_columns, err);
}

static enum code drop_table(struct engine_db *db, const struct sql_table *t, struct err *err) {
    enum code rc = roles_check_unused(db->store, t, -1, err);
    if (rc) return rc;
    static const char sql[] =
        "DELETE FROM columns WHERE table_id = $a; DELETE FROM key_parts WHERE table_id = $a;"
        "DELETE FROM tables WHERE id = $a; DELETE FROM clock WHERE id = $a; DROP TABLE t$a; DROP TABLE h$a";
    return execf(db->store, err, sql, t->id, 0);
}

static enum code table_changed(struct engine_db *db, const struct sql_table *t, int64_t commit_us, struct err *err) {
    sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(db->store, STR("UPDATE tables SET changed = ?2 WHERE id = ?1"), &stmt, err);
    if (rc) return rc;
    sqlite3_bind_int64(stmt, 1, t->id);
    sqlite3_bind_int64(stmt, 2, commit_us);
    return store_run(stmt, err);
}

static enum code has_rows(struct engine_db *db, const struct sql_table *t, uint32_t column, bool *ret, struct err *err) {
    DEFER(buf_free) struct buf sql = BUF_INIT(256);
    buf_printf(&sql, "SELECT 1 FROM t%" PRIu32, t->id);
    if (column) buf_printf(&sql, " WHERE c%" PRIu32 " IS NULL", column);
    buf_add_z(&sql, " LIMIT 1");
    sqlite3_stmt *stmt = NULL;
    enum code rc = buf_ok(&sql) ? store_prepare(db->store, buf_str(&sql), &stmt, err) : err_oom(err);
    if (rc) return rc;
    int step = sqlite3_step(stmt);
    store_done(stmt);
    *ret = step == SQLITE_ROW;
    return step == SQLITE_ROW || step == SQLITE_DONE ? OK : store_error(store_sqlite(db->store), step, err);
}

static enum code add_column(struct engine_db *db, const struct engine_ddl *d, const struct sql_table *t, struct err *err) {
    const struct sql_column *c = &d->columns[0];
    uint32_t id = 0;
    bool rows = false;
    enum code rc = check_column(t->name, c, err);
    if (!rc && t->n_columns >= SQL_MAX_COLUMNS)
        rc = err_set(err, FAILED_PRECONDITION, "Table %.*s has too many columns; the maximum is %d.", STR_ARG(t->name),
                     SQL_MAX_COLUMNS);
    if (!rc && c->not_null) rc = has_rows(db, t, 0, &rows, err);
    if (!rc && rows)
        rc = err_set(err, FAILED_PRECONDITION, "Cannot add NOT NULL column %.*s.%.*s to existing table %.*s.",
                     STR_ARG(t->name), STR_ARG(c->name), STR_ARG(t->name));
    if (!rc) rc = ddl_next_id(db->store, &id, err);
    if (!rc) rc = insert_column(db->store, t->id, id, id, c, err); /* ids grow: later columns come last */
    return rc ? rc : execf(db->store, err, "ALTER TABLE t$a ADD COLUMN c$b; ALTER TABLE h$a ADD COLUMN c$b", t->id, id);
}

static bool in_key(const struct sql_table *t, int column) {
    for (uint16_t i = 0; i < t->n_key; i++)
        if (t->key[i].column == column) return true;
    return false;
}

static enum code drop_column(struct engine_db *db, const struct sql_table *t, int column, struct err *err) {
    uint32_t id = t->columns[column].id;
    if (in_key(t, column))
        return err_set(err, FAILED_PRECONDITION, "Cannot drop key column %.*s from table %.*s.",
                       STR_ARG(t->columns[column].name), STR_ARG(t->name));
    enum code rc = roles_check_unused(db->store, t, column, err);
    if (rc) return rc;
    return execf(db->store, err,
                 "DELETE FROM columns WHERE id = $b; ALTER TABLE t$a DROP COLUMN c$b; ALTER TABLE h$a DROP COLUMN c$b",
                 t->id, id);
}

static enum code check_alter(struct engine_db *db, const struct sql_table *t, int column, const struct sql_column *to,
                             struct err *err) {
    const struct sql_column *from = &t->columns[column];
    bool nulls = false;
    enum code rc = check_column(t->name, to, err);
    if (rc) return rc;
    if (from->type != to->type)
        return err_set(err, FAILED_PRECONDITION, "Cannot change type of column %.*s.%.*s from %s to %s.", STR_ARG(t->name),
                       STR_ARG(from->name), sql_type_name(from->type), sql_type_name(to->type));
    if (to->max_length < from->max_length)
        return err_set(err, UNIMPLEMENTED, "To shorten column %.*s.%.*s is not supported.", STR_ARG(t->name),
                       STR_ARG(from->name));
    if (in_key(t, column) && from->not_null != to->not_null)
        return err_set(err, FAILED_PRECONDITION, "Cannot change NOT NULL of key column %.*s.%.*s.", STR_ARG(t->name),
                       STR_ARG(from->name));
    if (to->not_null && !from->not_null) rc = has_rows(db, t, from->id, &nulls, err);
    if (!rc && nulls)
        rc = err_set(err, FAILED_PRECONDITION,
                     "Adding a NOT NULL constraint on column %.*s.%.*s is not allowed because of NULL values.",
                     STR_ARG(t->name), STR_ARG(from->name));
    return rc;
}

static enum code alter_column(struct engine_db *db, const struct engine_ddl *d, const struct sql_table *t, int column,
                              struct err *err) {
    enum code rc = check_alter(db, t, column, &d->columns[0], err);
    sqlite3_stmt *stmt = NULL;
    if (!rc)
        rc = store_prepare(
            db->store, STR("UPDATE columns SET max_length = ?2, not_null = ?3, allow_commit_timestamp = ?4 WHERE id = ?1"),
            &stmt, err);
    if (rc) return rc;
    sqlite3_bind_int64(stmt, 1, t->columns[column].id);
    sqlite3_bind_int64(stmt, 2, d->columns[0].max_length);
    sqlite3_bind_int(stmt, 3, d->columns[0].not_null);
    sqlite3_bind_int(stmt, 4, d->columns[0].allow_commit_timestamp);
    return store_run(stmt, err);
}

static enum code change_column(struct engine_db *db, const struct engine_ddl *d, const struct sql_table *t,
                               bool *ret_changed, struct err *err) {
    struct str name = d->kind == ENGINE_ADD_COLUMN ? d->columns[0].name : d->column;
    int column = sql_table_find(t, name);
    if (d->kind == ENGINE_ADD_COLUMN) {
        if (column < 0) return add_column(db, d, t, err);
        if (!d->if_exists)
            return err_set(err, FAILED_PRECONDITION, "Duplicate column name %.*s.%.*s.", STR_ARG(t->name), STR_ARG(name));
        *ret_changed = false;
        return OK;
    }
    if (column < 0) return err_set(err, NOT_FOUND, "Column not found in table %.*s: %.*s", STR_ARG(t->name), STR_ARG(name));
    return d->kind == ENGINE_DROP_COLUMN ? drop_column(db, t, column, err) : alter_column(db, d, t, column, err);
}

static enum code apply(struct engine_db *db, const struct engine_ddl *d, int64_t commit_us, bool *ret_changed,
                       struct err *err) {
    const struct sql_table *t = sql_catalog_find(&db->catalog->sql, d->table);
    bool create = d->kind == ENGINE_CREATE_TABLE;
    if (create && !t) return create_table(db, d, commit_us, err);
    if (d->if_exists && create == (t != NULL) && (create || d->kind == ENGINE_DROP_TABLE)) {
        *ret_changed = false;
        return OK;
    }
    if (create) return err_set(err, FAILED_PRECONDITION, "Duplicate name in schema: %.*s.", STR_ARG(d->table));
    if (!t) return err_set(err, NOT_FOUND, "Table not found: %.*s", STR_ARG(str_upto(d->table, 200)));
    if (d->kind == ENGINE_DROP_TABLE) return drop_table(db, t, err);
    enum code rc = change_column(db, d, t, ret_changed, err);
    return rc || !*ret_changed ? rc : table_changed(db, t, commit_us, err);
}

enum code ddl_apply(struct engine_db *db, const struct engine_ddl *ddl, int64_t commit_us, bool *ret_changed,
                    struct err *err) {
    *ret_changed = true;
    enum code rc = ddl->kind >= ENGINE_CREATE_ROLE ? roles_apply(db, ddl, err)
                                                   : apply(db, ddl, commit_us, ret_changed, err);
    int64_t version = 0;
    if (!rc && *ret_changed) rc = meta_get(db->store, "version", &version, err);
    if (!rc && *ret_changed) rc = meta_set(db->store, "version", version + 1, err);
    return rc;
}
