/* What a job may bring and from where. */
#include "test.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "spark/launch.h"

static char base[256], outside[300];
static struct str folders[1], prefixes[] = { STR_INIT("spark.hadoop.custom."), STR_INIT("spark.master") };
static struct launch_config config = { .python = "/usr/bin/python3",
                                       .master = "local[2]",
                                       .project = "demo",
                                       .code = folders,
                                       .n_code = 1,
                                       .properties = prefixes,
                                       .n_properties = 2,
                                       .memory_bytes = 2LL << 30 };

static void put(const char *name, const char *text) {
    struct err err;
    char path[600];
    (void)snprintf(path, sizeof path, "%s/%s", base, name);
    assert_int_equal(file_write_durable(path, str_z(text), 0600, &err), OK);
}

static int setup(void **state) {
    static char allowed[300];
    char path[600], target[600];
    (void)state;
    memcpy(base, "/tmp/linkspan-launch-XXXXXX", sizeof "/tmp/linkspan-launch-XXXXXX");
    assert_non_null(mkdtemp(base));
    (void)snprintf(allowed, sizeof allowed, "%s/jobs", base);
    (void)snprintf(outside, sizeof outside, "%s/secret.py", base);
    (void)snprintf(path, sizeof path, "%s/jobs/sub", base);
    assert_int_equal(mkdir(allowed, 0700) | mkdir(path, 0700), 0);
    folders[0] = str_z(allowed);
    put("secret.py", "secret");
    put("jobs/main.py", "print(1)\n");
    put("jobs/sub/lib.py", "x = 1\n");
    (void)snprintf(path, sizeof path, "%s/jobs/out.py", base);
    assert_int_equal(symlink(outside, path), 0);
    (void)snprintf(path, sizeof path, "%s/jobs/in.py", base);
    assert_int_equal(symlink("sub/lib.py", path), 0);
    (void)snprintf(path, sizeof path, "%s/jobs/updir", base);
    (void)snprintf(target, sizeof target, "%s", base);
    assert_int_equal(symlink(target, path), 0);
    (void)snprintf(path, sizeof path, "%s/jobs/pipe", base);
    assert_int_equal(mkfifo(path, 0600), 0);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    char command[300];
    (void)snprintf(command, sizeof command, "rm -rf %s", base);
    return system(command);
}

