/* modes.c: what a caller asks in each mode, and how it counts what is in the answer. */
#include "load.h"
#include <stdio.h>
#include "rows.h"
#include "wire/pb/pb_read.h"
#include "wire/pb/pb_write.h"

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

/* Values of a PartialResultSet; a value that goes on in the next message counts there. Counted as they come: a stream may
 * take longer than the measurement. */
static void count_values(struct lane *lane, struct str message) {
    struct caller *c = lane->ctx;
    struct pb_reader r = pb_read(message);
    struct pb_item item;
    uint64_t values = 0;
    while (pb_next(&r, &item)) {
        values += item.number == 2;
        if (item.number == 3 && item.value) values--;
    }
    if (c->bench->measuring && !c->bench->ended_us) c->bench->values += values;
    c->values += values;
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

/* ---- any service ---- */

enum { ECHO_BYTES = 100, BULK_BYTES = 10 << 20 };

/* echo.c answers the same message. */
static void ask_echo(struct bench *b, struct lane *lane) {
    char text[ECHO_BYTES];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)('a' + (next_random(b) + i) % 26);
    pb_put_bytes(&lane->message, 1, (struct str){ text, sizeof text });
}

static void ask_bulk(struct bench *b UNUSED, struct lane *lane) {
    pb_put_u64(&lane->message, 1, BULK_BYTES);
}

static void count_bytes(struct lane *lane, struct str message) {
    struct bench *b = ((struct caller *)lane->ctx)->bench;
    if (b->measuring && !b->ended_us) b->values += message.n;
}

/* "grant_type=…&subject_token=" and a token, where there are tokens. */
static void ask_form(struct bench *b, struct lane *lane) {
    buf_add_z(&lane->message, b->form ? b->form : "");
    struct str token = load_token(lane->ctx);
    buf_add_str(&lane->message, str_from(token, token.n ? sizeof "Bearer " - 1 : 0));
}

#define SPANNER "/google.spanner.v1.Spanner/"
static const struct mode modes[] = {
    { .name = "setup", .sets_up = true },
    { "load", SPANNER "Commit", ask_load, NULL, .whole = true },
    { "commits", SPANNER "Commit", ask_commit },
    { "reads", SPANNER "Read", ask_read, check_row },
    { "sql", SPANNER "ExecuteSql", ask_sql, check_row },
    { "stream", SPANNER "StreamingRead", ask_stream, count_values, .is_streaming = true },
    { "echo", "/bench.Echo/Say", ask_echo, .sessionless = true },
    { "bulk", "/bench.Echo/Pour", ask_bulk, count_bytes, .sessionless = true },
    { "form", "/v1/token", ask_form, .sessionless = true, .plain = true },
};

const struct mode *mode_find(struct str name) {
    for (size_t i = 0; i < COUNT(modes); i++)
        if (str_eq_z(name, modes[i].name)) return &modes[i];
    return NULL;
}
