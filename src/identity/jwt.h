/* jwt.h: from a bearer token to a principal.
 *
 * A `struct proof` is what one token proved: immutable, counted by reference, shared by threads. Its principal lives in it;
 * a request copies the principal and sets `from`. Clock skew allowed: 60 s. RFC 7519 §4.1, RFC 8725, RFC 9068 §4. */
#pragma once
#include "identity/issuer.h"
#include "model/principal.h"

enum { JWT_FINGERPRINT_BYTES = 33 }; /* with its NUL */
enum { JWT_SKEW_S = 60, JWT_SUB_MAX = 255, JWT_CLAIMS_MAX = 12 << 10 };

struct live_runs;
struct revocations;

struct proof {
    struct principal principal;
    struct issuer *issuer;
    uint64_t keys_version;
    struct str jti;      /* empty when absent */
    struct str scope;    /* of our own tokens */
    struct str audience; /* the one that matched, as the token has it */
    int64_t issued_s, expires_s;
    bool own;             /* Linkspan's own token */
    bool single_audience; /* `aud` named nobody else */
    json_t *payload;      /* what the texts and claims above are borrowed from */
    _Atomic unsigned refs;
};

struct proof *proof_ref(struct proof *proof);
struct proof *proof_unref(struct proof *proof); /* NULL is fine; returns NULL */
void proof_unrefp(struct proof **proof);        /* for DEFER */

/* What of a token may be written down: hex of the first 16 bytes of its SHA-256, as in principal.token_id. */
void token_fingerprint(struct str token, char ret[JWT_FINGERPRINT_BYTES]);

struct jwt_ask {
    struct issuers *issuers;
    struct revocations *revocations; /* NULL = none */
    struct live_runs *runs;          /* NULL = none is under way: tokens of runs are refused */
    struct str audience;             /* when not empty: only this one, and it must be one of the issuer's */
    struct str service_audience;     /* when not empty: this one too, of any issuer, with or without a slash at its end */
    int64_t now_s;
    /* When set, an unknown kid may start a fetch and JWT_WAIT; who is woken asks again, then with NULL. */
    struct issuer_wait *wait;
};

enum jwt_outcome { JWT_PROVED, JWT_REFUSED, JWT_WAIT };

/* JWT_PROVED fills ret_proof; JWT_REFUSED fills ret_refusal: NO_PROOF (empty token), TOKEN_REJECTED, ISSUER_UNKNOWN,
 * AUDIENCE_WRONG, TOKEN_EXPIRED, REVOKED, JOB_ENDED, CLAIM_MISSING, LIMIT_REACHED (memory). */
MUST_USE enum jwt_outcome jwt_verify(const struct jwt_ask *ask, struct str token, struct proof **ret_proof,
                                     struct refusal *ret_refusal);
