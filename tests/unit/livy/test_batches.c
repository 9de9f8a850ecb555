/* Both Livy APIs over a real Dataproc connection. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "setting.h"
#include "base/file.h"
#include "livy/livy_priv.h"

#define POOL "/livyApi/versions/2019-11-01-preview/sparkPools/small"
#define ROWS "/livyApi/versions/{version}/sparkPools/{pool}"

static struct livy *livy;
static struct service apache, synapse;

static void open_livy(void) {
    static const struct livy_pool pools[] = { { STR_INIT("small"), STR_INIT("batch") },
                                              { STR_INIT("other"), STR_INIT("second") } };
    const struct livy_config config = {
        .workspace = STR("flights"), .pools = pools, .n_pools = 2, .cluster = STR("batch")
    };
    struct err err;
    assert_int_equal(livy_new(&config, dataproc, &livy, &err), OK);
    apache = livy_service(livy);
    synapse = livy_synapse_service(livy);
}

/* ---- one request ---- */

struct reply {
    enum code code;
    unsigned status;
    char message[1024], location[100];
    json_t *json;
};

static struct reply request(struct service *of, const char *who, const char *row, const char *verb, const char *path,
                            const char *query, const char *body) {
    struct reply reply = { 0 };
    asked = of;
    struct answer *a = new_answer(who, row);
    asked = &service;
    const struct method *m = of->methods; /* rows of several verbs have one path */
    while (strcmp(m->path, row) != 0 || strcmp(m->verb, verb) != 0) m++;
    a->call.method = m;
    a->call.http.path = str_z(path);
    a->call.http.query = str_z(query);
    a->call.http.body = str_dup(a->call.arena, str_z(body));
    run_call(a);
    reply.code = a->code;
    reply.status = a->status;
    (void)snprintf(reply.message, sizeof reply.message, "%s", a->err.message);
    (void)snprintf(reply.location, sizeof reply.location, "%.*s", STR_ARG(a->location));
    if (a->text.n) reply.json = json_loadb(a->text.p, a->text.n, 0, NULL);
    if (!a->code) assert_non_null(reply.json);
    free_answer(a);
    return reply;
}

static const char *path_of(const char *prefix, long long id, const char *rest) {
    static char path[200];
    (void)snprintf(path, sizeof path, "%s/batches/%lld%s", prefix, id, rest);
    return path;
}

static const char *batch(const char *file, const char *more) {
    static char text[1024];
    (void)snprintf(text, sizeof text, "{\"file\":\"file://%s/%s\"%s}", code_folder, file, more);
    return text;
}

static long long member_int(const json_t *json, const char *key) {
    return json_integer_value(json_object_get(json, key));
}

static void assert_text(const json_t *json, const char *key, const char *value) {
    assert_str(str_z(json_string_value(json_object_get(json, key))), value);
}

static long long create_apache(const char *file, const char *more) {
    struct reply r = request(&apache, "runner", "/batches", "POST", "/batches", "", batch(file, more));
    if (r.code) fail_msg("%s", r.message);
    long long id = member_int(r.json, "id");
    json_decref(r.json);
    return id;
}

static json_t *get(struct service *of, const char *who, long long id) {
    bool is_synapse = of == &synapse;
    struct reply r = request(of, who, is_synapse ? ROWS "/batches/{id}" : "/batches/{id}", "GET",
                             path_of(is_synapse ? POOL : "", id, ""), "", "");
    if (r.code) fail_msg("%s", r.message);
    assert_int_equal(r.status, 200);
    return r.json;
}

static void wait_for(long long id, const char *state) {
    for (unsigned i = 0; i < 1000; i++) {
        struct reply r = request(&apache, "runner", "/batches/{id}/state", "GET", path_of("", id, "/state"), "", "");
        if (r.code) fail_msg("%s", r.message);
        assert_int_equal(member_int(r.json, "id"), id);
        bool there = strcmp(json_string_value(json_object_get(r.json, "state")), state) == 0;
        json_decref(r.json);
        if (there) return;
        usleep(20000);
    }
    fail_msg("%lld never is %s", id, state);
}

/* ---- tests ---- */

