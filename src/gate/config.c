#include "gate/config.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "data/yaml.h"

static const char *bad_address(struct str text) {
    struct net_address address;
    struct err err;
    return net_address_parse(text, &address, &err) ? "is no address such as 127.0.0.1:8443" : NULL;
}

static const char *bad_url(struct str text) {
    return str_starts(text, STR("https://")) && !str_ends(text, STR("/")) ? NULL
                                                                          : "must begin with https:// and not end with /";
}

static const char *bad_id(struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == ':'))
            return "may hold a-z, 0-9, '-', '_', '.' and ':' only";
    }
    return NULL;
}

/* As the engine names its folders. */
static const char *bad_instance(struct str text) {
    bool ok = text.n && text.p[0] >= 'a' && text.p[0] <= 'z' && text.p[text.n - 1] != '-' && text.p[text.n - 1] != '_';
    for (size_t i = 0; ok && i < text.n; i++) {
        char c = text.p[i];
        ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    }
    return ok ? NULL : "must be a-z, then a-z, 0-9, '-' and '_', not ending in '-' or '_'";
}

static const char *const environments[] = { "development", "production", NULL };
static const char *const presets[] = { "plain", "discovery", "entra", "google", NULL };
static const char *const backs[] = { "embedded", "upstream", NULL };

