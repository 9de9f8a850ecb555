/* launch_stage.c: the files of a job: found below the allowed folders, hashed, copied. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/enc.h"
#include "base/file.h"
#include "crypto/hash.h"
#include "spark/launch_files.h"

enum { COPY_BYTES = 1 << 16 };

/* ---- URIs ---- */

static enum code path_of(struct str uri, struct str *ret, struct err *err) {
    struct str path = uri;
    if (str_starts(uri, STR("gs://")))
        return err_set(err, UNIMPLEMENTED, "gs:// files are not supported yet: %.*s. Use file:// below an allowed folder",
                       STR_ARG(str_upto(uri, 200)));
    if (str_strip_prefix(&path, STR("file://")) && !str_starts(path, STR("/")))
        return err_set(err, INVALID_ARGUMENT, "%.*s: a file URI has no host here: file:///…", STR_ARG(str_upto(uri, 200)));
    if (!str_starts(path, STR("/")))
        return err_set(err, UNIMPLEMENTED, "%.*s: only file:///… and absolute paths can be run",
                       STR_ARG(str_upto(uri, 200)));
    for (size_t i = 0; i < path.n; i++)
        if ((unsigned char)path.p[i] < 0x20 || strchr("%#,?", path.p[i]))
            return err_set(err, INVALID_ARGUMENT, "a file's path holds none of %% # , ? and no control characters");
    if (path.n >= PATH_MAX) return err_set(err, INVALID_ARGUMENT, "a file's path is too long");
    *ret = path;
    return OK;
}

/* The part of `path` below `folder`; both as written. */
static bool below(struct str path, struct str folder, struct str *ret_rest) {
    while (folder.n > 1 && folder.p[folder.n - 1] == '/') folder.n--;
    if (!folder.n || !str_strip_prefix(&path, folder) || !str_starts(path, STR("/"))) return false;
    while (str_strip_prefix(&path, STR("/"))) {}
    *ret_rest = path;
    return path.n > 0;
}

static int open_in(const char *folder, struct str rest) {
    char name[PATH_MAX];
    (void)snprintf(name, sizeof name, "%.*s", STR_ARG(rest));
    DEFER(file_close) int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) return -1;
    struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
    return (int)syscall(SYS_openat2, dir, name, &how, sizeof how);
}

static enum code open_failed(struct str path, int error, struct err *err) {
    if (error == EXDEV || error == ELOOP)
        return err_set(err, PERMISSION_DENIED, "%.*s leads out of the folder that the configuration allows", STR_ARG(path));
    errno = error;
    char text[512];
    (void)snprintf(text, sizeof text, "%.*s", STR_ARG(str_upto(path, 500)));
    return err_errno(err, text);
}

/* A folder may be named by the configuration's spelling or by its real path. */
static enum code open_allowed(const struct launch_config *config, struct str uri, int *ret_fd, struct err *err) {
    struct str path, rest;
    enum code rc = path_of(uri, &path, err);
    if (rc) return rc;
    for (size_t i = 0; i < config->n_code; i++) {
        char folder[PATH_MAX], real[PATH_MAX];
        (void)snprintf(folder, sizeof folder, "%.*s", STR_ARG(config->code[i]));
        if (!realpath(folder, real) || !(below(path, config->code[i], &rest) || below(path, str_z(real), &rest))) continue;
        *ret_fd = open_in(real, rest);
        return *ret_fd < 0 ? open_failed(path, errno, err) : OK;
    }
    return err_set(err, PERMISSION_DENIED, "%.*s is not below a folder that the configuration allows (dataproc.code)",
                   STR_ARG(str_upto(path, 300)));
}

/* ---- copy and hash ---- */

