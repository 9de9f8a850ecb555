/* world_msg.h: what server and world say to each other over their socket pair: frames of a kind, bytes, and descriptors.
 * Integers are the machine's own: both ends are the same program. Limit: 1 MiB a frame, 3 descriptors. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { WORLD_FRAME_MAX_BYTES = 1 << 20, WORLD_FRAME_MAX_FDS = 3, WORLD_CHILD_FD = 3 };

enum world_frame_kind {
    FRAME_CONFIG = 'C',    /* server → world: struct world_setup */
    FRAME_READY = 'R',     /* world → server: uid, ports, descriptors */
    FRAME_FORBIDDEN = 'N', /* world → server: the system forbids this mode; text */
    FRAME_FAILED = 'F',    /* world → server: text */
    FRAME_GO = 'G',        /* server → world: argv, envp */
    FRAME_TERMINATE = 'T', /* server → world */
};

struct world_frame {
    uint32_t kind;
    struct str bytes; /* in the arena */
    int fds[WORLD_FRAME_MAX_FDS];
    unsigned n_fds;
};

/* Waits at most timeout_ms (-1: for ever). UNAVAILABLE when the other end is gone, DEADLINE_EXCEEDED. */
MUST_USE enum code world_send(int fd, enum world_frame_kind kind, struct str bytes, const int *fds, unsigned n_fds,
                              struct err *err);
MUST_USE enum code world_receive(int fd, int timeout_ms, struct arena *arena, struct world_frame *ret, struct err *err);

void world_put_u32(struct buf *out, uint32_t value);
void world_put_str(struct buf *out, struct str value); /* with a NUL that is not counted */
bool world_get_u32(struct str *rest, uint32_t *ret);
bool world_get_z(struct str *rest, const char **ret); /* NUL-terminated, points into the frame */
