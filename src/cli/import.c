/* import.c: loads a CSV file into a table, sorted by its key, in commits under Spanner's limits. */
#include "cli/import.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/json_text.h"
#include "cli/commands.h"

enum { ARENA_BYTES = 64 << 20, FIELD_ARENA_BYTES = 32 << 20, READ_BYTES = 1 << 20, BAR_WIDTH = 24, BAR_US = 200000 };

struct job {
    const struct args *args;
    struct err *err;
    struct channel *channel;
    struct arena *arena, *fields; /* fields: of one row */
    struct str session;
    struct import_table *table;
    struct import_map *map;
    struct csv *csv;
    struct import_rows rows;
    struct import_limits limits;
    struct import_counts counts;
    const char *file;
    int fd;
    struct buf input;
    size_t consumed; /* of input */
    bool end, mapped;
    uint64_t file_bytes, read_bytes, read_rows, skipped;
    int64_t may_skip;
    unsigned runs;
    bool bar;
    uint64_t start_us, shown_us;
};

/* ---- progress ---- */

static double seconds_since(uint64_t start_us) {
    return (double)(clock_mono_us() - start_us) / 1e6;
}

static void show(void *ctx) {
    struct job *j = ctx;
    uint64_t now = clock_mono_us();
    if (!j->bar || now - j->shown_us < BAR_US) return;
    j->shown_us = now;
    /* Reading is the first tenth of a run, sending the rest. */
    double read = j->file_bytes ? (double)j->read_bytes / (double)j->file_bytes : 1;
    double sent = j->read_rows ? (double)j->counts.rows / (double)j->read_rows : 0;
    double part = read * (0.1 + 0.9 * sent);
    char bar[BAR_WIDTH + 1];
    for (int i = 0; i < BAR_WIDTH; i++) bar[i] = (double)i < part * BAR_WIDTH ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    (void)fprintf(stderr, "\r[%s] %3.0f %%  %llu rows, %.0f rows/s \x1b[K", bar, part * 100,
                  (unsigned long long)j->counts.rows, (double)j->counts.rows / seconds_since(j->start_us));
}

static void clear_bar(struct job *j) {
    if (j->bar && j->shown_us) (void)fputs("\r\x1b[K", stderr);
}

/* ---- reading ---- */

static enum code read_more(struct job *j) {
    buf_consume(&j->input, j->consumed);
    j->consumed = 0;
    if (!buf_reserve(&j->input, READ_BYTES)) return err_oom(j->err);
    ssize_t n;
    do n = read(j->fd, j->input.p + j->input.n, READ_BYTES);
    while (n < 0 && errno == EINTR);
    if (n < 0) return err_errno(j->err, j->file);
    j->input.n += (size_t)n;
    j->read_bytes += (uint64_t)n;
    j->end = n == 0;
    show(j);
    return OK;
}

/* A row that cannot be used: named, and counted against --skip-bad. */
static enum code bad_row(struct job *j) {
    const struct err bad = *j->err, *e = &bad;
    if ((int64_t)j->skipped >= j->may_skip)
        return err_set(j->err, INVALID_ARGUMENT, "%s:%u:%u: %s%s", j->file, e->line, e->column, e->message,
                       j->may_skip ? ": more bad rows than --skip-bad allows" : " (--skip-bad N passes over bad rows)");
    j->skipped++;
    clear_bar(j);
    (void)fprintf(stderr, "%s:%u:%u: skipped: %s\n", j->file, e->line, e->column, e->message);
    return OK;
}

static enum code take_row(struct job *j, unsigned line) {
    if (!j->mapped) {
        j->mapped = true;
        return import_map_make(j->table, j->csv, args_text(j->args, "columns"), j->map, j->err);
    }
    enum code rc = import_row_add(j->map, j->csv, line, &j->rows, j->err);
    if (rc == INVALID_ARGUMENT) return bad_row(j);
    if (!rc) j->read_rows++;
    return rc;
}

