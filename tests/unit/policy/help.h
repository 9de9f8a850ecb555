/* help.h: what both policy tests need: loading text, and atoms from one line of words. */
#pragma once
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include "base/buf.h"
#include "base/clock.h"
#include "policy/policy.h"
#include "test.h"

static inline int64_t day(int64_t y, unsigned m, unsigned d) {
    return clock_days_from_civil(y, m, d) * 86400 * INT64_C(1000000);
}

static inline struct policy *load_text(struct arena *arena, const char *text) {
    struct policy_source source = { STR("t.policy"), str_z(text) };
    struct policy_faults faults;
    struct policy *policy = NULL;
    struct err err = { 0 };
    if (policy_load(&source, 1, NULL, arena, &faults, &policy, &err)) fail_msg("%s\nin:\n%s", err.message, text);
    return policy;
}

/* "read|spanner demo/flights|Flights|account|a,b"; columns "?" = any one; a trailing "?a,b" gives candidates. */
static inline struct atom atom_of(struct arena *arena, const char *line) {
    struct str rest = str_z(line), verb = str_cut(&rest, '|');
    struct atom a = { .verb = VERB_COUNT };
    for (unsigned v = 0; v < VERB_COUNT; v++)
        if (str_eq_z(verb, verb_name((enum verb)v))) a.verb = (enum verb)v;
    a.path = str_cut(&rest, '|');
    a.object = str_cut(&rest, '|');
    a.account = str_cut(&rest, '|');
    if (rest.n && rest.p[0] == '?') {
        a.any_column = true;
        rest = str_from(rest, 1);
    }
    struct str *columns = ARENA_ARRAY(arena, struct str, rest.n + 1);
    while (rest.n) columns[a.n_columns++] = str_cut(&rest, ',');
    a.columns = columns;
    return a;
}

static inline struct atoms atoms_of(struct arena *arena, const char *line) {
    struct atoms atoms = { 0 };
    struct str rest = str_z(line);
    while (rest.n) assert_true(atoms_add(&atoms, arena, atom_of(arena, str_dupz(arena, str_trim(str_cut(&rest, ';'))))));
    return atoms;
}

/* The only addition's text; empty when there is none. */
static inline struct str only_rule(const struct policy_explanation *e) {
    assert_true(e->n_additions <= 1);
    return e->n_additions ? e->additions[0].rule : STR("");
}
