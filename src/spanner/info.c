#include "spanner/info.h"
#include <string.h>
#include "base/clock.h"
#include "crypto/hash.h"
#include "engine/sql/functions.h"
#include "engine/sql/lower.h"
#include "googlesql/info_schema.h"
#include "googlesql/print.h"
#include "policy/policy.h"
#include "spanner/info_fill.h"
#include "spanner/roles.h"

enum { MAX_STEPS = 20 * 1000 * 1000, STEPS_BETWEEN = 10000 };

static enum code sqlite_failed(sqlite3 *db, struct err *err) {
    return err_set(err, INTERNAL, "INFORMATION_SCHEMA: %s", sqlite3_errmsg(db));
}

static void digest_cell(struct hash *h, const struct cell *cell) { /* strings, INT64 and BOOL */
    bool text = cell->value.type == SQL_STRING;
    uint64_t n = text ? cell->value.s.n : (uint64_t)cell->value.i64;
    hash_add(h, (struct str){ cell->column, strlen(cell->column) + 1 });
    hash_add(h, (struct str){ (const char *)&n, sizeof n });
    if (text) hash_add(h, cell->value.s);
}

enum code info_put(struct filler *f, const struct cell *cells, size_t n) {
    sqlite3_reset(f->insert);
    sqlite3_clear_bindings(f->insert);
    for (size_t k = 0; k < n; k++) digest_cell(f->seen, &cells[k]);
    for (uint16_t i = 0; i < f->info->n_columns; i++)
        for (size_t k = 0; k < n; k++)
            if (str_eq_z(f->info->columns[i].name, cells[k].column) &&
                value_bind(f->insert, i + 1, &cells[k].value) != SQLITE_OK)
                return sqlite_failed(f->db, f->err);
    return sqlite3_step(f->insert) == SQLITE_DONE ? OK : sqlite_failed(f->db, f->err);
}

/* "sales.Orders" of an upstream: its schema, and its name there. */
struct str info_schema_of(const struct sql_table *table) {
    ptrdiff_t dot = str_find_char(table->name, '.');
    return dot < 0 ? STR("") : str_upto(table->name, (size_t)dot);
}

struct str info_name_of(const struct sql_table *table) {
    struct str schema = info_schema_of(table);
    return schema.n ? str_from(table->name, schema.n + 1) : table->name;
}

bool info_is_visible(const struct filler *f, const struct sql_table *table) {
    if (!role_sees(f->target, table->name)) return false;
    return policy_holds_something(f->call->policy, f->call->subject, f->target->path, table->name, clock_wall_us());
}

/* ---- one function a table ---- */

static enum code fill_schemata(struct filler *f) {
    static const char *const names[] = { "", "INFORMATION_SCHEMA" };
    enum code rc = OK;
    for (size_t i = 0; !rc && i < COUNT(names); i++) {
        const struct cell cells[] = { { "CATALOG_NAME", WORD("") }, { "SCHEMA_NAME", TEXT(str_z(names[i])) } };
        rc = info_put(f, cells, COUNT(cells));
    }
    return rc;
}

static enum code fill_options(struct filler *f) {
    const struct cell cells[] = { { "CATALOG_NAME", WORD("") },
                                  { "SCHEMA_NAME", WORD("") },
                                  { "OPTION_NAME", WORD("database_dialect") },
                                  { "OPTION_TYPE", WORD("STRING") },
                                  { "OPTION_VALUE", WORD("GOOGLE_STANDARD_SQL") } };
    return info_put(f, cells, COUNT(cells));
}

static const struct sql_table *visible_parent(const struct filler *f, const struct sql_table *table) {
    struct str schema = info_schema_of(table);
    const struct str path[] = { schema, table->parent };
    const struct sql_table *parent = schema.n ? sql_catalog_find_path(f->target->catalog, path, 2)
                                              : sql_catalog_find(f->target->catalog, table->parent);
    return table->parent.n && parent && info_is_visible(f, parent) ? parent : NULL;
}

