#include "spanner/far_schema_build.h"
#include <stdlib.h>
#include <string.h>
#include "spanner/far_schema_priv.h"

enum { MAX_BYTES = 64 << 20, MAX_KEY_TEXT = 1024 };

/* ---- snapshots ---- */

static struct far_snapshot *snapshot_of(const struct sql_catalog *catalog) {
    return CONTAINER_OF((uintptr_t)catalog, struct far_snapshot, sql);
}

const struct sql_catalog *far_schema_ref(const struct sql_catalog *catalog) {
    if (catalog) atomic_fetch_add(&snapshot_of(catalog)->refs, 1);
    return catalog;
}

const struct sql_catalog *far_schema_unref(const struct sql_catalog *catalog) {
    if (catalog && atomic_fetch_sub(&snapshot_of(catalog)->refs, 1) == 1) arena_free(snapshot_of(catalog)->arena);
    return NULL;
}

size_t far_schema_bytes(const struct sql_catalog *catalog) {
    return arena_used(snapshot_of(catalog)->arena);
}

/* ---- a building ---- */

enum code far_build_new(struct far_build **ret, struct err *err) {
    struct far_build *b = arena_should_fail() ? NULL : calloc(1, sizeof *b);
    if (!b) return err_oom(err);
    b->arena = arena_new(MAX_BYTES);
    b->tables = map_new();
    b->columns = map_new();
    if (!b->arena || !b->tables || !b->columns) {
        far_build_free(b);
        return err_oom(err);
    }
    *ret = b;
    return OK;
}

void far_build_free(struct far_build *b) {
    if (!b) return;
    map_free(b->tables, NULL);
    map_free(b->columns, NULL);
    arena_free(b->arena);
    free(b);
}

void far_build_freep(struct far_build **b) {
    far_build_free(*b);
}

/* ---- names ---- */

/* "schema.table" or "schema.table.column" in lower case: what a name is found by. False: too long. */
static bool key_of(const struct str *parts, size_t n, char text[MAX_KEY_TEXT], struct str *ret) {
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].n + 1 > MAX_KEY_TEXT - at) return false;
        for (size_t k = 0; k < parts[i].n; k++) {
            char c = parts[i].p[k];
            text[at++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        }
        text[at++] = '.';
    }
    *ret = (struct str){ text, at };
    return true;
}

struct far_table *far_find_table(const struct far_build *b, struct str schema, struct str table) {
    char text[MAX_KEY_TEXT];
    struct str key;
    return key_of((struct str[]){ schema, table }, 2, text, &key) ? map_get(b->tables, key) : NULL;
}

int far_find_column(const struct far_build *b, const struct far_table *t, struct str column) {
    char text[MAX_KEY_TEXT];
    struct str key;
    if (!key_of((struct str[]){ t->sql.name, column }, 2, text, &key)) return -1;
    return (int)(uintptr_t)map_get(b->columns, key) - 1;
}

static enum code put(struct map *map, const struct str *parts, void *value, struct err *err) {
    char text[MAX_KEY_TEXT];
    struct str key;
    if (!key_of(parts, 2, text, &key)) return far_odd(err, "a name is too long");
    if (map_get(map, key)) return far_odd(err, "\"%.*s\" is there twice", STR_ARG(str_upto(parts[1], 100)));
    return map_put(map, key, value, NULL) ? OK : err_oom(err);
}

enum code far_put_table(struct far_build *b, struct str schema, struct str name, struct far_table *t, struct err *err) {
    return put(b->tables, (struct str[]){ schema, name }, t, err);
}

enum code far_put_column(struct far_build *b, const struct far_table *t, struct str name, int at, struct err *err) {
    return put(b->columns, (struct str[]){ t->sql.name, name }, (void *)(uintptr_t)(at + 1), err);
}

/* ---- the end ---- */

