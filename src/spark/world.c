/* world.c: the server's side: starts the world's first process, takes its listeners, tells it what to run, sees it end. */
#include "spark/world.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/file.h"
#include "spark/world_msg.h"

/* Set for the second start, whose environment is otherwise empty. A job never has it: world_start tells it all of its own.
 */
#define HELPER_MARK "LINKSPAN_WORLDS_HELPER"

enum { READY_MS = 10000, DEFAULT_PROCESSES = 4096, DEFAULT_FILES = 65536 };

const char *world_mode_name(enum world_mode mode) {
    static const char *const names[] = { "namespaces", "own uid", "alone" };
    return mode < WORLD_MODES ? names[mode] : "?";
}

/* ---- the second start ---- */

static int spawn_helper(const char *helper, int control, int output, pid_t *ret_pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t all, none;
    char *const argv[] = { (char *)(uintptr_t) "linkspan", (char *)(uintptr_t) "world", NULL };
    char *const envp[] = { (char *)(uintptr_t)HELPER_MARK "=1", NULL };
    sigfillset(&all);
    sigemptyset(&none);
    if (posix_spawn_file_actions_init(&actions)) return ENOMEM;
    if (posix_spawnattr_init(&attr)) return posix_spawn_file_actions_destroy(&actions), ENOMEM;
    int rc = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!rc) rc = posix_spawn_file_actions_adddup2(&actions, control, WORLD_CHILD_FD);
    if (!rc) rc = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (!rc) rc = posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    if (!rc) rc = posix_spawnattr_setsigmask(&attr, &none);
    if (!rc) rc = posix_spawnattr_setsigdefault(&attr, &all);
    if (!rc) rc = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    if (!rc) rc = posix_spawn(ret_pid, helper ? helper : "/proc/self/exe", &actions, &attr, argv, envp);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* Moved out of the way of the numbers that the child's ends get. */
static int above(int fd) {
    int high = fcntl(fd, F_DUPFD_CLOEXEC, WORLD_CHILD_FD + 1);
    close(fd);
    return high;
}

static enum code start_helper(const struct world_spec *spec, struct world *world, struct err *err) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) return err_errno(err, "socketpair");
    world->control_fd = above(pair[0]);
    DEFER(file_close) int theirs = above(pair[1]);
    DEFER(file_close) int output = fcntl(spec->output_fd, F_DUPFD_CLOEXEC, WORLD_CHILD_FD + 1);
    if (world->control_fd < 0 || theirs < 0 || output < 0) return err_errno(err, "world");
    errno = spawn_helper(spec->helper, theirs, output, &world->pid);
    if (errno) return world->pid = 0, err_errno(err, "cannot start a job's world");
    world->pidfd = pidfd_open(world->pid, 0);
    return world->pidfd < 0 ? err_errno(err, "pidfd") : OK;
}

static enum code send_setup(const struct world_spec *spec, enum world_mode mode, int fd, struct err *err) {
    DEFER(buf_free) struct buf out = BUF_INIT(WORLD_FRAME_MAX_BYTES);
    world_put_u32(&out, (uint32_t)mode);
    world_put_u32(&out, geteuid() == 0 ? spec->uid : 0);
    world_put_u32(&out, spec->max_processes ? spec->max_processes : DEFAULT_PROCESSES);
    world_put_u32(&out, spec->max_files ? spec->max_files : DEFAULT_FILES);
    world_put_str(&out, str_z(spec->work));
    world_put_str(&out, str_z(spec->code));
    world_put_u32(&out, (uint32_t)spec->n_readable);
    for (size_t i = 0; i < spec->n_readable; i++) world_put_str(&out, str_z(spec->readable[i]));
    if (!buf_ok(&out)) return err_oom(err);
    return world_send(fd, FRAME_CONFIG, buf_str(&out), NULL, 0, err);
}

/* ---- ready ---- */

