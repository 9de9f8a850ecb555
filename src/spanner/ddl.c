#include "spanner/ddl.h"
#include "googlesql/parse.h"

enum code ddl_database_name(struct arena *arena, struct str statement, struct str *ret, struct err *err) {
    struct sql_ddl *ddl;
    enum code rc = sql_parse_ddl(arena, statement, &ddl, err);
    if (rc) return rc;
    if (ddl->kind != DDL_CREATE_DATABASE) return err_set(err, INVALID_ARGUMENT, "create_statement must be CREATE DATABASE");
    *ret = ddl->name;
    return OK;
}

static enum engine_ddl_kind kind_of(enum sql_ddl_kind kind) {
    switch (kind) {
    case DDL_ADD_COLUMN: return ENGINE_ADD_COLUMN;
    case DDL_DROP_COLUMN: return ENGINE_DROP_COLUMN;
    case DDL_DROP_TABLE: return ENGINE_DROP_TABLE;
    case DDL_CREATE_ROLE: return ENGINE_CREATE_ROLE;
    case DDL_DROP_ROLE: return ENGINE_DROP_ROLE;
    case DDL_GRANT: return ENGINE_GRANT;
    case DDL_REVOKE: return ENGINE_REVOKE;
    case DDL_CREATE_TABLE:
    case DDL_CREATE_DATABASE: return ENGINE_CREATE_TABLE;
    }
    return ENGINE_CREATE_TABLE;
}

static enum code convert(struct arena *arena, const struct sql_ddl *from, struct engine_ddl *to, struct err *err) {
    if (from->kind == DDL_CREATE_DATABASE) return err_set(err, INVALID_ARGUMENT, "CREATE DATABASE goes to CreateDatabase");
    bool role = from->kind == DDL_CREATE_ROLE || from->kind == DDL_DROP_ROLE;
    struct engine_ddl_key *key = ARENA_ARRAY(arena, struct engine_ddl_key, from->n_key + 1u);
    if (!key) return err_oom(err);
    for (uint16_t i = 0; i < from->n_key; i++)
        key[i] = (struct engine_ddl_key){ .column = from->columns[from->key[i].column].name, .desc = from->key[i].desc };
    *to = (struct engine_ddl){
        .kind = kind_of(from->kind),
        .table = role ? STR("") : from->name,
        .role = role ? from->name : STR(""),
        .grants = from->grants,
        .if_exists = from->if_exists || from->if_not_exists,
        .column = from->column,
        .columns = from->columns,
        .n_columns = from->n_columns,
        .key = key,
        .n_key = from->n_key,
    };
    return OK;
}

enum code ddl_parse(struct arena *arena, const struct str *statements, size_t n, struct ddl_list *ret, struct err *err) {
    *ret = (struct ddl_list){ .items = ARENA_ARRAY(arena, struct engine_ddl, n + 1) };
    if (!ret->items) return err_oom(err);
    for (size_t i = 0; i < n; i++) {
        struct sql_ddl *ddl;
        enum code rc = sql_parse_ddl(arena, statements[i], &ddl, err);
        if (!rc) rc = convert(arena, ddl, &ret->items[ret->n], err);
        if (rc) return rc;
        ret->n++;
    }
    return OK;
}

enum code ddl_atoms(struct call *call, struct str path, const struct ddl_list *list, struct err *err) {
    for (size_t i = 0; i < list->n; i++) {
        bool grants = list->items[i].kind >= ENGINE_CREATE_ROLE;
        struct atom atom = { .verb = grants ? VERB_CHANGE_GRANTS : VERB_CHANGE_SCHEMA,
                             .path = path,
                             .object = list->items[i].table };
        if (!atoms_add(&call->atoms, call->arena, atom)) return err_oom(err);
    }
    return OK;
}
