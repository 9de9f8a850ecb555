/* A query run again. SQLite's plan follows from the text and the tables' definitions alone (there are no statistics), and
 * the order of the rows from the plan and from where they lie: in the table, or in its history. Commits since then moved
 * some from the one to the other. So a table that was written since is laid out once more as it was, under its own names in
 * the temp schema, which SQLite searches first; the ROLLBACK that ends the snapshot takes it away. */
#include <inttypes.h>
#include <stdio.h>
#include "engine/reader.h"

enum { STATEMENT_MAX_BYTES = 512 << 10, COPY_MAX_PAGES = 1 << 20 /* of 4 KiB, which is what temp files have */ };

static enum code failed(struct reader *r, int sqlite_rc, struct err *err) {
    if ((sqlite_rc & 0xff) == SQLITE_FULL)
        return err_set(err, RESOURCE_EXHAUSTED,
                       "The tables changed since the result began, and are too large to go on from: run the query again");
    return reader_error(r, sqlite_rc, err);
}

static enum code run(struct reader *r, struct buf *sql, struct err *err) {
    buf_add_char(sql, '\0');
    if (!buf_ok(sql)) return err_oom(err);
    int rc = sqlite3_exec(store_sqlite(r->store), sql->p, NULL, NULL, NULL);
    buf_clear(sql);
    return rc == SQLITE_OK ? OK : failed(r, rc, err);
}

/* The definition of main's table of that name; empty when the temp schema has one already (the text names it twice). */
static enum code definition(struct reader *r, const char *name, struct buf *out, struct err *err) {
    static const char sql[] = "SELECT sql FROM main.sqlite_schema WHERE name = ?1 AND type = 'table' AND "
                              "NOT EXISTS (SELECT 1 FROM temp.sqlite_schema WHERE name = ?1)";
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(store_sqlite(r->store), sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) buf_add_z(out, (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) return reader_error(r, rc, err);
    return buf_ok(out) ? OK : err_oom(err);
}

/* An empty table of the same definition. Its indexes, once tables have any, belong here too. */
static enum code create(struct reader *r, char kind, uint32_t id, bool *ret_new, struct err *err) {
    static const struct str prefix = STR_INIT("CREATE TABLE ");
    DEFER(buf_free) struct buf text = BUF_INIT(STATEMENT_MAX_BYTES), sql = BUF_INIT(STATEMENT_MAX_BYTES);
    char name[24];
    snprintf(name, sizeof name, "%c%" PRIu32, kind, id);
    enum code rc = definition(r, name, &text, err);
    *ret_new = !rc && text.n > 0;
    if (!*ret_new) return rc;
    if (!str_starts(buf_str(&text), prefix)) return err_set(err, INTERNAL, "the definition of a table is not understood");
    buf_add_z(&sql, "CREATE TEMP TABLE ");
    buf_add_str(&sql, str_from(buf_str(&text), prefix.n));
    return run(r, &sql, err);
}

/* The rows of main's `from` that are visible at at_us and ended within (after_us, upto_us], into temp's `to`. */
static enum code copy(struct engine_snapshot *s, const struct sql_table *t, char from, char to, int64_t after_us,
                      int64_t upto_us, struct err *err) {
    DEFER(buf_free) struct buf sql = BUF_INIT(STATEMENT_MAX_BYTES);
    const char *until = to == 'h' ? "until, " : "";
    buf_printf(&sql, "INSERT INTO temp.%c%" PRIu32 "(%s", to, t->id, until);
    snapshot_put_columns(t, &sql);
    buf_printf(&sql, ") SELECT %s", until);
    snapshot_put_columns(t, &sql);
    buf_printf(&sql, " FROM main.%c%" PRIu32 " WHERE ts <= %" PRId64, from, t->id, s->at_us);
    if (from == 'h') buf_printf(&sql, " AND until > %" PRId64 " AND until <= %" PRId64, after_us, upto_us);
    return run(s->reader, &sql, err);
}

/* What is visible at at_us, each row where it lay when seen_us was the last commit. */
static enum code lay_out(struct engine_snapshot *s, const struct sql_table *t, bool history, int64_t seen_us,
                         struct err *err) {
    bool fresh = false;
    enum code rc = create(s->reader, 't', t->id, &fresh, err);
    if (rc || !fresh) return rc;
    if (seen_us < s->at_us) seen_us = s->at_us; /* nothing committed between */
    rc = copy(s, t, 't', 't', 0, 0, err);
    if (!rc) rc = copy(s, t, 'h', 't', seen_us, INT64_MAX, err);
    if (rc || !history) return rc;
    rc = create(s->reader, 'h', t->id, &fresh, err);
    return rc ? rc : copy(s, t, 'h', 'h', s->at_us, seen_us, err);
}

enum code engine_snapshot_replay(struct engine_snapshot *s, const struct sql_table *table, const struct key_set *read,
                                 bool history, int64_t seen_us, struct buf *out, struct err *err) {
    bool changed = false;
    enum code rc = snapshot_history(s, table, &changed, err);
    if (rc) return rc;
    snapshot_remember(s, table, read);
    if (history) changed = atomic_load(&engine_table(table)->state->newest_us) > seen_us;
    DEFER(buf_free) struct buf limit = BUF_INIT(64);
    buf_printf(&limit, "PRAGMA temp.max_page_count = %d", COPY_MAX_PAGES);
    if (changed) rc = run(s->reader, &limit, err);
    if (changed) s->reader->held.used_up = true;
    if (!rc && changed) rc = lay_out(s, table, history, seen_us, err);
    if (!rc) snapshot_put_source(s, table, history, out);
    return rc;
}
