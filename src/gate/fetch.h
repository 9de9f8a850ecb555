/* fetch.h: key sets and discovery documents of issuers, by the rules of outgoing calls (gate/outbound.h); loopback only in
 * development.
 *
 * Its dialer is its own: requests of pipelines can fill the places, connections and bytes of theirs for minutes, and nobody
 * may keep the server from knowing who asks. Limits: 64 documents under way, 64 MiB. */
#pragma once
#include "gate/outbound.h"
#include "identity/issuer.h"

struct fetch;

/* `dialer`: loop, authorities, resolver; the limits are set here. */
MUST_USE enum code fetch_new(const struct outbound_config *dialer, bool development, struct fetch **ret, struct err *err);
struct fetcher fetch_fetcher(struct fetch *fetch); /* its get may be called from any thread */
void fetch_stop(struct fetch *fetch);              /* as outbound_stop: who waits goes on without. NULL is fine */
void fetch_free(struct fetch *fetch);              /* stops first; before its loop is freed; NULL is fine */
