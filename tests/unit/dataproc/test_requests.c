/* A requestId that comes again: the first job for the same request, and for no other. */
#include <stdio.h>
#include <string.h>
#include "setting.h"

struct asking {
    const char *who, *for_whom; /* for_whom: `who` is an account's, and acts for this person; NULL: nobody */
    const char *file, *cluster, *account, *request_id;
};

static struct answer *new_asking(const struct asking *asking) {
    struct answer *a = new_answer(asking->who, "SubmitJob");
    struct principal *p = &a->principal;
    if (!asking->for_whom) return a;
    p->actor = (struct actor){ ACTOR_ACCOUNT, STR(""), str_z(asking->who), p->actor.claims };
    p->chain[p->n_chain++] = (struct actor){ ACTOR_OIDC, STR("entra"), str_z(asking->for_whom), NULL };
    a->call.subject = policy_identify(a->call.policy, p, a->call.arena);
    return a;
}

static struct answer *submit_as(const struct asking *asking) {
    char uri[600];
    struct dataproc_PySparkJob py = { 0 };
    struct dataproc_JobPlacement placement = { .cluster_name = str_z(asking->cluster) };
    struct dataproc_Job_LabelsEntry label = { STR("linkspan-account"), str_z(asking->account) };
    struct dataproc_Job job = { .placement = &placement,
                                .pyspark_job = &py,
                                .type_job_case = dataproc_Job_type_job_pyspark_job,
                                .labels = { &label, asking->account ? 1 : 0 } };
    const struct dataproc_SubmitJobRequest r = {
        .project_id = STR("acme"), .region = STR("local"), .job = &job, .request_id = str_z(asking->request_id)
    };
    (void)snprintf(uri, sizeof uri, "file://%s/%s", code_folder, asking->file);
    py.main_python_file_uri = str_z(uri);
    struct answer *a = new_asking(asking);
    a->call.request = &r;
    run_call(a);
    return a;
}

static void make(const char *name) {
    struct dataproc_Cluster cluster = { .cluster_name = str_z(name) };
    struct dataproc_CreateClusterRequest r = { .project_id = STR("acme"), .region = STR("local"), .cluster = &cluster };
    ask_for("admin", "CreateCluster", &r, OK, NULL);
}

static const char *cluster_of(const struct answer *a) {
    static char name[64];
    (void)snprintf(name, sizeof name, "%.*s", STR_ARG(((const struct dataproc_Job *)a->message)->placement->cluster_name));
    return name;
}

static bool is_same(const struct answer *a, const struct answer *b) {
    return str_eq(((const struct dataproc_Job *)a->message)->job_uuid, ((const struct dataproc_Job *)b->message)->job_uuid);
}

#define PIPELINE "pipeline@demo.iam.gserviceaccount.com"

/* What the first job was is in each row's first request; what is asked again with its id, in the second. */
static void another_request_is_not_shown_the_first_job(void **state) {
    (void)state;
    enum { SAME, ITS_OWN, CONFLICT };
    static const struct {
        const char *name;
        struct asking first, again;
        int outcome;
    } rows[] = {
        { "the same",
          { "runner", NULL, "hello.py", "batch", NULL, "r1" },
          { "runner", NULL, "hello.py", "batch", NULL, "r1" },
          SAME },
        { "another cluster",
          { "runner", NULL, "hello.py", "batch", NULL, "r2" },
          { "runner", NULL, "hello.py", "second", NULL, "r2" },
          ITS_OWN },
        { "another job",
          { "runner", NULL, "hello.py", "batch", NULL, "r3" },
          { "runner", NULL, "fail.py", "batch", NULL, "r3" },
          CONFLICT },
        { "another account",
          { "two", NULL, "hello.py", "batch", "extract", "r4" },
          { "two", NULL, "hello.py", "batch", "transform", "r4" },
          CONFLICT },
        { "the same account for the same person",
          { PIPELINE, "ann", "hello.py", "batch", NULL, "r5" },
          { PIPELINE, "ann", "hello.py", "batch", NULL, "r5" },
          SAME },
        { "the same account for somebody else",
          { PIPELINE, "ann", "hello.py", "batch", NULL, "r6" },
          { PIPELINE, "bob", "hello.py", "batch", NULL, "r6" },
          ITS_OWN },
        { "who is denied to see jobs",
          { "mute", NULL, "hello.py", "batch", NULL, "r7" },
          { "mute", NULL, "hello.py", "batch", NULL, "r7" },
          CONFLICT },
    };
    make("batch");
    make("second");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct answer *first = submit_as(&rows[i].first), *again = submit_as(&rows[i].again);
        if (first->code) fail_msg("%s: %s", rows[i].name, first->err.message);
        enum code expected = rows[i].outcome == CONFLICT ? ALREADY_EXISTS : OK;
        if (again->code != expected) fail_msg("%s: %s: %s", rows[i].name, code_name(again->code), again->err.message);
        struct str id = ((const struct dataproc_Job *)first->message)->reference->job_id;
        if (expected && str_find(str_z(again->err.message), id) >= 0) fail_msg("%s: %s", rows[i].name, again->err.message);
        if (!expected && is_same(first, again) != (rows[i].outcome == SAME)) fail_msg("%s", rows[i].name);
        if (!expected) assert_string_equal(cluster_of(again), rows[i].again.cluster);
        free_answer(first);
        free_answer(again);
    }
}

/* An operation tells of its cluster: who asks about another one is not told. */
static void clusters_have_request_ids_of_their_own(void **state) {
    (void)state;
    static const char *const names[] = { "second", "third", "second" };
    struct str first = { 0 };
    struct answer *answers[COUNT(names)];
    for (size_t i = 0; i < COUNT(names); i++) {
        struct dataproc_Cluster cluster = { .cluster_name = str_z(names[i]) };
        struct dataproc_CreateClusterRequest r = {
            .project_id = STR("acme"), .region = STR("local"), .cluster = &cluster, .request_id = STR("c1")
        };
        answers[i] = ask("admin", "CreateCluster", &r);
        if (answers[i]->code) fail_msg("%s: %s", names[i], answers[i]->err.message);
        struct str operation = ((const struct lro_Operation *)answers[i]->message)->name;
        if (!first.n) first = operation;
        assert_int_equal(str_eq(operation, first), strcmp(names[i], names[0]) == 0);
    }
    for (size_t i = 0; i < COUNT(names); i++) free_answer(answers[i]);
}

int main(int argc, char **argv) {
    if (world_is_child(argc, argv)) return world_child_main();
    setting_is_main = true;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(another_request_is_not_shown_the_first_job, setting_setup, setting_teardown),
        cmocka_unit_test_setup_teardown(clusters_have_request_ids_of_their_own, setting_setup, setting_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
