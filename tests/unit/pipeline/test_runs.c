/* How a run goes: order, skipping, containers, retries, timeouts, cancel, polls; by a clock that stands still. */
#include "world.h"

#include <stdio.h>
#include <string.h>
#include "base/buf.h"
#include "pipeline/pipelines_priv.h"
#include "pipeline/rules.h"

static struct world w;

#define WEB(name, url, more)                                                                                               \
    "{\"name\":\"" name "\",\"type\":\"WebActivity\"" more ",\"typeProperties\":{\"method\":\"POST\",\"url\":\"" url       \
    "\",\"body\":\"{}\"}}"
#define FAIL(name, more)                                                                                                   \
    "{\"name\":\"" name "\",\"type\":\"Fail\"" more ",\"typeProperties\":{\"message\":\"no luck\",\"errorCode\":\"E1\"}}"
#define WAIT(name, seconds, more)                                                                                          \
    "{\"name\":\"" name "\",\"type\":\"Wait\"" more ",\"typeProperties\":{\"waitTimeInSeconds\":" seconds "}}"
#define AFTER(name, how) ",\"dependsOn\":[{\"activity\":\"" name "\",\"dependencyConditions\":[\"" how "\"]}]"
#define AFTER2(a, how_a, b, how_b)                                                                                         \
    ",\"dependsOn\":[{\"activity\":\"" a "\",\"dependencyConditions\":[\"" how_a "\"]},{\"activity\":\"" b                 \
    "\",\"dependencyConditions\":[\"" how_b "\"]}]"

/* ---- order ---- */

struct graph_case {
    const char *name, *activities, *states; /* of A, B, C, …: S F K(skipped) */
    enum run_state run;
};

static const struct graph_case graphs[] = {
    { "one", WAIT("A", "0", ""), "S", RUN_SUCCEEDED },
    { "a chain", WAIT("A", "1", "") "," WAIT("B", "1", AFTER("A", "Succeeded")), "SS", RUN_SUCCEEDED },
    { "try and catch: the leaf succeeded", FAIL("A", "") "," WAIT("B", "0", AFTER("A", "Failed")), "FS", RUN_SUCCEEDED },
    { "do, if, else: a skipped leaf stands for what failed",
      FAIL("A", "") "," WAIT("B", "0", AFTER("A", "Succeeded")) "," WAIT("C", "0", AFTER("A", "Failed")), "FKS",
      RUN_FAILED },
    { "do, if, skip, else",
      FAIL("A", "") "," WAIT("B", "0", AFTER("A", "Succeeded")) "," WAIT("C", "0", AFTER("B", "Skipped")), "FKS",
      RUN_SUCCEEDED },
    { "skipping goes on",
      FAIL("A", "") "," WAIT("B", "0", AFTER("A", "Succeeded")) "," WAIT("C", "0", AFTER("B", "Succeeded")), "FKK",
      RUN_FAILED },
    { "completed is not skipped",
      FAIL("A", "") "," WAIT("B", "0", AFTER("A", "Succeeded")) "," WAIT("C", "0", AFTER("B", "Completed")), "FKK",
      RUN_FAILED },
    { "completed after a failure", FAIL("A", "") "," WAIT("B", "0", AFTER("A", "Completed")), "FS", RUN_SUCCEEDED },
    { "both must hold", WAIT("A", "5", "") "," FAIL("B", "") "," WAIT("C", "0", AFTER2("A", "Succeeded", "B", "Succeeded")),
      "SFK", RUN_FAILED },
    { "any end of both",
      WAIT("A", "5", "") "," FAIL("B", "") "," WAIT("C", "0", AFTER2("A", "Completed", "B", "Completed")), "SFS",
      RUN_SUCCEEDED },
    { "nothing failed, one is skipped", WAIT("A", "0", "") "," WAIT("B", "0", AFTER("A", "Failed")), "SK", RUN_SUCCEEDED },
};

static void graphs_end_as_synapses_do(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(graphs); i++) {
        char id[PIPELINE_UUID + 1], name[2] = "A";
        world_open(&w, NULL, 0);
        world_put(&w, "p", graphs[i].activities, NULL);
        world_run(&w, "p", NULL, id);
        world_pass(&w, 60);
        if (world_get(&w, id).state != graphs[i].run)
            fail_msg("%s: the run is %s", graphs[i].name, pipeline_run_state_name(world_get(&w, id).state));
        for (const char *s = graphs[i].states; *s; s++, name[0]++) {
            enum run_state want = *s == 'S' ? RUN_SUCCEEDED : *s == 'F' ? RUN_FAILED : RUN_SKIPPED;
            if (world_activity(&w, id, name).state != want)
                fail_msg("%s: %s is %s", graphs[i].name, name, pipeline_run_state_name(world_activity(&w, id, name).state));
        }
        world_close(&w);
    }
}

