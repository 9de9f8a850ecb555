/* Who may? Against brute force over every way on random policies, and some policies whose answer a person can read. */
#include "model.h"
#include "policy/who.h"

#define NOW (day(2026, 1, 10) + 5)

/* ---- brute force ---- */

enum { N_JOBS_AND_NONE = 3, N_CHAINS = 1 << N_SUBJECTS };

struct walk {
    const struct mpolicy *policy;
    const struct matom *atom;
    int fewest[N_SUBJECTS][N_JOBS_AND_NONE][N_CHAINS]; /* steps with which it was reached, + 1 */
};

static struct mactor only(int subject) {
    struct mactor a = { .account = subject < N_IDENTITIES ? -1 : subject - N_IDENTITIES };
    for (int i = 0; i < N_IDENTITIES; i++) a.claims[i] = i == subject ? IS_YES : IS_NO;
    return a;
}

static bool from_anywhere(const struct mpolicy *p, struct mcaller c, struct matom atom) {
    for (c.net = 1; c.net <= 3; c.net++)
        if (m_atom(p, &c, &atom).kind == M_ALLOWED) return true;
    return false;
}

static bool may_run(const struct mpolicy *p, const struct mcaller *c, int job, int account) {
    for (int path = 0; path < 3; path++) { /* the third is one that only stars cover */
        struct matom a = { .verb = VERB_RUN_JOB, .system = DATAPROC, .path = path, .job = job, .account = account };
        if (from_anywhere(p, *c, a)) return true;
        a.system = SYNAPSE;
        if (job < 0 && from_anywhere(p, *c, a)) return true;
    }
    return false;
}

static bool reaches(struct walk *w, const struct mcaller *c, int subject, int chain);

static bool goes_on(struct walk *w, const struct mcaller *c, int subject, int chain, int account, int job) {
    struct mcaller next = *c;
    next.chain[next.n_chain++] = c->actor;
    next.actor = only(N_IDENTITIES + account);
    next.job = job;
    return reaches(w, &next, N_IDENTITIES + account, chain | 1 << subject);
}

static bool reaches(struct walk *w, const struct mcaller *c, int subject, int chain) {
    int *fewest = &w->fewest[subject][c->job + 1][chain];
    if (*fewest && *fewest <= c->n_chain + 1) return false;
    *fewest = c->n_chain + 1;
    if (from_anywhere(w->policy, *c, *w->atom)) return true;
    for (int account = 0; account < N_ACCOUNTS && c->n_chain < PRINCIPAL_MAX_CHAIN; account++) {
        if (from_anywhere(w->policy, *c, (struct matom){ .verb = VERB_ACT_AS, .account = account }) &&
            goes_on(w, c, subject, chain, account, c->job))
            return true;
        for (int job = -1; job < 2; job++)
            if (may_run(w->policy, c, job, account) && goes_on(w, c, subject, chain, account, job)) return true;
    }
    return false;
}

static bool may(const struct mpolicy *p, const struct matom *atom, int subject) {
    static struct walk w;
    memset(&w, 0, sizeof w);
    w.policy = p;
    w.atom = atom;
    for (int job = -1; job < (subject < N_IDENTITIES ? 0 : 2); job++) {
        struct mcaller c = { .actor = only(subject), .job = job };
        if (reaches(&w, &c, subject, 0)) return true;
    }
    return false;
}

static bool is_holder(const struct policy_holders *holders, int subject, size_t *ret_steps) {
    static const char *const names[N_SUBJECTS] = { "i0", "i1", "i2", "i3", "a0", "a1" };
    for (size_t i = 0; i < holders->n; i++) {
        if (!str_eq_z(holders->items[i].name, names[subject])) continue;
        *ret_steps = holders->items[i].n_steps;
        return true;
    }
    return false;
}

