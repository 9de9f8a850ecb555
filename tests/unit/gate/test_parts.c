/* test_parts.c: routes, the spool, ids, the configuration. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../test.h"
#include "base/buf.h"
#include "gate/config.h"
#include "gate/id.h"
#include "gate/route.h"
#include "gate/spool.h"
#include "spanner/methods.h"

/* ---- routes ---- */

/* A path that the template means: braces and names go, '*' becomes `word`. */
static void example_of(const char *template, const char *word, char *out, size_t size) {
    size_t n = 0;
    for (const char *p = template; *p && n + strlen(word) + 1 < size; p++) {
        if (*p == '{') p = strchr(p, '=');
        else if (*p == '*') n += (size_t)snprintf(out + n, size - n, "%s", word);
        else if (*p != '}') out[n++] = *p;
    }
    out[n] = '\0';
}

static struct routes *spanner_routes(void) {
    static struct service service;
    struct err err;
    struct routes *routes = routes_new();
    service = (struct service){ .name = "spanner", .methods = spanner_methods, .n_methods = spanner_n_methods };
    if (routes_add(routes, &service, &err)) fail_msg("%s", err.message);
    return routes;
}

static void test_every_template(void **state) {
    (void)state;
    static const char *const words[] = { "x1", "a:b" };
    struct routes *routes = spanner_routes();
    struct arena *arena = arena_new(1 << 20);
    struct err err;
    for (size_t i = 0; i < spanner_n_methods; i++) {
        const struct method *m = &spanner_methods[i];
        struct route_match match;
        for (size_t k = 0; m->path && k < COUNT(words); k++) {
            char path[512];
            example_of(m->path, words[k], path, sizeof path);
            if (routes_find_rest(routes, str_z(m->verb), str_z(path), arena, &match, &err))
                fail_msg("%s: %s", path, err.message);
            if (match.method != m) fail_msg("%s %s went to %s", m->verb, path, match.method->grpc);
            assert_int_equal(match.n_variables, 1);
            assert_true(str_starts(match.variables[0].value, STR("projects/")));
        }
        char grpc[200];
        snprintf(grpc, sizeof grpc, "/%s", m->grpc);
        assert_true(routes_find_grpc(routes, str_z(grpc), &match));
        assert_ptr_equal(match.method, m);
    }
    arena_free(arena);
    routes_free(routes);
}

static void test_no_route(void **state) {
    (void)state;
    static const struct {
        const char *verb, *path;
    } cases[] = {
        { "GET", "/" },
        { "GET", "/v1/projects/p/instances"
                 "/i/databases/d/" },
        { "GET", "/v1/projects//instances/i/databases/d" },
        { "GET", "/v1/projects/../instances/i/databases/d" },
        { "GET", "/v1/projects/%2e%2e/instances/i/databases/d" },
        { "PUT", "/v1/projects/p/instances/i/databases/d" },
        { "POST", "/v1/projects/p/instances/i/databases/d/sessions/s:" },
        { "POST", "/v1/projects/p/instances/i/databases/d/sessions/:commit" },
        { "POST", "/v1/projects/p/instances/i/databases/d/sessions/s:nothing" },
        { "get", "/v1/projects/p/instances/i/databases/d" },
        { "GET", "/v2/projects/p/instances/i/databases/d" },
    };
    struct routes *routes = spanner_routes();
    struct arena *arena = arena_new(1 << 20);
    struct route_match match;
    struct err err;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (!routes_find_rest(routes, str_z(cases[i].verb), str_z(cases[i].path), arena, &match, &err))
            fail_msg("%s %s went to %s", cases[i].verb, cases[i].path, match.method->grpc);
    assert_false(routes_find_grpc(routes, STR("/google.spanner.v1.Spanner/Nothing"), &match));
    assert_false(routes_find_grpc(routes, STR("google.spanner.v1.Spanner/Commit"), &match));
    arena_free(arena);
    routes_free(routes);
}

