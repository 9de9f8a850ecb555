#include "spanner/analysis.h"
#include "googlesql/parse.h"
#include "spanner/far.h"
#include "spanner/statements.h"

enum { MAX_SQL_BYTES = 4 << 20 };

static enum code refuse_others(struct str sql, struct err *err) {
    switch (sql_classify(sql)) {
    case SQL_DML: return err_set(err, UNIMPLEMENTED, "DML statements are not supported: use mutations [at 1:1]");
    case SQL_DDL: return err_set(err, INVALID_ARGUMENT, "DDL statements go to UpdateDatabaseDdl [at 1:1]");
    case SQL_QUERY:
    case SQL_OTHER: return OK;
    }
    return OK;
}

typedef struct spanner_ExecuteSqlRequest_ParamTypesEntry type_entry;

static enum code declared(struct arena *arena, const type_entry *types, size_t n, struct sql_param **ret, struct err *err) {
    *ret = ARENA_ARRAY(arena, struct sql_param, n + 1);
    if (!*ret) return err_oom(err);
    for (size_t i = 0; i < n; i++) {
        (*ret)[i].name = str_dup(arena, types[i].key);
        if (types[i].key.n && !(*ret)[i].name.p) return err_oom(err);
        enum code rc = convert_type(types[i].value, &(*ret)[i].type, err);
        if (rc) return rc;
    }
    return OK;
}

static enum code check_text(struct str sql, struct err *err) {
    if (sql.n == 0) return err_set(err, INVALID_ARGUMENT, "Invalid request: the statement is empty");
    if (sql.n > MAX_SQL_BYTES)
        return err_set(err, INVALID_ARGUMENT, "Query string length of %zu exceeds maximum allowed length", sql.n);
    return refuse_others(sql, err);
}

static enum code analyse(struct arena *arena, const struct sql_catalog *catalog, struct str sql, const type_entry *types,
                         size_t n_types, struct sql_analysis *ret, struct sql_access_list *ret_access, struct err *err) {
    struct sql_param *given;
    struct sql_query *query;
    enum code rc = check_text(sql, err);
    if (!rc) rc = declared(arena, types, n_types, &given, err);
    if (!rc) rc = sql_parse_query(arena, sql, &query, err);
    if (!rc) rc = sql_analyse(arena, sql, query, catalog, given, n_types, ret, err);
    if (!rc) rc = sql_access(arena, ret, ret_access, err);
    return rc;
}

static struct str fingerprint(struct arena *arena, struct str sql) {
    DEFER(buf_free) struct buf text = BUF_INIT(8 << 20);
    sql_fingerprint(sql, &text);
    return str_dup(arena, str_upto(buf_str(&text), 2000));
}

/* ---- statements that came before ---- */

/* Database, types and text, each with its length: false when a type is none that we know, or the statement is long. */
static bool key_of(const struct target *t, struct str sql, const type_entry *types, size_t n_types, struct buf *key) {
    struct err err;
    if (sql.n > STATEMENT_MAX_TEXT) return false;
    buf_printf(key, "%.*s|%zu", STR_ARG(t->path), n_types);
    for (size_t i = 0; i < n_types; i++) {
        enum sql_type type;
        if (convert_type(types[i].value, &type, &err)) return false;
        buf_printf(key, "|%d %zu:", (int)type, types[i].key.n);
        buf_add_str(key, types[i].key);
    }
    buf_add_char(key, '|');
    buf_add_str(key, sql);
    return buf_ok(key);
}

static void give_back(void *ctx) {
    statement_unref(ctx);
}

/* NULL when it is not understood, or too large: then the caller's own analysis says so, or needs no bound. */
static struct statement *analyse_to_keep(const struct target *t, struct str key, struct str sql, const type_entry *types,
                                         size_t n_types) {
    struct err err;
    struct statement *st = statement_new(t->db, key);
    if (!st) return NULL;
    struct str text = str_dup(st->arena, sql);
    bool same = st->catalog == t->catalog; /* not when the schema changes in this very moment */
    if (text.p && same && !analyse(st->arena, st->catalog, text, types, n_types, &st->sql, &st->access, &err)) {
        st->fingerprint = fingerprint(st->arena, sql);
        if (st->fingerprint.p) statements_keep(t->spanner->statements, st);
        if (st->fingerprint.p) return st;
    }
    statement_unref(st);
    return NULL;
}

