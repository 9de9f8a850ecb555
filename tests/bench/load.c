#include "load.h"
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/clock.h"
#include "rows.h"
#include "wire/pb/pb_read.h"

#define SPANNER "/google.spanner.v1.Spanner/"

/* ---- measuring ---- */

static double own_cpu(void) {
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* User and system time of all threads: fields 14 and 15 of /proc/PID/stat, counted behind the name in parentheses. */
static double cpu_of(unsigned pid) {
    char path[64], text[1024];
    (void)snprintf(path, sizeof path, "/proc/%u/stat", pid);
    FILE *f = pid ? fopen(path, "re") : NULL;
    if (!f) return 0;
    size_t n = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    struct str rest = { text, n };
    ptrdiff_t at = str_find(rest, STR(") "));
    rest = str_from(rest, at < 0 ? n : (size_t)at + 2);
    uint64_t ticks = 0, v;
    for (unsigned field = 3; field <= 15; field++) {
        struct str word = str_cut(&rest, ' ');
        if (field >= 14 && str_u64(word, &v)) ticks += v;
    }
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static void start_measuring(struct bench *b) {
    b->measuring = true;
    b->started_us = clock_mono_us();
    b->own_cpu = own_cpu();
    b->server_cpu = cpu_of(b->server_pid);
}

static void stop_measuring(struct bench *b) {
    if (!b->measuring || b->ended_us) return;
    b->ended_us = clock_mono_us();
    b->own_cpu = own_cpu() - b->own_cpu;
    b->server_cpu = cpu_of(b->server_pid) - b->server_cpu;
}

static void on_timer(struct loop_timer *timer, void *ctx) {
    struct bench *b = ctx;
    if (b->measuring) {
        stop_measuring(b);
        b->over = true;
        return;
    }
    start_measuring(b);
    loop_timer_start(b->loop, timer, (uint64_t)(b->seconds * 1000));
}

/* ---- the work ---- */

static void note_error(struct bench *b, const struct err *err) {
    b->failures++;
    if (!b->first_error[0])
        (void)snprintf(b->first_error, sizeof b->first_error, "%s: %s", code_name(err->code), err->message);
}

struct str load_token(struct caller *c) {
    struct bench *b = c->bench;
    if (!b->n_tokens) return (struct str){ NULL, 0 };
    return b->tokens[b->rotate ? b->next_token++ % b->n_tokens : (size_t)(c - b->callers) % b->n_tokens];
}

static void call(struct caller *c) {
    const struct bench *b = c->bench;
    struct str path = str_z(b->path ? b->path : b->mode->path);
    if (b->mode->plain) lane_post(&c->lane, path);
    else lane_call(&c->lane, path);
}

static void next(struct caller *c) {
    struct bench *b = c->bench;
    bool done = b->over || (b->mode->whole && b->next_row >= b->rows) || b->failures > 1000;
    if (!done) {
        buf_clear(&c->lane.message);
        if (!b->mode->plain) c->lane.authorization = load_token(c);
        b->mode->request(b, &c->lane);
        call(c);
        return;
    }
    if (--b->active) return;
    stop_measuring(b);
    loop_stop(b->loop);
}

static void on_answer(struct lane *lane, const struct err *err) {
    struct caller *c = lane->ctx;
    struct bench *b = c->bench;
    if (err->code == ABORTED && !b->over) { /* as Spanner asks: the same again */
        b->retries += b->measuring;
        call(c);
        return;
    }
    if (err->code && err->code != ABORTED) note_error(b, err);
    if (!err->code && !b->mode->sessionless && c->rows_under_way == 0)
        (void)(b->failures++, snprintf(b->first_error, 64, "a row was not found"));
    if (b->measuring && !b->ended_us && !err->code) {
        b->operations++;
        if (!b->mode->is_streaming) b->moved_rows += c->rows_under_way;
        histogram_add(&b->latencies, clock_mono_us() - lane->started_us);
    }
    next(c);
}

static void begin(struct bench *b) {
    b->active = b->n_callers;
    b->timer = (struct loop_timer){ .fn = on_timer, .ctx = b };
    if (b->mode->whole || b->warm <= 0) start_measuring(b);
    if (!b->mode->whole) loop_timer_start(b->loop, &b->timer, (uint64_t)((b->measuring ? b->seconds : b->warm) * 1000));
    for (unsigned i = 0; i < b->n_callers; i++) {
        b->callers[i].lane.on_end = on_answer;
        b->callers[i].lane.on_message = b->mode->message;
    }
    for (unsigned i = 0; i < b->n_callers; i++) next(&b->callers[i]);
}

/* ---- before it ---- */

static void take_session(struct lane *lane, struct str message) {
    struct caller *c = lane->ctx;
    struct pb_reader r = pb_read(message);
    struct pb_item item;
    while (pb_next(&r, &item))
        if (item.number == 1 && item.bytes.n < sizeof c->session)
            (void)snprintf(c->session, sizeof c->session, "%.*s", STR_ARG(item.bytes));
}

static void give_up(struct bench *b, const struct err *err) {
    note_error(b, err);
    loop_stop(b->loop);
}

static void session_made(struct lane *lane, const struct err *err) {
    struct bench *b = ((struct caller *)lane->ctx)->bench;
    if (err->code) give_up(b, err);
    else if (++b->sessions == b->n_callers) begin(b);
}

static void make_sessions(struct bench *b) {
    for (unsigned i = 0; i < b->n_callers; i++) {
        struct lane *lane = &b->callers[i].lane;
        lane->on_message = take_session;
        lane->on_end = session_made;
        lane->authorization = load_token(&b->callers[i]);
        rows_create_session(&lane->message, b->database);
        lane_call(lane, STR(SPANNER "CreateSession"));
    }
}

static void create_next(struct lane *lane, const struct err *err) {
    struct caller *c = lane->ctx;
    struct bench *b = c->bench;
    bool instance_is_fixed = c->step == 1; /* an embedded instance is the configuration's: refused, and there */
    if (err->code && err->code != ALREADY_EXISTS && !instance_is_fixed) {
        give_up(b, err);
        return;
    }
    buf_clear(&lane->message);
    switch (c->step++) {
    case 0:
        rows_create_instance(&lane->message, b->database);
        lane_call(lane, STR("/google.spanner.admin.instance.v1.InstanceAdmin/CreateInstance"));
        return;
    case 1:
        rows_create_database(&lane->message, b->database);
        lane_call(lane, STR("/google.spanner.admin.database.v1.DatabaseAdmin/CreateDatabase"));
        return;
    default: loop_stop(b->loop);
    }
}

static void set_up(struct bench *b) {
    struct lane *lane = &b->callers[0].lane;
    const struct err none = { .code = OK };
    lane->authorization = load_token(&b->callers[0]);
    lane->on_end = create_next;
    create_next(lane, &none);
}

void load_run(struct bench *b) {
    if (b->mode->sets_up) set_up(b);
    else if (b->mode->sessionless) begin(b);
    else make_sessions(b);
    loop_run(b->loop);
    if (b->mode->is_streaming && !b->mode->sessionless) b->moved_rows = b->values / FLIGHTS_COLUMNS;
    for (unsigned i = 0; i < b->n_callers; i++) b->bytes_in += b->callers[i].lane.bytes_in;
}
