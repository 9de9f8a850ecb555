#include "net/conn.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "net/timers.h"

enum { READ_PER_TURN = 256 * 1024, WRITE_PER_TURN = 1024 * 1024, LINGER_MS = 1000, LINGER_MOST_MS = 30000 };
enum state { CONNECTING, HANDSHAKE, OPEN, CLOSED };
enum io { IO_DONE, IO_AGAIN, IO_EOF, IO_FAILED };

struct conn {
    struct loop *loop;
    struct tls_ctx *tls;
    SSL *ssl;
    uv_poll_t poll;
    const struct conn_events *events;
    void *ctx;
    struct net_address peer;
    struct buf out;
    size_t out_at;           /* written of out */
    struct loop_timer timer; /* handshake, then a write that stalls, then the linger */
    struct loop_task flush, read_more, closed;
    enum state state;
    enum conn_end why;
    int fd, mask;
    unsigned write_ms, holds; /* holds: uv_close and on_closed; the last frees */
    uint64_t linger_end_ms;
    bool dialled;  /* ours to ask: what the other side says counts to the last byte, however it went */
    bool deserted; /* dialled, and nobody is there any more: what came before that is still to be read */
    bool paused, disconnected, finishing, fin_sent, read_wants_write, write_wants_read, write_stalled;
    struct err err;
    struct str certificate;
    char sni[CONN_SNI_MAX];
};

static void on_poll(uv_poll_t *poll, int status, int events);
static void flush(struct conn *c);

/* ---- the end ---- */

static void release(struct conn *c) {
    if (--c->holds > 0) return;
    OPENSSL_free((void *)(uintptr_t)c->certificate.p);
    tls_unref(c->tls);
    free(c);
}

static void on_uv_closed(uv_handle_t *handle) {
    release(handle->data);
}

static void tell_closed(struct loop_task *task UNUSED, void *ctx) {
    struct conn *c = ctx;
    c->events->on_closed(c, c->why, &c->err, c->ctx);
    release(c);
}

/* Nothing goes in or out from here on: the descriptor is closed, with a reset when bytes would be left. */
static void cut(struct conn *c, enum conn_end why) {
    if (c->state == CLOSED) return;
    c->state = CLOSED;
    c->why = why;
    loop_timer_stop(c->loop, &c->timer);
    loop_defer_cancel(c->loop, &c->flush);
    loop_defer_cancel(c->loop, &c->read_more);
    SSL_free(c->ssl);
    c->ssl = NULL;
    buf_free(&c->out);
    uv_close((uv_handle_t *)&c->poll, on_uv_closed);
    if (!c->fin_sent) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
    close(c->fd);
    loop_defer(c->loop, &c->closed);
}

static void lose(struct conn *c, enum conn_end why, const char *what) {
    if (c->state == CLOSED) return;
    if (c->finishing) why = CONN_END_OURS;
    if (why != CONN_END_OURS) err_set(&c->err, why == CONN_END_TIMEOUT ? DEADLINE_EXCEEDED : UNAVAILABLE, "%s", what);
    cut(c, why);
}

/* The same words for the same thing, whichever call meets it first. */
static bool tell_reset(struct conn *c, int e) {
    if (e != ECONNRESET && e != EPIPE) return false;
    err_set(&c->err, UNAVAILABLE, "the peer reset the connection");
    return true;
}

/* The peer is not there for any more of ours. A client that went is not answered; but a service may have answered before it
 * went (it refused a body, say, and read no more of it), and the socket still holds that. */
static void desert(struct conn *c) {
    if (c->state == CLOSED) return;
    if (!c->err.code) (void)tell_reset(c, ECONNRESET);
    if (c->state != OPEN || !c->dialled || c->finishing) {
        cut(c, c->finishing ? CONN_END_OURS : CONN_END_LOST);
        return;
    }
    c->deserted = true;
    loop_timer_stop(c->loop, &c->timer);
    loop_defer_cancel(c->loop, &c->flush);
    uv_poll_stop(&c->poll);
    if (!c->paused) loop_defer(c->loop, &c->read_more);
}

