/* roles.h: what a database role has to grant to those who bear some of the policy's names: the fence behind the policy.
 *
 * The rights are an upper bound of what the policy may ever allow to a bearer of exactly these names: every network, job
 * and time is thought of at its best, and only denies without conditions take something away. So work that the policy
 * allows never breaks on the role, and what no rule speaks of stays out of reach even where the policy were passed by. They
 * follow from the policy's text and the tables alone: who is in the chain, claims that are missing and the clock change
 * nothing. An allow that has ended stays in the role until it leaves the policy, which refuses it on every request.
 * Any thread; results in the arena, text borrowed from the tables. */
#pragma once
#include "policy/policy.h"

struct policy_table {
    struct str name;
    const struct str *columns; /* all, as the schema spells them */
    size_t n_columns;
};

/* VERB_READ, INSERT, UPDATE: on these columns; none: on the table, columns that come later included. VERB_DELETE: none. */
struct policy_right {
    enum verb verb;
    struct str table;
    const struct str *columns; /* sorted by bytes */
    size_t n_columns;
};

struct policy_rights {
    struct policy_right *items; /* by table as given, then verb */
    size_t n, cap;
};

/* Of the names that the subject bears for certain. FAILED_PRECONDITION: the subject is of another snapshot. */
MUST_USE enum code policy_rights_of(const struct policy *policy, const struct policy_subject *subject, struct str path,
                                    const struct policy_table *tables, size_t n, struct arena *arena,
                                    struct policy_rights *ret, struct err *err);

/* Who bears these names and no others; unknown ones are left out. NULL: the arena is full. */
const struct policy_subject *policy_subject_named(const struct policy *policy, const struct str *names, size_t n,
                                                  struct arena *arena);
/* The names of all identities and accounts, in order; borrowed. False: arena full. */
MUST_USE bool policy_subject_names(const struct policy *policy, struct arena *arena, struct policy_names *ret);
/* May the subject ever do anything in the path? At its best, as above. */
MUST_USE enum code policy_may_ever_use(const struct policy *policy, const struct policy_subject *subject, struct str path,
                                       bool *ret, struct err *err);

/* "linkspan_" and 20 hex digits of what the rights are: the same rights have the same name, others have another. */
enum { POLICY_ROLE_NAME_BYTES = sizeof "linkspan_" + 20 };
void policy_role_name(const struct policy_rights *rights, char ret[POLICY_ROLE_NAME_BYTES]);
bool policy_is_role_name(struct str name); /* of that form */
