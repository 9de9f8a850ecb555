/* An upstream connection beside an embedded one: what is asked of the upstream, and what of its answers comes back. The
 * upstream is a table of jobs behind upstream/ask.h, which this file stands in for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "dataproc/remote.h"
#include "setting.h"

#define PROJECT STR("acme")
#define REGION  STR("far")
#define OP_NAME "projects/acme/regions/far/operations/op-1"

/* ---- the upstream ---- */

struct ask {
    struct ask_handler handler;
    void *ctx;
    char path[128], who[64];
    struct buf message;
    struct ask *next;
};

static struct far_job {
    const char *id, *cluster, *uuid;
} jobs[] = { { "j1", "batch", "u1" }, { "j2", "secret", "u2" }, { "j3", "batch", "u3" }, { "j4", "elsewhere", "u4" } };

static struct ask *pending;
static struct ask last; /* what was asked last */
static unsigned n_asked;
static enum code down;             /* the upstream's only answer */
static const char *job_that_moves; /* whose uuid differs once it was looked up */
static struct arena *arena;

enum code ask_start(struct loop *loop, const struct upstream *upstream, const struct principal *principal,
                    const struct upstream_request *request, const struct ask_handler *handler, void *ctx, struct ask **ret,
                    struct err *err) {
    (void)loop;
    (void)upstream;
    (void)err;
    struct ask *a = calloc(1, sizeof *a);
    assert_non_null(a);
    *a = (struct ask){ .handler = *handler, .ctx = ctx, .message = BUF_INIT(1 << 20), .next = pending };
    (void)snprintf(a->path, sizeof a->path, "%.*s", STR_ARG(request->path));
    (void)snprintf(a->who, sizeof a->who, "%.*s", STR_ARG(principal->actor.subject));
    buf_add_str(&a->message, request->message);
    assert_str(request->metadata[0].name, "x-goog-request-params");
    assert_str(request->metadata[0].value, "project_id=acme&region=far");
    pending = *ret = a;
    n_asked++;
    return OK;
}

void ask_resume(struct ask *ask) {
    (void)ask;
}

static void drop(struct ask *ask) {
    buf_free(&last.message);
    last = *ask;
    free(ask);
}

void ask_cancel(struct ask *ask) {
    if (ask) ask->handler.on_end = NULL; /* freed by the turn that it was cancelled in */
}

static void answer(struct ask *ask, const struct pb_msg *desc, const void *message) {
    DEFER(buf_free) struct buf out = BUF_INIT(1 << 20);
    struct err err;
    assert_int_equal(pb_encode(desc, message, &out, &err), OK);
    (void)ask->handler.on_message(ask, buf_str(&out), ask->ctx);
}

static void *decode(const struct ask *ask, const struct pb_msg *desc) {
    void *message;
    struct err err;
    struct str copy = str_dup(arena, buf_str(&ask->message));
    assert_int_equal(pb_decode(desc, copy, arena, PB_REFUSE_UNKNOWN, &message, &err), OK);
    return message;
}

static struct dataproc_Job *show(const struct far_job *job, const char *uuid) {
    struct dataproc_Job *shown = PB_NEW(arena, dataproc_Job);
    shown->reference = PB_NEW(arena, dataproc_JobReference);
    shown->placement = PB_NEW(arena, dataproc_JobPlacement);
    shown->reference->job_id = str_z(job->id);
    shown->placement->cluster_name = str_z(job->cluster);
    shown->job_uuid = str_z(uuid);
    shown->driver_output_resource_uri = STR("gs://bucket/driveroutput");
    return shown;
}

/* The fields job_id of GetJob, CancelJob and DeleteJob have different numbers. */
static struct str job_id_of(const struct ask *ask) {
    if (strstr(ask->path, "/GetJob"))
        return ((struct dataproc_GetJobRequest *)decode(ask, &dataproc_GetJobRequest_msg))->job_id;
    if (strstr(ask->path, "/CancelJob"))
        return ((struct dataproc_CancelJobRequest *)decode(ask, &dataproc_CancelJobRequest_msg))->job_id;
    if (strstr(ask->path, "/DeleteJob"))
        return ((struct dataproc_DeleteJobRequest *)decode(ask, &dataproc_DeleteJobRequest_msg))->job_id;
    return ((struct dataproc_UpdateJobRequest *)decode(ask, &dataproc_UpdateJobRequest_msg))->job_id;
}

