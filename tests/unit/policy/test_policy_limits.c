/* test_policy_limits.c: which limits apply to a request, as cases to read and against a naive interpreter. */
#include <arpa/inet.h>
#include <stdlib.h>
#include "model.h"

#define HEAD                                                                                                               \
    "domain d covers spanner demo/*, dataproc demo/batch, synapse demo/daily owner o\n"                                    \
    "identity alice is oidc corp where sub = \"alice\"\n"                                                                  \
    "identity team is oidc corp where \"team\" in groups\n"                                                                \
    "account app is \"app@x\"\n"                                                                                           \
    "account ops is \"ops@x\"\n"                                                                                           \
    "job n/a is pyspark \"gs://a.py\" sha256 \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n"
#define DB   "spanner demo/flights"
#define READ "read|" DB "|T||a"
#define MINE " in " DB " owner o\n"

/* ---- as text ---- */

static void say(struct buf *out, const struct policy_limit *l) {
    if (out->n) buf_add_z(out, "; ");
    buf_printf(out, "%.*s of %.*s: %llu %s %s", STR_ARG(l->rule), STR_ARG(l->who.n ? l->who : STR("each")),
               (unsigned long long)l->most, l->commits ? "commits" : "requests", l->at_once ? "at once" : "a second");
}

struct caller {
    const char *subject, *claims, *chain, *job, *from; /* a subject with "@" is an account */
};

static struct actor actor(const char *subject, const json_t *claims) {
    bool account = strchr(subject, '@') != NULL;
    return (struct actor){ account ? ACTOR_ACCOUNT : ACTOR_OIDC, account ? STR("") : STR("corp"), str_z(subject), claims };
}

static const struct policy_subject *identify(const struct policy *policy, struct arena *a, const struct caller *c) {
    json_t *claims = c->claims ? json_loads(c->claims, 0, NULL) : NULL;
    struct principal p = { .actor = actor(c->subject, claims), .job = str_z(c->job) };
    if (c->chain) p.chain[p.n_chain++] = actor(c->chain, NULL);
    struct in_addr v4 = { 0 };
    if (c->from) {
        assert_int_equal(inet_pton(AF_INET, c->from, &v4), 1);
        p.from.s6_addr[10] = p.from.s6_addr[11] = 0xff;
        memcpy(&p.from.s6_addr[12], &v4, 4);
    }
    const struct policy_subject *s = policy_identify(policy, &p, a);
    json_decref(claims);
    return s;
}

