/* snapshot.h: a loaded policy and what it is compiled to. Internal.
 *
 * Everything lies in the snapshot's arena and is immutable once policy_load returns. Nodes are found by a hash of (kind,
 * path, object); a node's entries are what rules say of it, one row a (rule, subject, verb). */
#pragma once
#include <stdatomic.h>
#include "base/map.h"
#include "policy/ast.h"

#define ANYONE   UINT32_MAX /* as a subject: every one but those after `except` */
#define NO_INDEX UINT32_MAX
enum { MAX_COLUMNS = 1024, MAX_WORDS = MAX_COLUMNS / 64 + 1 };

struct subject_def {
    struct str name;
    const struct stmt *stmt; /* identity or account */
};

struct rule {
    struct str name;
    const struct stmt *stmt;
    uint32_t *except; /* of `anyone except`: subjects */
    size_t n_except;
    uint32_t cond;
};

/* What a node's rows ask of the subject: `during job` and `from`. Number 0 asks nothing. */
struct cond {
    const struct clauses *clauses;
};

struct entry {
    union {
        uint64_t mask; /* of a node of one word: bit 0 = columns that no rule names, bit i = the node's column i - 1 */
        const uint64_t *wide; /* of a node of more */
    };
    int64_t until_us;
    uint32_t subject, cond, rule;
    uint32_t account; /* as which; NO_INDEX = asks for none */
};

struct entries {
    struct entry *items; /* by subject, then rule */
    uint32_t *subjects;  /* theirs, close together: what deciding looks through */
    size_t n;
};

/* Of calls: path = the audience, object = the URL, or the URL that all the others lie below. */
enum node_kind { NODE_TABLE, NODE_PATH, NODE_JOB, NODE_ACCOUNT, NODE_CALL, NODE_CALL_BELOW };
enum { ALLOWS, DENIES };
/* The mask of a call's row: bit 0, as of all that has no columns, and whether the rule writes the port out. */
enum { CALL_GRANTED = 1, CALL_PORT = 2 };
/* So many segments has the URL of a rule that ends with "*" at most: it bounds where deciding looks. */
enum { MAX_CALL_SEGMENTS = 12 };

struct node {
    uint64_t hash;
    enum node_kind kind;
    struct str path, object; /* tables in lower case; "*" = every */
    struct str *columns;     /* in lower case */
    uint32_t n_columns, n_slots;
    uint32_t *slots; /* open addressing: column number + 1, 0 = free */
    size_t cap_columns, cap_slots;
    unsigned words;
    struct entries entries[2][VERB_COUNT];
    struct entries limits; /* of a path: whatever the verb */
};

/* bearers.c: names by a value of a claim that they ask for. */
struct bearer_row {
    struct str value;
    uint32_t group, subject;
};

struct bearer_group {
    struct str issuer;
    const struct names *claim; /* NULL: accounts, by their address */
    size_t first, n;           /* its rows */
};

struct bearers {
    struct bearer_row *rows; /* by group, then value */
    struct bearer_group *groups;
    uint32_t *loose; /* names that ask for no certain value */
    size_t n_rows, n_groups, n_loose;
};

struct policy {
    atomic_uint refs;
    uint64_t serial; /* differs between snapshots of this process */
    struct arena *arena;
    struct file_ast *files;
    size_t n_files;
    struct map *names; /* kind letter + name → statement: see symbol() */
    struct subject_def *subjects;
    struct bearers bearers;
    struct rule *rules; /* by name */
    struct cond *conds;
    const struct stmt **jobs, **domains;
    size_t n_subjects, n_rules, n_conds, n_jobs, n_domains;
    struct node **nodes; /* open addressing, a power of two */
    size_t n_nodes, cap_nodes;
    bool wild;     /* some rule's path ends in "*" */
    bool limiting; /* some rule is a limit */
    int64_t *ends;
    size_t n_ends; /* sorted */
};

struct policy_subject {
    uint64_t serial;
    uint64_t *sure, *unsure;        /* of the current actor: bit = subject */
    uint32_t *sure_list, *any_list; /* the same as numbers, ascending; any_list ends with ANYONE */
    size_t n_sure, n_any;
    uint64_t *any; /* of any actor in the chain, for certain or not */
    uint64_t *cond_true, *cond_false;
    uint64_t *job_wrong; /* the conditions whose job it is not: for the reason */
};

/* Definitions by kind: 'n' identity, account, group; 'j' job; 't' tables; 'l' label; 'd' domain; 'e' e-mail address. */
const struct stmt *symbol(const struct policy *policy, char kind, struct str name);

/* Does the pattern ("spanner demo/x" or "spanner demo/ *") cover the path, itself possibly a pattern? */
bool path_covers(struct str pattern, struct str path);
/* "spanner demo/x" → "spanner demo/ *", in `out`; empty when it has no such form or does not fit. */
struct str path_wild(struct str path, char out[256]);

/* Faults go to `faults`. False: memory is short. */
bool policy_check(struct policy *policy, const struct policy_context *context, struct policy_faults *faults);
bool policy_compile(struct policy *policy, struct policy_faults *faults);
uint32_t subject_index(const struct policy *policy, struct str name); /* NO_INDEX */

bool bearers_index(struct policy *policy); /* false: memory is short */
/* Sets the bits of all names that the actor may bear; what is not set it does not. */
void bearers_mark(const struct policy *policy, const struct actor *actor, uint64_t *may);
/* A claim as text; false: nobody knows, as the issuer did not send it, or not as text. */
bool claim_text(const struct names *claim, const struct actor *actor, struct str *ret);

const struct node *node_find(const struct policy *policy, enum node_kind kind, struct str path, struct str object);
uint64_t node_hash(enum node_kind kind, struct str path,
                   struct str object);                            /* object as it is; case is folded for tables */
enum node_kind node_kind_of(enum verb verb);                      /* of a verb that there is */
uint32_t node_column(const struct node *node, struct str column); /* its bit; 0 when no rule names it */

/* From names that the audit kept; names that the policy no longer has are left out. NULL: the arena is full. */
const struct policy_subject *subject_recorded(const struct policy *policy, const struct policy_recorded *recorded,
                                              struct arena *arena);

static inline bool bit_get(const uint64_t *bits, uint32_t i) {
    return bits[i / 64] >> (i % 64) & 1;
}

/* The rows of one subject, which stand together. */
const struct entry *entry_rows(const struct entries *list, uint32_t subject, size_t *ret_n);
/* Does a restriction's row apply to the subject? Unless it certainly does not. */
bool entry_restricts(const struct policy *policy, const struct entry *e, const struct policy_subject *s);

static inline bool entry_has(const struct node *n, const struct entry *e, uint32_t column) {
    return n->words == 1 ? (e->mask >> column & 1) != 0 : bit_get(e->wide, column);
}

static inline void bit_set(uint64_t *bits, uint32_t i) {
    bits[i / 64] |= UINT64_C(1) << (i % 64);
}