static void apache_from_create_to_log(void **state) {
    (void)state;
    struct reply r = request(&apache, "runner", "/batches", "POST", "/batches", "",
                             batch("hello.py", ",\"args\":[\"livy\"],\"name\":\"greet\""));
    if (r.code) fail_msg("%s", r.message);
    assert_int_equal(r.status, 201);
    long long id = member_int(r.json, "id");
    assert_string_equal(r.location, path_of("", id, ""));
    assert_text(r.json, "name", "greet");
    assert_text(r.json, "owner", "runner");
    assert_text(r.json, "state", "not_started");
    json_decref(r.json);
    wait_for(id, "success");
    json_t *json = get(&apache, "runner", id);
    assert_text(json, "state", "success");
    assert_string_equal(json_string_value(json_array_get(json_object_get(json, "log"), 0)), "hello livy");
    json_decref(json);
    r = request(&apache, "runner", "/batches/{id}/log", "GET", path_of("", id, "/log"), "from=0&size=5", "");
    assert_int_equal(member_int(r.json, "total"), 1);
    assert_string_equal(json_string_value(json_array_get(json_object_get(r.json, "log"), 0)), "hello livy");
    json_decref(r.json);
    /* it is a job as all are */
    struct dataproc_ListJobsRequest list = { .project_id = STR("acme"), .region = STR("local") };
    struct answer *a = ask("runner", "ListJobs", &list);
    assert_int_equal(((const struct dataproc_ListJobsResponse *)a->message)->jobs.n, 1);
    free_answer(a);
}

static void synapse_from_create_to_cancel(void **state) {
    (void)state;
    struct reply r = request(&synapse, "runner", ROWS "/batches", "POST", POOL "/batches", "detailed=true",
                             batch("long.py", ",\"name\":\"wait\",\"tags\":{\"team\":\"data\"}"));
    if (r.code) fail_msg("%s", r.message);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.location, "");
    long long id = member_int(r.json, "id");
    assert_text(r.json, "result", "Uncertain");
    assert_text(r.json, "workspaceName", "flights");
    assert_text(r.json, "sparkPoolName", "small");
    assert_text(r.json, "jobType", "SparkBatch");
    assert_text(json_object_get(r.json, "tags"), "team", "data");
    assert_text(json_object_get(json_object_get(r.json, "livyInfo"), "jobCreationRequest"), "name", "wait");
    json_decref(r.json);
    wait_for(id, "running");
    r = request(&synapse, "runner", ROWS "/batches/{id}", "DELETE", path_of(POOL, id, ""), "", "");
    assert_int_equal(r.status, 200);
    json_decref(r.json);
    wait_for(id, "killed");
    json_t *json = get(&synapse, "runner", id), *info = json_object_get(json, "livyInfo");
    assert_text(json, "result", "Cancelled");
    assert_text(info, "currentState", "killed");
    assert_text(json_object_get(json, "schedulerInfo"), "currentState", "Ended");
    assert_non_null(json_string_value(json_object_get(info, "killedAt")));
    assert_non_null(json_string_value(json_object_get(info, "runningAt")));
    assert_null(json_string_value(json_object_get(info, "successAt")));
    json_decref(json);
    r = request(&apache, "runner", "/batches/{id}", "DELETE", path_of("", id, ""), "", ""); /* has ended already */
    assert_int_equal(r.code, OK);
    assert_text(r.json, "msg", "deleted");
    json_decref(r.json);
}

static void a_failure_has_its_cause(void **state) {
    (void)state;
    long long id = create_apache("fail.py", "");
    wait_for(id, "dead");
    json_t *json = get(&synapse, "runner", id);
    json_t *error = json_array_get(json_object_get(json, "errorInfo"), 0);
    assert_text(json, "result", "Failed");
    assert_text(error, "errorCode", "SPARK_JOB_FAILED");
    assert_non_null(strstr(json_string_value(json_object_get(error, "message")), "ValueError: bad"));
    json_decref(json);
}

static size_t listed(struct service *of, const char *who, const char *query, long long ids[8], long long *ret_total) {
    bool is_synapse = of == &synapse;
    struct reply r = request(of, who, is_synapse ? ROWS "/batches" : "/batches", "GET",
                             is_synapse ? POOL "/batches" : "/batches", query, "");
    if (r.code) fail_msg("%s", r.message);
    json_t *sessions = json_object_get(r.json, "sessions");
    size_t n = json_array_size(sessions);
    for (size_t i = 0; i < n && i < 8; i++) ids[i] = member_int(json_array_get(sessions, i), "id");
    *ret_total = member_int(r.json, "total");
    json_decref(r.json);
    return n;
}

