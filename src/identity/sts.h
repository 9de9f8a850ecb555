/* sts.h: Google's `POST /v1/token` (RFC 8693), as pure functions: a body in, a body out. No sockets. Any thread.
 *
 * What is not supported is refused by name: actor tokens, access boundaries, certificate binding, SAML, AWS and mTLS
 * subject tokens. An exchange only narrows: the new token ends with the subject token at the latest (plus what policy
 * adds), keeps its chain, and of an own token the scopes may only shrink. */
#pragma once
#include "identity/mint.h"
#include "identity/verified.h"

enum { STS_BODY_MAX = 64 << 10, STS_DESCRIPTION_MAX = 160 };

/* An answer in OAuth's or Google's shape. */
struct answer {
    unsigned status;
    struct str content_type;
    struct str body;        /* in the arena */
    struct refusal refusal; /* reason and detail for the audit */
    struct str about;       /* what the audit's entry says of it, or empty; in the arena */
    bool wait;              /* keys are being fetched: ask again when woken */
};

struct sts {
    struct jwt_ask ask; /* issuers, revocations, time, wake */
    const struct mint *mint;
    int64_t beyond_subject_s;    /* how far a token may outlive its subject token; policy's, default 0 */
    struct str provider_project; /* "" = any number in the audience's projects/N */
};

struct sts_request {
    struct str audience, scope, subject_token, subject_token_type, requested_token_type, user_project;
    struct str provider; /* X of …/providers/X, or empty when the audience is our own URL */
};

/* False: `ret_answer` holds the OAuth error. */
MUST_USE bool sts_parse(struct str content_type, struct str body, struct arena *arena, struct sts_request *ret_request,
                        struct answer *ret_answer);
/* Verifies the subject token and mints. On success ret_proof (may be NULL) gets a reference to what the subject token
 * proved. */
void sts_exchange(const struct sts *sts, const struct sts_request *request, struct arena *arena, struct proof **ret_proof,
                  struct answer *ret_answer);
/* {"error":…,"error_description":…}. RFC 6749 §5.2. */
void answer_oauth_error(struct answer *answer, struct arena *arena, unsigned status, const char *error,
                        const char *description);
/* {"error":{"code":…,"message":…,"status":…}}. */
void answer_google_error(struct answer *answer, struct arena *arena, enum code code, const char *message);
/* The provider's name in //iam.googleapis.com/projects/N/locations/global/workloadIdentityPools/P/providers/X. */
bool sts_provider_of(struct str audience, struct str *ret_project, struct str *ret_pool, struct str *ret_provider);
