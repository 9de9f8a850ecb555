/* The plan: what is printed makes the database what the policy asks for, and then nothing is left to do. */
#include "test.h"
#include "googlesql/outline.h"
#include "googlesql/parse.h"
#include "googlesql/print.h"
#include "spanner/role_plan.h"

#define HEAD "domain d covers spanner p/* owner o\naccount x is \"x@p\"\naccount y is \"y@p\"\naccount z is \"z@p\"\n"
#define END  "in spanner p/x owner o until 2030-01-01\n"

static const char *const schema[] = {
    "CREATE TABLE A (k INT64, a INT64, sum INT64 AS (k + a) STORED) PRIMARY KEY(k)",
    "CREATE TABLE B (k INT64, b STRING(MAX)) PRIMARY KEY(k)",
};

static struct policy *load(struct arena *arena, const char *rules) {
    struct policy_source source = { STR("t.policy"), str_z(rules) };
    struct policy_faults faults;
    struct policy *policy = NULL;
    struct err err = { 0 };
    if (policy_load(&source, 1, NULL, arena, &faults, &policy, &err)) fail_msg("%s", err.message);
    return policy;
}

static void add(struct sql_outline *o, struct str statement) {
    struct err err = { 0 };
    bool passed;
    if (sql_outline_add(o, statement, &passed, &err) || passed) fail_msg("%.*s: %s", STR_ARG(statement), err.message);
}

static struct role_plan plan_of(struct arena *arena, const char *rules, const struct sql_outline *o) {
    struct sql_catalog catalog;
    struct role_plan plan;
    struct err err = { 0 };
    DEFER(policy_unrefp) struct policy *policy = load(arena, rules);
    assert_int_equal(sql_outline_catalog(o, &catalog, &err), OK);
    if (role_plan_make(policy, STR("spanner p/x"), &catalog, NULL, 0, arena, &plan, &err)) fail_msg("%s", err.message);
    for (size_t i = 0; i < plan.n_roles; i++) /* names are the policy's: they go with it */
        for (size_t k = 0; k < plan.roles[i].n_bearers; k++) assert_true(plan.roles[i].bearers[k].n > 0);
    return plan;
}

static struct sql_outline *new_schema(struct arena *arena) {
    struct sql_outline *o = sql_outline_new(arena);
    for (size_t i = 0; i < COUNT(schema); i++) add(o, str_z(schema[i]));
    return o;
}

static struct str all_statements(struct arena *arena, const struct role_plan *plan) {
    DEFER(buf_free) struct buf out = BUF_INIT(1 << 20);
    for (size_t i = 0; i < plan->n_roles; i++)
        for (size_t k = 0; k < plan->roles[i].n_statements; k++)
            buf_printf(&out, "%.*s\n", STR_ARG(plan->roles[i].statements[k]));
    return str_dup(arena, buf_str(&out));
}

static void a_plan_that_was_run_leaves_nothing(void **state) {
    (void)state;
    static const char *const cases[] = {
        HEAD "allow x to read A, B(k) and insert, update A(k, a) " END "allow y to delete B " END,
        HEAD "allow x, y to read every table " END "deny anyone except y to read A(a) in spanner p/x owner o\n",
        HEAD "allow x to read A except (a) and insert A(k, sum) and update A(sum) " END,
        HEAD "allow x to read schema " END,
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 26);
        struct sql_outline *o = new_schema(arena);
        struct role_plan first = plan_of(arena, cases[i], o);
        assert_true(first.n_roles > 0 && first.roles[0].n_statements > 0);
        for (size_t r = 0; r < first.n_roles; r++)
            for (size_t k = 0; k < first.roles[r].n_statements; k++) add(o, first.roles[r].statements[k]);
        struct role_plan second = plan_of(arena, cases[i], o);
        assert_str(all_statements(arena, &second), "");
        assert_int_equal(second.n_roles, first.n_roles);
        assert_int_equal(second.n_stale, 0);
    }
}

static void names_with_the_same_rights_share_a_role(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 26);
    struct role_plan plan = plan_of(arena, HEAD "allow x, y to read A(k) " END "allow z to read A " END, new_schema(arena));
    assert_int_equal(plan.n_roles, 2);
    assert_int_equal(plan.roles[0].n_bearers, 2);
    assert_int_equal(plan.roles[1].n_bearers, 1);
    assert_int_equal(plan.roles[0].n_statements, 2);
}

/* Generated columns are written by nobody; Spanner takes no grant to do so. */
static void generated_columns_are_not_granted_for_writing(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 26);
    struct role_plan plan = plan_of(arena, HEAD "allow x to read A(sum) and insert A(k, sum) and update A(sum) " END,
                                    new_schema(arena));
    assert_int_equal(plan.n_roles, 1);
    assert_int_equal(plan.roles[0].n_statements, 2);
    if (!str_starts(plan.roles[0].statements[1], STR("GRANT SELECT(sum), INSERT(k) ON TABLE A TO ROLE linkspan_")))
        fail_msg("%.*s", STR_ARG(plan.roles[0].statements[1]));
}

