#include "rows.h"
#include <inttypes.h>
#include <stdio.h>
#include "wire/pb/pb_write.h"

enum { KEY_PARTS = 6, POINT_COLUMNS = 5, FLIGHTS_A_CARRIER = 60, TYPE_INT64 = 2, TYPE_STRING = 6 };

static const char *const flights_columns[FLIGHTS_COLUMNS] = {
    "year",           "month",     "day",     "dep_time", "sched_dep_time", "dep_delay", "arr_time",
    "sched_arr_time", "arr_delay", "carrier", "flight",   "tailnum",        "origin",    "dest",
    "air_time",       "distance",  "hour",    "minute",   "time_hour",
};
static const char flights_ddl[] =
    "CREATE TABLE Flights (year INT64 NOT NULL, month INT64 NOT NULL, day INT64 NOT NULL, dep_time INT64, "
    "sched_dep_time INT64 NOT NULL, dep_delay INT64, arr_time INT64, sched_arr_time INT64 NOT NULL, arr_delay INT64, "
    "carrier STRING(2) NOT NULL, flight INT64 NOT NULL, tailnum STRING(6), origin STRING(3) NOT NULL, dest STRING(3) NOT "
    "NULL, "
    "air_time INT64, distance INT64 NOT NULL, hour INT64 NOT NULL, minute INT64 NOT NULL, time_hour TIMESTAMP NOT NULL) "
    "PRIMARY KEY (year, month, day, carrier, flight, origin)";
static const char small_ddl[] = "CREATE TABLE Small (id INT64 NOT NULL, text STRING(MAX), n INT64) PRIMARY KEY (id)";
static const char *const carriers[16] = { "9E", "AA", "AS", "B6", "DL", "EV", "F9", "FL",
                                          "HA", "MQ", "OO", "UA", "US", "VX", "WN", "YV" };
static const char *const origins[3] = { "EWR", "JFK", "LGA" };
static const char *const dests[8] = { "ATL", "BOS", "CLT", "FLL", "LAX", "MCO", "ORD", "SFO" };

struct flight {
    uint64_t year, month, day, flight, number;
    const char *carrier, *origin;
};

static struct flight flight_of(uint64_t row) {
    uint64_t in_day = row % (COUNT(carriers) * FLIGHTS_A_CARRIER), day = row / (COUNT(carriers) * FLIGHTS_A_CARRIER);
    return (struct flight){ .year = 2013 + day / 336,
                            .month = 1 + day % 336 / 28,
                            .day = 1 + day % 28,
                            .carrier = carriers[in_day / FLIGHTS_A_CARRIER],
                            .flight = 100 + in_day % FLIGHTS_A_CARRIER * 37,
                            .origin = origins[in_day % 3],
                            .number = row };
}

/* ---- values ---- */

static void put_int(struct buf *b, uint32_t number, uint64_t v) {
    char text[24];
    int n = snprintf(text, sizeof text, "%" PRIu64, v);
    pb_put_value_string(b, number, (struct str){ text, (size_t)n });
}

static void put_text(struct buf *b, uint32_t number, const char *z) {
    pb_put_value_string(b, number, str_z(z));
}

static void put_maybe(struct buf *b, uint64_t v, uint64_t row) { /* one value in 40 is NULL, as in the data */
    if (row % 40 == 7) pb_put_value_null(b, 1);
    else put_int(b, 1, v);
}

