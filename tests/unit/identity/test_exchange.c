/* Tokens for upstreams: one exchange however many ask, kept, renewed, served while the endpoint is down. */
#include "tokens.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "identity/exchange.h"

enum { LIFE_S = 3600 };

/* ---- an endpoint whose answers come when the test says, or at once ---- */

static struct endpoint {
    unsigned posts, sts, iam, serial;
    unsigned auto_status; /* answer at once with this; 0: wait for the test */
    bool keeps_back;      /* instead: this server does not let it go out */
    exchange_done *done;
    void *arg;
    bool is_iam;
    int64_t life_s;
    enum code subject_code;
    char subject[64], bearer[64];
} at;

static struct exchange *exchange;

static void answer(unsigned status) {
    char body[512];
    exchange_done *done = at.done;
    assert_non_null(done);
    at.done = NULL;
    if (status != 200) (void)snprintf(body, sizeof body, "{\"error\":\"invalid_grant\"}");
    else if (at.is_iam) {
        char until[CLOCK_RFC3339_MAX];
        (void)clock_rfc3339(clock_wall_us() + at.life_s * 1000000, until);
        (void)snprintf(body, sizeof body, "{\"accessToken\":\"access-%u\",\"expireTime\":\"%s\"}", ++at.serial, until);
    } else {
        (void)snprintf(body, sizeof body, "{\"access_token\":\"fed-%u\",\"token_type\":\"Bearer\",\"expires_in\":%lld}",
                       ++at.serial, (long long)at.life_s);
    }
    done(at.arg, &(struct exchange_answer){ .status = status, .body = str_z(body) });
}

static void keep_back(void) {
    struct err err;
    exchange_done *done = at.done;
    at.done = NULL;
    (void)err_set(&err, RESOURCE_EXHAUSTED, "we have no room");
    done(at.arg, &(struct exchange_answer){ .ours = &err });
}

static void fake_post(void *ctx, const struct exchange_request *request, exchange_done *done, void *arg) {
    (void)ctx;
    at.posts++;
    at.is_iam = str_find(request->url, STR("generateAccessToken")) >= 0;
    at.iam += at.is_iam, at.sts += !at.is_iam;
    (void)snprintf(at.bearer, sizeof at.bearer, "%.*s", STR_ARG(request->authorization));
    assert_null(at.done);
    at.done = done, at.arg = arg;
    if (at.keeps_back) keep_back();
    else if (at.auto_status) answer(at.auto_status);
}

static enum code fake_subject(void *ctx, const struct principal *principal, struct buf *ret, struct err *err) {
    (void)ctx;
    if (at.subject_code) return err_set(err, at.subject_code, "the key is gone");
    buf_printf(ret, "subject-of-%.*s", STR_ARG(principal->actor.subject));
    (void)snprintf(at.subject, sizeof at.subject, "%.*s", STR_ARG(buf_str(ret)));
    return OK;
}

/* ---- who asks ---- */

struct asker {
    struct exchange_wait wait;
    unsigned told;
    char token[64], why[1024];
    enum code code;
    struct exchange_token *held;
};

static void on_told(struct exchange_wait *wait, struct exchange_token *token, const struct err *err) {
    struct asker *a = CONTAINER_OF(wait, struct asker, wait);
    a->told++;
    a->code = token ? OK : err->code;
    if (token) (void)snprintf(a->token, sizeof a->token, "%.*s", STR_ARG(exchange_token_text(token)));
    else (void)snprintf(a->why, sizeof a->why, "%s", err->message);
    (void)exchange_token_unref(token);
}

static struct principal person(const char *subject) {
    return (struct principal){ .actor = { .kind = ACTOR_OIDC, .issuer = STR("corp"), .subject = str_z(subject) } };
}

static const struct str DATA = STR_INIT("https://www.googleapis.com/auth/spanner.data");

/* One who asks as this principal. A token that comes at once is noted like one that comes later. */
static struct asker *ask_as(struct asker *a, const struct principal *p, const struct str *scopes, size_t n) {
    struct exchange_token *token = NULL;
    struct err err = { 0 };
    *a = (struct asker){ .wait.done = on_told };
    enum code rc = exchange_get(exchange, p, scopes, n, &a->wait, &token, &err);
    if (rc || token) on_told(&a->wait, token, &err);
    return a;
}

