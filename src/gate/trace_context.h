/* trace_context.h: the trace that a request belongs to: its caller's or a new one, and our own span in it. Loop thread.
 *
 * It is the caller's word: it goes on to upstreams, into the audit entry and the log line, and decides nothing. */
#pragma once
#include "gate/request.h"

/* From the headers; fills r->traceparent, r->call.traceparent and r->call.tracestate. Malformed fields are ignored whole.
 */
void trace_context_begin(struct request *r);
struct str trace_context_id(const struct request *r);   /* 32 hex digits */
struct str trace_context_span(const struct request *r); /* ours: 16 hex digits */