static const struct limit_case {
    const char *name, *rules;
    struct caller caller;
    const char *atoms;
    bool commit;
    const char *limits;
} cases[] = {
    { "none", "", { "app@x" }, READ, false, "" },
    { "its own",
      "x: limit app to 2 requests at once, 9 requests per second" MINE,
      { "app@x" },
      READ,
      false,
      "x of app: 2 requests at once; x of app: 9 requests a second" },
    { "another's", "x: limit ops to 2 requests at once" MINE, { "app@x" }, READ, false, "" },
    { "in another place",
      "x: limit app to 2 requests at once in spanner demo/other owner o\n",
      { "app@x" },
      READ,
      false,
      "" },
    { "a star is one count of all",
      "x: limit app to 2 requests at once in spanner demo/* owner o\n",
      { "app@x" },
      READ ";read|spanner demo/other|T||a",
      false,
      "x of app: 2 requests at once" },
    { "commits of what commits",
      "x: limit app to 2 commits at once, 5 requests at once" MINE,
      { "app@x" },
      "insert|" DB "|T||a",
      true,
      "x of app: 2 commits at once; x of app: 5 requests at once" },
    { "no commits of what does not",
      "x: limit app to 2 commits at once, 5 requests at once" MINE,
      { "app@x" },
      "insert|" DB "|T||a",
      false,
      "x of app: 5 requests at once" },
    { "whatever the verb",
      "x: limit app to 2 requests at once" MINE,
      { "app@x" },
      "use|" DB "||",
      false,
      "x of app: 2 requests at once" },
    { "once, whatever the number of atoms",
      "x: limit app to 2 requests at once" MINE,
      { "app@x" },
      READ ";" READ ";read|spanner demo/other|T||a;" READ,
      false,
      "x of app: 2 requests at once" },
    { "a job's place",
      "x: limit app to 3 requests per second in dataproc demo/batch owner o\n",
      { "app@x" },
      "see jobs|dataproc demo/batch||",
      false,
      "x of app: 3 requests a second" },
    { "a pipeline",
      "x: limit app to 3 requests per second in synapse demo/daily owner o\n",
      { "app@x" },
      "see jobs|synapse demo/daily||",
      false,
      "x of app: 3 requests a second" },
    { "of two names each has its count",
      "x: limit app, ops to 2 requests at once" MINE,
      { "app@x", .chain = "ops@x" },
      READ,
      false,
      "x of app: 2 requests at once; x of ops: 2 requests at once" },
    { "any actor in the chain",
      "x: limit ops to 2 requests at once" MINE,
      { "app@x", .chain = "ops@x" },
      READ,
      false,
      "x of ops: 2 requests at once" },
    { "anyone is each by itself",
      "x: limit anyone to 2 requests at once" MINE,
      { "app@x", .chain = "ops@x" },
      READ,
      false,
      "x of each: 2 requests at once" },
    { "who bears no name",
      "x: limit anyone to 2 requests at once" MINE,
      { "stranger", "{}" },
      READ,
      false,
      "x of each: 2 requests at once" },
    { "an exemption", "x: limit anyone except app to 2 requests at once" MINE, { "app@x" }, READ, false, "" },
    { "an exemption is of the current subject",
      "x: limit anyone except app to 2 requests at once" MINE,
      { "ops@x", .chain = "app@x" },
      READ,
      false,
      "x of each: 2 requests at once" },
    { "a claim that was not sent",
      "x: limit team to 2 requests at once" MINE,
      { "bob", "{}" },
      READ,
      false,
      "x of team: 2 requests at once" },
    { "a claim that says no", "x: limit team to 2 requests at once" MINE, { "bob", "{\"groups\":[]}" }, READ, false, "" },
    { "during its job",
      "x: limit app to 2 requests at once in " DB " during job n/a owner o\n",
      { "app@x", .job = "n/a" },
      READ,
      false,
      "x of app: 2 requests at once" },
    { "outside of its job",
      "x: limit app to 2 requests at once in " DB " during job n/a owner o\n",
      { "app@x" },
      READ,
      false,
      "" },
    { "from a network",
      "x: limit app to 2 requests at once in " DB " from \"10.0.0.0/8\" owner o\n",
      { "app@x", .from = "192.168.0.1" },
      READ,
      false,
      "" },
    { "from an unknown address",
      "x: limit app to 2 requests at once in " DB " from \"10.0.0.0/8\" owner o\n",
      { "app@x" },
      READ,
      false,
      "x of app: 2 requests at once" },
    { "the least of one rule",
      "x: limit app to 4 requests at once, 2 requests at once, 3 requests at once" MINE,
      { "app@x" },
      READ,
      false,
      "x of app: 2 requests at once" },
    { "of two rules each counts",
      "x: limit app to 2 requests at once" MINE "y: limit app to 3 requests at once" MINE,
      { "app@x" },
      READ,
      false,
      "x of app: 2 requests at once; y of app: 3 requests at once" },
    { "a call is in no path",
      "x: limit anyone to 2 requests at once in spanner demo/* owner o\n",
      { "app@x" },
      "call||https://h/a|",
      false,
      "" },
};

