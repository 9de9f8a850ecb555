#include "audit_test.h"

#include <errno.h>
#include "audit/refusals.h"

static void test_append_close_open(void **state) {
    (void)state;
    struct place p = place_new();
    struct audit_log *log = log_open(&p);
    uint64_t index = 99;
    assert_int_equal(append_wait(log, EVENT_OUTCOME, "a", &index), OK);
    assert_int_equal(index, 0);
    append_n(log, 0, 1000);
    assert_int_equal(append_wait(log, EVENT_OUTCOME, "b", &index), OK);
    assert_int_equal(index, 1001);
    audit_close(log);
    check_verifies(&p, 1002);
    log = log_open(&p);
    assert_int_equal(append_wait(log, EVENT_OUTCOME, "c", &index), OK);
    assert_int_equal(index, 1002);
    audit_close(log);
    check_verifies(&p, 1003);
    place_free(&p);
}

/* Many small publications: partial tiles replaced by larger ones, over the border of a tile of tiles' width. */
static void test_many_publications(void **state) {
    (void)state;
    struct place p = place_new();
    struct audit_log *log = log_open(&p);
    unsigned total = 0;
    for (unsigned i = 0; i < 40; i++) {
        append_n(log, total, 1 + i);
        total += 1 + i;
        assert_int_equal(audit_flush(log, NULL), OK);
        check_verifies(&p, total); /* while it is open */
    }
    audit_close(log);
    check_verifies(&p, total);
    place_free(&p);
}

static void *append_much(void *ctx) {
    append_n(ctx, 0, 6000);
    return NULL;
}

/* Readers beside the writer see a whole log each time, never one in between. */
static void test_readers_beside_the_writer(void **state) {
    (void)state;
    struct place p = place_new();
    struct audit_log *log = log_open(&p);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, append_much, log), 0);
    uint64_t before = 0;
    for (unsigned i = 0; i < 25; i++) {
        struct audit_report report;
        struct err err = { 0 };
        if (audit_verify(p.dir, p.key, STR(""), NULL, NULL, &report, &err)) fail_msg("verify: %s", err.message);
        assert_true(report.live && report.entries >= before);
        before = report.entries;
        (void)usleep(10000);
    }
    pthread_join(thread, NULL);
    audit_close(log);
    assert_true(before > 0);
    place_free(&p);
}

static void test_second_opener(void **state) {
    (void)state;
    struct place p = place_new();
    struct audit_log *log = log_open(&p), *other = NULL;
    struct audit_options o = { .dir = p.dir, .origin = ORIGIN, .key = p.key };
    assert_int_equal(audit_open(&o, &other, NULL), ALREADY_EXISTS);
    audit_close(log);
    o.origin = STR("another.test/audit");
    assert_int_equal(audit_open(&o, &other, NULL), FAILED_PRECONDITION);
    place_free(&p);
}

static void test_lost_checkpoint(void **state) {
    (void)state;
    struct place p = place_new();
    struct audit_log *log = log_open(&p);
    append_n(log, 0, 3);
    audit_close(log);
    shell("rm '%s/checkpoint'", p.dir);
    struct audit_options o = { .dir = p.dir, .origin = ORIGIN, .key = p.key };
    assert_int_equal(audit_open(&o, &log, NULL), DATA_LOSS);
    place_free(&p);
}

