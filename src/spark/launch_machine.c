/* launch_machine.c: where Python, PySpark and Java are on this machine, and what of it a world must show. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "spark/launch.h"

enum { MAX_READABLE = 8 };

static const char *join(struct arena *arena, const char *a, const char *b) {
    return arena_printf(arena, "%s%s", a, b).p;
}

static bool is_there(const char *path) {
    return access(path, R_OK) == 0;
}

/* The environment of an interpreter: two levels above it ("/x/venv/bin/python"). */
static enum code environment_of(const char *python, struct arena *arena, const char **ret, struct err *err) {
    struct str path = str_z(python);
    for (unsigned level = 0; level < 2; level++)
        while (path.n && path.p[--path.n] != '/') {}
    if (path.n < 2 || !is_there(python))
        return err_set(err, FAILED_PRECONDITION,
                       "no Python at %s: name the interpreter of an environment with PySpark (dataproc.python)", python);
    *ret = str_dupz(arena, path);
    return *ret ? OK : err_oom(err);
}

static enum code find_spark(const char *environment, struct arena *arena, const char **ret, struct err *err) {
    const char *lib = join(arena, environment, "/lib");
    if (!lib) return err_oom(err);
    DIR *dir = opendir(lib);
    *ret = NULL;
    for (struct dirent *e; dir && !*ret && (e = readdir(dir));) {
        char home[PATH_MAX], submit[PATH_MAX + 32];
        if (strncmp(e->d_name, "python3", 7) != 0) continue;
        (void)snprintf(home, sizeof home, "%s/%s/site-packages/pyspark", lib, e->d_name);
        (void)snprintf(submit, sizeof submit, "%s/bin/spark-submit", home);
        if (is_there(submit)) *ret = str_dupz(arena, str_z(home));
    }
    if (dir) closedir(dir);
    return *ret ? OK
                : err_set(err, FAILED_PRECONDITION, "no PySpark in %s: %s/bin/pip install 'pyspark>=4.0,<4.1'", environment,
                          environment);
}

/* JAVA_HOME of the server, else what `java` on the usual path leads to. */
static enum code find_java(struct arena *arena, const char **ret, struct err *err) {
    const char *home = getenv("JAVA_HOME");
    char real[PATH_MAX], from_home[PATH_MAX];
    (void)snprintf(from_home, sizeof from_home, "%s/bin/java", home ? home : "");
    bool found = (home && home[0] == '/' && realpath(from_home, real)) || realpath("/usr/bin/java", real) ||
                 realpath("/usr/local/bin/java", real);
    struct str path = str_z(found ? real : "");
    if (!found || !str_strip_suffix(&path, STR("/bin/java")))
        return err_set(err, FAILED_PRECONDITION, "no Java: install openjdk-17-jre-headless, or set JAVA_HOME");
    *ret = str_dupz(arena, path);
    return *ret ? OK : err_oom(err);
}

/* A virtual environment's interpreter is a link into the Python that it was made from. */
static const char *real_prefix(const char *python, struct arena *arena) {
    char real[PATH_MAX];
    if (!realpath(python, real)) return NULL;
    struct str path = str_z(real);
    for (unsigned level = 0; level < 2; level++)
        while (path.n && path.p[--path.n] != '/') {}
    return path.n > 1 ? str_dupz(arena, path) : NULL;
}

enum code launch_find_machine(const char *python, struct arena *arena, struct launch_machine *ret, struct err *err) {
    const char *environment, *prefix;
    struct launch_machine m = { .python = str_dupz(arena, str_z(python)) };
    if (python[0] != '/') return err_set(err, FAILED_PRECONDITION, "dataproc.python must be an absolute path: %s", python);
    enum code rc = environment_of(python, arena, &environment, err);
    if (!rc) rc = find_spark(environment, arena, &m.spark_home, err);
    if (!rc) rc = find_java(arena, &m.java_home, err);
    if (rc) return rc;
    const char **readable = ARENA_ARRAY(arena, const char *, MAX_READABLE);
    if (!readable || !m.python) return err_oom(err);
    readable[m.n_readable++] = environment;
    prefix = real_prefix(python, arena);
    if (prefix && strcmp(prefix, environment) != 0) readable[m.n_readable++] = prefix;
    readable[m.n_readable++] = m.java_home;
    m.readable = readable;
    *ret = m;
    return OK;
}
