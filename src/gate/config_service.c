/* config_service.c: generic services: which hosts, where to, what may pass. */
#include "gate/config_priv.h"
#include "gate/relay_headers.h"
#include "wire/url.h"

static void fault(struct loader *l, const struct node *node, struct str connection, const char *key, struct str value,
                  const char *why) {
    schema_fault_add(l->faults, l->arena, node, "connections.%.*s.service.%s: %.*s %s", STR_ARG(connection), key,
                     STR_ARG(str_upto(value, 100)), why);
}

/* As it stands in a URL: a name in lower case, without a port. */
static bool is_host(struct str host) {
    char text[URL_MAX], buf[URL_MAX];
    struct url url;
    if (host.n > 253 || str_find_char(host, ':') >= 0) return false;
    memcpy(text, "https://", 8);
    if (host.n) memcpy(text + 8, host.p, host.n);
    return url_parse((struct str){ text, 8 + host.n }, buf, &url, NULL) == OK && str_eq(url.host, host);
}

static bool is_own(const struct config *config, struct str host) {
    char buf[URL_MAX];
    struct url url;
    return url_parse(config->url, buf, &url, NULL) == OK && str_eq(url.host, host);
}

static const struct config_connection *holder(const struct config *config, const struct config_connection *before,
                                              struct str host) {
    for (const struct config_connection *o = config->connections; o < before; o++)
        for (size_t i = 0; i < o->service.n_hosts; i++)
            if (str_eq(o->service.hosts[i], host)) return o;
    return NULL;
}

static void check_hosts(struct loader *l, const struct config_connection *c, const struct node *list) {
    for (size_t i = 0; i < c->service.n_hosts; i++) {
        struct str host = c->service.hosts[i];
        const struct node *at = list->items[i];
        if (!is_host(host)) fault(l, at, c->name, "hosts", host, "is no name of a host in lower case, without a port");
        if (is_own(l->config, host)) fault(l, at, c->name, "hosts", host, "is our own: url");
        if (holder(l->config, c, host)) fault(l, at, c->name, "hosts", host, "is another connection's already");
    }
}

static void check_headers(struct loader *l, const struct config_connection *c, const struct node *list) {
    for (size_t i = 0; i < c->service.n_headers; i++) {
        const char *why = relay_bad_header(c->service.headers[i]);
        if (why) fault(l, list->items[i], c->name, "headers", c->service.headers[i], why);
    }
}

void config_service(struct loader *l, struct config_connection *c, const struct node *node) {
    struct config_service *s = &c->service;
    struct str what = arena_printf(l->arena, "connections.%.*s.service", STR_ARG(c->name));
    *s = (struct config_service){
        .present = true,
        .endpoint = field_text(config_service_fields, node, "endpoint"),
        .audience = field_text(config_service_fields, node, "audience"),
        .record = str_eq(field_text(config_service_fields, node, "record"), STR("enforced")) ? RECORD_ENFORCED
                                                                                             : RECORD_PROMPT,
        .timeout_ms = field_int(config_service_fields, node, "timeout"),
    };
    (void)str_strip_suffix(&s->endpoint, STR("/"));
    if (str_eq(field_text(config_service_fields, node, "back"), STR("embedded")))
        fault(l, node_get(node, STR("back")), c->name, "back", STR("embedded"), "is not for services: they are elsewhere");
    config_upstream_unproved(l, node, what, &s->far);
    config_list(node_get(node, STR("hosts")), s->hosts, CONFIG_MAX_HOSTS, &s->n_hosts);
    config_list(node_get(node, STR("headers")), s->headers, CONFIG_MAX_HEADERS, &s->n_headers);
    config_list(node_get(node, STR("scopes")), s->scopes, UPSTREAM_SCOPES, &s->n_scopes);
    if (s->far.exchange && s->n_scopes == 0)
        s->scopes[s->n_scopes++] = STR("https://www.googleapis.com/auth/cloud-platform");
    check_hosts(l, c, node_get(node, STR("hosts")));
    check_headers(l, c, node_get(node, STR("headers")));
}
