/* What must not be lost: a stop between any two requests, a kill, a full disk, a disk that refuses, short memory. */
#include "world.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pipeline/pipelines_priv.h"
#include "store/store.h"

static struct world w;

#define WEB(name, method, more)                                                                                            \
    "{\"name\":\"" name "\",\"type\":\"WebActivity\"" more ",\"typeProperties\":{\"method\":\"" method                     \
    "\",\"url\":\"https://h/" name "\""
#define END "}}"

static void again(void) {
    struct err err = { 0 };
    world_stop(&w);
    if (world_start(&w, &err)) fail_msg("%s", err.message);
    (void)pipelines_turn(w.p);
}

static void waits_go_on_to_their_time(void **state) {
    (void)state;
    char id[PIPELINE_UUID + 1];
    world_open(&w, NULL, 0);
    world_put(&w, "p", "{\"name\":\"A\",\"type\":\"Wait\",\"typeProperties\":{\"waitTimeInSeconds\":100}}", NULL);
    world_run(&w, "p", NULL, id);
    world_pass(&w, 40);
    again();
    world_pass(&w, 59);
    world_is(&w, id, RUN_IN_PROGRESS);
    world_pass(&w, 1);
    world_is(&w, id, RUN_SUCCEEDED);
    world_close(&w);
}

static void polls_go_on_with_their_location(void **state) {
    (void)state;
    struct script scripts[] = { { "/A", .status = 202, .location = "/job" },
                                { "/job", .status = 202, .retry_after = "30" },
                                { "/job", .hold = true },
                                { "/job", .status = 200, .body = "{\"ok\":1}" } };
    char id[PIPELINE_UUID + 1];
    world_open(&w, scripts, COUNT(scripts));
    world_put(&w, "p", WEB("A", "POST", "") ",\"body\":\"{}\"" END, NULL);
    world_run(&w, "p", NULL, id);
    world_pass(&w, 5);
    again(); /* between two polls */
    world_pass(&w, 20);
    assert_int_equal(w.n_asked, 2);
    world_pass(&w, 10);
    assert_int_equal(w.n_asked, 3);
    assert_string_equal(w.asked[2].url, "https://h/job");
    again(); /* within one */
    assert_int_equal(w.n_asked, 4);
    assert_true(w.asked[3].poll);
    assert_string_equal(w.asked[3].subject, "ada@corp.example");
    assert_string_equal(w.asked[3].request, "req-1");
    world_is(&w, id, RUN_SUCCEEDED);
    world_close(&w);
}

struct interrupted_case {
    const char *name, *activity;
    size_t asked; /* after the restart */
    enum run_state run;
    const char *code;
};

static const struct interrupted_case interrupted_cases[] = {
    { "a POST is not sent twice", WEB("A", "POST", "") ",\"body\":\"{}\"" END, 1, RUN_FAILED, "Interrupted" },
    { "a DELETE is not sent twice", WEB("A", "DELETE", "") END, 1, RUN_FAILED, "Interrupted" },
    { "a GET is", WEB("A", "GET", "") END, 2, RUN_SUCCEEDED, NULL },
    { "and a POST that may be tried again", WEB("A", "POST", ",\"policy\":{\"retry\":1}") ",\"body\":\"{}\"" END, 2,
      RUN_SUCCEEDED, NULL },
};

static void a_request_under_way_is_told_apart(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(interrupted_cases); i++) {
        const struct interrupted_case *c = &interrupted_cases[i];
        struct script scripts[] = { { "/A", .hold = true }, { "/A", .status = 200, .body = "{}" } };
        char id[PIPELINE_UUID + 1];
        world_open(&w, scripts, COUNT(scripts));
        world_put(&w, "p", c->activity, NULL);
        world_run(&w, "p", NULL, id);
        assert_int_equal(w.n_asked, 1);
        again();
        world_pass(&w, 60);
        if (w.n_asked != c->asked) fail_msg("%s: asked %zu times", c->name, w.n_asked);
        world_is(&w, id, c->run);
        if (c->code) {
            world_error(&w, id, "A", c->code);
            assert_true(
                str_find(world_activity(&w, id, "A").error,
                         STR("Linkspan stopped while this request was under way; whether it arrived is not known")) > 0);
        }
        world_close(&w);
    }
}

