#include "spanner/far_schema_read.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/clock.h"
#include "spanner/names.h"
#include "upstream/ask.h"
#include "wire/pb/spanner.pb.h"
#include "wire/pb/wkt.pb.h"
#include "wire/url.h"

enum {
    SECOND = 1000000,
    READ_US = 10 * SECOND,
    DELETE_US = 5 * SECOND,
    MAX_HANDLE = 4096, /* bytes of a session's name, of a transaction's id */
    MAX_REQUEST = 64 << 10,
    MAX_PAGE = 16 << 20,
    PAGE_ARENA = 128 << 20, /* a decoded page */
};

enum step { STEP_SESSION, STEP_QUERY, STEP_DELETE };

struct reading {
    struct far_reader *reader;
    struct reading *next, **at;
    struct loop_task task;
    far_read_done *done; /* NULL: it was told */
    void *arg;
    enum step step;
    enum far_query query;
    size_t offset;
    int64_t deadline_us;
    struct ask *ask;
    struct far_build *build;
    struct arena *arena; /* database, session, transaction */
    struct arena *page;  /* of one message */
    struct str database, session, transaction;
    unsigned messages; /* of this ask: one is due */
    size_t rows;       /* of this page */
    enum code code;    /* of what the answer was found to be */
    struct err err;
};

struct far_reader {
    struct far_reader_config config;
    pthread_mutex_t lock; /* of the two below */
    struct reading *all;
    bool stopped;
};

/* ---- from start to end ---- */

static void unlink_reading(struct reading *r) {
    (void)pthread_mutex_lock(&r->reader->lock);
    if (r->at) {
        *r->at = r->next;
        if (r->next) r->next->at = r->at;
    }
    r->at = NULL;
    (void)pthread_mutex_unlock(&r->reader->lock);
}

static void reading_free(struct reading *r) {
    if (!r) return;
    far_build_free(r->build);
    arena_free(r->arena);
    arena_free(r->page);
    free(r);
}

static void tell(struct reading *r, const struct sql_catalog *snapshot, const struct err *err) {
    far_read_done *done = r->done;
    r->done = NULL;
    if (done) done(r->arg, snapshot, snapshot ? NULL : err);
}

static void delete_session(struct reading *r);

/* It is told first; the session is then nobody's but the upstream's. */
static void finish(struct reading *r, const struct sql_catalog *snapshot, const struct err *err) {
    tell(r, snapshot, err);
    delete_session(r);
}

static void over(struct reading *r) {
    unlink_reading(r);
    reading_free(r);
}

/* ---- one ask ---- */

static bool on_message(struct ask *ask, struct str message, void *ctx);
static void on_end(struct ask *ask, const struct upstream_status *status, void *ctx);

/* As Google's clients send it: '/' stays. */
static void put_params(struct buf *out, const char *name, struct str value) {
    buf_printf(out, "%s=", name);
    for (bool more = true; more;) {
        struct str part = str_cut(&value, '/');
        more = value.p != NULL && value.n > 0;
        url_encode(out, part);
        if (more) buf_add_char(out, '/');
    }
}

static enum code send_ask(struct reading *r, const char *path, const char *param, struct str value,
                          const struct pb_msg *type, const void *message, struct err *err) {
    static const struct ask_handler handler = { on_message, on_end };
    DEFER(buf_free) struct buf body = BUF_INIT(MAX_REQUEST), params = BUF_INIT(3 * MAX_HANDLE);
    put_params(&params, param, value);
    enum code rc = pb_encode(type, message, &body, err);
    if (rc) return rc;
    if (!buf_ok(&body) || !buf_ok(&params)) return err_oom(err);
    const struct http_header metadata[] = { { STR("google-cloud-resource-prefix"), r->database },
                                            { STR("x-goog-request-params"), buf_str(&params) } };
    const struct upstream_request request = { .path = str_z(path),
                                              .metadata = metadata,
                                              .n_metadata = COUNT(metadata),
                                              .message = buf_str(&body),
                                              .max_message_bytes = MAX_PAGE,
                                              .deadline_us = r->deadline_us };
    const struct far_reader_config *c = &r->reader->config;
    r->messages = 0;
    r->code = OK;
    return ask_start(c->loop, c->upstream, c->principal, &request, &handler, r, &r->ask, err);
}

static enum code create_session(struct reading *r, struct err *err) {
    struct spanner_Session session = { 0 };
    const struct spanner_CreateSessionRequest request = { .database = r->database, .session = &session };
    r->step = STEP_SESSION;
    return send_ask(r, "/google.spanner.v1.Spanner/CreateSession", "database", r->database,
                    &spanner_CreateSessionRequest_msg, &request, err);
}

