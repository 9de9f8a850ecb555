#include <string.h>
#include "dataproc/submit.h"

enum { MAX_LABELS = 32, MAX_LABEL_BYTES = 63 };

/* ---- what is not supported is named ---- */

static const struct {
    int32_t type;
    const char *name;
} other_types[] = {
    { dataproc_Job_type_job_hadoop_job, "hadoopJob" },      { dataproc_Job_type_job_spark_job, "sparkJob" },
    { dataproc_Job_type_job_hive_job, "hiveJob" },          { dataproc_Job_type_job_pig_job, "pigJob" },
    { dataproc_Job_type_job_spark_sql_job, "sparkSqlJob" }, { dataproc_Job_type_job_spark_r_job, "sparkRJob" },
    { dataproc_Job_type_job_presto_job, "prestoJob" },      { dataproc_Job_type_job_trino_job, "trinoJob" },
    { dataproc_Job_type_job_flink_job, "flinkJob" },
};

static enum code check_kind(const struct dataproc_Job *job, struct err *err) {
    for (size_t i = 0; i < COUNT(other_types); i++)
        if (job->type_job_case == other_types[i].type)
            return err_set(err, UNIMPLEMENTED, "%s is not supported here: pysparkJob is", other_types[i].name);
    if (job->type_job_case != dataproc_Job_type_job_pyspark_job || !job->pyspark_job)
        return err_set(err, INVALID_ARGUMENT, "the job says not what to run: set pysparkJob");
    if (job->scheduling && (job->scheduling->max_failures_per_hour || job->scheduling->max_failures_total))
        return err_set(err, UNIMPLEMENTED, "scheduling (restartable jobs) is not supported here");
    if (job->driver_scheduling_config) return err_set(err, UNIMPLEMENTED, "driverSchedulingConfig is not supported here");
    if (!job->pyspark_job->main_python_file_uri.n)
        return err_set(err, INVALID_ARGUMENT, "pysparkJob.mainPythonFileUri is missing");
    return OK;
}

/* ---- labels ---- */

static bool is_label(struct str text, bool key) {
    if (text.n > MAX_LABEL_BYTES || (key && !text.n)) return false;
    for (size_t i = 0; i < text.n; i++)
        if (!text.p[i] || !strchr("abcdefghijklmnopqrstuvwxyz0123456789_-", text.p[i])) return false;
    return !key || (text.p[0] >= 'a' && text.p[0] <= 'z');
}

enum code submit_check_labels(const struct dataproc_Job *job, struct err *err) {
    if (job->labels.n > MAX_LABELS) return err_set(err, INVALID_ARGUMENT, "a job has at most %d labels", MAX_LABELS);
    for (size_t i = 0; i < job->labels.n; i++)
        if (!is_label(job->labels.p[i].key, true) || !is_label(job->labels.p[i].value, false))
            return err_set(err, INVALID_ARGUMENT, "the label %.*s: keys and values are up to 63 of a-z 0-9 _ -",
                           STR_ARG(str_upto(job->labels.p[i].key, 80)));
    return OK;
}

struct str submit_label(const struct dataproc_Job *job, const char *key) {
    for (size_t i = 0; i < job->labels.n; i++)
        if (str_eq_z(job->labels.p[i].key, key)) return job->labels.p[i].value;
    return (struct str){ NULL, 0 };
}

/* ---- properties ---- */

/* driverLogLevels: only the root logger's, which is a property of Spark's own. */
static enum code log_level(const struct dataproc_PySparkJob *py, struct launch_property *property, size_t *n,
                           struct err *err) {
    if (!py->logging_config) return OK;
    for (size_t i = 0; i < py->logging_config->driver_log_levels.n; i++) {
        const struct dataproc_LoggingConfig_DriverLogLevelsEntry *level = &py->logging_config->driver_log_levels.p[i];
        const struct pb_enum_value *value = pb_enum_by_number(&dataproc_LoggingConfig_Level_enum, level->value);
        if (!str_eq_z(level->key, "root"))
            return err_set(err, UNIMPLEMENTED, "driverLogLevels of %.*s: only root's is supported here",
                           STR_ARG(str_upto(level->key, 100)));
        if (!value || !level->value) return err_set(err, INVALID_ARGUMENT, "driverLogLevels: no such level");
        property[(*n)++] = (struct launch_property){ STR("spark.log.level"), value->name };
    }
    return OK;
}

enum code submit_translate(const struct dataproc_Job *job, struct str name, struct arena *arena, struct launch_job *ret,
                           struct err *err) {
    enum code rc = check_kind(job, err);
    if (!rc) rc = submit_check_labels(job, err);
    if (rc) return rc;
    const struct dataproc_PySparkJob *py = job->pyspark_job;
    size_t levels = py->logging_config ? py->logging_config->driver_log_levels.n : 0, n = 0;
    struct launch_property *properties = ARENA_ARRAY(arena, struct launch_property, py->properties.n + levels + 1);
    if (!properties) return err_oom(err);
    for (size_t i = 0; i < py->properties.n; i++)
        properties[n++] = (struct launch_property){ py->properties.p[i].key, py->properties.p[i].value };
    rc = log_level(py, properties, &n, err);
    if (rc) return rc;
    *ret = (struct launch_job){
        .name = name,
        .main = py->main_python_file_uri,
        .args = { py->args.p, py->args.n },
        .python_files = { py->python_file_uris.p, py->python_file_uris.n },
        .jars = { py->jar_file_uris.p, py->jar_file_uris.n },
        .files = { py->file_uris.p, py->file_uris.n },
        .archives = { py->archive_uris.p, py->archive_uris.n },
        .properties = properties,
        .n_properties = n,
    };
    return OK;
}
