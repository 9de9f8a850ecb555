/* The decision: for each atom, the few nodes that speak of its object, and the rows there that speak of its subject. */
#include <string.h>
#include "policy/snapshot.h"
#include "wire/url.h"

/* What the rows of one node say to one subject about one verb. */
struct hit {
    const struct node *node;
    int first;              /* the request's first column here; -1: no column decides */
    uint64_t *grant, *stop; /* of hits.words */
};

/* Of tables and jobs there are at most four, with many columns; of a call one more than its prefixes, of one word each. */
enum { MAX_HITS = MAX_CALL_SEGMENTS + 2, ALL_WORDS = 2 * 4 * MAX_WORDS };

struct hits {
    size_t n, n_words;
    uint32_t rule; /* the first by name that allows the first column */
    enum verb verb;
    struct str account;
    bool free_code; /* a run of code that no job statement names: counts as acting as the account */
    struct hit items[MAX_HITS];
    uint64_t words[ALL_WORDS];
};

bool entry_restricts(const struct policy *p, const struct entry *e, const struct policy_subject *s) {
    if (bit_get(s->cond_false, e->cond)) return false;
    if (e->subject != ANYONE) return bit_get(s->any, e->subject);
    const struct rule *rule = &p->rules[e->rule];
    for (size_t i = 0; i < rule->n_except; i++)
        if (bit_get(s->sure, rule->except[i])) return false;
    return true;
}

static bool account_fits(const struct policy *p, const struct entry *e, struct str account) {
    return e->account == NO_INDEX || str_eq(p->subjects[e->account].stmt->detail.text, account);
}

static void unite(uint64_t *words, const struct entry *e, unsigned n) {
    if (n == 1) {
        words[0] |= e->mask;
        return;
    }
    for (unsigned i = 0; i < n; i++) words[i] |= e->wide[i];
}

/* ---- which nodes speak of the atom ---- */

static void add_hit(const struct policy *p, struct hits *hits, enum node_kind kind, struct str path, struct str object) {
    const struct node *n = node_find(p, kind, path, object);
    if (!n || hits->n == MAX_HITS || hits->n_words + 2 * n->words > ALL_WORDS) return;
    uint64_t *words = hits->words + hits->n_words;
    memset(words, 0, 2 * n->words * sizeof *words);
    hits->items[hits->n++] = (struct hit){ .node = n, .grant = words, .stop = words + n->words };
    hits->n_words += 2 * n->words;
}

static void add_path(const struct policy *p, struct hits *hits, enum node_kind kind, struct str path, struct str object) {
    if (object.n || kind == NODE_PATH) add_hit(p, hits, kind, path, object);
    if (kind != NODE_PATH) add_hit(p, hits, kind, path, STR("*"));
}

/* The URL itself, and all that it lies below: "https://h/", "https://h/a/", … */
static bool add_urls(const struct policy *p, struct hits *hits, const struct atom *a) {
    if (a->path.n || !url_is_normal(a->object)) return false;
    add_hit(p, hits, NODE_CALL, a->account, a->object);
    size_t at = (size_t)str_find(a->object, STR("://")) + 3;
    for (unsigned n = 0; n <= MAX_CALL_SEGMENTS; n++) {
        ptrdiff_t slash = str_find_char(str_from(a->object, at), '/');
        if (slash < 0) break;
        at += (size_t)slash + 1;
        add_hit(p, hits, NODE_CALL_BELOW, a->account, str_upto(a->object, at));
    }
    return true;
}

enum node_kind node_kind_of(enum verb verb) {
    static const enum node_kind kinds[VERB_COUNT] = {
        [VERB_READ] = NODE_TABLE,          [VERB_INSERT] = NODE_TABLE,
        [VERB_UPDATE] = NODE_TABLE,        [VERB_DELETE] = NODE_TABLE,
        [VERB_CHANGE_SCHEMA] = NODE_TABLE, [VERB_CHANGE_GRANTS] = NODE_PATH,
        [VERB_READ_SCHEMA] = NODE_PATH,    [VERB_USE] = NODE_PATH,
        [VERB_RUN_JOB] = NODE_JOB,         [VERB_ACT_AS] = NODE_ACCOUNT,
        [VERB_SEE_JOBS] = NODE_PATH,       [VERB_CANCEL_JOBS] = NODE_PATH,
        [VERB_ADMINISTER] = NODE_PATH,     [VERB_CALL] = NODE_CALL,
    };
    return kinds[verb];
}

