/* launch.h: from a job's description to a command line: what may be run, its staged copy, its properties, its environment.
 *
 * Nothing passes a shell and nothing secret is in an argument. Files are opened below the folders that the configuration
 * allows, without following links out of them (openat2, RESOLVE_BENEATH), copied into the run's folder while they are
 * hashed, and the copy is what runs. Any thread; blocking; text lives in the arena given.
 * Limits: a main file of 16 MiB, other files of 512 MiB, 64 files, 256 properties, 1,024 arguments. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "spark/world.h"

enum {
    LAUNCH_MAIN_MAX_BYTES = 16 << 20,
    LAUNCH_FILE_MAX_BYTES = 512 << 20,
    LAUNCH_MAX_FILES = 64,
    LAUNCH_MAX_PROPERTIES = 256,
    LAUNCH_MAX_ARGS = 1024,
    LAUNCH_SHA256_HEX = 64,
};

struct launch_config {
    const char *python;     /* the interpreter of the environment that holds PySpark; absolute */
    const char *master;     /* "local[*]" */
    const char *project;    /* GOOGLE_CLOUD_PROJECT */
    const struct str *code; /* folders whose files may be run; absolute */
    size_t n_code;
    const struct str *properties; /* prefixes allowed beside the built-in ones */
    size_t n_properties;
    int64_t memory_bytes; /* of a driver; 0: 1 GiB */
};

/* What of the machine a job needs, found once at start. */
struct launch_machine {
    const char *python, *spark_home, *java_home; /* absolute */
    const char *const *readable;                 /* what a world must show: environment, interpreter, Java */
    size_t n_readable;
};
/* FAILED_PRECONDITION says what is missing (no Java, no PySpark) and what to install. */
MUST_USE enum code launch_find_machine(const char *python, struct arena *arena, struct launch_machine *ret,
                                       struct err *err);

struct launch_property {
    struct str key, value;
};

struct launch_files {
    const struct str *items;
    size_t n;
};

struct launch_job {
    struct str name;
    struct str main; /* file:///… or an absolute path */
    struct launch_files args, python_files, jars, files, archives;
    const struct launch_property *properties;
    size_t n_properties;
};

/* Is the property allowed? INVALID_ARGUMENT names it: it moves identity or code, or its prefix is not on the list. */
MUST_USE enum code launch_check_property(const struct launch_config *config, struct str key, struct str value,
                                         struct err *err);

/* All that can be known without a file's contents: kinds of URI, counts, properties. */
MUST_USE enum code launch_check(const struct launch_config *config, const struct launch_job *job, struct err *err);

/* SHA-256 of the file that a URI names, in hexadecimal. UNIMPLEMENTED for gs:// (by name); PERMISSION_DENIED outside the
 * folders; NOT_FOUND. */
MUST_USE enum code launch_hash(const struct launch_config *config, struct str uri, size_t max_bytes,
                               char ret_hex[LAUNCH_SHA256_HEX + 1], struct err *err);

/* Copies all files of the job into `folder` (the run's, existing and empty). The main file must have this digest: ABORTED
 * when it changed meanwhile. `uid` 0: readable by the server's uid only, else by everybody (the folder above is closed). */
MUST_USE enum code launch_stage(const struct launch_config *config, const struct launch_job *job, const char *folder,
                                const char *main_sha256, struct err *err);

struct launch_command {
    const char *const *argv, *const *envp;
};
/* The command as the world's inside sees it. Writes the properties file (0600) into `work_outside`, for `uid` (0: us). */
MUST_USE enum code launch_command(const struct launch_config *config, const struct launch_machine *machine,
                                  const struct launch_job *job, const struct world *world, const char *work_outside,
                                  uid_t uid, struct arena *arena, struct launch_command *ret, struct err *err);

/* The cause of a failure in the last bytes of a driver's output: "Caused by", an exception's last line, else the last
 * line. One line, at most 500 bytes, in the arena; empty when there is none. */
struct str launch_cause(struct str output_tail, struct arena *arena);
