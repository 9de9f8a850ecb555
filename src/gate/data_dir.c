/* data_dir.c: the data directory: where things are, one server at a time, which version wrote it. */
#include "gate/data_dir.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>
#include "base/file.h"

static const char *const names[] = {
    [DATA_AUDIT] = "audit",
    [DATA_KEYS] = "keys",
    [DATA_AUDIT_KEY] = "keys/audit.key",
    [DATA_AUDIT_PUBLIC] = "keys/audit.pub",
    [DATA_TOKEN_KEY] = "keys/token.key",
    [DATA_WORKSPACE_KEY] = "keys/workspace.key",
    [DATA_DEV_KEY] = "keys/dev-issuer.key",
    [DATA_SPOOL] = "spool",
    [DATA_LOCK] = "lock",
    [DATA_REVOKED] = "revoked",
    [DATA_FORMAT_FILE] = "format",
};

enum code data_path(const char *dir, enum data_path what, char out[DATA_PATH_MAX], struct err *err) {
    int n = snprintf(out, DATA_PATH_MAX, "%s/%s", dir, names[what]);
    return n > 0 && n < DATA_PATH_MAX ? OK : err_set(err, INVALID_ARGUMENT, "the data directory's path is too long");
}

enum code data_make(const char *dir, struct err *err) {
    char path[DATA_PATH_MAX];
    enum code rc = data_path(dir, DATA_KEYS, path, err);
    if (!rc) rc = file_make_dirs(path, 0700, err);
    if (!rc) rc = data_path(dir, DATA_SPOOL, path, err);
    if (!rc) rc = file_make_dirs(path, 0700, err);
    if (!rc) rc = data_path(dir, DATA_FORMAT_FILE, path, err);
    char text[16];
    int n = snprintf(text, sizeof text, "%d\n", DATA_FORMAT);
    if (!rc && access(path, F_OK) != 0) rc = file_write_durable(path, (struct str){ text, (size_t)n }, 0600, err);
    return rc;
}

static enum code check_format(const char *dir, struct err *err) {
    char path[DATA_PATH_MAX];
    enum code rc = data_path(dir, DATA_FORMAT_FILE, path, err);
    if (rc) return rc;
    DEFER(arena_freep) struct arena *arena = arena_new(4096);
    struct str text;
    if (!arena) return err_oom(err);
    if (file_read(arena, path, 64, &text, err))
        return err_set(err, FAILED_PRECONDITION, "%s is no data directory: make one with `linkspan init`", dir);
    uint64_t format = 0;
    if (!str_u64(str_trim(text), &format)) return err_set(err, DATA_LOSS, "%s: not a format number", path);
    if (format > DATA_FORMAT)
        return err_set(err, FAILED_PRECONDITION,
                       "%s was written by a newer version (format %llu, this program knows %d): use that version", dir,
                       (unsigned long long)format, DATA_FORMAT);
    return OK;
}

enum code data_lock(const char *dir, int *ret_fd, struct err *err) {
    enum code rc = check_format(dir, err);
    char path[DATA_PATH_MAX];
    if (!rc) rc = data_path(dir, DATA_LOCK, path, err);
    if (rc) return rc;
    DEFER(file_close) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return err_errno(err, path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return err_errno(err, path);
        return err_set(err, FAILED_PRECONDITION,
                       "another linkspan server uses %s: stop it, or give this one a directory of its own", dir);
    }
    *ret_fd = fd;
    fd = -1;
    return OK;
}
