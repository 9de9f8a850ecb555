#include "livy/livy.h"
#include "gate/config.h"
#include "gate/dataprocs.h"
#include "gate/livy.h"
#include "synapse/synapse.h"

/* Whoever runs batches has an embedded dataproc beside (gate/config_connections.c). */
static enum code open_connection(struct gate *gate, const struct config_connection *c, struct err *err) {
    struct livy_pool pools[CONFIG_MAX_POOLS];
    for (size_t i = 0; i < c->synapse.n_pools; i++)
        pools[i] = (struct livy_pool){ c->synapse.pools[i].name, c->synapse.pools[i].cluster };
    const struct livy_config config = {
        .workspace = c->synapse.workspace, .pools = pools, .n_pools = c->synapse.n_pools, .cluster = c->livy.cluster
    };
    enum code rc = livy_new(&config, dataprocs_find(gate, c), &gate->livy[gate->n_livy], err);
    if (rc) return err_wrap(err, "connections.%.*s", STR_ARG(c->name));
    struct livy *livy = gate->livy[gate->n_livy++];
    if (c->livy.present) gate->services[gate->n_services++] = livy_service(livy);
    if (!c->synapse.n_pools) return OK;
    gate->services[gate->n_services] = livy_synapse_service(livy);
    gate->services[gate->n_services++].audience = STR(SYNAPSE_AUDIENCE);
    return OK;
}

enum code livy_open(struct gate *gate, struct err *err) {
    for (size_t i = 0; i < gate->config->n_connections; i++) {
        const struct config_connection *c = &gate->config->connections[i];
        enum code rc = c->livy.present || c->synapse.n_pools ? open_connection(gate, c, err) : OK;
        if (rc) return rc;
    }
    return OK;
}

void livy_close(struct gate *gate) {
    for (unsigned i = 0; i < gate->n_livy; i++) livy_free(gate->livy[i]);
}