static void ids_grow_over_restarts_and_lists_are_filtered(void **state) {
    (void)state;
    long long ids[8], total, made[4];
    for (unsigned i = 0; i < 3; i++) {
        made[i] = create_apache("hello.py", "");
        wait_for(made[i], "success");
    }
    assert_true(made[0] < made[1] && made[1] < made[2]);
    assert_int_equal(listed(&apache, "runner", "", ids, &total), 3);
    assert_int_equal(total, 3);
    for (unsigned i = 0; i < 3; i++) assert_int_equal(ids[i], made[i]);
    assert_int_equal(listed(&synapse, "watcher", "from=1&size=1", ids, &total), 1);
    assert_int_equal(ids[0], made[1]);
    assert_int_equal(total, 3);
    assert_int_equal(listed(&apache, "stranger", "", ids, &total), 0);
    assert_int_equal(total, 0);
    assert_int_equal(listed(&apache, "runner", "from=9", ids, &total), 0);
    /* the newest is forgotten: its number is not given again */
    json_t *json = get(&apache, "runner", made[2]);
    json_decref(json);
    struct dataproc_ListJobsRequest list = { .project_id = STR("acme"), .region = STR("local"), .page_size = 1 };
    struct answer *a = ask("runner", "ListJobs", &list);
    const struct dataproc_ListJobsResponse *jobs = a->message;
    struct dataproc_DeleteJobRequest del = { .project_id = STR("acme"),
                                             .region = STR("local"),
                                             .job_id = jobs->jobs.p[0].reference->job_id };
    ask_for("runner", "DeleteJob", &del, OK, NULL);
    free_answer(a);
    livy_free(livy);
    dataproc_free(dataproc);
    open_dataproc();
    open_livy();
    assert_int_equal(listed(&apache, "runner", "", ids, &total), 2);
    assert_int_equal(ids[0], made[0]);
    made[3] = create_apache("hello.py", "");
    assert_true(made[3] > made[2]);
    wait_for(made[3], "success");
    json = get(&apache, "runner", made[1]);
    assert_text(json, "state", "success");
    json_decref(json);
}

static void who_may_what(void **state) {
    (void)state;
    long long id = create_apache("hello.py", "");
    wait_for(id, "success");
    json_decref(get(&apache, "watcher", id));
    const struct row {
        const char *name;
        struct service *of;
        const char *who, *row, *verb, *path, *query, *body;
        enum code code;
        const char *holds;
    } rows[] = {
        { "a stranger", &apache, "stranger", "/batches/{id}", "GET", "/batches/1", "", "", PERMISSION_DENIED, "" },
        { "a stranger's log", &apache, "stranger", "/batches/{id}/log", "GET", "/batches/1/log", "", "", PERMISSION_DENIED,
          "" },
        { "a watcher's delete", &apache, "watcher", "/batches/{id}", "DELETE", "/batches/1", "", "", PERMISSION_DENIED,
          "" },
        { "a stranger's batch", &apache, "stranger", "/batches", "POST", "/batches", "", batch("hello.py", ""),
          PERMISSION_DENIED, "" },
        { "no such batch", &apache, "runner", "/batches/{id}", "GET", "/batches/99", "", "", NOT_FOUND, "99" },
        { "no number", &apache, "runner", "/batches/{id}", "GET", "/batches/greet", "", "", NOT_FOUND, "greet" },
        { "below zero", &apache, "runner", "/batches/{id}", "GET", "/batches/-1", "", "", NOT_FOUND, "-1" },
        { "another pool's", &synapse, "runner", ROWS "/batches/{id}", "GET",
          "/livyApi/versions/v/sparkPools/other/batches/1", "", "", NOT_FOUND, "1" },
        { "no such pool", &synapse, "runner", ROWS "/batches", "GET", "/livyApi/versions/v/sparkPools/huge/batches", "", "",
          NOT_FOUND, "huge" },
        { "doAs", &apache, "runner", "/batches", "POST", "/batches", "doAs=admin", "{}", PERMISSION_DENIED, "doAs" },
        { "a query", &apache, "runner", "/batches", "GET", "/batches", "colour=1", "", INVALID_ARGUMENT, "colour" },
        { "detailed?", &synapse, "runner", ROWS "/batches", "GET", POOL "/batches", "detailed=1", "", INVALID_ARGUMENT,
          "detailed" },
        { "from", &apache, "runner", "/batches", "GET", "/batches", "from=-1", "", INVALID_ARGUMENT, "from" },
        { "size", &apache, "runner", "/batches", "GET", "/batches", "size=x", "", INVALID_ARGUMENT, "size" },
        { "a property", &apache, "runner", "/batches", "POST", "/batches", "",
          "{\"file\":\"/a.py\",\"conf\":{\"spark.master\":\"yarn\"}}", INVALID_ARGUMENT, "spark.master" },
        { "a session", &apache, "runner", "/sessions", "POST", "/sessions", "", "{\"kind\":\"spark\"}", UNIMPLEMENTED,
          "sessions" },
        { "a statement", &synapse, "runner", ROWS "/sessions/**", "POST", POOL "/sessions/0/statements", "", "{}",
          UNIMPLEMENTED, "statements" },
    };
    assert_int_equal(id, 1);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *t = &rows[i];
        struct reply r = request(t->of, t->who, t->row, t->verb, t->path, t->query, t->body);
        if (r.code != t->code) fail_msg("%s: %s %s", t->name, code_name(r.code), r.message);
        if (!strstr(r.message, t->holds)) fail_msg("%s: %s", t->name, r.message);
    }
}

