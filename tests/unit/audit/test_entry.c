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
    static char own[COUNT(many)][300]; /* distinct from their first letters on */
    memset(own, 1, sizeof own);
    for (size_t i = 0; i < COUNT(many); i++) {
        own[i][snprintf(own[i], sizeof own[i], "%zu", i)] = 1;
        many[i] = (struct str){ own[i], sizeof own[i] };
    }
    struct atom items[3] = { { VERB_READ, text, text, text, many, COUNT(many), false } };
    items[2] = items[1] = items[0];
    items[1].verb = VERB_INSERT;
    items[2].verb = VERB_UPDATE;
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

/* ---- long lists ---- */

enum { MANY = 12000 };
static struct atom list[MANY];
static char table_names[MANY][128];

/* Tables of distinct names of `length` bytes, two columns each. */
static struct atoms tables(size_t n, int length) {
    for (size_t i = 0; i < n; i++) {
        snprintf(table_names[i], sizeof table_names[i], "T%0*zu", length - 1, i);
        list[i] =
            (struct atom){ VERB_INSERT, STR("spanner demo/flights"), str_z(table_names[i]), STR(""), columns, 2, false };
    }
    return (struct atoms){ list, n, n };
}

static void encode(const struct event *e, struct arena *arena, struct buf *out, struct audit_entry *ret) {
    assert_int_equal(audit_entry_encode(e, out, NULL), OK);
    assert_true(out->n + 250 <= AUDIT_ENTRY_MAX); /* an outbox adds its member */
    assert_int_equal(audit_entry_parse(buf_str(out), arena, ret, NULL), OK);
}

static bool tells(const struct buf *out, const char *word) {
    return str_find(buf_str(out), str_z(word)) >= 0;
}

static unsigned count_told(const struct buf *out, size_t n) {
    unsigned told = 0;
    for (size_t i = 0; i < n; i++) {
        char quoted[140];
        snprintf(quoted, sizeof quoted, "\"%.*s\"", (int)sizeof table_names[i], table_names[i]);
        told += tells(out, quoted);
    }
    return told;
}

/* Those for which there is no room are named. */
static void test_none_hides(void **state) {
    (void)state;
    struct principal p = a_principal();
    struct atoms atoms = tables(900, 8);
    list[876].verb = VERB_DELETE;
    list[876].object = STR("Salaries");
    struct event e = an_event(&p, &atoms);
    e.verdict.reason = REASON_NONE;
    DEFER(buf_free) struct buf out = BUF_INIT(2 * AUDIT_ENTRY_MAX);
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct audit_entry entry;
    encode(&e, arena, &out, &entry);
    assert_int_equal(audit_entry_tells(&atoms, NULL), OK);
    assert_int_equal(entry.atoms_total, 900);
    assert_true(entry.n_atoms > 50 && entry.n_atoms < 876);
    assert_true(tells(&out, "{\"verb\":\"delete\",\"path\":\"spanner demo/flights\",\"objects\":[\"Salaries\"]}"));
    assert_int_equal(count_told(&out, 900), 899);
    assert_false(tells(&out, "furtherCut"));
}

