/* upstream_status.h: how a call to an upstream ended: its own words, or ours about it. Any thread; texts in the arena. */
#pragma once
#include "base/arena.h"
#include "upstream/upstream_call.h"

/* "the upstream of NAME WHAT". */
void upstream_status_ours(struct upstream_status *status, struct arena *arena, enum code code, struct str name,
                          const char *what, const char *reason);
/* False: this is no gRPC answer, and the status says so. Keeps what a Trailers-Only answer says. */
bool upstream_status_from_headers(struct upstream_status *status, struct arena *arena, struct str name,
                                  unsigned http_status, const struct http_header *headers, size_t n);
/* After upstream_status_from_headers. Without a lawful grpc-status in either place: INTERNAL, ours. */
void upstream_status_from_trailers(struct upstream_status *status, struct arena *arena, struct str name,
                                   const struct http_header *trailers, size_t n);
void upstream_status_from_fault(struct upstream_status *status, struct arena *arena, struct str name, enum http_fault fault,
                                const struct err *err);
