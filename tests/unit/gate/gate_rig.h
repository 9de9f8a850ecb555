/* gate_rig.h: a gate without a server around it: real policy, identity and audit log, one worker on a thread of its own, a
 * small service, and a client on the test's own loop. */
#pragma once
#include "../test.h"
#include "audit/audit.h"
#include "audit/entry.h"
#include "gate/gate.h"
#include "gate/identify.h"
#include "http/client.h"
#include "wire/grpc.h"

struct gate_rig {
    char folder[64], audit_dir[96];
    struct gate gate;
    struct identity identity;
    struct key *audit_key, *token_key;
    struct arena *arena;
    struct loop *loop;
    struct http_client *client;
    uint16_t port;
    char bearer[4096]; /* "Bearer …" of reader@demo */
};

extern struct gate_rig rig; /* one a test program */

void gate_rig_prepare(void); /* the folder, before a service that keeps data there; gate_rig_start does it else */
void gate_rig_start(const struct service *service, const char *policy);
void gate_rig_drain(void); /* the client is closed and no request is left: services may go. Else gate_rig_stop does it */
void gate_rig_stop(void);  /* also asserts that no request is left */
struct policy *gate_rig_policy(const char *text);
void gate_rig_review(void); /* what the worker's timer does each second, now */
unsigned gate_rig_under_way(void);
void gate_rig_become(const char *account); /* whose token the calls from now on carry; at the start reader@demo */

/* A call and what came back. */
struct reply {
    struct http_call *call;
    bool over, failed, paused;
    bool pause; /* at the headers; then reply_resume */
    bool begun; /* gRPC: its status came after header fields, not with them */
    unsigned http_status;
    enum code code;
    char message[1100], error[400];
    size_t details, bytes;
    char retry[64];
    struct grpc_deframer frames;
    unsigned messages;
    char first[32 << 10]; /* the start of the first message, or of the body */
    size_t first_n;
    bool grpc;
};

enum { ANONYMOUS = 1 };
/* gRPC. `timeout` as grpc-timeout has it, or NULL. */
void reply_grpc(struct reply *reply, const char *path, const char *name, const char *timeout, unsigned flags);
void reply_rest(struct reply *reply, const char *verb, const char *path, const char *body);
void reply_until(struct reply *reply, const bool *flag); /* fails after ten seconds */
void reply_wait(struct reply *reply);                    /* until it is over */
void reply_turn(unsigned ms);
void reply_resume(struct reply *reply);

/* The newest entry of a method ("Unary") once all are published; its text lives until the next call. */
struct found {
    unsigned n; /* entries of it */
    enum event_kind kind, before;
    enum code code;
    char id[32], reason[32], subject[64];
};
struct found audit_find(const char *method, const char *reason);
