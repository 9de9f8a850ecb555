/* Trails of entries that audit_entry_encode wrote into a real log. What a walk found is compared as text. */
#include "audit/audit_test.h"
#include "audit/refusals.h"
#include "cli/trail.h"

#define RUN      "11111111-1111-4111-8111-111111111111"
#define OTHER    "22222222-2222-4222-8222-222222222222"
#define JOB_RUN  "33333333-3333-4333-8333-333333333333"
#define JOB_RUN2 "44444444-4444-4444-8444-444444444444"
#define OF_RUN   "of run " RUN ", started by request q"
#define AT       "workspaces/w/pipelines/nightly/pipelineruns/" RUN
#define STEP     AT "/activityruns/a1"
#define EVENTS   "synapse.pipelines."
#define WEB      "pipeline.WebActivity"
#define CREATE   "dataproc.jobs.create"
#define AT_JOB   "projects/demo/regions/local/jobs/j"
#define TOKEN    "0123456789abcdef0123456789abcdef"

enum { MAX_LINES = 8 };

/* One entry; what is NULL is empty. */
struct line {
    enum event_kind kind;
    const char *id, *issuer, *subject; /* no issuer: an account */
    const char *method, *resource, *permission, *detail, *token, *job_run;
    enum verb verb;
    const char *object, *account;
    enum reason reason; /* not 0: refused */
    enum code code;
    enum reason unproved; /* not 0: instead, a stranger's refused token: issuer, subject, token */
};

struct trail_case {
    const char *name, *asked;
    struct line lines[MAX_LINES];
    const char *expected;
};

#define STARTED(run)                                                                                                       \
    {                                                                                                                      \
        .kind = EVENT_SYSTEM, .id = "e0", .subject = "w@demo.synapse", .method = EVENTS "RunStarted",                      \
        .resource = "workspaces/w/pipelines/nightly/pipelineruns/" run,                                                    \
        .detail = "of run " run ", started by request q; InProgress; pipeline "                                            \
    }
#define ACTIVITY(id_, what, status, name_)                                                                                 \
    {                                                                                                                      \
        .kind = EVENT_SYSTEM, .id = id_, .subject = "w@demo.synapse", .method = EVENTS what, .resource = STEP,             \
        .detail = OF_RUN ", a Wait; " status "; activity " name_                                                           \
    }
#define CALL(kind_, id_, reason_, detail_)                                                                                 \
    {                                                                                                                      \
        .kind = kind_, .id = id_, .subject = "w@demo.synapse", .method = WEB, .resource = STEP, .token = TOKEN,            \
        .verb = VERB_CALL, .object = "https://x/", .account = "api://x", .reason = reason_,                                \
        .detail = OF_RUN ", POST by activity go" detail_                                                                   \
    }
#define SUBMIT(kind_, id_, run_, code_, reason_)                                                                           \
    {                                                                                                                      \
        .kind = kind_, .id = id_, .issuer = "cloud", .subject = "ann", .method = "submit", .resource = AT_JOB,             \
        .permission = CREATE, .token = TOKEN, .verb = VERB_RUN_JOB, .account = "worker@demo", .code = code_,               \
        .reason = reason_, .detail = "sha256 00, run " run_                                                                \
    }
#define ASKS(id_, run_, reason_)                                                                                           \
    {                                                                                                                      \
        .kind = EVENT_REFUSAL, .id = id_, .subject = "worker@demo", .method = "read", .job_run = run_, .verb = VERB_READ,  \
        .object = "T", .reason = reason_                                                                                   \
    }

