/* What rules say after who: acts and clauses. */
#include <arpa/inet.h>
#include <string.h>
#include "base/clock.h"
#include "policy/parse.h"

static struct act *new_act(struct parser *p) {
    struct acts *acts = &p->stmt->acts;
    if (!arena_grow(p->lexer.arena, &acts->items, &acts->cap, acts->n + 1, sizeof *acts->items)) {
        p->lexer.oom = true;
        return NULL;
    }
    struct act *act = &acts->items[acts->n++];
    *act = (struct act){ 0 };
    return act;
}

/* ---- data ---- */

static bool set(struct parser *p, struct act *act) {
    if (p_take(p, "every")) {
        act->set = SET_EVERY;
        return p_expect(p, "table");
    }
    if (p_take(p, "tables")) {
        act->set = SET_NAMED;
        return p_name(p, &act->named);
    }
    act->set = SET_LIST;
    return p_tables(p, &act->tables);
}

static bool dml_verb(struct parser *p, unsigned *verbs) {
    static const enum verb all[] = { VERB_READ, VERB_INSERT, VERB_UPDATE, VERB_DELETE };
    for (size_t i = 0; i < COUNT(all); i++) {
        if (!p_take(p, verb_name(all[i]))) continue;
        *verbs |= 1u << all[i];
        return true;
    }
    return p_fail(p, "read, insert, update or delete");
}

static bool dml(struct parser *p, struct act *act) {
    while (p_take_punct(p, ","))
        if (!dml_verb(p, &act->verbs)) return false;
    return set(p, act);
}

static bool read_act(struct parser *p, struct act *act) {
    struct token at = p->tok;
    p_next(p);
    if (p_take(p, "schema")) {
        act->kind = ACT_READ_SCHEMA;
        return true;
    }
    if (p_take(p, "statistics")) {
        act->kind = ACT_READ_STATISTICS;
        p_later(p, at, "read statistics");
        return true;
    }
    if (p_take(p, "stream")) {
        act->kind = ACT_READ_STREAM;
        p_later(p, at, "read stream");
        return p_name(p, &act->named);
    }
    act->verbs = 1u << VERB_READ;
    return dml(p, act);
}

static bool change_act(struct parser *p, struct act *act) {
    p_next(p);
    if (p_take(p, "grants")) {
        act->kind = ACT_CHANGE_GRANTS;
        return true;
    }
    act->kind = ACT_CHANGE_SCHEMA;
    return p_expect(p, "schema") && set(p, act);
}

static bool data_act(struct parser *p) {
    struct act *act = new_act(p);
    struct token at = p->tok;
    if (!act) return false;
    act->kind = ACT_DML;
    if (p_is(p, "read")) return read_act(p, act);
    if (p_is(p, "change")) return change_act(p, act);
    if (p_take(p, "back")) {
        act->kind = ACT_BACK_UP;
        p_later(p, at, "back up");
        return p_expect(p, "up");
    }
    if (p_take(p, "restore")) {
        act->kind = ACT_RESTORE;
        p_later(p, at, "restore");
        return true;
    }
    return dml_verb(p, &act->verbs) && dml(p, act);
}

/* ---- placed ---- */

static bool run_act(struct parser *p, struct act *act) {
    act->kind = p_take(p, "jobs") ? ACT_RUN_JOBS : ACT_RUN_JOB;
    if (act->kind == ACT_RUN_JOB && (!p_expect(p, "job") || !p_jobs(p, &act->jobs))) return false;
    return p_expect(p, "on") && p_path(p, &act->path) && p_expect(p, "as") && p_names(p, &act->as);
}

static bool act_act(struct parser *p, struct act *act, struct token at) {
    act->kind = ACT_ACT_AS;
    if (p_take(p, "as")) return p_names(p, &act->as);
    act->kind = ACT_ACT_FOR;
    p_later(p, at, "act for");
    return p_expect(p, "for") && p_names(p, &act->as);
}

static bool call_act(struct parser *p, struct act *act) {
    struct name audience;
    act->kind = ACT_CALL;
    if (!p_string(p, &act->named)) return false;
    p_url(p, act);
    return p_expect(p, "with audience") && p_string(p, &audience) && p_push(p, &act->as, audience);
}

static bool placed_act(struct parser *p) {
    struct act *act = new_act(p);
    struct token at = p->tok;
    if (!act) return false;
    if (p_take(p, "run")) return run_act(p, act);
    if (p_take(p, "act")) return act_act(p, act, at);
    if (p_take(p, "call")) return call_act(p, act);
    if (p_take(p, "administer")) {
        act->kind = ACT_ADMINISTER;
        return p_path(p, &act->path);
    }
    act->kind = p_is(p, "see") ? ACT_SEE_JOBS : ACT_CANCEL_JOBS;
    if (!p_take(p, "see") && !p_take(p, "cancel")) return p_fail(p, "run, act, see, cancel, call or administer");
    return p_expect(p, "jobs on") && p_path(p, &act->path);
}

bool p_acts(struct parser *p) {
    static const char *const data[] = { "read", "insert", "update", "delete", "change", "back", "restore" };
    static const char *const placed[] = { "run", "act", "see", "cancel", "call", "administer" };
    bool is_data = false, is_placed = false;
    for (size_t i = 0; i < COUNT(data); i++) is_data = is_data || p_is(p, data[i]);
    for (size_t i = 0; i < COUNT(placed); i++) is_placed = is_placed || p_is(p, placed[i]);
    if (!is_data && !is_placed) return p_fail(p, "what may be done: read, insert, run job, act as, …");
    do {
        if (!(is_data ? data_act(p) : placed_act(p))) return false;
    } while (p_take(p, "and"));
    return is_placed || (p_expect(p, "in") && p_path(p, &p->stmt->path));
}

