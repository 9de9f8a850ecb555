#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/client_parts.h"

static void try_next(struct link *l);

static struct http_client *client_of(const struct link *l) {
    return l->origin->client;
}

/* ---- the end ---- */

static void unlist(struct link *l) {
    struct origin *origin = l->origin;
    *l->at = l->next;
    if (l->next) l->next->at = l->at;
    loop_timer_stop(origin->client->loop, &l->timer);
    net_lookup_cancel(l->lookup);
    origin->client->n_links--;
    h1_free(&l->h1);
    free(l);
}

static enum http_fault fault_of(enum conn_end why) {
    if (why == CONN_END_TLS) return HTTP_FAULT_TLS;
    return why == CONN_END_TIMEOUT ? HTTP_FAULT_TIMEOUT : HTTP_FAULT_CONNECT;
}

static void on_closed(struct conn *net UNUSED, enum conn_end why, const struct err *err, void *ctx) {
    struct link *l = ctx;
    struct origin *origin = l->origin;
    l->net = NULL;
    if (!l->protocol) { /* this address did not answer */
        if (err->code) l->err = *err;
        if (why != CONN_END_OURS) l->fault = fault_of(why);
        if (client_of(l)->freeing) unlist(l);
        else try_next(l);
        return;
    }
    l->closing = true;
    if (err->code && l->fault != HTTP_FAULT_MALFORMED) l->err = *err;
    if (!l->err.code) (void)err_set(&l->err, UNAVAILABLE, "%s closed the connection", origin->host);
    l->protocol->close(l, why == CONN_END_EOF);
    unlist(l);
    client_pump(origin->client);
}

void link_free(struct link *l) {
    if (l->net) conn_close_now(l->net);
    else unlist(l);
}

void link_retire(struct link *l) {
    l->closing = true;
    if (l->n_calls == 0 && l->net) conn_finish(l->net);
}

void link_released(struct link *l) {
    struct http_client *client = client_of(l);
    if (l->closing) link_retire(l);
    else if (l->n_calls == 0) loop_timer_start(client->loop, &l->timer, client->config.idle_ms);
    loop_defer(client->loop, &l->origin->pump);
    if (client->n_links >= client->config.max_connections) client_pump(client);
}

static void give_up(struct link *l) {
    struct origin *origin = l->origin;
    struct err err = l->err;
    enum http_fault fault = l->fault;
    if (!err.code) (void)err_set(&err, UNAVAILABLE, "no address");
    (void)err_wrap(&err, "%s:%u", origin->host, origin->port);
    unlist(l);
    origin_fail_waiting(origin, fault, &err);
    client_pump(origin->client);
}

static void on_timer(struct loop_timer *timer UNUSED, void *ctx) {
    struct link *l = ctx;
    if (l->protocol) {
        link_retire(l);
        return;
    }
    l->tried = l->n_addresses; /* the time is for all addresses together */
    (void)err_set(&l->err, UNAVAILABLE, l->lookup ? "looking the name up took too long" : "connecting took too long");
    l->fault = HTTP_FAULT_TIMEOUT;
    if (l->net) conn_abort(l->net);
    else give_up(l);
}

/* ---- events of the socket ---- */

static void on_ready(struct conn *net, void *ctx) {
    struct link *l = ctx;
    bool h2 = l->origin->tls ? conn_is_h2(net) : l->origin->prior_h2;
    l->protocol = h2 ? &link_h2 : &link_h1;
    l->origin->known_h1 = !h2;
    l->err = (struct err){ 0 };
    l->fault = HTTP_FAULT_OTHER;
    loop_timer_start(client_of(l)->loop, &l->timer, client_of(l)->config.idle_ms);
    origin_pump(l->origin);
}

static void on_data(struct conn *net UNUSED, struct str bytes, void *ctx) {
    struct link *l = ctx;
    l->heard_ms = loop_now_ms(client_of(l)->loop);
    l->protocol->receive(l, bytes);
}

static void on_output(struct conn *net UNUSED, struct buf *out, void *ctx) {
    struct link *l = ctx;
    if (l->protocol) l->protocol->output(l, out);
}

static const struct conn_events events = {
    .on_ready = on_ready, .on_data = on_data, .on_output = on_output, .on_closed = on_closed
};

/* ---- from the name to the address ---- */

/* The time is for all addresses together: none may take another's. */
static unsigned share_ms(const struct link *l) {
    unsigned left = l->n_addresses - l->tried, all_ms = client_of(l)->config.connect_ms;
    return left > 1 ? all_ms / l->n_addresses : all_ms; /* the link's own timer ends the last one's */
}

static void try_next(struct link *l) {
    struct http_client *client = client_of(l);
    struct conn_config config = { .loop = client->loop,
                                  .tls = l->origin->tls ? client->tls : NULL,
                                  .host = l->origin->host,
                                  .write_ms = 60000,
                                  .events = &events,
                                  .ctx = l };
    while (l->tried < l->n_addresses) {
        config.handshake_ms = share_ms(l);
        if (conn_connect(&config, &l->addresses[l->tried++], &l->net, &l->err) == OK) return;
        l->fault = HTTP_FAULT_CONNECT;
    }
    give_up(l);
}

/* What is judged here is what try_next connects: no second lookup comes between. An address that is refused is left out. */
static void add_address(struct link *l, struct net_address address) {
    struct http_client_config *config = &client_of(l)->config;
    char text[NET_ADDRESS_MAX];
    address.port = l->origin->port;
    const char *why = config->refuse ? config->refuse(&address, config->refuse_ctx) : NULL;
    if (!why) {
        l->addresses[l->n_addresses++] = address;
        return;
    }
    net_address_print(&address, text);
    (void)err_set(&l->err, PERMISSION_DENIED, "the address %s %s", text, why);
    l->fault = HTTP_FAULT_ADDRESS;
}

static void on_resolved(void *arg, const struct net_address *addresses, size_t n, const struct err *err) {
    struct link *l = arg;
    l->lookup = NULL;
    if (err) {
        l->err = *err;
        l->fault = HTTP_FAULT_NAME;
    }
    for (size_t i = 0; i < n && i < RESOLVE_ADDRESSES_MAX; i++) add_address(l, addresses[i]);
    try_next(l);
}

static bool literal_address(const char *host, struct net_address *ret) {
    char text[HOST_MAX + 8];
    int n = snprintf(text, sizeof text, strchr(host, ':') ? "[%s]:0" : "%s:0", host);
    return host[0] != '*' && net_address_parse((struct str){ text, n > 0 ? (size_t)n : 0 }, ret, NULL) == OK;
}

void link_open(struct origin *origin) {
    struct http_client *client = origin->client;
    struct net_address address;
    struct link *l = calloc(1, sizeof *l);
    if (!l) {
        struct err err;
        (void)err_oom(&err);
        origin_fail_waiting(origin, HTTP_FAULT_OTHER, &err);
        return;
    }
    *l = (struct link){ .origin = origin, .next = origin->links, .at = &origin->links };
    if (l->next) l->next->at = &l->next;
    origin->links = l;
    client->n_links++;
    l->timer = (struct loop_timer){ .fn = on_timer, .ctx = l };
    loop_timer_start(client->loop, &l->timer, client->config.connect_ms);
    if (literal_address(origin->host, &address)) {
        add_address(l, address);
        try_next(l);
    } else if (net_lookup_start(client->loop, &client->config.resolver, origin->host, on_resolved, l, &l->lookup,
                                &l->err)) {
        give_up(l);
    }
}
