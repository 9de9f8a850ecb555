/* far_schema_build.h: an upstream's INFORMATION_SCHEMA, page by page, becomes a snapshot of its schema.
 *
 * What comes is checked, not believed: rows that contradict each other or name what was not named before end the building,
 * for a schema that lacks something would let pass what it should refuse. A column of a type that is none of ours stays
 * as one that no statement may use, a table of another kind (a view) as a name that resolves to nothing.
 *
 * A building belongs to one thread at a time; a snapshot is immutable, counted and of any thread. Limits: 10,000 tables,
 * 50,000 columns, 20,000 foreign keys, 64 MiB; 1,024 columns, 16 key parts and 128 indexes a table. */
#pragma once
#include "base/err.h"
#include "googlesql/catalog.h"

struct far_build;
struct spanner_ResultSet;

/* What is asked, in this order. */
enum far_query { FAR_DIALECT, FAR_TABLES, FAR_COLUMNS, FAR_KEYS, FAR_SOURCES, FAR_FOREIGN_KEYS, FAR_INDEXES, FAR_QUERIES };
enum { FAR_PAGE_ROWS = 5000 }; /* well below Spanner's 10 MiB for an answer in one piece */

/* The statement, which lacks its LIMIT and OFFSET. Its order is total: pages in one transaction leave nothing out. */
const char *far_query_sql(enum far_query query);

MUST_USE enum code far_build_new(struct far_build **ret, struct err *err);
void far_build_free(struct far_build *build); /* NULL is fine */
void far_build_freep(struct far_build **build);
/* One page of the answer, in the order of far_query. UNIMPLEMENTED (the dialect), RESOURCE_EXHAUSTED (a limit, memory),
 * INTERNAL (this is not what INFORMATION_SCHEMA answers): what is wrong, by name. */
MUST_USE enum code far_build_page(struct far_build *build, enum far_query query, const struct spanner_ResultSet *page,
                                  struct err *err);
/* The snapshot, with one reference. The building is of no more use. */
MUST_USE enum code far_build_end(struct far_build *build, const struct sql_catalog **ret, struct err *err);

/* Of snapshots that far_build_end made; NULL is fine. */
const struct sql_catalog *far_schema_ref(const struct sql_catalog *snapshot);
const struct sql_catalog *far_schema_unref(const struct sql_catalog *snapshot); /* returns NULL */
size_t far_schema_bytes(const struct sql_catalog *snapshot);                    /* of memory that it holds */
