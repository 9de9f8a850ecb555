#include "engine/cost.h"
#include <inttypes.h>

static size_t place_of(struct commit_cost *c, struct str table) {
    size_t at = 0;
    while (at < c->n && !str_eq_nocase(c->tables[at].table, table)) at++;
    if (at == COST_TABLES) return COST_TABLES - 1;
    if (at == c->n) c->tables[c->n++].table = table;
    return at;
}

void commit_cost_add(struct commit_cost *c, struct str table, uint64_t rows, uint64_t least, uint64_t most) {
    if (!rows) return;
    size_t at = place_of(c, table);
    c->mutations += rows * least;
    c->most += rows * most;
    c->tables[at].rows += rows;
    c->tables[at].most += rows * most;
}

static uint64_t ceil_div(uint64_t a, uint64_t b) {
    return (a + b - 1) / b;
}

static size_t costliest(const struct commit_cost *c) {
    size_t best = 0;
    for (size_t i = 1; i < c->n; i++)
        if (c->tables[i].most > c->tables[best].most) best = i;
    return best;
}

enum code commit_cost_check(const struct commit_cost *c, struct err *err) {
    if (c->mutations <= ENGINE_MAX_MUTATIONS) return OK;
    size_t at = costliest(c);
    uint64_t a_row = ceil_div(c->tables[at].most, c->tables[at].rows);
    uint64_t rows = a_row < ENGINE_MAX_MUTATIONS ? ENGINE_MAX_MUTATIONS / a_row : 1; /* so many columns has no table */
    uint64_t commits = ceil_div(c->most, rows * a_row);
    return err_set(err, INVALID_ARGUMENT,
                   "The transaction contains too many mutations. It has %s%" PRIu64
                   "; the limit is %d. Insert and update operations count with the multiplicity of the number of columns "
                   "they affect. Please reduce the number of writes, or use fewer columns. Split it into %" PRIu64
                   " commits: as its rows of table %.*s are (%" PRIu64 " of them, each counts up to %" PRIu64
                   "), one commit holds %" PRIu64 ".",
                   c->most > c->mutations ? "at least " : "", c->mutations, ENGINE_MAX_MUTATIONS, commits,
                   STR_ARG(str_upto(c->tables[at].table, 128)), c->tables[at].rows, a_row, rows);
}

enum code commit_cost_check_bytes(uint64_t bytes, struct err *err) {
    if (bytes <= ENGINE_MAX_COMMIT_BYTES) return OK;
    return err_set(err, INVALID_ARGUMENT,
                   "The transaction exceeds the maximum commit size of %d bytes. Split it into commits of fewer rows.",
                   ENGINE_MAX_COMMIT_BYTES);
}
