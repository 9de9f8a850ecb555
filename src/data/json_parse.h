/* json_parse.h: RFC 8259's grammar into jansson's values. For data/json.c, which says what is refused; any thread.
 *
 * Bounded by its text: recursion by `max_depth`, memory by the tree and one copy of the text (strings with escapes). */
#pragma once
#include <jansson.h>
#include "base/str.h"

enum parse_fault { PARSE_FINE, PARSE_MALFORMED, PARSE_KEY_TWICE, PARSE_TOO_DEEP, PARSE_NO_MEMORY };

/* The tree, which is the caller's; or NULL, what is wrong, and the byte at which it is. `any_value`: not only an object or
 * an array, and texts (keys not) may hold NUL. */
json_t *json_parse(struct str text, unsigned max_depth, bool any_value, enum parse_fault *ret_fault, size_t *ret_at);