static enum code answer_one(struct ask *ask) {
    struct str id = job_id_of(ask);
    for (size_t i = 0; i < COUNT(jobs); i++) {
        if (!str_eq_z(id, jobs[i].id)) continue;
        bool moved = job_that_moves && !strstr(ask->path, "/GetJob") && strcmp(job_that_moves, jobs[i].id) == 0;
        const struct pb_Empty nothing = { 0 };
        if (strstr(ask->path, "/DeleteJob")) answer(ask, &pb_Empty_msg, &nothing);
        else answer(ask, &dataproc_Job_msg, show(&jobs[i], moved ? "another" : jobs[i].uuid));
        return OK;
    }
    return NOT_FOUND;
}

static enum code answer_submit(struct ask *ask) {
    const struct dataproc_SubmitJobRequest *r = decode(ask, &dataproc_SubmitJobRequest_msg);
    const struct lro_Operation operation = { .name = STR(OP_NAME) };
    if (strstr(ask->path, "AsOperation")) answer(ask, &lro_Operation_msg, &operation);
    else answer(ask, &dataproc_Job_msg, r->job);
    return OK;
}

static enum code answer_list(struct ask *ask) {
    struct dataproc_ListJobsResponse response = { .next_page_token = STR("page-2") };
    struct dataproc_Job list[COUNT(jobs)];
    for (size_t i = 0; i < COUNT(jobs); i++) list[i] = *show(&jobs[i], jobs[i].uuid);
    response.jobs.p = list;
    response.jobs.n = COUNT(jobs);
    answer(ask, &dataproc_ListJobsResponse_msg, &response);
    return OK;
}

static enum code answer_clusters(struct ask *ask) {
    struct dataproc_Cluster list[] = { { .cluster_name = STR("batch") },
                                       { .cluster_name = STR("secret") },
                                       { .cluster_name = STR("elsewhere") } };
    struct dataproc_ListClustersResponse response = { .clusters = { list, COUNT(list) } };
    if (strstr(ask->path, "/GetCluster")) answer(ask, &dataproc_Cluster_msg, &list[0]);
    else if (strstr(ask->path, "/ListClusters")) answer(ask, &dataproc_ListClustersResponse_msg, &response);
    else answer(ask, &lro_Operation_msg, &(struct lro_Operation){ .name = STR(OP_NAME) });
    return OK;
}

static enum code answer_operation(struct ask *ask) {
    const struct lro_GetOperationRequest *r = decode(ask, &lro_GetOperationRequest_msg); /* the others look alike */
    const struct lro_Operation operation = { .name = r->name, .done = true };
    const struct pb_Empty nothing = { 0 };
    if (!str_eq_z(r->name, OP_NAME)) return NOT_FOUND;
    if (strstr(ask->path, "/GetOperation")) answer(ask, &lro_Operation_msg, &operation);
    else answer(ask, &pb_Empty_msg, &nothing);
    return OK;
}

static enum code answer_by_path(struct ask *ask) {
    static const struct {
        const char *part;
        enum code (*answer)(struct ask *ask);
    } rows[] = { { "/SubmitJob", answer_submit },
                 { "/ListJobs", answer_list },
                 { "ClusterController/", answer_clusters },
                 { ".Operations/", answer_operation },
                 { "JobController/", answer_one } };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (strstr(ask->path, rows[i].part)) return rows[i].answer(ask);
    return UNIMPLEMENTED;
}

static void turn(void) {
    while (pending) {
        struct ask *ask = pending;
        pending = NULL;
        enum code code = down ? down : answer_by_path(ask);
        const struct upstream_status status = { .code = code, .message = code ? STR("the upstream's words") : STR("") };
        if (ask->handler.on_end) ask->handler.on_end(ask, &status, ask->ctx);
        drop(ask);
    }
}

/* ---- set-up ---- */

