/* client.c: one load on a Spanner API, measured: rates, latencies, and the CPU time of the server and of itself.
 *
 *     bench_client --url https://127.0.0.1:8443 --ca ca.pem --token-stdin --database projects/…/databases/… MODE
 *
 * Each of --clients callers has a session of its own and one request under way; they share --connections connections on
 * one loop. The clock runs from --warm seconds after the start for --seconds seconds (`load` and `stream`: until all rows
 * went through). One line of JSON on standard output. The token comes on standard input, never in an argument. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/clock.h"
#include "histogram.h"
#include "rows.h"
#include "rpc.h"
#include "wire/pb/pb_read.h"

enum { MAX_CLIENTS = 1024, TOKEN_MAX = 16384, NAME_MAX_BYTES = 512 };

struct bench;

struct mode {
    const char *name, *path;
    void (*request)(struct bench *b, struct lane *lane);
    void (*message)(struct lane *lane, struct str message);
    bool whole;        /* ends when all rows went through, else with the clock */
    bool sets_up;      /* makes the database: one caller without a session */
    bool is_streaming; /* rows are counted from the replies */
};

struct caller {
    struct lane lane;
    struct bench *bench;
    char session[NAME_MAX_BYTES];
    unsigned rows_under_way, step;
    uint64_t values;
};

struct bench {
    const struct mode *mode;
    struct loop *loop;
    struct rpc_target target;
    struct http_client *clients[MAX_CLIENTS];
    struct caller *callers;
    struct str database;
    const char *ca, *url;
    unsigned n_callers, n_connections, batch, server_pid;
    double seconds, warm;
    uint64_t rows, next_row, seed;
    bool token_stdin, measuring, over;
    unsigned sessions, active;
    uint64_t operations, moved_rows, failures, retries, started_us, ended_us, bytes_in;
    double own_cpu, server_cpu;
    struct loop_timer timer;
    struct histogram latencies;
    char first_error[1100];
};

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

