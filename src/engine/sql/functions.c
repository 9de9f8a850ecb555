#include "engine/sql/functions.h"
#include <string.h>
#include "engine/sql/fn.h"

static void run(sqlite3_context *ctx, int n, sqlite3_value **args) {
    const struct fn *f = sqlite3_user_data(ctx);
    for (int i = 0; i < n && !f->nulls; i++) {
        if (sqlite3_value_type(args[i]) != SQLITE_NULL) continue;
        sqlite3_result_null(ctx);
        return;
    }
    f->run(ctx, n, args);
}

static int add(sqlite3 *db, const struct fn *f) {
    void *row = (void *)(uintptr_t)f; /* SQLite only hands it back */
    return sqlite3_create_function_v2(db, f->name, f->args, SQLITE_UTF8 | SQLITE_INNOCUOUS | SQLITE_DETERMINISTIC, row, run,
                                      NULL, NULL, NULL);
}

enum code sql_functions_register(sqlite3 *db, struct err *err) {
    const struct fn_list lists[] = { fn_math(), fn_text(), fn_time(), fn_cast() };
    const struct aggregate_list aggregates = fn_aggregates();
    int rc = SQLITE_OK;
    for (size_t i = 0; i < COUNT(lists); i++)
        for (size_t k = 0; k < lists[i].n && rc == SQLITE_OK; k++) rc = add(db, &lists[i].rows[k]);
    for (size_t i = 0; i < aggregates.n && rc == SQLITE_OK; i++) {
        const struct aggregate *a = &aggregates.rows[i];
        rc = sqlite3_create_function_v2(db, a->name, a->args, SQLITE_UTF8 | SQLITE_INNOCUOUS, NULL, NULL, a->step, a->final,
                                        NULL);
    }
    return rc == SQLITE_OK
               ? OK
               : err_set(err, RESOURCE_EXHAUSTED, "SQLite could not take the functions: %s", sqlite3_errstr(rc));
}

enum code sql_error_from_sqlite(sqlite3 *db, int rc, struct err *err) {
    struct str message = str_z(sqlite3_errmsg(db)), rest = message;
    struct str name = str_cut(&rest, ':');
    enum code code;
    if ((rc & 0xff) == SQLITE_ERROR && rest.n > 1 && code_from_name(name, &code))
        return err_set(err, code, "%.*s", STR_ARG(str_from(rest, 1)));
    switch (rc & 0xff) {
    case SQLITE_INTERRUPT: return err_set(err, CANCELLED, "The query was cancelled");
    case SQLITE_NOMEM:
    case SQLITE_FULL:
    case SQLITE_TOOBIG:
        return err_set(err, RESOURCE_EXHAUSTED, "The query needs more memory or disk than there is: %s",
                       sqlite3_errstr(rc));
    default: break;
    }
    if (str_find(message, STR("too deep")) >= 0 || str_find(message, STR("stack overflow")) >= 0 ||
        str_find(message, STR("too large")) >= 0 || str_find(message, STR("too many")) >= 0)
        return err_set(err, UNIMPLEMENTED, "The query is nested too deeply or is too large for this engine");
    return err_set(err, INTERNAL, "SQLite: %s", sqlite3_errstr(rc)); /* its message may show values */
}
