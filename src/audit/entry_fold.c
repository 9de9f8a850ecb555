#include <stdlib.h>
#include "audit/entry_atoms.h"
#include "base/map.h"

/* Where each (verb, path, object, account) stands in the new list, and where each column in its atom; both from 1. */
struct fold {
    struct arena *arena;
    struct map *places;
    struct buf key;
    struct atoms list;
    size_t *caps; /* of the atoms' columns */
    size_t n_caps;
};

static void free_fold(struct fold *f) {
    map_free(f->places, NULL);
    buf_free(&f->key);
}

/* Lengths before texts: no two keys are alike. By what is told of a name, as a caller may make one up as long as its
 * request. */
static void add_to_key(struct buf *key, struct str name, size_t max) {
    struct str text = str_upto(name, max);
    buf_add(key, &text.n, sizeof text.n);
    buf_add_str(key, text);
}

/* 0: no memory. `next`: the place of a key that is new. */
static size_t place_of(struct fold *f, size_t next) {
    if (!buf_ok(&f->key)) return 0;
    size_t place = (size_t)(uintptr_t)map_get(f->places, buf_str(&f->key));
    if (place) return place;
    return map_put(f->places, buf_str(&f->key), (void *)(uintptr_t)next, NULL) ? next : 0;
}

static struct atom *atom_like(struct fold *f, const struct atom *a) {
    const char kind[] = { 'a', (char)a->verb, (char)(a->any_column ? 2 : a->n_columns > 0) };
    buf_clear(&f->key);
    buf_add(&f->key, kind, sizeof kind);
    add_to_key(&f->key, a->path, ENTRY_SHORT);
    add_to_key(&f->key, a->object, entry_object_max(a));
    add_to_key(&f->key, a->account, ENTRY_SHORT);
    size_t place = place_of(f, f->list.n + 1);
    if (!place) return NULL;
    if (place > f->list.n) {
        struct atom empty = *a;
        empty.columns = NULL;
        empty.n_columns = 0;
        if (!arena_grow(f->arena, &f->caps, &f->n_caps, place, sizeof *f->caps)) return NULL;
        f->caps[place - 1] = 0;
        if (!atoms_add(&f->list, f->arena, empty)) return NULL;
    }
    return &f->list.items[place - 1];
}

/* Where the column stands in `to`, from 1; 0: no memory. */
static size_t add_column(struct fold *f, struct atom *to, struct str column) {
    size_t at = (size_t)(to - f->list.items);
    buf_clear(&f->key);
    buf_add_char(&f->key, 'c');
    buf_add(&f->key, &at, sizeof at);
    add_to_key(&f->key, column, ENTRY_SHORT);
    size_t place = place_of(f, to->n_columns + 1);
    if (place <= to->n_columns) return place;
    if (!arena_grow(f->arena, &to->columns, &f->caps[at], place, sizeof column)) return 0;
    ((struct str *)(uintptr_t)to->columns)[to->n_columns++] = column;
    return place;
}

bool entry_fold(const struct atoms *list, struct arena *arena, struct atoms *ret, struct verdict *io_refused) {
    DEFER(free_fold) struct fold f = { .arena = arena, .places = map_new(), .key = BUF_INIT(4096) };
    struct verdict refused = *io_refused;
    if (!f.places) return false;
    for (size_t i = 0; i < list->n; i++) {
        const struct atom *a = &list->items[i];
        struct atom *to = atom_like(&f, a);
        if (!to) return false;
        bool this_one = i == io_refused->atom;
        if (this_one) refused.atom = (unsigned)(to - f.list.items);
        for (size_t c = 0; c < a->n_columns; c++) {
            size_t place = add_column(&f, to, a->columns[c]);
            if (!place) return false;
            if (this_one && io_refused->column >= 0 && c == (size_t)io_refused->column) refused.column = (int)place - 1;
        }
    }
    *ret = f.list;
    *io_refused = refused;
    return true;
}
