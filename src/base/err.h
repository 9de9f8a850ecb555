/* err.h: what stops the work.
 *
 * `enum code` holds gRPC's canonical codes (google.rpc.Code); one table maps them to HTTP and to exit statuses. The
 * caller owns the `struct err`, on its stack; functions that fail fill it and return its code; functions that succeed
 * leave it untouched. Messages are for the user who must act: no secrets, no addresses of memory. */
#pragma once
#include "base/attr.h"
#include "base/str.h"

enum code {
    OK = 0,
    CANCELLED = 1,
    UNKNOWN = 2,
    INVALID_ARGUMENT = 3,
    DEADLINE_EXCEEDED = 4,
    NOT_FOUND = 5,
    ALREADY_EXISTS = 6,
    PERMISSION_DENIED = 7,
    RESOURCE_EXHAUSTED = 8,
    FAILED_PRECONDITION = 9,
    ABORTED = 10,
    OUT_OF_RANGE = 11,
    UNIMPLEMENTED = 12,
    INTERNAL = 13,
    UNAVAILABLE = 14,
    DATA_LOSS = 15,
    UNAUTHENTICATED = 16,
};

struct err {
    enum code code;
    unsigned line, column; /* place in the user's text, from 1; 0 = none */
    char message[1024];    /* NUL-terminated UTF-8; Spanner's own messages are capped at 1,024 bytes too */
};

/* Fills err (which may be NULL) and returns `code`, so that a failing function ends with `return err_set(…)`. */
enum code err_set(struct err *err, enum code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
enum code err_at(struct err *err, enum code code, unsigned line, unsigned column, const char *fmt, ...) PRINTF_LIKE(5, 6);
enum code err_oom(struct err *err);                     /* RESOURCE_EXHAUSTED "out of memory" */
enum code err_errno(struct err *err, const char *what); /* from errno: "what: No space left on device" */
/* Puts "context: " before the message. Returns err->code. */
enum code err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

const char *code_name(enum code code); /* "PERMISSION_DENIED" */
bool code_from_name(struct str name, enum code *ret);
unsigned code_http_status(enum code code); /* google.rpc.Code's HTTP mapping: 403 … */
int code_exit_status(enum code code);      /* sysexits-like: see docs/cli.md */
