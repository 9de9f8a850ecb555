/* The Dataproc API as a client meets it. */
#include "setting.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "dataproc/filter.h"
#include "wire/header.h"

/* ---- tests ---- */

static void a_job_from_submit_to_output(void **state) {
    (void)state;
    char uuid[64], again[64], error[1024];
    make_cluster();
    if (submit("runner", "j1", "hello.py", NULL, "req-1", uuid, error)) fail_msg("%s", error);
    struct answer *a = wait_done("runner", "j1");
    const struct dataproc_Job *job = a->message;
    assert_int_equal(job->status->state, dataproc_JobStatus_State_DONE);
    static const int32_t history[] = { dataproc_JobStatus_State_PENDING, dataproc_JobStatus_State_SETUP_DONE,
                                       dataproc_JobStatus_State_RUNNING };
    assert_int_equal(job->status_history.n, COUNT(history));
    for (size_t i = 0; i < COUNT(history); i++) assert_int_equal(job->status_history.p[i].state, history[i]);
    assert_true(str_ends(job->driver_output_resource_uri, STR("/jobs/j1/driveroutput")));
    free_answer(a);
    assert_string_equal(seen.account, "transform@demo.iam.gserviceaccount.com");
    assert_string_equal(seen.job, "nightly/hello");
    assert_string_equal(seen.submitter, "runner");
    assert_string_equal(seen.asked,
                        "run job nightly/hello in dataproc demo/batch as transform@demo.iam.gserviceaccount.com");
    assert_int_equal(strncmp(seen.host, "127.0.0.1:", 10), 0);
    /* the same request again: the same job, and nothing runs */
    assert_int_equal(submit("runner", "j1", "hello.py", NULL, "req-1", again, error), OK);
    assert_string_equal(uuid, again);
    assert_int_equal(seen.opened, 1);
    assert_int_equal(submit("runner", "j1", "hello.py", NULL, NULL, again, error), ALREADY_EXISTS);
    a = new_answer("runner", "/driveroutput");
    a->call.http.path = STR("/v1/projects/acme/regions/local/jobs/j1/driveroutput");
    a->call.http.query = STR("offset=6");
    run_call(a);
    assert_int_equal(a->code, OK);
    assert_str(a->text, "world\n");
    free_answer(a);
}

/* Object 0 and 1 of a job, as gcloud asks for them: what is there, and which bytes. */
static struct answer *object(const char *job, const char *number, const char *query, const char *range) {
    struct answer *shown = get_job("runner", "j1"), *a = new_answer("runner", "/o/{object}");
    const struct dataproc_Job *known = shown->message;
    a->call.http.path = arena_printf(
        a->call.arena,
        "/storage/v1/b/linkspan-%.*s/o/google-cloud-dataproc-metainfo%%2F%.*s%%2Fjobs%%2F%s%%2Fdriveroutput.%s",
        STR_ARG(dataproc->connection), STR_ARG(known->placement->cluster_uuid), job, number);
    struct http_header *header = ARENA_NEW(a->call.arena, struct http_header);
    *header = (struct http_header){ STR("range"), range ? str_z(range) : STR("") };
    a->call.http.headers = header;
    a->call.http.n_headers = range ? 1 : 0;
    a->call.http.query = str_z(query);
    free_answer(shown);
    run_call(a);
    return a;
}

static void output_is_two_objects(void **state) {
    (void)state;
    char uuid[64], error[1024];
    make_cluster();
    if (submit("runner", "j1", "hello.py", NULL, NULL, uuid, error)) fail_msg("%s", error);
    free_answer(wait_done("runner", "j1"));
    static const struct {
        const char *job, *number, *query, *range;
        enum code code;
        unsigned status;
        const char *text; /* the answer's end */
    } rows[] = {
        { "j1", "000000000", "alt=json", NULL, OK, 200, "\"size\":\"12\"}\n" },
        { "j1", "000000000", "alt=media", NULL, OK, 200, "hello world\n" },
        { "j1", "000000000", "alt=media", "bytes=6-8", OK, 206, "wor" },
        { "j1", "000000000", "alt=media", "bytes=6-", OK, 206, "world\n" },
        { "j1", "000000000", "alt=media", "bytes=0-18446744073709551615", OK, 206, "hello world\n" },
        { "j1", "000000000", "alt=media", "bytes=12-20", OUT_OF_RANGE, 416, "12 bytes" },
        { "j1", "000000000", "alt=media", "bytes=8-6", OK, 200, "hello world\n" },
        { "j1", "000000000", "alt=media", "bytes=-3", OK, 200, "hello world\n" },
        { "j1", "000000000", "generation=7", NULL, INVALID_ARGUMENT, 0, NULL },
        { "j1", "000000001", "alt=json", NULL, OK, 200, "\"size\":\"0\"}\n" },
        { "j1", "000000001", "alt=media", NULL, OK, 200, "" },
        { "j1", "000000002", "alt=json", NULL, NOT_FOUND, 0, NULL },
        { "j2", "000000000", "alt=json", NULL, NOT_FOUND, 0, NULL },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct answer *a = object(rows[i].job, rows[i].number, rows[i].query, rows[i].range);
        bool as_told = a->code == rows[i].code && a->status == rows[i].status &&
                       (!rows[i].text || (str_ends(a->text, str_z(rows[i].text)) && (rows[i].text[0] || !a->text.n)));
        if (!as_told) fail_msg("row %zu: %s %u %.*s", i, code_name(a->code), a->status, STR_ARG(a->text));
        free_answer(a);
    }
}

