/* grpc.h: gRPC's framing and metadata, without sockets. Any thread.
 *
 * Source: PROTOCOL-HTTP2.md of gRPC; percent-encoding of grpc-message; google.rpc.Status for details. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "wire/header.h"

enum { GRPC_PREFIX_BYTES = 5 };

/* The 5 bytes before a message of n bytes, never compressed. */
void grpc_prefix(size_t n, unsigned char out[GRPC_PREFIX_BYTES]);
void grpc_frame(struct buf *out, struct str message); /* prefix and message */

/* Takes the next message off `*rest`. ret_whole false: more bytes are needed. A compressed message is UNIMPLEMENTED (we
 * advertise grpc-accept-encoding: identity), a flag that is neither 0 nor 1 INTERNAL, a longer one RESOURCE_EXHAUSTED. */
MUST_USE enum code grpc_next(struct str *rest, size_t max_bytes, struct str *ret_message, bool *ret_whole, struct err *err);
/* A body that must hold exactly one message (unary requests). */
MUST_USE enum code grpc_single(struct str body, size_t max_bytes, struct str *ret_message, struct err *err);

/* Collects messages out of pieces that end anywhere (replies of a server stream). Zeroed but for max_bytes. */
struct grpc_deframer {
    size_t max_bytes; /* of one message */
    struct buf pending;
};
MUST_USE enum code grpc_feed(struct grpc_deframer *d, struct str piece, void (*fn)(struct str message, void *ctx),
                             void *ctx, struct err *err);
bool grpc_feed_is_between(const struct grpc_deframer *d); /* true: no half message is left */
void grpc_deframer_free(struct grpc_deframer *d);

bool grpc_is_content_type(struct str value);                 /* application/grpc, +proto; not grpc-web, not +json */
bool grpc_parse_timeout(struct str value, uint64_t *ret_us); /* "29944m"; at most 8 digits; saturates */
/* As much time as is left, rounded up: nobody gives up before the caller does. In `out`, at most 8 digits. */
enum { GRPC_TIMEOUT_BYTES = 16 };
struct str grpc_print_timeout(int64_t us, char out[GRPC_TIMEOUT_BYTES]);
void grpc_encode_message(struct buf *out, struct str text); /* percent-encodes */
/* Invalid escapes stay as they are, as the specification says. {NULL, 0} when the arena is full. */
struct str grpc_decode_message(struct arena *arena, struct str text);

/* grpc-status, grpc-message, grpc-status-details-bin (details: a serialised google.rpc.Status, may be empty) into
 * `headers` (room for 3), texts in the arena. Returns how many; 0 when the arena is full. A message is cut at 1,024 bytes
 * and details at 8 KiB (dropped whole), to fit clients' header limits. */
size_t grpc_status_headers(struct arena *arena, enum code code, struct str message, struct str details,
                           struct http_header headers[3]);
/* Reads them back from trailers. No grpc-status, or one that is no number of 0..16: UNKNOWN. */
enum code grpc_status_from(struct arena *arena, const struct http_header *headers, size_t n, struct str *ret_message,
                           struct str *ret_details);
enum code grpc_code_from_http(unsigned http_status); /* for replies without grpc-status */
