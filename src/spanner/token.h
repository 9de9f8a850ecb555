/* token.h: what a client carries for us between calls: partition and resume tokens, sealed, bound to database and owner, of
 * use only with the very request they were made for. Any thread. */
#pragma once
#include "spanner/target.h"

/* Zeroed but for what the kind needs. */
struct handle {
    uint8_t kind; /* below */
    int64_t timestamp_us;
    uint64_t rows;       /* resume of a query: rows that the client has */
    struct str lo, hi;   /* partition: encoded key range; resume of a read: lo = last key */
    uint8_t request[32]; /* SHA-256 of what it was made for: SQL, parameters, types, or table, columns and keys */
    /* resume of a query: what makes its rows come again as they came */
    uint8_t lowered[32]; /* digest of the statement that ran */
    int64_t seen_us;     /* the last commit that the first run could see */
    int64_t now_us;      /* its CURRENT_TIMESTAMP */
    uint64_t histories;  /* bit i: it read table i of its access list with the history */
};
enum { HANDLE_PARTITION = 1, HANDLE_RESUME_QUERY, HANDLE_RESUME_READ };

MUST_USE enum code handle_seal(const struct target *t, const struct handle *h, struct arena *arena, struct str *ret,
                               struct err *err);
/* INVALID_ARGUMENT: not made here, for another database, owner, kind or request. */
MUST_USE enum code handle_open(const struct target *t, struct str token, uint8_t kind, const uint8_t request[32],
                               struct arena *arena, struct handle *ret, struct err *err);
/* Does the call take or give tokens? A unary one without does not: then nobody needs to know what it is for. */
bool handle_is_used(const struct call *call, struct str partition_token, struct str resume_token);
/* What a token is for: the request without tokens, transaction and options. */
void handle_request_of_sql(const struct spanner_ExecuteSqlRequest *q, uint8_t ret[32]);
void handle_request_of_partition_sql(const struct spanner_PartitionQueryRequest *q, uint8_t ret[32]);
void handle_request_of_read(const struct spanner_ReadRequest *q, uint8_t ret[32]);
void handle_request_of_partition_read(const struct spanner_PartitionReadRequest *q, uint8_t ret[32]);
