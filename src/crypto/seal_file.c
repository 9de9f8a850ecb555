/* seal_file.c: a sealer's key, in a file. */
#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include "base/file.h"
#include "crypto/random.h"
#include "crypto/seal.h"

static enum code make_key(const char *path, uint8_t key[SEAL_KEY_BYTES], struct err *err) {
    random_bytes(key, SEAL_KEY_BYTES);
    return file_write_durable(path, (struct str){ (const char *)key, SEAL_KEY_BYTES }, 0600, err);
}

static enum code load_key(const char *path, uint8_t key[SEAL_KEY_BYTES], struct err *err) {
    struct arena *arena = arena_new_secret(1 << 16);
    struct err first = { 0 };
    struct str text;
    enum code rc = arena ? file_read(arena, path, SEAL_KEY_BYTES, &text, &first) : err_oom(&first);
    if (!rc && text.n != SEAL_KEY_BYTES)
        rc = err_set(&first, FAILED_PRECONDITION,
                     "%s is not a key: remove it and start again (what it sealed before will be unknown)", path);
    if (!rc) memcpy(key, text.p, SEAL_KEY_BYTES);
    arena_free(arena);
    if (rc == NOT_FOUND) return make_key(path, key, err);
    return rc ? err_set(err, rc, "%s", first.message) : OK;
}

enum code sealer_open_file(const char *folder, const char *file, struct sealer *(*make)(const uint8_t key[SEAL_KEY_BYTES]),
                           struct sealer **ret, struct err *err) {
    uint8_t key[SEAL_KEY_BYTES];
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", folder, file);
    if (n < 0 || (size_t)n >= sizeof path) return err_set(err, INVALID_ARGUMENT, "the path of key %s is too long", file);
    enum code rc = load_key(path, key, err);
    if (!rc && !(*ret = make(key))) rc = err_oom(err);
    OPENSSL_cleanse(key, sizeof key);
    return rc;
}
