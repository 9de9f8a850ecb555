/* livy.h: Spark batches in Livy's terms: Apache Livy's own API and Synapse's, over the jobs of a Dataproc connection
 * (docs/livy.md).
 *
 * A batch is a job: one runner, one history, one policy; what differs is how it is written. No state of its own but where
 * logs were last read. Functions of the services follow service/method.h. Sessions are refused by name.
 * Source: Apache Livy 0.8, REST API; Azure Synapse, Spark Batch (facts in docs/livy.md). */
#pragma once
#include "base/arena.h"
#include "service/method.h"

struct dataproc;
struct livy;

/* A Spark pool of Synapse is a cluster of the connection. */
struct livy_pool {
    struct str name, cluster;
};

/* Borrowed text must live until livy_new returns; it is copied. */
struct livy_config {
    struct str workspace; /* of Synapse */
    const struct livy_pool *pools;
    size_t n_pools;
    struct str cluster; /* of Apache Livy's API; empty: it is not served */
};

/* `dataproc` must outlive it. */
MUST_USE enum code livy_new(const struct livy_config *config, struct dataproc *dataproc, struct livy **ret,
                            struct err *err);
void livy_free(struct livy *livy);                      /* NULL is fine; when no call is under way any more */
struct service livy_service(struct livy *livy);         /* /batches */
struct service livy_synapse_service(struct livy *livy); /* /livyApi/versions/{v}/sparkPools/{pool}/batches */
