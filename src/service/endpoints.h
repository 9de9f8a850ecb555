/* endpoints.h: a job's own places in the network: what the gate gives to whoever runs jobs.
 *
 * The listening sockets are made inside the job's world and handed out as descriptors; from then on *which listener* is
 * *which job*, and nothing that the job says is (DESIGN §5). Functions may be called from any thread but a loop's: they
 * wait for the loop that serves the listeners. */
#pragma once
#include "base/err.h"
#include "model/atom.h"
#include "model/principal.h"

struct job_endpoints_spec {
    struct str run;                    /* the run's id: unique for ever */
    struct str job;                    /* "nightly/transform", or empty for free code */
    struct str account;                /* the service account's e-mail: whom the job acts as */
    struct str project;                /* what the metadata server calls the project */
    const struct principal *submitter; /* who asked: becomes the chain. Copied, with its claims */
    struct atom asked;   /* what the submitter asked the policy for, without columns: asked again, see `open`. Copied */
    int api_fd;          /* listening; Spanner in plaintext. Owned by the callee, also after an error */
    int metadata_fds[2]; /* listening; GCE metadata: 169.254.169.254:80 and what GCE_METADATA_HOST names; -1 = none. Owned
                          */
    const char *metadata_hosts[2]; /* "169.254.169.254", "127.0.0.1:40001": the Host that each may be called by */
};

struct job_endpoints {
    void *ctx;
    /* PERMISSION_DENIED: the submitter may not run it any more, by the policy of now; the text says what is missing. The
     * same is asked before each token of the run. */
    enum code (*open)(void *ctx, const struct job_endpoints_spec *spec, void **ret_endpoint, struct err *err);
    /* Ends the run's tokens and closes the listeners with all their connections; when it returns, both are done. There is
     * nothing in it that can fail. */
    void (*close)(void *ctx, void *endpoint);
};
