#include "gate/fetch.h"
#include <stdlib.h>
#include <string.h>
#include "http/client.h"

enum { TIMEOUT_MS = 5000 };

struct fetch {
    struct loop *loop;
    struct http_client *client;
    bool development;
};

/* One document under way. */
struct fetch_job {
    struct loop_task task;
    struct fetch *fetch;
    struct str url;
    struct buf body;
    unsigned status;
    void (*done)(void *arg, unsigned status, struct str body);
    void *arg;
};

static bool allow(const struct net_address *address, struct str host, void *ctx) {
    (void)host;
    const struct fetch *fetch = ctx;
    if (net_address_is_link_local(address)) return false;
    return fetch->development || !net_address_is_loopback(address);
}

static void finish(struct fetch_job *job, unsigned status) {
    job->done(job->arg, status, buf_ok(&job->body) ? buf_str(&job->body) : (struct str){ NULL, 0 });
    buf_free(&job->body);
    free((char *)(uintptr_t)job->url.p);
    free(job);
}

static void on_headers(struct http_call *call, unsigned status, const struct http_header *headers, size_t n, void *ctx) {
    (void)call;
    (void)headers;
    (void)n;
    ((struct fetch_job *)ctx)->status = status;
}

static void on_data(struct http_call *call, struct str data, void *ctx) {
    (void)call;
    buf_add_str(&((struct fetch_job *)ctx)->body, data);
}

static void on_end(struct http_call *call, const struct http_header *trailers, size_t n, void *ctx) {
    (void)call;
    (void)trailers;
    (void)n;
    struct fetch_job *job = ctx;
    finish(job, buf_ok(&job->body) ? job->status : 0);
}

static void on_error(struct http_call *call, const struct err *err, void *ctx) {
    (void)call;
    (void)err;
    finish(ctx, 0);
}

static void send_on_loop(struct loop_task *task, void *ctx) {
    (void)task;
    static const struct http_call_handler handler = { on_headers, on_data, on_end, on_error };
    struct fetch_job *job = ctx;
    struct http_client_request request = { .method = STR("GET"), .max_body = JWKS_MAX_BYTES, .timeout_ms = TIMEOUT_MS };
    struct http_call *call;
    struct err err;
    enum code rc = http_url_split(job->url, &request, &err);
    request.method = STR("GET");
    if (!rc) rc = http_client_send(job->fetch->client, &request, &handler, job, &call, &err);
    if (rc) finish(job, 0);
}

static void get(void *ctx, struct str url, void (*done)(void *arg, unsigned status, struct str body), void *arg) {
    struct fetch *fetch = ctx;
    struct fetch_job *job = calloc(1, sizeof *job);
    char *copy = job ? strndup(url.p, url.n) : NULL;
    if (!copy) {
        free(job);
        done(arg, 0, (struct str){ NULL, 0 });
        return;
    }
    *job = (struct fetch_job){
        .fetch = fetch, .url = { copy, url.n }, .body = BUF_INIT(JWKS_MAX_BYTES), .done = done, .arg = arg
    };
    job->task = (struct loop_task){ .fn = send_on_loop, .ctx = job };
    loop_post(fetch->loop, &job->task);
}

enum code fetch_new(struct loop *loop, bool development, struct fetch **ret, struct err *err) {
    struct tls_client_config tls_config = { 0 };
    DEFER(tls_unrefp) struct tls_ctx *tls = NULL;
    enum code rc = tls_client_new(&tls_config, &tls, err);
    if (rc) return rc;
    struct fetch *fetch = calloc(1, sizeof *fetch);
    if (!fetch) return err_oom(err);
    *fetch = (struct fetch){ .loop = loop, .development = development };
    struct http_client_config config = { .loop = loop, .tls = tls, .allow = allow, .allow_ctx = fetch };
    rc = http_client_new(&config, &fetch->client, err);
    if (rc) free(fetch);
    else *ret = fetch;
    return rc;
}

struct fetcher fetch_fetcher(struct fetch *fetch) {
    return (struct fetcher){ .ctx = fetch, .get = get };
}

void fetch_free(struct fetch *fetch) {
    if (!fetch) return;
    http_client_free(fetch->client);
    free(fetch);
}
