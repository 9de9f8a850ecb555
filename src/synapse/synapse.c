/* synapse.c: made and ended. */
#include "synapse/synapse.h"
#include <stdlib.h>
#include "synapse/synapse_priv.h"

enum { CONFIG_ARENA_BYTES = 64 << 10 };

enum code synapse_new(const struct synapse_config *config, struct pipelines *pipelines, struct synapse **ret,
                      struct service *ret_service, struct err *err) {
    struct synapse *s = calloc(1, sizeof *s);
    struct arena *arena = arena_new(CONFIG_ARENA_BYTES);
    if (!s || !arena) {
        free(s);
        arena_free(arena);
        return err_oom(err);
    }
    *s = (struct synapse){ .arena = arena,
                           .connection = str_dup(arena, config->connection),
                           .workspace = str_dup(arena, config->workspace),
                           .account = str_dup(arena, config->account),
                           .url = str_dup(arena, config->url),
                           .pipelines = pipelines };
    (void)pthread_rwlock_init(&s->door, NULL);
    if (!s->connection.p || !s->workspace.p || !s->account.p || !s->url.p) {
        synapse_free(s);
        return err_oom(err);
    }
    *ret = s;
    *ret_service = (struct service){ .name = "synapse",
                                     .methods = synapse_methods,
                                     .n_methods = synapse_n_methods,
                                     .state = s,
                                     .audience = STR(SYNAPSE_AUDIENCE) };
    return OK;
}

void synapse_close(struct synapse *s) {
    if (!s) return;
    (void)pthread_rwlock_wrlock(&s->door);
    s->closed = true;
    (void)pthread_rwlock_unlock(&s->door);
}

void synapse_free(struct synapse *s) {
    if (!s) return;
    (void)pthread_rwlock_destroy(&s->door);
    arena_free(s->arena);
    free(s);
}
