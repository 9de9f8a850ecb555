/* The runner with real worlds and a stand-in for spark-submit: a script that runs the main file with the shell. With a
 * Python that has PySpark as the argument (test_spark_runner /env/bin/python) one real Spark job runs, too. */
#include "test.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file.h"
#include "spark/runner.h"

enum { MAX_SEEN = 64, WAIT_MS = 20000 };

static const char *real_python; /* NULL: no real Spark */
static char base[256], python[400], code[300];
static struct str folders[1];

/* ---- what the hooks saw ---- */

static struct seen {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct {
        char run[64], details[1024];
        enum runner_state state;
        int status;
        bool open; /* its endpoints, when this was told */
    } items[MAX_SEEN];
    size_t n;
    unsigned n_open, n_opened;
    bool fail_open;
} seen = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

struct endpoint {
    int fds[WORLD_FDS];
};

static enum code open_hook(void *ctx, struct str run, void *user, struct world *world, void **ret, struct err *err) {
    (void)ctx;
    (void)run;
    assert_ptr_equal(user, &seen);
    struct endpoint *e = malloc(sizeof *e);
    assert_non_null(e);
    for (unsigned i = 0; i < WORLD_FDS; i++) {
        e->fds[i] = world->fds[i];
        world->fds[i] = -1;
    }
    (void)pthread_mutex_lock(&seen.lock);
    bool fail = seen.fail_open;
    seen.n_opened++;
    seen.n_open += !fail;
    (void)pthread_mutex_unlock(&seen.lock);
    *ret = e;
    if (!fail) return OK;
    for (unsigned i = 0; i < WORLD_FDS; i++) file_close(&e->fds[i]);
    free(e);
    *ret = NULL;
    return err_set(err, UNAVAILABLE, "no endpoints today");
}

static void close_hook(void *ctx, void *endpoint) {
    (void)ctx;
    struct endpoint *e = endpoint;
    for (unsigned i = 0; i < WORLD_FDS; i++) file_close(&e->fds[i]);
    free(e);
    (void)pthread_mutex_lock(&seen.lock);
    seen.n_open--;
    (void)pthread_mutex_unlock(&seen.lock);
}

static void changed_hook(void *ctx, const struct runner_change *change) {
    (void)ctx;
    (void)pthread_mutex_lock(&seen.lock);
    assert_true(seen.n < MAX_SEEN);
    (void)snprintf(seen.items[seen.n].run, 64, "%.*s", STR_ARG(change->run));
    (void)snprintf(seen.items[seen.n].details, 1024, "%.*s", STR_ARG(change->details));
    seen.items[seen.n].state = change->state;
    seen.items[seen.n].status = change->exit_status;
    seen.items[seen.n].open = seen.n_open > 0;
    seen.n++;
    (void)pthread_cond_broadcast(&seen.changed);
    (void)pthread_mutex_unlock(&seen.lock);
}

/* The index of the first change of `run` to at least `state`. */
static size_t wait_for(const char *run, enum runner_state state) {
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_MS / 1000 * (real_python ? 6 : 1);
    (void)pthread_mutex_lock(&seen.lock);
    for (;;) {
        for (size_t i = 0; i < seen.n; i++)
            if (strcmp(seen.items[i].run, run) == 0 && seen.items[i].state >= state) {
                (void)pthread_mutex_unlock(&seen.lock);
                return i;
            }
        if (pthread_cond_timedwait(&seen.changed, &seen.lock, &until))
            fail_msg("%s did not reach state %d", run, (int)state);
    }
}

/* ---- set-up ---- */

