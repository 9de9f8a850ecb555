/* A bearer token of any bytes: split, judged, never taken. The issuer's key is a point that nobody signs with here. */
#include <stdlib.h>

#include "identity/jws.h"
#include "identity/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct issuers *make_issuers(void) {
    struct issuer_config config = {
        .name = STR("corp"),
        .iss = STR("https://id.corp.example"),
        .jwks_json = STR("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"kid-ec-sign\","
                         "\"x\":\"04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY\","
                         "\"y\":\"UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgmw\"}]}"),
        .audiences = { STR("linkspan") },
        .n_audiences = 1,
    };
    struct issuers *issuers = NULL;
    struct err err;
    if (issuers_new(&config, 1, NULL, &issuers, &err)) abort();
    return issuers;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct issuers *issuers; /* one thread; made once, for the key's sake */
    if (!issuers) issuers = make_issuers();
    struct jwt_ask ask = { .issuers = issuers, .now_s = 1800000000 };
    struct refusal refusal = { 0 };
    struct proof *proof = NULL;
    struct str token = { (const char *)data, size };
    if (jwt_verify(&ask, token, &proof, &refusal) != JWT_REFUSED || refusal.reason == REASON_NONE) abort();
    /* Whatever split lets through is made of its own bytes, and decodes. */
    struct jws jws;
    struct arena *arena = arena_new(64 << 10);
    if (jws_split(token, arena, &jws, NULL) == OK && (jws.alg == SIG_NONE || jws.signed_part.n >= size)) abort();
    arena_free(arena);
    return 0;
}