static enum code hash_copy(int from, int to, struct str uri, size_t max_bytes, char ret_hex[LAUNCH_SHA256_HEX + 1],
                           struct err *err) {
    DEFER(hash_freep) struct hash *hash = hash_new();
    char block[COPY_BYTES];
    uint8_t digest[SHA256_BYTES];
    struct stat st;
    size_t total = 0;
    if (!hash) return err_oom(err);
    if (fstat(from, &st)) return err_errno(err, "file");
    if (!S_ISREG(st.st_mode))
        return err_set(err, INVALID_ARGUMENT, "%.*s is not a regular file", STR_ARG(str_upto(uri, 300)));
    for (ssize_t n; (n = read(from, block, sizeof block)) != 0; total += (size_t)n) {
        if (n < 0) return err_errno(err, "file");
        if (total + (size_t)n > max_bytes)
            return err_set(err, FAILED_PRECONDITION, "%.*s is larger than %zu bytes", STR_ARG(str_upto(uri, 300)),
                           max_bytes);
        struct str piece = { block, (size_t)n };
        hash_add(hash, piece);
        enum code rc = to >= 0 ? file_write_all(to, piece, err) : OK;
        if (rc) return rc;
    }
    hash_end(hash, digest);
    DEFER(buf_free) struct buf hex = BUF_INIT(2 * SHA256_BYTES);
    enc_hex(&hex, (struct str){ (const char *)digest, sizeof digest });
    if (!buf_ok(&hex)) return err_oom(err);
    memcpy(ret_hex, hex.p, LAUNCH_SHA256_HEX);
    ret_hex[LAUNCH_SHA256_HEX] = '\0';
    return OK;
}

enum code launch_hash(const struct launch_config *config, struct str uri, size_t max_bytes,
                      char ret_hex[LAUNCH_SHA256_HEX + 1], struct err *err) {
    DEFER(file_close) int fd = -1;
    enum code rc = open_allowed(config, uri, &fd, err);
    return rc ? rc : hash_copy(fd, -1, uri, max_bytes, ret_hex, err);
}

/* ---- names ---- */

enum code launch_staged_name(const char *kind, size_t index, struct str uri, char ret[LAUNCH_NAME_MAX], struct err *err) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+=@-";
    struct str base = uri;
    for (ptrdiff_t slash; (slash = str_find_char(base, '/')) >= 0;) base = str_from(base, (size_t)slash + 1);
    bool good = base.n > 0 && base.n <= 128 && base.p[0] != '-' && base.p[0] != '.';
    for (size_t i = 0; good && i < base.n; i++) good = base.p[i] && strchr(letters, base.p[i]);
    if (!good)
        return err_set(err, INVALID_ARGUMENT,
                       "%.*s: a file's name is up to 128 letters, digits and . _ + = @ -, and begins with none of . and -",
                       STR_ARG(str_upto(uri, 300)));
    (void)snprintf(ret, LAUNCH_NAME_MAX, "%s%zu/%.*s", kind, index, STR_ARG(base));
    return OK;
}

void launch_lists(const struct launch_job *job, struct launch_list ret[LAUNCH_LISTS]) {
    ret[0] = (struct launch_list){ "py", "--py-files", job->python_files };
    ret[1] = (struct launch_list){ "jar", "--jars", job->jars };
    ret[2] = (struct launch_list){ "file", "--files", job->files };
    ret[3] = (struct launch_list){ "archive", "--archives", job->archives };
}

/* ---- stage ---- */

static enum code stage_one(const struct launch_config *config, const char *folder, const char *kind, size_t index,
                           struct str uri, size_t max_bytes, char ret_hex[LAUNCH_SHA256_HEX + 1], struct err *err) {
    char name[LAUNCH_NAME_MAX], path[PATH_MAX];
    DEFER(file_close) int from = -1;
    enum code rc = launch_staged_name(kind, index, uri, name, err);
    if (!rc) rc = open_allowed(config, uri, &from, err);
    if (rc) return rc;
    (void)snprintf(path, sizeof path, "%s/%s%zu", folder, kind, index);
    if (mkdir(path, 0755) || chmod(path, 0755)) return err_errno(err, "staging");
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    DEFER(file_close) int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (to < 0 || fchmod(to, 0644)) return err_errno(err, "staging");
    return hash_copy(from, to, uri, max_bytes, ret_hex, err);
}

enum code launch_stage(const struct launch_config *config, const struct launch_job *job, const char *folder,
                       const char *main_sha256, struct err *err) {
    char hex[LAUNCH_SHA256_HEX + 1];
    struct launch_list lists[LAUNCH_LISTS];
    launch_lists(job, lists);
    enum code rc = stage_one(config, folder, "main", 0, job->main, LAUNCH_MAIN_MAX_BYTES, hex, err);
    if (!rc && strcmp(hex, main_sha256) != 0)
        rc = err_set(err, ABORTED, "%.*s changed while the job was submitted: submit it again",
                     STR_ARG(str_upto(job->main, 300)));
    for (size_t i = 0; i < LAUNCH_LISTS; i++)
        for (size_t k = 0; !rc && k < lists[i].files.n; k++)
            rc = stage_one(config, folder, lists[i].kind, k, lists[i].files.items[k], LAUNCH_FILE_MAX_BYTES, hex, err);
    return rc;
}
