#include "test.h"
#include "dataproc/filter.h"
#include "dataproc/submit.h"

static struct dataproc_Job_LabelsEntry labels[] = { { STR_INIT("env"), STR_INIT("prod") },
                                                    { STR_INIT("team"), STR_INIT("x") } };

static void filters(void **state) {
    (void)state;
    struct dataproc_JobStatus status = { .state = dataproc_JobStatus_State_RUNNING };
    struct dataproc_JobPlacement placement = { .cluster_name = STR("batch") };
    struct dataproc_Job job = { .status = &status, .placement = &placement, .labels = { labels, 2 } };
    static const struct {
        const char *text;
        bool good, matches;
    } rows[] = {
        { "", true, true },
        { "{}", true, true },
        { "status.state = ACTIVE", true, true },
        { "status.state=NON_ACTIVE", true, false },
        { "status.state = RUNNING", true, true },
        { "status.state = DONE", true, false },
        { "labels.env = prod", true, true },
        { "labels.env = \"prod\" AND labels.team = *", true, true },
        { "labels.env = prod AND labels.other = *", true, false },
        { "clusterName = batch AND status.state = ACTIVE", true, true },
        { "clusterName = other", true, false },
        { "status.state = SLEEPING", false, false },
        { "insertTime <= \"2026-01-01\"", false, false },
        { "labels.env = prod OR labels.env = dev", false, false },
        { "labels.env = prod AND", false, false },
        { "labels. = x", false, false },
        { "= x", false, false },
        { "labels.env = \"prod", false, false },
        { "labels.env", false, false },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct filter filter;
        struct err err = { 0 };
        bool good = filter_parse(str_z(rows[i].text), &filter, &err) == OK;
        if (good != rows[i].good) fail_msg("%s: %s", rows[i].text, err.message);
        if (good && filter_job(&filter, &job) != rows[i].matches) fail_msg("%s matches wrongly", rows[i].text);
    }
}

static void other_kinds_are_refused_by_name(void **state) {
    (void)state;
    static const struct {
        int32_t kind;
        const char *name;
    } rows[] = {
        { dataproc_Job_type_job_hadoop_job, "hadoopJob" },      { dataproc_Job_type_job_spark_job, "sparkJob" },
        { dataproc_Job_type_job_hive_job, "hiveJob" },          { dataproc_Job_type_job_pig_job, "pigJob" },
        { dataproc_Job_type_job_spark_sql_job, "sparkSqlJob" }, { dataproc_Job_type_job_spark_r_job, "sparkRJob" },
        { dataproc_Job_type_job_presto_job, "prestoJob" },      { dataproc_Job_type_job_trino_job, "trinoJob" },
        { dataproc_Job_type_job_flink_job, "flinkJob" },
    };
    DEFER(arena_freep) struct arena *arena = arena_new(65536);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct dataproc_Job job = { .type_job_case = rows[i].kind };
        struct launch_job launch;
        struct err err = { 0 };
        assert_int_equal(submit_translate(&job, STR("x"), arena, &launch, &err), UNIMPLEMENTED);
        assert_true(str_find(str_z(err.message), str_z(rows[i].name)) >= 0);
    }
}

static void label_rules(void **state) {
    (void)state;
    static const struct {
        const char *key, *value;
        bool good;
    } rows[] = {
        { "linkspan-account", "transform", true },
        { "a", "", true },
        { "", "x", false },
        { "A", "x", false },
        { "1a", "x", false },
        { "a", "x@y", false },
        { "a", "X", false },
        { "a b", "x", false },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct dataproc_Job_LabelsEntry label = { str_z(rows[i].key), str_z(rows[i].value) };
        struct dataproc_Job job = { .labels = { &label, 1 } };
        struct err err;
        if ((submit_check_labels(&job, &err) == OK) != rows[i].good) fail_msg("%s=%s", rows[i].key, rows[i].value);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters),
        cmocka_unit_test(other_kinds_are_refused_by_name),
        cmocka_unit_test(label_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
