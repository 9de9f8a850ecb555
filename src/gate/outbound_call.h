/* outbound_call.h: one call of the dialer, from the loop's side. For outbound.c only. */
#pragma once
#include <pthread.h>
#include "base/arena.h"
#include "base/buf.h"
#include "gate/outbound.h"
#include "http/client.h"

struct outbound {
    struct loop *loop;
    struct http_client *clients[2]; /* [1]: may dial loopback */
    unsigned max_calls;
    size_t max_bytes;
    pthread_mutex_t lock; /* over what follows, and each call's list, id, held and cancelled */
    struct outbound_call *calls;
    unsigned n_calls;
    size_t held_bytes;
    uint64_t last_id;
    bool stopped;
};

struct outbound_call {
    struct outbound *outbound;
    struct outbound_call *next, **at;
    uint64_t id;
    size_t held; /* bytes of the outbound's max_bytes */
    bool cancelled;
    struct loop_task begin, cancel;
    outbound_done *done;
    void *arg;
    /* the loop's thread only */
    struct arena *arena;
    struct http_client_request request; /* everything in the arena but the body */
    struct str body;                    /* ours */
    bool begun, may_loopback;
    struct http_call *http;
    struct outbound_answer answer;
    struct buf received;
};

/* Copies everything. NULL: out of memory. */
struct outbound_call *outbound_call_new(struct outbound *outbound, const struct outbound_request *request,
                                        outbound_done *done, void *arg);
void outbound_call_free(struct outbound_call *call); /* one that was never linked, or is no more */
void outbound_call_stop(struct outbound_call *call); /* ends it with STOPPED, and frees it */

bool outbound_hold(struct outbound *outbound, size_t bytes); /* false: max_bytes is reached */
void outbound_unlink(struct outbound *outbound, struct outbound_call *call);