static struct asker *ask(struct asker *a) {
    struct principal p = person("ada");
    return ask_as(a, &p, &DATA, 1);
}

static void at_second(int64_t s) {
    clock_set_for_test(((int64_t)NOW + s) * 1000000);
}

static void begin_with(const struct exchange_effects *effects, bool impersonate, size_t max_entries) {
    struct exchange_config config = { .token_url = STR("https://sts.example/v1/token"),
                                      .audience = STR("//iam.example/aud"),
                                      .subject_token_type = STR("urn:ietf:params:oauth:token-type:jwt") };
    if (impersonate)
        config.impersonation_url = STR("https://iam.example/v1/projects/-/serviceAccounts/a@b.c:generateAccessToken");
    at = (struct endpoint){ .life_s = LIFE_S };
    at_second(0);
    assert_int_equal(exchange_new(&config, effects, max_entries, &exchange, NULL), OK);
}

static void begin(bool impersonate, size_t max_entries) {
    static const struct exchange_effects effects = { NULL, fake_subject, fake_post };
    begin_with(&effects, impersonate, max_entries);
}

static int finish(void **state) {
    (void)state;
    assert_null(at.done); /* a test that leaves one under way would free it under its hands */
    exchange_free(exchange);
    exchange = NULL;
    clock_set_for_test(0);
    return 0;
}

/* ---- what they get ---- */

static void test_a_thousand_cold_callers(void **state) {
    (void)state;
    static struct asker askers[1000];
    begin(true, 0);
    for (size_t i = 0; i < COUNT(askers); i++) assert_int_equal(ask(&askers[i])->told, 0);
    assert_int_equal(at.posts, 1);
    assert_string_equal(at.subject, "subject-of-ada");
    answer(200);
    assert_int_equal(at.iam, 1);
    assert_string_equal(at.bearer, "Bearer fed-1");
    answer(200);
    for (size_t i = 0; i < COUNT(askers); i++) {
        assert_int_equal(askers[i].told, 1);
        assert_string_equal(askers[i].token, "access-2");
    }
    struct asker later;
    assert_string_equal(ask(&later)->token, "access-2");
    assert_int_equal(at.posts, 2); /* one exchange: its two steps */
    struct exchange_stats stats;
    exchange_stats(exchange, &stats);
    assert_int_equal(stats.waited, COUNT(askers));
    assert_int_equal(stats.had, 1);
    assert_int_equal(stats.fetched, 1);
    assert_int_equal(stats.refused + stats.failed + stats.open, 0);
}

static void test_kept_by_whom_and_for_what(void **state) {
    (void)state;
    static const struct str two[] = { STR_INIT("a"), STR_INIT("b") }, turned[] = { STR_INIT("b"), STR_INIT("a") };
    struct principal ada = person("ada"), bob = person("bob"), run = ada, chained = ada, other_issuer = ada;
    run.job_run = STR("run-1");
    chained.chain[chained.n_chain++] = bob.actor;
    other_issuer.actor.issuer = STR("cor");
    other_issuer.actor.subject = STR("pada"); /* the same letters in a row */
    struct {
        const struct principal *who;
        const struct str *scopes;
        size_t n;
        bool same_as_before;
    } cases[] = {
        { &ada, two, 1, false },     { &ada, two, 1, true },           { &ada, two, 2, false },
        { &ada, turned, 2, true },   { &bob, two, 1, false },          { &run, two, 1, false },
        { &chained, two, 1, false }, { &other_issuer, two, 1, false }, { &ada, turned, 1, false },
    };
    begin(false, 0);
    at.auto_status = 200;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct asker a;
        unsigned before = at.posts;
        assert_int_equal(ask_as(&a, cases[i].who, cases[i].scopes, cases[i].n)->code, OK);
        if ((at.posts == before) != cases[i].same_as_before) fail_msg("case %zu", i);
    }
}

