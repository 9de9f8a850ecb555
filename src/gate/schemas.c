#include "gate/schemas.h"
#include <stdlib.h>
#include "base/file.h"
#include "engine/engine.h"
#include "gate/data_dir.h"
#include "spanner/spanner.h"

struct schemas {
    int lock_fd;
    struct engine *engine;
    struct spanner *spanner;
};

void schemas_close(struct schemas *s) {
    if (!s) return;
    spanner_free(s->spanner);
    engine_close(s->engine);
    file_close(&s->lock_fd);
    free(s);
}

/* Without a sink, audit entries that wait in a database go on waiting. */
static enum code open_all(struct schemas *s, const struct config *config, struct err *err) {
    struct engine_options options = { .data_dir = config->data };
    struct spanner_config spanner;
    enum code rc = data_lock(config->data, &s->lock_fd, err);
    if (!rc) rc = engine_open(&options, &s->engine, err);
    if (rc) return rc;
    config_spanner(config, s->engine, &spanner);
    return spanner_new(&spanner, &s->spanner, err);
}

struct schemas *schemas_open(const struct config *config) {
    struct schemas *s = calloc(1, sizeof *s);
    struct err err;
    if (!s) return NULL;
    s->lock_fd = -1;
    if (!open_all(s, config, &err)) return s;
    schemas_close(s);
    return NULL;
}

struct spanner *schemas_spanner(struct schemas *s) {
    return s ? s->spanner : NULL;
}

struct engine *schemas_engine(struct schemas *s) {
    return s ? s->engine : NULL;
}
