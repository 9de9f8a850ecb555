#include "spanner/analysis.h"
#include "googlesql/parse.h"

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

static enum code declared(struct call *call, const struct spanner_ExecuteSqlRequest_ParamTypesEntry *types, size_t n,
                          struct sql_param **ret, struct err *err) {
    *ret = ARENA_ARRAY(call->arena, struct sql_param, n + 1);
    if (!*ret) return err_oom(err);
    for (size_t i = 0; i < n; i++) {
        (*ret)[i].name = types[i].key;
        enum code rc = convert_type(types[i].value, &(*ret)[i].type, err);
        if (rc) return rc;
    }
    return OK;
}

static enum code analyse(struct call *call, const struct target *t, struct str sql,
                         const struct spanner_ExecuteSqlRequest_ParamTypesEntry *types, size_t n_types,
                         struct analysis *ret, struct err *err) {
    struct sql_param *given;
    struct sql_query *query;
    if (sql.n == 0) return err_set(err, INVALID_ARGUMENT, "Invalid request: the statement is empty");
    if (sql.n > MAX_SQL_BYTES)
        return err_set(err, INVALID_ARGUMENT, "Query string length of %zu exceeds maximum allowed length", sql.n);
    enum code rc = refuse_others(sql, err);
    if (!rc) rc = declared(call, types, n_types, &given, err);
    if (!rc) rc = sql_parse_query(call->arena, sql, &query, err);
    if (!rc) rc = sql_analyse(call->arena, sql, query, t->catalog, given, n_types, &ret->sql, err);
    if (!rc) rc = sql_access(call->arena, &ret->sql, &ret->access, err);
    return rc;
}

static void fingerprint(struct call *call, struct str sql) {
    DEFER(buf_free) struct buf text = BUF_INIT(8 << 20);
    sql_fingerprint(sql, &text);
    call->outcome.statement = str_dup(call->arena, str_upto(buf_str(&text), 2000));
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
enum code analysis_make(struct call *call, const struct target *t, struct str sql,
                        const struct spanner_ExecuteSqlRequest_ParamTypesEntry *types, size_t n_types, struct analysis *ret,
                        struct err *err) {
    *ret = (struct analysis){ 0 };
    fingerprint(call, sql);
    enum code rc = analyse(call, t, sql, types, n_types, ret, err);
    if (!rc) return add_atoms(call, t, ret, err);
    if (target_may_learn(call, t)) return rc;
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
