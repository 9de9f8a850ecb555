#include "gate/trace_context.h"
#include "gate/id.h"

enum { TRACE_BYTES = TRACE_ID_LENGTH / 2, SPAN_BYTES = TRACE_SPAN_LENGTH / 2 };

/* One that was sent twice is none: nobody can tell which is meant. */
static bool callers_parent(const struct http_request *http, struct trace_parent *ret) {
    return http_header_count(http->headers, http->n_headers, STR("traceparent")) == 1 &&
           trace_parent_parse(http_header_value(http->headers, http->n_headers, STR("traceparent")), ret);
}

/* Several fields are one list (W3C Trace Context, 3.3.1.1). Empty when there is none that may go on. */
static struct str callers_state(const struct http_request *http, struct arena *arena) {
    DEFER(buf_free) struct buf joined = BUF_INIT(TRACE_STATE_MAX);
    for (size_t i = 0; i < http->n_headers; i++) {
        if (!str_eq(http->headers[i].name, STR("tracestate"))) continue;
        if (joined.n) buf_add_char(&joined, ',');
        buf_add_str(&joined, http->headers[i].value);
    }
    bool ok = buf_ok(&joined) && trace_state_ok(buf_str(&joined));
    return ok ? str_dup(arena, buf_str(&joined)) : (struct str){ NULL, 0 };
}

static void hex(const uint8_t *bytes, size_t n, char *out) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

void trace_context_begin(struct request *r) {
    uint8_t random[TRACE_BYTES + SPAN_BYTES];
    char id[TRACE_ID_LENGTH], span[TRACE_SPAN_LENGTH];
    struct trace_parent parent;
    id_random(random, sizeof random);
    hex(random, TRACE_BYTES, id);
    hex(random + TRACE_BYTES, SPAN_BYTES, span);
    if (callers_parent(r->http, &parent)) r->call.tracestate = callers_state(r->http, r->call.arena);
    else parent = (struct trace_parent){ .trace_id = { id, sizeof id } };
    parent.span_id = (struct str){ span, sizeof span };
    trace_parent_print(&parent, r->traceparent);
    r->call.traceparent = (struct str){ r->traceparent, TRACE_PARENT_LENGTH };
}

struct str trace_context_id(const struct request *r) {
    return str_upto(str_from(r->call.traceparent, 3), TRACE_ID_LENGTH);
}

struct str trace_context_span(const struct request *r) {
    return str_upto(str_from(r->call.traceparent, 4 + TRACE_ID_LENGTH), TRACE_SPAN_LENGTH);
}
