#include "setting.h"
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file.h"

enum { WAIT_S = 20, ARENA = 64 << 20 };
#define EXACT "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static char base[256], python[400];
static struct str folders[1];
char code_folder[300];
struct dataproc *dataproc;
static struct dataproc_regions regions;
struct service service, *asked = &service;
static struct policy *policy;
static enum world_mode worlds = WORLD_NAMESPACES;

/* ---- the gate's side ---- */

bool call_cancelled(const struct call *call) {
    (void)call;
    return false;
}

void call_wait(struct call *call) {
    ((struct answer *)call)->waits = true;
}

void call_again(struct call *call) {
    ((struct answer *)call)->waits = false;
}

void call_on_cancel(struct call *call, void (*fn)(void *ctx), void *ctx) {
    ((struct answer *)call)->on_cancel = fn;
    ((struct answer *)call)->on_cancel_ctx = ctx;
}

void call_has_gone_on(struct call *call UNUSED) {
}

bool call_is_full(struct call *call, void (*fn)(void *ctx), void *ctx) {
    (void)call;
    (void)fn;
    (void)ctx;
    return false;
}

void call_add_detail(struct call *call, const char *type, struct str encoded) {
    (void)call;
    (void)type;
    (void)encoded;
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
    a->status = status;
    a->text = str_dup(call->arena, body);
}

void call_reply_header(struct call *call, const char *name, struct str value) {
    struct answer *a = (struct answer *)call;
    struct str *to = strcmp(name, "location") == 0 ? &a->location : &a->retry_after;
    *to = str_dup(call->arena, value);
}

/* ---- endpoints ---- */

struct seen seen = { .lock = PTHREAD_MUTEX_INITIALIZER };

static enum code open_endpoints(void *ctx, const struct job_endpoints_spec *spec, void **ret, struct err *err) {
    (void)ctx;
    (void)err;
    (void)pthread_mutex_lock(&seen.lock);
    seen.opened++;
    seen.open++;
    (void)snprintf(seen.account, sizeof seen.account, "%.*s", STR_ARG(spec->account));
    (void)snprintf(seen.job, sizeof seen.job, "%.*s", STR_ARG(spec->job));
    (void)snprintf(seen.submitter, sizeof seen.submitter, "%.*s", STR_ARG(spec->submitter->actor.subject));
    const struct atom *atom = &spec->asked;
    (void)snprintf(seen.asked, sizeof seen.asked, "%s %.*s in %.*s as %.*s", verb_name(atom->verb), STR_ARG(atom->object),
                   STR_ARG(atom->path), STR_ARG(atom->account));
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

static void close_endpoints(void *ctx, void *endpoint) {
    int *fds = endpoint;
    (void)ctx;
    for (unsigned i = 0; i < 3; i++)
        if (fds[i] >= 0) close(fds[i]);
    free(fds);
    (void)pthread_mutex_lock(&seen.lock);
    seen.open--;
    (void)pthread_mutex_unlock(&seen.lock);
}

/* ---- set-up ---- */

static const char policy_text[] =
    "domain flights covers dataproc demo/*, dataproc prod/* owner data\n"
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
    "see: allow watcher to see jobs on dataproc demo/batch owner data until 2099-01-01\n"
    /* who asks again: test_requests.c */
    "identity mute is oidc entra where sub = \"mute\"\n"
    "account pipeline is \"pipeline@demo.iam.gserviceaccount.com\"\n"
    "second: allow runner to run jobs on dataproc demo/second as transform owner data until 2099-01-01\n"
    "more: allow admin to administer dataproc demo/second and administer dataproc demo/third owner data until 2099-01-01\n"
    "quiet: allow mute, pipeline to run jobs on dataproc demo/batch as transform owner data until 2099-01-01\n"
    "deny mute to see jobs on dataproc demo/batch owner data\n"
    /* an upstream's: test_remote.c */
    "job nightly/far is pyspark \"gs://code/far.py\"\n"
    "job nightly/exact is pyspark \"gs://code/exact.py\" sha256 \"" EXACT "\"\n"
    "far-free: allow runner to run jobs on dataproc prod/batch as transform owner data until 2099-01-01\n"
    "far-named: allow two to run job nightly/far on dataproc prod/batch as transform\n"
    "    and run job nightly/exact on dataproc prod/batch as transform owner data until 2099-01-01\n"
    "far-see: allow watcher, two to see jobs on dataproc prod/batch owner data until 2099-01-01\n"
    "far-cancel: allow two to cancel jobs on dataproc prod/batch owner data until 2099-01-01\n"
    "far-adm: allow admin to administer dataproc prod/* owner data until 2099-01-01\n";

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

void open_dataproc(void) {
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
                                      .url = STR("https://linkspan.test"),
                                      .max_jobs = 2,
                                      .folder = folder,
                                      .worlds = worlds };
    if (dataproc_new(&config, &endpoints, &dataproc, &err)) fail_msg("%s", err.message);
    regions = (struct dataproc_regions){ { dataproc }, 1 };
    service = dataproc_service(&regions);
}

