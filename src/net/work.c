#include "net/work.h"

#include <stdlib.h>
#include <uv.h>

static void run(uv_work_t *handle) {
    struct loop_work *work = handle->data;
    work->run(work->ctx);
}

static void done(uv_work_t *handle, int status) {
    struct loop_work *work = handle->data;
    (void)status; /* never cancelled */
    free(handle);
    work->done(work->ctx); /* may free the work */
}

bool loop_work(struct loop *loop, struct loop_work *work) {
    uv_work_t *handle = calloc(1, sizeof *handle);
    if (!handle) return false;
    handle->data = work;
    if (uv_queue_work(loop_uv(loop), handle, run, done) == 0) return true;
    free(handle);
    return false;
}
