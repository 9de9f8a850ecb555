/* channel_priv.h: what channel.c and rpc.c share. */
#pragma once
#include "cli/channel.h"
#include "cli/credentials.h"

struct channel {
    struct loop *loop;
    struct tls_ctx *tls;
    struct http_client *client;
    struct http_client_config config;
    struct http_client_request server; /* scheme, host, port */
    struct credentials *credentials;
};
/* Adds "Bearer …". */
MUST_USE enum code channel_bearer(struct channel *channel, struct buf *out, struct err *err);
