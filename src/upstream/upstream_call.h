/* upstream_call.h: one gRPC call to an upstream: a request message out, whole answer messages in, then a status.
 *
 * A call lives on its client's loop; functions and callbacks run on its thread, and no callback comes from inside a
 * function of this header. The client is handed in with its dialer's rules, its TLS and its pool (http/client.h): this
 * opens no sockets. Nothing is sent twice, but what the peer refused unprocessed.
 *
 * Bounds: paused, a call holds at most a window (256 KiB) and what had arrived with it, beside the message that it was
 * about to hand over (max_message_bytes); an answer's message that announces more ends the call before it is read. The
 * stream has no bound. PROTOCOL-HTTP2.md of gRPC. */
#pragma once
#include "http/client.h"

struct upstream_call;

enum { UPSTREAM_MESSAGE_DEFAULT = 16 << 20, UPSTREAM_METADATA_MAX = 32 };

struct upstream_request {
    struct str name; /* "prod.spanner": what messages for the caller call the upstream */
    struct str scheme, host;
    uint16_t port;
    bool prior_h2;
    struct str path; /* "/google.spanner.v1.Spanner/Read" */
    /* Allow-listed, names in lower case. What framing, time and proof own is INVALID_ARGUMENT, by name. */
    const struct http_header *metadata;
    size_t n_metadata;
    struct str token;         /* bearer; empty: none. Wiped */
    struct str message;       /* the encoded request; at most 100 MiB. Copied */
    size_t max_message_bytes; /* of one message of the answer; 0: 16 MiB */
    int64_t deadline_us;      /* wall time; 0: none */
};

struct upstream_status { /* borrowed until on_end returns */
    enum code code;
    struct str message;    /* for the caller: the upstream's own words, or ours without addresses */
    struct str details;    /* google.rpc.Status, as it came; may be empty */
    struct str retry_info; /* google.rpc.RetryInfo, decoded from its trailer; may be empty */
    struct str reason;     /* for the operator: what happened, where. Empty unless `ours` */
    bool ours;             /* the upstream did not say so: network, certificate, protocol, deadline */
    unsigned http_status;  /* 0: there was no answer */
};

struct upstream_handler {
    /* One whole message, borrowed. False: enough for now; the next comes after upstream_call_resume. */
    bool (*on_message)(struct upstream_call *call, struct str message, void *ctx);
    /* The last, exactly once, after all messages that arrived whole; none after upstream_call_cancel. The call is freed. */
    void (*on_end)(struct upstream_call *call, const struct upstream_status *status, void *ctx);
};

/* INVALID_ARGUMENT (the request cannot be written: why, by name), RESOURCE_EXHAUSTED (memory): then no callback comes. */
MUST_USE enum code upstream_call_start(struct loop *loop, struct http_client *client,
                                       const struct upstream_request *request, const struct upstream_handler *handler,
                                       void *ctx, struct upstream_call **ret, struct err *err);
void upstream_call_resume(struct upstream_call *call); /* fine when it is not paused */
/* Resets the stream (its neighbours go on) and frees the call: also from inside a callback, but on_end. NULL is fine. */
void upstream_call_cancel(struct upstream_call *call);
size_t upstream_call_held(const struct upstream_call *call); /* bytes of answer that wait: for tests and metrics */
