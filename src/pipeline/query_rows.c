/* query_rows.c: a row of the state as the API shows it: what is secure is not in it. */
#include "pipeline/query.h"

enum code query_read_run(sqlite3_stmt *stmt, struct arena *arena, struct run_info *ret, struct err *err) {
    *ret = (struct run_info){ .id = pipeline_rows_text(stmt, 0, arena),
                              .pipeline = pipeline_rows_text(stmt, 1, arena),
                              .parameters = pipeline_rows_text(stmt, 2, arena),
                              .state = (enum run_state)sqlite3_column_int(stmt, 3),
                              .message = pipeline_rows_text(stmt, 4, arena),
                              .created_us = sqlite3_column_int64(stmt, 5),
                              .started_us = sqlite3_column_int64(stmt, 6),
                              .ended_us = sqlite3_column_int64(stmt, 7),
                              .updated_us = sqlite3_column_int64(stmt, 8),
                              .request = pipeline_rows_text(stmt, 9, arena),
                              .issuer = pipeline_rows_text(stmt, 10, arena),
                              .subject = pipeline_rows_text(stmt, 11, arena),
                              .root_run = pipeline_rows_text(stmt, 12, arena),
                              .parent_run = pipeline_rows_text(stmt, 13, arena),
                              .parent_pipeline = pipeline_rows_text(stmt, 14, arena),
                              .parent_activity_run = pipeline_rows_text(stmt, 15, arena) };
    return ret->parent_activity_run.p && ret->id.p && ret->pipeline.p && ret->parameters.p ? OK : err_oom(err);
}

enum code query_read_activity(sqlite3_stmt *stmt, struct arena *arena, struct activity_info *ret, struct err *err) {
    bool hides_output = (sqlite3_column_int(stmt, 16) & 2) != 0;
    *ret = (struct activity_info){ .id = pipeline_rows_text(stmt, 0, arena),
                                   .name = pipeline_rows_text(stmt, 1, arena),
                                   .type = pipeline_rows_text(stmt, 2, arena),
                                   .run = pipeline_rows_text(stmt, 3, arena),
                                   .pipeline = pipeline_rows_text(stmt, 4, arena),
                                   .state = (enum run_state)sqlite3_column_int(stmt, 5),
                                   .started_us = sqlite3_column_int64(stmt, 6),
                                   .ended_us = sqlite3_column_int64(stmt, 7),
                                   .attempt = (unsigned)sqlite3_column_int(stmt, 8),
                                   .input = pipeline_rows_text(stmt, 9, arena),
                                   .output = hides_output ? STR("{\"secureOutput\":true}")
                                                          : pipeline_rows_text(stmt, 10, arena),
                                   .error = pipeline_rows_text(stmt, 11, arena),
                                   .iteration = pipeline_rows_text(stmt, 12, arena),
                                   .user_properties = pipeline_rows_text(stmt, 13, arena),
                                   .wait = (enum run_wait)sqlite3_column_int(stmt, 14),
                                   .wake_us = sqlite3_column_int64(stmt, 15) };
    bool lost = !ret->id.p || !ret->pipeline.p || (sqlite3_column_type(stmt, 9) != SQLITE_NULL && !ret->input.p) ||
                (sqlite3_column_type(stmt, 10) != SQLITE_NULL && !ret->output.p) ||
                (sqlite3_column_type(stmt, 11) != SQLITE_NULL && !ret->error.p);
    return lost ? err_oom(err) : OK;
}