static void test_limits(void **state) {
    (void)state;
    struct place p = place_new();
    struct audit_log *log = NULL;
    struct audit_options o = { .dir = p.dir, .origin = ORIGIN, .key = p.key, .queue_max_bytes = 100000 };
    assert_int_equal(audit_open(&o, &log, NULL), OK);
    static char big[AUDIT_ENTRY_MAX + 1];
    memset(big, ' ', sizeof big);
    big[0] = '{';
    big[AUDIT_ENTRY_MAX] = '}';
    assert_int_equal(audit_append(log, (struct str){ big, AUDIT_ENTRY_MAX + 1 }, AUDIT_PROMPT, NULL, NULL, NULL),
                     INVALID_ARGUMENT);
    assert_int_equal(audit_append(log, STR("[]"), AUDIT_PROMPT, NULL, NULL, NULL), INVALID_ARGUMENT);
    big[AUDIT_ENTRY_MAX - 1] = '}';
    struct str entry = { big, AUDIT_ENTRY_MAX };
    io_fail_after(1, UINT32_MAX, ENOSPC); /* nothing leaves the queue */
    assert_int_equal(audit_append(log, entry, AUDIT_PROMPT, NULL, NULL, NULL), OK);
    assert_int_equal(audit_append(log, entry, AUDIT_PROMPT, NULL, NULL, NULL), RESOURCE_EXHAUSTED);
    io_fail_after(0, 0, 0);
    assert_int_equal(audit_flush(log, NULL), OK);
    assert_int_equal(audit_append(log, entry, AUDIT_PROMPT, NULL, NULL, NULL), OK);
    arena_fail_after(1);
    assert_int_equal(audit_append(log, STR("{}"), AUDIT_PROMPT, NULL, NULL, NULL), RESOURCE_EXHAUSTED);
    arena_fail_after(0);
    audit_close(log);
    check_verifies(&p, 2);
    place_free(&p);
}

/* Without any other traffic a prompt entry is durable within 100 ms (a loaded machine is given more). */
static void test_prompt_is_prompt(void **state) {
    (void)state;
    struct place p = place_new();
    struct audit_log *log = log_open(&p);
    struct answer a = ANSWER_INIT;
    uint64_t start = clock_mono_us();
    assert_int_equal(audit_append(log, STR("{}"), AUDIT_PROMPT, answer_done, &a, NULL), OK);
    assert_int_equal(answer_wait(&a), OK);
    assert_true(clock_mono_us() - start < 500000);
    audit_close(log);
    place_free(&p);
}

static void test_disk_full_and_back(void **state) {
    (void)state;
    struct place p = place_new();
    struct audit_log *log = log_open(&p);
    assert_int_equal(append_wait(log, EVENT_OUTCOME, "before", NULL), OK);
    io_fail_after(1, UINT32_MAX, ENOSPC);
    append_n(log, 0, 10); /* prompt: kept */
    assert_int_equal(append_wait(log, EVENT_INTENT, "refused", NULL), UNAVAILABLE);
    assert_int_equal(audit_flush(log, NULL), UNAVAILABLE);
    struct audit_stats stats;
    audit_stats(log, &stats);
    assert_true(stats.failing && stats.failures > 0);
    assert_int_equal(stats.size, 1);
    io_fail_after(0, 0, 0);
    assert_int_equal(append_wait(log, EVENT_OUTCOME, "after", NULL), OK);
    audit_close(log);
    check_verifies(&p, 12);
    place_free(&p);
}

/* Every write and sync of a run fails once, and once for good until reopened: nothing acknowledged is lost. */
static void fail_at(unsigned n, unsigned times, int error, bool *ret_reached) {
    struct place p = place_new();
    struct audit_log *log = log_open(&p);
    unsigned acked = 0;
    io_fail_after(n, times, error);
    for (unsigned i = 0; i < 6; i++) {
        acked += append_wait(log, EVENT_OUTCOME, "x", NULL) == OK;
        if (i % 2 && audit_flush(log, NULL)) continue; /* it may refuse */
    }
    *ret_reached = io_calls() >= n;
    audit_close(log);
    io_fail_after(0, 0, 0);
    log = log_open(&p);
    struct audit_stats stats;
    audit_stats(log, &stats);
    assert_true(stats.size >= acked && stats.size <= 6);
    uint64_t index = 0;
    assert_int_equal(append_wait(log, EVENT_OUTCOME, "y", &index), OK);
    assert_int_equal(index, stats.size);
    audit_close(log);
    check_verifies(&p, stats.size + 1);
    place_free(&p);
}

static void test_io_faults(void **state) {
    (void)state;
    bool reached = true;
    unsigned n = 1;
    for (; reached; n++) {
        fail_at(n, 1, n % 2 ? ENOSPC : EIO, &reached);
        if (reached && n % 3 == 0) fail_at(n, UINT32_MAX, n % 2 ? EIO : ENOSPC, &reached);
    }
    assert_true(n > 30);
}

