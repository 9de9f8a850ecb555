/* atom.h: what a request asks for: POLICY.md's model. Plain data in the request's arena. */
#pragma once
#include "base/arena.h"
#include "model/reason.h"

enum verb {
    VERB_READ,
    VERB_INSERT,
    VERB_UPDATE,
    VERB_DELETE,        /* object = table; read, insert, update name columns */
    VERB_CHANGE_SCHEMA, /* object = table */
    VERB_CHANGE_GRANTS, /* object empty: database roles, and what they may */
    VERB_READ_SCHEMA,
    VERB_USE,     /* object empty; USE: any live allow in the database */
    VERB_RUN_JOB, /* object = "nightly/transform", or "" when no job statement matches the
                     code (then only `run jobs` grants it); account = the service account */
    VERB_ACT_AS,  /* account = the service account; path empty */
    VERB_SEE_JOBS,
    VERB_CANCEL_JOBS,
    VERB_ADMINISTER, /* object empty */
    VERB_CALL,       /* object = the URL without its query, in url_parse's normal form; account = the audience of the
                        token that is sent, "" = none; path empty */
    VERB_COUNT
};
const char *verb_name(enum verb verb); /* as POLICY.md writes it: "change schema" */
/* What stands between a sentence about an atom and its account, of the verb by its name: " as ", " with audience ", or
 * where the name itself ends with it (act as) a blank. */
const char *verb_account_word(struct str name);

struct atom {
    enum verb verb;
    struct str path; /* "spanner demo/flights", "dataproc demo/batch"; "spanner demo/ *" never occurs here */
    struct str object;
    struct str account;        /* e-mail address; the audience of a call */
    const struct str *columns; /* as the schema spells them */
    size_t n_columns;
    bool any_column; /* COUNT(*), EXISTS: any one readable column suffices, of `columns` (the table's); n_columns == 0: of
                        those that rules name and "the rest", which is coarser */
};

struct atoms {
    struct atom *items;
    size_t n, cap;
};
MUST_USE bool atoms_add(struct atoms *atoms, struct arena *arena, struct atom atom); /* false: out of memory */

/* A fixed struct: text is made only on refusal. */
struct verdict {
    enum reason reason; /* REASON_NONE = allowed */
    unsigned atom;      /* the index of the first refused atom */
    int column;         /* its refused column, or -1 */
    struct str rule;    /* the rule that allowed the first atom, or that denied; borrowed from the policy snapshot */
};
