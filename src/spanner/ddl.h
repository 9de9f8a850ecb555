/* ddl.h: DDL text → the engine's statements, and the atoms that they ask for. Any thread; in the arena. */
#pragma once
#include "spanner/target.h"

struct ddl_list {
    struct engine_ddl *items;
    size_t n;
};

/* "CREATE DATABASE `db`": its name. */
MUST_USE enum code ddl_database_name(struct arena *arena, struct str statement, struct str *ret, struct err *err);
MUST_USE enum code ddl_parse(struct arena *arena, const struct str *statements, size_t n, struct ddl_list *ret,
                             struct err *err);
/* `change schema` for each table; `change grants` for roles and privileges. */
MUST_USE enum code ddl_atoms(struct call *call, struct str path, const struct ddl_list *list, struct err *err);