static void outbox(struct audit_log *log, uint64_t sequence, enum code expected, bool again) {
    struct answer a = ANSWER_INIT;
    char text[512];
    size_t size = make_entry(text, sizeof text, EVENT_OUTCOME, "o");
    enum code rc = audit_append_from_outbox(log, STR("demo/flights"), sequence, (struct str){ text, size }, answer_done, &a,
                                            NULL);
    assert_int_equal(rc, expected);
    if (rc) return;
    assert_int_equal(answer_wait(&a), OK);
    assert_int_equal(a.index == AUDIT_NO_INDEX, again);
}

static void test_outbox_exactly_once(void **state) {
    (void)state;
    struct place p = place_new();
    struct audit_log *log = log_open(&p);
    assert_int_equal(audit_outbox_highest(log, STR("demo/flights")), 0);
    outbox(log, 1, OK, false);
    outbox(log, 2, OK, false);
    outbox(log, 2, OK, true);
    outbox(log, 5, OK, false);
    outbox(log, 3, OK, true);
    outbox(log, 0, INVALID_ARGUMENT, false);
    audit_close(log);
    log = log_open(&p);
    assert_int_equal(audit_outbox_highest(log, STR("demo/flights")), 5);
    outbox(log, 5, OK, true);
    outbox(log, 6, OK, false);
    audit_close(log);
    check_verifies(&p, 4);
    place_free(&p);
}

/* The disk refuses for a while: the numbers still arrive once each and in order. */
static void test_outbox_through_faults(void **state) {
    (void)state;
    struct place p = place_new();
    struct audit_log *log = log_open(&p);
    io_fail_after(1, 3, ENOSPC);
    for (uint64_t i = 1; i <= 50; i++) {
        char text[512];
        size_t size = make_entry(text, sizeof text, EVENT_OUTCOME, "o");
        struct str entry = { text, size };
        assert_int_equal(audit_append_from_outbox(log, STR("db"), i, entry, NULL, NULL, NULL), OK);
        if (i > 1) assert_int_equal(audit_append_from_outbox(log, STR("db"), i - 1, entry, NULL, NULL, NULL), OK);
    }
    while (audit_flush(log, NULL)) {}
    assert_int_equal(audit_outbox_highest(log, STR("db")), 50);
    audit_close(log);
    io_fail_after(0, 0, 0);
    check_verifies(&p, 50);
    place_free(&p);
}

/* A number that the full queue turned away must come before its followers. */
static void test_outbox_keeps_order(void **state) {
    (void)state;
    struct place p = place_new();
    struct audit_log *log = NULL;
    struct audit_options o = { .dir = p.dir, .origin = ORIGIN, .key = p.key, .queue_max_bytes = 1000 };
    assert_int_equal(audit_open(&o, &log, NULL), OK);
    io_fail_after(1, UINT32_MAX, ENOSPC);
    char large[880];
    memset(large, ' ', sizeof large);
    large[0] = '{';
    large[sizeof large - 1] = '}';
    assert_int_equal(audit_append(log, (struct str){ large, sizeof large }, AUDIT_PROMPT, NULL, NULL, NULL), OK);
    struct str entry = STR("{\"a\":1}");
    assert_int_equal(audit_append_from_outbox(log, STR("db"), 1, entry, NULL, NULL, NULL), RESOURCE_EXHAUSTED);
    io_fail_after(0, 0, 0);
    while (audit_flush(log, NULL)) {}
    assert_int_equal(audit_append_from_outbox(log, STR("db"), 2, entry, NULL, NULL, NULL), FAILED_PRECONDITION);
    assert_int_equal(audit_append_from_outbox(log, STR("db"), 1, entry, NULL, NULL, NULL), OK);
    assert_int_equal(audit_append_from_outbox(log, STR("db"), 2, entry, NULL, NULL, NULL), OK);
    audit_close(log);
    place_free(&p);
}

struct found {
    unsigned n;
    uint64_t index;
    char method[64], detail[64];
};

static bool on_entry(void *ctx, uint64_t index, struct str json, const struct audit_entry *e) {
    struct found *f = ctx;
    f->n++;
    f->index = index;
    (void)snprintf(f->method, sizeof f->method, "%.*s", STR_ARG(e->method));
    (void)snprintf(f->detail, sizeof f->detail, "%.*s", STR_ARG(e->detail));
    assert_true(json.n > 0);
    return true;
}

