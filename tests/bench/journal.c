/* journal.c: durable entries a second: our audit log with 64 writers, and SQLite with one durable commit an entry.
 *
 *     bench_journal log|sqlite FOLDER SECONDS
 *
 * A writer has one entry under way and writes the next when the last one is on disk, as a request does that waits for its
 * entry. SQLite has one writer, as only one can commit at a time: WAL, synchronous=FULL. One line of JSON. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "audit/audit.h"
#include "base/clock.h"
#include "crypto/key.h"
#include "store/store.h"

enum { WRITERS = 64, ENTRY_BYTES = 1024, PATH_BYTES = 4096 };

static double cpu_seconds(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* As long as the entry of a point read. */
static struct str entry_text(char text[ENTRY_BYTES], uint64_t number) {
    int n = snprintf(
        text, ENTRY_BYTES,
        "{\"kind\":\"outcome\",\"time\":\"2026-11-22T05:00:00.%06" PRIu64 "Z\",\"id\":\"01K%023" PRIu64
        "\",\"principal\":{\"issuer\":\"corp\",\"subject\":\"0f2a6a2e-52c1-4d35-b5d6-2f2b6a1c9e77\",\"token\":"
        "\"5f8e1c9d2b7a4e6f8091a2b3c4d5e6f7\"},\"source\":\"127.0.0.1\",\"method\":\"google.spanner.v1.Spanner.Read\","
        "\"resource\":\"projects/demo/instances/demo/databases/bench\",\"atoms\":[{\"verb\":\"read\",\"path\":\"spanner "
        "demo/bench\",\"object\":\"Flights\",\"columns\":[\"dep_time\",\"dep_delay\"]}],\"rule\":\"work\",\"code\":\"OK\","
        "\"rows\":1,\"bytes_out\":118,\"latency_us\":312}",
        number % 1000000, number);
    return (struct str){ text, (size_t)n };
}

/* ---- our log ---- */

struct crowd {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned idle;
    uint64_t durable, failed;
};

static void on_durable(void *ctx, enum code code, uint64_t index UNUSED) {
    struct crowd *c = ctx;
    pthread_mutex_lock(&c->lock);
    c->durable += !code;
    c->failed += code != OK;
    if (!c->idle++) pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static unsigned take_idle(struct crowd *c) {
    pthread_mutex_lock(&c->lock);
    while (!c->idle) pthread_cond_wait(&c->changed, &c->lock);
    unsigned n = c->idle;
    c->idle = 0;
    pthread_mutex_unlock(&c->lock);
    return n;
}

static enum code write_log(struct audit_log *log, uint64_t until_us, uint64_t *ret, struct err *err) {
    struct crowd crowd = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .idle = WRITERS };
    char text[ENTRY_BYTES];
    uint64_t number = 0;
    enum code rc = OK;
    while (!rc && clock_mono_us() < until_us)
        for (unsigned n = take_idle(&crowd); !rc && n; n--)
            rc = audit_append(log, entry_text(text, ++number), AUDIT_ENFORCED, on_durable, &crowd, err);
    if (!rc) rc = audit_flush(log, err); /* every writer has its answer */
    if (!rc && crowd.failed) rc = err_set(err, UNAVAILABLE, "the log refused %" PRIu64 " entries", crowd.failed);
    *ret = crowd.durable;
    return rc;
}

static enum code run_log(const char *folder, uint64_t until_us, uint64_t *ret, struct err *err) {
    DEFER(key_unrefp) struct key *key = NULL;
    struct audit_log *log = NULL;
    enum code rc = key_generate(KEY_ED25519, &key, err);
    const struct audit_options options = { .dir = folder, .origin = STR("bench/audit"), .key = key };
    if (!rc) rc = audit_open(&options, &log, err);
    if (!rc) rc = write_log(log, until_us, ret, err);
    audit_close(log);
    return rc;
}

/* ---- SQLite ---- */

static enum code insert(struct store *s, uint64_t number, struct str text, struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(s, STR("INSERT INTO entry VALUES (?1, ?2)"), &stmt, err);
    if (rc) return rc;
    (void)sqlite3_bind_int64(stmt, 1, (sqlite3_int64)number);
    (void)sqlite3_bind_text(stmt, 2, text.p, (int)text.n, SQLITE_STATIC);
    return store_run(TAKE(stmt), err);
}

static enum code run_sqlite(const char *folder, uint64_t until_us, uint64_t *ret, struct err *err) {
    DEFER(store_closep) struct store *s = NULL;
    char path[PATH_BYTES], text[ENTRY_BYTES];
    (void)snprintf(path, sizeof path, "%s/entries.db", folder);
    enum code rc = store_open(path, STORE_CREATE, &s, err);
    if (!rc)
        rc = store_exec(s, "PRAGMA wal_autocheckpoint=1000; CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT)", err);
    uint64_t number = 0;
    while (!rc && clock_mono_us() < until_us) {
        number++;
        rc = insert(s, number, entry_text(text, number), err);
    }
    *ret = number;
    return rc;
}

int main(int argc, char **argv) {
    if (argc != 4) return 64;
    struct err err = { .code = OK };
    uint64_t n = 0, began = clock_mono_us(), until = began + (uint64_t)(strtod(argv[3], NULL) * 1e6);
    double cpu = cpu_seconds();
    enum code rc = str_eq_z(str_z(argv[1]), "log") ? run_log(argv[2], until, &n, &err)
                                                   : run_sqlite(argv[2], until, &n, &err);
    double seconds = (double)(clock_mono_us() - began) / 1e6;
    if (rc) (void)fprintf(stderr, "bench_journal: %s\n", err.message);
    else printf("{\"operations\":%" PRIu64 ",\"seconds\":%.4f,\"server_cpu\":%.4f}\n", n, seconds, cpu_seconds() - cpu);
    return rc ? 1 : 0;
}