static const struct trail_case cases[] = {
    { "a run and what goes on",
      RUN,
      { STARTED(RUN), ACTIVITY("e1", "ActivityStarted", "InProgress", "a; b of run " OTHER ", x") },
      "pipeline nightly InProgress\nactivity a; b of run " OTHER ", x (Wait)\n" },
    { "an activity's name does not draw it into another run",
      OTHER,
      { STARTED(OTHER), ACTIVITY("e1", "ActivityStarted", "InProgress", "a of run " OTHER ", b") },
      "pipeline nightly InProgress\n" },
    { "an error code does not either",
      OTHER,
      { STARTED(OTHER), ACTIVITY("e1", "ActivityEnded", "Failed of run " OTHER ", b", "a") },
      "pipeline nightly InProgress\n" },
    { "a beginning that is told twice, as after a crash",
      RUN,
      { STARTED(RUN), ACTIVITY("e1", "ActivityStarted", "InProgress", "a"),
        ACTIVITY("e2", "ActivityStarted", "InProgress", "a") },
      "pipeline nightly InProgress\nactivity a (Wait)\n" },
    { "an activity that ended goes on no more",
      RUN,
      { STARTED(RUN), ACTIVITY("e1", "ActivityStarted", "InProgress", "a"),
        ACTIVITY("e2", "ActivityEnded", "Failed E42", "a") },
      "pipeline nightly InProgress\nfailed [a] w@demo.synapse: E42: E42, e2 to e2 1\n" },
    { "control characters are not shown",
      RUN,
      { STARTED(RUN), ACTIVITY("e1", "ActivityStarted", "InProgress", "a\033[2J") },
      "pipeline nightly InProgress\nactivity a?[2J (Wait)\n" },
    { "a call that policy refuses",
      RUN,
      { CALL(EVENT_REFUSAL, "e1", NO_RULE, "; NO_RULE: no"), CALL(EVENT_REFUSAL, "e2", NO_RULE, "; NO_RULE: no") },
      "refused [go] w@demo.synapse: call https://x/ with audience api://x: NO_RULE, e1 to e2 2\n" },
    { "a call that is not answered",
      RUN,
      { CALL(EVENT_OUTCOME, "e1", 0, "; CONNECT: nobody is at x:1") },
      "unreachable [go] w@demo.synapse: call https://x/ with audience api://x: CONNECT, e1 to e1 1 (nobody is at x:1)\n" },
    { "an address that may not be called",
      RUN,
      { CALL(EVENT_OUTCOME, "e1", 0, "; ADDRESS_REFUSED: loopback") },
      "refused [go] w@demo.synapse: call https://x/ with audience api://x: ADDRESS_REFUSED, e1 to e1 1 (loopback)\n" },
    { "answers that say no, and one that says yes",
      RUN,
      { CALL(EVENT_OUTCOME, "e1", 0, "; HTTP 401"), CALL(EVENT_OUTCOME, "e2", 0, "; HTTP 500"),
        CALL(EVENT_OUTCOME, "e3", 0, "; HTTP 200") },
      "token [go] w@demo.synapse: call https://x/ with audience api://x: 401, e1 to e1 1\n"
      "status [go] w@demo.synapse: call https://x/ with audience api://x: 500, e2 to e2 1\n" },
    { "the bridge refuses",
      RUN,
      { CALL(EVENT_INTENT, "e1", 0, ""), SUBMIT(EVENT_REFUSAL, "e2", JOB_RUN, OK, NO_RULE) },
      "refused far [go] ann of cloud: run job as worker@demo: NO_RULE, e2 to e2 1\n" },
    { "the token that an activity sent is refused",
      RUN,
      { CALL(EVENT_INTENT, "e1", 0, ""), { .unproved = AUDIENCE_WRONG, .issuer = "ours", .subject = "p", .token = TOKEN } },
      "token far [go] p of ours: call https://x/ with audience api://x: AUDIENCE_WRONG\n" },
    { "a job that a run started, and what the job asked for",
      RUN,
      { CALL(EVENT_INTENT, "e1", 0, ""), SUBMIT(EVENT_INTENT, "e2", JOB_RUN, OK, 0),
        SUBMIT(EVENT_OUTCOME, "e2", JOB_RUN, OK, 0), ASKS("e3", JOB_RUN, NO_RULE), ASKS("e4", JOB_RUN2, NO_RULE) },
      "job j " JOB_RUN
      " of ann of cloud as worker@demo [go] heard\nrefused far (job) worker@demo: read T: NO_RULE, e3 to e3 1\n" },
    { "a job by its name",
      "j",
      { SUBMIT(EVENT_INTENT, "e2", JOB_RUN, OK, 0), SUBMIT(EVENT_OUTCOME, "e2", JOB_RUN, OK, 0) },
      "job j " JOB_RUN " of ann of cloud as worker@demo [] silent\n" },
    { "a job by its run",
      JOB_RUN,
      { SUBMIT(EVENT_INTENT, "e2", JOB_RUN, OK, 0) },
      "job j " JOB_RUN " of ann of cloud as worker@demo [] silent\n" },
    { "another's try at a job's name that is taken",
      "j",
      { SUBMIT(EVENT_INTENT, "e2", JOB_RUN, OK, 0), SUBMIT(EVENT_OUTCOME, "e2", JOB_RUN, OK, 0),
        SUBMIT(EVENT_INTENT, "e3", JOB_RUN2, OK, 0), SUBMIT(EVENT_OUTCOME, "e3", JOB_RUN2, ALREADY_EXISTS, 0),
        ASKS("e4", JOB_RUN, NO_RULE) },
      "job j " JOB_RUN
      " of ann of cloud as worker@demo [] heard\nrefused far (job) worker@demo: read T: NO_RULE, e4 to e4 1\n" },
    { "a job in the place of one that was deleted",
      "j",
      { SUBMIT(EVENT_INTENT, "e2", JOB_RUN, OK, 0), SUBMIT(EVENT_OUTCOME, "e2", JOB_RUN, OK, 0),
        ASKS("e4", JOB_RUN, NO_RULE), SUBMIT(EVENT_INTENT, "e3", JOB_RUN2, OK, 0),
        SUBMIT(EVENT_OUTCOME, "e3", JOB_RUN2, OK, 0) },
      "job j " JOB_RUN2 " of ann of cloud as worker@demo [] silent\n" },
    { "the same requestId again is the first job",
      "j",
      { SUBMIT(EVENT_INTENT, "e2", JOB_RUN, OK, 0), SUBMIT(EVENT_OUTCOME, "e2", JOB_RUN, OK, 0),
        SUBMIT(EVENT_INTENT, "e3", JOB_RUN2, OK, 0), SUBMIT(EVENT_OUTCOME, "e3", JOB_RUN, OK, 0) },
      "job j " JOB_RUN " of ann of cloud as worker@demo [] silent\n" },
    { "its owner's token, and a stranger's",
      "j",
      { SUBMIT(EVENT_INTENT, "e2", JOB_RUN, OK, 0),
        { .unproved = TOKEN_EXPIRED, .issuer = "cloud", .subject = "ann", .token = "another" },
        { .unproved = TOKEN_EXPIRED, .issuer = "cloud", .subject = "bob", .token = "a third" } },
      "job j " JOB_RUN " of ann of cloud as worker@demo [] silent\ntoken far follower ann of cloud: ask this server, as "
      "who started it: TOKEN_EXPIRED\n" },
    { "nothing of it", "nothing", { STARTED(RUN), SUBMIT(EVENT_INTENT, "e2", JOB_RUN, OK, 0) }, NULL },
    { "nothing asked for", "", { STARTED(RUN) }, NULL },
};

