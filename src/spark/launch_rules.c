/* launch_rules.c: which Spark properties a job may bring. Three tables: refused by name, whatever the configuration says;
 * allowed here; allowed by the configuration. What is in none of them is refused too. */
#include <string.h>
#include "spark/launch.h"

enum rule_kind { STARTS, CONTAINS, IN_SQL }; /* IN_SQL: below spark.sql., contains */

/* What moves identity, code, or the job out of its world. Compared without regard to case. */
static const struct {
    enum rule_kind kind;
    const char *text, *why;
} refused[] = {
    { STARTS, "spark.hadoop.fs.gs.auth.", "the job's identity comes from its world's metadata server" },
    { STARTS, "spark.hadoop.google.cloud.", "the job's identity comes from its world's metadata server" },
    { STARTS, "spark.hadoop.fs.gs.impersonation.", "the job's identity comes from its world's metadata server" },
    { STARTS, "spark.hadoop.fs.azure.", "the job's identity comes from its world's metadata server" },
    { STARTS, "spark.hadoop.fs.s3a.", "the job's identity comes from its world's metadata server" },
    { STARTS, "spark.hadoop.hadoop.security.", "the job's identity comes from its world's metadata server" },
    { STARTS, "spark.hadoop.hadoop.proxyuser.", "the job's identity comes from its world's metadata server" },
    { STARTS, "spark.kerberos.", "the job's identity comes from its world's metadata server" },
    { CONTAINS, "env.", "the job's environment is made by the server" },
    { CONTAINS, "javaoptions", "it can load code and move identity" },
    { CONTAINS, "classpath", "it can load code: use jarFileUris" },
    { CONTAINS, "librarypath", "it can load code" },
    { CONTAINS, "discoveryscript", "it runs a program" },
    { CONTAINS, "plugin", "it loads code" },
    { CONTAINS, "password", "a secret has no place in a property" },
    { CONTAINS, "secret", "a secret has no place in a property" },
    { CONTAINS, "credential", "a secret has no place in a property" },
    { STARTS, "spark.submit.", "the server submits" },
    { STARTS, "spark.master", "the configuration names the master" },
    { STARTS, "spark.remote", "the configuration names the master" },
    { STARTS, "spark.extralisteners", "it loads code" },
    { STARTS, "spark.jars", "it loads code: use jarFileUris" },
    { STARTS, "spark.files", "use fileUris" },
    { STARTS, "spark.archives", "use archiveUris" },
    { STARTS, "spark.pyspark.", "the configuration names the interpreter" },
    { STARTS, "spark.python.", "the configuration names the interpreter" },
    { STARTS, "spark.repl.", "it loads code" },
    { IN_SQL, "class", "it loads code" },
    { IN_SQL, "provider", "it loads code" },
    { IN_SQL, "listener", "it loads code" },
    { STARTS, "spark.sql.extensions", "it loads code" },
    { STARTS, "spark.sql.hive.metastore.", "it loads code" },
    { STARTS, "spark.sql.cache.serializer", "it loads code" },
    { STARTS, "spark.sql.sources.default", "it can load code: name the format where it is used" },
    { STARTS, "spark.sql.streaming.statestore.compression.codec", "it can load code" },
    { STARTS, "spark.sql.execution.pyspark.python", "the configuration names the interpreter" },
    { STARTS, "spark.sql.catalog", "it says which tables the job's names mean" },
    { STARTS, "spark.sql.defaultcatalog", "it says which tables the job's names mean" },
    { STARTS, "spark.sql.warehouse.dir", "it says which tables the job's names mean" },
    { STARTS, "spark.yarn.", "there is no YARN here" },
    { STARTS, "spark.kubernetes.", "there is no Kubernetes here" },
    { STARTS, "spark.authenticate", "the job's world is its own" },
    { STARTS, "spark.network.crypto.", "the job's world is its own" },
    { STARTS, "spark.ssl.", "the job's world is its own" },
    { STARTS, "spark.ui.", "the application's own pages know no identity" },
    { STARTS, "spark.eventlog.", "the server reads the event log" },
    { STARTS, "spark.local.dir", "the job's folder is its own" },
    { STARTS, "spark.driver.host", "the job's network is its own" },
    { STARTS, "spark.driver.bindaddress", "the job's network is its own" },
};

/* Ending in a dot: everything below. Otherwise the name itself and what is below it. */
static const char *const allowed[] = {
    "spark.app.name",
    "spark.sql.",
    "spark.executor.",
    "spark.driver.memory",
    "spark.driver.cores",
    "spark.driver.maxResultSize",
    "spark.driver.memoryOverhead",
    "spark.default.parallelism",
    "spark.shuffle.",
    "spark.serializer",
    "spark.kryo",
    "spark.kryoserializer",
    "spark.task.",
    "spark.speculation",
    "spark.memory.",
    "spark.rdd.",
    "spark.broadcast.",
    "spark.storage.",
    "spark.scheduler.",
    "spark.locality.",
    "spark.dynamicAllocation.",
    "spark.io.",
    "spark.log.level",
    "spark.reducer.",
    "spark.hadoop.mapreduce.",
    "spark.network.timeout",
};

static struct str lower(struct str key, char out[256]) {
    struct str cut = str_upto(key, 255);
    for (size_t i = 0; i < cut.n; i++) out[i] = (char)(cut.p[i] >= 'A' && cut.p[i] <= 'Z' ? cut.p[i] + 32 : cut.p[i]);
    return (struct str){ out, cut.n };
}

