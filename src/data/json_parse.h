/* json_parse.h: RFC 8259's grammar into jansson's values. For data/json.c, which says what is refused; any thread.
 *
 * Recursion is bounded by `max_depth`, memory by the text: one copy of it (strings with escapes), and the tree, whose
 * values take up to a hundred bytes for one of the text: they are charged. */
#pragma once
#include <jansson.h>
#include "base/arena.h"

enum parse_fault { PARSE_FINE, PARSE_MALFORMED, PARSE_KEY_TWICE, PARSE_TOO_DEEP, PARSE_NO_MEMORY };

struct parse_rules {
    unsigned max_depth;
    bool any_value;       /* not only an object or an array; and texts, not keys, may hold NUL */
    struct arena *charge; /* pays for the tree; NULL: nobody does */
};

/* The tree, which is the caller's; or NULL, what is wrong, and the byte at which it is. */
json_t *json_parse(struct str text, const struct parse_rules *rules, enum parse_fault *ret_fault, size_t *ret_at);
