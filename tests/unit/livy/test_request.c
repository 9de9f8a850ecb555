/* The body of a new batch: what becomes of every key. */
#include "test.h"
#include <string.h>
#include "livy/livy_priv.h"

static const struct batch_context apache = { STR_INIT("acme"), STR_INIT("local"), STR_INIT("batch"), STR_INIT("ann"),
                                             false };
static const struct batch_context synapse = { STR_INIT("acme"), STR_INIT("local"), STR_INIT("batch"), STR_INIT("ann"),
                                              true };

static struct str property(const struct dataproc_SubmitJobRequest *r, const char *name) {
    const struct dataproc_PySparkJob *py = r->job->pyspark_job;
    for (size_t i = 0; i < py->properties.n; i++)
        if (str_eq_z(py->properties.p[i].key, name)) return py->properties.p[i].value;
    return (struct str){ NULL, 0 };
}

static void every_key_finds_its_place(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    const struct dataproc_SubmitJobRequest *r;
    struct err err = { 0 };
    static const char body[] =
        "{\"file\":\"/code/a.py\",\"args\":[\"1\",\"two\"],\"pyFiles\":[\"/b.py\"],\"jars\":[\"/c.jar\"],\"files\":[\"/"
        "d\"],"
        "\"archives\":[\"/e.zip\"],\"conf\":{\"spark.task.cpus\":2,\"spark.speculation\":true,\"spark.rdd.x\":\"y\","
        "\"spark.linkspan.account\":\"transform\"},\"name\":\"delays\",\"driverMemory\":\"1g\",\"driverCores\":1,"
        "\"executorMemory\":\"2g\",\"executorCores\":3,\"numExecutors\":4,\"proxyUser\":\"ann\",\"className\":null,"
        "\"tags\":{\"team\":\"data\"}}";
    if (batch_read(str_z(body), &synapse, arena, &r, &err)) fail_msg("%s", err.message);
    const struct dataproc_PySparkJob *py = r->job->pyspark_job;
    assert_str(r->project_id, "acme");
    assert_str(r->region, "local");
    assert_str(r->job->placement->cluster_name, "batch");
    assert_str(py->main_python_file_uri, "/code/a.py");
    assert_int_equal(py->args.n, 2);
    assert_str(py->args.p[1], "two");
    assert_str(py->python_file_uris.p[0], "/b.py");
    assert_str(py->jar_file_uris.p[0], "/c.jar");
    assert_str(py->file_uris.p[0], "/d");
    assert_str(py->archive_uris.p[0], "/e.zip");
    static const struct {
        const char *name, *value;
    } rows[] = {
        { "spark.task.cpus", "2" },        { "spark.speculation", "true" }, { "spark.rdd.x", "y" },
        { "spark.app.name", "delays" },    { "spark.driver.memory", "1g" }, { "spark.driver.cores", "1" },
        { "spark.executor.memory", "2g" }, { "spark.executor.cores", "3" }, { "spark.executor.instances", "4" },
    };
    assert_int_equal(py->properties.n, COUNT(rows));
    for (size_t i = 0; i < COUNT(rows); i++) assert_str(property(r, rows[i].name), rows[i].value);
    assert_int_equal(r->job->labels.n, 2);
    assert_str(r->job->labels.p[0].key, "linkspan-account");
    assert_str(r->job->labels.p[0].value, "transform");
    assert_str(r->job->labels.p[1].key, "team");
    assert_int_equal(r->request_id.n, 0);
}

