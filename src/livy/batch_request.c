/* batch_request.c: the body of a new batch. One table says of every key what becomes of it; a key that is not in the table
 * is refused by name. Apache Livy, POST /batches; Synapse, Spark Batch, Create Spark Batch Job. */
#include <string.h>
#include "data/json.h"
#include "livy/livy_priv.h"

enum { MAX_ENTRIES = 256, MAX_DEPTH = 4 };

struct reader {
    const struct batch_context *context;
    struct arena *arena;
    struct dataproc_PySparkJob *py;
    struct dataproc_Job *job;
};

struct key;
typedef enum code read_fn(struct reader *r, const struct key *key, const json_t *value, struct err *err);

struct key {
    const char *name;
    read_fn *read;
    const char *more; /* the Spark property it becomes, or why it is refused */
    size_t offset;    /* a list of the PySparkJob */
};

static enum code wrong(const struct key *key, const char *what, struct err *err) {
    return err_set(err, INVALID_ARGUMENT, "%s must be %s", key->name, what);
}

/* Text in the arena, as the tree is freed; a NUL cannot come in (json_read). */
static enum code copy_text(struct reader *r, const json_t *value, struct str *ret, struct err *err) {
    *ret = str_dup(r->arena, json_text_of(value));
    return ret->p || !json_text_of(value).n ? OK : err_oom(err);
}

/* ---- properties and labels ---- */

static enum code add_property(struct reader *r, const struct key *key, struct str name, struct str value, struct err *err) {
    for (size_t i = 0; i < r->py->properties.n; i++)
        if (str_eq(r->py->properties.p[i].key, name))
            return err_set(err, INVALID_ARGUMENT, "%s: %.*s is given twice", key->name, STR_ARG(str_upto(name, 200)));
    if (r->py->properties.n == MAX_ENTRIES)
        return err_set(err, INVALID_ARGUMENT, "%s: at most %d properties", key->name, MAX_ENTRIES);
    r->py->properties.p[r->py->properties.n++] = (struct dataproc_PySparkJob_PropertiesEntry){ name, value };
    return OK;
}

static enum code add_label(struct reader *r, const struct key *key, struct str name, struct str value, struct err *err) {
    for (size_t i = 0; i < r->job->labels.n; i++)
        if (str_eq(r->job->labels.p[i].key, name))
            return err_set(err, INVALID_ARGUMENT, "%s: %.*s is given twice", key->name, STR_ARG(str_upto(name, 200)));
    if (r->job->labels.n == MAX_ENTRIES) return err_set(err, INVALID_ARGUMENT, "%s: at most %d", key->name, MAX_ENTRIES);
    r->job->labels.p[r->job->labels.n++] = (struct dataproc_Job_LabelsEntry){ name, value };
    return OK;
}

/* Clients write numbers and truth values where Spark takes text. */
static enum code text_of(struct reader *r, const json_t *value, struct str *ret, struct err *err) {
    if (json_is_integer(value)) *ret = arena_printf(r->arena, "%lld", (long long)json_integer_value(value));
    else if (json_is_boolean(value)) *ret = json_is_true(value) ? STR("true") : STR("false");
    else return copy_text(r, value, ret, err);
    return ret->p ? OK : err_oom(err);
}

static bool is_text(const json_t *value) {
    return json_is_string(value) || json_is_integer(value) || json_is_boolean(value);
}

static enum code read_conf(struct reader *r, const struct key *key, const json_t *value, struct err *err) {
    if (!json_is_object(value)) return wrong(key, "an object of text", err);
    enum code rc = OK;
    for (void *at = json_object_iter((json_t *)(uintptr_t)value); !rc && at;
         at = json_object_iter_next((json_t *)(uintptr_t)value, at)) {
        const json_t *item = json_object_iter_value(at);
        struct str name = str_dup(r->arena, str_z(json_object_iter_key(at))), text;
        if (!is_text(item)) return err_set(err, INVALID_ARGUMENT, "conf.%.*s must be text", STR_ARG(str_upto(name, 200)));
        rc = text_of(r, item, &text, err);
        if (rc) return rc;
        rc = str_eq_z(name, BATCH_ACCOUNT_PROPERTY) ? add_label(r, key, STR(BATCH_ACCOUNT_LABEL), text, err)
                                                    : add_property(r, key, name, text, err);
    }
    return rc;
}