static void test_templates(void **state) {
    (void)state;
    static const struct method rows[] = {
        { .grpc = "a.B/First", .verb = "GET", .path = "/v1/{a.b=x/*}/y/{c}" },
        { .grpc = "a.B/First", .verb = "GET", .path = "/v1/{all=objects/**}" },
    };
    static const struct method bad[] = { { .verb = "GET", .path = "v1/x" }, { .verb = "GET", .path = "/v1//x" } };
    struct service service = { .methods = rows, .n_methods = COUNT(rows) };
    struct routes *routes = routes_new();
    struct arena *arena = arena_new(1 << 20);
    struct route_match match;
    struct err err;
    assert_int_equal(routes_add(routes, &service, &err), OK);
    assert_int_equal(routes_find_rest(routes, STR("HEAD"), STR("/v1/x/1%20/y/2"), arena, &match, &err), OK);
    assert_int_equal(match.n_variables, 2);
    assert_str(match.variables[0].name, "a.b");
    assert_str(match.variables[0].value, "x/1 ");
    assert_str(match.variables[1].value, "2");
    assert_int_equal(routes_find_rest(routes, STR("GET"), STR("/v1/objects/a/b/c"), arena, &match, &err), OK);
    assert_str(match.variables[0].value, "objects/a/b/c");
    assert_int_equal(routes_find_rest(routes, STR("GET"), STR("/v1/objects"), arena, &match, &err), NOT_FOUND);
    assert_true(routes_find_grpc(routes, STR("/a.B/First"), &match));
    assert_ptr_equal(match.method, &rows[0]); /* the first keeps the name */
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct service one = { .methods = &bad[i], .n_methods = 1 };
        assert_int_equal(routes_add(routes, &one, &err), INVALID_ARGUMENT);
    }
    arena_free(arena);
    routes_free(routes);
}

static void test_routes_without_memory(void **state) {
    (void)state;
    struct service service = { .methods = spanner_methods, .n_methods = spanner_n_methods };
    for (unsigned n = 0; n < 40; n++) {
        struct err err;
        arena_fail_after(n);
        struct routes *routes = routes_new();
        if (routes && routes_add(routes, &service, &err)) assert_int_equal(err.code, RESOURCE_EXHAUSTED);
        arena_fail_after(0);
        routes_free(routes);
    }
}

/* ---- spool ---- */

static void put(struct spool *s, unsigned from, unsigned n) {
    char text[256];
    struct err err = { 0 };
    for (unsigned i = from; i < from + n; i++) {
        int k = snprintf(text, sizeof text, "%07u.", i);
        if (spool_put(s, STR(""), (struct str){ text, (size_t)k }, &err)) fail_msg("%s", err.message);
    }
}

static void get(struct spool *s, unsigned from, unsigned n) {
    char text[8 * 7]; /* an odd number of entries at a time */
    struct err err = { 0 };
    size_t have = 0, got;
    for (unsigned i = from; i < from + n;) {
        size_t want = (from + n - i) * 8 < sizeof text ? (from + n - i) * 8 : sizeof text;
        assert_int_equal(spool_get(s, text + have, want - have, &got, &err), OK);
        assert_true(got > 0);
        have += got;
        if (have < want) continue;
        for (size_t k = 0; k < have; k += 8, i++) assert_int_equal(strtoul(text + k, NULL, 10), i);
        have = 0;
    }
}

static void test_spool(void **state) {
    (void)state;
    struct spool s;
    struct err err;
    char byte;
    size_t n;
    spool_init(&s, "/tmp", 1024, 4096, NULL);
    put(&s, 0, 128); /* fills memory */
    assert_int_equal(s.fd, -1);
    get(&s, 0, 50);
    put(&s, 128, 40); /* what was read makes room */
    assert_int_equal(s.fd, -1);
    put(&s, 168, 300);
    assert_true(s.fd >= 0);
    get(&s, 50, 400);
    put(&s, 468, 400); /* far more than 4096 bytes went through, less wait */
    get(&s, 450, 418);
    assert_true(spool_is_empty(&s));
    assert_int_equal(spool_get(&s, &byte, 1, &n, &err), OK);
    assert_int_equal(n, 0);
    put(&s, 0, 10); /* back in memory */
    assert_int_equal(s.fd, -1);
    get(&s, 0, 10);
    assert_int_equal(s.total, 8 * (868 + 10));
    spool_free(&s);
}