static enum code fill_tables(struct filler *f, const struct sql_table *table) {
    bool parent = visible_parent(f, table) != NULL;
    const struct cell cells[] = { { "TABLE_CATALOG", WORD("") },
                                  { "TABLE_SCHEMA", TEXT(info_schema_of(table)) },
                                  { "TABLE_NAME", TEXT(info_name_of(table)) },
                                  { "TABLE_TYPE", WORD("BASE TABLE") },
                                  { "SPANNER_STATE", WORD("COMMITTED") },
                                  { "PARENT_TABLE_NAME", TEXT(table->parent) },
                                  { "ON_DELETE_ACTION", TEXT(table->on_delete) } };
    return info_put(f, cells, parent ? COUNT(cells) : COUNT(cells) - 2);
}

static enum code fill_columns(struct filler *f, const struct sql_table *table) {
    enum code rc = OK;
    for (uint16_t i = 0; !rc && i < table->n_columns; i++) {
        DEFER(buf_free) struct buf type = BUF_INIT(256);
        sql_print_type(&table->columns[i], &type);
        const struct cell cells[] = { { "TABLE_CATALOG", WORD("") },
                                      { "TABLE_SCHEMA", TEXT(info_schema_of(table)) },
                                      { "TABLE_NAME", TEXT(info_name_of(table)) },
                                      { "COLUMN_NAME", TEXT(table->columns[i].name) },
                                      { "ORDINAL_POSITION", VALUE_INT64(i + 1) },
                                      { "IS_NULLABLE", TEXT(table->columns[i].not_null ? STR("NO") : STR("YES")) },
                                      { "SPANNER_TYPE", TEXT(buf_str(&type)) },
                                      { "IS_GENERATED", TEXT(table->columns[i].n_sources ? STR("ALWAYS") : STR("NEVER")) },
                                      { "IS_HIDDEN", VALUE_BOOL(false) },
                                      { "IS_IDENTITY", WORD("NO") },
                                      { "SPANNER_STATE", WORD("COMMITTED") } };
        rc = info_put(f, cells, COUNT(cells));
    }
    return rc;
}

static enum code fill_indexes(struct filler *f, const struct sql_table *table) {
    const struct cell cells[] = { { "TABLE_CATALOG", WORD("") },
                                  { "TABLE_SCHEMA", TEXT(info_schema_of(table)) },
                                  { "TABLE_NAME", TEXT(info_name_of(table)) },
                                  { "INDEX_NAME", WORD("PRIMARY_KEY") },
                                  { "INDEX_TYPE", WORD("PRIMARY_KEY") },
                                  { "PARENT_TABLE_NAME", WORD("") },
                                  { "IS_UNIQUE", VALUE_BOOL(true) },
                                  { "IS_NULL_FILTERED", VALUE_BOOL(false) },
                                  { "SPANNER_IS_MANAGED", VALUE_BOOL(false) } };
    return info_put(f, cells, COUNT(cells));
}

static enum code fill_index_columns(struct filler *f, const struct sql_table *table) {
    enum code rc = OK;
    for (uint16_t i = 0; !rc && i < table->n_key; i++) {
        const struct sql_column *column = &table->columns[table->key[i].column];
        DEFER(buf_free) struct buf type = BUF_INIT(256);
        sql_print_type(column, &type);
        const struct cell cells[] = { { "TABLE_CATALOG", WORD("") },
                                      { "TABLE_SCHEMA", TEXT(info_schema_of(table)) },
                                      { "TABLE_NAME", TEXT(info_name_of(table)) },
                                      { "INDEX_NAME", WORD("PRIMARY_KEY") },
                                      { "INDEX_TYPE", WORD("PRIMARY_KEY") },
                                      { "COLUMN_NAME", TEXT(column->name) },
                                      { "ORDINAL_POSITION", VALUE_INT64(i + 1) },
                                      { "COLUMN_ORDERING", TEXT(table->key[i].desc ? STR("DESC") : STR("ASC")) },
                                      { "IS_NULLABLE", TEXT(column->not_null ? STR("NO") : STR("YES")) },
                                      { "SPANNER_TYPE", TEXT(buf_str(&type)) } };
        rc = info_put(f, cells, COUNT(cells));
    }
    return rc;
}