static void on_timer(struct loop_timer *timer UNUSED, void *ctx) {
    struct conn *c = ctx;
    static const char *const what[] = { [CONNECTING] = "connecting took too long",
                                        [HANDSHAKE] = "the TLS handshake took too long",
                                        [OPEN] = "the peer stopped reading",
                                        [CLOSED] = "closed" };
    lose(c, CONN_END_TIMEOUT, what[c->state]);
}

/* ---- what to wait for ---- */

static void watch(struct conn *c) {
    if (c->state == CLOSED || c->deserted) return;
    int mask = 0;
    bool pending = c->out.n > c->out_at && !c->write_wants_read;
    if (c->state == CONNECTING || pending || c->read_wants_write) mask |= UV_WRITABLE;
    if (c->state != CONNECTING && (!c->paused || c->write_wants_read)) mask |= UV_READABLE;
    /* A client that goes would not be heard while it is paused; and after the first report nothing else would be. */
    if (c->paused && !c->disconnected && !c->dialled) mask |= UV_DISCONNECT;
    if (mask == c->mask) return; /* each uv_poll_start is two epoll_ctl */
    c->mask = mask;
    uv_poll_start(&c->poll, mask, on_poll);
}

/* ---- bytes ---- */

static enum io ssl_result(struct conn *c, int rc, bool reading) {
    int number = errno, why = SSL_get_error(c->ssl, rc);
    if (why == SSL_ERROR_WANT_READ) {
        if (!reading) c->write_wants_read = true;
        return IO_AGAIN;
    }
    if (why == SSL_ERROR_WANT_WRITE) {
        if (reading) c->read_wants_write = true;
        return IO_AGAIN;
    }
    if (why == SSL_ERROR_ZERO_RETURN) return IO_EOF;
    unsigned long e = ERR_peek_last_error();
    long verify = SSL_get_verify_result(c->ssl);
    const char *reason = e ? ERR_reason_error_string(e) : why == SSL_ERROR_SYSCALL && number ? strerror(number) : NULL;
    if (verify != X509_V_OK) reason = X509_verify_cert_error_string(verify);
    if (why != SSL_ERROR_SYSCALL || !tell_reset(c, number))
        err_set(&c->err, UNAVAILABLE, "TLS: %s", reason ? reason : "the connection ended");
    ERR_clear_error(); /* the queue belongs to the thread: what is left would be taken for the next connection's */
    return IO_FAILED;
}

static enum io sys_result(struct conn *c, ssize_t n) {
    if (n == 0) return IO_EOF;
    if (errno == EAGAIN || errno == EINTR) return IO_AGAIN;
    if (!tell_reset(c, errno)) err_set(&c->err, UNAVAILABLE, "connection: %s", strerror(errno));
    return IO_FAILED;
}

static enum io read_some(struct conn *c, char *p, size_t room, size_t *ret_n) {
    if (!c->ssl) {
        ssize_t n = read(c->fd, p, room);
        if (n <= 0) return sys_result(c, n);
        *ret_n = (size_t)n;
        return IO_DONE;
    }
    int n = SSL_read(c->ssl, p, (int)room);
    if (n <= 0) return ssl_result(c, n, true);
    *ret_n = (size_t)n;
    return IO_DONE;
}

static enum io write_some(struct conn *c, size_t *ret_n) {
    const char *p = c->out.p + c->out_at;
    size_t room = c->out.n - c->out_at;
    if (!c->ssl) {
        ssize_t n = send(c->fd, p, room, MSG_NOSIGNAL);
        if (n < 0) return sys_result(c, n);
        *ret_n = (size_t)n;
        return IO_DONE;
    }
    int n = SSL_write(c->ssl, p, (int)room);
    if (n <= 0) return ssl_result(c, n, false);
    *ret_n = (size_t)n;
    return IO_DONE;
}

/* Closing with input unread would reset what the peer has still to read; and some read only when all of theirs is sent. */
static void linger(struct conn *c) {
    uint64_t now_ms = loop_now_ms(c->loop);
    if (!c->linger_end_ms) c->linger_end_ms = now_ms + LINGER_MOST_MS;
    if (now_ms < c->linger_end_ms) loop_timer_start(c->loop, &c->timer, LINGER_MS);
    else cut(c, CONN_END_OURS);
}

