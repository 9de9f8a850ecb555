/* claims.h: the checks of a verified token's claims, inside identity/ only. RFC 7519 §4.1, RFC 8725 §3.8-3.9. */
#pragma once
#include "identity/jws.h"
#include "identity/jwt.h"

/* Fills the proof's audience, times, jti and single_audience. REASON_NONE when all hold. */
enum reason claims_check(const struct jwt_ask *ask, const struct jws *jws, const struct issuer_config *config,
                         const json_t *payload, struct proof *proof, struct refusal *refusal);
/* The principal of another's token: its `act` and `may_act` are taken out: a chain that we did not make proves nothing. */
enum reason principal_of_foreign(const struct issuer_config *config, json_t *payload, struct proof *proof,
                                 struct refusal *refusal);
/* The principal of our own token, with its chain, job and scope. RFC 8693 §4.1. */
enum reason principal_of_own(const json_t *payload, struct proof *proof, struct refusal *refusal);
bool subject_lawful(struct str subject); /* 1..255 bytes, no control characters */