static void what_applies(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
        DEFER(buf_free) struct buf text = BUF_INIT(1 << 16), got = BUF_INIT(1 << 16);
        buf_printf(&text, "%s%s", HEAD, cases[i].rules);
        buf_add_char(&text, '\0');
        DEFER(policy_unrefp) struct policy *policy = load_text(a, text.p);
        struct atoms atoms = atoms_of(a, cases[i].atoms);
        struct policy_limits limits;
        assert_true(policy_limits(policy, identify(policy, a, &cases[i].caller), &atoms, cases[i].commit, a, &limits));
        for (size_t k = 0; k < limits.n; k++) say(&got, &limits.items[k]);
        if (!str_eq_z(buf_str(&got), cases[i].limits)) print_error("%s:\n", cases[i].name);
        assert_str(buf_str(&got), cases[i].limits);
    }
}

static void another_snapshots_subject_has_no_limits_to_tell(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
    DEFER(policy_unrefp) struct policy *one = load_text(a, HEAD "limit app to 1 requests at once" MINE);
    DEFER(policy_unrefp) struct policy *two = load_text(a, HEAD "limit app to 1 requests at once" MINE);
    struct atoms atoms = atoms_of(a, READ);
    struct policy_limits limits;
    assert_false(policy_limits(two, identify(one, a, &(struct caller){ "app@x" }), &atoms, false, a, &limits));
}

static void short_memory_is_told(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
    DEFER(policy_unrefp) struct policy *policy = load_text(a, HEAD "limit anyone to 1 requests at once" MINE);
    struct atoms atoms = atoms_of(a, READ);
    const struct policy_subject *s = identify(policy, a, &(struct caller){ "app@x" });
    struct policy_limits limits;
    arena_fail_after(1);
    assert_false(policy_limits(policy, s, &atoms, false, a, &limits));
    arena_fail_after(0);
    assert_true(policy_limits(policy, s, &atoms, false, a, &limits));
}

/* ---- random ones ---- */

enum { POLICIES = 150, REQUESTS = 25, MAX_LIMITS = 6 };

struct mlimit {
    struct mrule rule; /* who, where, when */
    struct {
        bool commits, at_once;
        unsigned most;
    } bounds[2];
    unsigned n;
};

struct mlimits {
    struct mlimit items[MAX_LIMITS];
    int n;
};

static struct mlimits random_limits(void) {
    struct mlimits out = { .n = 1 + (int)chance(MAX_LIMITS) };
    for (int i = 0; i < out.n; i++) {
        struct mlimit *l = &out.items[i];
        l->rule = random_rule(false);
        l->rule.system = (int)chance(N_SYSTEMS);
        l->n = 1 + chance(2);
        for (unsigned k = 0; k < l->n; k++) {
            l->bounds[k].commits = l->rule.system == SPANNER && chance(2);
            l->bounds[k].at_once = chance(2);
            l->bounds[k].most = 1 + chance(5);
        }
    }
    return out;
}

static void write_limit(struct mtext *t, const struct mlimit *l, int label) {
    struct buf *out = &t->files[l->rule.system != SPANNER];
    if (label >= 0) buf_printf(out, "l%d: ", label);
    buf_add_z(out, l->rule.anyone ? "limit anyone" : "limit ");
    if (l->rule.anyone && l->rule.who) buf_add_z(out, " except ");
    write_names(out, l->rule.who);
    for (unsigned k = 0; k < l->n; k++)
        buf_printf(out, "%s%u %s %s", k ? ", " : " to ", l->bounds[k].most, l->bounds[k].commits ? "commits" : "requests",
                   l->bounds[k].at_once ? "at once" : "per second");
    buf_printf(out, " in %s", m_paths[l->rule.system][l->rule.path]);
    if (l->rule.during >= 0) buf_printf(out, " during job j/j%d", l->rule.during);
    if (l->rule.net >= 0) buf_add_z(out, l->rule.net ? " from \"10.1.0.0/16\"" : " from \"10.0.0.0/8\"");
    buf_add_z(out, " owner o\n");
}