static void test_open_intents_are_closed(void **state) {
    (void)state;
    struct place p = place_new();
    struct audit_log *log = log_open(&p);
    assert_int_equal(append_wait(log, EVENT_INTENT, "done", NULL), OK);
    assert_int_equal(append_wait(log, EVENT_OUTCOME, "done", NULL), OK);
    assert_int_equal(append_wait(log, EVENT_INTENT, "lost", NULL), OK);
    audit_close(log);
    struct audit_report report;
    assert_int_equal(audit_verify(p.dir, p.key, STR(""), NULL, NULL, &report, NULL), OK);
    assert_int_equal(report.open_intents, 1);
    log = log_open(&p);
    assert_int_equal(append_wait(log, EVENT_INTENT, "running", NULL), OK); /* not of before */
    size_t closed = 0;
    assert_int_equal(audit_recover(log, &closed, NULL), OK);
    assert_int_equal(closed, 1);
    assert_int_equal(audit_recover(log, &closed, NULL), OK);
    assert_int_equal(closed, 0);
    struct found found = { 0 };
    assert_int_equal(audit_query(p.dir, &(struct audit_filter){ .id = STR("lost") }, on_entry, &found, NULL), OK);
    assert_int_equal(found.n, 2);
    assert_string_equal(found.detail, "outcome unknown after a crash");
    assert_string_equal(found.method, "google.spanner.v1.Spanner.Commit");
    audit_close(log);
    place_free(&p);
}

/* A state is found on opening, and what lies before it is not needed: but an intention from before it is still known. */
static void test_state_entries(void **state) {
    (void)state;
    struct place p = place_new();
    struct audit_log *log = log_open(&p);
    outbox(log, 7, OK, false);
    assert_int_equal(append_wait(log, EVENT_INTENT, "old", NULL), OK);
    append_n(log, 0, 17000);
    assert_int_equal(audit_flush(log, NULL), OK);
    append_n(log, 0, 10);
    audit_close(log);
    struct found found = { 0 };
    struct audit_filter filter = { .method = STR("linkspan.audit.State") };
    assert_int_equal(audit_query(p.dir, &filter, on_entry, &found, NULL), OK);
    assert_int_equal(found.n, 1);
    log = log_open(&p);
    assert_int_equal(audit_outbox_highest(log, STR("demo/flights")), 7);
    size_t closed = 0;
    assert_int_equal(audit_recover(log, &closed, NULL), OK);
    assert_int_equal(closed, 1);
    audit_close(log);
    check_verifies(&p, 17014);
    place_free(&p);
}

static void test_clock_floor(void **state) {
    (void)state;
    struct place p = place_new();
    struct audit_log *log = log_open(&p);
    int64_t later = clock_wall_us() + INT64_C(3600000000);
    struct event e = { .kind = EVENT_SYSTEM, .time_us = later, .id = STR("t") };
    DEFER(buf_free) struct buf json = BUF_INIT(AUDIT_ENTRY_MAX);
    assert_int_equal(audit_entry_encode(&e, &json, NULL), OK);
    assert_int_equal(audit_append(log, buf_str(&json), AUDIT_PROMPT, NULL, NULL, NULL), OK);
    audit_close(log);
    assert_true(clock_wall_us() < later);
    log = log_open(&p);
    assert_true(clock_wall_us() >= later);
    audit_close(log);
    place_free(&p);
}

static void test_refusals_coalesce(void **state) {
    (void)state;
    struct place p = place_new();
    struct audit_log *log = log_open(&p);
    struct audit_refusals *r = audit_refusals_new(log);
    clock_set_for_test(1800000000000000);
    for (unsigned i = 0; i < 50000; i++) {
        char source[32];
        (void)snprintf(source, sizeof source, "10.0.%u.%u", i % 1000 / 250, i % 250);
        audit_refusal_coalesce(r, str_z(source), i % 3 ? NO_PROOF : TOKEN_EXPIRED, NULL);
    }
    clock_set_for_test(1800000001000000);
    audit_refusals_tick(r);
    audit_refusal_coalesce(r, STR("10.9.9.9"), NO_PROOF, NULL);
    audit_refusals_free(r);
    clock_set_for_test(0);
    audit_close(log);
    check_verifies(&p, 258);
    struct found found = { 0 };
    assert_int_equal(audit_query(p.dir, &(struct audit_filter){ .reason = STR("NO_PROOF") }, on_entry, &found, NULL), OK);
    assert_int_equal(found.n, 258);
    place_free(&p);
}

