/* remote.c: an upstream connection, made and ended; and how its calls go on. */
#include "dataproc/remote.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/file.h"
#include "wire/url.h"

enum { CONFIG_ARENA_BYTES = 1 << 20 };

/* ---- made and ended ---- */

static bool copy_accounts(struct remote *remote, const struct dataproc_upstream_config *config, struct arena *arena) {
    struct dataproc_account *accounts = ARENA_ARRAY(arena, struct dataproc_account, config->n_accounts + 1);
    for (size_t i = 0; accounts && i < config->n_accounts; i++) {
        accounts[i] = (struct dataproc_account){ str_dup(arena, config->accounts[i].cluster),
                                                 str_dup(arena, config->accounts[i].email) };
        if (!accounts[i].cluster.p || !accounts[i].email.p) return false;
    }
    remote->accounts = accounts;
    remote->n_accounts = config->n_accounts;
    return accounts != NULL;
}

static bool make_routing(struct remote *remote, const struct dataproc_upstream_config *config, struct arena *arena) {
    DEFER(buf_free) struct buf out = BUF_INIT(1024);
    buf_add_z(&out, "project_id=");
    url_encode(&out, config->project);
    buf_add_z(&out, "&region=");
    url_encode(&out, config->region);
    remote->routing = (struct http_header){ STR("x-goog-request-params"), str_dup(arena, buf_str(&out)) };
    return buf_ok(&out) && remote->routing.value.p;
}

static bool copy_config(struct dataproc *d, const struct dataproc_upstream_config *config) {
    struct arena *a = d->arena;
    d->connection = str_dup(a, config->connection);
    d->project = str_dup(a, config->project);
    d->region = str_dup(a, config->region);
    d->launch = (struct launch_config){ .n_properties = config->n_properties };
    d->remote->n_code = config->n_code;
    return d->connection.p && d->project.p && d->region.p && copy_accounts(d->remote, config, a) &&
           dataproc_copy_list(a, config->code, config->n_code, &d->remote->code) &&
           dataproc_copy_list(a, config->properties, config->n_properties, &d->launch.properties) &&
           make_routing(d->remote, config, a);
}

enum code dataproc_new_upstream(const struct dataproc_upstream_config *config, struct dataproc **ret, struct err *err) {
    struct dataproc *d = calloc(1, sizeof *d);
    if (!d) return err_oom(err);
    d->arena = arena_new(CONFIG_ARENA_BYTES);
    d->remote = calloc(1, sizeof *d->remote);
    enum code rc = d->arena && d->remote && copy_config(d, config) ? OK : err_oom(err);
    if (!rc) rc = file_make_dirs(config->folder, 0700, err);
    if (!rc) rc = sealer_open_file(config->folder, "handles.key", sealer_new, &d->remote->sealer, err);
    if (rc) {
        dataproc_free(d);
        return rc;
    }
    d->remote->upstream = config->upstream;
    *ret = d;
    return OK;
}

void remote_free(struct remote *remote) {
    if (!remote) return;
    sealer_free(remote->sealer);
    free(remote);
}

bool dataproc_is_upstream(const struct dataproc *dataproc) {
    return dataproc->remote != NULL;
}

/* ---- its clusters ---- */

struct str remote_account_of(const struct dataproc *dataproc, struct str cluster) {
    const struct remote *remote = dataproc->remote;
    for (size_t i = 0; i < remote->n_accounts; i++)
        if (str_eq(remote->accounts[i].cluster, cluster)) return remote->accounts[i].email;
    return (struct str){ NULL, 0 };
}

bool remote_has_cluster(const struct dataproc *dataproc, struct str cluster) {
    return remote_account_of(dataproc, cluster).n > 0;
}

bool remote_concerns(struct dataproc *dataproc, const struct call *call) {
    const struct remote *remote = dataproc->remote;
    for (size_t i = 0; i < remote->n_accounts; i++)
        if (access_holds_cluster(dataproc, call, remote->accounts[i].cluster)) return true;
    return false;
}

/* ---- calls go on ---- */

struct forward *remote_forward(struct call *call, const void *message) {
    const struct dataproc *dataproc = call->service;
    struct forward *forward = ARENA_NEW(call->arena, struct forward);
    if (!forward) {
        remote_refuse(call, RESOURCE_EXHAUSTED, "out of memory");
        return NULL;
    }
    *forward = (struct forward){ .call = call, .upstream = dataproc->remote->upstream, .message = message };
    forward->metadata[forward->n_metadata++] = dataproc->remote->routing;
    return forward;
}

void remote_refuse(struct call *call, enum code code, const char *fmt, ...) {
    char text[768];
    struct err err = { 0 };
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    call_end(call, err_set(&err, code, "%s", text), &err);
}