static void deliver(struct conn *c, struct str bytes) {
    if (!c->finishing) c->events->on_data(c, bytes, c->ctx);
    else if (c->fin_sent) linger(c);
}

static void ended(struct conn *c, enum io io) {
    if (c->deserted) cut(c, CONN_END_LOST); /* never as if it had ended well: where a reset fell is not known */
    else if (io == IO_EOF) lose(c, CONN_END_EOF, "the peer closed the connection");
    else if (io == IO_FAILED) cut(c, c->finishing ? CONN_END_OURS : CONN_END_LOST);
}

/* With read-ahead, SSL_pending is 0 while a record waits in OpenSSL's buffer, and the socket stays silent: so the loop is
 * left only when nothing is buffered, or with a task that comes back. */
static void read_all(struct conn *c) {
    char *scratch = loop_scratch(c->loop);
    c->read_wants_write = false;
    for (size_t total = 0; c->state == OPEN && !c->paused;) {
        if (total >= READ_PER_TURN) {
            loop_defer(c->loop, &c->read_more);
            return;
        }
        size_t n = 0;
        enum io io = read_some(c, scratch, LOOP_SCRATCH_BYTES, &n);
        if (io != IO_DONE) {
            ended(c, io);
            return;
        }
        total += n;
        deliver(c, (struct str){ scratch, n });
        if (c->state != OPEN) return;
        bool more = c->ssl ? SSL_has_pending(c->ssl) : n == LOOP_SCRATCH_BYTES;
        if (!more && !c->deserted) return;
    }
}

static void on_read_more(struct loop_task *task UNUSED, void *ctx) {
    struct conn *c = ctx;
    read_all(c);
    watch(c);
}

/* ---- output ---- */

static void finish_now(struct conn *c) {
    if (c->fin_sent) return;
    c->fin_sent = true;
    if (c->ssl && SSL_shutdown(c->ssl) < 0) ERR_clear_error();
    shutdown(c->fd, SHUT_WR);
    linger(c);
    if (c->paused) c->paused = c->disconnected = false;
}

/* Refills an empty write buffer; false when there is nothing to write. */
static bool refill(struct conn *c) {
    if (c->out.n > c->out_at) return true;
    buf_clear(&c->out);
    c->out_at = 0;
    if (!c->fin_sent) c->events->on_output(c, &c->out, c->ctx);
    if (c->state == CLOSED) return false;
    if (!buf_ok(&c->out)) {
        err_set(&c->err, RESOURCE_EXHAUSTED, "the write buffer is full");
        cut(c, CONN_END_LOST);
        return false;
    }
    return c->out.n > 0;
}

static void set_stalled(struct conn *c, bool stalled) {
    if (c->fin_sent || c->state != OPEN) return;
    if (stalled) loop_timer_start(c->loop, &c->timer, c->write_ms);
    else if (c->write_stalled) loop_timer_stop(c->loop, &c->timer);
    c->write_stalled = stalled;
}

static void flush(struct conn *c) {
    size_t total = 0;
    bool progress = false;
    c->write_wants_read = false;
    while (c->state == OPEN && refill(c)) {
        if (total >= WRITE_PER_TURN) { /* others' turn */
            loop_defer(c->loop, &c->flush);
            break;
        }
        size_t n = 0;
        enum io io = write_some(c, &n);
        if (io == IO_AGAIN) break;
        if (io != IO_DONE) {
            desert(c);
            return;
        }
        progress = true;
        c->out_at += n;
        total += n;
    }
    if (c->state != OPEN) return;
    bool pending = c->out.n > c->out_at;
    if (pending ? progress || !c->write_stalled : c->write_stalled) set_stalled(c, pending);
    if (pending) return;
    buf_free(&c->out);
    if (c->finishing) finish_now(c);
}

static void on_flush(struct loop_task *task UNUSED, void *ctx) {
    struct conn *c = ctx;
    flush(c);
    watch(c);
}

/* ---- the beginning ---- */

