/* The bridge: a job for who can only call and poll. */
#include "setting.h"
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file.h"

#define DAY_US (INT64_C(24) * 3600 * 1000000)
#define BASE   "https://linkspan.test/bridge/jobs/"

static char location[512];

/* ---- the two requests ---- */

static struct answer *post(const char *who, const char *job_json, const char *query) {
    struct answer *a = new_answer(who, "/{region}/jobs");
    a->call.http.path = STR("/bridge/dataproc/acme/local/jobs");
    a->call.http.query = str_z(query);
    a->call.http.body = str_dup(a->call.arena, str_z(job_json));
    run_call(a);
    return a;
}

static const char *job_json(const char *file, const char *more) {
    static char text[1024];
    (void)snprintf(text, sizeof text,
                   "{\"placement\":{\"clusterName\":\"batch\"},\"pysparkJob\":{\"mainPythonFileUri\":\"file://%s/%s\","
                   "\"args\":[\"bridge\"]}%s}",
                   code_folder, file, more);
    return text;
}

static struct answer *poll_at(const char *token) {
    static char path[700];
    (void)snprintf(path, sizeof path, "/bridge/jobs/%s", token);
    struct answer *a = new_answer("nobody", "/bridge/jobs/{location}");
    a->call.http.path = str_z(path);
    a->call.principal = NULL; /* an open door: nobody is identified */
    a->call.subject = NULL;
    run_call(a);
    return a;
}

/* Runs a job to its first answer; leaves the sealed part of the Location in `location`. */
static void start(const char *file, const char *more) {
    struct answer *a = post("runner", job_json(file, more), "");
    if (a->code) fail_msg("%s", a->err.message);
    assert_int_equal(a->status, 202);
    assert_str(a->retry_after, "2");
    assert_true(str_starts(a->location, STR(BASE)));
    (void)snprintf(location, sizeof location, "%.*s", STR_ARG(str_from(a->location, sizeof BASE - 1)));
    assert_int_equal(strlen(location), BRIDGE_LOCATION_LENGTH);
    free_answer(a);
}

static struct answer *wait_result(const char *token) {
    for (unsigned i = 0; i < 1000; i++) {
        struct answer *a = poll_at(token);
        if (a->code || a->status != 202) return a;
        assert_str(a->retry_after, "2");
        free_answer(a);
        usleep(20000);
    }
    fail_msg("the job did not end");
    return NULL;
}

static json_t *json_of(const struct answer *a) {
    json_t *json = json_loadb(a->text.p, a->text.n, 0, NULL);
    assert_true(json_is_object(json));
    return json;
}

static void assert_member(const json_t *json, const char *key, const char *value) {
    assert_str(str_z(json_string_value(json_object_get(json, key))), value);
}

/* What every bad Location is answered, to the byte. */
static void assert_gone(const char *name, const char *token) {
    static char first[1024];
    struct answer *a = poll_at(token);
    if (a->code != NOT_FOUND) fail_msg("%s: %s", name, code_name(a->code));
    if (!first[0]) (void)snprintf(first, sizeof first, "%s", a->err.message);
    assert_string_equal(a->err.message, first);
    free_answer(a);
}

/* ---- tests ---- */

static void a_job_from_post_to_result(void **state) {
    (void)state;
    make_cluster();
    start("hello.py", ",\"reference\":{\"jobId\":\"b1\"}");
    struct answer *a = wait_result(location);
    if (a->code) fail_msg("%s", a->err.message);
    assert_int_equal(a->status, 200);
    json_t *json = json_of(a);
    assert_member(json, "jobId", "b1");
    assert_member(json, "state", "DONE");
    assert_member(json, "cluster", "batch");
    assert_member(json, "account", "transform@demo.iam.gserviceaccount.com");
    assert_member(json, "output", "hello bridge\n");
    assert_int_equal(strlen(json_string_value(json_object_get(json, "jobUuid"))), 36);
    assert_non_null(json_object_get(json, "startTime"));
    assert_non_null(json_object_get(json, "endTime"));
    json_decref(json);
    assert_true(str_ends(a->call.resource, STR("/jobs/b1")));
    free_answer(a);
    assert_string_equal(seen.submitter, "runner");
    assert_string_equal(seen.job, "nightly/hello");
    assert_string_equal(seen.asked,
                        "run job nightly/hello in dataproc demo/batch as transform@demo.iam.gserviceaccount.com");
}