static void a_retry_keeps_its_time(void **state) {
    (void)state;
    struct script scripts[] = { { "/A", .status = 500 }, { "/A", .status = 200, .body = "{}" } };
    char id[PIPELINE_UUID + 1];
    world_open(&w, scripts, COUNT(scripts));
    world_put(&w, "p", WEB("A", "POST", ",\"policy\":{\"retry\":1,\"retryIntervalInSeconds\":100}") ",\"body\":\"{}\"" END,
              NULL);
    world_run(&w, "p", NULL, id);
    world_pass(&w, 50);
    again();
    world_pass(&w, 49);
    assert_int_equal(w.n_asked, 1);
    world_pass(&w, 1);
    world_is(&w, id, RUN_SUCCEEDED);
    world_close(&w);
}

static void queued_runs_and_children_are_joined_again(void **state) {
    (void)state;
    char a[PIPELINE_UUID + 1], b[PIPELINE_UUID + 1];
    struct err err = { 0 };
    world_open(&w, NULL, 0);
    world_put(&w, "child", "{\"name\":\"W\",\"type\":\"Wait\",\"typeProperties\":{\"waitTimeInSeconds\":50}}", NULL);
    world_put(
        &w, "p",
        "{\"name\":\"E\",\"type\":\"ExecutePipeline\",\"typeProperties\":{\"waitOnCompletion\":true,\"pipeline\":{\"type\":"
        "\"PipelineReference\",\"referenceName\":\"child\"}}}",
        "\"concurrency\":1");
    world_run(&w, "p", NULL, a);
    world_run(&w, "p", NULL, b);
    again();
    struct run_known known;
    assert_true(pipelines_run_known(w.p, str_z(b), w.arena, &known));
    assert_str(known.pipeline, "p");
    assert_str(known.subject, "ada@corp.example");
    world_is(&w, b, RUN_QUEUED);
    world_pass(&w, 50);
    world_is(&w, a, RUN_SUCCEEDED);
    world_is(&w, b, RUN_IN_PROGRESS);
    assert_int_equal(pipelines_delete(w.p, ARTIFACT_PIPELINE, STR("p"), &err), OK); /* it keeps what it began with */
    again();
    world_pass(&w, 50);
    world_is(&w, b, RUN_SUCCEEDED);
    world_close(&w);
}

/* The first in the queue began with `concurrency` 1, the second with 2: they go on in their order all the same. */
static void a_queue_of_two_versions_keeps_its_order(void **state) {
    (void)state;
    static const char wait[] = "{\"name\":\"W\",\"type\":\"Wait\",\"typeProperties\":{\"waitTimeInSeconds\":50}}";
    static const char longer[] = "{\"name\":\"W\",\"type\":\"Wait\",\"typeProperties\":{\"waitTimeInSeconds\":90}}";
    char ids[4][PIPELINE_UUID + 1];
    world_open(&w, NULL, 0);
    world_put(&w, "p", wait, "\"concurrency\":1");
    world_run(&w, "p", NULL, ids[0]);
    world_run(&w, "p", NULL, ids[1]);
    world_put(&w, "p", longer, "\"concurrency\":2");
    world_run(&w, "p", NULL, ids[2]);
    world_run(&w, "p", NULL, ids[3]);
    world_is(&w, ids[2], RUN_IN_PROGRESS);
    world_pass(&w, 60);
    world_is(&w, ids[0], RUN_SUCCEEDED);
    again(); /* the last one has a place, and waits behind another that has none */
    world_is(&w, ids[1], RUN_QUEUED);
    world_is(&w, ids[3], RUN_QUEUED);
    world_pass(&w, 40);
    world_is(&w, ids[1], RUN_IN_PROGRESS);
    world_is(&w, ids[3], RUN_IN_PROGRESS);
    world_close(&w);
}

