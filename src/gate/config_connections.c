/* config_connections.c: the systems behind us, as the configuration tells them. */
#include "gate/config_priv.h"

bool config_is_upstream(const struct node *node) {
    return str_eq(node_text(node_get(node, STR("back")), STR("")), STR("upstream"));
}

/* Keys that say nothing there would be believed to say something. */
void config_refuse_keys(struct loader *l, const struct node *node, struct str what, const char *const *keys) {
    for (; *keys; keys++)
        if (node_get(node, str_z(*keys)))
            schema_fault_add(l->faults, l->arena, node_get(node, str_z(*keys)), "%.*s.%s: only with back: %s",
                             STR_ARG(what), *keys, config_is_upstream(node) ? "embedded" : "upstream");
}

static void refuse_upstream(struct loader *l, const struct node *node, struct str connection, const char *system) {
    if (config_is_upstream(node))
        schema_fault_add(l->faults, l->arena, node_get(node, STR("back")),
                         "connections.%.*s.%s.back: upstream is not supported by this version", STR_ARG(connection),
                         system);
}

static void read_spanner(struct loader *l, struct config_connection *c, const struct node *node) {
    struct config_spanner *s = &c->spanner;
    *s = (struct config_spanner){
        .present = true,
        .upstream = config_is_upstream(node),
        .project = field_text(config_spanner_fields, node, "project"),
        .instance = field_text(config_spanner_fields, node, "instance"),
        .schema_age_ms = field_int(config_spanner_fields, node, "schema_age"),
        .roles = str_eq(field_text(config_spanner_fields, node, "roles"), STR("generated")),
    };
    struct str what = arena_printf(l->arena, "connections.%.*s.spanner", STR_ARG(c->name));
    static const char *const only_upstream[] = { "endpoint", "exchange", "schema_exchange", "schema_age", "timeout",
                                                 "roles",    NULL };
    if (!s->upstream) {
        config_refuse_keys(l, node, what, only_upstream);
        return;
    }
    config_upstream(l, node, what, STR("https://spanner.googleapis.com"), "exchange", &s->far);
    s->far.timeout_ms = field_int(config_spanner_fields, node, "timeout");
    s->far_schema = s->far;
    if (node_get(node, STR("schema_exchange")))
        config_upstream(l, node, what, STR("https://spanner.googleapis.com"), "schema_exchange", &s->far_schema);
}

/* Azure's own rule for Spark pools. */
static const char *bad_pool(struct str name) {
    bool ok = name.n <= 15 && name.n && !(name.p[0] >= '0' && name.p[0] <= '9');
    for (size_t i = 0; ok && i < name.n; i++) {
        char c = name.p[i];
        ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    }
    return ok ? NULL : "a Spark pool's name is a letter, then at most 14 letters and digits";
}

static void read_pools(struct loader *l, struct config_connection *c, const struct node *pools) {
    for (size_t i = 0; pools && i < pools->n && i < CONFIG_MAX_POOLS; i++) {
        struct str name = pools->keys[i]->text;
        const char *wrong = bad_pool(name);
        if (wrong)
            schema_fault_add(l->faults, l->arena, pools->keys[i], "connections.%.*s.synapse.pools.%.*s: %s",
                             STR_ARG(c->name), STR_ARG(name), wrong);
        c->synapse.pools[c->synapse.n_pools++] = (struct config_pool){ name, field_text(config_pool_fields, pools->items[i],
                                                                                        "cluster") };
    }
}

static void read_synapse(struct loader *l, struct config_connection *c, const struct node *node) {
    refuse_upstream(l, node, c->name, "synapse");
    struct config_synapse *s = &c->synapse;
    *s = (struct config_synapse){
        .present = true,
        .workspace = field_text(config_synapse_fields, node, "workspace"),
        .tenant = field_text(config_synapse_fields, node, "tenant"),
        .principal = field_text(config_synapse_fields, node, "principal"),
        .client = field_text(config_synapse_fields, node, "client"),
    };
    s->account = arena_printf(l->arena, "%.*s@%.*s.synapse", STR_ARG(s->workspace), STR_ARG(c->name));
    s->issuer = arena_printf(l->arena, "%.*s/azure/%.*s/", STR_ARG(l->config->url), STR_ARG(s->tenant));
    config_list(node_get(node, STR("audiences")), s->audiences, ISSUER_AUDIENCES_MAX, &s->n_audiences);
    if (s->n_audiences == 0) s->audiences[s->n_audiences++] = l->config->url;
    read_pools(l, c, node_get(node, STR("pools")));
}