static const struct field listen_fields[] = {
    { .key = "public",
      .type = FIELD_TEXT,
      .required = true,
      .check = bad_address,
      .doc = "Where clients connect, with TLS." },
    { 0 },
};
static const struct field tls_fields[] = {
    { .key = "certificate", .type = FIELD_TEXT, .fallback = "tls/server.pem", .doc = "PEM, with its chain." },
    { .key = "key", .type = FIELD_TEXT, .fallback = "tls/server.key", .doc = "PEM, readable by its owner only." },
    { .key = "ca", .type = FIELD_TEXT, .fallback = "tls/ca.pem", .doc = "The authority that clients trust." },
    { 0 },
};
static const struct field issuer_fields[] = {
    { .key = "preset", .type = FIELD_ENUM, .words = presets, .fallback = "plain", .doc = "What kind of issuer it is." },
    { .key = "issuer", .type = FIELD_TEXT, .max = 512, .doc = "`iss`, byte for byte (plain, discovery)." },
    { .key = "tenant", .type = FIELD_TEXT, .max = 64, .doc = "Entra's tenant id." },
    { .key = "audiences",
      .type = FIELD_TEXT_LIST,
      .required = true,
      .min = 1,
      .max = ISSUER_AUDIENCES_MAX,
      .doc = "Whom its tokens must be for." },
    { .key = "jwks", .type = FIELD_TEXT, .doc = "A file with its key set." },
    { .key = "jwks_uri", .type = FIELD_TEXT, .max = 1024, .doc = "Where its key set is, if not where the preset says." },
    { .key = "max_life",
      .type = FIELD_DURATION_MS,
      .fallback = "24h",
      .min = 60000,
      .max = 172800000,
      .doc = "The longest life of a token that is taken." },
    { 0 },
};
static const struct field spanner_fields[] = {
    { .key = "back", .type = FIELD_ENUM, .words = backs, .required = true, .doc = "embedded: served here." },
    { .key = "project",
      .type = FIELD_TEXT,
      .required = true,
      .min = 1,
      .max = 63,
      .check = bad_id,
      .doc = "The project in resource names." },
    { .key = "instance",
      .type = FIELD_TEXT,
      .required = true,
      .min = 2,
      .max = 64,
      .check = bad_instance,
      .doc = "The instance in resource names." },
    { 0 },
};
static const struct field dataproc_fields[] = {
    { .key = "back", .type = FIELD_ENUM, .words = backs, .required = true, .doc = "embedded: a local Apache Spark." },
    { .key = "project",
      .type = FIELD_TEXT,
      .required = true,
      .min = 1,
      .max = 63,
      .check = bad_id,
      .doc = "The project in resource names." },
    { .key = "region",
      .type = FIELD_TEXT,
      .required = true,
      .min = 1,
      .max = 63,
      .check = bad_id,
      .doc = "The region in resource names." },
    { .key = "master", .type = FIELD_TEXT, .fallback = "local[*]", .doc = "Spark's master for clusters that name none." },
    { .key = "code",
      .type = FIELD_TEXT_LIST,
      .required = true,
      .min = 1,
      .max = CONFIG_MAX_FOLDERS,
      .doc = "Folders whose files jobs may use." },
    { .key = "properties",
      .type = FIELD_TEXT_LIST,
      .max = CONFIG_MAX_FOLDERS,
      .doc = "Prefixes of Spark properties that jobs may set, beside the built-in ones." },
    { .key = "python",
      .type = FIELD_TEXT,
      .fallback = "/usr/bin/python3",
      .doc = "The interpreter whose environment holds PySpark." },
    { .key = "memory",
      .type = FIELD_SIZE,
      .fallback = "2GiB",
      .min = 512 << 20,
      .max = INT64_C(1) << 40,
      .doc = "Memory of a driver." },
    { .key = "max_jobs", .type = FIELD_INT, .fallback = "4", .min = 1, .max = 1000, .doc = "Jobs at once; more wait." },
    { 0 },
};
static const struct field connection_fields[] = {
    { .key = "spanner", .type = FIELD_MAP, .fields = spanner_fields, .doc = "A Spanner instance." },
    { .key = "dataproc", .type = FIELD_MAP, .fields = dataproc_fields, .doc = "A Dataproc region." },
    { 0 },
};
static const struct field audit_fields[] = {
    { .key = "origin",
      .type = FIELD_TEXT,
      .fallback = "linkspan.local/audit",
      .min = 1,
      .max = 200,
      .doc = "The log's name in its checkpoints." },
    { 0 },
};
static const struct field fields[] = {
    { .key = "environment",
      .type = FIELD_ENUM,
      .words = environments,
      .fallback = "production",
      .doc = "development allows the development issuer and http on loopback." },
    { .key = "data", .type = FIELD_TEXT, .fallback = "data", .doc = "The data directory." },
    { .key = "policy", .type = FIELD_TEXT, .fallback = "policy", .doc = "The directory of *.policy files." },
    { .key = "listen", .type = FIELD_MAP, .required = true, .fields = listen_fields, .doc = "Addresses." },
    { .key = "url",
      .type = FIELD_TEXT,
      .required = true,
      .check = bad_url,
      .max = 512,
      .doc = "How clients reach us: also our name as an issuer." },
    { .key = "tls", .type = FIELD_MAP, .fields = tls_fields, .doc = "Certificate and key." },
    { .key = "issuers",
      .type = FIELD_MAP_OF,
      .fields = issuer_fields,
      .max = ISSUERS_MAX - 1,
      .doc = "Whose tokens are believed." },
    { .key = "connections",
      .type = FIELD_MAP_OF,
      .fields = connection_fields,
      .max = CONFIG_MAX_CONNECTIONS,
      .doc = "What is behind us." },
    { .key = "audit", .type = FIELD_MAP, .fields = audit_fields, .doc = "The audit log." },
    { .key = "workers", .type = FIELD_INT, .fallback = "2", .min = 1, .max = 64, .doc = "Event loops." },
    { .key = "drain",
      .type = FIELD_DURATION_MS,
      .fallback = "10s",
      .max = 600000,
      .doc = "How long requests may finish after SIGTERM." },
    { 0 },
};

const struct field *config_fields(void) {
    return fields;
}

void config_spanner(const struct config *config, struct engine *engine, struct spanner_config *ret) {
    *ret = (struct spanner_config){ .engine = engine };
    for (size_t i = 0; i < config->n_connections; i++) {
        const struct config_connection *from = &config->connections[i];
        if (!from->spanner.present) continue;
        ret->connections[ret->n_connections++] = (struct spanner_connection){ .name = from->name,
                                                                              .project = from->spanner.project,
                                                                              .instance = from->spanner.instance };
    }
}

