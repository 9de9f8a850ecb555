/* Which of what was seen is the cause, which is an echo of it, and what was by the way. */
#include "test.h"

#include "base/buf.h"
#include "cli/diagnosis.h"

enum { MAX_SIGHTS = 4, MAX_JOBS = 2 };

#define TEXT(s) STR_INIT(s)
#define SIGHT(kind_, activity_, reason_)                                                                                   \
    {                                                                                                                      \
        .kind = SIGHT_##kind_, .id = TEXT("id-" reason_), .last_id = TEXT("last-" reason_), .activity = TEXT(activity_),   \
        .reason = TEXT(reason_)                                                                                            \
    }
#define FAR(kind_, activity_, reason_)                                                                                     \
    {                                                                                                                      \
        .kind = SIGHT_##kind_, .id = TEXT("id-" reason_), .last_id = TEXT("last-" reason_), .activity = TEXT(activity_),   \
        .reason = TEXT(reason_), .far = true                                                                               \
    }
#define OF_JOB(kind_, run_, reason_)                                                                                       \
    {                                                                                                                      \
        .kind = SIGHT_##kind_, .id = TEXT("id-" reason_), .last_id = TEXT("last-" reason_), .job_run = TEXT(run_),         \
        .reason = TEXT(reason_), .far = true                                                                               \
    }
#define FOLLOWER(reason_)                                                                                                  \
    {                                                                                                                      \
        .kind = SIGHT_TOKEN, .id = TEXT("id"), .last_id = TEXT("id"), .reason = TEXT(reason_), .far = true,                \
        .of_follower = true                                                                                                \
    }
#define JOB(activity_)                                                                                                     \
    { .id = TEXT("j"), .run = TEXT("r"), .activity = TEXT(activity_) }
#define ENDED(state_, details_)                                                                                            \
    { .state = TEXT(state_), .details = TEXT(details_) }

#define NO_SIGHT                                                                                                           \
    {                                                                                                                      \
        { .times = 0 }                                                                                                     \
    }
#define NO_JOB                                                                                                             \
    {                                                                                                                      \
        { .id = TEXT("") }                                                                                                 \
    }
#define NO_END                                                                                                             \
    {                                                                                                                      \
        { .state = TEXT("") }                                                                                              \
    }

struct diagnosis_case {
    const char *name;
    const char *pipeline; /* its state; NULL: a job was asked for */
    struct sight sights[MAX_SIGHTS];
    struct trail_job jobs[MAX_JOBS];
    struct job_end ends[MAX_JOBS];
    enum run_health health;
    const char *causes; /* "permission NO_RULE, (token 401)": in brackets: by the way */
    bool well;
};

