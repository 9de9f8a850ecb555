/* ddl.h: changes of the schema, as plain data. Whoever parses DDL fills these in. All text is borrowed. */
#pragma once
#include "base/err.h"
#include "googlesql/role.h"

enum engine_ddl_kind {
    ENGINE_CREATE_TABLE,
    ENGINE_DROP_TABLE,
    ENGINE_ADD_COLUMN,
    ENGINE_DROP_COLUMN,
    ENGINE_ALTER_COLUMN, /* NOT NULL on or off, another length, allow_commit_timestamp; the type may not change */
    ENGINE_CREATE_ROLE,
    ENGINE_DROP_ROLE, /* FAILED_PRECONDITION while it holds privileges */
    ENGINE_GRANT,     /* what is held already is no fault */
    ENGINE_REVOKE,    /* nor what is not; a table's: its columns' as well, columns': the table's stays */
};

struct engine_ddl_key {
    struct str column;
    bool desc;
};

struct engine_ddl {
    enum engine_ddl_kind kind;
    struct str table;
    bool if_exists;                   /* IF NOT EXISTS of CREATE and ADD, IF EXISTS of DROP */
    struct str column;                /* DROP_COLUMN, ALTER_COLUMN */
    const struct sql_column *columns; /* CREATE_TABLE: all; ADD_COLUMN, ALTER_COLUMN: one. Ids are ignored */
    uint16_t n_columns;
    const struct engine_ddl_key *key; /* CREATE_TABLE */
    uint16_t n_key;
    struct str role;          /* CREATE_ROLE, DROP_ROLE */
    struct sql_grants grants; /* GRANT, REVOKE */
};
