/* The role behind the policy, on seeded random policies: it grants all that a request may ever be allowed, and nothing that
 * no allow speaks of. */
#include "model.h"
#include "policy/roles.h"

enum { POLICIES = 250, REQUESTS = 30 };
#define NOW (day(2026, 1, 10) + 5)

static const struct str columns[N_COLUMNS] = { STR_INIT("aa"), STR_INIT("Bb"), STR_INIT("Select"), STR_INIT("dd"),
                                               STR_INIT("ee") };

static struct policy_rights rights_for(const struct policy *policy, const struct policy_subject *s, int path,
                                       struct arena *arena) {
    struct policy_table tables[N_TABLES];
    struct policy_rights rights;
    struct err err = { 0 };
    for (int i = 0; i < N_TABLES; i++) tables[i] = (struct policy_table){ str_z(m_tables[i]), columns, N_COLUMNS };
    if (policy_rights_of(policy, s, str_z(m_paths[SPANNER][path]), tables, N_TABLES, arena, &rights, &err))
        fail_msg("%s", err.message);
    return rights;
}

static const struct policy_right *right_of(const struct policy_rights *rights, enum verb verb, int table) {
    for (size_t i = 0; i < rights->n; i++)
        if (rights->items[i].verb == verb && str_eq_z(rights->items[i].table, m_tables[table])) return &rights->items[i];
    return NULL;
}

static bool grants(const struct policy_rights *rights, enum verb verb, int table, int column) {
    const struct policy_right *r = right_of(rights, verb, table);
    if (!r || !r->n_columns) return r != NULL;
    for (size_t i = 0; i < r->n_columns; i++)
        if (str_eq(r->columns[i], columns[column])) return true;
    return false;
}

/* As Spanner would judge the request by the role alone. */
static bool role_allows(const struct policy_rights *rights, const struct matom *a) {
    if (a->verb == VERB_DELETE || (!a->n_columns && !a->any)) {
        const struct policy_right *r = right_of(rights, a->verb, a->table);
        return r && !r->n_columns;
    }
    bool any = false, all = true;
    int n = a->n_columns ? a->n_columns : N_COLUMNS;
    for (int i = 0; i < n; i++) {
        bool one = grants(rights, a->verb, a->table, a->n_columns ? a->columns[i] : i);
        any = any || one;
        all = all && one;
    }
    return a->any ? any : all;
}

static void what_the_policy_allows_the_role_grants(void **state) {
    (void)state;
    unsigned allowed = 0, missing = 0;
    chance_state = 11;
    for (int i = 0; i < POLICIES; i++) {
        DEFER(arena_freep) struct arena *a = arena_new(1 << 24);
        struct mpolicy m = random_policy(1 + (int)chance(MAX_RULES));
        DEFER(policy_unrefp) struct policy *policy = load_model(a, &m);
        for (int k = 0; k < REQUESTS; k++) {
            struct mrequest r = random_request();
            for (int j = 0; j < r.n; j++) {
                if (r.atoms[j].verb > VERB_DELETE) continue;
                struct mrequest one = { .caller = r.caller, .n = 1 };
                one.atoms[0] = r.atoms[j];
                struct policy_rights rights = rights_for(policy, identify_model(policy, &r.caller, a), r.atoms[j].path, a);
                bool may = m_decide(&m, &one).kind == M_ALLOWED, by_role = role_allows(&rights, &r.atoms[j]);
                allowed += may;
                missing += !by_role;
                if (may && !by_role) fail_msg("policy %d, request %d, atom %d: the role stands in the way", i, k, j);
            }
        }
    }
    assert_true(allowed > 300 && missing > 300);
}

/* The naive reading of the header: an allow of one of the names, at its best, and no deny without conditions. */
static bool ideal(const struct mpolicy *m, unsigned names, const struct matom *a, int column) {
    bool granted = false;
    for (int i = 0; i < m->n; i++) {
        const struct mrule *r = &m->rules[i];
        if (!m_act(r, a, column)) continue;
        bool theirs = r->who & names;
        if (r->allow) granted = granted || theirs;
        else if (r->during < 0 && r->net < 0 && (r->anyone ? !theirs : theirs)) return false;
    }
    return granted;
}