static void output_that_has_not_begun_is_not_there(void **state) {
    (void)state;
    char uuid[64], error[1024];
    make_cluster();
    if (submit("runner", "j1", "long.py", NULL, NULL, uuid, error)) fail_msg("%s", error);
    struct answer *a;
    for (unsigned n = 0; n < 2; n++) {
        a = object("j1", n ? "000000001" : "000000000", "alt=json", NULL);
        assert_int_equal(a->code, NOT_FOUND);
        free_answer(a);
    }
    struct dataproc_CancelJobRequest cancel = { .project_id = STR("acme"), .region = STR("local"), .job_id = STR("j1") };
    ask_for("runner", "CancelJob", &cancel, OK, NULL);
    free_answer(wait_done("runner", "j1"));
    a = object("j1", "000000001", "alt=json", NULL);
    assert_int_equal(a->code, OK);
    free_answer(a);
}

static void who_may_what(void **state) {
    (void)state;
    char uuid[64], error[1024];
    struct dataproc_Cluster cluster = { .cluster_name = STR("batch") };
    struct dataproc_CreateClusterRequest create = { .project_id = STR("acme"),
                                                    .region = STR("local"),
                                                    .cluster = &cluster };
    struct dataproc_GetClusterRequest get = { .project_id = STR("acme"),
                                              .region = STR("local"),
                                              .cluster_name = STR("batch") };
    struct dataproc_CancelJobRequest cancel = { .project_id = STR("acme"), .region = STR("local"), .job_id = STR("w1") };
    ask_for("runner", "CreateCluster", &create, PERMISSION_DENIED, NULL);
    assert_int_equal(submit("runner", "w0", "hello.py", NULL, NULL, uuid, error), NOT_FOUND); /* no cluster yet */
    make_cluster();
    ask_for("admin", "CreateCluster", &create, ALREADY_EXISTS, "batch");
    ask_for("runner", "GetCluster", &get, OK, NULL);
    ask_for("stranger", "GetCluster", &get, NOT_FOUND, NULL);
    assert_int_equal(submit("stranger", "w1", "hello.py", NULL, NULL, uuid, error), PERMISSION_DENIED);
    assert_int_equal(submit("watcher", "w1", "hello.py", NULL, NULL, uuid, error), PERMISSION_DENIED);
    assert_int_equal(submit("runner", "w1", "hello.py", "extract", NULL, uuid, error), PERMISSION_DENIED);
    assert_int_equal(submit("two", "w1", "long.py", NULL, NULL, uuid, error), FAILED_PRECONDITION);
    assert_non_null(strstr(error, "linkspan-account"));
    if (submit("two", "w1", "long.py", "extract", NULL, uuid, error)) fail_msg("%s", error);
    static const struct {
        const char *who;
        enum code code;
    } rows[] = { { "two", OK }, { "watcher", OK }, { "runner", PERMISSION_DENIED }, { "stranger", PERMISSION_DENIED } };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct answer *a = get_job(rows[i].who, "w1");
        if (a->code != rows[i].code) fail_msg("%s: %s", rows[i].who, code_name(a->code));
        free_answer(a);
        struct dataproc_ListJobsRequest list = { .project_id = STR("acme"), .region = STR("local") };
        a = ask(rows[i].who, "ListJobs", &list);
        assert_int_equal(a->code, OK);
        assert_int_equal(((const struct dataproc_ListJobsResponse *)a->message)->jobs.n, rows[i].code == OK ? 1 : 0);
        free_answer(a);
    }
    ask_for("watcher", "CancelJob", &cancel, PERMISSION_DENIED, NULL);
    ask_for("two", "CancelJob", &cancel, OK, NULL);
    struct answer *a = wait_done("two", "w1");
    const struct dataproc_Job *job = a->message;
    assert_int_equal(job->status->state, dataproc_JobStatus_State_CANCELLED);
    assert_string_equal(seen.account, "extract@demo.iam.gserviceaccount.com");
    assert_string_equal(seen.job, ""); /* free code */
    assert_string_equal(seen.asked, "run job  in dataproc demo/batch as extract@demo.iam.gserviceaccount.com");
    free_answer(a);
    struct dataproc_DeleteJobRequest del = { .project_id = STR("acme"), .region = STR("local"), .job_id = STR("w1") };
    ask_for("stranger", "DeleteJob", &del, PERMISSION_DENIED, NULL);
    ask_for("two", "DeleteJob", &del, OK, NULL);
    ask_for("two", "DeleteJob", &del, NOT_FOUND, NULL);
}

