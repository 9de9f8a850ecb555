/* query.h: rows of runs and activity runs, for queries and for get. Desk. */
#pragma once
#include "pipeline/pipelines_priv.h"

#define RUN_COLUMNS                                                                                                        \
    "id, pipeline, parameters, state, message, created, started, ended, updated, request, issuer, subject, root,"          \
    " parent_run, parent_pipeline, parent_activity, seq"
MUST_USE enum code query_read_run(sqlite3_stmt *stmt, struct arena *arena, struct run_info *ret, struct err *err);

#define ACTIVITY_COLUMNS                                                                                                   \
    "a.id, a.name, a.type, r.id, r.pipeline, a.state, a.started, a.ended, a.attempt, a.input, a.output, a.error,"          \
    " a.iteration, a.user_properties, a.wait, a.wake, a.hidden"
MUST_USE enum code query_read_activity(sqlite3_stmt *stmt, struct arena *arena, struct activity_info *ret, struct err *err);
