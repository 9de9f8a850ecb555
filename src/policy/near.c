#include "policy/near.h"
#include <arpa/inet.h>
#include "base/clock.h"
#include "policy/print.h"

/* What keeps a rule from granting, the nearest miss first. */
enum lack {
    LACK_END,
    LACK_JOB,
    LACK_NETWORK,
    LACK_CLAIM,
    LACK_ACCOUNT,
    LACK_AUDIENCE,
    LACK_CODE,
    LACK_COLUMN,
    LACK_SUBJECT
};
enum { MAX_LACKS = 2 };

struct candidate {
    const struct node *node;
    const struct entry *entry;
    unsigned lacks; /* 1 << LACK_… */
};

struct search {
    const struct near_ask *ask;
    const struct atom *atom;
    char room[256];
    struct str wild; /* the atom's path with a star */
    bool is_account; /* the caller acts as one */
    struct candidate best[NEAR_MAX];
    size_t n;
};

/* ---- which rows speak of the atom, or nearly ---- */

static bool speaks_of_path(const struct search *s, const struct node *n) {
    return str_eq(n->path, s->atom->path) || (s->wild.n && str_eq(n->path, s->wild));
}

static bool speaks(const struct search *s, const struct node *n, unsigned *lacks) {
    const struct atom *a = s->atom;
    enum node_kind kind = node_kind_of(a->verb);
    bool every = str_eq(n->object, STR("*"));
    if (kind == NODE_CALL) {
        if (!str_eq(n->path, a->account)) *lacks |= 1u << LACK_AUDIENCE;
        return (n->kind == NODE_CALL && str_eq(n->object, a->object)) ||
               (n->kind == NODE_CALL_BELOW && str_starts(a->object, n->object));
    }
    if (n->kind != kind) return false;
    if (kind == NODE_ACCOUNT) return str_eq(n->object, a->account);
    if (!speaks_of_path(s, n)) return false;
    if (kind == NODE_TABLE) return every || str_eq_nocase(n->object, a->object);
    if (kind == NODE_JOB && !every && !str_eq(n->object, a->object)) *lacks |= 1u << LACK_CODE;
    return true;
}

static bool covers(const struct search *s, const struct node *n, const struct entry *e) {
    const struct atom *a = s->atom;
    int column = s->ask->verdict->column;
    if (a->verb > VERB_UPDATE || a->any_column) return true;
    if (column >= 0 && (size_t)column < a->n_columns) return entry_has(n, e, node_column(n, a->columns[column]));
    for (uint32_t i = 0; i <= n->n_columns; i++)
        if (!entry_has(n, e, i)) return false;
    return true;
}

static unsigned lacks_of(const struct search *s, const struct node *n, const struct entry *e) {
    const struct policy *p = s->ask->policy;
    const struct policy_subject *who = s->ask->subject;
    const struct clauses *c = &p->rules[e->rule].stmt->clauses;
    unsigned lacks = 0;
    if (s->ask->now_us >= e->until_us) lacks |= 1u << LACK_END;
    bool job = bit_get(who->job_wrong, e->cond), fits = bit_get(who->cond_true, e->cond);
    if (job) lacks |= 1u << LACK_JOB;
    if (!fits && !job && c->has & 1u << CLAUSE_FROM) lacks |= 1u << LACK_NETWORK;
    if (e->account != NO_INDEX && !str_eq(p->subjects[e->account].stmt->detail.text, s->atom->account))
        lacks |= 1u << LACK_ACCOUNT;
    if (!covers(s, n, e)) lacks |= 1u << LACK_COLUMN;
    if (bit_get(who->sure, e->subject)) return lacks;
    return lacks | 1u << (bit_get(who->unsure, e->subject) ? LACK_CLAIM : LACK_SUBJECT);
}

static bool is_near(const struct search *s, const struct entry *e, unsigned lacks) {
    if (!lacks || __builtin_popcount(lacks) > MAX_LACKS) return false;
    if (!(lacks & 1u << LACK_SUBJECT)) return true;
    return lacks == 1u << LACK_SUBJECT && s->is_account && s->ask->policy->subjects[e->subject].stmt->kind == STMT_ACCOUNT;
}

/* ---- the best of them ---- */

static bool is_nearer(const struct candidate *a, const struct candidate *b) {
    int x = __builtin_popcount(a->lacks), y = __builtin_popcount(b->lacks);
    if (x != y) return x < y;
    unsigned low_a = a->lacks & -a->lacks, low_b = b->lacks & -b->lacks;
    if (low_a != low_b) return low_a < low_b;
    if (a->lacks != b->lacks) return a->lacks < b->lacks;
    return a->entry->rule < b->entry->rule;
}

/* One candidate a rule; sorted. */
static void consider(struct search *s, struct candidate c) {
    size_t at = 0;
    while (at < s->n && s->best[at].entry->rule != c.entry->rule) at++;
    if (at < s->n && !is_nearer(&c, &s->best[at])) return;
    if (at == s->n && s->n == NEAR_MAX && !is_nearer(&c, &s->best[--at])) return;
    if (at == s->n) s->n++;
    for (; at && is_nearer(&c, &s->best[at - 1]); at--) s->best[at] = s->best[at - 1];
    s->best[at] = c;
}