/* Synapse's tags are the job's labels: what is no label is refused with its name (submit_check_labels). */
static enum code read_tags(struct reader *r, const struct key *key, const json_t *value, struct err *err) {
    if (!r->context->synapse) return err_set(err, INVALID_ARGUMENT, "\"tags\" is not a key of a batch");
    if (!json_is_object(value)) return wrong(key, "an object of text", err);
    enum code rc = OK;
    for (void *at = json_object_iter((json_t *)(uintptr_t)value); !rc && at;
         at = json_object_iter_next((json_t *)(uintptr_t)value, at)) {
        const json_t *item = json_object_iter_value(at);
        struct str name = str_dup(r->arena, str_z(json_object_iter_key(at))), text;
        if (!json_is_string(item))
            return err_set(err, INVALID_ARGUMENT, "tags.%.*s must be text", STR_ARG(str_upto(name, 200)));
        rc = copy_text(r, item, &text, err);
        if (!rc) rc = add_label(r, key, name, text, err);
    }
    return rc;
}

/* ---- the kinds of keys ---- */

static enum code read_file(struct reader *r, const struct key *key, const json_t *value, struct err *err) {
    if (!json_is_string(value) || !json_text_of(value).n) return wrong(key, "the path of a Python file", err);
    return copy_text(r, value, &r->py->main_python_file_uri, err);
}

static enum code read_list(struct reader *r, const struct key *key, const json_t *value, struct err *err) {
    struct pb_repeated *list = (struct pb_repeated *)((char *)r->py + key->offset);
    if (!json_is_array(value)) return wrong(key, "a list of text", err);
    size_t n = json_array_size(value);
    struct str *items = ARENA_ARRAY(r->arena, struct str, n + 1);
    if (!items) return err_oom(err);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(value, i);
        if (!json_is_string(item)) return err_set(err, INVALID_ARGUMENT, "%s[%zu] must be text", key->name, i);
        enum code rc = copy_text(r, item, &items[i], err);
        if (rc) return rc;
    }
    *list = (struct pb_repeated){ items, n };
    return OK;
}

static enum code read_text_property(struct reader *r, const struct key *key, const json_t *value, struct err *err) {
    struct str text;
    if (!json_is_string(value)) return wrong(key, "text", err);
    enum code rc = copy_text(r, value, &text, err);
    return rc ? rc : add_property(r, key, str_z(key->more), text, err);
}

static enum code read_number_property(struct reader *r, const struct key *key, const json_t *value, struct err *err) {
    struct str text;
    if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > 1000000)
        return wrong(key, "a number from 1 on", err);
    enum code rc = text_of(r, value, &text, err);
    return rc ? rc : add_property(r, key, str_z(key->more), text, err);
}

/* Never honoured: an account is chosen by policy, not by who asks. Saying who one is does no harm. */
static enum code read_proxy_user(struct reader *r, const struct key *key, const json_t *value, struct err *err) {
    if (!json_is_string(value)) return wrong(key, "text", err);
    if (str_eq(json_text_of(value), r->context->caller)) return OK;
    return err_set(err, PERMISSION_DENIED,
                   "%s: nobody acts for somebody else here; policy says as which account a batch runs", key->name);
}

static enum code refuse(struct reader *r, const struct key *key, const json_t *value, struct err *err) {
    (void)r;
    (void)value;
    return err_set(err, UNIMPLEMENTED, "%s is not supported here: %s", key->name, key->more);
}

#define LIST(key, field)                                                                                                   \
    { key, read_list, NULL, offsetof(struct dataproc_PySparkJob, field) }

