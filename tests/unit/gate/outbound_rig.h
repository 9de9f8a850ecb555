/* outbound_rig.h: a dialer with a resolver of ours, and listening sockets that count who comes. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include "../http/http_rig.h"
#include "gate/outbound.h"

/* A listener that answers each connection with a script. Its own thread. */
struct script {
    const char *address; /* "127.0.0.1" */
    const char *head;    /* what it says once it has read a request's head; NULL: nothing, ever */
    size_t body;         /* then so many bytes of 'x' */
    bool hold;           /* then it keeps the connection open */
    uint16_t port;       /* 0: any */
    int fd, stop[2];
    pthread_t thread;
    atomic_uint connections;
    char seen[8192]; /* the last request's head; read it when the answer is there */
};
void script_start(struct script *script);
void script_stop(struct script *script);

/* What the resolver answers, look-up by look-up; the last one again and again. */
enum { NAMES_MAX = 4, NAME_ADDRESSES_MAX = 8 };
struct names {
    const char *answers[NAMES_MAX][NAME_ADDRESSES_MAX]; /* texts of addresses; an empty answer: no such name */
    atomic_uint asked;
};
struct net_resolver names_resolver(struct names *names);

struct result {
    atomic_uint times;
    enum outbound_cause cause;
    unsigned status;
    size_t body_bytes, n_headers;
    char message[1024], type[100], location[200], retry_after[100], body[100];
};
void result_done(void *arg, const struct outbound_answer *answer); /* an outbound_done for a struct result */
/* Sends and turns the loop until the answer is there. */
void outbound_ask(struct loop *loop, struct outbound *outbound, const struct outbound_request *request,
                  struct result *result);
void result_wait(struct loop *loop, struct result *result);
