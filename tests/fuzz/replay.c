/* replay.c: a main for fuzz targets without libFuzzer: feeds each file of the folders given to the target, once. A target
 * that finds something aborts, or a sanitizer does. Fails when there was no file: an empty corpus would test nothing. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/file.h"

enum { INPUT_MAX = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In a block of its own size, so that the sanitizer sees a read beyond its end. */
static bool replay_file(const char *path) {
    DEFER(arena_freep) struct arena *arena = arena_new(2 * INPUT_MAX);
    struct str text;
    struct err err;
    if (!arena || file_read(arena, path, INPUT_MAX, &text, &err)) {
        (void)fprintf(stderr, "%s: cannot be read\n", path);
        return false;
    }
    uint8_t *copy = malloc(text.n ? text.n : 1);
    if (!copy) return false;
    for (size_t i = 0; i < text.n; i++) copy[i] = (uint8_t)text.p[i];
    (void)fprintf(stderr, "%s\n", path); /* the last one named is the one that failed */
    (void)LLVMFuzzerTestOneInput(copy, text.n);
    free(copy);
    return true;
}

static int replay_folder(const char *folder) {
    DIR *dir = opendir(folder);
    int n = 0;
    if (!dir) return 0;
    for (const struct dirent *e; (e = readdir(dir));) {
        char path[PATH_MAX];
        if (e->d_name[0] == '.') continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (!replay_file(path)) exit(1);
        n++;
    }
    (void)closedir(dir);
    return n;
}

int main(int argc, char **argv) {
    int n = 0;
    for (int i = 1; i < argc; i++) n += replay_folder(argv[i]);
    (void)printf("%d inputs\n", n);
    return n > 0 ? 0 : 1;
}
