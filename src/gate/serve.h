/* serve.h: the server from start to end: opens the data directory, starts the workers, answers until SIGTERM. */
#pragma once
#include "gate/config.h"

/* Blocks. OK after a drained stop. FAILED_PRECONDITION: another server has the data directory, the port is in use, the data
 * are of a newer version; the message says what to do. */
MUST_USE enum code serve(const struct config *config, struct err *err);
