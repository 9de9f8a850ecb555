/* listener.h: a listening TCP socket on a loop. All functions on the loop's thread; what is accepted belongs to on_accept.
 *
 * When the process runs out of descriptors, accepting pauses for 100 ms instead of spinning. */
#pragma once
#include "net/address.h"
#include "net/loop.h"

struct listener;

struct listener_config {
    struct loop *loop;
    struct net_address address; /* port 0: the system chooses */
    bool use_fd;                /* `fd` listens already; owned by the listener from now on, also on failure */
    int fd;
    bool reuse_port; /* several loops share the port */
    /* A connected, non-blocking socket: on_accept owns it. It may call listener_close. */
    void (*on_accept)(struct listener *listener, int fd, const struct net_address *peer, void *ctx);
    void *ctx;
};

MUST_USE enum code listener_new(const struct listener_config *config, struct listener **ret_listener, struct err *err);
uint16_t listener_port(const struct listener *listener);
/* Closes the socket at once; connections that wait in its backlog are refused by the kernel. NULL is fine. */
void listener_close(struct listener *listener);