/* A naive evaluator: states by going round until nothing changes; the outcome by walking up from every leaf. */
struct naive {
    unsigned n, conditions[8][8]; /* [of][on]; 0 = none */
    bool fails[8];
    enum run_state states[8];
};

static bool naive_meets(unsigned c, enum run_state s) {
    if (s == RUN_SUCCEEDED) return (c & (DEPEND_SUCCEEDED | DEPEND_COMPLETED)) != 0;
    if (s == RUN_FAILED) return (c & (DEPEND_FAILED | DEPEND_COMPLETED)) != 0;
    return (c & DEPEND_SKIPPED) != 0;
}

static bool naive_good(const struct naive *g, unsigned at) {
    if (g->states[at] != RUN_SKIPPED) return g->states[at] == RUN_SUCCEEDED;
    bool good = true;
    for (unsigned on = 0; on < g->n; on++)
        if (g->conditions[at][on]) good = naive_good(g, on) && good;
    return good;
}

static bool naive_run(struct naive *g) {
    for (unsigned i = 0; i < g->n; i++) { /* dependencies point to smaller numbers */
        bool met = true;
        for (unsigned on = 0; on < i; on++)
            if (g->conditions[i][on] && !naive_meets(g->conditions[i][on], g->states[on])) met = false;
        g->states[i] = !met ? RUN_SKIPPED : g->fails[i] ? RUN_FAILED : RUN_SUCCEEDED;
    }
    bool good = true;
    for (unsigned i = 0; i < g->n; i++) {
        bool leaf = true;
        for (unsigned j = 0; j < g->n; j++) leaf = leaf && !g->conditions[j][i];
        if (leaf) good = naive_good(g, i) && good;
    }
    return good;
}

static struct str naive_text(const struct naive *g, struct arena *arena) {
    DEFER(buf_free) struct buf out = BUF_INIT(1 << 16);
    static const char *const words[] = { "\"Succeeded\"", "\"Failed\"", "\"Skipped\"", "\"Completed\"" };
    for (unsigned i = g->n; i-- > 0;) { /* the document's order is another than that of dependence */
        const char *sep = "";
        buf_printf(&out, "%s{\"name\":\"%c\",\"type\":\"%s\",\"dependsOn\":[", i + 1 < g->n ? "," : "", (char)('A' + i),
                   g->fails[i] ? "Fail" : "Wait");
        for (unsigned on = 0; on < i; on++) {
            if (!g->conditions[i][on]) continue;
            buf_printf(&out, "%s{\"activity\":\"%c\",\"dependencyConditions\":[", sep, (char)('A' + on));
            const char *comma = "";
            for (unsigned c = 0; c < 4; c++)
                if (g->conditions[i][on] & (1u << c)) buf_printf(&out, "%s%s", comma, words[c]), comma = ",";
            buf_add_z(&out, "]}");
            sep = ",";
        }
        buf_printf(&out, "],\"typeProperties\":%s}",
                   g->fails[i] ? "{\"message\":\"m\",\"errorCode\":\"c\"}"
                   : i % 2     ? "{\"waitTimeInSeconds\":1}"
                               : "{\"waitTimeInSeconds\":0}");
    }
    return str_dup(arena, buf_str(&out));
}

static void random_graphs_end_as_the_naive_evaluator_says(void **state) {
    (void)state;
    unsigned failed = 0, skipped = 0;
    world_open(&w, NULL, 0);
    w.mute = true;
    for (unsigned round = 0; round < 300; round++) {
        struct naive g = { .n = 1 + (unsigned)(world_random(&w) % 7) };
        char id[PIPELINE_UUID + 1], name[2] = "A";
        for (unsigned i = 0; i < g.n; i++) {
            g.fails[i] = world_random(&w) % 3 == 0;
            for (unsigned on = 0; on < i; on++)
                if (world_random(&w) % 3 == 0) g.conditions[i][on] = 1 + (unsigned)(world_random(&w) % 15);
        }
        bool good = naive_run(&g);
        struct str text = naive_text(&g, w.arena);
        world_put(&w, "p", text.p, NULL);
        world_run(&w, "p", NULL, id);
        world_pass(&w, 30);
        if (world_get(&w, id).state != (good ? RUN_SUCCEEDED : RUN_FAILED)) fail_msg("%.*s", STR_ARG(text));
        for (unsigned i = 0; i < g.n; i++, name[0]++) {
            if (world_activity(&w, id, name).state != g.states[i]) fail_msg("%s of %.*s", name, STR_ARG(text));
            skipped += g.states[i] == RUN_SKIPPED;
        }
        failed += !good;
    }
    assert_in_range(failed, 50, 250);
    assert_true(skipped > 100);
    world_close(&w);
}

