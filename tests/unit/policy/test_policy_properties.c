/* POLICY.md's "Properties that tests hold", on seeded random policies and requests. */
#include "model.h"

enum { POLICIES = 120, REQUESTS = 25 };
#define NOW (day(2026, 1, 10) + 5)

static enum reason run(const struct policy *policy, const struct mrequest *r, struct verdict *ret) {
    DEFER(arena_freep) struct arena *a = arena_new(1 << 20);
    struct atoms atoms = atoms_of_model(r, a);
    policy_decide(policy, identify_model(policy, &r->caller, a), &atoms, NOW, ret);
    return ret->reason;
}

static bool allowed(const struct policy *policy, const struct mrequest *r) {
    struct verdict v;
    return run(policy, r, &v) == REASON_NONE;
}

static void the_compiled_decision_is_the_naive_one(void **state) {
    (void)state;
    unsigned kinds[3] = { 0 };
    chance_state = 1;
    for (int i = 0; i < 4 * POLICIES; i++) {
        DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
        struct mpolicy m = random_policy(1 + (int)chance(MAX_RULES));
        DEFER(policy_unrefp) struct policy *policy = load_model(a, &m);
        for (int k = 0; k < REQUESTS; k++) {
            struct mrequest r = random_request();
            struct mverdict want = m_decide(&m, &r);
            struct verdict got;
            run(policy, &r, &got);
            int kind = got.reason == REASON_NONE ? M_ALLOWED : got.reason == DENIED ? M_DENIED : M_MISSING;
            kinds[want.kind]++;
            if (kind != (int)want.kind || (kind && ((int)got.atom != want.atom || got.column != want.column)))
                fail_msg("policy %d request %d: naive %d atom %d column %d, compiled %s atom %u column %d", i, k, want.kind,
                         want.atom, want.column, reason_name(got.reason), got.atom, got.column);
        }
    }
    for (size_t i = 0; i < COUNT(kinds); i++) assert_true(kinds[i] > 500); /* the chance is fair enough to mean something */
}

static bool m_port_written(const struct mpolicy *p, const struct mrequest *r) {
    struct mpolicy writing = { 0 };
    for (int i = 0; i < p->n; i++)
        if (p->rules[i].allow && p->rules[i].act == M_CALL && m_patterns[p->rules[i].url].port_written)
            writing.rules[writing.n++] = p->rules[i];
    return m_says(&writing, &r->caller, &r->atoms[0], 0, true);
}

static void a_written_port_is_known(void **state) {
    (void)state;
    unsigned counts[2] = { 0 };
    chance_state = 8;
    for (int i = 0; i < 4 * POLICIES; i++) {
        DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
        struct mpolicy m = random_policy(MAX_RULES);
        for (int k = 0; k < m.n; k++)
            if (chance(2)) m.rules[k].act = M_CALL;
        DEFER(policy_unrefp) struct policy *policy = load_model(a, &m);
        for (int k = 0; k < REQUESTS; k++) {
            struct mrequest r = random_request();
            r.n = 1;
            r.atoms[0] =
                (struct matom){ .verb = VERB_CALL, .url = (int)chance(N_URLS), .audience = (int)chance(N_AUDIENCES) };
            struct atom atom = atom_of_model(&r.atoms[0], a);
            bool want = m_port_written(&m, &r);
            assert_int_equal(policy_call_port_written(policy, identify_model(policy, &r.caller, a), &atom, NOW), want);
            counts[want]++;
        }
    }
    assert_true(counts[0] > 500 && counts[1] > 500);
}

static void order_and_duplicates_do_not_matter(void **state) {
    (void)state;
    chance_state = 2;
    for (int i = 0; i < POLICIES; i++) {
        DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
        struct mpolicy m = random_policy(1 + (int)chance(MAX_RULES / 2)), mixed = { 0 };
        for (int k = 0; k < m.n; k++) {
            mixed.rules[mixed.n] = mixed.rules[k ? chance((unsigned)mixed.n) : 0];
            mixed.rules[mixed.n++] = m.rules[k];
            if (mixed.n < MAX_RULES) mixed.rules[mixed.n++] = m.rules[chance((unsigned)k + 1)];
        }
        for (int k = 0; k < mixed.n; k++) {
            int other = (int)chance((unsigned)mixed.n);
            struct mrule kept = mixed.rules[k];
            mixed.rules[k] = mixed.rules[other];
            mixed.rules[other] = kept;
        }
        DEFER(policy_unrefp) struct policy *policy = load_model(a, &m), *other = load_model(a, &mixed);
        for (int k = 0; k < REQUESTS; k++) {
            struct mrequest r = random_request();
            struct verdict x, y;
            assert_int_equal(run(policy, &r, &x), run(other, &r, &y));
            assert_int_equal(x.atom, y.atom);
            assert_int_equal(x.column, y.column);
            assert_true(str_eq(x.rule, y.rule));
        }
        policy_unref(TAKE(other));
    }
}