static struct dataproc *near_by, *remote;
static struct dataproc_regions both;
static struct service both_service;
static char folder[64];

static struct upstream *far_away;

static void open_remote(void) {
    static const struct dataproc_account accounts[] = {
        { STR_INIT("batch"), STR_INIT("transform@demo.iam.gserviceaccount.com") },
        { STR_INIT("secret"), STR_INIT("extract@demo.iam.gserviceaccount.com") }
    };
    static const struct str code[] = { STR_INIT("gs://code/lib/"), STR_INIT("file:///opt/jobs/") };
    struct dataproc_upstream_config config = { .connection = STR("prod"),
                                               .project = PROJECT,
                                               .region = REGION,
                                               .accounts = accounts,
                                               .n_accounts = COUNT(accounts),
                                               .code = code,
                                               .n_code = COUNT(code),
                                               .folder = folder };
    const struct upstream_config upstream = { .name = STR("prod.dataproc"), .scheme = STR("https"), .host = STR("far") };
    struct err err;
    assert_int_equal(upstream_new(&upstream, &far_away, &err), OK);
    config.upstream = far_away;
    if (dataproc_new_upstream(&config, &remote, &err)) fail_msg("%s", err.message);
    both = (struct dataproc_regions){ { near_by, remote }, 2 };
}

static int setup(void **state) {
    int rc = setting_setup(state);
    arena = arena_new(64 << 20);
    (void)snprintf(folder, sizeof folder, "/tmp/linkspan-remote-XXXXXX");
    assert_non_null(mkdtemp(folder));
    near_by = dataproc;
    open_remote();
    both_service = dataproc_service(&both);
    asked = &both_service;
    setting_turn = turn;
    down = OK;
    job_that_moves = NULL;
    return rc;
}

static int teardown(void **state) {
    char path[100];
    dataproc_free(remote);
    upstream_free(far_away);
    (void)snprintf(path, sizeof path, "%s/handles.key", folder);
    (void)unlink(path);
    (void)rmdir(folder);
    buf_free(&last.message);
    last = (struct ask){ 0 };
    arena_free(arena);
    asked = &service;
    setting_turn = NULL;
    return setting_teardown(state);
}

/* ---- requests ---- */

static struct dataproc_PySparkJob pyspark;
static struct dataproc_JobPlacement placement;
static struct dataproc_Job job;
static struct dataproc_SubmitJobRequest request;

static struct dataproc_SubmitJobRequest *a_job(const char *main, const char *cluster) {
    pyspark = (struct dataproc_PySparkJob){ .main_python_file_uri = str_z(main) };
    placement = (struct dataproc_JobPlacement){ .cluster_name = str_z(cluster) };
    job = (struct dataproc_Job){ .placement = &placement,
                                 .pyspark_job = &pyspark,
                                 .type_job_case = dataproc_Job_type_job_pyspark_job };
    request = (struct dataproc_SubmitJobRequest){ .project_id = PROJECT, .region = REGION, .job = &job };
    return &request;
}

static enum code get(const char *who, const char *id) {
    struct dataproc_GetJobRequest r = { .project_id = PROJECT, .region = REGION, .job_id = str_z(id) };
    struct answer *a = ask(who, "GetJob", &r);
    enum code code = a->code;
    if (!code)
        assert_str(((const struct dataproc_Job *)a->message)->driver_output_resource_uri, "gs://bucket/driveroutput");
    free_answer(a);
    return code;
}

/* ---- tests ---- */

static void a_job_is_seen_where_its_cluster_is(void **state) {
    (void)state;
    static const struct {
        const char *name, *who, *id;
        enum code code;
        unsigned asked;
    } rows[] = {
        { "on a cluster that the caller watches", "watcher", "j1", OK, 1 },
        { "on another one", "watcher", "j2", PERMISSION_DENIED, 1 },
        { "none is there", "watcher", "j9", NOT_FOUND, 1 },
        { "on a cluster that is none of the connection's", "watcher", "j4", NOT_FOUND, 1 },
        { "whoever holds nothing learns nothing", "stranger", "j1", PERMISSION_DENIED, 0 },
        { "nor whether there is none", "stranger", "j9", PERMISSION_DENIED, 0 },
        { "having submitted is no right of its own here", "runner", "j1", PERMISSION_DENIED, 1 },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        n_asked = 0;
        enum code code = get(rows[i].who, rows[i].id);
        if (code != rows[i].code || n_asked != rows[i].asked)
            fail_msg("%s: %s, %u", rows[i].name, code_name(code), n_asked);
    }
    assert_string_equal(last.who, "runner"); /* the upstream decides for the same caller */
}

