/* index.c: job id → what classify must know of it: loops may not wait for the state. */
#include <stdlib.h>
#include <string.h>
#include "dataproc/dataproc_priv.h"

static struct str put_text(char **at, struct str text) {
    struct str copy = { *at, text.n };
    if (text.n) memcpy(*at, text.p, text.n);
    *at += text.n;
    return copy;
}

bool index_put(struct dataproc *dataproc, const struct job_row *row) {
    size_t bytes = row->cluster.n + row->submitter.n + row->job.n + row->account.n;
    struct job_known *known = malloc(sizeof *known + bytes);
    if (!known) return false;
    char *at = (char *)(known + 1);
    known->cluster = put_text(&at, row->cluster);
    known->submitter = put_text(&at, row->submitter);
    known->job = put_text(&at, row->job);
    known->account = put_text(&at, row->account);
    void *old = NULL;
    (void)pthread_mutex_lock(&dataproc->index_lock);
    bool ok = map_put(dataproc->index, row->id, known, &old);
    (void)pthread_mutex_unlock(&dataproc->index_lock);
    free(ok ? old : known);
    return ok;
}

void index_remove(struct dataproc *dataproc, struct str id) {
    (void)pthread_mutex_lock(&dataproc->index_lock);
    void *old = map_remove(dataproc->index, id);
    (void)pthread_mutex_unlock(&dataproc->index_lock);
    free(old);
}

bool index_get(struct dataproc *dataproc, struct str id, struct arena *arena, struct job_known *ret) {
    (void)pthread_mutex_lock(&dataproc->index_lock);
    const struct job_known *known = map_get(dataproc->index, id);
    if (known)
        *ret = (struct job_known){ str_dup(arena, known->cluster), str_dup(arena, known->submitter),
                                   str_dup(arena, known->job), str_dup(arena, known->account) };
    (void)pthread_mutex_unlock(&dataproc->index_lock);
    return known != NULL;
}
