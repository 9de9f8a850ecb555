/* workspace.h: the system identity of an embedded Synapse workspace: tokens shaped like those that Azure gives to a managed
 * identity (v1), by an issuer and with a key of our own. What a pipeline sends to prove itself to others.
 *
 * Immutable once made; any thread. RS256, one hour. A token is always for one named audience: without a name there is no
 * token. Source: Microsoft's reference of access token claims, v1.0; docs/identity.md. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "identity/jwt.h"

enum { WORKSPACE_LIFE_S = 3600, WORKSPACE_AUDIENCE_MAX = 256, WORKSPACE_TEXT_MAX = 512 };

struct key;
struct workspace;

struct workspace_config {
    struct str issuer;      /* `iss`, ends with '/': "https://linkspan.example/azure/72f9…/" */
    struct str tenant;      /* `tid` */
    struct str principal;   /* `oid` and `sub` */
    struct str client;      /* `appid` */
    struct str resource_id; /* `xms_mirid`: the workspace's name among Azure's resources */
};

/* Copies the texts, each of 1 to WORKSPACE_TEXT_MAX bytes, and takes a reference of the key: RSA, private. */
MUST_USE enum code workspace_new(const struct workspace_config *config, struct key *key, struct workspace **ret,
                                 struct err *err);
void workspace_free(struct workspace *workspace); /* NULL is fine */
struct str workspace_issuer(const struct workspace *workspace);
struct str workspace_tenant(const struct workspace *workspace);
MUST_USE enum code workspace_jwks(const struct workspace *workspace, struct buf *out, struct err *err);
/* Names {issuer}discovery/keys. OpenID Connect Discovery 1.0 §3. */
MUST_USE enum code workspace_discovery(const struct workspace *workspace, struct buf *out, struct err *err);

/* A token for `audience`, which is its `aud` as it stands: 1 to WORKSPACE_AUDIENCE_MAX bytes of visible ASCII, else
 * INVALID_ARGUMENT. Adds it to ret_token, which the caller wipes. The fingerprint is what a verifier's principal.token_id
 * will be: it joins both sides' audit entries. */
MUST_USE enum code workspace_token(const struct workspace *workspace, struct str audience, int64_t now_s,
                                   struct buf *ret_token, int64_t *ret_expires_s,
                                   char ret_fingerprint[JWT_FINGERPRINT_BYTES], struct err *err);