static enum code fill_constraints(struct filler *f, const struct sql_table *table) {
    struct str name = arena_printf(f->call->arena, "PK_%.*s", STR_ARG(info_name_of(table)));
    const struct cell cells[] = { { "CONSTRAINT_CATALOG", WORD("") },
                                  { "CONSTRAINT_SCHEMA", TEXT(info_schema_of(table)) },
                                  { "CONSTRAINT_NAME", TEXT(name) },
                                  { "TABLE_CATALOG", WORD("") },
                                  { "TABLE_SCHEMA", TEXT(info_schema_of(table)) },
                                  { "TABLE_NAME", TEXT(info_name_of(table)) },
                                  { "CONSTRAINT_TYPE", WORD("PRIMARY KEY") },
                                  { "IS_DEFERRABLE", WORD("NO") },
                                  { "INITIALLY_DEFERRED", WORD("NO") },
                                  { "ENFORCED", WORD("YES") } };
    return info_put(f, cells, COUNT(cells));
}

static enum code fill_constraint_tables(struct filler *f, const struct sql_table *table) {
    struct str name = arena_printf(f->call->arena, "PK_%.*s", STR_ARG(info_name_of(table)));
    const struct cell cells[] = { { "TABLE_CATALOG", WORD("") },
                                  { "TABLE_SCHEMA", TEXT(info_schema_of(table)) },
                                  { "TABLE_NAME", TEXT(info_name_of(table)) },
                                  { "CONSTRAINT_CATALOG", WORD("") },
                                  { "CONSTRAINT_SCHEMA", TEXT(info_schema_of(table)) },
                                  { "CONSTRAINT_NAME", TEXT(name) } };
    return info_put(f, cells, COUNT(cells));
}

/* Of which column each generated one is computed. */
static enum code fill_column_usage(struct filler *f, const struct sql_table *table) {
    enum code rc = OK;
    for (uint16_t i = 0; i < table->n_columns; i++)
        for (uint16_t k = 0; !rc && k < table->columns[i].n_sources; k++) {
            const struct cell cells[] = { { "TABLE_CATALOG", WORD("") },
                                          { "TABLE_SCHEMA", TEXT(info_schema_of(table)) },
                                          { "TABLE_NAME", TEXT(info_name_of(table)) },
                                          { "COLUMN_NAME", TEXT(table->columns[table->columns[i].sources[k]].name) },
                                          { "DEPENDENT_COLUMN", TEXT(table->columns[i].name) } };
            rc = info_put(f, cells, COUNT(cells));
        }
    return rc;
}

static enum code fill_key_usage(struct filler *f, const struct sql_table *table) {
    struct str name = arena_printf(f->call->arena, "PK_%.*s", STR_ARG(info_name_of(table)));
    enum code rc = OK;
    for (uint16_t i = 0; !rc && i < table->n_key; i++) {
        const struct cell cells[] = { { "CONSTRAINT_CATALOG", WORD("") },
                                      { "CONSTRAINT_SCHEMA", TEXT(info_schema_of(table)) },
                                      { "CONSTRAINT_NAME", TEXT(name) },
                                      { "TABLE_CATALOG", WORD("") },
                                      { "TABLE_SCHEMA", TEXT(info_schema_of(table)) },
                                      { "TABLE_NAME", TEXT(info_name_of(table)) },
                                      { "COLUMN_NAME", TEXT(table->columns[table->key[i].column].name) },
                                      { "ORDINAL_POSITION", VALUE_INT64(i + 1) } };
        rc = info_put(f, cells, COUNT(cells));
    }
    return rc;
}

/* Those that are not listed hold nothing: an embedded database has no views, foreign keys, sequences, roles of roles yet.
 * A table may have several rows here. */
