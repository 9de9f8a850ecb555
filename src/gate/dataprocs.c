#include "gate/dataprocs.h"
#include <stdio.h>
#include "base/file.h"
#include "base/log.h"
#include "gate/config.h"
#include "gate/data_dir.h"
#include "gate/endpoint.h"
#include "gate/upstreams.h"

_Static_assert((int)DATAPROC_MAX_REGIONS >= (int)CONFIG_MAX_CONNECTIONS, "one a connection");

static enum code folder_of(const struct gate *gate, const struct config_connection *c, char folder[DATA_PATH_MAX],
                           struct err *err) {
    if (snprintf(folder, DATA_PATH_MAX, "%s/jobs/%.*s", gate->config->data, STR_ARG(c->name)) >= DATA_PATH_MAX)
        return err_set(err, INVALID_ARGUMENT, "the data directory's path is too long");
    return file_make_dirs(folder, 0700, err);
}

static enum code open_embedded(struct gate *gate, const struct config_connection *c, const char *folder,
                               struct dataproc **ret, struct err *err) {
    const struct config_dataproc *d = &c->dataproc;
    const struct dataproc_config config = {
        .connection = c->name,
        .project = d->project,
        .region = d->region,
        .master = d->master,
        .url = gate->config->url,
        .code = d->code,
        .n_code = d->n_code,
        .properties = d->properties,
        .n_properties = d->n_properties,
        .python = d->python,
        .memory_bytes = d->memory_bytes,
        .max_jobs = d->max_jobs,
        .folder = folder,
        .helper = "/proc/self/exe",
        .worlds = WORLD_NAMESPACES,
    };
    const struct job_endpoints endpoints = endpoints_of(gate);
    enum code rc = dataproc_new(&config, &endpoints, ret, err);
    const char *why = rc ? "" : dataproc_world_why(*ret);
    if (why[0]) log_line(LOG_WARNING, "jobs are kept apart less well than they could be: %s", why);
    return rc;
}

static enum code open_upstream(struct gate *gate, const struct config_connection *c, const char *folder,
                               struct dataproc **ret, struct err *err) {
    static const struct str scopes[] = { STR_INIT("https://www.googleapis.com/auth/cloud-platform") };
    const struct config_dataproc *d = &c->dataproc;
    char name[128];
    int n = snprintf(name, sizeof name, "%.*s.dataproc", STR_ARG(c->name));
    const struct upstream *upstream;
    enum code rc = upstreams_make(gate->upstreams, (struct str){ name, (size_t)n }, &d->far, scopes, COUNT(scopes),
                                  &upstream, err);
    if (rc) return rc;
    const struct dataproc_upstream_config config = {
        .connection = c->name,
        .project = d->project,
        .region = d->region,
        .upstream = upstream,
        .accounts = d->accounts,
        .n_accounts = d->n_accounts,
        .code = d->code,
        .n_code = d->n_code,
        .properties = d->properties,
        .n_properties = d->n_properties,
        .folder = folder,
    };
    return dataproc_new_upstream(&config, ret, err);
}

static enum code open_one(struct gate *gate, const struct config_connection *c, struct dataproc_regions *regions,
                          struct err *err) {
    char folder[DATA_PATH_MAX];
    struct dataproc *made;
    enum code rc = folder_of(gate, c, folder, err);
    if (!rc) rc = (c->dataproc.upstream ? open_upstream : open_embedded)(gate, c, folder, &made, err);
    if (rc) return err_wrap(err, "connections.%.*s.dataproc", STR_ARG(c->name));
    regions->items[regions->n++] = made;
    return OK;
}

enum code dataprocs_open(struct gate *gate, struct dataproc_regions *regions, struct err *err) {
    gate->dataproc = regions;
    for (size_t i = 0; i < gate->config->n_connections; i++) {
        const struct config_connection *c = &gate->config->connections[i];
        enum code rc = c->dataproc.present ? open_one(gate, c, regions, err) : OK;
        if (rc) return rc;
    }
    if (regions->n) gate->services[gate->n_services++] = dataproc_service(regions);
    return OK;
}

struct dataproc *dataprocs_find(const struct gate *gate, const struct config_connection *connection) {
    const struct config_dataproc *d = &connection->dataproc;
    for (size_t i = 0; i < gate->dataproc->n; i++) {
        struct dataproc *found = gate->dataproc->items[i];
        if (str_eq(dataproc_project(found), d->project) && str_eq(dataproc_region(found), d->region)) return found;
    }
    return NULL;
}

void dataprocs_free(struct dataproc_regions *regions) {
    for (size_t i = 0; i < regions->n; i++) dataproc_free(regions->items[i]);
}