/* Jobs of both run on the clusters of the Dataproc beside them. */
static void refuse_without_dataproc(struct loader *l, const struct config_connection *c, const struct node *node) {
    if (c->dataproc.present && !c->dataproc.upstream) return;
    if (c->synapse.n_pools)
        schema_fault_add(
            l->faults, l->arena, node_get(node_get(node, STR("synapse")), STR("pools")),
            "connections.%.*s.synapse.pools: their clusters are this connection's: it needs an embedded dataproc too",
            STR_ARG(c->name));
    if (c->livy.present)
        schema_fault_add(l->faults, l->arena, node_get(node, STR("livy")),
                         "connections.%.*s.livy: its cluster is this connection's: it needs an embedded dataproc too",
                         STR_ARG(c->name));
}

static void refuse_second(struct loader *l, const struct config_connection *c, const struct config_connection *other,
                          const struct node *node, const char *system) {
    schema_fault_add(l->faults, l->arena, node, "connections.%.*s: connections.%.*s has %s already, one is supported",
                     STR_ARG(c->name), STR_ARG(other->name), system);
}

/* A request must lead to one connection: Spanner's by project and instance, Dataproc's by project and region; the rows of
 * the others are told apart by no name yet. */
static void refuse_twins(struct loader *l, const struct config_connection *c, const struct node *node) {
    for (const struct config_connection *o = l->config->connections; o < c; o++) {
        if (o->dataproc.present && c->dataproc.present && str_eq(o->dataproc.project, c->dataproc.project) &&
            str_eq(o->dataproc.region, c->dataproc.region))
            schema_fault_add(l->faults, l->arena, node,
                             "connections.%.*s: connections.%.*s has the same project and region", STR_ARG(c->name),
                             STR_ARG(o->name));
        if (o->synapse.present && c->synapse.present) refuse_second(l, c, o, node, "synapse");
        if (o->livy.present && c->livy.present) refuse_second(l, c, o, node, "livy");
        if (o->spanner.present && c->spanner.present && str_eq(o->spanner.project, c->spanner.project) &&
            str_eq(o->spanner.instance, c->spanner.instance))
            schema_fault_add(l->faults, l->arena, node,
                             "connections.%.*s: connections.%.*s has the same project and instance", STR_ARG(c->name),
                             STR_ARG(o->name));
    }
}

static void read_connection(struct loader *l, struct config_connection *c, const struct node *node) {
    const struct node *spanner = node_get(node, STR("spanner")), *dataproc = node_get(node, STR("dataproc")),
                      *synapse = node_get(node, STR("synapse")), *livy = node_get(node, STR("livy")),
                      *service = node_get(node, STR("service"));
    if (spanner) read_spanner(l, c, spanner);
    if (dataproc) config_dataproc(l, c, dataproc);
    if (synapse) read_synapse(l, c, synapse);
    if (livy) c->livy = (struct config_livy){ true, field_text(config_livy_fields, livy, "cluster") };
    if (service) config_service(l, c, service);
    refuse_without_dataproc(l, c, node);
    refuse_twins(l, c, node);
    if (!spanner && !dataproc && !synapse && !livy && !service)
        schema_fault_add(l->faults, l->arena, node, "connections.%.*s: names no system", STR_ARG(c->name));
}

void config_connections(struct loader *l, const struct node *map) {
    for (size_t i = 0; map && i < map->n && i < CONFIG_MAX_CONNECTIONS; i++) {
        struct config_connection *c = &l->config->connections[l->config->n_connections++];
        c->name = map->keys[i]->text;
        read_connection(l, c, map->items[i]);
    }
}
