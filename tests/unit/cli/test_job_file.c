#include "test.h"
#include "cli/job_file.h"
#include "wire/pb/dataproc.pb.h"

static const char yaml[] = "placement: { clusterName: batch }\nlabels: { n: 4 }\n"
                           "pysparkJob:\n  mainPythonFileUri: file:///x.py\n  args: [2013]\n  properties: { a.b: true }\n";

static void test_yaml(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct dataproc_SubmitJobRequest *r;
    struct err err;
    assert_int_equal(job_file_read(str_z(yaml), "p", "r", arena, &r, &err), OK);
    assert_str(r->project_id, "p");
    assert_str(r->job->placement->cluster_name, "batch");
    assert_str(r->job->labels.p[0].value, "4");
    assert_str(r->job->pyspark_job->main_python_file_uri, "file:///x.py");
    assert_str(r->job->pyspark_job->args.p[0], "2013");
    assert_str(r->job->pyspark_job->properties.p[0].value, "true");
}

static void test_json_request(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct dataproc_SubmitJobRequest *r;
    struct err err;
    const char *text = "{\"projectId\":\"p\",\"region\":\"r\",\"requestId\":\"x\",\"job\":{\"pysparkJob\":{}}}";
    assert_int_equal(job_file_read(str_z(text), NULL, NULL, arena, &r, &err), OK);
    assert_str(r->request_id, "x");
    assert_str(r->region, "r");
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "placement: {}\n", "the file names no kind of job: pysparkJob, for example" },
        { "- 1\n", "the file holds no job" },
        { "pysparkJob: {}\n", "which project? Give --project, or reference.projectId" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
        struct dataproc_SubmitJobRequest *r;
        struct err err;
        assert_int_equal(job_file_read(str_z(cases[i].text), NULL, "r", arena, &r, &err), INVALID_ARGUMENT);
        assert_string_equal(err.message, cases[i].message);
    }
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct dataproc_SubmitJobRequest *r;
    struct err err;
    assert_int_equal(job_file_read(STR("pysparkJob: { nope: 1 }\n"), "p", "r", arena, &r, &err), INVALID_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_yaml), cmocka_unit_test(test_json_request),
                                        cmocka_unit_test(test_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
