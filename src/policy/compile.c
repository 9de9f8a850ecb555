/* From statements to nodes and entries, in two passes over the same walk: the first makes nodes, columns and counts, the
 * second fills. Rules are taken by name, so that the order of the text leaves no trace. */
#include <stdlib.h>
#include <string.h>
#include "policy/lex.h"
#include "policy/snapshot.h"

enum { MAX_ENTRIES = 1000000 };

struct compiler {
    struct policy *policy;
    struct policy_faults *faults;
    size_t n_entries;
    bool fill, oom, too_many;
    uint32_t rule;
};

/* ---- nodes ---- */

static unsigned char fold(char c) {
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

uint64_t node_hash(enum node_kind kind, struct str path, struct str object) {
    uint64_t h = UINT64_C(1469598103934665603) + kind;
    for (size_t i = 0; i < path.n; i++) h = (h ^ (unsigned char)path.p[i]) * UINT64_C(1099511628211);
    h = (h ^ 0xff) * UINT64_C(1099511628211);
    for (size_t i = 0; i < object.n; i++)
        h = (h ^ (kind == NODE_TABLE ? fold(object.p[i]) : (unsigned char)object.p[i])) * UINT64_C(1099511628211);
    return h ^ (h >> 31);
}

static bool same_object(enum node_kind kind, struct str a, struct str b) {
    return kind == NODE_TABLE ? str_eq_nocase(a, b) : str_eq(a, b);
}

static struct node **node_slot(const struct policy *p, uint64_t hash, enum node_kind kind, struct str path,
                               struct str object) {
    for (size_t i = hash & (p->cap_nodes - 1);; i = (i + 1) & (p->cap_nodes - 1)) {
        const struct node *n = p->nodes[i];
        if (!n || (n->hash == hash && n->kind == kind && same_object(kind, n->object, object) && str_eq(n->path, path)))
            return &p->nodes[i];
    }
}

const struct node *node_find(const struct policy *policy, enum node_kind kind, struct str path, struct str object) {
    if (!policy->cap_nodes) return NULL;
    return *node_slot(policy, node_hash(kind, path, object), kind, path, object);
}

static bool grow_nodes(struct policy *p) {
    if (p->n_nodes < p->cap_nodes / 2) return true;
    struct policy next = { .cap_nodes = p->cap_nodes ? p->cap_nodes * 2 : 64 };
    next.nodes = ARENA_ARRAY(p->arena, struct node *, next.cap_nodes);
    if (!next.nodes) return false;
    for (size_t i = 0; i < p->cap_nodes; i++) {
        struct node *n = p->nodes[i];
        if (n) *node_slot(&next, n->hash, n->kind, n->path, n->object) = n;
    }
    p->nodes = next.nodes;
    p->cap_nodes = next.cap_nodes;
    return true;
}

static struct node *node_get(struct compiler *c, enum node_kind kind, struct str path, struct str object) {
    struct policy *p = c->policy;
    if (!grow_nodes(p)) return NULL;
    uint64_t hash = node_hash(kind, path, object);
    struct node **slot = node_slot(p, hash, kind, path, object);
    if (*slot) return *slot;
    struct node *n = ARENA_NEW(p->arena, struct node);
    if (!n) return NULL;
    *n = (struct node){ .hash = hash, .kind = kind, .path = path, .object = object, .words = 1 };
    p->n_nodes++;
    return *slot = n;
}

/* ---- columns ---- */

static uint32_t hash_column(struct str s) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < s.n; i++) h = (h ^ fold(s.p[i])) * 16777619u;
    return h ^ (h >> 15);
}

uint32_t node_column(const struct node *n, struct str column) {
    if (!n->n_slots) return 0;
    for (uint32_t i = hash_column(column) & (n->n_slots - 1);; i = (i + 1) & (n->n_slots - 1)) {
        uint32_t at = n->slots[i];
        if (!at || str_eq_nocase(n->columns[at - 1], column)) return at;
    }
}

static void slot_put(struct node *n, uint32_t at) {
    uint32_t i = hash_column(n->columns[at - 1]) & (n->n_slots - 1);
    while (n->slots[i]) i = (i + 1) & (n->n_slots - 1);
    n->slots[i] = at;
}

static bool grow_slots(struct compiler *c, struct node *n) {
    if (n->n_columns < n->n_slots / 2) return true;
    n->n_slots = n->n_slots ? n->n_slots * 2 : 16;
    n->slots = ARENA_ARRAY(c->policy->arena, uint32_t, n->n_slots);
    if (!n->slots) return false;
    for (uint32_t i = 0; i < n->n_columns; i++) slot_put(n, i + 1);
    return true;
}

