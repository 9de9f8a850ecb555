/* audit_test.h: a log in a folder of its own, for the tests of audit. */
#pragma once
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "audit/audit.h"
#include "audit/entry.h"
#include "audit/io.h"
#include "audit/query.h"
#include "audit/verify.h"
#include "base/clock.h"
#include "crypto/key.h"

#define ORIGIN STR("linkspan.test/audit")

/* Splitmix64: the seed says it all. */
static inline uint64_t next_random(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

struct place {
    char base[64], dir[80];
    struct key *key;
};

static inline struct place place_new(void) {
    struct place p = { .base = "/tmp/audit-test-XXXXXX" };
    if (access("/dev/shm", W_OK) == 0) memcpy(p.base, "/dev/shm/audit-test-XXXXXX", sizeof "/dev/shm/audit-test-XXXXXX");
    assert_non_null(mkdtemp(p.base));
    (void)snprintf(p.dir, sizeof p.dir, "%s/log", p.base);
    char seed[32];
    memset(seed, 7, sizeof seed);
    assert_int_equal(key_from_ed25519_seed((struct str){ seed, sizeof seed }, &p.key, NULL), OK);
    return p;
}

static inline void shell(const char *fmt, ...) PRINTF_LIKE(1, 2);
static inline void shell(const char *fmt, ...) {
    char command[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(command, sizeof command, fmt, args);
    va_end(args);
    assert_int_equal(system(command), 0);
}

static inline void place_free(struct place *p) {
    shell("rm -rf '%s'", p->base);
    key_unref(p->key);
}

static inline struct audit_log *log_open(const struct place *p) {
    struct audit_log *log = NULL;
    struct err err = { 0 };
    enum code rc = audit_open(&(struct audit_options){ .dir = p->dir, .origin = ORIGIN, .key = p->key }, &log, &err);
    if (rc) fail_msg("open: %s: %s", code_name(rc), err.message);
    return log;
}

/* An event of the kind, with this id, as text. */
static inline size_t make_entry(char *out, size_t max, enum event_kind kind, const char *id) {
    struct event e = {
        .kind = kind, .time_us = 1700000000000000, .id = str_z(id), .method = STR("google.spanner.v1.Spanner.Commit")
    };
    DEFER(buf_free) struct buf b = BUF_INIT(AUDIT_ENTRY_MAX + 4096);
    assert_int_equal(audit_entry_encode(&e, &b, NULL), OK);
    assert_true(b.n < max);
    memcpy(out, b.p, b.n);
    return b.n;
}

static inline void append_n(struct audit_log *log, unsigned from, unsigned n) {
    for (unsigned i = from; i < from + n; i++) {
        char id[16], text[512];
        (void)snprintf(id, sizeof id, "e%u", i);
        size_t size = make_entry(text, sizeof text, EVENT_OUTCOME, id);
        assert_int_equal(audit_append(log, (struct str){ text, size }, AUDIT_PROMPT, NULL, NULL, NULL), OK);
    }
}

/* For one answer. */
struct answer {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool there;
    enum code code;
    uint64_t index;
};
#define ANSWER_INIT                                                                                                        \
    { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, OK, 0 }

static inline void answer_done(void *ctx, enum code code, uint64_t index) {
    struct answer *a = ctx;
    pthread_mutex_lock(&a->mutex);
    a->there = true;
    a->code = code;
    a->index = index;
    pthread_cond_signal(&a->cond);
    pthread_mutex_unlock(&a->mutex);
}

static inline enum code answer_wait(struct answer *a) {
    pthread_mutex_lock(&a->mutex);
    while (!a->there) pthread_cond_wait(&a->cond, &a->mutex);
    pthread_mutex_unlock(&a->mutex);
    return a->code;
}

static inline enum code append_wait(struct audit_log *log, enum event_kind kind, const char *id, uint64_t *ret_index) {
    char text[512];
    size_t size = make_entry(text, sizeof text, kind, id);
    struct answer a = ANSWER_INIT;
    enum code rc = audit_append(log, (struct str){ text, size }, AUDIT_ENFORCED, answer_done, &a, NULL);
    if (rc) return rc;
    rc = answer_wait(&a);
    if (ret_index) *ret_index = a.index;
    return rc;
}

static inline void check_verifies(const struct place *p, uint64_t entries) {
    struct audit_report report;
    struct err err = { 0 };
    enum code rc = audit_verify(p->dir, p->key, STR(""), NULL, NULL, &report, &err);
    if (rc) fail_msg("verify: %s", err.message);
    assert_int_equal(report.entries, entries);
}
