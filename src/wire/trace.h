/* trace.h: W3C trace context: the two header fields that join one request's spans across systems. Any thread.
 *
 * Version 00 only: a traceparent of another version, or one that is malformed, is no trace context at all. What is read
 * here is the caller's word: it goes on and into records, and decides nothing. W3C Trace Context, 3.2 and 3.3. */
#pragma once
#include "base/str.h"

enum {
    TRACE_ID_LENGTH = 32, /* hex digits */
    TRACE_SPAN_LENGTH = 16,
    TRACE_PARENT_LENGTH = 55,
    TRACE_STATE_MAX = 512, /* bytes */
    TRACE_STATE_MEMBERS = 32,
};

struct trace_parent { /* slices of what was parsed */
    struct str trace_id, span_id;
    bool sampled;
};

/* "00-TRACEID-SPANID-FLAGS": lower-case hex, neither id all zeros. */
bool trace_parent_parse(struct str value, struct trace_parent *ret);
/* Writes it, with its NUL; the ids are of the lengths above. */
void trace_parent_print(const struct trace_parent *parent, char out[TRACE_PARENT_LENGTH + 1]);
/* May this tracestate go on as it is? Bounds, grammar, no key twice. Several fields count as one, joined by commas. */
bool trace_state_ok(struct str value);