static void who_goes_takes_the_look_up_along(void **state) {
    (void)state;
    const struct dataproc_GetJobRequest r = { .project_id = PROJECT, .region = REGION, .job_id = STR("j1") };
    struct answer *a = new_answer("watcher", "GetJob");
    a->call.request = &r;
    assert_int_equal(a->call.method->classify(&a->call, &a->err), OK);
    assert_true(a->waits);
    assert_non_null(a->on_cancel);
    a->on_cancel(a->on_cancel_ctx);
    assert_false(a->waits);
    assert_null(pending->handler.on_end); /* the upstream's stream is reset */
    turn();
    free_answer(a);
}

static void both_kinds_stand_side_by_side(void **state) {
    (void)state;
    struct dataproc_GetJobRequest here = { .project_id = PROJECT, .region = STR("local"), .job_id = STR("j1") },
                                  nowhere = { .project_id = PROJECT, .region = STR("mars"), .job_id = STR("j1") };
    n_asked = 0;
    ask_for("watcher", "GetJob", &here, NOT_FOUND, "job not found: j1");
    ask_for("watcher", "GetJob", &nowhere, NOT_FOUND, "no projects/acme/regions/mars");
    assert_int_equal(n_asked, 0);
    assert_int_equal(get("watcher", "j1"), OK);
}

static void what_the_upstream_refuses_is_refused(void **state) {
    (void)state;
    struct dataproc_GetJobRequest r = { .project_id = PROJECT, .region = REGION, .job_id = STR("j1") };
    down = UNAVAILABLE;
    ask_for("watcher", "GetJob", &r, UNAVAILABLE, "the upstream's words");
    down = PERMISSION_DENIED;
    ask_for("runner", "SubmitJob", a_job("gs://code/x.py", "batch"), PERMISSION_DENIED, "the upstream's words");
}