static void test_renewed_before_its_end(void **state) {
    (void)state;
    struct asker a;
    begin(false, 0);
    at.auto_status = 200;
    assert_string_equal(ask(&a)->token, "fed-1");
    at_second(LIFE_S - 793); /* 20 % of an hour and its tenth: not yet, whatever the jitter */
    assert_string_equal(ask(&a)->token, "fed-1");
    assert_int_equal(at.posts, 1);
    at_second(LIFE_S - 720);
    at.auto_status = 0;
    assert_string_equal(ask(&a)->token, "fed-1"); /* at once; the renewal is under way */
    assert_int_equal(at.posts, 2);
    assert_string_equal(ask(&a)->token, "fed-1"); /* and only one */
    assert_int_equal(at.posts, 2);
    answer(200);
    assert_string_equal(ask(&a)->token, "fed-2");
}

static void test_jitter_spreads_renewals(void **state) {
    (void)state;
    enum { PEOPLE = 200 };
    struct asker a;
    begin(false, 0);
    at.auto_status = 200;
    for (unsigned round = 0; round < 2; round++) {
        at_second(round ? LIFE_S - 756 : 0); /* in the midst of the tenth */
        for (unsigned i = 0; i < PEOPLE; i++) {
            char name[16];
            (void)snprintf(name, sizeof name, "p%u", i);
            struct principal p = person(name);
            (void)ask_as(&a, &p, &DATA, 1);
        }
    }
    unsigned renewed = at.posts - PEOPLE;
    assert_true(renewed > 50 && renewed < 150); /* about half: 7 deviations from failing by chance */
}

static void test_a_short_life_is_not_renewed_at_each_use(void **state) {
    (void)state;
    struct asker a;
    begin(false, 0);
    at.auto_status = 200;
    at.life_s = 200;
    (void)ask(&a);
    for (int s = 0; s < 85; s++) {
        at_second(s);
        assert_string_equal(ask(&a)->token, "fed-1");
    }
    assert_int_equal(at.posts, 1);
    at_second(101);
    (void)ask(&a);
    assert_int_equal(at.posts, 2);
}

static void test_served_stale_while_the_endpoint_is_down(void **state) {
    (void)state;
    struct asker a;
    begin(false, 0);
    at.auto_status = 200;
    (void)ask(&a);
    at.auto_status = 503;
    unsigned served = 0;
    for (int64_t s = LIFE_S - 800; s < LIFE_S - 60; s++, served++) {
        at_second(s);
        assert_string_equal(ask(&a)->token, "fed-1");
    }
    assert_int_equal(served, 740);
    assert_true(at.posts < 30); /* it backs off: 1, 2, 4 … 60 s */
    at_second(LIFE_S - 60);
    assert_int_equal(ask(&a)->code, UNAVAILABLE);
    assert_string_equal(a.token, "");
    at_second(LIFE_S + 3);
    at.auto_status = 200;
    assert_string_equal(ask(&a)->token, "fed-2"); /* it lives again */
}

static void test_a_failure_waits(void **state) {
    (void)state;
    struct asker a, b;
    begin(false, 0);
    (void)ask(&a), (void)ask(&b);
    answer(503);
    assert_int_equal(a.code, UNAVAILABLE);
    assert_int_equal(b.code, UNAVAILABLE);
    assert_int_equal(ask(&a)->code, UNAVAILABLE); /* at once, without a post */
    assert_int_equal(at.posts, 1);
    assert_non_null(strstr(a.why, "503"));
    assert_non_null(strstr(a.why, "asked again in 1 s"));
    at_second(1);
    assert_int_equal(ask(&a)->told, 0);
    answer(200);
    assert_string_equal(a.token, "fed-1");
}

