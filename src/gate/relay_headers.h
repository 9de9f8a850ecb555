/* relay_headers.h: which header fields pass between a client and a generic service. Any thread.
 *
 * Towards the service: what is listed here and in the configuration, nothing else. Back: all but what belongs to one
 * connection, what would make the client keep something for our name, and what would tell it our token. */
#pragma once
#include "gate/config.h"
#include "wire/header.h"

enum { RELAY_FIELDS_MAX = 112 };

/* Fills `out` (RELAY_FIELDS_MAX); texts are the request's. Returns how many. */
size_t relay_request_headers(const struct http_header *headers, size_t n, const struct config_service *config,
                             struct http_header *out);
/* In place of `out`; also for trailers. `token`: what must not come back; empty: none was sent. */
size_t relay_answer_headers(const struct http_header *headers, size_t n, struct str token, struct http_header *out,
                            size_t max);
/* Why the configuration may not let this field pass, or NULL. */
const char *relay_bad_header(struct str name);
