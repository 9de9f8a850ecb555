/* identify.h: who is asking, on every request (DESIGN §4): from the bearer token, or from the endpoint it came in by.
 * Loop thread. */
#pragma once
#include "gate/request.h"
#include "identity/live_runs.h"
#include "identity/mint.h"
#include "identity/revoke.h"
#include "identity/verified.h"

/* Shared by all workers; each part is safe for any thread. */
struct identity {
    struct issuers *issuers;
    struct mint *mint;
    struct workspace *workspace; /* identity/workspace.h; NULL: no Synapse connection */
    struct revocations *revocations;
    struct live_runs *runs; /* begun and ended by gate/endpoint.c */
    struct verified *verified;
    _Atomic uint64_t policy_version; /* grows with each new policy: what was verified is asked again */
};

enum identified { IDENTIFIED, IDENTIFY_REFUSED, IDENTIFY_WAIT };

/* IDENTIFIED fills r->principal. IDENTIFY_REFUSED: r is refused. IDENTIFY_WAIT: keys are being fetched; request_run goes
 * on. */
enum identified identify_request(struct request *r);
/* Does a token that holds come with these headers? Looks only, without waiting for keys; what it verified is kept for
 * identify_request. */
bool identify_at_headers(const struct gate *gate, const struct http_request *http, struct str service_audience);
/* Does the proof still hold? REASON_NONE, TOKEN_EXPIRED, REVOKED, JOB_ENDED. */
enum reason identify_still(const struct request *r, int64_t now_us);
/* Whose token it was that was refused, for the audit. */
void identify_keep_refusal(struct request *r, const struct refusal *refusal);
void identify_leave(struct request *r); /* gives back what identify took */
/* What jwt_verify asks for, with a wake-up that goes on with the request (once). */
struct jwt_ask identify_ask(struct request *r);