static void properties(void **state) {
    (void)state;
    static const struct {
        const char *key, *value;
        bool ok;
    } rows[] = {
        { "spark.app.name", "x", true },
        { "spark.sql.shuffle.partitions", "4", true },
        { "spark.executor.cores", "2", true },
        { "spark.driver.memory", "2g", true },
        { "spark.driver.memory", "2048", true },
        { "spark.driver.memory", "3g", false },   /* the configuration's bound */
        { "spark.driver.memory", "lots", false }, /* no size */
        { "spark.default.parallelism", "8", true },
        { "spark.shuffle.compress", "false", true },
        { "spark.serializer", "org.apache.spark.serializer.KryoSerializer", true },
        { "spark.serializerx", "x", false },
        { "spark.hadoop.custom.key", "x", true }, /* the configuration's prefix */
        { "spark.hadoop.other", "x", false },     /* nobody's */
        { "spark.master", "yarn", false },        /* refused whatever the configuration says */
        { "spark.submit.pyFiles", "/x.py", false },
        { "spark.hadoop.fs.gs.auth.type", "x", false },
        { "spark.hadoop.google.cloud.auth.x", "x", false },
        { "spark.executorEnv.GOOGLE_APPLICATION_CREDENTIALS", "/k", false },
        { "spark.driverEnv.X", "x", false },
        { "spark.driver.extraJavaOptions", "-javaagent:x", false },
        { "spark.executor.extraJavaOptions", "x", false },
        { "spark.executor.defaultJavaOptions", "x", false },
        { "spark.driver.extraClassPath", "/x", false },
        { "spark.executor.extraClassPath", "/x", false },
        { "spark.executor.extraLibraryPath", "x", false },
        { "spark.plugins", "x", false },
        { "spark.jars", "x", false },
        { "spark.jars.packages", "a:b:c", false },
        { "spark.jars.ivy", "x", false },
        { "spark.jars.repositories", "http://x", false },
        { "spark.pyspark.python", "/x", false },
        { "spark.yarn.keytab", "x", false },
        { "spark.kubernetes.x", "x", false },
        { "spark.authenticate", "x", false },
        { "spark.authenticate.secret", "x", false },
        { "spark.eventLog.dir", "/x", false },
        { "spark.executor.resource.gpu.discoveryScript", "/x", false },
        { "spark.sql.hive.metastore.jars", "maven", false },
        { "spark.sql.hive.metastore.jars.path", "gs://x/*", false },
        { "spark.sql.hive.metastore.version", "2.3.9", false },
        { "spark.sql.hive.metastore.sharedPrefixes", "x", false },
        { "spark.sql.hive.metastore.barrierPrefixes", "x", false },
        { "spark.sql.extensions", "evil.Extensions", false },
        { "spark.sql.catalog.spark_catalog", "evil.Catalog", false },
        { "spark.sql.catalogImplementation", "hive", false },
        { "spark.sql.defaultCatalog", "x", false },
        { "spark.sql.warehouse.dir", "gs://x/", false },
        { "spark.sql.cache.serializer", "x", false },
        { "spark.sql.queryExecutionListeners", "x", false },
        { "spark.sql.extendedExplainProviders", "x", false },
        { "spark.sql.adaptive.customCostEvaluatorClass", "x", false },
        { "spark.sql.parquet.output.committer.class", "x", false },
        { "spark.sql.sources.default", "evil.Source", false },
        { "spark.sql.sources.commitProtocolClass", "x", false },
        { "spark.sql.sources.outputCommitterClass", "x", false },
        { "spark.sql.streaming.stateStore.providerClass", "x", false },
        { "spark.sql.streaming.stateStore.compression.codec", "x", false },
        { "spark.sql.streaming.checkpointFileManagerClass", "x", false },
        { "spark.sql.streaming.commitProtocolClass", "x", false },
        { "spark.sql.streaming.streamingQueryListeners", "x", false },
        { "spark.sql.udt.allowedDynamicUDTClasses", "x", false },
        { "spark.sql.execution.pyspark.python", "/x", false },
        { "spark.executor.plugins", "x", false },
        { "spark.sql.execution.arrow.pyspark.enabled", "true", true },
        { "spark.sql.session.timeZone", "UTC", true },
        { "spark.sql.sources.partitionOverwriteMode", "dynamic", true },
        { "spark.sql.parquet.compression.codec", "zstd", true },
        { "spark.sql.hive.metastorePartitionPruning", "true", true },
        { "spark.sql.hive.convertMetastoreOrc", "true", true },
        { "spark.sql.catalyst.x", "x", true },
        { "spark.sql.streaming.checkpointLocation", "gs://x/", true },
        { "spark.kryo.classesToRegister", "x", true },
        { "SPARK.MASTER", "x", false },
        { "spark.Driver.ExtraClassPath", "x", false },
        { "", "x", false },
        { "spark.sql.x\nspark.master", "x", false },
        { "spark.sql.x y", "x", false },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err err = { 0 };
        enum code rc = launch_check_property(&config, str_z(rows[i].key), str_z(rows[i].value), &err);
        if ((rc == OK) != rows[i].ok) fail_msg("%s=%s: %s", rows[i].key, rows[i].value, err.message);
        if (rc && rows[i].key[0] && !strchr(rows[i].key, '\n') && !strstr(err.message, rows[i].key))
            fail_msg("%s is not named: %s", rows[i].key, err.message);
    }
}