static void submits_are_checked_here(void **state) {
    (void)state;
    static struct dataproc_PySparkJob_PropertiesEntry identity[] = { { STR_INIT("spark.hadoop.fs.gs.auth.type"),
                                                                       STR_INIT("USER") } };
    static struct dataproc_Job_LabelsEntry other[] = { { STR_INIT("linkspan-account"), STR_INIT("extract") } };
    static const struct {
        const char *name, *who, *main, *cluster, *label;
        bool property;
        enum code code;
        const char *holds;
    } rows[] = {
        { "free code", "runner", "gs://code/x.py", "batch", NULL, false, OK, NULL },
        { "a named job, by its URI", "two", "gs://code/far.py", "batch", NULL, false, OK, NULL },
        { "one with sha256 is never found", "two", "gs://code/exact.py", "batch", NULL, false, PERMISSION_DENIED, NULL },
        { "code that no statement names", "two", "gs://code/x.py", "batch", NULL, false, PERMISSION_DENIED, NULL },
        { "a cluster of another account", "runner", "gs://code/x.py", "secret", NULL, false, PERMISSION_DENIED, NULL },
        { "a cluster without an account", "runner", "gs://code/x.py", "new", NULL, false, FAILED_PRECONDITION,
          "prod.dataproc.accounts" },
        { "another account by label", "runner", "gs://code/x.py", "batch", "extract", false, INVALID_ARGUMENT,
          "no request chooses" },
        { "a property that moves identity", "runner", "gs://code/x.py", "batch", NULL, true, INVALID_ARGUMENT,
          "fs.gs.auth" },
        { "code from anywhere", "runner", "https://evil.test/x.py", "batch", NULL, false, UNIMPLEMENTED, "gs://" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct dataproc_SubmitJobRequest *r = a_job(rows[i].main, rows[i].cluster);
        n_asked = 0;
        job.labels.p = other;
        job.labels.n = rows[i].label ? 1 : 0;
        pyspark.properties.p = identity;
        pyspark.properties.n = rows[i].property;
        struct answer *a = ask(rows[i].who, "SubmitJob", r);
        if (a->code != rows[i].code || n_asked != (a->code == OK)) fail_msg("%s: %s", rows[i].name, a->err.message);
        if (rows[i].holds && !strstr(a->err.message, rows[i].holds)) fail_msg("%s: %s", rows[i].name, a->err.message);
        free_answer(a);
    }
}

/* `uri` in each of the four lists, one after the other; both must decide alike. */
static void with_other_file(const char *name, struct str uri, enum code of_named) {
    struct dataproc_SubmitJobRequest *r = a_job("gs://code/far.py", "batch");
    struct str uris[] = { STR("gs://code/lib/fine.py"), uri };
    for (unsigned list = 0; list < 4; list++) {
        pyspark = (struct dataproc_PySparkJob){ .main_python_file_uri = STR("gs://code/far.py") };
        if (list == 0) pyspark.python_file_uris.p = uris, pyspark.python_file_uris.n = COUNT(uris);
        if (list == 1) pyspark.jar_file_uris.p = uris, pyspark.jar_file_uris.n = COUNT(uris);
        if (list == 2) pyspark.file_uris.p = uris, pyspark.file_uris.n = COUNT(uris);
        if (list == 3) pyspark.archive_uris.p = uris, pyspark.archive_uris.n = COUNT(uris);
        n_asked = 0;
        struct answer *a = ask("two", "SubmitJob", r); /* may run this job, and no free code */
        if (a->code != of_named || n_asked != (of_named == OK)) fail_msg("%s, list %u: %s", name, list, code_name(a->code));
        assert_str(a->call.atoms.items[0].object, of_named ? "" : "nightly/far");
        if (str_find(a->call.outcome.detail, str_upto(uri, 200)) < 0)
            fail_msg("%s is not named: %.*s", name, STR_ARG(a->call.outcome.detail));
        free_answer(a);
        ask_for("runner", "SubmitJob", r, OK, NULL); /* may run free code */
    }
}

static void a_named_job_is_its_code_and_no_other(void **state) {
    (void)state;
    static const struct {
        const char *name, *uri;
        enum code code;
    } rows[] = {
        { "below a listed place", "gs://code/lib/a.py", OK },
        { "further below", "gs://code/lib/more/a-1.0_b.whl", OK },
        { "below a listed folder of the machines", "file:///opt/jobs/a.jar", OK },
        { "anybody's", "gs://attacker/json.py", PERMISSION_DENIED },
        { "beside it", "gs://code/evil.py", PERMISSION_DENIED },
        { "a longer name", "gs://code/library/a.py", PERMISSION_DENIED },
        { "the place itself", "gs://code/lib/", PERMISSION_DENIED },
        { "up and out", "gs://code/lib/../../attacker/a.py", PERMISSION_DENIED },
        { "up at its end", "gs://code/lib/..", PERMISSION_DENIED },
        { "a dot", "gs://code/lib/./a.py", PERMISSION_DENIED },
        { "an empty part", "gs://code/lib//a.py", PERMISSION_DENIED },
        { "percent", "gs://code/lib/%2e%2e/evil.py", PERMISSION_DENIED },
        { "two in one", "gs://code/lib/a.py,gs://attacker/b.py", PERMISSION_DENIED },
        { "a choice", "gs://code/lib/{a,b}.py", PERMISSION_DENIED },
        { "a pattern", "gs://code/lib/*.py", PERMISSION_DENIED },
        { "another name for it", "gs://code/lib/a.py#json.py", PERMISSION_DENIED },
        { "a query", "gs://code/lib/a.py?b", PERMISSION_DENIED },
        { "white space", "gs://code/lib/a.py b", PERMISSION_DENIED },
        { "another folder of the machines", "file:///tmp/a.jar", PERMISSION_DENIED },
        { "another host", "gs://code@attacker/lib/a.py", PERMISSION_DENIED },
    };
    for (size_t i = 0; i < COUNT(rows); i++) with_other_file(rows[i].name, str_z(rows[i].uri), rows[i].code);
}

/* The entry has room for some names: the digest holds whoever hides one behind many to what was sent. */
static void many_files_are_held_by_their_digest(void **state) {
    (void)state;
    struct str uris[40], *last_uri = &uris[COUNT(uris) - 1];
    struct dataproc_SubmitJobRequest *r = a_job("gs://code/far.py", "batch");
    for (size_t i = 0; i < COUNT(uris); i++) uris[i] = arena_printf(arena, "gs://code/lib/%080zu.py", i);
    pyspark.file_uris.p = uris;
    pyspark.file_uris.n = COUNT(uris);
    struct answer *a = ask("two", "SubmitJob", r);
    assert_true(str_starts(a->call.outcome.detail, STR("gs://code/far.py on the upstream; other files: 40, sha256 ")));
    *last_uri = STR("gs://attacker/x.py");
    struct answer *b = ask("two", "SubmitJob", r);
    assert_true(
        str_starts(b->call.outcome.detail, STR("gs://code/far.py on the upstream, free code by gs://attacker/x.py; ")));
    *last_uri = STR("gs://code/lib/other.py");
    struct answer *c = ask("two", "SubmitJob", r);
    assert_false(str_eq(str_upto(a->call.outcome.detail, 120), str_upto(c->call.outcome.detail, 120)));
    free_answer(c);
    free_answer(a);
    free_answer(b);
}

static void places_of_code(void **state) {
    (void)state;
    static const struct {
        const char *place;
        bool good;
    } rows[] = { { "gs://code/", true },
                 { "gs://code/lib-1/v2.0/", true },
                 { "file:///opt/jobs/", true },
                 { "gs://code", false },
                 { "gs://", false },
                 { "gs:///", false },
                 { "file:///", false },
                 { "gs://code/../", false },
                 { "gs://code//", false },
                 { "gs://code/%2e/", false },
                 { "gs://code/*/", false },
                 { "/opt/jobs/", false },
                 { "https://code.test/", false },
                 { "", false } };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (dataproc_is_code_place(str_z(rows[i].place)) != rows[i].good) fail_msg("%s", rows[i].place);
}

static void only_what_was_checked_goes_on(void **state) {
    (void)state;
    struct dataproc_SubmitJobRequest *r = a_job("gs://code/x.py", "batch");
    struct dataproc_Job_LabelsEntry labels[] = { { STR("team"), STR("a") }, { STR("linkspan-account"), STR("transform") } };
    struct dataproc_JobPlacement_ClusterLabelsEntry elsewhere[] = { { STR("env"), STR("prod") } };
    job.labels.p = labels;
    job.labels.n = 2;
    job.driver_control_files_uri = STR("gs://mine/");
    placement.cluster_uuid = STR("u");
    placement.cluster_labels.p = elsewhere;
    placement.cluster_labels.n = 1;
    ask_for("runner", "SubmitJob", r, OK, NULL);
    const struct dataproc_SubmitJobRequest *sent = decode(&last, &dataproc_SubmitJobRequest_msg);
    assert_str(sent->job->pyspark_job->main_python_file_uri, "gs://code/x.py");
    assert_int_equal(sent->job->labels.n, 2);
    assert_int_equal(sent->job->reference->job_id.n, DATAPROC_UUID); /* known to the audit before it runs */
    assert_int_equal(sent->job->placement->cluster_labels.n, 0);
    assert_int_equal(sent->job->placement->cluster_uuid.n, 0);
    assert_int_equal(sent->job->driver_control_files_uri.n, 0);
}

/* What the upstream hears for requestId "r" of this caller, who acts for `for_whom`. */
static struct str request_id(const char *who, const char *main, const char *for_whom) {
    struct dataproc_SubmitJobRequest *r = a_job(main, "batch");
    r->request_id = STR("r");
    struct answer *a = new_answer(who, "SubmitJob");
    a->principal.chain[0] = (struct actor){ ACTOR_OIDC, STR("entra"), str_z(for_whom), NULL };
    a->principal.n_chain = for_whom != NULL;
    a->call.request = r;
    run_call(a);
    if (a->code) fail_msg("%s", a->err.message);
    free_answer(a);
    const struct dataproc_SubmitJobRequest *sent = decode(&last, &dataproc_SubmitJobRequest_msg);
    assert_int_equal(sent->request_id.n, 40);
    return sent->request_id;
}

static void request_ids_are_the_callers_own(void **state) {
    (void)state;
    struct str first = request_id("runner", "gs://code/x.py", NULL), again = request_id("runner", "gs://code/x.py", NULL),
               others = request_id("two", "gs://code/far.py", NULL),
               for_ann = request_id("runner", "gs://code/x.py", "ann"),
               named = request_id("runner", "gs://code/far.py", NULL),
               for_bob = request_id("runner", "gs://code/x.py", "bob");
    assert_true(str_eq(first, again));
    assert_false(str_eq(first, others));
    assert_false(str_eq(first, named));
    assert_false(str_eq(first, for_ann));
    assert_false(str_eq(for_ann, for_bob));
}

static void cancel_update_delete(void **state) {
    (void)state;
    struct str paths[] = { STR("labels") };
    struct pb_FieldMask mask = { .paths = { paths, 1 } };
    struct dataproc_Job changed = { .labels = { 0 }, .driver_control_files_uri = STR("gs://mine/") };
    struct dataproc_CancelJobRequest cancel = { .project_id = PROJECT, .region = REGION, .job_id = STR("j1") };
    struct dataproc_DeleteJobRequest forget = { .project_id = PROJECT, .region = REGION, .job_id = STR("j1") };
    struct dataproc_UpdateJobRequest update = {
        .project_id = PROJECT, .region = REGION, .job_id = STR("j1"), .job = &changed, .update_mask = &mask
    };
    ask_for("two", "CancelJob", &cancel, OK, NULL);
    assert_non_null(strstr(last.path, "/CancelJob"));
    ask_for("two", "UpdateJob", &update, OK, NULL);
    const struct dataproc_UpdateJobRequest *sent = decode(&last, &dataproc_UpdateJobRequest_msg);
    assert_int_equal(sent->job->driver_control_files_uri.n, 0);
    ask_for("two", "DeleteJob", &forget, OK, NULL);
    n_asked = 0;
    ask_for("watcher", "CancelJob", &cancel, PERMISSION_DENIED, NULL);
    ask_for("watcher", "UpdateJob", &update, PERMISSION_DENIED, NULL);
    ask_for("watcher", "DeleteJob", &forget, PERMISSION_DENIED, NULL);
    assert_int_equal(n_asked, 3); /* looked up, and no more */
    job_that_moves = "j1";
    ask_for("two", "CancelJob", &cancel, ABORTED, "another one");
}

static void lists_are_cut(void **state) {
    (void)state;
    struct dataproc_ListJobsRequest list = { .project_id = PROJECT, .region = REGION };
    struct dataproc_ListClustersRequest clusters = { .project_id = PROJECT, .region = REGION };
    struct answer *a = ask("watcher", "ListJobs", &list);
    const struct dataproc_ListJobsResponse *seen_jobs = a->message;
    assert_int_equal(a->code, OK);
    assert_int_equal(seen_jobs->jobs.n, 2);
    assert_str(seen_jobs->jobs.p[1].reference->job_id, "j3");
    /* the token is the list's, and the caller's */
    list.page_token = seen_jobs->next_page_token;
    assert_true(str_find(list.page_token, STR("page-2")) < 0);
    ask_for("watcher", "ListJobs", &list, OK, NULL);
    assert_str(((struct dataproc_ListJobsRequest *)decode(&last, &dataproc_ListJobsRequest_msg))->page_token, "page-2");
    ask_for("two", "ListJobs", &list, INVALID_ARGUMENT, "pageToken");
    list.filter = STR("status.state = ACTIVE");
    ask_for("watcher", "ListJobs", &list, INVALID_ARGUMENT, "pageToken");
    free_answer(a);
    n_asked = 0;
    list.page_token = (struct str){ 0 };
    a = ask("stranger", "ListJobs", &list);
    assert_int_equal(((const struct dataproc_ListJobsResponse *)a->message)->jobs.n, 0);
    assert_int_equal(n_asked, 0);
    free_answer(a);
    a = ask("watcher", "ListClusters", &clusters);
    const struct dataproc_ListClustersResponse *seen_clusters = a->message;
    assert_int_equal(seen_clusters->clusters.n, 1);
    assert_str(seen_clusters->clusters.p[0].cluster_name, "batch");
    free_answer(a);
}

static void clusters(void **state) {
    (void)state;
    struct dataproc_GetClusterRequest r = { .project_id = PROJECT, .region = REGION, .cluster_name = STR("batch") };
    struct dataproc_Cluster cluster = { .cluster_name = STR("batch") };
    struct dataproc_CreateClusterRequest create = { .project_id = PROJECT, .region = REGION, .cluster = &cluster };
    ask_for("watcher", "GetCluster", &r, OK, NULL);
    ask_for("stranger", "GetCluster", &r, NOT_FOUND, "cluster not found: batch");
    r.cluster_name = STR("elsewhere");
    n_asked = 0;
    ask_for("admin", "GetCluster", &r, NOT_FOUND, "cluster not found: elsewhere");
    assert_int_equal(n_asked, 0);
    r.cluster_name = STR("batch");
    down = NOT_FOUND;
    ask_for("watcher", "GetCluster", &r, NOT_FOUND, "cluster not found: batch"); /* the same words */
    ask_for("admin", "CreateCluster", &create, UNIMPLEMENTED, NULL);
}

static enum code use_operation(const char *who, const char *method, struct str name) {
    struct lro_GetOperationRequest r = { .name = name }; /* Cancel and Delete look alike */
    struct answer *a = ask(who, method, &r);
    enum code code = a->code;
    if (!code && strcmp(method, "regions/*/operations/*}") == 0)
        assert_true(str_eq(((const struct lro_Operation *)a->message)->name, name));
    free_answer(a);
    return code;
}

static void operations_are_their_owners(void **state) {
    (void)state;
    static const char show_it[] = "regions/*/operations/*}", cancel_it[] = "regions/*/operations/*}:cancel";
    struct answer *a = ask("two", "SubmitJobAsOperation", a_job("gs://code/far.py", "batch"));
    assert_int_equal(a->code, OK);
    struct str name = ((const struct lro_Operation *)a->message)->name;
    assert_true(str_starts(name, STR("projects/acme/regions/far/operations/")));
    assert_true(str_find(name, STR("op-1")) < 0);
    assert_int_equal(use_operation("two", show_it, name), OK);
    assert_int_equal(use_operation("two", cancel_it, name), OK);
    assert_int_equal(use_operation("watcher", show_it, name), NOT_FOUND); /* may see the job, but was not given this */
    assert_int_equal(use_operation("two", show_it, STR(OP_NAME)), NOT_FOUND);
    dataproc_free(remote); /* a restart */
    upstream_free(far_away);
    open_remote();
    assert_int_equal(use_operation("two", show_it, name), OK);
    free_answer(a);
}

int main(int argc, char **argv) {
    if (world_is_child(argc, argv)) return world_child_main();
    setting_is_main = true;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_job_is_seen_where_its_cluster_is, setup, teardown),
        cmocka_unit_test_setup_teardown(who_goes_takes_the_look_up_along, setup, teardown),
        cmocka_unit_test_setup_teardown(both_kinds_stand_side_by_side, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_upstream_refuses_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(submits_are_checked_here, setup, teardown),
        cmocka_unit_test_setup_teardown(a_named_job_is_its_code_and_no_other, setup, teardown),
        cmocka_unit_test_setup_teardown(many_files_are_held_by_their_digest, setup, teardown),
        cmocka_unit_test(places_of_code),
        cmocka_unit_test_setup_teardown(only_what_was_checked_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(request_ids_are_the_callers_own, setup, teardown),
        cmocka_unit_test_setup_teardown(cancel_update_delete, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_are_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(clusters, setup, teardown),
        cmocka_unit_test_setup_teardown(operations_are_their_owners, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
