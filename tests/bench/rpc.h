/* rpc.h: one call at a time on a lane, gRPC or a plain POST, over the project's own HTTP client.
 *
 * A lane is one caller: it has one call under way at most and keeps its buffers between calls. Several lanes may share a
 * connection. Everything runs on the loop's thread. on_message comes for each message, then on_end once; the next call may
 * be started from on_end. */
#pragma once
#include "base/buf.h"
#include "http/client.h"
#include "wire/grpc.h"

enum { RPC_MESSAGE_MAX = 100 << 20 };

struct lane {
    struct http_client *client;               /* the connection that it uses */
    const struct http_client_request *target; /* scheme, host, port */
    struct str authorization;                 /* "Bearer …", or empty: peers that check nobody. Set it before a call */
    struct buf message;                       /* the request: fill it, then lane_call */
    struct buf framed;                        /* kept until the call is over */
    struct grpc_deframer replies;
    uint64_t started_us;
    uint64_t bytes_in;
    void (*on_message)(struct lane *lane, struct str message);
    void (*on_end)(struct lane *lane, const struct err *err); /* err->code OK: done */
    void *ctx;
    bool headers_only, plain;
    struct err err;
};

void lane_init(struct lane *lane, struct http_client *client, const struct http_client_request *target, void *ctx);
void lane_free(struct lane *lane);
/* "/google.spanner.v1.Spanner/Commit". A call that cannot be sent ends with on_end before this returns. */
void lane_call(struct lane *lane, struct str path);
/* The message as it is, as a form. Any status but 200 is an error. */
void lane_post(struct lane *lane, struct str path);
