/* The writer of the log: lines arrive whole and in order; who does not read them holds nobody up. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "test.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/log_writer.h"

enum { MAX_BYTES = 64 << 10, PIPE_BYTES = 4096 };

struct pipe_rig {
    struct log_writer *writer;
    int fds[2];
};

static struct pipe_rig open_rig(void) {
    struct pipe_rig rig;
    struct err err = { 0 };
    assert_int_equal(pipe2(rig.fds, O_CLOEXEC), 0);
    assert_true(fcntl(rig.fds[1], F_SETPIPE_SZ, PIPE_BYTES) >= PIPE_BYTES);
    assert_int_equal(log_writer_new(rig.fds[1], MAX_BYTES, &rig.writer, &err), OK);
    return rig;
}

static void *free_writer(void *arg) {
    log_writer_free(arg, 10000);
    return NULL;
}

/* All that comes until the writer is gone. */
static size_t read_all(struct pipe_rig *rig, char *out, size_t max) {
    pthread_t thread;
    size_t n = 0;
    assert_int_equal(pthread_create(&thread, NULL, free_writer, rig->writer), 0);
    (void)fcntl(rig->fds[0], F_SETFL, O_NONBLOCK);
    bool gone = false;
    for (;;) {
        ssize_t got = read(rig->fds[0], out + n, max - n);
        if (got > 0) n += (size_t)got;
        else if (gone) break;
        else if (pthread_tryjoin_np(thread, NULL) == 0) gone = true; /* then once more */
        else usleep(1000);
    }
    close(rig->fds[0]);
    close(rig->fds[1]);
    return n;
}

static struct str numbered(char line[64], unsigned i) {
    return (struct str){ line, (size_t)snprintf(line, 64, "line %u of the log, which is of some length\n", i) };
}

static void test_order(void **state) {
    (void)state;
    static char out[1 << 20];
    char line[64];
    struct pipe_rig rig = open_rig();
    for (unsigned i = 0; i < 500; i++) log_writer_put(rig.writer, numbered(line, i));
    assert_int_equal(log_writer_dropped(rig.writer), 0);
    struct str rest = { out, read_all(&rig, out, sizeof out) };
    for (unsigned i = 0; i < 500; i++) {
        struct str expected = numbered(line, i);
        expected.n--;
        struct str got = str_cut(&rest, '\n');
        if (!str_eq(got, expected)) fail_msg("%u: %.*s", i, STR_ARG(got));
    }
    assert_int_equal(rest.n, 0);
}

/* Nobody reads: each put returns, what waits is bounded, and in the end the log says how much is missing. */
static void test_drops(void **state) {
    (void)state;
    static char out[1 << 20];
    char line[64];
    struct pipe_rig rig = open_rig();
    enum { LINES = 20000 };
    uint64_t begin = clock_mono_us();
    for (unsigned i = 0; i < LINES; i++) log_writer_put(rig.writer, numbered(line, i));
    assert_true(clock_mono_us() - begin < 10 * 1000 * 1000);
    uint64_t dropped = log_writer_dropped(rig.writer);
    assert_true(dropped > 0 && dropped < LINES);
    struct str rest = { out, read_all(&rig, out, sizeof out) };
    assert_true(rest.n < 2 * MAX_BYTES + PIPE_BYTES + 1024);
    size_t whole = 0, notices = 0;
    uint64_t told = 0;
    while (rest.n) {
        struct str got = str_cut(&rest, '\n');
        if (str_starts(got, STR("line ")) && str_ends(got, STR("some length"))) whole++;
        else if (str_find(got, STR("lines of the log were dropped")) > 0) {
            ptrdiff_t at = str_find(got, STR("\"message\":\""));
            struct str number = str_from(got, (size_t)at + 11);
            uint64_t n = 0;
            assert_true(at > 0 && str_u64(str_cut(&number, ' '), &n));
            told += n;
            notices++;
        } else fail_msg("half a line: %.*s", STR_ARG(got));
    }
    assert_true(notices > 0);
    assert_int_equal(told, dropped);
    assert_int_equal(whole + dropped, LINES);
}

/* A descriptor that takes nothing does not hold up the end. */
static void test_stuck(void **state) {
    (void)state;
    char line[64];
    struct pipe_rig rig = open_rig();
    for (unsigned i = 0; i < 500; i++) log_writer_put(rig.writer, numbered(line, i));
    uint64_t begin = clock_mono_us();
    log_writer_free(rig.writer, 50);
    uint64_t took = clock_mono_us() - begin;
    assert_true(took >= 40 * 1000 && took < 5 * 1000 * 1000);
}

static void test_log_line(void **state) {
    (void)state;
    static char out[1 << 16];
    struct pipe_rig rig = open_rig();
    log_set_writer(rig.writer);
    log_line(LOG_INFO, "one \"quoted\"\nline");
    log_set_format(LOG_TEXT);
    log_line(LOG_WARNING, "two\x1b[31m");
    log_set_format(LOG_JSON);
    log_set_writer(NULL);
    struct str rest = { out, read_all(&rig, out, sizeof out) };
    struct str first = str_cut(&rest, '\n'), second = str_cut(&rest, '\n');
    assert_true(str_starts(first, STR("{\"time\":\"20")));
    assert_true(str_ends(first, STR(",\"severity\":\"INFO\",\"message\":\"one \\\"quoted\\\"\\nline\"}")));
    assert_true(str_starts(second, STR("20")));
    assert_true(str_ends(second, STR(" WARNING \"two\\u001b[31m\"")));
    assert_int_equal(rest.n, 0);
}

int main(void) {
    (void)signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_drops),
        cmocka_unit_test(test_stuck),
        cmocka_unit_test(test_log_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
