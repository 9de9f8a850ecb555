/* sql.c: runs SQL statements and prints their rows. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/json_text.h"
#include "cli/commands.h"
#include "cli/operation.h"
#include "cli/query.h"
#include "cli/statements.h"
#include "cli/table.h"
#include "wire/pb/spanner.pb.h"
#include "wire/pb/wkt.pb.h"

enum {
    ARENA_BYTES = 64 << 20,
    TABLE_BYTES = 256 << 20,
    OUT_BYTES = 64 << 20,
    INPUT_BYTES = 16 << 20,
    FLUSH_BYTES = 256 << 10,
    BLOCK_ROWS = 1000,
    DDL_MAX = 1000
};
enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_CSV };

struct session {
    struct channel *channel;
    char database[QUERY_NAME_MAX];
    struct arena *arena;
    struct str name; /* of the multiplexed session; empty: not made yet */
    enum format format;
    struct buf out, cell;
    struct table table;
    int32_t codes[TABLE_COLUMNS_MAX];
    size_t rows;
    struct str ddl[DDL_MAX]; /* one after the other: they go together */
    size_t n_ddl;
};

static enum code flush(struct session *s, struct err *err) {
    enum code rc = buf_ok(&s->out) ? file_write_all(STDOUT_FILENO, buf_str(&s->out), err)
                                   : err_set(err, RESOURCE_EXHAUSTED, "a row is larger than this program prints");
    buf_clear(&s->out);
    return rc;
}

static enum code print_block(struct session *s, struct err *err) {
    table_print(&s->table, &s->out);
    table_clear(&s->table);
    return flush(s, err);
}

static bool is_number(int32_t code) {
    return code == spanner_TypeCode_INT64 || code == spanner_TypeCode_FLOAT64 || code == spanner_TypeCode_FLOAT32 ||
           code == spanner_TypeCode_NUMERIC;
}

static enum code on_columns(void *ctx, const struct spanner_StructType *type, struct err *err) {
    struct session *s = ctx;
    if (type->fields.n > TABLE_COLUMNS_MAX)
        return err_set(err, UNIMPLEMENTED, "more than %d columns are not printed", TABLE_COLUMNS_MAX);
    s->table.n_columns = type->fields.n;
    for (size_t i = 0; i < type->fields.n; i++) {
        s->table.names[i] = type->fields.p[i].name;
        s->codes[i] = type->fields.p[i].type ? type->fields.p[i].type->code : 0;
        s->table.right[i] = is_number(s->codes[i]);
        if (s->format != FORMAT_CSV) continue;
        if (i) buf_add_char(&s->out, ',');
        csv_put_field(&s->out, s->table.names[i]);
    }
    if (s->format == FORMAT_CSV) buf_add_char(&s->out, '\n');
    return OK;
}

static enum code row_to_table(struct session *s, const struct pb_Value *values, size_t n, struct err *err) {
    for (size_t i = 0; i < n; i++) {
        buf_clear(&s->cell);
        bool some = query_value_text(&values[i], &s->cell);
        if (!table_add(&s->table, buf_str(&s->cell), !some)) return err_oom(err);
    }
    return s->rows % BLOCK_ROWS ? OK : print_block(s, err);
}

static void row_to_json(struct session *s, const struct pb_Value *values, size_t n) {
    for (size_t i = 0; i < n; i++) {
        buf_add_char(&s->out, i ? ',' : '{');
        json_text_string(&s->out, s->table.names[i]);
        buf_add_char(&s->out, ':');
        query_value_json(&values[i], s->codes[i], &s->out);
    }
    buf_add_z(&s->out, "}\n");
}

/* NULL is an empty field; an empty text is "". */
static void row_to_csv(struct session *s, const struct pb_Value *values, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (i) buf_add_char(&s->out, ',');
        buf_clear(&s->cell);
        if (query_value_text(&values[i], &s->cell)) csv_put_field(&s->out, buf_str(&s->cell));
    }
    buf_add_char(&s->out, '\n');
}

static enum code on_row(void *ctx, const struct pb_Value *values, size_t n, struct err *err) {
    struct session *s = ctx;
    s->rows++;
    if (s->format == FORMAT_TABLE) return row_to_table(s, values, n, err);
    if (s->format == FORMAT_JSON) row_to_json(s, values, n);
    else row_to_csv(s, values, n);
    return s->out.n >= FLUSH_BYTES ? flush(s, err) : OK;
}

