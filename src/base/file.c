#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void file_close(int *fd) {
    if (*fd >= 0) (void)close(*fd);
    *fd = -1;
}

enum code file_read(struct arena *arena, const char *path, size_t max_bytes, struct str *ret, struct err *err) {
    DEFER(file_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) return err_errno(err, path);
    if (!S_ISREG(st.st_mode)) return err_set(err, FAILED_PRECONDITION, "%s: not a regular file", path);
    if (st.st_size < 0 || (uint64_t)st.st_size > max_bytes)
        return err_set(err, FAILED_PRECONDITION, "%s: larger than %zu bytes", path, max_bytes);
    size_t want = (size_t)st.st_size, n = 0;
    char *p = arena_alloc(arena, want + 1);
    if (!p) return err_oom(err);
    while (n < want) {
        ssize_t got = read(fd, p + n, want - n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return err_errno(err, path);
        if (got == 0) break;
        n += (size_t)got;
    }
    *ret = (struct str){ p, n };
    return OK;
}

enum code file_write_all(int fd, struct str s, struct err *err) {
    while (s.n) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_errno(err, "write");
        s = str_from(s, (size_t)n);
    }
    return OK;
}

enum code file_sync_dir(const char *dir, struct err *err) {
    DEFER(file_close) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) return err_errno(err, dir);
    return OK;
}

static void parent_of(const char *path, char out[PATH_MAX]) {
    const char *slash = strrchr(path, '/');
    if (!slash) (void)snprintf(out, PATH_MAX, ".");
    else (void)snprintf(out, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

static enum code write_and_rename(int fd, const char *temporary, const char *path, struct str contents, struct err *err) {
    enum code rc = file_write_all(fd, contents, err);
    if (rc) return rc;
    if (fsync(fd) != 0 || rename(temporary, path) != 0) return err_errno(err, path);
    char dir[PATH_MAX];
    parent_of(path, dir);
    return file_sync_dir(dir, err);
}

enum code file_write_durable(const char *path, struct str contents, unsigned mode, struct err *err) {
    char temporary[PATH_MAX];
    if (snprintf(temporary, sizeof temporary, "%s.new-%ld", path, (long)getpid()) >= (int)sizeof temporary)
        return err_set(err, INVALID_ARGUMENT, "path is too long: %.200s", path);
    (void)unlink(temporary);
    DEFER(file_close) int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
    if (fd < 0) return err_errno(err, temporary);
    enum code rc = write_and_rename(fd, temporary, path, contents, err);
    if (rc) (void)unlink(temporary);
    return rc;
}

enum code file_make_dirs(const char *path, unsigned mode, struct err *err) {
    char part[PATH_MAX];
    size_t n = strlen(path);
    if (n >= sizeof part) return err_set(err, INVALID_ARGUMENT, "path is too long: %.200s", path);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != '\0') continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, (mode_t)mode) != 0 && errno != EEXIST) return err_errno(err, part);
    }
    return OK;
}
