/* model.h: random policies and requests, and a naive interpreter of them, written from docs/policy.md and not from the
 * compiler: a rule is a struct, deciding is a loop over all rules. The random policy is also printed as text for the real
 * one. */
#pragma once
#include "help.h"

enum {
    N_IDENTITIES = 4,
    N_ACCOUNTS = 2,
    N_SUBJECTS = N_IDENTITIES + N_ACCOUNTS,
    N_TABLES = 3,
    N_COLUMNS = 5,
    MAX_RULES = 14,
    MAX_ATOMS = 3
};
enum act_model {
    M_DML,
    M_SCHEMA,
    M_GRANTS,
    M_READ_SCHEMA,
    M_RUN_JOBS,
    M_RUN_JOB,
    M_ACT_AS,
    M_SEE,
    M_CANCEL,
    M_ADMINISTER,
    M_CALL,
    M_COUNT
};
enum truth { NO, MAYBE, YES };
enum { SPANNER, DATAPROC, SYNAPSE, N_SYSTEMS };

struct mrule {
    bool allow, anyone;
    unsigned who; /* bits: subjects; after `except` when anyone */
    enum act_model act;
    unsigned verbs; /* M_DML: bits 0..3 */
    int table;      /* -1 = every */
    int columns;    /* 0 = none, 1 = listed, 2 = except */
    unsigned column_bits;
    int system, path; /* path 0, 1: x, y; 2: star */
    int account, job;
    int url, audience; /* M_CALL: of m_patterns, m_audiences */
    int during, net;   /* -1 = none */
    int until;         /* day of 2026-01; now is day 10 */
};

struct mpolicy {
    struct mrule rules[MAX_RULES];
    int n;
};

struct mactor {
    int account; /* -1 = a person */
    enum { ABSENT, IS_YES, IS_NO } claims[N_IDENTITIES];
};

struct mcaller {
    struct mactor actor, chain[PRINCIPAL_MAX_CHAIN];
    int n_chain, job, net; /* job -1; net: 0 unknown, 1 10.1.x, 2 10.2.x, 3 192.168.x */
};

struct matom {
    enum verb verb;
    int system, path, table, job, account, url, audience;
    int columns[4], n_columns; /* column 4 is named by no rule */
    bool any;
};

struct mrequest {
    struct mcaller caller;
    struct matom atoms[MAX_ATOMS];
    int n;
};

struct mverdict {
    enum { M_ALLOWED, M_MISSING, M_DENIED } kind;
    int atom, column;
};

/* ---- URLs: as fields, as a rule writes them, as an atom holds them ---- */

enum { N_URLS = 7, N_PATTERNS = 11, N_AUDIENCES = 3 };

struct murl {
    const char *text, *scheme, *host;
    int port;
    const char *path[4]; /* segments; "" at the end: a trailing slash */
    bool star, port_written;
};

static const struct murl m_urls[N_URLS] = {
    { "https://h/", "https", "h", 443, { "" }, false, false },
    { "https://h/a", "https", "h", 443, { "a" }, false, false },
    { "https://h/a/", "https", "h", 443, { "a", "" }, false, false },
    { "https://h/a/b/c", "https", "h", 443, { "a", "b", "c" }, false, false },
    { "https://h/ab/c", "https", "h", 443, { "ab", "c" }, false, false },
    { "https://h:8443/a/b", "https", "h", 8443, { "a", "b" }, false, false },
    { "http://h/a/b", "http", "h", 80, { "a", "b" }, false, false },
};
static const struct murl m_patterns[N_PATTERNS] = {
    { "https://h/", "https", "h", 443, { "" }, false, false },
    { "https://h/a", "https", "h", 443, { "a" }, false, false },
    { "https://h:443/a/", "https", "h", 443, { "a", "" }, false, true },
    { "https://h/*", "https", "h", 443, { NULL }, true, false },
    { "https://h:443/*", "https", "h", 443, { NULL }, true, true },
    { "https://h/a/*", "https", "h", 443, { "a" }, true, false },
    { "https://h:443/a/b/*", "https", "h", 443, { "a", "b" }, true, true },
    { "https://h:8443/*", "https", "h", 8443, { NULL }, true, true },
    { "http://h/a/*", "http", "h", 80, { "a" }, true, false },
    { "http://h:80/a/b", "http", "h", 80, { "a", "b" }, false, true },
    { "https://g/*", "https", "g", 443, { NULL }, true, false },
};
static const char *const m_audiences[N_AUDIENCES] = { "", "api://x", "https://y \\" };

