#include "gate/upstreams.h"
#include <stdlib.h>
#include "base/clock.h"
#include "gate/exchange_post.h"
#include "gate/identify.h"
#include "net/judge.h"

enum { UPSTREAMS_MAX = 4 * CONFIG_MAX_CONNECTIONS };

struct outbound_tokens { /* of one entry of `exchanges` */
    struct gate *gate;
    const struct config_exchange *config;
    struct outbound *outbound; /* its own: an endpoint that hangs takes no places of another's */
    struct exchange *exchange;
    struct exchange_post post;
};

/* The clients of one upstream, one a worker: who keeps all its connections busy keeps nobody from another's, and one to
 * loopback never serves who may not go there. */
struct place {
    struct gate *gate;
    struct http_client *clients[GATE_MAX_WORKERS];
    struct upstream *upstream;
};

struct upstreams {
    struct gate *gate;
    struct outbound_tokens tokens[CONFIG_MAX_EXCHANGES];
    struct tls_ctx *tls;
    struct place places[UPSTREAMS_MAX];
    size_t n_places;
};

/* ---- tokens ---- */

static enum code subject(void *ctx, const struct principal *principal, struct buf *ret_token, struct err *err) {
    const struct outbound_tokens *t = ctx;
    return mint_subject_token(t->gate->identity->mint, principal, t->config->config.audience, clock_wall_us() / 1000000,
                              ret_token, err);
}

static void post(void *ctx, const struct exchange_request *request, exchange_done *done, void *arg) {
    struct outbound_tokens *t = ctx;
    exchange_post(&t->post, request, done, arg);
}

static enum code open_tokens(struct outbound_tokens *t, struct gate *gate, const struct config_exchange *config,
                             struct err *err) {
    const struct outbound_config dialer = { .loop = gate->workers[0].loop, .ca_file = config_ca_file(gate->config) };
    const struct exchange_effects effects = { .ctx = t, .subject = subject, .post = post };
    *t = (struct outbound_tokens){ .gate = gate, .config = config };
    enum code rc = outbound_new(&dialer, &t->outbound, err);
    t->post = (struct exchange_post){ .outbound = t->outbound, .development = gate->config->development };
    return rc ? rc : exchange_new(&config->config, &effects, 0, &t->exchange, err);
}

static struct exchange *exchange_of(struct upstreams *u, const struct config_exchange *config) {
    for (size_t i = 0; i < CONFIG_MAX_EXCHANGES; i++)
        if (config && u->tokens[i].config == config) return u->tokens[i].exchange;
    return NULL;
}

/* ---- clients ---- */

static const char *judge(const struct net_address *address, void *ctx) {
    return net_judge(address, ctx != NULL);
}

static struct http_client *client(void *ctx, struct loop *loop) {
    struct place *place = ctx;
    for (unsigned i = 0; i < place->gate->n_workers; i++)
        if (place->gate->workers[i].loop == loop) return place->clients[i];
    return NULL;
}

static enum code open_place(struct place *place, struct gate *gate, bool loopback, struct tls_ctx *tls, struct err *err) {
    enum code rc = OK;
    place->gate = gate;
    for (unsigned i = 0; !rc && i < gate->n_workers; i++) {
        const struct http_client_config config = {
            .loop = gate->workers[i].loop, .tls = tls, .refuse = judge, .refuse_ctx = loopback ? place : NULL
        };
        rc = http_client_new(&config, &place->clients[i], err);
    }
    return rc;
}

static void close_place(struct place *place) {
    for (unsigned i = 0; i < GATE_MAX_WORKERS; i++)
        if (place->clients[i]) http_client_free(place->clients[i]);
    upstream_free(place->upstream);
}

static enum code open_tls(struct upstreams *u, struct err *err) {
    const struct tls_client_config config = { .also_ca_file = config_ca_file(u->gate->config) };
    return tls_client_new(&config, &u->tls, err);
}

/* ---- from start to end ---- */

enum code upstreams_open(struct gate *gate, struct upstreams **ret, struct err *err) {
    struct upstreams *u = calloc(1, sizeof *u);
    if (!u) return err_oom(err);
    u->gate = gate;
    enum code rc = open_tls(u, err);
    for (size_t i = 0; !rc && i < gate->config->n_exchanges; i++)
        rc = open_tokens(&u->tokens[i], gate, &gate->config->exchanges[i], err);
    if (rc) upstreams_free(u);
    else *ret = u;
    return rc;
}

enum code upstreams_make(struct upstreams *u, struct str name, const struct config_upstream *config,
                         const struct str *scopes, size_t n_scopes, const struct upstream **ret, struct err *err) {
    if (u->n_places == UPSTREAMS_MAX) return err_set(err, RESOURCE_EXHAUSTED, "more than %d upstreams", UPSTREAMS_MAX);
    struct place *place = &u->places[u->n_places++];
    struct upstream_config c = { .name = name,
                                 .scheme = config->scheme,
                                 .host = config->host,
                                 .port = config->port,
                                 .timeout_us = config->timeout_ms * 1000,
                                 .exchange = exchange_of(u, config->exchange),
                                 .client = client,
                                 .ctx = place };
    for (size_t i = 0; i < n_scopes && i < UPSTREAM_SCOPES_MAX; i++) c.scopes[c.n_scopes++] = scopes[i];
    enum code rc = open_place(place, u->gate, config->loopback, u->tls, err);
    if (!rc) rc = upstream_new(&c, &place->upstream, err);
    if (!rc) *ret = place->upstream;
    return rc;
}

void upstreams_forget_job(struct upstreams *u, struct str job_run) {
    for (size_t i = 0; u && i < CONFIG_MAX_EXCHANGES; i++)
        if (u->tokens[i].exchange) exchange_forget_job(u->tokens[i].exchange, job_run);
}

bool upstreams_exchange(struct upstreams *u, size_t i, struct str *ret_name, struct exchange_stats *ret) {
    if (!u || i >= CONFIG_MAX_EXCHANGES || !u->tokens[i].exchange) return false;
    *ret_name = u->tokens[i].config->name;
    exchange_stats(u->tokens[i].exchange, ret);
    return true;
}

void upstreams_stop(struct upstreams *u) {
    for (size_t i = 0; u && i < CONFIG_MAX_EXCHANGES; i++) outbound_stop(u->tokens[i].outbound);
}

static void close_tokens(struct outbound_tokens *t) {
    outbound_free(t->outbound);
    exchange_free(t->exchange);
}

void upstreams_free(struct upstreams *u) {
    if (!u) return;
    for (size_t i = 0; i < u->n_places; i++) close_place(&u->places[i]);
    tls_unref(u->tls);
    for (size_t i = 0; i < CONFIG_MAX_EXCHANGES; i++) close_tokens(&u->tokens[i]);
    free(u);
}
