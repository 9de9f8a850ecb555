#include "audit/io.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include "base/file.h"

/* Test only, written by the test's thread while the owner thread counts: hence atomic. */
static _Atomic unsigned calls, fail_from, fail_times;
static _Atomic int fail_errno;

void io_fail_after(unsigned n, unsigned times, int error) {
    atomic_store(&fail_from, 0);
    atomic_store(&calls, 0);
    atomic_store(&fail_times, times);
    atomic_store(&fail_errno, error);
    atomic_store(&fail_from, n);
}

unsigned io_calls(void) {
    return atomic_load(&calls);
}

static bool must_fail(void) {
    unsigned call = atomic_fetch_add(&calls, 1) + 1, from = atomic_load(&fail_from);
    if (!from || call < from || call - from >= atomic_load(&fail_times)) return false;
    errno = atomic_load(&fail_errno);
    return true;
}

static bool write_at(int fd, struct str bytes, uint64_t at) {
    while (bytes.n) {
        ssize_t n = pwrite(fd, bytes.p, bytes.n, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes = str_from(bytes, (size_t)n);
        at += (uint64_t)n;
    }
    return true;
}

enum code io_write_at(int fd, struct str bytes, uint64_t at, struct err *err) {
    bool fail = must_fail();
    int error = errno;
    bool done = write_at(fd, fail ? str_upto(bytes, bytes.n / 2) : bytes, at);
    if (fail) errno = error;
    return done && !fail ? OK : err_errno(err, "cannot write the audit log");
}

enum code io_sync(int fd, struct err *err) {
    if (must_fail()) return err_errno(err, "cannot sync the audit log");
    int rc;
    do rc = fdatasync(fd);
    while (rc && errno == EINTR);
    return rc ? err_errno(err, "cannot sync the audit log") : OK;
}

enum code io_sync_dir(const char *path, struct err *err) {
    if (must_fail()) return err_errno(err, "cannot sync the audit log's folder");
    return file_sync_dir(path, err);
}

enum code io_write_file(const char *path, struct str bytes, struct err *err) {
    DEFER(file_close) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return err_errno(err, path);
    enum code rc = io_write_at(fd, bytes, 0, err);
    if (rc) return rc;
    if (ftruncate(fd, (off_t)bytes.n)) return err_errno(err, path);
    return io_sync(fd, err);
}

enum code io_replace_file(const char *dir, const char *name, struct str bytes, struct err *err) {
    char path[4096], temporary[4096];
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    int m = snprintf(temporary, sizeof temporary, "%s/%s.new", dir, name);
    if (n < 0 || m < 0 || (size_t)m >= sizeof temporary)
        return err_set(err, INVALID_ARGUMENT, "the folder's name is too long");
    enum code rc = io_write_file(temporary, bytes, err);
    if (rc) return rc;
    if (must_fail() || rename(temporary, path)) return err_errno(err, path);
    return io_sync_dir(dir, err);
}

enum code io_unlink(const char *path, struct err *err) {
    if (must_fail() || (unlink(path) && errno != ENOENT)) return err_errno(err, path);
    return OK;
}
