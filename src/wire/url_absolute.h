/* url_absolute.h: the URL of a call that leaves this server, read so that no second reading can differ. Any thread.
 *
 * "http" or "https", a host, a path; RFC 3986. Refused, each by name: user info, fragments, control characters and blanks;
 * hosts that are numbers in another spelling than a canonical dotted quad or bracketed IPv6 (127.1, 2130706433, 0x7f.1,
 * 017700000001, [::ffff:7f00:1]), zones, trailing dots, names outside [a-z0-9._-]; paths with empty, "." or ".." segments
 * in any encoding. Errors do not repeat the query, which may hold a secret. Limit: 4 KiB. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

enum { URL_ABSOLUTE_MAX = 4096 };

struct url_absolute {
    bool tls;
    bool is_address;   /* the host is an IP address */
    struct str host;   /* as written, IPv6 without brackets */
    uint16_t port;     /* the scheme's own when none is written */
    struct str target; /* path and query: starts with '/' */
    struct str path;   /* slices of `target` */
    struct str query;  /* p == NULL without '?' */
};

MUST_USE enum code url_absolute_parse(struct str url, struct url_absolute *ret, struct err *err);

/* scheme://host[:port]/path without query, in the one form in which equals are equal: host in lower case, no default port,
 * unreserved characters decoded, other escapes in upper case (RFC 3986 §6.2.2). For policy and audit. */
void url_absolute_print(const struct url_absolute *url, struct buf *out);
