/* config.h: the one configuration file (DESIGN §11), read strictly: all faults at once, each with line and column.
 *
 * Immutable after config_load; any thread. Relative paths are resolved against the file's folder. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "data/schema.h"
#include "dataproc/dataproc.h"
#include "identity/exchange_wire.h"
#include "identity/issuer.h"
#include "net/address.h"
#include "service/method.h"
#include "spanner/spanner.h"

enum {
    CONFIG_MAX_CONNECTIONS = 16,
    CONFIG_MAX_FOLDERS = 16,
    CONFIG_NAME_MAX = 64,
    CONFIG_MAX_POOLS = 16,
    CONFIG_MAX_EXCHANGES = 16,
    CONFIG_MAX_CLUSTERS = 64,
    CONFIG_MAX_HOSTS = 16,
    CONFIG_MAX_HEADERS = 16,
    UPSTREAM_SCOPES = 4,
    CONFIG_MAX_ISSUERS = ISSUERS_MAX - 2, /* beside them: we, and our workspaces */
    CONFIG_MAX_BYTES = 1 << 20
};

/* How the policy calls the issuer of workspaces' identities: a name that no configured issuer may have. */
#define CONFIG_WORKSPACES STR("workspaces")

/* Which requests have a line in the log of their own. */
enum log_requests { LOG_REQUESTS_NONE, LOG_REQUESTS_REFUSALS, LOG_REQUESTS_ALL };

/* Where outbound tokens come from: Google's external_account file. */
struct config_exchange {
    struct str name;
    struct exchange_config config;
};

/* An upstream's address and proof. */
struct config_upstream {
    struct str scheme, host;
    uint16_t port;
    bool loopback;                          /* the endpoint says that it is loopback's */
    int64_t timeout_ms;                     /* of a call without a deadline; 0: a service has its own */
    const struct config_exchange *exchange; /* NULL: no token is sent */
};

struct config_spanner {
    bool present, upstream;
    struct str project, instance;
    struct config_upstream far, far_schema; /* upstream: for callers, and for reading the schema */
    int64_t schema_age_ms;
    bool roles; /* a database role is made from the rules */
};

struct config_dataproc {
    bool present, upstream;
    struct str project, region;
    struct str properties[CONFIG_MAX_FOLDERS]; /* Spark property prefixes allowed beside the built-in ones */
    size_t n_properties;
    struct config_upstream far; /* upstream: its clusters, and as whom their jobs run */
    struct dataproc_account accounts[CONFIG_MAX_CLUSTERS];
    size_t n_accounts;
    struct str code[CONFIG_MAX_FOLDERS]; /* folders whose files may be run; upstream: places, as dataproc.h says */
    size_t n_code;
    struct str master;    /* embedded: from here on */
    struct str python;    /* the interpreter that runs the driver; its environment holds PySpark */
    int64_t memory_bytes; /* of a driver */
    size_t max_jobs;      /* at once */
};

struct config_pool {
    struct str name, cluster; /* the cluster is the same connection's */
};

struct config_synapse {
    bool present;
    struct str workspace;
    struct str tenant, principal, client;       /* of the workspace's system identity: tid, oid, appid */
    struct str account;                         /* "flights@demo.synapse": what the policy calls it inside */
    struct str issuer;                          /* {url}/azure/{tenant}/ */
    struct str audiences[ISSUER_AUDIENCES_MAX]; /* for which its tokens are taken at our own doors; at least one */
    size_t n_audiences;
    struct config_pool pools[CONFIG_MAX_POOLS];
    size_t n_pools;
};

struct config_livy {
    bool present;
    struct str cluster; /* the same connection's */
};

/* Any HTTP or gRPC service: gate/relay.h. */
struct config_service {
    bool present;
    struct str hosts[CONFIG_MAX_HOSTS]; /* lower case: what a request's authority names */
    size_t n_hosts;
    struct config_upstream far;
    struct str endpoint; /* as written, without a slash at its end */
    struct str scopes[UPSTREAM_SCOPES];
    size_t n_scopes;
    struct str audience;                    /* as the policy's `call` names it */
    struct str headers[CONFIG_MAX_HEADERS]; /* that pass beside the built-in ones */
    size_t n_headers;
    enum method_record record;
    int64_t timeout_ms;
};

struct config_connection {
    struct str name;
    struct config_spanner spanner;
    struct config_dataproc dataproc;
    struct config_synapse synapse;
    struct config_livy livy;
    struct config_service service;
};

struct config {
    const char *file, *folder; /* as given; its folder, absolute */
    bool development;
    const char *data, *policy;
    struct str listen; /* public: "127.0.0.1:8443" */
    struct str admin;  /* "127.0.0.1:8444": loopback only; empty: none */
    struct str url;    /* https://…: our own issuer, and the base of our token address */
    const char *certificate, *key, *ca;
    struct issuer_config issuers[CONFIG_MAX_ISSUERS];
    size_t n_issuers;
    struct config_exchange exchanges[CONFIG_MAX_EXCHANGES];
    size_t n_exchanges;
    struct config_connection connections[CONFIG_MAX_CONNECTIONS];
    size_t n_connections;
    struct str audit_origin;
    struct { /* of each caller by itself; 0 = none */
        uint64_t at_once, per_second;
    } per_account;
    int64_t memory_bytes; /* of all requests under way, decoded */
    enum log_requests log_requests;
    enum log_format log_format;
    unsigned workers;
    int64_t drain_ms;
};

/* Everything lives in the arena. INVALID_ARGUMENT when there are faults (they are in ret_faults). */
MUST_USE enum code config_load(const char *file, struct arena *arena, struct config *ret, struct schema_faults *ret_faults,
                               struct err *err);
/* The Spanner connections, for spanner_new; text borrowed, `upstream` and what follows it left empty. */
void config_spanner(const struct config *config, struct engine *engine, struct spanner_config *ret);
/* The file of the authority that is trusted beside the system's where we call; NULL where the file is not there. */
const char *config_ca_file(const struct config *config);
/* The connection with the Synapse workspace, or NULL: there is at most one. */
const struct config_connection *config_workspace(const struct config *config);
const struct field *config_fields(void); /* the table: for `linkspan check --reference` and docs/configuration.md */
