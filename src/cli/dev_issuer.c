/* dev_issuer.c: the development issuer as a command: tokens for trying things, on loopback, in development only. */
#include "identity/dev_issuer.h"
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "cli/setup.h"
#include "crypto/key.h"
#include "gate/data_dir.h"
#include "http/server.h"
#include "wire/url.h"

enum { ARENA_BYTES = 16 << 20, REQUEST_ARENA_BYTES = 64 << 10, BODY_BYTES = 32 << 10, DRAIN_MS = 1000 };

/* The key stays, so that tokens and cached key sets outlive a restart. */
static enum code open_key(const struct config *config, struct key **ret, struct err *err) {
    char path[DATA_PATH_MAX];
    enum code rc = data_path(config->data, DATA_DEV_KEY, path, err);
    if (rc) return rc;
    if (access(path, F_OK) == 0) return key_load(path, ret, err);
    rc = key_generate(KEY_RSA, ret, err);
    if (!rc) rc = key_store(*ret, path, err);
    return rc ? err_wrap(err, "the development issuer's key") : OK;
}

static enum code open_issuer(const struct args *args, struct arena *arena, struct str base, struct dev_issuer **ret,
                             struct err *err) {
    DEFER(key_unrefp) struct key *key = NULL;
    struct config *config = ARENA_NEW(arena, struct config);
    enum code rc = config ? setup_config(args, arena, config, err) : err_oom(err);
    if (rc) return rc;
    if (!config->development)
        return err_set(err, FAILED_PRECONDITION, "%s does not say `environment: development`: no development tokens here",
                       config->file);
    rc = open_key(config, &key, err);
    return rc ? rc : dev_issuer_new(base, key, ret, err);
}

/* ---- token ---- */

static enum code ask_of(const struct args *args, struct arena *arena, struct dev_ask *ret, struct err *err) {
    static const char *const names[][2] = { { "shape", "shape" },  { "tenant", "tenant" }, { "subject", "sub" },
                                            { "audience", "aud" }, { "groups", "groups" }, { "life", "life" } };
    DEFER(buf_free) struct buf query = BUF_INIT(REQUEST_ARENA_BYTES);
    for (size_t i = 0; i < COUNT(names); i++) {
        const char *value = args_text(args, names[i][0]);
        if (!value) continue;
        buf_printf(&query, "%s%s=", query.n ? "&" : "", names[i][1]);
        url_encode(&query, str_z(value));
    }
    struct str copy = str_dup(arena, buf_str(&query));
    return copy.p ? dev_issuer_parse(copy, arena, ret, err) : err_oom(err);
}

static void free_issuer(struct dev_issuer **dev) {
    dev_issuer_free(*dev);
}

static int run_token(struct args *args) {
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    DEFER(free_issuer) struct dev_issuer *dev = NULL;
    DEFER(buf_free) struct buf out = BUF_INIT(BODY_BYTES);
    struct dev_ask ask;
    struct err err;
    enum code rc = arena ? ask_of(args, arena, &ask, &err) : err_oom(&err);
    if (!rc) rc = open_issuer(args, arena, str_z(args_text(args, "base")), &dev, &err);
    if (!rc) rc = dev_issuer_token(dev, &ask, &out, &err);
    if (rc) return complain(args, &err);
    buf_add_char(&out, '\n');
    return print_out(&out);
}

/* ---- serve ---- */

struct site {
    struct dev_issuer *dev;
    struct loop *loop;
    struct http_server *server;
};

/* These return the status that was answered. */
static unsigned reply(struct http_stream *stream, unsigned status, bool text, const struct buf *body) {
    http_reply_simple(stream, status, text ? STR("text/plain; charset=UTF-8") : STR("application/json"), buf_str(body));
    return status;
}

static unsigned reply_error(struct http_stream *stream, unsigned status, const char *message) {
    DEFER(buf_free) struct buf body = BUF_INIT(2048);
    buf_printf(&body, "%s\n", message);
    return reply(stream, status, true, &body);
}

/* "format=text" is ours; the rest is the issuer's. */
static struct str strip_format(struct str query, struct buf *rest, bool *ret_text) {
    while (query.n) {
        struct str part = str_cut(&query, '&');
        if (str_eq(part, STR("format=text"))) *ret_text = true;
        else if (!str_eq(part, STR("format=json"))) buf_printf(rest, "%s%.*s", rest->n ? "&" : "", STR_ARG(part));
    }
    return buf_str(rest);
}

static unsigned token(struct site *site, struct http_stream *stream, const struct http_request *request) {
    DEFER(arena_freep) struct arena *arena = arena_new(REQUEST_ARENA_BYTES);
    DEFER(buf_free) struct buf rest = BUF_INIT(8192), jwt = BUF_INIT(BODY_BYTES), body = BUF_INIT(BODY_BYTES);
    struct dev_ask ask;
    struct err err;
    bool text = false;
    struct str query = strip_format(request->query, &rest, &text);
    if (!arena) return reply_error(stream, 503, "out of memory");
    if (dev_issuer_parse(query, arena, &ask, &err) || dev_issuer_token(site->dev, &ask, &jwt, &err))
        return reply_error(stream, code_http_status(err.code), err.message);
    if (text) return reply(stream, 200, true, &jwt);
    long long life = ask.life_s > 0 ? ask.life_s : 3600;
    buf_printf(&body, "{\"access_token\":\"%.*s\",\"expires_in\":%lld,\"token_type\":\"Bearer\"}", STR_ARG(buf_str(&jwt)),
               life);
    return reply(stream, 200, false, &body);
}