/* Ten people, each with a key of his own: the pauses are the breaker's. */
static void test_breaker(void **state) {
    (void)state;
    struct asker a;
    char name[16];
    begin(false, 0);
    at.auto_status = 503;
    for (unsigned i = 0; i < 10; i++) {
        (void)snprintf(name, sizeof name, "p%u", i);
        struct principal p = person(name);
        assert_int_equal(ask_as(&a, &p, &DATA, 1)->code, UNAVAILABLE);
    }
    assert_int_equal(at.posts, 5);
    assert_non_null(strstr(a.why, "failed several times"));
    struct exchange_stats stats;
    exchange_stats(exchange, &stats);
    assert_true(stats.open);
    assert_int_equal(stats.failed, 5);
    assert_int_equal(stats.refused, 5);
    at_second(1);
    at.auto_status = 0;
    struct principal probe = person("probe"), other = person("other");
    struct asker first, second;
    assert_int_equal(ask_as(&first, &probe, &DATA, 1)->told, 0); /* one asks for all */
    assert_int_equal(ask_as(&second, &other, &DATA, 1)->code, UNAVAILABLE);
    assert_int_equal(at.posts, 6);
    answer(503);
    at_second(2);
    assert_int_equal(ask_as(&second, &other, &DATA, 1)->code, UNAVAILABLE); /* now two seconds */
    at_second(3);
    assert_int_equal(ask_as(&second, &other, &DATA, 1)->told, 0);
    answer(200);
    at.auto_status = 200;
    assert_int_equal(ask_as(&first, &probe, &DATA, 1)->code, OK);
    exchange_stats(exchange, &stats);
    assert_false(stats.open);
}

/* Many are under way at once, and are answered in the test's order. */

enum { CROWD = 16 };

static struct {
    unsigned n; /* posts */
    struct {
        exchange_done *done;
        void *arg;
    } posts[CROWD];
    struct asker askers[CROWD];
} crowd;

static void crowd_post(void *ctx, const struct exchange_request *request, exchange_done *done, void *arg) {
    (void)ctx, (void)request;
    assert_true(crowd.n < CROWD);
    crowd.posts[crowd.n].done = done;
    crowd.posts[crowd.n++].arg = arg;
}

static void begin_crowd(void) {
    static const struct exchange_effects effects = { NULL, fake_subject, crowd_post };
    begin_with(&effects, false, 0);
    crowd.n = 0;
}

/* The i-th person, with a key of his own. */
static struct asker *ask_as_nth(unsigned i) {
    char name[16];
    (void)snprintf(name, sizeof name, "p%u", i);
    struct principal p = person(name);
    return ask_as(&crowd.askers[i], &p, &DATA, 1);
}

static void answer_nth(unsigned i, unsigned status) {
    at.done = crowd.posts[i].done;
    at.arg = crowd.posts[i].arg;
    answer(status);
}

/* All who were on their way fail of the same: the endpoint failed once, and the first pause is the shortest. */
static void test_one_hiccup_of_many(void **state) {
    (void)state;
    begin_crowd();
    for (unsigned i = 0; i < 11; i++) assert_int_equal(ask_as_nth(i)->told, 0);
    for (unsigned i = 0; i < 11; i++) answer_nth(i, 503);
    assert_int_equal(ask_as_nth(11)->code, UNAVAILABLE);
    assert_non_null(strstr(crowd.askers[11].why, "failed several times"));
    assert_non_null(strstr(crowd.askers[11].why, "asked again in 1 s"));
    at_second(1);
    assert_int_equal(ask_as_nth(11)->told, 0); /* the probe */
    answer_nth(11, 200);
    assert_int_equal(ask_as_nth(12)->told, 0);
    answer_nth(12, 200);
    assert_int_equal(crowd.askers[12].code, OK);
}

/* Whoever was on his way before the pause ends in the midst of the probe: it stays the only one, and its own failure is
 * what doubles the pause. */
static void test_only_the_probe_ends_the_probe(void **state) {
    (void)state;
    begin_crowd();
    for (unsigned i = 0; i < 7; i++) assert_int_equal(ask_as_nth(i)->told, 0);
    for (unsigned i = 0; i < 5; i++) answer_nth(i, 503);
    at_second(1);
    assert_int_equal(ask_as_nth(7)->told, 0); /* the probe */
    answer_nth(5, 503);
    assert_int_equal(ask_as_nth(8)->code, UNAVAILABLE);
    assert_int_equal(crowd.n, 8);
    answer_nth(7, 503);
    assert_int_equal(ask_as_nth(8)->code, UNAVAILABLE);
    assert_non_null(strstr(crowd.askers[8].why, "asked again in 2 s"));
    answer_nth(6, 200); /* one of the old ones: it lives */
    assert_int_equal(ask_as_nth(8)->told, 0);
    answer_nth(8, 200);
}

