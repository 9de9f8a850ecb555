/* Which limits apply to a request. The counting itself is the caller's: gate/admit.h. */
#include "policy/snapshot.h"

struct gathering {
    const struct policy *policy;
    const struct policy_subject *subject;
    bool commit;
    struct arena *arena;
    struct policy_limits *out;
    bool oom;
};

static bool same_count(const struct policy_limit *a, const struct policy_limit *b) {
    return a->commits == b->commits && a->at_once == b->at_once && str_eq(a->who, b->who) && str_eq(a->rule, b->rule);
}

/* Several of one count (a rule met by two atoms, or written twice) are one: the least. */
static void add(struct gathering *g, struct policy_limit limit) {
    struct policy_limits *out = g->out;
    for (size_t i = 0; i < out->n; i++) {
        if (!same_count(&out->items[i], &limit)) continue;
        if (limit.most < out->items[i].most) out->items[i].most = limit.most;
        return;
    }
    if (!arena_grow(g->arena, &out->items, &out->cap, out->n + 1, sizeof limit)) g->oom = true;
    else out->items[out->n++] = limit;
}

static void add_bounds(struct gathering *g, const struct entry *e) {
    const struct policy *p = g->policy;
    const struct rule *rule = &p->rules[e->rule];
    const struct stmt *s = rule->stmt;
    struct str who = e->subject == ANYONE ? (struct str){ 0 } : p->subjects[e->subject].name;
    for (size_t i = 0; i < s->bounds.n && !g->oom; i++) {
        const struct bound *b = &s->bounds.items[i];
        struct policy_limit limit = { .rule = rule->name, .path = s->path.text, .who = who, .most = b->most };
        limit.commits = str_eq(b->unit.text, STR("commits"));
        limit.at_once = !b->per.text.n;
        if (!limit.commits || g->commit) add(g, limit);
    }
}

static void look(struct gathering *g, struct str path) {
    const struct node *n = node_find(g->policy, NODE_PATH, path, (struct str){ 0 });
    for (size_t i = 0; n && n->limits.n && i < g->subject->n_any; i++) {
        size_t rows;
        const struct entry *e = entry_rows(&n->limits, g->subject->any_list[i], &rows);
        for (const struct entry *end = e + rows; e < end && !g->oom; e++)
            if (entry_restricts(g->policy, e, g->subject)) add_bounds(g, e);
    }
}

bool policy_limits(const struct policy *policy, const struct policy_subject *subject, const struct atoms *atoms,
                   bool commit, struct arena *arena, struct policy_limits *ret) {
    struct gathering g = { policy, subject, commit, arena, ret, false };
    *ret = (struct policy_limits){ 0 };
    if (subject->serial != policy->serial) return false;
    for (size_t i = 0; policy->limiting && i < atoms->n; i++) {
        char wild[256];
        struct str path = atoms->items[i].path;
        if (!path.n || (i && str_eq(path, atoms->items[i - 1].path))) continue;
        look(&g, path);
        struct str pattern = policy->wild ? path_wild(path, wild) : (struct str){ 0 };
        if (pattern.n) look(&g, pattern);
    }
    return !g.oom;
}
