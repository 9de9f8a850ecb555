/* exchange_token.c: an upstream's token: how long it is of use, and when somebody should get the next. */
#include <stdlib.h>
#include <string.h>

#include "crypto/random.h"
#include "identity/exchange_priv.h"

enum {
    SECOND = 1000000,
    RENEW_S = 600,
    MARGIN_S = 60,  /* before its end a token is handed out no more */
    REJECTED_S = 30 /* a rejected token this young is not exchanged again */
};

struct exchange_token *exchange_token_new(struct str text, int64_t fetched_us, int64_t expires_us) {
    struct exchange_token *t = malloc(sizeof *t + text.n);
    if (!t) return NULL;
    atomic_init(&t->refs, 1);
    atomic_init(&t->rejected, false);
    t->fetched_us = fetched_us;
    t->expires_us = expires_us;
    t->n = text.n;
    memcpy(t->text, text.p, text.n);
    return t;
}

struct exchange_token *exchange_token_ref(struct exchange_token *t) {
    if (t) atomic_fetch_add(&t->refs, 1);
    return t;
}

struct exchange_token *exchange_token_unref(struct exchange_token *t) {
    if (t && atomic_fetch_sub(&t->refs, 1) == 1) {
        explicit_bzero(t->text, t->n);
        free(t);
    }
    return NULL;
}

struct str exchange_token_text(const struct exchange_token *t) {
    return (struct str){ t->text, t->n };
}

int64_t exchange_token_expires_us(const struct exchange_token *t) {
    return t->expires_us;
}

void exchange_token_reject(struct exchange_token *t) {
    atomic_store(&t->rejected, true);
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

bool exchange_token_usable(const struct exchange_token *t, int64_t now_us) {
    if (!t) return false;
    bool replaceable = t->rejected && now_us - t->fetched_us >= (int64_t)REJECTED_S * SECOND;
    int64_t margin = least((int64_t)MARGIN_S * SECOND, (t->expires_us - t->fetched_us) / 4);
    return !replaceable && now_us < t->expires_us - margin;
}

int64_t exchange_token_renewal_us(const struct exchange_token *t) {
    int64_t life = t->expires_us - t->fetched_us, before = life / 5;
    uint16_t jitter;
    if (before < (int64_t)RENEW_S * SECOND) before = (int64_t)RENEW_S * SECOND;
    before = least(before, life / 2);
    random_bytes(&jitter, sizeof jitter);
    return t->expires_us - before - before / 10 * jitter / UINT16_MAX;
}
