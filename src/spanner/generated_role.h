/* generated_role.h: the database role that stands behind the policy on an upstream: what it grants, and how it is called.
 *
 * The rights are policy/roles.h's for the tables of the schema as it is read now; the name follows from them. A changed
 * policy, or a schema in which a column came or went that rules tell apart, makes another name: then `linkspan policy
 * roles` says what to create. Any thread; no I/O. Costs a decision for each column and verb where a table is not all free:
 * keep the name with the snapshots that it was made of. */
#pragma once
#include "googlesql/role.h"
#include "policy/roles.h"

MUST_USE enum code generated_rights(const struct policy *policy, const struct policy_subject *subject, struct str path,
                                    const struct sql_catalog *catalog, struct arena *arena, struct policy_rights *ret,
                                    struct err *err);
/* For Session.creator_role, NUL-terminated. RESOURCE_EXHAUSTED, FAILED_PRECONDITION (a subject of another snapshot). */
MUST_USE enum code role_name_for(const struct policy *policy, const struct policy_subject *subject, struct str path,
                                 const struct sql_catalog *catalog, char ret[POLICY_ROLE_NAME_BYTES], struct err *err);

enum sql_privilege generated_privilege(enum verb verb); /* of a right */
