/* world_mounts.c: the job's root: an empty one, into which only what is named here is put.
 *
 * First every source is taken as a detached mount (open_tree), read only where it should be; then a small tmpfs covers one
 * folder of ours, gets the mounts at their places, and becomes the root (pivot_root); the old root goes away. So nothing
 * is hidden by a list of what to hide: what is not put there is not there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/file.h"
#include "spark/world_inside.h"

enum { MAX_MOUNTS = 96, ALL_READ_ONLY = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };

struct place {
    int tree;    /* a detached mount */
    bool folder; /* else a file */
    char inside[WORLD_PATH_MAX];
};

struct places {
    struct place items[MAX_MOUNTS];
    unsigned n;
    const char *base; /* where the new root is built */
    int namespace;    /* our own, when the server runs in a chroot; else -1 */
};

/* What a job needs of the system. Files and folders that are not there are left out; links are made again as links. */
static const char *const system_paths[] = {
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/mime.types",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/nsswitch.conf",
    "/etc/protocols",
    "/etc/services",
    "/etc/host.conf",
};
static const char *const system_prefixes[] = { "java", "python3" }; /* of names in /etc */
static const char *const devices[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom" };

static enum code in_base(const struct places *places, const char *inside, char ret[WORLD_PATH_MAX], struct err *err) {
    int n = snprintf(ret, WORLD_PATH_MAX, "%s%s", places->base, inside);
    return n < WORLD_PATH_MAX ? OK : err_set(err, FAILED_PRECONDITION, "world: the path %s is too long", inside);
}

/* ---- first: take the sources ---- */

static enum code take(struct places *places, const char *outside, const char *inside, uint64_t attr, struct err *err) {
    struct stat st;
    if (places->n == MAX_MOUNTS) return err_set(err, RESOURCE_EXHAUSTED, "world: more than %d mounts", MAX_MOUNTS);
    struct place *place = &places->items[places->n];
    int n = snprintf(place->inside, sizeof place->inside, "%s", inside);
    if (n >= WORLD_PATH_MAX) return err_set(err, FAILED_PRECONDITION, "world: the path %s is too long", inside);
    place->tree = (int)syscall(SYS_open_tree, AT_FDCWD, outside, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (place->tree < 0 || fstat(place->tree, &st)) return err_errno(err, outside);
    struct mount_attr attrs = { .attr_set = attr };
    if (syscall(SYS_mount_setattr, place->tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attrs, sizeof attrs))
        return err_errno(err, outside);
    place->folder = S_ISDIR(st.st_mode);
    places->n++;
    return OK;
}

static bool is_below(const char *path, const char *folder) {
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static enum code take_system(struct places *places, const char *path, struct err *err) {
    struct stat st;
    if (lstat(path, &st) || S_ISLNK(st.st_mode)) return OK;
    return take(places, path, path, ALL_READ_ONLY, err);
}

static enum code take_prefixed(struct places *places, struct err *err) {
    DIR *dir = opendir("/etc");
    enum code rc = OK;
    for (struct dirent *e; dir && !rc && (e = readdir(dir));)
        for (unsigned i = 0; i < COUNT(system_prefixes); i++) {
            char path[WORLD_PATH_MAX];
            if (strncmp(e->d_name, system_prefixes[i], strlen(system_prefixes[i])) != 0) continue;
            (void)snprintf(path, sizeof path, "/etc/%s", e->d_name);
            rc = take_system(places, path, err);
        }
    if (dir) closedir(dir);
    return rc;
}

static enum code take_all(const struct world_setup *setup, struct places *places, struct err *err) {
    char tmp[WORLD_PATH_MAX];
    enum code rc = OK;
    for (unsigned i = 0; !rc && i < COUNT(system_paths); i++) rc = take_system(places, system_paths[i], err);
    for (unsigned i = 0; !rc && i < COUNT(devices); i++) rc = take(places, devices[i], devices[i], MOUNT_ATTR_NOSUID, err);
    if (!rc) rc = take_prefixed(places, err);
    if (!rc) rc = take(places, setup->code, "/code", ALL_READ_ONLY, err);
    if (!rc) rc = take(places, setup->work, "/job", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
    (void)snprintf(tmp, sizeof tmp, "%s/tmp", setup->work);
    if (!rc) rc = take(places, tmp, "/tmp", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
    for (unsigned i = 0; !rc && i < setup->n_readable; i++)
        if (!is_below(setup->readable[i], "/usr"))
            rc = take(places, setup->readable[i], setup->readable[i], ALL_READ_ONLY, err);
    return rc;
}

/* ---- then: put them into the new root ---- */

static enum code put(const struct places *places, const struct place *place, struct err *err) {
    char at[WORLD_PATH_MAX];
    enum code rc = in_base(places, place->inside, at, err);
    if (rc) return rc;
    char *slash = strrchr(at, '/');
    *slash = '\0';
    rc = file_make_dirs(at, 0755, err);
    *slash = '/';
    if (rc) return rc;
    if (place->folder && mkdir(at, 0755) && errno != EEXIST) return err_errno(err, place->inside);
    if (!place->folder) {
        int fd = open(at, O_CREAT | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0) return err_errno(err, place->inside);
        close(fd);
    }
    if (syscall(SYS_move_mount, place->tree, "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH))
        return err_errno(err, place->inside);
    return OK;
}

static enum code link_again(const struct places *places, const char *path, struct err *err) {
    char target[WORLD_PATH_MAX], at[WORLD_PATH_MAX];
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n < 0) return OK; /* no link, or not there */
    target[n] = '\0';
    enum code rc = in_base(places, path, at, err);
    if (rc) return rc;
    return symlink(target, at) && errno != EEXIST ? err_errno(err, path) : OK;
}

static enum code write_file(const struct places *places, const char *inside, const char *text, struct err *err) {
    char at[WORLD_PATH_MAX];
    enum code rc = in_base(places, inside, at, err);
    if (rc) return rc;
    DEFER(file_close) int fd = open(at, O_CREAT | O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    return fd < 0 ? err_errno(err, inside) : file_write_all(fd, str_z(text), err);
}

/* Hadoop asks for the user's name; the metadata server is found by name too. */
static enum code write_etc(const struct world_setup *setup, const struct places *places, struct err *err) {
    char passwd[256], group[128];
    unsigned uid = setup->uid ? setup->uid : geteuid(), gid = setup->uid ? setup->uid : getegid();
    (void)snprintf(passwd, sizeof passwd, "job:x:%u:%u:job:/job:/bin/sh\n", uid, gid);
    (void)snprintf(group, sizeof group, "job:x:%u:\n", gid);
    enum code rc = write_file(places, "/etc/passwd", passwd, err);
    if (!rc) rc = write_file(places, "/etc/group", group, err);
    if (!rc) rc = write_file(places, "/etc/hostname", "job\n", err);
    if (!rc)
        rc = write_file(places, "/etc/hosts",
                        "127.0.0.1 localhost job\n::1 localhost\n"
                        "169.254.169.254 metadata.google.internal metadata\n",
                        err);
    if (!rc) rc = write_file(places, "/etc/resolv.conf", "# a job's world has no names but those of /etc/hosts\n", err);
    return rc;
}

static enum code mount_new(const struct places *places, const char *type, const char *inside, const char *options,
                           struct err *err) {
    char at[WORLD_PATH_MAX];
    enum code rc = in_base(places, inside, at, err);
    if (!rc) rc = file_make_dirs(at, 0755, err);
    if (rc) return rc;
    return mount(type, at, type, MS_NOSUID | MS_NODEV | MS_NOEXEC, options) ? err_errno(err, type) : OK;
}

static enum code fill(const struct world_setup *setup, struct places *places, struct err *err) {
    enum code rc = OK;
    for (unsigned i = 0; !rc && i < places->n; i++) rc = put(places, &places->items[i], err);
    for (unsigned i = 0; !rc && i < COUNT(system_paths); i++) rc = link_again(places, system_paths[i], err);
    if (!rc) rc = write_etc(setup, places, err);
    if (!rc) rc = mount_new(places, "proc", "/proc", NULL, err);
    if (!rc) rc = mount_new(places, "tmpfs", "/dev/shm", "mode=1777,size=256m", err);
    static const char *const fds[][2] = {
        { "/proc/self/fd", "/dev/fd" },
        { "/proc/self/fd/0", "/dev/stdin" },
        { "/proc/self/fd/1", "/dev/stdout" },
        { "/proc/self/fd/2", "/dev/stderr" },
    };
    for (unsigned i = 0; !rc && i < COUNT(fds); i++) {
        char at[WORLD_PATH_MAX];
        rc = in_base(places, fds[i][1], at, err);
        if (!rc && symlink(fds[i][0], at)) rc = err_errno(err, fds[i][1]);
    }
    return rc;
}

/* ---- all of it ---- */

/* To the root of our mount namespace, from whatever chroot the server runs in: joining a namespace, even one's own, sets
 * it. */
static enum code leave_chroot(int namespace, struct err *err) {
    /* refused to whoever shares its root with a thread, as a sanitizer's is */
    return unshare(CLONE_FS) || setns(namespace, CLONE_NEWNS) ? err_errno(err, "a world out of a chroot") : OK;
}

/* What is mounted here must not show outside. In a chroot "/" is usually no mount, so neither can it be made private nor
 * may pivot_root give it up: both are then done from the namespace's root. That is no way out for the job: it comes to be
 * later, in the new root, without capabilities. */
static enum code make_private(int *ret_namespace, struct err *err) {
    *ret_namespace = -1;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0) return OK;
    if (errno != EINVAL) return err_errno(err, "private mounts");
    DEFER(file_close) int top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    DEFER(file_close) int namespace = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (top < 0 || namespace < 0) return err_errno(err, "/proc/self/ns/mnt");
    enum code rc = leave_chroot(namespace, err);
    if (!rc && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) rc = err_errno(err, "private mounts");
    if (!rc && (fchdir(top) || chroot("."))) rc = err_errno(err, "chroot");
    if (!rc) *ret_namespace = namespace, namespace = -1;
    return rc;
}

static enum code become_root(const struct places *places, struct err *err) {
    struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY };
    DEFER(file_close) int base = open(places->base, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (base < 0) return err_errno(err, places->base);
    enum code rc = places->namespace >= 0 ? leave_chroot(places->namespace, err) : OK;
    if (rc) return rc;
    if (fchdir(base) || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
        return err_errno(err, "pivot_root");
    if (syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &read_only, sizeof read_only)) return err_errno(err, "root read only");
    return chdir("/job") ? err_errno(err, "/job") : OK;
}

enum code world_mount_all(const struct world_setup *setup, struct err *err) {
    struct places *places = calloc(1, sizeof *places);
    if (!places) return err_oom(err);
    places->base = setup->code; /* any folder of ours: it is covered only here, and its contents were taken */
    enum code rc = make_private(&places->namespace, err);
    if (!rc) rc = take_all(setup, places, err);
    if (!rc && mount("tmpfs", places->base, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=16m,nr_inodes=8192"))
        rc = err_errno(err, "tmpfs");
    if (!rc) rc = fill(setup, places, err);
    if (!rc) rc = become_root(places, err);
    file_close(&places->namespace);
    for (unsigned i = 0; i < places->n; i++) close(places->items[i].tree);
    free(places);
    return rc;
}