static int64_t number_of(const char *sql) {
    sqlite3_stmt *stmt = NULL;
    struct err err = { 0 };
    assert_int_equal(store_prepare(w.p->store, str_z(sql), &stmt, &err), OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(stmt, 0);
    store_done(stmt);
    return n;
}

static void a_run_that_cannot_be_read_ends_as_others_do(void **state) {
    (void)state;
    struct script scripts[] = { { "/A", .status = 200, .body = "{\"secret\":1}" } };
    struct err err = { 0 };
    char id[PIPELINE_UUID + 1], other[PIPELINE_UUID + 1];
    world_open(&w, scripts, COUNT(scripts));
    world_put(&w, "p",
              WEB("A", "GET", ",\"policy\":{\"secureOutput\":true}") END
              ",{\"name\":\"W\",\"type\":\"Wait\",\"typeProperties\":{\"waitTimeInSeconds\":50}}",
              NULL);
    world_run(&w, "p", NULL, id);
    world_run(&w, "p", NULL, other);
    assert_int_equal(store_exec(w.p->store, "UPDATE run SET variables='{' WHERE seq=1", &err), OK);
    assert_int_equal(number_of("SELECT count(*) FROM activity WHERE run=1 AND output IS NOT NULL"), 1);
    w.n_events = 0;
    again();
    world_is(&w, id, RUN_FAILED);
    world_is(&w, other, RUN_IN_PROGRESS);
    world_activity_is(&w, id, "W", RUN_FAILED);
    assert_int_equal(number_of("SELECT count(*) FROM activity WHERE run=1 AND output IS NOT NULL"), 0);
    assert_int_equal(number_of("SELECT count(*) FROM version"), 1);
    world_pass(&w, 1);
    assert_string_equal(w.events[w.n_events - 1], "run ended p Failed");
    world_pass(&w, 60);
    world_is(&w, other, RUN_SUCCEEDED);
    assert_int_equal(number_of("SELECT count(*) FROM version"), 0);
    world_close(&w);
}

static void an_activity_that_has_ended_keeps_no_plan(void **state) {
    (void)state;
    char id[PIPELINE_UUID + 1];
    world_open(&w, NULL, 0);
    world_put(&w, "p",
              "{\"name\":\"L\",\"type\":\"ForEach\",\"typeProperties\":{\"items\":{\"type\":\"Expression\",\"value\":"
              "\"@createArray('secret')\"},\"activities\":[{\"name\":\"S\",\"type\":\"SetVariable\",\"typeProperties\":{"
              "\"variableName\":\"v\",\"value\":\"x\"}}]}}",
              "\"variables\":{\"v\":{\"type\":\"String\"}}");
    world_run(&w, "p", NULL, id);
    world_is(&w, id, RUN_SUCCEEDED); /* in one turn */
    assert_int_equal(number_of("SELECT count(*) FROM activity WHERE plan IS NOT NULL"), 0);
    world_close(&w);
}

static void a_cancel_is_kept(void **state) {
    (void)state;
    struct script script = { "/A", .hold = true };
    struct err err = { 0 };
    char id[PIPELINE_UUID + 1];
    world_open(&w, &script, 1);
    world_put(&w, "p", WEB("A", "GET", "") END, NULL);
    world_run(&w, "p", NULL, id);
    assert_int_equal(pipelines_cancel_run(w.p, str_z(id), true, &err), OK);
    again(); /* before the answer was taken */
    world_is(&w, id, RUN_CANCELLED);
    world_activity_is(&w, id, "A", RUN_CANCELLED);
    assert_int_equal(w.n_asked, 1);
    world_close(&w);
}

/* ---- kill ---- */

/* A pipeline of all that there is; whatever the moment of the kill, it ends Succeeded, and every POST is sent once or its
 * activity says Interrupted. */
static const char everything[] =
    "{\"name\":\"G\",\"type\":\"WebActivity\",\"typeProperties\":{\"method\":\"GET\",\"url\":\"https://h/get\"}},"
    "{\"name\":\"V\",\"type\":\"SetVariable\",\"dependsOn\":[{\"activity\":\"G\",\"dependencyConditions\":[\"Succeeded\"]}]"
    ","
    "\"typeProperties\":{\"variableName\":\"v\",\"value\":\"@{activity('G').output.n}\"}},"
    "{\"name\":\"L\",\"type\":\"ForEach\",\"dependsOn\":[{\"activity\":\"V\",\"dependencyConditions\":[\"Succeeded\"]}],"
    "\"typeProperties\":{\"batchCount\":2,\"items\":{\"type\":\"Expression\",\"value\":\"@createArray(1,2,3,4)\"},"
    "\"activities\":["
    "{\"name\":\"I\",\"type\":\"IfCondition\",\"typeProperties\":{\"expression\":{\"type\":\"Expression\",\"value\":"
    "\"@equals(item(),int(variables('v')))\"},\"ifTrueActivities\":[{\"name\":\"T\",\"type\":\"Wait\",\"typeProperties\":"
    "{\"waitTimeInSeconds\":3}}],\"ifFalseActivities\":[{\"name\":\"N\",\"type\":\"WebActivity\",\"typeProperties\":{"
    "\"method\":"
    "\"GET\",\"url\":\"https://h/get\"}}]}}]}},"
    "{\"name\":\"P\",\"type\":\"WebActivity\",\"dependsOn\":[{\"activity\":\"L\",\"dependencyConditions\":[\"Succeeded\"]}]"
    ","
    "\"typeProperties\":{\"method\":\"POST\",\"url\":\"https://h/post\",\"body\":\"@variables('v')\"}},"
    "{\"name\":\"E\",\"type\":\"ExecutePipeline\",\"dependsOn\":[{\"activity\":\"P\",\"dependencyConditions\":["
    "\"Completed\"]}],"
    "\"typeProperties\":{\"waitOnCompletion\":true,\"pipeline\":{\"type\":\"PipelineReference\",\"referenceName\":"
    "\"child\"}}}";

enum { KILLS = 60 };
static unsigned steps_left; /* of the child: writes, syncs and requests until its end */

static void step(void) {
    if (steps_left && --steps_left == 0) _exit(9);
}

static void step_at_call(struct world *world) {
    (void)world;
    step();
}

static sqlite3_vfs stepping;
static sqlite3_io_methods stepping_methods[2], real_methods;
static unsigned faults_left; /* counts down to the write that fails; 0 = none */

static bool fails_now(void) {
    return faults_left && --faults_left == 0;
}
static int stepping_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at) {
    step();
    return fails_now() ? SQLITE_IOERR_WRITE : real_methods.xWrite(file, p, n, at);
}
static int stepping_sync(sqlite3_file *file, int flags) {
    step();
    return fails_now() ? SQLITE_IOERR_FSYNC : real_methods.xSync(file, flags);
}
static int stepping_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out) {
    sqlite3_vfs *real = vfs->pAppData;
    int rc = real->xOpen(real, name, file, flags, out);
    if (rc != SQLITE_OK || !file->pMethods || !(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL))) return rc;
    sqlite3_io_methods *methods = &stepping_methods[flags & SQLITE_OPEN_WAL ? 1 : 0];
    if (!methods->xWrite) {
        *methods = real_methods = *file->pMethods;
        methods->xWrite = stepping_write;
        methods->xSync = stepping_sync;
    }
    file->pMethods = methods;
    return rc;
}