bool setting_is_main;

int setting_setup(void **state) {
    (void)state;
    if (!setting_is_main) abort();
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

int setting_teardown(void **state) {
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
    for (size_t i = 0; i < asked->n_methods; i++) {
        const struct method *m = &asked->methods[i];
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

void (*setting_turn)(void);

/* What the gate does between route and record. */
void run_call(struct answer *a) {
    const struct method *m = a->call.method;
    a->code = m->classify(&a->call, &a->err);
    if (!a->code && a->waits) {
        setting_turn();
        assert_false(a->waits);
        a->call.service = asked->state;
        a->code = m->classify(&a->call, &a->err);
    }
    if (a->code) return;
    if (a->call.far && !m->forward) {
        a->code = UNIMPLEMENTED;
        return;
    }
    if (m->door == DOOR_PROOF) {
        assert_true(a->call.atoms.n > 0);
        policy_decide(policy, a->call.subject, &a->call.atoms, clock_wall_us(), &a->verdict);
        if (a->verdict.reason) {
            a->code = reason_code(a->verdict.reason);
            return;
        }
    }
    (a->call.far ? m->forward : m->handle)(&a->call);
    if (setting_turn) setting_turn();
    wait_end(a);
}

struct answer *new_answer(const char *who, const char *method) {
    struct arena *arena = arena_new(ARENA);
    struct answer *a = ARENA_NEW(arena, struct answer);
    json_t *claims = json_pack("{s:s}", "sub", who);
    assert_non_null(a);
    a->principal = (struct principal){ .actor = { ACTOR_OIDC, STR("entra"), str_z(who), claims } };
    a->call = (struct call){ .method = find_method(method), .service = asked->state, .arena = arena, .policy = policy };
    a->call.principal = &a->principal;
    a->call.subject = policy_identify(policy, &a->principal, arena);
    (void)pthread_mutex_init(&a->lock, NULL);
    (void)pthread_cond_init(&a->ended_news, NULL);
    return a;
}

void free_answer(struct answer *a) {
    json_decref((json_t *)(uintptr_t)a->principal.actor.claims);
    arena_free(a->call.arena);
}

struct answer *ask(const char *who, const char *method, const void *request) {
    struct answer *a = new_answer(who, method);
    a->call.request = request;
    run_call(a);
    return a;
}

void ask_for(const char *who, const char *method, const void *request, enum code code, const char *holds) {
    struct answer *a = ask(who, method, request);
    if (a->code != code) fail_msg("%s of %s: %s: %s", method, who, code_name(a->code), a->err.message);
    if (holds && !strstr(a->err.message, holds)) fail_msg("\"%s\" is not in: %s", holds, a->err.message);
    free_answer(a);
}

void make_cluster(void) {
    struct dataproc_Cluster cluster = { .cluster_name = STR("batch") };
    struct dataproc_CreateClusterRequest r = { .project_id = STR("acme"), .region = STR("local"), .cluster = &cluster };
    struct answer *a = ask("admin", "CreateCluster", &r);
    if (a->code) fail_msg("%s", a->err.message);
    const struct lro_Operation *op = a->message;
    assert_true(op->done && op->response && op->metadata);
    free_answer(a);
}

enum code submit(const char *who, const char *id, const char *file, const char *label, const char *request_id,
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

struct answer *get_job(const char *who, const char *id) {
    static struct dataproc_GetJobRequest r;
    r = (struct dataproc_GetJobRequest){ .project_id = STR("acme"), .region = STR("local"), .job_id = str_z(id) };
    return ask(who, "GetJob", &r);
}

struct answer *wait_done(const char *who, const char *id) {
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
