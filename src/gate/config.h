/* config.h: the one configuration file (DESIGN §11), read strictly: all faults at once, each with line and column.
 *
 * Immutable after config_load; any thread. Relative paths are resolved against the file's folder. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "data/schema.h"
#include "identity/issuer.h"
#include "net/address.h"
#include "spanner/spanner.h"

enum { CONFIG_MAX_CONNECTIONS = 16, CONFIG_MAX_FOLDERS = 16, CONFIG_MAX_BYTES = 1 << 20 };

struct config_spanner {
    bool present;
    struct str project, instance;
};

struct config_dataproc {
    bool present;
    struct str project, region, master;
    struct str code[CONFIG_MAX_FOLDERS]; /* folders whose files may be run */
    size_t n_code;
    struct str properties[CONFIG_MAX_FOLDERS]; /* Spark property prefixes allowed beside the built-in ones */
    size_t n_properties;
    struct str python;    /* the interpreter that runs the driver; its environment holds PySpark */
    int64_t memory_bytes; /* of a driver */
    size_t max_jobs;      /* at once */
};

struct config_connection {
    struct str name;
    struct config_spanner spanner;
    struct config_dataproc dataproc;
};

struct config {
    const char *file, *folder; /* as given; its folder, absolute */
    bool development;
    const char *data, *policy;
    struct str listen; /* public: "127.0.0.1:8443" */
    struct str url;    /* https://…: our own issuer, and the base of our token address */
    const char *certificate, *key, *ca;
    struct issuer_config issuers[ISSUERS_MAX];
    size_t n_issuers;
    struct config_connection connections[CONFIG_MAX_CONNECTIONS];
    size_t n_connections;
    struct str audit_origin;
    unsigned workers;
    int64_t drain_ms;
};

/* Everything lives in the arena. INVALID_ARGUMENT when there are faults (they are in ret_faults). */
MUST_USE enum code config_load(const char *file, struct arena *arena, struct config *ret, struct faults *ret_faults,
                               struct err *err);
/* The embedded Spanner connections, for spanner_new; text borrowed. */
void config_spanner(const struct config *config, struct engine *engine, struct spanner_config *ret);
const struct field *config_fields(void); /* the table: for `linkspan check --reference` and docs/configuration.md */
