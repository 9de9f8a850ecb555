#include "wire/url_absolute.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/enc.h"
#include "wire/url.h"

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_alnum(char c) {
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z');
}

/* ---- hosts ---- */

/* What some readers take for a number: digits alone, or 0x. WHATWG's "ends in a number" asks the same of the last label. */
static bool is_number(struct str label) {
    bool hex = label.n >= 2 && label.p[0] == '0' && lower(label.p[1]) == 'x';
    for (size_t i = hex ? 2 : 0; i < label.n; i++)
        if (hex ? hex_value(label.p[i]) < 0 : !is_digit(label.p[i])) return false;
    return label.n > 0;
}

static bool is_canonical(int family, struct str host) {
    char text[INET6_ADDRSTRLEN + 1] = "", again[INET6_ADDRSTRLEN + 1] = "";
    unsigned char bytes[16];
    if (host.n >= sizeof text) return false;
    memcpy(text, host.p, host.n);
    return inet_pton(family, text, bytes) == 1 && inet_ntop(family, bytes, again, sizeof again) && str_eq_z(host, again);
}

static const char *bad_label(struct str label) {
    if (label.n == 0) return "the host has an empty label, or ends with a dot";
    if (label.n > 63) return "a label of the host is longer than 63 bytes";
    for (size_t i = 0; i < label.n; i++)
        if (!is_alnum(label.p[i]) && label.p[i] != '-' && label.p[i] != '_')
            return "the host holds other characters than letters, digits, '-', '_' and '.' (write names of other scripts "
                   "as xn--…)";
    return NULL;
}

static const char *bad_name(struct str host, bool *ret_is_address) {
    struct str rest = host, label = { 0 };
    if (host.n == 0) return "the host is missing";
    if (host.n > 253) return "the host is longer than 253 bytes";
    if (host.p[host.n - 1] == '.') return "the host ends with a dot";
    while (rest.n) {
        label = str_cut(&rest, '.');
        const char *why = bad_label(label);
        if (why) return why;
    }
    *ret_is_address = is_number(label);
    if (*ret_is_address && !is_canonical(AF_INET, host))
        return "the host is a number in an unusual spelling (write four decimal numbers, such as 192.0.2.1)";
    return NULL;
}

static const char *bad_ipv6(struct str host) {
    if (!is_canonical(AF_INET6, host))
        return "the host is no IPv6 address in its canonical spelling, such as [2001:db8::1]";
    if (str_starts(host, STR("::ffff:"))) return "the host is an IPv4 address in IPv6's spelling (write the IPv4 address)";
    return NULL;
}

static const char *split_authority(struct str authority, struct url_absolute *u) {
    const char *why;
    uint64_t port = u->tls ? 443 : 80;
    bool has_port;
    if (str_find_char(authority, '@') >= 0) return "it holds user info (name or password before '@')";
    if (authority.n && authority.p[0] == '[') {
        ptrdiff_t end = str_find_char(authority, ']');
        if (end < 0) return "the host's '[' is not closed";
        u->host = (struct str){ authority.p + 1, (size_t)end - 1 };
        u->is_address = true;
        why = bad_ipv6(u->host);
        authority = str_from(authority, (size_t)end + 1);
        has_port = authority.n > 0;
        if (!why && has_port && authority.p[0] != ':') why = "something follows the host's ']'";
        authority = str_from(authority, 1);
    } else {
        has_port = str_find_char(authority, ':') >= 0;
        u->host = str_cut(&authority, ':');
        why = bad_name(u->host, &u->is_address);
    }
    if (why) return why;
    if (has_port && (!str_u64(authority, &port) || port == 0 || port > 65535 || authority.p[0] == '0'))
        return "the port is no number from 1 to 65535";
    u->port = (uint16_t)port;
    return NULL;
}

/* ---- paths ---- */

