#include "cli/operation.h"
#include <string.h>
#include "wire/pb/lro.pb.h"
#include "wire/pb/rpc.pb.h"
#include "wire/pb/spanner_db.pb.h"

enum { POLL_FIRST_MS = 20, POLL_MOST_MS = 2000 };

static enum code outcome(const struct lro_Operation *operation, struct err *err) {
    if (!operation->error || operation->error->code == 0) return OK;
    int32_t code = operation->error->code;
    return err_set(err, code > 0 && code <= UNAUTHENTICATED ? (enum code)code : UNKNOWN, "%.*s",
                   STR_ARG(str_upto(operation->error->message, 900)));
}

enum code operation_wait(struct channel *channel, struct str name, struct arena *arena, struct err *err) {
    struct lro_GetOperationRequest request = { .name = name };
    for (uint64_t pause_ms = POLL_FIRST_MS;; pause_ms = pause_ms * 2 < POLL_MOST_MS ? pause_ms * 2 : POLL_MOST_MS) {
        void *reply;
        enum code rc = rpc_unary(channel, "google.longrunning.Operations/GetOperation", &lro_GetOperationRequest_msg,
                                 &request, &lro_Operation_msg, true, arena, &reply, err);
        if (rc) return rc;
        const struct lro_Operation *operation = reply;
        if (operation->done) return outcome(operation, err);
        channel_pause(channel, pause_ms);
    }
}

static enum code finish(struct channel *channel, const struct lro_Operation *operation, struct arena *arena,
                        struct err *err) {
    return operation->done ? outcome(operation, err) : operation_wait(channel, operation->name, arena, err);
}

enum code database_create(struct channel *channel, const char *database, struct arena *arena, struct err *err) {
    struct str name = str_z(database);
    size_t at = name.n;
    while (at > 0 && name.p[at - 1] != '/') at--;
    ptrdiff_t parent = str_find(name, STR("/databases/"));
    struct str statement = arena_printf(arena, "CREATE DATABASE `%.*s`", STR_ARG(str_from(name, at)));
    if (!statement.p || parent < 0) return err_oom(err);
    struct spanner_db_CreateDatabaseRequest request = { .parent = str_upto(name, (size_t)parent),
                                                        .create_statement = statement };
    void *reply;
    enum code rc = rpc_unary(channel, "google.spanner.admin.database.v1.DatabaseAdmin/CreateDatabase",
                             &spanner_db_CreateDatabaseRequest_msg, &request, &lro_Operation_msg, false, arena, &reply,
                             err);
    if (!rc) rc = finish(channel, reply, arena, err);
    return rc == ALREADY_EXISTS ? OK : rc;
}

enum code database_ddl(struct channel *channel, const char *database, struct str *statements, size_t n, struct arena *arena,
                       struct err *err) {
    struct spanner_db_UpdateDatabaseDdlRequest request = { .database = str_z(database) };
    request.statements.p = statements;
    request.statements.n = n;
    void *reply;
    enum code rc = rpc_unary(channel, "google.spanner.admin.database.v1.DatabaseAdmin/UpdateDatabaseDdl",
                             &spanner_db_UpdateDatabaseDdlRequest_msg, &request, &lro_Operation_msg, false, arena, &reply,
                             err);
    return rc ? rc : finish(channel, reply, arena, err);
}
