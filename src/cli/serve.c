#include "gate/serve.h"
#include <sys/prctl.h>
#include <sys/resource.h>
#include "cli/setup.h"

enum { CONFIG_ARENA_BYTES = 16 << 20 };

/* A core file would hold tokens and keys. */
static enum code forbid_core_dumps(struct err *err) {
    const struct rlimit none = { 0, 0 };
    if (setrlimit(RLIMIT_CORE, &none) != 0) return err_errno(err, "core dumps cannot be switched off");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return err_errno(err, "core dumps cannot be switched off");
    return OK;
}

/* Connections are many; the soft limit is often 1,024. */
static void raise_file_limit(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

static int run(struct args *args) {
    DEFER(arena_freep) struct arena *arena = arena_new(CONFIG_ARENA_BYTES);
    struct config *config = arena ? ARENA_NEW(arena, struct config) : NULL;
    struct err err;
    enum code rc = config ? setup_config(args, arena, config, &err) : err_oom(&err);
    if (!rc) rc = forbid_core_dumps(&err);
    if (rc) return complain(args, &err);
    raise_file_limit();
    rc = serve(config, &err);
    return rc ? complain(args, &err) : 0;
}

static const struct option options[] = { OPTION_CONFIG, { 0 } };
const struct command command_serve = {
    .name = "serve",
    .line = "Runs the server until SIGTERM",
    .operands = "",
    .options = options,
    .about =
        "Logs JSON lines to standard error. SIGTERM and SIGINT drain: no new requests, those under way may finish (`drain` "
        "in\n"
        "the configuration). SIGHUP reads the policy again; a policy with faults changes nothing. Core dumps are off.\n\n"
        "  linkspan serve --config site/linkspan.yaml",
    .run = run,
};
