/* world_tree.c: the end of a process tree where no process namespace ends it by itself. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/file.h"
#include "spark/world_inside.h"

enum { MAX_ROUNDS = 200, MAX_CHILDREN_BYTES = 65536, ROUND_US = 5000 };

/* A uid of its own: the kernel kills all of it at once. */
static void kill_uid(uid_t uid) {
    pid_t pid = fork();
    if (pid == 0) {
        if (setresuid(uid, uid, uid) == 0) (void)kill(-1, SIGKILL);
        _exit(0);
    }
    if (pid > 0) (void)waitpid(pid, NULL, 0);
}

/* The children of a process, stopped first so that they fork no more while they are walked. */
static void kill_below(pid_t pid, unsigned depth) {
    char path[64], text[4096];
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    DEFER(file_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0 || depth > 64) return;
    text[n] = '\0';
    char *at = text;
    for (char *end; (end = NULL, *at); at = end) {
        long child = strtol(at, &end, 10);
        if (end == at || *end != ' ') break; /* the last number may be cut: the next round has it */
        end++;
        (void)kill((pid_t)child, SIGSTOP);
        kill_below((pid_t)child, depth + 1);
        (void)kill((pid_t)child, SIGKILL);
    }
}

/* We are the sub-reaper: whatever loses its parent becomes our child, so the last round finds nobody. A process' children
 * are listed for each of its threads, and only the first thread's are read: the others' come to us when it died. */
void world_kill_tree(const struct world_setup *setup) {
    if (setup->mode == WORLD_NAMESPACES) return; /* the kernel does it when the first process ends */
    for (unsigned round = 0; round < MAX_ROUNDS; round++) {
        if (setup->uid) kill_uid(setup->uid);
        kill_below(getpid(), 0);
        pid_t pid;
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {}
        if (pid < 0 && errno == ECHILD) return;
        usleep(ROUND_US);
    }
}
