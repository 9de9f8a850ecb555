#include "upstream/upstream.h"
#include <stdlib.h>

enum { ARENA_BYTES = 16 << 10 };

struct upstream {
    struct arena *arena;
    struct upstream_config config;
};

/* True when the copy is whole. */
static bool copy(struct arena *arena, struct str from, struct str *to) {
    *to = str_dup(arena, from);
    return to->p || from.n == 0;
}

enum code upstream_new(const struct upstream_config *config, struct upstream **ret, struct err *err) {
    struct upstream *u = calloc(1, sizeof *u);
    if (!u) return err_oom(err);
    u->config = *config;
    u->arena = arena_new(ARENA_BYTES);
    bool ok = u->arena && copy(u->arena, config->name, &u->config.name) &&
              copy(u->arena, config->scheme, &u->config.scheme) && copy(u->arena, config->host, &u->config.host);
    for (size_t i = 0; ok && i < config->n_scopes; i++) ok = copy(u->arena, config->scopes[i], &u->config.scopes[i]);
    if (ok) {
        *ret = u;
        return OK;
    }
    upstream_free(u);
    return err_oom(err);
}

void upstream_free(struct upstream *u) {
    if (!u) return;
    arena_free(u->arena);
    free(u);
}

const struct upstream_config *upstream_config(const struct upstream *u) {
    return &u->config;
}