/* False: an atom that no rule can speak of. */
static bool find_nodes(const struct policy *p, const struct atom *a, struct hits *hits) {
    char wild[256];
    hits->n = hits->n_words = 0;
    hits->verb = a->verb;
    hits->account = a->account;
    hits->free_code = a->verb == VERB_RUN_JOB && !a->object.n;
    if ((unsigned)a->verb >= VERB_COUNT || str_eq(a->object, STR("*"))) return false;
    enum node_kind kind = node_kind_of(a->verb);
    if (kind == NODE_CALL) return add_urls(p, hits, a);
    if ((kind == NODE_TABLE) > (a->object.n > 0) || str_ends(a->path, STR("*"))) return false;
    if (kind == NODE_ACCOUNT) {
        add_hit(p, hits, kind, (struct str){ 0 }, a->account);
        return true;
    }
    struct str object = kind == NODE_PATH ? (struct str){ 0 } : a->object;
    add_path(p, hits, kind, a->path, object);
    struct str pattern = p->wild ? path_wild(a->path, wild) : (struct str){ 0 };
    if (pattern.n) add_path(p, hits, kind, pattern, object);
    return true;
}

const struct entry *entry_rows(const struct entries *list, uint32_t subject, size_t *ret_n) {
    size_t low = 0, high = list->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (list->subjects[mid] < subject) low = mid + 1;
        else high = mid;
    }
    size_t end = low;
    while (end < list->n && list->subjects[end] == subject) end++;
    *ret_n = end - low;
    return list->items + low;
}

static void judge_allows(const struct policy *p, const struct policy_subject *s, int64_t now_us, struct hits *hits,
                         struct hit *hit) {
    const struct entries *list = &hit->node->entries[ALLOWS][hits->verb];
    for (size_t i = 0; list->n && i < s->n_sure; i++) {
        size_t n;
        const struct entry *rows = entry_rows(list, s->sure_list[i], &n);
        for (const struct entry *e = rows; e < rows + n; e++) {
            if (now_us >= e->until_us || !bit_get(s->cond_true, e->cond) || !account_fits(p, e, hits->account)) continue;
            unite(hit->grant, e, hit->node->words);
            if (e->rule < hits->rule && (hit->first < 0 || entry_has(hit->node, e, (uint32_t)hit->first)))
                hits->rule = e->rule;
        }
    }
}

static void judge_denies(const struct policy *p, const struct policy_subject *s, const struct hits *hits, struct hit *hit) {
    const struct entries *list = &hit->node->entries[DENIES][hits->verb];
    for (size_t i = 0; list->n && i < s->n_any; i++) {
        size_t n;
        const struct entry *rows = entry_rows(list, s->any_list[i], &n);
        for (const struct entry *e = rows; e < rows + n; e++)
            if (entry_restricts(p, e, s) && account_fits(p, e, hits->account)) unite(hit->stop, e, hit->node->words);
    }
}

static void judge(const struct policy *p, const struct policy_subject *s, const struct atom *a, int64_t now_us,
                  struct hits *hits) {
    bool columns = a->n_columns && !a->any_column && hits->verb <= VERB_UPDATE;
    hits->rule = NO_INDEX;
    for (size_t i = 0; i < hits->n; i++) {
        struct hit *hit = &hits->items[i];
        hit->first = columns ? (int)node_column(hit->node, a->columns[0]) : -1;
        judge_allows(p, s, now_us, hits, hit);
        judge_denies(p, s, hits, hit);
    }
}

/* ---- columns ---- */

struct state {
    bool granted, stopped;
};

/* The empty column: those that no rule names. */
static struct state column_state(const struct hits *hits, struct str column) {
    struct state state = { 0 };
    for (size_t i = 0; i < hits->n; i++) {
        const struct hit *hit = &hits->items[i];
        uint32_t at = column.n ? node_column(hit->node, column) : 0;
        state.granted = state.granted || bit_get(hit->grant, at);
        state.stopped = state.stopped || bit_get(hit->stop, at);
    }
    return state;
}

enum outcome { ALLOWED, MISSING, STOPPED };