/* What many answers hold in memory together is bounded: the next goes to its file, and room comes back. */
static void test_spool_budget(void **state) {
    (void)state;
    static char big[100 << 10];
    struct budget budget = { .max = 64 << 10 };
    struct spool one, two;
    struct err err;
    size_t n = 0;
    spool_init(&one, "/tmp", 1 << 20, 1 << 20, &budget);
    spool_init(&two, "/tmp", 1 << 20, 1 << 20, &budget);
    assert_int_equal(spool_put(&one, (struct str){ NULL, 0 }, (struct str){ big, sizeof big }, &err), OK);
    assert_int_equal(one.fd, -1);
    assert_true(atomic_load(&budget.held) > 0);
    assert_int_equal(spool_put(&two, (struct str){ NULL, 0 }, (struct str){ big, sizeof big }, &err), OK);
    assert_true(two.fd >= 0);
    while (!spool_is_empty(&one)) assert_int_equal(spool_get(&one, big, sizeof big, &n, &err), OK);
    assert_int_equal(atomic_load(&budget.held), 0);
    spool_free(&two);
    spool_free(&one);
}

static void test_spool_full(void **state) {
    (void)state;
    struct spool s;
    struct err err = { 0 };
    static char big[8000];
    spool_init(&s, "/tmp", 16, 4096, NULL);
    put(&s, 0, 100);
    assert_int_equal(spool_put(&s, STR("head"), (struct str){ big, sizeof big }, &err), RESOURCE_EXHAUSTED);
    get(&s, 0, 100); /* what was there before is whole */
    spool_free(&s);
    spool_init(&s, "/nowhere", 16, 4096, NULL);
    assert_int_not_equal(spool_put(&s, STR("head"), (struct str){ big, sizeof big }, &err), OK);
    spool_free(&s);
}

