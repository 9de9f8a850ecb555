/* workspace.h: the identity of the configured Synapse workspace, in the server: its key in the data directory, its issuer
 * among those whose tokens are believed, and what anyone may read of it. Nobody gets a token here: the gate mints one for a
 * Web activity alone (identity/workspace.h). */
#pragma once
#include "gate/config.h"
#include "gate/gate.h"
#include "identity/workspace.h"

/* With the key of the data directory, which is made when there is none. NULL in *ret when no connection has a workspace.
 * Blocks; the data directory must be locked. */
MUST_USE enum code gate_workspace_open(const struct config *config, struct workspace **ret, struct err *err);
/* The row of the issuers' table that verifies its tokens: by our own keys, for the configured audiences, one tenant. Text
 * borrowed from all three. */
MUST_USE enum code gate_workspace_issuer(const struct config *config, const struct workspace *workspace, struct buf *keys,
                                         struct issuer_config *ret, struct err *err);
/* GET /azure/{tenant}/.well-known/openid-configuration and /azure/{tenant}/discovery/keys. */
struct service workspace_service(struct gate *gate);