static enum outcome every_column(const struct atom *a, const struct hits *hits, int *ret_column) {
    enum outcome worst = ALLOWED;
    for (size_t i = 0; i < a->n_columns; i++) {
        struct state state = column_state(hits, a->columns[i]);
        enum outcome one = state.stopped ? STOPPED : state.granted ? ALLOWED : MISSING;
        if (one <= worst) continue;
        worst = one;
        *ret_column = (int)i;
    }
    return worst;
}

static void weigh(struct state state, bool *open, bool *ok) {
    *open = *open || !state.stopped;
    *ok = *ok || (state.granted && !state.stopped);
}

/* Of COUNT(*): one column that is granted and not denied. Of no columns at all, those count that rules name, and "the
 * rest". */
static enum outcome any_column(const struct atom *a, const struct hits *hits) {
    bool open = false, ok = false;
    for (size_t i = 0; i < a->n_columns; i++) weigh(column_state(hits, a->columns[i]), &open, &ok);
    if (!a->n_columns) {
        weigh(column_state(hits, (struct str){ 0 }), &open, &ok);
        for (size_t i = 0; i < hits->n && !ok; i++)
            for (uint32_t k = 0; k < hits->items[i].node->n_columns; k++)
                weigh(column_state(hits, hits->items[i].node->columns[k]), &open, &ok);
    }
    return ok ? ALLOWED : open ? MISSING : STOPPED;
}

/* A table without a list of columns: all that there are, and all that will be. */
static enum outcome whole(const struct hits *hits) {
    struct state state = column_state(hits, (struct str){ 0 });
    bool stopped = state.stopped, granted = state.granted;
    for (size_t i = 0; i < hits->n; i++)
        for (uint32_t k = 0; k < hits->items[i].node->n_columns; k++) {
            state = column_state(hits, hits->items[i].node->columns[k]);
            stopped = stopped || state.stopped;
            granted = granted && state.granted;
        }
    return stopped ? STOPPED : granted ? ALLOWED : MISSING;
}

static bool has_columns(enum verb verb) {
    return verb == VERB_READ || verb == VERB_INSERT || verb == VERB_UPDATE;
}

/* To run free code as an account is to act as it: what denies the one denies the other. */
static bool act_as_denied(const struct policy *p, const struct policy_subject *s, struct str account, uint32_t *ret_rule) {
    const struct node *n = node_find(p, NODE_ACCOUNT, (struct str){ 0 }, account);
    for (size_t i = 0; n && i < n->entries[DENIES][VERB_ACT_AS].n; i++) {
        const struct entry *e = &n->entries[DENIES][VERB_ACT_AS].items[i];
        if (!entry_restricts(p, e, s)) continue;
        *ret_rule = e->rule;
        return true;
    }
    return false;
}

static enum outcome weigh_atom(const struct policy *p, const struct policy_subject *s, const struct atom *a,
                               const struct hits *hits, int *ret_column) {
    uint32_t rule;
    *ret_column = -1;
    if (hits->free_code && act_as_denied(p, s, a->account, &rule)) return STOPPED;
    if (!has_columns(a->verb)) {
        struct state state = column_state(hits, (struct str){ 0 });
        return state.stopped ? STOPPED : state.granted ? ALLOWED : MISSING;
    }
    if (a->any_column) return any_column(a, hits);
    return a->n_columns ? every_column(a, hits, ret_column) : whole(hits);
}

/* ---- the verdict's rule and reason: only these look at rules by name ---- */

static bool covers(const struct node *n, const struct entry *e, const struct atom *a, int column) {
    if (column < 0 || !has_columns(a->verb)) return true;
    return entry_has(n, e, node_column(n, a->columns[column]));
}

/* The first rule by name that denies the atom in that column. */
static struct str denying_rule(const struct policy *p, const struct policy_subject *s, const struct atom *a,
                               const struct hits *hits, int column) {
    uint32_t first = NO_INDEX, act_as;
    for (size_t i = 0; i < hits->n; i++) {
        const struct entries *list = &hits->items[i].node->entries[DENIES][a->verb];
        for (size_t k = 0; k < list->n; k++) {
            const struct entry *e = &list->items[k];
            if (e->rule >= first || !account_fits(p, e, a->account) || !covers(hits->items[i].node, e, a, column)) continue;
            if (entry_restricts(p, e, s)) first = e->rule;
        }
    }
    if (hits->free_code && act_as_denied(p, s, a->account, &act_as) && act_as < first) first = act_as;
    return first == NO_INDEX ? (struct str){ 0 } : p->rules[first].name;
}

