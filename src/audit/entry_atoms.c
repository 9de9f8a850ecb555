#include "audit/entry_atoms.h"
#include <stdlib.h>
#include "audit/entry.h"
#include "base/map.h"

/* COLUMN_ROOM: two columns and their total. ATOM_ROOM: an atom with that. BRIEF_ROOM is what the names of all objects may
 * take: beside them the refused atom still has room. FEW atoms fit always. */
enum {
    COLUMN_ROOM = 1100,
    ATOM_ROOM = 4600,
    BRIEF_ROOM = ENTRY_ATOMS_ROOM - ATOM_ROOM - 200,
    FEW = 8,
    ITEMS_BYTES = 4 << 20
};

size_t entry_object_max(const struct atom *a) {
    return a->verb == VERB_CALL ? ENTRY_LONG : ENTRY_SHORT;
}

/* ---- whole ---- */

/* False: not all of them. `must` (-1 = none) is told in any case. */
static bool columns(struct buf *out, const struct atom *a, size_t end, int must) {
    if (a->any_column) buf_add_z(out, ",\"anyColumn\":true");
    size_t i = 0;
    for (; i < a->n_columns && out->n + COLUMN_ROOM <= end; i++) {
        buf_add_z(out, i ? "," : ",\"columns\":[");
        entry_text(out, a->columns[i], ENTRY_SHORT);
    }
    if (i == a->n_columns) {
        if (i) buf_add_char(out, ']');
        return true;
    }
    bool add = must >= 0 && (size_t)must >= i && (size_t)must < a->n_columns;
    if (add) {
        buf_add_z(out, i ? "," : ",\"columns\":[");
        entry_text(out, a->columns[must], ENTRY_SHORT);
    }
    if (i || add) buf_add_char(out, ']');
    entry_number(out, "columnsTotal", a->n_columns);
    return false;
}

static bool add_atom(struct buf *out, const struct atom *a, size_t end, int must) {
    buf_add_z(out, "{\"verb\":");
    entry_text(out, str_z(verb_name(a->verb)), ENTRY_SHORT);
    entry_member(out, "path", a->path, ENTRY_SHORT);
    entry_member(out, "object", a->object, entry_object_max(a));
    entry_member(out, "account", a->account, ENTRY_SHORT);
    bool whole = columns(out, a, end, must);
    buf_add_char(out, '}');
    return whole;
}

/* False: they do not fit whole; what was added must go again. */
static bool add_all(struct buf *out, const struct atoms *list, size_t end) {
    for (size_t i = 0; i < list->n; i++) {
        if (i) buf_add_char(out, ',');
        if (!add_atom(out, &list->items[i], end, -1) || out->n >= end) return false;
    }
    return true;
}

/* How many of the first fit before `end`, of which the last may have lost columns. */
static size_t add_first(struct buf *out, const struct atoms *list, size_t end, const struct verdict *refused) {
    for (size_t i = 0; i < list->n; i++) {
        size_t before = out->n;
        if (i) buf_add_char(out, ',');
        (void)add_atom(out, &list->items[i], end, refused && refused->atom == i ? refused->column : -1);
        if (out->n <= end) continue;
        out->n = before;
        return i;
    }
    return list->n;
}

/* ---- brief: each (verb, path, object) once, those of a verb and a path together ---- */

struct brief {
    struct arena *arena;
    const struct atom **items;
    size_t n, cap;
};

static void free_map(struct map **m) {
    map_free(*m, NULL);
}

static int by_group(const void *left, const void *right) {
    const struct atom *a = *(const struct atom *const *)left, *b = *(const struct atom *const *)right;
    if (a->verb != b->verb) return a->verb < b->verb ? -1 : 1;
    int paths = str_cmp(a->path, b->path);
    return paths ? paths : (a > b) - (a < b);
}

/* False: no memory. */
static bool gather(const struct atoms *list, size_t from, struct brief *b) {
    DEFER(free_map) struct map *seen = map_new();
    DEFER(buf_free) struct buf name = BUF_INIT(4096);
    if (!seen) return false;
    for (size_t i = from; i < list->n && b->n < BRIEF_ROOM; i++) { /* each takes some bytes: more would not fit */
        const struct atom *a = &list->items[i];
        buf_clear(&name);
        buf_printf(&name, "%d ", (int)a->verb);
        buf_add_str(&name, str_upto(a->path, ENTRY_SHORT)); /* what is told of them */
        buf_add_char(&name, '\0');
        buf_add_str(&name, str_upto(a->object, entry_object_max(a)));
        if (!buf_ok(&name)) return false;
        if (map_get(seen, buf_str(&name))) continue;
        if (!map_put(seen, buf_str(&name), &list->items[i], NULL)) return false;
        if (!arena_grow(b->arena, &b->items, &b->cap, b->n + 1, sizeof(struct atom *))) return false;
        b->items[b->n++] = a;
    }
    if (b->n) qsort(b->items, b->n, sizeof(struct atom *), by_group);
    return true;
}

