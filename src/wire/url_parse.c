/* Absolute URLs in one spelling (RFC 3986, RFC 5952; what a number in a host may mean elsewhere: the URL standard of
 * WHATWG, "host parsing"). */
#include <arpa/inet.h>
#include <string.h>
#include "base/enc.h"
#include "wire/url.h"

struct writer {
    char *p;
    size_t n;
    bool full;
};

static void put(struct writer *w, struct str s) {
    if (w->full || s.n > URL_MAX - w->n) {
        w->full = true;
        return;
    }
    if (s.n) memcpy(w->p + w->n, s.p, s.n);
    w->n += s.n;
}

static void put_char(struct writer *w, char c) {
    put(w, (struct str){ &c, 1 });
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c) {
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* ---- host ---- */

static enum code refuse(struct err *err, const char *why) {
    return err_set(err, INVALID_ARGUMENT, "%s", why);
}

/* Copies to a text that ends; false: too long for any address. */
static bool as_text(struct str s, char out[INET6_ADDRSTRLEN]) {
    if (s.n >= INET6_ADDRSTRLEN || str_find_char(s, '\0') >= 0) return false;
    if (s.n) memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return true;
}

/* An IPv4 address in IPv6's clothes would be compared as another host than it is. */
static bool holds_v4(const struct in6_addr *a) {
    static const unsigned char zeros[12] = { 0 };
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
    if (memcmp(a->s6_addr, mapped, 12) == 0) return true;
    return memcmp(a->s6_addr, zeros, 12) == 0 && !IN6_IS_ADDR_UNSPECIFIED(a) && !IN6_IS_ADDR_LOOPBACK(a);
}

static enum code put_v6(struct writer *w, struct str host, struct err *err) {
    char text[INET6_ADDRSTRLEN];
    struct in6_addr a;
    if (!as_text(host, text) || inet_pton(AF_INET6, text, &a) != 1)
        return refuse(err, "the host in brackets is not an IPv6 address");
    if (holds_v4(&a)) return refuse(err, "the host is an IPv4 address inside an IPv6 address: write it as IPv4");
    if (!inet_ntop(AF_INET6, &a, text, sizeof text)) return refuse(err, "the host is not an IPv6 address");
    put(w, str_z(text));
    return OK;
}

/* The last label is a number, in C's spellings: then readers of URLs take the host for an IPv4 address. */
static bool ends_in_number(struct str host) {
    size_t at = host.n;
    while (at && host.p[at - 1] != '.') at--;
    struct str last = str_from(host, at);
    bool decimal = last.n > 0, hex = last.n >= 2 && last.p[0] == '0' && lower(last.p[1]) == 'x';
    for (size_t i = 0; i < last.n; i++) {
        char c = lower(last.p[i]);
        decimal = decimal && is_digit(c);
        hex = hex && (i < 2 || is_digit(c) || (c >= 'a' && c <= 'f'));
    }
    return decimal || hex;
}

static bool is_label(struct str s) {
    if (s.n == 0 || s.n > 63 || s.p[0] == '-' || s.p[s.n - 1] == '-') return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && s.p[i] != '-') return false;
    return true;
}

static enum code put_name(struct writer *w, struct str host, bool *ret_numeric, struct err *err) {
    char text[INET6_ADDRSTRLEN];
    struct in_addr v4;
    *ret_numeric = ends_in_number(host);
    if (*ret_numeric && (!as_text(host, text) || inet_pton(AF_INET, text, &v4) != 1))
        return refuse(err, "the host is an IPv4 address in another spelling than four decimal numbers such as 127.0.0.1");
    if (host.n == 0 || host.n > 253) return refuse(err, "the host is missing, or longer than 253 bytes");
    bool more = true;
    for (struct str rest = host; more;) {
        more = str_find_char(rest, '.') >= 0;
        if (!is_label(str_cut(&rest, '.')))
            return refuse(err, "the host is not made of ASCII letters, digits and hyphens between single dots");
    }
    for (size_t i = 0; i < host.n; i++) put_char(w, lower(host.p[i]));
    return OK;
}