static enum code take_ready(struct world_frame *frame, struct world *world, struct err *err) {
    uint32_t uid, port;
    unsigned taken = 0;
    if (!world_get_u32(&frame->bytes, &uid)) return err_set(err, INTERNAL, "world: a short answer");
    world->uid = uid;
    for (unsigned i = 0; i < WORLD_FDS; i++) {
        if (!world_get_u32(&frame->bytes, &port)) return err_set(err, INTERNAL, "world: a short answer");
        if (!port) continue;
        if (taken == frame->n_fds) return err_set(err, INTERNAL, "world: a listener is missing");
        world->ports[i] = (uint16_t)port;
        world->fds[i] = frame->fds[taken];
        frame->fds[taken++] = -1;
    }
    return OK;
}

static enum code wait_ready(struct world *world, bool *ret_forbidden, struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(WORLD_FRAME_MAX_BYTES + 4096);
    struct world_frame frame;
    if (!arena) return err_oom(err);
    enum code rc = world_receive(world->control_fd, READY_MS, arena, &frame, err);
    if (rc) return rc;
    if (frame.kind == FRAME_READY) rc = take_ready(&frame, world, err);
    else rc = err_set(err, FAILED_PRECONDITION, "a job's world cannot be made: %.*s", STR_ARG(frame.bytes));
    *ret_forbidden = frame.kind == FRAME_FORBIDDEN;
    for (unsigned i = 0; i < frame.n_fds; i++)
        if (frame.fds[i] >= 0) close(frame.fds[i]);
    return rc;
}

/* `work` becomes the job's, its /tmp too. */
static enum code give_work(const struct world_spec *spec, const struct world *world, struct err *err) {
    char tmp[WORLD_PATH_MAX];
    (void)snprintf(tmp, sizeof tmp, "%s/tmp", spec->work);
    if (!world->uid) return OK;
    if (lchown(spec->work, world->uid, world->uid) || lchown(tmp, world->uid, world->uid))
        return err_errno(err, spec->work);
    return OK;
}

static void name_paths(const struct world_spec *spec, struct world *world) {
    bool own_root = world->mode == WORLD_NAMESPACES;
    (void)snprintf(world->work, sizeof world->work, "%s", own_root ? "/job" : spec->work);
    (void)snprintf(world->code, sizeof world->code, "%s", own_root ? "/code" : spec->code);
}

static const struct world empty_world = { .pidfd = -1, .control_fd = -1, .fds = { -1, -1, -1 } };

static enum code open_mode(const struct world_spec *spec, enum world_mode mode, struct world *world, bool *ret_forbidden,
                           struct err *err) {
    *world = empty_world;
    world->mode = mode;
    enum code rc = start_helper(spec, world, err);
    if (!rc) rc = send_setup(spec, mode, world->control_fd, err);
    if (!rc) rc = wait_ready(world, ret_forbidden, err);
    if (!rc) rc = give_work(spec, world, err);
    if (!rc) name_paths(spec, world);
    else world_close(world);
    return rc;
}

static enum code check_spec(const struct world_spec *spec, struct err *err) {
    char tmp[WORLD_PATH_MAX];
    const char *paths[] = { spec->work, spec->code };
    for (unsigned i = 0; i < COUNT(paths); i++)
        if (!paths[i] || paths[i][0] != '/' || strlen(paths[i]) > WORLD_PATH_MAX - 16)
            return err_set(err, INVALID_ARGUMENT, "a world needs absolute paths");
    (void)snprintf(tmp, sizeof tmp, "%s/tmp", spec->work);
    return mkdir(tmp, 0700) && errno != EEXIST ? err_errno(err, tmp) : OK;
}

enum code world_open(const struct world_spec *spec, struct world *ret, struct err *err) {
    struct world world;
    struct err why = { 0 };
    char fell_back[sizeof world.fell_back] = "";
    enum code rc = check_spec(spec, err);
    if (rc) return rc;
    if (getenv(HELPER_MARK)) /* else it would start itself again and again */
        return err_set(err, INTERNAL, "a world's helper makes no worlds: its main must ask world_is_child first");
    for (enum world_mode mode = spec->try; mode < WORLD_MODES; mode++) {
        bool forbidden = false;
        rc = open_mode(spec, mode, &world, &forbidden, &why);
        if (!rc) {
            memcpy(world.fell_back, fell_back, sizeof fell_back);
            *ret = world;
            return OK;
        }
        if (!forbidden) return err_set(err, rc, "%s", why.message);
        if (spec->only) return err_set(err, UNIMPLEMENTED, "%s: %s", world_mode_name(mode), why.message);
        if (!fell_back[0]) (void)snprintf(fell_back, sizeof fell_back, "%.*s", (int)sizeof fell_back - 1, why.message);
    }
    return err_set(err, FAILED_PRECONDITION, "%s", why.message);
}

