/* exchange_flight.c: one exchange from the subject token to the upstream's: two POSTs in a row. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "identity/exchange_priv.h"

struct flight *flight_new(struct exchange *exchange, const struct principal *principal, const struct str *scopes,
                          size_t n_scopes) {
    struct flight *f = calloc(1, sizeof *f);
    if (!f) return NULL;
    *f = (struct flight){ .exchange = exchange, .arena = arena_new_secret(EXCHANGE_ARENA_BYTES), .principal = principal };
    bool ok = f->arena != NULL;
    for (; ok && f->n_scopes < n_scopes; f->n_scopes++) {
        f->scopes[f->n_scopes] = str_dup(f->arena, scopes[f->n_scopes]);
        ok = f->scopes[f->n_scopes].p != NULL;
    }
    if (ok) return f;
    flight_free(f);
    return NULL;
}

void flight_free(struct flight *f) {
    if (!f) return;
    arena_free(f->arena);
    free(f);
}

static void fail(struct flight *f, const struct err *err) {
    exchange_settle(f, NULL, err);
}

static void succeed(struct flight *f, struct str text, int64_t expires_us) {
    struct err err;
    struct exchange_token *token = exchange_token_new(text, f->sent_us, expires_us);
    if (!token) (void)err_oom(&err);
    exchange_settle(f, token, token ? NULL : &err);
}

/* True: it is over, as this server did not let the request go on. What an endpoint said before counts for nothing. */
static bool kept_back(struct flight *f, const struct exchange_answer *answer) {
    if (!answer->ours) return false;
    f->asked = false;
    f->kept_back = true;
    fail(f, answer->ours);
    return true;
}

static void on_iam(void *arg, const struct exchange_answer *answer) {
    struct flight *f = arg;
    struct str token;
    int64_t expires_us = 0;
    struct err err;
    if (kept_back(f, answer)) return;
    if (exchange_iam_reply(answer->status, answer->body, f->sent_us, f->arena, &token, &expires_us, &err)) fail(f, &err);
    else succeed(f, token, expires_us);
}

static void post(struct flight *f, const struct exchange_request *request, exchange_done *done) {
    const struct exchange_effects *effects = &f->exchange->effects;
    struct exchange_request copy = *request;
    f->sent_us = clock_wall_us();
    f->asked = true;
    effects->post(effects->ctx, &copy, done, f);
}

static void on_sts(void *arg, const struct exchange_answer *answer) {
    struct flight *f = arg;
    const struct exchange_config *config = &f->exchange->config;
    struct exchange_request request;
    struct str token;
    int64_t expires_us = 0;
    struct err err;
    if (kept_back(f, answer)) return;
    enum code rc = exchange_sts_reply(answer->status, answer->body, f->sent_us, f->arena, &token, &expires_us, &err);
    if (!rc && config->impersonation_url.n == 0) {
        succeed(f, token, expires_us);
        return;
    }
    if (!rc) rc = exchange_iam_request(config, f->scopes, f->n_scopes, token, f->arena, &request, &err);
    if (rc) fail(f, &err);
    else post(f, &request, on_iam);
}

void flight_begin(struct flight *f) {
    const struct exchange_effects *effects = &f->exchange->effects;
    DEFER(buf_wipe) struct buf subject = BUF_INIT(EXCHANGE_TOKEN_MAX);
    struct exchange_request request;
    struct err err;
    enum code rc = effects->subject(effects->ctx, f->principal, &subject, &err);
    f->principal = NULL;
    if (!rc && (!buf_ok(&subject) || subject.n == 0))
        rc = err_set(&err, FAILED_PRECONDITION, "there is no subject token to exchange");
    if (!rc)
        rc = exchange_sts_request(&f->exchange->config, f->scopes, f->n_scopes, buf_str(&subject), f->arena, &request,
                                  &err);
    if (rc) fail(f, &err);
    else post(f, &request, on_sts);
}
