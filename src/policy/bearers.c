/* Which names could an actor bear at all? A name that asks for "claim = value" is looked for by that value, so that a
 * request does not test the claims of everybody whom the policy names. */
#include <stdlib.h>
#include "policy/snapshot.h"

/* ---- from the policy ---- */

static const struct test *key_test(const struct stmt *s) {
    for (size_t i = 0; i < s->tests.n; i++)
        if (s->tests.items[i].op == TEST_EQUAL || s->tests.items[i].op == TEST_ONE_OF) return &s->tests.items[i];
    return NULL;
}

static bool same_claim(const struct names *a, const struct names *b) {
    if (!a || !b || a->n != b->n) return a == b;
    for (size_t i = 0; i < a->n; i++)
        if (!str_eq(a->items[i].text, b->items[i].text)) return false;
    return true;
}

static uint32_t group_of(struct bearers *b, struct str issuer, const struct names *claim) {
    for (size_t i = 0; i < b->n_groups; i++)
        if (str_eq(b->groups[i].issuer, issuer) && same_claim(b->groups[i].claim, claim)) return (uint32_t)i;
    b->groups[b->n_groups] = (struct bearer_group){ .issuer = issuer, .claim = claim };
    return (uint32_t)b->n_groups++;
}

static void add_subject(struct bearers *b, const struct stmt *s, uint32_t subject) {
    if (s->kind == STMT_ACCOUNT) {
        uint32_t group = group_of(b, (struct str){ NULL, 0 }, NULL);
        b->rows[b->n_rows++] = (struct bearer_row){ s->detail.text, group, subject };
        return;
    }
    const struct test *t = key_test(s);
    if (!t) {
        b->loose[b->n_loose++] = subject;
        return;
    }
    uint32_t group = group_of(b, s->detail.text, &t->claim);
    for (size_t i = 0; i < t->values.n; i++)
        b->rows[b->n_rows++] = (struct bearer_row){ t->values.items[i].text, group, subject };
}

static int by_group_and_value(const void *a, const void *b) {
    const struct bearer_row *x = a, *y = b;
    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    return str_cmp(x->value, y->value);
}

bool bearers_index(struct policy *p) {
    struct bearers *b = &p->bearers;
    size_t rows = 1;
    for (size_t i = 0; i < p->n_subjects; i++) {
        const struct test *t = key_test(p->subjects[i].stmt);
        rows += t ? t->values.n : 1;
    }
    b->rows = ARENA_ARRAY(p->arena, struct bearer_row, rows);
    b->groups = ARENA_ARRAY(p->arena, struct bearer_group, p->n_subjects + 1);
    b->loose = ARENA_ARRAY(p->arena, uint32_t, p->n_subjects + 1);
    if (!b->rows || !b->groups || !b->loose) return false;
    for (size_t i = 0; i < p->n_subjects; i++) add_subject(b, p->subjects[i].stmt, (uint32_t)i);
    qsort(b->rows, b->n_rows, sizeof *b->rows, by_group_and_value);
    for (size_t i = b->n_rows; i > 0; i--) {
        struct bearer_group *g = &b->groups[b->rows[i - 1].group];
        g->first = i - 1;
        g->n++;
    }
    return true;
}

/* ---- for an actor ---- */

/* The first row whose value is not less. */
static size_t lower_bound(const struct bearers *b, const struct bearer_group *g, struct str value) {
    size_t low = g->first, high = g->first + g->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (str_cmp(b->rows[mid].value, value) < 0) low = mid + 1;
        else high = mid;
    }
    return low;
}

static void mark_group(const struct bearers *b, const struct bearer_group *g, const struct actor *actor, uint64_t *may) {
    struct str value = actor->subject;
    bool known = !g->claim || claim_text(g->claim, actor, &value);
    size_t end = g->first + g->n, i = known ? lower_bound(b, g, value) : g->first;
    for (; i < end && (!known || str_eq(b->rows[i].value, value)); i++) bit_set(may, b->rows[i].subject);
}

void bearers_mark(const struct policy *p, const struct actor *actor, uint64_t *may) {
    const struct bearers *b = &p->bearers;
    for (size_t i = 0; i < b->n_loose; i++) bit_set(may, b->loose[i]);
    for (size_t i = 0; i < b->n_groups; i++) {
        const struct bearer_group *g = &b->groups[i];
        bool concerns = g->claim ? actor->kind == ACTOR_OIDC && str_eq(actor->issuer, g->issuer)
                                 : actor->kind == ACTOR_ACCOUNT;
        if (concerns) mark_group(b, g, actor, may);
    }
}