/* One table, and one column, behind thousands of questions about few others: each is told once, with all of its columns. */
static void test_nothing_hides_behind_its_like(void **state) {
    (void)state;
    static const struct str orders[][3] = { { STR_INIT("Salary"), STR_INIT("Id"), STR_INIT("Name") },
                                            { STR_INIT("Id"), STR_INIT("Name"), STR_INIT("Id") },
                                            { STR_INIT("Name"), STR_INIT("Id"), STR_INIT("Name") } };
    struct principal p = a_principal();
    struct atoms atoms = tables(5000, 8);
    for (size_t i = 0; i < 5000; i++) {
        list[i].object = list[i % 20].object;
        list[i].columns = orders[1 + i % 2];
        list[i].n_columns = 3;
    }
    list[4001].verb = VERB_DELETE;
    list[4001].object = STR("Salaries");
    list[4001].n_columns = 0;
    list[4321].columns = orders[0];
    struct event e = an_event(&p, &atoms);
    e.verdict = (struct verdict){ .reason = NO_RULE_FOR_COLUMN, .atom = 4321, .column = 0 };
    DEFER(buf_free) struct buf out = BUF_INIT(2 * AUDIT_ENTRY_MAX);
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct audit_entry entry;
    encode(&e, arena, &out, &entry);
    assert_int_equal(audit_entry_tells(&atoms, NULL), OK);
    assert_int_equal(entry.n_atoms, 21);
    assert_false(tells(&out, "atomsTotal") || tells(&out, "further"));
    assert_int_equal(count_told(&out, 20), 20);
    assert_str(entry.refused_column, "Salary");
    assert_str(entry.atoms[entry.refused_atom].object, table_names[1]);
    assert_int_equal(entry.atoms[entry.refused_atom].n_columns, 3);
    assert_int_equal(entry.atoms[20].n_columns, 0);
    assert_str(entry.atoms[20].object, "Salaries");
}

/* What the refusal is about is in the list, and the verdict says where. */
static void test_refused_is_told(void **state) {
    (void)state;
    static struct str many[3000];
    static char wide[COUNT(many)][32];
    for (size_t i = 0; i < COUNT(many); i++) {
        snprintf(wide[i], sizeof wide[i], "column_%zu_of_a_wide_table", i);
        many[i] = str_z(wide[i]);
    }
    many[2999] = STR("secret");
    struct principal p = a_principal();
    for (unsigned at = 0; at < 2000; at += 1999) {
        struct atoms atoms = tables(2000, 8);
        list[at].columns = many;
        list[at].n_columns = COUNT(many);
        struct event e = an_event(&p, &atoms);
        e.verdict = (struct verdict){ .reason = NO_RULE_FOR_COLUMN, .atom = at, .column = 2999 };
        DEFER(buf_free) struct buf out = BUF_INIT(2 * AUDIT_ENTRY_MAX);
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
        struct audit_entry entry;
        encode(&e, arena, &out, &entry);
        assert_true(entry.refused_atom < entry.n_atoms);
        const struct audit_atom *told = &entry.atoms[entry.refused_atom];
        assert_str(told->object, table_names[at]);
        assert_int_equal(told->columns_total, 3000);
        assert_str(told->columns[told->n_columns - 1], "secret");
        assert_str(entry.refused_column, "secret");
        assert_int_equal(count_told(&out, 2000), 2000);
    }
}

/* Whatever else is in the entry: what audit_entry_tells lets pass is told, to the last table. */
static void test_tells(void **state) {
    (void)state;
    static char huge[5000];
    memset(huge, 1, sizeof huge);
    struct str text = { huge, sizeof huge }, bears[200];
    for (size_t i = 0; i < COUNT(bears); i++) bears[i] = text;
    struct principal p = a_principal();
    p.actor = (struct actor){ ACTOR_OIDC, text, text, NULL };
    p.job = p.job_run = text;
    p.n_chain = PRINCIPAL_MAX_CHAIN;
    for (size_t i = 0; i < PRINCIPAL_MAX_CHAIN; i++) p.chain[i] = p.actor;
    unsigned passed = 0, refused = 0, cut = 0;
    for (size_t n = 100; n <= MANY - 100; n += n / 3) {
        struct atoms atoms = tables(n, n % 2 ? 12 : 100);
        list[n - 1].columns = bears;
        list[n - 1].n_columns = COUNT(bears);
        struct event e = an_event(&p, &atoms);
        e.bears = e.may_bear = e.chain_bears = (struct event_names){ bears, COUNT(bears) };
        e.method = e.resource = e.permission = e.detail = e.source = e.verdict.rule = e.statement = e.trace = text;
        e.verdict.atom = (unsigned)(n - 1);
        e.verdict.column = (int)COUNT(bears) - 1;
        DEFER(buf_free) struct buf out = BUF_INIT(2 * AUDIT_ENTRY_MAX);
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
        struct audit_entry entry;
        encode(&e, arena, &out, &entry);
        enum code rc = audit_entry_tells(&atoms, NULL);
        assert_true(rc == OK || rc == INVALID_ARGUMENT);
        if (rc == OK) {
            assert_false(tells(&out, "furtherCut"));
            assert_int_equal(count_told(&out, n), n);
        }
        assert_str(entry.atoms[entry.refused_atom].object, table_names[n - 1]);
        passed += !rc;
        refused += rc != OK;
        cut += tells(&out, "\"furtherCut\":true");
    }
    assert_true(passed > 2 && refused > 2 && cut > 2);
}

