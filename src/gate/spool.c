#include "gate/spool.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"

enum { FREE_EVERY = 16 << 20, FREE_BYTES = 64 << 10 };

void spool_init(struct spool *spool, const char *dir, size_t memory_bytes, uint64_t file_bytes, struct budget *budget) {
    *spool =
        (struct spool){ .dir = dir, .memory = BUF_INIT(memory_bytes), .fd = -1, .file_max = file_bytes, .budget = budget };
    (void)pthread_mutex_init(&spool->lock, NULL);
}

/* The budget learns how much is in memory now. False: more than it has, and nothing is taken. Short answers need none, so
 * that they do not depend on the disk. */
static bool charge(struct spool *s, size_t memory_bytes) {
    size_t n = memory_bytes > FREE_BYTES ? memory_bytes - FREE_BYTES : 0;
    if (n > s->taken && !budget_take(s->budget, n - s->taken)) return false;
    if (n < s->taken) budget_give(s->budget, s->taken - n);
    s->taken = n;
    return true;
}

static void empty_memory(struct spool *s) {
    buf_free(&s->memory);
    s->memory_at = 0;
    (void)charge(s, 0); /* less is always granted */
}

void spool_free(struct spool *spool) {
    empty_memory(spool);
    file_close(&spool->fd);
    (void)pthread_mutex_destroy(&spool->lock);
}

static bool fits_memory(const struct spool *s, size_t n) {
    return s->fd < 0 && n <= s->memory.max - s->memory.n;
}

static enum code put_file(struct spool *s, struct str head, struct str body, struct err *err) {
    if (s->fd < 0) s->fd = open(s->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->fd < 0) return err_errno(err, "a file for an answer that waits for its client");
    if (s->file_end - s->file_at + head.n + body.n > s->file_max)
        return err_set(err, RESOURCE_EXHAUSTED, "the client reads too slowly: %llu bytes wait for it",
                       (unsigned long long)(s->file_end - s->file_at));
    if (lseek(s->fd, (off_t)s->file_end, SEEK_SET) < 0) return err_errno(err, "lseek");
    enum code rc = file_write_all(s->fd, head, err);
    if (!rc) rc = file_write_all(s->fd, body, err);
    if (!rc) s->file_end += head.n + body.n;
    return rc;
}

/* What the buffer will take of the heap, which is more than what is in it. */
static size_t capacity_for(const struct buf *b, size_t want) {
    size_t cap = b->cap ? b->cap : 256;
    while (cap < want) cap *= 2;
    return cap < b->max ? cap : b->max;
}

enum code spool_put(struct spool *s, struct str head, struct str body, struct err *err) {
    enum code rc = OK;
    size_t n = head.n + body.n;
    (void)pthread_mutex_lock(&s->lock);
    if (s->fd < 0 && s->memory_at && !fits_memory(s, n)) {
        buf_consume(&s->memory, s->memory_at);
        s->memory_at = 0;
    }
    if (!fits_memory(s, n) || !charge(s, capacity_for(&s->memory, s->memory.n + n))) rc = put_file(s, head, body, err);
    else if (!buf_reserve(&s->memory, n)) rc = err_oom(err);
    else {
        buf_add_str(&s->memory, head);
        buf_add_str(&s->memory, body);
    }
    if (!rc) s->total += n;
    (void)pthread_mutex_unlock(&s->lock);
    return rc;
}

/* Memory is read out: goes on with the file, and back to memory once that is read too. */
static enum code get_file(struct spool *s, char *out, size_t n, size_t *ret_n, struct err *err) {
    uint64_t left = s->file_end - s->file_at;
    ssize_t got = left ? pread(s->fd, out, left < n ? (size_t)left : n, (off_t)s->file_at) : 0;
    if (left && got <= 0) return err_set(err, DATA_LOSS, "an answer that waited on disk could not be read back");
    s->file_at += (uint64_t)got;
    *ret_n = (size_t)got;
    if (s->file_at - s->freed >= FREE_EVERY) { /* a file system that cannot keeps it until the end */
        (void)fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)s->freed, (off_t)(s->file_at - s->freed));
        s->freed = s->file_at;
    }
    if (s->file_at < s->file_end) return OK;
    file_close(&s->fd);
    s->file_at = s->file_end = s->freed = 0;
    return OK;
}

enum code spool_get(struct spool *s, char *out, size_t n, size_t *ret_n, struct err *err) {
    enum code rc = OK;
    *ret_n = 0;
    (void)pthread_mutex_lock(&s->lock);
    size_t held = s->memory.n - s->memory_at;
    if (held) {
        *ret_n = held < n ? held : n;
        memcpy(out, s->memory.p + s->memory_at, *ret_n);
        s->memory_at += *ret_n;
        if (s->memory_at == s->memory.n) {
            empty_memory(s);
        }
    } else if (s->fd >= 0) rc = get_file(s, out, n, ret_n, err);
    (void)pthread_mutex_unlock(&s->lock);
    return rc;
}

bool spool_is_empty(struct spool *s) {
    (void)pthread_mutex_lock(&s->lock);
    bool empty = s->memory.n == s->memory_at && s->fd < 0;
    (void)pthread_mutex_unlock(&s->lock);
    return empty;
}

uint64_t spool_held(struct spool *s) {
    (void)pthread_mutex_lock(&s->lock);
    uint64_t n = s->memory.n - s->memory_at + (s->file_end - s->file_at);
    (void)pthread_mutex_unlock(&s->lock);
    return n;
}
