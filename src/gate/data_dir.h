/* data_dir.h: the data directory: where things are in it, one server at a time, which version wrote it. Blocks; any thread
 * but a loop's. */
#pragma once
#include <string.h>
#include "base/arena.h"
#include "base/err.h"

enum { DATA_PATH_MAX = 4096, DATA_FORMAT = 1 };
enum data_path {
    DATA_AUDIT,         /* the audit log's folder */
    DATA_KEYS,          /* the folder of the keys below, and of upstreams' (far_side.h) */
    DATA_AUDIT_KEY,     /* Ed25519, private */
    DATA_AUDIT_PUBLIC,  /* what an auditor gets */
    DATA_TOKEN_KEY,     /* P-256: signs our tokens */
    DATA_WORKSPACE_KEY, /* RSA: signs the tokens of the Synapse workspace's identity */
    DATA_DEV_KEY,       /* RSA: the development issuer's, made when it first runs */
    DATA_SPOOL,         /* answers that wait for slow clients: unlinked files */
    DATA_LOCK,
    DATA_REVOKED, /* what was taken back before its end */
    DATA_FORMAT_FILE,
};
MUST_USE enum code data_path(const char *dir, enum data_path what, char out[DATA_PATH_MAX], struct err *err);
MUST_USE enum code data_make(const char *dir, struct err *err); /* the folders and the format file; fine when there */
/* FAILED_PRECONDITION: another server has it, or a newer version wrote it. The descriptor holds the lock. */
MUST_USE enum code data_lock(const char *dir, int *ret_fd, struct err *err);
