/* world_inside.h: the steps of the second start, each in its file. Single-threaded; failures end the process. */
#pragma once
#include "spark/world.h"

struct world_setup {
    enum world_mode mode;
    uid_t uid; /* of the job; 0: as it is */
    const char *work, *code;
    const char **readable;
    unsigned n_readable, max_processes, max_files;
};

/* world_mounts.c: a root of its own: the system read only, /job, /code, /tmp, /proc, /dev, /etc of a few files. */
MUST_USE enum code world_mount_all(const struct world_setup *setup, struct err *err);

/* world_net.c: loopback up with the clouds' metadata address; the listeners. */
MUST_USE enum code world_raise_loopback(struct err *err);
MUST_USE enum code world_listen(bool own_network, int ret_fds[WORLD_FDS], uint16_t ret_ports[WORLD_FDS], struct err *err);

/* world_lockdown.c: what the job loses right before it starts. */
MUST_USE enum code world_lockdown(const struct world_setup *setup, struct err *err);
MUST_USE enum code world_filter_calls(struct err *err); /* seccomp */

/* world_tree.c: SIGKILL to every process of the job, where no process namespace does it. */
void world_kill_tree(const struct world_setup *setup);

/* world_init.c: waits for `go`, starts the job, reaps, obeys; returns the exit status. */
int world_init_run(const struct world_setup *setup, int control);