/* The quota is no asker's own: when it is used up, all wait. */
static void test_too_many_opens_it_too(void **state) {
    (void)state;
    struct asker a;
    char name[16];
    begin(true, 0);
    at.auto_status = 429;
    for (unsigned i = 0; i < 6; i++) {
        (void)snprintf(name, sizeof name, "p%u", i);
        struct principal p = person(name);
        assert_int_equal(ask_as(&a, &p, &DATA, 1)->code, UNAVAILABLE);
    }
    assert_int_equal(at.posts, 5);
}

static void test_a_refusal_is_the_askers_own(void **state) {
    (void)state;
    struct asker a;
    char name[16];
    begin(true, 0);
    at.auto_status = 403;
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "p%u", i);
        struct principal p = person(name);
        assert_int_equal(ask_as(&a, &p, &DATA, 1)->code, PERMISSION_DENIED);
    }
    assert_int_equal(at.posts, 20); /* no breaker */
    assert_int_equal(ask_as(&a, &(struct principal){ .actor = person("p19").actor }, &DATA, 1)->code, PERMISSION_DENIED);
    assert_int_equal(at.posts, 20); /* but not asked again at once */
}

static void test_the_second_step_refuses(void **state) {
    (void)state;
    struct asker a;
    begin(true, 0);
    (void)ask(&a);
    answer(200);
    answer(403);
    assert_int_equal(a.code, PERMISSION_DENIED);
    assert_non_null(strstr(a.why, "service account"));
}

static void test_no_subject_token(void **state) {
    (void)state;
    struct asker a;
    begin(false, 0);
    at.subject_code = UNAVAILABLE;
    for (unsigned i = 0; i < 10; i++) {
        struct principal p = person(i % 2 ? "ada" : "bob");
        at_second(i * 100);
        assert_int_equal(ask_as(&a, &p, &DATA, 1)->code, UNAVAILABLE);
    }
    assert_non_null(strstr(a.why, "the key is gone"));
    at.subject_code = OK;
    at.auto_status = 200;
    at_second(1000);
    assert_int_equal(ask(&a)->code, OK); /* the endpoint had no part in it: no breaker is open */
}

/* The endpoint had no part in it, in whichever step: no breaker opens, and its key waits for a second however often. */
static void test_kept_back_by_us(void **state) {
    (void)state;
    struct asker a;
    char name[16];
    begin(true, 0);
    for (unsigned i = 0; i < 10; i++) {
        (void)snprintf(name, sizeof name, "p%u", i);
        struct principal p = person(name);
        at.keeps_back = i % 2;
        (void)ask_as(&a, &p, &DATA, 1);
        at.keeps_back = true;
        if (!a.told) answer(200); /* the first step went well */
        assert_int_equal(a.code, RESOURCE_EXHAUSTED);
        assert_non_null(strstr(a.why, "we have no room"));
    }
    for (unsigned s = 0; s < 10; s++) {
        at_second(s);
        assert_int_equal(ask(&a)->code, RESOURCE_EXHAUSTED);
        assert_int_equal(ask(&a)->code, RESOURCE_EXHAUSTED); /* now without a post */
        assert_non_null(strstr(a.why, "asked again in 1 s"));
    }
    assert_int_equal(at.posts, 10 + 5 + 10);
    at.keeps_back = false;
    at.auto_status = 200;
    at_second(10);
    assert_int_equal(ask(&a)->code, OK);
}

/* A probe that is kept back has told nothing: the next who asks is one. */
static void test_a_probe_kept_back_by_us(void **state) {
    (void)state;
    begin_crowd();
    for (unsigned i = 0; i < 5; i++) (void)ask_as_nth(i);
    for (unsigned i = 0; i < 5; i++) answer_nth(i, 503);
    at_second(1);
    assert_int_equal(ask_as_nth(5)->told, 0);
    at.done = crowd.posts[5].done;
    at.arg = crowd.posts[5].arg;
    keep_back();
    assert_int_equal(crowd.askers[5].code, RESOURCE_EXHAUSTED);
    assert_int_equal(ask_as_nth(6)->told, 0);
    answer_nth(6, 200);
    assert_int_equal(crowd.askers[6].code, OK);
}

