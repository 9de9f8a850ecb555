/* resolve.h: the addresses of a name, looked up beside the loop.
 *
 * getaddrinfo blocks, for half a minute when name servers are silent, and cannot be taken back. So each lookup has a thread
 * of its own, which is let go when nobody waits any more: neither the loop nor the end of the process waits for it.
 * Loop thread only; `done` comes there, once, never from inside net_lookup_start. Limits: 8 addresses an answer (more are
 * left out), 32 lookups of a process at once. */
#pragma once
#include "net/address.h"
#include "net/loop.h"

enum { RESOLVE_ADDRESSES_MAX = 8 };

struct net_lookup;

/* Blocks, on the lookup's thread. NOT_FOUND: no such name; UNAVAILABLE: no answer. Ports are 0. */
struct net_resolver {
    enum code (*resolve)(void *ctx, const char *host, struct net_address *addresses, size_t max, size_t *ret_n,
                         struct err *err); /* NULL: the system's (hosts file, DNS) */
    void *ctx;                             /* must outlive the lookups, also those that were cancelled */
};

/* err is NULL when there are addresses. */
typedef void net_resolved(void *arg, const struct net_address *addresses, size_t n, const struct err *err);

MUST_USE enum code net_lookup_start(struct loop *loop, const struct net_resolver *resolver, const char *host,
                                    net_resolved *done, void *arg, struct net_lookup **ret, struct err *err);
void net_lookup_cancel(struct net_lookup *lookup); /* `done` does not come any more; NULL is fine */
