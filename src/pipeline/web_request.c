/* web_request.c: what a Web activity sends. */
#include "pipeline/web_request.h"
#include "data/json.h"
#include "wire/header.h"

enum { MAX_HEADERS = WEB_HEADERS_MAX, MAX_SHOWN_BODY_BYTES = 64 << 10, MAX_URL_BYTES = 8192 };

static bool wrong(struct pipeline_node *node, const char *what) {
    pipeline_node_fail(node, FINAL, "InvalidRequest", STR(""), "%s", what);
    return false;
}

static bool no_memory(struct pipeline_node *node) {
    pipeline_node_fail(node, FINAL, "InsufficientMemory", STR(""), "out of memory for the request");
    return false;
}

static bool evaluate_one(struct pipeline_node *node, const struct template *t, json_t **ret) {
    struct err err = { 0 };
    enum code rc = t ? pipeline_evaluate(node, t, ret, &err) : OK;
    if (rc) pipeline_node_fail_code(node, rc, &err);
    return rc == OK;
}

/* ---- headers ---- */

/* The connection's own, and those that say how long the body is: a second reading of the request could differ. */
static bool is_forbidden(struct str name) {
    static const char *const names[] = {
        "host",    "content-length", "transfer-encoding", "connection",         "keep-alive", "te", "trailer",
        "upgrade", "expect",         "proxy-connection",  "proxy-authorization"
    };
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_eq_nocase(name, str_z(names[i]))) return true;
    return false;
}

static bool check_header(struct pipeline_node *node, const struct pipeline_request *r, struct str name,
                         const json_t *value) {
    if (!json_is_string(value)) return wrong(node, "a header's value is no string");
    if (!http_is_token(name) || !http_is_field_value(json_text_of(value)))
        return wrong(node, "a header's name or value has characters that HTTP does not allow");
    if (is_forbidden(name)) return wrong(node, "headers sets one that belongs to the connection (Host, Content-Length, …)");
    if (r->audience.n && str_eq_nocase(name, STR("authorization")))
        return wrong(node, "headers sets Authorization beside authentication: one of both");
    return true;
}

static bool fill_headers(struct pipeline_node *node, struct web_exchange *e, const json_t *json) {
    struct pipeline_header *headers = ARENA_ARRAY(e->arena, struct pipeline_header, MAX_HEADERS + 1);
    struct pipeline_request *r = &e->request;
    bool has_type = false;
    const char *key;
    json_t *value;
    if (!headers) return no_memory(node);
    if (json && !json_is_object(json)) return wrong(node, "headers gives no object");
    if (json_object_size(json) > MAX_HEADERS) return wrong(node, "too many headers");
    r->headers = headers;
    json_object_foreach((json_t *)(uintptr_t)json, key, value) {
        struct str name = str_z(key);
        if (!check_header(node, r, name, value)) return false;
        has_type = has_type || str_eq_nocase(name, STR("content-type"));
        headers[r->n_headers++] = (struct pipeline_header){ str_dup(e->arena, name),
                                                            str_dup(e->arena, json_text_of(value)) };
        if (!headers[r->n_headers - 1].name.p || !headers[r->n_headers - 1].value.p) return no_memory(node);
    }
    if (r->body.n && !has_type)
        headers[r->n_headers++] = (struct pipeline_header){ STR("Content-Type"), STR("application/json; charset=utf-8") };
    return true;
}

/* ---- the other parts ---- */

static bool fill_body(struct pipeline_node *node, struct web_exchange *e, const json_t *json) {
    DEFER(buf_free) struct buf out = BUF_INIT(PIPELINES_MAX_OUTPUT_BYTES);
    if (!json || json_is_null(json)) return true;
    if (json_is_string(json)) buf_add_str(&out, json_text_of(json));
    else if (!json_write(json, &out)) out.failed = true;
    if (!buf_ok(&out)) return wrong(node, "the body is longer than 4 MiB");
    e->request.body = str_dup(e->arena, buf_str(&out));
    return e->request.body.p || !out.n ? true : no_memory(node);
}

