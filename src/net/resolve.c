#include "net/resolve.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKUPS_MAX = 32, LOOKUP_STACK_BYTES = 1024 * 1024 };

/* Held by its thread and by who waits: the last of the two frees it. */
struct net_lookup {
    pthread_mutex_t lock;
    struct loop *loop; /* NULL: nobody waits any more */
    struct loop_task task;
    struct net_resolver resolver;
    net_resolved *done;
    void *arg;
    struct net_address addresses[RESOLVE_ADDRESSES_MAX];
    size_t n;
    enum code code;
    struct err err;
    bool answered;
    char host[256];
};

static _Atomic unsigned n_lookups; /* threads of this process that are looking something up */

static enum code fail(int rc, const char *host, struct err *err) {
    bool absent = rc == EAI_NONAME || rc == EAI_NODATA;
    if (rc == EAI_MEMORY) return err_oom(err);
    return err_set(err, absent ? NOT_FOUND : UNAVAILABLE, "the name %s does not resolve: %s", host, gai_strerror(rc));
}

static enum code system_resolve(const char *host, struct net_address *addresses, size_t max, size_t *ret_n,
                                struct err *err) {
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(host, NULL, &hints, &found);
    if (rc) return fail(rc, host, err);
    size_t n = 0;
    for (struct addrinfo *a = found; a && n < max; a = a->ai_next)
        if (net_address_from(a->ai_addr, &addresses[n])) n++;
    freeaddrinfo(found);
    *ret_n = n;
    return n ? OK : err_set(err, NOT_FOUND, "the name %s has no address", host);
}

static void free_lookup(struct net_lookup *lookup) {
    (void)pthread_mutex_destroy(&lookup->lock);
    free(lookup);
}

static void *run(void *arg) {
    struct net_lookup *lookup = arg;
    const struct net_resolver *r = &lookup->resolver;
    enum code code = r->resolve
                         ? r->resolve(r->ctx, lookup->host, lookup->addresses, RESOLVE_ADDRESSES_MAX, &lookup->n,
                                      &lookup->err)
                         : system_resolve(lookup->host, lookup->addresses, RESOLVE_ADDRESSES_MAX, &lookup->n, &lookup->err);
    atomic_fetch_sub(&n_lookups, 1);
    (void)pthread_mutex_lock(&lookup->lock);
    bool wanted = lookup->loop != NULL;
    lookup->code = code;
    lookup->answered = true;
    if (wanted) loop_post(lookup->loop, &lookup->task); /* under the lock: the loop lives as long as someone waits */
    (void)pthread_mutex_unlock(&lookup->lock);
    if (!wanted) free_lookup(lookup);
    return NULL;
}

static void tell(struct loop_task *task, void *ctx) {
    (void)task;
    struct net_lookup *lookup = ctx;
    (void)pthread_mutex_lock(&lookup->lock); /* the thread has let go of it */
    (void)pthread_mutex_unlock(&lookup->lock);
    lookup->done(lookup->arg, lookup->addresses, lookup->code ? 0 : lookup->n, lookup->code ? &lookup->err : NULL);
    free_lookup(lookup);
}

static bool begin(struct net_lookup *lookup) {
    pthread_attr_t attr;
    pthread_t thread;
    if (pthread_attr_init(&attr)) return false;
    bool ok = !pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) &&
              !pthread_attr_setstacksize(&attr, LOOKUP_STACK_BYTES) && !pthread_create(&thread, &attr, run, lookup);
    (void)pthread_attr_destroy(&attr);
    return ok;
}

enum code net_lookup_start(struct loop *loop, const struct net_resolver *resolver, const char *host, net_resolved *done,
                           void *arg, struct net_lookup **ret, struct err *err) {
    if (strlen(host) >= sizeof((struct net_lookup *)0)->host)
        return err_set(err, INVALID_ARGUMENT, "the name is longer than 255 bytes");
    struct net_lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup || pthread_mutex_init(&lookup->lock, NULL)) {
        free(lookup);
        return err_oom(err);
    }
    lookup->loop = loop;
    lookup->task = (struct loop_task){ .fn = tell, .ctx = lookup };
    lookup->resolver = *resolver;
    lookup->done = done;
    lookup->arg = arg;
    memcpy(lookup->host, host, strlen(host));
    bool many = atomic_fetch_add(&n_lookups, 1) >= LOOKUPS_MAX;
    if (!many && begin(lookup)) {
        *ret = lookup;
        return OK;
    }
    atomic_fetch_sub(&n_lookups, 1);
    free_lookup(lookup);
    return err_set(err, RESOURCE_EXHAUSTED, many ? "%s: too many names are being looked up" : "%s: no thread to look it up",
                   host);
}

void net_lookup_cancel(struct net_lookup *lookup) {
    if (!lookup) return;
    (void)pthread_mutex_lock(&lookup->lock);
    struct loop *loop = lookup->loop;
    bool answered = lookup->answered;
    lookup->loop = NULL;
    (void)pthread_mutex_unlock(&lookup->lock);
    if (!answered) return; /* its thread frees it */
    (void)loop_post_cancel(loop, &lookup->task);
    free_lookup(lookup);
}
