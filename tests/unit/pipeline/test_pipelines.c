/* Documents with their ETags, queries by pages, pruning, and the desk's thread. */
#include "world.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"

static struct world w;

#define WAIT0(name) "{\"name\":\"" name "\",\"type\":\"Wait\",\"typeProperties\":{\"waitTimeInSeconds\":0}}"
#define EXECUTE(pipeline)                                                                                                  \
    "{\"name\":\"E\",\"type\":\"ExecutePipeline\",\"typeProperties\":{\"pipeline\":{\"type\":\"PipelineReference\","       \
    "\"referenceName\":\"" pipeline "\"}}}"

static enum code put(enum artifact_kind kind, const char *name, const char *body, struct artifact *ret, struct err *err) {
    struct faults faults = { .arena = w.arena };
    return pipelines_put(w.p, kind, str_z(name), str_z(body), &faults, ret, err);
}

static void etags_change_with_content(void **state) {
    (void)state;
    struct artifact a, b, c, d;
    struct err err = { 0 };
    static const char one[] = "{\"properties\":{\"activities\":[" WAIT0("A") "]}}",
                      two[] = "{\"properties\":{\"activities\":[" WAIT0("B") "]}}";
    world_open(&w, NULL, 0);
    assert_int_equal(put(ARTIFACT_PIPELINE, "p", one, &a, &err), OK);
    assert_int_equal(put(ARTIFACT_PIPELINE, "p", one, &b, &err), OK);
    assert_true(str_eq(a.etag, b.etag));
    w.now_us += 5;
    assert_int_equal(put(ARTIFACT_PIPELINE, "p", two, &b, &err), OK);
    assert_false(str_eq(a.etag, b.etag));
    assert_true(str_eq(a.id, b.id));
    assert_int_equal(b.created_us + 5, b.changed_us);
    assert_int_equal(put(ARTIFACT_PIPELINE, "p", one, &c, &err), OK);
    assert_false(str_eq(a.etag, c.etag));
    assert_int_equal(pipelines_get(w.p, ARTIFACT_PIPELINE, STR("p"), w.arena, &d, &err), OK);
    assert_str(d.body, one);
    assert_true(str_eq(c.etag, d.etag));
    assert_true(d.etag.p[0] == '"' && d.etag.n == PIPELINE_UUID + 2);
    world_stop(&w);
    assert_int_equal(world_start(&w, &err), OK);
    assert_int_equal(pipelines_get(w.p, ARTIFACT_PIPELINE, STR("p"), w.arena, &b, &err), OK);
    assert_true(str_eq(b.etag, d.etag));
    world_close(&w);
}

static void names_and_references_are_checked(void **state) {
    (void)state;
    struct artifact a;
    struct err err = { 0 };
    static const char calls[] = "{\"properties\":{\"activities\":[" EXECUTE("p") "]}}",
                      waits[] = "{\"properties\":{\"activities\":[" WAIT0("A") "]}}",
                      linked[] = "{\"properties\":{\"type\":\"AzureBlobFS\",\"typeProperties\":{\"url\":\"https://x\"}}}";
    world_open(&w, NULL, 0);
    assert_int_equal(put(ARTIFACT_PIPELINE, "q", calls, &a, &err), FAILED_PRECONDITION);
    assert_int_equal(put(ARTIFACT_PIPELINE, "p", waits, &a, &err), OK);
    assert_int_equal(put(ARTIFACT_PIPELINE, "P", waits, &a, &err), ALREADY_EXISTS);
    assert_int_equal(put(ARTIFACT_PIPELINE, "a/b", waits, &a, &err), INVALID_ARGUMENT);
    assert_int_equal(put(ARTIFACT_PIPELINE, "q", calls, &a, &err), OK);
    assert_int_equal(put(ARTIFACT_PIPELINE, "r", "{\"properties\":{\"activities\":[{}]}}", &a, &err), INVALID_ARGUMENT);
    assert_int_equal(put(ARTIFACT_LINKED_SERVICE, "P", linked, &a, &err), OK); /* another kind */
    assert_int_equal(pipelines_delete(w.p, ARTIFACT_PIPELINE, STR("p"), &err), FAILED_PRECONDITION);
    assert_string_equal(err.message, "pipeline q runs it: change that one first");
    assert_int_equal(pipelines_rename(w.p, ARTIFACT_PIPELINE, STR("p"), STR("z"), &err), FAILED_PRECONDITION);
    assert_int_equal(pipelines_rename(w.p, ARTIFACT_PIPELINE, STR("q"), STR("p"), &err), ALREADY_EXISTS);
    assert_int_equal(pipelines_rename(w.p, ARTIFACT_PIPELINE, STR("q"), STR("Q"), &err), OK);
    assert_int_equal(pipelines_rename(w.p, ARTIFACT_PIPELINE, STR("q"), STR("z"), &err), NOT_FOUND);
    assert_int_equal(pipelines_delete(w.p, ARTIFACT_PIPELINE, STR("p"), &err), FAILED_PRECONDITION);
    assert_int_equal(pipelines_delete(w.p, ARTIFACT_PIPELINE, STR("Q"), &err), OK);
    assert_int_equal(pipelines_delete(w.p, ARTIFACT_PIPELINE, STR("p"), &err), OK);
    assert_int_equal(pipelines_delete(w.p, ARTIFACT_PIPELINE, STR("p"), &err), NOT_FOUND);
    assert_int_equal(pipelines_get(w.p, ARTIFACT_LINKED_SERVICE, STR("P"), w.arena, &a, &err), OK);
    world_close(&w);
}

