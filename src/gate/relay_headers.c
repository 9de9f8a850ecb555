#include "gate/relay_headers.h"
#include "http/outgoing.h"
#include "wire/http1.h"

/* What a request says about itself and about the answer that it wants. Nothing that speaks for somebody, nothing that was
 * added on the way (forwarded, x-forwarded-*, via), nothing of a browser. */
static const char *const towards[] = {
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "grpc-accept-encoding",
    "grpc-encoding",
    "grpc-message-type",
    "grpc-previous-rpc-attempts",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "idempotency-key",
    "prefer",
    "range",
    "user-agent",
};

/* alt-svc would lead the client around us, the others would stay with it under our name. */
static const char *const kept_back[] = {
    "alt-svc",     "authentication-info",       "clear-site-data", "proxy-authenticate",       "set-cookie",
    "set-cookie2", "strict-transport-security", "trailer",         "proxy-authentication-info"
};

static bool is_in(struct str name, const char *const *names, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (str_eq_z(name, names[i])) return true;
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
    /* The second row: some services serve what such a field names, and not the path that was decided. */
    static const char *const never[] = { "forwarded",
                                         "via",
                                         "x-real-ip",
                                         "grpc-timeout",
                                         "x-goog-iap-jwt-assertion",
                                         "x-original-url",
                                         "x-rewrite-url",
                                         "traceparent",
                                         "tracestate",
                                         "x-http-method-override",
                                         "x-http-method",
                                         "x-method-override" };
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