static const struct diagnosis_case cases[] = {
    { "all is well", "Succeeded", NO_SIGHT, NO_JOB, NO_END, RUN_WELL, "", true },
    { "it goes on", "InProgress", NO_SIGHT, NO_JOB, NO_END, RUN_GOES_ON, "", true },
    { "cancelled", "Cancelled", NO_SIGHT, NO_JOB, NO_END, RUN_CANCELLED_BY_SOMEONE, "", true },
    { "failed, and nobody knows why", "Failed", NO_SIGHT, NO_JOB, NO_END, RUN_FAILED_OR_REFUSED, "", false },
    { "createRun was refused",
      "",
      { SIGHT(REFUSED, "", "NO_RULE") },
      NO_JOB,
      NO_END,
      RUN_FAILED_OR_REFUSED,
      "permission NO_RULE",
      false },
    { "a call was refused: its activity's end says no more",
      "Failed",
      { SIGHT(REFUSED, "a", "NO_RULE"), SIGHT(FAILED, "a", "PolicyDenied") },
      NO_JOB,
      NO_END,
      RUN_FAILED_OR_REFUSED,
      "permission NO_RULE",
      false },
    { "an error code of another activity stands",
      "Failed",
      { SIGHT(REFUSED, "a", "NO_RULE"), SIGHT(FAILED, "b", "PolicyDenied") },
      NO_JOB,
      NO_END,
      RUN_FAILED_OR_REFUSED,
      "permission NO_RULE, activity PolicyDenied",
      false },
    { "so does an own error code",
      "Failed",
      { SIGHT(UNREACHABLE, "a", "CONNECT"), SIGHT(FAILED, "a", "E42") },
      NO_JOB,
      NO_END,
      RUN_FAILED_OR_REFUSED,
      "unreachable CONNECT, activity E42",
      false },
    { "what contains it says no more",
      "Failed",
      { SIGHT(FAILED, "a", "E42"), SIGHT(FAILED, "loop", "InnerActivityFailed") },
      NO_JOB,
      NO_END,
      RUN_FAILED_OR_REFUSED,
      "activity E42",
      false },
    { "what contains it, alone",
      "Failed",
      { SIGHT(FAILED, "loop", "InnerActivityFailed") },
      NO_JOB,
      NO_END,
      RUN_FAILED_OR_REFUSED,
      "activity InnerActivityFailed",
      false },
    { "who refused the token knows why",
      "Failed",
      { SIGHT(TOKEN, "a", "401"), SIGHT(FAILED, "a", "TokenRejected"), FAR(TOKEN, "a", "AUDIENCE_WRONG") },
      NO_JOB,
      NO_END,
      RUN_FAILED_OR_REFUSED,
      "token AUDIENCE_WRONG",
      false },
    { "another's 401 stays what it is",
      "Failed",
      { SIGHT(TOKEN, "a", "401"), FAR(REFUSED, "b", "NO_RULE") },
      NO_JOB,
      NO_END,
      RUN_FAILED_OR_REFUSED,
      "token 401, permission NO_RULE",
      false },
    { "the bridge's 403",
      "Failed",
      { SIGHT(STATUS, "a", "403"), FAR(REFUSED, "a", "NO_RULE") },
      NO_JOB,
      NO_END,
      RUN_FAILED_OR_REFUSED,
      "permission NO_RULE",
      false },
    { "the bridge's 400 says that the job failed",
      "Failed",
      { SIGHT(STATUS, "a", "400"), SIGHT(FAILED, "a", "400") },
      { JOB("a") },
      { ENDED("ERROR", "the driver exited with 1: ValueError: x") },
      RUN_FAILED_OR_REFUSED,
      "spark ",
      false },
    { "another server's error beside a good job",
      "Failed",
      { SIGHT(STATUS, "b", "500"), SIGHT(FAILED, "b", "500") },
      { JOB("a") },
      { ENDED("DONE", "") },
      RUN_FAILED_OR_REFUSED,
      "activity 500",
      false },
    { "the driver's last line holds the first request's id",
      NULL,
      { OF_JOB(REFUSED, "r", "NO_RULE") },
      { JOB("") },
      { ENDED("ERROR", "PermissionDenied: (request id-NO_RULE)") },
      RUN_FAILED_OR_REFUSED,
      "permission NO_RULE",
      false },
    { "or the last one's",
      NULL,
      { OF_JOB(REFUSED, "r", "NO_RULE") },
      { JOB("") },
      { ENDED("ERROR", "PermissionDenied: (request last-NO_RULE)") },
      RUN_FAILED_OR_REFUSED,
      "permission NO_RULE",
      false },
    { "a refusal that the driver survived",
      NULL,
      { OF_JOB(REFUSED, "r", "NO_RULE") },
      { JOB("") },
      { ENDED("ERROR", "ValueError: x") },
      RUN_FAILED_OR_REFUSED,
      "spark , (permission NO_RULE)",
      false },
    { "of two refusals one ended it",
      NULL,
      { OF_JOB(REFUSED, "r", "DENIED"), OF_JOB(REFUSED, "r", "NO_RULE") },
      { JOB("") },
      { ENDED("ERROR", "id-NO_RULE") },
      RUN_FAILED_OR_REFUSED,
      "permission NO_RULE, (permission DENIED)",
      false },
    { "a service that the job did not reach",
      NULL,
      NO_SIGHT,
      { JOB("") },
      { ENDED("ERROR", "URLError: [Errno 111] Connection refused") },
      RUN_FAILED_OR_REFUSED,
      "unreachable ",
      false },
    { "a job that ended well after a refusal",
      NULL,
      { OF_JOB(REFUSED, "r", "NO_RULE") },
      { JOB("") },
      { ENDED("DONE", "") },
      RUN_WELL,
      "(permission NO_RULE)",
      true },
    { "a job that goes on after a refusal",
      NULL,
      { OF_JOB(REFUSED, "r", "NO_RULE") },
      { JOB("") },
      { ENDED("RUNNING", "") },
      RUN_GOES_ON,
      "permission NO_RULE",
      false },
    { "who follows a job has a token that ended",
      NULL,
      { FOLLOWER("TOKEN_EXPIRED") },
      { JOB("") },
      { ENDED("RUNNING", "") },
      RUN_GOES_ON,
      "token TOKEN_EXPIRED",
      false },
    { "that is not why it failed",
      NULL,
      { FOLLOWER("TOKEN_EXPIRED") },
      { JOB("") },
      { ENDED("ERROR", "ValueError: x") },
      RUN_FAILED_OR_REFUSED,
      "spark , (token TOKEN_EXPIRED)",
      false },
    { "a submission that was refused",
      NULL,
      { FAR(REFUSED, "", "NO_RULE") },
      NO_JOB,
      NO_END,
      RUN_FAILED_OR_REFUSED,
      "permission NO_RULE",
      false },
    { "two jobs, one failed",
      "Failed",
      NO_SIGHT,
      { JOB("a"), { .id = TEXT("k"), .run = TEXT("s"), .activity = TEXT("b") } },
      { ENDED("DONE", ""), ENDED("ERROR", "x") },
      RUN_FAILED_OR_REFUSED,
      "spark ",
      false },
    { "a job failed, and the pipeline took that well",
      "Succeeded",
      { SIGHT(STATUS, "a", "400") },
      { JOB("a") },
      { ENDED("ERROR", "x") },
      RUN_WELL,
      "(spark )",
      true },
};

