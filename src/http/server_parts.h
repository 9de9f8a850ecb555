/* server_parts.h: what the server's own files share. Not for others.
 *
 * server.c: listeners, limits, drain. server_conn.c: one connection, its deadlines, which protocol it speaks.
 * server_h1.c, server_h2.c: the two protocols, behind `struct protocol`. stream.c: the public functions of a stream. */
#pragma once
#include "base/buf.h"
#include "http/server.h"
#include "net/conn.h"
#include "net/listener.h"
#include "wire/http1.h"
#include "wire/http2.h"

enum { SIMPLE_BODY_MAX = 4 * 1024 * 1024, PREFACE_BYTES = 24, HELD_MAX = 65536 };

struct http_conn;

/* What a protocol does for a stream and for a connection. */
struct protocol {
    void (*begin)(struct http_conn *c); /* NULL: nothing to be said before the client speaks */
    void (*receive)(struct http_conn *c, struct str bytes);
    void (*output)(struct http_conn *c, struct buf *out);
    void (*drain)(struct http_conn *c, bool now); /* announce the end; twice for HTTP/2 */
    void (*close)(struct http_conn *c);           /* the connection is gone: so are its streams */
    void (*headers)(struct http_stream *s, unsigned status, const struct http_header *headers, size_t n, bool over);
    size_t (*data)(struct http_stream *s, struct str data);
    void (*end)(struct http_stream *s, const struct http_header *trailers, size_t n);
    size_t (*room)(const struct http_stream *s);
    size_t (*queued)(const struct http_stream *s);
    void (*widen)(struct http_stream *s, size_t queue_bytes);
    void (*reset)(struct http_stream *s, unsigned error);
    void (*taken)(struct http_stream *s, size_t n); /* of a body in pieces: the client may send as much again */
};
extern const struct protocol protocol_h1, protocol_h2;

struct http_stream {
    struct http_conn *conn;
    struct http_stream *next, **link;
    struct http_request request;
    void *user;
    struct buf body; /* in pieces: what the reader did not take yet, from body_at on */
    size_t body_at;
    size_t counted; /* of body, in the connection's and the server's totals */
    size_t max_body;
    uint64_t since_ms, last_byte_ms; /* of the body, while it is due */
    size_t written, taken;           /* of the reply: by the handler, and of it by the connection at the last look */
    uint64_t taken_ms;               /* when that changed, or nothing waited */
    bool dispatched;                 /* the handler knows of it: on_gone is owed */
    bool too_large, whole;           /* the body is over, or read no further */
    bool has_leave;                  /* may_have_room said so */
    bool told_over;                  /* in pieces: the reader has had the last one */
    bool open, headers_sent, ended, was_reset;
    bool stalls; /* its whole reply waits, and took no byte since the look before: one of the server's n_stalled */
    struct h2_stream *h2;
};

struct h1_side; /* HTTP/1's state of a connection */

struct http_conn {
    struct http_server *server;
    struct http_listener *listener; /* NULL once it is closed */
    void *listener_ctx;
    struct http_conn *next, **link;
    struct conn *net;
    const struct protocol *protocol; /* NULL until known */
    struct h2 *h2;
    struct h1_side *h1;
    struct http_stream *streams;
    struct loop_timer tick;
    size_t n_streams, body_bytes;
    uint64_t since_ms;       /* the last stream's end, or the beginning: idle from here */
    uint64_t headers_due_ms; /* HTTP/1 and prefaces: when the headers must be whole; 0: none is under way */
    bool http1_only, draining, lost_to_peer;
    unsigned preface_n;
    char preface[PREFACE_BYTES];
};

struct http_listener {
    struct http_server *server;
    struct listener *net;
    struct tls_ctx *tls;
    struct http_listener *next, **link;
    void *ctx;
    bool http1_only;
};

struct http_server {
    struct loop *loop;
    struct http_limits limits;
    struct http_handler handler;
    void *ctx;
    struct http_conn *conns;
    struct http_listener *listeners;
    struct http_server_stats stats;
    struct loop_timer notice, grace;
    struct loop_task told;
    void (*drained)(struct http_server *, void *ctx);
    void *drained_ctx;
    unsigned tick_ms, n_stalled;
    bool draining;
};

/* server_conn.c */
void http_conn_accept(struct http_listener *listener, int fd, const struct net_address *peer);
void http_conn_cut(struct http_conn *c); /* at once; on_gone follows from the loop */
void http_conn_drain(struct http_conn *c, bool now);
void http_conn_gone(struct http_conn *c); /* server.c: one connection less */
void http_stream_stalls(struct http_stream *s, bool stalls);

/* stream.c: from the protocols */
struct http_stream *http_stream_new(struct http_conn *c);
void http_stream_free(struct http_stream *s, enum http_gone why); /* calls on_gone when it is owed */
/* The headers are in: fills the request, asks max_body. False: refused, the reply is under way. */
bool http_stream_headers(struct http_stream *s, struct str target, struct str authority, bool over);
void http_stream_body(struct http_stream *s, struct str piece);
void http_stream_whole(struct http_stream *s);
size_t http_stream_held(const struct http_stream *s);            /* of a body in pieces */
void http_stream_refuse(struct http_stream *s, unsigned status); /* without the handler */
void http_stream_writable(struct http_stream *s);
