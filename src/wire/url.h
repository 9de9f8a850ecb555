/* url.h: paths, queries and forms, strictly. Any thread. RFC 3986; WHATWG forms.
 *
 * A path is split *before* it is decoded, and a segment that decodes to something with '/', '\', NUL or another control
 * character, or to "." or "..", is refused: no second reading of a route can differ from ours. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "wire/header.h"

struct url_pair {
    struct str name, value;
};

/* "/a/b?x=1" → path and query (p == NULL without '?'). A '#' or anything outside RFC 3986's characters is refused. */
MUST_USE enum code url_split_target(struct str target, struct str *ret_path, struct str *ret_query, struct err *err);

/* %XX only, upper or lower case hex; a lone '%' is refused, and so are bytes that are not UTF-8 and NUL. */
MUST_USE enum code url_decode(struct arena *arena, struct str text, struct str *ret, struct err *err);

/* Splits and decodes a path into segments; empty segments ("//", a trailing '/') are refused, "/" has none. */
MUST_USE enum code url_segments(struct arena *arena, struct str path, struct str *segments, size_t max_segments,
                                size_t *ret_count, struct err *err);
/* As url_segments, but %2F inside a segment is allowed: object names, projects%2Fx ids (Google's {name=**}). */
MUST_USE enum code url_segments_slash(struct arena *arena, struct str path, struct str *segments, size_t max_segments,
                                      size_t *ret_count, struct err *err);

/* Query and application/x-www-form-urlencoded bodies: '+' is a space. At most max_pairs, in order, duplicates kept. */
MUST_USE enum code url_form(struct arena *arena, struct str text, struct url_pair *pairs, size_t max_pairs,
                            size_t *ret_count, struct err *err);
/* The only value of this name. ret_count 0: absent; over 1: duplicated, which callers refuse. */
struct str url_form_get(const struct url_pair *pairs, size_t n, struct str name, size_t *ret_count);
void url_encode(struct buf *out, struct str text); /* all but unreserved characters */

/* ---- absolute URLs: what a rule may name and what may be dialled ---- */

enum { URL_MAX = 1024 }; /* bytes of a URL without its query: what the audit keeps whole */

struct url {
    struct str normal;    /* "https://host[:port]/path": scheme and host in lower case, default port left out, no query */
    struct str scheme;    /* "http" or "https" */
    struct str authority; /* "host[:port]" of `normal`, IPv6 in brackets: for the Host header */
    struct str host;      /* an IPv6 address without its brackets */
    struct str path;      /* begins with '/' */
    struct str query;     /* what follows '?', as it was written; p == NULL without '?' */
    uint16_t port;
    bool port_written; /* in the text, be it the scheme's default or not */
    bool numeric;      /* the host is an address */
};

/* Reads one spelling only, so that no second reading can go elsewhere: http or https; a host of ASCII letters, digits and
 * hyphens, a dotted quad or an IPv6 address in brackets. Refused by name: user info, fragments, other spellings of IPv4
 * ("127.1", "2130706433", "0x7f.0.0.1", "[::ffff:127.0.0.1]"), dot segments, empty segments, '*' in the path, and
 * percent-encoding of what may stand plainly or must not be hidden. A missing path is "/". All slices but `query`, which
 * points into `text`, point into `buf`. Without allocation; `err` may be NULL. INVALID_ARGUMENT. */
MUST_USE enum code url_parse(struct str text, char buf[URL_MAX], struct url *ret, struct err *err);
/* Does the host say that it is loopback: 127.…, ::1, localhost or a name below it? */
bool url_is_loopback(const struct url *url);
/* Scheme, host and port are the same. */
bool url_same_origin(const struct url *a, const struct url *b);
/* Is it what url_parse would give as `normal`? */
bool url_is_normal(struct str text);
