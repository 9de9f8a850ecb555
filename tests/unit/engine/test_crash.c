/* What must not lose data: kill -9 under load, a full disk, short memory. */
#include "engine/ring.h"
#include "fixture.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 50, CLIENTS = 3, ROWS = 4 };

/* Each client commits ROWS rows with keys of its own and one value, and writes the commit's number once acknowledged. */
struct child_client {
    struct fixture *f;
    int fd, id;
};

static void *child_client_main(void *arg) {
    struct child_client *c = arg;
    struct str columns[] = { STR("k"), STR("a") };
    for (int32_t n = 0; n < 10000; n++) {
        struct sql_value cells[2 * ROWS];
        for (int i = 0; i < ROWS; i++) {
            cells[2 * i] = VALUE_INT64(c->id * 1000 + i);
            cells[2 * i + 1] = VALUE_INT64(n + 1);
        }
        struct rows rows = { .cells = cells, .n_columns = 2 };
        struct engine_mutation m = { .kind = MUTATION_INSERT_OR_UPDATE,
                                     .table = STR("T"),
                                     .columns = columns,
                                     .n_columns = 2,
                                     .n_rows = ROWS,
                                     .row = rows_next,
                                     .ctx = &rows };
        struct engine_commit commit = { .mutations = &m, .n = 1 };
        int32_t told[2] = { c->id, n + 1 };
        if (commit_now(c->f->db, &commit) || write(c->fd, told, sizeof told) != sizeof told) _exit(3);
    }
    return NULL;
}

static void child_main(const char *dir, int fd) {
    struct fixture f = { 0 };
    struct err err = { 0 };
    if (engine_open(&(struct engine_options){ .data_dir = dir }, &f.engine, &err) ||
        engine_get_database(f.engine, STR("inst"), STR("db1"), &f.db, &err)) {
        fprintf(stderr, "%s\n", err.message);
        _exit(2);
    }
    struct child_client clients[CLIENTS];
    pthread_t threads[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (struct child_client){ &f, fd, i };
        pthread_create(&threads[i], NULL, child_client_main, &clients[i]);
    }
    pause();
}

static void read_told(int fd, int64_t *told) {
    int32_t one[2];
    while (read(fd, one, sizeof one) == sizeof one) told[one[0]] = one[1];
    close(fd);
}

/* Rows of one commit all hold one value, which is at least the last acknowledged one and at most one more. */
static void check_rows(struct fixture *f, const int64_t *told, int round) {
    static struct scan s;
    for (int c = 0; c < CLIENTS; c++) {
        s = (struct scan){ .lo = c * 1000, .hi = c * 1000 + ROWS };
        assert_int_equal(scan_now(f->db, "T", &s), OK);
        if (!told[c] && !s.n) continue;
        assert_int_equal(s.n, ROWS);
        for (size_t i = 0; i < s.n; i++)
            if (s.pairs[i].a != s.pairs[0].a || s.pairs[i].a < told[c])
                fail_msg("round %d, client %d: part of a commit, or one lost", round, c);
    }
}

static void kills_lose_nothing(void **state) {
    (void)state;
    struct fixture f;
    uint64_t seed = 42;
    fixture_open(&f, NULL);
    make_table(&f, "T");
    unsigned acknowledged = 0;
    for (int round = 0; round < ROUNDS; round++) {
        f.db = engine_db_unref(f.db);
        engine_close(f.engine);
        int64_t told[CLIENTS] = { 0 };
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        pid_t child = fork();
        if (child == 0) {
            close(fds[0]);
            child_main(f.dir, fds[1]);
            _exit(0);
        }
        close(fds[1]);
        if (round % 4) (void)poll(&(struct pollfd){ .fd = fds[0], .events = POLLIN }, 1, 10000); /* else: any moment */
        struct timespec pause = { 0, (long)(10 + random_next(&seed) % 40) * 1000000 };
        nanosleep(&pause, NULL);
        kill(child, SIGKILL);
        int status = 0;
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));
        read_told(fds[0], told);
        struct err err = { 0 };
        if (engine_open(&(struct engine_options){ .data_dir = f.dir }, &f.engine, &err)) fail_msg("%s", err.message);
        if (engine_get_database(f.engine, STR("inst"), STR("db1"), &f.db, &err)) fail_msg("%s", err.message);
        check_rows(&f, told, round);
        for (int c = 0; c < CLIENTS; c++) acknowledged += told[c] > 0;
        assert_int_equal(delete_now(&f, "T", 0, 100000, NULL, NULL), OK);
    }
    assert_true(acknowledged > ROUNDS / 2); /* there was load */
    fixture_close(&f);
}