static enum code run_query(struct session *s, struct str statement, struct err *err) {
    DEFER(arena_freep) struct arena *rows = arena_new(TABLE_BYTES);
    const struct query_rows handler = { s, on_columns, on_row };
    enum code rc = rows ? OK : err_oom(err);
    if (!rc && !s->name.n) rc = query_session(s->channel, s->database, s->arena, &s->name, err);
    s->table = (struct table){ .arena = rows };
    s->rows = 0;
    if (!rc) rc = query_run(s->channel, s->name, statement, &handler, s->arena, err);
    if (rc) return rc;
    if (s->format == FORMAT_TABLE && s->table.n_columns && (s->table.n_cells || s->rows == 0)) rc = print_block(s, err);
    if (!rc) rc = flush(s, err);
    if (s->format == FORMAT_TABLE) (void)fprintf(stderr, "%zu row%s\n", s->rows, s->rows == 1 ? "" : "s");
    return rc;
}

static enum code run_ddl(struct session *s, struct err *err) {
    if (s->n_ddl == 0) return OK;
    enum code rc = database_ddl(s->channel, s->database, s->ddl, s->n_ddl, s->arena, err);
    if (!rc) (void)fprintf(stderr, "%zu schema change%s\n", s->n_ddl, s->n_ddl == 1 ? "" : "s");
    s->n_ddl = 0;
    return rc;
}

static enum code run_statements(struct session *s, struct str text, struct err *err) {
    struct str statement;
    while (statements_next(&text, &statement)) {
        enum code rc = OK;
        bool ddl = statement_is_ddl(statement);
        if (!ddl || s->n_ddl == DDL_MAX) rc = run_ddl(s, err);
        if (!rc && ddl) s->ddl[s->n_ddl++] = statement;
        else if (!rc) rc = run_query(s, statement, err);
        if (rc) return rc;
    }
    return run_ddl(s, err);
}

static enum code read_stdin(struct buf *out, struct err *err) {
    while (buf_reserve(out, 65536)) {
        ssize_t n = read(STDIN_FILENO, out->p + out->n, 65536);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_errno(err, "standard input");
        if (n == 0) return OK;
        out->n += (size_t)n;
    }
    return err_set(err, RESOURCE_EXHAUSTED, "standard input holds more than 16 MiB of statements: give them in parts");
}

static enum code run_all(struct session *s, const struct args *args, struct err *err) {
    DEFER(buf_free) struct buf input = BUF_INIT(INPUT_BYTES + 65536);
    const char *const *given = args_list(args, "execute");
    enum code rc = OK;
    if (args_has(args, "create")) rc = database_create(s->channel, s->database, s->arena, err);
    for (; !rc && *given; given++) rc = run_statements(s, str_z(*given), err);
    if (rc || args_has(args, "execute")) return rc;
    if (isatty(STDIN_FILENO)) (void)fputs("Statements, each ended by ';', then Ctrl-D:\n", stderr);
    rc = read_stdin(&input, err);
    return rc ? rc : run_statements(s, buf_str(&input), err);
}

static int run(struct args *args) {
    DEFER(channel_closep) struct channel *channel = NULL;
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    struct err err;
    struct session *s = arena ? ARENA_NEW(arena, struct session) : NULL;
    if (!s) return err_oom(&err), complain(args, &err);
    s->arena = arena;
    s->out = (struct buf)BUF_INIT(OUT_BYTES);
    s->cell = (struct buf)BUF_INIT(OUT_BYTES);
    s->format = args_has(args, "json") ? FORMAT_JSON : args_has(args, "csv") ? FORMAT_CSV : FORMAT_TABLE;
    enum code rc = query_database_name(args->operands[0], s->database, &err);
    if (!rc) rc = channel_open(args, &channel, &err);
    s->channel = channel;
    if (!rc) rc = run_all(s, args, &err);
    buf_free(&s->out);
    buf_free(&s->cell);
    return rc ? complain(args, &err) : 0;
}

static const struct option options[] = {
    OPTIONS_SERVER,
    { .name = "execute",
      .value = "STATEMENT",
      .repeated = true,
      .doc = "Runs this (also -e), and reads no standard input." },
    { .name = "json", .doc = "One JSON object a row and line." },
    { .name = "csv", .doc = "CSV with a header; NULL is an empty field, an empty text is \"\"." },
    { .name = "create", .doc = "Makes the database first, when it is not there." },
    { 0 },
};
const struct command command_sql = {
    .name = "sql",
    .line = "Runs SQL and prints tables",
    .operands = "PROJECT/INSTANCE/DATABASE",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .about = "Without -e it reads statements from standard input, each ended by `;`. CREATE, ALTER and DROP go to the "
             "schema, what\n"
             "stands together in one change; all else is a query of its own, read at the newest state. Stops at the first "
             "fault.\n\n"
             "  linkspan sql demo/demo/flights -e 'SELECT carrier, COUNT(*) AS n FROM Flights GROUP BY carrier'\n"
             "  linkspan sql demo/demo/flights --create <schema.sql",
    .run = run,
};