/* Fills j->rows until it is full or the file ends. */
static enum code read_run(struct job *j) {
    enum code rc = OK;
    while (!rc && !import_rows_full(&j->rows)) {
        struct str rest = str_from(buf_str(&j->input), j->consumed);
        arena_reset(j->fields);
        size_t before = rest.n;
        enum csv_got got = csv_next(j->csv, &rest, j->end, j->fields, j->err);
        unsigned line = j->csv->row_line;
        j->consumed += before - rest.n;
        if (got == CSV_END) return j->mapped ? OK : err_set(j->err, INVALID_ARGUMENT, "%s is empty: no header", j->file);
        if (got == CSV_ROW) rc = take_row(j, line);
        else if (got == CSV_BAD) rc = j->mapped ? bad_row(j) : INVALID_ARGUMENT;
        else rc = read_more(j);
    }
    return rc;
}

static bool file_is_done(const struct job *j) {
    return j->end && j->consumed == j->input.n;
}

static enum code load(struct job *j) {
    enum code rc = OK;
    do {
        rc = read_run(j);
        if (rc) return rc;
        j->runs++;
        import_rows_sort(&j->rows);
        if (!args_has(j->args, "dry-run"))
            rc = import_send(j->channel, j->session, j->map, &j->rows, &j->limits, &j->counts, j->err);
        import_rows_clear(&j->rows);
    } while (!rc && !file_is_done(j));
    return rc;
}

/* ---- the command ---- */

static enum code read_limits(struct job *j) {
    int64_t cells = 0, in_flight = 0, memory = 0;
    enum code rc = args_number(j->args, "batch", 1, 80000, &cells, j->err);
    if (!rc) rc = args_number(j->args, "in-flight", 1, 32, &in_flight, j->err);
    if (!rc) rc = args_number(j->args, "memory", 16, 1 << 20, &memory, j->err);
    if (!rc) rc = args_number(j->args, "skip-bad", 0, INT64_MAX, &j->may_skip, j->err);
    if (rc) return rc;
    j->limits = (struct import_limits){ (size_t)cells, 90 << 20, (unsigned)in_flight };
    j->rows = (struct import_rows){ .bytes = BUF_INIT((size_t)memory * 2 << 20), .max_bytes = (size_t)memory << 20 };
    const char *const *nulls = args_list(j->args, "null");
    for (; *nulls && j->map->n_nulls < IMPORT_NULLS_MAX; nulls++) j->map->nulls[j->map->n_nulls++] = str_z(*nulls);
    if (j->map->n_nulls == 0) j->map->nulls[j->map->n_nulls++] = STR("");
    return OK;
}

static enum code open_file(struct job *j) {
    struct stat st;
    j->fd = open(j->file, O_RDONLY | O_CLOEXEC);
    if (j->fd < 0 || fstat(j->fd, &st) != 0) return err_errno(j->err, j->file);
    j->file_bytes = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    return OK;
}

static void report(const struct job *j, double seconds, struct buf *out) {
    bool dry = args_has(j->args, "dry-run");
    unsigned long long rows = dry ? j->read_rows : j->counts.rows;
    if (args_has(j->args, "json")) {
        buf_add_z(out, "{\"table\":");
        json_text_string(out, j->table->name);
        buf_printf(out, ",\"rows\":%llu,\"skipped\":%llu,\"commits\":%llu,\"retries\":%llu,\"bytes\":%llu,\"seconds\":%.3f",
                   rows, (unsigned long long)j->skipped, (unsigned long long)j->counts.commits,
                   (unsigned long long)j->counts.retries, (unsigned long long)j->counts.bytes, seconds);
        buf_printf(out, ",\"dry_run\":%s,\"runs\":%u}\n", dry ? "true" : "false", j->runs);
        return;
    }
    buf_printf(out, "%.*s: %llu rows", STR_ARG(j->table->name), rows);
    if (dry) buf_add_z(out, " could be imported (dry run: nothing was sent)");
    else
        buf_printf(out, " in %llu commits, %llu bytes, %.1f s (%.0f rows/s)", (unsigned long long)j->counts.commits,
                   (unsigned long long)j->counts.bytes, seconds, (double)rows / (seconds > 0 ? seconds : 1));
    buf_printf(out, ", %llu skipped%s\n", (unsigned long long)j->skipped,
               j->runs > 1 ? "; sorted in runs, as the file is larger than --memory" : "");
}

