/* request.h: the way of a request (DESIGN §2): one table of steps, one function a step. The road map of the program.
 *
 * A request lives on its connection's loop. Services answer it through service/call.h, from any thread. It is freed when
 * its stream is gone, its steps are done and its service has ended it. */
#pragma once
#include <stdatomic.h>
#include "gate/gate.h"
#include "gate/id.h"
#include "gate/spool.h"
#include "http/server.h"
#include "identity/issuer.h"
#include "net/work.h"
#include "policy/policy.h"
#include "service/call.h"
#include "wire/trace.h"
#include "wire/url.h"

enum protocol { PROTOCOL_NONE, PROTOCOL_GRPC, PROTOCOL_REST, PROTOCOL_RAW };

enum { REQUEST_MAX_DETAILS = 4 };

struct detail {
    const char *type; /* "google.rpc.RetryInfo" */
    struct str bytes;
};

struct relay;

struct at_end {
    struct at_end *next;
    void (*fn)(void *ctx);
    void *ctx;
};

struct request {
    struct call call; /* what the service sees */
    struct gate *gate;
    const struct service *service;   /* the row's; NULL: no row */
    const struct door *door;         /* which listener it came in on */
    const struct http_request *http; /* NULL once gone */
    struct http_stream *stream;      /* NULL once gone */
    struct request *next, **link;    /* the worker's list of requests under way */
    struct worker *worker;

    unsigned step; /* index into the table of steps */
    enum protocol protocol;
    char id[ID_LENGTH + 1];
    char traceparent[TRACE_PARENT_LENGTH + 1]; /* of what it causes: our span is the parent */
    struct principal principal;
    struct proof *proof;                       /* referenced */
    struct endpoint *endpoint;                 /* referenced: of the job that asks */
    const struct refused_token *refused_token; /* whose it was, where that is known; or NULL */
    bool unread;                               /* its body was not taken: http->met says why */
    bool waited;
    bool classify_waits; /* call_wait: until call_again */
    unsigned n_classified;
    bool busy; /* one of the worker's MAX_BUSY: decided, and not recorded yet */
    struct loop_task again_task;
    void (*on_room)(void *ctx); /* call_is_full */
    void *on_room_ctx;
    bool no_compression;        /* gRPC: grpc-encoding names none */
    struct url_pair *variables; /* REST: from the path */
    size_t n_variables;
    struct policy *policy; /* referenced */
    struct verdict verdict;
    bool decided, method_found, identified;
    struct str source; /* the peer's address as text */

    enum code code; /* the outcome so far */
    enum reason reason;
    struct err err;
    struct detail details[REQUEST_MAX_DETAILS];
    unsigned n_details;

    struct buf body;    /* the request's bytes: the message points into them, also when the stream is gone */
    struct spool spool; /* encoded answer, framed for the protocol */
    struct str pending; /* what HTTP did not take yet; in `chunk` */
    char *chunk;
    size_t chunk_bytes;
    bool chunk_was_full;
    unsigned raw_status;  /* raw methods */
    unsigned http_status; /* of an error, where it is not the code's; 0: the code's */
    const char *raw_type;
    struct http_header raw_headers[CALL_MAX_REPLY_HEADERS];
    unsigned n_raw_headers;
    bool reply_begun, replied, has_written, step_is_reply, tail_is_put;
    bool cut;     /* nothing more of the answer may go out but the message that is half out */
    bool late;    /* its deadline has passed */
    bool served;  /* the service did all of it, whoever still waits */
    bool unheard; /* what became of it at the upstream is not known */
    struct {      /* where in gRPC's frames the client is */
        unsigned char head[5];
        unsigned have;
        uint32_t left;
    } frame;
    atomic_bool cancelled, recorded, ended;
    atomic_uint holds; /* the loop's and the service's; freed at zero */
    atomic_bool drain_posted;
    struct loop_work reading; /* of a large message */
    enum code read_code;
    struct err read_err;
    struct loop_task drain_task, end_task, intent_task, wake_task;
    struct issuer_wait key_wait;
    enum code intent_code, ended_code, write_code; /* write_code: why a part of the answer is missing */
    struct err ended_err, write_err;
    struct loop_timer deadline;
    void (*after_record)(struct request *r);
    struct answer *answer;      /* of a token service, until it is recorded */
    struct admit_bound *bounds; /* what it is counted under */
    size_t n_bounds;
    struct at_end *at_end;
    void (*on_cancel)(void *ctx);
    void *on_cancel_ctx;
    struct relay *relay;                      /* a generic service's: gate/relay.h */
    uint64_t started_us, bytes_in, bytes_out; /* bytes: relayed */
};

/* http_server's handlers. */
size_t request_max_bytes(const struct method *method); /* of one message: the row's bound, or 10 MiB */
size_t request_max_body(struct http_stream *stream, const struct http_request *http, void *ctx);
bool request_may_have_room(struct http_stream *stream, const struct http_request *http, void *ctx);
void request_too_large(struct http_stream *stream, const struct http_request *http, void *ctx);
void request_begin(struct http_stream *stream, const struct http_request *http, void *ctx);
void request_writable(struct http_stream *stream, void *ctx);
void request_gone(struct http_stream *stream, enum http_gone why, void *ctx);

/* Ends what must not go on: the request is decided again under the current policy; its proof's end, its job's end and
 * revocation count. Called for requests that last (DESIGN §4). Loop thread. */
void request_review(struct request *request, int64_t now_us);

/* ---- between the gate's files ---- */
void request_run(struct request *request); /* goes on with the steps */
/* The reason as the caller may know it: without proof, only that its token was not accepted. */
enum reason request_public_reason(const struct request *r);
/* A step refuses: the rest is recording and replying. */
void request_refuse(struct request *request, enum reason reason, const char *fmt, ...) PRINTF_LIKE(3, 4);
void request_fail(struct request *request, const struct err *err);
void request_cancel(struct request *request, enum code code, const char *why);
void request_hold(struct request *request);
void request_release(struct request *request);
struct request *request_of(struct call *call);
