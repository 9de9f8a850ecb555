/* launch_command.c: spark-submit's arguments, the properties file and the environment, as the job's inside sees them. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/file.h"
#include "spark/launch_files.h"

enum { PROPERTIES_MAX_BYTES = 8 << 20, MAX_ENV = 48, DEFAULT_MEMORY = 1 << 30 };

/* ---- properties ---- */

/* java.util.Properties' text form. */
static void put_escaped(struct buf *out, struct str s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '\n') buf_add_z(out, "\\n");
        else if (c == '\r') buf_add_z(out, "\\r");
        else if (c == '\t') buf_add_z(out, "\\t");
        else {
            if (strchr("\\ =:#!", c)) buf_add_char(out, '\\');
            buf_add_char(out, c);
        }
    }
}

static void put_property(struct buf *out, struct str key, struct str value) {
    put_escaped(out, key);
    buf_add_char(out, '=');
    put_escaped(out, value);
    buf_add_char(out, '\n');
}

static bool brings(const struct launch_job *job, const char *key) {
    for (size_t i = 0; i < job->n_properties; i++)
        if (str_eq_z(job->properties[i].key, key)) return true;
    return false;
}

/* What the job may choose comes first and only where it did not; what it may not choose comes last and wins. */
static void put_ours(struct buf *out, const struct launch_config *config, const struct launch_job *job,
                     const struct launch_machine *machine, const struct world *world, struct arena *arena) {
    long long memory = config->memory_bytes > 0 ? config->memory_bytes : DEFAULT_MEMORY;
    const struct {
        const char *key;
        bool default_only;
        struct str value;
    } ours[] = {
        { "spark.app.name", true, job->name },
        { "spark.driver.memory", true, arena_printf(arena, "%lldm", memory >> 20) },
        { "spark.log.level", true, STR("WARN") },
        { "spark.sql.warehouse.dir", true, arena_printf(arena, "%s/warehouse", world->work) },
        { "spark.master", false, str_z(config->master) },
        { "spark.submit.deployMode", false, STR("client") },
        { "spark.ui.enabled", false, STR("false") },
        { "spark.ui.showConsoleProgress", false, STR("false") },
        { "spark.eventLog.enabled", false, STR("true") },
        { "spark.eventLog.dir", false, arena_printf(arena, "file:%s/events", world->work) },
        { "spark.eventLog.compress", false, STR("false") }, /* read line by line while it grows */
        { "spark.eventLog.rolling.enabled", false, STR("false") },
        { "spark.local.dir", false, arena_printf(arena, "%s/local", world->work) },
        { "spark.driver.host", false, STR("127.0.0.1") },
        { "spark.driver.bindAddress", false, STR("127.0.0.1") },
        { "spark.pyspark.python", false, str_z(machine->python) },
        { "spark.driver.extraJavaOptions", false,
          arena_printf(arena, "-Djava.io.tmpdir=%s/tmp -Djava.net.preferIPv4Stack=true -XX:-UsePerfData", world->work) },
    };
    for (size_t i = 0; i < COUNT(ours); i++)
        if (!ours[i].default_only || !brings(job, ours[i].key)) put_property(out, str_z(ours[i].key), ours[i].value);
}

static enum code give_to(const char *path, uid_t uid, struct err *err) {
    return uid && lchown(path, uid, uid) ? err_errno(err, path) : OK;
}

static enum code make_folder(const char *work, const char *name, uid_t uid, struct err *err) {
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", work, name);
    return mkdir(path, 0700) && errno != EEXIST ? err_errno(err, path) : give_to(path, uid, err);
}

static enum code write_properties(const char *work, uid_t uid, struct str text, struct err *err) {
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/spark.properties", work);
    DEFER(file_close) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return err_errno(err, path);
    enum code rc = file_write_all(fd, text, err);
    return rc ? rc : give_to(path, uid, err);
}

static enum code fill_work(const struct launch_config *config, const struct launch_machine *machine,
                           const struct launch_job *job, const struct world *world, const char *work, uid_t uid,
                           struct arena *arena, struct err *err) {
    static const char *const folders[] = { "events", "local", "gcloud", "conf" };
    DEFER(buf_free) struct buf text = BUF_INIT(PROPERTIES_MAX_BYTES);
    enum code rc = OK;
    for (size_t i = 0; !rc && i < COUNT(folders); i++) rc = make_folder(work, folders[i], uid, err);
    for (size_t i = 0; i < job->n_properties; i++) put_property(&text, job->properties[i].key, job->properties[i].value);
    put_ours(&text, config, job, machine, world, arena);
    if (!rc && !buf_ok(&text)) rc = err_set(err, INVALID_ARGUMENT, "the job's properties take more than 8 MiB");
    return rc ? rc : write_properties(work, uid, buf_str(&text), err);
}

/* ---- arguments ---- */

static enum code staged_list(const struct launch_list *list, const struct world *world, struct arena *arena,
                             const char **ret, struct err *err) {
    DEFER(buf_free) struct buf out = BUF_INIT(LAUNCH_MAX_FILES * (WORLD_PATH_MAX + LAUNCH_NAME_MAX));
    for (size_t i = 0; i < list->files.n; i++) {
        char name[LAUNCH_NAME_MAX];
        enum code rc = launch_staged_name(list->kind, i, list->files.items[i], name, err);
        if (rc) return rc;
        buf_printf(&out, "%s%s/%s", i ? "," : "", world->code, name);
    }
    *ret = buf_ok(&out) ? str_dupz(arena, buf_str(&out)) : NULL;
    return *ret ? OK : err_oom(err);
}

