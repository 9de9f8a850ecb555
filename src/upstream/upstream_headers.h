/* upstream_headers.h: the header fields of a call to an upstream: ours, and the metadata that may go along. Any thread. */
#pragma once
#include "base/arena.h"
#include "upstream/upstream_call.h"

enum { UPSTREAM_FIELDS_MAX = UPSTREAM_METADATA_MAX + 8 };

struct upstream_headers {
    struct http_header fields[UPSTREAM_FIELDS_MAX]; /* texts in the arena, or the request's */
    size_t n;
    unsigned timeout_ms; /* what is left; 0: nothing; UINT_MAX: no deadline */
};

/* INVALID_ARGUMENT names the field that may not go. */
MUST_USE enum code upstream_headers_make(const struct upstream_request *request, struct arena *arena,
                                         struct upstream_headers *ret, struct err *err);
