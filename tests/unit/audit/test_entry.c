#include <arpa/inet.h>
#include "audit_test.h"

static const struct str columns[] = { STR_INIT("carrier"), STR_INIT("delay") };

static const struct str names[] = { STR_INIT("transform"), STR_INIT("worker") };

static struct principal a_principal(void) {
    struct principal p = {
        .actor = { ACTOR_ACCOUNT, .subject = STR("transform@demo.iam.gserviceaccount.com") },
        .chain = { { ACTOR_OIDC, STR("entra"), STR("ana@corp.example"), NULL },
                   { ACTOR_ACCOUNT, .subject = STR("runner@demo.iam.gserviceaccount.com") } },
        .n_chain = 2,
        .job = STR("nightly/transform"),
        .job_run = STR("run-7"),
        .token_id = "00112233445566778899aabbccddeeff",
    };
    (void)inet_pton(AF_INET6, "::ffff:10.1.2.3", &p.from);
    return p;
}

static struct event an_event(const struct principal *p, const struct atoms *atoms) {
    return (struct event){ .kind = EVENT_REFUSAL,
                           .time_us = 1700000000123456,
                           .id = STR("01J0000000000000000000000A"),
                           .principal = p,
                           .bears = { names, 2 },
                           .chain_bears = { names, 1 },
                           .method = STR("google.spanner.v1.Spanner.Read"),
                           .resource = STR("projects/demo/instances/flights/databases/flights"),
                           .permission = STR("spanner.databases.select"),
                           .atoms = atoms,
                           .verdict = { .reason = NO_RULE_FOR_COLUMN, .atom = 0, .column = 1, .rule = STR("flights.read") },
                           .decided = true,
                           .code = PERMISSION_DENIED,
                           .detail = STR("no \"rule\" covers\ncolumn delay"),
                           .rows = 3,
                           .latency_us = 1500,
                           .commit_us = 1700000000000001,
                           .statement = STR("ab12"),
                           .trace = STR("4bf92f3577b34da6a3ce929d0e0e4736") };
}

