/* server.h: one shape of request over HTTP/1.1 and HTTP/2, TLS or plaintext. gRPC is a content-type on it.
 *
 * A server lives on one loop; each worker thread has its own (listeners with reuse_port). Every function and callback
 * here runs on that loop's thread. The life of a stream:
 *
 *    headers → max_body → [body] → on_request (or on_too_large) → http_reply_* … → on_gone
 *    headers → streams: yes → on_request → on_body … (http_reply_* at any time)  → on_gone
 *
 * on_gone is called exactly once for each stream that reached on_request or on_too_large, whatever happened (also when
 * the reply went out in full: HTTP_GONE_DONE), always last, and never from inside a http_reply_* or http_stream_*
 * function. Until it returns, the stream and its request (header and body slices included) stay valid, so that an
 * answer that comes from another thread needs only ask http_stream_is_open first.
 *
 * Bounds: header bytes and count, body bytes per stream (max_body), per connection and per server, reply bytes queued
 * per stream (http_reply_data refuses beyond), streams per connection, connections. The socket is always read (HTTP/2):
 * a slow reader holds back only its own stream. Nothing a client writes into X-Forwarded-For, Forwarded, Via and the like
 * is interpreted here. RFC 9112, RFC 9113. */
#pragma once
#include "net/address.h"
#include "net/loop.h"
#include "net/tls.h"
#include "wire/header.h"

struct http_server;
struct http_listener;
struct http_stream;

enum http_version { HTTP_VERSION_1_0, HTTP_VERSION_1_1, HTTP_VERSION_2 };

struct http_request {
    enum http_version version;
    struct str method;
    struct str scheme;    /* "https" or "http": of the connection, not of what the client wrote */
    struct str authority; /* :authority or Host, with the port if written; never empty in HTTP/1.1 and 2 */
    struct str path;      /* starts with '/', as sent (still percent-encoded), without the query; "*" for OPTIONS * */
    struct str query;     /* after '?', still percent-encoded; p == NULL when there was no '?' */
    const struct http_header *headers; /* names in lower case; no pseudo-headers; no Host */
    size_t n_headers;
    struct str body; /* whole in on_request; empty in max_body and on_too_large, and when it streams */
    bool streams;    /* the body follows by on_body */
    size_t met;      /* on_too_large: the bound that the body is over; 0: there was no room for it beside others */
    struct net_address peer;
    void *listener_ctx; /* which listener it came in on: the identity of a job's endpoint */
    bool tls;
    struct str sni;              /* server name that the client asked for, or empty */
    struct str peer_certificate; /* DER of the verified client certificate, or empty */
};

enum http_gone {
    HTTP_GONE_DONE,   /* the reply was handed to the connection in full */
    HTTP_GONE_CANCEL, /* the client reset the stream, or closed its HTTP/1 connection */
    HTTP_GONE_LOST,   /* the connection broke, timed out, was drained or its listener closed */
    HTTP_GONE_RESET,  /* our own http_stream_reset */
};

struct http_handler {
    /* Asked once the headers are in and a body follows: the most bytes of it that this route takes. NULL:
     * limits.body_bytes. */
    size_t (*max_body)(struct http_stream *stream, const struct http_request *request, void *ctx);
    /* Asked once, before a body becomes larger than HTTP_SMALL_BODY and when half of the server's room for bodies is taken:
     * may it have room? If not, on_too_large. NULL: yes. */
    bool (*may_have_room)(struct http_stream *stream, const struct http_request *request, void *ctx);
    /* The body is larger than max_body, or has no room: reply now; request->met says which. NULL: 413. */
    void (*on_too_large)(struct http_stream *stream, const struct http_request *request, void *ctx);
    void (*on_request)(struct http_stream *stream, const struct http_request *request, void *ctx);
    /* Asked once the headers are in and a body follows: is it read in pieces? Then on_request comes at once. NULL: never.
     */
    bool (*streams)(struct http_stream *stream, const struct http_request *request, void *ctx);
    /* A piece of that body; returns how much of it was taken. The rest waits here (at most a window, 256 KiB; HTTP/1: one
     * read) while the client must wait, and is offered again after http_stream_more. `over`: nothing follows the piece;
     * taken whole, it was the last call, but an empty one comes with each http_stream_more. Trailers of the client are
     * dropped. */
    size_t (*on_body)(struct http_stream *stream, struct str piece, bool over, void *ctx);
    /* After http_reply_data took less than everything: half of the queue is free again. May be NULL. */
    void (*on_writable)(struct http_stream *stream, void *ctx);
    void (*on_gone)(struct http_stream *stream, enum http_gone why, void *ctx);
};

enum { HTTP_SMALL_BODY = 64 << 10 }; /* what anybody may send while there is room */

/* 0 takes the default. */
struct http_limits {
    size_t header_bytes;      /* 64 KiB: Kerberos tokens are long. HTTP/2: also advertised as MAX_HEADER_LIST_SIZE */
    size_t header_count;      /* 100 */
    size_t body_bytes;        /* 10 MiB a request, when there is no max_body */
    size_t conn_body_bytes;   /* 128 MiB of bodies held for one connection */
    size_t server_body_bytes; /* 512 MiB of bodies held by this server; half of it is for those who may have room */
    size_t queue_bytes;       /* 256 KiB of reply waiting per stream */
    unsigned max_streams;     /* 100 at once per connection */
    unsigned max_connections; /* 4,096; more are closed at accept */
    unsigned handshake_ms;    /* 10,000: TLS handshake */
    unsigned headers_ms;      /* 20,000: from the first byte of a request to the end of its headers (HTTP/1) */
    unsigned body_ms;     /* 60,000 without a byte of body while one is due; after the first: 1,000 bytes a second. Not of
                             bodies in pieces: whoever reads them bounds their time */
    unsigned idle_ms;     /* 300,000 without an open stream; HTTP/1: 75,000 at most */
    unsigned write_ms;    /* 60,000 with bytes to write and none taken by the peer's TCP */
    unsigned stall_ms;    /* 600,000 with bytes of a reply waiting and none taken by the stream's window: its reset */
    unsigned max_stalled; /* 4,096 whole replies of which the window takes nothing; where more wait they are reset */
};

