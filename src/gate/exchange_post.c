#include "gate/exchange_post.h"

#include <stdlib.h>

enum { TIMEOUT_MS = 10000 };

/* One request under way. */
struct job {
    void (*done)(void *arg, unsigned status, struct str body);
    void *arg;
};

static void on_answer(void *arg, const struct outbound_answer *answer) {
    struct job job = *(struct job *)arg;
    free(arg);
    job.done(job.arg, answer->status, answer->body); /* status 0: there was no answer */
}

void exchange_post(void *ctx, const struct exchange_request *request,
                   void (*done)(void *arg, unsigned status, struct str body), void *arg) {
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
    if (job && outbound_send(post->outbound, &r, on_answer, job, NULL, NULL) == OK) return;
    free(job);
    done(arg, 0, (struct str){ NULL, 0 });
}
