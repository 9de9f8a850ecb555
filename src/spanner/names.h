/* names.h: resource names: projects/P/instances/I/databases/D/sessions/S. Any thread; slices of the given text. */
#pragma once
#include "base/err.h"

struct spanner_name {
    struct str project, instance, database, session, operation; /* empty p: not in the name */
    struct str config;                                          /* projects/P/instanceConfigs/C */
};

/* INVALID_ARGUMENT "Invalid … name: …" for text that is no such name. */
MUST_USE enum code name_project(struct str text, struct spanner_name *ret, struct err *err);
MUST_USE enum code name_instance(struct str text, struct spanner_name *ret, struct err *err);
MUST_USE enum code name_database(struct str text, struct spanner_name *ret, struct err *err);
MUST_USE enum code name_session(struct str text, struct spanner_name *ret, struct err *err);
/* projects/P/instances/I[/databases/D]/operations/O */
MUST_USE enum code name_operation(struct str text, struct spanner_name *ret, struct err *err);
MUST_USE enum code name_config(struct str text, struct spanner_name *ret, struct err *err);