struct http_server_config {
    struct loop *loop;
    struct http_limits limits;
    struct http_handler handler;
    void *ctx; /* handed to each handler */
};

struct http_listen {
    struct str address; /* "127.0.0.1:0", see net/address.h; not used with use_fd */
    bool use_fd;        /* `fd` is an already listening socket; the server owns it from now on, also on failure */
    int fd;
    bool reuse_port;
    struct tls_ctx *tls; /* NULL: plaintext. The listener takes a reference of its own */
    bool http1_only;     /* plaintext: refuse the HTTP/2 preface (metadata endpoints) */
    void *ctx;           /* request->listener_ctx */
};

MUST_USE enum code http_server_new(const struct http_server_config *config, struct http_server **ret_server,
                                   struct err *err);
/* Closes listeners and connections at once; streams get on_gone(HTTP_GONE_LOST) before it returns. Not from inside a
 * callback of this server. NULL is fine. */
void http_server_free(struct http_server *server);

MUST_USE enum code http_server_listen(struct http_server *server, const struct http_listen *listen,
                                      struct http_listener **ret_listener, struct err *err);
uint16_t http_listener_port(const struct http_listener *listener);               /* the bound one: for port 0 */
void http_listener_set_tls(struct http_listener *listener, struct tls_ctx *tls); /* for connections from now on */
/* Stops listening and cuts every connection that came in on it: no byte is read or written for them once it returns.
 * Their streams' on_gone follow before the loop sleeps; the listener is invalid at once. Also from inside callbacks. */
void http_listener_close(struct http_listener *listener);

/* Stops accepting, announces the end (GOAWAY, Connection: close), lets streams finish, cuts what is left after grace_ms;
 * then calls `drained` once. */
void http_server_drain(struct http_server *server, unsigned grace_ms, void (*drained)(struct http_server *, void *ctx),
                       void *ctx);

struct http_server_stats {
    size_t connections, streams, body_bytes, queued_bytes; /* now */
    uint64_t accepted, refused, requests, resets, bad;     /* since the start; bad: broken protocol, timeouts */
};
struct loop *http_server_loop(const struct http_server *server);
struct http_server_stats http_server_stats(const struct http_server *server);

/* ---- the stream ---- */
void http_stream_set_user(struct http_stream *stream, void *user);
void *http_stream_user(const struct http_stream *stream);
const struct http_request *http_stream_request(const struct http_stream *stream);
struct http_server *http_stream_server(const struct http_stream *stream);
struct loop *http_stream_loop(const struct http_stream *stream);
bool http_stream_is_open(const struct http_stream *stream); /* false: replies go nowhere; on_gone is on its way */
/* Lets go of the request's body early (a 100 MiB Commit while its reply streams). request->body becomes empty. */
void http_stream_drop_body(struct http_stream *stream);
/* Hands the body's memory over: request->body stays valid for as long as the taker keeps it, also after on_gone. It counts
 * against the limits until then. */
struct buf;
void http_stream_take_body(struct http_stream *stream, struct buf *ret_body);
/* The reader of a body in pieces has room again: on_body comes before it returns, when something waits. */
void http_stream_more(struct http_stream *stream);

/* ---- the reply: headers, then data, then end. On a stream that is not open they do nothing. ---- */
/* Starts the reply. Names in lower case. HTTP/1 frames the body itself: chunked, unless `headers` has a content-length
 * (which the data must then match). Connection-specific headers are not passed (refused in debug builds). Copies. */
void http_reply_headers(struct http_stream *stream, unsigned status, const struct http_header *headers, size_t n);
/* Copies as much as has room into the stream's queue and returns how much; less than data.n: wait for on_writable. */
MUST_USE size_t http_reply_data(struct http_stream *stream, struct str data);
size_t http_reply_room(const struct http_stream *stream); /* bytes that http_reply_data would take now */
/* Ends the reply. Trailers go out in HTTP/2, and in HTTP/1 as trailer fields of a chunked body. Copies. */
void http_reply_end(struct http_stream *stream, const struct http_header *trailers, size_t n);
/* Headers, body and end in one; a body larger than the queue's limit is taken too (bounded: 4 MiB, else 500). */
void http_reply_simple(struct http_stream *stream, unsigned status, struct str content_type, struct str body);
/* HTTP/2: headers that also end the stream (gRPC's Trailers-Only); HTTP/1: content-length: 0. */
void http_reply_headers_only(struct http_stream *stream, unsigned status, const struct http_header *headers, size_t n);

enum { HTTP_RESET_CANCEL = 8, HTTP_RESET_INTERNAL = 2, HTTP_RESET_REFUSED = 7, HTTP_RESET_CALM = 11 }; /* RFC 9113 §7 */
void http_stream_reset(struct http_stream *stream, unsigned h2_error); /* HTTP/1: cuts the connection */
