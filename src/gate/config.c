#include "gate/config.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "data/yaml.h"
#include "gate/config_priv.h"

const struct field *config_fields(void) {
    return config_root;
}

void config_spanner(const struct config *config, struct engine *engine, struct spanner_config *ret) {
    *ret = (struct spanner_config){ .engine = engine };
    for (size_t i = 0; i < config->n_connections; i++) {
        const struct config_connection *from = &config->connections[i];
        if (!from->spanner.present) continue;
        ret->connections[ret->n_connections++] = (struct spanner_connection){ .name = from->name,
                                                                              .project = from->spanner.project,
                                                                              .instance = from->spanner.instance,
                                                                              .roles = from->spanner.roles };
    }
}

const struct config_connection *config_workspace(const struct config *config) {
    for (size_t i = 0; i < config->n_connections; i++)
        if (config->connections[i].synapse.present) return &config->connections[i];
    return NULL;
}

const char *config_path(struct loader *l, struct str text) {
    if (text.n && text.p[0] == '/') return str_dupz(l->arena, text);
    return arena_printf(l->arena, "%s/%.*s", l->config->folder, STR_ARG(text)).p;
}

void config_list(const struct node *list, struct str *items, size_t max, size_t *n) {
    for (size_t i = 0; list && i < list->n && i < max; i++) items[(*n)++] = list->items[i]->text;
}

static enum issuer_preset preset_of(struct str text) {
    if (str_eq(text, STR("discovery"))) return ISSUER_DISCOVERY;
    if (str_eq(text, STR("entra"))) return ISSUER_ENTRA;
    return str_eq(text, STR("google")) ? ISSUER_GOOGLE : ISSUER_PLAIN;
}

static void read_issuer(struct loader *l, struct str name, const struct node *node) {
    struct issuer_config *c = &l->config->issuers[l->config->n_issuers++];
    *c = (struct issuer_config){
        .name = name,
        .preset = preset_of(field_text(config_issuer, node, "preset")),
        .iss = field_text(config_issuer, node, "issuer"),
        .tenant = field_text(config_issuer, node, "tenant"),
        .jwks_uri = field_text(config_issuer, node, "jwks_uri"),
        .max_life_s = field_int(config_issuer, node, "max_life") / 1000,
        .allow_http = l->config->development,
    };
    config_list(node_get(node, STR("audiences")), c->audiences, ISSUER_AUDIENCES_MAX, &c->n_audiences);
    struct str file = field_text(config_issuer, node, "jwks");
    struct err err;
    if (file.n && file_read(l->arena, config_path(l, file), JWKS_MAX_BYTES, &c->jwks_json, &err))
        schema_fault_add(l->faults, l->arena, node_get(node, STR("jwks")), "issuers.%.*s.jwks: %s", STR_ARG(name),
                         err.message);
    if (str_eq(name, STR("linkspan")) || str_eq(name, CONFIG_WORKSPACES))
        schema_fault_add(l->faults, l->arena, node, "issuers.%.*s: this name is our own", STR_ARG(name));
    if (!l->config->development && str_starts(c->jwks_uri, STR("http://")))
        schema_fault_add(l->faults, l->arena, node_get(node, STR("jwks_uri")),
                         "issuers.%.*s.jwks_uri: https only, outside of development", STR_ARG(name));
}

static void read_log(struct loader *l, const struct node *log) {
    struct str requests = field_text(config_log, log, "requests");
    l->config->log_requests = str_eq(requests, STR("all"))        ? LOG_REQUESTS_ALL
                              : str_eq(requests, STR("refusals")) ? LOG_REQUESTS_REFUSALS
                                                                  : LOG_REQUESTS_NONE;
    l->config->log_format = str_eq(field_text(config_log, log, "format"), STR("text")) ? LOG_TEXT : LOG_JSON;
}

static void read_all(struct loader *l, const struct node *root) {
    struct config *c = l->config;
    const struct node *tls = node_get(root, STR("tls")), *issuers = node_get(root, STR("issuers"));
    c->development = str_eq(field_text(config_root, root, "environment"), STR("development"));
    c->data = config_path(l, field_text(config_root, root, "data"));
    c->policy = config_path(l, field_text(config_root, root, "policy"));
    c->listen = field_text(config_listen, node_get(root, STR("listen")), "public");
    c->admin = field_text(config_listen, node_get(root, STR("listen")), "admin");
    c->url = field_text(config_root, root, "url");
    c->certificate = config_path(l, field_text(config_tls, tls, "certificate"));
    c->key = config_path(l, field_text(config_tls, tls, "key"));
    c->ca = config_path(l, field_text(config_tls, tls, "ca"));
    c->audit_origin = field_text(config_audit, node_get(root, STR("audit")), "origin");
    const struct node *limits = node_get(root, STR("limits")), *account = node_get(limits, STR("per_account"));
    c->memory_bytes = field_int(config_limits, limits, "memory");
    c->per_account.at_once = (uint64_t)field_int(config_per_account, account, "at_once");
    c->per_account.per_second = (uint64_t)field_int(config_per_account, account, "per_second");
    read_log(l, node_get(root, STR("log")));
    c->workers = (unsigned)field_int(config_root, root, "workers");
    c->drain_ms = field_int(config_root, root, "drain");
    for (size_t i = 0; issuers && i < issuers->n && i < CONFIG_MAX_ISSUERS; i++)
        read_issuer(l, issuers->keys[i]->text, issuers->items[i]);
    config_exchanges(l, node_get(root, STR("exchanges")));
    config_connections(l, node_get(root, STR("connections")));
}

static enum code find_folder(const char *file, struct arena *arena, struct config *config, struct err *err) {
    char real[PATH_MAX];
    if (!realpath(file, real)) return err_errno(err, file);
    config->file = str_dupz(arena, str_z(file));
    char *slash = strrchr(real, '/');
    *slash = '\0';
    config->folder = str_dupz(arena, str_z(real));
    return config->folder ? OK : err_oom(err);
}

enum code config_load(const char *file, struct arena *arena, struct config *ret, struct schema_faults *ret_faults,
                      struct err *err) {
    struct str text;
    struct node *root;
    *ret = (struct config){ 0 };
    ret_faults->n = 0;
    enum code rc = find_folder(file, arena, ret, err);
    if (!rc) rc = file_read(arena, file, CONFIG_MAX_BYTES, &text, err);
    if (rc) return rc;
    rc = yaml_read(text, CONFIG_MAX_BYTES, arena, &root, err);
    if (rc) {
        struct node at = { .line = err->line, .column = err->column };
        schema_fault_add(ret_faults, arena, &at, "%s", err->message);
        return rc;
    }
    if (schema_check(config_root, root, arena, ret_faults)) read_all(&(struct loader){ arena, ret, ret_faults }, root);
    if (ret_faults->n == 0) return OK;
    const struct schema_fault *first = &ret_faults->items[0];
    return err_at(err, INVALID_ARGUMENT, first->line, first->column, "%.*s", STR_ARG(str_upto(first->message, 900)));
}

const char *config_ca_file(const struct config *config) {
    return access(config->ca, F_OK) == 0 ? config->ca : NULL;
}