static bool fill_text(struct pipeline_node *node, struct web_exchange *e, const json_t *json, const char *what,
                      struct str *ret) {
    if (!json_is_string(json) || !json_string_length(json) || json_string_length(json) > MAX_URL_BYTES) {
        pipeline_node_fail(node, FINAL, "InvalidRequest", STR(""), "%s gives no text of 1 to %d bytes", what,
                           MAX_URL_BYTES);
        return false;
    }
    *ret = str_dup(e->arena, json_text_of(json));
    return ret->p ? true : no_memory(node);
}

static json_t *shown_headers(const json_t *headers) {
    json_t *shown = json_object();
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)headers, key, value) {
        struct str name = str_z(key);
        bool secret = str_eq_nocase(name, STR("authorization")) || str_eq_nocase(name, STR("cookie")) ||
                      str_eq_nocase(name, STR("x-api-key")) || str_eq_nocase(name, STR("api-key"));
        if (secret) (void)json_object_set_new(shown, key, json_string("***"));
        else (void)json_object_set(shown, key, value);
    }
    return shown;
}

static void show(struct pipeline_node *node, const struct pipeline_request *r, const json_t *headers, json_t *body) {
    json_t *input = json_pack("{s:s%,s:s%}", "method", r->method.p, r->method.n, "url", r->url.p, r->url.n);
    if (headers) (void)json_object_set_new(input, "headers", shown_headers(headers));
    if (body && r->body.n <= MAX_SHOWN_BODY_BYTES) (void)json_object_set(input, "body", body);
    else if (body) (void)json_object_set_new(input, "bodyBytes", json_integer((json_int_t)r->body.n));
    if (r->audience.n)
        (void)json_object_set_new(input, "authentication",
                                  json_pack("{s:s,s:s%}", "type", "MSI", "resource", r->audience.p, r->audience.n));
    pipeline_node_set_input(node, input);
}

static int64_t timeout_ms(const struct pipeline_node *node) {
    int64_t most = (int64_t)node->def->web.request_timeout_s * 1000;
    int64_t left = node->now.deadline_us ? (node->now.deadline_us - pipeline_node_now(node)) / 1000 : most;
    if (left < 1) left = 1;
    return most < left ? most : left;
}

static bool is_bodiless(struct str method) {
    return str_eq_z(method, "GET") || str_eq_z(method, "HEAD");
}

bool web_request_fill(struct pipeline_node *node, struct web_exchange *e) {
    const struct web_activity *def = &node->def->web;
    DEFER(json_freep) json_t *url = NULL, *resource = NULL, *headers = NULL, *body = NULL;
    if (!evaluate_one(node, def->url, &url) || !evaluate_one(node, def->resource, &resource) ||
        !evaluate_one(node, def->headers, &headers) || !evaluate_one(node, def->body, &body))
        return false;
    struct pipeline_request *r = &e->request;
    r->method = def->method;
    r->timeout_ms = timeout_ms(node);
    r->max_reply_bytes = PIPELINES_MAX_OUTPUT_BYTES;
    if (!fill_text(node, e, url, "url", &r->url)) return false;
    if (def->resource && !fill_text(node, e, resource, "authentication.resource", &r->audience)) return false;
    if (!is_bodiless(r->method) && !fill_body(node, e, body)) return false;
    if (!fill_headers(node, e, headers)) return false;
    show(node, r, headers, is_bodiless(r->method) ? NULL : body);
    return true;
}

bool web_request_poll(struct pipeline_node *node, struct web_exchange *e) {
    struct str url = str_dup(e->arena, str_z(node->location));
    if (!url.p) return no_memory(node);
    e->request = (struct pipeline_request){ .method = STR("GET"),
                                            .url = url,
                                            .timeout_ms = timeout_ms(node),
                                            .max_reply_bytes = PIPELINES_MAX_OUTPUT_BYTES,
                                            .poll = true };
    return true;
}