/* ---- port ---- */

static bool read_port(struct str text, uint16_t *ret) {
    uint64_t port;
    if (text.n == 0 || text.n > 5 || text.p[0] == '0' || !str_u64(text, &port) || port > UINT16_MAX) return false;
    *ret = (uint16_t)port;
    return true;
}

static enum code put_authority(struct writer *w, struct str text, struct url *u, struct err *err) {
    struct str host = text, port = { 0 };
    bool bracket = text.n && text.p[0] == '[';
    if (str_find_char(text, '@') >= 0) return refuse(err, "user info before the host is refused");
    if (bracket) {
        ptrdiff_t end = str_find_char(text, ']');
        if (end < 0) return refuse(err, "the host's bracket is not closed");
        host = str_from(str_upto(text, (size_t)end), 1);
        port = str_from(text, (size_t)end + 1);
        if (port.n && port.p[0] != ':') return refuse(err, "after the host's bracket stands something else than a port");
        u->port_written = port.n > 0;
        port = str_from(port, 1);
    } else {
        u->port_written = str_find_char(text, ':') >= 0;
        port = text;
        host = str_cut(&port, ':');
    }
    size_t begin = w->n;
    if (bracket) put_char(w, '[');
    size_t at = w->n;
    u->numeric = bracket;
    enum code rc = bracket ? put_v6(w, host, err) : put_name(w, host, &u->numeric, err);
    if (rc) return rc;
    u->host = (struct str){ w->p + at, w->n - at };
    if (bracket) put_char(w, ']');
    uint16_t usual = str_eq(u->scheme, STR("https")) ? 443 : 80;
    u->port = usual;
    if (u->port_written && !read_port(port, &u->port)) return refuse(err, "the port is not a number from 1 to 65535");
    if (u->port != usual) {
        put_char(w, ':');
        put(w, port);
    }
    u->authority = (struct str){ w->p + begin, w->n - begin };
    return OK;
}

/* ---- path ---- */

/* RFC 3986's pchar without '%'; '*' is a rule's word. */
static bool is_plain(unsigned char c) {
    return is_alnum((char)c) || (c && strchr("-._~!$&'()+,;=:@", c));
}

static int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "..;x" is ".." to servers that cut parameters off. */
static bool is_dots(struct str segment) {
    struct str name = str_cut(&segment, ';');
    return str_eq(name, STR(".")) || str_eq(name, STR(".."));
}

static enum code put_escape(struct writer *w, struct str text, size_t at, unsigned char *ret, struct err *err) {
    static const char digits[] = "0123456789ABCDEF";
    int high = at + 2 < text.n ? hex_value(text.p[at + 1]) : -1, low = high >= 0 ? hex_value(text.p[at + 2]) : -1;
    if (low < 0) return refuse(err, "a % in the path is not followed by two hexadecimal digits");
    unsigned char c = (unsigned char)(high * 16 + low);
    if (is_plain(c)) return refuse(err, "the path encodes a character that may stand plainly");
    if (c < 0x20 || c == 0x7f || c == '/' || c == '\\' || c == '%')
        return refuse(err, "the path hides a slash, a backslash, a percent sign or a control character");
    put_char(w, '%');
    put_char(w, digits[high]);
    put_char(w, digits[low]);
    *ret = c;
    return OK;
}

static enum code put_segment(struct writer *w, struct str segment, struct writer *decoded, struct err *err) {
    if (is_dots(segment)) return refuse(err, "the path holds a dot segment");
    for (size_t i = 0; i < segment.n; i++) {
        unsigned char c = (unsigned char)segment.p[i];
        if (c == '%') {
            enum code rc = put_escape(w, segment, i, &c, err);
            if (rc) return rc;
            i += 2;
        } else if (c == '*') return refuse(err, "a * in the path must be written %2A");
        else if (!is_plain(c)) return refuse(err, "the path holds a character that must be percent-encoded");
        else put_char(w, (char)c);
        put_char(decoded, (char)c);
    }
    return OK;
}