struct loader {
    struct arena *arena;
    struct config *config;
    struct faults *faults;
};

/* Against the configuration's folder, with its NUL. */
static const char *path_of(struct loader *l, struct str text) {
    if (text.n && text.p[0] == '/') return str_dupz(l->arena, text);
    return arena_printf(l->arena, "%s/%.*s", l->config->folder, STR_ARG(text)).p;
}

static void read_list(const struct node *list, struct str *items, size_t max, size_t *n) {
    for (size_t i = 0; list && i < list->n && i < max; i++) items[(*n)++] = list->items[i]->text;
}

static enum issuer_preset preset_of(struct str text) {
    static const enum issuer_preset values[] = { ISSUER_PLAIN, ISSUER_DISCOVERY, ISSUER_ENTRA, ISSUER_GOOGLE };
    for (size_t i = 0; i < COUNT(values); i++)
        if (str_eq_z(text, presets[i])) return values[i];
    return ISSUER_PLAIN;
}

static void read_issuer(struct loader *l, struct str name, const struct node *node) {
    struct issuer_config *c = &l->config->issuers[l->config->n_issuers++];
    *c = (struct issuer_config){
        .name = name,
        .preset = preset_of(field_text(issuer_fields, node, "preset")),
        .iss = field_text(issuer_fields, node, "issuer"),
        .tenant = field_text(issuer_fields, node, "tenant"),
        .jwks_uri = field_text(issuer_fields, node, "jwks_uri"),
        .max_life_s = field_int(issuer_fields, node, "max_life") / 1000,
        .allow_http = l->config->development,
    };
    read_list(node_get(node, STR("audiences")), c->audiences, ISSUER_AUDIENCES_MAX, &c->n_audiences);
    struct str file = field_text(issuer_fields, node, "jwks");
    struct err err;
    if (file.n && file_read(l->arena, path_of(l, file), JWKS_MAX_BYTES, &c->jwks_json, &err))
        fault_add(l->faults, l->arena, node_get(node, STR("jwks")), "issuers.%.*s.jwks: %s", STR_ARG(name), err.message);
    if (str_eq(name, STR("linkspan"))) fault_add(l->faults, l->arena, node, "issuers.linkspan: this name is our own");
    if (!l->config->development && str_starts(c->jwks_uri, STR("http://")))
        fault_add(l->faults, l->arena, node_get(node, STR("jwks_uri")),
                  "issuers.%.*s.jwks_uri: https only, outside of development", STR_ARG(name));
}

static void refuse_upstream(struct loader *l, const struct node *node, struct str connection, const char *system) {
    if (str_eq(node_text(node_get(node, STR("back")), STR("")), STR("upstream")))
        fault_add(l->faults, l->arena, node_get(node, STR("back")),
                  "connections.%.*s.%s.back: upstream is not supported by this version", STR_ARG(connection), system);
}

static void read_spanner(struct loader *l, struct config_connection *c, const struct node *node) {
    refuse_upstream(l, node, c->name, "spanner");
    c->spanner = (struct config_spanner){ true, field_text(spanner_fields, node, "project"),
                                          field_text(spanner_fields, node, "instance") };
}

static void read_dataproc(struct loader *l, struct config_connection *c, const struct node *node) {
    refuse_upstream(l, node, c->name, "dataproc");
    struct config_dataproc *d = &c->dataproc;
    *d = (struct config_dataproc){
        .present = true,
        .project = field_text(dataproc_fields, node, "project"),
        .region = field_text(dataproc_fields, node, "region"),
        .master = field_text(dataproc_fields, node, "master"),
        .memory_bytes = field_int(dataproc_fields, node, "memory"),
        .max_jobs = (size_t)field_int(dataproc_fields, node, "max_jobs"),
    };
    d->python = str_z(path_of(l, field_text(dataproc_fields, node, "python")));
    const struct node *code = node_get(node, STR("code"));
    read_list(code, d->code, CONFIG_MAX_FOLDERS, &d->n_code);
    for (size_t i = 0; i < d->n_code; i++) {
        char real[PATH_MAX];
        const char *path = path_of(l, d->code[i]);
        if (!path || !realpath(path, real))
            fault_add(l->faults, l->arena, code->items[i], "connections.%.*s.dataproc.code: no folder %s", STR_ARG(c->name),
                      path ? path : "");
        else d->code[i] = str_dup(l->arena, str_z(real));
    }
    read_list(node_get(node, STR("properties")), d->properties, CONFIG_MAX_FOLDERS, &d->n_properties);
}