static void test_round_trip(void **state) {
    (void)state;
    struct principal p = a_principal();
    struct atom atom = { VERB_READ, STR("spanner demo/flights"), STR("delays"), STR(""), columns, 2, false };
    struct atoms atoms = { &atom, 1, 1 };
    struct event e = an_event(&p, &atoms);
    DEFER(buf_free) struct buf out = BUF_INIT(AUDIT_ENTRY_MAX);
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct audit_entry entry;
    assert_int_equal(audit_entry_encode(&e, &out, NULL), OK);
    assert_int_equal(audit_entry_parse(buf_str(&out), arena, &entry, NULL), OK);
    assert_str(entry.id, "01J0000000000000000000000A");
    assert_int_equal(entry.time_us, e.time_us);
    assert_int_equal(entry.kind, EVENT_REFUSAL);
    assert_str(entry.actor.email, "transform@demo.iam.gserviceaccount.com");
    assert_int_equal(entry.n_chain, 2);
    assert_str(entry.chain[0].subject, "ana@corp.example");
    assert_str(entry.chain[0].issuer, "entra");
    assert_str(entry.chain[1].email, "runner@demo.iam.gserviceaccount.com");
    assert_str(entry.source, "10.1.2.3");
    assert_int_equal(entry.bears.n, 2);
    assert_str(entry.bears.items[1], "worker");
    assert_int_equal(entry.may_bear.n, 0);
    assert_str(entry.chain_bears.items[0], "transform");
    assert_str(entry.method, "google.spanner.v1.Spanner.Read");
    assert_str(entry.permission, "spanner.databases.select");
    assert_str(entry.job, "nightly/transform");
    assert_str(entry.job_run, "run-7");
    assert_str(entry.detail, "no \"rule\" covers\ncolumn delay");
    assert_true(entry.decided && !entry.allowed);
    assert_str(entry.reason, "NO_RULE_FOR_COLUMN");
    assert_str(entry.rule, "flights.read");
    assert_str(entry.refused_column, "delay");
    assert_int_equal(entry.code, PERMISSION_DENIED);
    assert_int_equal(entry.n_atoms, 1);
    assert_str(entry.atoms[0].verb, "read");
    assert_int_equal(entry.atoms[0].n_columns, 2);
    assert_str(entry.atoms[0].columns[1], "delay");
    assert_int_equal(entry.rows, 3);
    assert_int_equal(entry.latency_us, 1500);
    assert_str(entry.trace, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_str(entry.commit_timestamp, "2023-11-14T22:13:20.000001Z");
}

/* The worst that can be asked for still fits, and says what is missing. */
static void test_bounded(void **state) {
    (void)state;
    static char huge[100000];
    memset(huge, 1, sizeof huge); /* six bytes each as JSON */
    struct str text = { huge, sizeof huge };
    struct principal p = a_principal();
    p.actor.subject = p.chain[0].subject = p.chain[0].issuer = p.job = p.job_run = text;
    p.n_chain = PRINCIPAL_MAX_CHAIN;
    p.chain[2] = p.chain[3] = p.chain[0];
    static struct str many[5000];
    for (size_t i = 0; i < COUNT(many); i++) many[i] = text;
    struct atom items[3] = { { VERB_READ, text, text, text, many, COUNT(many), false } };
    items[2] = items[1] = items[0];
    struct atoms atoms = { items, 3, 3 };
    struct event e = an_event(&p, &atoms);
    e.id = e.method = e.resource = e.permission = e.detail = e.source = e.verdict.rule = e.statement = e.trace = text;
    DEFER(buf_free) struct buf out = BUF_INIT(2 * AUDIT_ENTRY_MAX);
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct audit_entry entry;
    assert_int_equal(audit_entry_encode(&e, &out, NULL), OK);
    assert_true(out.n <= AUDIT_ENTRY_MAX);
    assert_int_equal(audit_entry_parse(buf_str(&out), arena, &entry, NULL), OK);
    assert_int_equal(entry.atoms_total, 3);
    assert_int_equal(entry.atoms[0].columns_total, COUNT(many));
    assert_true(entry.atoms[0].n_columns < 100);
    assert_true(str_ends(entry.method, STR("\xe2\x80\xa6")));
}

static void test_no_memory(void **state) {
    (void)state;
    struct principal p = a_principal();
    struct atom atom = { VERB_READ, STR("spanner demo/flights"), STR("delays"), STR(""), columns, 2, false };
    struct atoms atoms = { &atom, 1, 1 };
    struct event e = an_event(&p, &atoms);
    unsigned failures = 0;
    for (unsigned n = 1; n < 200; n++) {
        DEFER(buf_free) struct buf out = BUF_INIT(AUDIT_ENTRY_MAX);
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
        struct audit_entry entry;
        arena_fail_after(n);
        enum code rc = audit_entry_encode(&e, &out, NULL);
        if (!rc) rc = audit_entry_parse(buf_str(&out), arena, &entry, NULL);
        arena_fail_after(0);
        if (rc) assert_int_equal(rc, RESOURCE_EXHAUSTED);
        failures += rc != OK;
    }
    assert_true(failures > 3 && failures < 199);
}

static const struct {
    const char *name, *text;
} bad[] = { { "empty", "" },
            { "no object", "[]" },
            { "cut", "{\"insertId\":\"a\"" },
            { "no kind", "{\"insertId\":\"a\",\"timestamp\":\"2026-01-01T00:00:00Z\"}" },
            { "no time", "{\"insertId\":\"a\",\"kind\":\"intent\"}" },
            { "key twice",
              "{\"insertId\":\"a\",\"insertId\":\"b\",\"timestamp\":\"2026-01-01T00:00:00Z\",\"kind\":\"intent\"}" },
            { "unknown kind", "{\"timestamp\":\"2026-01-01T00:00:00Z\",\"kind\":\"guess\"}" } };

static void test_bad_entries(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
        struct audit_entry entry;
        if (audit_entry_parse(str_z(bad[i].text), arena, &entry, NULL) != INVALID_ARGUMENT) fail_msg("%s", bad[i].name);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_bad_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
