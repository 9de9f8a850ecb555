/* test_fetch.c: key sets: over whose connections, from where, and how waiting ends. */
#include <stdio.h>
#include <string.h>
#include "gate/fetch.h"
#include "outbound_rig.h"

struct document {
    unsigned times, status;
    char body[100];
};

static void on_document(void *arg, unsigned status, struct str body) {
    struct document *d = arg;
    d->times++;
    d->status = status;
    snprintf(d->body, sizeof d->body, "%.*s", STR_ARG(str_upto(body, 90)));
}

struct world {
    struct loop *loop;
    struct fetch *fetch;
    struct names names;
};

static void open_world(struct world *w, bool development) {
    struct err err;
    *w = (struct world){ .names = { .answers = { { "127.0.0.1" } } } };
    assert_int_equal(loop_new(&w->loop, &err), OK);
    const struct outbound_config dialer = { .loop = w->loop, .resolver = names_resolver(&w->names) };
    assert_int_equal(fetch_new(&dialer, development, &w->fetch, &err), OK);
}

static void close_world(struct world *w) {
    fetch_free(w->fetch);
    loop_free(w->loop);
}

static void get(struct world *w, uint16_t port, struct document *ret) {
    struct fetcher f = fetch_fetcher(w->fetch);
    char url[100];
    snprintf(url, sizeof url, "http://keys.example:%u/keys", port);
    f.get(f.ctx, str_z(url), on_document, ret);
}

static void wait_for(struct world *w, struct document *d) {
    for (unsigned i = 0; i < 200 && !d->times; i++) loop_run_once(w->loop, 50);
    assert_int_equal(d->times, 1);
}

static const struct script keys = { .head = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}" };

static void test_loopback_in_development_only(void **state) {
    (void)state;
    for (unsigned development = 0; development < 2; development++) {
        struct script script = keys;
        struct world w;
        struct document d = { 0 };
        script_start(&script);
        open_world(&w, development);
        get(&w, script.port, &d);
        wait_for(&w, &d);
        assert_int_equal(d.status, development ? 200 : 0);
        assert_string_equal(d.body, development ? "{}" : "");
        assert_int_equal(atomic_load(&script.connections), development);
        close_world(&w);
        script_stop(&script);
    }
}

/* A document too many is answered at once; who waits when the server stops goes on without. */
static void test_bounds_of_its_own(void **state) {
    (void)state;
    static struct document many[65];
    struct script silent = { 0 };
    struct world w;
    script_start(&silent);
    open_world(&w, true);
    for (unsigned i = 0; i < COUNT(many); i++) get(&w, silent.port, &many[i]);
    for (unsigned i = 0; i < COUNT(many); i++) assert_int_equal(many[i].times, i == 64); /* one too many: at once */
    fetch_stop(w.fetch);
    for (unsigned i = 0; i < COUNT(many); i++) assert_true(many[i].times == 1 && many[i].status == 0);
    close_world(&w);
    script_stop(&silent);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_loopback_in_development_only),
                                        cmocka_unit_test(test_bounds_of_its_own) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
