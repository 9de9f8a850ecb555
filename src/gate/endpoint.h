/* endpoint.h: a job's own places in the network: a plaintext API and a metadata server, each a listener that only this job
 * can reach. Which listener is which job; the requests themselves prove nothing.
 *
 * Counted by reference: requests under way keep it. Opened and closed by the runner (service/endpoints.h), served by the
 * first worker's loop. */
#pragma once
#include "gate/gate.h"
#include "model/event.h"
#include "service/endpoints.h"

struct endpoint;
struct route_match;
struct run_right; /* gate/run_right.h */

/* What the runner gets; `gate` must outlive it. */
struct job_endpoints endpoints_of(struct gate *gate);

struct endpoint *endpoint_ref(struct endpoint *endpoint);
struct endpoint *endpoint_unref(struct endpoint *endpoint); /* NULL is fine; returns NULL */
bool endpoint_is_open(const struct endpoint *endpoint);
/* Copies the job's principal (text borrowed from the endpoint). False: the job has ended. */
bool endpoint_principal(const struct endpoint *endpoint, struct principal *ret);
/* What its submit asked for, to be asked again; lives as long as the endpoint. */
const struct run_right *endpoint_right(const struct endpoint *endpoint);
struct str endpoint_project(const struct endpoint *endpoint);
/* The names by which this metadata listener may be called. */
const char *endpoint_metadata_host(const struct door *door);
/* May this service be reached through this door? */
bool endpoint_serves(const struct door *door, const struct service *service);
