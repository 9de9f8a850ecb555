/* parse_ddl.c: CREATE DATABASE, CREATE TABLE, ALTER TABLE ADD and DROP COLUMN, DROP TABLE; which statement it is. The rest
 * is refused by name. */
#include <ctype.h>
#include "googlesql/parser.h"

struct key_name {
    struct str name;
    uint32_t at;
    bool desc;
};

struct table_parts {
    struct sql_ddl *ddl;
    size_t cap;
    struct key_name key[SQL_MAX_KEY_PARTS];
    size_t n_key;
    bool has_key;
};

static enum code invalid(struct parser *p, uint32_t at, const char *what, struct str name) {
    return sql_error(p->err, INVALID_ARGUMENT, p->text, at, "%s: %.*s", what, STR_ARG(name));
}

/* A table's, column's or role's name: a letter or underscore first, then letters, digits, underscores; no named schemas
 * yet.
 */
enum code parse_object_name(struct parser *p, struct str *ret) {
    uint32_t at = here(p);
    enum code rc = parse_name(p, ret);
    if (rc) return rc;
    if (is_punct(p, 0, ".")) return unsupported(p, at, "Named schemas");
    for (size_t i = 0; i < ret->n; i++) {
        unsigned char c = (unsigned char)ret->p[i];
        if (c != '_' && !(c < 128 && (isalpha(c) || (i && isdigit(c))))) return invalid(p, at, "Invalid name", *ret);
    }
    return OK;
}

static enum code key_add(struct parser *p, struct table_parts *t, struct key_name part) {
    if (t->n_key >= SQL_MAX_KEY_PARTS)
        return sql_error(p->err, INVALID_ARGUMENT, p->text, part.at, "A primary key has at most %d columns",
                         SQL_MAX_KEY_PARTS);
    t->key[t->n_key++] = part;
    return OK;
}

/* PRIMARY KEY ( a, b DESC ), the first two words taken. */
static enum code parse_key(struct parser *p, struct table_parts *t) {
    if (t->has_key) return sql_error(p->err, INVALID_ARGUMENT, p->text, here(p), "Cannot specify two PRIMARY KEYs");
    t->has_key = true;
    enum code rc = expect_punct(p, "(");
    while (!rc && !take_punct(p, ")")) {
        struct key_name part = { .at = here(p) };
        rc = parse_object_name(p, &part.name);
        if (rc) return rc;
        part.desc = take_keyword(p, "DESC");
        if (!part.desc) (void)take_keyword(p, "ASC");
        rc = key_add(p, t, part);
        if (!rc && !is_punct(p, 0, ")")) rc = expect_punct(p, ",");
    }
    return rc;
}

/* parse_type ends behind a parenthesis when a length was given. */
static bool length_given(const struct parser *p) {
    return str_eq(token_text(p->text, p->tokens.items[p->at - 1]), STR(")"));
}

static enum code parse_options(struct parser *p, struct sql_column *c) {
    enum code rc = expect_punct(p, "(");
    while (!rc && !take_punct(p, ")")) {
        uint32_t at = here(p);
        struct str name;
        rc = parse_name(p, &name);
        if (!rc) rc = expect_punct(p, "=");
        if (rc) return rc;
        if (!str_eq_nocase(name, STR("allow_commit_timestamp"))) return unsupported(p, at, "This column option");
        if (c->type != SQL_TIMESTAMP) return invalid(p, at, "Option only allowed on TIMESTAMP columns", name);
        c->allow_commit_timestamp = is_keyword(p, 0, "TRUE");
        if (!take_keyword(p, "TRUE") && !take_keyword(p, "FALSE") && !take_keyword(p, "NULL")) return unexpected(p);
        if (!is_punct(p, 0, ")")) rc = expect_punct(p, ",");
    }
    return rc;
}

static enum code refuse_column_word(struct parser *p) {
    static const char *const later[] = { "DEFAULT", "AS",        "GENERATED", "HIDDEN",    "AUTO_INCREMENT",
                                         "ON",      "PLACEMENT", "CHECK",     "REFERENCES" };
    for (size_t i = 0; i < COUNT(later); i++)
        if (is_keyword(p, 0, later[i])) return unsupported(p, here(p), later[i]);
    return OK;
}

