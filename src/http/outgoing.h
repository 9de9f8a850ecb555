/* outgoing.h: what somebody else may put into a request that this server sends: method and headers. Any thread. (URLs:
 * wire/url.h; addresses: net/judge.h.)
 *
 * Refused by name: what the connection's framing owns, what speaks for an identity (our own token goes beside, never as a
 * header), what asks for an answer that we would not read. Limits: 64 headers, 32 KiB of them. */
#pragma once
#include "base/err.h"
#include "wire/header.h"

enum { OUTGOING_HEADERS_MAX = 64, OUTGOING_HEADER_BYTES_MAX = 32 << 10 };

/* INVALID_ARGUMENT names the method or header, never a value. */
MUST_USE enum code outgoing_check(struct str method, const struct http_header *headers, size_t n, struct err *err);