static const struct filling {
    const char *info;
    enum code (*once)(struct filler *f);
    enum code (*each)(struct filler *f, const struct sql_table *table);
} fillings[] = {
    { "SCHEMATA", fill_schemata, NULL },
    { "DATABASE_OPTIONS", fill_options, NULL },
    { "TABLES", NULL, fill_tables },
    { "COLUMNS", NULL, fill_columns },
    { "INDEXES", NULL, fill_indexes },
    { "INDEXES", NULL, info_fill_far_indexes },
    { "INDEX_COLUMNS", NULL, fill_index_columns },
    { "INDEX_COLUMNS", NULL, info_fill_far_index_columns },
    { "TABLE_CONSTRAINTS", NULL, fill_constraints },
    { "TABLE_CONSTRAINTS", info_fill_far_constraints, NULL },
    { "REFERENTIAL_CONSTRAINTS", info_fill_far_references, NULL },
    { "KEY_COLUMN_USAGE", info_refuse_far_key_usage, NULL },
    { "KEY_COLUMN_USAGE", NULL, fill_key_usage },
    { "CONSTRAINT_TABLE_USAGE", NULL, fill_constraint_tables },
    { "CONSTRAINT_TABLE_USAGE", info_fill_far_constraint_tables, NULL },
    { "COLUMN_COLUMN_USAGE", NULL, fill_column_usage },
    { "ROLES", info_fill_roles, NULL },
    { "TABLE_PRIVILEGES", NULL, info_fill_table_grants },
    { "ROLE_TABLE_GRANTS", NULL, info_fill_table_grants },
    { "COLUMN_PRIVILEGES", NULL, info_fill_column_grants },
    { "ROLE_COLUMN_GRANTS", NULL, info_fill_column_grants },
};

/* Of an upstream the snapshot does not hold them: an empty answer would be a lie. */
static bool is_not_held(const struct filler *f) {
    static const char *const names[] = { "VIEWS", "SEQUENCES", "COLUMN_OPTIONS", "CONSTRAINT_COLUMN_USAGE" };
    bool roles = str_starts(f->info->name, STR("ROLE")) || str_ends(f->info->name, STR("_PRIVILEGES"));
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_eq_z(f->info->name, names[i])) return f->target->far;
    return f->target->far && roles;
}

static enum code fill_by(struct filler *f, const struct filling *filling) {
    const struct sql_catalog *catalog = f->target->catalog;
    enum code rc = OK;
    if (filling->once) return filling->once(f);
    for (size_t k = 0; !rc && k < catalog->n_tables; k++)
        if (info_is_visible(f, catalog->tables[k])) rc = filling->each(f, catalog->tables[k]);
    return rc;
}

static enum code fill(struct filler *f) {
    enum code rc = OK;
    if (is_not_held(f))
        return err_set(f->err, UNIMPLEMENTED, "INFORMATION_SCHEMA.%.*s: not supported yet on an upstream connection",
                       STR_ARG(f->info->name));
    for (size_t i = 0; !rc && i < COUNT(fillings); i++)
        if (str_eq_z(f->info->name, fillings[i].info)) rc = fill_by(f, &fillings[i]);
    return rc;
}

/* ---- the small database ---- */

static void lower_case(struct buf *out, struct str name) {
    for (size_t i = 0; i < name.n; i++)
        buf_add_char(out, (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32 : name.p[i]));
}

