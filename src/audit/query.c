#include "audit/query.h"
#include <string.h>
#include "audit/tiles.h"
#include "base/enc.h"

enum { PARSE_ARENA = 1 << 20 };

static bool actor_is(const struct audit_actor *a, struct str who) {
    return str_eq(a->email, who) || str_eq(a->subject, who);
}

static bool principal_fits(const struct audit_entry *e, struct str who) {
    if (!who.n || actor_is(&e->actor, who)) return true;
    for (size_t i = 0; i < e->n_chain; i++)
        if (actor_is(&e->chain[i], who)) return true;
    return false;
}

/* The whole name, or what stands after its last dot. */
static bool method_fits(struct str method, struct str wanted) {
    if (!wanted.n || str_eq(method, wanted)) return true;
    return str_ends(method, wanted) && method.p[method.n - wanted.n - 1] == '.';
}

static bool fits(const struct audit_filter *f, const struct audit_entry *e) {
    if (f->id.n && !str_eq(f->id, e->id)) return false;
    if (f->job_run.n && !str_eq(f->job_run, e->job_run)) return false;
    if (f->reason.n && !str_eq(f->reason, e->reason)) return false;
    if (f->refused_only && (!e->decided || e->allowed) && e->kind != EVENT_REFUSAL) return false;
    if (f->from_us && e->time_us < f->from_us) return false;
    if (f->until_us && e->time_us >= f->until_us) return false;
    return method_fits(e->method, f->method) && principal_fits(e, f->principal);
}

/* Names of plain characters stand in the text as they are: most entries need no parsing to be passed over. */
static bool may_fit(const struct audit_filter *f, struct str json) {
    const struct str needed[] = { f->id, f->method, f->principal, f->job_run, f->reason };
    for (size_t i = 0; i < COUNT(needed); i++) {
        bool plain = true;
        for (size_t j = 0; j < needed[i].n; j++)
            plain &= needed[i].p[j] >= ' ' && needed[i].p[j] <= '~' && !strchr("\"\\<>", needed[i].p[j]);
        if (plain && needed[i].n && str_find(json, needed[i]) < 0) return false;
    }
    return true;
}

struct walk {
    const struct audit_filter *filter;
    audit_visit *visit;
    void *ctx;
    struct arena *arena;
    uint64_t given;
    bool end;
};

static enum code look(struct walk *w, uint64_t index, struct str json, struct err *err) {
    struct audit_entry entry;
    if (index < w->filter->from_index || !may_fit(w->filter, json)) return OK;
    arena_reset(w->arena);
    enum code rc = audit_entry_parse(json, w->arena, &entry, err);
    if (rc == INVALID_ARGUMENT) return OK; /* not of our shape: verify says whether it is genuine */
    if (rc || !fits(w->filter, &entry)) return rc;
    w->end = !w->visit(w->ctx, index, json, &entry) || ++w->given == w->filter->limit;
    return OK;
}

enum code audit_query(const char *dir, const struct audit_filter *filter, audit_visit *visit, void *ctx, struct err *err) {
    DEFER(tiles_freep) struct tiles *tiles = NULL;
    DEFER(arena_freep) struct arena *arena = arena_new(PARSE_ARENA);
    DEFER(buf_free) struct buf bundle = BUF_INIT(ENTRIES_TILE_MAX + 2);
    if (!arena) return err_oom(err);
    struct walk walk = { .filter = filter, .visit = visit, .ctx = ctx, .arena = arena };
    enum code rc = tiles_open(dir, NULL, &tiles, err);
    if (rc) return rc;
    for (uint64_t tile = filter->from_index / TILE_WIDTH; !rc && !walk.end && tile_width(0, tile, tiles->checkpoint.size);
         tile++) {
        rc = tiles_read(tiles, TILE_ENTRIES, tile, &bundle, err);
        struct str rest = buf_str(&bundle), entry;
        for (uint64_t i = tile * TILE_WIDTH; !rc && !walk.end && entry_next(&rest, &entry); i++)
            rc = look(&walk, i, entry, err);
    }
    return rc;
}

static enum code print_proof(const struct tree_proof *proof, struct buf *out, struct err *err) {
    for (size_t i = 0; i < proof->n; i++) {
        enc_base64(out, (struct str){ (const char *)proof->path[i].b, TREE_HASH });
        buf_add_char(out, '\n');
    }
    return buf_ok(out) ? OK : err_oom(err);
}

enum code audit_prove_inclusion(const char *dir, uint64_t index, struct buf *out, struct err *err) {
    DEFER(tiles_freep) struct tiles *tiles = NULL;
    struct tree_proof proof;
    enum code rc = tiles_open(dir, NULL, &tiles, err);
    if (rc) return rc;
    struct tree_reader reader = tiles_reader(tiles);
    rc = tree_prove_inclusion(&reader, index, tiles->checkpoint.size, &proof, err);
    return rc ? rc : print_proof(&proof, out, err);
}

enum code audit_prove_consistency(const char *dir, uint64_t old_size, struct buf *out, struct err *err) {
    DEFER(tiles_freep) struct tiles *tiles = NULL;
    struct tree_proof proof;
    enum code rc = tiles_open(dir, NULL, &tiles, err);
    if (rc) return rc;
    struct tree_reader reader = tiles_reader(tiles);
    rc = tree_prove_consistency(&reader, old_size, tiles->checkpoint.size, &proof, err);
    return rc ? rc : print_proof(&proof, out, err);
}