/* ---- chance ---- */

static uint64_t chance_state;

static inline unsigned chance(unsigned n) {
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return (unsigned)(chance_state >> 20) % n;
}

static inline int random_system(enum act_model act) {
    if (act == M_ADMINISTER) return (int)chance(N_SYSTEMS);
    if (act == M_RUN_JOBS || act == M_SEE || act == M_CANCEL) return chance(2) ? DATAPROC : SYNAPSE;
    return act == M_RUN_JOB ? DATAPROC : SPANNER;
}

static inline struct mrule random_rule(bool allow) {
    struct mrule r = { .allow = allow,
                       .anyone = !allow && chance(3) == 0,
                       .act = chance(3) ? M_DML : (enum act_model)chance(M_COUNT) };
    r.who = chance(1u << N_SUBJECTS) & (chance(2) ? chance(1u << N_SUBJECTS) : ~0u);
    if (!r.anyone && !r.who) r.who = 1u << chance(N_SUBJECTS);
    r.verbs = 1u << chance(4) | (chance(3) ? 0 : 1u << chance(4));
    r.table = (int)chance(N_TABLES + 2) - 2 < 0 ? -1 : (int)chance(N_TABLES);
    r.columns = (int)chance(3);
    if (r.act == M_SCHEMA || r.verbs & 8 || r.table < 0) r.columns = 0;
    r.column_bits = r.columns ? 1 + chance(15) : 0; /* columns 0..3 */
    r.system = random_system(r.act);
    r.path = (int)chance(3);
    r.account = (int)chance(N_ACCOUNTS);
    r.job = (int)chance(2);
    r.url = (int)chance(N_PATTERNS);
    r.audience = (int)chance(N_AUDIENCES);
    r.during = (int)chance(6) - 4 < 0 ? -1 : (int)chance(2);
    r.net = chance(5) ? -1 : (int)chance(2);
    r.until = allow ? (int)(chance(6) ? 20 : 5) : 0;
    return r;
}

static inline struct mpolicy random_policy(int n) {
    struct mpolicy p = { .n = n };
    for (int i = 0; i < n; i++) p.rules[i] = random_rule(chance(5) != 0);
    return p;
}

static inline struct mactor random_actor(void) {
    struct mactor a = { .account = chance(3) ? -1 : (int)chance(N_ACCOUNTS) };
    for (int i = 0; i < N_IDENTITIES; i++) a.claims[i] = chance(5) == 0 ? ABSENT : chance(3) ? IS_YES : IS_NO;
    return a;
}

static inline struct matom random_atom(void) {
    static const enum verb others[] = { VERB_CHANGE_SCHEMA, VERB_CHANGE_GRANTS, VERB_READ_SCHEMA, VERB_RUN_JOB,
                                        VERB_ACT_AS,        VERB_SEE_JOBS,      VERB_CANCEL_JOBS, VERB_ADMINISTER,
                                        VERB_USE,           VERB_CALL,          VERB_CALL };
    struct matom a = { .verb = chance(4) ? (enum verb)chance(4) : others[chance(COUNT(others))] };
    a.path = (int)chance(2);
    a.table = (int)chance(N_TABLES);
    a.job = (int)chance(3) - 1;
    a.system = a.verb == VERB_ADMINISTER || a.verb == VERB_USE ? (int)chance(N_SYSTEMS) : SPANNER;
    if (a.verb == VERB_RUN_JOB || a.verb == VERB_SEE_JOBS || a.verb == VERB_CANCEL_JOBS)
        a.system = chance(2) ? DATAPROC : SYNAPSE;
    if (a.system == SYNAPSE) a.job = -1; /* a pipeline */
    a.account = (int)chance(N_ACCOUNTS);
    a.url = (int)chance(N_URLS);
    a.audience = (int)chance(N_AUDIENCES);
    if (a.verb > VERB_UPDATE) return a;
    a.any = a.verb == VERB_READ && chance(4) == 0;
    a.n_columns = (int)(chance(2) ? 1 : chance(4));
    for (int i = 0; i < a.n_columns; i++) a.columns[i] = (int)chance(N_COLUMNS);
    return a;
}

