/* outbound.h: the dialer of DESIGN §4: calls that leave this server (Web activities, key sets, exchanges of tokens).
 *
 * Who may be dialled is decided by address (net/judge.h), on the very address that is then connected; what a URL may say by
 * wire/url.h, what a header may by http/outgoing.h. Redirects are answers, never followed. No proxy variable, no
 * cookie. TLS verifies chain and host name, always. The rules and why: docs/outbound.md.
 *
 * Threads: outbound_send, outbound_cancel and outbound_check from any; `done` comes on the loop's thread, never from inside
 * outbound_send. Limits: 8 KiB of URL, 32 KiB of headers, 4 MiB of request body, `max_calls` and `max_bytes` for all calls
 * together. Secrets (headers, tokens, bodies) are wiped. */
#pragma once
#include "base/err.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "wire/header.h"

struct outbound;

enum { OUTBOUND_BODY_MAX = 4 << 20 };

struct outbound_config {
    struct loop *loop;            /* must outlive the outbound */
    const char *ca_file;          /* PEM, trusted beside the system's authorities; NULL: none */
    struct net_resolver resolver; /* zero: the system's */
    unsigned max_calls;           /* under way; 0: 256 */
    size_t max_bytes;             /* bodies held for all calls, sent and received; 0: 64 MiB */
};

struct outbound_request {
    struct str method; /* "POST" */
    struct str url;    /* absolute, http or https; see wire/url.h for what is refused */
    const struct http_header *headers;
    size_t n_headers;
    struct str token;         /* goes as `authorization: Bearer …`; empty: none. No header may be an authorization */
    struct str authorization; /* instead of a token: the header's whole value, for a token service's own client */
    struct str body;          /* copied; at most OUTBOUND_BODY_MAX */
    size_t max_answer_bytes;  /* 0: 4 MiB */
    unsigned timeout_ms;      /* name, connecting, TLS and answer together; 0: 60,000 */
    bool may_loopback;        /* the rule writes scheme, host and port, and the host is loopback's or our own */
};

/* How a call ended. Closed: each has a name and a meaning for doctor and audit. */
enum outbound_cause {
    OUTBOUND_ANSWERED,        /* whatever the status: 3xx, 4xx and 5xx are answers */
    OUTBOUND_NAME,            /* the name does not resolve */
    OUTBOUND_ADDRESS_REFUSED, /* all of its addresses are such as are never dialled: no packet was sent */
    OUTBOUND_CONNECT,         /* nothing accepts connections there */
    OUTBOUND_TLS,             /* certificate, name or protocol: the message says which */
    OUTBOUND_TIMED_OUT,       /* somewhere on the way: the message says where */
    OUTBOUND_TOO_LARGE,       /* the answer is over its bound */
    OUTBOUND_MALFORMED,       /* what came is no HTTP, or not what may come: twice a location, an encoding not asked for */
    OUTBOUND_CUT,             /* the connection ended before the answer did */
    OUTBOUND_CANCELLED,       /* outbound_cancel */
    OUTBOUND_STOPPED,         /* the server stops */
    OUTBOUND_BUSY,            /* max_bytes is used up by other calls */
    OUTBOUND_CAUSES
};
const char *outbound_cause_name(enum outbound_cause cause); /* "ADDRESS_REFUSED"; "ANSWERED" */

/* Borrowed until `done` returns. */
struct outbound_answer {
    enum outbound_cause cause;
    struct err err;  /* of another cause than ANSWERED: what happened, to whom, what to do. No secrets */
    unsigned status; /* and what follows: ANSWERED only */
    struct str content_type, location, retry_after; /* empty: absent */
    const struct http_header *headers;              /* all but set-cookie; names in lower case */
    size_t n_headers;
    struct str body;
};
typedef void outbound_done(void *arg, const struct outbound_answer *answer);

MUST_USE enum code outbound_new(const struct outbound_config *config, struct outbound **ret, struct err *err);

/* OK: `done` comes exactly once. Otherwise it does not come: INVALID_ARGUMENT (the request may not be sent: why, by name),
 * RESOURCE_EXHAUSTED (too many calls, too many bytes, memory), UNAVAILABLE (stopped). ret_id may be NULL. */
MUST_USE enum code outbound_send(struct outbound *outbound, const struct outbound_request *request, outbound_done *done,
                                 void *arg, uint64_t *ret_id, struct err *err);
/* The same judgement of the request without sending: for callers that must write down an intention first. */
MUST_USE enum code outbound_check(const struct outbound_request *request, struct err *err);
/* `done` then comes with CANCELLED, unless another end came first. An id that is over is fine. */
void outbound_cancel(struct outbound *outbound, uint64_t id);

/* Every call ends with STOPPED before it returns, and later sends are refused. On the loop's thread, or when it does not
 * run; not from inside `done`. NULL is fine. */
void outbound_stop(struct outbound *outbound);
void outbound_free(struct outbound *outbound); /* stops first; nobody may send or cancel any more. NULL is fine */