static void put_row(struct buf *b, uint64_t row) {
    struct flight f = flight_of(row);
    char tail[8], time[32];
    (void)snprintf(tail, sizeof tail, "N%05u", (unsigned)(row * 7919 % 100000));
    (void)snprintf(time, sizeof time, "%04u-%02u-%02uT%02u:00:00Z", (unsigned)f.year, (unsigned)f.month, (unsigned)f.day,
                   (unsigned)(5 + row % 18));
    put_int(b, 1, f.year);
    put_int(b, 1, f.month);
    put_int(b, 1, f.day);
    put_maybe(b, 500 + row % 1800, row);
    put_int(b, 1, 500 + row % 1795);
    put_maybe(b, row * 31 % 120, row);
    put_maybe(b, 700 + row % 1600, row);
    put_int(b, 1, 700 + row % 1597);
    put_maybe(b, row * 17 % 150, row);
    put_text(b, 1, f.carrier);
    put_int(b, 1, f.flight);
    put_text(b, 1, tail);
    put_text(b, 1, f.origin);
    put_text(b, 1, dests[row % COUNT(dests)]);
    put_maybe(b, 60 + row % 400, row);
    put_int(b, 1, 200 + row % 2500);
    put_int(b, 1, 5 + row % 18);
    put_int(b, 1, row % 60);
    put_text(b, 1, time);
}

static void put_key(struct buf *b, uint32_t number, uint64_t row) {
    struct flight f = flight_of(row);
    size_t mark = pb_begin(b, number);
    put_int(b, 1, f.year);
    put_int(b, 1, f.month);
    put_int(b, 1, f.day);
    put_text(b, 1, f.carrier);
    put_int(b, 1, f.flight);
    put_text(b, 1, f.origin);
    pb_end(b, mark);
}

/* ---- administration ---- */

static struct str parent_of(struct str name, struct str *ret_last) {
    size_t n = name.n;
    while (n && name.p[n - 1] != '/') n--;
    *ret_last = str_from(name, n);
    struct str parent = str_upto(name, n ? n - 1 : 0);
    while (parent.n && parent.p[parent.n - 1] != '/') parent.n--; /* and the collection: "databases", "instances" */
    return str_upto(parent, parent.n ? parent.n - 1 : 0);
}

void rows_create_instance(struct buf *out, struct str database) {
    struct str id, instance_id, instance = parent_of(database, &id), project = parent_of(instance, &instance_id);
    pb_put_bytes(out, 1, project);
    pb_put_bytes(out, 2, instance_id);
    size_t mark = pb_begin(out, 3);
    DEFER(buf_free) struct buf config = BUF_INIT(1024);
    buf_printf(&config, "%.*s/instanceConfigs/emulator-config", STR_ARG(project));
    pb_put_bytes(out, 1, instance);
    pb_put_bytes(out, 2, buf_str(&config));
    pb_put_bytes(out, 3, STR("bench"));
    pb_put_u64(out, 5, 1);
    pb_end(out, mark);
}

void rows_create_database(struct buf *out, struct str database) {
    struct str id, instance = parent_of(database, &id);
    DEFER(buf_free) struct buf statement = BUF_INIT(1024);
    buf_printf(&statement, "CREATE DATABASE `%.*s`", STR_ARG(id));
    pb_put_bytes(out, 1, instance);
    pb_put_bytes(out, 2, buf_str(&statement));
    pb_put_bytes(out, 3, str_z(flights_ddl));
    pb_put_bytes(out, 3, str_z(small_ddl));
}

void rows_create_session(struct buf *out, struct str database) {
    pb_put_bytes(out, 1, database);
}

/* ---- commits ---- */

/* TransactionOptions{read_write{}} */
static void put_single_use_write(struct buf *b) {
    pb_put_bytes(b, 3, STR("\x0a\x00"));
}

void rows_load(struct buf *out, struct str session, uint64_t first, unsigned n) {
    pb_put_bytes(out, 1, session);
    put_single_use_write(out);
    size_t mutation = pb_begin(out, 4), write = pb_begin(out, 3);
    pb_put_bytes(out, 1, STR("Flights"));
    for (size_t i = 0; i < COUNT(flights_columns); i++) pb_put_bytes(out, 2, str_z(flights_columns[i]));
    for (unsigned i = 0; i < n; i++) {
        size_t row = pb_begin(out, 3);
        put_row(out, first + i);
        pb_end(out, row);
    }
    pb_end(out, write);
    pb_end(out, mutation);
}