static void paths(void **state) {
    (void)state;
    static const struct {
        const char *uri; /* %s: the base */
        enum code code;
    } rows[] = {
        { "%s/jobs/main.py", OK },
        { "file://%s/jobs/main.py", OK },
        { "%s/jobs/in.py", OK }, /* a link that stays below */
        { "%s/jobs/sub/../main.py", OK },
        { "%s/jobs/out.py", PERMISSION_DENIED },
        { "%s/jobs/../secret.py", PERMISSION_DENIED },
        { "%s/jobs/updir/secret.py", PERMISSION_DENIED },
        { "%s/secret.py", PERMISSION_DENIED },
        { "%s/jobsx/main.py", PERMISSION_DENIED },
        { "/etc/passwd", PERMISSION_DENIED },
        { "%s/jobs", PERMISSION_DENIED },
        { "%s/jobs/sub", INVALID_ARGUMENT },
        { "%s/jobs/pipe", INVALID_ARGUMENT },
        { "%s/jobs/none.py", NOT_FOUND },
        { "gs://bucket/main.py", UNIMPLEMENTED },
        { "hdfs://x/main.py", UNIMPLEMENTED },
        { "main.py", UNIMPLEMENTED },
        { "file://host%s/jobs/main.py", INVALID_ARGUMENT },
        { "%s/jobs/main.py#123", INVALID_ARGUMENT },
        { "%s/jobs/%%6dain.py", INVALID_ARGUMENT },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err err = { 0 };
        char uri[600], hex[LAUNCH_SHA256_HEX + 1];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(uri, sizeof uri, rows[i].uri, base, base);
#pragma GCC diagnostic pop
        enum code rc = launch_hash(&config, str_z(uri), LAUNCH_MAIN_MAX_BYTES, hex, &err);
        if (rc != rows[i].code) fail_msg("%s: %s: %s", rows[i].uri, code_name(rc), err.message);
    }
}

static struct launch_job a_job(char main_uri[600], char lib_uri[600]) {
    static struct str py[1], args[2] = { STR_INIT("--x"), STR_INIT("a b;$(c)") };
    static struct launch_property props[1] = { { STR_INIT("spark.sql.note"), STR_INIT("a=b\\c\nspark.master=evil") } };
    (void)snprintf(main_uri, 600, "file://%s/jobs/main.py", base);
    (void)snprintf(lib_uri, 600, "%s/jobs/sub/lib.py", base);
    py[0] = str_z(lib_uri);
    return (struct launch_job){ .name = STR("a job"),
                                .main = str_z(main_uri),
                                .args = { args, 2 },
                                .python_files = { py, 1 },
                                .properties = props,
                                .n_properties = 1 };
}

static void what_was_hashed_is_what_runs(void **state) {
    (void)state;
    struct err err = { 0 };
    char main_uri[600], lib_uri[600], hex[LAUNCH_SHA256_HEX + 1], code[400], other[400];
    struct launch_job job = a_job(main_uri, lib_uri);
    (void)snprintf(code, sizeof code, "%s/code", base);
    (void)snprintf(other, sizeof other, "%s/code2", base);
    assert_int_equal(mkdir(code, 0700) | mkdir(other, 0700), 0);
    assert_int_equal(launch_hash(&config, job.main, LAUNCH_MAIN_MAX_BYTES, hex, &err), OK);
    assert_int_equal(launch_stage(&config, &job, code, hex, &err), OK);
    char path[600];
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct str text;
    (void)snprintf(path, sizeof path, "%s/main0/main.py", code);
    assert_int_equal(file_read(arena, path, 100, &text, &err), OK);
    assert_str(text, "print(1)\n");
    put("jobs/main.py", "print(2)\n");
    assert_int_equal(launch_stage(&config, &job, other, hex, &err), ABORTED);
    put("jobs/main.py", "print(1)\n");
}

static void too_large_is_refused(void **state) {
    (void)state;
    struct err err = { 0 };
    char uri[600], hex[LAUNCH_SHA256_HEX + 1];
    (void)snprintf(uri, sizeof uri, "%s/jobs/main.py", base);
    assert_int_equal(launch_hash(&config, str_z(uri), 9, hex, &err), OK);
    assert_int_equal(launch_hash(&config, str_z(uri), 8, hex, &err), FAILED_PRECONDITION);
}

static const char *value_of(const char *const *env, const char *name) {
    for (; *env; env++)
        if (strncmp(*env, name, strlen(name)) == 0 && (*env)[strlen(name)] == '=') return *env + strlen(name) + 1;
    return NULL;
}

