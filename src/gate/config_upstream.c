/* config_upstream.c: where upstreams are, and what proves to them who asks. */
#include "base/file.h"
#include "gate/config_priv.h"
#include "wire/url.h"

static void read_exchange(struct loader *l, struct config_exchange *x, const struct node *node) {
    const struct node *file = node_get(node, STR("file"));
    struct err err = { 0 };
    struct str json;
    const char *path = config_path(l, field_text(config_exchange_fields, node, "file"));
    enum code rc = path ? file_read(l->arena, path, EXCHANGE_FILE_MAX, &json, &err) : err_oom(&err);
    if (!rc) rc = exchange_config_read(json, l->config->development, l->arena, &x->config, &err);
    if (!rc && x->config.subject_file.n)
        rc = err_set(&err, INVALID_ARGUMENT,
                     "credential_source is for others: here each caller has a subject token of its own; leave it out");
    if (rc) schema_fault_add(l->faults, l->arena, file, "exchanges.%.*s.file: %s", STR_ARG(x->name), err.message);
}

void config_exchanges(struct loader *l, const struct node *map) {
    for (size_t i = 0; map && i < map->n && i < CONFIG_MAX_EXCHANGES; i++) {
        struct config_exchange *x = &l->config->exchanges[l->config->n_exchanges++];
        x->name = map->keys[i]->text;
        read_exchange(l, x, map->items[i]);
    }
}

static const struct config_exchange *find_exchange(const struct config *config, struct str name) {
    for (size_t i = 0; i < config->n_exchanges; i++)
        if (str_eq(config->exchanges[i].name, name)) return &config->exchanges[i];
    return NULL;
}

/* NULL: it may be called. */
static const char *bad_endpoint(const struct url *url, bool development) {
    bool plain = str_eq(url->scheme, STR("http"));
    if (url->query.p || !str_eq(url->path, STR("/"))) return "is scheme, host and port, without a path";
    if (plain && !(development && url_is_loopback(url))) return "must be https (http: on loopback, in development only)";
    return NULL;
}

static void read_endpoint(struct loader *l, const struct node *node, struct str what, struct str fallback,
                          struct config_upstream *ret) {
    const struct node *at = node_get(node, STR("endpoint"));
    char *buf = arena_alloc(l->arena, URL_MAX);
    struct url url;
    struct err err = { 0 };
    enum code rc = buf ? url_parse(node_text(at, fallback), buf, &url, &err) : err_oom(&err);
    const char *why = rc ? err.message : bad_endpoint(&url, l->config->development);
    if (why) schema_fault_add(l->faults, l->arena, at ? at : node, "%.*s.endpoint: %s", STR_ARG(what), why);
    else {
        *ret = (struct config_upstream){
            .scheme = url.scheme, .host = url.host, .port = url.port, .loopback = url_is_loopback(&url)
        };
    }
}

static void read_upstream(struct loader *l, const struct node *node, struct str what, struct str fallback, const char *key,
                          struct config_upstream *ret) {
    const struct node *exchange = node_get(node, str_z(key));
    read_endpoint(l, node, what, fallback, ret);
    struct str name = node_text(exchange, STR(""));
    ret->exchange = find_exchange(l->config, name);
    if (exchange && !ret->exchange)
        schema_fault_add(l->faults, l->arena, exchange, "%.*s.%s: there is no exchanges.%.*s", STR_ARG(what), key,
                         STR_ARG(name));
}

void config_upstream_unproved(struct loader *l, const struct node *node, struct str what, struct config_upstream *ret) {
    read_upstream(l, node, what, STR(""), "exchange", ret);
}

void config_upstream(struct loader *l, const struct node *node, struct str what, struct str fallback, const char *key,
                     struct config_upstream *ret) {
    read_upstream(l, node, what, fallback, key, ret);
    if (!node_get(node, str_z(key)) && !ret->loopback)
        schema_fault_add(l->faults, l->arena, node, "%.*s: %s is missing: what proves to the upstream who asks?",
                         STR_ARG(what), key);
}