static int use_stepping(void **state) {
    (void)state;
    stepping = *sqlite3_vfs_find(NULL);
    stepping.pAppData = sqlite3_vfs_find(NULL);
    stepping.zName = "stepping";
    stepping.xOpen = stepping_open;
    return sqlite3_vfs_register(&stepping, 1);
}

static int drop_stepping(void **state) {
    (void)state;
    return sqlite3_vfs_unregister(&stepping);
}

static struct script everythings_scripts[] = { { "/get", .status = 200, .body = "{\"n\":2}" },
                                               { "/post", .status = 202, .location = "/job" },
                                               { "/job", .status = 200, .body = "{}" } };

/* The child goes on from whatever the file holds. */
static void go_on_and_die(unsigned after, uint64_t seed) {
    struct err err = { 0 };
    w.seed = seed; /* ids must differ from those that the parent will make */
    w.on_call = step_at_call;
    if (world_start(&w, &err)) _exit(3);
    steps_left = after;
    world_pass(&w, 1000);
    _exit(0);
}

static void check_everything(const char *id) {
    struct activity_info p = world_activity(&w, id, "P");
    world_is(&w, id, RUN_SUCCEEDED);
    assert_int_equal(world_count(&w, id, "G", RUN_SUCCEEDED), 1);
    assert_int_equal(world_count(&w, id, "T", RUN_SUCCEEDED), 1);
    assert_int_equal(world_count(&w, id, "N", RUN_SUCCEEDED), 3);
    assert_int_equal(world_count(&w, id, "I", RUN_SUCCEEDED), 4);
    assert_int_equal(world_count(&w, id, "E", RUN_SUCCEEDED), 1);
    if (p.state == RUN_FAILED) world_error(&w, id, "P", "Interrupted");
}

