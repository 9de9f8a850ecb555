/* web_reply.c: replies become outputs, and failures errorCodes. Source: Microsoft Learn, "Web activity". */
#include "pipeline/web_reply.h"
#include <stdio.h>
#include "data/json.h"

enum { REPLY_DEPTH = 60, MAX_EXCERPT_BYTES = 500, MAX_HEADER_BYTES = 1024, MAX_HEADERS_BYTES = 8192 };

struct str web_reply_header(const struct pipeline_reply *reply, struct str name) {
    for (size_t i = 0; i < reply->n_headers; i++)
        if (str_eq_nocase(reply->headers[i].name, name)) return reply->headers[i].value;
    return (struct str){ 0 };
}

/* ---- no reply ---- */

static const struct {
    enum again again;
    const char *code, *message;
} faults[FAULT_COUNT] = {
    [FAULT_POLICY] = { FINAL, "PolicyDenied", "policy does not let the workspace call this address" },
    [FAULT_TOKEN] = { RETRY, "TokenUnavailable", "the workspace's token could not be made" },
    [FAULT_UNREACHABLE] = { RETRY, "HostUnreachable", "the host cannot be reached" },
    [FAULT_TLS] = { RETRY, "TlsFailure", "no trusted TLS connection could be made" },
    [FAULT_TIMED_OUT] = { RETRY, "Timeout", "no reply in time" },
    [FAULT_TOO_LARGE] = { RETRY, "ResponseTooLarge", "the reply is longer than 4 MiB" },
    [FAULT_INVALID] = { RETRY, "InvalidResponse", "the reply is no HTTP" },
    [FAULT_REQUEST] = { FINAL, "InvalidRequest", "the request cannot be sent as it is" },
    [FAULT_BUSY] = { RETRY, "TooManyRequests", "this machine has too many requests under way, or is short of memory" },
    [FAULT_CANCELLED] = { RETRY, "Interrupted", "the request was called off; whether it arrived is not known" },
};

void web_reply_fault(struct pipeline_node *node, const struct pipeline_reply *reply) {
    size_t at = (size_t)reply->fault < FAULT_COUNT ? (size_t)reply->fault : FAULT_INVALID;
    struct str detail = str_upto(reply->message, MAX_EXCERPT_BYTES);
    pipeline_node_fail(node, faults[at].again, faults[at].code, reply->request, "%s%s%.*s", faults[at].message,
                       detail.n ? ": " : "", STR_ARG(detail));
}

/* ---- a reply that says no ---- */

/* Only what an API's JSON error says of itself: a page, or another shape, is not shown. */
static struct str message_in(const json_t *json) {
    const json_t *error = json_object_get(json, "error");
    const json_t *places[] = { json_object_get(error, "message"), json_object_get(json, "message"),
                               json_object_get(json, "error_description"), error };
    for (size_t i = 0; i < COUNT(places); i++)
        if (json_is_string(places[i])) return str_upto(json_text_of(places[i]), MAX_EXCERPT_BYTES);
    return (struct str){ 0 };
}

void web_reply_status(struct pipeline_node *node, const struct pipeline_reply *reply) {
    DEFER(json_freep) json_t *json = NULL;
    struct err ignored;
    char code[12];
    if (json_read(reply->body, PIPELINES_MAX_OUTPUT_BYTES, REPLY_DEPTH, &json, &ignored)) json = NULL;
    struct str excerpt = message_in(json);
    bool token = reply->status == 401 && node->def->web.resource && !node->location;
    (void)snprintf(code, sizeof code, "%u", reply->status);
    const char *why = token ? " to the workspace's token" : reply->status < 400 ? ": redirects are not followed" : "";
    pipeline_node_fail(node, RETRY, token ? "TokenRejected" : code, reply->request, "the server answered %u%s%s%.*s",
                       reply->status, why, excerpt.n ? ": " : "", STR_ARG(excerpt));
}

/* ---- a reply that says yes ---- */

/* "content-type" → "Content-Type", as .NET shows them. */
static void shown_name(struct str name, char *out) {
    bool start = true;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (start && c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
        start = c == '-';
        out[i] = c;
    }
    out[name.n] = 0;
}

/* A Location may be a capability: shown only to who polls it by hand. */
static bool is_shown(const struct pipeline_node *node, struct str name) {
    if (str_eq_nocase(name, STR("location"))) return node->def->web.turn_off_async;
    return !str_eq_nocase(name, STR("set-cookie")) && !str_eq_nocase(name, STR("www-authenticate")) &&
           !str_eq_nocase(name, STR("authorization"));
}

static json_t *shown_headers(const struct pipeline_node *node, const struct pipeline_reply *reply) {
    json_t *shown = json_object();
    size_t total = 0;
    for (size_t i = 0; i < reply->n_headers && shown; i++) {
        const struct pipeline_header *h = &reply->headers[i];
        char name[MAX_HEADER_BYTES + 1];
        if (h->name.n + h->value.n > MAX_HEADER_BYTES || !is_shown(node, h->name)) continue;
        total += h->name.n + h->value.n;
        if (total > MAX_HEADERS_BYTES) break;
        shown_name(h->name, name);
        (void)json_object_set_new(shown, name, json_stringn(h->value.p ? h->value.p : "", h->value.n));
    }
    return shown;
}

static bool add_extras(const struct pipeline_node *node, const struct pipeline_reply *reply, json_t *object) {
    int64_t seconds = (pipeline_node_now(node) - node->now.started_us) / SECOND_US;
    return json_object_set_new(object, "ADFWebActivityResponseHeaders", shown_headers(node, reply)) == 0 &&
           json_object_set_new(object, "executionDuration", json_integer(seconds)) == 0;
}

void web_reply_output(struct pipeline_node *node, const struct pipeline_reply *reply) {
    struct err err = { 0 };
    json_t *json = NULL;
    enum code rc = OK;
    if (!reply->body.n) json = json_object();
    else rc = json_read(reply->body, PIPELINES_MAX_OUTPUT_BYTES, REPLY_DEPTH, &json, &err);
    if (!rc && !json) rc = err_oom(&err);
    if (rc == RESOURCE_EXHAUSTED) {
        pipeline_node_fail_code(node, rc, &err);
    } else if (rc || !json_is_object(json)) {
        json_decref(json);
        pipeline_node_fail(node, RETRY, "InvalidResponse", reply->request, "the reply (%u) is no JSON object%s%s",
                           reply->status, rc ? ": " : "", rc ? err.message : "");
    } else if (!add_extras(node, reply, json)) {
        json_decref(json);
        pipeline_node_fail(node, FINAL, "InsufficientMemory", STR(""), "out of memory for the output");
    } else {
        pipeline_node_succeed(node, json);
    }
}
