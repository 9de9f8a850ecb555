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