static enum code make_table(struct filler *f) {
    DEFER(buf_free) struct buf create = BUF_INIT(65536), insert = BUF_INIT(65536);
    buf_add_z(&create, "CREATE TEMP TABLE is_");
    buf_add_z(&insert, "INSERT INTO temp.is_");
    lower_case(&create, f->info->name);
    lower_case(&insert, f->info->name);
    for (uint16_t i = 0; i < f->info->n_columns; i++) {
        buf_printf(&create, "%sc%u", i ? "," : "(", f->info->columns[i].id);
        buf_add_z(&insert, i ? ",?" : " VALUES(?");
    }
    buf_printf(&create, ")%c", '\0');
    buf_printf(&insert, ")%c", '\0');
    if (!buf_ok(&create) || !buf_ok(&insert)) return err_oom(f->err);
    if (sqlite3_exec(f->db, create.p, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(f->db, insert.p, -1, &f->insert, NULL) != SQLITE_OK)
        return sqlite_failed(f->db, f->err);
    enum code rc = fill(f);
    sqlite3_finalize(f->insert);
    return rc;
}

static int count_steps(void *ctx) {
    unsigned *left = ctx;
    return *left == 0 || --*left == 0;
}

struct info {
    struct call *call;
    const struct target *target;
    const struct analysis *analysis;
    struct rows *rows;
    const struct sql_value *params;
    struct handle *next;
    const struct handle *resume;
};

static enum code run(const struct info *info, sqlite3 *db, struct sql_lowered lowered, struct err *err) {
    sqlite3_stmt *stmt = NULL;
    unsigned left = MAX_STEPS / STEPS_BETWEEN;
    uint64_t skip = info->resume ? info->resume->rows : 0;
    if (sqlite3_prepare_v2(db, lowered.sql.p, (int)lowered.sql.n, &stmt, NULL) != SQLITE_OK) return sqlite_failed(db, err);
    sqlite3_progress_handler(db, STEPS_BETWEEN, count_steps, &left);
    enum code rc = OK;
    for (size_t i = 0; !rc && i < info->analysis->sql.n_params; i++)
        if (value_bind(stmt, (int)i + 1, &info->params[i]) != SQLITE_OK) rc = sqlite_failed(db, err);
    int step = SQLITE_DONE;
    while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct engine_row row = { .stmt = stmt, .n = (int)info->rows->n_columns };
        if (skip) skip--; /* the client has it */
        else rc = rows_add(info->rows, &row, err);
    }
    if (!rc && step == SQLITE_INTERRUPT)
        rc = err_set(err, RESOURCE_EXHAUSTED, "The query over INFORMATION_SCHEMA takes too much work");
    else if (!rc && step != SQLITE_DONE) rc = sql_error_from_sqlite(db, step, err);
    sqlite3_finalize(stmt);
    return rc;
}

/* The same statement over the same rows gives them in the same order. */
static enum code check_resume(const struct info *info, struct hash *seen, struct sql_lowered lowered, struct err *err) {
    hash_add(seen, lowered.sql);
    hash_end(seen, info->next->lowered);
    const struct when *when = info->rows->when;
    info->next->timestamp_us = info->resume ? info->resume->timestamp_us : clock_wall_us();
    info->rows->timestamp_us = when->engine.at ? when->engine.timestamp_us : info->next->timestamp_us;
    if (!info->resume || memcmp(info->next->lowered, info->resume->lowered, sizeof info->next->lowered) == 0) return OK;
    return err_set(err, FAILED_PRECONDITION,
                   "The schema, or what you may see of it, changed since the result began: run the query again");
}

static enum code answer(const struct info *info, sqlite3 *db, struct err *err) {
    const struct analysis *a = info->analysis;
    struct sql_lowering how = { .now_us = info->next->now_us };
    struct sql_lowered lowered;
    DEFER(hash_freep) struct hash *seen = hash_new();
    enum code rc = sql_functions_register(db, err);
    for (size_t i = 0; !rc && i < a->access.n_info; i++) {
        struct filler filler = {
            .db = db, .info = a->access.info[i], .call = info->call, .target = info->target, .seen = seen, .err = err
        };
        rc = make_table(&filler);
    }
    if (!rc) rc = sql_lower(info->call->arena, &a->sql, &how, &lowered, err);
    if (!rc) rc = check_resume(info, seen, lowered, err);
    if (!rc) rc = rows_begin(info->rows, err);
    if (!rc) rc = run(info, db, lowered, err);
    return rc ? rc : rows_end(info->rows, err);
}

enum code info_query(struct call *call, const struct target *t, const struct analysis *a, struct rows *rows,
                     const struct sql_value *params, struct handle *next, const struct handle *resume, struct err *err) {
    struct info info = { call, t, a, rows, params, next, resume };
    sqlite3 *db = NULL;
    enum code rc = OK;
    if (a->access.n_tables)
        rc = err_set(err, UNIMPLEMENTED, "A query over INFORMATION_SCHEMA together with other tables is not supported");
    else if (sqlite3_open_v2(":memory:", &db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_MEMORY,
                             NULL) != SQLITE_OK)
        rc = err_oom(err);
    else rc = answer(&info, db, err);
    (void)sqlite3_close(db);
    rows_free(rows);
    if (!rc) call_end_ok(call);
    return rc;
}
