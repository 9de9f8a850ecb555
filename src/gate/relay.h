/* relay.h: generic services (connections.*.service): an HTTP or gRPC request goes on to an upstream as it came, and the
 * answer comes back as it came, both in pieces.
 *
 * Which: by the request's authority, whatever its path, on the public door only. What is decided is `call` of the endpoint
 * and the path in its one spelling (wire/url.h), and that spelling goes on. Header fields pass allow-lists
 * (relay_headers.h). Loop thread, all of it. Bounds: a window (256 KiB) each way, and the queues of both connections.
 * docs/relay.md. */
#pragma once
#include "gate/config.h"
#include "gate/request.h"
#include "gate/route.h"
#include "upstream/upstream.h"

struct relays;

struct relay_service {
    struct service service; /* state: this */
    const struct config_connection *connection;
    const struct config_service *config;
    const struct upstream *upstream;
    struct str endpoint; /* "https://10.1.2.3:9000" */
};

/* After the upstreams. Without such a connection *ret is NULL. */
MUST_USE enum code relays_open(struct gate *gate, struct relays **ret, struct err *err);
void relays_free(struct relays *relays); /* NULL is fine */

/* The service that the request names, or NULL. */
const struct relay_service *relay_find(const struct gate *gate, const struct http_request *http);
/* TLS named another host than the request: neither one of the same service nor our own. Its client may have checked the
 * certificate of the wrong one; HTTP's answer is 421. */
bool relay_is_misdirected(const struct relay_service *to, const struct gate *gate, const struct http_request *http);
/* Its row, made for this request in the arena. False: misdirected, a verb that does not pass, or memory is short. */
bool relay_route(const struct relay_service *to, const struct gate *gate, const struct http_request *http,
                 struct arena *arena, enum protocol *ret_protocol, struct route_match *ret);

/* http_server's handlers. */
bool relay_streams(struct http_stream *stream, const struct http_request *http, void *ctx);
size_t relay_body(struct http_stream *stream, struct str piece, bool over, void *ctx);

/* "stock.service": what counts a request to a generic service, whose methods a client makes up; empty: it is for none. */
struct str relay_counted_as(const struct request *r);

struct relay;                              /* of one request, in its arena */
void relay_room(struct relay *relay);      /* the client's queue has room again */
bool relay_reply(const struct request *r); /* ends the reply; false: it has not begun, and the error is ours to tell */
/* A row's handle. */
void relay_start(struct call *call);
