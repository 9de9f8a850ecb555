#include "upstream/upstream_status.h"

#include "base/enc.h"
#include "wire/grpc.h"

enum { DETAILS_MAX = 8 << 10 };

void upstream_status_ours(struct upstream_status *status, struct arena *arena, enum code code, struct str name,
                          const char *what, const char *reason) {
    unsigned http_status = status->http_status;
    struct str message = arena_printf(arena, "the upstream of %.*s %s", STR_ARG(name), what);
    *status = (struct upstream_status){ .code = code,
                                        .message = message.p ? message : STR("the upstream failed"),
                                        .reason = str_dup(arena, str_z(reason)),
                                        .ours = true,
                                        .http_status = http_status };
}

/* ---- what it says ---- */

static bool read_status(struct upstream_status *status, struct arena *arena, const struct http_header *headers, size_t n) {
    const struct http_header *field = http_header_find(headers, n, STR("grpc-status"));
    uint64_t code = 0;
    if (!field || !str_u64(field->value, &code) || code > UNAUTHENTICATED ||
        http_header_count(headers, n, STR("grpc-status")) != 1)
        return false;
    status->code = grpc_status_from(arena, headers, n, &status->message, &status->details);
    struct str retry = http_header_value(headers, n, STR("google.rpc.retryinfo-bin"));
    if (retry.n && !dec_base64_any(arena, retry, &status->retry_info)) status->retry_info = (struct str){ 0 };
    if (status->details.n > DETAILS_MAX) status->details = (struct str){ 0 }; /* grpc_status_headers would drop them, too */
    return true;
}

static bool no_grpc(struct upstream_status *status, struct arena *arena, struct str name, unsigned http_status,
                    struct str type) {
    struct str reason = arena_printf(arena,
                                     "HTTP %u, content-type \"%.*s\": is the address that of a gRPC service, and is "
                                     "there a proxy in between?",
                                     http_status, STR_ARG(str_upto(type, 100)));
    enum code code = http_status == 200 ? INTERNAL : grpc_code_from_http(http_status);
    upstream_status_ours(status, arena, code, name, "does not answer in gRPC", reason.p ? reason.p : "");
    return false;
}

bool upstream_status_from_headers(struct upstream_status *status, struct arena *arena, struct str name,
                                  unsigned http_status, const struct http_header *headers, size_t n) {
    struct str type = http_header_value(headers, n, STR("content-type"));
    struct str coding = http_header_value(headers, n, STR("grpc-encoding"));
    status->http_status = http_status;
    if (http_status != 200 || !grpc_is_content_type(type)) return no_grpc(status, arena, name, http_status, type);
    if (coding.n && !str_eq(coding, STR("identity"))) {
        upstream_status_ours(status, arena, INTERNAL, name, "compresses what it was not asked to compress", "");
        return false;
    }
    status->code = UNKNOWN;
    if (!read_status(status, arena, headers, n)) status->ours = true; /* until the trailers tell */
    return true;
}

void upstream_status_from_trailers(struct upstream_status *status, struct arena *arena, struct str name,
                                   const struct http_header *trailers, size_t n) {
    bool only_headers = n == 0 && !status->ours; /* Trailers-Only */
    if (only_headers) return;
    status->ours = false;
    if (!read_status(status, arena, trailers, n))
        upstream_status_ours(status, arena, INTERNAL, name, "ends without a status",
                             "no lawful grpc-status in the trailers");
}

/* ---- what became of it ---- */

void upstream_status_from_fault(struct upstream_status *status, struct arena *arena, struct str name, enum http_fault fault,
                                const struct err *err) {
    static const struct {
        enum code code; /* OK: the error's own */
        const char *what;
    } table[] = {
        [HTTP_FAULT_OTHER] = { OK, "cannot be called now" },
        [HTTP_FAULT_NAME] = { UNAVAILABLE, "cannot be found: its name does not resolve" },
        [HTTP_FAULT_ADDRESS] = { UNAVAILABLE, "has an address that is never dialled" },
        [HTTP_FAULT_CONNECT] = { UNAVAILABLE, "does not accept connections" },
        [HTTP_FAULT_TLS] = { UNAVAILABLE, "does not prove by its certificate to be the one" },
        [HTTP_FAULT_TIMEOUT] = { OK, "took too long" },
        [HTTP_FAULT_TOO_LARGE] = { RESOURCE_EXHAUSTED, "answers with headers over the limits" },
        [HTTP_FAULT_MALFORMED] = { INTERNAL, "answers with what is no lawful HTTP" },
        [HTTP_FAULT_CUT] = { UNAVAILABLE, "ended the connection or the stream before its answer was whole" },
    };
    enum code code = table[fault].code ? table[fault].code : err->code;
    upstream_status_ours(status, arena, code, name, table[fault].what, err->message);
}