static struct policy *load_limits(struct arena *a, const struct mlimits *m, bool labels) {
    DEFER(mtext_free) struct mtext text = mtext_new();
    write_head(&text);
    for (int i = 0; i < m->n; i++) write_limit(&text, &m->items[i], labels ? i : -1);
    return load_mtext(a, &text);
}

static struct policy_limits ask(const struct policy *policy, const struct mrequest *r, struct arena *a) {
    struct atoms atoms = atoms_of_model(r, a);
    struct policy_limits limits;
    assert_true(policy_limits(policy, identify_model(policy, &r->caller, a), &atoms, r->n > 1, a, &limits));
    return limits;
}

static bool m_in_path(const struct mrule *rule, const struct mrequest *r) {
    for (int i = 0; i < r->n; i++) {
        const struct matom *a = &r->atoms[i];
        if (a->verb != VERB_ACT_AS && a->verb != VERB_CALL && m_path(rule, a)) return true;
    }
    return false;
}

static bool m_anybody_bears(const struct mcaller *c, int subject) {
    if (m_bears(&c->actor, subject) != NO) return true;
    for (int i = 0; i < c->n_chain; i++)
        if (m_bears(&c->chain[i], subject) != NO) return true;
    return false;
}

/* The least bound of a limit's unit on a name (-1: of anyone); 0: none applies. */
static unsigned m_least(const struct mlimit *l, const struct mrequest *r, int subject, bool commits, bool at_once) {
    unsigned least = 0;
    if (!m_in_path(&l->rule, r) || m_conditions(&l->rule, &r->caller) == NO || (commits && r->n == 1)) return 0;
    if (l->rule.anyone != (subject < 0)) return 0;
    if (subject < 0 ? !m_subject(&l->rule, &r->caller)
                    : !(l->rule.who >> subject & 1) || !m_anybody_bears(&r->caller, subject))
        return 0;
    for (unsigned k = 0; k < l->n; k++)
        if (l->bounds[k].commits == commits && l->bounds[k].at_once == at_once && (!least || l->bounds[k].most < least))
            least = l->bounds[k].most;
    return least;
}

static struct str subject_name(int subject) {
    static const char *const names[N_SUBJECTS] = { "i0", "i1", "i2", "i3", "a0", "a1" };
    return subject < 0 ? STR("") : str_z(names[subject]);
}

static uint64_t found(const struct policy_limits *limits, struct str rule, struct str who, bool commits, bool at_once) {
    uint64_t most = 0;
    unsigned times = 0;
    for (size_t i = 0; i < limits->n; i++) {
        const struct policy_limit *l = &limits->items[i];
        if (l->commits != commits || l->at_once != at_once || !str_eq(l->rule, rule) || !str_eq(l->who, who)) continue;
        most = l->most;
        times++;
    }
    assert_true(times <= 1);
    return most;
}

static void the_compiled_limits_are_the_naive_ones(void **state) {
    (void)state;
    unsigned n_found = 0;
    chance_state = 21;
    for (int i = 0; i < POLICIES; i++) {
        DEFER(arena_freep) struct arena *a = arena_new(1 << 24);
        struct mlimits m = random_limits();
        DEFER(policy_unrefp) struct policy *policy = load_limits(a, &m, true);
        for (int q = 0; q < REQUESTS; q++) {
            struct mrequest r = random_request();
            struct policy_limits limits = ask(policy, &r, a);
            size_t n = 0;
            for (int k = 0; k < m.n; k++)
                for (int s = -1; s < N_SUBJECTS; s++)
                    for (unsigned kind = 0; kind < 4; kind++) {
                        bool commits = kind & 1, at_once = kind & 2;
                        unsigned want = m_least(&m.items[k], &r, s, commits, at_once);
                        struct str label = arena_printf(a, "l%d", k);
                        assert_int_equal(found(&limits, label, subject_name(s), commits, at_once), want);
                        n += want != 0;
                    }
            assert_int_equal(limits.n, n);
            n_found += n != 0;
        }
    }
    assert_true(n_found > 500);
}

