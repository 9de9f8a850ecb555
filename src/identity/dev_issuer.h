/* dev_issuer.h: for development and tests only: tokens shaped like Entra's, Google's and Kubernetes's, signed by a key of
 * its own. The configuration refuses it in production. RS256. Any thread. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

enum dev_shape { DEV_ENTRA_V1, DEV_ENTRA_V2, DEV_GOOGLE, DEV_KUBERNETES, DEV_PLAIN };

struct dev_issuer;
struct key;

/* `base` is the address under which it is served ("http://127.0.0.1:8444/dev"): the `iss` of the plain and Kubernetes
 * shapes. `key` is a private RSA key, of which it takes a reference; NULL: makes one (some 100 ms). */
MUST_USE enum code dev_issuer_new(struct str base, struct key *key, struct dev_issuer **ret, struct err *err);
void dev_issuer_free(struct dev_issuer *dev); /* NULL is fine */
MUST_USE enum code dev_issuer_jwks(const struct dev_issuer *dev, struct buf *out, struct err *err);
MUST_USE enum code dev_issuer_discovery(const struct dev_issuer *dev, struct buf *out, struct err *err);

struct dev_ask {
    enum dev_shape shape;
    struct str tenant;  /* Entra */
    struct str subject; /* oid (Entra), sub (Google, plain), "namespace:account" (Kubernetes) */
    struct str audience;
    struct str groups;     /* comma-separated; "" = none */
    int64_t now_s, life_s; /* life 0 = 3600 */
};
MUST_USE enum code dev_issuer_token(const struct dev_issuer *dev, const struct dev_ask *ask, struct buf *out,
                                    struct err *err);
/* The `iss` that the shape has. */
void dev_issuer_iss(const struct dev_issuer *dev, const struct dev_ask *ask, struct buf *out);
/* "shape=entra&tenant=…&sub=…&aud=…&groups=…" → ask. INVALID_ARGUMENT for other names, duplicates, unknown shapes. */
MUST_USE enum code dev_issuer_parse(struct str query, struct arena *arena, struct dev_ask *ret, struct err *err);
