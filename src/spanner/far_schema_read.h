/* far_schema_read.h: the effect of far_schema.h: reads a database's INFORMATION_SCHEMA from an upstream Spanner.
 *
 * As an account of its own, in a session of its own, which is deleted afterwards, in one strong read-only transaction, page
 * by page. The account must see the whole database (roles/spanner.databaseReader, no database role): what it does not see
 * is taken as not there, and refused. Ten seconds in all. INFORMATION_SCHEMA of Spanner's documentation.
 *
 * A reader lives on one loop; far_reader_read is of any thread, the rest of the loop's, or of any when it does not run. */
#pragma once
#include "model/principal.h"
#include "net/loop.h"
#include "spanner/far_schema.h"
#include "upstream/upstream.h"

struct far_reader;

struct far_reader_config { /* all of it outlives the reader */
    struct loop *loop;
    const struct upstream *upstream; /* with the exchange of the schema's account */
    const struct principal *principal;
};

MUST_USE enum code far_reader_new(const struct far_reader_config *config, struct far_reader **ret, struct err *err);
/* struct far_schema_effects' read; ctx is the reader. NOT_FOUND: there is no such database. UNIMPLEMENTED: it is none that
 * we understand. Else UNAVAILABLE, INTERNAL, RESOURCE_EXHAUSTED. */
void far_reader_read(void *reader, struct str database, far_read_done *done, void *arg);
/* Readings that are under way end with UNAVAILABLE before this returns, later ones at once. Before the upstream goes. */
void far_reader_stop(struct far_reader *reader);
void far_reader_free(struct far_reader *reader); /* stops first; NULL is fine */
