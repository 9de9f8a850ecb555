#include "../test.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "net/address.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/tls.h"

/* ---- addresses ---- */

static void test_addresses(void **state UNUSED) {
    static const struct {
        const char *text, *printed; /* NULL: refused */
    } cases[] = {
        { "127.0.0.1:80", "127.0.0.1:80" },
        { "[::1]:0", "[::1]:0" },
        { ":8080", "[::]:8080" },
        { "*:1", "[::]:1" },
        { "0.0.0.0:65535", "0.0.0.0:65535" },
        { "127.0.0.1:65536", NULL },
        { "127.0.0.1", NULL },
        { "::1:80", NULL },
        { "localhost:80", NULL },
        { "127.1:80", NULL },
        { "[::1]80", NULL },
        { "127.0.0.1:-1", NULL },
        { "", NULL },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct net_address a;
        char out[NET_ADDRESS_MAX] = "";
        bool ok = net_address_parse(str_z(cases[i].text), &a, NULL) == OK;
        if (ok) net_address_print(&a, out);
        if (ok != (cases[i].printed != NULL) || (ok && strcmp(out, cases[i].printed) != 0))
            fail_msg("%s: %s", cases[i].text, out);
    }
    struct net_address a;
    assert_int_equal(net_address_parse(STR("169.254.169.254:80"), &a, NULL), OK);
    assert_true(net_address_is_link_local(&a) && !net_address_is_loopback(&a));
    assert_int_equal(net_address_parse(STR("127.9.9.9:80"), &a, NULL), OK);
    assert_true(net_address_is_loopback(&a));
}

/* ---- tasks from other threads ---- */

enum { THREADS = 4, TASKS = 2000, BATCH = 10 };

struct poster {
    struct loop *loop;
    struct loop_task tasks[TASKS];
    unsigned next, *left; /* loop thread only */
};

static void on_task(struct loop_task *task, void *ctx) {
    struct poster *p = ctx;
    assert_ptr_equal(task, &p->tasks[p->next]); /* in order for one poster */
    p->next++;
    if (--*p->left == 0) loop_stop(p->loop);
}

static void *post_all(void *ctx) {
    struct poster *p = ctx;
    for (unsigned i = 0; i < TASKS; i += BATCH) {
        for (unsigned k = 0; k < BATCH; k++)
            p->tasks[i + k] =
                (struct loop_task){ .fn = on_task, .ctx = p, .next = k + 1 < BATCH ? &p->tasks[i + k + 1] : NULL };
        if (i % (2 * BATCH)) loop_post_batch(p->loop, &p->tasks[i]);
        else
            for (unsigned k = 0; k < BATCH; k++) loop_post(p->loop, &p->tasks[i + k]);
    }
    return NULL;
}

static void test_post_from_threads(void **state UNUSED) {
    DEFER(loop_freep) struct loop *loop = NULL;
    static struct poster posters[THREADS];
    pthread_t threads[THREADS];
    unsigned left = THREADS * TASKS;
    assert_int_equal(loop_new(&loop, NULL), OK);
    for (int i = 0; i < THREADS; i++) {
        posters[i] = (struct poster){ .loop = loop, .left = &left };
        pthread_create(&threads[i], NULL, post_all, &posters[i]);
    }
    loop_run(loop);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(left, 0);
}

/* ---- deferred tasks and timers ---- */

struct order {
    struct loop *loop;
    struct loop_task again, other;
    struct loop_timer timers[200];
    char text[64];
    size_t n;
    unsigned runs, fired, stopped_fired;
    uint64_t last;
    bool out_of_order;
};

static void on_again(struct loop_task *task, void *ctx) {
    struct order *o = ctx;
    if (++o->runs < 3) loop_defer(o->loop, task);
    loop_defer_cancel(o->loop, &o->other);
}

static void on_other(struct loop_task *task UNUSED, void *ctx) {
    struct order *o = ctx;
    o->stopped_fired++;
}

