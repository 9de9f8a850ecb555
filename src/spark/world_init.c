/* world_init.c: the world's first process: starts the job when told, reaps orphans, ends everything with the job or with
 * the server, whichever ends first. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "spark/world_inside.h"
#include "spark/world_msg.h"

enum { MAX_STRINGS = 4096, CANNOT_RUN = 127, KILLED = 128 + SIGKILL };

struct command {
    const char *argv[MAX_STRINGS + 1], *envp[MAX_STRINGS + 1];
};

static bool get_list(struct str *rest, const char **ret) {
    uint32_t n;
    if (!world_get_u32(rest, &n) || n > MAX_STRINGS) return false;
    for (uint32_t i = 0; i < n; i++)
        if (!world_get_z(rest, &ret[i])) return false;
    return true;
}

static bool wait_for_go(int control, struct arena *arena, struct command *command) {
    struct world_frame frame;
    struct err err;
    if (world_receive(control, -1, arena, &frame, &err) || frame.kind != FRAME_GO) return false;
    return get_list(&frame.bytes, command->argv) && get_list(&frame.bytes, command->envp) && command->argv[0];
}

static _Noreturn void become_job(const struct world_setup *setup, const struct command *command) {
    struct err err = { 0 };
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)umask(077);
    (void)setsid();
    enum code rc = world_lockdown(setup, &err);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* after the change of uid, which clears it */
    if (rc) dprintf(STDERR_FILENO, "linkspan: the job's world: %s\n", err.message);
    else {
        (void)execve(command->argv[0], (char *const *)(uintptr_t)command->argv, (char *const *)(uintptr_t)command->envp);
        dprintf(STDERR_FILENO, "linkspan: cannot run %s: %s\n", command->argv[0], strerrordesc_np(errno));
    }
    _exit(CANNOT_RUN);
}

static int status_of(int wait_status) {
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

/* True when the job itself ended. */
static bool reap(pid_t job, int *ret_status) {
    int wait_status;
    bool ended = false;
    for (pid_t pid; (pid = waitpid(-1, &wait_status, WNOHANG)) > 0;)
        if (pid == job) {
            *ret_status = status_of(wait_status);
            ended = true;
        }
    return ended;
}

static int watch(int control, int signals, pid_t job) {
    struct pollfd polls[2] = { { control, POLLIN, 0 }, { signals, POLLIN, 0 } };
    for (int status;;) {
        if (poll(polls, 2, -1) < 0 && errno != EINTR) return KILLED;
        struct signalfd_siginfo info;
        while (read(signals, &info, sizeof info) > 0) {}
        if (reap(job, &status)) return status;
        if (!polls[0].revents) continue;
        struct err err;
        struct world_frame frame;
        DEFER(arena_freep) struct arena *arena = arena_new(WORLD_FRAME_MAX_BYTES + 4096);
        if (!arena || world_receive(control, 1000, arena, &frame, &err)) return KILLED; /* the server is gone, or says so */
        if (frame.kind == FRAME_TERMINATE) (void)kill(-job, SIGTERM);
    }
}

static int block_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int world_init_run(const struct world_setup *setup, int control) {
    struct command *command = calloc(1, sizeof *command);
    struct arena *arena = arena_new(WORLD_FRAME_MAX_BYTES + 4096);
    if (!command || !arena || !wait_for_go(control, arena, command)) return KILLED;
    int signals = block_signals();
    if (setup->mode != WORLD_NAMESPACES) (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t job = fork();
    if (job == 0) become_job(setup, command);
    int status = job < 0 || signals < 0 ? KILLED : watch(control, signals, job);
    world_kill_tree(setup);
    return status;
}