/* All who acted in the job's run: its own account, and the one that its code went on to act as. Bob is nobody of it. */
static void test_forgotten(void **state) {
    (void)state;
    struct asker a, bob;
    struct principal ada = person("ada"), batch, p = person("bob");
    ada.job_run = STR("run-1");
    batch = ada;
    batch.chain[batch.n_chain++] = ada.actor;
    batch.actor = (struct actor){ .kind = ACTOR_ACCOUNT, .subject = STR("batch@demo") };
    begin(false, 0);
    at.auto_status = 200;
    (void)ask_as(&a, &ada, &DATA, 1);
    assert_string_equal(ask_as(&a, &batch, &DATA, 1)->token, "fed-2");
    (void)ask_as(&bob, &p, &DATA, 1);
    exchange_forget_job(exchange, STR("run-2"));
    exchange_forget_job(exchange, STR(""));
    assert_string_equal(ask_as(&a, &ada, &DATA, 1)->token, "fed-1");
    exchange_forget_job(exchange, STR("run-1"));
    assert_string_equal(ask_as(&bob, &p, &DATA, 1)->token, "fed-3");
    assert_string_equal(ask_as(&a, &batch, &DATA, 1)->token, "fed-4");
    at.auto_status = 0;
    assert_int_equal(ask_as(&a, &ada, &DATA, 1)->told, 0); /* its token is gone */
    exchange_forget_job(exchange, STR("run-1"));
    answer(200);
    assert_int_equal(a.code, UNAUTHENTICATED);             /* what was under way goes to nobody */
    assert_int_equal(ask_as(&a, &ada, &DATA, 1)->told, 0); /* and is not kept */
    answer(200);
    assert_string_equal(a.token, "fed-6");
}

static void test_rejected_upstream(void **state) {
    (void)state;
    struct asker a;
    struct exchange_token *token = NULL;
    struct principal p = person("ada");
    begin(false, 0);
    at.auto_status = 200;
    (void)ask(&a);
    assert_int_equal(exchange_get(exchange, &p, &DATA, 1, &a.wait, &token, NULL), OK);
    assert_int_equal(exchange_token_expires_us(token), ((int64_t)NOW + LIFE_S) * 1000000);
    exchange_token_reject(token);
    assert_string_equal(ask(&a)->token, "fed-1"); /* as young as this it is no use to ask again */
    at_second(31);
    assert_string_equal(ask(&a)->token, "fed-2");
    assert_str(exchange_token_text(token), "fed-1"); /* who holds it, holds it */
    (void)exchange_token_unref(token);
}

static void test_cancel(void **state) {
    (void)state;
    struct asker a, b, c;
    begin(false, 0);
    (void)ask(&a), (void)ask(&b), (void)ask(&c);
    assert_true(exchange_wait_cancel(exchange, &b.wait));
    assert_false(exchange_wait_cancel(exchange, &b.wait));
    answer(200);
    assert_int_equal(a.told + c.told, 2);
    assert_int_equal(b.told, 0);
    assert_false(exchange_wait_cancel(exchange, &a.wait));
}

static void test_bounded(void **state) {
    (void)state;
    struct asker a;
    char name[16];
    begin(false, 4);
    at.auto_status = 200;
    for (unsigned i = 0; i < 8; i++) {
        (void)snprintf(name, sizeof name, "p%u", i % 7);
        struct principal p = person(name), ada = person("p0");
        assert_int_equal(ask_as(&a, &p, &DATA, 1)->code, OK);
        assert_string_equal(ask_as(&a, &ada, &DATA, 1)->token, "fed-1"); /* asked for all the time: stays */
    }
    assert_int_equal(at.posts, 7);
    struct principal second = person("p1");
    assert_string_not_equal(ask_as(&a, &second, &DATA, 1)->token, "fed-2"); /* went long ago */
}

static void test_all_entries_busy(void **state) {
    (void)state;
    struct asker a, b;
    struct principal p = person("bob");
    begin(false, 1);
    (void)ask(&a);
    assert_int_equal(ask_as(&b, &p, &DATA, 1)->code, RESOURCE_EXHAUSTED);
    answer(200);
    at.auto_status = 200;
    assert_int_equal(ask_as(&b, &p, &DATA, 1)->code, OK);
}

