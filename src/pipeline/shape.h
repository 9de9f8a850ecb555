/* shape.h: reading the members of a document's objects, with a fault and a place for each that is not as it should be. A
 * member that is null counts as absent. Paths live in the arena given. One thread at a time. */
#pragma once
#include <jansson.h>

#include "base/arena.h"
#include "pipeline/fault.h"

/* "a.b" or "a['b c']"; "a[3]". */
struct str path_key(struct arena *arena, struct str path, struct str key);
struct str path_index(struct arena *arena, struct str path, size_t index);
bool path_lost(struct str path); /* memory was short for it: who keeps a path asks */

enum {
    SHAPE_STRING = 1,
    SHAPE_INT = 2,
    SHAPE_BOOL = 4,
    SHAPE_ARRAY = 8,
    SHAPE_OBJECT = 16,
    SHAPE_ANY = 32,
    SHAPE_REQUIRED = 64
};

struct shape {
    struct arena *arena;
    struct faults *faults;
};

/* A member of those types; NULL when absent or of another type (a fault, as is a required one's absence). */
const json_t *shape_member(const struct shape *s, const json_t *object, struct str path, const char *key, unsigned types);
struct str shape_string(const struct shape *s, const json_t *object, struct str path, const char *key, bool required);
bool shape_bool(const struct shape *s, const json_t *object, struct str path, const char *key, bool otherwise);
/* Within min … max. */
int64_t shape_int(const struct shape *s, const json_t *object, struct str path, const char *key, int64_t min, int64_t max,
                  int64_t otherwise);
/* A fault for each member that `known` (names with spaces between them) does not have. */
void shape_known(const struct shape *s, const json_t *object, struct str path, const char *known);
/* A string without an expression in it: a fault otherwise, and false. */
bool shape_plain(const struct shape *s, const json_t *string, struct str path);
