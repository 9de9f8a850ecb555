#include "gate/fetch.h"
#include <stdlib.h>

enum { TIMEOUT_MS = 5000, DOCUMENTS_MAX = 64 };

struct fetch {
    struct outbound *outbound;
    bool development;
};

/* One document under way. */
struct fetch_job {
    void (*done)(void *arg, unsigned status, struct str body);
    void *arg;
};

static void on_answer(void *arg, const struct outbound_answer *answer) {
    struct fetch_job *job = arg;
    job->done(job->arg, answer->status, answer->body); /* status 0: there was no answer */
    free(job);
}

static void get(void *ctx, struct str url, void (*done)(void *arg, unsigned status, struct str body), void *arg) {
    struct fetch *fetch = ctx;
    struct outbound_request request = { .method = STR("GET"),
                                        .url = url,
                                        .max_answer_bytes = JWKS_MAX_BYTES,
                                        .timeout_ms = TIMEOUT_MS,
                                        .may_loopback = fetch->development };
    struct fetch_job *job = calloc(1, sizeof *job);
    if (job) *job = (struct fetch_job){ done, arg };
    if (job && outbound_send(fetch->outbound, &request, on_answer, job, NULL, NULL) == OK) return;
    free(job);
    done(arg, 0, (struct str){ NULL, 0 });
}

enum code fetch_new(const struct outbound_config *dialer, bool development, struct fetch **ret, struct err *err) {
    struct outbound_config config = *dialer;
    struct fetch *fetch = calloc(1, sizeof *fetch);
    if (!fetch) return err_oom(err);
    config.max_calls = DOCUMENTS_MAX;
    config.max_bytes = (size_t)DOCUMENTS_MAX * JWKS_MAX_BYTES;
    fetch->development = development;
    enum code rc = outbound_new(&config, &fetch->outbound, err);
    if (rc) free(fetch);
    else *ret = fetch;
    return rc;
}

struct fetcher fetch_fetcher(struct fetch *fetch) {
    return (struct fetcher){ .ctx = fetch, .get = get };
}

void fetch_stop(struct fetch *fetch) {
    if (fetch) outbound_stop(fetch->outbound);
}

void fetch_free(struct fetch *fetch) {
    if (!fetch) return;
    outbound_free(fetch->outbound);
    free(fetch);
}