void rows_commit(struct buf *out, struct str session, uint64_t id, uint64_t value) {
    char text[48];
    int n = snprintf(text, sizeof text, "value %020" PRIu64 " of the bench", value);
    pb_put_bytes(out, 1, session);
    put_single_use_write(out);
    size_t mutation = pb_begin(out, 4), write = pb_begin(out, 3);
    pb_put_bytes(out, 1, STR("Small"));
    pb_put_bytes(out, 2, STR("id"));
    pb_put_bytes(out, 2, STR("text"));
    pb_put_bytes(out, 2, STR("n"));
    size_t row = pb_begin(out, 3);
    put_int(out, 1, id);
    pb_put_value_string(out, 1, (struct str){ text, (size_t)n });
    put_int(out, 1, value);
    pb_end(out, row);
    pb_end(out, write);
    pb_end(out, mutation);
}

/* ---- reads ---- */

static const char *const point_columns[POINT_COLUMNS] = { "dep_time", "dep_delay", "arr_delay", "tailnum", "dest" };

void rows_point_read(struct buf *out, struct str session, uint64_t row) {
    pb_put_bytes(out, 1, session);
    pb_put_bytes(out, 3, STR("Flights"));
    for (size_t i = 0; i < POINT_COLUMNS; i++) pb_put_bytes(out, 5, str_z(point_columns[i]));
    size_t keys = pb_begin(out, 6);
    put_key(out, 1, row);
    pb_end(out, keys);
}

static const struct parameter {
    const char *name;
    uint64_t type;
} parameters[KEY_PARTS] = { { "year", TYPE_INT64 },     { "month", TYPE_INT64 },  { "day", TYPE_INT64 },
                            { "carrier", TYPE_STRING }, { "flight", TYPE_INT64 }, { "origin", TYPE_STRING } };

static void put_parameter(struct buf *b, size_t i, const struct flight *f) {
    const uint64_t numbers[KEY_PARTS] = { f->year, f->month, f->day, 0, f->flight, 0 };
    const char *const texts[KEY_PARTS] = { NULL, NULL, NULL, f->carrier, NULL, f->origin };
    size_t field = pb_begin(b, 1);
    pb_put_bytes(b, 1, str_z(parameters[i].name));
    if (texts[i]) put_text(b, 2, texts[i]);
    else put_int(b, 2, numbers[i]);
    pb_end(b, field);
}

void rows_point_sql(struct buf *out, struct str session, uint64_t row) {
    struct flight f = flight_of(row);
    pb_put_bytes(out, 1, session);
    pb_put_bytes(
        out, 3,
        STR("SELECT dep_time, dep_delay, arr_delay, tailnum, dest FROM Flights WHERE year = @year AND month = @month "
            "AND day = @day AND carrier = @carrier AND flight = @flight AND origin = @origin"));
    size_t params = pb_begin(out, 4);
    for (size_t i = 0; i < KEY_PARTS; i++) put_parameter(out, i, &f);
    pb_end(out, params);
    for (size_t i = 0; i < KEY_PARTS; i++) {
        size_t entry = pb_begin(out, 5);
        pb_put_bytes(out, 1, str_z(parameters[i].name));
        size_t type = pb_begin(out, 2);
        pb_put_u64(out, 1, parameters[i].type);
        pb_end(out, type);
        pb_end(out, entry);
    }
}

void rows_stream(struct buf *out, struct str session) {
    pb_put_bytes(out, 1, session);
    pb_put_bytes(out, 3, STR("Flights"));
    for (size_t i = 0; i < COUNT(flights_columns); i++) pb_put_bytes(out, 5, str_z(flights_columns[i]));
    size_t keys = pb_begin(out, 6);
    pb_put_u64(out, 3, 1);
    pb_end(out, keys);
}