static void begin_group(struct buf *out, const struct atom *a) {
    buf_add_z(out, "{\"verb\":");
    entry_text(out, str_z(verb_name(a->verb)), ENTRY_SHORT);
    entry_member(out, "path", a->path, ENTRY_SHORT);
    buf_add_z(out, ",\"objects\":[");
}

/* False: not all fit before `end`. */
static bool add_groups(struct buf *out, const struct brief *b, size_t end) {
    for (size_t i = 0; i < b->n; i++) {
        const struct atom *a = b->items[i], *last = i ? b->items[i - 1] : NULL;
        size_t before = out->n;
        if (last && last->verb == a->verb && str_eq(last->path, a->path)) buf_add_char(out, ',');
        else {
            if (last) buf_add_z(out, "]},");
            begin_group(out, a);
        }
        entry_text(out, a->object, entry_object_max(a));
        if (out->n + 2 <= end) continue;
        out->n = before;
        if (i) buf_add_z(out, "]}");
        return false;
    }
    if (b->n) buf_add_z(out, "]}");
    return true;
}

/* False: no memory. `ret_all`: all of them fitted before `end`. */
static bool add_brief(struct buf *out, const struct atoms *list, size_t from, size_t end, bool *ret_all) {
    DEFER(arena_freep) struct arena *arena = arena_new(ITEMS_BYTES);
    struct brief b = { .arena = arena };
    if (!arena || !gather(list, from, &b)) return false;
    *ret_all = add_groups(out, &b, end);
    return true;
}

static bool surely_brief(const struct atoms *list) {
    if (list->n <= FEW) return true;
    size_t most = 0;
    for (size_t i = 0; i < list->n && most <= BRIEF_ROOM; i++) {
        const struct atom *a = &list->items[i];
        most += 64 + 2 * (str_upto(a->path, ENTRY_SHORT).n + str_upto(a->object, entry_object_max(a)).n);
    }
    return most <= BRIEF_ROOM;
}

enum code audit_entry_tells(const struct atoms *list, struct err *err) {
    bool all = true;
    if (surely_brief(list)) return OK;
    DEFER(buf_free) struct buf out = BUF_INIT(ENTRY_ATOMS_ROOM + ATOM_ROOM);
    if (!add_brief(&out, list, 0, BRIEF_ROOM, &all) || (all && !buf_ok(&out))) return err_oom(err);
    return all ? OK : err_set(err, INVALID_ARGUMENT, "The request touches too many tables to be recorded: make it several");
}

/* ---- both ---- */

/* What the names of all would take goes off the room of the first: those of the rest are no more. */
static bool add_cut(struct buf *out, const struct atoms *list, const struct verdict *refused, size_t *ret_at) {
    size_t start = out->n, end = start + ENTRY_ATOMS_ROOM;
    bool all = true;
    if (!add_brief(out, list, 0, start + BRIEF_ROOM, &all)) return false;
    size_t first_end = all ? start + BRIEF_ROOM - (out->n - start) : start;
    out->n = start;
    size_t n = add_first(out, list, first_end, refused);
    if (refused && refused->atom >= n && refused->atom < list->n) {
        if (n) buf_add_char(out, ',');
        (void)add_atom(out, &list->items[refused->atom], first_end + ATOM_ROOM, refused->column);
        *ret_at = n;
    }
    buf_add_char(out, ']');
    if (n == list->n) return true;
    entry_number(out, "atomsTotal", list->n);
    entry_key(out, "further");
    buf_add_char(out, '[');
    if (!add_brief(out, list, n, end - 64, &all)) return false;
    buf_add_z(out, all ? "]" : "],\"furtherCut\":true");
    return true;
}

static bool add_told(struct buf *out, const struct atoms *list, size_t start) {
    out->n = start;
    if (!add_all(out, list, start + ENTRY_ATOMS_ROOM)) return false;
    buf_add_char(out, ']');
    return true;
}

/* Where folding takes more memory than there is for it, the list is cut as it came. */
static bool add_folded(struct buf *out, const struct atoms *list, const struct verdict *refused, size_t *ret_at) {
    DEFER(arena_freep) struct arena *arena = arena_new(ITEMS_BYTES);
    struct verdict moved = refused ? *refused : (struct verdict){ .column = -1 };
    struct atoms folded = *list;
    size_t start = out->n;
    if (!arena) return false;
    bool is_folded = entry_fold(list, arena, &folded, &moved);
    *ret_at = moved.atom;
    if (is_folded && add_told(out, &folded, start)) return true;
    out->n = start;
    return add_cut(out, &folded, refused ? &moved : NULL, ret_at);
}

bool entry_atoms(struct buf *out, const struct atoms *list, const struct verdict *refused, size_t *ret_at) {
    if (!list || !list->n) return true;
    *ret_at = refused ? refused->atom : 0;
    entry_key(out, "atoms");
    buf_add_char(out, '[');
    size_t start = out->n;
    if (add_told(out, list, start)) return true;
    out->n = start;
    return add_folded(out, list, refused, ret_at);
}