static void test_defer(void **state UNUSED) {
    DEFER(loop_freep) struct loop *loop = NULL;
    struct order o = { 0 };
    assert_int_equal(loop_new(&loop, NULL), OK);
    o.loop = loop;
    o.again = (struct loop_task){ .fn = on_again, .ctx = &o };
    o.other = (struct loop_task){ .fn = on_other, .ctx = &o };
    loop_defer(loop, &o.again);
    loop_defer(loop, &o.again); /* waits already */
    loop_defer(loop, &o.other);
    for (int i = 0; i < 5; i++) loop_run_once(loop, 1);
    assert_int_equal(o.runs, 3);
    assert_int_equal(o.stopped_fired, 0);
}

static void on_timer(struct loop_timer *timer, void *ctx) {
    struct order *o = ctx;
    if (timer->due_ms < o->last) o->out_of_order = true;
    o->last = timer->due_ms;
    o->fired++;
    if (timer->due_ms % 3 == 0) loop_timer_stop(o->loop, &o->timers[timer->due_ms % COUNT(o->timers)]);
}

/* Timers fire in order, those that are stopped do not, and the heap keeps its shape while both happen. */
static void test_timers(void **state UNUSED) {
    DEFER(loop_freep) struct loop *loop = NULL;
    struct order o = { 0 };
    unsigned seed = 7, stopped = 0;
    assert_int_equal(loop_new(&loop, NULL), OK);
    o.loop = loop;
    for (size_t i = 0; i < COUNT(o.timers); i++) {
        o.timers[i] = (struct loop_timer){ .fn = on_timer, .ctx = &o };
        seed = seed * 1103515245 + 12345;
        loop_timer_start(loop, &o.timers[i], 1 + seed / 65536 % 60);
    }
    for (size_t i = 0; i < COUNT(o.timers); i += 4, stopped++) loop_timer_stop(loop, &o.timers[i]);
    for (size_t i = 1; i < COUNT(o.timers); i += 8) loop_timer_start(loop, &o.timers[i], 30);
    for (int i = 0; i < 120; i++) loop_run_once(loop, 1);
    assert_false(o.out_of_order);
    assert_true(o.fired <= COUNT(o.timers) - stopped && o.fired > 60);
    for (size_t i = 0; i < COUNT(o.timers); i++) assert_null(o.timers[i].link);
}

static void on_late_timer(struct loop_timer *timer UNUSED, void *ctx) {
    struct loop *loop = ctx;
    usleep(20000); /* as when the machine stands still: the turn's time is over before it polls */
    uv_update_time(loop_uv(loop));
}

/* A turn ends by its time even when that time passed before the poll; else this hangs. */
static void test_a_turn_that_is_late(void **state UNUSED) {
    DEFER(loop_freep) struct loop *loop = NULL;
    struct loop_timer timer = { .fn = on_late_timer };
    assert_int_equal(loop_new(&loop, NULL), OK);
    timer.ctx = loop;
    loop_timer_start(loop, &timer, 1);
    usleep(5000);
    loop_run_once(loop, 10);
    assert_null(timer.link);
    loop_run_once(loop, 1); /* and the next turn is as any other */
}

static void on_signal(int signal_number, void *ctx) {
    *(int *)ctx = signal_number;
}

static void test_signal(void **state UNUSED) {
    DEFER(loop_freep) struct loop *loop = NULL;
    int seen = 0, second = 0;
    assert_int_equal(loop_new(&loop, NULL), OK);
    assert_int_equal(loop_on_signal(loop, SIGUSR1, on_signal, &seen, NULL), OK);
    assert_int_equal(loop_on_signal(loop, SIGUSR2, on_signal, &second, NULL), OK);
    raise(SIGUSR1);
    loop_run_once(loop, 500);
    assert_int_equal(seen, SIGUSR1);
    assert_int_equal(second, 0);
    raise(SIGUSR2);
    loop_run_once(loop, 500);
    assert_int_equal(second, SIGUSR2);
}

static void *go_on(void *arg) {
    while (!atomic_load((_Atomic bool *)arg)) usleep(100);
    return NULL;
}