/* ---- clauses ---- */

/* "10.8.0.0/16", "2001:db8::/32"; an address alone is one host. */
static bool network(struct parser *p, struct clauses *c) {
    char text[INET6_ADDRSTRLEN] = "";
    struct str rest = c->from.text, address = str_cut(&rest, '/');
    uint64_t bits = 128;
    struct in_addr v4;
    bool is_v4 = false, fits = address.n < sizeof text && address.n > 0;
    if (fits) memcpy(text, address.p, address.n);
    if (fits && inet_pton(AF_INET, text, &v4) == 1) {
        is_v4 = true;
        c->net = (struct in6_addr){ .s6_addr = { [10] = 0xff, [11] = 0xff } };
        memcpy(&c->net.s6_addr[12], &v4, 4);
    } else fits = fits && inet_pton(AF_INET6, text, &c->net) == 1;
    if (rest.p != NULL && str_find_char(c->from.text, '/') >= 0) {
        fits = fits && str_u64(rest, &bits) && bits <= (is_v4 ? 32 : 128);
        if (is_v4) bits += 96;
    }
    c->net_bits = (unsigned)bits;
    if (!fits) {
        p_fault_at(p, c->from, "is not a network such as \"10.8.0.0/16\"");
        return true; /* reading goes on */
    }
    for (unsigned i = c->net_bits; i < 128; i++)
        if (c->net.s6_addr[i / 8] & (0x80u >> (i % 8))) {
            p_fault_at(p, c->from, "has bits set beyond its prefix: one host, or the network?");
            break;
        }
    return true;
}

static bool date(struct str text, int64_t *ret_us) {
    uint64_t y, m, d;
    if (text.n != 10 || text.p[4] != '-' || text.p[7] != '-') return false;
    if (!str_u64(str_upto(text, 4), &y) || !str_u64(str_upto(str_from(text, 5), 2), &m) || !str_u64(str_from(text, 8), &d))
        return false;
    if (!clock_valid_date((int64_t)y, (unsigned)m, (unsigned)d)) return false;
    *ret_us = (clock_days_from_civil((int64_t)y, (unsigned)m, (unsigned)d) + 1) * 86400 * INT64_C(1000000);
    return true;
}

static bool until(struct parser *p, struct clauses *c) {
    int64_t seconds;
    int32_t nanos;
    if (!p_value(p, "a date", &c->until)) return false;
    c->until_is_date = date(c->until.text, &c->until_us);
    if (c->until_is_date) return true;
    if (clock_parse_rfc3339(c->until.text, &seconds, &nanos)) c->until_us = seconds * 1000000 + nanos / 1000;
    else p_fault_at(p, c->until, "is not a date such as 2027-03-31, nor an instant with an offset");
    return true;
}

static bool during(struct parser *p, struct clauses *c) {
    return p_expect(p, "job") && p_jobs(p, &c->jobs);
}

static bool from(struct parser *p, struct clauses *c) {
    return p_string(p, &c->from) && network(p, c);
}

static bool when(struct parser *p, struct clauses *c) {
    c->days = p_here(p);
    if (!p_take(p, "weekdays") && !p_take(p, "daily")) return p_fail(p, "weekdays or daily");
    return p_value(p, "a time such as 08:00", &c->begin) && p_expect(p, "to") &&
           p_value(p, "a time such as 17:00", &c->end) && p_string(p, &c->zone);
}

static bool approval(struct parser *p, struct clauses *c) {
    return p_expect(p, "approval by") && p_name(p, &c->approver) && p_expect(p, "for at most") &&
           p_value(p, "a duration such as 1h", &c->at_most);
}

static bool owner(struct parser *p, struct clauses *c) {
    return p_name(p, &c->owner);
}

static bool because(struct parser *p, struct clauses *c) {
    return p_string(p, &c->because);
}

static const struct {
    const char *word;
    enum clause_kind kind;
    bool (*parse)(struct parser *, struct clauses *);
    const char *later;
} clause_rows[] = {
    { "during", CLAUSE_JOB, during, NULL },       { "from", CLAUSE_FROM, from, NULL },
    { "when", CLAUSE_WHEN, when, "when" },        { "with", CLAUSE_APPROVAL, approval, "with approval" },
    { "owner", CLAUSE_OWNER, owner, NULL },       { "until", CLAUSE_UNTIL, until, NULL },
    { "because", CLAUSE_BECAUSE, because, NULL },
};

bool p_clauses(struct parser *p) {
    struct clauses *c = &p->stmt->clauses;
    while (p->tok.kind != TOKEN_END) {
        size_t i = 0;
        while (i < COUNT(clause_rows) && !p_is(p, clause_rows[i].word)) i++;
        if (i == COUNT(clause_rows)) return p_fail(p, "a clause: during job, from, owner, until or because");
        if (c->has & 1u << clause_rows[i].kind) return p_fail(p, "each clause once");
        c->has |= 1u << clause_rows[i].kind;
        if (clause_rows[i].later) p_later(p, p->tok, clause_rows[i].later);
        p_next(p);
        if (!clause_rows[i].parse(p, c)) return false;
    }
    return true;
}
