#include "gate/revoked.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"

enum { MAX_FILE_BYTES = 32 << 20 };
enum { LINE_TOKEN = 0 }; /* what a line begins with; 1: a job's run, of earlier versions. They ended with their server */

struct revoked_file {
    pthread_mutex_t lock;
    int fd;
};

static enum code save(void *ctx, struct str jti, int64_t until_s, struct err *err) {
    struct revoked_file *file = ctx;
    char line[REVOKE_ID_MAX + 64];
    int n = snprintf(line, sizeof line, "%d %lld %.*s\n", LINE_TOKEN, (long long)until_s, STR_ARG(jti));
    if (n < 0 || n >= (int)sizeof line) return err_set(err, INVALID_ARGUMENT, "the id is too long to revoke");
    for (size_t i = 0; i < jti.n; i++)
        if ((unsigned char)jti.p[i] <= ' ')
            return err_set(err, INVALID_ARGUMENT, "the id cannot be revoked: it holds blanks");
    (void)pthread_mutex_lock(&file->lock);
    off_t before = lseek(file->fd, 0, SEEK_END);
    enum code rc = file_write_all(file->fd, (struct str){ line, (size_t)n }, err);
    if (rc && before >= 0 && ftruncate(file->fd, before) != 0) { /* the next start says that a line cannot be read */
    }
    if (!rc && fdatasync(file->fd) != 0) rc = err_errno(err, "revocations");
    (void)pthread_mutex_unlock(&file->lock);
    return rc;
}

/* A torn last line (no newline) was never acknowledged: left out. */
static enum code load(struct revocations *set, struct str text, struct buf *keep, struct err *err) {
    int64_t now = clock_wall_s();
    while (text.n && str_find_char(text, '\n') >= 0) {
        struct str line = str_cut(&text, '\n'), rest = line;
        int64_t kind, until;
        if (!str_i64(str_cut(&rest, ' '), &kind) || !str_i64(str_cut(&rest, ' '), &until) || !rest.n)
            return err_set(err, DATA_LOSS, "revocations: a line cannot be read");
        if (until <= now || kind != LINE_TOKEN) continue;
        buf_add_str(keep, line);
        buf_add_char(keep, '\n');
        enum code rc = revoke_load(set, rest, until, err);
        if (rc) return rc;
    }
    return OK;
}

static enum code reload(const char *path, struct revocations *set, struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(MAX_FILE_BYTES + 4096);
    DEFER(buf_free) struct buf keep = BUF_INIT(MAX_FILE_BYTES);
    struct str text = { NULL, 0 };
    if (!arena) return err_oom(err);
    if (access(path, F_OK) == 0) {
        enum code rc = file_read(arena, path, MAX_FILE_BYTES, &text, err);
        if (rc) return rc;
    }
    enum code rc = load(set, text, &keep, err);
    return rc ? rc : file_write_durable(path, buf_str(&keep), 0600, err);
}

enum code revoked_open(const char *path, struct revoked_file **ret, struct revocations **ret_set, struct err *err) {
    struct revoked_file *file = calloc(1, sizeof *file);
    if (!file) return err_oom(err);
    (void)pthread_mutex_init(&file->lock, NULL);
    file->fd = -1;
    struct revoke_store store = { .ctx = file, .save = save };
    struct revocations *set = revocations_new(&store);
    enum code rc = set ? reload(path, set, err) : err_oom(err);
    if (!rc && (file->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)) < 0) rc = err_errno(err, path);
    if (rc) {
        revocations_free(set);
        revoked_close(file);
        return rc;
    }
    *ret = file;
    *ret_set = set;
    return OK;
}

void revoked_close(struct revoked_file *file) {
    if (!file) return;
    file_close(&file->fd);
    (void)pthread_mutex_destroy(&file->lock);
    free(file);
}