static void a_failure_tells_its_cause(void **state) {
    (void)state;
    char uuid[64], error[1024];
    make_cluster();
    if (submit("runner", "f1", "fail.py", NULL, NULL, uuid, error)) fail_msg("%s", error);
    struct answer *a = wait_done("runner", "f1");
    const struct dataproc_Job *job = a->message;
    assert_int_equal(job->status->state, dataproc_JobStatus_State_ERROR);
    assert_str(job->status->details, "the driver exited with 3: ValueError: bad");
    free_answer(a);
}

static void bad_requests(void **state) {
    (void)state;
    make_cluster();
    char uri[600];
    (void)snprintf(uri, sizeof uri, "%s/hello.py", code_folder);
    struct dataproc_PySparkJob_PropertiesEntry property = { STR("spark.master"), STR("yarn") };
    struct dataproc_PySparkJob py = { .main_python_file_uri = str_z(uri) };
    struct dataproc_JobPlacement placement = { .cluster_name = STR("batch") };
    struct dataproc_JobReference reference = { 0 };
    struct dataproc_Job job = { .placement = &placement,
                                .reference = &reference,
                                .pyspark_job = &py,
                                .type_job_case = dataproc_Job_type_job_pyspark_job };
    struct dataproc_SubmitJobRequest r = { .project_id = STR("acme"), .region = STR("local"), .job = &job };
    py.properties.p = &property;
    py.properties.n = 1;
    ask_for("runner", "SubmitJob", &r, INVALID_ARGUMENT, "spark.master");
    py.properties.n = 0;
    py.main_python_file_uri = STR("gs://b/x.py");
    ask_for("runner", "SubmitJob", &r, UNIMPLEMENTED, "gs://b/x.py");
    py.main_python_file_uri = STR("/etc/passwd");
    ask_for("runner", "SubmitJob", &r, PERMISSION_DENIED, "/etc/passwd");
    py.main_python_file_uri = str_z(uri);
    reference.job_id = STR("../x");
    ask_for("runner", "SubmitJob", &r, INVALID_ARGUMENT, "jobId");
    reference.job_id = STR("");
    r.region = STR("europe");
    ask_for("runner", "SubmitJob", &r, NOT_FOUND, "regions/europe");
    r.region = STR("local");
    r.request_id = STR("white space");
    ask_for("runner", "SubmitJob", &r, INVALID_ARGUMENT, "requestId");
    struct dataproc_ListJobsRequest list = { .project_id = STR("acme"), .region = STR("local"), .page_token = STR("xyz") };
    ask_for("runner", "ListJobs", &list, INVALID_ARGUMENT, "pageToken");
}

static void pages_do_not_lose_jobs(void **state) {
    (void)state;
    char uuid[64], error[1024], token[256] = "";
    make_cluster();
    for (unsigned i = 0; i < 5; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "p%u", i);
        if (submit("runner", id, "hello.py", NULL, NULL, uuid, error)) fail_msg("%s", error);
        free_answer(wait_done("runner", id));
    }
    char order[64] = "";
    for (unsigned page = 0; page < 3; page++) {
        struct dataproc_ListJobsRequest list = {
            .project_id = STR("acme"), .region = STR("local"), .page_size = 2, .page_token = str_z(token)
        };
        struct answer *a = ask("runner", "ListJobs", &list);
        const struct dataproc_ListJobsResponse *r = a->message;
        assert_int_equal(a->code, OK);
        for (size_t i = 0; i < r->jobs.n; i++) {
            size_t n = strlen(order);
            (void)snprintf(order + n, sizeof order - n, "%.*s ", STR_ARG(r->jobs.p[i].reference->job_id));
        }
        (void)snprintf(token, sizeof token, "%.*s", STR_ARG(r->next_page_token));
        free_answer(a);
    }
    assert_string_equal(order, "p4 p3 p2 p1 p0 ");
    assert_string_equal(token, "");
}