static void take_peer_certificate(struct conn *c) {
    X509 *cert = SSL_get0_peer_certificate(c->ssl);
    unsigned char *der = NULL;
    if (!cert || SSL_get_verify_result(c->ssl) != X509_V_OK || SSL_get_verify_mode(c->ssl) == SSL_VERIFY_NONE) return;
    int n = i2d_X509(cert, &der);
    if (n > 0) c->certificate = (struct str){ (char *)der, (size_t)n };
}

static void ready(struct conn *c) {
    c->state = OPEN;
    loop_timer_stop(c->loop, &c->timer);
    if (c->ssl) {
        const char *sni = SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name);
        if (sni && strlen(sni) < sizeof c->sni) memcpy(c->sni, sni, strlen(sni) + 1);
        take_peer_certificate(c);
    }
    if (c->events->on_ready) c->events->on_ready(c, c->ctx);
    if (c->state == OPEN) loop_defer(c->loop, &c->flush);
}

static void handshake(struct conn *c) {
    c->read_wants_write = false;
    int rc = SSL_do_handshake(c->ssl);
    if (rc == 1) {
        ready(c);
        if (c->state == OPEN && SSL_has_pending(c->ssl)) loop_defer(c->loop, &c->read_more);
        return;
    }
    enum io io = ssl_result(c, rc, true);
    if (io == IO_EOF) err_set(&c->err, UNAVAILABLE, "TLS: the peer closed during the handshake");
    if (io != IO_AGAIN) cut(c, CONN_END_TLS);
}

static void connected(struct conn *c) {
    int e = 0;
    socklen_t n = sizeof e;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &n)) e = errno;
    if (e) {
        lose(c, CONN_END_LOST, strerror(e));
        return;
    }
    c->state = HANDSHAKE;
    if (c->ssl) handshake(c);
    else ready(c);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    struct conn *c = poll->data;
    if (status < 0) { /* libuv has stopped the handle: a reset comes as UV_EBADF */
        if (c->state == CONNECTING) connected(c);
        desert(c);
        return;
    }
    if (events & UV_DISCONNECT) {
        c->disconnected = true;
        if (c->paused) lose(c, CONN_END_EOF, "the peer closed the connection");
    }
    if (c->state == CONNECTING) connected(c);
    else if (c->state == HANDSHAKE) handshake(c);
    else if (c->state == OPEN) {
        if ((events & UV_READABLE) || c->read_wants_write) read_all(c);
        if (c->state == OPEN && ((events & UV_WRITABLE) || c->write_wants_read)) flush(c);
    }
    watch(c);
}

static bool is_ip(const char *host) {
    struct in6_addr ip;
    return uv_inet_pton(AF_INET, host, &ip) == 0 || uv_inet_pton(AF_INET6, host, &ip) == 0;
}

/* The chain is checked by the context; the name must be asked for on each connection. */
static bool expect_host(SSL *ssl, const char *host) {
    if (is_ip(host)) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 &&
           SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)host) == 1;
}

static bool start_tls(struct conn *c, const char *host) {
    c->ssl = SSL_new(tls_ssl_ctx(c->tls));
    if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1) return false;
    if (!tls_is_client(c->tls)) {
        SSL_set_accept_state(c->ssl);
        return true;
    }
    SSL_set_connect_state(c->ssl);
    return host && expect_host(c->ssl, host);
}

static enum code new_conn(const struct conn_config *config, int fd, const struct net_address *peer, enum state state,
                          struct conn **ret_conn, struct err *err) {
    struct conn *c = calloc(1, sizeof *c);
    if (!c) {
        close(fd);
        return err_oom(err);
    }
    c->loop = config->loop;
    c->tls = tls_ref(config->tls);
    c->events = config->events;
    c->ctx = config->ctx;
    c->peer = *peer;
    c->out = (struct buf)BUF_INIT(CONN_OUT_MAX);
    c->fd = fd;
    c->state = state;
    c->write_ms = config->write_ms;
    c->timer = (struct loop_timer){ .fn = on_timer, .ctx = c };
    c->flush = (struct loop_task){ .fn = on_flush, .ctx = c };
    c->read_more = (struct loop_task){ .fn = on_read_more, .ctx = c };
    c->closed = (struct loop_task){ .fn = tell_closed, .ctx = c };
    bool ok = (!c->tls || start_tls(c, config->host)) && uv_poll_init(loop_uv(c->loop), &c->poll, fd) == 0;
    if (!ok) {
        ERR_clear_error();
        SSL_free(c->ssl);
        close(fd);
        c->holds = 1;
        release(c);
        return err_set(err, UNAVAILABLE, "cannot set up the connection");
    }
    c->poll.data = c;
    c->holds = 2;
    loop_timer_start(c->loop, &c->timer, config->handshake_ms);
    *ret_conn = c;
    return OK;
}