/* ---- Web ---- */

static void a_reply_is_the_output_of_the_next(void **state) {
    (void)state;
    struct script scripts[] = { { "/one", .status = 200, .body = "{\"n\":41,\"who\":\"x\"}", .location = "/cap" },
                                { "/two", .status = 201, .body = "" } };
    char id[PIPELINE_UUID + 1];
    world_open(&w, scripts, COUNT(scripts));
    world_put(&w, "p",
              "{\"name\":\"A\",\"type\":\"WebActivity\",\"typeProperties\":{\"method\":\"POST\",\"url\":\"https://h/"
              "one\",\"body\":"
              "{\"m\":\"@pipeline().parameters.m\"},\"authentication\":{\"type\":\"MSI\",\"resource\":\"api://x\"}}},"
              "{\"name\":\"B\",\"type\":\"WebActivity\"" AFTER(
                  "A", "Succeeded") ",\"typeProperties\":{\"method\":\"PUT\",\"url\":\"https://h/two\",\"body\":"
                                    "\"@{add(activity('A').output.n,1)}\"}}",
              "\"parameters\":{\"m\":{\"type\":\"string\"}}");
    world_run(&w, "p", "{\"m\":\"hello\"}", id);
    world_is(&w, id, RUN_SUCCEEDED);
    assert_int_equal(w.n_asked, 2);
    assert_string_equal(w.asked[0].body, "{\"m\":\"hello\"}");
    assert_string_equal(w.asked[0].audience, "api://x");
    assert_string_equal(w.asked[0].subject, "ada@corp.example");
    assert_string_equal(w.asked[0].request, "req-1");
    assert_int_equal(w.asked[0].timeout_ms, 60000);
    assert_string_equal(w.asked[1].body, "42");
    assert_string_equal(w.asked[1].audience, "");
    struct activity_info a = world_activity(&w, id, "A");
    assert_str(a.output,
               "{\"n\":41,\"who\":\"x\",\"ADFWebActivityResponseHeaders\":{\"Content-Type\":\"application/json\"},"
               "\"executionDuration\":0}");
    assert_str(a.input,
               "{\"method\":\"POST\",\"url\":\"https://h/one\",\"body\":{\"m\":\"hello\"},\"authentication\":{\"type\":"
               "\"MSI\",\"resource\":\"api://x\"}}");
    world_close(&w);
}

struct fault_case {
    const char *name;
    struct script script;
    const char *code;
};

static const struct fault_case fault_cases[] = {
    { "policy", { "/x", FAULT_POLICY }, "PolicyDenied" },
    { "token", { "/x", FAULT_TOKEN }, "TokenUnavailable" },
    { "host", { "/x", FAULT_UNREACHABLE }, "HostUnreachable" },
    { "tls", { "/x", FAULT_TLS }, "TlsFailure" },
    { "time", { "/x", FAULT_TIMED_OUT }, "Timeout" },
    { "size", { "/x", FAULT_TOO_LARGE }, "ResponseTooLarge" },
    { "no HTTP", { "/x", FAULT_INVALID }, "InvalidResponse" },
    { "an array", { "/x", .status = 200, .body = "[1]" }, "InvalidResponse" },
    { "no JSON", { "/x", .status = 200, .body = "<html>" }, "InvalidResponse" },
    { "401 without a token", { "/x", .status = 401, .body = "{}" }, "401" },
    { "404", { "/x", .status = 404, .body = "{\"error\":{\"message\":\"no such thing\"}}" }, "404" },
    { "500 with a page", { "/x", .status = 500, .body = "<html>secret</html>" }, "500" },
    { "a redirect", { "/x", .status = 302, .location = "http://169.254.169.254/" }, "302" },
    { "a Location elsewhere", { "/x", .status = 202, .location = "ftp://h/" }, "InvalidResponse" },
};

static void each_failure_has_its_code(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(fault_cases); i++) {
        struct script script = fault_cases[i].script;
        char id[PIPELINE_UUID + 1];
        world_open(&w, &script, 1);
        world_put(&w, "p", WEB("A", "https://h/x", ""), NULL);
        world_run(&w, "p", NULL, id);
        world_pass(&w, 100);
        world_is(&w, id, RUN_FAILED);
        world_error(&w, id, "A", fault_cases[i].code);
        struct activity_info a = world_activity(&w, id, "A");
        assert_true(str_find(a.error, STR("secret")) < 0);
        assert_true(str_find(a.error, STR("\"requestId\":\"req-out\"")) >= 0);
        if (script.status == 404) assert_true(str_find(a.error, STR("no such thing")) >= 0);
        assert_int_equal(w.n_asked, 1);
        world_close(&w);
    }
}