static void operations_show_jobs(void **state) {
    (void)state;
    make_cluster();
    char uri[600], name[256];
    (void)snprintf(uri, sizeof uri, "%s/hello.py", code_folder);
    struct dataproc_PySparkJob py = { .main_python_file_uri = str_z(uri) };
    struct dataproc_JobPlacement placement = { .cluster_name = STR("batch") };
    struct dataproc_JobReference reference = { .job_id = STR("o1") };
    struct dataproc_Job job = { .placement = &placement,
                                .reference = &reference,
                                .pyspark_job = &py,
                                .type_job_case = dataproc_Job_type_job_pyspark_job };
    struct dataproc_SubmitJobRequest r = { .project_id = STR("acme"), .region = STR("local"), .job = &job };
    struct answer *a = ask("runner", "SubmitJobAsOperation", &r);
    if (a->code) fail_msg("%s", a->err.message);
    (void)snprintf(name, sizeof name, "%.*s", STR_ARG(((const struct lro_Operation *)a->message)->name));
    free_answer(a);
    assert_ptr_equal(dataproc_of_operation(service.state, str_z(name)), dataproc);
    assert_ptr_equal(dataproc_of_operation(service.state, STR("projects/acme/locations/local/operations/x")), dataproc);
    assert_null(dataproc_of_operation(service.state, STR("projects/acme/instances/x/operations/y")));
    assert_null(dataproc_of_operation(service.state, STR("projects/other/regions/local/operations/y")));
    free_answer(wait_done("runner", "o1"));
    struct lro_GetOperationRequest get = { .name = str_z(name) };
    a = ask("runner", "operations/*}", &get);
    if (a->code) fail_msg("%s", a->err.message);
    const struct lro_Operation *op = a->message;
    const struct pb_msg *desc;
    void *done;
    struct err err;
    assert_true(op->done && op->response);
    assert_int_equal(pb_any_unpack(op->response, a->call.arena, 0, &desc, &done, &err), OK);
    assert_str(((const struct dataproc_Job *)done)->reference->job_id, "o1");
    free_answer(a);
    ask_for("stranger", "operations/*}", &get, PERMISSION_DENIED, NULL);
}

static void an_end_that_was_not_written_is_not_running(void **state) {
    (void)state;
    struct err err = { 0 };
    struct dataproc_JobStatus status = { .state = dataproc_JobStatus_State_RUNNING };
    struct dataproc_Job body = { .status = &status };
    struct job_row row = {
        .id = STR("lost"), .uuid = STR("u-1"), .cluster = STR("batch"), .submitter = STR("x"), .body = &body
    };
    (void)pthread_mutex_lock(&dataproc->lock);
    assert_int_equal(state_job_insert(dataproc->state, &row, STR(""), STR(""), &err), OK);
    assert_true(index_put(dataproc, &row));
    (void)pthread_mutex_unlock(&dataproc->lock);
    struct answer *a = get_job("watcher", "lost");
    assert_int_equal(a->code, OK);
    assert_int_equal(((const struct dataproc_Job *)a->message)->status->state, dataproc_JobStatus_State_ERROR);
    free_answer(a);
}

static bool any_open(void) {
    (void)pthread_mutex_lock(&seen.lock);
    bool open = seen.open > 0;
    (void)pthread_mutex_unlock(&seen.lock);
    return open;
}

static void a_restart_marks_what_ran(void **state) {
    (void)state;
    char uuid[64], error[1024];
    make_cluster();
    if (submit("runner", "r1", "long.py", NULL, NULL, uuid, error)) fail_msg("%s", error);
    for (unsigned i = 0; i < 500 && !any_open(); i++) usleep(10000);
    dataproc_free(dataproc);
    open_dataproc();
    struct answer *a = get_job("runner", "r1");
    const struct dataproc_Job *job = a->message;
    assert_int_equal(a->code, OK);
    assert_true(job->done);
    assert_int_equal(job->status->state, dataproc_JobStatus_State_ERROR);
    assert_non_null(strstr(job->status->details.p, "the server stopped"));
    free_answer(a);
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
        TEST(a_job_from_submit_to_output),
        TEST(output_is_two_objects),
        TEST(output_that_has_not_begun_is_not_there),
        TEST(who_may_what),
        TEST(a_failure_tells_its_cause),
        TEST(bad_requests),
        TEST(pages_do_not_lose_jobs),
        TEST(operations_show_jobs),
        TEST(a_restart_marks_what_ran),
        TEST(an_end_that_was_not_written_is_not_running),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
