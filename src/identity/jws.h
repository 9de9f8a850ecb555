/* jws.h: JWS compact serialization, taken apart (RFC 7515 §7.1). Verify only; JWE and the JSON serialization are refused.
 * Any thread.
 *
 * Limits: 16 KiB a token, 1 KiB of header, depth 32. Of the header only alg, kid, typ and cty are understood: `crit`,
 * `b64`, `zip`, `jwk`, `jku`, `x5u` and `x5c` are refused whatever they hold, so that no key and no address ever comes out
 * of a token. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "crypto/sign.h"

enum { JWS_MAX_BYTES = 16 << 10, JWS_HEADER_MAX = 1 << 10 };

struct jws {
    enum sig_alg alg;
    bool has_kid;
    struct str kid, typ;    /* empty when absent */
    struct str signed_part; /* header.payload as received */
    struct str payload;     /* decoded */
    struct str signature;   /* decoded */
};

/* UNAUTHENTICATED for whatever is not such a token. The parts live in the arena or in `token`. */
MUST_USE enum code jws_split(struct str token, struct arena *arena, struct jws *ret, struct err *err);
