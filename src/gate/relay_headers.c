#include "gate/relay_headers.h"
#include "http/outgoing.h"
#include "wire/http1.h"

/* What a request says about itself and about the answer that it wants. Nothing that speaks for somebody, nothing that was
 * added on the way (forwarded, x-forwarded-*, via), nothing of a browser. */
static const struct str towards[] = {
    STR_INIT("accept"),
    STR_INIT("accept-charset"),
    STR_INIT("accept-encoding"),
    STR_INIT("accept-language"),
    STR_INIT("cache-control"),
    STR_INIT("content-disposition"),
    STR_INIT("content-encoding"),
    STR_INIT("content-language"),
    STR_INIT("content-type"),
    STR_INIT("grpc-accept-encoding"),
    STR_INIT("grpc-encoding"),
    STR_INIT("grpc-message-type"),
    STR_INIT("grpc-previous-rpc-attempts"),
    STR_INIT("if-match"),
    STR_INIT("if-modified-since"),
    STR_INIT("if-none-match"),
    STR_INIT("if-range"),
    STR_INIT("if-unmodified-since"),
    STR_INIT("idempotency-key"),
    STR_INIT("prefer"),
    STR_INIT("range"),
    STR_INIT("user-agent"),
};

/* alt-svc would lead the client around us, the others would stay with it under our name. */
static const struct str kept_back[] = {
    STR_INIT("alt-svc"),
    STR_INIT("authentication-info"),
    STR_INIT("clear-site-data"),
    STR_INIT("proxy-authenticate"),
    STR_INIT("set-cookie"),
    STR_INIT("set-cookie2"),
    STR_INIT("strict-transport-security"),
    STR_INIT("trailer"),
    STR_INIT("proxy-authentication-info"),
};

static bool is_in(struct str name, const struct str *names, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (name.n == names[i].n && str_eq(name, names[i])) return true; /* most end at the lengths */
    return false;
}

static bool is_configured(struct str name, const struct config_service *config) {
    for (size_t i = 0; i < config->n_headers; i++)
        if (str_eq(name, config->headers[i])) return true;
    return false;
}

size_t relay_request_headers(const struct http_header *headers, size_t n, const struct config_service *config,
                             struct http_header *out) {
    size_t m = 0;
    for (size_t i = 0; i < n && m < RELAY_FIELDS_MAX; i++)
        if (is_in(headers[i].name, towards, COUNT(towards)) || is_configured(headers[i].name, config))
            out[m++] = headers[i];
    return m;
}

size_t relay_answer_headers(const struct http_header *headers, size_t n, struct str token, struct http_header *out,
                            size_t max) {
    size_t m = 0;
    for (size_t i = 0; i < n && m < max; i++) {
        bool dropped = h1_is_connection_header(headers[i].name) || is_in(headers[i].name, kept_back, COUNT(kept_back)) ||
                       (token.n && str_find(headers[i].value, token) >= 0);
        if (!dropped) out[m++] = headers[i];
    }
    return m;
}

const char *relay_bad_header(struct str name) {
    /* x-original-url and those after it: some services serve what such a field names, not the path that was decided. */
    static const struct str never[] = { STR_INIT("forwarded"),
                                        STR_INIT("via"),
                                        STR_INIT("x-real-ip"),
                                        STR_INIT("grpc-timeout"),
                                        STR_INIT("x-goog-iap-jwt-assertion"),
                                        STR_INIT("traceparent"),
                                        STR_INIT("tracestate"),
                                        STR_INIT("x-original-url"),
                                        STR_INIT("x-rewrite-url"),
                                        STR_INIT("x-http-method-override"),
                                        STR_INIT("x-http-method"),
                                        STR_INIT("x-method-override") };
    const struct http_header field = { name, STR("x") };
    struct err err;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] >= 'A' && name.p[i] <= 'Z') return "is written in lower case";
    if (is_in(name, never, COUNT(never)) || str_starts(name, STR("x-forwarded-")) || str_starts(name, STR("x-linkspan-")))
        return "may not pass: it says who asks, or what is ours to say";
    if (outgoing_check(STR("GET"), &field, 1, &err))
        return "may not pass: it belongs to the connection or speaks for an identity";
    return NULL;
}