static enum code put_path(struct writer *w, struct str path, struct err *err) {
    char scratch[URL_MAX];
    struct writer decoded = { .p = scratch };
    if (path.n == 0) put_char(w, '/');
    while (path.n) {
        path = str_from(path, 1); /* the slash */
        ptrdiff_t end = str_find_char(path, '/');
        struct str segment = end < 0 ? path : str_upto(path, (size_t)end);
        if (end == 0) return refuse(err, "the path holds an empty segment");
        put_char(w, '/');
        put_char(&decoded, '/');
        enum code rc = put_segment(w, segment, &decoded, err);
        if (rc) return rc;
        path = str_from(path, segment.n);
    }
    if (decoded.full || !utf8_valid((struct str){ scratch, decoded.n })) return refuse(err, "the path is not UTF-8");
    return OK;
}

/* ---- the whole ---- */

static enum code check_query(struct str query, struct err *err) {
    for (size_t i = 0; i < query.n; i++) {
        unsigned char c = (unsigned char)query.p[i];
        if (c == '%') {
            if (i + 2 >= query.n || hex_value(query.p[i + 1]) < 0 || hex_value(query.p[i + 2]) < 0)
                return refuse(err, "a % in the query is not followed by two hexadecimal digits");
        } else if (!is_plain(c) && !(c && strchr("/?*[]|", c)))
            return refuse(err, "the query holds a character that must be percent-encoded");
    }
    return OK;
}

static bool take_scheme(struct str *rest, struct str scheme) {
    struct str head = str_upto(*rest, scheme.n + 3);
    if (head.n != scheme.n + 3 || !str_eq_nocase(str_upto(head, scheme.n), scheme) ||
        !str_eq(str_from(head, scheme.n), STR("://")))
        return false;
    *rest = str_from(*rest, head.n);
    return true;
}

enum code url_parse(struct str text, char buf[URL_MAX], struct url *ret, struct err *err) {
    struct url u = { 0 };
    struct writer w = { .p = buf };
    struct str rest = text;
    if (str_find_char(text, '#') >= 0) return refuse(err, "a fragment (#) is refused");
    if (take_scheme(&rest, STR("https"))) put(&w, STR("https"));
    else if (take_scheme(&rest, STR("http"))) put(&w, STR("http"));
    else return refuse(err, "a URL begins with https:// or http://");
    u.scheme = (struct str){ buf, w.n };
    put(&w, STR("://"));
    ptrdiff_t mark = str_find_char(rest, '?');
    if (mark >= 0) {
        u.query = (struct str){ rest.p + mark + 1, rest.n - (size_t)mark - 1 };
        rest = str_upto(rest, (size_t)mark);
    }
    if (rest.n > URL_MAX) return refuse(err, "the URL is longer than 1,024 bytes without its query");
    ptrdiff_t slash = str_find_char(rest, '/');
    struct str path = slash < 0 ? (struct str){ 0 } : str_from(rest, (size_t)slash);
    enum code rc = put_authority(&w, str_upto(rest, rest.n - path.n), &u, err);
    size_t begin = w.n;
    if (!rc) rc = put_path(&w, path, err);
    if (!rc) rc = check_query(u.query, err);
    if (rc) return rc;
    if (w.full) return refuse(err, "the URL is longer than 1,024 bytes without its query");
    u.path = (struct str){ buf + begin, w.n - begin };
    u.normal = (struct str){ buf, w.n };
    *ret = u;
    return OK;
}

bool url_is_loopback(const struct url *u) {
    if (u->numeric) return str_starts(u->host, STR("127.")) || str_eq(u->host, STR("::1"));
    return str_eq(u->host, STR("localhost")) || str_ends(u->host, STR(".localhost"));
}

bool url_same_origin(const struct url *a, const struct url *b) {
    return str_eq(a->scheme, b->scheme) && str_eq(a->host, b->host) && a->port == b->port;
}

bool url_is_normal(struct str text) {
    char buf[URL_MAX];
    struct url u;
    return url_parse(text, buf, &u, NULL) == OK && str_eq(u.normal, text);
}