/* ---- start, end ---- */

static void put_list(struct buf *out, const char *const *list) {
    uint32_t n = 0;
    while (list[n]) n++;
    world_put_u32(out, n);
    for (uint32_t i = 0; i < n; i++) world_put_str(out, str_z(list[i]));
}

enum code world_start(struct world *world, const char *const *argv, const char *const *envp, struct err *err) {
    DEFER(buf_free) struct buf out = BUF_INIT(WORLD_FRAME_MAX_BYTES);
    put_list(&out, argv);
    put_list(&out, envp);
    if (!buf_ok(&out)) return err_set(err, INVALID_ARGUMENT, "a job's arguments and environment take more than 1 MiB");
    return world_send(world->control_fd, FRAME_GO, buf_str(&out), NULL, 0, err);
}

void world_terminate(struct world *world) {
    struct err err;
    if (world->control_fd >= 0 && world_send(world->control_fd, FRAME_TERMINATE, STR(""), NULL, 0, &err))
        world_kill(world); /* nobody listens any more */
}

void world_kill(struct world *world) {
    file_close(&world->control_fd); /* the world's first process sees it and takes all others with it */
    world->control_fd = -1;
}

bool world_ended(struct world *world, int *ret_status) {
    int status;
    if (world->pid <= 0 || waitpid(world->pid, &status, WNOHANG) != world->pid) return false;
    world->pid = 0;
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return true;
}

static void reap(struct world *world) {
    struct pollfd p = { .fd = world->pidfd, .events = POLLIN };
    int ready;
    do ready = poll(&p, world->pidfd >= 0, READY_MS);
    while (ready < 0 && errno == EINTR);
    if (ready <= 0) (void)kill(world->pid, SIGKILL); /* it does not obey: with it goes its process namespace */
    while (waitpid(world->pid, NULL, 0) < 0 && errno == EINTR) {}
    world->pid = 0;
}

void world_close(struct world *world) {
    if (world->pid == 0 && world->pidfd == 0) return; /* zeroed */
    world_kill(world);
    if (world->pid > 0) reap(world);
    for (unsigned i = 0; i < WORLD_FDS; i++) file_close(&world->fds[i]);
    file_close(&world->pidfd);
    *world = empty_world;
}

/* ---- probe ---- */

static void remove_probe(const char *base) {
    static const char *const parts[] = { "/home/tmp", "/home", "/code", "" };
    char path[WORLD_PATH_MAX];
    for (unsigned i = 0; i < COUNT(parts); i++) {
        (void)snprintf(path, sizeof path, "%s%s", base, parts[i]);
        (void)rmdir(path);
    }
}

enum code world_probe(const char *helper, const char *folder, uid_t uid, enum world_mode *ret_mode, char ret_why[256],
                      struct err *err) {
    char base[WORLD_PATH_MAX], work[WORLD_PATH_MAX + 8], code[WORLD_PATH_MAX + 8];
    struct world world;
    if (snprintf(base, sizeof base, "%s/probe-XXXXXX", folder) >= (int)sizeof base - 16 || !mkdtemp(base))
        return err_errno(err, folder);
    (void)snprintf(work, sizeof work, "%s/home", base);
    (void)snprintf(code, sizeof code, "%s/code", base);
    DEFER(file_close) int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    enum code rc = OK;
    if (null < 0 || mkdir(work, 0700) || mkdir(code, 0700)) rc = err_errno(err, base);
    struct world_spec spec = { .helper = helper, .work = work, .code = code, .uid = uid, .output_fd = null };
    if (!rc) rc = world_open(&spec, &world, err);
    if (!rc) {
        *ret_mode = world.mode;
        memcpy(ret_why, world.fell_back, sizeof world.fell_back);
        world_close(&world);
    }
    remove_probe(base);
    return rc;
}