static inline struct mrequest random_request(void) {
    struct mrequest r = { .n = chance(2) ? 1 : 1 + (int)chance(MAX_ATOMS) };
    r.caller = (struct mcaller){
        .actor = random_actor(), .n_chain = (int)chance(3), .job = (int)chance(3) - 1, .net = (int)chance(4)
    };
    for (int i = 0; i < r.caller.n_chain; i++) r.caller.chain[i] = random_actor();
    for (int i = 0; i < r.n; i++) r.atoms[i] = random_atom();
    return r;
}

/* ---- the naive interpreter ---- */

static inline enum truth m_bears(const struct mactor *a, int subject) {
    if (subject >= N_IDENTITIES) return a->account == subject - N_IDENTITIES ? YES : NO;
    if (a->account >= 0) return NO;
    return a->claims[subject] == ABSENT ? MAYBE : a->claims[subject] == IS_YES ? YES : NO;
}

static inline enum truth m_conditions(const struct mrule *r, const struct mcaller *c) {
    enum truth job = r->during < 0 || r->during == c->job ? YES : NO;
    enum truth net = YES; /* rule's net 0 is 10.0.0.0/8, 1 is 10.1.0.0/16 */
    if (r->net >= 0) net = c->net == 0 ? MAYBE : c->net == 3 ? NO : r->net == 0 || c->net == 1 ? YES : NO;
    return job < net ? job : net;
}

static inline bool m_subject(const struct mrule *r, const struct mcaller *c) {
    for (int s = 0; s < N_SUBJECTS; s++) {
        if (!(r->who & 1u << s)) continue;
        if (r->allow && m_bears(&c->actor, s) == YES) return true;
        if (r->anyone && m_bears(&c->actor, s) == YES) return false; /* exempt */
        if (r->allow || r->anyone) continue;
        if (m_bears(&c->actor, s) != NO) return true;
        for (int i = 0; i < c->n_chain; i++)
            if (m_bears(&c->chain[i], s) != NO) return true;
    }
    return r->anyone;
}

static inline bool m_path(const struct mrule *r, const struct matom *a) {
    return r->system == a->system && (r->path == 2 || r->path == a->path);
}

static inline bool m_url(const struct murl *pattern, const struct murl *url) {
    if (strcmp(pattern->scheme, url->scheme) != 0 || strcmp(pattern->host, url->host) != 0 || pattern->port != url->port)
        return false;
    int i = 0;
    for (; i < 4 && pattern->path[i]; i++)
        if (!url->path[i] || strcmp(pattern->path[i], url->path[i]) != 0) return false;
    return url->path[i] ? pattern->star : !pattern->star;
}

static inline bool m_act(const struct mrule *r, const struct matom *a, int column) {
    bool table = r->table < 0 || r->table == a->table;
    switch (a->verb) {
    case VERB_READ:
    case VERB_INSERT:
    case VERB_UPDATE:
    case VERB_DELETE:
        if (r->act != M_DML || !(r->verbs & 1u << a->verb) || !table || !m_path(r, a)) return false;
        if (a->verb == VERB_DELETE || r->columns == 0) return true;
        return (r->column_bits >> column & 1) == (r->columns == 1);
    case VERB_CHANGE_SCHEMA: return r->act == M_SCHEMA && table && m_path(r, a);
    case VERB_CHANGE_GRANTS: return r->act == M_GRANTS && m_path(r, a);
    case VERB_READ_SCHEMA: return r->act == M_READ_SCHEMA && m_path(r, a);
    case VERB_USE: return r->allow && r->act != M_ACT_AS && r->act != M_CALL && m_path(r, a);
    case VERB_RUN_JOB:
        if (!r->allow && a->job < 0 && r->act == M_ACT_AS && r->account == a->account) return true;
        if (!m_path(r, a) || r->account != a->account) return false;
        return r->act == M_RUN_JOBS || (r->act == M_RUN_JOB && a->job == r->job);
    case VERB_ACT_AS: return r->act == M_ACT_AS && r->account == a->account;
    case VERB_SEE_JOBS: return r->act == M_SEE && m_path(r, a);
    case VERB_CANCEL_JOBS: return r->act == M_CANCEL && m_path(r, a);
    case VERB_ADMINISTER: return r->act == M_ADMINISTER && m_path(r, a);
    case VERB_CALL: return r->act == M_CALL && r->audience == a->audience && m_url(&m_patterns[r->url], &m_urls[a->url]);
    case VERB_COUNT: break;
    }
    return false;
}

