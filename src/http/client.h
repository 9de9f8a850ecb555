/* client.h: HTTP calls from the loop: key sets and discovery, upstreams, the command line's own commands.
 *
 * A client lives on one loop; all functions and callbacks run on its thread, except http_fetch, which blocks and runs a
 * loop of its own. Connections are pooled per (scheme, host, port): HTTP/2 where ALPN agrees (or prior_h2 says so), else
 * HTTP/1.1 with keep-alive. No redirect is followed, no proxy variable is read, no cookie is kept.
 *
 * One dialer (DESIGN §4): the name is resolved, each address is shown to `refuse`, and the very address that was not
 * refused is connected. TLS verifies chain and host name, always.
 *
 * Callbacks of one call: on_headers once, on_data any number of times, then exactly one of on_end or on_error; none after
 * http_call_cancel. Never from inside http_client_send, http_call_write or http_call_finish.
 *
 * A body may be sent in pieces, while the answer already comes (gRPC's streams): with `streams`, on_writable says when
 * there is room for the first one and, after http_call_write took less than everything, for more. */
#pragma once
#include "net/address.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/tls.h"
#include "wire/header.h"

struct http_client;
struct http_call;

struct http_client_config {
    struct loop *loop;
    struct tls_ctx *tls; /* NULL: https is refused. The client takes a reference of its own */
    /* Why this address may not be connected (net/judge.h), or NULL: it may. Without the function every address may. */
    const char *(*refuse)(const struct net_address *address, void *ctx);
    void *refuse_ctx;
    struct net_resolver resolver; /* zero: the system's */
    size_t max_header_bytes;      /* 0: 64 KiB */
    unsigned max_connections;     /* 0: 64 */
    unsigned connect_ms;          /* 0: 10,000, name and TLS included */
    unsigned idle_ms;             /* 0: 60,000: a pooled connection without a call */
};

struct http_client_request {
    struct str method; /* "GET" */
    struct str scheme; /* "https" or "http" */
    struct str host;   /* name, IPv4, or IPv6 without brackets */
    uint16_t port;     /* 0: 443 or 80 */
    struct str path;   /* with the query, percent-encoded; starts with '/' */
    const struct http_header *headers;
    size_t n_headers;    /* no host, content-length, connection: those are ours */
    struct str body;     /* up to 100 MiB; the caller keeps it until the call is over */
    size_t max_body;     /* most bytes of answer; 0: 10 MiB; SIZE_MAX: no end (a stream) */
    unsigned timeout_ms; /* the whole call; 0: 30,000; UINT_MAX: none */
    bool streams;        /* the body comes by http_call_write; `body` is empty */
    bool has_length;     /* streams: all of it will be `length` bytes. Without: HTTP/1 sends chunks */
    uint64_t length;
    bool prior_h2; /* scheme http: speak HTTP/2 at once (h2c) */
};

struct http_call_handler {
    void (*on_headers)(struct http_call *call, unsigned status, const struct http_header *headers, size_t n, void *ctx);
    void (*on_data)(struct http_call *call, struct str data, void *ctx);
    void (*on_end)(struct http_call *call, const struct http_header *trailers, size_t n, void *ctx);
    void (*on_error)(struct http_call *call, const struct err *err, void *ctx); /* UNAVAILABLE, DEADLINE_EXCEEDED, … */
    void (*on_writable)(struct http_call *call, void *ctx);                     /* with `streams` only */
};

/* Why a call failed, beyond the error's code. */
enum http_fault {
    HTTP_FAULT_OTHER,     /* memory, a bound of ours */
    HTTP_FAULT_NAME,      /* it does not resolve */
    HTTP_FAULT_ADDRESS,   /* each address was refused */
    HTTP_FAULT_CONNECT,   /* none accepts */
    HTTP_FAULT_TLS,       /* certificate, name, protocol */
    HTTP_FAULT_TIMEOUT,   /* connecting, or the whole */
    HTTP_FAULT_TOO_LARGE, /* max_body, max_header_bytes */
    HTTP_FAULT_MALFORMED, /* no lawful HTTP */
    HTTP_FAULT_CUT,       /* the connection or stream ended before the answer did */
};

MUST_USE enum code http_client_new(const struct http_client_config *config, struct http_client **ret_client,
                                   struct err *err);
void http_client_free(struct http_client *client); /* cuts calls without a word; not from inside a callback */

/* Copies everything but the body. The call is freed by the client after its last callback. */
MUST_USE enum code http_client_send(struct http_client *client, const struct http_client_request *request,
                                    const struct http_call_handler *handler, void *ctx, struct http_call **ret_call,
                                    struct err *err);
void http_call_cancel(struct http_call *call);                 /* no callback follows; the call is invalid at once */
enum http_fault http_call_fault(const struct http_call *call); /* inside on_error */
/* Back-pressure: while paused, at most one window (256 KiB) more is delivered, and the peer must wait. */
void http_call_pause(struct http_call *call);
void http_call_resume(struct http_call *call);

/* The body in pieces: copies as much as has room (HTTP/2: 256 KiB, HTTP/1: 64 KiB; before there is a connection: nothing)
 * and returns how much. Once something was taken, the call is not sent again when its connection is lost. */
MUST_USE size_t http_call_write(struct http_call *call, struct str data);
void http_call_finish(struct http_call *call); /* no more of it; also before there is a connection */

/* ---- blocking, for the command line ---- */
struct http_answer {
    unsigned status;
    const struct http_header *headers, *trailers; /* in the caller's arena, as the body */
    size_t n_headers, n_trailers;
    struct str body;
};

/* Runs one call to its end on a private loop. `config.loop` is ignored. The arena bounds the answer. */
MUST_USE enum code http_fetch(const struct http_client_config *config, const struct http_client_request *request,
                              struct arena *arena, struct http_answer *ret_answer, struct err *err);

/* "https://host:port/path?query" → the request's scheme, host, port, path (slices of `url`). No user info, no fragment. */
MUST_USE enum code http_url_split(struct str url, struct http_client_request *ret_request, struct err *err);