static void a_failure_is_an_error_with_its_cause(void **state) {
    (void)state;
    make_cluster();
    start("fail.py", "");
    struct answer *a = wait_result(location);
    assert_int_equal(a->code, OK); /* of the poll: the audit counts no refusal */
    assert_int_equal(a->status, 400);
    json_t *json = json_of(a), *error = json_object_get(json, "error");
    assert_member(error, "status", "FAILED_PRECONDITION");
    assert_non_null(strstr(json_string_value(json_object_get(error, "message")), "ValueError: bad"));
    assert_member(json_array_get(json_object_get(error, "details"), 0), "reason", "JOB_FAILED");
    json_decref(json);
    free_answer(a);
}

static void a_cancelled_job_is_an_error(void **state) {
    (void)state;
    make_cluster();
    start("long.py", ",\"reference\":{\"jobId\":\"c1\"}");
    struct dataproc_CancelJobRequest cancel = { .project_id = STR("acme"), .region = STR("local"), .job_id = STR("c1") };
    ask_for("runner", "CancelJob", &cancel, OK, NULL);
    struct answer *a = wait_result(location);
    assert_int_equal(a->status, 499);
    assert_true(str_find(a->text, STR("JOB_CANCELLED")) > 0);
    free_answer(a);
}

static void what_a_post_may_not_say(void **state) {
    (void)state;
    static const struct {
        const char *name, *who, *body, *query;
        enum code code;
        const char *holds;
    } rows[] = {
        { "no body", "runner", "", "", INVALID_ARGUMENT, "Dataproc Job" },
        { "no object", "runner", "[]", "", INVALID_ARGUMENT, "" },
        { "an unknown key", "runner", "{\"placement\":{\"clusterName\":\"batch\",\"colour\":1}}", "", INVALID_ARGUMENT,
          "colour" },
        { "SubmitJob's body", "runner", "{\"job\":{}}", "", INVALID_ARGUMENT, "job" },
        { "no cluster", "runner", "{\"pysparkJob\":{}}", "", INVALID_ARGUMENT, "clusterName" },
        { "another kind", "runner", "{\"placement\":{\"clusterName\":\"batch\"},\"hiveJob\":{}}", "", UNIMPLEMENTED,
          "hiveJob" },
        { "an unknown query", "runner", "{}", "speed=1", INVALID_ARGUMENT, "speed" },
        { "a name twice", "runner", "{}", "requestId=a&requestId=b", INVALID_ARGUMENT, "twice" },
        { "not allowed", "stranger", NULL, "", PERMISSION_DENIED, "" },
        { "only watches", "watcher", NULL, "", PERMISSION_DENIED, "" },
        { "two accounts", "two", NULL, "", FAILED_PRECONDITION, "linkspan-account" },
    };
    make_cluster();
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct answer *a = post(rows[i].who, rows[i].body ? rows[i].body : job_json("hello.py", ""), rows[i].query);
        if (a->code != rows[i].code) fail_msg("%s: %s %s", rows[i].name, code_name(a->code), a->err.message);
        if (!strstr(a->err.message, rows[i].holds)) fail_msg("%s: %s", rows[i].name, a->err.message);
        assert_int_equal(a->location.n, 0);
        free_answer(a);
    }
    struct answer *a = new_answer("runner", "/{region}/jobs");
    a->call.http.path = STR("/bridge/dataproc/acme/elsewhere/jobs");
    a->call.http.body = str_dup(a->call.arena, str_z(job_json("hello.py", "")));
    run_call(a);
    assert_int_equal(a->code, NOT_FOUND);
    free_answer(a);
    assert_int_equal(seen.opened, 0);
}

static void the_same_job_twice(void **state) {
    (void)state;
    char first[600];
    make_cluster();
    start("hello.py", "");
    (void)snprintf(first, sizeof first, "%s", location);
    start("hello.py", ""); /* without an id of its own: another job */
    struct answer *a = wait_result(first), *b = wait_result(location);
    json_t *one = json_of(a), *other = json_of(b);
    assert_string_not_equal(json_string_value(json_object_get(one, "jobId")),
                            json_string_value(json_object_get(other, "jobId")));
    json_decref(one);
    json_decref(other);
    free_answer(a);
    free_answer(b);
    const char *named = job_json("hello.py", ",\"reference\":{\"jobId\":\"t1\"}");
    a = post("runner", named, "requestId=r1");
    assert_int_equal(a->code, OK);
    free_answer(a);
    a = post("runner", named, "requestId=r1"); /* its answer was lost: the first job again */
    assert_int_equal(a->code, OK);
    assert_true(str_starts(a->call.outcome.detail, STR("the first job of this requestId, run ")));
    free_answer(a);
    a = post("runner", job_json("fail.py", ""), "requestId=r1"); /* what it is asked for now is another job */
    assert_int_equal(a->code, ALREADY_EXISTS);
    assert_int_equal(a->location.n, 0);
    free_answer(a);
    named = job_json("hello.py", ",\"reference\":{\"jobId\":\"t1\"}");
    a = post("runner", named, "");
    assert_int_equal(a->code, ALREADY_EXISTS);
    free_answer(a);
    free_answer(wait_done("runner", "t1"));
    assert_int_equal(seen.opened, 3);
}