static const struct policy_subject *named(const struct policy *policy, unsigned names, struct arena *a) {
    struct str items[N_SUBJECTS];
    size_t n = 0;
    for (int s = 0; s < N_SUBJECTS; s++)
        if (names >> s & 1)
            items[n++] = arena_printf(a, s < N_IDENTITIES ? "i%d" : "a%d", s < N_IDENTITIES ? s : s - N_IDENTITIES);
    return policy_subject_named(policy, items, n, a);
}

static void the_role_grants_no_more(void **state) {
    (void)state;
    unsigned counts[2] = { 0 };
    chance_state = 12;
    for (int i = 0; i < POLICIES; i++) {
        DEFER(arena_freep) struct arena *a = arena_new(1 << 24);
        struct mpolicy m = random_policy(1 + (int)chance(MAX_RULES));
        DEFER(policy_unrefp) struct policy *policy = load_model(a, &m);
        unsigned names = chance(1u << N_SUBJECTS);
        struct policy_rights rights = rights_for(policy, named(policy, names, a), i % 2, a);
        for (int at = 0; at < 4 * N_TABLES * N_COLUMNS; at++) {
            struct matom atom = { .verb = (enum verb)(at % 4), .path = i % 2, .table = at / 4 % N_TABLES, .n_columns = 1 };
            int column = at / 4 / N_TABLES;
            bool want = ideal(&m, names, &atom, column), got = grants(&rights, atom.verb, atom.table, column);
            counts[want]++;
            if (want != got)
                fail_msg("policy %d, %s table %d column %d: %d", i, verb_name(atom.verb), atom.table, column, got);
        }
    }
    assert_true(counts[0] > 500 && counts[1] > 500);
}

/* Who is in the chain, what is not known, from where and during which job: the role is that of the names. */
static void only_the_names_count(void **state) {
    (void)state;
    unsigned named_differ = 0;
    chance_state = 13;
    for (int i = 0; i < POLICIES; i++) {
        DEFER(arena_freep) struct arena *a = arena_new(1 << 24);
        struct mpolicy m = random_policy(MAX_RULES);
        DEFER(policy_unrefp) struct policy *policy = load_model(a, &m);
        struct mrequest r = random_request();
        unsigned names = 0;
        for (int s = 0; s < N_SUBJECTS; s++) names |= (unsigned)(m_bears(&r.caller.actor, s) == YES) << s;
        struct policy_rights there = rights_for(policy, identify_model(policy, &r.caller, a), 0, a),
                             alone = rights_for(policy, named(policy, names, a), 0, a),
                             others = rights_for(policy, named(policy, names ^ 1u << chance(N_SUBJECTS), a), 0, a);
        char x[POLICY_ROLE_NAME_BYTES], y[POLICY_ROLE_NAME_BYTES], z[POLICY_ROLE_NAME_BYTES];
        policy_role_name(&there, x);
        policy_role_name(&alone, y);
        policy_role_name(&others, z);
        assert_string_equal(x, y);
        assert_true(policy_is_role_name(str_z(x)));
        named_differ += strcmp(y, z) != 0;
    }
    assert_true(named_differ > 50);
}

