/* yaml.h: configuration files: YAML 1.1 syntax by libyaml, with the surprises taken out.
 *
 * One document. Refused: anchors, aliases, tags, duplicate keys, keys that are not plain text, nesting beyond 32, more than
 * `max_bytes`. Unquoted scalars: true, false; null, ~; decimal integers; decimals with a point; everything else is text
 * (`no`, `on`, `0x1f`, `12:30` and dates stay text). Any thread. */
#pragma once
#include "base/err.h"
#include "data/node.h"

enum { YAML_DEPTH_MAX = 32, YAML_NODES_MAX = 100000 };

/* The tree lives in the arena. INVALID_ARGUMENT with line and column. */
MUST_USE enum code yaml_read(struct str text, size_t max_bytes, struct arena *arena, struct node **ret, struct err *err);
/* The same from strict JSON (data/json.h). Positions are unknown below the top. */
MUST_USE enum code node_from_json(struct str text, size_t max_bytes, struct arena *arena, struct node **ret,
                                  struct err *err);