/* ---- writing ---- */

static void write_line(struct audit_log *log, struct audit_refusals *refusals, const struct line *l) {
    if (l->unproved) {
        struct refused_token token = { 0 };
        (void)snprintf(token.id, sizeof token.id, "%s", l->token);
        (void)snprintf(token.issuer, sizeof token.issuer, "%s", l->issuer);
        (void)snprintf(token.subject, sizeof token.subject, "%s", l->subject);
        audit_refusal_coalesce(refusals, STR("127.0.0.1"), l->unproved, &token);
        return;
    }
    struct principal who = { .actor = { .kind = l->issuer ? ACTOR_OIDC : ACTOR_ACCOUNT,
                                        .issuer = str_z(l->issuer),
                                        .subject = str_z(l->subject) },
                             .job_run = str_z(l->job_run) };
    if (l->token) (void)snprintf(who.token_id, sizeof who.token_id, "%s", l->token);
    struct atom atom = { .verb = l->verb, .object = str_z(l->object), .account = str_z(l->account) };
    struct atoms atoms = { &atom, 1, 1 };
    struct event e = { .kind = l->kind,
                       .time_us = 1700000000000000,
                       .id = str_z(l->id),
                       .principal = &who,
                       .method = str_z(l->method),
                       .resource = str_z(l->resource),
                       .permission = str_z(l->permission),
                       .atoms = l->kind == EVENT_SYSTEM ? NULL : &atoms,
                       .verdict = { .reason = l->reason, .column = -1 },
                       .decided = l->kind != EVENT_SYSTEM,
                       .code = l->code,
                       .detail = str_z(l->detail) };
    DEFER(buf_free) struct buf text = BUF_INIT(AUDIT_ENTRY_MAX + 4096);
    assert_int_equal(audit_entry_encode(&e, &text, NULL), OK);
    assert_int_equal(audit_append(log, buf_str(&text), AUDIT_PROMPT, NULL, NULL, NULL), OK);
}

static void write_case(const struct place *p, const struct trail_case *c) {
    struct audit_log *log = log_open(p);
    struct audit_refusals *refusals = audit_refusals_new(log);
    for (size_t i = 0; i < MAX_LINES && (c->lines[i].id || c->lines[i].unproved); i++)
        write_line(log, refusals, &c->lines[i]);
    audit_refusals_free(refusals);
    audit_close(log);
}

/* ---- reading ---- */