/* name TYPE [NOT NULL] [PRIMARY KEY] [OPTIONS (…)] */
static enum code parse_column(struct parser *p, struct table_parts *t, struct sql_column *c) {
    uint32_t at = here(p);
    *c = (struct sql_column){ 0 };
    enum code rc = parse_object_name(p, &c->name);
    if (!rc) rc = parse_type(p, c);
    if (rc) return rc;
    if ((c->type == SQL_STRING || c->type == SQL_BYTES) && !length_given(p))
        return sql_error(p->err, INVALID_ARGUMENT, p->text, at, "A length is required for column %.*s", STR_ARG(c->name));
    for (;;) {
        if (take_keyword(p, "NOT")) {
            rc = expect_keyword(p, "NULL");
            c->not_null = true;
        } else if (t && take_keyword(p, "PRIMARY")) {
            rc = expect_keyword(p, "KEY");
            if (t->has_key) return sql_error(p->err, INVALID_ARGUMENT, p->text, at, "Cannot specify two PRIMARY KEYs");
            t->has_key = true;
            if (!rc) rc = key_add(p, t, (struct key_name){ c->name, at, false });
        } else if (take_keyword(p, "OPTIONS")) {
            rc = parse_options(p, c);
        } else {
            return refuse_column_word(p);
        }
        if (rc) return rc;
    }
}

static enum code duplicate_column(struct parser *p, const struct sql_ddl *d, uint32_t at) {
    struct str name = d->columns[d->n_columns - 1].name;
    for (uint16_t i = 0; i + 1 < d->n_columns; i++)
        if (str_eq_nocase(d->columns[i].name, name)) return invalid(p, at, "Duplicate column name", name);
    return OK;
}

static enum code add_column(struct parser *p, struct table_parts *t) {
    struct sql_ddl *d = t->ddl;
    uint32_t at = here(p);
    if (d->n_columns >= SQL_MAX_COLUMNS)
        return sql_error(p->err, INVALID_ARGUMENT, p->text, at, "A table has at most %d columns", SQL_MAX_COLUMNS);
    if (!arena_grow(p->arena, &d->columns, &t->cap, d->n_columns + 1u, sizeof *d->columns)) return err_oom(p->err);
    enum code rc = parse_column(p, t, &d->columns[d->n_columns++]);
    return rc ? rc : duplicate_column(p, d, at);
}

/* `check INT64` is a column, CHECK (…) and CONSTRAINT c … are not. */
static bool type_follows(const struct parser *p) {
    static const char *const types[] = { "BOOL", "INT64", "FLOAT64", "STRING", "BYTES", "DATE", "TIMESTAMP" };
    for (size_t i = 0; i < COUNT(types); i++)
        if (is_keyword(p, 1, types[i])) return true;
    return false;
}

static enum code parse_element(struct parser *p, struct table_parts *t) {
    static const char *const later[] = { "CONSTRAINT", "FOREIGN", "CHECK", "SYNONYM" };
    if (is_keyword(p, 0, "PRIMARY") && is_keyword(p, 1, "KEY")) {
        p->at += 2;
        return parse_key(p, t);
    }
    for (size_t i = 0; i < COUNT(later); i++)
        if (is_keyword(p, 0, later[i]) && !type_follows(p)) return unsupported(p, here(p), later[i]);
    return add_column(p, t);
}

/* The key's names become indexes; a key column that is there twice or nowhere is a fault. */
static enum code resolve_key(struct parser *p, struct table_parts *t) {
    struct sql_ddl *d = t->ddl;
    d->key = ARENA_ARRAY(p->arena, struct sql_key_part, t->n_key + 1);
    if (!d->key) return err_oom(p->err);
    for (size_t i = 0; i < t->n_key; i++) {
        uint16_t column = 0;
        while (column < d->n_columns && !str_eq_nocase(d->columns[column].name, t->key[i].name)) column++;
        if (column == d->n_columns)
            return sql_error(p->err, INVALID_ARGUMENT, p->text, t->key[i].at,
                             "Table %.*s references nonexistent key column %.*s", STR_ARG(d->name),
                             STR_ARG(t->key[i].name));
        for (size_t j = 0; j < i; j++)
            if (d->key[j].column == column) return invalid(p, t->key[i].at, "Duplicate key column", t->key[i].name);
        d->key[d->n_key++] = (struct sql_key_part){ column, t->key[i].desc };
    }
    return OK;
}

static enum code parse_table_tail(struct parser *p, struct table_parts *t) {
    if (take_keyword(p, "PRIMARY")) {
        enum code rc = expect_keyword(p, "KEY");
        if (!rc) rc = parse_key(p, t);
        if (rc) return rc;
    }
    if (is_punct(p, 0, ",")) return unsupported(p, here(p), "INTERLEAVE and ROW DELETION POLICY");
    if (is_keyword(p, 0, "OPTIONS")) return unsupported(p, here(p), "Table options");
    if (t->has_key) return OK;
    return sql_error(p->err, INVALID_ARGUMENT, p->text, here(p), "Table %.*s does not have a primary key",
                     STR_ARG(t->ddl->name));
}

static enum code parse_if_not_exists(struct parser *p, bool *ret) {
    *ret = is_keyword(p, 0, "IF");
    if (!take_keyword(p, "IF")) return OK;
    enum code rc = expect_keyword(p, "NOT");
    return rc ? rc : expect_keyword(p, "EXISTS");
}

