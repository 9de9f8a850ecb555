/* relays.c: which requests are for a generic service, and what they ask for. */
#include <stdlib.h>
#include "base/map.h"
#include "gate/relay.h"
#include "gate/upstreams.h"

enum { HOST_BYTES = 256, NAME_BYTES = 200, AUTHORITY_MAX = 300 };

struct relays {
    struct arena *arena;
    struct map *hosts; /* lower case, without a port → relay_service */
    struct str own;    /* the host of our url */
    struct relay_service items[CONFIG_MAX_CONNECTIONS];
    size_t n;
};

/* ---- which service ---- */

/* Without its port, in lower case; empty: longer than any host. */
static struct str host_of(struct str authority, char buf[HOST_BYTES]) {
    ptrdiff_t colon = str_find_char(authority, ':');
    if (colon >= 0) authority = str_upto(authority, (size_t)colon);
    if (authority.n > HOST_BYTES) return (struct str){ NULL, 0 };
    for (size_t i = 0; i < authority.n; i++) {
        char c = authority.p[i];
        buf[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return (struct str){ buf, authority.n };
}

static const struct relay_service *service_of(const struct relays *relays, struct str authority) {
    char buf[HOST_BYTES];
    struct str host = host_of(authority, buf);
    return host.n ? map_get(relays->hosts, host) : NULL;
}

const struct relay_service *relay_find(const struct gate *gate, const struct http_request *http) {
    const struct door *door = http->listener_ctx;
    if (!gate->relays || door->kind != DOOR_PUBLIC) return NULL;
    return service_of(gate->relays, http->authority);
}

bool relay_streams(struct http_stream *stream, const struct http_request *http, void *ctx) {
    (void)stream;
    const struct worker *worker = ctx;
    return relay_find(worker->gate, http) != NULL;
}

bool relay_is_misdirected(const struct relay_service *to, const struct gate *gate, const struct http_request *http) {
    char buf[HOST_BYTES];
    if (http->sni.n == 0 || service_of(gate->relays, http->sni) == to) return false;
    return !str_eq(host_of(http->sni, buf), gate->relays->own);
}

/* ---- the row ---- */

/* Any of gRPC's codecs: "application/grpc", "+proto", "+json"; not grpc-web, which is framed otherwise. */
static bool is_grpc(struct str type) {
    if (!str_strip_prefix(&type, STR("application/grpc"))) return false;
    return type.n == 0 || type.p[0] == '+' || type.p[0] == ';';
}

/* TRACE would show our token, CONNECT is a tunnel, and both are no use of a service. */
static bool may_pass(struct str verb) {
    static const char *const verbs[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" };
    for (size_t i = 0; i < COUNT(verbs); i++)
        if (str_eq_z(verb, verbs[i])) return true;
    return false;
}

static enum code out_of_words(struct err *err, const char *why) {
    return err_set(err, INVALID_ARGUMENT, "the path cannot be spoken of by a rule, so it does not go on: %s", why);
}

/* What is decided is what goes on: `prepared` is the path in the one spelling, with the query. */
static enum code classify(struct call *call, struct err *err) {
    const struct relay_service *to = call->service;
    char text[AUTHORITY_MAX + URL_MAX], buf[URL_MAX];
    struct url url;
    struct err why = { 0 };
    if (call->http.path.n + to->endpoint.n > sizeof text) return out_of_words(err, "it is too long");
    memcpy(text, to->endpoint.p, to->endpoint.n);
    memcpy(text + to->endpoint.n, call->http.path.p, call->http.path.n);
    if (url_parse((struct str){ text, to->endpoint.n + call->http.path.n }, buf, &url, &why))
        return out_of_words(err, why.message);
    struct atom atom = { .verb = VERB_CALL, .object = str_dup(call->arena, url.normal), .account = to->config->audience };
    struct str *target = ARENA_NEW(call->arena, struct str);
    if (!target || !atom.object.p || !atoms_add(&call->atoms, call->arena, atom)) return err_oom(err);
    struct str path = str_from(atom.object, url.normal.n - url.path.n);
    *target = call->http.query.p ? arena_printf(call->arena, "%.*s?%.*s", STR_ARG(path), STR_ARG(call->http.query)) : path;
    call->resource = atom.object;
    call->prepared = target;
    return target->p ? OK : err_oom(err);
}

static bool name_row(struct method *row, const struct http_request *http, struct arena *arena, bool grpc) {
    struct str path = str_upto(http->path, NAME_BYTES);
    if (grpc) {
        row->grpc = str_dupz(arena, str_from(path, 1));
        return row->grpc != NULL;
    }
    row->verb = str_dupz(arena, http->method);
    row->path = arena_printf(arena, "%.*s %.*s", STR_ARG(http->method), STR_ARG(path)).p;
    return row->verb && row->path;
}

bool relay_route(const struct relay_service *to, const struct gate *gate, const struct http_request *http,
                 struct arena *arena, enum protocol *ret_protocol, struct route_match *ret) {
    bool grpc = is_grpc(http_header_value(http->headers, http->n_headers, STR("content-type")));
    *ret_protocol = grpc ? PROTOCOL_GRPC : PROTOCOL_RAW;
    if (relay_is_misdirected(to, gate, http) || !may_pass(http->method) || http->path.p[0] != '/') return false;
    struct method *row = arena ? ARENA_NEW(arena, struct method) : NULL;
    if (!row || !name_row(row, http, arena, grpc)) return false;
    row->door = DOOR_PROOF;
    row->record = to->config->record;
    row->streaming = true;
    row->classify = classify;
    row->handle = relay_start;
    *ret = (struct route_match){ .service = &to->service, .method = row };
    return true;
}

struct str relay_counted_as(const struct request *r) {
    if (!r->call.method || r->call.method->handle != relay_start) return (struct str){ NULL, 0 };
    const struct relay_service *to = r->service->state;
    return upstream_config(to->upstream)->name;
}

/* ---- from the configuration ---- */

static enum code add_service(struct relays *relays, struct gate *gate, const struct config_connection *c, struct err *err) {
    struct relay_service *s = &relays->items[relays->n++];
    struct str name = arena_printf(relays->arena, "%.*s.service", STR_ARG(c->name));
    *s = (struct relay_service){ .service = { .name = "service", .state = s },
                                 .connection = c,
                                 .config = &c->service,
                                 .endpoint = c->service.endpoint };
    for (size_t i = 0; i < c->service.n_hosts; i++)
        if (!map_put(relays->hosts, c->service.hosts[i], s, NULL)) return err_oom(err);
    if (!name.p) return err_oom(err);
    return upstreams_make(gate->upstreams, name, &c->service.far, c->service.scopes, c->service.n_scopes, &s->upstream,
                          err);
}

enum code relays_open(struct gate *gate, struct relays **ret, struct err *err) {
    enum code rc = OK;
    bool any = false;
    for (size_t i = 0; i < gate->config->n_connections; i++) any = any || gate->config->connections[i].service.present;
    if (!any) return OK;
    struct relays *relays = calloc(1, sizeof *relays);
    if (!relays) return err_oom(err);
    *ret = relays;
    relays->arena = arena_new(64 << 10);
    relays->hosts = map_new();
    if (!relays->arena || !relays->hosts) return err_oom(err);
    char *buf = arena_alloc(relays->arena, URL_MAX);
    struct url url;
    if (!buf) return err_oom(err);
    if (url_parse(gate->config->url, buf, &url, NULL) == OK) relays->own = url.host;
    for (size_t i = 0; !rc && i < gate->config->n_connections; i++)
        if (gate->config->connections[i].service.present)
            rc = add_service(relays, gate, &gate->config->connections[i], err);
    return rc;
}

void relays_free(struct relays *relays) {
    if (!relays) return;
    map_free(relays->hosts, NULL);
    arena_free(relays->arena);
    free(relays);
}
