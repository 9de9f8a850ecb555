/* What the log says of one run, when names were chosen to look like another run's. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include "audit/audit.h"
#include "cli/trail.h"
#include "crypto/key.h"
#include "test.h"

#define OURS   "11111111-1111-4111-8111-111111111111"
#define OTHERS "22222222-2222-4222-8222-222222222222"
#define CHILD  "33333333-3333-4333-8333-333333333333"

static char folder[64];

static int remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED, struct FTW *ftw UNUSED) {
    return remove(path);
}

static void put(struct audit_log *log, const char *run, const char *detail) {
    DEFER(buf_free) struct buf entry = BUF_INIT(2 * AUDIT_ENTRY_MAX), resource = BUF_INIT(300);
    struct err err = { 0 };
    struct principal who = { .actor = { .kind = ACTOR_ACCOUNT, .subject = STR("flights@demo.synapse") } };
    buf_printf(&resource, "workspaces/flights/pipelines/nightly/pipelineruns/%s/activityruns/x", run);
    struct event e = { .kind = EVENT_SYSTEM,
                       .time_us = 1700000000000000,
                       .id = STR("01TRAIL"),
                       .principal = &who,
                       .method = STR("synapse.pipelines.ActivityEnded"),
                       .resource = buf_str(&resource),
                       .detail = str_z(detail) };
    assert_int_equal(audit_entry_encode(&e, &entry, &err), OK);
    assert_int_equal(audit_append(log, buf_str(&entry), AUDIT_PROMPT, NULL, NULL, &err), OK);
}

/* The log holds this one entry; what does a walk for OURS find? */
static enum code walk(const char *run, const char *detail, struct arena *arena, struct trail *ret) {
    struct err err = { 0 };
    struct key *key;
    struct audit_log *log;
    snprintf(folder, sizeof folder, "/tmp/trail-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(key_generate(KEY_ED25519, &key, &err), OK);
    struct audit_options options = { .dir = folder, .origin = STR("test/audit"), .key = key };
    if (audit_open(&options, &log, &err)) fail_msg("%s", err.message);
    put(log, run, detail);
    audit_close(log);
    enum code rc = trail_walk(folder, STR(OURS), arena, ret, &err);
    key_unref(key);
    (void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return rc;
}

static const struct walk_case {
    const char *what, *run, *detail;
    enum code code;
    const char *activity;
} cases[] = {
    { "our own run", OURS, "Failed Deep; activity load of run " OURS ", started by request 01A", OK, "load" },
    { "a run that ours began", CHILD, "Failed Deep; activity load of run " OURS ", started by request 01A", OK, "load" },
    { "a name with blanks and commas", OURS,
      "Failed Deep; activity keep, outcome of run of run " OURS ", started by request 01A", OK, "keep, outcome of run" },
    { "a name that ends as ours", OTHERS,
      "Failed Deep; activity x of run " OURS ", y of run " OTHERS ", started by request 01A", NOT_FOUND, NULL },
    { "a code that ends as ours", OTHERS,
      "Failed  of run " OURS ", started by request; activity x of run " OTHERS ", started by request 01A", NOT_FOUND,
      NULL },
    { "a detail that is cut", OTHERS, "Failed Deep; activity x of run " OURS, NOT_FOUND, NULL },
};

static void test_walk(void **state UNUSED) {
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(16 << 20);
        struct trail trail;
        enum code rc = walk(cases[i].run, cases[i].detail, arena, &trail);
        if (rc != cases[i].code) fail_msg("%s: %s", cases[i].what, code_name(rc));
        if (rc) continue;
        assert_int_equal(trail.n_sights, 1);
        if (!str_eq_z(trail.sights[0].activity, cases[i].activity))
            fail_msg("%s: %.*s", cases[i].what, STR_ARG(trail.sights[0].activity));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_walk) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
