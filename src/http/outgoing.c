#include "http/outgoing.h"

/* TRACE would send our token back; CONNECT asks for a tunnel. */
static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" };

static const char framing[] = "it belongs to the connection",
                  identity[] = "it speaks for an identity: ask for one by name instead",
                  coding[] = "the answer would come in a form that is not read";

static const struct {
    const char *name;
    bool prefix;
    const char *why;
} refused[] = {
    { "host", false, framing },
    { "connection", false, framing },
    { "keep-alive", false, framing },
    { "content-length", false, framing },
    { "transfer-encoding", false, framing },
    { "te", false, framing },
    { "trailer", false, framing },
    { "upgrade", false, framing },
    { "http2-settings", false, framing },
    { "expect", false, framing },
    { "proxy-", true, framing },
    { "authorization", false, identity },
    { "cookie", false, identity },
    { "cookie2", false, identity },
    { "metadata-flavor", false, identity },
    { "metadata", false, identity },
    { "x-aws-ec2-metadata-token", true, identity },
    { "accept-encoding", false, coding },
    { "range", false, coding },
};

static const char *refusal(struct str name) {
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct str row = str_z(refused[i].name);
        struct str same = refused[i].prefix ? str_upto(name, row.n) : name;
        if (str_eq_nocase(same, row)) return refused[i].why;
    }
    return NULL;
}

static enum code check_header(const struct http_header *h, struct err *err) {
    if (!http_is_token(h->name))
        return err_set(err, INVALID_ARGUMENT, "a header's name is empty or holds characters that none may");
    struct str name = str_upto(h->name, 100);
    const char *why = refusal(h->name);
    if (why) return err_set(err, INVALID_ARGUMENT, "the header %.*s may not be set: %s", STR_ARG(name), why);
    if (!http_is_field_value(h->value))
        return err_set(
            err, INVALID_ARGUMENT,
            "the value of the header %.*s holds a line break or another control character, or begins or ends with a blank",
            STR_ARG(name));
    return OK;
}

enum code outgoing_check(struct str method, const struct http_header *headers, size_t n, struct err *err) {
    bool known = false;
    size_t bytes = 0;
    for (size_t i = 0; i < COUNT(methods); i++) known = known || str_eq_z(method, methods[i]);
    if (!known)
        return err_set(err, INVALID_ARGUMENT, "the method %.*s is none of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
                       http_is_token(method) ? (int)str_upto(method, 40).n : 0, method.p ? method.p : "");
    if (n > OUTGOING_HEADERS_MAX)
        return err_set(err, INVALID_ARGUMENT, "there are more than %d headers", OUTGOING_HEADERS_MAX);
    for (size_t i = 0; i < n; i++) {
        enum code rc = check_header(&headers[i], err);
        if (rc) return rc;
        bytes += headers[i].name.n + headers[i].value.n;
    }
    if (bytes > OUTGOING_HEADER_BYTES_MAX)
        return err_set(err, INVALID_ARGUMENT, "the headers are larger than %d bytes", OUTGOING_HEADER_BYTES_MAX);
    return OK;
}
