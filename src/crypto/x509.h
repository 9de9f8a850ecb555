/* x509.h: a small certificate authority for one installation: what `linkspan init` makes. Any thread.
 *
 * P-256 keys, ECDSA with SHA-256, random 127-bit serial numbers. The CA may sign end certificates only (pathlen 0). Server
 * certificates hold dNSName and iPAddress names and no common name that matters. RFC 5280 §4.1, §4.2; RFC 6125. */
#pragma once
#include "crypto/key.h"

/* Adds the CA's certificate, signed by its own `key`, as PEM. Valid from one hour ago for `days`. `name` is its common
 * name. */
MUST_USE enum code x509_make_ca(const struct key *key, struct str name, unsigned days, struct buf *ret_pem,
                                struct err *err);

struct x509_names {
    const struct str *names; /* "localhost", "*.gw.internal", "127.0.0.1", "::1": what reads as an address becomes one */
    size_t n;                /* 1..64 */
};

/* Adds a server certificate for the public part of `key`, issued by the CA, as PEM (the leaf only: append the CA's PEM for
 * a chain). INVALID_ARGUMENT for a name that is neither. */
MUST_USE enum code x509_issue_server(const struct key *ca_key, struct str ca_pem, const struct key *key,
                                     const struct x509_names *names, unsigned days, struct buf *ret_pem, struct err *err);
