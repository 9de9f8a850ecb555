#include "gate/outbound.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "gate/outbound_call.h"
#include "http/outgoing.h"
#include "net/judge.h"
#include "wire/url.h"

enum {
    CALLS_DEFAULT = 256,
    BYTES_DEFAULT = 64 << 20,
    ANSWER_DEFAULT = 4 << 20,
    TIMEOUT_DEFAULT_MS = 60000,
    URL_BYTES_MAX = 8 << 10,
    IDLE_MS = 15000
};

static const char *const cause_names[OUTBOUND_CAUSES] = {
    [OUTBOUND_ANSWERED] = "ANSWERED",
    [OUTBOUND_NAME] = "NAME",
    [OUTBOUND_ADDRESS_REFUSED] = "ADDRESS_REFUSED",
    [OUTBOUND_CONNECT] = "CONNECT",
    [OUTBOUND_TLS] = "TLS",
    [OUTBOUND_TIMED_OUT] = "TIMED_OUT",
    [OUTBOUND_TOO_LARGE] = "TOO_LARGE",
    [OUTBOUND_MALFORMED] = "MALFORMED",
    [OUTBOUND_CUT] = "CUT",
    [OUTBOUND_CANCELLED] = "CANCELLED",
    [OUTBOUND_STOPPED] = "STOPPED",
    [OUTBOUND_BUSY] = "BUSY",
};

const char *outbound_cause_name(enum outbound_cause cause) {
    return cause < OUTBOUND_CAUSES ? cause_names[cause] : "";
}

/* ---- what may be sent ---- */

enum code outbound_check(const struct outbound_request *r, struct err *err) {
    char buf[URL_MAX];
    struct url url;
    if (r->url.n > URL_BYTES_MAX) return err_set(err, INVALID_ARGUMENT, "the URL is longer than %d bytes", URL_BYTES_MAX);
    enum code rc = url_parse(r->url, buf, &url, err);
    if (rc) return err_wrap(err, "the URL cannot be called");
    rc = outgoing_check(r->method, r->headers, r->n_headers, err);
    if (rc) return rc;
    if (!http_is_field_value(r->token) || str_find_char(r->token, ' ') >= 0)
        return err_set(err, INVALID_ARGUMENT, "the token holds characters that no token has");
    if (!http_is_field_value(r->authorization) || (r->authorization.n && r->token.n))
        return err_set(err, INVALID_ARGUMENT, "the authorization is no header's value, or is beside a token");
    if (r->body.n > OUTBOUND_BODY_MAX)
        return err_set(err, INVALID_ARGUMENT, "the body is larger than %d bytes", OUTBOUND_BODY_MAX);
    return OK;
}

/* ---- the list of calls, and what they hold ---- */

bool outbound_hold(struct outbound *o, size_t bytes) {
    (void)pthread_mutex_lock(&o->lock);
    bool ok = bytes <= o->max_bytes - o->held_bytes;
    if (ok) o->held_bytes += bytes;
    (void)pthread_mutex_unlock(&o->lock);
    return ok;
}

static void link_call(struct outbound *o, struct outbound_call *call) {
    call->next = o->calls;
    call->at = &o->calls;
    if (call->next) call->next->at = &call->next;
    o->calls = call;
    o->n_calls++;
}

/* From here on nobody finds the call by its id, so no cancellation is posted any more. */
void outbound_unlink(struct outbound *o, struct outbound_call *call) {
    (void)pthread_mutex_lock(&o->lock);
    *call->at = call->next;
    if (call->next) call->next->at = call->at;
    o->n_calls--;
    o->held_bytes -= call->held;
    bool cancelled = call->cancelled;
    (void)pthread_mutex_unlock(&o->lock);
    if (!call->begun) (void)loop_post_cancel(o->loop, &call->begin);
    if (cancelled) (void)loop_post_cancel(o->loop, &call->cancel);
}

