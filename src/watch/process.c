#include "watch/process.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/file.h"
#include "base/str.h"

/* The second number of /proc/self/statm, in pages. */
static int64_t resident_bytes(void) {
    char text[128];
    uint64_t pages;
    DEFER(file_close) int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    struct str rest = { text, n > 0 ? (size_t)n : 0 };
    (void)str_cut(&rest, ' ');
    return str_u64(str_cut(&rest, ' '), &pages) ? (int64_t)pages * sysconf(_SC_PAGESIZE) : 0;
}

static int64_t open_fds(void) {
    int64_t n = -1; /* the one that counts */
    DIR *dir = opendir("/proc/self/fd");
    if (!dir) return 0;
    for (const struct dirent *e; (e = readdir(dir));) n += e->d_name[0] != '.';
    (void)closedir(dir);
    return n;
}

static int64_t micros(struct timeval t) {
    return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

void process_usage(struct process_usage *ret) {
    struct rlimit files = { 0 };
    struct rusage usage = { 0 };
    (void)getrlimit(RLIMIT_NOFILE, &files);
    (void)getrusage(RUSAGE_SELF, &usage);
    *ret = (struct process_usage){ .resident_bytes = resident_bytes(),
                                   .open_fds = open_fds(),
                                   .max_fds = (int64_t)files.rlim_cur,
                                   .cpu_us = micros(usage.ru_utime) + micros(usage.ru_stime) };
}