static enum code wide_row(void *ctx, const struct sql_column *const *columns, size_t n, struct sql_value *ret,
                          struct err *err) {
    static const char text[8000] = { 0 };
    (void)columns;
    (void)n;
    (void)err;
    ret[0] = VALUE_INT64((*(int64_t *)ctx)++);
    ret[1] = VALUE_INT64(1);
    ret[2] = VALUE_STRING(((struct str){ text, sizeof text }));
    return OK;
}

static void a_full_disk_fails_the_commit_alone(void **state) {
    (void)state;
    struct fixture f;
    static struct scan s;
    fixture_open(&f, &(struct engine_options){ .max_pages_for_test = 300 });
    make_table(&f, "T");
    struct str columns[] = { STR("k"), STR("a"), STR("b") };
    int64_t next = 0, kept = 0;
    enum code rc = OK;
    struct engine_commit commit;
    for (int i = 0; i < 100 && !rc; i++) {
        struct engine_mutation m = { .kind = MUTATION_INSERT,
                                     .table = STR("T"),
                                     .columns = columns,
                                     .n_columns = 3,
                                     .n_rows = 20,
                                     .row = wide_row,
                                     .ctx = &next };
        commit = (struct engine_commit){ .mutations = &m, .n = 1 };
        rc = commit_now(f.db, &commit);
        if (!rc) kept += 20;
    }
    assert_int_equal(rc, RESOURCE_EXHAUSTED);
    assert_non_null(strstr(commit.job.err.message, "full"));
    assert_true(kept > 100);
    for (int round = 0; round < 2; round++) {
        s = (struct scan){ .hi = 100000 };
        assert_int_equal(scan_now(f.db, "T", &s), OK);
        assert_int_equal(s.n, kept);
        if (!round) fixture_reopen(&f, NULL); /* a larger disk */
    }
    assert_int_equal(write_now(&f, "T", MUTATION_INSERT, -1, 1, NULL, NULL), OK);
    fixture_close(&f);
}

/* --- a VFS whose n-th write or sync fails ---------------------------------------------------------------------------- */

static _Atomic int
    faults_left; /* counts down to the failing call; 0 = none. The test's, shared with the engine's threads */
static sqlite3_vfs faulty;
static sqlite3_io_methods faulty_methods[2], real_methods; /* main file, WAL: SQLite's own tables differ in their locks */
static pthread_mutex_t faulty_lock = PTHREAD_MUTEX_INITIALIZER;

static bool fails_now(void) {
    return atomic_load(&faults_left) > 0 && atomic_fetch_sub(&faults_left, 1) == 1;
}
static int faulty_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at) {
    return fails_now() ? SQLITE_IOERR_WRITE : real_methods.xWrite(file, p, n, at);
}
static int faulty_sync(sqlite3_file *file, int flags) {
    return fails_now() ? SQLITE_IOERR_FSYNC : real_methods.xSync(file, flags);
}

static int faulty_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out) {
    sqlite3_vfs *real = vfs->pAppData;
    int rc = real->xOpen(real, name, file, flags, out);
    if (rc != SQLITE_OK || !file->pMethods || !(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL))) return rc;
    sqlite3_io_methods *methods = &faulty_methods[flags & SQLITE_OPEN_WAL ? 1 : 0];
    pthread_mutex_lock(&faulty_lock);
    if (!methods->xWrite) {
        *methods = real_methods = *file->pMethods;
        methods->xWrite = faulty_write;
        methods->xSync = faulty_sync;
    }
    pthread_mutex_unlock(&faulty_lock);
    file->pMethods = methods;
    return rc;
}

static void disk_faults_lose_nothing(void **state) {
    (void)state;
    struct fixture f;
    static struct scan s;
    faulty = *sqlite3_vfs_find(NULL);
    faulty.pAppData = sqlite3_vfs_find(NULL);
    faulty.zName = "faulty";
    faulty.xOpen = faulty_open;
    assert_int_equal(sqlite3_vfs_register(&faulty, 1), SQLITE_OK);
    fixture_open(&f, NULL);
    make_table(&f, "T");
    unsigned failed = 0;
    for (int i = 1; i <= 40; i++) {
        int64_t last = 0;
        assert_int_equal(write_now(&f, "T", MUTATION_INSERT_OR_UPDATE, 1, i * 10, NULL, NULL), OK);
        atomic_store(&faults_left, 1 + i % 8);
        enum code rc = write_now(&f, "T", MUTATION_INSERT_OR_UPDATE, 1, i * 10 + 1, NULL, NULL);
        atomic_store(&faults_left, 0);
        assert_true(rc == OK || rc == RESOURCE_EXHAUSTED);
        failed += rc != OK;
        last = i * 10 + (rc == OK);
        s = (struct scan){ .hi = 9 };
        assert_int_equal(scan_now(f.db, "T", &s), OK);
        assert_int_equal(s.pairs[0].a, last);
        if (i % 10 == 0) {
            fixture_reopen(&f, NULL);
            assert_int_equal(scan_now(f.db, "T", &s), OK);
            assert_int_equal(s.pairs[0].a, last);
        }
    }
    assert_true(failed >= 10);
    fixture_close(&f);
    sqlite3_vfs_unregister(&faulty);
}