/* What one row lacked to grant the atom; REASON_NONE when it speaks of somebody else. Ordered by how near a miss
 * it is: see nearer(). */
static enum reason miss(const struct policy *p, const struct entry *e, const struct policy_subject *s, int64_t now_us,
                        bool covers_column) {
    const struct clauses *c = &p->rules[e->rule].stmt->clauses;
    bool sure = bit_get(s->sure, e->subject);
    if (!sure && !bit_get(s->unsure, e->subject)) return REASON_NONE;
    if (!covers_column) return sure ? NO_RULE_FOR_COLUMN : REASON_NONE;
    if (!sure) return CLAIM_MISSING;
    if (!bit_get(s->cond_true, e->cond))
        return c->has & 1u << CLAUSE_JOB && bit_get(s->job_wrong, e->cond) ? JOB_WRONG : NETWORK_WRONG;
    return now_us >= e->until_us ? RULE_EXPIRED : NO_RULE_FOR_COLUMN;
}

static int nearness(enum reason reason) {
    static const enum reason order[] = {
        NO_RULE, NO_RULE_FOR_COLUMN, CLAIM_MISSING, NETWORK_WRONG, JOB_WRONG, RULE_EXPIRED
    };
    for (int i = 0; i < (int)COUNT(order); i++)
        if (order[i] == reason) return i;
    return -1;
}

static bool bears_nothing(const struct policy *p, const struct policy_subject *s) {
    uint64_t any = 0;
    for (size_t i = 0; i <= p->n_subjects / 64; i++) any |= s->sure[i] | s->unsure[i];
    return !any;
}

static enum reason why_missing(const struct policy *p, const struct policy_subject *s, const struct atom *a,
                               const struct hits *hits, int column, int64_t now_us) {
    enum reason best = NO_RULE;
    if (bears_nothing(p, s)) return NO_IDENTITY;
    for (size_t i = 0; i < hits->n; i++) {
        const struct entries *list = &hits->items[i].node->entries[ALLOWS][a->verb];
        for (size_t k = 0; k < list->n; k++) {
            const struct entry *e = &list->items[k];
            if (!account_fits(p, e, a->account)) continue;
            enum reason reason = miss(p, e, s, now_us, covers(hits->items[i].node, e, a, column));
            if (nearness(reason) > nearness(best)) best = reason;
        }
    }
    return best;
}

void policy_decide(const struct policy *policy, const struct policy_subject *subject, const struct atoms *atoms,
                   int64_t now_us, struct verdict *ret) {
    struct hits hits;
    int column;
    *ret = (struct verdict){ .reason = REASON_NONE, .column = -1 };
    if (subject->serial != policy->serial) {
        ret->reason = POLICY_STALE;
        return;
    }
    for (size_t i = 0; i < atoms->n; i++) {
        const struct atom *a = &atoms->items[i];
        if (!find_nodes(policy, a, &hits)) {
            *ret = (struct verdict){ .reason = NOT_UNDERSTOOD, .atom = (unsigned)i, .column = -1 };
            return;
        }
        judge(policy, subject, a, now_us, &hits);
        enum outcome outcome = weigh_atom(policy, subject, a, &hits, &column);
        if (outcome == STOPPED) {
            struct str rule = denying_rule(policy, subject, a, &hits, column);
            *ret = (struct verdict){ DENIED, (unsigned)i, column, rule };
            return;
        }
        if (ret->reason != REASON_NONE) continue; /* one is missing already: only a deny would change the answer */
        if (outcome == MISSING) {
            enum reason reason = why_missing(policy, subject, a, &hits, column, now_us);
            *ret = (struct verdict){ reason, (unsigned)i, column, { 0 } };
        } else if (i == 0 && hits.rule != NO_INDEX) ret->rule = policy->rules[hits.rule].name;
    }
}

bool policy_call_port_written(const struct policy *policy, const struct policy_subject *subject, const struct atom *call,
                              int64_t now_us) {
    struct hits hits;
    uint64_t granted = 0;
    if (subject->serial != policy->serial || call->verb != VERB_CALL || !find_nodes(policy, call, &hits)) return false;
    judge(policy, subject, call, now_us, &hits);
    for (size_t i = 0; i < hits.n; i++) granted |= hits.items[i].grant[0];
    return (granted & CALL_PORT) != 0;
}
