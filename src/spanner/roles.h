/* roles.h: database roles: sessions that act as one, and ListDatabaseRoles. Loop thread; in the call's arena.
 *
 * A role only narrows: the policy decides first, on every request, and what it allows must be granted to the session's role
 * as well. So whoever holds a live grant in a database may take any role of it. A session is bound to the role itself, not
 * to its name: once the role is dropped, its sessions are refused, even if another of that name is made. */
#pragma once
#include "spanner/target.h"

/* The session to be made acts as `name`; empty: as none. NOT_FOUND: there is none, told only to who may learn of the
 * schema. UNIMPLEMENTED on an upstream, where the role is ours to set. */
MUST_USE enum code role_choose(struct call *call, struct target *t, struct str name, struct err *err);
struct str role_name(const struct target *t, uint32_t id); /* empty: no role, or dropped */
/* In a session with a role: all of the call's atoms must be granted to it. */
MUST_USE enum code role_fence(struct call *call, struct target *t, struct err *err);
/* May the session's role, where it has one, see the table in INFORMATION_SCHEMA? Any thread. */
bool role_sees(const struct target *t, struct str table);

/* The DDL of all roles and what they hold, behind what is there already. False: the arena is full. */
MUST_USE bool role_statements(struct arena *arena, const struct sql_catalog *catalog, struct str **items, size_t *n);

enum code classify_list_roles(struct call *call, struct err *err);
void handle_list_roles(struct call *call);