static void allows_never_take_and_restrictions_never_give(void **state) {
    (void)state;
    chance_state = 3;
    for (int i = 0; i < POLICIES; i++) {
        DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
        struct mpolicy m = random_policy((int)chance(MAX_RULES)), more = m, less = m;
        more.rules[more.n++] = random_rule(true);
        less.rules[less.n++] = random_rule(false);
        DEFER(policy_unrefp) struct policy *policy = load_model(a, &m);
        DEFER(policy_unrefp) struct policy *with_allow = load_model(a, &more);
        DEFER(policy_unrefp) struct policy *with_deny = load_model(a, &less);
        for (int k = 0; k < REQUESTS; k++) {
            struct mrequest r = random_request();
            bool before = allowed(policy, &r);
            assert_true(!before || allowed(with_allow, &r));
            assert_true(before || !allowed(with_deny, &r));
        }
    }
}

/* One rule for each name, verb and listed column. */
static void write_split(struct mtext *out, const struct mrule *r) {
    for (int s = 0; s < (r->anyone ? 1 : N_SUBJECTS); s++)
        for (unsigned v = 0; v < 4; v++)
            for (int c = 0; c < (r->columns == 1 ? N_COLUMNS : 1); c++) {
                struct mrule one = *r;
                if (!r->anyone && !((one.who = r->who & 1u << s))) continue;
                if (r->act == M_DML && !((one.verbs = r->verbs & 1u << v))) continue;
                if (r->columns == 1 && !((one.column_bits = r->column_bits & 1u << c))) continue;
                write_rule(out, &one);
            }
}

static void splitting_changes_nothing(void **state) {
    (void)state;
    chance_state = 4;
    for (int i = 0; i < POLICIES; i++) {
        DEFER(arena_freep) struct arena *a = arena_new(1 << 24);
        DEFER(mtext_free) struct mtext text = mtext_new();
        struct mpolicy m = random_policy(1 + (int)chance(MAX_RULES));
        write_head(&text);
        for (int k = 0; k < m.n; k++) write_split(&text, &m.rules[k]);
        DEFER(policy_unrefp) struct policy *policy = load_model(a, &m);
        DEFER(policy_unrefp) struct policy *split = load_mtext(a, &text);
        for (int k = 0; k < REQUESTS; k++) {
            struct mrequest r = random_request();
            struct verdict x, y;
            assert_int_equal(run(policy, &r, &x), run(split, &r, &y));
            assert_int_equal(x.atom, y.atom);
            assert_int_equal(x.column, y.column);
        }
    }
}

static void knowing_less_or_a_longer_chain_never_gives(void **state) {
    (void)state;
    chance_state = 5;
    for (int i = 0; i < POLICIES; i++) {
        DEFER(arena_freep) struct arena *a = arena_new(1 << 22);
        struct mpolicy m = random_policy(1 + (int)chance(MAX_RULES));
        DEFER(policy_unrefp) struct policy *policy = load_model(a, &m);
        for (int k = 0; k < REQUESTS; k++) {
            struct mrequest r = random_request(), dim = r, longer = r, lost = r;
            struct mactor *forgetful = r.caller.n_chain && chance(2) ? &dim.caller.chain[0] : &dim.caller.actor;
            forgetful->claims[chance(N_IDENTITIES)] = ABSENT;
            lost.caller.net = 0;
            if (longer.caller.n_chain < 2) longer.caller.chain[longer.caller.n_chain++] = random_actor();
            if (allowed(policy, &r)) continue;
            assert_false(allowed(policy, &dim));
            assert_false(allowed(policy, &lost));
            assert_false(allowed(policy, &longer));
        }
    }
}

/* ---- explain ---- */

