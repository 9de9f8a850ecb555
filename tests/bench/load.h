/* load.h: one load on one target: callers on lanes, what they ask, and what is measured.
 *
 * load_run drives it on the loop's thread from the first session to the last answer. modes.c says what each mode asks. */
#pragma once
#include "histogram.h"
#include "rpc.h"

enum { MAX_CLIENTS = 1024, NAME_MAX_BYTES = 512 };

struct bench;

struct mode {
    const char *name, *path;
    void (*request)(struct bench *b, struct lane *lane);
    void (*message)(struct lane *lane, struct str message);
    bool whole;        /* ends when all rows went through, else with the clock */
    bool sets_up;      /* makes the database: one caller without a session */
    bool is_streaming; /* rows are counted from the replies */
    bool sessionless;  /* no Spanner: any gRPC service, or */
    bool plain;        /* a form and its answer */
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
    struct http_client_request target;
    struct str *tokens; /* "Bearer …": each caller's own, or the next one for each call */
    size_t n_tokens, next_token;
    const char *form; /* of a plain mode: its body; a token follows it where there are any */
    struct http_client *clients[MAX_CLIENTS];
    struct caller *callers;
    struct str database;
    const char *ca, *url, *path; /* path: instead of the mode's */
    unsigned n_callers, n_connections, batch, server_pid;
    double seconds, warm;
    uint64_t rows, next_row, seed;
    bool token_stdin, rotate, http1, measuring, over;
    unsigned sessions, active;
    uint64_t operations, moved_rows, failures, retries, values, started_us, ended_us, bytes_in;
    double own_cpu, server_cpu;
    struct loop_timer timer;
    struct histogram latencies;
    char first_error[1100];
};

const struct mode *mode_find(struct str name); /* NULL: there is none */
struct str load_token(struct caller *c);       /* "Bearer …"; empty: there are none */
void load_run(struct bench *b);                /* until it is over; failures are counted in it */
