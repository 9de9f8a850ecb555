/* json.h: strict reading of JSON that others wrote, into jansson's values. Any thread.
 *
 * Refused: duplicate keys (escaped spellings too), NUL, bad UTF-8, lone surrogates, numbers that overflow or have more than
 * 500 bytes, trailing bytes, a BOM, anything but an object or an array at the top, more than `max_bytes`, nesting beyond
 * `max_depth` (counted before the parser recurses). The caller owns the tree: json_decref, or DEFER(json_freep). RFC 8259.
 */
#pragma once
#include <jansson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { JSON_DEPTH_DEFAULT = 32 };

/* INVALID_ARGUMENT with line and column; RESOURCE_EXHAUSTED when memory is short. max_depth 0 = JSON_DEPTH_DEFAULT. */
MUST_USE enum code json_read(struct str text, size_t max_bytes, unsigned max_depth, json_t **ret, struct err *err);
/* Any value at the top, and NUL in texts too, as protobuf's JSON has them. The arena is charged with the tree, which may
 * take a hundred times the text; NULL: nobody counts. */
MUST_USE enum code json_read_value(struct str text, unsigned max_depth, struct arena *charge, json_t **ret,
                                   struct err *err);
void json_freep(json_t **json); /* for DEFER */

/* Typed members: false when absent or of another type. The text is borrowed from the tree. */
bool json_member_str(const json_t *object, const char *key, struct str *ret);
bool json_member_int(const json_t *object, const char *key, int64_t *ret); /* integers only: 1.0 is none */
struct str json_text_of(const json_t *string);                             /* empty for other types */
bool json_has(const json_t *object, const char *key);

/* Writes a tree compactly, keys in their order. Only for trees whose depth json_read bounded, or that we made. */
MUST_USE bool json_write(const json_t *json, struct buf *out);
