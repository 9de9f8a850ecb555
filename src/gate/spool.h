/* spool.h: bytes on their way to a client that may read slowly.
 *
 * A service writes from its thread at full speed, so that no database snapshot waits for a client; the loop takes what HTTP
 * has room for. Up to `memory_bytes` stay in memory, and of all spools of a budget together its `max`; the rest goes to an
 * unlinked file, up to `file_bytes`. Any thread; one reader. */
#pragma once
#include <pthread.h>
#include "base/budget.h"
#include "base/buf.h"
#include "base/err.h"

struct spool {
    pthread_mutex_t lock;
    const char *dir;                      /* where the file goes */
    struct buf memory;                    /* bytes before those of the file */
    size_t memory_at;                     /* read so far */
    struct budget *budget;                /* NULL: none */
    size_t taken;                         /* of the budget */
    int fd;                               /* -1: no file */
    uint64_t file_at, file_end, file_max; /* file_max: of what waits; what was read is given back to the disk */
    uint64_t freed;
    uint64_t total; /* bytes put, ever */
};

void spool_init(struct spool *spool, const char *dir, size_t memory_bytes, uint64_t file_bytes, struct budget *budget);
void spool_free(struct spool *spool);
/* Both slices or nothing. RESOURCE_EXHAUSTED when the spool or the disk is full. */
MUST_USE enum code spool_put(struct spool *spool, struct str head, struct str body, struct err *err);
/* Takes up to n bytes; 0: nothing is there now. DATA_LOSS when the file cannot be read back. */
MUST_USE enum code spool_get(struct spool *spool, char *out, size_t n, size_t *ret_n, struct err *err);
bool spool_is_empty(struct spool *spool);
uint64_t spool_held(struct spool *spool); /* bytes that wait */
