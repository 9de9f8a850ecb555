#include <string.h>

#include "http/client_parts.h"

/* ---- URLs ---- */

static bool split_host(struct str authority, struct http_client_request *r) {
    uint64_t port = 0;
    if (authority.n && authority.p[0] == '[') {
        ptrdiff_t end = str_find_char(authority, ']');
        if (end < 0) return false;
        r->host = (struct str){ authority.p + 1, (size_t)end - 1 };
        authority = str_from(authority, (size_t)end + 1);
        if (authority.n && authority.p[0] != ':') return false;
        authority = str_from(authority, 1);
    } else {
        r->host = str_cut(&authority, ':');
    }
    if (authority.n && (!str_u64(authority, &port) || port == 0 || port > 65535)) return false;
    r->port = (uint16_t)port;
    return r->host.n > 0 && str_find_char(r->host, '@') < 0;
}

enum code http_url_split(struct str url, struct http_client_request *ret_request, struct err *err) {
    struct http_client_request r = *ret_request;
    ptrdiff_t mark = str_find(url, STR("://"));
    if (mark <= 0) return err_set(err, INVALID_ARGUMENT, "not a URL: \"%.*s\"", STR_ARG(url));
    r.scheme = str_upto(url, (size_t)mark);
    struct str rest = str_from(url, (size_t)mark + 3);
    size_t end = 0;
    while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?' && rest.p[end] != '#') end++;
    r.path = end < rest.n ? str_from(rest, end) : STR("/");
    bool known = str_eq(r.scheme, STR("https")) || str_eq(r.scheme, STR("http"));
    if (!known || !split_host(str_upto(rest, end), &r) || r.path.p[0] != '/' || str_find_char(r.path, '#') >= 0)
        return err_set(err, INVALID_ARGUMENT, "not an http URL that can be used: \"%.*s\"", STR_ARG(url));
    *ret_request = r;
    return OK;
}

/* ---- blocking ---- */

struct fetch {
    struct arena *arena;
    struct http_answer answer;
    struct buf body;
    struct err err;
    enum code rc;
    bool over;
};

static struct http_header *keep(struct fetch *f, const struct http_header *headers, size_t n) {
    struct http_header *copy = ARENA_ARRAY(f->arena, struct http_header, n ? n : 1);
    bool ok = copy != NULL;
    for (size_t i = 0; ok && i < n; i++) {
        copy[i] = (struct http_header){ str_dup(f->arena, headers[i].name), str_dup(f->arena, headers[i].value) };
        ok = copy[i].name.p && (copy[i].value.p || headers[i].value.n == 0);
    }
    if (!ok) f->rc = err_oom(&f->err);
    return ok ? copy : NULL;
}

static void on_headers(struct http_call *call UNUSED, unsigned status, const struct http_header *headers, size_t n,
                       void *ctx) {
    struct fetch *f = ctx;
    f->answer.status = status;
    f->answer.headers = keep(f, headers, n);
    f->answer.n_headers = f->answer.headers ? n : 0;
}

static void on_data(struct http_call *call UNUSED, struct str data, void *ctx) {
    struct fetch *f = ctx;
    buf_add_str(&f->body, data);
}

static void on_end(struct http_call *call UNUSED, const struct http_header *trailers, size_t n, void *ctx) {
    struct fetch *f = ctx;
    f->answer.trailers = keep(f, trailers, n);
    f->answer.n_trailers = f->answer.trailers ? n : 0;
    f->answer.body = str_dup(f->arena, buf_str(&f->body));
    if (!buf_ok(&f->body) || (f->body.n && !f->answer.body.p)) f->rc = err_oom(&f->err);
    f->over = true;
}

static void on_error(struct http_call *call UNUSED, const struct err *err, void *ctx) {
    struct fetch *f = ctx;
    f->err = *err;
    f->rc = err->code;
    f->over = true;
}

static enum code run(struct loop *loop, const struct http_client_config *config, const struct http_client_request *request,
                     struct fetch *f, struct err *err) {
    static const struct http_call_handler handler = { on_headers, on_data, on_end, on_error };
    struct http_client_config own = *config;
    struct http_client *client = NULL;
    own.loop = loop;
    enum code rc = http_client_new(&own, &client, err);
    if (!rc) rc = http_client_send(client, request, &handler, f, NULL, err);
    while (!rc && !f->over) loop_run_once(loop, 1000);
    http_client_free(client);
    if (rc || !f->rc) return rc;
    return err_set(err, f->rc, "%s", f->err.message);
}

enum code http_fetch(const struct http_client_config *config, const struct http_client_request *request,
                     struct arena *arena, struct http_answer *ret_answer, struct err *err) {
    DEFER(loop_freep) struct loop *loop = NULL;
    struct fetch f = { .arena = arena, .body = BUF_INIT(request->max_body ? request->max_body : 10 * 1024 * 1024) };
    enum code rc = loop_new(&loop, err);
    if (!rc) rc = run(loop, config, request, &f, err);
    if (!rc) *ret_answer = f.answer;
    buf_wipe(&f.body);
    return rc;
}