/* From the cache, or into it. False: neither; nothing is filled. */
static bool analyse_shared(struct call *call, const struct target *t, struct str sql, const type_entry *types,
                           size_t n_types, struct analysis *ret) {
    DEFER(buf_free) struct buf key = BUF_INIT(2 * STATEMENT_MAX_TEXT);
    if (!t->db || !key_of(t, sql, types, n_types, &key)) return false;
    struct statement *st = statements_find(t->spanner->statements, buf_str(&key), t->catalog);
    if (!st) st = analyse_to_keep(t, buf_str(&key), sql, types, n_types);
    if (!st) return false;
    if (!call_at_end(call, give_back, st)) {
        statement_unref(st);
        return false;
    }
    ret->sql = st->sql;
    ret->access = st->access;
    call->outcome.statement = st->fingerprint;
    return true;
}

/* COUNT(*) asks for any one column: which ones there are. */
static enum code all_columns(struct call *call, const struct sql_table *table, struct atom *atom, struct err *err) {
    struct str *names = ARENA_ARRAY(call->arena, struct str, table->n_columns + 1u);
    if (!names) return err_oom(err);
    for (uint16_t i = 0; i < table->n_columns; i++) names[i] = table->columns[i].name;
    atom->columns = names;
    atom->n_columns = table->n_columns;
    return OK;
}

static enum code add_atoms(struct call *call, const struct target *t, const struct analysis *a, struct err *err) {
    enum code rc = OK;
    for (size_t i = 0; !rc && i < a->access.n_tables; i++) {
        const struct sql_access *access = &a->access.tables[i];
        struct atom atom = { .verb = VERB_READ,
                             .object = access->table->name,
                             .columns = access->columns,
                             .n_columns = access->n_columns,
                             .any_column = access->any_column };
        if (access->any_column) rc = all_columns(call, access->table, &atom, err);
        if (!rc) rc = target_atom(call, t, atom, err);
    }
    if (!rc && a->access.n_tables == 0) rc = target_atom(call, t, (struct atom){ .verb = VERB_USE }, err);
    return rc;
}

/* What is wrong with a statement tells of the schema: only those hear it who hold something in the database. */
enum code analysis_make(struct call *call, const struct target *t, struct str sql, const type_entry *types, size_t n_types,
                        struct analysis *ret, struct err *err) {
    *ret = (struct analysis){ 0 };
    if (analyse_shared(call, t, sql, types, n_types, ret)) return add_atoms(call, t, ret, err);
    call->outcome.statement = fingerprint(call->arena, sql);
    enum code rc = analyse(call->arena, t->catalog, sql, types, n_types, &ret->sql, &ret->access, err);
    if (!rc) return add_atoms(call, t, ret, err);
    if (target_may_learn(call, t)) {
        if (t->far) far_schema_doubt(t); /* what it names may be new */
        return rc;
    }
    ret->refused = true;
    return target_atom(call, t, (struct atom){ .verb = VERB_USE }, err);
}

enum code analysis_refuse(struct err *err) {
    return err_set(err, INVALID_ARGUMENT, "The statement cannot be run");
}

static const struct pb_Value *find_param(const struct pb_Struct *params, struct str name) {
    for (size_t i = 0; params && i < params->fields.n; i++)
        if (str_eq_nocase(params->fields.p[i].key, name)) return params->fields.p[i].value;
    return NULL;
}

enum code analysis_params(const struct analysis *a, const struct pb_Struct *params, struct arena *arena,
                          struct sql_value **ret, struct err *err) {
    struct sql_value *values = ARENA_ARRAY(arena, struct sql_value, a->sql.n_params + 1);
    if (!values) return err_oom(err);
    for (size_t i = 0; i < a->sql.n_params; i++) {
        const struct pb_Value *v = find_param(params, a->sql.params[i].name);
        if (!v)
            return err_set(err, INVALID_ARGUMENT, "No parameter found for binding: %.*s", STR_ARG(a->sql.params[i].name));
        enum code rc = convert_value(v, a->sql.params[i].type, arena, &values[i], err);
        if (!rc && values[i].is_commit_timestamp)
            rc = err_set(err, INVALID_ARGUMENT, "spanner.commit_timestamp() is for mutations");
        if (rc) return err_wrap(err, "Invalid value for bind parameter %.*s", STR_ARG(a->sql.params[i].name));
    }
    *ret = values;
    return OK;
}