static void test_spool_disk_full(void **state) {
    (void)state;
    struct spool s;
    struct err err = { 0 };
    struct rlimit old, small;
    static char big[100000];
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    spool_init(&s, "/tmp", 16, 1 << 20, NULL);
    put(&s, 0, 100);
    small = (struct rlimit){ 4096, old.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum code rc = spool_put(&s, STR("head"), (struct str){ big, sizeof big }, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_not_equal(rc, OK);
    put(&s, 100, 20); /* goes over what was half written */
    get(&s, 0, 120);
    assert_true(spool_is_empty(&s));
    spool_free(&s);
}

/* ---- ids ---- */

static void test_ids(void **state) {
    (void)state;
    char before[ID_LENGTH + 1], id[ID_LENGTH + 1];
    id_new(before);
    for (unsigned i = 0; i < 50; i++) {
        if (i % 10 == 0) usleep(2000);
        id_new(id);
        assert_int_equal(strlen(id), ID_LENGTH);
        assert_int_equal(strspn(id, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), ID_LENGTH);
        assert_true(memcmp(id, before, 10) >= 0); /* the time part */
        assert_string_not_equal(id, before);
        memcpy(before, id, sizeof id);
    }
    assert_true(id[0] <= '7');
}

/* ---- configuration ---- */

#define MINIMAL   "listen: {public: \"127.0.0.1:8443\"}\nurl: https://linkspan.example\n"
#define TENANT    "00000000-0000-4000-8000-00000000de0e"
#define OID       "11111111-0000-4000-8000-00000000de0e"
#define APPID     "22222222-0000-4000-8000-00000000de0e"
#define WORKSPACE "workspace: flights, tenant: " TENANT ", principal: " OID ", client: " APPID
#define DATAPROC  "    dataproc: {back: embedded, project: p, region: r, code: [/tmp]}\n"

#define FAR_DATAPROC(region)                                                                                               \
    "    dataproc: {back: upstream, project: p, region: " region                                                           \
    ", endpoint: \"https://127.0.0.1:9\", accounts: {c: a@b}}\n"

static void test_config(void **state) {
    (void)state;
    static const struct {
        const char *what, *text, *faults; /* faults: each line must be there, in order */
    } cases[] = {
        { "defaults", MINIMAL, "" },
        { "all faults at once", "listen: {public: nowhere}\nurl: http://x\nnope: 1\nworkers: 0\n", "1:18|2:6|3:1|4:10|" },
        { "no yaml", "a: [\n", "2:1|" },
        { "upstream", MINIMAL "connections:\n  demo:\n    spanner: {back: upstream, project: p, instance: in}\n", "5:14|" },
        { "Dataproc here and at an upstream, side by side",
          MINIMAL "connections:\n  a:\n" DATAPROC "  b:\n" FAR_DATAPROC("s"), "" },
        { "two with one project and region", MINIMAL "connections:\n  a:\n" DATAPROC "  b:\n" FAR_DATAPROC("r"), "7:5|" },
        { "keys of the other back, and no clusters",
          MINIMAL
          "connections:\n  a:\n    dataproc: {back: upstream, project: p, region: r, endpoint: \"https://127.0.0.1:9\",\n"
          "      max_jobs: 2}\n"
          "  b:\n    dataproc: {back: embedded, project: p, region: s, code: [/tmp],\n      accounts: {c: a@b}}\n",
          "6:17|5:15|9:17|" },
        { "places of an upstream's code",
          MINIMAL
          "connections:\n  a:\n    dataproc: {back: upstream, project: p, region: r, endpoint: \"https://127.0.0.1:9\",\n"
          "      accounts: {c: a@b}, code: [\"gs://ok/\", \"gs://open\", \"file:///\", \"file:///opt/\", /tmp, "
          "\"gs://a/../\"]}\n",
          "6:46|6:59|6:87|6:93|" },
        { "clusters and accounts",
          MINIMAL
          "connections:\n  a:\n    dataproc: {back: upstream, project: p, region: r, endpoint: \"https://127.0.0.1:9\",\n"
          "      accounts: {ok: a@b, none: nobody, two: a@b@c}}\n",
          "6:27|6:41|" },
        { "names no system", MINIMAL "connections:\n  demo: {}\n", "4:9|" },
        { "twins",
          MINIMAL "connections:\n  a: {spanner: {back: embedded, project: p, instance: in}}\n"
                  "  b: {spanner: {back: embedded, project: p, instance: in}}\n",
          "5:6|" },
        { "an instance as the engine takes it",
          MINIMAL "connections:\n  a: {spanner: {back: embedded, project: p, instance: 1.x}}\n", "4:55|" },
        { "own name", MINIMAL "issuers:\n  linkspan: {issuer: https://i, audiences: [a]}\n", "4:13|" },
        { "http keys in production", MINIMAL "issuers:\n  i: {issuer: https://i, audiences: [a], jwks_uri: http://i}\n",
          "4:52|" },
        { "the workspaces' issuer", MINIMAL "issuers:\n  workspaces: {issuer: https://i, audiences: [a]}\n", "4:15|" },
        { "everybody's audience",
          MINIMAL
          "issuers:\n  i: {issuer: https://i, jwks_uri: https://i, audiences: [a, \"https://dev.azuresynapse.net\",\n"
          "    \"https://dev.azuresynapse.net/\", \"a b\", \"\"]}\n",
          "4:62|5:5|5:38|5:45|" },
        { "a workspace of Azure", MINIMAL "connections:\n  a:\n    synapse: {back: upstream, " WORKSPACE "}\n", "5:21|" },
        { "an identity that is none",
          MINIMAL
          "connections:\n  a:\n    synapse: {back: embedded, workspace: a-ondemand,\n      tenant: common,\n"
          "      principal: 11111111-0000-4000-8000-00000000DE0E,\n      client: 11111111-0000-4000-8000-00000000de0}\n",
          "5:42|6:15|7:18|8:15|" },
        { "pools",
          MINIMAL "connections:\n  a:\n" DATAPROC "    synapse: {back: embedded, " WORKSPACE ",\n      pools: {\n"
                  "        ok: {cluster: a_B-9}, no-pool: {cluster: c}, \"1st\": {cluster: c}, none: {},\n"
                  "        bad: {cluster: \"../x\"}, tall: {cluster: c, nodes: 9}}}\n",
          "8:81|9:24|9:52|" },
        { "names of pools",
          MINIMAL
          "connections:\n  a:\n" DATAPROC "    synapse: {back: embedded, " WORKSPACE ",\n      pools: {\n"
          "        ok: {cluster: a_B-9}, no-pool: {cluster: c}, \"1st\": {cluster: c}, sixteenlettersss: {cluster: c}}}\n",
          "8:31|8:54|8:75|" },
        { "jobs without clusters",
          MINIMAL "connections:\n  a:\n    synapse: {back: embedded, " WORKSPACE ",\n      pools: {p: {cluster: c}}}\n"
                  "    livy: {cluster: c}\n",
          "6:14|7:11|" },
        { "two workspaces",
          MINIMAL "connections:\n  a:\n    synapse: {back: embedded, " WORKSPACE
                  "}\n  b:\n    synapse: {back: embedded, " WORKSPACE "}\n",
          "7:5|" },
        { "a cluster for Livy", MINIMAL "connections:\n  a:\n" DATAPROC "    livy: {cluster: a/b}\n", "6:21|" },
    };
    char file[] = "/tmp/config-XXXXXX";
    int fd = mkstemp(file);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena *arena = arena_new(4 << 20);
        struct config config;
        static struct schema_faults faults;
        struct err err = { 0 };
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, cases[i].text, strlen(cases[i].text), 0), (ssize_t)strlen(cases[i].text));
        enum code rc = config_load(file, arena, &config, &faults, &err);
        DEFER(buf_free) struct buf where = BUF_INIT(4096), text = BUF_INIT(65536);
        for (size_t k = 0; k < faults.n; k++) buf_printf(&where, "%u:%u|", faults.items[k].line, faults.items[k].column);
        schema_print_faults(&faults, STR("f"), &text);
        if (!str_eq_z(buf_str(&where), cases[i].faults))
            fail_msg("%s: %.*s\n%.*s", cases[i].what, STR_ARG(buf_str(&where)), STR_ARG(buf_str(&text)));
        assert_int_equal(rc != OK, cases[i].faults[0] != '\0');
        if (i == 0) {
            assert_int_equal(config.workers, 2);
            assert_int_equal(config.drain_ms, 10000);
            assert_false(config.development);
            assert_string_equal(config.data, "/tmp/data");
            assert_string_equal(config.key, "/tmp/tls/server.key");
            assert_str(config.audit_origin, "linkspan.local/audit");
        }
        arena_free(arena);
    }
    close(fd);
    unlink(file);
}