/* splitmix64: repeatable, and no two rows in a fixed order */
static uint64_t next_random(struct bench *b) {
    uint64_t z = b->seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static struct str session_of(struct lane *lane) {
    return str_z(((struct caller *)lane->ctx)->session);
}

static void ask_load(struct bench *b, struct lane *lane) {
    struct caller *c = lane->ctx;
    uint64_t left = b->rows - b->next_row;
    c->rows_under_way = left < b->batch ? (unsigned)left : b->batch;
    rows_load(&lane->message, session_of(lane), b->next_row, c->rows_under_way);
    b->next_row += c->rows_under_way;
}

static void ask_commit(struct bench *b, struct lane *lane) {
    ((struct caller *)lane->ctx)->rows_under_way = 1;
    uint64_t random = next_random(b);
    rows_commit(&lane->message, session_of(lane), random % b->rows, random >> 1);
}

static void ask_read(struct bench *b, struct lane *lane) {
    ((struct caller *)lane->ctx)->rows_under_way = 1;
    rows_point_read(&lane->message, session_of(lane), next_random(b) % b->rows);
}

static void ask_sql(struct bench *b, struct lane *lane) {
    ((struct caller *)lane->ctx)->rows_under_way = 1;
    rows_point_sql(&lane->message, session_of(lane), next_random(b) % b->rows);
}

static void ask_stream(struct bench *b, struct lane *lane) {
    struct caller *c = lane->ctx;
    c->values = 0;
    b->next_row += b->rows;
    rows_stream(&lane->message, session_of(lane));
}

/* Values of a PartialResultSet; a value that goes on in the next message counts there. */
static void count_values(struct lane *lane, struct str message) {
    struct caller *c = lane->ctx;
    struct pb_reader r = pb_read(message);
    struct pb_item item;
    while (pb_next(&r, &item)) {
        c->values += item.number == 2;
        if (item.number == 3 && item.value) c->values--;
    }
    c->rows_under_way = (unsigned)(c->values / FLIGHTS_COLUMNS);
}

/* A point read that finds nothing is a fault of the bench: ResultSet.rows is 2. */
static void check_row(struct lane *lane, struct str message) {
    struct caller *c = lane->ctx;
    struct pb_reader r = pb_read(message);
    struct pb_item item;
    c->values = 0;
    while (pb_next(&r, &item)) c->values += item.number == 2;
    c->rows_under_way = (unsigned)c->values;
}

#define SPANNER "/google.spanner.v1.Spanner/"
static const struct mode modes[] = {
    { .name = "setup", .sets_up = true },
    { "load", SPANNER "Commit", ask_load, NULL, .whole = true },
    { "commits", SPANNER "Commit", ask_commit },
    { "reads", SPANNER "Read", ask_read, check_row },
    { "sql", SPANNER "ExecuteSql", ask_sql, check_row },
    { "stream", SPANNER "StreamingRead", ask_stream, count_values, .is_streaming = true },
};

static void note_error(struct bench *b, const struct err *err) {
    b->failures++;
    if (!b->first_error[0])
        (void)snprintf(b->first_error, sizeof b->first_error, "%s: %s", code_name(err->code), err->message);
}

static void next(struct caller *c) {
    struct bench *b = c->bench;
    bool done = b->over || (b->mode->whole && b->next_row >= b->rows) || b->failures > 1000;
    if (!done) {
        buf_clear(&c->lane.message);
        b->mode->request(b, &c->lane);
        lane_call(&c->lane, str_z(b->mode->path));
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
        lane_call(lane, str_z(b->mode->path));
        return;
    }
    if (err->code && err->code != ABORTED) note_error(b, err);
    if (!err->code && c->rows_under_way == 0) (void)(b->failures++, snprintf(b->first_error, 64, "a row was not found"));
    if (b->measuring && !b->ended_us && !err->code) {
        b->operations++;
        b->moved_rows += c->rows_under_way;
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
    lane->on_end = create_next;
    create_next(lane, &none);
}

/* ---- options ---- */

static enum code read_token(struct bench *b, char text[TOKEN_MAX], struct err *err) {
    size_t n = fread(text, 1, TOKEN_MAX - 1, stdin);
    struct str token = str_trim((struct str){ text, n });
    if (!token.n) return err_set(err, INVALID_ARGUMENT, "no token on standard input");
    char *header = malloc(token.n + 8);
    if (!header) return err_oom(err);
    b->target.authorization = (struct str){ header, (size_t)snprintf(header, token.n + 8, "Bearer %.*s", STR_ARG(token)) };
    return OK;
}

static enum code connect_all(struct bench *b, struct err *err) {
    struct tls_ctx *tls = NULL;
    const struct tls_client_config trust = { .ca_file = b->ca };
    enum code rc = b->ca ? tls_client_new(&trust, &tls, err) : OK;
    b->target.base.prior_h2 = !b->ca;
    const struct http_client_config config = { .loop = b->loop, .tls = tls, .max_connections = 1 };
    for (unsigned i = 0; !rc && i < b->n_connections; i++) rc = http_client_new(&config, &b->clients[i], err);
    tls_unref(tls);
    return rc;
}

static const struct option options[] = {
    { "url", required_argument, NULL, 'u' },
    { "ca", required_argument, NULL, 'a' },
    { "token-stdin", no_argument, NULL, 't' },
    { "database", required_argument, NULL, 'd' },
    { "clients", required_argument, NULL, 'c' },
    { "connections", required_argument, NULL, 'n' },
    { "seconds", required_argument, NULL, 's' },
    { "warm", required_argument, NULL, 'w' },
    { "rows", required_argument, NULL, 'r' },
    { "batch", required_argument, NULL, 'b' },
    { "server-pid", required_argument, NULL, 'p' },
    { "seed", required_argument, NULL, 'e' },
    { NULL, 0, NULL, 0 },
};

static bool set_option(struct bench *b, int option) {
    switch (option) {
    case 'u': b->url = optarg; break;
    case 'a': b->ca = optarg; break;
    case 't': b->token_stdin = true; break;
    case 'd': b->database = str_z(optarg); break;
    case 'c': b->n_callers = (unsigned)strtoul(optarg, NULL, 10); break;
    case 'n': b->n_connections = (unsigned)strtoul(optarg, NULL, 10); break;
    case 's': b->seconds = strtod(optarg, NULL); break;
    case 'w': b->warm = strtod(optarg, NULL); break;
    case 'r': b->rows = strtoull(optarg, NULL, 10); break;
    case 'b': b->batch = (unsigned)strtoul(optarg, NULL, 10); break;
    case 'p': b->server_pid = (unsigned)strtoul(optarg, NULL, 10); break;
    case 'e': b->seed = strtoull(optarg, NULL, 10); break;
    default: return false;
    }
    return true;
}

static bool read_options(struct bench *b, int argc, char **argv) {
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!set_option(b, option)) return false;
    for (size_t i = 0; optind < argc && i < COUNT(modes); i++)
        if (str_eq_z(str_z(argv[optind]), modes[i].name)) b->mode = &modes[i];
    if (!b->n_connections || b->n_connections > b->n_callers) b->n_connections = b->n_callers;
    return b->mode && b->url && b->database.n && b->n_callers && b->n_callers <= MAX_CLIENTS && b->batch && b->rows;
}

static void print_result(const struct bench *b) {
    double seconds = b->ended_us ? (double)(b->ended_us - b->started_us) / 1e6 : 0;
    printf("{\"mode\":\"%s\",\"clients\":%u,\"connections\":%u,\"operations\":%" PRIu64 ",\"rows\":%" PRIu64
           ",\"retries\":%" PRIu64 ",\"seconds\":%.4f,\"client_cpu\":%.3f,\"server_cpu\":%.3f,\"bytes_in\":%" PRIu64
           ",\"failures\":%" PRIu64 ",\"p50_us\":%" PRIu64 ",\"p90_us\":%" PRIu64 ",\"p99_us\":%" PRIu64
           ",\"max_us\":%" PRIu64 "}\n",
           b->mode->name, b->n_callers, b->n_connections, b->operations, b->moved_rows, b->retries, seconds, b->own_cpu,
           b->server_cpu, b->bytes_in, b->failures, histogram_at(&b->latencies, 0.5), histogram_at(&b->latencies, 0.9),
           histogram_at(&b->latencies, 0.99), histogram_at(&b->latencies, 1.0));
    if (b->failures) (void)fprintf(stderr, "bench_client: %" PRIu64 " failures, first: %s\n", b->failures, b->first_error);
}

static enum code run(struct bench *b, struct err *err) {
    static char token[TOKEN_MAX];
    enum code rc = b->token_stdin ? read_token(b, token, err) : OK;
    if (!rc) rc = http_url_split(str_z(b->url), &b->target.base, err);
    if (!rc) rc = loop_new(&b->loop, err);
    if (!rc) rc = connect_all(b, err);
    if (!rc && !(b->callers = calloc(b->n_callers, sizeof *b->callers))) rc = err_oom(err);
    if (rc) return rc;
    for (unsigned i = 0; i < b->n_callers; i++) {
        b->callers[i].bench = b;
        lane_init(&b->callers[i].lane, b->clients[i % b->n_connections], &b->target, &b->callers[i]);
    }
    if (b->mode->sets_up) set_up(b);
    else make_sessions(b);
    loop_run(b->loop);
    for (unsigned i = 0; i < b->n_callers; i++) b->bytes_in += b->callers[i].lane.bytes_in;
    return OK;
}

static void shut(struct bench *b) {
    for (unsigned i = 0; i < b->n_connections; i++) http_client_free(b->clients[i]);
    for (unsigned i = 0; b->callers && i < b->n_callers; i++) lane_free(&b->callers[i].lane);
    loop_free(b->loop);
    free(b->callers);
    free((void *)(uintptr_t)b->target.authorization.p);
}

int main(int argc, char **argv) {
    static struct bench bench = { .n_callers = 1, .batch = 4000, .seconds = 3, .warm = 0.3, .rows = 100000, .seed = 1 };
    struct err err = { .code = OK };
    if (!read_options(&bench, argc, argv)) {
        (void)fprintf(stderr, "usage: bench_client --url URL [--ca FILE] [--token-stdin] --database NAME [--clients N] "
                              "[--connections N] [--seconds S] [--rows N] [--batch N] [--server-pid PID] "
                              "setup|load|commits|reads|sql|stream\n");
        return 64;
    }
    if (run(&bench, &err)) (void)fprintf(stderr, "bench_client: %s\n", err.message);
    else print_result(&bench);
    shut(&bench);
    return err.code || bench.failures ? 1 : 0;
}