static void a_rejected_token_is_told_apart(void **state) {
    (void)state;
    struct script script = { "/x", .status = 401, .body = "{\"message\":\"audience\"}" };
    char id[PIPELINE_UUID + 1];
    world_open(&w, &script, 1);
    world_put(&w, "p",
              "{\"name\":\"A\",\"type\":\"WebActivity\",\"typeProperties\":{\"method\":\"GET\",\"url\":\"https://h/x\","
              "\"authentication\":{\"type\":\"MSI\",\"resource\":\"api://y\"}}}",
              NULL);
    world_run(&w, "p", NULL, id);
    world_error(&w, id, "A", "TokenRejected");
    world_close(&w);
}

static void a_202_is_polled_until_it_is_none(void **state) {
    (void)state;
    struct script scripts[] = { { "/jobs", .status = 202, .location = "../jobs/7?k=1" },
                                { "jobs/7?k=1", .status = 202 },
                                { "jobs/7?k=1", FAULT_UNREACHABLE },
                                { "jobs/7?k=1", .status = 202, .retry_after = "3600" },
                                { "jobs/7?k=1", .status = 202, .location = "https://h/other" },
                                { "/other", .status = 200, .body = "{\"done\":true}" } };
    char id[PIPELINE_UUID + 1];
    world_open(&w, scripts, COUNT(scripts));
    world_put(
        &w, "p",
        "{\"name\":\"A\",\"type\":\"WebActivity\",\"typeProperties\":{\"method\":\"POST\",\"url\":\"https://h/a/jobs\","
        "\"body\":\"{}\",\"authentication\":{\"type\":\"MSI\",\"resource\":\"api://y\"}}}",
        NULL);
    world_run(&w, "p", NULL, id);
    world_pass(&w, 100);
    world_is(&w, id, RUN_SUCCEEDED);
    assert_int_equal(w.n_asked, 6);
    static const int64_t waited_ms[] = { 0, 500, 1000, 2000, 60000, 4000 };
    for (size_t i = 1; i < 6; i++) {
        assert_string_equal(w.asked[i].url, i < 5 ? "https://h/jobs/7?k=1" : "https://h/other");
        assert_string_equal(w.asked[i].method, "GET");
        assert_string_equal(w.asked[i].audience, "");
        assert_true(w.asked[i].poll);
        assert_int_equal((w.asked[i].at_us - w.asked[i - 1].at_us) / 1000, waited_ms[i]);
    }
    world_close(&w);
}

static void polls_end_after_their_time(void **state) {
    (void)state;
    struct script script = { "/x", .status = 202, .location = "/x" };
    char id[PIPELINE_UUID + 1];
    world_open(&w, &script, 1);
    world_put(&w, "p", WEB("A", "https://h/x", ",\"policy\":{\"timeout\":\"0.00:01:00\"}"), NULL);
    world_run(&w, "p", NULL, id);
    world_pass(&w, 59);
    world_is(&w, id, RUN_IN_PROGRESS);
    assert_int_equal(world_activity(&w, id, "A").wait, WAIT_POLL);
    world_pass(&w, 2);
    world_error(&w, id, "A", "Timeout");
    world_is(&w, id, RUN_FAILED);
    world_close(&w);
}

static void attempts_are_rows_of_their_own(void **state) {
    (void)state;
    struct script scripts[] = { { "/x", .status = 503, .body = "{}" },
                                { "/x", FAULT_UNREACHABLE },
                                { "/x", .status = 200, .body = "{}" } };
    char id[PIPELINE_UUID + 1];
    world_open(&w, scripts, COUNT(scripts));
    world_put(&w, "p", WEB("A", "https://h/x", ",\"policy\":{\"retry\":2,\"retryIntervalInSeconds\":40}"), NULL);
    world_run(&w, "p", NULL, id);
    assert_int_equal(world_activity(&w, id, "A").wait, WAIT_RETRY);
    assert_int_equal(world_activity(&w, id, "A").state, RUN_QUEUED);
    world_pass(&w, 39);
    assert_int_equal(w.n_asked, 1);
    world_pass(&w, 60);
    world_is(&w, id, RUN_SUCCEEDED);
    assert_int_equal(w.n_asked, 3);
    assert_int_equal(world_count(&w, id, "A", RUN_FAILED), 2);
    assert_int_equal(world_activity(&w, id, "A").attempt, 2);
    world_close(&w);
}