static void on_accepted(struct loop_task *task UNUSED, void *ctx) {
    struct conn *c = ctx;
    c->read_more.fn = on_read_more;
    if (c->ssl) handshake(c);
    else ready(c);
    watch(c);
}

enum code conn_accept(const struct conn_config *config, int fd, const struct net_address *peer, struct conn **ret_conn,
                      struct err *err) {
    enum code rc = new_conn(config, fd, peer, HANDSHAKE, ret_conn, err);
    if (rc) return rc;
    (*ret_conn)->read_more.fn = on_accepted; /* on_ready is not called from inside conn_accept */
    loop_defer(config->loop, &(*ret_conn)->read_more);
    return OK;
}

enum code conn_connect(const struct conn_config *config, const struct net_address *to, struct conn **ret_conn,
                       struct err *err) {
    struct sockaddr_storage sa;
    socklen_t n = net_address_to(to, &sa);
    int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return err_errno(err, "socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    /* A peer that is gone without a word: else the kernel tries for a quarter of an hour. */
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &config->write_ms, sizeof config->write_ms);
    if (connect(fd, (struct sockaddr *)&sa, n) && errno != EINPROGRESS) {
        enum code rc = err_set(err, UNAVAILABLE, "connect: %s", strerror(errno));
        close(fd);
        return rc;
    }
    enum code rc = new_conn(config, fd, to, CONNECTING, ret_conn, err);
    if (rc) return rc;
    (*ret_conn)->dialled = true;
    watch(*ret_conn);
    return OK;
}

/* ---- the owner's side ---- */

void conn_output(struct conn *c) {
    if (c->state == OPEN && !c->fin_sent && !c->deserted) loop_defer(c->loop, &c->flush);
}

void conn_pause(struct conn *c) {
    if (c->paused || c->finishing) return;
    c->paused = true;
    watch(c);
}

void conn_resume(struct conn *c) {
    if (!c->paused || c->state == CLOSED) return;
    c->paused = false;
    c->disconnected = false;
    loop_defer(c->loop, &c->read_more); /* bytes may wait inside OpenSSL, where the socket does not show them */
    watch(c);
}

void conn_finish(struct conn *c) {
    if (c->finishing || c->state == CLOSED) return;
    if (c->state != OPEN || c->deserted) {
        cut(c, CONN_END_OURS);
        return;
    }
    c->finishing = true;
    if (c->paused) conn_resume(c);
    loop_defer(c->loop, &c->flush);
}

void conn_abort(struct conn *c) {
    cut(c, CONN_END_OURS);
}

void conn_close_now(struct conn *c) {
    cut(c, CONN_END_OURS);
    if (!c->closed.queued) return; /* on_closed was told already */
    loop_defer_cancel(c->loop, &c->closed);
    tell_closed(&c->closed, c);
}

bool conn_is_h2(const struct conn *c) {
    const unsigned char *alpn = NULL;
    unsigned n = 0;
    if (c->ssl) SSL_get0_alpn_selected(c->ssl, &alpn, &n);
    return n == 2 && memcmp(alpn, "h2", 2) == 0;
}

bool conn_is_tls(const struct conn *c) {
    return c->tls != NULL;
}

bool conn_is_open(const struct conn *c) {
    return c->state != CLOSED && !c->finishing;
}

const struct net_address *conn_peer(const struct conn *c) {
    return &c->peer;
}

struct str conn_sni(const struct conn *c) {
    return str_z(c->sni);
}

struct str conn_peer_certificate(const struct conn *c) {
    return c->certificate;
}
