/* world.h: a job's world: what one process tree may see and reach (DESIGN §5, docs/worlds.md).
 *
 * A world is made by a second start of our own program (`linkspan world`): it makes the namespaces, listens on the
 * places that the job will know, hands these descriptors out and waits for `world_start`. Everything that the job starts
 * dies with the world's first process; that one dies when the server does, or when the control descriptor is closed.
 *
 * A `struct world` belongs to one thread. Calls block for some milliseconds, at most 10 s (then DEADLINE_EXCEEDED). */
#pragma once
#include <sys/types.h>
#include "base/err.h"

enum world_mode {
    WORLD_NAMESPACES, /* own mounts, network, processes, and own uid or user namespace */
    WORLD_OWN_UID,    /* the server is root, namespaces are forbidden: a uid of the job's own */
    WORLD_ALONE,      /* neither: separate only while no job of another account runs */
    WORLD_MODES,
};
const char *world_mode_name(enum world_mode mode); /* "namespaces", "own uid", "alone" */

struct world_spec {
    const char *helper;          /* our own program; NULL: /proc/self/exe */
    enum world_mode try;         /* the first mode to try; weaker ones follow when the system forbids it */
    bool only;                   /* do not fall back: UNIMPLEMENTED says what was forbidden (tests use it) */
    const char *work;            /* the job's own folder, absolute; writable. With namespaces it is /job inside */
    const char *code;            /* staged code, absolute; read only; /code inside */
    const char *const *readable; /* further absolute paths that the job may read, at the same place inside */
    size_t n_readable;
    uid_t uid;     /* the job's, when the server is root; 0: as the server (a user namespace hides it) */
    int output_fd; /* standard output and error; borrowed */
    unsigned max_processes, max_files; /* rlimits; 0: 4096, 65536 */
};

enum { WORLD_FDS = 3, WORLD_API = 0, WORLD_METADATA = 1, WORLD_METADATA_LINK = 2, WORLD_PATH_MAX = 1024 };

struct world {
    enum world_mode mode;
    uid_t uid; /* of the job, to which `work` was given; 0: the server's own */
    pid_t pid;
    int pidfd, control_fd;
    /* Listening sockets, made inside: the API at 127.0.0.1, metadata at 127.0.0.1 and at 169.254.169.254:80 (-1 without
     * namespaces). Whoever takes one sets it to -1. */
    int fds[WORLD_FDS];
    uint16_t ports[WORLD_FDS];
    char work[WORLD_PATH_MAX], code[WORLD_PATH_MAX]; /* as the job sees them */
    char fell_back[256];                             /* why a stronger mode was not had; "" = it was not tried or worked */
};

/* Makes the world and its listeners; nothing of the job runs yet. INTERNAL in a second start whose main did not ask
 * world_is_child. */
MUST_USE enum code world_open(const struct world_spec *spec, struct world *ret, struct err *err);
/* Starts the job in it: argv[0] is an absolute path as seen inside; both lists end with NULL; together at most 1 MiB. */
MUST_USE enum code world_start(struct world *world, const char *const *argv, const char *const *envp, struct err *err);
void world_terminate(struct world *world); /* SIGTERM to the job; it may end in peace */
void world_kill(struct world *world);      /* the whole tree, now */
/* When pidfd is readable: reaps. The exit status of the job, or 128 + its signal. False: it still runs. */
bool world_ended(struct world *world, int *ret_status);
/* Kills what still runs, waits for it, closes all descriptors. A zeroed or closed world is fine. */
void world_close(struct world *world);

/* The strongest mode that this machine grants, found by making one. `folder` is an existing folder of the server's. */
MUST_USE enum code world_probe(const char *helper, const char *folder, uid_t uid, enum world_mode *ret_mode,
                               char ret_why[256], struct err *err);

/* ---- the inside ---- */

bool world_is_child(int argc, char **argv); /* is this the second start? To be asked first in main */
int world_child_main(void);                 /* its main; returns the exit status */
