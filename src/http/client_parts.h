/* client_parts.h: what the client's own files share. Not for others.
 *
 * client.c: calls and the pool. client_conn.c: one connection, from the name to its end. client_h1.c, client_h2.c: the two
 * protocols. fetch.c: blocking use, URLs. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "http/client.h"
#include "net/conn.h"
#include "wire/http1.h"
#include "wire/http2.h"

enum { CLIENT_HEADERS_MAX = 120, HOST_MAX = 256 };

struct link; /* a connection of the pool */

enum call_state { CALL_WAITING, CALL_SENT, CALL_OVER };

struct http_call {
    struct http_client *client;
    struct origin *origin;
    struct http_call *next, **at; /* in the client's list */
    struct http_call_handler handler;
    void *ctx;
    struct arena *arena;
    struct http_client_request request; /* texts in the arena; the body is the caller's */
    size_t body_at, received, withheld; /* body_at: of a body in pieces, what was taken */
    struct buf out;                     /* HTTP/1, in pieces: framed, not written yet from out_at on */
    size_t out_at;
    struct loop_timer timer;
    uint64_t sent_ms; /* when it was given to its link */
    struct link *link;
    struct h2_stream *h2;
    enum call_state state;
    enum http_fault fault;
    bool got_headers, paused, retried, on_used_link, finished, short_of_room;
};

struct origin { /* scheme, host, port */
    struct http_client *client;
    struct origin *next;
    struct link *links;
    struct loop_task pump;
    char host[HOST_MAX], authority[HOST_MAX + 9]; /* as requests name it */
    uint16_t port;
    bool tls, prior_h2, known_h1;
};

struct link_protocol {
    bool (*start)(struct link *l, struct http_call *call); /* false: could not; the call still waits */
    void (*receive)(struct link *l, struct str bytes);
    void (*output)(struct link *l, struct buf *out);
    size_t (*capacity)(const struct link *l);
    void (*detach)(struct link *l, struct http_call *call,
                   bool whole);                           /* the call goes; unless whole, its answer is unwanted */
    void (*flow)(struct link *l, struct http_call *call); /* paused or resumed */
    void (*close)(struct link *l, bool clean);
    size_t (*write)(struct link *l, struct http_call *call, struct str data); /* of a body in pieces */
    void (*finish)(struct link *l, struct http_call *call);
};
extern const struct link_protocol link_h1, link_h2;

struct link {
    struct origin *origin;
    struct link *next, **at;
    struct conn *net;
    struct net_lookup *lookup; /* while the name is looked up */
    struct net_address addresses[RESOLVE_ADDRESSES_MAX];
    unsigned n_addresses, tried;
    const struct link_protocol *protocol; /* NULL: not connected yet */
    struct h2 *h2;
    struct h1_parser h1;
    struct http_call *call; /* HTTP/1: the one under way */
    bool head_written;
    struct loop_timer timer; /* connecting, then idle */
    uint64_t heard_ms;       /* when something came last */
    unsigned n_calls;
    bool used, closing;
    enum http_fault fault; /* of err */
    struct err err;
};

struct http_client {
    struct loop *loop;
    struct tls_ctx *tls;
    struct http_client_config config;
    struct origin *origins;
    struct http_call *calls;
    unsigned n_links;
    bool freeing;
};

/* client.c */
void call_headers(struct http_call *call, unsigned status, const struct http_header *headers, size_t n);
bool call_data(struct http_call *call, struct str data); /* false: the call is no more */
void call_writable(struct http_call *call);              /* the call may be no more afterwards */
void client_call_end(struct http_call *call, const struct http_header *trailers, size_t n);
void call_fail(struct http_call *call, enum http_fault fault, const struct err *err);
/* Retries once where that is safe. */
void call_lost(struct http_call *call, enum http_fault fault, const struct err *err, bool refused);
void origin_pump(struct origin *origin);
/* Later: a place among the connections may be free. For whoever waits, whatever the host; who waits longest comes first. */
void client_pump(struct http_client *client);
void origin_fail_waiting(struct origin *origin, enum http_fault fault, const struct err *err);

/* client_conn.c */
void link_open(struct origin *origin);
void link_free(struct link *l);     /* at once, without a word to its calls: the client is being freed */
void link_retire(struct link *l);   /* no new call; closes when it is empty */
void link_released(struct link *l); /* a call has left */
