/* test_outbound.c: the one dialer: who is dialled, what may be asked, how calls end. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/arena.h"
#include "outbound_rig.h"

struct world {
    struct loop *loop;
    struct outbound *outbound;
    struct names names;
};

static void open_world(struct world *w, struct outbound_config config) {
    struct err err = { 0 };
    assert_int_equal(loop_new(&w->loop, &err), OK);
    config.loop = w->loop;
    config.resolver = names_resolver(&w->names);
    if (outbound_new(&config, &w->outbound, &err)) fail_msg("%s", err.message);
}

static void close_world(struct world *w) {
    outbound_free(w->outbound);
    loop_free(w->loop);
}

static struct str url_of(char buf[200], const char *host, uint16_t port, const char *path) {
    int n = snprintf(buf, 200, "http://%s:%u%s", host, port, path);
    return (struct str){ buf, (size_t)n };
}

/* ---- what is refused before anything is looked up ---- */

static void test_requests(void **state) {
    (void)state;
    static const struct http_header host = { STR_INIT("host"), STR_INIT("x") };
    static char big[OUTBOUND_BODY_MAX + 1], long_query[9000];
    static const struct {
        const char *what, *url, *why;
    } cases[] = {
        { "short IPv4", "http://127.1/", "another spelling" },
        { "one decimal number", "http://2130706433/", "another spelling" },
        { "hexadecimal", "http://0x7f.1/", "another spelling" },
        { "hexadecimal in one", "http://0x7f000001/", "another spelling" },
        { "octal", "http://017700000001/", "another spelling" },
        { "octal parts", "http://0177.0.0.1/", "another spelling" },
        { "mapped", "http://[::ffff:127.0.0.1]/", "inside an IPv6" },
        { "mapped, in hexadecimal", "http://[::ffff:7f00:1]/", "inside an IPv6" },
        { "a zone", "http://[fe80::1%25eth0]/", "not an IPv6" },
        { "user info", "http://127.0.0.1@example.com/", "user info" },
        { "a fragment", "http://example.com/#x", "fragment" },
        { "a line break", "http://example.com/a\r\nhost: b", "percent-encoded" },
        { "a line break in the query", "http://example.com/?a\r\nb", "percent-encoded" },
        { "a blank", "http://example.com/a b", "percent-encoded" },
        { "another scheme", "file:///etc/passwd", "https://" },
        { "relative", "/path", "https://" },
        { "a dot segment", "http://example.com/a/../b", "dot segment" },
        { "a full stop of another script",
          "http://169.254.169\xe3\x80\x82"
          "254/",
          "ASCII" },
        { "a trailing dot", "http://example.com./", "ASCII" },
    };
    struct outbound_request r = { .method = STR("GET") };
    struct err err;
    for (size_t i = 0; i < COUNT(cases); i++) {
        err = (struct err){ 0 };
        r.url = str_z(cases[i].url);
        if (outbound_check(&r, &err) != INVALID_ARGUMENT || !strstr(err.message, cases[i].why))
            fail_msg("%s: %s", cases[i].what, err.message);
    }
    r.url = STR("https://example.com/a?b=c");
    assert_int_equal(outbound_check(&r, &err), OK);
    r.token = STR("two words");
    assert_int_equal(outbound_check(&r, &err), INVALID_ARGUMENT);
    r.token = STR("a\r\nb");
    assert_int_equal(outbound_check(&r, &err), INVALID_ARGUMENT);
    r = (struct outbound_request){ .method = STR("TRACE"), .url = STR("http://example.com/") };
    assert_int_equal(outbound_check(&r, &err), INVALID_ARGUMENT);
    r = (struct outbound_request){
        .method = STR("GET"), .url = STR("http://example.com/"), .headers = &host, .n_headers = 1
    };
    assert_int_equal(outbound_check(&r, &err), INVALID_ARGUMENT);
    r = (struct outbound_request){ .method = STR("PUT"), .url = STR("http://example.com/"), .body = { big, sizeof big } };
    assert_int_equal(outbound_check(&r, &err), INVALID_ARGUMENT);
    memset(long_query, 'a', sizeof long_query);
    memcpy(long_query, "http://example.com/?", 20);
    r = (struct outbound_request){ .method = STR("GET"), .url = { long_query, sizeof long_query } };
    assert_int_equal(outbound_check(&r, &err), INVALID_ARGUMENT);
}

