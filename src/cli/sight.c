#include "cli/sight.h"
#include "model/atom.h"

/* ---- an entry's words ---- */

struct str sight_text(struct arena *arena, struct str text) {
    char *out = arena_alloc(arena, text.n + 1);
    if (!out) return (struct str){ NULL, 0 };
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        out[i] = c < 0x20 || c == 0x7f ? '?' : text.p[i];
    }
    return (struct str){ out, text.n };
}

struct str sight_actor(struct arena *arena, struct str issuer, struct str subject) {
    if (!issuer.n) return sight_text(arena, subject);
    return sight_text(arena, arena_printf(arena, "%.*s of %.*s", STR_ARG(subject), STR_ARG(issuer)));
}

struct str sight_actor_of(struct arena *arena, const struct audit_actor *a) {
    return a->email.n ? sight_text(arena, a->email) : sight_actor(arena, a->issuer, a->subject);
}

struct str sight_asked(struct arena *arena, const struct audit_entry *e) {
    if (e->refused_atom >= e->n_atoms) return sight_text(arena, e->method);
    const struct audit_atom *a = &e->atoms[e->refused_atom];
    const char *with = verb_account_word(a->verb);
    struct str column = e->refused_column;
    return sight_text(arena, arena_printf(arena, "%.*s%s%.*s%s%.*s%s%s%.*s%s%.*s", STR_ARG(a->verb), a->object.n ? " " : "",
                                          STR_ARG(a->object), column.n ? "(" : "", STR_ARG(column), column.n ? ")" : "",
                                          a->path.n ? " in " : "", STR_ARG(a->path), a->account.n ? with : "",
                                          STR_ARG(a->account)));
}

struct str sight_after(struct str text, struct str mark, char end) {
    ptrdiff_t at = str_find(text, mark);
    if (at < 0) return (struct str){ NULL, 0 };
    struct str rest = str_from(text, (size_t)at + mark.n);
    return str_cut(&rest, end);
}

/* ---- collecting ---- */

static bool alike(const struct sight *a, const struct sight *b) {
    return a->kind == b->kind && a->far == b->far && str_eq(a->what, b->what) && str_eq(a->reason, b->reason) &&
           str_eq(a->who, b->who) && str_eq(a->activity, b->activity) && str_eq(a->job_run, b->job_run);
}

void sights_add(struct sights *sights, const struct audit_entry *e, struct sight sight) {
    struct arena *arena = sights->arena;
    if (!sight.who.n) sight.who = sight_actor_of(arena, &e->actor);
    sight.last_id = str_dup(arena, e->id);
    for (size_t i = 0; i < sights->n; i++) {
        struct sight *s = &sights->items[i];
        if (!alike(s, &sight)) continue;
        s->times++;
        s->last_id = sight.last_id;
        return;
    }
    if (sights->n == SIGHTS_MAX) return;
    sight.id = sight.last_id;
    sight.since = str_dup(arena, e->timestamp);
    sight.reason = sight_text(arena, sight.reason);
    sight.activity = str_dup(arena, sight.activity);
    sight.job_run = str_dup(arena, sight.job_run);
    sight.times = 1;
    sights->items[sights->n++] = sight;
}

void sights_add_refusal(struct sights *sights, const struct audit_entry *e, struct sight sight) {
    if (e->kind != EVENT_REFUSAL || e->allowed || !e->decided || (!e->actor.subject.n && !e->actor.email.n)) return;
    enum reason reason;
    bool proof = reason_from_name(e->reason, &reason) && reason_code(reason) == UNAUTHENTICATED;
    sight.kind = proof ? SIGHT_TOKEN : SIGHT_REFUSED;
    sight.what = sight_asked(sights->arena, e);
    sight.reason = e->reason;
    sights_add(sights, e, sight);
}

void sights_forget_job(struct sights *sights, struct str job_run) {
    size_t kept = 0;
    for (size_t i = 0; i < sights->n; i++)
        if (!str_eq(sights->items[i].job_run, job_run)) sights->items[kept++] = sights->items[i];
    sights->n = kept;
}