static void put(const char *name, const char *text, unsigned mode) {
    struct err err;
    char path[600];
    (void)snprintf(path, sizeof path, "%s/%s", base, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_int_equal(file_make_dirs(path, 0755, &err), OK);
    *slash = '/';
    assert_int_equal(file_write_durable(path, str_z(text), mode, &err), OK);
    assert_int_equal(chmod(path, mode), 0);
}

static int setup(void **state) {
    (void)state;
    memcpy(base, "/tmp/linkspan-runner-XXXXXX", sizeof "/tmp/linkspan-runner-XXXXXX");
    assert_non_null(mkdtemp(base));
    assert_int_equal(chmod(base, 0711), 0);
    put("env/lib/python3.99/site-packages/pyspark/bin/spark-submit",
        "#!/bin/sh\nwhile [ \"${1#--}\" != \"$1\" ]; do shift 2; done\nmain=$1; shift; exec /bin/sh \"$main\" \"$@\"\n",
        0755);
    put("env/bin/python", "", 0755);
    (void)snprintf(python, sizeof python, "%s/env/bin/python", base);
    (void)snprintf(code, sizeof code, "%s/code", base);
    folders[0] = str_z(code);
    put("code/hello.py", "echo hello $1; echo $HOME\n", 0644);
    put("code/fail.py", "echo 'Traceback (most recent call last):'; echo 'ValueError: no such carrier'; exit 1\n", 0644);
    put("code/long.py", "trap '' TERM; echo ready; while :; do sleep 0.05; done\n", 0644);
    put("code/polite.py", "trap 'exit 0' TERM; echo ready; while :; do sleep 0.02; done\n", 0644);
    put("code/progress.py",
        "echo '{\"Event\":\"SparkListenerApplicationStart\",\"App ID\":\"local-9\",\"App Name\":\"x\"}' > $HOME/events/a\n"
        "trap 'exit 0' TERM; while :; do sleep 0.02; done\n",
        0644);
    put("code/flood.py", "head -c 70000000 /dev/zero; echo; exit 0\n", 0644);
    put("code/linked.py", "rm -r $HOME/events; ln -s / $HOME/events; mkdir $HOME/x; chmod 0 $HOME/x; exit 0\n", 0644);
    seen.n = 0;
    seen.n_open = seen.n_opened = 0;
    seen.fail_open = false;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    char command[300];
    (void)snprintf(command, sizeof command, "rm -rf %s", base);
    return system(command);
}

static struct runner *start(enum world_mode worlds, size_t max_jobs) {
    char folder[300];
    struct runner *runner;
    struct err err = { 0 };
    (void)snprintf(folder, sizeof folder, "%s/runs", base);
    struct runner_config config = { .folder = folder,
                                    .worlds = worlds,
                                    .max_jobs = max_jobs,
                                    .keep_runs = 5,
                                    .launch = { .python = real_python ? real_python : python,
                                                .master = "local[2]",
                                                .project = "demo",
                                                .code = folders,
                                                .n_code = 1 } };
    struct runner_hooks hooks = { .open = open_hook, .close = close_hook, .changed = changed_hook };
    if (runner_start(&config, &hooks, &runner, &err)) fail_msg("%s", err.message);
    return runner;
}

static void submit(struct runner *runner, const char *run, const char *account, const char *file) {
    struct err err = { 0 };
    char uri[600];
    struct str args[1] = { STR("world") };
    size_t n_args = real_python ? 0 : 1;
    struct runner_job job = { .run = str_z(run), .account = str_z(account), .user = &seen };
    struct launch_config config = { .code = folders, .n_code = 1 };
    (void)snprintf(uri, sizeof uri, "%s/%s", code, file);
    job.launch = (struct launch_job){ .name = str_z(run), .main = str_z(uri), .args = { args, n_args } };
    if (launch_hash(&config, job.launch.main, LAUNCH_MAIN_MAX_BYTES, job.main_sha256, &err)) fail_msg("%s", err.message);
    if (runner_submit(runner, &job, &err)) fail_msg("%s", err.message);
}

static void assert_output(struct runner *runner, const char *run, const char *holds) {
    DEFER(buf_free) struct buf out = BUF_INIT(1 << 20);
    uint64_t total;
    struct err err = { 0 };
    if (runner_output(runner, str_z(run), 0, 65536, &out, &total, &err)) fail_msg("%s", err.message);
    if (str_find(buf_str(&out), str_z(holds)) < 0) fail_msg("\"%s\" is not in: %.*s", holds, (int)out.n, out.p);
}

static bool is_there(const char *name) {
    char path[600];
    (void)snprintf(path, sizeof path, "%s/runs/%s", base, name);
    return access(path, F_OK) == 0;
}

/* ---- tests ---- */

static void a_run_from_start_to_end(void **state) {
    (void)state;
    struct runner *runner = start(WORLD_NAMESPACES, 2);
    submit(runner, "r1", "a", "hello.py");
    size_t end = wait_for("r1", RUN_DONE);
    assert_int_equal(end, 2);
    assert_int_equal(seen.items[0].state, RUN_STARTING);
    assert_int_equal(seen.items[1].state, RUN_RUNNING);
    assert_true(seen.items[1].open);
    assert_int_equal(seen.items[2].state, RUN_DONE);
    assert_false(seen.items[2].open); /* endpoints first, then the state */
    assert_output(runner, "r1", runner_mode(runner) == WORLD_NAMESPACES ? "hello world\n/job\n" : "hello world\n");
    assert_true(is_there("r1/driveroutput"));
    assert_false(is_there("r1/home") || is_there("r1/code"));
    runner_forget(runner, STR("r1"));
    assert_false(is_there("r1"));
    runner_stop(runner);
}

static void a_failure_says_why(void **state) {
    (void)state;
    struct runner *runner = start(WORLD_NAMESPACES, 1);
    submit(runner, "r1", "a", "fail.py");
    size_t end = wait_for("r1", RUN_DONE);
    assert_int_equal(seen.items[end].state, RUN_FAILED);
    assert_int_equal(seen.items[end].status, 1);
    assert_string_equal(seen.items[end].details, "the driver exited with 1: ValueError: no such carrier");
    runner_stop(runner);
}

static void cancel_ends_what_runs_and_what_waits(void **state) {
    (void)state;
    struct runner *runner = start(WORLD_NAMESPACES, 1);
    submit(runner, "polite", "a", "polite.py");
    submit(runner, "waits", "a", "hello.py");
    wait_for("polite", RUN_RUNNING);
    runner_cancel(runner, STR("waits"));
    size_t at = wait_for("waits", RUN_DONE);
    assert_int_equal(seen.items[at].state, RUN_CANCELLED);
    usleep(100000); /* its trap is set */
    runner_cancel(runner, STR("polite"));
    at = wait_for("polite", RUN_DONE);
    assert_int_equal(seen.items[at].state, RUN_CANCELLED);
    runner_stop(runner);
}

static void what_ignores_sigterm_is_killed(void **state) {
    (void)state;
    struct runner *runner = start(WORLD_NAMESPACES, 1);
    submit(runner, "r1", "a", "long.py");
    wait_for("r1", RUN_RUNNING);
    uint64_t began = clock_mono_us();
    runner_stop(runner); /* does not wait for the 5 s of a cancel */
    size_t at = wait_for("r1", RUN_DONE);
    assert_int_equal(seen.items[at].state, RUN_CANCELLED);
    assert_string_equal(seen.items[at].details, "the server stopped");
    assert_true(clock_mono_us() - began < 4000000);
    assert_int_equal(seen.n_open, 0);
}

static void no_more_than_max_jobs_run(void **state) {
    (void)state;
    struct runner *runner = start(WORLD_NAMESPACES, 2);
    submit(runner, "r1", "a", "polite.py");
    submit(runner, "r2", "b", "polite.py");
    submit(runner, "r3", "a", "hello.py");
    wait_for("r1", RUN_RUNNING);
    wait_for("r2", RUN_RUNNING);
    usleep(100000);
    assert_int_equal(seen.n_opened, 2);
    runner_cancel(runner, STR("r1"));
    wait_for("r3", RUN_DONE);
    runner_stop(runner);
}

static void without_worlds_one_account_at_a_time(void **state) {
    (void)state;
    struct runner *runner = start(WORLD_ALONE, 4);
    assert_int_equal(runner_mode(runner), WORLD_ALONE);
    assert_true(runner_mode_why(runner)[0] != '\0');
    submit(runner, "a1", "a", "polite.py");
    submit(runner, "a2", "a", "polite.py");
    submit(runner, "b1", "b", "hello.py");
    wait_for("a1", RUN_RUNNING);
    wait_for("a2", RUN_RUNNING);
    usleep(100000);
    assert_int_equal(seen.n_opened, 2);
    runner_cancel(runner, STR("a1"));
    wait_for("a1", RUN_DONE);
    usleep(100000);
    assert_int_equal(seen.n_opened, 2); /* a2 still runs */
    runner_cancel(runner, STR("a2"));
    size_t at = wait_for("b1", RUN_DONE);
    assert_int_equal(seen.items[at].state, RUN_DONE);
    runner_stop(runner);
}

static void own_uids_run_side_by_side(void **state) {
    (void)state;
    if (geteuid() != 0) return; /* world's tests assert that it is refused */
    struct runner *runner = start(WORLD_OWN_UID, 4);
    submit(runner, "a1", "a", "hello.py");
    submit(runner, "b1", "b", "hello.py");
    assert_int_equal(seen.items[wait_for("a1", RUN_DONE)].state, RUN_DONE);
    assert_int_equal(seen.items[wait_for("b1", RUN_DONE)].state, RUN_DONE);
    runner_stop(runner);
}

static void progress_is_followed(void **state) {
    (void)state;
    struct runner *runner = start(WORLD_NAMESPACES, 1);
    struct progress progress = { 0 };
    submit(runner, "r1", "a", "progress.py");
    wait_for("r1", RUN_RUNNING);
    for (unsigned i = 0; i < 200 && !progress.application_id[0]; i++) {
        usleep(20000);
        assert_true(runner_progress(runner, STR("r1"), &progress));
    }
    assert_string_equal(progress.application_id, "local-9");
    runner_stop(runner);
    assert_int_equal(seen.n_open, 0);
}

static void output_is_bounded(void **state) {
    (void)state;
    struct runner *runner = start(WORLD_NAMESPACES, 1);
    DEFER(buf_free) struct buf out = BUF_INIT(1 << 20);
    uint64_t total;
    struct err err = { 0 };
    submit(runner, "r1", "a", "flood.py");
    assert_int_equal(seen.items[wait_for("r1", RUN_DONE)].state, RUN_DONE);
    assert_int_equal(runner_output(runner, STR("r1"), RUNNER_OUTPUT_MAX_BYTES - 200, 4096, &out, &total, &err), OK);
    assert_true(total <= RUNNER_OUTPUT_MAX_BYTES);
    assert_true(str_find(buf_str(&out), STR("the rest is not kept")) > 0);
    runner_stop(runner);
}

static void what_a_job_leaves_is_removed_and_not_followed(void **state) {
    (void)state;
    struct runner *runner = start(WORLD_NAMESPACES, 1);
    submit(runner, "r1", "a", "linked.py");
    assert_int_equal(seen.items[wait_for("r1", RUN_DONE)].state, RUN_DONE);
    assert_false(is_there("r1/home"));
    assert_int_equal(access("/usr/bin", F_OK), 0);
    for (unsigned i = 0; i < 8; i++) {
        char run[16];
        (void)snprintf(run, sizeof run, "k%u", i);
        submit(runner, run, "a", "hello.py");
        wait_for(run, RUN_DONE);
    }
    runner_stop(runner);
    assert_false(is_there("r1")); /* keep_runs: five */
    assert_true(is_there("k7/driveroutput"));
}

/* As a server that was killed leaves them. */
static void a_new_runner_removes_what_an_old_one_left(void **state) {
    (void)state;
    put("runs/old/home/deep/file", "x", 0600);
    put("runs/old/code/main0/main.py", "x", 0644);
    put("runs/old/driveroutput", "kept", 0600);
    struct runner *runner = start(WORLD_NAMESPACES, 1);
    assert_false(is_there("old/home") || is_there("old/code"));
    assert_output(runner, "old", "kept");
    runner_stop(runner);
}

static void without_endpoints_nothing_runs(void **state) {
    (void)state;
    struct runner *runner = start(WORLD_NAMESPACES, 1);
    seen.fail_open = true;
    submit(runner, "r1", "a", "hello.py");
    size_t at = wait_for("r1", RUN_DONE);
    assert_int_equal(seen.items[at].state, RUN_FAILED);
    assert_int_equal(seen.items[at].status, -1);
    assert_string_equal(seen.items[at].details, "no endpoints today");
    runner_stop(runner);
}

static void a_real_spark_job(void **state) {
    (void)state;
    put("code/real.py",
        "from pyspark.sql import SparkSession\n"
        "s = SparkSession.builder.getOrCreate()\n"
        "print('sum is', s.range(1000).repartition(3).groupBy().sum('id').collect()[0][0])\n",
        0644);
    struct runner *runner = start(WORLD_NAMESPACES, 1);
    submit(runner, "real", "a", "real.py");
    size_t at = wait_for("real", RUN_DONE);
    if (seen.items[at].state != RUN_DONE) fail_msg("%s", seen.items[at].details);
    assert_output(runner, "real", "sum is 499500");
    runner_stop(runner);
}

/* The same under real Spark, with the environment that a job has. */
static void a_hostile_spark_job(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct str text;
    struct err err;
    assert_int_equal(file_read(arena, HOSTILE_JOB, 1 << 18, &text, &err), OK);
    put("code/hostile.py", str_dupz(arena, text), 0644);
    struct runner *runner = start(WORLD_NAMESPACES, 1);
    submit(runner, "hostile", "a", "hostile.py");
    size_t at = wait_for("hostile", RUN_DONE);
    if (seen.items[at].state != RUN_DONE) {
        DEFER(buf_free) struct buf out = BUF_INIT(1 << 20);
        uint64_t total;
        if (!runner_output(runner, STR("hostile"), 0, 65536, &out, &total, &err))
            fprintf(stderr, "%.*s\n", (int)out.n, out.p);
        fail_msg("%s", seen.items[at].details);
    }
    assert_output(runner, "hostile", "0 broken: []");
    runner_stop(runner);
}

int main(int argc, char **argv) {
    if (world_is_child(argc, argv)) return world_child_main();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_run_from_start_to_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failure_says_why, setup, teardown),
        cmocka_unit_test_setup_teardown(cancel_ends_what_runs_and_what_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(what_ignores_sigterm_is_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(no_more_than_max_jobs_run, setup, teardown),
        cmocka_unit_test_setup_teardown(without_worlds_one_account_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(own_uids_run_side_by_side, setup, teardown),
        cmocka_unit_test_setup_teardown(progress_is_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(output_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_job_leaves_is_removed_and_not_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_runner_removes_what_an_old_one_left, setup, teardown),
        cmocka_unit_test_setup_teardown(without_endpoints_nothing_runs, setup, teardown),
    };
    const struct CMUnitTest real[] = { cmocka_unit_test_setup_teardown(a_hostile_spark_job, setup, teardown),
                                       cmocka_unit_test_setup_teardown(a_real_spark_job, setup, teardown) };
    if (argc == 2) {
        real_python = argv[1];
        return cmocka_run_group_tests(real, NULL, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