static void put_sight(const struct sight *s, struct buf *out) {
    static const char *const kinds[] = { "refused", "token", "unreachable", "status", "failed" };
    buf_printf(out, "%s%s%s%s", kinds[s->kind], s->far ? " far" : "", s->of_follower ? " follower" : "",
               s->job_run.n ? " (job)" : "");
    if (s->activity.n) buf_printf(out, " [%.*s]", STR_ARG(s->activity));
    buf_printf(out, " %.*s: %.*s: %.*s", STR_ARG(s->who), STR_ARG(s->what), STR_ARG(s->reason));
    if (!str_starts(s->id, STR("refusals-"))) /* a summary's id is made up */
        buf_printf(out, ", %.*s to %.*s %u", STR_ARG(s->id), STR_ARG(s->last_id), s->times);
    if (s->detail.n) buf_printf(out, " (%.*s)", STR_ARG(s->detail));
    buf_add_char(out, '\n');
}

static void put_trail(const struct trail *t, struct buf *out) {
    if (t->pipeline.n) buf_printf(out, "pipeline %.*s %.*s\n", STR_ARG(t->pipeline), STR_ARG(t->state));
    for (size_t i = 0; i < t->n_activities; i++)
        buf_printf(out, "activity %.*s (%.*s)\n", STR_ARG(t->activities[i].name), STR_ARG(t->activities[i].type));
    for (size_t i = 0; i < t->n_jobs; i++) {
        const struct trail_job *j = &t->jobs[i];
        buf_printf(out, "job %.*s %.*s of %.*s as %.*s [%.*s] %s\n", STR_ARG(j->id), STR_ARG(j->run), STR_ARG(j->submitter),
                   STR_ARG(j->account), STR_ARG(j->activity), j->heard[0] ? "heard" : "silent");
    }
    for (size_t i = 0; i < t->sights.n; i++) put_sight(&t->sights.items[i], out);
}

static void test_trails(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct trail_case *c = &cases[i];
        struct place p = place_new();
        DEFER(arena_freep) struct arena *arena = arena_new(4 << 20);
        DEFER(buf_free) struct buf out = BUF_INIT(64 << 10);
        struct trail *trail = ARENA_NEW(arena, struct trail);
        struct err err = { 0 };
        write_case(&p, c);
        enum code rc = trail_walk(p.dir, str_z(c->asked), arena, trail, &err);
        if (!rc) put_trail(trail, &out);
        if (rc != (c->expected ? OK : NOT_FOUND)) fail_msg("%s: %s %s", c->name, code_name(rc), err.message);
        if (!rc && !str_eq(buf_str(&out), str_z(c->expected)))
            fail_msg("%s: is\n%.*sshould be\n%s", c->name, STR_ARG(buf_str(&out)), c->expected);
        place_free(&p);
    }
}

/* More of everything than there is room for. */
static void test_limits(void **state) {
    (void)state;
    struct place p = place_new();
    struct audit_log *log = log_open(&p);
    DEFER(arena_freep) struct arena *arena = arena_new(4 << 20);
    struct trail *trail = ARENA_NEW(arena, struct trail);
    struct err err = { 0 };
    for (unsigned i = 0; i < 100; i++) {
        char id[16], resource[200], object[32], token[16], run[16];
        (void)snprintf(id, sizeof id, "e%u", i);
        (void)snprintf(resource, sizeof resource, AT "/activityruns/%u", i);
        (void)snprintf(object, sizeof object, "https://x/%u", i);
        (void)snprintf(token, sizeof token, "t%u", i);
        (void)snprintf(run, sizeof run, "x, run r%u", i);
        struct line began = ACTIVITY(id, "ActivityStarted", "InProgress", "a");
        struct line call = CALL(EVENT_REFUSAL, id, NO_RULE, "");
        struct line submit = SUBMIT(EVENT_INTENT, id, JOB_RUN, OK, 0);
        began.resource = call.resource = resource;
        call.object = object;
        call.token = submit.token = token;
        submit.detail = run;
        write_line(log, NULL, &began);
        write_line(log, NULL, &call);
        write_line(log, NULL, &submit);
    }
    audit_close(log);
    assert_int_equal(trail_walk(p.dir, STR(RUN), arena, trail, &err), OK);
    assert_int_equal(trail->n_activities, TRAIL_MAX_ACTIVITIES);
    assert_int_equal(trail->n_jobs, TRAIL_MAX_JOBS);
    assert_int_equal(trail->n_tokens, TRAIL_MAX_TOKENS);
    assert_int_equal(trail->sights.n, SIGHTS_MAX);
    place_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_trails), cmocka_unit_test(test_limits) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