static void kills_leave_a_right_end(void **state) {
    (void)state;
    unsigned interrupted = 0, killed = 0;
    world_open(&w, everythings_scripts, COUNT(everythings_scripts));
    w.mute = true;
    world_put(&w, "child", "{\"name\":\"W\",\"type\":\"Wait\",\"typeProperties\":{\"waitTimeInSeconds\":5}}", NULL);
    world_put(&w, "p", everything, "\"variables\":{\"v\":{\"type\":\"String\"}}");
    for (unsigned round = 0; round < KILLS; round++) {
        char id[PIPELINE_UUID + 1];
        struct err err = { 0 };
        world_run(&w, "p", NULL, id);
        world_stop(&w);
        for (unsigned times = 0; times < 1 + round % 3; times++) {
            int status = 0;
            unsigned after = 1 + (unsigned)(world_random(&w) % 90);
            pid_t child = fork();
            if (child == 0) go_on_and_die(after, ((uint64_t)round << 40) + ((uint64_t)times << 32));
            assert_int_equal(waitpid(child, &status, 0), child);
            assert_true(WIFEXITED(status));
            if (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 9)
                fail_msg("the child ended with %d", WEXITSTATUS(status));
            killed += WEXITSTATUS(status) == 9;
            w.now_us += 20000000; /* later than anything that it has seen */
        }
        if (world_start(&w, &err)) fail_msg("%s", err.message);
        world_pass(&w, 1000);
        check_everything(id);
        interrupted += world_activity(&w, id, "P").state == RUN_FAILED;
    }
    assert_true(killed > KILLS / 3);
    assert_true(interrupted > 0);
    world_close(&w);
}

/* ---- a bad disk ---- */

static void a_full_disk_stops_and_then_goes_on(void **state) {
    (void)state;
    char id[PIPELINE_UUID + 1];
    struct err err = { 0 };
    struct script scripts[] = { { "/get", .status = 200, .body = "{\"n\":2}" }, { "/post", .status = 200, .body = "{}" } };
    static char text[200000];
    memset(text, 'x', sizeof text - 1);
    w.max_pages = 40;
    world_open(&w, scripts, COUNT(scripts));
    world_put(&w, "p",
              "{\"name\":\"G\",\"type\":\"WebActivity\",\"typeProperties\":{\"method\":\"GET\",\"url\":\"https://h/get\"}},"
              "{\"name\":\"P\",\"type\":\"WebActivity\",\"dependsOn\":[{\"activity\":\"G\",\"dependencyConditions\":["
              "\"Succeeded\"]}],"
              "\"typeProperties\":{\"method\":\"POST\",\"url\":\"https://h/post\",\"body\":\"{}\"}}",
              NULL);
    static char body[400000];
    (void)snprintf(body, sizeof body, "{\"text\":\"%s%s\"}", text, text + 100000);
    scripts[0].body = body;
    world_run(&w, "p", NULL, id);
    world_pass(&w, 10);
    assert_int_equal(w.n_asked, 1); /* what is not durable has no effect */
    world_is(&w, id, RUN_IN_PROGRESS);
    struct faults faults = { .arena = w.arena };
    const struct run_start start = { .pipeline = STR("p"), .starter = &world_person, .request = STR("r") };
    char other[PIPELINE_UUID + 1];
    assert_int_equal(pipelines_create_run(w.p, &start, &faults, other, &err), RESOURCE_EXHAUSTED);
    assert_non_null(strstr(err.message, "full"));
    assert_int_equal(pipelines_cancel_run(w.p, str_z(id), true, &err), RESOURCE_EXHAUSTED);
    w.max_pages = 0;
    again(); /* a larger disk; the GET is asked again */
    world_is(&w, id, RUN_SUCCEEDED);
    assert_int_equal(w.n_asked, 3);
    world_close(&w);
}