static void too_many(struct compiler *c, const struct stmt *s, const char *what) {
    struct policy_fault fault = {
        .file = c->policy->files[s->file].name, .line = s->line, .column = 1, .text = str_z(what)
    };
    if (!c->too_many && !policy_fault_add(c->faults, c->policy->arena, fault)) c->oom = true;
    c->too_many = true;
}

static void add_columns(struct compiler *c, struct node *n, const struct table_ref *t) {
    for (size_t i = 0; i < t->columns.n; i++) {
        if (node_column(n, t->columns.items[i].text)) continue;
        if (n->n_columns == MAX_COLUMNS) {
            too_many(c, c->policy->rules[c->rule].stmt, "more than 1,024 columns of one table are named");
            return;
        }
        if (!arena_grow(c->policy->arena, &n->columns, &n->cap_columns, n->n_columns + 1u, sizeof *n->columns) ||
            !grow_slots(c, n)) {
            c->oom = true;
            return;
        }
        n->columns[n->n_columns++] = t->columns.items[i].text;
        slot_put(n, n->n_columns);
    }
    n->words = n->n_columns / 64 + 1;
}

static void set_mask(struct compiler *c, const struct node *n, const struct table_ref *t, struct entry *entry) {
    uint64_t one = 0, *words = &one;
    if (n->words > 1) {
        words = ARENA_ARRAY(c->policy->arena, uint64_t, n->words);
        if (!words) {
            c->oom = true;
            return;
        }
    }
    bool listed = t && t->has_columns && !t->except;
    if (!listed) memset(words, 0xff, n->words * sizeof *words);
    for (size_t i = 0; t && i < t->columns.n; i++) {
        uint32_t at = node_column(n, t->columns.items[i].text);
        if (listed) bit_set(words, at);
        else words[at / 64] &= ~(UINT64_C(1) << (at % 64));
    }
    if (n->words > 1) entry->wide = words;
    else entry->mask = one;
}

/* ---- entries ---- */

struct target {
    struct node *node;
    const struct table_ref *table;
    uint32_t account;
    bool port; /* of a call: its URL writes the port out */
};

static void emit_one(struct compiler *c, struct target target, enum verb verb, uint32_t subject) {
    const struct rule *rule = &c->policy->rules[c->rule];
    const struct stmt *s = rule->stmt;
    struct entries *list = s->kind == STMT_LIMIT ? &target.node->limits
                                                 : &target.node->entries[s->kind == STMT_ALLOW ? ALLOWS : DENIES][verb];
    if (!c->fill) {
        list->n++;
        if (++c->n_entries > MAX_ENTRIES) too_many(c, s, "the policy's rules unfold to more than 1,000,000 entries");
        return;
    }
    struct entry *e = &list->items[list->n++];
    *e = (struct entry){ .until_us = s->kind == STMT_ALLOW ? s->clauses.until_us : INT64_MAX,
                         .subject = subject,
                         .cond = rule->cond,
                         .rule = c->rule,
                         .account = target.account };
    if (verb == VERB_CALL) e->mask = target.port ? CALL_GRANTED | CALL_PORT : CALL_GRANTED;
    else set_mask(c, target.node, target.table, e);
}

static void emit(struct compiler *c, struct target target, enum verb verb) {
    const struct who *who = &c->policy->rules[c->rule].stmt->who;
    if (c->oom || c->too_many) return;
    if (!target.node) {
        c->oom = true;
        return;
    }
    if (target.table && !c->fill) add_columns(c, target.node, target.table);
    if (who->anyone) emit_one(c, target, verb, ANYONE);
    for (size_t i = 0; !who->anyone && i < who->names.n && !c->too_many; i++)
        emit_one(c, target, verb, subject_index(c->policy, who->names.items[i].text));
}

/* ---- rules ---- */

static void table_entries(struct compiler *c, const struct stmt *s, const struct act *a, struct str table,
                          const struct table_ref *t) {
    struct target target = { .node = node_get(c, NODE_TABLE, s->path.text, table), .table = t, .account = NO_INDEX };
    unsigned verbs = a->kind == ACT_CHANGE_SCHEMA ? 1u << VERB_CHANGE_SCHEMA : a->verbs;
    for (unsigned v = 0; v < VERB_COUNT; v++)
        if (verbs & 1u << v) emit(c, target, (enum verb)v);
}

static void set_entries(struct compiler *c, const struct stmt *s, const struct act *a) {
    const struct table_refs *list = &a->tables;
    if (a->set == SET_NAMED) list = &symbol(c->policy, 't', a->named.text)->tables;
    if (a->set == SET_EVERY) table_entries(c, s, a, STR("*"), NULL);
    else
        for (size_t i = 0; i < list->n && !c->too_many; i++)
            table_entries(c, s, a, list->items[i].name.text, &list->items[i]);
}

