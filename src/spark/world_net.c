/* world_net.c: a network of loopback alone, on which the clouds' well-known places are ours. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/file.h"
#include "spark/world_inside.h"

#define METADATA_ADDRESS "169.254.169.254"

static struct sockaddr_in ipv4(const char *address, uint16_t port) {
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
    (void)inet_pton(AF_INET, address, &in.sin_addr);
    return in;
}

static int set_address(int fd, const char *name, unsigned long request, const char *address) {
    struct ifreq req = { 0 };
    struct sockaddr_in in = ipv4(address, 0);
    memcpy(req.ifr_name, name, strlen(name));
    memcpy(&req.ifr_addr, &in, sizeof in);
    return ioctl(fd, request, &req);
}

enum code world_raise_loopback(struct err *err) {
    DEFER(file_close) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return err_errno(err, "socket");
    struct ifreq req = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
    if (ioctl(fd, SIOCSIFFLAGS, &req)) return err_errno(err, "loopback");
    if (set_address(fd, "lo:0", SIOCSIFADDR, METADATA_ADDRESS) ||
        set_address(fd, "lo:0", SIOCSIFNETMASK, "255.255.255.255"))
        return err_errno(err, "loopback address " METADATA_ADDRESS);
    return OK;
}

static enum code listen_at(const char *address, uint16_t port, int *ret_fd, uint16_t *ret_port, struct err *err) {
    struct sockaddr_in in = ipv4(address, port);
    socklen_t n = sizeof in;
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return err_errno(err, "socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&in, n) || listen(fd, 511) || getsockname(fd, (struct sockaddr *)&in, &n)) {
        enum code rc = err_errno(err, address);
        close(fd);
        return rc;
    }
    *ret_fd = fd;
    *ret_port = ntohs(in.sin_port);
    return OK;
}

enum code world_listen(bool own_network, int ret_fds[WORLD_FDS], uint16_t ret_ports[WORLD_FDS], struct err *err) {
    static const struct {
        const char *address;
        uint16_t port;
        bool needs_network;
    } places[WORLD_FDS] = {
        [WORLD_API] = { "127.0.0.1", 0, false },
        [WORLD_METADATA] = { "127.0.0.1", 0, false },
        [WORLD_METADATA_LINK] = { METADATA_ADDRESS, 80, true },
    };
    for (unsigned i = 0; i < WORLD_FDS; i++) {
        ret_fds[i] = -1;
        ret_ports[i] = 0;
        if (places[i].needs_network && !own_network) continue;
        enum code rc = listen_at(places[i].address, places[i].port, &ret_fds[i], &ret_ports[i], err);
        if (rc) return rc;
    }
    return OK;
}