static void put_causes(const struct diagnosis *d, struct buf *out) {
    for (size_t i = 0; i < d->n_causes; i++) {
        const struct cause *c = &d->causes[i];
        buf_printf(out, "%s%s%s %.*s%s", i ? ", " : "", c->by_the_way ? "(" : "", cause_name(c->kind), STR_ARG(c->reason),
                   c->by_the_way ? ")" : "");
    }
}

static void fill(const struct diagnosis_case *c, struct trail *t) {
    *t = (struct trail){ .is_pipeline = c->pipeline != NULL, .state = str_z(c->pipeline) };
    while (t->sights.n < MAX_SIGHTS && c->sights[t->sights.n].id.n) {
        t->sights.items[t->sights.n] = c->sights[t->sights.n];
        t->sights.n++;
    }
    while (t->n_jobs < MAX_JOBS && c->jobs[t->n_jobs].id.n) {
        t->jobs[t->n_jobs] = c->jobs[t->n_jobs];
        t->n_jobs++;
    }
}

static void test_diagnoses(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct diagnosis_case *c = &cases[i];
        DEFER(buf_free) struct buf out = BUF_INIT(4096);
        struct trail trail;
        struct diagnosis d;
        fill(c, &trail);
        diagnose(&trail, c->ends, &d);
        put_causes(&d, &out);
        if (!str_eq(buf_str(&out), str_z(c->causes)))
            fail_msg("%s: %.*s, should be %s", c->name, STR_ARG(buf_str(&out)), c->causes);
        if (d.health != c->health) fail_msg("%s: health %d, should be %d", c->name, d.health, c->health);
        if (diagnosis_is_ill(&d) == c->well) fail_msg("%s: ill is %d", c->name, !c->well);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_diagnoses) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