/* Under one lock with the check of `stopped`: outbound_stop finds every call that was taken. */
static enum code admit(struct outbound *o, struct outbound_call *call, uint64_t *ret_id, struct err *err) {
    enum code rc = OK;
    (void)pthread_mutex_lock(&o->lock);
    if (o->stopped) rc = err_set(err, UNAVAILABLE, "the server stops");
    else if (o->n_calls >= o->max_calls)
        rc = err_set(err, RESOURCE_EXHAUSTED, "%u calls are under way already: try again later", o->max_calls);
    else if (call->body.n > o->max_bytes - o->held_bytes)
        rc = err_set(err, RESOURCE_EXHAUSTED, "calls under way hold %zu bytes already: try again later", o->held_bytes);
    if (!rc) {
        o->held_bytes += call->held = call->body.n;
        call->id = ++o->last_id;
        if (ret_id) *ret_id = call->id;
        link_call(o, call);
        loop_post(o->loop, &call->begin);
    }
    (void)pthread_mutex_unlock(&o->lock);
    return rc;
}

/* ---- any thread ---- */

enum code outbound_send(struct outbound *o, const struct outbound_request *request, outbound_done *done, void *arg,
                        uint64_t *ret_id, struct err *err) {
    struct outbound_request r = *request;
    enum code rc = outbound_check(&r, err);
    if (rc) return rc;
    if (!r.max_answer_bytes) r.max_answer_bytes = ANSWER_DEFAULT;
    if (!r.timeout_ms) r.timeout_ms = TIMEOUT_DEFAULT_MS;
    struct outbound_call *call = outbound_call_new(o, &r, done, arg);
    if (!call) return err_oom(err);
    rc = admit(o, call, ret_id, err);
    if (rc) outbound_call_free(call);
    return rc;
}

void outbound_cancel(struct outbound *o, uint64_t id) {
    (void)pthread_mutex_lock(&o->lock);
    struct outbound_call *call = o->calls;
    while (call && call->id != id) call = call->next;
    if (call && !call->cancelled) {
        call->cancelled = true;
        loop_post(o->loop, &call->cancel);
    }
    (void)pthread_mutex_unlock(&o->lock);
}

/* ---- life ---- */

static const char *refuse(const struct net_address *address, void *ctx) {
    (void)ctx;
    return net_judge(address, false);
}

static const char *refuse_but_loopback(const struct net_address *address, void *ctx) {
    (void)ctx;
    return net_judge(address, true);
}

/* Two pools: a connection to loopback that one call was allowed must not serve another that was not. */
static enum code open_clients(struct outbound *o, const struct outbound_config *config, struct err *err) {
    struct tls_client_config tls_config = { .also_ca_file = config->ca_file };
    DEFER(tls_unrefp) struct tls_ctx *tls = NULL;
    enum code rc = tls_client_new(&tls_config, &tls, err);
    struct http_client_config client = {
        .loop = config->loop, .tls = tls, .refuse = refuse, .resolver = config->resolver, .idle_ms = IDLE_MS
    };
    if (!rc) rc = http_client_new(&client, &o->clients[0], err);
    client.refuse = refuse_but_loopback;
    if (!rc) rc = http_client_new(&client, &o->clients[1], err);
    return rc;
}

enum code outbound_new(const struct outbound_config *config, struct outbound **ret, struct err *err) {
    struct outbound *o = calloc(1, sizeof *o);
    if (!o || pthread_mutex_init(&o->lock, NULL)) {
        free(o);
        return err_oom(err);
    }
    o->loop = config->loop;
    o->max_calls = config->max_calls ? config->max_calls : CALLS_DEFAULT;
    o->max_bytes = config->max_bytes ? config->max_bytes : BYTES_DEFAULT;
    enum code rc = open_clients(o, config, err);
    if (rc) outbound_free(o);
    else *ret = o;
    return rc;
}

void outbound_stop(struct outbound *o) {
    struct outbound_call *call;
    if (!o) return;
    do {
        (void)pthread_mutex_lock(&o->lock);
        o->stopped = true;
        call = o->calls;
        (void)pthread_mutex_unlock(&o->lock);
        if (call) outbound_call_stop(call);
    } while (call);
}

void outbound_free(struct outbound *o) {
    if (!o) return;
    outbound_stop(o);
    http_client_free(o->clients[0]);
    http_client_free(o->clients[1]);
    (void)pthread_mutex_destroy(&o->lock);
    free(o);
}
