/* http2.h: one HTTP/2 connection, without sockets: bytes in, events out, bytes out. Both roles. RFC 9113, nghttp2.
 *
 * One thread. h2_receive runs the callbacks; h2_send runs on_writable and on_close too; submitting functions run none.
 * A stream's pointer is valid from its first event (or h2_request) until on_close returns, which comes exactly once;
 * h2_free calls it for those that are left.
 *
 * Flow control is per stream: bytes that on_data hands over give window back only by h2_consume. What is written waits
 * in the stream's queue (bounded), whence frames are made when windows and socket allow: no data means DEFERRED.
 * Bounds against floods: header bytes and count (the "HTTP/2 Bomb"), streams at once, resets (a burst of 1,000, then 33
 * a second), CONTINUATION frames, SETTINGS and PING replies waiting to be sent (128), empty frames (1,000). */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "wire/header.h"

struct h2;
struct h2_stream;

enum h2_role { H2_SERVER, H2_CLIENT };

struct h2_limits {
    size_t header_bytes, header_count;   /* of one block; over it the stream is reset (server: 431 is the caller's) */
    size_t queue_bytes;                  /* waiting to be sent, per stream */
    unsigned max_streams;                /* that the peer may open at once */
    uint32_t stream_window, conn_window; /* 0: 256 KiB and 1 MiB */
};

struct h2_callbacks {
    /* Request or response headers, in order, pseudo-headers first; they live until on_close (copied by the stream).
     * `over`: there is no body (on_end follows). `too_many`: over the limits, what is shown is what fitted. */
    void (*on_headers)(struct h2_stream *s, const struct http_header *headers, size_t n, bool over, bool too_many,
                       void *ctx);
    void (*on_data)(struct h2_stream *s, struct str data, void *ctx);
    void (*on_end)(struct h2_stream *s, const struct http_header *trailers, size_t n, void *ctx);
    void (*on_writable)(struct h2_stream *s, void *ctx); /* half of the queue is free again, after h2_write took less */
    void (*on_close)(struct h2_stream *s, uint32_t error, bool by_peer, void *ctx); /* error 0: both sides ended */
    void (*on_goaway)(struct h2 *h2, void *ctx);                                    /* no new stream is taken by the peer */
};

MUST_USE enum code h2_new(enum h2_role role, const struct h2_limits *limits, const struct h2_callbacks *callbacks,
                          void *ctx, struct h2 **ret_h2, struct err *err);
void h2_free(struct h2 *h2); /* not from inside a callback */

/* Everything is consumed. A failure ends the connection: send what h2_send gives (GOAWAY), then close. */
MUST_USE enum code h2_receive(struct h2 *h2, struct str bytes, struct err *err);
/* Appends frames to `out` until it holds `soft` bytes or nothing can be sent now. */
MUST_USE enum code h2_send(struct h2 *h2, struct buf *out, size_t soft, struct err *err);
bool h2_wants_send(const struct h2 *h2);
bool h2_is_over(const struct h2 *h2); /* nothing more will come or go: close */
size_t h2_streams(const struct h2 *h2);
bool h2_is_spent(const struct h2 *h2);   /* client: no stream will ever be opened again */
size_t h2_capacity(const struct h2 *h2); /* client: how many more streams the peer takes now */

/* Client: opens a stream; the headers hold the pseudo-headers first. `over`: no body follows. */
MUST_USE enum code h2_request(struct h2 *h2, const struct http_header *headers, size_t n, bool over, void *user,
                              struct h2_stream **ret_stream, struct err *err);
/* Server: response headers (":status" first). Copies. */
void h2_respond(struct h2_stream *s, const struct http_header *headers, size_t n, bool over);
MUST_USE size_t h2_write(struct h2_stream *s, struct str data); /* how much was taken */
size_t h2_room(const struct h2_stream *s);
size_t h2_queued(const struct h2_stream *s);
void h2_finish(struct h2_stream *s, const struct http_header *trailers, size_t n); /* no more data; copies the trailers */
void h2_reset(struct h2_stream *s, uint32_t error);
void h2_consume(struct h2_stream *s, size_t n); /* bytes of on_data that are dealt with: their window goes back */
/* Grows the queue's limit of one stream: for a whole small reply in one piece. */
void h2_widen(struct h2_stream *s, size_t queue_bytes);

void h2_set_user(struct h2_stream *s, void *user);
void *h2_user(const struct h2_stream *s);
int32_t h2_id(const struct h2_stream *s);
bool h2_ended_by_peer(const struct h2_stream *s); /* END_STREAM was received */
void h2_shutdown(struct h2 *h2, bool now);        /* GOAWAY: first a notice, then (now) the last stream's number */