static void load(struct arena *arena, const char *text, struct config *ret) {
    char file[] = "/tmp/config-XXXXXX";
    static struct schema_faults faults;
    struct err err = { 0 };
    int fd = mkstemp(file);
    assert_int_equal(pwrite(fd, text, strlen(text), 0), (ssize_t)strlen(text));
    close(fd);
    enum code rc = config_load(file, arena, ret, &faults, &err);
    unlink(file);
    if (rc) fail_msg("%s", err.message);
}

static void test_config_of_a_workspace(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(4 << 20);
    struct config config;
    load(arena, MINIMAL "connections: {}\n", &config);
    assert_null(config_workspace(&config));
    load(arena,
         MINIMAL "connections:\n  other: {spanner: {back: embedded, project: p, instance: in}}\n  demo:\n" DATAPROC
                 "    synapse: {back: embedded, " WORKSPACE
                 ", audiences: [\"api://linkspan\"], pools: {small: {cluster: batch}}}\n"
                 "    livy: {cluster: batch}\n",
         &config);
    const struct config_connection *c = config_workspace(&config);
    assert_str(c->name, "demo");
    const struct config_synapse *s = &c->synapse;
    assert_str(s->account, "flights@demo.synapse");
    assert_str(s->issuer, "https://linkspan.example/azure/" TENANT "/");
    assert_str(s->tenant, TENANT);
    assert_str(s->principal, OID);
    assert_str(s->client, APPID);
    assert_int_equal(s->n_audiences, 1);
    assert_str(s->audiences[0], "api://linkspan");
    assert_int_equal(s->n_pools, 1);
    assert_str(s->pools[0].name, "small");
    assert_str(s->pools[0].cluster, "batch");
    assert_true(c->livy.present);
    assert_str(c->livy.cluster, "batch");
    /* Without audiences its tokens are for us. */
    load(arena, MINIMAL "connections:\n  demo:\n    synapse: {back: embedded, " WORKSPACE "}\n", &config);
    assert_int_equal(config_workspace(&config)->synapse.n_audiences, 1);
    assert_str(config_workspace(&config)->synapse.audiences[0], "https://linkspan.example");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_of_a_workspace),
        cmocka_unit_test(test_every_template),
        cmocka_unit_test(test_no_route),
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_routes_without_memory),
        cmocka_unit_test(test_spool),
        cmocka_unit_test(test_spool_budget),
        cmocka_unit_test(test_spool_full),
        cmocka_unit_test(test_spool_disk_full),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
