/* synapse.h: Synapse's artifacts REST API of one embedded workspace: pipelines, linked services, runs (docs/synapse.md).
 *
 * The state, and the runs, are src/pipeline's; this is its HTTP: names, ETags, filters, errors as Synapse writes them, and
 * what each call asks of the policy. Handlers post to the pipelines' desk and never block a loop. Raw methods: the SDKs'
 * bodies are JSON that no message of ours describes. Source: Azure Synapse artifacts REST API 2020-12-01 (Pipeline,
 * LinkedService, PipelineRun). */
#pragma once
#include "service/call.h"

struct pipelines;
struct synapse;

/* What the SDKs ask tokens for, whatever the workspace. */
#define SYNAPSE_AUDIENCE "https://dev.azuresynapse.net"

/* Borrowed text must live until synapse_new returns; it is copied. */
struct synapse_config {
    struct str connection; /* "demo": the policy's path is "synapse demo/<name>" */
    struct str workspace;  /* "flights" */
    struct str account;    /* as whom its pipelines run: "flights@demo.synapse" */
    struct str url;        /* where clients reach us, for links to a list's next page: "https://127.0.0.1:8443" */
};

/* Fills the service: rows, name, audience and state. `pipelines` must outlive it. */
MUST_USE enum code synapse_new(const struct synapse_config *config, struct pipelines *pipelines, struct synapse **ret,
                               struct service *ret_service, struct err *err);
/* Before pipelines_close: calls are answered UNAVAILABLE from here on, and none is inside the pipelines' functions any
 * more. NULL is fine. Any thread. */
void synapse_close(struct synapse *synapse);
/* When no call is under way any more: after pipelines_close, and after the requests. NULL is fine. */
void synapse_free(struct synapse *synapse);