static void an_effect_that_is_silent_is_not_waited_for(void **state) {
    (void)state;
    struct script script = { "/x", .hold = true };
    char id[PIPELINE_UUID + 1];
    world_open(&w, &script, 1);
    world_put(&w, "p", WEB("A", "https://h/x", ""), NULL);
    world_run(&w, "p", NULL, id);
    world_pass(&w, 61);
    world_is(&w, id, RUN_IN_PROGRESS);
    world_pass(&w, 2);
    world_error(&w, id, "A", "Timeout");
    assert_true(w.asked[0].cancelled);
    world_close(&w);
}

static void what_is_secure_is_not_shown(void **state) {
    (void)state;
    struct script scripts[] = { { "/x", .status = 200, .body = "{\"key\":\"hush\"}" },
                                { "/y", .status = 200, .body = "{}" } };
    char id[PIPELINE_UUID + 1];
    world_open(&w, scripts, 2);
    world_put(&w, "p",
              WEB("A", "https://h/x",
                  ",\"policy\":{\"secureOutput\":true}") ","
                                                         "{\"name\":\"B\",\"type\":\"WebActivity\",\"policy\":{"
                                                         "\"secureInput\":true}" AFTER(
                                                             "A", "Succeeded") ",\"typeProperties\":{\"method\":\"POST\","
                                                                               "\"url\":\"https://h/y\",\"body\":"
                                                                               "\"@{activity('A').output.key}\"}}",
              NULL);
    world_run(&w, "p", NULL, id);
    world_is(&w, id, RUN_SUCCEEDED);
    assert_string_equal(w.asked[1].body, "hush");
    assert_str(world_activity(&w, id, "A").output, "{\"secureOutput\":true}");
    assert_str(world_activity(&w, id, "B").input, "{\"secureInput\":true}");
    world_close(&w);
}

struct location_case {
    const char *reference, *result; /* NULL: refused */
};

/* RFC 3986 §5.4, without fragments, and what is refused. */
static const struct location_case locations[] = {
    { "g", "http://a/b/c/g" },
    { "./g", "http://a/b/c/g" },
    { "g/", "http://a/b/c/g/" },
    { "/g", "http://a/g" },
    { "//g", "http://g" },
    { "//g/x?y", "http://g/x?y" },
    { "?y", "http://a/b/c/d;p?y" },
    { "g?y", "http://a/b/c/g?y" },
    { "g?y#s", "http://a/b/c/g?y" },
    { ".", "http://a/b/c/" },
    { "..", "http://a/b/" },
    { "../g", "http://a/b/g" },
    { "../..", "http://a/" },
    { "../../g", "http://a/g" },
    { "../../../g", "http://a/g" },
    { "/./g", "http://a/g" },
    { "/../g", "http://a/g" },
    { "g..", "http://a/b/c/g.." },
    { "./../g", "http://a/b/g" },
    { "g/./h", "http://a/b/c/g/h" },
    { "g/../h", "http://a/b/c/h" },
    { "https://x/y/../z?q", "https://x/z?q" },
    { "", NULL },
    { "ftp://x/", NULL },
    { "file:///etc/passwd", NULL },
    { "javascript:x", NULL },
    { "http:g", NULL },
    { "http:///x", NULL },
    { "a b", NULL },
    { "a\nb", NULL },
    { "\\\\x", NULL },
};

static void locations_are_resolved_as_the_rfc_says(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(locations); i++) {
        DEFER(buf_free) struct buf out = BUF_INIT(1000);
        bool ok = location_resolve(STR("http://a/b/c/d;p?q"), str_z(locations[i].reference), &out);
        if (ok != (locations[i].result != NULL)) fail_msg("%s: %d", locations[i].reference, ok);
        if (ok) assert_str(buf_str(&out), locations[i].result);
    }
}

/* ---- containers ---- */

#define FOREACH(name, how, items, inner)                                                                                   \
    "{\"name\":\"" name                                                                                                    \
    "\",\"type\":\"ForEach\",\"typeProperties\":{\"items\":{\"type\":\"Expression\",\"value\":\"" items "\"}," how         \
    ",\"activities\":[" inner "]}}"