static enum code prepare(struct job *j, char database[QUERY_NAME_MAX]) {
    enum code rc = query_database_name(j->args->operands[0], database, j->err);
    if (!rc) rc = read_limits(j);
    if (!rc) rc = open_file(j);
    if (!rc) rc = channel_open(j->args, &j->channel, j->err);
    if (!rc) rc = query_session(j->channel, database, j->arena, &j->session, j->err);
    return rc ? rc : import_table_read(j->channel, j->session, j->args->operands[1], j->arena, j->table, j->err);
}

static void let_go(struct job *j) {
    channel_close(j->channel);
    import_rows_free(&j->rows);
    buf_free(&j->input);
    file_close(&j->fd);
    arena_free(j->fields);
}

static int run(struct args *args) {
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    DEFER(buf_free) struct buf out = BUF_INIT(4096);
    char database[QUERY_NAME_MAX];
    struct err err;
    struct job j = { .args = args, .err = &err, .arena = arena, .fields = arena_new(FIELD_ARENA_BYTES), .fd = -1 };
    j.file = args->operands[2];
    j.input = (struct buf)BUF_INIT(CSV_ROW_MAX + 4 * READ_BYTES);
    j.bar = isatty(STDERR_FILENO);
    j.start_us = clock_mono_us();
    j.counts = (struct import_counts){ .progress = show, .ctx = &j };
    j.table = arena ? ARENA_NEW(arena, struct import_table) : NULL;
    j.map = arena ? ARENA_NEW(arena, struct import_map) : NULL;
    j.csv = arena ? ARENA_NEW(arena, struct csv) : NULL;
    enum code rc = j.table && j.map && j.csv && j.fields ? prepare(&j, database) : err_oom(&err);
    if (!rc) rc = load(&j);
    clear_bar(&j);
    double seconds = seconds_since(j.start_us);
    if (rc && j.counts.rows)
        (void)fprintf(stderr, "linkspan import: %llu rows are committed; the same command again goes over them\n",
                      (unsigned long long)j.counts.rows);
    if (!rc) report(&j, seconds, &out);
    let_go(&j);
    return rc ? complain(args, &err) : print_out(&out);
}

static const struct option options[] = {
    OPTIONS_SERVER,
    { .name = "null", .value = "TEXT", .repeated = true, .doc = "What means NULL, unquoted. Default: an empty field." },
    { .name = "columns", .value = "A,B", .doc = "Imports only these of the file's columns." },
    { .name = "batch", .value = "CELLS", .fallback = "75000", .doc = "Most cells in a commit; Spanner takes 80000." },
    { .name = "in-flight", .value = "N", .fallback = "4", .doc = "Commits under way at once." },
    { .name = "memory",
      .value = "MIB",
      .fallback = "1024",
      .doc = "Rows that are sorted at once; beyond it the file is sorted in runs." },
    { .name = "skip-bad", .value = "N", .fallback = "0", .doc = "Passes over so many bad rows, naming each." },
    { .name = "dry-run", .doc = "Reads and checks everything, sends nothing." },
    { .name = "json",
      .doc = "The summary as JSON: {table, rows, skipped, commits, retries, bytes, seconds, dry_run, runs}." },
    { 0 },
};
const struct command command_import = {
    .name = "import",
    .line = "Loads a CSV file into a table",
    .operands = "PROJECT/INSTANCE/DATABASE TABLE FILE.csv",
    .min_operands = 3,
    .max_operands = 3,
    .options = options,
    .about = "The first row names the columns, in any case and order. Rows are sorted by the table's key and written with\n"
             "insert_or_update, so the same command may be run again. CSV is RFC 4180: quotes around whole fields, doubled "
             "inside.\n"
             "A bad row is an error that names line, column and reason, before anything of its run was sent.\n\n"
             "  linkspan import demo/demo/flights Flights flights.csv --null NA",
    .run = run,
};