/* The least bound of a unit on a name in a path, whichever rule says so. */
static uint64_t least(const struct policy_limits *limits, const struct policy_limit *like) {
    uint64_t out = UINT64_MAX;
    for (size_t i = 0; i < limits->n; i++) {
        const struct policy_limit *l = &limits->items[i];
        bool same = l->commits == like->commits && l->at_once == like->at_once && str_eq(l->who, like->who);
        if (same && str_eq(l->path, like->path) && l->most < out) out = l->most;
    }
    return out;
}

static void assert_no_looser(const struct policy_limits *before, const struct policy_limits *after) {
    for (size_t i = 0; i < before->n; i++) assert_true(least(after, &before->items[i]) <= least(before, &before->items[i]));
}

static void order_duplicates_and_splitting_do_not_matter(void **state) {
    (void)state;
    chance_state = 22;
    for (int i = 0; i < POLICIES; i++) {
        DEFER(arena_freep) struct arena *a = arena_new(1 << 24);
        DEFER(mtext_free) struct mtext text = mtext_new();
        struct mlimits m = random_limits();
        DEFER(policy_unrefp) struct policy *policy = load_limits(a, &m, false);
        write_head(&text);
        for (int k = m.n - 1; k >= 0; k--)
            for (int s = 0; s < (m.items[k].rule.anyone ? 1 : N_SUBJECTS); s++)
                for (unsigned b = 0; b < m.items[k].n; b++) {
                    struct mlimit one = m.items[k];
                    if (!one.rule.anyone && !(one.rule.who &= 1u << s)) continue;
                    one.bounds[0] = one.bounds[b];
                    one.n = 1;
                    write_limit(&text, &one, -1);
                    if (chance(3) == 0) write_limit(&text, &one, -1);
                }
        DEFER(policy_unrefp) struct policy *split = load_mtext(a, &text);
        for (int q = 0; q < REQUESTS; q++) {
            struct mrequest r = random_request();
            struct policy_limits x = ask(policy, &r, a), y = ask(split, &r, a);
            assert_no_looser(&x, &y);
            assert_no_looser(&y, &x);
        }
    }
}

static void knowing_less_or_a_longer_chain_loosens_nothing(void **state) {
    (void)state;
    chance_state = 23;
    for (int i = 0; i < POLICIES; i++) {
        DEFER(arena_freep) struct arena *a = arena_new(1 << 24);
        struct mlimits m = random_limits(), more = m;
        more.n += more.n < MAX_LIMITS;
        if (more.n > m.n) more.items[m.n] = random_limits().items[0];
        DEFER(policy_unrefp) struct policy *policy = load_limits(a, &m, true);
        DEFER(policy_unrefp) struct policy *stricter = load_limits(a, &more, true);
        for (int q = 0; q < REQUESTS; q++) {
            struct mrequest r = random_request(), dim = r, longer = r, lost = r;
            dim.caller.actor.claims[chance(N_IDENTITIES)] = ABSENT;
            lost.caller.net = 0;
            if (longer.caller.n_chain < 2) longer.caller.chain[longer.caller.n_chain++] = random_actor();
            struct policy_limits before = ask(policy, &r, a), after[4];
            after[0] = ask(policy, &dim, a);
            after[1] = ask(policy, &longer, a);
            after[2] = ask(policy, &lost, a);
            after[3] = ask(stricter, &r, a);
            for (size_t k = 0; k < COUNT(after); k++) assert_no_looser(&before, &after[k]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_applies),
        cmocka_unit_test(another_snapshots_subject_has_no_limits_to_tell),
        cmocka_unit_test(short_memory_is_told),
        cmocka_unit_test(the_compiled_limits_are_the_naive_ones),
        cmocka_unit_test(order_duplicates_and_splitting_do_not_matter),
        cmocka_unit_test(knowing_less_or_a_longer_chain_loosens_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
