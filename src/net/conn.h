/* conn.h: one TCP connection on a loop, TLS or plaintext: bytes in, bytes pulled out.
 *
 * Loop thread only. Input is pushed through on_data; output is *pulled*: conn_output says that there is something, and
 * before the loop sleeps on_output is asked to append to the write buffer (so the replies of one turn share records).
 * It is asked again whenever the buffer is empty, and should stop at CONN_OUT_SOFT bytes. The buffer is freed when empty.
 * on_closed comes exactly once, last, and never from inside a conn_* function other than conn_close_now; the connection
 * frees itself afterwards. One that was dialled gives all that the peer had said before on_closed, however the peer went,
 * and however long it was paused: an answer is not lost to a reset. One that was accepted hears of its end at once. */
#pragma once
#include "base/buf.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/tls.h"

enum { CONN_OUT_SOFT = 65536, CONN_OUT_MAX = 512 * 1024, CONN_SNI_MAX = 256 };

struct conn;

enum conn_end {
    CONN_END_EOF,     /* the peer ended cleanly */
    CONN_END_TLS,     /* TLS did not come up: certificate, name, protocol */
    CONN_END_LOST,    /* reset, network, TLS failure afterwards */
    CONN_END_TIMEOUT, /* handshake or write */
    CONN_END_OURS,    /* conn_finish is through, conn_abort, conn_close_now */
};

struct conn_events {
    void (*on_ready)(struct conn *conn, void *ctx); /* connected, and TLS is up */
    void (*on_data)(struct conn *conn, struct str bytes, void *ctx);
    void (*on_output)(struct conn *conn, struct buf *out, void *ctx);
    void (*on_closed)(struct conn *conn, enum conn_end why, const struct err *err, void *ctx);
};

struct conn_config {
    struct loop *loop;
    struct tls_ctx *tls;   /* NULL: plaintext; the connection takes a reference */
    const char *host;      /* client: the name that the certificate must hold, and SNI (not for addresses) */
    unsigned handshake_ms; /* connect and TLS */
    unsigned write_ms;     /* with bytes to write and none taken; dialled: nor any acknowledged */
    const struct conn_events *events;
    void *ctx;
};

/* Takes the descriptor over, also when it fails. */
MUST_USE enum code conn_accept(const struct conn_config *config, int fd, const struct net_address *peer,
                               struct conn **ret_conn, struct err *err);
MUST_USE enum code conn_connect(const struct conn_config *config, const struct net_address *to, struct conn **ret_conn,
                                struct err *err);
void conn_output(struct conn *conn); /* on_output has something to say */
void conn_pause(struct conn *conn);  /* stop reading (HTTP/1 only: HTTP/2 is always read) */
void conn_resume(struct conn *conn);
/* Write what there is, close_notify, FIN, swallow input until there was none for 1 s (at most 30 s), close. */
void conn_finish(struct conn *conn);
void conn_abort(struct conn *conn); /* cuts at once: the descriptor is closed; on_closed follows before the loop sleeps */
void conn_close_now(struct conn *conn); /* as conn_abort, but on_closed comes before it returns */

bool conn_is_h2(const struct conn *conn); /* what ALPN chose */
bool conn_is_tls(const struct conn *conn);
bool conn_is_open(const struct conn *conn); /* not finishing, not closed */
const struct net_address *conn_peer(const struct conn *conn);
struct str conn_sni(const struct conn *conn);              /* empty without */
struct str conn_peer_certificate(const struct conn *conn); /* DER, verified; empty without */
