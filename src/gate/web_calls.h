/* web_calls.h: Web activities: the HTTP requests of pipeline runs (pipeline/effects.h), decided, recorded, sent.
 *
 * A request goes: its form → the policy of this moment → the workspace's token, for the one audience that it names → an
 * intention that is durable → gate/outbound.h → the outcome → the answer. Its subject is the workspace's account, with
 * whoever started the run in the chain. Nothing is sent that was not allowed and written down first. The entries hold the
 * run in their resource and the fingerprint of the token that was sent as tokenId: docs/outbound.md.
 *
 * Threads: web_calls_begin and web_calls_cancel from any, they do not block; the answer comes on the caller's thread (what
 * was refused) or on the first worker's loop, once for each begin. Limits: 256 requests under way, 64 MiB of bodies that
 * wait for their intention. */
#pragma once
#include "gate/gate.h"
#include "pipeline/effects.h"

struct web_calls;
struct workspace;

struct web_calls_config {
    struct gate *gate;                 /* policy, audit, outbound, the first worker's loop: must outlive this */
    const struct workspace *workspace; /* who its tokens speak for; NULL: requests with an audience get FAULT_TOKEN */
    struct str name, account;          /* "flights", "flights@demo.synapse"; copied */
    struct str url;                    /* this server's own; copied; empty: it has none */
    void (*answer)(void *ctx, uint64_t ticket, const struct pipeline_reply *reply);
    void *answer_ctx;
};

MUST_USE enum code web_calls_new(const struct web_calls_config *config, struct web_calls **ret, struct err *err);
/* As pipeline_effects.call and .cancel: ctx is the struct web_calls. */
void web_calls_begin(void *web_calls, uint64_t ticket, const struct pipeline_request *request);
void web_calls_cancel(void *web_calls, uint64_t ticket);
void web_calls_free(struct web_calls *calls); /* when each begin has its answer; NULL is fine */