static const struct row {
    const char *name, *body;
    enum code code;
    const char *holds;
} rows[] = {
    { "the least", "{\"file\":\"/a.py\"}", OK, "" },
    { "nulls", "{\"file\":\"/a.py\",\"args\":null,\"conf\":null,\"proxyUser\":null,\"queue\":null}", OK, "" },
    { "nothing", "", INVALID_ARGUMENT, "" },
    { "no object", "[]", INVALID_ARGUMENT, "JSON object" },
    { "no file", "{}", INVALID_ARGUMENT, "file" },
    { "an empty file", "{\"file\":\"\"}", INVALID_ARGUMENT, "file" },
    { "a key twice", "{\"file\":\"/a\",\"file\":\"/b\"}", INVALID_ARGUMENT, "" },
    { "an unknown key", "{\"file\":\"/a\",\"kind\":\"spark\"}", INVALID_ARGUMENT, "\"kind\"" },
    { "a null unknown key", "{\"file\":\"/a\",\"kind\":null}", INVALID_ARGUMENT, "\"kind\"" },
    { "another case", "{\"File\":\"/a\"}", INVALID_ARGUMENT, "\"File\"" },
    { "a class", "{\"file\":\"/a.jar\",\"className\":\"X\"}", UNIMPLEMENTED, "className" },
    { "a queue", "{\"file\":\"/a\",\"queue\":\"q\"}", UNIMPLEMENTED, "queue" },
    { "an artifact", "{\"file\":\"/a\",\"artifactId\":\"q\"}", UNIMPLEMENTED, "artifactId" },
    { "a heartbeat", "{\"file\":\"/a\",\"heartbeatTimeoutInSecond\":1}", UNIMPLEMENTED, "heartbeatTimeoutInSecond" },
    { "somebody else", "{\"file\":\"/a\",\"proxyUser\":\"bob\"}", PERMISSION_DENIED, "proxyUser" },
    { "nobody", "{\"file\":\"/a\",\"proxyUser\":\"\"}", PERMISSION_DENIED, "proxyUser" },
    { "args no list", "{\"file\":\"/a\",\"args\":\"x\"}", INVALID_ARGUMENT, "args" },
    { "args no text", "{\"file\":\"/a\",\"args\":[\"x\",1]}", INVALID_ARGUMENT, "args[1]" },
    { "conf no object", "{\"file\":\"/a\",\"conf\":[]}", INVALID_ARGUMENT, "conf" },
    { "conf with a list", "{\"file\":\"/a\",\"conf\":{\"spark.x\":[]}}", INVALID_ARGUMENT, "conf.spark.x" },
    { "a property twice", "{\"file\":\"/a\",\"conf\":{\"spark.driver.memory\":\"1g\"},\"driverMemory\":\"2g\"}",
      INVALID_ARGUMENT, "spark.driver.memory is given twice" },
    { "no executors", "{\"file\":\"/a\",\"numExecutors\":0}", INVALID_ARGUMENT, "numExecutors" },
    { "half a core", "{\"file\":\"/a\",\"driverCores\":0.5}", INVALID_ARGUMENT, "driverCores" },
    { "memory as number", "{\"file\":\"/a\",\"driverMemory\":1024}", INVALID_ARGUMENT, "driverMemory" },
    { "tags are Synapse's", "{\"file\":\"/a\",\"tags\":{}}", INVALID_ARGUMENT, "tags" },
    { "too deep", "{\"file\":\"/a\",\"conf\":{\"a\":[[[[[]]]]]}}", INVALID_ARGUMENT, "" },
};

static void what_is_refused_is_named(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
        const struct dataproc_SubmitJobRequest *r = NULL;
        struct err err = { 0 };
        enum code code = batch_read(str_z(rows[i].body), &apache, arena, &r, &err);
        if (code != rows[i].code) fail_msg("%s: %s %s", rows[i].name, code_name(code), err.message);
        if (!strstr(err.message, rows[i].holds)) fail_msg("%s: %s", rows[i].name, err.message);
        assert_int_equal(r != NULL, code == OK);
    }
}

static void no_memory_is_an_error(void **state) {
    (void)state;
    static const char body[] = "{\"file\":\"/a.py\",\"args\":[\"1\"],\"conf\":{\"spark.x\":1},\"name\":\"n\"}";
    for (unsigned n = 1; n < 100; n++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
        const struct dataproc_SubmitJobRequest *r;
        struct err err = { 0 };
        arena_fail_after(n);
        enum code code = batch_read(str_z(body), &apache, arena, &r, &err);
        arena_fail_after(0);
        if (code == OK) return;
        assert_int_equal(code, RESOURCE_EXHAUSTED);
    }
    fail_msg("it never has enough");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_finds_its_place),
        cmocka_unit_test(what_is_refused_is_named),
        cmocka_unit_test(no_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
