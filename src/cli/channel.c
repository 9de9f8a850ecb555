#include "cli/channel.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "cli/channel_priv.h"

enum { HEADERS_BYTES = 64 << 10 };

static void free_channel(struct channel *c) {
    http_client_free(c->client);
    loop_free(c->loop);
    tls_unref(c->tls);
    credentials_free(c->credentials);
    free(c);
}

static enum code connect_parts(struct channel *c, const struct args *args, struct err *err) {
    struct tls_client_config tls = { .ca_file = args_text(args, "ca") };
    const char *credentials = args_text(args, "credentials");
    if (!credentials)
        return err_set(err, UNAUTHENTICATED,
                       "who are you? Name an external_account file with --credentials, or set "
                       "GOOGLE_APPLICATION_CREDENTIALS");
    enum code rc = http_url_split(str_z(args_text(args, "server")), &c->server, err);
    if (!rc && !str_eq(c->server.scheme, STR("https")))
        rc = err_set(err, INVALID_ARGUMENT, "--server must be an https URL: tokens go over TLS only");
    if (!rc) rc = tls_client_new(&tls, &c->tls, err);
    if (!rc) rc = loop_new(&c->loop, err);
    c->config = (struct http_client_config){ .loop = c->loop, .tls = c->tls };
    if (!rc) rc = http_client_new(&c->config, &c->client, err);
    return rc ? rc : credentials_open(credentials, &c->credentials, err);
}

enum code channel_open(const struct args *args, struct channel **ret, struct err *err) {
    struct channel *c = calloc(1, sizeof *c);
    enum code rc = c ? connect_parts(c, args, err) : err_oom(err);
    if (!rc) *ret = c;
    else if (c) free_channel(c);
    return rc;
}

void channel_close(struct channel *channel) {
    if (channel) free_channel(channel);
}

void channel_closep(struct channel **channel) {
    channel_close(*channel);
}

void channel_turn(struct channel *channel, unsigned max_wait_ms) {
    loop_run_once(channel->loop, max_wait_ms);
}

void channel_pause(struct channel *channel, uint64_t ms) {
    uint64_t end = clock_mono_us() + ms * 1000;
    for (uint64_t now; (now = clock_mono_us()) < end;) {
        uint64_t left = (end - now) / 1000 + 1;
        channel_turn(channel, left < 1000 ? (unsigned)left : 1000);
    }
}

enum code channel_bearer(struct channel *channel, struct buf *out, struct err *err) {
    struct str token;
    enum code rc = credentials_token(channel->credentials, &channel->config, &token, err);
    if (rc) return rc;
    buf_add_z(out, "Bearer ");
    buf_add_str(out, token);
    return buf_ok(out) ? OK : err_oom(err);
}

static enum code explain_http(struct channel *channel, const struct http_answer *answer, struct err *err) {
    (void)channel;
    return err_set(err, grpc_code_from_http(answer->status), "the server answered %u: %.*s", answer->status,
                   STR_ARG(str_upto(str_trim(answer->body), 400)));
}

enum code channel_get(struct channel *channel, struct str path, struct arena *arena, struct http_answer *ret,
                      struct err *err) {
    DEFER(buf_wipe) struct buf bearer = BUF_INIT(HEADERS_BYTES);
    enum code rc = channel_bearer(channel, &bearer, err);
    if (rc) return rc;
    struct http_header header = { STR("authorization"), buf_str(&bearer) };
    struct http_client_request request = channel->server;
    request.method = STR("GET");
    request.path = path;
    request.headers = &header;
    request.n_headers = 1;
    rc = http_fetch(&channel->config, &request, arena, ret, err);
    return rc || ret->status == 200 ? rc : explain_http(channel, ret, err);
}
