/* web_call.h: one Web activity's request on its way: what web_calls.c and web_call_record.c share. Not for others. */
#pragma once
#include <pthread.h>
#include "audit/audit.h"
#include "gate/id.h"
#include "gate/outbound.h"
#include "gate/web_calls.h"
#include "identity/jwt.h"
#include "model/event.h"
#include "policy/policy.h"
#include "wire/url.h"

struct web_calls {
    struct gate *gate;
    const struct workspace *workspace;
    struct arena *arena;
    struct str name, account, url;
    void (*answer)(void *ctx, uint64_t ticket, const struct pipeline_reply *reply);
    void *answer_ctx;
    pthread_mutex_t lock; /* over the list, and each call's outbound_id and cancelled */
    struct web_call *calls;
    unsigned n_calls;
    size_t waiting_bytes;
};

struct web_call {
    struct web_calls *calls;
    struct web_call *next, **at;
    uint64_t ticket, outbound_id; /* 0: not sent yet */
    bool cancelled;
    struct arena *arena;
    char id[ID_LENGTH + 1];
    struct str method, resource, origin; /* as the audit has them */
    struct principal principal;          /* without claims: those were looked at when it was decided */
    struct policy *policy;               /* held: verdict and bearing borrow its text */
    struct policy_bearing bearing;
    struct atom atom;
    struct atoms atoms;
    struct verdict verdict;
    bool decided, poll;
    struct outbound_request request;
    char url[URL_MAX];
    struct buf body, token;
    uint64_t started_us;
    size_t sent_bytes;
    enum code intent_code;
    struct loop_task task;
};

/* What the audit is told, in this call's words: resource and origin. False: out of memory. */
bool web_call_describe(struct web_call *call, const struct pipeline_place *place);
/* The URL as the audit has it. A Location may be a capability (docs/bridge.md): of one, each word of the path that is long
 * enough to be a secret is written as its fingerprint. Empty: out of memory. */
struct str web_call_shown_url(const struct web_call *call, const struct url *url);
/* The intention; `done` comes on the log's thread. */
MUST_USE enum code web_call_intend(struct web_call *call, audit_done *done, struct err *err);
/* The last entry of the call: a refusal by the policy or for its form, or the outcome. `detail` has no values. */
void web_call_record(const struct web_call *call, enum event_kind kind, enum code code, const char *detail,
                     size_t received_bytes);