static bool collect(void *ctx, const struct artifact *a) {
    struct buf *out = ctx;
    buf_printf(out, "%.*s ", STR_ARG(a->name));
    return out->n < 6;
}

static void names_are_counted_in_characters(void **state) {
    (void)state;
    static const char waits[] = "{\"properties\":{\"activities\":[" WAIT0("A") "]}}";
    char name[3 * 141 + 1] = "";
    struct artifact a;
    struct err err = { 0 };
    world_open(&w, NULL, 0);
    for (int i = 0; i < 140; i++) memcpy(name + strlen(name), "\xe8\x88\xaa", 4);
    assert_int_equal(put(ARTIFACT_PIPELINE, name, waits, &a, &err), OK);
    memcpy(name + strlen(name), "\xe8\x88\xaa", 4);
    assert_int_equal(put(ARTIFACT_PIPELINE, name, waits, &a, &err), INVALID_ARGUMENT);
    assert_int_equal(pipelines_rename(w.p, ARTIFACT_PIPELINE, STR("p"), str_z(name), &err), INVALID_ARGUMENT);
    world_close(&w);
}

/* The workspace acts for the starter: a chain that has no place for one more could not be recorded. */
static void a_starter_with_a_full_chain_is_refused(void **state) {
    (void)state;
    struct principal starter = world_person;
    struct faults faults = { .arena = NULL };
    struct err err = { 0 };
    char id[PIPELINE_UUID + 1];
    world_open(&w, NULL, 0);
    faults.arena = w.arena;
    world_put(&w, "p", WAIT0("A"), NULL);
    const struct run_start start = { .pipeline = STR("p"), .starter = &starter, .request = STR("r") };
    while (starter.n_chain < PRINCIPAL_MAX_CHAIN) starter.chain[starter.n_chain++] = world_person.actor;
    assert_int_equal(pipelines_create_run(w.p, &start, &faults, id, &err), INVALID_ARGUMENT);
    starter.n_chain--;
    assert_int_equal(pipelines_create_run(w.p, &start, &faults, id, &err), OK);
    (void)pipelines_turn(w.p);
    world_is(&w, id, RUN_SUCCEEDED);
    world_close(&w);
}

static void lists_go_by_name(void **state) {
    (void)state;
    DEFER(buf_free) struct buf out = BUF_INIT(100);
    struct err err = { 0 };
    world_open(&w, NULL, 0);
    static const char *const names[] = { "c", "a", "d", "b" };
    for (size_t i = 0; i < COUNT(names); i++) world_put(&w, names[i], WAIT0("A"), NULL);
    assert_int_equal(pipelines_list(w.p, ARTIFACT_PIPELINE, STR(""), w.arena, collect, &out, &err), OK);
    assert_str(buf_str(&out), "a b c ");
    buf_clear(&out);
    assert_int_equal(pipelines_list(w.p, ARTIFACT_PIPELINE, STR("c"), w.arena, collect, &out, &err), OK);
    assert_str(buf_str(&out), "d ");
    world_close(&w);
}

/* ---- parameters and who may start ---- */

