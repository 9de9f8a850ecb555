/* method.h: one row of a service's table of methods (DESIGN §2). Routing, REST transcoding, permission, audit name and
 * documentation all come from the row; a method without a row is refused. Rows are constant and shared by all threads. */
#pragma once
#include "base/err.h"
#include "model/atom.h"

struct buf;
struct call;
struct pb_msg; /* wire/pb: a message's field table */

/* Who may come in, and with which proof. */
enum method_door {
    DOOR_PROOF,    /* the caller's identity is proved by the request or its connection, and policy decides the atoms */
    DOOR_FILTERED, /* the same, but no atom: the handler shows only what the caller holds something on */
    DOOR_OPEN,     /* public by nature (key sets, discovery, health), or the proof is in the body (token exchange) */
};

/* What the audit log must hold, and when (DESIGN §7). */
enum method_record {
    RECORD_PROMPT,   /* one outcome entry, durable within 100 ms: reads */
    RECORD_ENFORCED, /* an intention durable before the effect, then the outcome: credentials, jobs, schema */
    RECORD_OUTBOX,   /* the entry rides in the database's own transaction: commits */
    RECORD_NONE,     /* refusals only: key sets, discovery, health */
};

/* A refusal or a failure, for who writes it in an API's own form. */
struct method_error {
    enum code code;
    unsigned http_status;
    struct str message; /* for the caller */
    const char *reason; /* of the closed set; "" when it was no refusal */
    struct str id;      /* the request's */
};

struct method {
    const char *grpc; /* "google.spanner.v1.Spanner/Commit"; NULL: no gRPC */
    const char *verb; /* "POST"; NULL: no REST */
    const char *path; /* google.api.http template: "/v1/{session=projects/ * /…}:commit" (without the blanks) */
    const char *body; /* "*", a field's name, or NULL */
    const struct pb_msg *request, *response; /* NULL for a raw method: its handler reads and answers bytes */
    bool streaming;                          /* server streaming; REST answers a JSON array */
    const char *permission;                  /* the IAM name: "spanner.databases.write" */
    enum method_door door;
    enum method_record record;
    bool commits; /* what the policy's limits call a commit */
    size_t max_request_bytes;

    /* Request → atoms, on the loop's thread, without blocking. What it prepares for the handler goes into call->prepared.
     */
    enum code (*classify)(struct call *call, struct err *err);
    /* Serves the call; ends with exactly one call_end, from any thread, now or later. */
    void (*handle)(struct call *call);
    /* The same where classify said that the connection's back is upstream (call->far). NULL: UNIMPLEMENTED, by name. */
    void (*forward)(struct call *call);
    /* REST and raw rows: the JSON of an error where it is not Google's. NULL: {"error":{"code","message","status"}}. */
    void (*put_error)(struct buf *out, const struct method_error *error);
    const char *about; /* one line for people */
};

/* A service: its rows, and the state that its functions find in call->service. */
struct service {
    const char *name;
    const struct method *methods;
    size_t n_methods;
    void *state;
    bool for_jobs; /* also answers on a job's own endpoint */
    /* Tokens for this audience (with or without a slash at its end) are taken by these rows, beside those for their
     * issuer's own audiences, and by no others; "" = none. Constant, not ending with a slash. */
    struct str audience;
    /* The scopes that reach these rows, beside SCOPE_EVERYWHERE, of those of our own tokens that name any. Ends with NULL;
     * NULL: no others. */
    const char *const *scopes;
};
#define SCOPE_OF_GOOGLE  "https://www.googleapis.com/auth/"
#define SCOPE_EVERYWHERE SCOPE_OF_GOOGLE "cloud-platform"