/* Every allocation of a write set, a read set and a ring fails once; nothing is overlooked and nothing leaks. */
static void short_memory_overlooks_nothing(void **state) {
    (void)state;
    for (unsigned n = 1; n < 60; n++) {
        arena_fail_after(n);
        struct arena *arena = arena_new(1 << 20);
        struct ring *ring = arena ? ring_new(1 << 20, 5) : NULL;
        if (ring) {
            struct write_set writes = { .arena = arena };
            struct read_set reads = { .arena = arena, .max_bytes = 1 << 16 };
            struct key_range range = { .lo = STR("a"), .hi = STR("c") };
            bool ok = write_set_add(&writes, 7, STR("b"), (struct str){ 0 });
            ok = read_set_add(&reads, 7, &range, 1) && ok;
            ring_add(ring, 10, &writes);
            read_set_sort(&reads);
            if (ok) assert_true(ring_hit(ring, 6, &reads));
        }
        arena_fail_after(0);
        ring_free(ring);
        arena_free(arena);
    }
}

/* The n-th allocation behind the first row fails, on the writer thread: the commit is whole or not there. */
static enum code row_then_short(void *ctx, const struct sql_column *const *columns, size_t n, struct sql_value *ret,
                                struct err *err) {
    struct rows *r = ctx;
    if (r->at == 0) arena_fail_after((unsigned)r->cells[0].i64);
    return rows_next(ctx, columns, n, ret, err);
}

static enum code long_entry(void *ctx, int64_t us, uint64_t count, struct buf *out, struct err *err) {
    (void)ctx;
    (void)err;
    buf_printf(out, "%lld %llu", (long long)us, (unsigned long long)count);
    return OK;
}

static void short_memory_fails_the_commit_alone(void **state) {
    (void)state;
    struct fixture f;
    static struct scan s;
    unsigned failed = 0;
    fixture_open(&f, NULL);
    make_table(&f, "T");
    struct str columns[] = { STR("k"), STR("a") };
    for (int64_t n = 1; n < 40; n++) { /* the first cell is both the key and which allocation fails */
        struct sql_value cells[] = { VALUE_INT64(n), VALUE_INT64(n),        VALUE_INT64(n + 1000),
                                     VALUE_INT64(n), VALUE_INT64(n + 2000), VALUE_INT64(n) };
        struct rows rows = { .cells = cells, .n_columns = 2 };
        struct delete_keys gone = { n - 1, n - 1 };
        struct engine_mutation m[] = {
            { .kind = MUTATION_REPLACE,
              .table = STR("T"),
              .columns = columns,
              .n_columns = 2,
              .n_rows = 3,
              .row = row_then_short,
              .ctx = &rows },
            { .kind = MUTATION_DELETE, .table = STR("T"), .keys = delete_keys_fill, .ctx = &gone },
        };
        struct engine_commit commit = { .mutations = m, .n = 2, .entry = long_entry };
        s = (struct scan){ .hi = 9999 };
        assert_int_equal(scan_now(f.db, "T", &s), OK);
        size_t before = s.n;
        bool deletes = false;
        for (size_t i = 0; i < s.n; i++) deletes = deletes || s.pairs[i].k == n - 1;
        enum code rc = commit_now(f.db, &commit);
        assert_true(rc == OK || rc == RESOURCE_EXHAUSTED);
        failed += rc != OK;
        struct engine_mutation reset = {
            .kind = MUTATION_DELETE, .table = STR("T"), .keys = delete_keys_fill, .ctx = &(struct delete_keys){ 5000, 5000 }
        };
        struct engine_commit quiet = { .mutations = &reset, .n = 1 };
        while (commit_now(f.db, &quiet) != OK)
            quiet = (struct engine_commit){ .mutations = &reset, .n = 1 }; /* use up the fault */
        assert_int_equal(scan_now(f.db, "T", &s), OK);
        if (s.n != before + (rc ? 0 : 3) - (deletes && !rc)) fail_msg("allocation %lld: part of a commit", (long long)n);
    }
    assert_in_range(failed, 3, 38);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kills_lose_nothing),
        cmocka_unit_test(a_full_disk_fails_the_commit_alone),
        cmocka_unit_test(disk_faults_lose_nothing),
        cmocka_unit_test(short_memory_overlooks_nothing),
        cmocka_unit_test(short_memory_fails_the_commit_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
