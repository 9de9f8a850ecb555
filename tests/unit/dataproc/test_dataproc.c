/* The service as the gate calls it: classify, decide by a real policy, handle; real worlds, and a stand-in for spark-submit
 * that runs the main file with the shell. */
#include "test.h"
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file.h"
#include "dataproc/dataproc_priv.h"
#include "dataproc/filter.h"

enum { WAIT_S = 20, ARENA = 64 << 20 };

static char base[256], python[400];
static struct str folders[1];
static char code_folder[300];
static struct dataproc *dataproc;
static struct service service;
static struct policy *policy;
static enum world_mode worlds = WORLD_NAMESPACES;

/* ---- the gate's side ---- */

struct answer {
    struct call call; /* first */
    struct principal principal;
    pthread_mutex_t lock;
    pthread_cond_t ended_news;
    bool ended;
    enum code code;
    struct err err;
    void *message; /* decoded again from what was encoded */
    struct str text;
    struct verdict verdict;
};

bool call_cancelled(const struct call *call) {
    (void)call;
    return false;
}

bool call_write_message(struct call *call, const void *message) {
    struct answer *a = (struct answer *)call;
    struct buf out = BUF_INIT(64 << 20);
    struct err err;
    if (pb_encode(call->method->response, message, &out, &err)) return false;
    struct str copy = str_dup(call->arena, buf_str(&out));
    buf_free(&out);
    return pb_decode(call->method->response, copy, call->arena, PB_REFUSE_UNKNOWN, &a->message, &err) == OK;
}

void call_end(struct call *call, enum code code, const struct err *err) {
    struct answer *a = (struct answer *)call;
    (void)pthread_mutex_lock(&a->lock);
    assert_false(a->ended);
    a->ended = true;
    a->code = code;
    if (err) a->err = *err;
    (void)pthread_cond_signal(&a->ended_news);
    (void)pthread_mutex_unlock(&a->lock);
}

void call_end_ok(struct call *call) {
    call_end(call, OK, NULL);
}

void call_reply_http(struct call *call, unsigned status, const char *content_type, struct str body) {
    struct answer *a = (struct answer *)call;
    (void)content_type;
    assert_int_equal(status, 200);
    a->text = str_dup(call->arena, body);
}

/* ---- endpoints ---- */

static struct {
    pthread_mutex_t lock;
    unsigned opened, open;
    char account[128], job[64], submitter[64], host[64];
} seen = { .lock = PTHREAD_MUTEX_INITIALIZER };

static enum code open_endpoints(void *ctx, const struct job_endpoints_spec *spec, void **ret, struct err *err) {
    (void)ctx;
    (void)err;
    (void)pthread_mutex_lock(&seen.lock);
    seen.opened++;
    seen.open++;
    (void)snprintf(seen.account, sizeof seen.account, "%.*s", STR_ARG(spec->account));
    (void)snprintf(seen.job, sizeof seen.job, "%.*s", STR_ARG(spec->job));
    (void)snprintf(seen.submitter, sizeof seen.submitter, "%.*s", STR_ARG(spec->submitter->actor.subject));
    (void)snprintf(seen.host, sizeof seen.host, "%s", spec->metadata_hosts[1]);
    (void)pthread_mutex_unlock(&seen.lock);
    int *fds = malloc(3 * sizeof *fds);
    assert_non_null(fds);
    fds[0] = spec->api_fd;
    fds[1] = spec->metadata_fds[0];
    fds[2] = spec->metadata_fds[1];
    *ret = fds;
    return OK;
}

static enum code close_endpoints(void *ctx, void *endpoint, struct err *err) {
    int *fds = endpoint;
    (void)ctx;
    (void)err;
    for (unsigned i = 0; i < 3; i++)
        if (fds[i] >= 0) close(fds[i]);
    free(fds);
    (void)pthread_mutex_lock(&seen.lock);
    seen.open--;
    (void)pthread_mutex_unlock(&seen.lock);
    return OK;
}

/* ---- set-up ---- */

static const char policy_text[] =
    "domain flights covers dataproc demo/batch owner data\n"
    "identity runner is oidc entra where sub = \"runner\"\n"
    "identity admin is oidc entra where sub = \"admin\"\n"
    "identity watcher is oidc entra where sub = \"watcher\"\n"
    "identity two is oidc entra where sub = \"two\"\n"
    "identity stranger is oidc entra where sub = \"stranger\"\n"
    "account transform is \"transform@demo.iam.gserviceaccount.com\"\n"
    "account extract is \"extract@demo.iam.gserviceaccount.com\"\n"
    "job nightly/hello is pyspark \"file:///hello.py\" sha256 \"%s\"\n"
    "run: allow runner to run job nightly/hello on dataproc demo/batch as transform owner data until 2099-01-01\n"
    "free: allow runner to run jobs on dataproc demo/batch as transform owner data until 2099-01-01\n"
    "both: allow two to run jobs on dataproc demo/batch as transform, extract owner data until 2099-01-01\n"
    "adm: allow admin to administer dataproc demo/batch owner data until 2099-01-01\n"
    "see: allow watcher to see jobs on dataproc demo/batch owner data until 2099-01-01\n";

