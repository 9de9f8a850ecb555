#include "spark/world_msg.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct head {
    uint32_t kind, length;
};

static enum code send_rest(int fd, struct str rest, struct err *err) {
    while (rest.n) {
        ssize_t n = send(fd, rest.p, rest.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_errno(err, "world");
        rest = str_from(rest, (size_t)n);
    }
    return OK;
}

enum code world_send(int fd, enum world_frame_kind kind, struct str bytes, const int *fds, unsigned n_fds,
                     struct err *err) {
    struct head head = { (uint32_t)kind, (uint32_t)bytes.n };
    struct iovec iov = { &head, sizeof head };
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * WORLD_FRAME_MAX_FDS)];
    } control = { 0 };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    if (bytes.n > WORLD_FRAME_MAX_BYTES || n_fds > WORLD_FRAME_MAX_FDS)
        return err_set(err, INVALID_ARGUMENT, "a job's arguments and environment take more than 1 MiB");
    if (n_fds) {
        msg.msg_control = control.space;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
    }
    ssize_t n;
    do n = sendmsg(fd, &msg, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0) return err_errno(err, "world");
    enum code rc = send_rest(fd, str_from((struct str){ (const char *)&head, sizeof head }, (size_t)n), err);
    return rc ? rc : send_rest(fd, bytes, err);
}

static void take_fds(struct msghdr *msg, struct world_frame *frame) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        unsigned n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (unsigned i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (frame->n_fds < WORLD_FRAME_MAX_FDS) frame->fds[frame->n_fds++] = fd;
            else close(fd);
        }
    }
}

static enum code receive_some(int fd, int timeout_ms, void *out, size_t want, struct world_frame *frame, struct err *err) {
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * WORLD_FRAME_MAX_FDS)];
    } control;
    for (size_t got = 0; got < want;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int ready = poll(&p, 1, timeout_ms);
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return err_set(err, DEADLINE_EXCEEDED, "a job's world did not answer in time");
        struct iovec iov = { (char *)out + got, want - got };
        struct msghdr msg = {
            .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space
        };
        ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return err_set(err, UNAVAILABLE, "a job's world ended before it was ready");
        take_fds(&msg, frame);
        got += (size_t)n;
    }
    return OK;
}

static enum code receive_frame(int fd, int timeout_ms, struct arena *arena, struct world_frame *frame, struct err *err) {
    struct head head;
    enum code rc = receive_some(fd, timeout_ms, &head, sizeof head, frame, err);
    if (rc) return rc;
    if (head.length > WORLD_FRAME_MAX_BYTES) return err_set(err, INTERNAL, "world: a frame of %u bytes", head.length);
    char *bytes = arena_alloc(arena, head.length + 1);
    if (!bytes) return err_oom(err);
    frame->kind = head.kind;
    frame->bytes = (struct str){ bytes, head.length };
    return receive_some(fd, timeout_ms, bytes, head.length, frame, err);
}

enum code world_receive(int fd, int timeout_ms, struct arena *arena, struct world_frame *ret, struct err *err) {
    struct world_frame frame = { 0 };
    enum code rc = receive_frame(fd, timeout_ms, arena, &frame, err);
    if (rc)
        for (unsigned i = 0; i < frame.n_fds; i++) close(frame.fds[i]);
    else *ret = frame;
    return rc;
}

void world_put_u32(struct buf *out, uint32_t value) {
    buf_add(out, &value, sizeof value);
}

void world_put_str(struct buf *out, struct str value) {
    world_put_u32(out, (uint32_t)value.n);
    buf_add_str(out, value);
    buf_add_char(out, '\0');
}

bool world_get_u32(struct str *rest, uint32_t *ret) {
    if (rest->n < sizeof *ret) return false;
    memcpy(ret, rest->p, sizeof *ret);
    *rest = str_from(*rest, sizeof *ret);
    return true;
}

bool world_get_z(struct str *rest, const char **ret) {
    uint32_t n;
    if (!world_get_u32(rest, &n) || rest->n <= n || rest->p[n] != '\0') return false;
    *ret = rest->p;
    *rest = str_from(*rest, (size_t)n + 1);
    return true;
}
