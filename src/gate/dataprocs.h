/* dataprocs.h: the Dataproc connections of the configuration, and the one service of their rows. */
#pragma once
#include "dataproc/dataproc.h"
#include "gate/gate.h"

struct config_connection;

/* Opens all into `regions`, which gate->dataproc is from then on, and adds the service where there is any. After the
 * upstreams. */
MUST_USE enum code dataprocs_open(struct gate *gate, struct dataproc_regions *regions, struct err *err);
/* This connection's; it has one. */
struct dataproc *dataprocs_find(const struct gate *gate, const struct config_connection *connection);
/* Waits for the ends of jobs, whose listeners are closed by the first loop: not on its thread. */
void dataprocs_free(struct dataproc_regions *regions);