/* The few that a request mostly has need no look. */
static void test_few_are_told(void **state) {
    (void)state;
    static char huge[5000];
    memset(huge, 1, sizeof huge);
    struct str text = { huge, sizeof huge };
    struct principal p = a_principal();
    char wanted[8];
    for (size_t i = 0; i < 8; i++) list[i] = (struct atom){ VERB_CALL, text, text, text, &text, 1, false };
    struct atoms atoms = { list, 8, 8 };
    struct event e = an_event(&p, &atoms);
    DEFER(buf_free) struct buf out = BUF_INIT(2 * AUDIT_ENTRY_MAX);
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct audit_entry entry;
    for (int i = 0; i < 8; i++) { /* distinct from their first letter on */
        char *own = str_dupz(arena, text);
        own[0] = (char)('a' + i);
        list[i].object = (struct str){ own, text.n };
    }
    encode(&e, arena, &out, &entry);
    assert_int_equal(audit_entry_tells(&atoms, NULL), OK);
    assert_false(tells(&out, "furtherCut"));
    for (int i = 0; i < 8; i++) {
        snprintf(wanted, sizeof wanted, "\"%c\\u0", 'a' + i);
        assert_true(tells(&out, wanted));
    }
}

/* What a caller makes up may be as long as its request. */
static void test_huge_names(void **state) {
    (void)state;
    static char huge[3 << 20];
    memset(huge, 'x', sizeof huge);
    struct principal p = a_principal();
    struct atoms atoms = tables(400, 8);
    for (size_t i = 0; i < 200; i++) list[i].object = (struct str){ huge, sizeof huge - i };
    struct event e = an_event(&p, &atoms);
    DEFER(buf_free) struct buf out = BUF_INIT(2 * AUDIT_ENTRY_MAX);
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct audit_entry entry;
    assert_int_equal(audit_entry_tells(&atoms, NULL), OK);
    encode(&e, arena, &out, &entry);
    assert_int_equal(entry.atoms_total, 201); /* of which nothing that is told differs, is one */
    assert_int_equal(count_told(&out, 400), 200);
}

static void test_long_list_without_memory(void **state) {
    (void)state;
    struct principal p = a_principal();
    struct atoms atoms = tables(600, 40);
    struct event e = an_event(&p, &atoms);
    unsigned failures = 0;
    for (unsigned n = 1; n < 200; n++) {
        DEFER(buf_free) struct buf out = BUF_INIT(AUDIT_ENTRY_MAX);
        arena_fail_after(n);
        enum code told = audit_entry_tells(&atoms, NULL), rc = audit_entry_encode(&e, &out, NULL);
        arena_fail_after(0);
        if (told) assert_int_equal(told, RESOURCE_EXHAUSTED);
        if (rc) assert_int_equal(rc, RESOURCE_EXHAUSTED);
        failures += told || rc;
    }
    assert_true(failures > 3);
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
        cmocka_unit_test(test_none_hides),
        cmocka_unit_test(test_nothing_hides_behind_its_like),
        cmocka_unit_test(test_refused_is_told),
        cmocka_unit_test(test_tells),
        cmocka_unit_test(test_few_are_told),
        cmocka_unit_test(test_huge_names),
        cmocka_unit_test(test_long_list_without_memory),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_bad_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