static void a_run_needs_what_its_pipeline_asks(void **state) {
    (void)state;
    static const struct {
        const char *pipeline, *parameters;
        enum code rc;
    } cases[] = {
        { "p", "{\"n\":1}", OK },
        { "p", "{\"n\":\"1\"}", INVALID_ARGUMENT },
        { "p", "", INVALID_ARGUMENT },
        { "p", "[]", INVALID_ARGUMENT },
        { "p", "{\"n\":1,\"m\":2}", INVALID_ARGUMENT },
        { "q", "{}", NOT_FOUND },
        { "p", "{\"n\":", INVALID_ARGUMENT },
    };
    world_open(&w, NULL, 0);
    world_put(&w, "p", WAIT0("A"), "\"parameters\":{\"n\":{\"type\":\"int\"}}");
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct faults faults = { .arena = w.arena };
        struct err err = { 0 };
        char id[PIPELINE_UUID + 1];
        const struct run_start start = { .pipeline = str_z(cases[i].pipeline),
                                         .parameters = str_z(cases[i].parameters),
                                         .starter = &world_person };
        enum code rc = pipelines_create_run(w.p, &start, &faults, id, &err);
        if (rc != cases[i].rc) fail_msg("%s: %s", cases[i].parameters, code_name(rc));
        (void)pipelines_turn(w.p);
    }
    world_close(&w);
}

/* ---- queries ---- */

struct seen {
    struct buf out;
    size_t skip;
};

static bool see_run(void *ctx, const struct run_info *run) {
    struct seen *seen = ctx;
    if (seen->skip && run->created_us % 2) return false; /* not this one's to see */
    buf_printf(&seen->out, "%.*s ", STR_ARG(run->parameters));
    return true;
}

static void all_pages(const struct run_query *of, struct seen *seen, size_t *ret_pages) {
    struct run_query query = *of;
    struct err err = { 0 };
    *ret_pages = 0;
    do {
        struct str next;
        if (pipelines_query_runs(w.p, &query, w.arena, see_run, seen, &next, &err)) fail_msg("%s", err.message);
        query.continuation = next;
        ++*ret_pages;
    } while (query.continuation.n);
}

static void pages_give_each_run_once(void **state) {
    (void)state;
    char id[PIPELINE_UUID + 1];
    size_t pages;
    struct seen seen = { .out = BUF_INIT(1 << 20) };
    world_open(&w, NULL, 0);
    w.mute = true;
    world_put(&w, "p", WAIT0("A"), "\"parameters\":{\"n\":{\"type\":\"int\"}}");
    for (int i = 0; i < 250; i++) {
        char parameters[32];
        (void)snprintf(parameters, sizeof parameters, "{\"n\":%d}", i);
        w.now_us += i % 3; /* several begin at once */
        world_run(&w, "p", parameters, id);
    }
    static const struct run_order orders[][2] = { { { FIELD_RUN_START, true } },
                                                  { { FIELD_STATUS, false }, { FIELD_RUN_START, false } } };
    for (size_t i = 0; i < 3; i++) {
        struct run_query query = { .orders = i ? orders[i - 1] : NULL, .n_orders = i };
        buf_clear(&seen.out);
        all_pages(&query, &seen, &pages);
        assert_int_equal(pages, 3);
        bool rises = i == 2;
        struct str rest = buf_str(&seen.out);
        for (int n = 0; n < 250; n++) {
            char want[32];
            (void)snprintf(want, sizeof want, "{\"n\":%d}", rises ? n : 249 - n);
            assert_str(str_cut(&rest, ' '), want);
        }
    }
    buf_free(&seen.out);
    world_close(&w);
}

