/* test_conn.c: what a connection that was dialled still gives when its peer has gone. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../test.h"
#include "net/conn.h"

enum { WORDS = 48 * 1024, TURNS = 1000 }; /* less than the first window: it is sent without our reading */

/* The peer is a descriptor of the test's own. */
struct dialled {
    struct loop *loop;
    struct conn *conn;
    int peer;
    size_t got;
    bool is_ready, says, is_over;
    enum conn_end why;
};

static void on_ready(struct conn *conn UNUSED, void *ctx) {
    ((struct dialled *)ctx)->is_ready = true;
}

static void on_data(struct conn *conn UNUSED, struct str bytes, void *ctx) {
    ((struct dialled *)ctx)->got += bytes.n;
}

static void on_output(struct conn *conn UNUSED, struct buf *out, void *ctx) {
    struct dialled *d = ctx;
    if (d->says) buf_add_z(out, "a question");
    d->says = false;
}

static void on_closed(struct conn *conn UNUSED, enum conn_end why, const struct err *err UNUSED, void *ctx) {
    struct dialled *d = ctx;
    d->is_over = true;
    d->why = why;
}

static void turn_until(struct dialled *d, const bool *done) {
    for (int i = 0; i < TURNS && !*done; i++) loop_run_once(d->loop, 10);
    assert_true(*done);
}

static void dial(struct dialled *d) {
    static const struct conn_events events = { on_ready, on_data, on_output, on_closed };
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof any;
    struct net_address to;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&any, &n), 0);
    assert_int_equal(net_address_parse(STR("127.0.0.1:0"), &to, NULL), OK);
    to.port = ntohs(any.sin_port);
    assert_int_equal(loop_new(&d->loop, NULL), OK);
    const struct conn_config config = {
        .loop = d->loop, .host = "127.0.0.1", .handshake_ms = 5000, .write_ms = 5000, .events = &events, .ctx = d
    };
    assert_int_equal(conn_connect(&config, &to, &d->conn, NULL), OK);
    d->peer = accept(listener, NULL, NULL);
    assert_true(d->peer >= 0);
    close(listener);
    turn_until(d, &d->is_ready);
}

/* The peer says its words and goes: all of it is in our socket before the loop turns again. */
static void say_and_go(const struct dialled *d, bool reset) {
    static const char words[WORDS];
    assert_int_equal(send(d->peer, words, sizeof words, 0), sizeof words);
    if (reset) setsockopt(d->peer, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
    close(d->peer);
}

static void test_a_peer_that_went(void **state UNUSED) {
    static const struct {
        const char *name;
        bool reset, writes, paused;
        enum conn_end why;
    } cases[] = {
        { "it ends", .why = CONN_END_EOF },
        { "it ends while we pause", .paused = true, .why = CONN_END_EOF },
        { "it resets", .reset = true, .why = CONN_END_LOST },
        { "it resets while we pause", .reset = true, .paused = true, .why = CONN_END_LOST },
        { "our write finds it gone", .reset = true, .writes = true, .why = CONN_END_LOST },
        { "our write finds it gone while we pause", .reset = true, .writes = true, .paused = true, .why = CONN_END_LOST },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct dialled d = { 0 };
        dial(&d);
        if (cases[i].paused) conn_pause(d.conn);
        say_and_go(&d, cases[i].reset);
        d.says = cases[i].writes;
        if (d.says) conn_output(d.conn);
        for (int turn = 0; cases[i].paused && turn < 5; turn++) loop_run_once(d.loop, 5);
        if (cases[i].paused && (d.got || d.is_over)) fail_msg("%s: %zu bytes while paused", cases[i].name, d.got);
        if (cases[i].paused) conn_resume(d.conn);
        turn_until(&d, &d.is_over);
        if (d.got != WORDS) fail_msg("%s: %zu bytes", cases[i].name, d.got);
        if (d.why != cases[i].why) fail_msg("%s: ended as %d", cases[i].name, (int)d.why);
        loop_freep(&d.loop);
    }
}

/* Who lets go of a deserted connection does not wait for its words. */
static void test_letting_go_of_a_deserted_one(void **state UNUSED) {
    struct dialled d = { 0 };
    dial(&d);
    conn_pause(d.conn);
    say_and_go(&d, true);
    d.says = true;
    conn_output(d.conn);
    for (int turn = 0; turn < 5; turn++) loop_run_once(d.loop, 5);
    conn_finish(d.conn);
    turn_until(&d, &d.is_over);
    assert_int_equal(d.why, CONN_END_OURS);
    assert_int_equal(d.got, 0);
    loop_freep(&d.loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_peer_that_went),
        cmocka_unit_test(test_letting_go_of_a_deserted_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
