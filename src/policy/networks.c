#include "policy/networks.h"

struct prefix {
    struct in6_addr net;
    unsigned bits;
    struct str text;
};

struct prefixes {
    struct prefix *items;
    size_t n;
};

static bool bit_of(const struct in6_addr *a, unsigned i) {
    return a->s6_addr[i / 8] >> (7 - i % 8) & 1;
}

static bool within(const struct prefix *inner, const struct prefix *outer) {
    if (inner->bits < outer->bits) return false;
    for (unsigned i = 0; i < outer->bits; i++)
        if (bit_of(&inner->net, i) != bit_of(&outer->net, i)) return false;
    return true;
}

/* An address of `part` that lies in none of the prefixes which are narrower than `whole`. The upper half is tried first, as
 * the address :: stands for one that is not known. */
static bool find_free(const struct prefixes *all, const struct prefix *whole, struct prefix part, struct in6_addr *ret) {
    bool touched = false;
    for (size_t i = 0; i < all->n; i++) {
        if (all->items[i].bits <= whole->bits) continue;
        if (within(&part, &all->items[i])) return false;
        touched = touched || within(&all->items[i], &part);
    }
    if (!touched) {
        bool unknown = IN6_IS_ADDR_UNSPECIFIED(&part.net);
        if (unknown) part.net.s6_addr[15] = 1;
        *ret = part.net;
        return !unknown || part.bits < 128;
    }
    struct prefix upper = part;
    part.bits = ++upper.bits;
    upper.net.s6_addr[(upper.bits - 1) / 8] |= (uint8_t)(0x80u >> ((upper.bits - 1) % 8));
    return find_free(all, whole, upper, ret) || find_free(all, whole, part, ret);
}

static bool is_known(const struct prefixes *all, const struct clauses *c) {
    for (size_t i = 0; i < all->n; i++)
        if (all->items[i].bits == c->net_bits && IN6_ARE_ADDR_EQUAL(&all->items[i].net, &c->net)) return true;
    return false;
}

bool network_classes(const struct policy *policy, struct arena *arena, struct network_class **ret, size_t *ret_n) {
    struct prefixes all = { .items = ARENA_ARRAY(arena, struct prefix, policy->n_conds + 1) };
    struct network_class *out = ARENA_ARRAY(arena, struct network_class, policy->n_conds + 1);
    size_t n = 0;
    if (!all.items || !out) return false;
    for (size_t i = 1; i < policy->n_conds; i++) {
        const struct clauses *c = policy->conds[i].clauses;
        if (!(c->has & 1u << CLAUSE_FROM) || is_known(&all, c)) continue;
        all.items[all.n++] = (struct prefix){ c->net, c->net_bits, c->from.text };
    }
    struct prefix everything = { 0 };
    bool named = is_known(&all, &(struct clauses){ 0 });
    if (!named && find_free(&all, &everything, everything, &out[n].address)) n++;
    for (size_t i = 0; i < all.n; i++) {
        if (!find_free(&all, &all.items[i], all.items[i], &out[n].address)) continue;
        out[n++].from = all.items[i].text;
    }
    *ret = out;
    *ret_n = n;
    return true;
}
