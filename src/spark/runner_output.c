/* runner_output.c: what a driver says: its output through a pipe into a bounded file, its event log into progress. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "spark/runner_priv.h"

enum { BLOCK_BYTES = 65536, MAX_EVENTS_A_TICK = 8 << 20 };

static const struct str cut_note = STR_INIT(
    "\n[linkspan: the driver's output is longer than 64 MiB: the rest is not kept]\n");

enum code run_open_output(struct run *run, int *ret_write_fd, struct err *err) {
    char path[1100];
    int pipes[2];
    (void)snprintf(path, sizeof path, "%s/driveroutput", run->folder);
    run->output_fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (run->output_fd < 0) return err_errno(err, path);
    if (pipe2(pipes, O_CLOEXEC)) return err_errno(err, "pipe");
    run->pipe_fd = pipes[0];
    if (fcntl(run->pipe_fd, F_SETFL, O_NONBLOCK)) return close(pipes[1]), err_errno(err, "pipe");
    *ret_write_fd = pipes[1];
    return OK;
}

static void keep(struct run *run, struct str bytes) {
    struct err err;
    if (run->output_cut) return;
    uint64_t room = RUNNER_OUTPUT_MAX_BYTES - cut_note.n - run->output_bytes;
    struct str part = str_upto(bytes, (size_t)room);
    /* a full disk: the run goes on, its output is cut */
    if (file_write_all(run->output_fd, part, &err)) run->output_cut = true;
    else run->output_bytes += part.n;
    if (part.n == bytes.n || run->output_cut) return;
    run->output_cut = true;
    if (!file_write_all(run->output_fd,
                        STR("\n[linkspan: the driver's output is longer than 64 MiB: the rest is not kept]\n"), &err))
        run->output_bytes += sizeof cut_note - 1;
}

void run_read_output(struct run *run) {
    char block[BLOCK_BYTES];
    for (unsigned i = 0; run->pipe_fd >= 0 && i < 64; i++) {
        ssize_t n = read(run->pipe_fd, block, sizeof block);
        if (n > 0) keep(run, (struct str){ block, (size_t)n });
        else if (n < 0 && errno == EINTR) continue;
        else if (n < 0 && errno == EAGAIN) return;
        else file_close(&run->pipe_fd), run->pipe_fd = -1;
    }
}

struct str run_output_tail(struct run *run, struct arena *arena) {
    uint64_t from = run->output_bytes > RUNNER_TAIL_BYTES ? run->output_bytes - RUNNER_TAIL_BYTES : 0;
    char *tail = arena_alloc(arena, RUNNER_TAIL_BYTES);
    ssize_t n = tail ? pread(run->output_fd, tail, RUNNER_TAIL_BYTES, (off_t)from) : 0;
    return (struct str){ tail, n > 0 ? (size_t)n : 0 };
}

/* ---- event log ---- */

/* The one file in work/events, whatever its name. The folder is the job's: no link is followed, only a file is read. */
static int open_events(const struct run *run) {
    DEFER(file_close) int work = open(run->work, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int events = work < 0 ? -1 : openat(work, "events", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = events < 0 ? NULL : fdopendir(events);
    int found = -1;
    if (events >= 0 && !dir) close(events);
    for (struct dirent *e; dir && found < 0 && (e = readdir(dir));) {
        struct stat st;
        if (e->d_name[0] == '.') continue;
        found = openat(events, e->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (found >= 0 && (fstat(found, &st) || !S_ISREG(st.st_mode))) {
            close(found);
            found = -1;
        }
    }
    if (dir) closedir(dir);
    return found;
}

void run_read_events(struct runner *runner, struct run *run) {
    char block[BLOCK_BYTES];
    if (run->events_fd < 0) run->events_fd = open_events(run);
    if (run->events_fd < 0) return;
    for (size_t total = 0; total < MAX_EVENTS_A_TICK;) {
        ssize_t n = read(run->events_fd, block, sizeof block);
        if (n <= 0) return;
        total += (size_t)n;
        (void)pthread_mutex_lock(&runner->lock);
        progress_add(&run->progress, (struct str){ block, (size_t)n });
        (void)pthread_mutex_unlock(&runner->lock);
    }
}