static void account_entries(struct compiler *c, const struct act *a) {
    for (size_t k = 0; k < a->as.n && !c->too_many; k++) {
        uint32_t account = subject_index(c->policy, a->as.items[k].text);
        struct str email = c->policy->subjects[account].stmt->detail.text;
        if (a->kind == ACT_ACT_AS)
            emit(c, (struct target){ .node = node_get(c, NODE_ACCOUNT, (struct str){ 0 }, email), .account = account },
                 VERB_ACT_AS);
        if (a->kind == ACT_RUN_JOBS)
            emit(c, (struct target){ .node = node_get(c, NODE_JOB, a->path.text, STR("*")), .account = account },
                 VERB_RUN_JOB);
        for (size_t i = 0; a->kind == ACT_RUN_JOB && i < a->jobs.n && !c->too_many; i++)
            emit(c,
                 (struct target){ .node = node_get(c, NODE_JOB, a->path.text, a->jobs.items[i].text), .account = account },
                 VERB_RUN_JOB);
    }
}

static void call_entry(struct compiler *c, const struct act *a) {
    enum node_kind kind = a->below ? NODE_CALL_BELOW : NODE_CALL;
    emit(c, (struct target){ .node = node_get(c, kind, a->as.items[0].text, a->url), .account = NO_INDEX, .port = a->port },
         VERB_CALL);
}

static void path_entry(struct compiler *c, struct str path, enum verb verb) {
    emit(c, (struct target){ .node = node_get(c, NODE_PATH, path, (struct str){ 0 }), .account = NO_INDEX }, verb);
}

static void act_entries(struct compiler *c, const struct stmt *s, const struct act *a) {
    static const struct {
        enum act_kind kind;
        enum verb verb;
    } paths[] = { { ACT_CHANGE_GRANTS, VERB_CHANGE_GRANTS },
                  { ACT_READ_SCHEMA, VERB_READ_SCHEMA },
                  { ACT_SEE_JOBS, VERB_SEE_JOBS },
                  { ACT_CANCEL_JOBS, VERB_CANCEL_JOBS },
                  { ACT_ADMINISTER, VERB_ADMINISTER } };
    struct str path = a->path.text.n ? a->path.text : s->path.text;
    if (str_ends(path, STR("*"))) c->policy->wild = true;
    if (a->kind == ACT_DML || a->kind == ACT_CHANGE_SCHEMA) set_entries(c, s, a);
    for (size_t i = 0; i < COUNT(paths); i++)
        if (a->kind == paths[i].kind) path_entry(c, path, paths[i].verb);
    if (a->kind == ACT_CALL) call_entry(c, a);
    else account_entries(c, a);
    if (s->kind == STMT_ALLOW && path.n) path_entry(c, path, VERB_USE); /* any live allow admits to the path */
}

static void limit_entries(struct compiler *c, const struct stmt *s) {
    c->policy->limiting = true;
    if (str_ends(s->path.text, STR("*"))) c->policy->wild = true;
    path_entry(c, s->path.text, VERB_USE);
}

static void walk(struct compiler *c) {
    for (c->rule = 0; c->rule < c->policy->n_rules && !c->oom && !c->too_many; c->rule++) {
        const struct stmt *s = c->policy->rules[c->rule].stmt;
        if (s->kind == STMT_LIMIT) limit_entries(c, s);
        for (size_t i = 0; i < s->acts.n; i++) act_entries(c, s, &s->acts.items[i]);
    }
}

enum { ALL_LISTS = 2 * VERB_COUNT + 1 };

static struct entries *list_of(struct node *n, unsigned k) {
    return k < 2 * VERB_COUNT ? &n->entries[k / VERB_COUNT][k % VERB_COUNT] : &n->limits;
}

static void make_room(struct compiler *c) {
    for (size_t i = 0; i < c->policy->cap_nodes; i++) {
        struct node *n = c->policy->nodes[i];
        for (unsigned k = 0; n && k < ALL_LISTS; k++) {
            struct entries *list = list_of(n, k);
            if (!list->n) continue;
            list->items = ARENA_ARRAY(c->policy->arena, struct entry, list->n);
            list->subjects = ARENA_ARRAY(c->policy->arena, uint32_t, list->n);
            if (!list->items || !list->subjects) c->oom = true;
            list->n = 0;
        }
    }
}

static int by_subject(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    if (x->subject != y->subject) return x->subject < y->subject ? -1 : 1;
    return x->rule < y->rule ? -1 : x->rule > y->rule;
}

