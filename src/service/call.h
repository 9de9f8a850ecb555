/* call.h: one RPC as a service sees it, whatever it came in on (gRPC, REST, a raw HTTP endpoint).
 *
 * The gate makes the call and owns it. classify and handle run on the loop's thread of the connection. After that the
 * service may use the functions below from any thread, until its one call_end; the fields are constant from handle on,
 * but for `outcome`, which whoever serves the call at the moment writes. The arena may be used by one thread at a time:
 * it goes with the call from the loop to the thread that serves it. */
#pragma once
#include <stdatomic.h>
#include "base/buf.h"
#include "model/event.h"
#include "service/method.h"

struct loop;
struct policy; /* policy/policy.h */
struct policy_subject;

/* What the audit entry tells of the effect. */
struct call_outcome {
    uint64_t rows, mutations;
    int64_t commit_us;
    struct str statement; /* fingerprint of the SQL text; in the call's arena */
    struct str detail;    /* without values */
    struct str upstream;  /* "prod.spanner": it went on; outlives the call. Empty: served here */
    uint64_t upstream_us; /* what the upstream took */
};

/* The request as HTTP carried it, without proofs: for raw methods. */
struct call_http {
    struct str method, path, query, body, content_type;
    const struct http_header *headers;
    size_t n_headers;
};

struct call {
    const struct method *method;
    void *service; /* struct service's state */
    struct arena *arena;
    const void *request; /* decoded by method->request; NULL for a raw method */
    struct call_http http;
    const struct principal *principal; /* NULL behind DOOR_OPEN */
    const struct policy *policy;       /* the snapshot that decided this call: held until the call ends */
    const struct policy_subject *subject;
    bool far;            /* set by classify: the row's `forward` serves it */
    bool endpoint;       /* came in on a job's own endpoint: nothing may be created there */
    struct atoms atoms;  /* filled by classify */
    struct str resource; /* filled by classify: the full resource name, for the audit */
    void *prepared;      /* classify → handle */
    /* A second fence behind the policy, where classify set one (DOOR_PROOF only): asked once the policy allows the atoms.
     * PERMISSION_DENIED, with the text for the caller, refuses the call as DENIED. Loop thread, without blocking. */
    enum code (*fence)(const struct call *call, struct err *err);
    const void *fence_ctx;
    int64_t deadline_us;                /* wall time; 0 = none */
    struct str id;                      /* the request's id */
    struct str traceparent, tracestate; /* W3C trace context that goes on with it; tracestate may be empty */
    struct call_outcome outcome;
    struct loop *loop; /* the connection's loop */
};

/* True when nobody waits for the answer any more (reset, connection lost, deadline passed, proof ended). Any thread. */
bool call_cancelled(const struct call *call);

/* The same as a flag, for who polls it: valid until call_end. */
_Atomic bool *call_cancel_flag(struct call *call);

/* Asks to be told: `fn(ctx)` runs once on the loop's thread when the call is cancelled before its end. Set in handle, or in
 * a classify that waits; the last one counts, NULL takes it back. */
void call_on_cancel(struct call *call, void (*fn)(void *ctx), void *ctx);

/* Runs `fn(ctx)` when the call is over, served or refused: for references that classify took. Loop thread; newest first. */
MUST_USE bool call_at_end(struct call *call, void (*fn)(void *ctx), void *ctx);

/* classify must wait: for a schema that is read, a resource that is looked up. After call_wait it returns at once, with any
 * code; when what it waits for is there (or failed), call_again, from any thread and exactly once for each call_wait, has
 * it run anew. The atoms so far are forgotten. After call_again the call may be gone. */
void call_wait(struct call *call);
void call_wait_over(struct call *call); /* in the same classify: nothing is waited for after all, and no call_again comes */
void call_again(struct call *call);

/* True: what waits for the client has nearly filled the spool's memory (1 MiB). Whoever can wait does so: `fn(ctx)` runs
 * once, on the loop's thread, when the client has taken most of it. Loop thread. */
bool call_is_full(struct call *call, void (*fn)(void *ctx), void *ctx);

/* Sends one response message, encoded as protobuf (copied). Any thread. What the client does not take yet waits, first in
 * memory (1 MiB), then in an unlinked file (up to 4 GiB), so that no database snapshot waits for a client. False: the call
 * is cancelled or the spool is full; stop and call_end. */
MUST_USE bool call_write(struct call *call, struct str message);
/* The same from a message struct of method->response. */
MUST_USE bool call_write_message(struct call *call, const void *message);

/* The end. OK, or a code with its message. `details` is an encoded google.rpc.Status's repeated Any details (may be
 * empty). Any thread, exactly once; the call may be gone afterwards. */
void call_end(struct call *call, enum code code, const struct err *err);
void call_end_ok(struct call *call);
/* Adds one detail to the status that call_end will send: type "google.rpc.RetryInfo" and its encoded bytes. Also sent as
 * the raw trailer that Google's clients read ("google.rpc.retryinfo-bin"). At most 4. */
void call_add_detail(struct call *call, const char *type, struct str encoded);

/* One header field of a raw method's answer ("location"; names lower case, constant): before call_reply_http. The value is
 * copied; what is no field value (control characters) or the fifth field is left out. */
enum { CALL_MAX_REPLY_HEADERS = 4 };
void call_reply_header(struct call *call, const char *name, struct str value);
/* A raw method's whole answer; instead of call_write. Then call_end: with OK, or, when the status is 400 or above, with the
 * code that the audit shall hold; the error is then told in these words. */
void call_reply_http(struct call *call, unsigned status, const char *content_type, struct str body);

/* RECORD_OUTBOX: the audit entry of this call, with the outcome so far and `commit_us`, to be stored in the database's
 * transaction. Any thread. When the transaction committed, say so: the gate then writes no second entry. */
MUST_USE enum code call_outbox_entry(struct call *call, enum code code, int64_t commit_us, struct buf *ret,
                                     struct err *err);
void call_recorded(struct call *call);
/* It went on to an upstream, and its end will not be heard, as nobody waits: of a call with effects the log tells that,
 * instead of a code that claims to know. Before call_end; the loop. */
void call_has_gone_on(struct call *call);
