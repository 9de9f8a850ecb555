/* forward.h: a request of a service (service/call.h) goes on to an upstream, and its answer comes back.
 *
 * What goes on is what was decoded: the message is encoded anew, its handles opened before. Metadata is ours and the trace
 * context's. The answer passes through `answer`, where handles are sealed. A client that reads slowly pauses the upstream:
 * what waits in between is bounded by the call's spool (1 MiB) and a window. Cancel, deadline and trailers go both ways.
 * Called in a row's handle, on the call's loop; ends the call with exactly one call_end. */
#pragma once
#include "service/call.h"
#include "upstream/ask.h"

enum { FORWARD_METADATA_MAX = 8 };

struct forward {
    struct call *call;
    const struct upstream *upstream;
    const char *path;                                  /* NULL: "/" and the row's gRPC name */
    const void *message;                               /* of call->method->request, its handles opened */
    struct http_header metadata[FORWARD_METADATA_MAX]; /* routing: ours */
    size_t n_metadata;
    size_t max_message_bytes; /* of an answer's message; 0: 16 MiB */
    struct str hidden, shown; /* an upstream's handle that its errors may name, and what the client knows it as */
    /* One message of the answer, decoded into an arena of its own (`message` may be changed in place). It is then encoded
     * and written to the client. NULL: it goes as it came, but through the decoder. An error ends the call with it. */
    enum code (*answer)(struct forward *forward, void *message, struct arena *arena, struct err *err);
    /* Before call_end, on every way out: may change code and error. NULL: nothing. */
    void (*end)(struct forward *forward, enum code *io_code, struct err *io_err);
    void *ctx;
    /* of forward.c */
    struct ask *ask;
    bool ours; /* in `end`: the upstream did not say so */
    uint64_t started_us;
};

/* `forward` lives in the call's arena. */
void forward_start(struct forward *forward);

/* For who asks the upstream something else before it answers by itself (`path` and the routing set): what forward_start
 * sends, but this message of `type` (borrowed), whose answer is the handler's. Until forward_status, `ask` is what a cancel
 * ends. */
MUST_USE enum code forward_ask(struct forward *forward, const struct pb_msg *type, const void *message,
                               const struct ask_handler *handler, void *ctx, struct err *err);
/* In the handler's end: the status in the client's words, its details added to the call, the audit told. */
enum code forward_status(struct forward *forward, const struct upstream_status *status, struct err *err);
