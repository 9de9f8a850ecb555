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

/* `,"atoms":[…]` in ENTRY_ATOMS_ROOM bytes. Where they do not fit, the first of them, then the one that `refused` (NULL:
 * all were allowed) is about, then `,"atomsTotal"` and, without columns, `,"further"`: the objects of all that are missing.
 * `ret_at` is where in the told list the refused one stands. False: no memory. */
MUST_USE bool entry_atoms(struct buf *out, const struct atoms *list, const struct verdict *refused, size_t *ret_at);