/* ---- who is dialled ---- */

static void test_addresses(void **state) {
    (void)state;
    static const struct {
        const char *what, *host;
        const char *answer[4]; /* of the resolver */
        bool may_loopback;
        enum outbound_cause cause;
        unsigned connections, asked;
    } cases[] = {
        { "loopback, not named by the rule", "127.0.0.1", { NULL }, false, OUTBOUND_ADDRESS_REFUSED, 0, 0 },
        { "loopback, named by the rule", "127.0.0.1", { NULL }, true, OUTBOUND_ANSWERED, 1, 0 },
        { "a name of loopback", "in.example", { "127.0.0.1" }, false, OUTBOUND_ADDRESS_REFUSED, 0, 1 },
        { "a name of mapped loopback", "in.example", { "::ffff:127.0.0.1" }, false, OUTBOUND_ADDRESS_REFUSED, 0, 1 },
        { "a name of compatible loopback", "in.example", { "::127.0.0.1" }, true, OUTBOUND_ADDRESS_REFUSED, 0, 1 },
        { "a name of NAT64 loopback", "in.example", { "64:ff9b::127.0.0.1" }, true, OUTBOUND_ADDRESS_REFUSED, 0, 1 },
        { "a name of loopback where it may", "in.example", { "127.0.0.1" }, true, OUTBOUND_ANSWERED, 1, 1 },
        { "metadata", "169.254.169.254", { NULL }, true, OUTBOUND_ADDRESS_REFUSED, 0, 0 },
        { "a name of metadata", "in.example", { "169.254.169.254" }, true, OUTBOUND_ADDRESS_REFUSED, 0, 1 },
        { "IPv6 metadata", "[fd00:ec2::254]", { NULL }, true, OUTBOUND_ADDRESS_REFUSED, 0, 0 },
        { "unspecified, which reaches loopback", "0.0.0.0", { NULL }, true, OUTBOUND_ADDRESS_REFUSED, 0, 0 },
        { "unspecified IPv6", "[::]", { NULL }, true, OUTBOUND_ADDRESS_REFUSED, 0, 0 },
        { "all are refused",
          "in.example",
          { "169.254.169.254", "127.0.0.1", "fe80::1", "::1" },
          false,
          OUTBOUND_ADDRESS_REFUSED,
          0,
          1 },
        { "refused ones are skipped",
          "in.example",
          { "169.254.169.254", "0.0.0.0", "127.0.0.1" },
          true,
          OUTBOUND_ANSWERED,
          1,
          1 },
        { "no such name", "none.example", { NULL }, true, OUTBOUND_NAME, 0, 1 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct script script = { .head = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok" };
        struct world w = { 0 };
        struct result got;
        char url[200];
        memcpy(w.names.answers[0], cases[i].answer, sizeof cases[i].answer);
        script_start(&script);
        open_world(&w, (struct outbound_config){ 0 });
        const struct outbound_request r = { .method = STR("POST"),
                                            .url = url_of(url, cases[i].host, script.port, "/"),
                                            .may_loopback = cases[i].may_loopback };
        outbound_ask(w.loop, w.outbound, &r, &got);
        if (got.cause != cases[i].cause) fail_msg("%s: %s: %s", cases[i].what, outbound_cause_name(got.cause), got.message);
        if (atomic_load(&script.connections) != cases[i].connections) fail_msg("%s: connected", cases[i].what);
        if (atomic_load(&w.names.asked) != cases[i].asked) fail_msg("%s: looked up", cases[i].what);
        if (got.cause == OUTBOUND_ANSWERED) assert_string_equal(got.body, "ok");
        close_world(&w);
        script_stop(&script);
    }
}

/* The name means something harmless when it is judged, and loopback right after. */
static void test_rebinding(void **state) {
    (void)state;
    struct script inside = { .head = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" };
    struct world w = { .names = { .answers = { { "192.0.2.1" }, { "127.0.0.1" } } } };
    struct result got;
    char url[200];
    script_start(&inside);
    open_world(&w, (struct outbound_config){ 0 });
    struct outbound_request r = { .method = STR("GET"),
                                  .url = url_of(url, "turns.example", inside.port, "/"),
                                  .timeout_ms = 300 };
    outbound_ask(w.loop, w.outbound, &r, &got); /* what was judged is what is connected: nobody is there */
    assert_true(got.cause == OUTBOUND_TIMED_OUT || got.cause == OUTBOUND_CONNECT);
    assert_int_equal(atomic_load(&w.names.asked), 1);
    outbound_ask(w.loop, w.outbound, &r, &got); /* a new look-up is judged anew */
    assert_int_equal(got.cause, OUTBOUND_ADDRESS_REFUSED);
    assert_non_null(strstr(got.message, "127.0.0.1"));
    assert_int_equal(atomic_load(&w.names.asked), 2);
    assert_int_equal(atomic_load(&inside.connections), 0);
    close_world(&w);
    script_stop(&inside);
}

/* The same among two that may be dialled: the first answer is connected, the second never. */
static void test_rebinding_between_two(void **state) {
    (void)state;
    struct script first = { .head = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1" }, second = { .address = "127.0.0.2" };
    struct world w = { .names = { .answers = { { "127.0.0.1" }, { "127.0.0.2" } } } };
    struct result got;
    char url[200];
    script_start(&first);
    second.port = first.port;
    script_start(&second);
    open_world(&w, (struct outbound_config){ 0 });
    const struct outbound_request r = { .method = STR("GET"),
                                        .url = url_of(url, "turns.example", first.port, "/"),
                                        .may_loopback = true };
    outbound_ask(w.loop, w.outbound, &r, &got);
    assert_string_equal(got.body, "1");
    assert_int_equal(atomic_load(&first.connections), 1);
    assert_int_equal(atomic_load(&second.connections), 0);
    close_world(&w);
    script_stop(&first);
    script_stop(&second);
}

static void test_redirects_are_answers(void **state) {
    (void)state;
    struct script script = { .head = "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest\r\nretry-after: 7\r\n"
                                     "content-type: text/plain\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n" };
    struct world w = { .names = { .answers = { { "127.0.0.1" } } } };
    struct result got;
    char url[200];
    script_start(&script);
    open_world(&w, (struct outbound_config){ 0 });
    const struct outbound_request r = { .method = STR("GET"),
                                        .url = url_of(url, "here.example", script.port, "/"),
                                        .may_loopback = true };
    outbound_ask(w.loop, w.outbound, &r, &got);
    assert_int_equal(got.cause, OUTBOUND_ANSWERED);
    assert_int_equal(got.status, 302);
    assert_string_equal(got.location, "http://169.254.169.254/latest");
    assert_string_equal(got.retry_after, "7");
    assert_string_equal(got.type, "text/plain");
    assert_int_equal(got.n_headers, 4); /* no cookie */
    for (unsigned i = 0; i < 10; i++) loop_run_once(w.loop, 10);
    assert_int_equal(atomic_load(&script.connections), 1);
    assert_int_equal(atomic_load(&w.names.asked), 1);
    close_world(&w);
    script_stop(&script);
}

/* A connection that one call may use is not there for another that may not. */
static void test_pools_are_apart(void **state) {
    (void)state;
    struct rig rig;
    struct world w = { .names = { .answers = { { "127.0.0.1" } } } };
    struct result got;
    char url[200];
    rig_start(&rig, RIG_PLAIN, NULL, true);
    open_world(&w, (struct outbound_config){ 0 });
    outbound_free(w.outbound); /* on the rig's loop instead */
    struct err err;
    const struct outbound_config config = { .loop = rig.loop, .resolver = names_resolver(&w.names) };
    assert_int_equal(outbound_new(&config, &w.outbound, &err), OK);
    struct outbound_request r = { .method = STR("GET"),
                                  .url = url_of(url, "here.example", rig.port, "/where"),
                                  .may_loopback = true };
    outbound_ask(rig.loop, w.outbound, &r, &got);
    assert_int_equal(got.cause, OUTBOUND_ANSWERED);
    outbound_ask(rig.loop, w.outbound, &r, &got);
    assert_int_equal(got.cause, OUTBOUND_ANSWERED);
    assert_int_equal(http_server_stats(rig.server).accepted, 1); /* kept alive */
    r.may_loopback = false;
    outbound_ask(rig.loop, w.outbound, &r, &got);
    assert_int_equal(got.cause, OUTBOUND_ADDRESS_REFUSED);
    assert_int_equal(rig.requests, 2);
    close_world(&w);
    rig_stop(&rig);
}

/* ---- how calls end ---- */

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

static void test_answers(void **state) {
    (void)state;
    static char flood[100000];
    memset(flood, 'a', sizeof flood - 1);
    memcpy(flood, OK_HEAD "x: ", sizeof OK_HEAD "x: " - 1);
    const struct {
        const char *what;
        struct script script;
        enum outbound_cause cause;
        size_t body;
    } cases[] = {
        { "as much as may be", { .head = OK_HEAD "content-length: 1000\r\n\r\n", .body = 1000 }, OUTBOUND_ANSWERED, 1000 },
        { "until the end", { .head = OK_HEAD "\r\n", .body = 999 }, OUTBOUND_ANSWERED, 999 },
        { "one byte more", { .head = OK_HEAD "\r\n", .body = 1001 }, OUTBOUND_TOO_LARGE, 0 },
        { "one byte more, as it says",
          { .head = OK_HEAD "content-length: 1001\r\n\r\n", .hold = true },
          OUTBOUND_TOO_LARGE,
          0 },
        { "chunks without end",
          { .head = OK_HEAD "transfer-encoding: chunked\r\n\r\nfffff\r\n", .body = 5000, .hold = true },
          OUTBOUND_TOO_LARGE,
          0 },
        { "less than it says", { .head = OK_HEAD "content-length: 100\r\n\r\n", .body = 10 }, OUTBOUND_CUT, 0 },
        { "a chunk that is cut",
          { .head = OK_HEAD "transfer-encoding: chunked\r\n\r\nff\r\n", .body = 10 },
          OUTBOUND_CUT,
          0 },
        { "nothing", { .head = "" }, OUTBOUND_CUT, 0 },
        { "half a head", { .head = "HTTP/1.1 20" }, OUTBOUND_CUT, 0 },
        { "more than it says", { .head = OK_HEAD "content-length: 3\r\n\r\n", .body = 30 }, OUTBOUND_ANSWERED, 3 },
        { "two lengths", { .head = OK_HEAD "content-length: 3\r\ncontent-length: 4\r\n\r\nabcd" }, OUTBOUND_MALFORMED, 0 },
        { "a length that is none", { .head = OK_HEAD "content-length: -1\r\n\r\n" }, OUTBOUND_MALFORMED, 0 },
        { "two ways to end",
          { .head = OK_HEAD "content-length: 3\r\ntransfer-encoding: chunked\r\n\r\nabc" },
          OUTBOUND_MALFORMED,
          0 },
        { "another protocol", { .head = "SSH-2.0-OpenSSH\r\n\r\n" }, OUTBOUND_MALFORMED, 0 },
        { "a switch of protocols", { .head = "HTTP/1.1 101 X\r\nupgrade: h2c\r\n\r\n" }, OUTBOUND_MALFORMED, 0 },
        { "an interim answer first",
          { .head = "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" OK_HEAD "content-length: 1\r\n\r\n", .body = 1 },
          OUTBOUND_ANSWERED,
          1 },
        { "compressed", { .head = OK_HEAD "content-encoding: gzip\r\ncontent-length: 0\r\n\r\n" }, OUTBOUND_MALFORMED, 0 },
        { "two locations",
          { .head = "HTTP/1.1 202 A\r\nlocation: /a\r\nlocation: /b\r\ncontent-length: 0\r\n\r\n" },
          OUTBOUND_MALFORMED,
          0 },
        { "a flood of headers", { .head = flood }, OUTBOUND_TOO_LARGE, 0 },
        { "never an answer", { 0 }, OUTBOUND_TIMED_OUT, 0 },
        { "never the end",
          { .head = OK_HEAD "content-length: 100\r\n\r\n", .body = 10, .hold = true },
          OUTBOUND_TIMED_OUT,
          0 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct script script = cases[i].script;
        struct world w = { 0 };
        struct result got;
        char url[200];
        script_start(&script);
        open_world(&w, (struct outbound_config){ 0 });
        const struct outbound_request r = { .method = STR("POST"),
                                            .url = url_of(url, "127.0.0.1", script.port, "/a"),
                                            .body = STR("{}"),
                                            .max_answer_bytes = 1000,
                                            .timeout_ms = cases[i].cause == OUTBOUND_TIMED_OUT ? 100 : 5000,
                                            .may_loopback = true };
        outbound_ask(w.loop, w.outbound, &r, &got);
        if (got.cause != cases[i].cause || got.body_bytes != cases[i].body)
            fail_msg("%s: %s, %zu bytes: %s", cases[i].what, outbound_cause_name(got.cause), got.body_bytes, got.message);
        if (got.cause != OUTBOUND_ANSWERED && (got.status || !got.message[0])) fail_msg("%s: no message", cases[i].what);
        assert_int_equal(atomic_load(&script.connections), 1); /* a POST is not sent twice */
        close_world(&w);
        script_stop(&script);
    }
}

static void test_nobody_listens(void **state) {
    (void)state;
    struct script script = { 0 };
    struct world w = { 0 };
    struct result got;
    char url[200];
    script_start(&script);
    script_stop(&script);
    open_world(&w, (struct outbound_config){ 0 });
    const struct outbound_request r = { .method = STR("GET"),
                                        .url = url_of(url, "127.0.0.1", script.port, "/"),
                                        .may_loopback = true };
    outbound_ask(w.loop, w.outbound, &r, &got);
    assert_int_equal(got.cause, OUTBOUND_CONNECT);
    assert_non_null(strstr(got.message, "refused"));
    close_world(&w);
}

/* ---- TLS ---- */

static void test_tls(void **state) {
    (void)state;
    static const struct {
        const char *what, *scheme, *host;
        bool trusted, plain_server;
        enum outbound_cause cause;
        const char *message;
    } cases[] = {
        { "our authority, by name", "https", "localhost", true, false, OUTBOUND_ANSWERED, "" },
        { "our authority, by address", "https", "127.0.0.1", true, false, OUTBOUND_ANSWERED, "" },
        { "an unknown authority", "https", "localhost", false, false, OUTBOUND_TLS, "certificate" },
        { "another name", "https", "other.example", true, false, OUTBOUND_TLS, "mismatch" },
        { "another address", "https", "127.0.0.2", true, false, OUTBOUND_TLS, "mismatch" },
        { "no TLS there", "https", "localhost", true, true, OUTBOUND_TLS, "TLS" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig rig;
        struct names names = { .answers = { { "127.0.0.1" } } };
        struct outbound *outbound = NULL;
        struct result got;
        struct err err = { 0 };
        char url[200], ca[256];
        bool elsewhere = strcmp(cases[i].host, "127.0.0.2") == 0;
        rig_start(&rig, cases[i].plain_server ? RIG_PLAIN : RIG_TLS, NULL, false);
        snprintf(ca, sizeof ca, "%s", rig_file("cert.pem"));
        if (elsewhere) { /* the same server and certificate, at an address that it does not name */
            const struct http_listen also = { .address = STR("127.0.0.2:0"), .tls = rig.server_tls, .ctx = &rig };
            struct http_listener *listener;
            assert_int_equal(http_server_listen(rig.server, &also, &listener, &err), OK);
            rig.port = http_listener_port(listener);
        }
        const struct outbound_config config = { .loop = rig.loop,
                                                .ca_file = cases[i].trusted ? ca : NULL,
                                                .resolver = names_resolver(&names) };
        if (outbound_new(&config, &outbound, &err)) fail_msg("%s", err.message);
        snprintf(url, sizeof url, "%s://%s:%u/where", cases[i].scheme, cases[i].host, rig.port);
        const struct outbound_request r = { .method = STR("GET"), .url = str_z(url), .may_loopback = true };
        outbound_ask(rig.loop, outbound, &r, &got);
        if (got.cause != cases[i].cause || !strstr(got.message, cases[i].message))
            fail_msg("%s: %s: %s", cases[i].what, outbound_cause_name(got.cause), got.message);
        assert_int_equal(rig.requests, got.cause == OUTBOUND_ANSWERED);
        outbound_free(outbound);
        rig_stop(&rig);
    }
}

/* Over HTTP/2, with what a pipeline gives: the names of headers in upper case, a body, our token. */
static void test_what_is_sent(void **state) {
    (void)state;
    struct rig rig;
    struct outbound *outbound = NULL;
    struct result got;
    struct err err = { 0 };
    char url[200], ca[256];
    const struct http_header headers[] = { { STR("X-Upper"), STR("v") }, { STR("Content-Type"), STR("application/json") } };
    rig_start(&rig, RIG_TLS, NULL, false);
    snprintf(ca, sizeof ca, "%s", rig_file("cert.pem"));
    const struct outbound_config config = { .loop = rig.loop, .ca_file = ca };
    if (outbound_new(&config, &outbound, &err)) fail_msg("%s", err.message);
    snprintf(url, sizeof url, "HTTPS://LocalHost:%u/echo/a%%20b?x=%%41", rig.port);
    const struct outbound_request r = { .method = STR("POST"),
                                        .url = str_z(url),
                                        .headers = headers,
                                        .n_headers = COUNT(headers),
                                        .token = STR("abc.def"),
                                        .body = STR("{\"a\":1}"),
                                        .may_loopback = true };
    outbound_ask(rig.loop, outbound, &r, &got);
    assert_int_equal(got.cause, OUTBOUND_ANSWERED);
    assert_string_equal(got.body, "{\"a\":1}");
    assert_string_equal(rig.seen, "POST /echo/a%20b x=%41 https 7");
    outbound_free(outbound);
    rig_stop(&rig);
}

/* ---- bounds, ends, threads ---- */

static void test_bounds(void **state) {
    (void)state;
    struct script script = { 0 };
    struct world w = { 0 };
    struct result got[3] = { 0 };
    struct err err = { 0 };
    char url[200];
    script_start(&script);
    open_world(&w, (struct outbound_config){ .max_calls = 2, .max_bytes = 1000 });
    struct outbound_request r = { .method = STR("GET"),
                                  .url = url_of(url, "127.0.0.1", script.port, "/"),
                                  .may_loopback = true };
    for (unsigned i = 0; i < 2; i++) assert_int_equal(outbound_send(w.outbound, &r, result_done, &got[i], NULL, &err), OK);
    assert_int_equal(outbound_send(w.outbound, &r, result_done, &got[2], NULL, &err), RESOURCE_EXHAUSTED);
    outbound_stop(w.outbound);
    assert_int_equal(outbound_send(w.outbound, &r, result_done, &got[2], NULL, &err), UNAVAILABLE);
    for (unsigned i = 0; i < 2; i++) assert_int_equal(got[i].cause, OUTBOUND_STOPPED);
    for (unsigned i = 0; i < 3; i++) assert_int_equal(atomic_load(&got[i].times), i < 2);
    close_world(&w);
    script_stop(&script);
}

static void test_bytes_are_bounded(void **state) {
    (void)state;
    static char body[600];
    struct script script = { .head = OK_HEAD "content-length: 600\r\n\r\n", .body = 600 };
    struct world w = { 0 };
    struct result got = { 0 };
    struct err err = { 0 };
    char url[200];
    script_start(&script);
    open_world(&w, (struct outbound_config){ .max_bytes = 1000 });
    struct outbound_request r = { .method = STR("POST"),
                                  .url = url_of(url, "127.0.0.1", script.port, "/"),
                                  .body = { body, sizeof body },
                                  .may_loopback = true };
    assert_int_equal(outbound_send(w.outbound, &r, result_done, &got, NULL, &err), OK);
    assert_int_equal(outbound_send(w.outbound, &r, result_done, &got, NULL, &err), RESOURCE_EXHAUSTED);
    result_wait(w.loop, &got);
    assert_int_equal(got.cause, OUTBOUND_BUSY); /* 600 sent, 600 received */
    r.body.n = 0;
    outbound_ask(w.loop, w.outbound, &r, &got); /* and all is given back */
    assert_int_equal(got.cause, OUTBOUND_ANSWERED);
    assert_int_equal(got.body_bytes, 600);
    close_world(&w);
    script_stop(&script);
}

static void test_cancel(void **state) {
    (void)state;
    struct script script = { 0 };
    struct world w = { 0 };
    struct result got = { 0 }, early = { 0 };
    struct err err = { 0 };
    uint64_t id = 0;
    char url[200];
    script_start(&script);
    open_world(&w, (struct outbound_config){ 0 });
    struct outbound_request r = { .method = STR("GET"),
                                  .url = url_of(url, "127.0.0.1", script.port, "/"),
                                  .may_loopback = true };
    assert_int_equal(outbound_send(w.outbound, &r, result_done, &early, &id, &err), OK);
    outbound_cancel(w.outbound, id); /* before it has begun */
    result_wait(w.loop, &early);
    assert_int_equal(early.cause, OUTBOUND_CANCELLED);
    assert_int_equal(outbound_send(w.outbound, &r, result_done, &got, &id, &err), OK);
    for (unsigned i = 0; i < 200 && !atomic_load(&script.connections); i++) loop_run_once(w.loop, 10);
    outbound_cancel(w.outbound, id); /* while the server does not answer */
    outbound_cancel(w.outbound, id);
    result_wait(w.loop, &got);
    assert_int_equal(got.cause, OUTBOUND_CANCELLED);
    outbound_cancel(w.outbound, id);
    outbound_cancel(w.outbound, 12345);
    loop_run_once(w.loop, 10);
    assert_int_equal(atomic_load(&got.times), 1);
    close_world(&w);
    script_stop(&script);
}

struct sender {
    struct world *w;
    const struct outbound_request *request;
    struct result results[20];
    unsigned refused;
    pthread_t thread;
};

static void *send_many(void *arg) {
    struct sender *s = arg;
    for (size_t i = 0; i < COUNT(s->results); i++) {
        uint64_t id;
        if (outbound_send(s->w->outbound, s->request, result_done, &s->results[i], &id, NULL)) s->refused++;
        else if (i % 3 == 0) outbound_cancel(s->w->outbound, id);
    }
    return NULL;
}

/* Senders of other threads, cancellations, and a stop amid: each call ends once. */
static void test_threads(void **state) {
    (void)state;
    struct script script = { .head = OK_HEAD "connection: close\r\ncontent-length: 0\r\n\r\n" };
    struct world w = { 0 };
    static struct sender senders[4];
    char url[200];
    memset(senders, 0, sizeof senders);
    script_start(&script);
    open_world(&w, (struct outbound_config){ 0 });
    const struct outbound_request r = { .method = STR("GET"),
                                        .url = url_of(url, "127.0.0.1", script.port, "/"),
                                        .may_loopback = true };
    for (size_t i = 0; i < COUNT(senders); i++) {
        senders[i].w = &w;
        senders[i].request = &r;
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_many, &senders[i]), 0);
    }
    for (unsigned i = 0; i < 10; i++) loop_run_once(w.loop, 5);
    outbound_stop(w.outbound);
    for (size_t i = 0; i < COUNT(senders); i++) pthread_join(senders[i].thread, NULL);
    for (size_t i = 0; i < COUNT(senders); i++) {
        unsigned ended = 0;
        for (size_t k = 0; k < COUNT(senders[i].results); k++) {
            assert_true(atomic_load(&senders[i].results[k].times) <= 1);
            ended += atomic_load(&senders[i].results[k].times);
        }
        assert_int_equal(ended + senders[i].refused, COUNT(senders[i].results));
    }
    close_world(&w);
    script_stop(&script);
}

static enum code stuck(void *ctx, const char *host, struct net_address *addresses, size_t max, size_t *ret_n,
                       struct err *err) {
    (void)ctx, (void)host, (void)addresses, (void)max, (void)ret_n;
    usleep(1500000);
    return err_set(err, UNAVAILABLE, "late");
}

/* Name servers that are silent hold neither a call nor the end of the server. */
static void test_a_name_server_that_is_silent(void **state) {
    (void)state;
    struct world w = { 0 };
    struct result got, last = { 0 };
    struct timespec from, to;
    struct err err;
    const struct outbound_request r = { .method = STR("GET"), .url = STR("http://slow.example/"), .timeout_ms = 100 };
    assert_int_equal(loop_new(&w.loop, &err), OK);
    const struct outbound_config config = { .loop = w.loop, .resolver = { .resolve = stuck } };
    assert_int_equal(outbound_new(&config, &w.outbound, &err), OK);
    clock_gettime(CLOCK_MONOTONIC, &from);
    outbound_ask(w.loop, w.outbound, &r, &got);
    assert_int_equal(got.cause, OUTBOUND_TIMED_OUT);
    assert_int_equal(outbound_send(w.outbound, &r, result_done, &last, NULL, &err), OK);
    loop_run_once(w.loop, 20);
    close_world(&w);
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_int_equal(last.cause, OUTBOUND_STOPPED);
    assert_true((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 < 1000);
    usleep(1700000); /* the threads leave: the leak checker looks afterwards */
}

/* Whatever fails for want of memory: an error at once, or one end. */
static void test_without_memory(void **state) {
    (void)state;
    struct script script = { .head = OK_HEAD "content-type: a/b\r\ncontent-length: 10\r\n\r\n", .body = 10 };
    struct world w = { 0 };
    unsigned refused = 0, busy = 0, answered = 0;
    const struct http_header header = { STR("a"), STR("b") };
    char url[200];
    script_start(&script);
    open_world(&w, (struct outbound_config){ 0 });
    const struct outbound_request r = { .method = STR("POST"),
                                        .url = url_of(url, "127.0.0.1", script.port, "/"),
                                        .headers = &header,
                                        .n_headers = 1,
                                        .token = STR("t"),
                                        .body = STR("b"),
                                        .may_loopback = true };
    for (unsigned n = 1; n < 40; n++) {
        struct result got = { 0 };
        struct err err = { 0 };
        arena_fail_after(n);
        enum code rc = outbound_send(w.outbound, &r, result_done, &got, NULL, &err);
        if (rc) assert_int_equal(err.code, RESOURCE_EXHAUSTED);
        else result_wait(w.loop, &got);
        arena_fail_after(0);
        refused += rc != OK;
        busy += !rc && got.cause != OUTBOUND_ANSWERED;
        answered += !rc && got.cause == OUTBOUND_ANSWERED;
        if (!rc && got.cause == OUTBOUND_ANSWERED) assert_int_equal(got.body_bytes, 10);
    }
    assert_true(refused > 2 && busy > 2 && answered > 2);
    close_world(&w);
    script_stop(&script);
}

/* Each name is another place to the client: what was called once is forgotten. The sanitizer watches what is freed. */
static void test_many_names(void **state) {
    (void)state;
    struct script script = { .head = OK_HEAD "connection: close\r\ncontent-length: 0\r\n\r\n" };
    struct world w = { .names = { .answers = { { "127.0.0.1" } } } };
    struct result got;
    script_start(&script);
    open_world(&w, (struct outbound_config){ 0 });
    for (unsigned i = 0; i < 150; i++) {
        char host[40], url[200];
        snprintf(host, sizeof host, "h%u.example", i);
        const struct outbound_request r = { .method = STR("GET"),
                                            .url = url_of(url, host, script.port, "/"),
                                            .may_loopback = true };
        outbound_ask(w.loop, w.outbound, &r, &got);
        assert_int_equal(got.cause, OUTBOUND_ANSWERED);
    }
    close_world(&w);
    script_stop(&script);
}

static void test_names(void **state) {
    (void)state;
    for (enum outbound_cause c = 0; c < OUTBOUND_CAUSES; c++) assert_true(outbound_cause_name(c)[0]);
    assert_string_equal(outbound_cause_name(OUTBOUND_CAUSES), "");
    outbound_stop(NULL);
    outbound_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_rebinding),
        cmocka_unit_test(test_rebinding_between_two),
        cmocka_unit_test(test_redirects_are_answers),
        cmocka_unit_test(test_pools_are_apart),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_what_is_sent),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_bytes_are_bounded),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_a_name_server_that_is_silent),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_many_names),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