static void put(const char *name, const char *text, unsigned mode) {
    struct err err;
    char path[600];
    (void)snprintf(path, sizeof path, "%s/%s", base, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_int_equal(file_make_dirs(path, 0755, &err), OK);
    *slash = '/';
    assert_int_equal(file_write_durable(path, str_z(text), mode, &err), OK);
    assert_int_equal(chmod(path, mode), 0);
}

static void load_policy(void) {
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    char hex[LAUNCH_SHA256_HEX + 1], text[4096], uri[600];
    struct launch_config launch = { .code = folders, .n_code = 1 };
    struct err err = { 0 };
    (void)snprintf(uri, sizeof uri, "%s/hello.py", code_folder);
    assert_int_equal(launch_hash(&launch, str_z(uri), LAUNCH_MAIN_MAX_BYTES, hex, &err), OK);
    (void)snprintf(text, sizeof text, policy_text, hex);
    struct policy_source source = { STR("flights.policy"), str_z(text) };
    struct policy_context context = { 0 };
    struct policy_faults faults = { 0 };
    if (policy_load(&source, 1, &context, arena, &faults, &policy, &err)) fail_msg("%u: %s", err.line, err.message);
}

static void open_dataproc(void) {
    char folder[300];
    struct err err = { 0 };
    struct job_endpoints endpoints = { NULL, open_endpoints, close_endpoints };
    (void)snprintf(folder, sizeof folder, "%s/data", base);
    struct dataproc_config config = { .connection = STR("demo"),
                                      .project = STR("acme"),
                                      .region = STR("local"),
                                      .master = STR("local[1]"),
                                      .code = folders,
                                      .n_code = 1,
                                      .python = str_z(python),
                                      .max_jobs = 2,
                                      .folder = folder,
                                      .worlds = worlds };
    if (dataproc_new(&config, &endpoints, &dataproc, &service, &err)) fail_msg("%s", err.message);
}

static int setup(void **state) {
    (void)state;
    memcpy(base, "/tmp/linkspan-dataproc-XXXXXX", sizeof "/tmp/linkspan-dataproc-XXXXXX");
    assert_non_null(mkdtemp(base));
    put("env/lib/python3.99/site-packages/pyspark/bin/spark-submit",
        "#!/bin/sh\nwhile [ \"${1#--}\" != \"$1\" ]; do shift 2; done\nmain=$1; shift; exec /bin/sh \"$main\" \"$@\"\n",
        0755);
    put("env/bin/python", "", 0755);
    (void)snprintf(python, sizeof python, "%s/env/bin/python", base);
    (void)snprintf(code_folder, sizeof code_folder, "%s/code", base);
    folders[0] = str_z(code_folder);
    put("code/hello.py", "echo hello $1\n", 0644);
    put("code/fail.py", "echo 'ValueError: bad'; exit 3\n", 0644);
    put("code/long.py", "trap 'exit 0' TERM; while :; do sleep 0.02; done\n", 0644);
    load_policy();
    open_dataproc();
    return 0;
}

static int teardown(void **state) {
    char command[300];
    (void)state;
    dataproc_free(dataproc);
    policy_unref(policy);
    assert_int_equal(seen.open, 0);
    (void)snprintf(command, sizeof command, "rm -rf %s", base);
    return system(command);
}

/* ---- one call ---- */

static const struct method *find_method(const char *name) {
    for (size_t i = 0; i < service.n_methods; i++) {
        const struct method *m = &service.methods[i];
        if (m->grpc && str_ends(str_z(m->grpc), str_z(name))) return m;
        if (!m->grpc && str_ends(str_z(m->path), str_z(name))) return m;
    }
    fail_msg("no method %s", name);
    return NULL;
}

static void wait_end(struct answer *a) {
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    (void)pthread_mutex_lock(&a->lock);
    while (!a->ended)
        if (pthread_cond_timedwait(&a->ended_news, &a->lock, &until)) fail_msg("no answer");
    (void)pthread_mutex_unlock(&a->lock);
}

/* What the gate does between route and record. */
static void run_call(struct answer *a) {
    const struct method *m = a->call.method;
    a->code = m->classify(&a->call, &a->err);
    if (a->code) return;
    if (m->door == DOOR_PROOF) {
        assert_true(a->call.atoms.n > 0);
        policy_decide(policy, a->call.subject, &a->call.atoms, clock_wall_us(), &a->verdict);
        if (a->verdict.reason) {
            a->code = reason_code(a->verdict.reason);
            return;
        }
    }
    m->handle(&a->call);
    wait_end(a);
}

static struct answer *new_answer(const char *who, const char *method) {
    struct arena *arena = arena_new(ARENA);
    struct answer *a = ARENA_NEW(arena, struct answer);
    json_t *claims = json_pack("{s:s}", "sub", who);
    assert_non_null(a);
    a->principal = (struct principal){ .actor = { ACTOR_OIDC, STR("entra"), str_z(who), claims } };
    a->call = (struct call){ .method = find_method(method), .service = service.state, .arena = arena, .policy = policy };
    a->call.principal = &a->principal;
    a->call.subject = policy_identify(policy, &a->principal, arena);
    (void)pthread_mutex_init(&a->lock, NULL);
    (void)pthread_cond_init(&a->ended_news, NULL);
    return a;
}

static void free_answer(struct answer *a) {
    json_decref((json_t *)(uintptr_t)a->principal.actor.claims);
    arena_free(a->call.arena);
}

static struct answer *ask(const char *who, const char *method, const void *request) {
    struct answer *a = new_answer(who, method);
    a->call.request = request;
    run_call(a);
    return a;
}

static void ask_for(const char *who, const char *method, const void *request, enum code code, const char *holds) {
    struct answer *a = ask(who, method, request);
    if (a->code != code) fail_msg("%s of %s: %s: %s", method, who, code_name(a->code), a->err.message);
    if (holds && !strstr(a->err.message, holds)) fail_msg("\"%s\" is not in: %s", holds, a->err.message);
    free_answer(a);
}

static void make_cluster(void) {
    struct dataproc_Cluster cluster = { .cluster_name = STR("batch") };
    struct dataproc_CreateClusterRequest r = { .project_id = STR("acme"), .region = STR("local"), .cluster = &cluster };
    struct answer *a = ask("admin", "CreateCluster", &r);
    if (a->code) fail_msg("%s", a->err.message);
    const struct lro_Operation *op = a->message;
    assert_true(op->done && op->response && op->metadata);
    free_answer(a);
}

static enum code submit(const char *who, const char *id, const char *file, const char *label, const char *request_id,
                        char ret_uuid[64], char ret_error[1024]) {
    char uri[600];
    struct str args[] = { STR("world") };
    struct dataproc_PySparkJob py = { .args = { args, 1 } };
    struct dataproc_JobPlacement placement = { .cluster_name = STR("batch") };
    struct dataproc_JobReference reference = { .job_id = str_z(id) };
    struct dataproc_Job_LabelsEntry labels[] = { { STR("linkspan-account"), str_z(label) } };
    struct dataproc_Job job = { .placement = &placement,
                                .reference = &reference,
                                .pyspark_job = &py,
                                .type_job_case = dataproc_Job_type_job_pyspark_job,
                                .labels = { labels, label ? 1 : 0 } };
    struct dataproc_SubmitJobRequest r = {
        .project_id = STR("acme"), .region = STR("local"), .job = &job, .request_id = str_z(request_id)
    };
    (void)snprintf(uri, sizeof uri, "file://%s/%s", code_folder, file);
    py.main_python_file_uri = str_z(uri);
    struct answer *a = ask(who, "SubmitJob", &r);
    enum code code = a->code;
    (void)snprintf(ret_error, 1024, "%s", a->err.message);
    if (!code) {
        const struct dataproc_Job *made = a->message;
        (void)snprintf(ret_uuid, 64, "%.*s", STR_ARG(made->job_uuid));
        assert_true(str_eq_z(made->placement->cluster_name, "batch") && made->placement->cluster_uuid.n);
    }
    free_answer(a);
    return code;
}

static struct answer *get_job(const char *who, const char *id) {
    static struct dataproc_GetJobRequest r;
    r = (struct dataproc_GetJobRequest){ .project_id = STR("acme"), .region = STR("local"), .job_id = str_z(id) };
    return ask(who, "GetJob", &r);
}

static struct answer *wait_done(const char *who, const char *id) {
    for (unsigned i = 0; i < 1000; i++) {
        struct answer *a = get_job(who, id);
        if (a->code) fail_msg("%s", a->err.message);
        if (((const struct dataproc_Job *)a->message)->done) return a;
        free_answer(a);
        usleep(20000);
    }
    fail_msg("%s did not end", id);
    return NULL;
}

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
    assert_true(dataproc_owns_operation(dataproc, str_z(name)));
    assert_true(dataproc_owns_operation(dataproc, STR("projects/acme/locations/local/operations/x")));
    assert_false(dataproc_owns_operation(dataproc, STR("projects/acme/instances/x/operations/y")));
    assert_false(dataproc_owns_operation(dataproc, STR("projects/other/regions/local/operations/y")));
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
    assert_int_equal(state_job_insert(dataproc->state, &row, STR(""), &err), OK);
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
    return setup(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, each_setup, teardown)
int main(int argc, char **argv) {
    if (world_is_child(argc, argv)) return world_child_main();
    const struct CMUnitTest tests[] = {
        TEST(a_job_from_submit_to_output), TEST(who_may_what),
        TEST(a_failure_tells_its_cause),   TEST(bad_requests),
        TEST(pages_do_not_lose_jobs),      TEST(operations_show_jobs),
        TEST(a_restart_marks_what_ran),    TEST(an_end_that_was_not_written_is_not_running),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