static void who_is_brute_force(void **state) {
    (void)state;
    enum { POLICIES = 120, ATOMS = 10 };
    static const enum act_model ways[] = { M_ACT_AS, M_RUN_JOB, M_RUN_JOBS };
    unsigned counts[2] = { 0 }, by_steps[PRINCIPAL_MAX_CHAIN + 1] = { 0 };
    chance_state = 11;
    for (int i = 0; i < POLICIES; i++) {
        DEFER(arena_freep) struct arena *a = arena_new(1 << 26);
        struct mpolicy m = random_policy(4 + (int)chance(MAX_RULES - 3));
        for (int k = 0; k < m.n; k++) {
            struct mrule *r = &m.rules[k];
            if (chance(2)) continue;
            r->act = ways[chance(COUNT(ways))];
            r->system = random_system(r->act);
            r->columns = 0;
            if (chance(2)) r->allow = true, r->anyone = false, r->until = 20;
            if (r->allow && !r->who) r->who = 1;
        }
        DEFER(policy_unrefp) struct policy *policy = load_model(a, &m);
        for (int k = 0; k < ATOMS; k++) {
            struct matom asked = random_atom();
            struct atom atom = atom_of_model(&asked, a);
            struct policy_holders holders;
            struct err err = { 0 };
            if (policy_who(policy, &atom, NOW, a, &holders, &err)) fail_msg("%s", err.message);
            for (int subject = 0; subject < N_SUBJECTS; subject++) {
                size_t steps = 0;
                bool want = may(&m, &asked, subject), got = is_holder(&holders, subject, &steps);
                if (want != got) fail_msg("policy %d atom %d subject %d: brute force %d, who %d", i, k, subject, want, got);
                counts[want]++;
                by_steps[steps] += got;
            }
        }
    }
    assert_true(counts[0] > 1000 && counts[1] > 500);
    assert_true(by_steps[0] > 200 && by_steps[1] > 100 && by_steps[2] > 10);
}

/* ---- what a person can read ---- */

#define HEAD                                                                                                               \
    "domain d covers spanner demo/flights, dataproc demo/*, synapse demo/* owner o\n"                                      \
    "identity alice is oidc corp where sub = \"alice\"\nidentity bob is oidc corp where sub = \"bob\"\n"                   \
    "account app is \"app@x\"\naccount flights is \"flights@demo.synapse\"\njob n/a is pyspark \"gs://a.py\"\n"            \
    "land: allow app to insert T(a) in spanner demo/flights during job n/a" END
#define END " owner o until 2027-01-01\n"
#define T   "insert|spanner demo/flights|T||a"

static void put(struct buf *out, const struct policy_holders *holders) {
    for (size_t i = 0; i < holders->n; i++) {
        const struct policy_holder *h = &holders->items[i];
        buf_printf(out, "%.*s:", STR_ARG(h->name));
        for (size_t k = 0; k < h->n_steps; k++) {
            buf_printf(out, " %.*s (%.*s", STR_ARG(h->steps[k].text), STR_ARG(h->steps[k].rule));
            if (h->steps[k].from.n) buf_printf(out, " from %.*s", STR_ARG(h->steps[k].from));
            buf_add_z(out, "),");
        }
        buf_printf(out, " %.*s", STR_ARG(h->rule));
        if (h->job.n) buf_printf(out, " during %.*s", STR_ARG(h->job));
        if (h->from.n) buf_printf(out, " from %.*s", STR_ARG(h->from));
        if (h->account.n) buf_printf(out, " as %.*s", STR_ARG(h->account));
        buf_add_char(out, '\n');
    }
}

