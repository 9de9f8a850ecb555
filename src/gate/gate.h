/* gate.h: the server's parts, joined: what every request reads. Made by serve.c.
 *
 * Threads: each worker has a loop, a server and the list of its requests; everything else here is either constant after
 * start, swapped whole under its own lock (policy), or has a thread of its own (audit, engine, jobs). */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include "base/map.h"
#include "gate/spool.h"
#include "http/server.h"
#include "model/principal.h"
#include "service/method.h"

struct admit;
struct audit_log;
struct audit_refusals;
struct config;
struct issuers;
struct policy;
struct routes;
struct request;
struct identity;
struct spanner;
struct dataproc_regions;
struct livy;
struct outbound;
struct observe;
struct upstreams;
struct relays;
struct call;

/* Which way a request came in: the listener's context. */
enum door_kind {
    DOOR_PUBLIC,       /* TLS: bearer tokens */
    DOOR_JOB_API,      /* a job's own plaintext API endpoint: whoever comes in is that job */
    DOOR_JOB_METADATA, /* a job's own metadata server */
};

struct door {
    enum door_kind kind;
    struct endpoint *endpoint; /* of a job; NULL for DOOR_PUBLIC. See gate/endpoint.h */
};

struct worker {
    struct gate *gate;
    unsigned index;
    pthread_t thread;
    struct loop *loop;
    struct http_server *server;
    struct request *requests; /* under way */
    atomic_uint n_requests;   /* written on the loop */
    unsigned n_busy;          /* of these, of known callers and not recorded yet */
    struct request_log_share {
        uint64_t second; /* whose lines about strangers are counted */
        unsigned lines;
    } strangers;
    struct loop_timer review;
    struct loop_task drain;
};

enum { GATE_MAX_WORKERS = 64, GATE_MAX_SERVICES = 16 + 8, GATE_MAX_LIVY = 2 }; /* one a connection, and our own */

struct gate {
    const struct config *config;
    struct audit_log *audit;
    struct audit_refusals *refusals;
    bool audit_failing; /* as last told in the log; first worker's loop */
    struct routes *routes;
    struct spanner *spanner;
    struct dataproc_regions *dataproc; /* gate/dataprocs.h; NULL until it is open */
    struct livy *livy[GATE_MAX_LIVY];  /* Synapse's pools and Apache's API may be two connections' */
    unsigned n_livy;
    bool draining;
    struct service services[GATE_MAX_SERVICES];
    unsigned n_services;
    struct service metadata;     /* of jobs: one row for all paths */
    struct outbound *outbound;   /* the dialer of Web activities; on the first worker's loop */
    struct upstreams *upstreams; /* gate/upstreams.h */
    struct relays *relays;       /* gate/relay.h; NULL: no generic service */
    struct identity *identity;   /* gate/identify.h: issuers, own keys, cache, revocations */
    pthread_mutex_t policy_lock;
    struct policy *policy; /* the current snapshot; take it with gate_policy */
    struct admit *admit;   /* counters of the policy's limits and of those below */
    struct {               /* of each caller by itself; 0 = none */
        uint64_t at_once, per_second;
    } per_account;
    struct worker workers[GATE_MAX_WORKERS];
    unsigned n_workers;
    atomic_uint n_draining; /* workers that still have clients after a SIGTERM */
    const char *spool_dir;
    struct budget spool_budget; /* of answers that wait in memory for their clients */
    struct budget memory;       /* of what requests under way are in decoded form */
    struct door public_door;
    struct observe *observe; /* what is counted; NULL: nobody can ask */
    unsigned log_requests;   /* enum log_requests of gate/config.h */
};

struct gate *gate_of_call(struct call *call);
struct policy *gate_policy(struct gate *gate);                  /* referenced; the caller unrefs */
void gate_set_policy(struct gate *gate, struct policy *policy); /* takes the reference */