/* Somebody widened a role of ours, and a step was lost: the plan puts it right. */
static void a_role_that_was_changed_is_put_right(void **state) {
    (void)state;
#define RULES HEAD "allow x to read A(k, a) and delete B " END
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 26);
    struct role_plan clean = plan_of(arena, RULES, new_schema(arena));
    struct str role = clean.roles[0].name;
    static const struct {
        const char *grants[3], *want;
    } cases[] = {
        { { NULL }, "GRANT SELECT(a, k) ON TABLE A TO ROLE R\nGRANT DELETE ON TABLE B TO ROLE R\n" },
        { { "GRANT SELECT(k), SELECT(sum) ON TABLE A TO ROLE %.*s", "GRANT DELETE ON TABLE B TO ROLE %.*s" },
          "REVOKE SELECT(sum) ON TABLE A FROM ROLE R\nGRANT SELECT(a) ON TABLE A TO ROLE R\n" },
        { { "GRANT SELECT ON TABLE A TO ROLE %.*s", "GRANT DELETE ON TABLE B TO ROLE %.*s" },
          "REVOKE SELECT ON TABLE A FROM ROLE R\nGRANT SELECT(a, k) ON TABLE A TO ROLE R\n" },
        { { "GRANT SELECT(a, k) ON TABLE A TO ROLE %.*s", "GRANT DELETE, UPDATE ON TABLE B TO ROLE %.*s" },
          "REVOKE UPDATE ON TABLE B FROM ROLE R\n" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sql_outline *o = new_schema(arena);
        DEFER(buf_free) struct buf got = BUF_INIT(1 << 20);
        add(o, arena_printf(arena, "CREATE ROLE %.*s", STR_ARG(role)));
        for (size_t k = 0; cases[i].grants[k]; k++) {
            struct str rest = str_z(cases[i].grants[k]);
            struct str before = str_upto(rest, (size_t)str_find(rest, STR("%.*s")));
            add(o, arena_printf(arena, "%.*s%.*s", STR_ARG(before), STR_ARG(role)));
        }
        struct role_plan plan = plan_of(arena, RULES, o);
        struct str rest = all_statements(arena, &plan);
        for (ptrdiff_t at; (at = str_find(rest, role)) >= 0; rest = str_from(rest, (size_t)at + role.n)) {
            buf_add_str(&got, str_upto(rest, (size_t)at));
            buf_add_char(&got, 'R');
        }
        buf_add_str(&got, rest);
        assert_str(buf_str(&got), cases[i].want);
    }
}

static void roles_that_nobody_needs_are_named(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 26);
    struct sql_outline *o = new_schema(arena);
    add(o, STR("CREATE ROLE linkspan_0123456789abcdef0123"));
    add(o, STR("CREATE ROLE linkspan_of_the_team")); /* not of our form: not ours to drop */
    add(o, STR("GRANT SELECT(k), DELETE ON TABLE A TO ROLE linkspan_0123456789abcdef0123"));
    struct role_plan plan = plan_of(arena, HEAD "allow x to read A " END, o);
    assert_int_equal(plan.n_stale, 1);
    assert_int_equal(plan.stale[0].n_statements, 3);
    assert_str(plan.stale[0].statements[0], "REVOKE SELECT(k) ON TABLE A FROM ROLE linkspan_0123456789abcdef0123");
    assert_str(plan.stale[0].statements[2], "DROP ROLE linkspan_0123456789abcdef0123");
}

static void the_session_gets_the_name_of_the_plan(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 26);
    DEFER(policy_unrefp) struct policy *policy = load(arena, RULES "allow y to read B " END);
    struct sql_catalog catalog;
    struct role_plan plan;
    struct err err = { 0 };
    struct str both[] = { STR("x"), STR("y") }, unknown[] = { STR("nobody") };
    struct policy_names set = { both, 2 }, wrong = { unknown, 1 };
    char name[POLICY_ROLE_NAME_BYTES];
    assert_int_equal(sql_outline_catalog(new_schema(arena), &catalog, &err), OK);
    assert_int_equal(role_plan_make(policy, STR("spanner p/x"), &catalog, &set, 1, arena, &plan, &err), OK);
    assert_int_equal(
        role_name_for(policy, policy_subject_named(policy, both, 2, arena), STR("spanner p/x"), &catalog, name, &err), OK);
    assert_str(plan.roles[0].name, name);
    assert_str(plan.roles[0].bearers[0], "x,y");
    assert_int_equal(role_plan_make(policy, STR("spanner p/x"), &catalog, &wrong, 1, arena, &plan, &err), NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_that_was_run_leaves_nothing),
        cmocka_unit_test(names_with_the_same_rights_share_a_role),
        cmocka_unit_test(generated_columns_are_not_granted_for_writing),
        cmocka_unit_test(a_role_that_was_changed_is_put_right),
        cmocka_unit_test(roles_that_nobody_needs_are_named),
        cmocka_unit_test(the_session_gets_the_name_of_the_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
