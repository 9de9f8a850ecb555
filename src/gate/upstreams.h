/* upstreams.h: the upstreams of the configuration: an exchange with a dialer of its own for each of `exchanges`, an HTTP
 * client for each worker and upstream, with the dialer's rules (net/judge.h), and a struct upstream for whoever forwards.
 *
 * Opened before the services and the workers; upstreams_make while nothing runs. Loopback is dialled only for endpoints
 * that say so in the configuration. */
#pragma once
#include "gate/config.h"
#include "gate/gate.h"
#include "identity/exchange.h"
#include "upstream/upstream.h"

struct upstreams;

MUST_USE enum code upstreams_open(struct gate *gate, struct upstreams **ret, struct err *err);
/* `name`: "prod.spanner". The upstream lives as long as `upstreams`. */
MUST_USE enum code upstreams_make(struct upstreams *upstreams, struct str name, const struct config_upstream *config,
                                  const struct str *scopes, size_t n_scopes, const struct upstream **ret, struct err *err);
/* The job is over: no token that was fetched in this run of it is used again. Any thread; NULL is fine. */
void upstreams_forget_job(struct upstreams *upstreams, struct str job_run);
/* The figures of the i-th of `exchanges`; false: there are fewer. Any thread; NULL is fine. `ret_name` lives as long as the
 * configuration. */
bool upstreams_exchange(struct upstreams *upstreams, size_t i, struct str *ret_name, struct exchange_stats *ret);
/* Once the loops do not run: who waits for a token hears that there is none. NULL is fine. */
void upstreams_stop(struct upstreams *upstreams);
/* When no loop runs, and every request has ended: the connections close. NULL is fine. */
void upstreams_free(struct upstreams *upstreams);