static const struct key keys[] = {
    { "file", read_file, NULL, 0 },
    LIST("args", args),
    LIST("pyFiles", python_file_uris),
    LIST("jars", jar_file_uris),
    LIST("files", file_uris),
    LIST("archives", archive_uris),
    { "conf", read_conf, NULL, 0 },
    { "tags", read_tags, NULL, 0 },
    { "name", read_text_property, "spark.app.name", 0 },
    { "driverMemory", read_text_property, "spark.driver.memory", 0 },
    { "driverCores", read_number_property, "spark.driver.cores", 0 },
    { "executorMemory", read_text_property, "spark.executor.memory", 0 },
    { "executorCores", read_number_property, "spark.executor.cores", 0 },
    { "numExecutors", read_number_property, "spark.executor.instances", 0 },
    { "proxyUser", read_proxy_user, NULL, 0 },
    { "className", refuse, "batches are Python files", 0 },
    { "artifactId", refuse, "there are no Spark job definitions", 0 },
    { "queue", refuse, "there is no YARN", 0 },
    { "heartbeatTimeoutInSecond", refuse, "batches have no heartbeat", 0 },
    { "ttl", refuse, "a batch runs until its end", 0 },
};

static const struct key *find_key(const char *name) {
    for (size_t i = 0; i < COUNT(keys); i++)
        if (strcmp(keys[i].name, name) == 0) return &keys[i];
    return NULL;
}

/* Clients write null for what they do not say. */
static enum code read_keys(struct reader *r, const json_t *tree, struct err *err) {
    enum code rc = OK;
    for (void *at = json_object_iter((json_t *)(uintptr_t)tree); !rc && at;
         at = json_object_iter_next((json_t *)(uintptr_t)tree, at)) {
        const json_t *value = json_object_iter_value(at);
        const struct key *key = find_key(json_object_iter_key(at));
        if (!key) return err_set(err, INVALID_ARGUMENT, "\"%.200s\" is not a key of a batch", json_object_iter_key(at));
        if (!json_is_null(value)) rc = key->read(r, key, value, err);
    }
    return rc;
}

static enum code make(struct reader *r, const struct dataproc_SubmitJobRequest **ret, struct err *err) {
    struct dataproc_SubmitJobRequest *request = PB_NEW(r->arena, dataproc_SubmitJobRequest);
    struct dataproc_JobPlacement *placement = PB_NEW(r->arena, dataproc_JobPlacement);
    r->job = PB_NEW(r->arena, dataproc_Job);
    r->py = PB_NEW(r->arena, dataproc_PySparkJob);
    if (!request || !placement || !r->job || !r->py) return err_oom(err);
    r->py->properties.p = ARENA_ARRAY(r->arena, struct dataproc_PySparkJob_PropertiesEntry, MAX_ENTRIES);
    r->job->labels.p = ARENA_ARRAY(r->arena, struct dataproc_Job_LabelsEntry, MAX_ENTRIES);
    if (!r->py->properties.p || !r->job->labels.p) return err_oom(err);
    placement->cluster_name = r->context->cluster;
    r->job->placement = placement;
    r->job->type_job_case = dataproc_Job_type_job_pyspark_job;
    r->job->pyspark_job = r->py;
    request->project_id = r->context->project;
    request->region = r->context->region;
    request->job = r->job;
    *ret = request;
    return OK;
}

enum code batch_read(struct str body, const struct batch_context *context, struct arena *arena,
                     const struct dataproc_SubmitJobRequest **ret, struct err *err) {
    DEFER(json_freep) json_t *tree = NULL;
    struct reader r = { .context = context, .arena = arena };
    const struct dataproc_SubmitJobRequest *made = NULL;
    enum code rc = json_read(body, BATCH_BODY_BYTES, MAX_DEPTH, &tree, err);
    if (rc) return rc;
    if (!json_is_object(tree)) return err_set(err, INVALID_ARGUMENT, "a batch is a JSON object");
    rc = make(&r, &made, err);
    if (!rc) rc = read_keys(&r, tree, err);
    if (rc) return rc;
    if (!r.py->main_python_file_uri.n) return err_set(err, INVALID_ARGUMENT, "file is missing: the path of a Python file");
    *ret = made;
    return OK;
}