static void test_signals_outlive_the_loop(void **state UNUSED) {
    _Atomic bool over = false;
    int seen = 0, taken = 0;
    sigset_t set;
    pthread_t other;
    loop_hold_signal(SIGUSR1); /* else the thread takes it, and that ends us */
    assert_int_equal(pthread_create(&other, NULL, go_on, &over), 0);
    struct loop *loop = NULL;
    assert_int_equal(loop_new(&loop, NULL), OK);
    assert_int_equal(loop_on_signal(loop, SIGUSR1, on_signal, &seen, NULL), OK);
    loop_free(loop);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR1);
    assert_int_equal(sigwait(&set, &taken), 0); /* nobody took it before us */
    assert_int_equal(taken, SIGUSR1);
    assert_int_equal(seen, 0);
    atomic_store(&over, true);
    (void)pthread_join(other, NULL);
}

/* ---- listeners ---- */

static void on_accept(struct listener *l, int fd, const struct net_address *peer, void *ctx) {
    assert_true(net_address_is_loopback(peer));
    close(fd);
    (*(unsigned *)ctx)++;
    listener_close(l); /* from inside is fine */
}

static void dial(uint16_t port) {
    struct net_address to;
    struct sockaddr_storage sa;
    assert_int_equal(net_address_parse(STR("127.0.0.1:0"), &to, NULL), OK);
    to.port = port;
    socklen_t n = net_address_to(&to, &sa);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, n), 0);
    close(fd);
}

static void test_listener_of_a_descriptor(void **state UNUSED) {
    DEFER(loop_freep) struct loop *loop = NULL;
    struct listener *l = NULL;
    unsigned accepted = 0;
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    assert_int_equal(loop_new(&loop, NULL), OK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct listener_config config = {
        .loop = loop, .use_fd = true, .fd = dup(fd), .on_accept = on_accept, .ctx = &accepted
    };
    assert_int_equal(listener_new(&config, &l, NULL), INVALID_ARGUMENT); /* does not listen */
    assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(fd, 4), 0);
    config.fd = fd;
    assert_int_equal(listener_new(&config, &l, NULL), OK);
    assert_true(listener_port(l) != 0);
    dial(listener_port(l));
    loop_run_once(loop, 500);
    assert_int_equal(accepted, 1);
}

static void test_reuse_port(void **state UNUSED) {
    DEFER(loop_freep) struct loop *loop = NULL;
    struct listener *a = NULL, *b = NULL, *c = NULL;
    unsigned accepted = 0;
    assert_int_equal(loop_new(&loop, NULL), OK);
    struct listener_config config = { .loop = loop, .reuse_port = true, .on_accept = on_accept, .ctx = &accepted };
    assert_int_equal(net_address_parse(STR("127.0.0.1:0"), &config.address, NULL), OK);
    assert_int_equal(listener_new(&config, &a, NULL), OK);
    config.address.port = listener_port(a);
    assert_int_equal(listener_new(&config, &b, NULL), OK);
    config.reuse_port = false;
    struct err err = { 0 };
    assert_int_not_equal(listener_new(&config, &c, &err), OK);
    assert_non_null(strstr(err.message, "127.0.0.1:")); /* says which */
    listener_close(a);
    listener_close(b);
}

static void test_tls_files(void **state UNUSED) {
    struct tls_ctx *ctx = NULL;
    struct err err = { 0 };
    const struct tls_server_config config = { .cert_file = "/nonexistent/cert.pem", .key_file = "/nonexistent/key.pem" };
    assert_int_equal(tls_server_new(&config, &ctx, &err), INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "/nonexistent/cert.pem"));
    assert_int_equal(tls_client_new(&(struct tls_client_config){ .ca_file = "/nonexistent/ca" }, &ctx, &err),
                     INVALID_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_post_from_threads),
        cmocka_unit_test(test_defer),
        cmocka_unit_test(test_timers),
        cmocka_unit_test(test_a_turn_that_is_late),
        cmocka_unit_test(test_signal),
        cmocka_unit_test(test_signals_outlive_the_loop),
        cmocka_unit_test(test_listener_of_a_descriptor),
        cmocka_unit_test(test_reuse_port),
        cmocka_unit_test(test_tls_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