/* Decoded once, as a server would; "%2F" and '\' count as slashes, as for some servers they do. */
static const char *bad_decoded(struct str path) {
    for (size_t i = 0; i < path.n; i++)
        if ((unsigned char)path.p[i] < 0x20 || path.p[i] == 0x7f) return "the path holds an encoded control character";
    if (!utf8_valid(path)) return "the path is not UTF-8";
    for (size_t i = 0; i < path.n;) {
        size_t from = i;
        while (i < path.n && path.p[i] != '/' && path.p[i] != '\\') i++;
        struct str part = { path.p + from, i++ - from };
        part = str_cut(&part, ';'); /* parameters of a segment, which some servers drop */
        if (str_eq(part, STR(".")) || str_eq(part, STR(".."))) return "the path holds a '.' or '..' segment";
    }
    return NULL;
}

static const char *bad_path(struct str path) {
    char decoded[URL_ABSOLUTE_MAX];
    size_t n = 0;
    if (str_find(path, STR("//")) >= 0) return "the path holds an empty segment (\"//\")";
    for (size_t i = 0; i < path.n; i++) {
        char c = path.p[i];
        if (c == '%') {
            int high = i + 2 < path.n ? hex_value(path.p[i + 1]) : -1, low = high >= 0 ? hex_value(path.p[i + 2]) : -1;
            if (low < 0) return "a '%' of the path is not followed by two hexadecimal digits";
            c = (char)(high * 16 + low);
            i += 2;
        }
        decoded[n++] = c;
    }
    return bad_decoded((struct str){ decoded, n });
}

static const char *split_target(struct str target, struct url_absolute *u) {
    struct err why;
    u->target = target.n ? target : STR("/");
    if (u->target.p[0] != '/') return "a '/' must stand before '?'";
    if (url_split_target(u->target, &u->path, &u->query, &why))
        return "the path or query holds characters that must be percent-encoded";
    return bad_path(u->path);
}

/* ---- the whole ---- */

static const char *bad_characters(struct str url) {
    for (size_t i = 0; i < url.n; i++) {
        unsigned char c = (unsigned char)url.p[i];
        if (c <= 0x20 || c == 0x7f) return "it holds blanks or control characters";
        if (c == '#') return "it holds a fragment ('#')";
        if (c == '\\') return "it holds a backslash";
    }
    return NULL;
}

static const char *split(struct str url, struct url_absolute *u) {
    if (url.n > URL_ABSOLUTE_MAX) return "it is longer than 4096 bytes";
    const char *why = bad_characters(url);
    if (why) return why;
    u->tls = str_strip_prefix(&url, STR("https://"));
    if (!u->tls && !str_strip_prefix(&url, STR("http://"))) return "it begins with neither https:// nor http://";
    size_t end = 0;
    while (end < url.n && url.p[end] != '/' && url.p[end] != '?') end++;
    why = split_authority(str_upto(url, end), u);
    return why ? why : split_target(str_from(url, end), u);
}

enum code url_absolute_parse(struct str url, struct url_absolute *ret, struct err *err) {
    struct url_absolute u = { 0 };
    const char *why = split(url, &u);
    if (why) return err_set(err, INVALID_ARGUMENT, "the URL cannot be used: %s", why);
    *ret = u;
    return OK;
}

static bool is_unreserved(char c) {
    return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static void print_path(struct str path, struct buf *out) {
    for (size_t i = 0; i < path.n; i++) {
        if (path.p[i] != '%' || i + 2 >= path.n) {
            buf_add_char(out, path.p[i]);
            continue;
        }
        char c = (char)(hex_value(path.p[i + 1]) * 16 + hex_value(path.p[i + 2]));
        if (is_unreserved(c)) buf_add_char(out, c);
        else buf_printf(out, "%%%02X", (unsigned char)c);
        i += 2;
    }
}

void url_absolute_print(const struct url_absolute *u, struct buf *out) {
    bool v6 = str_find_char(u->host, ':') >= 0;
    buf_add_z(out, u->tls ? "https://" : "http://");
    if (v6) buf_add_char(out, '[');
    for (size_t i = 0; i < u->host.n; i++) buf_add_char(out, lower(u->host.p[i]));
    if (v6) buf_add_char(out, ']');
    if (u->port != (u->tls ? 443 : 80)) buf_printf(out, ":%u", u->port);
    print_path(u->path, out);
}
