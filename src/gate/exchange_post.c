#include "gate/exchange_post.h"

#include <stdlib.h>

enum { TIMEOUT_MS = 10000 };

/* One request under way. */
struct job {
    exchange_done *done;
    void *arg;
};

/* Without addresses: callers hear it. */
static void keep_back(struct job job, enum code code) {
    struct err err;
    if (code == RESOURCE_EXHAUSTED)
        (void)err_set(&err, code, "this server has no room for another token exchange now: try again later");
    else
        (void)err_set(&err, UNAVAILABLE, code == UNAVAILABLE ? "this server stops" : "this server cannot send the request");
    job.done(job.arg, &(struct exchange_answer){ .ours = &err });
}

static void on_answer(void *arg, const struct outbound_answer *answer) {
    struct job job = *(struct job *)arg;
    free(arg);
    if (answer->cause == OUTBOUND_BUSY) keep_back(job, RESOURCE_EXHAUSTED);
    else if (answer->cause == OUTBOUND_STOPPED) keep_back(job, UNAVAILABLE);
    else job.done(job.arg, &(struct exchange_answer){ .status = answer->status, .body = answer->body });
}

void exchange_post(void *ctx, const struct exchange_request *request, exchange_done *done, void *arg) {
    const struct exchange_post *post = ctx;
    const struct outbound_request r = { .method = STR("POST"),
                                        .url = request->url,
                                        .headers = request->headers,
                                        .n_headers = request->n_headers,
                                        .authorization = request->authorization,
                                        .body = request->body,
                                        .max_answer_bytes = EXCHANGE_REPLY_MAX,
                                        .timeout_ms = TIMEOUT_MS,
                                        .may_loopback = post->development };
    struct job *job = calloc(1, sizeof *job);
    if (job) *job = (struct job){ done, arg };
    enum code rc = job ? outbound_send(post->outbound, &r, on_answer, job, NULL, NULL) : RESOURCE_EXHAUSTED;
    if (rc == OK) return;
    free(job);
    keep_back((struct job){ done, arg }, rc);
}