/* The same rights have the same name, whatever the rules say besides; others have another. */
static void a_name_is_its_rights(void **state) {
    (void)state;
#define RULES(text)                                                                                                        \
    "domain d covers spanner p/* owner o\naccount x is \"x@p\"\naccount y is \"y@p\"\naccount z is \"z@p\"\n" text
#define END " in spanner p/x owner o until 2030-01-01\n"
    static const struct {
        const char *what, *rules;
        bool same;
    } cases[] = {
        { "another network",
          RULES("allow x to read Flights(aa, dd) in spanner p/x from \"10.0.0.0/8\" owner o until 2030-01-01\n"), true },
        { "two rules", RULES("allow x to read Flights(dd)" END "allow x to read Flights(aa)" END), true },
        { "an end that has passed", RULES("allow x to read Flights(dd, aa) in spanner p/x owner o until 2020-01-01\n"),
          true },
        { "another's rule", RULES("allow x to read Flights(aa, dd)" END "allow y to read `Order`" END), true },
        { "a deny of what nobody has",
          RULES("allow x to read Flights(aa, dd)" END "deny x to read `Order` in spanner p/x owner o\n"), true },
        { "another column", RULES("allow x to read Flights(aa, ee)" END), false },
        { "a column more", RULES("allow x to read Flights(aa, dd, ee)" END), false },
        { "another verb", RULES("allow x to update Flights(aa, dd)" END), false },
        { "another table", RULES("allow x to read `Order`(aa, dd)" END), false },
        { "the whole table", RULES("allow x to read Flights" END), false },
        { "all columns that there are", RULES("allow x to read Flights(aa, Bb, `Select`, dd, ee)" END), false },
        { "nothing", RULES("allow y to read Flights" END), false },
    };
    DEFER(arena_freep) struct arena *a = arena_new(1 << 26);
    DEFER(policy_unrefp) struct policy *first = load_text(a, RULES("allow x to read Flights(aa, dd)" END));
    char want[POLICY_ROLE_NAME_BYTES], got[POLICY_ROLE_NAME_BYTES];
    struct policy_rights rights = rights_for(first, policy_subject_named(first, &STR("x"), 1, a), 0, a);
    policy_role_name(&rights, want);
    assert_string_equal(
        want, "linkspan_fe8e44b598a6f55d30d6"); /* a change of how names are made orphans every role that there is */
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(policy_unrefp) struct policy *policy = load_text(a, cases[i].rules);
        rights = rights_for(policy, policy_subject_named(policy, &STR("x"), 1, a), 0, a);
        policy_role_name(&rights, got);
        if ((strcmp(want, got) == 0) != cases[i].same) fail_msg("%s: %s", cases[i].what, got);
    }
}

static void of_another_snapshot_nothing_is_said(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *a = arena_new(1 << 24);
    DEFER(policy_unrefp) struct policy *one = load_text(a, RULES("")), *two = load_text(a, RULES(""));
    struct policy_rights rights;
    struct err err = { 0 };
    bool may;
    const struct policy_subject *s = policy_subject_named(one, &STR("x"), 1, a);
    assert_int_equal(policy_rights_of(two, s, STR("spanner p/x"), NULL, 0, a, &rights, &err), FAILED_PRECONDITION);
    assert_int_equal(policy_may_ever_use(two, s, STR("spanner p/x"), &may, &err), FAILED_PRECONDITION);
    assert_false(policy_is_role_name(STR("linkspan_")));
    assert_false(policy_is_role_name(STR("linkspan_0123456789abcdef012G")));
}

static void short_memory_is_told(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *a = arena_new(1 << 26);
    DEFER(policy_unrefp)
    struct policy *policy = load_text(a, RULES("allow x to read Flights(aa, dd) and delete `Order`" END));
    const struct policy_subject *s = policy_subject_named(policy, &STR("x"), 1, a);
    struct policy_table tables[] = { { STR("Flights"), columns, N_COLUMNS }, { STR("Order"), columns, N_COLUMNS } };
    struct policy_rights rights;
    struct err err = { 0 };
    unsigned n = 1;
    for (;; n++) {
        arena_fail_after(n);
        enum code rc = policy_rights_of(policy, s, STR("spanner p/x"), tables, 2, a, &rights, &err);
        arena_fail_after(0);
        if (!rc) break;
        assert_int_equal(rc, RESOURCE_EXHAUSTED);
    }
    assert_true(n > 3);
    assert_int_equal(rights.n, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_policy_allows_the_role_grants),
        cmocka_unit_test(the_role_grants_no_more),
        cmocka_unit_test(only_the_names_count),
        cmocka_unit_test(a_name_is_its_rights),
        cmocka_unit_test(of_another_snapshot_nothing_is_said),
        cmocka_unit_test(short_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