static void command_properties_and_environment(void **state) {
    (void)state;
    struct err err = { 0 };
    char main_uri[600], lib_uri[600], work[400], path[600];
    struct launch_job job = a_job(main_uri, lib_uri);
    struct launch_machine machine = { .python = "/env/bin/python", .spark_home = "/env/spark", .java_home = "/java" };
    struct world world = { .ports = { 4001, 4002, 80 } };
    struct launch_command command;
    struct stat st;
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    memcpy(world.work, "/job", 5);
    memcpy(world.code, "/code", 6);
    (void)snprintf(work, sizeof work, "%s/home", base);
    assert_int_equal(mkdir(work, 0700), 0);
    assert_int_equal(setenv("GOOGLE_APPLICATION_CREDENTIALS", "/the/server/s/key", 1), 0);
    if (launch_command(&config, &machine, &job, &world, work, 0, arena, &command, &err)) fail_msg("%s", err.message);
    static const char *const argv[] = { "/env/spark/bin/spark-submit",
                                        "--properties-file",
                                        "/job/spark.properties",
                                        "--py-files",
                                        "/code/py0/lib.py",
                                        "/code/main0/main.py",
                                        "--x",
                                        "a b;$(c)" };
    for (size_t i = 0; i < COUNT(argv); i++) assert_string_equal(command.argv[i], argv[i]);
    assert_null(command.argv[COUNT(argv)]);
    assert_null(value_of(command.envp, "GOOGLE_APPLICATION_CREDENTIALS"));
    assert_string_equal(value_of(command.envp, "GCE_METADATA_HOST"), "127.0.0.1:4002");
    assert_string_equal(value_of(command.envp, "GCE_METADATA_IP"), "127.0.0.1:4002");
    assert_string_equal(value_of(command.envp, "LINKSPAN_SPANNER_ENDPOINT"), "127.0.0.1:4001");
    assert_string_equal(value_of(command.envp, "PATH"), "/env/bin:/java/bin:/usr/bin:/bin");
    struct str text;
    (void)snprintf(path, sizeof path, "%s/spark.properties", work);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(file_read(arena, path, 100000, &text, &err), OK);
    assert_true(str_starts(text, STR("spark.sql.note=a\\=b\\\\c\\nspark.master\\=evil\n")));
    assert_true(str_find(text, STR("\nspark.master=local[2]\n")) > 0);
    assert_true(str_find(text, STR("\nspark.driver.memory=2048m\n")) > 0);
    assert_true(str_find(text, STR("\nspark.eventLog.dir=file\\:/job/events\n")) > 0);
}

static void causes(void **state) {
    (void)state;
    static const struct {
        const char *tail, *cause;
    } rows[] = {
        { "", "" },
        { "only this\n", "only this" },
        { "the reason\n26/11/22 00:03:04 INFO ShutdownHookManager: Deleting directory /job/tmp/x\n", "the reason" },
        { "Traceback (most recent call last):\n  File \"x.py\", line 1\nValueError: bad\n26/01/01 INFO ShutdownHook: x\n",
          "ValueError: bad" },
        { "java.lang.RuntimeException: outer\n\tat a.b(C.java:1)\nCaused by: io.grpc.StatusException: PERMISSION_DENIED: "
          "no\n"
          "\tat x\n",
          "io.grpc.StatusException: PERMISSION_DENIED: no" },
        { "Caused by: old\nlater.FooException: new\n", "later.FooException: new" },
        { "google.api_core.exceptions.PermissionDenied: 403 NO_RULE\n",
          "google.api_core.exceptions.PermissionDenied: 403 NO_RULE" },
        { "a\x1b[31mred\n", "a [31mred" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(65536);
        assert_str(launch_cause(str_z(rows[i].tail), arena), rows[i].cause);
    }
}

static void what_is_missing_is_said(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(65536);
    struct launch_machine machine;
    struct err err = { 0 };
    assert_int_equal(launch_find_machine("/no/such/bin/python", arena, &machine, &err), FAILED_PRECONDITION);
    assert_non_null(strstr(err.message, "no Python at /no/such/bin/python"));
    assert_int_equal(launch_find_machine("python", arena, &machine, &err), FAILED_PRECONDITION);
    char python[600], folder[600];
    (void)snprintf(folder, sizeof folder, "%s/bin", base);
    assert_int_equal(mkdir(folder, 0700), 0);
    put("bin/python", "");
    (void)snprintf(python, sizeof python, "%s/bin/python", base);
    assert_int_equal(launch_find_machine(python, arena, &machine, &err), FAILED_PRECONDITION);
    assert_non_null(strstr(err.message, "no PySpark"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(properties),
        cmocka_unit_test(paths),
        cmocka_unit_test(too_large_is_refused),
        cmocka_unit_test(what_was_hashed_is_what_runs),
        cmocka_unit_test(causes),
        cmocka_unit_test(command_properties_and_environment),
        cmocka_unit_test(what_is_missing_is_said),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
