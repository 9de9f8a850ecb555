#include "gate/admin.h"
#include <stdlib.h>
#include "gate/config.h"
#include "net/work.h"
#include "wire/url.h"

enum {
    METRICS_BYTES = 16 << 20,
    MAX_SCRAPES = 4,
    MAX_CONNECTIONS = 32,
    QUEUE_BYTES = 64 << 10,
    HEADER_BYTES = 16 << 10,
    PATIENCE_MS = 10000,
};

struct admin {
    struct gate *gate;
    struct http_server *server;
    unsigned n_scrapes;
};

/* One answer under way. */
struct scrape {
    struct admin *admin;
    struct http_stream *stream; /* NULL: the client is gone */
    struct loop_work work;
    bool working;
    struct buf text;
    size_t sent;
};

static void answer(struct http_stream *stream, unsigned status, const char *text) {
    http_reply_simple(stream, status, STR("text/plain; charset=utf-8"), str_z(text));
}

/* ---- /metrics ---- */

static void scrape_free(struct scrape *s) {
    s->admin->n_scrapes--;
    buf_free(&s->text);
    free(s);
}

static void print(void *ctx) {
    struct scrape *s = ctx;
    observe_print(s->admin->gate->observe, &s->text);
}

static void send_more(struct scrape *s) {
    s->sent += http_reply_data(s->stream, str_from(buf_str(&s->text), s->sent));
    if (s->sent == s->text.n) http_reply_end(s->stream, NULL, 0);
}

static void printed(void *ctx) {
    static const struct http_header headers[] = {
        { STR_INIT("content-type"), STR_INIT("text/plain; version=0.0.4; charset=utf-8") },
        { STR_INIT("cache-control"), STR_INIT("no-store") },
    };
    struct scrape *s = ctx;
    s->working = false;
    if (!s->stream) {
        scrape_free(s);
        return;
    }
    if (!buf_ok(&s->text)) {
        answer(s->stream, 500, "the metrics do not fit, or memory is short\n");
        return;
    }
    http_reply_headers(s->stream, 200, headers, COUNT(headers));
    send_more(s);
}

static void metrics(struct admin *admin, struct http_stream *stream) {
    struct scrape *s = admin->n_scrapes < MAX_SCRAPES ? calloc(1, sizeof *s) : NULL;
    if (!s) {
        answer(stream, 503, "too many scrapes are under way\n");
        return;
    }
    *s = (struct scrape){ .admin = admin, .stream = stream, .text = BUF_INIT(METRICS_BYTES), .working = true };
    s->work = (struct loop_work){ .run = print, .done = printed, .ctx = s };
    admin->n_scrapes++;
    if (loop_work(http_stream_loop(stream), &s->work)) {
        http_stream_set_user(stream, s);
        return;
    }
    scrape_free(s);
    answer(stream, 503, "memory is short\n");
}

static void on_writable(struct http_stream *stream, void *ctx) {
    (void)ctx;
    struct scrape *s = http_stream_user(stream);
    if (s && !s->working && s->sent < s->text.n) send_more(s);
}

static void on_gone(struct http_stream *stream, enum http_gone why, void *ctx) {
    (void)why;
    (void)ctx;
    struct scrape *s = http_stream_user(stream);
    if (!s) return;
    s->stream = NULL;
    if (!s->working) scrape_free(s);
}

/* ---- /healthz ---- */

static void health(struct admin *admin, struct http_stream *stream) {
    if (admin->gate->draining) answer(stream, 503, "draining\n");
    else answer(stream, 200, "ready\n");
}

/* ---- the listener ---- */

static const struct page {
    const char *path;
    void (*get)(struct admin *admin, struct http_stream *stream);
} pages[] = { { "/metrics", metrics }, { "/healthz", health } };

/* The host that the client meant, not only the one that it reached. */
static bool names_loopback(struct str authority) {
    char text[URL_MAX];
    struct url url;
    DEFER(buf_free) struct buf whole = BUF_INIT(URL_MAX);
    buf_add_z(&whole, "http://");
    buf_add_str(&whole, authority);
    return buf_ok(&whole) && url_parse(buf_str(&whole), text, &url, NULL) == OK && url_is_loopback(&url);
}

static void on_request(struct http_stream *stream, const struct http_request *request, void *ctx) {
    struct admin *admin = ctx;
    const struct page *page = NULL;
    for (size_t i = 0; i < COUNT(pages) && !page; i++)
        if (str_eq_z(request->path, pages[i].path)) page = &pages[i];
    if (!names_loopback(request->authority)) answer(stream, 421, "this listener is for its own machine\n");
    else if (!page) answer(stream, 404, "there is /metrics and /healthz\n");
    else if (!str_eq(request->method, STR("GET"))) answer(stream, 405, "GET only\n");
    else page->get(admin, stream);
}

static size_t no_body(struct http_stream *stream, const struct http_request *request, void *ctx) {
    (void)stream;
    (void)request;
    (void)ctx;
    return 0;
}

enum code admin_open(struct gate *gate, struct admin **ret, struct err *err) {
    struct admin *admin = calloc(1, sizeof *admin);
    if (!admin) return err_oom(err);
    admin->gate = gate;
    struct http_server_config config = {
        .loop = gate->workers[0].loop,
        .limits = { .header_bytes = HEADER_BYTES,
                    .queue_bytes = QUEUE_BYTES,
                    .max_streams = MAX_SCRAPES,
                    .max_connections = MAX_CONNECTIONS,
                    .write_ms = PATIENCE_MS,
                    .stall_ms = PATIENCE_MS },
        .handler = { .max_body = no_body, .on_request = on_request, .on_writable = on_writable, .on_gone = on_gone },
        .ctx = admin,
    };
    struct http_listen listen = { .address = gate->config->admin };
    struct http_listener *listener;
    enum code rc = http_server_new(&config, &admin->server, err);
    if (!rc) rc = http_server_listen(admin->server, &listen, &listener, err);
    if (!rc) {
        *ret = admin;
        return OK;
    }
    admin_close(admin);
    return err_wrap(err, "listen.admin %.*s", STR_ARG(gate->config->admin));
}

void admin_close(struct admin *admin) {
    if (!admin) return;
    http_server_free(admin->server);
    while (admin->n_scrapes) loop_run_once(admin->gate->workers[0].loop, 20); /* those whose text is being made */
    free(admin);
}