static void loops_begin_as_many_as_they_may(void **state) {
    (void)state;
    struct script script = { "/x", .hold = true };
    static const struct {
        const char *how;
        size_t at_once;
    } cases[] = { { "\"isSequential\":true", 1 }, { "\"batchCount\":3", 3 }, { "\"isSequential\":false", 7 } };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char id[PIPELINE_UUID + 1], text[600];
        world_open(&w, &script, 1);
        (void)snprintf(text, sizeof text,
                       FOREACH("L", "%s", "@createArray(1,2,3,4,5,6,7)",
                               "{\"name\":\"A\",\"type\":\"WebActivity\","
                               "\"typeProperties\":{\"method\":\"POST\",\"url\":\"https://h/x\",\"body\":\"@{item()}\"}}"),
                       cases[i].how);
        world_put(&w, "p", text, NULL);
        world_run(&w, "p", NULL, id);
        for (size_t done = 0; done < 7; done++) {
            assert_int_equal(w.n_asked, done + cases[i].at_once < 7 ? done + cases[i].at_once : 7);
            size_t at = 0;
            while (!w.asked[at].held) at++;
            world_answer(&w, at, 200, "{}");
        }
        world_is(&w, id, RUN_SUCCEEDED);
        assert_int_equal(world_count(&w, id, "A", RUN_SUCCEEDED), 7);
        world_close(&w);
    }
}

static void a_failed_iteration_fails_the_loop_at_its_end(void **state) {
    (void)state;
    char id[PIPELINE_UUID + 1];
    world_open(&w, NULL, 0);
    world_put(&w, "p",
              FOREACH("L", "\"isSequential\":true", "@pipeline().parameters.list",
                      "{\"name\":\"I\",\"type\":\"IfCondition\",\"typeProperties\":{\"expression\":{\"type\":"
                      "\"Expression\",\"value\":"
                      "\"@equals(item(),2)\"},\"ifTrueActivities\":[" FAIL("F", "") "],\"ifFalseActivities\":[" WAIT(
                          "W", "1", "") "]}}"),
              "\"parameters\":{\"list\":{\"type\":\"array\",\"defaultValue\":[1,2,3]}}");
    world_run(&w, "p", NULL, id);
    world_pass(&w, 10);
    world_is(&w, id, RUN_FAILED);
    assert_int_equal(world_count(&w, id, "W", RUN_SUCCEEDED), 2);
    assert_int_equal(world_count(&w, id, "F", RUN_FAILED), 1);
    world_error(&w, id, "L", "InnerActivityFailed");
    assert_str(world_activity(&w, id, "W").iteration, "L[2]");
    assert_true(str_find(world_get(&w, id).message, STR("no luck")) > 0);
    world_run(&w, "p", "{\"list\":[]}", id);
    world_is(&w, id, RUN_SUCCEEDED);
    world_close(&w);
}

static void a_loop_ends_at_the_limit_of_rows(void **state) {
    (void)state;
    char id[PIPELINE_UUID + 1];
    world_open(&w, NULL, 0);
    w.mute = true;
    DEFER(buf_free) struct buf inner = BUF_INIT(1 << 14);
    for (int i = 0; i < 30; i++) buf_printf(&inner, "%s" WAIT("A%d", "0", ""), i ? "," : "", i);
    struct str text = arena_printf(w.arena, FOREACH("L", "\"batchCount\":50", "@range(1,1000)", "%.*s"),
                                   STR_ARG(buf_str(&inner)));
    world_put(&w, "p", text.p, NULL);
    world_run(&w, "p", NULL, id);
    world_is(&w, id, RUN_FAILED);
    world_error(&w, id, "L", "TooManyActivities");
    assert_in_range(world_count(&w, id, "A0", RUN_SUCCEEDED), PIPELINES_MAX_RUN_ACTIVITIES / 30 - 60,
                    PIPELINES_MAX_RUN_ACTIVITIES / 30 + 60);
    world_close(&w);
}

static void variables_hold_and_keep_their_type(void **state) {
    (void)state;
    char id[PIPELINE_UUID + 1];
    world_open(&w, NULL, 0);
    world_put(
        &w, "p",
        "{\"name\":\"A\",\"type\":\"SetVariable\",\"typeProperties\":{\"variableName\":\"v\",\"value\":\"x\"}},"
        "{\"name\":\"B\",\"type\":\"SetVariable\"" AFTER(
            "A", "Succeeded") ",\"typeProperties\":{\"variableName\":\"u\",\"value\":\"@concat(variables('v'),'y')\"}},"
                              "{\"name\":\"C\",\"type\":\"SetVariable\"" AFTER(
                                  "B", "Succeeded") ",\"typeProperties\":{\"variableName\":\"u\",\"value\":\"@createArray("
                                                    "variables('v'))\"}}",
        "\"variables\":{\"v\":{\"type\":\"String\"},\"u\":{\"type\":\"String\"}}");
    world_run(&w, "p", NULL, id);
    assert_str(world_activity(&w, id, "B").output, "{\"name\":\"u\",\"value\":\"xy\"}");
    world_error(&w, id, "C", "InvalidTemplate");
    world_close(&w);
}

#define EXECUTE(name, pipeline, more)                                                                                      \
    "{\"name\":\"" name                                                                                                    \
    "\",\"type\":\"ExecutePipeline\",\"typeProperties\":{\"pipeline\":{\"type\":\"PipelineReference\","                    \
    "\"referenceName\":\"" pipeline "\"}" more "}}"