/* ---- many threads ---- */

static struct {
    atomic_uint posts, told;
    atomic_bool go;
} storm;

struct late {
    exchange_done *done;
    void *arg;
};

static void *answer_later(void *arg) {
    struct late *late = arg;
    (void)usleep(20000);
    const struct exchange_answer answer = {
        .status = 200, .body = STR("{\"access_token\":\"T\",\"token_type\":\"Bearer\",\"expires_in\":3600}")
    };
    late->done(late->arg, &answer);
    free(late);
    return NULL;
}

static void storm_post(void *ctx, const struct exchange_request *request, exchange_done *done, void *arg) {
    pthread_t thread;
    struct late *late = malloc(sizeof *late);
    (void)ctx, (void)request;
    *late = (struct late){ done, arg };
    storm.posts++;
    assert_int_equal(pthread_create(&thread, NULL, answer_later, late), 0);
    (void)pthread_detach(thread);
}

static void storm_told(struct exchange_wait *wait, struct exchange_token *token, const struct err *err) {
    (void)wait, (void)err;
    if (token) storm.told++;
    (void)exchange_token_unref(token);
}

static void *storm_ask(void *arg) {
    struct exchange_wait *waits = arg;
    struct principal p = person("ada");
    while (!storm.go) {}
    for (unsigned i = 0; i < 250; i++) {
        struct exchange_token *token = NULL;
        waits[i].done = storm_told;
        if (exchange_get(exchange, &p, &DATA, 1, &waits[i], &token, NULL) == OK && token) storm_told(NULL, token, NULL);
    }
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    static struct exchange_wait waits[4][250];
    pthread_t threads[4];
    begin(false, 0);
    exchange_free(exchange);
    struct exchange_effects effects = { NULL, fake_subject, storm_post };
    struct exchange_config config = { .token_url = STR("https://s"), .audience = STR("a"), .subject_token_type = STR("t") };
    assert_int_equal(exchange_new(&config, &effects, 0, &exchange, NULL), OK);
    for (unsigned i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, storm_ask, waits[i]), 0);
    storm.go = true;
    for (unsigned i = 0; i < 4; i++) (void)pthread_join(threads[i], NULL);
    for (unsigned i = 0; storm.told < 1000 && i < 1000; i++) (void)usleep(10000);
    assert_int_equal(storm.told, 1000);
    assert_int_equal(storm.posts, 1);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_thousand_cold_callers, finish),
        cmocka_unit_test_teardown(test_kept_by_whom_and_for_what, finish),
        cmocka_unit_test_teardown(test_renewed_before_its_end, finish),
        cmocka_unit_test_teardown(test_jitter_spreads_renewals, finish),
        cmocka_unit_test_teardown(test_a_short_life_is_not_renewed_at_each_use, finish),
        cmocka_unit_test_teardown(test_served_stale_while_the_endpoint_is_down, finish),
        cmocka_unit_test_teardown(test_a_failure_waits, finish),
        cmocka_unit_test_teardown(test_breaker, finish),
        cmocka_unit_test_teardown(test_one_hiccup_of_many, finish),
        cmocka_unit_test_teardown(test_only_the_probe_ends_the_probe, finish),
        cmocka_unit_test_teardown(test_too_many_opens_it_too, finish),
        cmocka_unit_test_teardown(test_a_refusal_is_the_askers_own, finish),
        cmocka_unit_test_teardown(test_the_second_step_refuses, finish),
        cmocka_unit_test_teardown(test_no_subject_token, finish),
        cmocka_unit_test_teardown(test_kept_back_by_us, finish),
        cmocka_unit_test_teardown(test_a_probe_kept_back_by_us, finish),
        cmocka_unit_test_teardown(test_forgotten, finish),
        cmocka_unit_test_teardown(test_rejected_upstream, finish),
        cmocka_unit_test_teardown(test_cancel, finish),
        cmocka_unit_test_teardown(test_bounded, finish),
        cmocka_unit_test_teardown(test_all_entries_busy, finish),
        cmocka_unit_test_teardown(test_threads, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