static bool on_tokens(void *ctx, uint64_t index, struct str json, const struct audit_entry *e) {
    (void)index;
    (void)json;
    struct audit_entry *ret = ctx;
    assert_int_equal(e->n_tokens, REFUSED_TOKENS_MAX);
    assert_int_equal(e->refusals, 12);
    assert_true(str_eq(e->tokens[0].issuer, STR("cloud")));
    assert_true(str_eq(e->tokens[1].subject, STR("who\"1")));
    assert_true(str_eq(e->tokens[2].token_id, STR("token2")));
    assert_true(str_eq(e->tokens[3].reason, STR("TOKEN_EXPIRED")));
    ret->n_tokens++;
    return true;
}

/* Tokens that an issuer signed and that were refused all the same: the first few are named, each once. */
static void test_refused_tokens(void **state) {
    (void)state;
    struct place p = place_new();
    struct audit_log *log = log_open(&p);
    struct audit_refusals *r = audit_refusals_new(log);
    clock_set_for_test(1800000000000000);
    for (unsigned i = 0; i < 12; i++) {
        struct refused_token token = { .issuer = "cloud" };
        (void)snprintf(token.id, sizeof token.id, "token%u", i / 2);
        (void)snprintf(token.subject, sizeof token.subject, "who\"%u", i / 2);
        audit_refusal_coalesce(r, STR("10.0.0.1"), TOKEN_EXPIRED, &token);
    }
    audit_refusals_free(r);
    clock_set_for_test(0);
    audit_close(log);
    struct audit_entry seen = { 0 };
    assert_int_equal(audit_query(p.dir, &(struct audit_filter){ 0 }, on_tokens, &seen, NULL), OK);
    assert_int_equal(seen.n_tokens, 1);
    place_free(&p);
}

static void test_filters(void **state) {
    (void)state;
    struct place p = place_new();
    struct audit_log *log = log_open(&p);
    append_n(log, 0, 300);
    audit_close(log);
    static const struct {
        const char *name;
        struct audit_filter filter;
        unsigned n;
    } cases[] = {
        { "all", { .limit = 0 }, 300 },
        { "id", { .id = STR_INIT("e42") }, 1 },
        { "last name of a method", { .method = STR_INIT("Commit") }, 300 },
        { "part of a name is none", { .method = STR_INIT("ommit") }, 0 },
        { "from index", { .from_index = 290 }, 10 },
        { "limit", { .limit = 7 }, 7 },
        { "before", { .until_us = 1700000000000000 }, 0 },
        { "after", { .from_us = 1700000000000000 }, 300 },
        { "principal", { .principal = STR_INIT("nobody") }, 0 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct found found = { 0 };
        assert_int_equal(audit_query(p.dir, &cases[i].filter, on_entry, &found, NULL), OK);
        if (found.n != cases[i].n) fail_msg("%s: %u", cases[i].name, found.n);
    }
    DEFER(buf_free) struct buf proof = BUF_INIT(10000);
    assert_int_equal(audit_prove_inclusion(p.dir, 299, &proof, NULL), OK);
    assert_int_equal(audit_prove_consistency(p.dir, 100, &proof, NULL), OK);
    assert_int_equal(audit_prove_inclusion(p.dir, 300, &proof, NULL), OUT_OF_RANGE);
    place_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append_close_open),
        cmocka_unit_test(test_many_publications),
        cmocka_unit_test(test_readers_beside_the_writer),
        cmocka_unit_test(test_second_opener),
        cmocka_unit_test(test_lost_checkpoint),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_prompt_is_prompt),
        cmocka_unit_test(test_disk_full_and_back),
        cmocka_unit_test(test_io_faults),
        cmocka_unit_test(test_outbox_exactly_once),
        cmocka_unit_test(test_outbox_through_faults),
        cmocka_unit_test(test_outbox_keeps_order),
        cmocka_unit_test(test_open_intents_are_closed),
        cmocka_unit_test(test_state_entries),
        cmocka_unit_test(test_refusals_coalesce),
        cmocka_unit_test(test_refused_tokens),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_clock_floor), /* last: it moves this process's clock */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