static bool asked_for(const struct mrequest *r, const struct matom *a) {
    for (int i = 0; i < r->n; i++) {
        const struct matom *b = &r->atoms[i];
        if (a->verb != b->verb) continue;
        if (a->verb == VERB_CALL && a->url == b->url && a->audience == b->audience) return true;
        if (a->verb == VERB_ACT_AS && a->account == b->account) return true;
        if (a->verb == VERB_CALL || a->verb == VERB_ACT_AS || a->path != b->path || a->system != b->system) continue;
        if (a->verb == VERB_RUN_JOB && a->account == b->account && (b->job < 0 || b->job == a->job)) return true;
        if (a->verb > VERB_CHANGE_SCHEMA && a->verb != VERB_RUN_JOB) return true;
        if (a->verb == VERB_RUN_JOB || a->table != b->table) continue;
        if (b->any || !b->n_columns) return true;
        for (int k = 0; k < b->n_columns; k++)
            if (b->columns[k] == a->columns[0]) return true;
    }
    return false;
}

/* Of all single columns and acts, the proposal gives none that was not asked for, and nothing at all to others. */
static void gives_no_more(const struct policy *before, const struct policy *after, const struct mrequest *r) {
    struct mrequest one = { .caller = r->caller, .n = 1 };
    struct matom *a = &one.atoms[0];
    for (unsigned at = 0; at < 4 * 2 * N_TABLES * N_COLUMNS; at++) {
        *a = (struct matom){ .verb = (enum verb)(at % 4),
                             .path = (int)(at / 4 % 2),
                             .table = (int)(at / 8 % N_TABLES),
                             .columns = { (int)(at / 8 / N_TABLES) },
                             .n_columns = at % 4 < 3 };
        if (!asked_for(r, a)) assert_int_equal(allowed(before, &one), allowed(after, &one));
    }
    for (int at = 0; at < N_URLS * N_AUDIENCES; at++) {
        *a = (struct matom){ .verb = VERB_CALL, .url = at % N_URLS, .audience = at / N_URLS };
        if (!asked_for(r, a)) assert_int_equal(allowed(before, &one), allowed(after, &one));
    }
    static const enum verb placed[] = { VERB_CHANGE_SCHEMA, VERB_CHANGE_GRANTS, VERB_READ_SCHEMA, VERB_RUN_JOB,
                                        VERB_ACT_AS,        VERB_SEE_JOBS,      VERB_CANCEL_JOBS, VERB_ADMINISTER };
    for (size_t at = 0; at < COUNT(placed) * 36; at++) { /* 3 systems, 2 paths, 2 accounts, 3 jobs or tables */
        int rest = (int)(at / COUNT(placed)), three = rest / 12;
        *a = (struct matom){ .verb = placed[at % COUNT(placed)], .system = rest % 3, .path = rest / 3 % 2 };
        a->account = rest / 6 % 2;
        a->table = three;
        a->job = three - 1;
        if (!asked_for(r, a)) assert_int_equal(allowed(before, &one), allowed(after, &one));
    }
    struct mrequest other = random_request();
    other.caller.actor = (struct mactor){ .account = r->caller.actor.account == 0 ? 1 : 0 };
    assert_int_equal(allowed(before, &other), allowed(after, &other));
}

static bool only_use_is_missing(const struct policy *policy, const struct mrequest *r) {
    for (int i = 0; i < r->n; i++) {
        struct mrequest one = { .caller = r->caller, .n = 1 };
        one.atoms[0] = r->atoms[i];
        if (r->atoms[i].verb == VERB_USE && !allowed(policy, &one)) return true;
    }
    return false;
}

static struct policy_explanation explain(const struct policy *policy, const struct mrequest *r, const struct verdict *v,
                                         struct arena *a) {
    struct atoms *atoms = ARENA_NEW(a, struct atoms);
    *atoms = atoms_of_model(r, a);
    struct policy_recorded rec = {
        .atoms = atoms, .verdict = *v, .job = job_of_model(r->caller.job), .from = address_of_model(r->caller.net)
    };
    rec.issuer = r->caller.actor.account < 0 ? STR("corp") : STR("");
    rec.subject = r->caller.actor.account < 0 ? STR("u1") : r->caller.actor.account ? STR("a1@x") : STR("a0@x");
    assert_true(policy_bearing_of(policy, identify_model(policy, &r->caller, a), a, &rec.bearing));
    struct policy_explanation e;
    struct err err;
    assert_int_equal(policy_explain(policy, &rec, NOW, a, &e, &err), OK);
    return e;
}

static void paste(struct mtext *text, const struct policy_explanation *e) {
    for (size_t i = 0; i < e->n_additions; i++) {
        size_t file = str_eq(e->additions[i].file, m_files[1]);
        assert_str(e->additions[i].owner, file ? "q" : "o");
        buf_add_str(&text->files[file], e->additions[i].rule);
    }
}

