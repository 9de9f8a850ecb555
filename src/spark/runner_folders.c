/* runner_folders.c: a folder for each run: `work` (the job's own), `code` (staged), `driveroutput`. Nothing here follows a
 * link: what is below `work` was written by the job. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "spark/runner_priv.h"

enum { MAX_DEPTH = 200, DEFAULT_KEEP = 200 };

bool runner_good_id(struct str run) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    if (!run.n || run.n >= RUNNER_ID_MAX) return false;
    for (size_t i = 0; i < run.n; i++)
        if (!run.p[i] || !strchr(letters, run.p[i])) return false;
    return true;
}

/* ---- remove ---- */

/* A job may have closed its folders even to us (when it ran under our uid). */
static int open_to_empty(int parent, const char *name) {
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(parent, name, flags);
    if (fd < 0 && errno == EACCES && fchmodat(parent, name, 0700, 0) == 0) fd = openat(parent, name, flags);
    if (fd >= 0) (void)fchmod(fd, 0700);
    return fd;
}

static void remove_below(int parent, const char *name, unsigned depth) {
    if (unlinkat(parent, name, 0) == 0 || (errno != EISDIR && errno != EPERM)) return;
    int fd = open_to_empty(parent, name);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (fd >= 0 && !dir) close(fd);
    for (struct dirent *e; dir && depth < MAX_DEPTH && (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) remove_below(fd, e->d_name, depth + 1);
    if (dir) closedir(dir);
    (void)unlinkat(parent, name, AT_REMOVEDIR);
}

void runner_remove_tree(const char *path) {
    remove_below(AT_FDCWD, path, 0);
}

void runner_clean(struct run *run) {
    if (run->work[0]) runner_remove_tree(run->work);
    if (run->code[0]) runner_remove_tree(run->code);
}

/* ---- make ---- */

enum code runner_make_folder(struct runner *runner, struct run *run, struct err *err) {
    (void)snprintf(run->folder, sizeof run->folder, "%s/%.*s", runner->config.folder, STR_ARG(run->job.run));
    (void)snprintf(run->work, sizeof run->work, "%s/home", run->folder);
    (void)snprintf(run->code, sizeof run->code, "%s/code", run->folder);
    /* a uid of the job's own must be able to come through, where the world has no root of its own */
    mode_t mode = runner->mode == WORLD_OWN_UID ? 0711 : 0700;
    if (mkdir(run->folder, mode) || chmod(run->folder, mode)) {
        enum code rc = err_errno(err, run->folder);
        run->folder[0] = run->work[0] = run->code[0] = '\0'; /* another's: not ours to clean */
        return rc;
    }
    if (mkdir(run->work, 0700) || mkdir(run->code, 0755) || chmod(run->code, 0755)) return err_errno(err, run->folder);
    return OK;
}

/* ---- keep ---- */

struct kept {
    char name[RUNNER_ID_MAX];
    struct timespec changed;
};

static int by_time(const void *a, const void *b) {
    const struct kept *x = a, *y = b;
    if (x->changed.tv_sec != y->changed.tv_sec) return x->changed.tv_sec < y->changed.tv_sec ? -1 : 1;
    return x->changed.tv_nsec < y->changed.tv_nsec ? -1 : x->changed.tv_nsec > y->changed.tv_nsec;
}

static bool is_live(struct runner *runner, const char *name) {
    bool live = false;
    (void)pthread_mutex_lock(&runner->lock);
    for (struct run *r = runner->running; r && !live; r = r->next) live = str_eq_z(r->job.run, name);
    (void)pthread_mutex_unlock(&runner->lock);
    return live;
}

static size_t list_runs(struct runner *runner, struct kept **ret) {
    size_t n = 0, cap = 0;
    DIR *dir = opendir(runner->config.folder);
    *ret = NULL;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        struct stat st;
        if (!runner_good_id(str_z(e->d_name)) || fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW)) continue;
        if (n == cap) {
            struct kept *more = realloc(*ret, (cap = cap ? 2 * cap : 64) * sizeof **ret);
            if (!more) break;
            *ret = more;
        }
        memcpy((*ret)[n].name, e->d_name, strlen(e->d_name) + 1);
        (*ret)[n++].changed = st.st_mtim;
    }
    if (dir) closedir(dir);
    return n;
}

void runner_prune(struct runner *runner) {
    struct kept *kept;
    size_t n = list_runs(runner, &kept), keep = runner->config.keep_runs ? runner->config.keep_runs : DEFAULT_KEEP;
    if (n > keep) qsort(kept, n, sizeof *kept, by_time);
    for (size_t i = 0; n > keep && i < n - keep; i++) {
        char path[1200];
        (void)snprintf(path, sizeof path, "%s/%s", runner->config.folder, kept[i].name);
        if (!is_live(runner, kept[i].name)) runner_remove_tree(path);
    }
    free(kept);
}

static bool others_come_through(const char *folder) {
    char path[1024];
    (void)snprintf(path, sizeof path, "%s", folder);
    for (char *slash; (slash = strrchr(path, '/')) && slash != path;) {
        struct stat st;
        if (stat(path, &st) || !(st.st_mode & S_IXOTH)) return false;
        *slash = '\0';
    }
    return true;
}

/* The processes of an earlier server ended with it: their worlds see its end. Their folders are still there. */
enum code runner_sweep(struct runner *runner, struct err *err) {
    struct kept *kept;
    size_t n = list_runs(runner, &kept);
    for (size_t i = 0; i < n; i++) {
        struct run gone = { 0 };
        (void)snprintf(gone.work, sizeof gone.work, "%s/%s/home", runner->config.folder, kept[i].name);
        (void)snprintf(gone.code, sizeof gone.code, "%s/%s/code", runner->config.folder, kept[i].name);
        runner_clean(&gone);
    }
    free(kept);
    if (runner->mode != WORLD_OWN_UID) return OK;
    if (chmod(runner->config.folder, 0711)) return err_errno(err, runner->config.folder);
    if (others_come_through(runner->config.folder)) return OK;
    return err_set(err, FAILED_PRECONDITION,
                   "namespaces are forbidden here, so jobs run under uids of their own, which cannot reach %s: "
                   "chmod o+x it and the folders above it, or allow namespaces (%s)",
                   runner->config.folder, runner->mode_why);
}
