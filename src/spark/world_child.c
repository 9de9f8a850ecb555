/* world_child.c: the second start of our program: makes the world step by step and tells the server how it went. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/file.h"
#include "spark/world_inside.h"
#include "spark/world_msg.h"

enum { CONTROL = WORLD_CHILD_FD, FAILED = 125 };

static bool read_setup(struct str bytes, struct arena *arena, struct world_setup *setup) {
    uint32_t mode, uid, n;
    if (!world_get_u32(&bytes, &mode) || !world_get_u32(&bytes, &uid) || !world_get_u32(&bytes, &setup->max_processes) ||
        !world_get_u32(&bytes, &setup->max_files) || !world_get_z(&bytes, &setup->work) ||
        !world_get_z(&bytes, &setup->code) || !world_get_u32(&bytes, &n) || n > 64 || mode >= WORLD_MODES)
        return false;
    setup->mode = (enum world_mode)mode;
    setup->uid = uid;
    setup->readable = ARENA_ARRAY(arena, const char *, n + 1);
    for (; setup->readable && setup->n_readable < n; setup->n_readable++)
        if (!world_get_z(&bytes, &setup->readable[setup->n_readable])) return false;
    return setup->readable != NULL;
}

static _Noreturn void say_and_exit(enum world_frame_kind kind, const struct err *err) {
    struct err ignored;
    _exit(world_send(CONTROL, kind, str_z(err->message), NULL, 0, &ignored) ? FAILED + 1 : FAILED);
}

/* ---- namespaces ---- */

static enum code write_map(const char *path, const char *text, struct err *err) {
    DEFER(file_close) int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0) return err_errno(err, path);
    return OK;
}

/* One line each, our own ids: all that an ordinary user may map. */
static enum code map_ids(uid_t uid, gid_t gid, struct err *err) {
    char text[64];
    enum code rc = write_map("/proc/self/setgroups", "deny", err);
    (void)snprintf(text, sizeof text, "%u %u 1\n", uid, uid);
    if (!rc) rc = write_map("/proc/self/uid_map", text, err);
    (void)snprintf(text, sizeof text, "%u %u 1\n", gid, gid);
    return rc ? rc : write_map("/proc/self/gid_map", text, err);
}

/* Root needs no user namespace: the job gets a uid of its own, which is more. Whoever may not do without gets one. */
static enum code leave_namespaces(struct world_setup *setup, struct err *err) {
    const int flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (uid == 0 && setup->uid && unshare(flags) == 0) return OK;
    setup->uid = 0;
    if (unshare(flags | CLONE_NEWUSER)) return err_errno(err, "unshare");
    return map_ids(uid, gid, err);
}

static enum code enter_namespaces(const struct world_setup *setup, struct err *err) {
    if (sethostname("job", 3)) return err_errno(err, "host name");
    enum code rc = world_raise_loopback(err);
    return rc ? rc : world_mount_all(setup, err);
}

/* ---- ready ---- */

static enum code tell_ready(const struct world_setup *setup, struct err *err) {
    int fds[WORLD_FDS], sent[WORLD_FDS];
    uint16_t ports[WORLD_FDS];
    unsigned n = 0;
    enum code rc = world_listen(setup->mode == WORLD_NAMESPACES, fds, ports, err);
    if (rc) return rc;
    DEFER(buf_free) struct buf out = BUF_INIT(256);
    world_put_u32(&out, setup->uid);
    for (unsigned i = 0; i < WORLD_FDS; i++) {
        world_put_u32(&out, ports[i]);
        if (fds[i] >= 0) sent[n++] = fds[i];
    }
    if (!buf_ok(&out)) return err_oom(err);
    rc = world_send(CONTROL, FRAME_READY, buf_str(&out), sent, n, err);
    while (n) close(sent[--n]); /* from now on they are the server's alone: when it closes them, the place is gone */
    return rc;
}

static int run_inside(struct world_setup *setup) {
    struct err err = { 0 };
    enum code rc = OK;
    (void)prctl(PR_SET_DUMPABLE, 0); /* the job must not read the memory of a process of its own uid */
    if (setup->mode == WORLD_NAMESPACES) rc = enter_namespaces(setup, &err);
    else if (chdir(setup->work)) rc = err_errno(&err, setup->work);
    /* what a container's own filter forbids shows here as EPERM: then a weaker mode is tried */
    if (rc) say_and_exit(rc == PERMISSION_DENIED ? FRAME_FORBIDDEN : FRAME_FAILED, &err);
    if (tell_ready(setup, &err)) say_and_exit(FRAME_FAILED, &err);
    return world_init_run(setup, CONTROL);
}

/* The new process namespace begins with our child: we only wait for it. */
static int run_in_namespaces(struct world_setup *setup) {
    struct err err = { 0 };
    if (leave_namespaces(setup, &err)) say_and_exit(FRAME_FORBIDDEN, &err);
    pid_t init = fork();
    if (init < 0) {
        (void)err_errno(&err, "fork");
        say_and_exit(FRAME_FAILED, &err);
    }
    if (init == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(run_inside(setup));
    }
    close(CONTROL);
    int status;
    while (waitpid(init, &status, 0) < 0 && errno == EINTR) {}
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run(struct world_setup *setup) {
    struct err err = { 0 };
    (void)umask(022);
    if (setup->mode == WORLD_OWN_UID && (geteuid() != 0 || !setup->uid)) {
        (void)err_set(&err, PERMISSION_DENIED, "only root can give jobs a uid of their own");
        say_and_exit(FRAME_FORBIDDEN, &err);
    }
    if (setup->mode == WORLD_ALONE) setup->uid = 0;
    return setup->mode == WORLD_NAMESPACES ? run_in_namespaces(setup) : run_inside(setup);
}

bool world_is_child(int argc, char **argv) {
    return argc == 2 && strcmp(argv[1], "world") == 0;
}

int world_child_main(void) {
    struct world_frame frame;
    struct world_setup setup = { 0 };
    struct err err = { 0 };
    (void)close_range(CONTROL + 1, ~0U, 0); /* the server's files are none of ours */
    (void)fcntl(CONTROL, F_SETFD, FD_CLOEXEC);
    struct arena *arena = arena_new(WORLD_FRAME_MAX_BYTES + 4096);
    if (!arena || world_receive(CONTROL, 10000, arena, &frame, &err) || frame.kind != FRAME_CONFIG ||
        !read_setup(frame.bytes, arena, &setup)) {
        dprintf(STDERR_FILENO, "linkspan world: started by the server, not by hand\n");
        _exit(FAILED);
    }
    _exit(run(&setup));
}
