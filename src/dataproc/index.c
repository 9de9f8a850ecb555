/* index.c: job id → what classify must know of it: loops may not wait for the state. The same by number, for APIs that
 * count their jobs. Written by the desk only, which therefore reads without the lock. */
#include <stdlib.h>
#include <string.h>
#include "dataproc/dataproc_priv.h"

static struct str put_text(char **at, struct str text) {
    struct str copy = { *at, text.n };
    if (text.n) memcpy(*at, text.p, text.n);
    *at += text.n;
    return copy;
}

static struct job_known *known_new(const struct job_row *row) {
    size_t bytes = row->id.n + row->cluster.n + row->submitter.n + row->job.n + row->account.n;
    struct job_known *known = malloc(sizeof *known + bytes);
    if (!known) return NULL;
    char *at = (char *)(known + 1);
    known->number = row->seq;
    known->id = put_text(&at, row->id);
    known->cluster = put_text(&at, row->cluster);
    known->submitter = put_text(&at, row->submitter);
    known->job = put_text(&at, row->job);
    known->account = put_text(&at, row->account);
    return known;
}

/* ---- by number ---- */

/* Where the number is, or would be. */
static size_t place_of(const struct dataproc *dataproc, int64_t number) {
    size_t low = 0, high = dataproc->n_numbered;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (dataproc->numbered[mid]->number < number) low = mid + 1;
        else high = mid;
    }
    return low;
}

static struct job_known *at_number(const struct dataproc *dataproc, int64_t number) {
    size_t place = place_of(dataproc, number);
    bool found = place < dataproc->n_numbered && dataproc->numbered[place]->number == number;
    return found ? dataproc->numbered[place] : NULL;
}

static bool make_room(struct dataproc *dataproc) {
    if (dataproc->n_numbered < dataproc->cap_numbered) return true;
    size_t cap = dataproc->cap_numbered ? 2 * dataproc->cap_numbered : 256;
    struct job_known **bigger = reallocarray(dataproc->numbered, cap, sizeof *bigger);
    if (!bigger) return false;
    dataproc->numbered = bigger;
    dataproc->cap_numbered = cap;
    return true;
}

static int by_number(const void *a, const void *b) {
    const struct job_known *const *x = a, *const *y = b;
    return ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

void index_sort(struct dataproc *dataproc) {
    if (dataproc->n_numbered) qsort(dataproc->numbered, dataproc->n_numbered, sizeof *dataproc->numbered, by_number);
}

static void remove_number(struct dataproc *dataproc, int64_t number) {
    size_t place = place_of(dataproc, number);
    if (!at_number(dataproc, number)) return;
    size_t after = dataproc->n_numbered - place - 1;
    memmove(dataproc->numbered + place, dataproc->numbered + place + 1, after * sizeof *dataproc->numbered);
    dataproc->n_numbered--;
}

/* ---- both ---- */

bool index_put(struct dataproc *dataproc, const struct job_row *row) {
    struct job_known *known = known_new(row), *old;
    void *was = NULL;
    if (!known) return false;
    (void)pthread_mutex_lock(&dataproc->index_lock);
    bool ok = make_room(dataproc) && map_put(dataproc->index, row->id, known, &was);
    old = was;
    if (ok && old) remove_number(dataproc, old->number);
    if (ok) dataproc->numbered[dataproc->n_numbered++] = known; /* a new job's number is the highest */
    (void)pthread_mutex_unlock(&dataproc->index_lock);
    free(ok ? old : known);
    return ok;
}

void index_remove(struct dataproc *dataproc, struct str id) {
    (void)pthread_mutex_lock(&dataproc->index_lock);
    struct job_known *old = map_remove(dataproc->index, id);
    if (old) remove_number(dataproc, old->number);
    (void)pthread_mutex_unlock(&dataproc->index_lock);
    free(old);
}

static void copy_known(const struct job_known *known, struct arena *arena, struct job_known *ret) {
    *ret = (struct job_known){ known->number,
                               str_dup(arena, known->id),
                               str_dup(arena, known->cluster),
                               str_dup(arena, known->submitter),
                               str_dup(arena, known->job),
                               str_dup(arena, known->account) };
}

bool index_get(struct dataproc *dataproc, struct str id, struct arena *arena, struct job_known *ret) {
    (void)pthread_mutex_lock(&dataproc->index_lock);
    const struct job_known *known = map_get(dataproc->index, id);
    if (known) copy_known(known, arena, ret);
    (void)pthread_mutex_unlock(&dataproc->index_lock);
    return known != NULL;
}

bool index_find(struct dataproc *dataproc, int64_t number, struct arena *arena, struct job_known *ret) {
    (void)pthread_mutex_lock(&dataproc->index_lock);
    const struct job_known *known = at_number(dataproc, number);
    if (known) copy_known(known, arena, ret);
    (void)pthread_mutex_unlock(&dataproc->index_lock);
    return known != NULL;
}

void index_free(struct dataproc *dataproc) {
    map_free(dataproc->index, free);
    free(dataproc->numbered);
}