static enum code parse_create_table(struct parser *p, struct sql_ddl *d) {
    struct table_parts t = { .ddl = d };
    d->kind = DDL_CREATE_TABLE;
    enum code rc = parse_if_not_exists(p, &d->if_not_exists);
    if (!rc) rc = parse_object_name(p, &d->name);
    if (!rc) rc = expect_punct(p, "(");
    while (!rc && !take_punct(p, ")")) {
        rc = parse_element(p, &t);
        if (!rc && !is_punct(p, 0, ")")) rc = expect_punct(p, ",");
    }
    if (!rc) rc = parse_table_tail(p, &t);
    return rc ? rc : resolve_key(p, &t);
}

static enum code parse_create_database(struct parser *p, struct sql_ddl *d) {
    uint32_t at = here(p);
    d->kind = DDL_CREATE_DATABASE;
    enum code rc = parse_name(p, &d->name);
    if (rc) return rc;
    bool good = d->name.n >= 2 && d->name.n <= 30 && islower((unsigned char)d->name.p[0]);
    for (size_t i = 0; i < d->name.n; i++) {
        unsigned char c = (unsigned char)d->name.p[i];
        good = good && (islower(c) || isdigit(c) || c == '_' || c == '-');
    }
    return good && isalnum((unsigned char)d->name.p[d->name.n - 1]) ? OK : invalid(p, at, "Invalid database id", d->name);
}

static enum code parse_add_column(struct parser *p, struct sql_ddl *d) {
    d->kind = DDL_ADD_COLUMN;
    (void)take_keyword(p, "COLUMN");
    enum code rc = parse_if_not_exists(p, &d->if_not_exists);
    d->columns = ARENA_NEW(p->arena, struct sql_column);
    if (!rc && !d->columns) return err_oom(p->err);
    d->n_columns = 1;
    return rc ? rc : parse_column(p, NULL, d->columns);
}

static enum code parse_alter_table(struct parser *p, struct sql_ddl *d) {
    static const char *const later[] = { "CONSTRAINT", "FOREIGN", "CHECK", "SYNONYM", "ROW" };
    enum code rc = parse_object_name(p, &d->name);
    if (rc) return rc;
    bool add = is_keyword(p, 0, "ADD"), drop = is_keyword(p, 0, "DROP");
    for (size_t i = 0; i < COUNT(later) && (add || drop); i++)
        if (is_keyword(p, 1, later[i]))
            return unsupported(p, here(p), "ALTER TABLE ADD or DROP of a constraint, synonym or policy");
    if (take_keyword(p, "ADD")) return parse_add_column(p, d);
    if (!take_keyword(p, "DROP")) return unsupported(p, here(p), "ALTER TABLE other than ADD COLUMN and DROP COLUMN");
    d->kind = DDL_DROP_COLUMN;
    (void)take_keyword(p, "COLUMN");
    return parse_object_name(p, &d->column);
}

static enum code parse_drop_table(struct parser *p, struct sql_ddl *d) {
    d->kind = DDL_DROP_TABLE;
    d->if_exists = take_keyword(p, "IF");
    enum code rc = d->if_exists ? expect_keyword(p, "EXISTS") : OK;
    return rc ? rc : parse_object_name(p, &d->name);
}

static const struct {
    const char *first, *second; /* second NULL: the statement goes on in many ways */
    enum code (*parse)(struct parser *p, struct sql_ddl *d);
} statements[] = {
    { "CREATE", "DATABASE", parse_create_database },
    { "CREATE", "TABLE", parse_create_table },
    { "ALTER", "TABLE", parse_alter_table },
    { "DROP", "TABLE", parse_drop_table },
    { "CREATE", "ROLE", parse_create_role },
    { "DROP", "ROLE", parse_drop_role },
    { "GRANT", NULL, parse_grant },
    { "REVOKE", NULL, parse_revoke },
};

enum code parse_ddl_statement(struct parser *p, struct sql_ddl **ret) {
    static const char *const known[] = { "CREATE", "ALTER", "DROP", "RENAME", "ANALYZE" };
    struct sql_ddl *d = ARENA_NEW(p->arena, struct sql_ddl);
    if (!d) return err_oom(p->err);
    *ret = d;
    d->at = here(p);
    for (size_t i = 0; i < COUNT(statements); i++) {
        const char *second = statements[i].second;
        if (!is_keyword(p, 0, statements[i].first) || (second && !is_keyword(p, 1, second))) continue;
        p->at += second ? 2 : 1;
        return statements[i].parse(p, d);
    }
    for (size_t i = 0; i < COUNT(known); i++) {
        if (!is_keyword(p, 0, known[i])) continue;
        struct str word = token_at(p, 1).kind == TOKEN_NAME ? token_text(p->text, token_at(p, 1)) : STR("");
        return sql_error(p->err, UNIMPLEMENTED, p->text, d->at, "%s %.*s: not supported yet", known[i], STR_ARG(word));
    }
    return unexpected(p);
}