/* The first query begins the transaction, the others are in it. */
static enum code query_page(struct reading *r, struct err *err) {
    struct spanner_TransactionOptions_ReadOnly strong = {
        .timestamp_bound_case = spanner_TransactionOptions_ReadOnly_timestamp_bound_strong, .strong = true
    };
    struct spanner_TransactionOptions begin = { .mode_case = spanner_TransactionOptions_mode_read_only,
                                                .read_only = &strong };
    struct spanner_TransactionSelector selector = { .selector_case = spanner_TransactionSelector_selector_begin,
                                                    .begin = &begin };
    if (r->transaction.n)
        selector = (struct spanner_TransactionSelector){ .selector_case = spanner_TransactionSelector_selector_id,
                                                         .id = r->transaction };
    DEFER(buf_free) struct buf sql = BUF_INIT(4096);
    buf_printf(&sql, "%s LIMIT %d OFFSET %zu", far_query_sql(r->query), FAR_PAGE_ROWS, r->offset);
    if (!buf_ok(&sql)) return err_oom(err);
    const struct spanner_ExecuteSqlRequest request = { .session = r->session,
                                                       .transaction = &selector,
                                                       .sql = buf_str(&sql) };
    r->step = STEP_QUERY;
    return send_ask(r, "/google.spanner.v1.Spanner/ExecuteSql", "session", r->session, &spanner_ExecuteSqlRequest_msg,
                    &request, err);
}

/* Nobody waits for it: one that fails is collected by the upstream within the hour. */
static void delete_session(struct reading *r) {
    const struct spanner_DeleteSessionRequest request = { .name = r->session };
    struct err err;
    r->step = STEP_DELETE;
    r->deadline_us = clock_wall_us() + DELETE_US;
    enum code rc = r->session.n ? send_ask(r, "/google.spanner.v1.Spanner/DeleteSession", "name", r->session,
                                           &spanner_DeleteSessionRequest_msg, &request, &err)
                                : NOT_FOUND;
    if (rc) over(r);
}

/* ---- answers ---- */

static enum code keep(struct reading *r, struct str text, const char *what, struct str *ret, struct err *err) {
    if (text.n == 0 || text.n > MAX_HANDLE) return err_set(err, INTERNAL, "the upstream gave no lawful %s", what);
    *ret = str_dup(r->arena, text);
    return ret->p ? OK : err_oom(err);
}

static enum code take_session(struct reading *r, const struct spanner_Session *session, struct err *err) {
    struct spanner_name name;
    struct str rest = session->name;
    bool ours = str_strip_prefix(&rest, r->database) && str_starts(rest, STR("/sessions/"));
    if (!ours || name_session(session->name, &name, NULL))
        return err_set(err, INTERNAL, "the upstream gave no session of this database");
    return keep(r, session->name, "session", &r->session, err);
}

static enum code take_page(struct reading *r, const struct spanner_ResultSet *page, struct err *err) {
    enum code rc = OK;
    if (!r->transaction.n) {
        bool there = page->metadata && page->metadata->transaction;
        rc = keep(r, there ? page->metadata->transaction->id : STR(""), "transaction", &r->transaction, err);
    }
    r->rows = page->rows.n;
    return rc ? rc : far_build_page(r->build, r->query, page, err);
}

static enum code take(struct reading *r, struct str message, struct err *err) {
    const struct pb_msg *type = r->step == STEP_SESSION ? &spanner_Session_msg : &spanner_ResultSet_msg;
    void *decoded = NULL;
    if (r->messages++) return err_set(err, INTERNAL, "the upstream answered twice");
    if (r->step == STEP_DELETE) return OK;
    arena_reset(r->page);
    enum code rc = pb_decode(type, message, r->page, 0, &decoded, err);
    if (rc) return rc;
    return r->step == STEP_SESSION ? take_session(r, decoded, err) : take_page(r, decoded, err);
}

static bool on_message(struct ask *ask, struct str message, void *ctx) {
    (void)ask;
    struct reading *r = ctx;
    if (!r->code) r->code = take(r, message, &r->err);
    return true;
}