static void a_child_run_tells_its_parent(void **state) {
    (void)state;
    char id[PIPELINE_UUID + 1];
    world_open(&w, NULL, 0);
    world_put(&w, "bad", WAIT("W", "5", "") "," FAIL("F", AFTER("W", "Succeeded")), NULL);
    world_put(&w, "waits", EXECUTE("E", "bad", ",\"waitOnCompletion\":true"), NULL);
    world_put(&w, "leaves", EXECUTE("E", "bad", ",\"waitOnCompletion\":false"), NULL);
    world_run(&w, "waits", NULL, id);
    world_is(&w, id, RUN_IN_PROGRESS);
    assert_int_equal(world_activity(&w, id, "E").wait, WAIT_RUN);
    world_pass(&w, 6);
    world_is(&w, id, RUN_FAILED);
    world_error(&w, id, "E", "ChildRunFailed");
    world_run(&w, "leaves", NULL, id);
    world_is(&w, id, RUN_SUCCEEDED);
    assert_true(str_starts(world_activity(&w, id, "E").output, STR("{\"pipelineName\":\"bad\",\"pipelineRunId\":\"")));
    world_pass(&w, 6);
    world_close(&w);
}

static void recursion_has_an_end(void **state) {
    (void)state;
    char id[PIPELINE_UUID + 1];
    world_open(&w, NULL, 0);
    world_put(&w, "p", EXECUTE("E", "p", ",\"waitOnCompletion\":true"), NULL);
    world_run(&w, "p", NULL, id);
    world_is(&w, id, RUN_FAILED);
    assert_true(str_find(world_get(&w, id).message, STR("may be 8 deep")) > 0);
    world_close(&w);
}

/* A loop that begins its next request the moment one has ended does not overtake who waits for a place. */
static void requests_wait_their_turn(void **state) {
    (void)state;
    struct script scripts[] = { { "/A", .hold = true }, { "/B", .status = 200, .body = "{}" } };
    char id[PIPELINE_UUID + 1];
    world_open(&w, scripts, COUNT(scripts));
    world_put(
        &w, "loop",
        "{\"name\":\"L\",\"type\":\"ForEach\",\"typeProperties\":{\"batchCount\":50,\"items\":{\"type\":\"Expression\","
        "\"value\":\"@range(0,60)\"},\"activities\":[{\"name\":\"A\",\"type\":\"WebActivity\",\"typeProperties\":{"
        "\"method\":\"GET\",\"url\":\"https://h/A\"}}]}}",
        NULL);
    world_put(&w, "one",
              "{\"name\":\"B\",\"type\":\"WebActivity\",\"typeProperties\":{\"method\":\"GET\",\"url\":\"https://h/B\"}}",
              NULL);
    world_run(&w, "loop", NULL, id);
    world_run(&w, "loop", NULL, id);
    world_run(&w, "one", NULL, id);
    assert_int_equal(w.n_asked, 100);
    world_answer(&w, 0, 200, "{}");
    (void)pipelines_turn(w.p);
    assert_string_equal(w.asked[100].url, "https://h/B");
    world_is(&w, id, RUN_SUCCEEDED);
    world_close(&w);
}

static void concurrency_queues_runs(void **state) {
    (void)state;
    char ids[3][PIPELINE_UUID + 1];
    world_open(&w, NULL, 0);
    world_put(&w, "p", WAIT("W", "10", ""), "\"concurrency\":1");
    for (int i = 0; i < 3; i++) world_run(&w, "p", NULL, ids[i]);
    world_is(&w, ids[0], RUN_IN_PROGRESS);
    world_is(&w, ids[1], RUN_QUEUED);
    struct err err = { 0 };
    assert_int_equal(pipelines_cancel_run(w.p, str_z(ids[1]), false, &err), OK);
    world_pass(&w, 10);
    world_is(&w, ids[0], RUN_SUCCEEDED);
    world_is(&w, ids[1], RUN_CANCELLED);
    world_is(&w, ids[2], RUN_IN_PROGRESS);
    world_pass(&w, 10);
    world_is(&w, ids[2], RUN_SUCCEEDED);
    world_close(&w);
}

/* ---- cancel ---- */

