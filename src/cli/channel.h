/* channel.h: a client's connection to a Linkspan server: gRPC calls over TLS and HTTP/2, several at once, on one loop.
 *
 * Main thread only. A `struct rpc` is the caller's, zeroed but for its request part, and stays in place until it is done.
 * Errors carry the server's reason and request id, and say how the operator learns more. Source: gRPC over HTTP/2. */
#pragma once
#include "base/buf.h"
#include "cli/args.h"
#include "http/client.h"
#include "wire/grpc.h"
#include "wire/pb/pb.h"

#define OPTIONS_SERVER                                                                                                     \
    { .name = "server",                                                                                                    \
      .value = "URL",                                                                                                      \
      .fallback = "https://localhost:8443",                                                                                \
      .env = "LINKSPAN_SERVER",                                                                                            \
      .doc = "The server." },                                                                                              \
        { .name = "ca",                                                                                                    \
          .value = "FILE",                                                                                                 \
          .env = "LINKSPAN_CA",                                                                                            \
          .doc = "Whose certificates to believe, in PEM; else the system's." },                                            \
    {                                                                                                                      \
        .name = "credentials", .value = "FILE", .env = "GOOGLE_APPLICATION_CREDENTIALS",                                   \
        .doc = "An external_account file that says who you are."                                                           \
    }

enum { RPC_MESSAGE_MAX = 100 << 20, RPC_UNARY_MS = 60000, RPC_ATTEMPTS = 6 };

struct channel;
MUST_USE enum code channel_open(const struct args *args, struct channel **ret, struct err *err);
void channel_close(struct channel *channel); /* NULL is fine */
void channel_closep(struct channel **channel);
void channel_turn(struct channel *channel, unsigned max_wait_ms); /* lets calls go on */
void channel_pause(struct channel *channel, uint64_t ms);         /* the same, for so long */

struct rpc {
    struct channel *channel;
    const char *method;  /* "google.spanner.v1.Spanner/Commit" */
    struct str request;  /* framed (grpc_frame); the caller's */
    unsigned timeout_ms; /* 0: RPC_UNARY_MS; UINT_MAX: none */
    /* Each answer. An error of its own (err_set on rpc->err) ends the call. May be NULL: the message is kept in `reply`. */
    void (*on_message)(struct rpc *rpc, struct str message);
    void *ctx;

    bool done;
    enum code code; /* once done; the text is in err */
    struct err err;
    struct str reply; /* the last message, in `memory` */
    size_t n_messages;
    bool may_retry;          /* UNAVAILABLE, or ABORTED: asking again may help */
    uint64_t retry_ms;       /* not before, as the server says; 0: it does not say */
    char reason[40], id[40]; /* of the server's ErrorInfo, or "" */

    struct http_call *call;
    struct grpc_deframer deframer;
    struct buf memory;
    unsigned status;
    bool is_grpc;
};
MUST_USE enum code rpc_start(struct rpc *rpc, struct err *err);
void rpc_finish(struct rpc *rpc); /* frees, and cancels when it is under way; the request part stays */
/* Waits for one call. Returns rpc->code, with its text in `err`. */
MUST_USE enum code rpc_wait(struct rpc *rpc, struct err *err);
/* How long to wait before the attempt after `attempt` failures (from 1): exponential, with jitter. */
uint64_t rpc_backoff_ms(const struct rpc *rpc, unsigned attempt);

/* One message there, one back, in the arena. What is `safe` to repeat is tried again while the server is UNAVAILABLE. */
MUST_USE enum code rpc_unary(struct channel *channel, const char *method, const struct pb_msg *in, const void *request,
                             const struct pb_msg *out, bool safe, struct arena *arena, void **ret, struct err *err);
/* GET of a path of the server, with the token. UNAVAILABLE and so on as the status says. */
MUST_USE enum code channel_get(struct channel *channel, struct str path, struct arena *arena, struct http_answer *ret,
                               struct err *err);