/* What our account may not is no fault of the caller's, and no answer to it. */
static enum code say_failure(struct reading *r, const struct upstream_status *status, struct err *err) {
    if (status->code == NOT_FOUND && !status->ours && r->step == STEP_SESSION)
        return err_set(err, NOT_FOUND, "Database not found: %.*s", STR_ARG(r->database));
    if (status->code)
        return err_set(err, UNAVAILABLE, "%s for the schema's account: %.*s", code_name(status->code),
                       STR_ARG(str_upto(status->message, 200)));
    if (r->code) return *err = r->err, r->code;
    return r->messages ? OK : err_set(err, INTERNAL, "the upstream answered nothing");
}

/* The next page, the next query, or the end. */
static enum code go_on(struct reading *r, struct err *err) {
    if (r->step == STEP_QUERY) {
        bool more = r->rows == FAR_PAGE_ROWS;
        r->offset = more ? r->offset + FAR_PAGE_ROWS : 0;
        if (!more) r->query++;
    }
    if (r->query < FAR_QUERIES) return query_page(r, err);
    const struct sql_catalog *snapshot;
    enum code rc = far_build_end(r->build, &snapshot, err);
    if (!rc) finish(r, snapshot, NULL);
    return rc;
}

static void on_end(struct ask *ask, const struct upstream_status *status, void *ctx) {
    (void)ask;
    struct reading *r = ctx;
    struct err err = { 0 };
    r->ask = NULL;
    if (r->step == STEP_DELETE) {
        over(r);
        return;
    }
    enum code rc = say_failure(r, status, &err);
    if (!rc) rc = go_on(r, &err);
    if (rc) finish(r, NULL, &err);
}

/* ---- starting and stopping ---- */

static void on_started(struct loop_task *task, void *ctx) {
    (void)task;
    struct reading *r = ctx;
    struct err err = { 0 };
    if (create_session(r, &err)) finish(r, NULL, &err);
}

static struct reading *reading_new(struct far_reader *reader, struct str database, far_read_done *done, void *arg) {
    struct reading *r = arena_should_fail() ? NULL : calloc(1, sizeof *r);
    struct err err;
    if (!r) return NULL;
    r->reader = reader;
    r->done = done;
    r->arg = arg;
    r->deadline_us = clock_wall_us() + READ_US;
    r->task = (struct loop_task){ .fn = on_started, .ctx = r };
    r->arena = arena_new(8 * MAX_HANDLE);
    r->page = arena_new(PAGE_ARENA);
    r->database = r->arena ? str_dup(r->arena, database) : STR("");
    if (r->page && r->database.n && !far_build_new(&r->build, &err)) return r;
    reading_free(r);
    return NULL;
}

void far_reader_read(void *ctx, struct str database, far_read_done *done, void *arg) {
    struct far_reader *reader = ctx;
    struct err err = { 0 };
    struct reading *r = reading_new(reader, database, done, arg);
    (void)pthread_mutex_lock(&reader->lock);
    bool go = r && !reader->stopped;
    if (go) {
        r->next = reader->all;
        r->at = &reader->all;
        if (r->next) r->next->at = &r->next;
        reader->all = r;
        loop_post(reader->config.loop, &r->task); /* under the lock: it cannot stop meanwhile */
    }
    (void)pthread_mutex_unlock(&reader->lock);
    if (go) return;
    if (r) (void)err_set(&err, UNAVAILABLE, "the server stops");
    else (void)err_oom(&err);
    reading_free(r);
    done(arg, NULL, &err);
}

void far_reader_stop(struct far_reader *reader) {
    struct err err = { 0 };
    (void)err_set(&err, UNAVAILABLE, "the server stops");
    (void)pthread_mutex_lock(&reader->lock);
    reader->stopped = true;
    struct reading *all = reader->all;
    reader->all = NULL;
    (void)pthread_mutex_unlock(&reader->lock);
    while (all) {
        struct reading *next = all->next;
        (void)loop_post_cancel(reader->config.loop, &all->task); /* it may not have begun */
        ask_cancel(all->ask);
        tell(all, NULL, &err);
        reading_free(all);
        all = next;
    }
}

enum code far_reader_new(const struct far_reader_config *config, struct far_reader **ret, struct err *err) {
    struct far_reader *reader = arena_should_fail() ? NULL : calloc(1, sizeof *reader);
    if (!reader || pthread_mutex_init(&reader->lock, NULL)) {
        free(reader);
        return err_oom(err);
    }
    reader->config = *config;
    *ret = reader;
    return OK;
}

void far_reader_free(struct far_reader *reader) {
    if (!reader) return;
    far_reader_stop(reader);
    (void)pthread_mutex_destroy(&reader->lock);
    free(reader);
}
