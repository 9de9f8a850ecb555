#include "base/err.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct code_row {
    const char *name;
    unsigned http;
    int exit;
} rows[] = {
    [OK] = { "OK", 200, 0 },
    [CANCELLED] = { "CANCELLED", 499, 1 },
    [UNKNOWN] = { "UNKNOWN", 500, 1 },
    [INVALID_ARGUMENT] = { "INVALID_ARGUMENT", 400, 65 },
    [DEADLINE_EXCEEDED] = { "DEADLINE_EXCEEDED", 504, 75 },
    [NOT_FOUND] = { "NOT_FOUND", 404, 66 },
    [ALREADY_EXISTS] = { "ALREADY_EXISTS", 409, 73 },
    [PERMISSION_DENIED] = { "PERMISSION_DENIED", 403, 77 },
    [RESOURCE_EXHAUSTED] = { "RESOURCE_EXHAUSTED", 429, 75 },
    [FAILED_PRECONDITION] = { "FAILED_PRECONDITION", 400, 1 },
    [ABORTED] = { "ABORTED", 409, 75 },
    [OUT_OF_RANGE] = { "OUT_OF_RANGE", 400, 65 },
    [UNIMPLEMENTED] = { "UNIMPLEMENTED", 501, 69 },
    [INTERNAL] = { "INTERNAL", 500, 70 },
    [UNAVAILABLE] = { "UNAVAILABLE", 503, 69 },
    [DATA_LOSS] = { "DATA_LOSS", 500, 74 },
    [UNAUTHENTICATED] = { "UNAUTHENTICATED", 401, 77 },
};

static enum code PRINTF_LIKE(3, 0) fill(struct err *err, enum code code, const char *fmt, va_list args) {
    if (!err) return code;
    err->code = code;
    err->line = err->column = 0;
    (void)vsnprintf(err->message, sizeof err->message, fmt, args);
    return code;
}

enum code err_set(struct err *err, enum code code, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fill(err, code, fmt, args);
    va_end(args);
    return code;
}

enum code err_at(struct err *err, enum code code, unsigned line, unsigned column, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fill(err, code, fmt, args);
    va_end(args);
    if (err) {
        err->line = line;
        err->column = column;
    }
    return code;
}

enum code err_oom(struct err *err) {
    return err_set(err, RESOURCE_EXHAUSTED, "out of memory");
}

static enum code code_of_errno(int e) {
    switch (e) {
    case ENOENT: return NOT_FOUND;
    case EEXIST: return ALREADY_EXISTS;
    case EACCES:
    case EPERM: return PERMISSION_DENIED;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EMFILE:
    case ENFILE: return RESOURCE_EXHAUSTED;
    case EADDRINUSE: return FAILED_PRECONDITION;
    case ECONNREFUSED:
    case ECONNRESET:
    case ETIMEDOUT: return UNAVAILABLE;
    default: return INTERNAL;
    }
}

enum code err_errno(struct err *err, const char *what) {
    int e = errno;
    return err_set(err, code_of_errno(e), "%s: %s", what, strerrordesc_np(e) ? strerrordesc_np(e) : "unknown error");
}

enum code err_wrap(struct err *err, const char *fmt, ...) {
    if (!err) return UNKNOWN;
    char context[256], message[sizeof err->message];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(context, sizeof context, fmt, args);
    va_end(args);
    memcpy(message, err->message, sizeof message);
    size_t n = strlen(context);
    memcpy(err->message, context, n);
    (void)snprintf(err->message + n, sizeof err->message - n, ": %.*s", (int)(sizeof message - n - 3), message);
    return err->code;
}

static const struct code_row *row_of(enum code code) {
    return (unsigned)code < COUNT(rows) ? &rows[code] : &rows[UNKNOWN];
}

const char *code_name(enum code code) {
    return row_of(code)->name;
}

bool code_from_name(struct str name, enum code *ret) {
    for (unsigned i = 0; i < COUNT(rows); i++) {
        if (!str_eq_z(name, rows[i].name)) continue;
        *ret = (enum code)i;
        return true;
    }
    return false;
}

unsigned code_http_status(enum code code) {
    return row_of(code)->http;
}

int code_exit_status(enum code code) {
    return row_of(code)->exit;
}