static void a_disk_that_refuses_loses_nothing(void **state) {
    (void)state;
    unsigned faults = 0;
    world_open(&w, everythings_scripts, COUNT(everythings_scripts));
    w.mute = true;
    world_put(&w, "child", "{\"name\":\"W\",\"type\":\"Wait\",\"typeProperties\":{\"waitTimeInSeconds\":5}}", NULL);
    world_put(&w, "p", everything, "\"variables\":{\"v\":{\"type\":\"String\"}}");
    for (unsigned n = 1; n < 60; n++) {
        char id[PIPELINE_UUID + 1];
        world_run(&w, "p", NULL, id);
        size_t asked = w.n_asked;
        faults_left = n;
        world_pass(&w, 200);
        faults += faults_left == 0;
        faults_left = 0;
        world_pass(&w, 2);
        check_everything(id);
        size_t posts = 0;
        for (size_t i = asked; i < w.n_asked; i++) posts += strcmp(w.asked[i].method, "POST") == 0;
        assert_true(posts <= 1);
        w.n_asked = 0;
    }
    assert_true(faults > 30);
    world_close(&w);
}

/* ---- short memory ---- */

static void short_memory_ends_in_a_right_state(void **state) {
    (void)state;
    unsigned refused = 0, failed = 0, succeeded = 0;
    world_open(&w, everythings_scripts, COUNT(everythings_scripts));
    w.mute = true;
    world_put(&w, "child", "{\"name\":\"W\",\"type\":\"Wait\",\"typeProperties\":{\"waitTimeInSeconds\":5}}", NULL);
    world_put(&w, "p", everything, "\"variables\":{\"v\":{\"type\":\"String\"}}");
    struct version *kept[2] = { NULL, NULL }; /* the documents are compiled already: that has its own tests */
    assert_int_equal(version_current(w.p, STR("p"), &kept[0], NULL), OK);
    assert_int_equal(version_current(w.p, STR("child"), &kept[1], NULL), OK);
    for (unsigned n = 1; n < 1500; n += 1 + n / 100) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
        struct faults faults = { .arena = arena };
        struct err err = { 0 };
        const struct run_start start = { .pipeline = STR("p"), .starter = &world_person, .request = STR("r") };
        char id[PIPELINE_UUID + 1];
        arena_fail_after(n);
        enum code rc = pipelines_create_run(w.p, &start, &faults, id, &err);
        if (!rc) (void)pipelines_turn(w.p);
        arena_fail_after(0);
        w.n_asked = 0;
        refused += rc != OK;
        if (rc) {
            assert_int_equal(rc, RESOURCE_EXHAUSTED);
            continue;
        }
        world_pass(&w, 1000);
        struct run_info info = world_get(&w, id);
        if (!pipeline_run_state_is_end(info.state))
            fail_msg("allocation %u: the run is %s", n, pipeline_run_state_name(info.state));
        failed += info.state == RUN_FAILED;
        succeeded += info.state == RUN_SUCCEEDED;
    }
    for (int i = 0; i < 2; i++) (void)version_unref(w.p, kept[i]);
    assert_true(refused > 10);
    assert_true(failed > 10);
    assert_true(succeeded > 10);
    world_close(&w);
}

int main(int argc, char **argv) {
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_go_on_to_their_time),
        cmocka_unit_test(polls_go_on_with_their_location),
        cmocka_unit_test(a_request_under_way_is_told_apart),
        cmocka_unit_test(a_retry_keeps_its_time),
        cmocka_unit_test(queued_runs_and_children_are_joined_again),
        cmocka_unit_test(a_queue_of_two_versions_keeps_its_order),
        cmocka_unit_test(a_run_that_cannot_be_read_ends_as_others_do),
        cmocka_unit_test(an_activity_that_has_ended_keeps_no_plan),
        cmocka_unit_test(a_cancel_is_kept),
        cmocka_unit_test(kills_leave_a_right_end),
        cmocka_unit_test(a_full_disk_stops_and_then_goes_on),
        cmocka_unit_test(a_disk_that_refuses_loses_nothing),
        cmocka_unit_test(short_memory_ends_in_a_right_state),
    };
    return cmocka_run_group_tests(tests, use_stepping, drop_stepping);
}
