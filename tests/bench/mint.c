/* mint.c: an issuer for the bench: makes its key and many tokens, each another one, as a managed identity's look.
 *
 *     bench_mint FOLDER COUNT
 *
 * Writes keys.json (its key set), public.pem, and tokens (one a line, mode 0600) into FOLDER. Signing 20,000 takes some
 * five seconds: that is why it is done before anything is measured. */
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/file.h"
#include "crypto/key.h"
#include "identity/dev_issuer.h"

enum { TOKENS_MAX_BYTES = 256 << 20, LIFE_S = 6 * 3600 };
#define TENANT "00000000-0000-4000-8000-0000000be9c4"

static enum code write_file(const char *folder, const char *name, const struct buf *text, struct err *err) {
    char path[4096];
    if (!buf_ok(text)) return err_oom(err);
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return err_set(err, INVALID_ARGUMENT, "the folder's name is too long");
    return file_write_durable(path, buf_str(text), 0600, err);
}

static enum code write_tokens(const char *folder, const struct dev_issuer *dev, unsigned count, struct err *err) {
    DEFER(buf_free) struct buf out = BUF_INIT(TOKENS_MAX_BYTES);
    const struct dev_ask ask = { .shape = DEV_ENTRA_V2,
                                 .tenant = STR(TENANT),
                                 .subject = STR("00000000-0000-4000-8000-00000000beac"),
                                 .audience = STR("api://linkspan"),
                                 .now_s = clock_wall_s(),
                                 .life_s = LIFE_S };
    enum code rc = OK;
    for (unsigned i = 0; !rc && i < count; i++) {
        rc = dev_issuer_token(dev, &ask, &out, err);
        buf_add_char(&out, '\n');
    }
    return rc ? rc : write_file(folder, "tokens", &out, err);
}

static enum code write_keys(const char *folder, const struct key *key, const struct dev_issuer *dev, struct err *err) {
    DEFER(buf_free) struct buf set = BUF_INIT(65536);
    DEFER(buf_free) struct buf pem = BUF_INIT(65536);
    enum code rc = dev_issuer_jwks(dev, &set, err);
    if (!rc) rc = key_public_pem(key, &pem, err);
    if (!rc) rc = write_file(folder, "keys.json", &set, err);
    return rc ? rc : write_file(folder, "public.pem", &pem, err);
}

int main(int argc, char **argv) {
    struct err err;
    DEFER(key_unrefp) struct key *key = NULL;
    struct dev_issuer *dev = NULL;
    if (argc != 3) return 64;
    enum code rc = key_generate(KEY_RSA, &key, &err);
    if (!rc) rc = dev_issuer_new(STR("http://127.0.0.1/bench"), key, &dev, &err);
    if (!rc) rc = write_keys(argv[1], key, dev, &err);
    if (!rc) rc = write_tokens(argv[1], dev, (unsigned)strtoul(argv[2], NULL, 10), &err);
    if (rc) (void)fprintf(stderr, "bench_mint: %s\n", err.message);
    dev_issuer_free(dev);
    return rc ? 1 : 0;
}