static void ways_are_told(void **state) {
    (void)state;
    static const struct {
        const char *name, *rules, *atom, *holders;
    } cases[] = {
        { "itself, in its job", "", T, "app: land during n/a\n" },
        { "nobody", "", "delete|spanner demo/flights|T||", "" },
        { "by the job", "r: allow alice to run job n/a on dataproc demo/* as app" END, T,
          "alice: runs job n/a on dataproc demo/~ as app (r), land\napp: land during n/a\n" },
        { "by any job", "r: allow alice to run jobs on dataproc demo/batch as app" END, T,
          "alice: runs job n/a on dataproc demo/batch as app (r), land\napp: land during n/a\n" },
        { "acting as it is not its job", "r: allow alice to act as app" END, T, "app: land during n/a\n" },
        { "from a network", "r: allow alice to insert T in spanner demo/flights from \"10.0.0.0/8\"" END, T,
          "alice: r from 10.0.0.0/8\napp: land during n/a\n" },
        { "a denied network is left by another",
          "r: allow alice to insert T in spanner demo/flights" END
          "deny alice to insert T in spanner demo/flights from \"10.0.0.0/8\" owner o\n",
          T, "alice: r\napp: land during n/a\n" },
        { "a network that others cover wholly",
          "r: allow alice to insert T in spanner demo/flights from \"10.0.0.0/8\"" END
          "deny alice to insert T in spanner demo/flights from \"10.0.0.0/9\" owner o\n"
          "deny alice to insert T in spanner demo/flights from \"10.128.0.0/9\" owner o\n",
          T, "app: land during n/a\n" },
        { "what others leave of a network",
          "r: allow alice to insert T in spanner demo/flights from \"10.0.0.0/8\"" END
          "deny alice to insert T in spanner demo/flights from \"10.128.0.0/9\" owner o\n"
          "deny alice to insert T in spanner demo/flights from \"10.64.0.0/10\" owner o\n",
          T, "alice: r from 10.0.0.0/8\napp: land during n/a\n" },
        { "all but one address",
          "r: allow alice to insert T in spanner demo/flights from \"10.0.0.0/31\"" END
          "deny alice to insert T in spanner demo/flights from \"10.0.0.0\" owner o\n",
          T, "alice: r from 10.0.0.0/31\napp: land during n/a\n" },
        { "two steps",
          "r: allow alice to act as flights from \"10.0.0.0/8\"" END
          "s: allow flights to run job n/a on dataproc demo/batch as app" END,
          T,
          "alice: acts as flights (r from 10.0.0.0/8), runs job n/a on dataproc demo/batch as app (s), land\napp: land "
          "during n/a\nflights: runs job n/a on dataproc demo/batch as app (s), land\n" },
        { "a deny follows through the chain",
          "r: allow alice, bob to run job n/a on dataproc demo/batch as app" END
          "deny bob to insert every table in spanner demo/flights owner o\n",
          T, "alice: runs job n/a on dataproc demo/batch as app (r), land\napp: land during n/a\n" },
        { "who may not act as it may not run free code as it",
          "r: allow alice, bob to run jobs on synapse demo/* as flights" END
          "s: allow flights to delete T in spanner demo/flights" END "deny bob to act as flights owner o\n",
          "delete|spanner demo/flights|T||", "alice: runs jobs on synapse demo/~ as flights (r), s\nflights: s\n" },
        { "what has ended", "r: allow alice to act as app owner o until 2025-01-01\n", T, "app: land during n/a\n" },
        { "running, as anybody", "r: allow alice to run jobs on synapse demo/* as flights" END,
          "run job|synapse demo/daily||", "alice: r as flights\n" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
        DEFER(buf_free) struct buf got = BUF_INIT(1 << 16);
        DEFER(policy_unrefp) struct policy *policy = load_text(a, arena_printf(a, "%s%s", HEAD, cases[i].rules).p);
        struct atom atom = atom_of(a, cases[i].atom);
        struct policy_holders holders;
        struct err err = { 0 };
        if (policy_who(policy, &atom, NOW, a, &holders, &err)) fail_msg("%s: %s", cases[i].name, err.message);
        put(&got, &holders);
        if (!str_eq_z(buf_str(&got), cases[i].holders)) fail_msg("%s:\n%.*s", cases[i].name, STR_ARG(buf_str(&got)));
    }
}

static void what_no_rule_speaks_of_is_refused(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
    DEFER(policy_unrefp) struct policy *policy = load_text(a, HEAD);
    struct policy_holders holders;
    struct err err;
    static const char *const atoms[] = { "read|spanner demo/*|T||a", "read|spanner demo/flights|||",
                                         "call||https://h/..|" };
    for (size_t i = 0; i < COUNT(atoms); i++) {
        struct atom atom = atom_of(a, atoms[i]);
        assert_int_equal(policy_who(policy, &atom, NOW, a, &holders, &err), INVALID_ARGUMENT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_brute_force),
        cmocka_unit_test(ways_are_told),
        cmocka_unit_test(what_no_rule_speaks_of_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