static void sort_entries(struct policy *p) {
    for (size_t i = 0; i < p->cap_nodes; i++) {
        struct node *n = p->nodes[i];
        for (unsigned k = 0; n && k < ALL_LISTS; k++) {
            struct entries *list = list_of(n, k);
            if (list->n) qsort(list->items, list->n, sizeof *list->items, by_subject);
            for (size_t e = 0; e < list->n; e++) list->subjects[e] = list->items[e].subject;
        }
    }
}

/* ---- the tables of names ---- */

static int by_rule_name(const void *a, const void *b) {
    return str_cmp(((const struct rule *)a)->name, ((const struct rule *)b)->name);
}

static int by_subject_name(const void *a, const void *b) {
    return str_cmp(((const struct subject_def *)a)->name, ((const struct subject_def *)b)->name);
}

static int by_job_name(const void *a, const void *b) {
    const struct stmt *const *x = a, *const *y = b;
    return str_cmp((*x)->name.text, (*y)->name.text);
}

static int by_time(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

uint32_t subject_index(const struct policy *policy, struct str name) {
    size_t low = 0, high = policy->n_subjects;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = str_cmp(policy->subjects[mid].name, name);
        if (order == 0) return (uint32_t)mid;
        if (order < 0) low = mid + 1;
        else high = mid;
    }
    return NO_INDEX;
}

static void gather_stmt(struct policy *p, const struct stmt *s) {
    switch (s->kind) {
    case STMT_DOMAIN: p->domains[p->n_domains++] = s; break;
    case STMT_IDENTITY:
    case STMT_ACCOUNT: p->subjects[p->n_subjects++] = (struct subject_def){ s->name.text, s }; break;
    case STMT_JOB: p->jobs[p->n_jobs++] = s; break;
    case STMT_ALLOW:
        p->ends[p->n_ends++] = s->clauses.until_us;
        p->rules[p->n_rules++] = (struct rule){ .name = s->rule, .stmt = s };
        break;
    case STMT_DENY:
    case STMT_LIMIT: p->rules[p->n_rules++] = (struct rule){ .name = s->rule, .stmt = s }; break;
    case STMT_GROUP:
    case STMT_TABLES:
    case STMT_MASK: break;
    }
}

static bool gather(struct policy *p) {
    size_t all = 1;
    for (size_t f = 0; f < p->n_files; f++) all += p->files[f].n;
    p->subjects = ARENA_ARRAY(p->arena, struct subject_def, all);
    p->rules = ARENA_ARRAY(p->arena, struct rule, all);
    p->conds = ARENA_ARRAY(p->arena, struct cond, all);
    p->jobs = ARENA_ARRAY(p->arena, const struct stmt *, all);
    p->domains = ARENA_ARRAY(p->arena, const struct stmt *, all);
    p->ends = ARENA_ARRAY(p->arena, int64_t, all);
    if (!p->subjects || !p->rules || !p->conds || !p->jobs || !p->domains || !p->ends) return false;
    for (size_t f = 0; f < p->n_files; f++)
        for (size_t i = 0; i < p->files[f].n; i++) gather_stmt(p, &p->files[f].items[i]);
    qsort(p->subjects, p->n_subjects, sizeof *p->subjects, by_subject_name);
    qsort(p->rules, p->n_rules, sizeof *p->rules, by_rule_name);
    qsort(p->jobs, p->n_jobs, sizeof *p->jobs, by_job_name);
    qsort(p->ends, p->n_ends, sizeof *p->ends, by_time);
    return true;
}

static bool finish_rules(struct policy *p) {
    p->n_conds = 1;
    for (size_t i = 0; i < p->n_rules; i++) {
        struct rule *r = &p->rules[i];
        const struct who *who = &r->stmt->who;
        if (r->stmt->clauses.has & (1u << CLAUSE_JOB | 1u << CLAUSE_FROM)) {
            p->conds[p->n_conds].clauses = &r->stmt->clauses;
            r->cond = (uint32_t)p->n_conds++;
        }
        if (!who->anyone || !who->names.n) continue;
        r->except = ARENA_ARRAY(p->arena, uint32_t, who->names.n);
        if (!r->except) return false;
        for (size_t k = 0; k < who->names.n; k++) r->except[r->n_except++] = subject_index(p, who->names.items[k].text);
    }
    return true;
}

bool policy_compile(struct policy *policy, struct policy_faults *faults) {
    struct compiler c = { .policy = policy, .faults = faults };
    if (!gather(policy) || !bearers_index(policy) || !finish_rules(policy)) return false;
    walk(&c);
    if (c.oom || c.too_many) return !c.oom;
    make_room(&c);
    c.fill = true;
    walk(&c);
    if (!c.oom) sort_entries(policy);
    return !c.oom;
}
