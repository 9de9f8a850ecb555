#include "wire/http1.h"

static const struct {
    unsigned status;
    const char *reason;
} reasons[] = {
    { 100, "Continue" },
    { 200, "OK" },
    { 201, "Created" },
    { 202, "Accepted" },
    { 204, "No Content" },
    { 206, "Partial Content" },
    { 304, "Not Modified" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 412, "Precondition Failed" },
    { 413, "Content Too Large" },
    { 414, "URI Too Long" },
    { 415, "Unsupported Media Type" },
    { 417, "Expectation Failed" },
    { 421, "Misdirected Request" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 499, "Client Closed Request" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Timeout" },
    { 505, "HTTP Version Not Supported" },
};

const char *h1_reason(unsigned status) {
    for (size_t i = 0; i < COUNT(reasons); i++)
        if (reasons[i].status == status) return reasons[i].reason;
    return "Status"; /* a client must not read it (RFC 9112 §4) */
}

bool h1_is_connection_header(struct str name) {
    static const struct str names[] = { STR_INIT("connection"),        STR_INIT("keep-alive"), STR_INIT("proxy-connection"),
                                        STR_INIT("transfer-encoding"), STR_INIT("upgrade"),    STR_INIT("te"),
                                        STR_INIT("http2-settings") };
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_eq_nocase(name, names[i])) return true;
    return false;
}

/* A field that would break the framing (a line end in a value) is left out: that is a defect of ours, never a client's. */
void h1_write_header(struct buf *out, struct str name, struct str value) {
    if (!http_is_token(name) || !http_is_field_value(value)) return;
    buf_add_str(out, name);
    buf_add(out, ": ", 2);
    buf_add_str(out, value);
    buf_add(out, "\r\n", 2);
}

static void write_headers(struct buf *out, const struct http_header *headers, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!h1_is_connection_header(headers[i].name)) h1_write_header(out, headers[i].name, headers[i].value);
}

void h1_write_request(struct buf *out, struct str method, struct str target, const struct http_header *headers, size_t n) {
    buf_add_str(out, method);
    buf_add_char(out, ' ');
    buf_add_str(out, target);
    buf_add_z(out, " HTTP/1.1\r\n");
    write_headers(out, headers, n);
}

void h1_write_status(struct buf *out, unsigned status, const struct http_header *headers, size_t n) {
    buf_printf(out, "HTTP/1.1 %u %s\r\n", status, h1_reason(status));
    write_headers(out, headers, n);
}

void h1_write_chunk(struct buf *out, struct str data) {
    if (data.n == 0) return;
    buf_printf(out, "%zx\r\n", data.n);
    buf_add_str(out, data);
    buf_add(out, "\r\n", 2);
}

void h1_write_last_chunk(struct buf *out, const struct http_header *trailers, size_t n) {
    buf_add(out, "0\r\n", 3);
    write_headers(out, trailers, n);
    buf_add(out, "\r\n", 2);
}