static inline bool m_says(const struct mpolicy *p, const struct mcaller *c, const struct matom *a, int column, bool allow) {
    for (int i = 0; i < p->n; i++) {
        const struct mrule *r = &p->rules[i];
        if (r->allow != allow || !m_act(r, a, column) || !m_subject(r, c)) continue;
        enum truth when = m_conditions(r, c);
        if (allow ? when == YES && r->until >= 10 : when != NO) return true;
    }
    return false;
}

static inline struct mverdict m_atom(const struct mpolicy *p, const struct mcaller *c, const struct matom *a) {
    static const int all[N_COLUMNS] = { 0, 1, 2, 3, 4 };
    const int *columns = a->n_columns ? a->columns : all;
    int n = a->n_columns ? a->n_columns : N_COLUMNS;
    struct mverdict v = { M_ALLOWED, 0, -1 };
    bool open = false, ok = false;
    for (int i = 0; i < n; i++) {
        bool denied = m_says(p, c, a, columns[i], false), granted = m_says(p, c, a, columns[i], true);
        open = open || !denied;
        ok = ok || (granted && !denied);
        if (denied ? v.kind < M_DENIED : !granted && v.kind == M_ALLOWED)
            v = (struct mverdict){ denied ? M_DENIED : M_MISSING, 0, a->n_columns ? i : -1 };
    }
    if (a->any) return (struct mverdict){ ok ? M_ALLOWED : open ? M_MISSING : M_DENIED, 0, -1 };
    return v;
}

static inline struct mverdict m_decide(const struct mpolicy *p, const struct mrequest *r) {
    struct mverdict missing = { M_ALLOWED, 0, -1 };
    for (int i = 0; i < r->n; i++) {
        struct mverdict v = m_atom(p, &r->caller, &r->atoms[i]);
        v.atom = i;
        if (v.kind == M_DENIED) return v;
        if (v.kind == M_MISSING && missing.kind == M_ALLOWED) missing = v;
    }
    return missing;
}

/* ---- the same as text, and as the program's structs ---- */

static inline bool m_is_cluster(enum act_model act) {
    return act == M_RUN_JOBS || act == M_RUN_JOB || act == M_SEE || act == M_CANCEL;
}

static const char *const m_paths[N_SYSTEMS][3] = { { "spanner p/x", "spanner p/y", "spanner p/*" },
                                                   { "dataproc p/x", "dataproc p/y", "dataproc p/*" },
                                                   { "synapse p/x", "synapse p/y", "synapse p/*" } };
static const char *const m_tables[N_TABLES] = { "Flights", "Order", "S.Weather" };
static const char *const m_written[N_TABLES] = { "FLIGHTS", "`order`", "s.weather" };
static const char *const m_columns[N_COLUMNS] = { "aa", "Bb", "Select", "dd", "ee" };
static const char *const m_columns_written[N_COLUMNS] = { "AA", "bb", "`select`", "dd", "ee" };

static const char *const m_audiences_written[N_AUDIENCES] = { "", "api://x", "https://y \\\\" };

static inline void write_names(struct buf *out, unsigned bits) {
    const char *before = "";
    for (int s = 0; s < N_SUBJECTS; s++) {
        if (!(bits & 1u << s)) continue;
        buf_printf(out, s < N_IDENTITIES ? "%si%d" : "%sa%d", before, s < N_IDENTITIES ? s : s - N_IDENTITIES);
        before = ", ";
    }
}

