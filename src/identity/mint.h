/* mint.h: Linkspan's own tokens: ES256, typ at+jwt (RFC 9068), the chain of actors in nested `act` (RFC 8693 §4.1).
 *
 * `act` is the actor who asked last; the history nests inside it. So principal.chain[n_chain - 1] is the outermost `act`.
 * Each entry holds iss (the issuer's configured name), sub and at most 1,536 bytes of claims: more are dropped, which
 * policy reads as unknown. Any thread. */
#pragma once
#include "crypto/key.h"
#include "identity/jwt.h"

enum { MINT_RESERVED_MAX = 64 };
enum { MINT_MAX_LIFE_S = 3600, MINT_CLAIMS_MAX = 1536, MINT_TOKEN_MAX = 12288, MINT_CHAIN_MAX = PRINCIPAL_MAX_CHAIN };

struct mint;

/* `issuer_url` is our `iss` and the audience of what we mint for ourselves. Takes its own reference on the key (P-256). */
MUST_USE enum code mint_new(struct key *key, struct str issuer_url, struct mint **ret, struct err *err);
void mint_free(struct mint *mint);
struct str mint_issuer_url(const struct mint *mint);
/* Our key set as JSON text, and the discovery document that names `base`/v1/jwks (for issuer_config and for serving). */
MUST_USE enum code mint_jwks(const struct mint *mint, struct buf *out, struct err *err);
MUST_USE enum code mint_discovery(const struct mint *mint, struct str jwks_uri, struct str token_uri, struct buf *out,
                                  struct err *err);

struct mint_ask {
    const struct principal *principal; /* subject, chain, job and job run */
    struct str scope;                  /* space-separated */
    int64_t now_s, expires_s;          /* cut to now + MINT_MAX_LIFE_S */
};
/* CHAIN too long, already expired: FAILED_PRECONDITION. ret_expires_s and ret_jti may be NULL; the jti is 22 characters. */
MUST_USE enum code mint_access_token(const struct mint *mint, const struct mint_ask *ask, struct buf *ret_token,
                                     int64_t *ret_expires_s, char ret_jti[23], struct err *err);
/* `audience` is where mint_subject_token's tokens go: no ID token is made for it, as whoever held one would be Linkspan
 * there. With and without its scheme ("https://iam…" and "//iam…" are one audience to Google). Borrowed. Before the first
 * token. */
MUST_USE enum code mint_reserve(struct mint *mint, struct str audience, struct err *err);
/* An OpenID Connect ID token of an account for an audience of the caller's: typ JWT, so it is never taken as an access
 * token. `expires_s` is cut to now + MINT_MAX_LIFE_S. INVALID_ARGUMENT: no audience, ours, or a reserved one. */
MUST_USE enum code mint_id_token(const struct mint *mint, struct str account, struct str audience, int64_t now_s,
                                 int64_t expires_s, struct buf *ret_token, int64_t *ret_expires_s, struct err *err);

/* What proves to another's STS for whom we ask (identity/exchange.h): typ JWT, for `audience`. `sub` is an account's e-mail
 * address, of anybody else ISSUER/SUBJECT, as our configuration names the issuer; the chain, the job and its run go along,
 * and no claims. */
MUST_USE enum code mint_subject_token(const struct mint *mint, const struct principal *principal, struct str audience,
                                      int64_t now_s, struct buf *ret_token, struct err *err);

/* The principal that acts as `account` when `caller` asks: the caller joins the chain. False: the chain is full
 * (CHAIN_REFUSED). */
MUST_USE bool principal_act_as(const struct principal *caller, struct str account, struct principal *ret);
