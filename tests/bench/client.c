/* client.c: one load on a Spanner API or any other, measured: rates, latencies, and the CPU time of the server and of
 * itself.
 *
 *     bench_client --url https://127.0.0.1:8443 --ca ca.pem --tokens-stdin --database projects/…/databases/… MODE
 *
 * Each of --clients callers has one request under way (and a session of its own on Spanner); they share --connections
 * connections on one loop. The clock runs from --warm seconds after the start for --seconds seconds (`load` and `stream`:
 * until all rows went through). One line of JSON on standard output. Tokens come on standard input, one a line, never in an
 * argument. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "load.h"

enum { TOKENS_MAX_BYTES = 256 << 20 };

/* ---- options ---- */

/* One token a line. Kept as the header's value, for all callers. */
static enum code read_tokens(struct bench *b, struct buf *text, struct err *err) {
    DEFER(buf_free) struct buf lines = BUF_INIT(TOKENS_MAX_BYTES);
    char piece[65536];
    for (size_t n; (n = fread(piece, 1, sizeof piece, stdin)) > 0;) buf_add(&lines, piece, n);
    size_t n_lines = 0;
    for (size_t i = 0; i < lines.n; i++) n_lines += lines.p[i] == '\n';
    b->tokens = calloc(n_lines + 1, sizeof *b->tokens);
    if (!b->tokens || !buf_ok(&lines) || !buf_reserve(text, lines.n + 8 * (n_lines + 1))) return err_oom(err);
    for (struct str rest = buf_str(&lines), line; (line = str_trim(str_cut(&rest, '\n'))).n;) {
        size_t at = text->n;
        buf_printf(text, "Bearer %.*s", STR_ARG(line));
        b->tokens[b->n_tokens++] = str_from(buf_str(text), at);
    }
    return b->n_tokens ? OK : err_set(err, INVALID_ARGUMENT, "no token on standard input");
}

static enum code connect_all(struct bench *b, struct err *err) {
    struct tls_ctx *tls = NULL;
    const struct tls_client_config trust = { .ca_file = b->ca };
    enum code rc = b->ca ? tls_client_new(&trust, &tls, err) : OK;
    b->target.prior_h2 = !b->ca && !b->http1;
    const struct http_client_config config = { .loop = b->loop, .tls = tls, .max_connections = 1 };
    for (unsigned i = 0; !rc && i < b->n_connections; i++) rc = http_client_new(&config, &b->clients[i], err);
    tls_unref(tls);
    return rc;
}

static const struct option options[] = {
    { "url", required_argument, NULL, 'u' },
    { "ca", required_argument, NULL, 'a' },
    { "tokens-stdin", no_argument, NULL, 't' },
    { "rotate-from", required_argument, NULL, 'o' },
    { "form", required_argument, NULL, 'f' },
    { "path", required_argument, NULL, 'l' },
    { "http1", no_argument, NULL, '1' },
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
    case 'o':
        b->rotate = true;
        b->next_token = strtoull(optarg, NULL, 10);
        break;
    case 'f': b->form = optarg; break;
    case 'l': b->path = optarg; break;
    case '1': b->http1 = true; break;
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
    if (optind + 1 == argc) b->mode = mode_find(str_z(argv[optind]));
    if (!b->n_connections || b->n_connections > b->n_callers) b->n_connections = b->n_callers;
    bool named = b->mode && (b->database.n || b->mode->sessionless);
    return named && b->url && b->n_callers && b->n_callers <= MAX_CLIENTS && b->batch && b->rows;
}

static void print_result(const struct bench *b) {
    double seconds = b->ended_us ? (double)(b->ended_us - b->started_us) / 1e6 : 0;
    uint64_t moved = b->mode->sessionless ? b->values : b->bytes_in;
    printf("{\"mode\":\"%s\",\"clients\":%u,\"connections\":%u,\"operations\":%" PRIu64 ",\"rows\":%" PRIu64
           ",\"retries\":%" PRIu64 ",\"seconds\":%.4f,\"client_cpu\":%.3f,\"server_cpu\":%.3f,\"bytes_in\":%" PRIu64
           ",\"failures\":%" PRIu64 ",\"next_token\":%zu,\"p50_us\":%" PRIu64 ",\"p90_us\":%" PRIu64 ",\"p99_us\":%" PRIu64
           ",\"max_us\":%" PRIu64 "}\n",
           b->mode->name, b->n_callers, b->n_connections, b->operations, b->moved_rows, b->retries, seconds, b->own_cpu,
           b->server_cpu, moved, b->failures, b->next_token, histogram_at(&b->latencies, 0.5),
           histogram_at(&b->latencies, 0.9), histogram_at(&b->latencies, 0.99), histogram_at(&b->latencies, 1.0));
    if (b->failures) (void)fprintf(stderr, "bench_client: %" PRIu64 " failures, first: %s\n", b->failures, b->first_error);
}

static enum code run(struct bench *b, struct buf *text, struct err *err) {
    enum code rc = b->token_stdin ? read_tokens(b, text, err) : OK;
    if (!rc) rc = http_url_split(str_z(b->url), &b->target, err);
    if (!rc) rc = loop_new(&b->loop, err);
    if (!rc) rc = connect_all(b, err);
    if (!rc && !(b->callers = calloc(b->n_callers, sizeof *b->callers))) rc = err_oom(err);
    if (rc) return rc;
    for (unsigned i = 0; i < b->n_callers; i++) {
        b->callers[i].bench = b;
        lane_init(&b->callers[i].lane, b->clients[i % b->n_connections], &b->target, &b->callers[i]);
    }
    load_run(b);
    return OK;
}

static void shut(struct bench *b) {
    for (unsigned i = 0; i < b->n_connections; i++) http_client_free(b->clients[i]);
    for (unsigned i = 0; b->callers && i < b->n_callers; i++) lane_free(&b->callers[i].lane);
    loop_free(b->loop);
    free(b->callers);
    free(b->tokens);
}

int main(int argc, char **argv) {
    static struct bench bench = { .n_callers = 1, .batch = 4000, .seconds = 3, .warm = 0.3, .rows = 100000, .seed = 1 };
    DEFER(buf_free) struct buf text = BUF_INIT(TOKENS_MAX_BYTES);
    struct err err = { .code = OK };
    if (!read_options(&bench, argc, argv)) {
        (void)fprintf(
            stderr, "usage: bench_client --url URL [--ca FILE | --http1] [--tokens-stdin [--rotate-from N]] [--clients N] "
                    "[--connections N] [--seconds S] [--warm S] [--server-pid PID] [--seed N]\n"
                    "       --database NAME [--rows N] [--batch N] setup|load|commits|reads|sql|stream\n"
                    "       echo|bulk | [--form TEXT] [--path PATH] form\n");
        return 64;
    }
    if (run(&bench, &text, &err)) (void)fprintf(stderr, "bench_client: %s\n", err.message);
    else print_result(&bench);
    shut(&bench);
    return err.code || bench.failures ? 1 : 0;
}