/* ---- logs ---- */

static json_t *log_of(long long id, long long from, long long size) {
    char query[64];
    (void)snprintf(query, sizeof query, "from=%lld&size=%lld", from, size);
    struct reply r = request(&apache, "runner", "/batches/{id}/log", "GET", path_of("", id, "/log"), query, "");
    if (r.code) fail_msg("%s", r.message);
    return r.json;
}

static void a_long_log_by_pages(void **state) {
    (void)state;
    char path[400];
    struct err err;
    enum { LINES = 30000, PAGE = 7000 };
    (void)snprintf(path, sizeof path, "%s/lines.py", code_folder);
    assert_int_equal(file_write_durable(path,
                                        STR("i=0; while [ $i -lt 30000 ]; do echo \"line $i is here, and is not the only "
                                            "one of its kind\"; i=$((i+1)); done; printf end\n"),
                                        0644, &err),
                     OK);
    long long id = create_apache("lines.py", "");
    wait_for(id, "success");
    long long next = 0, total = 1;
    for (; next < total; next += PAGE) {
        json_t *json = log_of(id, next, PAGE), *lines = json_object_get(json, "log");
        total = member_int(json, "total");
        assert_int_equal(member_int(json, "from"), next);
        assert_int_equal(total, LINES + 1);
        size_t want = (size_t)(total - next < PAGE ? total - next : PAGE);
        assert_int_equal(json_array_size(lines), want);
        for (size_t i = 0; i < want; i++) {
            char line[100];
            (void)snprintf(line, sizeof line, "line %lld is here, and is not the only one of its kind",
                           next + (long long)i);
            const char *is = json_string_value(json_array_get(lines, i));
            if (next + (long long)i == LINES) assert_string_equal(is, "end");
            else assert_string_equal(is, line);
        }
        json_decref(json);
    }
    json_t *json = log_of(id, -1, 2); /* the end */
    assert_int_equal(member_int(json, "from"), LINES - 1);
    assert_string_equal(json_string_value(json_array_get(json_object_get(json, "log"), 1)), "end");
    json_decref(json);
    json = log_of(id, 5, 1); /* back */
    assert_non_null(strstr(json_string_value(json_array_get(json_object_get(json, "log"), 0)), "line 5 "));
    json_decref(json);
    json = log_of(id, 100000, 10);
    assert_int_equal(json_array_size(json_object_get(json, "log")), 0);
    json_decref(json);
    json = get(&apache, "runner", id);
    assert_int_equal(json_array_size(json_object_get(json, "log")), TAIL_LINES);
    json_decref(json);
}

static void errors_in_each_apis_form(void **state) {
    (void)state;
    const struct method_error error = { NOT_FOUND, 404, STR("no \"batch\""), "", STR("01") };
    DEFER(buf_free) struct buf a = BUF_INIT(1000), b = BUF_INIT(1000);
    batch_put_apache_error(&a, &error);
    batch_put_synapse_error(&b, &error);
    assert_str(buf_str(&a), "{\"msg\":\"no \\\"batch\\\"\"}\n");
    assert_str(buf_str(&b), "{\"error\":{\"code\":\"NotFound\",\"message\":\"no \\\"batch\\\"\"}}\n");
}

static int each_setup(void **state) {
    int rc = setting_setup(state);
    make_cluster();
    open_livy();
    return rc;
}

static int each_teardown(void **state) {
    livy_free(livy);
    return setting_teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, each_setup, each_teardown)
int main(int argc, char **argv) {
    if (world_is_child(argc, argv)) return world_child_main();
    setting_is_main = true;
    const struct CMUnitTest tests[] = {
        TEST(apache_from_create_to_log),
        TEST(synapse_from_create_to_cancel),
        TEST(a_failure_has_its_cause),
        TEST(ids_grow_over_restarts_and_lists_are_filtered),
        TEST(who_may_what),
        TEST(a_long_log_by_pages),
        cmocka_unit_test(errors_in_each_apis_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
