/* commit_limits.h: does a commit keep Spanner's limits? Asked before one goes on to an upstream, so that who cannot succeed
 * is told at once, and how to split. Any thread; loops over the cells, without memory of its own. */
#pragma once
#include "engine/cost.h"
#include "googlesql/catalog.h"
#include "wire/pb/spanner.pb.h"

/* 80,000 mutations (INVALID_ARGUMENT, with the split), 100 MiB (the same), 10 MiB a cell and 8 KiB a key
 * (FAILED_PRECONDITION). It refuses what the upstream is certain to refuse: of tables and columns that the catalog lacks
 * only the cells are counted; an index entry counts where a row is new and has no NULL in its key. `encoded_bytes` is the
 * request's size: small ones are not looked through. */
MUST_USE enum code commit_fits(const struct sql_catalog *catalog, const struct spanner_CommitRequest *q,
                               size_t encoded_bytes, struct err *err);