static enum code make_argv(const struct launch_machine *machine, const struct launch_job *job, const struct world *world,
                           struct arena *arena, const char *const **ret, struct err *err) {
    struct launch_list lists[LAUNCH_LISTS];
    char main[LAUNCH_NAME_MAX];
    size_t n = 0;
    const char **argv = ARENA_ARRAY(arena, const char *, job->args.n + 2 * LAUNCH_LISTS + 8);
    if (!argv) return err_oom(err);
    argv[n++] = arena_printf(arena, "%s/bin/spark-submit", machine->spark_home).p;
    argv[n++] = "--properties-file";
    argv[n++] = arena_printf(arena, "%s/spark.properties", world->work).p;
    launch_lists(job, lists);
    for (size_t i = 0; i < LAUNCH_LISTS; i++) {
        if (!lists[i].files.n) continue;
        argv[n++] = lists[i].option;
        enum code rc = staged_list(&lists[i], world, arena, &argv[n++], err);
        if (rc) return rc;
    }
    enum code rc = launch_staged_name("main", 0, job->main, main, err);
    if (rc) return rc;
    argv[n++] = arena_printf(arena, "%s/%s", world->code, main).p;
    for (size_t i = 0; i < job->args.n; i++) argv[n++] = str_dupz(arena, job->args.items[i]);
    for (size_t i = 0; i < n; i++)
        if (!argv[i]) return err_oom(err);
    *ret = argv;
    return OK;
}

/* ---- environment ---- */

/* Made from nothing. facts: google-auth (Python, Java, Node, Go) needs HOST and IP both, no mTLS, no gcloud folder that
 * would win, and no proxy on the way. */
static enum code make_env(const struct launch_config *config, const struct launch_machine *machine,
                          const struct world *world, struct arena *arena, const char *const **ret, struct err *err) {
    struct str bin = str_z(machine->python);
    while (bin.n && bin.p[bin.n - 1] != '/') bin.n--;
    unsigned api = world->ports[WORLD_API], metadata = world->ports[WORLD_METADATA];
    const struct str vars[] = {
        arena_printf(arena, "PATH=%.*s:%s/bin:/usr/bin:/bin", STR_ARG(str_upto(bin, bin.n - 1)), machine->java_home),
        STR("LANG=C.UTF-8"),
        arena_printf(arena, "HOME=%s", world->work),
        STR("USER=job"),
        STR("LOGNAME=job"),
        arena_printf(arena, "TMPDIR=%s/tmp", world->work),
        arena_printf(arena, "JAVA_HOME=%s", machine->java_home),
        arena_printf(arena, "SPARK_HOME=%s", machine->spark_home),
        arena_printf(arena, "SPARK_CONF_DIR=%s/conf", world->work),
        arena_printf(arena, "PYSPARK_PYTHON=%s", machine->python),
        arena_printf(arena, "PYSPARK_DRIVER_PYTHON=%s", machine->python),
        STR("PYTHONUNBUFFERED=1"),
        STR("PYTHONDONTWRITEBYTECODE=1"),
        STR("SPARK_LOCAL_IP=127.0.0.1"),
        STR("SPARK_USER=job"),
        arena_printf(arena, "GOOGLE_CLOUD_PROJECT=%s", config->project),
        arena_printf(arena, "GCE_METADATA_HOST=127.0.0.1:%u", metadata),
        arena_printf(arena, "GCE_METADATA_IP=127.0.0.1:%u", metadata),
        STR("GCE_METADATA_MTLS_MODE=none"),
        STR("METADATA_SERVER_DETECTION=assume-present"),
        arena_printf(arena, "CLOUDSDK_CONFIG=%s/gcloud", world->work),
        STR("NO_PROXY=127.0.0.1,localhost,169.254.169.254,metadata.google.internal"),
        STR("no_proxy=127.0.0.1,localhost,169.254.169.254,metadata.google.internal"),
        arena_printf(arena, "LINKSPAN_SPANNER_ENDPOINT=127.0.0.1:%u", api),
        arena_printf(arena, "SPANNER_EMULATOR_HOST=127.0.0.1:%u", api),
        STR("SPANNER_DISABLE_BUILTIN_METRICS=true"),
    };
    _Static_assert(COUNT(vars) < MAX_ENV, "room for the environment");
    const char **env = ARENA_ARRAY(arena, const char *, COUNT(vars) + 1);
    if (!env) return err_oom(err);
    for (size_t i = 0; i < COUNT(vars); i++)
        if (!(env[i] = vars[i].p)) return err_oom(err);
    *ret = env;
    return OK;
}

enum code launch_command(const struct launch_config *config, const struct launch_machine *machine,
                         const struct launch_job *job, const struct world *world, const char *work_outside, uid_t uid,
                         struct arena *arena, struct launch_command *ret, struct err *err) {
    struct launch_command command;
    enum code rc = fill_work(config, machine, job, world, work_outside, uid, arena, err);
    if (!rc) rc = make_argv(machine, job, world, arena, &command.argv, err);
    if (!rc) rc = make_env(config, machine, world, arena, &command.envp, err);
    if (!rc) *ret = command;
    return rc;
}
