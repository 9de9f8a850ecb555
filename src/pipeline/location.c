/* location.c: a Location against the URL that was asked. RFC 3986 §5.2, RFC 9110 §10.2.2. */
#include <string.h>
#include "pipeline/pipelines_priv.h"

enum { MAX_URL_BYTES = 8192 };

struct parts {
    struct str scheme, authority, path, query; /* query with its '?' */
};

static bool is_scheme(struct str s) {
    return str_eq_nocase(s, STR("http")) || str_eq_nocase(s, STR("https"));
}

static bool is_printable(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 127 || s.p[i] == '\\') return false;
    return true;
}

/* "scheme:" when there is one: letters before the first of :/?# */
static bool split_scheme(struct str *rest, struct str *ret) {
    for (size_t i = 0; i < rest->n; i++) {
        char c = rest->p[i];
        if (c == ':' && i > 0) {
            *ret = str_upto(*rest, i);
            *rest = str_from(*rest, i + 1);
            return true;
        }
        if (strchr("/?#", c)) return false;
    }
    return false;
}

static struct str until(struct str *rest, const char *ends) {
    size_t n = 0;
    while (n < rest->n && !strchr(ends, rest->p[n])) n++;
    struct str part = str_upto(*rest, n);
    *rest = str_from(*rest, n);
    return part;
}

static struct parts split(struct str text) {
    struct parts parts = { 0 };
    struct str rest = str_cut(&text, '#');
    (void)split_scheme(&rest, &parts.scheme);
    if (str_strip_prefix(&rest, STR("//"))) {
        parts.authority = until(&rest, "/?");
        if (!parts.authority.p) parts.authority.p = "";
    }
    parts.path = until(&rest, "?");
    parts.query = rest;
    return parts;
}

/* §5.2.4, on the bytes after `from`. */
static void remove_dots(struct buf *out, struct str path, size_t from) {
    while (path.n) {
        (void)str_strip_prefix(&path, STR("/"));
        struct str segment = until(&path, "/");
        bool last = path.n == 0;
        if (str_eq_z(segment, "..")) {
            while (out->n > from && out->p[--out->n] != '/') continue;
            if (last) buf_add_char(out, '/');
        } else if (str_eq_z(segment, ".")) {
            if (last) buf_add_char(out, '/');
        } else {
            buf_add_char(out, '/');
            buf_add_str(out, segment);
        }
    }
}

static void add_path(struct buf *out, const struct parts *base, const struct parts *ref) {
    size_t from = out->n;
    struct str directory = base->path;
    while (directory.n && directory.p[directory.n - 1] != '/') directory.n--;
    if (ref->path.n && ref->path.p[0] != '/') {
        DEFER(buf_free) struct buf merged = BUF_INIT(2 * MAX_URL_BYTES);
        buf_add_str(&merged, directory.n ? directory : STR("/"));
        buf_add_str(&merged, ref->path);
        if (!buf_ok(&merged)) out->failed = true;
        remove_dots(out, buf_str(&merged), from);
    } else {
        remove_dots(out, ref->path, from);
    }
}

bool location_resolve(struct str base_text, struct str reference, struct buf *out) {
    struct parts base = split(base_text), ref = split(reference);
    if (!reference.n || reference.n > MAX_URL_BYTES || base_text.n > MAX_URL_BYTES) return false;
    if (!is_printable(reference) || !is_printable(base_text) || !is_scheme(base.scheme) ||
        (ref.scheme.n && !is_scheme(ref.scheme)))
        return false;
    bool absolute = ref.scheme.n > 0;
    if (absolute && !ref.authority.n) return false;
    struct str authority = ref.authority.n ? ref.authority : base.authority;
    buf_add_str(out, absolute ? ref.scheme : base.scheme);
    buf_add_z(out, "://");
    buf_add_str(out, authority);
    if (ref.authority.n) {
        remove_dots(out, ref.path, out->n);
        buf_add_str(out, ref.query);
    } else if (!ref.path.n) {
        remove_dots(out, base.path, out->n);
        buf_add_str(out, ref.query.n ? ref.query : base.query);
    } else {
        add_path(out, &base, &ref);
        buf_add_str(out, ref.query);
    }
    return buf_ok(out) && authority.n > 0;
}