static bool is_of_rule(struct str low, enum rule_kind kind, struct str text) {
    if (kind == STARTS) return str_starts(low, text);
    return (kind == CONTAINS || str_starts(low, STR("spark.sql."))) && str_find(low, text) >= 0;
}

static const char *why_refused(struct str key) {
    char text[256];
    struct str low = lower(key, text);
    for (size_t i = 0; i < COUNT(refused); i++)
        if (is_of_rule(low, refused[i].kind, str_z(refused[i].text))) return refused[i].why;
    return NULL;
}

static bool matches(struct str key, struct str prefix) {
    if (!prefix.n || !str_starts(key, prefix)) return false;
    return prefix.p[prefix.n - 1] == '.' || key.n == prefix.n || key.p[prefix.n] == '.';
}

static bool is_allowed(const struct launch_config *config, struct str key) {
    for (size_t i = 0; i < COUNT(allowed); i++)
        if (matches(key, str_z(allowed[i]))) return true;
    for (size_t i = 0; i < config->n_properties; i++)
        if (matches(key, config->properties[i])) return true;
    return false;
}

static bool is_name(struct str key) {
    if (!key.n || key.n > 255) return false;
    for (size_t i = 0; i < key.n; i++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", key.p[i]) || !key.p[i])
            return false;
    return true;
}

/* "4g", "512m" as Spark writes sizes; without a unit MiB, as for spark.driver.memory. */
static bool parse_memory(struct str text, uint64_t *ret_bytes) {
    static const struct {
        const char *unit;
        unsigned shift;
    } units[] = {
        { "kb", 10 }, { "mb", 20 }, { "gb", 30 }, { "tb", 40 }, { "k", 10 }, { "m", 20 }, { "g", 30 }, { "t", 40 }
    };
    char low[256];
    unsigned shift = 20;
    text = lower(str_trim(text), low);
    for (size_t i = 0; i < COUNT(units); i++)
        if (str_strip_suffix(&text, str_z(units[i].unit))) {
            shift = units[i].shift;
            break;
        }
    uint64_t n;
    if (!str_u64(text, &n) || n > (UINT64_MAX >> shift)) return false;
    *ret_bytes = n << shift;
    return true;
}

static enum code check_memory(const struct launch_config *config, struct str value, struct err *err) {
    uint64_t bytes;
    if (!parse_memory(value, &bytes))
        return err_set(err, INVALID_ARGUMENT, "spark.driver.memory: write a size such as 2g, not %.*s",
                       STR_ARG(str_upto(value, 50)));
    if (config->memory_bytes > 0 && bytes > (uint64_t)config->memory_bytes)
        return err_set(err, INVALID_ARGUMENT, "spark.driver.memory: the configuration allows %lld MiB",
                       (long long)(config->memory_bytes >> 20));
    return OK;
}

enum code launch_check_property(const struct launch_config *config, struct str key, struct str value, struct err *err) {
    if (!is_name(key))
        return err_set(err, INVALID_ARGUMENT, "\"%.*s\" is not a Spark property's name", STR_ARG(str_upto(key, 100)));
    const char *why = why_refused(key);
    if (why) return err_set(err, INVALID_ARGUMENT, "the property %.*s is refused: %s", STR_ARG(key), why);
    if (!is_allowed(config, key))
        return err_set(err, INVALID_ARGUMENT,
                       "the property %.*s is not on the list of what jobs may set; the configuration can allow its prefix "
                       "(connections.…dataproc.properties)",
                       STR_ARG(key));
    if (value.n > 65536 || memchr(value.p ? value.p : "", '\0', value.n))
        return err_set(err, INVALID_ARGUMENT, "the property %.*s has a value that is too long or holds a NUL",
                       STR_ARG(key));
    return str_eq_z(key, "spark.driver.memory") ? check_memory(config, value, err) : OK;
}

static enum code check_uris(const struct launch_files *files, struct err *err) {
    for (size_t i = 0; i < files->n; i++)
        if (!files->items[i].n) return err_set(err, INVALID_ARGUMENT, "an empty URI in the job's files");
    return OK;
}

enum code launch_check(const struct launch_config *config, const struct launch_job *job, struct err *err) {
    const struct launch_files *lists[] = { &job->python_files, &job->jars, &job->files, &job->archives };
    size_t n = 1;
    enum code rc = OK;
    for (size_t i = 0; !rc && i < COUNT(lists); i++) {
        rc = check_uris(lists[i], err);
        n += lists[i]->n;
    }
    if (rc) return rc;
    if (n > LAUNCH_MAX_FILES) return err_set(err, INVALID_ARGUMENT, "a job has at most %d files", LAUNCH_MAX_FILES);
    if (job->args.n > LAUNCH_MAX_ARGS)
        return err_set(err, INVALID_ARGUMENT, "a job has at most %d arguments", LAUNCH_MAX_ARGS);
    for (size_t i = 0; i < job->args.n; i++)
        if (job->args.items[i].n && memchr(job->args.items[i].p, '\0', job->args.items[i].n))
            return err_set(err, INVALID_ARGUMENT, "an argument holds a NUL");
    if (job->n_properties > LAUNCH_MAX_PROPERTIES)
        return err_set(err, INVALID_ARGUMENT, "a job has at most %d properties", LAUNCH_MAX_PROPERTIES);
    for (size_t i = 0; !rc && i < job->n_properties; i++)
        rc = launch_check_property(config, job->properties[i].key, job->properties[i].value, err);
    return rc;
}
