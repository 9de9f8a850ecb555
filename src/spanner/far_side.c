#include "spanner/far_side.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static enum code open_sealer(struct far_side *side, const struct spanner_connection *c, const char *keys, struct err *err) {
    char file[NAME_MAX + 1];
    int n = snprintf(file, sizeof file, "%.*s.spanner.key", STR_ARG(c->name));
    if (n < 0 || (size_t)n >= sizeof file) return err_set(err, INVALID_ARGUMENT, "a connection's name is too long");
    return sealer_open_file(keys, file, sealer_new_salted, &side->sealer, err);
}

static enum code open_side(struct far_side *side, const struct spanner_connection *c, const char *keys, struct err *err) {
    int n = snprintf(side->subject, sizeof side->subject, "schema@%.*s.linkspan", STR_ARG(str_upto(c->name, 64)));
    side->principal.actor = (struct actor){ .kind = ACTOR_ACCOUNT, .subject = { side->subject, (size_t)n } };
    const struct far_reader_config reader = { .loop = c->schema_loop,
                                              .upstream = c->far_schema,
                                              .principal = &side->principal };
    enum code rc = open_sealer(side, c, keys, err);
    if (!rc) rc = far_reader_new(&reader, &side->reader, err);
    const struct far_schema_effects effects = { .ctx = side->reader, .read = far_reader_read };
    const struct far_schema_config schemas = { .name = c->name, .age_us = c->schema_age_us };
    return rc ? rc : far_schema_new(&schemas, &effects, &side->schemas, err);
}

enum code far_side_new(const struct spanner_connection *connection, const char *keys, struct far_side **ret,
                       struct err *err) {
    struct far_side *side = calloc(1, sizeof *side);
    if (!side) return err_oom(err);
    enum code rc = open_side(side, connection, keys, err);
    if (rc) far_side_free(side);
    else *ret = side;
    return rc;
}

void far_side_free(struct far_side *side) {
    if (!side) return;
    far_reader_stop(side->reader);
    far_schema_free(side->schemas);
    far_reader_free(side->reader);
    sealer_free(side->sealer);
    free(side);
}

struct far_side *far_side_of(const struct target *t) {
    return t->spanner->far_sides[t->connection - t->spanner->connections];
}

const struct sealer *far_sealer_of(const struct target *t) {
    return t->far ? far_side_of(t)->sealer : t->spanner->sealer;
}