/* An edge's child must hang below its parent: children are counted, then laid out. */
static enum code lay_cascades(struct far_build *b, struct err *err) {
    for (size_t i = 0; i < b->n_edges; i++) b->edges[i].parent->n_cascades++;
    for (struct far_table *t = b->first; t; t = t->next) {
        if (t->n_cascades == 0) continue;
        t->cascades = ARENA_ARRAY(b->arena, const struct sql_table *, t->n_cascades);
        if (!t->cascades) return err_oom(err);
        t->sql.cascades = t->cascades;
    }
    for (size_t i = 0; i < b->n_edges; i++) {
        struct far_table *parent = b->edges[i].parent;
        parent->cascades[parent->sql.n_cascades++] = &b->edges[i].child->sql;
    }
    return OK;
}

/* Interleaved tables were named by their parents' names, which may come later. */
static enum code add_interleaved(struct far_build *b, struct err *err) {
    for (struct far_table *t = b->first; t; t = t->next) {
        if (!str_eq(t->sql.on_delete, STR("CASCADE")) || t->what) continue;
        struct far_table *parent = far_find_table(b, t->schema, t->sql.parent);
        if (!parent || parent->what)
            return far_odd(err, "the parent of table %.*s is not there", STR_ARG(str_upto(t->sql.name, 200)));
        enum code rc = far_add_edge(b, parent, t, err);
        if (rc) return rc;
    }
    return OK;
}

enum code far_add_edge(struct far_build *b, struct far_table *parent, struct far_table *child, struct err *err) {
    if (!arena_grow(b->arena, &b->edges, &b->cap_edges, b->n_edges + 1, sizeof *b->edges)) return err_oom(err);
    b->edges[b->n_edges++] = (struct far_edge){ parent, child };
    return OK;
}

static int by_name(const void *a, const void *b) {
    const struct sql_table *const *x = a, *const *y = b;
    struct str p = (*x)->name, q = (*y)->name;
    for (size_t i = 0; i < p.n && i < q.n; i++) {
        int c = (p.p[i] | 32) - (q.p[i] | 32); /* letters, digits, '_' and '.': the order need only be fixed */
        if (c) return c;
    }
    return (p.n > q.n) - (p.n < q.n);
}

static enum code lay_tables(struct far_build *b, struct far_snapshot *snapshot, struct err *err) {
    const struct sql_table **tables = ARENA_ARRAY(b->arena, const struct sql_table *, b->n_tables + 1);
    struct sql_other *others = ARENA_ARRAY(b->arena, struct sql_other, b->n_tables + 1);
    if (!tables || !others) return err_oom(err);
    size_t n = 0, n_others = 0;
    for (struct far_table *t = b->first; t; t = t->next) {
        if (t->what) others[n_others++] = (struct sql_other){ t->sql.name, t->what };
        else tables[n++] = &t->sql;
    }
    qsort(tables, n, sizeof *tables, by_name);
    for (size_t i = 0; i < n; i++) ((struct far_table *)(uintptr_t)tables[i])->sql.id = (uint32_t)i + 1;
    snapshot->sql = (struct sql_catalog){ .upstream = true,
                                          .tables = tables,
                                          .n_tables = n,
                                          .others = others,
                                          .n_others = n_others,
                                          .foreign_keys = b->foreign_keys,
                                          .n_foreign_keys = b->n_foreign_keys };
    return OK;
}

enum code far_build_end(struct far_build *b, const struct sql_catalog **ret, struct err *err) {
    struct far_snapshot *snapshot = ARENA_NEW(b->arena, struct far_snapshot);
    if (!snapshot) return err_oom(err);
    if (!b->dialect) return far_odd(err, "the database does not tell its dialect");
    enum code rc = add_interleaved(b, err);
    if (!rc) rc = lay_cascades(b, err);
    if (!rc) rc = lay_tables(b, snapshot, err);
    if (rc) return rc;
    snapshot->arena = TAKE(b->arena);
    atomic_init(&snapshot->refs, 1);
    *ret = &snapshot->sql;
    return OK;
}