static void filters_choose(void **state) {
    (void)state;
    char id[PIPELINE_UUID + 1];
    struct err err = { 0 };
    struct str next;
    size_t pages;
    struct seen seen = { .out = BUF_INIT(1 << 16) };
    world_open(&w, NULL, 0);
    world_put(&w, "p", WAIT0("A"), "\"parameters\":{\"n\":{\"type\":\"int\"}}");
    world_put(&w, "q", "{\"name\":\"F\",\"type\":\"Fail\",\"typeProperties\":{\"message\":\"m\",\"errorCode\":\"c\"}}",
              "\"parameters\":{\"n\":{\"type\":\"int\"}}");
    world_run(&w, "p", "{\"n\":1}", id);
    w.now_us += 1000000;
    int64_t second = w.now_us;
    world_run(&w, "q", "{\"n\":2}", id);
    w.now_us += 1000000;
    world_run(&w, "p", "{\"n\":3}", id);
    const struct str p = STR("p"), failed = STR("Failed"), both[] = { STR("p"), STR("q") };
    const struct {
        struct run_filter filter;
        int64_t after, before;
        const char *want;
    } cases[] = {
        { { FIELD_PIPELINE_NAME, FILTER_EQUALS, &p, 1 }, 0, 0, "{\"n\":3} {\"n\":1} " },
        { { FIELD_PIPELINE_NAME, FILTER_NOT_EQUALS, &p, 1 }, 0, 0, "{\"n\":2} " },
        { { FIELD_PIPELINE_NAME, FILTER_IN, both, 2 }, second, 0, "{\"n\":3} {\"n\":2} " },
        { { FIELD_PIPELINE_NAME, FILTER_NOT_IN, both, 2 }, 0, 0, "" },
        { { FIELD_STATUS, FILTER_EQUALS, &failed, 1 }, 0, second, "{\"n\":2} " },
        { { FIELD_STATUS, FILTER_NOT_EQUALS, &failed, 1 }, 0, second, "{\"n\":1} " },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct run_query query = { .filters = &cases[i].filter,
                                   .n_filters = 1,
                                   .updated_after_us = cases[i].after,
                                   .updated_before_us = cases[i].before };
        buf_clear(&seen.out);
        all_pages(&query, &seen, &pages);
        assert_str(buf_str(&seen.out), cases[i].want);
    }
    const struct run_filter wrong[] = { { FIELD_ACTIVITY_NAME, FILTER_EQUALS, &p, 1 },
                                        { FIELD_STATUS, FILTER_EQUALS, &p, 1 },
                                        { FIELD_PIPELINE_NAME, FILTER_EQUALS, both, 2 },
                                        { FIELD_RUN_START, FILTER_EQUALS, &p, 1 } };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct run_query query = { .filters = &wrong[i], .n_filters = 1 };
        assert_int_equal(pipelines_query_runs(w.p, &query, w.arena, see_run, &seen, &next, &err), INVALID_ARGUMENT);
    }
    struct run_query forged = { .continuation = STR("WzEsMl0") };
    assert_int_equal(pipelines_query_runs(w.p, &forged, w.arena, see_run, &seen, &next, &err), INVALID_ARGUMENT);
    buf_free(&seen.out);
    world_close(&w);
}

static void forgets_the_oldest_runs(bool deaf) {
    char ids[8][PIPELINE_UUID + 1];
    struct err err = { 0 };
    struct run_info info;
    struct run_known known;
    w.max_ended = 3;
    w.deaf = deaf;
    world_open(&w, NULL, 0);
    world_put(&w, "p", WAIT0("A"), NULL);
    for (int i = 0; i < 8; i++) {
        w.now_us += 1000;
        world_run(&w, "p", NULL, ids[i]);
    }
    for (int i = 0; i < 8; i++) {
        enum code want = i < 5 ? NOT_FOUND : OK;
        assert_int_equal(pipelines_get_run(w.p, str_z(ids[i]), w.arena, &info, &err), want);
        assert_true(pipelines_run_known(w.p, str_z(ids[i]), w.arena, &known) == (want == OK));
    }
    world_close(&w);
}

static void the_oldest_runs_are_forgotten(void **state) {
    (void)state;
    forgets_the_oldest_runs(false);
    forgets_the_oldest_runs(true);
}

/* ---- threads ---- */

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t news;
    size_t answered, refused, states[8];
};
static struct waiting waiting = { .lock = PTHREAD_MUTEX_INITIALIZER, .news = PTHREAD_COND_INITIALIZER };

static int64_t real_now(void *ctx) {
    (void)ctx;
    return clock_wall_us();
}

static void answer_elsewhere(void *ctx, uint64_t ticket, const struct pipeline_request *request) {
    struct pipelines **p = ctx;
    (void)request;
    pipelines_answer(*p, ticket, &(struct pipeline_reply){ .status = 200, .body = STR("{\"a\":1}") });
}

static void cancel_nothing(void *ctx, uint64_t ticket) {
    (void)ctx;
    (void)ticket;
}

static void thread_random(void *ctx, void *out, size_t n) {
    static _Atomic uint64_t seed;
    (void)ctx;
    uint64_t z = atomic_fetch_add(&seed, 1) * 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < n; i++, z = z * 6364136223846793005u + 1442695040888963407u)
        ((uint8_t *)out)[i] = (uint8_t)(z >> 56);
}