static void cancel_in_each_state(void **state) {
    (void)state;
    struct err err = { 0 };
    static const struct {
        const char *name, *activities;
    } cases[] = {
        { "a wait", WAIT("A", "100", "") "," WAIT("B", "0", AFTER("A", "Completed")) },
        { "a request", WEB("A", "https://h/held", "") },
        { "a poll", WEB("A", "https://h/poll", "") },
        { "a retry", WEB("A", "https://h/none", ",\"policy\":{\"retry\":3}") },
        { "a loop", FOREACH("L", "\"batchCount\":2", "@createArray(1,2,3)", WEB("A", "https://h/held", "")) },
        { "a child", EXECUTE("A", "child", ",\"waitOnCompletion\":true") },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct script scripts[] = { { "/held", .hold = true }, { "/poll", .status = 202, .location = "/poll" } };
        char id[PIPELINE_UUID + 1];
        world_open(&w, scripts, COUNT(scripts));
        world_put(&w, "child", WAIT("W", "100", ""), NULL);
        world_put(&w, "p", cases[i].activities, NULL);
        world_run(&w, "p", NULL, id);
        world_is(&w, id, RUN_IN_PROGRESS);
        assert_int_equal(pipelines_cancel_run(w.p, str_z(id), true, &err), OK);
        (void)pipelines_turn(w.p);
        if (world_get(&w, id).state != RUN_CANCELLED)
            fail_msg("%s: %s", cases[i].name, pipeline_run_state_name(world_get(&w, id).state));
        world_activity_is(&w, id, "A", RUN_CANCELLED);
        assert_int_equal(world_activity(&w, id, "B").id.n, 0);
        assert_int_equal(pipelines_cancel_run(w.p, str_z(id), true, &err), FAILED_PRECONDITION);
        size_t asked = w.n_asked;
        world_pass(&w, 1000);
        assert_int_equal(w.n_asked, asked);
        for (size_t j = 0; j < w.n_asked; j++) assert_false(w.asked[j].held);
        world_close(&w);
    }
}

static void a_child_goes_on_unless_it_is_asked_too(void **state) {
    (void)state;
    struct err err = { 0 };
    char id[PIPELINE_UUID + 1];
    world_open(&w, NULL, 0);
    world_put(&w, "child", WAIT("W", "100", ""), NULL);
    world_put(&w, "p", EXECUTE("A", "child", ",\"waitOnCompletion\":true"), NULL);
    world_run(&w, "p", NULL, id);
    assert_int_equal(pipelines_cancel_run(w.p, str_z(id), false, &err), OK);
    world_pass(&w, 101);
    world_is(&w, id, RUN_CANCELLED);
    assert_string_equal(w.events[w.n_events - 1], "run ended child Succeeded");
    world_close(&w);
}

/* ---- told ---- */

static void what_happens_is_told_in_order(void **state) {
    (void)state;
    char id[PIPELINE_UUID + 1];
    struct script script = { "/x", FAULT_POLICY };
    world_open(&w, &script, 1);
    world_put(&w, "p", WEB("A", "https://h/x", "") "," WAIT("B", "0", AFTER("A", "Succeeded")), NULL);
    world_run(&w, "p", NULL, id);
    static const char *const want[] = { "run started p InProgress", "activity started A InProgress",
                                        "activity ended A Failed PolicyDenied", "activity ended B Skipped",
                                        "run ended p Failed" };
    assert_int_equal(w.n_events, COUNT(want));
    for (size_t i = 0; i < COUNT(want); i++) assert_string_equal(w.events[i], want[i]);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(graphs_end_as_synapses_do),
        cmocka_unit_test(random_graphs_end_as_the_naive_evaluator_says),
        cmocka_unit_test(a_reply_is_the_output_of_the_next),
        cmocka_unit_test(each_failure_has_its_code),
        cmocka_unit_test(a_rejected_token_is_told_apart),
        cmocka_unit_test(a_202_is_polled_until_it_is_none),
        cmocka_unit_test(polls_end_after_their_time),
        cmocka_unit_test(attempts_are_rows_of_their_own),
        cmocka_unit_test(an_effect_that_is_silent_is_not_waited_for),
        cmocka_unit_test(what_is_secure_is_not_shown),
        cmocka_unit_test(locations_are_resolved_as_the_rfc_says),
        cmocka_unit_test(loops_begin_as_many_as_they_may),
        cmocka_unit_test(a_failed_iteration_fails_the_loop_at_its_end),
        cmocka_unit_test(a_loop_ends_at_the_limit_of_rows),
        cmocka_unit_test(variables_hold_and_keep_their_type),
        cmocka_unit_test(a_child_run_tells_its_parent),
        cmocka_unit_test(recursion_has_an_end),
        cmocka_unit_test(requests_wait_their_turn),
        cmocka_unit_test(concurrency_queues_runs),
        cmocka_unit_test(cancel_in_each_state),
        cmocka_unit_test(a_child_goes_on_unless_it_is_asked_too),
        cmocka_unit_test(what_happens_is_told_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
