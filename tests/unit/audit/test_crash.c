/* kill -9 at seeded points while a child appends: what it was told is durable is there, and the log verifies. */
#include <signal.h>
#include <time.h>
#include "audit_test.h"

enum { RUNS = 50 };

struct ack {
    uint64_t number, index;
};

static void on_ack(void *ctx, enum code code, uint64_t index) {
    const uint64_t *number = ctx;
    struct ack ack = { *number, index };
    int fd = (int)number[1];
    if (!code && write(fd, &ack, sizeof ack) != sizeof ack) _exit(3);
}

/* Appends as fast as it can, numbers in the entries, until it is killed. */
static void child(const struct place *p, int fd, uint64_t from) {
    struct audit_log *log = NULL;
    if (audit_open(&(struct audit_options){ .dir = p->dir, .origin = ORIGIN, .key = p->key }, &log, NULL)) _exit(2);
    static uint64_t slots[100000][2];
    for (uint64_t i = 0; i < COUNT(slots); i++) {
        char id[32], text[512];
        slots[i][0] = from + i;
        slots[i][1] = (uint64_t)fd;
        (void)snprintf(id, sizeof id, "n%llu", (unsigned long long)(from + i));
        size_t n = make_entry(text, sizeof text, EVENT_OUTCOME, id);
        while (audit_append(log, (struct str){ text, n }, i % 3 ? AUDIT_ENFORCED : AUDIT_PROMPT, on_ack, slots[i], NULL))
            usleep(200);
        if (i % 16 == 15) usleep(100);
    }
    _exit(4);
}

struct seen {
    const struct ack *acks;
    size_t n, found;
};

static bool look(void *ctx, uint64_t index, struct str json, const struct audit_entry *e) {
    struct seen *seen = ctx;
    (void)json;
    for (; seen->found < seen->n && seen->acks[seen->found].index < index; seen->found++) return false; /* one is missing */
    if (seen->found == seen->n || seen->acks[seen->found].index != index) return true;
    char id[32];
    (void)snprintf(id, sizeof id, "n%llu", (unsigned long long)seen->acks[seen->found].number);
    if (!str_eq_z(e->id, id)) return false;
    seen->found++;
    return true;
}

static struct ack acks[200000];

static void crash_once(const struct place *p, uint64_t *seed, uint64_t run) {
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(pipes[0]);
        child(p, pipes[1], run * 1000000);
    }
    close(pipes[1]);
    size_t n = 0, bytes = 0;
    size_t enough = 1 + next_random(seed) % 80;
    while (n < enough) { /* the kill comes at a number of acknowledgements and a delay of the seed's */
        ssize_t got = read(pipes[0], (char *)acks + bytes, sizeof acks - bytes);
        assert_true(got > 0);
        bytes += (size_t)got;
        n = bytes / sizeof *acks;
    }
    (void)nanosleep(&(struct timespec){ .tv_nsec = (long)(next_random(seed) % 2000000) }, NULL);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    for (ssize_t got = 1; got > 0; bytes += (size_t)got) got = read(pipes[0], (char *)acks + bytes, sizeof acks - bytes);
    close(pipes[0]);
    n = bytes / sizeof *acks;

    struct audit_log *log = log_open(p); /* repairs */
    struct audit_stats stats;
    audit_stats(log, &stats);
    assert_true(stats.size > acks[n - 1].index);
    assert_int_equal(append_wait(log, EVENT_OUTCOME, "again", NULL), OK);
    audit_close(log);
    struct audit_report report;
    struct err err = { 0 };
    if (audit_verify(p->dir, p->key, STR(""), NULL, NULL, &report, &err)) fail_msg("verify: %s", err.message);
    assert_true(report.entries > stats.size);
    struct seen seen = { acks, n, 0 };
    assert_int_equal(audit_query(p->dir, &(struct audit_filter){ .from_index = acks[0].index }, look, &seen, NULL), OK);
    if (seen.found != n) fail_msg("run %llu: %zu acknowledged, %zu found", (unsigned long long)run, n, seen.found);
}

static void test_kill(void **state) {
    (void)state;
    struct place p = place_new();
    uint64_t seed = 4242;
    for (uint64_t run = 0; run < RUNS; run++) {
        crash_once(&p, &seed, run);
        if (run % 10 != 9) continue; /* a fresh log now and then: keeps the test quick and its beginnings tested */
        place_free(&p);
        p = place_new();
    }
    place_free(&p);
}

/* The journal's end torn at every kind of place: what went before stays. */
static void test_torn_journal(void **state) {
    (void)state;
    uint64_t seed = 99;
    for (unsigned i = 0; i < 6; i++) {
        struct place p = place_new();
        struct audit_log *log = log_open(&p);
        for (unsigned j = 0; j < 4; j++) assert_int_equal(append_wait(log, EVENT_OUTCOME, "t", NULL), OK);
        io_fail_after(1, UINT32_MAX, 5);
        shell("cp -r '%s' '%s/copy'", p.dir, p.base);
        io_fail_after(0, 0, 0);
        audit_close(log);
        (void)snprintf(p.dir, sizeof p.dir, "%.60s/copy", p.base);
        char path[160];
        (void)snprintf(path, sizeof path, "%s/journal", p.dir);
        struct audit_report report;
        assert_int_equal(audit_verify(p.dir, p.key, STR(""), NULL, NULL, &report, NULL), OK);
        assert_int_equal(report.entries, 4);
        int fd = open(path, O_RDWR);
        static char journal[1 << 20], zeros[1 << 20];
        ssize_t n = pread(fd, journal, sizeof journal, 0);
        while (n > 0 && !journal[n - 1]) n--;
        size_t last = (size_t)n - 1 - next_random(&seed) % 400; /* within the last batch, or the published log is whole */
        assert_true(pwrite(fd, zeros, (size_t)n - last, (off_t)last) > 0);
        close(fd);
        log = log_open(&p);
        struct audit_stats stats;
        audit_stats(log, &stats);
        assert_true(stats.size >= 3);
        audit_close(log);
        check_verifies(&p, stats.size);
        place_free(&p);
    }
}

/* A batch that was changed, while others follow it, is no torn end: opening refuses rather than lose what was acknowledged.
 */
static void test_changed_journal(void **state) {
    (void)state;
    struct place p = place_new();
    struct audit_log *log = log_open(&p);
    for (unsigned j = 0; j < 4; j++) assert_int_equal(append_wait(log, EVENT_OUTCOME, "t", NULL), OK);
    io_fail_after(1, UINT32_MAX, 5);
    shell("cp -r '%s' '%s/copy'", p.dir, p.base);
    io_fail_after(0, 0, 0);
    audit_close(log);
    (void)snprintf(p.dir, sizeof p.dir, "%.60s/copy", p.base);
    char path[160];
    (void)snprintf(path, sizeof path, "%s/journal", p.dir);
    for (off_t at = 0; at < 40; at += 3) { /* header and entry of the first batch */
        int fd = open(path, O_RDWR);
        char byte, changed;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        changed = (char)(byte ^ 4);
        assert_int_equal(pwrite(fd, &changed, 1, at), 1);
        struct audit_options o = { .dir = p.dir, .origin = ORIGIN, .key = p.key };
        assert_int_equal(audit_open(&o, &log, NULL), DATA_LOSS);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        close(fd);
    }
    log = log_open(&p);
    audit_close(log);
    check_verifies(&p, 4);
    place_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_torn_journal),
        cmocka_unit_test(test_changed_journal),
        cmocka_unit_test(test_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