static inline void write_set(struct buf *out, const struct mrule *r) {
    buf_add_z(out, r->table < 0 ? " every table" : " ");
    if (r->table >= 0) buf_add_z(out, m_written[r->table]);
    if (r->columns == 2) buf_add_z(out, " except ");
    const char *before = "(";
    for (int c = 0; r->columns && c < N_COLUMNS; c++) {
        if (!(r->column_bits >> c & 1)) continue;
        buf_printf(out, "%s%s", before, m_columns_written[c]);
        before = ", ";
    }
    if (r->columns) buf_add_char(out, ')');
}

static inline void write_act(struct buf *out, const struct mrule *r) {
    static const char *const words[] = { "",       "change schema", "change grants", "read schema", "run jobs", "run job",
                                         "act as", "see jobs",      "cancel jobs",   "administer",  "call" };
    const char *before = "";
    buf_add_z(out, words[r->act]);
    for (unsigned v = 0; r->act == M_DML && v < 4; v++) {
        if (!(r->verbs & 1u << v)) continue;
        buf_printf(out, "%s%s", before, verb_name((enum verb)v));
        before = ", ";
    }
    if (r->act <= M_SCHEMA) write_set(out, r);
    if (r->act == M_RUN_JOB) buf_printf(out, " j/j%d", r->job);
    if (r->act == M_CALL)
        buf_printf(out, " \"%s\" with audience \"%s\"", m_patterns[r->url].text, m_audiences_written[r->audience]);
    else if (r->act == M_ACT_AS) buf_printf(out, " a%d", r->account);
    else if (r->act == M_ADMINISTER) buf_printf(out, " %s", m_paths[r->system][r->path]);
    else buf_printf(out, m_is_cluster(r->act) ? " on %s" : " in %s", m_paths[r->system][r->path]);
    if (r->act == M_RUN_JOB || r->act == M_RUN_JOBS) buf_printf(out, " as a%d", r->account);
}

/* Two domains, a file each: spanner's, and that of dataproc and synapse. Each defines one of the accounts. */
struct mtext {
    struct buf files[2];
};
static const struct str m_files[2] = { STR_INIT("d.policy"), STR_INIT("e.policy") };

static inline struct mtext mtext_new(void) {
    return (struct mtext){ { BUF_INIT(1 << 20), BUF_INIT(1 << 20) } };
}

static inline void mtext_free(struct mtext *t) {
    buf_free(&t->files[0]);
    buf_free(&t->files[1]);
}

static inline void write_rule(struct mtext *t, const struct mrule *r) {
    bool placeless = r->act == M_ACT_AS || r->act == M_CALL;
    struct buf *out = &t->files[placeless ? r->path % 2 : r->system != SPANNER];
    buf_add_z(out, r->allow ? "allow " : r->anyone ? "deny anyone" : "deny ");
    if (r->anyone && r->who) buf_add_z(out, " except ");
    write_names(out, r->who);
    buf_add_z(out, " to ");
    write_act(out, r);
    if (r->during >= 0) buf_printf(out, " during job j/j%d", r->during);
    if (r->net >= 0) buf_add_z(out, r->net ? " from \"10.1.0.0/16\"" : " from \"10.0.0.0/8\"");
    buf_add_z(out, " owner o");
    if (r->allow) buf_printf(out, " until 2026-01-%02d", r->until);
    buf_add_char(out, '\n');
}

static inline void write_head(struct mtext *t) {
    buf_add_z(&t->files[0], "domain d covers spanner p/* owner o\njob j/j0 is pyspark \"x\"\naccount a0 is \"a0@x\"\n");
    buf_add_z(&t->files[1], "domain e covers dataproc p/*, synapse p/* owner q\njob j/j1 is pyspark \"y\"\n"
                            "account a1 is \"a1@x\"\n");
    for (int i = 0; i < N_IDENTITIES; i++)
        buf_printf(&t->files[i % 2], "identity i%d is oidc corp where c%d = \"yes\"\n", i, i);
}