static unsigned document(struct site *site, struct http_stream *stream,
                         enum code (*write)(const struct dev_issuer *, struct buf *, struct err *)) {
    DEFER(buf_free) struct buf body = BUF_INIT(BODY_BYTES);
    struct err err;
    if (write(site->dev, &body, &err)) return reply_error(stream, code_http_status(err.code), err.message);
    return reply(stream, 200, false, &body);
}

static unsigned answer(struct site *site, struct http_stream *stream, const struct http_request *request) {
    if (!str_eq(request->method, STR("GET"))) return reply_error(stream, 405, "GET only");
    /* A page of another site could read tokens through a name that it points at us. */
    struct str host = request->authority;
    host = str_cut(&host, ':');
    if (!str_eq(host, STR("127.0.0.1")) && !str_eq(host, STR("localhost")) && !str_eq(host, STR("[")))
        return reply_error(stream, 421, "ask for 127.0.0.1 or localhost");
    if (str_eq(request->path, STR("/token"))) return token(site, stream, request);
    if (str_eq(request->path, STR("/jwks")) || str_eq(request->path, STR("/keys")))
        return document(site, stream, dev_issuer_jwks);
    if (str_eq(request->path, STR("/.well-known/openid-configuration")))
        return document(site, stream, dev_issuer_discovery);
    return reply_error(stream, 404, "there are /token, /keys, /jwks and /.well-known/openid-configuration");
}

static void on_request(struct http_stream *stream, const struct http_request *request, void *ctx) {
    (void)answer(ctx, stream, request);
}

static void on_gone(UNUSED struct http_stream *stream, UNUSED enum http_gone why, UNUSED void *ctx) {
}

static void on_drained(UNUSED struct http_server *server, void *ctx) {
    loop_stop(((struct site *)ctx)->loop);
}

static void on_signal(UNUSED int signal_number, void *ctx) {
    struct site *site = ctx;
    http_server_drain(site->server, DRAIN_MS, on_drained, site);
}

static enum code listen_on(struct site *site, struct str address, struct err *err) {
    struct net_address parsed;
    struct http_listener *listener;
    struct http_server_config config = { .loop = site->loop,
                                         .handler = { .on_request = on_request, .on_gone = on_gone },
                                         .ctx = site };
    struct http_listen listen = { .address = address };
    enum code rc = net_address_parse(address, &parsed, err);
    if (!rc && !net_address_is_loopback(&parsed))
        rc = err_set(err, INVALID_ARGUMENT, "--listen must be a loopback address: these tokens are for this machine only");
    if (!rc) rc = http_server_new(&config, &site->server, err);
    if (!rc) rc = http_server_listen(site->server, &listen, &listener, err);
    if (!rc) rc = loop_on_signal(site->loop, SIGTERM, on_signal, site, err);
    return rc ? rc : loop_on_signal(site->loop, SIGINT, on_signal, site, err);
}

static int run_serve(struct args *args) {
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    DEFER(buf_free) struct buf base = BUF_INIT(256);
    struct site site = { 0 };
    struct err err;
    const char *listen = args_text(args, "listen");
    buf_printf(&base, "http://%s", listen);
    enum code rc = arena ? open_issuer(args, arena, buf_str(&base), &site.dev, &err) : err_oom(&err);
    if (!rc) rc = loop_new(&site.loop, &err);
    if (!rc) rc = listen_on(&site, str_z(listen), &err);
    if (!rc) log_line(LOG_INFO, "development issuer at %.*s", STR_ARG(buf_str(&base)));
    if (!rc) loop_run(site.loop);
    http_server_free(site.server);
    loop_free(site.loop);
    dev_issuer_free(site.dev);
    return rc ? complain(args, &err) : 0;
}

static const struct option serve_options[] = {
    OPTION_CONFIG,
    { .name = "listen", .value = "ADDRESS", .fallback = "127.0.0.1:8444", .doc = "A loopback address." },
    { 0 },
};
const struct command command_dev_issuer_serve = {
    .name = "dev-issuer serve",
    .line = "Serves development tokens on loopback",
    .operands = "",
    .options = serve_options,
    .about = "Works only when the configuration says `environment: development`. Plain http:\n"
             "  GET /token?shape=entra&tenant=T&sub=S&aud=A[&groups=a,b][&life=SECONDS][&format=text]\n"
             "  GET /keys, /jwks, /.well-known/openid-configuration\n"
             "shape is entra, entra-v1, google, kubernetes (sub is NAMESPACE:ACCOUNT) or plain.",
    .run = run_serve,
};

static const struct option token_options[] = {
    OPTION_CONFIG,
    { .name = "shape", .value = "SHAPE", .fallback = "entra", .doc = "entra, entra-v1, google, kubernetes or plain." },
    { .name = "tenant", .value = "ID", .doc = "Entra's tenant." },
    { .name = "subject", .value = "NAME", .doc = "Who it is: oid for Entra, sub else." },
    { .name = "audience", .value = "NAME", .doc = "Whom it is for." },
    { .name = "groups", .value = "A,B", .doc = "Groups that it names." },
    { .name = "life", .value = "SECONDS", .doc = "1 to 86400; default 3600." },
    { .name = "base", .value = "URL", .fallback = "http://127.0.0.1:8444", .doc = "Where the issuer would be served." },
    { 0 },
};
const struct command command_dev_issuer_token = {
    .name = "dev-issuer token",
    .line = "Prints one development token",
    .operands = "",
    .options = token_options,
    .about =
        "Works only when the configuration says `environment: development`.\n\n"
        "  linkspan dev-issuer token --config site/linkspan.yaml --tenant T --subject developer --audience api://linkspan",
    .run = run_token,
};
