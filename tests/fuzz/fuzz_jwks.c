/* A key set of any bytes: parsed or refused; what is parsed finds only keys that bear the algorithm. */
#include <stdlib.h>

#include "identity/jwks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct jwks *set = NULL;
    struct err err = { 0 };
    unsigned skipped = 0;
    if (jwks_parse((struct str){ (const char *)data, size }, &set, &skipped, &err)) return err.code == OK ? abort(), 0 : 0;
    if (jwks_count(set) > JWKS_MAX_KEYS) abort();
    for (unsigned alg = 0; alg < SIG_COUNT; alg++) {
        const struct jwks_key *key = jwks_find(set, false, STR(""), (enum sig_alg)alg);
        if (key && jwks_count(set) == 0) abort();
        if (key && jwks_key_verify(key, STR("message"), STR("signature"))) abort();
    }
    jwks_unref(set);
    return 0;
}
