/* livy.c: made and ended; the rows of both APIs. */
#include <stdlib.h>
#include "livy/livy_priv.h"

enum { CONFIG_ARENA_BYTES = 1 << 16 };

static bool copy_config(struct livy *livy, const struct livy_config *config) {
    livy->workspace = str_dup(livy->arena, config->workspace);
    livy->cluster = str_dup(livy->arena, config->cluster);
    livy->pools = ARENA_ARRAY(livy->arena, struct livy_pool, config->n_pools + 1);
    livy->n_pools = config->n_pools;
    bool ok = livy->pools && (livy->workspace.p || !config->workspace.n) && (livy->cluster.p || !config->cluster.n);
    for (size_t i = 0; ok && i < config->n_pools; i++) {
        livy->pools[i] = (struct livy_pool){ str_dup(livy->arena, config->pools[i].name),
                                             str_dup(livy->arena, config->pools[i].cluster) };
        ok = livy->pools[i].name.p && livy->pools[i].cluster.p;
    }
    return ok;
}

enum code livy_new(const struct livy_config *config, struct dataproc *dataproc, struct livy **ret, struct err *err) {
    struct livy *livy = calloc(1, sizeof *livy);
    if (livy) livy->arena = arena_new(CONFIG_ARENA_BYTES);
    if (!livy || !livy->arena || !copy_config(livy, config)) {
        livy_free(livy);
        return err_oom(err);
    }
    livy->dataproc = dataproc;
    *ret = livy;
    return OK;
}

void livy_free(struct livy *livy) {
    if (!livy) return;
    arena_free(livy->arena);
    free(livy);
}

/* ---- rows ---- */

#define APACHE  ""
#define SYNAPSE "/livyApi/versions/{version}/sparkPools/{pool}"

#define ROW(verb_, path_, permission_, door_, record_, function, error, about_)                                            \
    {                                                                                                                      \
        .verb = verb_, .path = path_, .permission = permission_, .door = door_, .record = record_,                         \
        .max_request_bytes = BATCH_BODY_BYTES, .classify = livy_classify_##function, .handle = livy_handle_##function,     \
        .put_error = error, .about = about_                                                                                \
    }

#define BATCHES(prefix, error)                                                                                             \
    ROW("POST", prefix "/batches", "dataproc.jobs.create", DOOR_PROOF, RECORD_ENFORCED, create, error,                     \
        "Runs a PySpark file as the account that policy allows."),                                                         \
        ROW("GET", prefix "/batches", "dataproc.jobs.list", DOOR_FILTERED, RECORD_PROMPT, list, error,                     \
            "The batches that the caller may see."),                                                                       \
        ROW("GET", prefix "/batches/{id}", "dataproc.jobs.get", DOOR_PROOF, RECORD_PROMPT, get, error,                     \
            "How a batch stands."),                                                                                        \
        ROW("DELETE", prefix "/batches/{id}", "dataproc.jobs.cancel", DOOR_PROOF, RECORD_ENFORCED, cancel, error,          \
            "Ends a batch with all its processes.")

#define SESSION(verb, path, error)                                                                                         \
    ROW(verb, path, "dataproc.sessions.create", DOOR_FILTERED, RECORD_PROMPT, session, error, "Refused: no sessions.")

#define SESSIONS(prefix, error)                                                                                            \
    SESSION("GET", prefix "/sessions", error), SESSION("POST", prefix "/sessions", error),                                 \
        SESSION("GET", prefix "/sessions/**", error), SESSION("POST", prefix "/sessions/**", error),                       \
        SESSION("PUT", prefix "/sessions/**", error), SESSION("DELETE", prefix "/sessions/**", error)

static const struct method apache_methods[] = {
    BATCHES(APACHE, batch_put_apache_error),
    ROW("GET", "/batches/{id}/state", "dataproc.jobs.get", DOOR_PROOF, RECORD_PROMPT, state, batch_put_apache_error,
        "The state alone."),
    ROW("GET", "/batches/{id}/log", "dataproc.jobs.get", DOOR_PROOF, RECORD_PROMPT, log, batch_put_apache_error,
        "Driver output by lines."),
    SESSIONS(APACHE, batch_put_apache_error),
};

static const struct method synapse_methods[] = {
    BATCHES(SYNAPSE, batch_put_synapse_error),
    SESSIONS(SYNAPSE, batch_put_synapse_error),
};

struct service livy_service(struct livy *livy) {
    return (struct service){ .name = "livy", .methods = apache_methods, .n_methods = COUNT(apache_methods), .state = livy };
}

struct service livy_synapse_service(struct livy *livy) {
    return (struct service){
        .name = "synapse spark", .methods = synapse_methods, .n_methods = COUNT(synapse_methods), .state = livy
    };
}