/* A request must lead to one connection: Dataproc's rows are told apart by no name yet, Spanner's by project and instance.
 */
static void refuse_twins(struct loader *l, const struct config_connection *c, const struct node *node) {
    for (const struct config_connection *o = l->config->connections; o < c; o++) {
        if (o->dataproc.present && c->dataproc.present)
            fault_add(l->faults, l->arena, node,
                      "connections.%.*s: connections.%.*s has dataproc already, one is supported", STR_ARG(c->name),
                      STR_ARG(o->name));
        if (o->spanner.present && c->spanner.present && str_eq(o->spanner.project, c->spanner.project) &&
            str_eq(o->spanner.instance, c->spanner.instance))
            fault_add(l->faults, l->arena, node, "connections.%.*s: connections.%.*s has the same project and instance",
                      STR_ARG(c->name), STR_ARG(o->name));
    }
}

static void read_connections(struct loader *l, const struct node *map) {
    for (size_t i = 0; map && i < map->n && i < CONFIG_MAX_CONNECTIONS; i++) {
        struct config_connection *c = &l->config->connections[l->config->n_connections++];
        c->name = map->keys[i]->text;
        const struct node *spanner = node_get(map->items[i], STR("spanner")),
                          *dataproc = node_get(map->items[i], STR("dataproc"));
        if (spanner) read_spanner(l, c, spanner);
        if (dataproc) read_dataproc(l, c, dataproc);
        refuse_twins(l, c, map->items[i]);
        if (!spanner && !dataproc)
            fault_add(l->faults, l->arena, map->items[i], "connections.%.*s: names no system", STR_ARG(c->name));
    }
}

static void read_all(struct loader *l, const struct node *root) {
    struct config *c = l->config;
    const struct node *tls = node_get(root, STR("tls")), *issuers = node_get(root, STR("issuers"));
    c->development = str_eq(field_text(fields, root, "environment"), STR("development"));
    c->data = path_of(l, field_text(fields, root, "data"));
    c->policy = path_of(l, field_text(fields, root, "policy"));
    c->listen = field_text(listen_fields, node_get(root, STR("listen")), "public");
    c->url = field_text(fields, root, "url");
    c->certificate = path_of(l, field_text(tls_fields, tls, "certificate"));
    c->key = path_of(l, field_text(tls_fields, tls, "key"));
    c->ca = path_of(l, field_text(tls_fields, tls, "ca"));
    c->audit_origin = field_text(audit_fields, node_get(root, STR("audit")), "origin");
    c->workers = (unsigned)field_int(fields, root, "workers");
    c->drain_ms = field_int(fields, root, "drain");
    for (size_t i = 0; issuers && i < issuers->n && i < ISSUERS_MAX - 1; i++)
        read_issuer(l, issuers->keys[i]->text, issuers->items[i]);
    read_connections(l, node_get(root, STR("connections")));
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

enum code config_load(const char *file, struct arena *arena, struct config *ret, struct faults *ret_faults,
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
        fault_add(ret_faults, arena, &at, "%s", err->message);
        return rc;
    }
    if (schema_check(fields, root, arena, ret_faults)) read_all(&(struct loader){ arena, ret, ret_faults }, root);
    if (ret_faults->n == 0) return OK;
    const struct fault *first = &ret_faults->items[0];
    return err_at(err, INVALID_ARGUMENT, first->line, first->column, "%.*s", STR_ARG(str_upto(first->message, 900)));
}
