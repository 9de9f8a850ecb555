#include "test.h"
#include <string.h>
#include "spark/progress.h"

static const char log_text[] =
    "{\"Event\":\"SparkListenerLogStart\",\"Spark Version\":\"4.0.1\"}\n"
    "{\"Event\":\"SparkListenerApplicationStart\",\"App Name\":\"delays\",\"App ID\":\"local-17\",\"Timestamp\":1}\n"
    "{\"Event\":\"SparkListenerJobStart\",\"Job ID\":0,\"Stage IDs\":[0,1]}\n"
    "{\"Event\":\"SparkListenerStageSubmitted\",\"Stage Info\":{\"Stage ID\":0,\"Number of Tasks\":3}}\n"
    "{\"Event\":\"SparkListenerTaskEnd\",\"Task Info\":{\"Failed\":false}}\n"
    "{\"Event\":\"SparkListenerTaskEnd\",\"Task Info\":{\"Failed\":true}}\n"
    "not json at all\n"
    "{\"Event\":\"SparkListenerTaskEnd\",\"Task Info\":{\"Failed\":false}}\n"
    "{\"Event\":\"SparkListenerStageCompleted\",\"Stage Info\":{}}\n"
    "{\"Event\":\"SparkListenerJobEnd\",\"Job ID\":0}\n";

static void in_any_pieces(void **state) {
    (void)state;
    for (size_t piece = 1; piece < sizeof log_text; piece += 37) {
        struct progress_reader reader;
        progress_init(&reader);
        for (struct str rest = str_z(log_text); rest.n; rest = str_from(rest, piece))
            progress_add(&reader, str_upto(rest, piece));
        assert_string_equal(reader.now.application_id, "local-17");
        assert_string_equal(reader.now.name, "delays");
        assert_int_equal(reader.now.jobs, 1);
        assert_int_equal(reader.now.jobs_done, 1);
        assert_int_equal(reader.now.stages, 2);
        assert_int_equal(reader.now.stages_done, 1);
        assert_int_equal(reader.now.tasks, 3);
        assert_int_equal(reader.now.tasks_done, 2);
        assert_int_equal(reader.now.tasks_failed, 1);
        assert_true(progress_fraction(&reader.now) > 0.66 && progress_fraction(&reader.now) < 0.67);
        assert_false(reader.now.ended);
        progress_add(&reader, STR("{\"Event\":\"SparkListenerApplicationEnd\"}\n"));
        assert_true(reader.now.ended);
        progress_free(&reader);
    }
}

static void a_long_line_is_skipped_and_bounded(void **state) {
    (void)state;
    struct progress_reader reader;
    char block[4096];
    memset(block, 'x', sizeof block);
    progress_init(&reader);
    for (unsigned i = 0; i < 1024; i++) progress_add(&reader, (struct str){ block, sizeof block });
    assert_true(reader.line.cap <= PROGRESS_LINE_MAX_BYTES);
    progress_add(&reader, STR("\n{\"Event\":\"SparkListenerJobEnd\"}\n"));
    assert_int_equal(reader.now.jobs_done, 1);
    progress_free(&reader);
}

static void what_the_log_claims_is_harmless(void **state) {
    (void)state;
    struct progress_reader reader;
    progress_init(&reader);
    progress_add(&reader, STR("{\"Event\":\"SparkListenerStageSubmitted\",\"Stage Info\":{\"Number of Tasks\":-5}}\n"
                              "{\"Event\":\"SparkListenerStageSubmitted\",\"Stage Info\":{\"Number of Tasks\":9e99}}\n"
                              "{\"Event\":\"SparkListenerApplicationStart\",\"App ID\":\"a\\u001b[31mb\",\"App Name\":7}\n"
                              "{\"Event\":7}\n[]\n{\"Event\":\"SparkListenerTaskEnd\"}\n"));
    assert_int_equal(reader.now.tasks, 0);
    assert_string_equal(reader.now.application_id, "a?[31mb");
    assert_true(progress_fraction(&reader.now) <= 1);
    progress_free(&reader);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_any_pieces),
        cmocka_unit_test(a_long_line_is_skipped_and_bounded),
        cmocka_unit_test(what_the_log_claims_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
