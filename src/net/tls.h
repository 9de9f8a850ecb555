/* tls.h: TLS contexts for listeners and for outgoing connections (OpenSSL 3).
 *
 * A context is immutable: a reload makes a new one; connections hold a reference to theirs. Any thread may ref and
 * unref. TLS 1.2 and 1.3 only, AEAD suites with forward secrecy, no compression, no renegotiation, no session tickets
 * (so no long-lived ticket key). ALPN offers h2 and http/1.1. RFC 8446, RFC 9325, RFC 7301. */
#pragma once
#include "base/err.h"

struct tls_ctx;
struct ssl_ctx_st;

enum tls_client_cert { TLS_CLIENT_CERT_NONE, TLS_CLIENT_CERT_ASK, TLS_CLIENT_CERT_REQUIRE };

struct tls_server_config {
    const char *cert_file, *key_file; /* PEM; the certificate file may hold the chain */
    const char *client_ca_file;       /* PEM: who may sign clients' certificates; NULL when none are asked */
    enum tls_client_cert client_cert;
    bool http1_only; /* do not offer h2 */
};

struct tls_client_config {
    const char *ca_file, *ca_dir;     /* NULL, NULL: the system's */
    const char *also_ca_file;         /* PEM: trusted beside the system's; NULL: none */
    const char *cert_file, *key_file; /* our own certificate, or NULL */
    bool http1_only;
};

MUST_USE enum code tls_server_new(const struct tls_server_config *config, struct tls_ctx **ret_ctx, struct err *err);
MUST_USE enum code tls_client_new(const struct tls_client_config *config, struct tls_ctx **ret_ctx, struct err *err);
struct tls_ctx *tls_ref(struct tls_ctx *ctx);   /* NULL is fine; returns ctx */
struct tls_ctx *tls_unref(struct tls_ctx *ctx); /* NULL is fine; returns NULL */
void tls_unrefp(struct tls_ctx **ctx);
struct ssl_ctx_st *tls_ssl_ctx(const struct tls_ctx *ctx);
bool tls_is_client(const struct tls_ctx *ctx);
