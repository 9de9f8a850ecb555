#include <stdlib.h>
#include <string.h>

#include "identity/exchange_wire.h"

/* The first byte says which of the three readers; what a reader takes must be lawful where it goes next. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void file(struct str text, struct arena *arena) {
    static const struct str scope = STR_INIT("scope");
    struct exchange_config config;
    struct exchange_request request;
    if (exchange_config_read(text, false, arena, &config, NULL)) return;
    if (!str_starts(config.token_url, STR("https://")) || !config.audience.n) abort();
    if (config.impersonation_url.n && !str_ends(config.impersonation_url, STR(":generateAccessToken"))) abort();
    if (exchange_sts_request(&config, &scope, 1, STR("s"), arena, &request, NULL)) return;
    for (size_t i = 0; i < request.body.n; i++)
        if ((unsigned char)request.body.p[i] <= ' ' || (unsigned char)request.body.p[i] >= 0x7f) abort();
    if (request.authorization.n && !http_is_field_value(request.authorization)) abort();
}

static void reply(bool iam, struct str body, struct arena *arena) {
    struct str token = { 0 };
    int64_t expires_us = 0;
    enum code rc = iam ? exchange_iam_reply(200, body, 1, arena, &token, &expires_us, NULL)
                       : exchange_sts_reply(200, body, 1, arena, &token, &expires_us, NULL);
    if (!rc && (!token.n || !http_is_field_value(token) || expires_us <= 1)) abort();
    (void)!exchange_sts_reply(400, body, 1, arena, &token, &expires_us, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    struct arena *arena = arena_new_secret(1 << 20);
    struct str text = { (const char *)data + 1, size - 1 };
    if (data[0] % 3 == 0) file(text, arena);
    else reply(data[0] % 3 == 1, text, arena);
    arena_free(arena);
    return 0;
}
