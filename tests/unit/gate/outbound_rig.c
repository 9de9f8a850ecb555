#include "outbound_rig.h"
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- scripts ---- */

static void read_head(int fd, char head[8192]) {
    size_t n = 0;
    ssize_t got;
    while (n < 8191 && (got = recv(fd, head + n, 8191 - n, 0)) > 0) {
        n += (size_t)got;
        head[n] = '\0';
        if (strstr(head, "\r\n\r\n")) return;
    }
}

static bool say(int fd, const char *p, size_t n) {
    while (n) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        p += sent;
        n -= (size_t)sent;
    }
    return true;
}

static void play(struct script *s, int fd) {
    char fill[1024];
    memset(fill, 'x', sizeof fill);
    struct pollfd until[] = { { .fd = fd, .events = POLLIN }, { .fd = s->stop[0], .events = POLLIN } };
    if (poll(until, 2, -1) > 0 && !until[1].revents) read_head(fd, s->seen);
    bool ok = !s->head || say(fd, s->head, strlen(s->head));
    for (size_t left = s->body; ok && left;) {
        size_t n = left < sizeof fill ? left : sizeof fill;
        ok = say(fd, fill, n);
        left -= n;
    }
    if (ok && (s->hold || !s->head) && poll(until, 2, -1) < 0) return;
}

static void *run(void *arg) {
    struct script *s = arg;
    for (;;) {
        struct pollfd fds[] = { { .fd = s->fd, .events = POLLIN }, { .fd = s->stop[0], .events = POLLIN } };
        if (poll(fds, 2, -1) < 0 || fds[1].revents) return NULL;
        int fd = accept(s->fd, NULL, NULL);
        if (fd < 0) continue;
        atomic_fetch_add(&s->connections, 1);
        play(s, fd);
        close(fd);
    }
}

void script_start(struct script *s) {
    struct net_address a;
    struct sockaddr_storage sa;
    char text[80];
    int on = 1;
    snprintf(text, sizeof text, "%s:%u", s->address ? s->address : "127.0.0.1", s->port);
    assert_int_equal(net_address_parse(str_z(text), &a, NULL), OK);
    socklen_t n = net_address_to(&a, &sa);
    s->fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&sa, n), 0);
    assert_int_equal(listen(s->fd, 64), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&sa, &n), 0);
    assert_true(net_address_from((struct sockaddr *)&sa, &a));
    s->port = a.port;
    assert_int_equal(pipe(s->stop), 0);
    assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
}

void script_stop(struct script *s) {
    close(s->stop[1]);
    pthread_join(s->thread, NULL);
    close(s->stop[0]);
    close(s->fd);
}

/* ---- names ---- */

static enum code resolve(void *ctx, const char *host, struct net_address *addresses, size_t max, size_t *ret_n,
                         struct err *err) {
    struct names *names = ctx;
    unsigned at = atomic_fetch_add(&names->asked, 1);
    while (at >= NAMES_MAX || (at && !names->answers[at][0])) at = at >= NAMES_MAX ? NAMES_MAX - 1 : at - 1;
    size_t n = 0;
    for (; n < max && n < NAME_ADDRESSES_MAX && names->answers[at][n]; n++) {
        char text[80];
        snprintf(text, sizeof text, strchr(names->answers[at][n], ':') ? "[%s]:0" : "%s:0", names->answers[at][n]);
        enum code rc = net_address_parse(str_z(text), &addresses[n], err);
        if (rc) return rc;
    }
    *ret_n = n;
    return n ? OK : err_set(err, NOT_FOUND, "the name %s does not resolve", host);
}

struct net_resolver names_resolver(struct names *names) {
    return (struct net_resolver){ resolve, names };
}

/* ---- results ---- */

static void keep(char *to, size_t room, struct str text) {
    snprintf(to, room, "%.*s", STR_ARG(text));
}

void result_done(void *arg, const struct outbound_answer *answer) {
    struct result *r = arg;
    r->cause = answer->cause;
    r->status = answer->status;
    r->body_bytes = answer->body.n;
    r->n_headers = answer->n_headers;
    keep(r->message, sizeof r->message, str_z(answer->err.message));
    keep(r->type, sizeof r->type, answer->content_type);
    keep(r->location, sizeof r->location, answer->location);
    keep(r->retry_after, sizeof r->retry_after, answer->retry_after);
    keep(r->body, sizeof r->body, str_upto(answer->body, 90));
    atomic_fetch_add(&r->times, 1);
}

void result_wait(struct loop *loop, struct result *result) {
    for (unsigned i = 0; i < 200 && !atomic_load(&result->times); i++) loop_run_once(loop, 50);
    assert_int_equal(atomic_load(&result->times), 1);
}

void outbound_ask(struct loop *loop, struct outbound *outbound, const struct outbound_request *request,
                  struct result *result) {
    struct err err = { 0 };
    *result = (struct result){ 0 };
    if (outbound_send(outbound, request, result_done, result, NULL, &err)) fail_msg("%s", err.message);
    assert_int_equal(atomic_load(&result->times), 0); /* never from inside the call */
    result_wait(loop, result);
}