static void look(struct search *s) {
    const struct policy *p = s->ask->policy;
    for (size_t i = 0; i < p->cap_nodes; i++) {
        const struct node *n = p->nodes[i];
        unsigned lacks = 0;
        if (!n || !speaks(s, n, &lacks)) continue;
        const struct entries *list = &n->entries[ALLOWS][s->atom->verb];
        for (size_t k = 0; k < list->n; k++) {
            unsigned all = lacks | lacks_of(s, n, &list->items[k]);
            if (is_near(s, &list->items[k], all)) consider(s, (struct candidate){ n, &list->items[k], all });
        }
    }
    while (s->n && __builtin_popcount(s->best[s->n - 1].lacks) > __builtin_popcount(s->best[0].lacks)) s->n--;
}

/* ---- in words ---- */

static void say_end(struct buf *out, const struct entry *e) {
    char instant[CLOCK_RFC3339_MAX];
    buf_printf(out, "ended at %.*s", (int)clock_rfc3339(e->until_us, instant), instant);
}

static void say_job(struct buf *out, const struct clauses *c, struct str job) {
    buf_add_z(out, "is for the time of job ");
    for (size_t i = 0; i < c->jobs.n; i++) buf_printf(out, "%s%.*s", i ? ", " : "", STR_ARG(c->jobs.items[i].text));
    buf_add_z(out, job.n ? ", and the request came from job " : ", and the request came from no job");
    print_safe(out, job);
}

static void say_network(struct buf *out, const struct clauses *c, const struct in6_addr *from) {
    char text[INET6_ADDRSTRLEN] = "an address that is not known";
    bool v4 = IN6_IS_ADDR_V4MAPPED(from);
    if (!IN6_IS_ADDR_UNSPECIFIED(from))
        (void)inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? &from->s6_addr[12] : from->s6_addr, text, sizeof text);
    buf_printf(out, "is for network %.*s, and the request came from %s", STR_ARG(c->from.text), text);
}

static void say_code(struct buf *out, const struct node *n, struct str job) {
    buf_printf(out, "is for job %.*s, and the code is that of ", STR_ARG(n->object));
    if (job.n) print_safe(out, job);
    else buf_add_z(out, "no job statement: has it changed since?");
}

static void say_lack(struct buf *out, const struct search *s, const struct candidate *c, enum lack lack) {
    const struct policy *p = s->ask->policy;
    const struct clauses *clauses = &p->rules[c->entry->rule].stmt->clauses;
    struct str subject = p->subjects[c->entry->subject].name;
    switch (lack) {
    case LACK_END: say_end(out, c->entry); break;
    case LACK_JOB: say_job(out, clauses, s->ask->recorded->job); break;
    case LACK_NETWORK: say_network(out, clauses, &s->ask->recorded->from); break;
    case LACK_CLAIM:
        buf_printf(out, "is for %.*s, and the issuer did not send the claim that tells", STR_ARG(subject));
        break;
    case LACK_ACCOUNT: buf_printf(out, "is for account %.*s", STR_ARG(p->subjects[c->entry->account].name)); break;
    case LACK_AUDIENCE:
        buf_add_z(out, c->node->path.n ? "is for audience " : "is for calls without a token");
        buf_add_str(out, c->node->path);
        break;
    case LACK_CODE: say_code(out, c->node, s->atom->object); break;
    case LACK_COLUMN: buf_add_z(out, "does not cover the column"); break;
    case LACK_SUBJECT: buf_printf(out, "is for another account, %.*s", STR_ARG(subject)); break;
    }
}

static struct str words(const struct search *s, const struct candidate *c, struct arena *arena) {
    DEFER(buf_free) struct buf out = BUF_INIT(1 << 20);
    for (unsigned lack = 0; lack <= LACK_SUBJECT; lack++) {
        if (!(c->lacks & 1u << lack)) continue;
        if (out.n) buf_add_z(&out, "; it ");
        say_lack(&out, s, c, (enum lack)lack);
    }
    return buf_ok(&out) ? str_dup(arena, buf_str(&out)) : (struct str){ 0 };
}

static bool acts_as_account(const struct near_ask *ask) {
    for (uint32_t i = 0; i < ask->policy->n_subjects; i++)
        if (ask->policy->subjects[i].stmt->kind == STMT_ACCOUNT && bit_get(ask->subject->sure, i)) return true;
    return false;
}

bool near_rules(const struct near_ask *ask, struct arena *arena, struct policy_near *ret, size_t *ret_n) {
    struct search s = { .ask = ask, .atom = &ask->recorded->atoms->items[ask->verdict->atom] };
    s.wild = path_wild(s.atom->path, s.room);
    s.is_account = acts_as_account(ask);
    look(&s);
    for (size_t i = 0; i < s.n; i++) {
        const struct rule *rule = &ask->policy->rules[s.best[i].entry->rule];
        ret[i] = (struct policy_near){ .rule = str_dup(arena, rule->name),
                                       .file = str_dup(arena, ask->policy->files[rule->stmt->file].name),
                                       .line = rule->stmt->line,
                                       .lacks = words(&s, &s.best[i], arena) };
        if (!ret[i].rule.p || !ret[i].file.p || !ret[i].lacks.p) return false;
    }
    *ret_n = s.n;
    return true;
}