static void a_location_is_of_one_job_and_no_guess(void **state) {
    (void)state;
    char changed[600];
    make_cluster();
    start("hello.py", ",\"reference\":{\"jobId\":\"l1\"}");
    free_answer(wait_result(location));
    for (size_t i = 0; i < BRIDGE_LOCATION_LENGTH; i += 7) {
        (void)snprintf(changed, sizeof changed, "%s", location);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_gone("altered", changed);
    }
    (void)snprintf(changed, sizeof changed, "%s", location);
    changed[BRIDGE_LOCATION_LENGTH - 1] = '\0';
    assert_gone("cut", changed);
    (void)snprintf(changed, sizeof changed, "%sA", location);
    assert_gone("longer", changed);
    assert_gone("empty", "");
    assert_gone("the job's name", "l1");
    clock_set_for_test(clock_wall_us() + 7 * DAY_US);
    free_answer(wait_result(location)); /* Synapse polls for so long */
    clock_set_for_test(clock_wall_us() + 2 * DAY_US);
    assert_gone("expired", location);
    clock_set_for_test(0);
    struct dataproc_DeleteJobRequest del = { .project_id = STR("acme"), .region = STR("local"), .job_id = STR("l1") };
    ask_for("runner", "DeleteJob", &del, OK, NULL);
    assert_gone("deleted", location);
    (void)snprintf(changed, sizeof changed, "%s", location);
    start("hello.py", ",\"reference\":{\"jobId\":\"l1\"}"); /* another job of that name */
    free_answer(wait_result(location));
    assert_gone("another's", changed);
}

static void a_location_is_of_one_connection(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    DEFER(buf_free) struct buf out = BUF_INIT(1000);
    struct bridge_location put = { STR("job-1"), STR("0e9d2b3e-5d0b-4f43-8a53-0d7c7f2d9e10"), 1000 }, got;
    struct err err;
    struct dataproc other = *dataproc;
    assert_int_equal(bridge_location_put(dataproc, &put, &out, &err), OK);
    assert_int_equal(out.n, BRIDGE_LOCATION_LENGTH);
    assert_true(bridge_location_read(dataproc, buf_str(&out), 999, arena, &got));
    assert_str(got.id, "job-1");
    assert_str(got.uuid, "0e9d2b3e-5d0b-4f43-8a53-0d7c7f2d9e10");
    assert_false(bridge_location_read(dataproc, buf_str(&out), 1000, arena, &got));
    other.connection = STR("prod");
    assert_false(bridge_location_read(&other, buf_str(&out), 999, arena, &got));
}

static void a_location_outlives_a_restart(void **state) {
    (void)state;
    make_cluster();
    start("hello.py", ",\"reference\":{\"jobId\":\"s1\"}");
    free_answer(wait_result(location));
    dataproc_free(dataproc);
    open_dataproc();
    struct answer *a = poll_at(location);
    assert_int_equal(a->code, OK);
    assert_int_equal(a->status, 200);
    free_answer(a);
}

static void tokens_are_hidden(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        { "plain words\n", "plain words\n" },
        { "token: eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhYmMifQ.c2lnbmF0dXJlc2lnbmF0dXJl\n", "token: [a token]\n" },
        { "{\"t\":\"ya29.0123456789012345678901234567890123456789\"}", "{\"t\":\"[a token]\"}" },
        { "Bearer_eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhYmMifQ.c2lnbmF0dXJlc2ln", "Bearer_[a token]" },
        { "eyJshort", "eyJshort" },
        { "", "" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        DEFER(buf_free) struct buf out = BUF_INIT(1000);
        bridge_hide_tokens(str_z(rows[i].in), &out);
        assert_str(buf_str(&out), rows[i].out);
    }
}

static int each_setup(void **state) {
    seen.opened = 0;
    return setting_setup(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, each_setup, setting_teardown)
int main(int argc, char **argv) {
    if (world_is_child(argc, argv)) return world_child_main();
    setting_is_main = true;
    const struct CMUnitTest tests[] = {
        TEST(a_job_from_post_to_result),
        TEST(a_failure_is_an_error_with_its_cause),
        TEST(a_cancelled_job_is_an_error),
        TEST(what_a_post_may_not_say),
        TEST(the_same_job_twice),
        TEST(a_location_is_of_one_job_and_no_guess),
        TEST(a_location_is_of_one_connection),
        TEST(a_location_outlives_a_restart),
        cmocka_unit_test(tokens_are_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