static inline struct policy *load_mtext(struct arena *arena, const struct mtext *t) {
    struct policy_source sources[2];
    struct policy_faults faults;
    struct policy *policy = NULL;
    struct err err = { 0 };
    for (int i = 0; i < 2; i++) sources[i] = (struct policy_source){ m_files[i], buf_str(&t->files[i]) };
    if (policy_load(sources, 2, NULL, arena, &faults, &policy, &err)) fail_msg("%s", err.message);
    return policy;
}

static inline struct policy *load_model(struct arena *arena, const struct mpolicy *p) {
    DEFER(mtext_free) struct mtext text = mtext_new();
    write_head(&text);
    for (int i = 0; i < p->n; i++) write_rule(&text, &p->rules[i]);
    return load_mtext(arena, &text);
}

static inline struct actor actor_of_model(const struct mactor *a) {
    static const char *const emails[] = { "a0@x", "a1@x" };
    static const char *const claims[] = { "c0", "c1", "c2", "c3" };
    if (a->account >= 0) return (struct actor){ ACTOR_ACCOUNT, STR(""), str_z(emails[a->account]), NULL };
    json_t *object = json_object();
    for (int i = 0; i < N_IDENTITIES; i++)
        if (a->claims[i] != ABSENT)
            (void)json_object_set_new(object, claims[i], json_string(a->claims[i] == IS_YES ? "yes" : "no"));
    return (struct actor){ ACTOR_OIDC, STR("corp"), STR("u1"), object };
}

static inline void drop_claims(struct actor *a) {
    union {
        const json_t *in;
        json_t *out;
    } claims = { a->claims };
    json_decref(claims.out);
}

static inline struct in6_addr address_of_model(int net) {
    static const unsigned char v4[4][2] = { { 0, 0 }, { 10, 1 }, { 10, 2 }, { 192, 168 } };
    struct in6_addr out = { 0 };
    if (!net) return out;
    out.s6_addr[10] = out.s6_addr[11] = 0xff;
    out.s6_addr[12] = v4[net][0];
    out.s6_addr[13] = v4[net][1];
    return out;
}

static inline struct str job_of_model(int job) {
    return job < 0 ? STR("") : job ? STR("j/j1") : STR("j/j0");
}

static inline const struct policy_subject *identify_model(const struct policy *policy, const struct mcaller *c,
                                                          struct arena *arena) {
    struct principal p = { .actor = actor_of_model(&c->actor),
                           .n_chain = (unsigned)c->n_chain,
                           .job = job_of_model(c->job),
                           .from = address_of_model(c->net) };
    for (int i = 0; i < c->n_chain; i++) p.chain[i] = actor_of_model(&c->chain[i]);
    const struct policy_subject *s = policy_identify(policy, &p, arena);
    for (int i = 0; i < c->n_chain; i++) drop_claims(&p.chain[i]);
    drop_claims(&p.actor);
    return s;
}

static inline struct atom atom_of_model(const struct matom *a, struct arena *arena) {
    struct atom out = { .verb = a->verb, .path = str_z(m_paths[a->system][a->path]), .any_column = a->any };
    struct str *columns = ARENA_ARRAY(arena, struct str, 4);
    for (int i = 0; i < a->n_columns; i++) columns[i] = str_z(m_columns[a->columns[i]]);
    out.columns = columns;
    out.n_columns = (size_t)a->n_columns;
    if (a->verb <= VERB_CHANGE_SCHEMA) out.object = str_z(m_tables[a->table]);
    if (a->verb == VERB_RUN_JOB) out.object = job_of_model(a->job);
    if (a->verb == VERB_RUN_JOB || a->verb == VERB_ACT_AS) out.account = a->account ? STR("a1@x") : STR("a0@x");
    if (a->verb == VERB_CALL) {
        out.object = str_z(m_urls[a->url].text);
        out.account = str_z(m_audiences[a->audience]);
    }
    if (a->verb == VERB_ACT_AS || a->verb == VERB_CALL) out.path = STR("");
    return out;
}

static inline struct atoms atoms_of_model(const struct mrequest *r, struct arena *arena) {
    struct atoms atoms = { 0 };
    for (int i = 0; i < r->n; i++) assert_true(atoms_add(&atoms, arena, atom_of_model(&r->atoms[i], arena)));
    return atoms;
}