/* Of two additions, one alone lets nothing pass; the caller's definition, which the first may hold, is none by itself. */
static void each_is_needed(const struct mpolicy *m, const struct policy_explanation *e, const struct mrequest *r,
                           struct arena *a) {
    DEFER(mtext_free) struct mtext text = mtext_new();
    if (e->n_additions < 2) return;
    struct policy_explanation first = { .additions = e->additions, .n_additions = 1 };
    write_head(&text);
    for (int k = 0; k < m->n; k++) write_rule(&text, &m->rules[k]);
    paste(&text, &first);
    DEFER(policy_unrefp) struct policy *half = load_mtext(a, &text);
    assert_false(allowed(half, r));
}

static void the_proposed_rule_flips_exactly_that_verdict(void **state) {
    (void)state;
    enum { FLIPS = 3 * POLICIES };
    unsigned flipped[2] = { 0 };
    chance_state = 6;
    for (int i = 0; i < FLIPS; i++) {
        DEFER(arena_freep) struct arena *a = arena_new(1 << 24);
        DEFER(mtext_free) struct mtext text = mtext_new();
        struct mpolicy m = random_policy((int)chance(MAX_RULES));
        struct mrequest r = random_request();
        struct verdict v;
        write_head(&text);
        for (int k = 0; k < m.n; k++) write_rule(&text, &m.rules[k]);
        DEFER(policy_unrefp) struct policy *policy = load_model(a, &m);
        if (run(policy, &r, &v) == REASON_NONE) continue;
        struct policy_explanation e = explain(policy, &r, &v, a);
        assert_true(e.n_additions <= 2);
        assert_int_equal(e.n_additions > 0, v.reason != DENIED && (e.n_additions || !only_use_is_missing(policy, &r)));
        if (!e.n_additions) continue;
        paste(&text, &e);
        DEFER(policy_unrefp) struct policy *after = load_mtext(a, &text);
        if (!allowed(after, &r)) fail_msg("still refused with:\n%.*s", STR_ARG(e.text));
        gives_no_more(policy, after, &r);
        each_is_needed(&m, &e, &r, a);
        flipped[e.n_additions - 1]++;
    }
    assert_true(flipped[0] > FLIPS / 5 && flipped[1] > FLIPS / 50);
}

static void format_twice(struct buf *out, struct str name, struct str text, struct arena *a) {
    struct str once, twice;
    struct err err;
    assert_int_equal(policy_format((struct policy_source){ name, text }, a, &once, &err), OK);
    assert_int_equal(policy_format((struct policy_source){ name, once }, a, &twice, &err), OK);
    assert_true(str_eq(once, twice));
    buf_add_str(out, once);
}

static void formatting_keeps_the_meaning(void **state) {
    (void)state;
    chance_state = 7;
    for (int i = 0; i < POLICIES; i++) {
        DEFER(arena_freep) struct arena *a = arena_new(1 << 24);
        DEFER(mtext_free) struct mtext text = mtext_new();
        struct mpolicy m = random_policy((int)chance(MAX_RULES));
        DEFER(mtext_free) struct mtext canonical = mtext_new();
        write_head(&text);
        for (int k = 0; k < m.n; k++) write_rule(&text, &m.rules[k]);
        for (int k = 0; k < 2; k++) format_twice(&canonical.files[k], m_files[k], buf_str(&text.files[k]), a);
        DEFER(policy_unrefp) struct policy *policy = load_model(a, &m);
        DEFER(policy_unrefp) struct policy *formatted = load_mtext(a, &canonical);
        for (int k = 0; k < REQUESTS; k++) {
            struct mrequest r = random_request();
            struct verdict x, y;
            assert_int_equal(run(policy, &r, &x), run(formatted, &r, &y));
            assert_true(str_eq(x.rule, y.rule));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_compiled_decision_is_the_naive_one),
        cmocka_unit_test(a_written_port_is_known),
        cmocka_unit_test(order_and_duplicates_do_not_matter),
        cmocka_unit_test(allows_never_take_and_restrictions_never_give),
        cmocka_unit_test(splitting_changes_nothing),
        cmocka_unit_test(knowing_less_or_a_longer_chain_never_gives),
        cmocka_unit_test(the_proposed_rule_flips_exactly_that_verdict),
        cmocka_unit_test(formatting_keeps_the_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
