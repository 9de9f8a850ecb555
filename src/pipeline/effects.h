/* effects.h: what a pipeline run asks of the world, handed in: the engine has no sockets, clock or randomness of its own.
 *
 * Threads: the engine calls all of these on its desk thread, one at a time, and only when what led to them is durable. They
 * must not block and must not call pipelines_* functions that want the desk, but for pipelines_answer (pipelines.h).
 * Everything in a struct that is given is valid until the function returns: keep copies. */
#pragma once
#include "base/str.h"
#include "base/uuid.h"
#include "model/principal.h"

enum { PIPELINE_UUID = UUID_LENGTH };

struct pipeline_header {
    struct str name, value;
};

/* Where an activity stands, for audit and policy. */
struct pipeline_place {
    struct str pipeline;             /* its name */
    struct str run, activity_run;    /* UUIDs; activity_run is empty for a run's own events */
    struct str activity, type;       /* the activity's name; "WebActivity", "Wait", … */
    struct str root_run;             /* the run that a person or program started; = run unless ExecutePipeline made it */
    struct str request;              /* the request id of the createRun that began it all */
    const struct principal *starter; /* who asked for that, as identity proved it then (no job, no address, no token); NULL:
                                        its row cannot be read */
};

/* One HTTP request, asked under the workspace's identity. Redirects are not followed; a 202 is answered as such. */
struct pipeline_request {
    struct pipeline_place at;
    struct str method,
        url; /* "POST"; absolute, http or https, not yet normalized: the effect refuses what it does not like */
    struct str body;
    const struct pipeline_header
        *headers; /* names are tokens, values hold no control characters; no Authorization with an audience */
    size_t n_headers;
    struct str audience; /* of the workspace's token to send; empty = send none */
    int64_t timeout_ms;  /* of the whole exchange; the effect ends it then with FAULT_TIMED_OUT */
    size_t max_reply_bytes;
    bool poll; /* a Location that an earlier reply of this activity named: never with a token */
};

/* Why there is no reply. Each becomes an errorCode of its own in the activity's error, which `linkspan doctor` reads. */
enum pipeline_fault {
    FAULT_NONE,        /* there is one */
    FAULT_POLICY,      /* "PolicyDenied": policy or the dialer's address check refused: nothing was sent */
    FAULT_TOKEN,       /* "TokenUnavailable": the workspace's token could not be made: nothing was sent */
    FAULT_UNREACHABLE, /* "HostUnreachable": no name, no route, refused, reset before a reply */
    FAULT_TLS,         /* "TlsFailure" */
    FAULT_TIMED_OUT,   /* "Timeout" */
    FAULT_TOO_LARGE,   /* "ResponseTooLarge": beyond max_reply_bytes */
    FAULT_INVALID,     /* "InvalidResponse": no HTTP */
    FAULT_REQUEST,     /* "InvalidRequest": the URL, a header or the body is none that can be sent: nothing was sent */
    FAULT_BUSY,        /* "TooManyRequests": this machine's own limits, out of memory */
    FAULT_CANCELLED,   /* cancel was called, or the server stops */
    FAULT_COUNT
};

struct pipeline_reply {
    enum pipeline_fault fault;
    struct str message; /* of a fault: for the user who must act; no header, no token */
    struct str request; /* the id under which the outgoing request was decided and recorded; may be empty */
    unsigned status;    /* without fault: the final HTTP status, 200..599 */
    struct str body;
    const struct pipeline_header *headers;
    size_t n_headers;
};

/* What happened, for the audit: written in the same transaction as the change itself, then delivered in order of `seq`, at
 * least once: after a crash the last ones may come again with the same seq. */
enum pipeline_happening { RUN_STARTED, RUN_ENDED, ACTIVITY_STARTED, ACTIVITY_ENDED };
struct pipeline_event {
    int64_t seq, at_us;
    enum pipeline_happening what;
    struct pipeline_place at;
    struct str status;     /* "InProgress", "Succeeded", "Failed", "Cancelled", "Skipped" */
    struct str error_code; /* "PolicyDenied", "404", "" */
    struct str message;    /* without values that secureInput or secureOutput hide */
};

struct pipeline_effects {
    void *ctx;
    /* Begins a request; the answer comes by pipelines_answer with this ticket, exactly once, from any thread, also inside.
     */
    void (*call)(void *ctx, uint64_t ticket, const struct pipeline_request *request);
    /* The answer is no longer wanted: end it soon. It must still be answered (FAULT_CANCELLED, or what came before),
     * if it is not already: a ticket that is not known any more is passed over. */
    void (*cancel)(void *ctx, uint64_t ticket);
    void (*event)(void *ctx, const struct pipeline_event *event); /* NULL: nobody listens */
    int64_t (*now_us)(void *ctx);                                 /* wall time (base/clock.h); never steps back */
    void (*random)(void *ctx, void *out, size_t n);               /* unpredictable bytes: ids are made of them */
};
