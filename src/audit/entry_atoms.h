/* entry_atoms.h: how an entry tells what was asked for, and the pieces that entry.c shares with it. Private to this folder.
 * Any thread. */
#pragma once
#include "base/buf.h"
#include "model/atom.h"

enum { ENTRY_SHORT = 256, ENTRY_LONG = 1024, ENTRY_ATOMS_ROOM = 34000 };

/* JSON of a text of at most `max` (ENTRY_SHORT, ENTRY_LONG) bytes, "…" where it was cut. Adds at most 2 * max + 2 bytes:
 * what would take more with its escapes is cut shorter. */
void entry_text(struct buf *out, struct str s, size_t max);
void entry_key(struct buf *out, const char *name);                              /* `,"name":` */
void entry_member(struct buf *out, const char *name, struct str s, size_t max); /* nothing when it is empty */
void entry_number(struct buf *out, const char *name, uint64_t value);           /* nothing when it is 0 */

size_t entry_object_max(const struct atom *a); /* what is told of its object's name: URLs are longer */

/* The same question with each (verb, path, object, account) once, and with all columns that were asked of it: each column
 * is decided by itself, so nothing else was asked. In `arena`; texts are borrowed. `io_refused`: its atom and column move
 * along. False: no memory, and nothing has changed. */
MUST_USE bool entry_fold(const struct atoms *list, struct arena *arena, struct atoms *ret, struct verdict *io_refused);

/* `,"atoms":[…]` in ENTRY_ATOMS_ROOM bytes. Where they do not fit, they are folded; where that does not fit, the first of
 * them stand there, then the one that `refused` (NULL: all were allowed) is about, then `,"atomsTotal"` and, without
 * columns,
 * `,"further"`: the objects of all that are missing. `ret_at` is where in the told list the refused one stands. False: no
 * memory. */
MUST_USE bool entry_atoms(struct buf *out, const struct atoms *list, const struct verdict *refused, size_t *ret_at);
