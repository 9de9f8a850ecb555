#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

enum { BACKLOG = 1024, ACCEPTS_PER_TURN = 64, PAUSE_MS = 100 };

struct listener {
    struct listener_config config;
    uv_poll_t poll;
    struct loop_timer pause;
    int fd;
    uint16_t port;
    bool closed;
};

static void on_readable(uv_poll_t *poll, int status, int events);

static void on_pause_over(struct loop_timer *timer UNUSED, void *ctx) {
    struct listener *l = ctx;
    uv_poll_start(&l->poll, UV_READABLE, on_readable);
}

/* Out of descriptors or memory: the backlog waits; to try again at once would spin. */
static void pause_accepting(struct listener *l) {
    uv_poll_stop(&l->poll);
    loop_timer_start(l->config.loop, &l->pause, PAUSE_MS);
}

static void on_readable(uv_poll_t *poll, int status, int events UNUSED) {
    struct listener *l = poll->data;
    if (status < 0) {
        pause_accepting(l);
        return;
    }
    for (int i = 0; i < ACCEPTS_PER_TURN && !l->closed; i++) {
        struct sockaddr_storage sa = { 0 };
        socklen_t n = sizeof sa;
        struct net_address peer = { 0 };
        int fd = accept4(l->fd, (struct sockaddr *)&sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) pause_accepting(l);
            if (errno == EINTR || errno == ECONNABORTED) continue;
            return;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        if (net_address_from((struct sockaddr *)&sa, &peer)) l->config.on_accept(l, fd, &peer, l->config.ctx);
        else close(fd);
    }
}

static enum code open_socket(const struct listener_config *config, int *ret_fd, struct err *err) {
    struct sockaddr_storage sa;
    socklen_t n = net_address_to(&config->address, &sa);
    char text[NET_ADDRESS_MAX];
    net_address_print(&config->address, text);
    int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return err_errno(err, text);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    if (config->reuse_port) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){ 1 }, sizeof(int));
    if (bind(fd, (struct sockaddr *)&sa, n) || listen(fd, BACKLOG)) {
        enum code rc = err_errno(err, text);
        close(fd);
        return rc;
    }
    *ret_fd = fd;
    return OK;
}

/* A descriptor that was handed in must be what it says: a wrong one would spin or accept nothing. */
static enum code check_fd(int fd, struct err *err) {
    int listening = 0;
    socklen_t n = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) || !listening)
        return err_set(err, INVALID_ARGUMENT, "descriptor %d is not a listening socket", fd);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
        return err_errno(err, "listening descriptor");
    return OK;
}

static uint16_t bound_port(int fd) {
    struct sockaddr_storage sa = { 0 };
    socklen_t n = sizeof sa;
    struct net_address a = { 0 };
    return getsockname(fd, (struct sockaddr *)&sa, &n) == 0 && net_address_from((struct sockaddr *)&sa, &a) ? a.port : 0;
}

enum code listener_new(const struct listener_config *config, struct listener **ret_listener, struct err *err) {
    int fd = config->use_fd ? config->fd : -1;
    enum code rc = config->use_fd ? check_fd(fd, err) : open_socket(config, &fd, err);
    struct listener *l = rc ? NULL : calloc(1, sizeof *l);
    if (!rc && !l) rc = err_oom(err);
    if (!rc && uv_poll_init(loop_uv(config->loop), &l->poll, fd)) rc = err_set(err, INTERNAL, "cannot watch the listener");
    if (rc) {
        if (fd >= 0) close(fd);
        free(l);
        return rc;
    }
    l->config = *config;
    l->fd = fd;
    l->port = bound_port(fd);
    l->poll.data = l;
    l->pause = (struct loop_timer){ .fn = on_pause_over, .ctx = l };
    uv_poll_start(&l->poll, UV_READABLE, on_readable);
    *ret_listener = l;
    return OK;
}

uint16_t listener_port(const struct listener *listener) {
    return listener->port;
}

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

void listener_close(struct listener *l) {
    if (!l || l->closed) return;
    l->closed = true;
    loop_timer_stop(l->config.loop, &l->pause);
    uv_close((uv_handle_t *)&l->poll, on_closed);
    close(l->fd);
}
