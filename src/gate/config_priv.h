/* config_priv.h: the configuration's tables and its reader, for gate/config*.c alone. */
#pragma once
#include "gate/config.h"

/* Each ends with a row without key. */
extern const struct field config_root[], config_listen[], config_tls[], config_audit[], config_log[], config_issuer[],
    config_limits[], config_per_account[];
extern const struct field config_spanner_fields[], config_dataproc_fields[], config_synapse_fields[], config_pool_fields[],
    config_livy_fields[], config_exchange_fields[], config_service_fields[];

struct loader {
    struct arena *arena;
    struct config *config;
    struct schema_faults *faults;
};

/* Against the configuration's folder, with its NUL. */
const char *config_path(struct loader *l, struct str text);
void config_list(const struct node *list, struct str *items, size_t max, size_t *n);
void config_exchanges(struct loader *l, const struct node *map);   /* NULL is fine */
void config_connections(struct loader *l, const struct node *map); /* NULL is fine; after the exchanges */
void config_dataproc(struct loader *l, struct config_connection *c, const struct node *node);
bool config_is_upstream(const struct node *node); /* its `back` */
/* Those of `keys` (NULL-terminated) that are there belong to the other back. */
void config_refuse_keys(struct loader *l, const struct node *node, struct str what, const char *const *keys);
const char *config_bad_cluster(struct str name); /* what is wrong with a cluster's name, or NULL */
/* `endpoint`, and the exchange that `key` names; faults are told at their nodes. `fallback`: the endpoint where none is
 * written. `what`: "connections.prod.spanner". */
void config_upstream(struct loader *l, const struct node *node, struct str what, struct str fallback, const char *key,
                     struct config_upstream *ret);
/* The same where nobody need prove anything: without `exchange` no token is sent. */
void config_upstream_unproved(struct loader *l, const struct node *node, struct str what, struct config_upstream *ret);
void config_service(struct loader *l, struct config_connection *c, const struct node *node);