static void create_one(struct pipelines *p, void *ctx, enum code rc) {
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct faults faults = { .arena = arena };
    struct err err = { 0 };
    char id[PIPELINE_UUID + 1];
    const struct run_start start = { .pipeline = STR("p"), .starter = &world_person };
    (void)ctx;
    if (!rc) rc = pipelines_create_run(p, &start, &faults, id, &err);
    (void)pthread_mutex_lock(&waiting.lock);
    waiting.answered++;
    waiting.refused += rc != OK;
    (void)pthread_cond_signal(&waiting.news);
    (void)pthread_mutex_unlock(&waiting.lock);
}

static void put_one(struct pipelines *p, void *ctx, enum code rc) {
    struct faults faults = { .arena = w.arena };
    struct artifact artifact;
    struct err err = { 0 };
    (void)ctx;
    if (!rc)
        rc = pipelines_put(
            p, ARTIFACT_PIPELINE, STR("p"),
            STR("{\"properties\":{\"activities\":[{\"name\":\"A\",\"type\":\"WebActivity\",\"typeProperties\":"
                "{\"method\":\"GET\",\"url\":\"https://h/x\"}}]}}"),
            &faults, &artifact, &err);
    if (rc) _exit(4);
}

static bool count_state(void *ctx, const struct run_info *run) {
    (void)ctx;
    waiting.states[run->state]++;
    return true;
}

static void count_states(struct pipelines *p, void *ctx, enum code rc) {
    DEFER(arena_freep) struct arena *arena = arena_new(64 << 20);
    struct err err = { 0 };
    struct run_query query = { 0 };
    (void)ctx;
    (void)pthread_mutex_lock(&waiting.lock);
    memset(waiting.states, 0, sizeof waiting.states);
    do {
        struct str next = { 0 };
        if (!rc) rc = pipelines_query_runs(p, &query, arena, count_state, NULL, &next, &err);
        query.continuation = next;
    } while (!rc && query.continuation.n);
    waiting.answered++;
    (void)pthread_cond_signal(&waiting.news);
    (void)pthread_mutex_unlock(&waiting.lock);
}

static void wait_for(size_t answered) {
    (void)pthread_mutex_lock(&waiting.lock);
    while (waiting.answered < answered) (void)pthread_cond_wait(&waiting.news, &waiting.lock);
    (void)pthread_mutex_unlock(&waiting.lock);
}

static void *post_many(void *ctx) {
    for (int i = 0; i < 20; i++) pipelines_post(ctx, create_one, NULL);
    return NULL;
}

static void threads_ask_and_the_desk_answers(void **state) {
    (void)state;
    struct pipelines *p = NULL;
    struct err err = { 0 };
    world_open(&w, NULL, 0);
    world_stop(&w);
    const struct pipelines_config config = { .path = w.path,
                                             .workspace = STR("f"),
                                             .effects = { &p, answer_elsewhere, cancel_nothing, NULL, real_now,
                                                          thread_random } };
    assert_int_equal(pipelines_open(&config, &p, &err), OK);
    pipelines_post(p, put_one, NULL);
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT(threads); i++) assert_int_equal(pthread_create(&threads[i], NULL, post_many, p), 0);
    for (size_t i = 0; i < COUNT(threads); i++) (void)pthread_join(threads[i], NULL);
    wait_for(80);
    assert_int_equal(waiting.refused, 0);
    for (size_t tries = 1; tries < 1000 && waiting.states[RUN_SUCCEEDED] < 80; tries++) {
        (void)nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
        pipelines_post(p, count_states, NULL);
        wait_for(80 + tries);
    }
    assert_int_equal(waiting.states[RUN_SUCCEEDED], 80);
    pipelines_close(p);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(etags_change_with_content),
        cmocka_unit_test(names_and_references_are_checked),
        cmocka_unit_test(names_are_counted_in_characters),
        cmocka_unit_test(a_starter_with_a_full_chain_is_refused),
        cmocka_unit_test(lists_go_by_name),
        cmocka_unit_test(a_run_needs_what_its_pipeline_asks),
        cmocka_unit_test(pages_give_each_run_once),
        cmocka_unit_test(filters_choose),
        cmocka_unit_test(the_oldest_runs_are_forgotten),
        cmocka_unit_test(threads_ask_and_the_desk_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
