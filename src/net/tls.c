#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdlib.h>

struct tls_ctx {
    SSL_CTX *ssl;
    bool client, http1_only;
    _Atomic unsigned refs;
};

static const char ciphers_12[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
                                 "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

/* The newest reason of OpenSSL's queue; the queue is emptied, as it is shared by all connections of the thread. */
static enum code fail(struct err *err, const char *what, const char *file) {
    unsigned long e = ERR_peek_last_error();
    const char *reason = e ? ERR_reason_error_string(e) : NULL;
    ERR_clear_error();
    return err_set(err, INVALID_ARGUMENT, "TLS: %s%s%s: %s", what, file ? " " : "", file ? file : "",
                   reason ? reason : "failed");
}

/* Server: h2 before http/1.1, whatever the client's order. No common protocol is an error (RFC 7301 §3.2). */
static int select_alpn(SSL *ssl UNUSED, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
                       unsigned in_n, void *arg) {
    static const unsigned char ours[] = "\x02h2\x08http/1.1";
    const struct tls_ctx *ctx = arg;
    const unsigned char *first = ctx->http1_only ? ours + 3 : ours;
    unsigned n = ctx->http1_only ? 9 : 12;
    unsigned char *chosen = NULL;
    if (SSL_select_next_proto(&chosen, out_n, first, n, in, in_n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static enum code new_ctx(bool client, bool http1_only, struct tls_ctx **ret_ctx, struct err *err) {
    struct tls_ctx *ctx = calloc(1, sizeof *ctx);
    if (!ctx) return err_oom(err);
    *ctx = (struct tls_ctx){ .client = client, .http1_only = http1_only, .refs = 1 };
    ctx->ssl = SSL_CTX_new(client ? TLS_client_method() : TLS_server_method());
    if (!ctx->ssl || !SSL_CTX_set_min_proto_version(ctx->ssl, TLS1_2_VERSION) ||
        !SSL_CTX_set_cipher_list(ctx->ssl, ciphers_12)) {
        tls_unref(ctx);
        return fail(err, "context", NULL);
    }
    SSL_CTX_set_options(ctx->ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                      SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx->ssl, 0);
    SSL_CTX_set_mode(ctx->ssl,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx->ssl, 1); /* half the read calls; conn.c then asks SSL_has_pending, never SSL_pending */
    *ret_ctx = ctx;
    return OK;
}

static enum code use_certificate(struct tls_ctx *ctx, const char *cert_file, const char *key_file, struct err *err) {
    if (SSL_CTX_use_certificate_chain_file(ctx->ssl, cert_file) != 1) return fail(err, "certificate", cert_file);
    if (SSL_CTX_use_PrivateKey_file(ctx->ssl, key_file, SSL_FILETYPE_PEM) != 1) return fail(err, "private key", key_file);
    if (SSL_CTX_check_private_key(ctx->ssl) != 1) return fail(err, "the key is not the certificate's:", key_file);
    return OK;
}

static enum code ask_client_certificates(struct tls_ctx *ctx, const struct tls_server_config *config, struct err *err) {
    if (config->client_cert == TLS_CLIENT_CERT_NONE) return OK;
    if (!config->client_ca_file) return err_set(err, INVALID_ARGUMENT, "TLS: client certificates need a CA file");
    if (SSL_CTX_load_verify_locations(ctx->ssl, config->client_ca_file, NULL) != 1)
        return fail(err, "client CA", config->client_ca_file);
    SSL_CTX_set_client_CA_list(ctx->ssl, SSL_load_client_CA_file(config->client_ca_file));
    bool must = config->client_cert == TLS_CLIENT_CERT_REQUIRE;
    SSL_CTX_set_verify(ctx->ssl, SSL_VERIFY_PEER | (must ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    return OK;
}

enum code tls_server_new(const struct tls_server_config *config, struct tls_ctx **ret_ctx, struct err *err) {
    DEFER(tls_unrefp) struct tls_ctx *ctx = NULL;
    enum code rc = new_ctx(false, config->http1_only, &ctx, err);
    if (!rc) rc = use_certificate(ctx, config->cert_file, config->key_file, err);
    if (!rc) rc = ask_client_certificates(ctx, config, err);
    if (rc) return rc;
    SSL_CTX_set_alpn_select_cb(ctx->ssl, select_alpn, ctx);
    *ret_ctx = TAKE(ctx);
    return OK;
}

static enum code trust(struct tls_ctx *ctx, const struct tls_client_config *config, struct err *err) {
    if (config->ca_file || config->ca_dir) {
        if (SSL_CTX_load_verify_locations(ctx->ssl, config->ca_file, config->ca_dir) != 1)
            return fail(err, "CA", config->ca_file ? config->ca_file : config->ca_dir);
    } else if (SSL_CTX_set_default_verify_paths(ctx->ssl) != 1) {
        return fail(err, "the system's CA", NULL);
    } else if (config->also_ca_file && SSL_CTX_load_verify_locations(ctx->ssl, config->also_ca_file, NULL) != 1) {
        return fail(err, "CA", config->also_ca_file);
    }
    SSL_CTX_set_verify(ctx->ssl, SSL_VERIFY_PEER, NULL);
    return OK;
}

enum code tls_client_new(const struct tls_client_config *config, struct tls_ctx **ret_ctx, struct err *err) {
    static const unsigned char both[] = "\x02h2\x08http/1.1";
    DEFER(tls_unrefp) struct tls_ctx *ctx = NULL;
    enum code rc = new_ctx(true, config->http1_only, &ctx, err);
    if (!rc) rc = trust(ctx, config, err);
    if (!rc && config->cert_file) rc = use_certificate(ctx, config->cert_file, config->key_file, err);
    if (rc) return rc;
    if (SSL_CTX_set_alpn_protos(ctx->ssl, config->http1_only ? both + 3 : both, config->http1_only ? 9 : 12) != 0)
        return fail(err, "ALPN", NULL);
    *ret_ctx = TAKE(ctx);
    return OK;
}

struct tls_ctx *tls_ref(struct tls_ctx *ctx) {
    if (ctx) atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
    return ctx;
}

struct tls_ctx *tls_unref(struct tls_ctx *ctx) {
    if (!ctx || atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) != 1) return NULL;
    SSL_CTX_free(ctx->ssl);
    free(ctx);
    return NULL;
}

void tls_unrefp(struct tls_ctx **ctx) {
    *ctx = tls_unref(*ctx);
}

SSL_CTX *tls_ssl_ctx(const struct tls_ctx *ctx) {
    return ctx->ssl;
}

bool tls_is_client(const struct tls_ctx *ctx) {
    return ctx->client;
}
